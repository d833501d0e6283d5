"""Power: the smallest error that a run would have caught, all but certainly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Chance to miss that is called all but certain not to happen.
CHANCE = 1e-9

#: Bits to which the error is found.
BITS = 60


@dataclass(frozen=True)
class Power:
    """An error of this size would not have passed, but with probability `chance`.

    Parameters
    ----------
    norm : float
        Size of the error in the 2-norm, relative to that of the gradient; infinite where nothing is that certain.
    element : float
        The same for an error of a single element, relative to the typical (root mean square) element.
    chance : float
        Of missing it, over the random directions.

    Examples
    --------
    >>> power_of([1e-12, 1e-12, 1e-12], elements=100).norm < 1e-9
    True
    """

    norm: float
    element: float
    chance: float = CHANCE


def power_of(
    thresholds: Sequence[float], elements: int, *, missed: float = 1.0, chance: float = CHANCE
) -> Power:
    """The smallest error e, relative to ‖g‖, that all directions together miss with no more than `chance`.

    Along an independent Gaussian direction an error is seen as a normal number of deviation e, and hides while that is
    below a threshold t: with probability erf(t / e√2). An error of one element is seen by the same number, whichever
    element it is. It has to be there in every case whose directions are given.

    Parameters
    ----------
    thresholds : sequence of float
        For each direction, the relative error along it that could have been overlooked.
    elements : int
        Of the gradient: the typical element is ‖g‖ / √elements.
    missed : float
        Chance that whole numbers, on which any error shows, missed it.
    chance : float
        To miss it.

    Examples
    --------
    >>> power_of([], 4, missed=1e-12), power_of([], 4).norm
    (Power(norm=0.0, element=0.0, chance=1e-09), inf)
    """
    if missed <= chance:
        return Power(0.0, 0.0, chance)
    known = [t for t in thresholds if math.isfinite(t) and t >= 0]
    if not known:
        return Power(math.inf, math.inf, chance)
    if min(known) == 0.0:
        return Power(0.0, 0.0, chance)
    norm = _smallest(known, math.log(chance) - math.log(missed))
    return Power(norm, norm * math.sqrt(elements), chance)


def _smallest(thresholds: Sequence[float], wanted: float) -> float:
    """The error whose chances to hide multiply to exp(wanted), by bisection of its logarithm."""
    low, high = math.log(min(thresholds)), math.log(max(thresholds)) + 50.0
    for _ in range(BITS):
        middle = (low + high) / 2
        hidden = sum(_log_hidden(t / math.exp(middle)) for t in thresholds)
        low, high = (low, middle) if hidden <= wanted else (middle, high)
    return math.exp(high)


def _log_hidden(ratio: float) -> float:
    """Log erf(ratio / √2), below the smallest float by its slope at 0."""
    hidden = math.erf(ratio / math.sqrt(2.0))
    return math.log(hidden) if hidden > 0 else math.log(2.0 / math.pi) / 2 + math.log(max(ratio, 5e-324))
