"""Hypothesis: shapes with their consequences, seeded values, cotangents and memory layouts; and how cases are drawn.

The one importer of Hypothesis. For a test of your own, draw a shape, draw values from a seed, and check:

>>> import numpy as np
>>> from hypothesis import Phase, given, settings
>>> from hypothesis.database import InMemoryExampleDatabase
>>> from gradcheck import assert_vjp
>>> from gradcheck.strategies import arrays, dense_shapes
>>> kept = InMemoryExampleDatabase()
>>> def softplus_has_its_gradient(x):
...     assert_vjp(lambda x: np.logaddexp(0, x), lambda c, x: c / (1 + np.exp(x)), (x,))
>>> test = given(arrays(dense_shapes().map(lambda shape: shape.patterns)))(softplus_has_its_gradient)
>>> settings(database=kept, deadline=None, phases=[Phase.generate, Phase.shrink])(test)()
Traceback (most recent call last):
    ...
gradcheck.verdict.GradientMismatch: d f / d x is wrong in 1 of 1 elements (seed 0, float64, spectral)
...

Hypothesis shrinks a failure to a small shape and keeps it, and the next run of the test begins with what was kept:

>>> again = given(arrays(dense_shapes().map(lambda shape: shape.patterns)))(softplus_has_its_gradient)
>>> settings(database=kept, deadline=None, phases=[Phase.reuse])(again)()
Traceback (most recent call last):
    ...
gradcheck.verdict.GradientMismatch: d f / d x is wrong in 1 of 1 elements (seed 0, float64, spectral)
...

By default it keeps failures in the folder .hypothesis/examples, beside your tests.
"""

from gradcheck.strategies.cotangents import COTANGENTS, LAYOUTS, cotangents, layouts
from gradcheck.strategies.drawing import (
    Draw,
    Strategy,
    cases,
    draw_cases,
    keep_nothing,
    key,
    one_of,
    sizes,
    smallest,
    tables,
)
from gradcheck.strategies.shapes import (
    ConvolutionShape,
    DenseShape,
    PoolingShape,
    convolution_shapes,
    dense_shapes,
    pooling_shapes,
)
from gradcheck.strategies.values import VALUES, arrays, away_from, untied

__all__ = [
    "COTANGENTS",
    "LAYOUTS",
    "VALUES",
    "ConvolutionShape",
    "DenseShape",
    "Draw",
    "PoolingShape",
    "Strategy",
    "arrays",
    "away_from",
    "cases",
    "convolution_shapes",
    "cotangents",
    "dense_shapes",
    "draw_cases",
    "keep_nothing",
    "key",
    "layouts",
    "one_of",
    "pooling_shapes",
    "sizes",
    "smallest",
    "tables",
    "untied",
]
