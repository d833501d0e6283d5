"""Values from a seeded generator; away from kinks and ties where a function has them.

A seed is drawn and not the numbers: drawn one by one, most of an array's elements are equal, and a gradient
that mixes them up is not seen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from gradcheck.case import Case, draw_values
from gradcheck.estimate import Array
from gradcheck.strategies.drawing import Strategy

Shape = tuple[int, ...]
Generator = np.random.Generator

VALUES = ("gaussian", "integers", "bounded", "zeros", "ties", "large")
"""Kinds of values, as a case has them; "integers" make sums exact."""

MARGIN = 1 / 16
"""Distance from kinks and ties by default: far above the steps of a numeric derivative."""


def arrays(
    shape: Shape | Strategy[Shape],
    *,
    dtype: npt.DTypeLike = np.float64,
    kind: str = "gaussian",
    scale: float = 1.0,
) -> Strategy[Array]:
    """Arrays of a shape, their values made from a seed that is drawn.

    Parameters
    ----------
    shape : tuple of int, or a strategy of them
    dtype : dtype
        A floating one.
    kind : str
        One of `VALUES`: "integers" are whole numbers so small that sums of products of four, of up to 8192
        terms, are exact in the dtype (up to 1024 in float64, 4 in float32, 1 in float16); see `Case` for the others.
    scale : float
        A factor on all but integers.

    Raises
    ------
    ValueError
        For an unknown kind, or a dtype that is not floating.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(arrays((2, 3), dtype=np.float32, kind="integers"))
    ... def test_whole_numbers(x):
    ...     assert x.dtype == np.float32 and (x == x.round()).all()
    >>> test_whole_numbers()
    """
    one_of_known("arrays", "kind", kind, VALUES)
    return seeded_arrays(shape, floating(dtype, "arrays"), functools.partial(_values, kind=kind, scale=scale))


def _values(rng: Generator, shape: Shape, dtype: np.dtype[Any], *, kind: str, scale: float) -> Array:
    if kind == "integers":
        most = max(1, 2 ** ((np.finfo(dtype).nmant + 1 - 13) // 4))
        return rng.integers(-most, most, shape, endpoint=True).astype(dtype)
    (made,) = draw_values(Case({"x": shape}, kind=kind, scales={"x": scale}), rng)
    return made.astype(dtype)


def away_from(
    shape: Shape | Strategy[Shape],
    kinks: Sequence[float],
    *,
    margin: float = MARGIN,
    dtype: npt.DTypeLike = np.float64,
    scale: float = 1.0,
) -> Strategy[Array]:
    """Arrays whose elements keep a margin from each kink, on all sides of them with equal chance.

    Parameters
    ----------
    shape : tuple of int, or a strategy of them
    kinks : sequence of float
        (0,) of a ReLU, (0, 6) of a ReLU6. Where two are nearer than two margins nothing lies between them.
    margin : float
        Least distance, above 0.
    dtype : dtype
    scale : float
        How far elements lie beyond the outermost kinks (the deviation of a half normal distribution).

    Raises
    ------
    ValueError
        Without kinks, or with a margin that is not above 0.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(away_from((5,), (0.0,), margin=0.25))
    ... def test_margin(x):
    ...     assert (abs(x) >= 0.25).all()
    >>> test_margin()
    """
    places = sorted(set(map(float, kinks)))
    if not places or not margin > 0:
        raise ValueError(
            f"away_from: there is nothing to keep away from\n  kinks = {tuple(kinks)}, margin = {margin}\n"
            "  wanted at least one kink, and a margin above 0"
        )
    make = functools.partial(_away, kinks=places, margin=margin, scale=scale)
    return seeded_arrays(shape, floating(dtype, "away_from"), make)


def _away(
    rng: Generator, shape: Shape, dtype: np.dtype[Any], *, kinks: list[float], margin: float, scale: float
) -> Array:
    pieces = _pieces(kinks, margin)
    piece = rng.integers(len(pieces), size=shape)
    beyond, share = scale * np.abs(rng.standard_normal(shape)), rng.random(shape)
    made = np.zeros(shape)
    for number, (low, high) in enumerate(pieces):
        found = high - beyond if np.isinf(low) else low + (beyond if np.isinf(high) else (high - low) * share)
        made = np.where(piece == number, found, made)
    return _outside(made.astype(dtype), kinks, margin)


def _pieces(kinks: list[float], margin: float) -> list[tuple[float, float]]:
    """The line without its stretches round kinks; the ends are open."""
    ends = [-np.inf, *(end for kink in kinks for end in (kink - margin, kink + margin)), np.inf]
    pairs = list(zip(ends[::2], ends[1::2], strict=True))
    return [(low, high) for low, high in pairs if low < high]


def _outside(made: Array, kinks: list[float], margin: float) -> Array:
    """Elements that rounding has brought too near, moved by units in the last place until they are not."""
    for kink in kinks:
        side = np.where(made.astype(np.float64) < kink, -np.inf, np.inf).astype(made.dtype)
        while (near := np.abs(made.astype(np.float64) - kink) < margin).any():
            made = np.where(near, np.nextafter(made, side), made)
    return made


def untied(
    shape: Shape | Strategy[Shape],
    *,
    axis: int | Sequence[int] | None = None,
    margin: float = MARGIN,
    dtype: npt.DTypeLike = np.float64,
) -> Strategy[Array]:
    """Arrays in which no two elements along an axis are nearer than a margin: for maxima, sorting, medians.

    Parameters
    ----------
    shape : tuple of int, or a strategy of them
    axis : int, sequence of int or None
        Axes that are compared: those of a window, (3, 5) of `PoolingShape.windows`; None: all elements.
    margin : float
        Least difference, above 0; the range of the values grows with the number of elements compared.
    dtype : dtype

    Raises
    ------
    ValueError
        With a margin that is not above 0, and, when drawn, where so many elements leave the dtype no room.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(untied((2, 4), axis=1, margin=0.5))
    ... def test_no_ties(x):
    ...     assert np.diff(np.sort(x, axis=1), axis=1).min() >= 0.5
    >>> test_no_ties()
    """
    if not margin > 0:
        raise ValueError(f"untied: the margin is not positive\n  margin = {margin}, wanted a number above 0")
    axes = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
    make = functools.partial(_untied, axes=axes, margin=margin)
    return seeded_arrays(shape, floating(dtype, "untied"), make)


def _untied(
    rng: Generator, shape: Shape, dtype: np.dtype[Any], *, axes: Shape | None, margin: float
) -> Array:
    compared = [each % len(shape) for each in (range(len(shape)) if axes is None else axes)]
    kept = [each for each in range(len(shape)) if each not in compared]
    count = int(np.prod([shape[each] for each in compared], dtype=int))
    if (
        count * float(np.finfo(dtype).eps) > 1 / 4
    ):  # the largest are margin · count: a unit there is eps times that
        raise ValueError(
            f"untied: {dtype} has no room for so many different values\n  elements compared = {count}, wanted at "
            f"most {int(0.25 / np.finfo(dtype).eps)}\n  compare along fewer axes, or take a finer dtype"
        )
    outer = [shape[each] for each in kept]
    ranks = rng.permuted(np.broadcast_to(np.arange(count), (*outer, count)), axis=-1)
    # two margins apart, each moved by at most a quarter: 1½ are left, and rounding takes less than ½
    made = 2 * margin * (ranks - (count - 1) / 2 + rng.uniform(-1 / 8, 1 / 8, ranks.shape))
    split = made.reshape([*outer, *(shape[each] for each in compared)])
    return np.ascontiguousarray(np.transpose(split, np.argsort([*kept, *compared]))).astype(dtype)


Make = Callable[[Generator, Shape, np.dtype[Any]], Array]


def seeded_arrays(shape: Shape | Strategy[Shape], dtype: np.dtype[Any], make: Make) -> Strategy[Array]:
    """What `make` makes of a drawn shape and a generator of a drawn seed."""

    def seeded(shape: Shape, seed: int) -> Array:
        return make(np.random.default_rng(seed), shape, dtype)

    shapes = shape if isinstance(shape, st.SearchStrategy) else st.just(tuple(shape))
    return st.builds(seeded, shapes, st.integers(0, 2**32 - 1))


def floating(dtype: npt.DTypeLike, who: str) -> np.dtype[Any]:
    """The dtype; raises ValueError for one that is not floating."""
    found = np.dtype(dtype)
    if found.kind != "f":
        raise ValueError(
            f"{who}: the dtype is not floating\n  dtype = {found}, wanted float16, float32 or float64"
        )
    return found


def one_of_known(who: str, what: str, given: str, known: Iterable[str]) -> None:
    """Raise ValueError for a name that is not known."""
    if given not in known:
        raise ValueError(
            f"{who}: there is no such {what}\n  {what} = {given!r}, wanted one of {', '.join(known)}"
        )
