"""A glimpse: from five samples of a segment, which length serves best, and how many samples it takes there.

Nothing is believed of five samples. They tell how fast the coefficients fall, and so what a full look at this length,
or at one 2**bits as long, would come to: a segment that cannot serve is left for four calls instead of eight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.estimate import SMALLEST, Array
from gradcheck.probes.nodes import Nodes, chebyshev
from gradcheck.probes.reading import HIDDEN, NORMAL, UNSUSPICIOUS
from gradcheck.probes.segment import GLIMPSE

#: Samples of a full look -> noise in its bound, in roundings of a value: Student's quantile of what so many leave for
#: it, times the third of a rounding that is typical.
NOISE = {9: 25.0, 13: 10.0}

#: Bits by which another segment may be longer.
BITS = np.arange(-40, 9)

#: Power of the length below which what ends the coefficients falls as it does for noise or kinks, and the bits by which
#: a segment is shorter that leaves them.
KINKS_FALL, STRIDE = 1.5, 6

#: Multiple of the fall seen that those which follow are taken to have: next to a pole they fall ever slower.
SLOWER = 1.25

#: Fall from which on it tells of no rate, and how many times that may be.
HOPELESS, LOST = 0.6, 4.0

#: Shares of a goal that are planned for, one after another: what is claimed depends on what the samples then show.
LIMITS = (1 / 16, 1 / 2)

#: Fall from one coefficient to the next from which on five samples show what ends them.
CLEAR = 0.5

#: Multiple of the smallest bound in reach for which a segment is not left.
BETTER = 8.0


@dataclass(frozen=True)
class Glimpse:
    """What five samples of one channel show: the larger of the first two coefficients, and of the last two.

    `floor` is the rounding of a value there, `centre` of that in the middle; `inner` what rounding of the argument may
    add to a value; `half` the half length.
    """

    head: float
    tail: float
    floor: float
    inner: float
    half: float
    centre: float

    @property
    def rate(self) -> float:
        """Fall from one coefficient to the next; no less than the rounding lets be seen."""
        least = UNSUSPICIOUS * self.floor
        if self.tail <= least:
            return float(np.sqrt(least / self.head)) if self.head > 0 else 0.0
        fall = float(np.sqrt(self.tail / self.head)) if self.head > 0 else 0.0
        return LOST * fall if self.lost else fall

    @property
    def lost(self) -> bool:
        """Whether the segment is far too long, by nobody knows how much."""
        return self.tail > max(UNSUSPICIOUS * self.floor, HOPELESS**2 * self.head)

    @property
    def hidden(self) -> bool:
        """Whether rounding hides all but the first coefficients, or those as well: five samples tell too little."""
        least = UNSUSPICIOUS * self.floor
        return self.tail <= least and self.head <= HIDDEN * least

    def bounds(self, count: int, bits: Array, grid: int) -> Array:
        """What a reading of `count` samples, 2**bits as far apart, would claim."""
        longer = 2.0**bits
        rate = np.minimum(SLOWER * self.rate * longer, 0.9)
        norm = float(chebyshev(count, grid).slope_norms[-1])
        left = self.head * longer * rate ** (count - 2)
        floor = self.centre + (self.floor - self.centre) * longer  # values that grow bring more of it
        noise = np.maximum(NOISE[count] * floor, NORMAL * self.inner)
        return np.asarray((norm * (noise + NORMAL * left) + 2 * count * rate * left) / (self.half * longer))

    def falls(self, before: Glimpse) -> float:
        """Power of the length with which what ends the coefficients fell, from a longer segment.

        Noise stays, a row of kinks falls in proportion, what a polynomial will describe by the third power at least.
        Infinite where it fell to rounding, or where the longer segment showed as little.
        """
        if before.rate >= CLEAR or self.tail <= UNSUSPICIOUS * self.floor or before.tail <= 0:
            return math.inf
        return math.log(self.tail / before.tail) / math.log(self.half / before.half)


def glimpse(
    values: Array, floor: float, centre: float, argument: float, nodes: Nodes, half: float
) -> Glimpse:
    """What five values show, less the one at the centre, with their rounding, that there, and that of a place."""
    coefficients = np.abs(nodes.coefficients @ values)
    slope = float(nodes.slopes[-1] @ values) / half
    return Glimpse(
        float(coefficients[1:3].max()),
        float(coefficients[3:].max()),
        floor,
        argument * abs(slope),
        half,
        min(centre, floor),
    )


def plan(glimpses: Sequence[Glimpse], goals: Array, grid: int, bits: Array) -> tuple[int, int]:
    """Samples to take, and which of the `bits` the segment should be longer by.

    What meets the goals for the fewest calls, with digits to spare if that can be had; where nothing does, what comes
    close to the best. The samples of the glimpse are worth their calls.
    """
    here = bits == 0
    least = np.maximum(goals, SMALLEST)
    with np.errstate(all="ignore"):
        excess = {
            count: np.nan_to_num(
                np.max([g.bounds(count, bits, grid) for g in glimpses] / least[:, None], axis=0), nan=np.inf
            )
            for count in NOISE
        }
    for limit in LIMITS:
        meets = [
            (count - 1 - (GLIMPSE - 1) * bool(bits[k] == 0), abs(int(bits[k])), count, int(bits[k]))
            for count, found in excess.items()
            for k in np.flatnonzero(found <= limit)
        ]
        if meets:
            return min(meets)[2:]
    count, found = max(excess.items())
    if here.any() and float(found[here][0]) <= BETTER * float(found.min()):
        return count, 0
    return count, int(min(bits[found <= 2 * found.min()], key=abs))
