"""The ways in which people get a gradient wrong, one line a mistake."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from gradcheck import turns as t
from gradcheck.estimate import Array


@dataclass(frozen=True)
class Mistake:
    """One row of the table.

    Parameters
    ----------
    name : str
    said : str
        What was claimed, R standing for the right gradient and braces for the turn's detail.
    turns : callable
        The ways in which it may have been made, given the clues.
    """

    name: str
    said: str
    turns: t.Turns

    def sentence(self, detail: str) -> str:
        """What was claimed, in words."""
        said = "the right gradient" + self.said[1:] if self.said.startswith("R ") else self.said
        return said.replace(" R", " the right gradient").format(detail)


def _cumulated(g: Array, axis: int) -> Array:
    return np.diff(g, axis=axis, prepend=0)


def _diagonal(g: Array) -> Array:
    return np.tril(np.triu(g))


MISTAKES = (
    Mistake("zero", "zero everywhere", t.known(lambda k: np.zeros_like(k.claimed))),
    Mistake("sign", "R with the opposite sign", t.times(-1)),
    Mistake("double", "twice R", t.times(2)),
    Mistake("half", "half R", t.times(0.5)),
    Mistake("mean for sum", "R divided by the batch of {}, a mean for a sum", t.batch(-1)),
    Mistake("sum for mean", "R multiplied by the batch of {}, a sum for a mean", t.batch(1)),
    Mistake("divided by square", "R divided by {}", t.squares(-1)),
    Mistake("times square", "R multiplied by {}", t.squares(1)),
    Mistake("divided by size", "R divided by {}", t.sizes(-1)),
    Mistake("times size", "R multiplied by {}", t.sizes(1)),
    Mistake("transposed", "R transposed in its last two axes", t.last_two(t.transposed, square=True)),
    Mistake("rot180", "R turned by 180 degrees in its last two axes", t.last_two(t.turned(2))),
    Mistake("flipped", "R reversed along {}", t.each_axis(inverse=np.flip)),
    Mistake("reversed", "R reversed along all axes", t.all_reversed),
    Mistake("axes swapped", "R with axes {} swapped", t.axes_swapped),
    Mistake("axes reversed", "R with its axes in reverse order", t.axes_in_reverse_order),
    Mistake("memory order", "R with C's order of elements taken for Fortran's", t.memory_order),
    Mistake("rot90", "R turned by 90 degrees in its last two axes", t.last_two(t.turned(-1), square=True)),
    Mistake("rot270", "R turned by 270 degrees in its last two axes", t.last_two(t.turned(1), square=True)),
    Mistake("antitransposed", "R transposed and turned by 180 degrees in its last two axes",
            t.last_two(t.turned_and_transposed, square=True)),
    Mistake("rolled on", "R rolled by +1 along {}",
            t.each_axis(inverse=partial(np.roll, shift=-1), least=3)),
    Mistake("rolled back", "R rolled by -1 along {}",
            t.each_axis(inverse=partial(np.roll, shift=1), least=3)),
    Mistake("shifted on", "R shifted by +1 along {}, zero coming in",
            t.each_axis(forward=partial(t.shift, step=1))),
    Mistake("shifted back", "R shifted by -1 along {}, zero coming in",
            t.each_axis(forward=partial(t.shift, step=-1))),
    Mistake("missing factor", "R without its factor {}", t.factor_missing),
    Mistake("extra factor", "R multiplied by {} once too often", t.factor_extra),
    Mistake("replaced factor", "R with {}", t.factor_replaced),
    Mistake("missing mask", "R not set to zero where the input is not positive", t.mask_missing),
    Mistake("extra mask", "R set to zero where the input is not positive", t.mask_extra),
    Mistake("cotangent", "the cotangent, passed through unchanged", t.known(lambda k: k.context.cotangent)),
    Mistake("input", "the input itself", t.known(lambda k: k.context.input)),
    Mistake("ones", "one everywhere", t.known(lambda k: np.ones_like(k.claimed))),
    Mistake("other input", "the gradient of {}", t.other_gradients),
    Mistake("absolute", "the absolute values of R", t.values(np.abs)),
    Mistake("signs alone", "the signs of R alone", t.values(np.sign)),
    Mistake("positive part", "R with its negative elements set to zero", t.values(partial(np.maximum, 0))),
    Mistake("negative part", "R with its positive elements set to zero", t.values(partial(np.minimum, 0))),
    Mistake("squared", "the squares of R", t.values(np.square)),
    Mistake("symmetrised", "the mean of R and its transpose",
            t.values(lambda g: (g + t.transposed(g)) / 2, square=True)),
    Mistake("plus transpose", "R plus its transpose", t.values(lambda g: g + t.transposed(g), square=True)),
    Mistake("lower triangle", "the lower triangle of R", t.values(np.tril, square=True)),
    Mistake("upper triangle", "the upper triangle of R", t.values(np.triu, square=True)),
    Mistake("diagonal", "the diagonal of R", t.values(_diagonal, square=True)),
    Mistake("summed", "R summed along {}, and spread over it", t.each_axis(forward=t.spread_sum)),
    Mistake("averaged", "R averaged along {}, and spread over it", t.each_axis(forward=t.spread_mean)),
    Mistake("cumulated", "R summed up along {}", t.each_axis(inverse=_cumulated)),
    Mistake("not centred", "R before its mean along {} is subtracted", t.each_axis(inverse=t.centre)),
    Mistake("centred", "R less its mean along {}", t.each_axis(forward=t.centre)),
    Mistake("first only", "R in the first entry along {}, zero beyond", t.each_axis(forward=t.first_only)),
    Mistake("clipped", "R clipped at {}", t.clipped),
)  # fmt: skip
"""In order of simplicity: of several that explain the difference the first is named, the others mentioned."""

LOOSE = (
    Mistake("one element", "R but in the element {}", t.region(0)),
    Mistake("one line", "R but in the row or column {}", t.region(1)),
    Mistake("one map", "R but in the map {}", t.region(2)),
    Mistake("one slice", "R but in the slice {}", t.region(-1)),
    Mistake("border", "R but on the border of its last two axes{}", t.border),
    Mistake("some zero", "R with {} elements set to zero", t.some_zero),
    Mistake("some signs", "R but for the signs of {} elements", t.some_signs),
    Mistake("factor", "R times {}", t.plus(lambda k: k.claimed)),
    Mistake("plus constant", "R plus {} in every element", t.plus(lambda k: np.ones_like(k.claimed))),
    Mistake("plus input", "R plus {} times the input", t.plus(lambda k: k.context.input)),
    Mistake("plus cotangent", "R plus {} times the cotangent", t.plus(lambda k: k.context.cotangent)),
)
"""Looser ones, tried where none of the others explains it: they leave open a place or a number."""
