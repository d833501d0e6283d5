"""Ground: where f is evaluated for its numeric derivative, in the dtype of the inputs or in a finer one.

In float32 and below f shows few digits of its gradient, and kinks close by leave none at all. Most code computes in
the dtype that it is given; in float64 it is then the same function with 16 digits. Whether it is the same is asked of
it, at the inputs and beside them. The claim is still the one for the inputs as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.directions import gaussian
from gradcheck.estimate import Array
from gradcheck.number import coarsest, finfo

#: Where the function is compared with itself in the finer dtype, beside the inputs: this far, in their sizes.
BESIDE = (0.125, -0.03125)

Function = Callable[..., Array]


@dataclass(frozen=True)
class Ground:
    """The inputs, the output there and the cotangents, as the numeric derivative has them.

    `output` is the dtype of f's output, and so of the vjp's cotangent, for the inputs as they were given; `coarse` the
    coarsest of what the vjp is called with, where f is evaluated in a finer one.
    """

    inputs: tuple[Array, ...]
    centre: Array
    cotangents: Array
    output: np.dtype[Any]
    coarse: np.dtype[Any] | None = None


def finely(
    f: Function, inputs: Sequence[Array], centre: Array, cotangents: Array, dtype: np.dtype[Any]
) -> Ground:
    """The ground in a finer dtype that was asked for, in which f has to be the same function.

    Raises
    ------
    ValueError
        If the outputs do not agree to half of the digits, or are no finer.
    """
    fine = f(*[x.astype(dtype) for x in inputs])
    if finfo(fine.dtype).eps >= finfo(dtype).eps * 2:
        raise ValueError(
            "check_vjp: f is not evaluated in the finer dtype\n"
            f"  f(*inputs).dtype = {fine.dtype} for {dtype} inputs, wanted {dtype}\n"
            "  leave out `finer` for an f that has one precision only"
        )
    apart, size = _apart(fine, centre)
    if not apart <= _half(centre) * size:
        raise ValueError(
            "check_vjp: f is another function in the finer dtype\n"
            f"  f(*inputs) in {centre.dtype} and in {dtype} differ by {apart:.1e}, their size is {size:.1e}\n"
            "  what they have in common must be half of the digits or more"
        )
    return _ground(inputs, fine, cotangents, centre, dtype)


def lifted(
    f: Function, inputs: Sequence[Array], centre: Array, cotangents: Array, rng: np.random.Generator
) -> Ground | None:
    """The ground in float64, of a function of coarser numbers that is the same function there; None where it is not.

    It is if it agrees with itself to half of the coarser digits, at the inputs and beside them.
    """
    wide = np.dtype(np.float64)
    if any(finfo(a.dtype).eps <= finfo(wide).eps for a in (*inputs, centre)):
        return None
    fine = _evaluated(f, [x.astype(wide) for x in inputs])
    if fine is None or not _is_same(fine, centre):
        return None
    for far in BESIDE:
        beside = [_moved(x, far, rng) for x in inputs]
        own, there = _evaluated(f, beside), _evaluated(f, [x.astype(wide) for x in beside])
        if own is None or there is None or not _is_same(there, own):
            return None
    return _ground(inputs, fine, cotangents, centre, wide)


def _ground(
    inputs: Sequence[Array], fine: Array, cotangents: Array, centre: Array, dtype: np.dtype[Any]
) -> Ground:
    coarse = coarsest(*(x.dtype for x in inputs), centre.dtype)
    own = tuple(x.astype(dtype) for x in inputs)
    return Ground(own, fine, cotangents.astype(fine.dtype), centre.dtype, coarse)


def _moved(x: Array, far: float, rng: np.random.Generator) -> Array:
    size = float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) or 1.0
    return np.asarray((x + far * size * gaussian(x.shape, rng)).astype(x.dtype))


def _evaluated(f: Function, inputs: Sequence[Array]) -> Array | None:
    """The output; None from code that refuses these numbers."""
    try:
        return f(*inputs)
    except Exception:  # whatever code raises that was not written for float64
        return None


def _is_same(fine: Array, coarse: Array) -> bool:
    """Whether outputs in two precisions agree to half of the digits of the coarser, infinities and NaN with them."""
    if finfo(fine.dtype).eps > np.finfo(np.float64).eps or fine.shape != coarse.shape:
        return False
    finite = np.isfinite(fine) & np.isfinite(coarse)
    if (np.isfinite(fine) != np.isfinite(coarse)).any() or not finite.any():
        return False
    apart, size = _apart(fine[finite], coarse[finite])
    return apart <= _half(coarse) * size


def _apart(fine: Array, coarse: Array) -> tuple[float, float]:
    """Largest difference, and largest size."""
    wide = fine.astype(np.float64)
    return float(np.max(np.abs(wide - coarse.astype(np.float64)))), float(np.max(np.abs(wide)))


def _half(coarse: Array) -> float:
    """What two numbers that agree to half of the digits differ by, relative to their size."""
    return math.sqrt(float(finfo(coarse.dtype).eps))
