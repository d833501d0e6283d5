"""Cotangents of every kind that is known to uncover mistakes, and arrays in every layout in memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from gradcheck.answer import backward, fortran, locked
from gradcheck.directions import gaussian
from gradcheck.estimate import Array
from gradcheck.strategies.drawing import Strategy, one_of
from gradcheck.strategies.values import Generator, Shape, floating, one_of_known, seeded_arrays


def _strided(array: Array) -> Array:
    """The same values in every second place of a longer buffer, along the last axis."""
    buffer = np.zeros((*array.shape[:-1], 2 * array.shape[-1]) if array.ndim else (2,), array.dtype)
    view = buffer[..., ::2] if array.ndim else buffer[0, ...]
    view[...] = array
    return view


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C": lambda array: np.array(array, order="C"),
    "Fortran": fortran,
    "reversed": backward,
    "strided": _strided,
    "read-only": locked,
}
"""The same values in other memory."""


def layouts(arrays: Strategy[Array], *, kinds: Sequence[str] = tuple(LAYOUTS)) -> Strategy[Array]:
    """The arrays of a strategy, in any of these layouts in memory; plain when shrinking.

    Raises
    ------
    ValueError
        For an unknown layout.

    Examples
    --------
    >>> from hypothesis import given
    >>> from gradcheck.strategies import arrays
    >>> @given(layouts(arrays((2, 3)), kinds=["read-only"]))
    ... def test_read_only(x):
    ...     assert not x.flags.writeable
    >>> test_read_only()
    """
    for kind in kinds:
        one_of_known("layouts", "kind", kind, LAYOUTS)
    return st.builds(lambda array, kind: LAYOUTS[kind](array), arrays, one_of(*kinds))


def _sparse(rng: Generator, shape: Shape) -> Array:
    """A tenth of the elements, and four at least where there are so many."""
    made = np.zeros(int(np.prod(shape, dtype=int)))
    places = rng.permutation(made.size)[: max(4, made.size // 10)]
    made[places] = rng.standard_normal(places.size)
    return made.reshape(shape)


def _one_hot(rng: Generator, shape: Shape) -> Array:
    made = np.zeros(int(np.prod(shape, dtype=int)))
    made[rng.integers(made.size) if made.size else slice(0)] = 1.0
    return made.reshape(shape)


def _spread(array: Array) -> Array:
    """The first value everywhere, once in memory."""
    return np.broadcast_to(array.reshape(-1)[:1].reshape([1] * array.ndim), array.shape)


def _dense(rng: Generator, shape: Shape) -> Array:
    return gaussian(shape, rng)


COTANGENTS: dict[str, tuple[Callable[[Generator, Shape], Array], Callable[[Array], Array]]] = {
    "gaussian": (_dense, LAYOUTS["C"]),
    "one-hot": (_one_hot, LAYOUTS["C"]),
    "zero": (lambda rng, shape: np.zeros(shape), LAYOUTS["C"]),
    "sparse": (_sparse, LAYOUTS["C"]),
    "strided": (_dense, LAYOUTS["strided"]),
    "read-only": (_dense, LAYOUTS["read-only"]),
    "stride zero": (_dense, _spread),
}
"""Kinds of cotangents, each of which uncovers gradients that another lets pass: values, and layout in memory.

The last, one number at stride zero, is what a sum hands on.
"""


def cotangents(
    shape: Shape | Strategy[Shape],
    *,
    dtype: npt.DTypeLike = np.float64,
    kinds: Sequence[str] = tuple(COTANGENTS),
) -> Strategy[Array]:
    """Cotangents of a shape, of any of these kinds; Gaussian when shrinking.

    Raises
    ------
    ValueError
        For an unknown kind.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(cotangents((4,), kinds=["one-hot"]))
    ... def test_one_element(c):
    ...     assert sorted(c) == [0, 0, 0, 1]
    >>> test_one_element()
    """
    for kind in kinds:
        one_of_known("cotangents", "kind", kind, COTANGENTS)
    kept = floating(dtype, "cotangents")
    return one_of(*kinds).flatmap(
        lambda kind: seeded_arrays(shape, kept, functools.partial(_cotangent, kind=kind))
    )


def _cotangent(rng: Generator, shape: Shape, dtype: np.dtype[Any], *, kind: str) -> Array:
    make, lay = COTANGENTS[kind]
    return lay(make(rng, shape).astype(dtype))
