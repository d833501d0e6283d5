"""Statistics: a median with an interval that assumes nothing of how times are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Median:
    """A median and the order statistics between which the true one lies, with 95 % confidence or a little more."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def median(sample: Sequence[float]) -> Median:
    """The median of a sample with its interval: each observation is above the true one or not, a fair coin.

    With fewer than six observations no interval has that confidence, and the widest is given.

    Examples
    --------
    >>> print(median([5.0, 1.0, 3.0, 2.0, 4.0, 9.0, 7.0]))
    4 [1, 9]
    """
    ordered = np.sort(np.asarray(sample, dtype=float))
    n = len(ordered)
    below = int(binom.ppf((1 - CONFIDENCE) / 2, n, 0.5))
    rank = max(below - 1, 0)  # ppf may overshoot the tail that it is asked for
    while rank + 1 <= (n - 1) // 2 and 2 * binom.cdf(rank, n, 0.5) <= 1 - CONFIDENCE:
        rank += 1
    rank = max(rank - 1, 0)
    return Median(float(np.median(ordered)), float(ordered[rank]), float(ordered[n - 1 - rank]))


def ratio(sample: Sequence[float], baseline: Sequence[float]) -> Median:
    """The median of the ratios of a round's times to the baseline's in the same round.

    Round by round, since what slows the machine for a while slows both; a ratio of medians keeps nothing of that.
    """
    return median([a / b for a, b in zip(sample, baseline, strict=True)])
