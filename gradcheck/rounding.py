"""How much of an analytic gradient may be its own rounding: measured, and capped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcheck.answer import wide
from gradcheck.estimate import Array
from gradcheck.number import finfo, is_inexact, is_real

SAFETY = 8.0
"""Claimed rounding over the largest spread measured. An estimate, not a bound; its margin was measured on
25 kinds of vjp, 100 draws each: float32 against the same code in float64, and float64 against long double.

- In norm, for 23 of the kinds in float32 and 23 in float64, the error was at most a quarter of the claim.
- Beyond it: 1 − tanh² near 5 in float32 (up to twice the claim, which no small move shows); and gradients of
  one element: cos(1000 x) missed in 12 % (float32) and 17 % (float64) of the draws, there up to 11 and 3,000
  times, and a cubic polynomial in 1 of 100 float64 draws, 1.3 times.
- A single element is a weaker matter: none or few per thousand exceed the claim for most kinds, but 6 % of
  tanh, 2 % of sigmoid and 3 % of cos(1000 x) in float32, where derivatives saturate or one draw misleads.
"""


MANY = 1 << 15
"""Elements that tell as much of the median one as all do."""


COUNTS = 0.1
"""Size, beside the root mean square, from which on an element counts among those that make up the norm."""


def eps_of(gradient: Array, x: Array) -> float:
    """The coarser unit, ε, of a gradient and its input: a float64 gradient of float32 input knows no more."""
    return max(float(finfo(a.dtype).eps) for a in (gradient, x) if is_inexact(a.dtype))


def counting(sizes: Array) -> Array:
    """Which elements, of these sizes, make up the norm.

    Examples
    --------
    >>> counting(np.array([3.0, 1e-9, 0.5, 0.0]))
    array([ True, False,  True, False])
    """
    return np.asarray(sizes > COUNTS * np.sqrt(np.mean(np.square(sizes))))


def median(array: Array) -> float:
    """The median; of many elements that of some, evenly taken: within a fiftieth of the ranks of that of all.

    It says how much is typical, of what is then multiplied by SAFETY: a fiftieth of the ranks is no matter.
    """
    flat = array.ravel()
    return float(np.median(flat[:: flat.size // MANY + 1]))


def largest(array: Array) -> float:
    """The largest finite modulus; 0 where there is none."""
    sizes = np.abs(wide(array))
    most = float(np.max(sizes, initial=0.0))
    return most if np.isfinite(most) else float(np.max(sizes, where=np.isfinite(sizes), initial=0.0))


def ulps(x: Array, rng: np.random.Generator, most: int | None = None) -> Array:
    """Moves d of up to ε^(−1/4) units in the last place, or `most`, any sign, x ± d exact; 0 where x is 0.

    Exact and so symmetric: rounding x ± d would bring back the single ulp of slope that symmetry removes. An
    odd number of units, each element its own: 2^13 units leave the last bits of 1000·x, and so its rounding,
    as they were.

    Examples
    --------
    >>> x = np.array([1.0, 0.0, -3.0])
    >>> units = np.abs(ulps(x, np.random.default_rng(0))) / np.spacing(np.abs(x))
    >>> units % 2, bool((units <= 8192).all())
    (array([1., 0., 1.]), True)
    """
    if x.dtype.kind == "c":
        return (ulps(x.real, rng, most) + 1j * ulps(x.imag, rng, most)).astype(x.dtype)
    if not is_real(x.dtype):
        return np.zeros_like(x)
    half = int(float(finfo(x.dtype).eps) ** -0.25) // 2
    if most is None:
        units = (rng.integers(half // 2, half, x.shape) * 2 + 1) * rng.choice((-1, 1), x.shape)
    else:
        units = rng.integers(-(most + 1) // 2, (most + 1) // 2, x.shape) * 2 + 1
    with np.errstate(all="ignore"):
        d = (np.spacing(np.abs(x)) * units).astype(x.dtype)
        exact = (x != 0) & (x + d - x == d) & (x - (x - d) == d)
    return np.where(exact, d, 0).astype(x.dtype)


def apart(found: Array, first: Array) -> Array:
    """|found − first|, 0 where `first` is not finite, infinite where only `found` is not."""
    with np.errstate(all="ignore"):
        distance = np.abs(wide(found) - wide(first))
    if np.isfinite(np.max(distance, initial=0.0)):  # and so were both sides
        return np.asarray(distance)
    distance = np.where(np.isfinite(distance), distance, np.inf)
    return np.where(np.isfinite(first), distance, 0.0)


def cap(size: float, eps: float, floor: float) -> float:
    """Most of a gradient of this size that may be called rounding: √ε of it, ε^(3/4) of what may cancel.

    Half of the digits, since what loses more is not rounding but another function: a float64 gradient that
    went through float32 (6e-8 > √ε = 1.5e-8) is not excused, nor a tie decided otherwise when inputs move.
    The second term is for gradients that are zero but for rounding, where √ε of nothing excuses nothing:
    ε^(−1/4) units of `floor`, the scale of the terms that cancelled.
    """
    return float(np.sqrt(eps) * size + eps**0.75 * floor)


def rounding(gradient: Array, spreads: Sequence[Array], eps: float, most: float) -> Array:
    """Element by element, SAFETY times the largest of: its spread, the typical relative one, half a unit.

    The typical (median) relative spread is there since the spread of a few calls is tiny by chance now and
    then; the element's own since a cancelled element has more relative rounding than is typical. Typical is said of
    elements that make up the norm: of saturated ones, which may be most, nothing but rounding is left.
    """
    own = np.max([np.where(np.isfinite(s), s, 0.0) for s in spreads], axis=0)
    with np.errstate(all="ignore"):
        size = np.where(np.isfinite(gradient), np.abs(wide(gradient)), 0.0)
        counts = counting(size)
        relative = own[counts] / size[counts]
    typical = median(relative) if relative.size else 0.0
    claimed = SAFETY * np.maximum(own, max(typical, eps / 2) * size)
    least = SAFETY * eps / 2 * size + float(finfo(gradient.dtype).smallest_subnormal)
    return np.asarray(np.clip(claimed, least, np.maximum(least, most)))
