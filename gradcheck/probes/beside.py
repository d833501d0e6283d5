"""Derivatives right beside a point: along one direction, at points that come ever closer to it in another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.estimate import Array
from gradcheck.number import finfo

#: Distances at which the derivative is taken, beside the largest, and how they are weighed for the one at distance 0:
#: of what varies like 1 + a r + b r², nothing but the 1 is left; and by the last two alone, of 1 + a r.
SHORTER, WEIGHTS, COARSER = (1.0, 0.5, 0.25), (1 / 3, -2.0, 8 / 3), (0.0, -1.0, 2.0)

#: Distance beside the point over the half length of the difference that is taken there.
APART = 16.0

#: Rounding from which on the derivative is taken from further out as well, and how much: of a function of flat pieces
#: that is as good, and less is lost to rounding.
COARSE, FURTHER = 1e-10, 16.0

#: Deviations of rounding that are allowed for.
NORMAL = 8.0


@dataclass(frozen=True)
class Beside:
    """Derivatives of all outputs (flat) along `taken`, next to the point; bounds are wide where pieces meet.

    Parameters
    ----------
    taken : ndarray of the shape of the point, float64
    value, bound : ndarray, shape (outputs,)
    evaluations : int
    """

    taken: Array
    value: Array
    bound: Array
    evaluations: int


def beside(
    function: Callable[[Array], Array],
    point: Array,
    direction: Array,
    centre: Array,
    away: Array,
    unit: float,
) -> Beside:
    """Derivatives along a direction at points x + r `away`, as r falls to 0.

    The rest of an extrapolation from three distances, r², and the rounding of a difference over r / APART weigh the
    same at r = (APART u)^(1/3).

    Parameters
    ----------
    function : callable
    point, direction, away : ndarray of one shape
    centre : ndarray
        f at the point.
    unit : float
        Rounding of f beside its values.

    Examples
    --------
    >>> found = beside(np.abs, np.zeros(1), np.ones(1), np.zeros(1), np.array([-2.0]), 1e-16)
    >>> found.value, bool(found.bound[0] < 1e-6)
    (array([-1.]), True)
    """
    distance = (APART * unit) ** (1 / 3)
    found = _at(function, point, direction, centre, away, unit, distance)
    if unit < COARSE:
        return found
    further = _at(function, point, direction, centre, away, unit, min(FURTHER * distance, 1 / FURTHER))
    if float(np.median(further.bound)) < float(np.median(found.bound)):
        found, further = further, found
    return replace(found, evaluations=found.evaluations + further.evaluations)


def _at(
    function: Callable[[Array], Array],
    point: Array,
    direction: Array,
    centre: Array,
    away: Array,
    unit: float,
    distance: float,
) -> Beside:
    """From three distances, of which that is the largest."""
    size = float(finfo(centre.dtype).tiny)
    slopes, bends, taken = [], [], np.zeros(point.shape)
    for share, weight in zip(SHORTER, WEIGHTS, strict=True):
        slope, bend, moved, top = _central(function, point, direction, away, share * distance)
        size = max(size, top)
        slopes.append(slope)
        bends.append(bend)
        taken += weight * moved
    rounding = unit * size * APART / distance
    noise = NORMAL * rounding * sum(abs(w) / s for w, s in zip(WEIGHTS, SHORTER, strict=True))
    with np.errstate(invalid="ignore"):
        value = np.tensordot(WEIGHTS, slopes, 1)
        rest = 2.0 * np.abs(value - np.tensordot(COARSER, slopes, 1)) + noise
        # where pieces meet inside of a difference, or f bends as sharply as it is near (a norm at 0), its halves differ
        bound = np.where(np.isfinite(value), rest + np.max(bends, axis=0), np.inf)
    return Beside(taken, value, bound, 3 * len(SHORTER))


def _central(
    function: Callable[[Array], Array], point: Array, direction: Array, away: Array, distance: float
) -> tuple[Array, Array, Array, float]:
    """A central difference beside the point, how far its halves are apart, the direction really taken, and |f|."""
    middle = (point + distance * away).astype(point.dtype)
    step = distance / APART
    ends = [(middle + sign * step * direction).astype(point.dtype) for sign in (1.0, -1.0)]
    with np.errstate(all="ignore"):
        right, left, here = (np.asarray(function(x)).astype(np.float64).ravel() for x in (*ends, middle))
        slope = (right - left) / (2 * step)
        bend = np.abs(right + left - 2 * here) / step
        taken = (ends[0].astype(np.float64) - ends[1].astype(np.float64)) / (2 * step)
        return slope, bend, taken, float(np.nanmax(np.abs(here), initial=0.0))
