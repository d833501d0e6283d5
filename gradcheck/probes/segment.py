"""One segment of a line: its samples and what they say; and which of several segments is believed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.estimate import Array, Estimate, Finding
from gradcheck.probes.line import Sample
from gradcheck.probes.reading import UNSUSPICIOUS, Reading

#: Growth of the rounding of f's values, from a segment to a longer one, up to which the longer one still sees what the
#: shorter one saw.
OUTGROWN = 4.0

#: Answer of one channel: the estimate, and the exponent of the segment that gave it.
Answer = tuple[Estimate, int]


@dataclass
class Segment:
    """Samples of one segment [−h, h], h = grid · 2**exponent, and what they say; `driven` channels come first.

    `confirmed`: it foretold samples between its own; `surprised`: it did not; `pending`: readings whose level may be
    noise and was not looked into.
    """

    exponent: int
    driven: int = 1
    samples: dict[int, Sample] = field(default_factory=dict)
    count: int = 0
    readings: list[Reading] = field(default_factory=list)
    confirmed: bool = False
    pending: dict[int, Reading] = field(default_factory=dict)
    surprised: bool = False

    @property
    def finite(self) -> bool:
        """Whether every sample so far is."""
        return all(sample.finite for sample in self.samples.values())

    @property
    def leading(self) -> list[Reading]:
        """Readings of the channels that drive the search."""
        return self.readings[: self.driven]

    @property
    def resolved(self) -> bool:
        """Whether every driving channel can be believed."""
        return bool(self.readings) and all(r.resolved for r in self.leading)

    @property
    def constant(self) -> bool:
        """Whether a driving channel does not move at all."""
        return any(r.constant for r in self.leading)

    def bounds(self) -> Array:
        """Of the driving channels."""
        return np.array([r.estimate.bound for r in self.leading])


def choose(segments: Iterable[Segment], channel: int) -> Answer:
    """The smallest bound among the resolved segments; where two contradict each other, the shorter one."""
    taken = [s for s in segments if s.readings]
    found = [(s.exponent, s.readings[channel]) for s in taken]
    first = next((e for e, r in found if r.constant), None)
    believed = [pooled(r, found) for e, r in found]
    usable = sorted(
        (
            (e, r.estimate)
            for (e, _), r in zip(found, believed, strict=True)
            # a constant says no more of the slope at the centre on a longer segment than on the first one
            if r.resolved and not outgrown(e, r, found) and not (r.constant and e != first)
        ),
        key=lambda pair: pair[0],
    )
    if not usable:
        return nothing(found, min((s.exponent for s in segments), default=0))
    exponent, estimate = min(usable, key=lambda pair: float(pair[1].bound))
    for shorter, other in usable:
        if shorter < exponent and not other.agrees(estimate):
            return other, shorter
    return estimate, exponent


def pooled(reading: Reading, found: list[tuple[int, Reading]]) -> Reading:
    """The reading with the largest noise that was seen at any length.

    Rounding inside f can conspire with evenly spaced steps to look smooth on one segment; hardly on all.
    """
    seen = [r.measured for _, r in found if r.resolved and not r.falling]
    return reading.with_noise(max(seen)) if seen else reading


def outgrown(exponent: int, reading: Reading, found: list[tuple[int, Reading]]) -> bool:
    """Whether the values of f grew until their rounding drowns what a shorter segment could see at the centre."""
    if reading.falling or reading.level > UNSUSPICIOUS * reading.floor:
        return False
    return any(e < exponent and reading.floor > OUTGROWN * r.floor for e, r in found)


def nothing(found: list[tuple[int, Reading]], shortest: int) -> Answer:
    """No segment was resolved: the value of the shortest one, without a bound, and what it looked like."""
    if not found:
        # not one segment was finite
        return Estimate(math.nan, math.inf, "spectral", finding=Finding.NOT_FINITE), shortest
    exponent, reading = min(found, key=lambda pair: pair[0])
    return (
        replace(reading.estimate, bound=math.inf, finding=shape(reading.estimate.coefficients)),
        exponent,
    )


def shape(coefficients: tuple[float, ...]) -> Finding:
    """What the fall of unresolved coefficients looks like: a kink (k**-2), a jump (k**-1) or neither.

    Examples
    --------
    >>> shape(tuple(1.0 / max(k, 1) ** 2 for k in range(17))).value
    'kink'
    """
    sizes = np.abs(np.array(coefficients))
    quarter = (len(sizes) - 1) // 4
    early, late = sizes[quarter : 2 * quarter].max(), sizes[2 * quarter : 4 * quarter].max()
    if early <= 0 or late <= 0:
        return Finding.UNRESOLVED
    power = math.log2(early / late)
    return Finding.KINK if 1.4 < power < 3 else Finding.JUMP if 0.5 < power <= 1.4 else Finding.UNRESOLVED
