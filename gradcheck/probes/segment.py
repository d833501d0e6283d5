"""One segment of a line: its samples and what they say; and which of several segments is believed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.estimate import Array, Estimate, Finding
from gradcheck.probes.levels import LIKE
from gradcheck.probes.line import Sample
from gradcheck.probes.reading import OUTGROWN, UNSUSPICIOUS, Reading

#: Samples that tell of a function's scale and of no more.
GLIMPSE = 5

#: Share of a level within which others are that level.
SAME = 4.0

#: Bend that a segment must show, as a share of what an oscillation of that level would have with that slope (at its
#: zeros it has less), and in roundings of the segment itself.
BENT, CLEARLY = 1 / 32, 8.0

#: Answer of one channel: the estimate, and the exponent of the segment that gave it.
Answer = tuple[Estimate, int]

#: A segment's exponent, and what it says of one channel.
Place = tuple[int, Reading]

#: A refused segment's exponent, and its level, where that is known for noise.
Noisy = tuple[int, float] | None


@dataclass
class Segment:
    """Samples of one segment [−h, h], h = grid · 2**exponent, and what they say; `driven` channels come first.

    `confirmed`: it foretold samples between its own; `surprised`: it did not; `pending`: readings whose level may be
    noise and was not looked into; `noisy`: the level that ends its coefficients was looked into and is noise.
    """

    exponent: int
    driven: int = 1
    samples: dict[int, Sample] = field(default_factory=dict)
    count: int = 0
    readings: list[Reading] = field(default_factory=list)
    confirmed: bool = False
    pending: dict[int, Reading] = field(default_factory=dict)
    surprised: bool = False
    noisy: bool = False

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

    def told(self, channel: int) -> Reading:
        """What it says of one channel; of a fall that is not confirmed, with noise where that may hide."""
        reading = self.readings[channel]
        return reading if self.confirmed or not reading.falling else reading.with_noise(reading.ends)

    def bounds(self) -> Array:
        """Of the driving channels."""
        return np.array([r.estimate.bound for r in self.leading])


def choose(segments: Iterable[Segment], channel: int) -> Answer:
    """The smallest bound among the resolved segments; where two contradict each other, the shorter one."""
    taken = [s for s in segments if s.readings]
    found = [(s.exponent, s.told(channel)) for s in taken]
    noisy = max(((s.exponent, s.readings[channel].level) for s in taken if s.noisy), default=None)
    moving = min((e for e, r in found if not r.constant), default=None)
    first = next((e for e, r in found if r.constant and r.resolved), None)
    own = [unseen(e, r, found, noisy) for e, r in found]
    believed = [unseen(e, pooled(r, found), found, noisy) for e, r in found]
    usable = sorted(
        (
            (e, r.estimate, o.estimate)
            for (e, _), r, o in zip(found, believed, own, strict=True)
            # a constant says no more of the slope at the centre on a longer segment than on the first one, and nothing
            # where a shorter one moves
            if r.resolved
            and not outgrown(e, r, found)
            and not outdone(e, r, found)
            and not (r.constant and (e != first or (moving is not None and moving < e)))
        ),
        key=lambda answer: answer[0],
    )
    if not usable:
        return nothing(found, min((s.exponent for s in segments), default=0))
    # five samples foretold no others: they are believed where there is nothing else
    usable = [answer for answer in usable if answer[1].points > GLIMPSE] or usable
    exponent, estimate, alone = min(usable, key=lambda answer: float(answer[1].bound))
    for shorter, other, others in usable:
        # by what each has seen itself: noise found further out is none of what is close by
        if shorter < exponent and not others.agrees(alone):
            return other, shorter
    return estimate, exponent


def pooled(reading: Reading, found: list[tuple[int, Reading]]) -> Reading:
    """The reading with the largest noise that was seen at any length, told by the coefficients of all of them.

    Rounding inside f can conspire with evenly spaced steps to look smooth on one segment; hardly on all.
    """
    seen = [r for _, r in found if r.resolved and not r.falling]
    if not seen:
        return reading
    most = max(r.measured for r in seen)
    return reading.with_spread(most, freedom(reading, seen, most))


def freedom(reading: Reading, seen: Sequence[Reading], level: float) -> int:
    """How many coefficients tell noise of that level: in low precision those of like levels, on no staircase."""
    if reading.levels is None:
        return sum(r.freedom for r in seen)
    like = sum(r.freedom for r in seen if LIKE * r.measured >= level and not r.stairs)
    return reading.freedom if reading.stairs else max(like, reading.freedom)


def unseen(exponent: int, reading: Reading, found: Sequence[Place], noisy: Noisy) -> Reading:
    """The reading with the noise in its bound that a longer segment ended in, where none shows what else that is.

    Rounding inside f is often a sawtooth (1 − cos t near 0): on one tooth f is smooth, with another slope. A structure
    of that size would show itself on the segment that resolves it.
    """
    if noisy is None or noisy[0] <= exponent or not reading.resolved or noisy[1] <= reading.measured:
        return reading
    return reading.with_noise(noisy[1]) if hides(exponent, noisy[1], found) else reading


def hides(exponent: int, level: float, found: Sequence[Place]) -> bool:
    """Whether no resolved segment shows what ends the coefficients of those longer than `exponent` at that level."""
    longer = [pair for pair in found if pair[0] > exponent and pair[1].level * SAME >= level]
    return not any(shows(pair, max(longer, key=lambda p: p[0]), level) for pair in found)


def steady(longer: Place, shorter: Place) -> bool:
    """Whether both segments end in one level, where that of a kink would fall like the length.

    And rise like the square of the number of samples that it is seen with, which differ.
    """
    (far, a), (near, b) = longer, shorter
    if far <= near or a.falling or b.falling or min(a.level, b.level) <= 0:
        return False
    kink = 2.0 ** min(far - near, 64) * (b.estimate.points / a.estimate.points) ** 2
    return bool(SAME * a.level <= kink * b.level)


def shows(pair: Place, longer: Place, level: float) -> bool:
    """Whether a resolved segment bends, beside what a longer one foretells, as a structure of that level would.

    An oscillation of amplitude A whose slope moves φ by d over the segment bends by about d**2 / 2A; a tooth is
    straight.
    """
    (exponent, reading), (far, above) = pair, longer
    if not reading.resolved or exponent >= far:
        return False
    moved = abs(reading.estimate.value - above.estimate.value) * reading.estimate.step
    expected = max(BENT * moved * (moved / level) / (2 * 2**0.5), CLEARLY * reading.level)
    x = np.linspace(-1.0, 1.0, reading.estimate.points)
    # times any number: the steps of two segments are rounded, each to a direction of its own
    foretold = np.stack([np.ones_like(x), x, above.signal(x * 2.0 ** (exponent - far))], axis=1)
    own = reading.signal(x)
    size = max(float(np.abs(own).max()), np.finfo(float).tiny)
    foretold = foretold / np.maximum(np.abs(foretold).max(axis=0), np.finfo(float).tiny)
    bent = own / size - foretold @ np.linalg.lstsq(foretold, own / size)[0]
    return bool(np.abs(bent).max() >= expected / size)


def outgrown(exponent: int, reading: Reading, found: list[tuple[int, Reading]]) -> bool:
    """Whether the values of f grew until their rounding drowns what a shorter segment could see at the centre."""
    if reading.falling or reading.level > UNSUSPICIOUS * reading.floor:
        return False
    return any(e < exponent and reading.floor > OUTGROWN * r.floor for e, r in found)


def outdone(exponent: int, reading: Reading, found: Sequence[Place]) -> bool:
    """Whether values span too few roundings to show a slope, and a shorter segment says as much, or more."""
    return reading.few and any(e < exponent and not r.constant for e, r in found)


def nothing(found: list[tuple[int, Reading]], shortest: int) -> Answer:
    """No segment was resolved: the value of the shortest one, without a bound, and what it looked like."""
    if not found:
        # not one segment was finite
        return Estimate(math.nan, math.inf, "spectral", finding=Finding.NOT_FINITE), shortest
    full = [pair for pair in found if pair[1].estimate.points > GLIMPSE] or found
    exponent, reading = min(full, key=lambda pair: pair[0])
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
    quarter = max((len(sizes) - 1) // 8, 1) * 2  # of a function that is even, every other coefficient is none
    early, late = sizes[quarter : 2 * quarter].max(), sizes[2 * quarter : 4 * quarter].max()
    if early <= 0 or late <= 0:
        return Finding.UNRESOLVED
    power = math.log2(early / late)
    return Finding.KINK if 1.4 < power < 3 else Finding.JUMP if 0.5 < power <= 1.4 else Finding.UNRESOLVED
