"""The spectral line probe: a derivative read off Chebyshev coefficients, with its own error.

Samples at nested Chebyshev points of [−h, h] give coefficients c_k. Their fall is the evidence:

- they fall geometrically to the end: what is left out is the tail of a geometric series (truncation);
- they fall and then stay level: the level is the noise of f, and only what stands above it is used;
- they fall like a power of k, or not at all: a kink, a jump or an oscillation that the points do not resolve,
  and h shrinks.

The half length h grows and shrinks on the same evidence, towards the smallest bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.estimate import Array, Estimate, Finding
from gradcheck.probes.line import Line, Sample
from gradcheck.probes.nodes import Nodes, chebyshev
from gradcheck.probes.reading import Reading, read

#: Levels that the search uses: 9 samples to look, 17 to measure.
LOOK, MEASURE = 9, 17

#: A bound of so many roundings of the estimate is not improved upon.
ENOUGH = 128

#: Bits by which h exceeds the half length that suits the finer points, up to which they are worth trying at once.
PROMISING = 2.0

#: Segments on which f is constant to the bit that are lengthened (256-fold, then more) before the constant is
#: believed: a staircase is constant between its steps.
FLATS = 3

#: Where, in half lengths, a resolved segment is put to the test, and what it may miss: a share of the largest
#: coefficient (an aliased oscillation misses by about all of it) and some multiple of the noise.
BETWEEN, SURPRISE, NOISY = (0.371693, -0.618034), 0.02, 10.0

#: Growth of the rounding of f's values, from a segment on which f is constant to a longer one, up to which the longer
#: one still sees the centre.
OUTGROWN = 4.0

#: Rungs of the ladder of distances from the centre at which noise must show itself, from a thousandth of the half
#: length down to the shortest step of the line, and how many of them it takes to tell it from a jump.
RUNGS, ENOUGH_RUNGS, FIRST_RUNG, RUNG_SPACING = 5, 3, 10, (2, 12)

#: Noise of level T differs by less than T / QUIET over a rung with a probability below 1 % (two samples a rung).
QUIET = 16.0


def probe(
    line: Line, *, start: float = 0.25, goal: Array | float = 0.0, budget: int = 60
) -> list[tuple[Estimate, int]]:
    """For every channel of `line` the derivative at its centre, and the exponent of the segment that gave it.

    Parameters
    ----------
    line : Line
        The function along the line.
    start : float
        Half length of the first segment.
    goal : float or ndarray, shape (channels,)
        Bounds at which the search may stop; 0 asks for the smallest that can be found. Channels with an infinite
        goal, which come last, are read off the samples that the others ask for.
    budget : int
        Calls of the function that may be spent.

    Examples
    --------
    >>> from gradcheck.probes.line import ScalarLine
    >>> import math
    >>> ((estimate, _),) = probe(ScalarLine(lambda t: math.sin(1 + t)))
    >>> abs(estimate.value - math.cos(1)) <= estimate.bound <= 1e-13
    True
    """
    search = _Search(line, np.atleast_1d(np.asarray(goal, float)), budget)
    search.run(round(math.log2(start / line.grid)))
    return search.best()


@dataclass
class _Segment:
    """Samples of one segment [−h, h], h = grid · 2**exponent, and what they say."""

    exponent: int
    samples: dict[int, Sample] = field(default_factory=dict)
    count: int = 0
    readings: list[Reading] = field(default_factory=list)

    @property
    def finite(self) -> bool:
        return all(sample.finite for sample in self.samples.values())

    driven: int = 1
    confirmed: bool = False

    @property
    def leading(self) -> list[Reading]:
        """Readings of the channels that drive the search."""
        return self.readings[: self.driven]

    @property
    def resolved(self) -> bool:
        return bool(self.readings) and all(r.resolved for r in self.leading)

    def bounds(self) -> Array:
        return np.array([r.estimate.bound for r in self.leading])


@dataclass
class _Search:
    """The walk over half lengths. `rungs` keeps the samples near the centre, once they were asked for."""

    line: Line
    goal: Array
    budget: int
    segments: dict[int, _Segment] = field(default_factory=dict)
    rungs: dict[int, tuple[Sample, Sample]] = field(default_factory=dict)
    ceiling: int = 10_000
    shrinks: int = 0
    flats: int = 0
    flat_floor: list[float] | None = None

    @property
    def driven(self) -> int:
        """Channels that drive the search; they come first."""
        return max(int(np.isfinite(self.goal).sum()), 1)

    @property
    def measure(self) -> int:
        """Samples to measure with: as many as the grid can hold."""
        return MEASURE if self.line.grid > MEASURE**2 // 5 else LOOK

    def run(self, exponent: int) -> None:
        segment = self.take(self.clip(exponent), LOOK)
        while True:
            while segment is not None and not self.good(segment):
                segment = self.next(segment)
            leader = self.leader()
            if leader is None or leader.confirmed or self.left() < 1:
                return
            segment = None if self.confirm(leader) else self.shrink(leader)

    def leader(self) -> _Segment | None:
        """The resolved segment with the smallest bounds."""
        resolved = [s for s in self.segments.values() if s.resolved]
        return min(resolved, key=lambda s: float(s.bounds().max()), default=None)

    def confirm(self, segment: _Segment) -> bool:
        """Whether the samples foretell two between them, where the steps are no multiples of the same quantum.

        An oscillation that turns a whole number of times a quantum looks smooth on every multiple of it. What the
        sample misses by counts as noise: so large is the error of the interpolant between its nodes.
        """
        segment.confirmed = True
        misses = np.zeros(segment.driven)
        for wanted in BETWEEN[: max(self.left(), 0)]:
            sample, place = self.line.between(wanted, segment.exponent)
            foretold = np.array([r.at(place) for r in segment.leading])
            misses = np.maximum(misses, np.abs(sample.values[: segment.driven] - foretold))
        allowed = np.array([SURPRISE * r.top + NOISY * r.level for r in segment.leading])
        if (misses <= allowed).all():
            own = [r.with_noise(float(m)) for m, r in zip(misses, segment.leading, strict=True)]
            segment.readings[: segment.driven] = own
        else:
            segment.confirmed = False
            segment.readings = [r.refused() for r in segment.readings]
        return segment.confirmed

    def good(self, segment: _Segment) -> bool:
        if not segment.resolved or (self.flats < FLATS and any(r.constant for r in segment.leading)):
            return False
        return bool((segment.bounds() <= self.goals(segment)).all())

    def goals(self, segment: _Segment) -> Array:
        own = np.array([ENOUGH * self.line.unit * abs(r.estimate.value) for r in segment.leading])
        return np.maximum(self.goal[: self.driven], own)

    def clip(self, exponent: int) -> int:
        low, high = self.line.limits
        return min(max(exponent, low), high)

    def left(self) -> int:
        return self.budget - self.line.evaluations

    def affords(self, calls: int) -> bool:
        """Whether calls are left, beside those that confirm what is found."""
        return self.left() >= calls + len(BETWEEN)

    # -- moves ---------------------------------------------------------------------------------------------

    def next(self, segment: _Segment) -> _Segment | None:
        """The next segment worth its evaluations, or None."""
        if not segment.resolved:
            return self.shrink(segment) if not self.flats else self.pass_steps(segment)
        worst_channel = segment.leading[int(np.argmax(segment.bounds() - self.goals(segment)))]
        if worst_channel.estimate.truncation > worst_channel.estimate.noise:
            if segment.count < self.measure:
                return self.refine(segment, self.measure)
            return self.move(segment, -max(round(worst_channel.excess(self.measure * 2 // 3)), 1))
        return self.enlarge(segment)

    def shrink(self, segment: _Segment) -> _Segment | None:
        """Leave a segment that could not be read: with finer points once, else shorter, in growing strides."""
        self.ceiling = min(self.ceiling, segment.exponent)
        bits = max((r.excess(self.measure * 2 // 3) for r in segment.leading), default=math.inf)
        if segment.finite and segment.count == LOOK and bits < PROMISING and self.measure > LOOK:
            return self.refine(segment, self.measure)
        if bits < PROMISING + 3:
            return self.move(segment, -max(round(bits), 1))
        self.shrinks += 1
        return self.move(segment, -2 - 2 * min(self.shrinks, 5))

    def enlarge(self, segment: _Segment) -> _Segment | None:
        """Grow to where the signal would take two thirds of the measuring level's coefficients."""
        if any(r.constant for r in segment.leading):
            return self.pass_steps(segment)
        gain = min(r.room(self.measure * 2 // 3) for r in segment.leading)
        bits = min(int(math.log2(gain)), 8) if gain > 0 else 0
        if bits >= 1:
            grown = self.move(segment, bits)
            if grown is not None:
                return grown
        if segment.count < self.measure:
            return self.refine(segment, self.measure)
        return None

    def pass_steps(self, segment: _Segment) -> _Segment | None:
        """From between two steps of a possible staircase to where its steps are small beside its rise."""
        if self.flat_floor is None:
            self.flat_floor = [r.floor for r in segment.readings]
        if segment.finite and segment.count < self.measure and all(r.top > 0 and r.fine for r in segment.leading):
            return self.refine(segment, self.measure)
        self.flats += 1
        return self.move(segment, 8 * self.flats, bold=True) if self.flats <= FLATS else None

    def move(self, segment: _Segment, bits: int, *, bold: bool = False) -> _Segment | None:
        """A segment 2**bits as long, never one that was taken before, and shorter than any that was refused.

        Unless `bold`: between two steps of a staircase lengths that were refused have to be passed.
        """
        target = self.clip(segment.exponent + bits)
        if not bold:
            target = min(target, max(self.ceiling - 1, segment.exponent + min(bits, 0)))
        while target in self.segments and target != segment.exponent:
            target += 1 if bits < 0 else -1
        stuck = target == segment.exponent or target < self.line.limits[0]
        if stuck or not self.affords(LOOK - 1):
            return None
        return self.take(target, LOOK)

    def refine(self, segment: _Segment, count: int) -> _Segment | None:
        if not self.affords(count - segment.count):
            return None
        return self.take(segment.exponent, count)

    # -- samples -------------------------------------------------------------------------------------------

    def take(self, exponent: int, count: int) -> _Segment:
        segment = self.segments.setdefault(exponent, _Segment(exponent, driven=self.driven))
        nodes = chebyshev(count, self.line.grid)
        for position in nodes.positions:
            if position not in segment.samples:
                segment.samples[position] = self.line.sample(position, exponent)
                if not segment.samples[position].finite:
                    break
        segment.count = count
        segment.readings = self.read(segment, nodes) if segment.finite else []
        return segment

    def read(self, segment: _Segment, nodes: Nodes) -> list[Reading]:
        samples = [segment.samples[p] for p in nodes.positions]
        values = np.array([s.values for s in samples]).T
        floors = np.array([s.floor for s in samples]).max(axis=0)
        half = self.line.grid * 2.0**segment.exponent
        scale = self.line.scale()
        readings = [read(v, float(f), self.line.unit, scale, nodes, half) for v, f in zip(values, floors, strict=True)]
        return [
            self.judged(c, r, segment.exponent) if r.suspicious else self.near_enough(c, r)
            for c, r in enumerate(readings)
        ]

    def near_enough(self, channel: int, reading: Reading) -> Reading:
        """Refuse a segment grown from a constant one to where the values of f drown what happens at the centre."""
        flat = self.flat_floor
        return reading.refused() if flat is not None and reading.floor > OUTGROWN * flat[channel] else reading

    def judged(self, channel: int, reading: Reading, exponent: int) -> Reading:
        """The suspicious reading accepted as noise, as the stairs of a fine staircase, or refused."""
        noise, still = self.is_noise(channel, reading, exponent)
        return replace(reading, stairs=still) if noise else reading.refused()

    def is_noise(self, channel: int, reading: Reading, exponent: int) -> tuple[bool, bool]:
        """Whether the level that ends the coefficients is there between close neighbours of the centre too.

        A fine oscillation or a kink also ends the coefficients of a coarse segment in a level stretch, but close to
        the centre it is smooth, and either side of a jump is; noise is as large there as anywhere, or, where f is a staircase, exactly nil (which is
        the second answer).
        """
        near: list[Array] = [np.zeros(2)]
        moved, still = False, False
        for low in self.ladder(exponent):
            if low not in self.rungs:
                if not self.affords(2) or channel >= self.driven:
                    break
                self.rungs[low] = (self.line.sample(1, low), self.line.sample(-1, low))
            drift = reading.estimate.value * 2.0**low
            plus, minus = (float(s.values[channel]) for s in self.rungs[low])
            near.append(np.array([plus - drift, minus + drift]))
            still = plus == 0 and minus == 0
            moved = moved or not still
            if not still and _is_smooth(near, reading.level):
                return False, False
        return len(near) > ENOUGH_RUNGS and (moved or reading.fine), still

    def ladder(self, exponent: int) -> list[int]:
        top = exponent + int(math.log2(self.line.grid)) - FIRST_RUNG
        bottom = self.line.limits[0] + 1
        spacing = min(max(RUNG_SPACING[0], math.ceil((top - bottom) / (RUNGS - 1))), RUNG_SPACING[1])
        return [low for low in range(top, top - RUNGS * spacing, -spacing) if low >= bottom]

    # -- the answer ----------------------------------------------------------------------------------------

    def best(self) -> list[tuple[Estimate, int]]:
        first = next(iter(self.segments.values()))
        channels = len(next(iter(first.samples.values())).values)
        return [self.choose(c) for c in range(channels)]

    def choose(self, channel: int) -> tuple[Estimate, int]:
        """The smallest bound among the resolved segments; where two contradict each other, the shorter one."""
        found = [(s.exponent, s.readings[channel]) for s in self.segments.values() if s.readings]
        found = [(e, self.pooled(r, found)) for e, r in found]
        stairs = any(r.stairs for _, r in found)
        if not stairs and any(r.stepped for _, r in found):
            # constant between steps that are small beside the value: what it rises by was not resolved
            found = [(e, r.refused() if r.constant else r) for e, r in found]
        first = next((e for e, r in found if r.constant), None)
        # a constant says no more of the slope at the centre on a longer segment than on the first one
        found = [(e, r.refused() if r.constant and e != first else r) for e, r in found]
        usable = sorted(((e, r.estimate) for e, r in found if r.resolved and not (stairs and r.constant)), key=_exponent)
        if not usable:
            return self.nothing(found)
        exponent, estimate = min(usable, key=lambda pair: float(pair[1].bound))
        for shorter, other in usable:
            if shorter < exponent and not other.agrees(estimate):
                exponent, estimate = shorter, other
                break
        return self.counted(estimate), exponent

    def pooled(self, reading: Reading, found: list[tuple[int, Reading]]) -> Reading:
        """The reading with the largest noise that was seen at any length.

        Rounding inside f can conspire with evenly spaced steps to look smooth on one segment; hardly on all.
        """
        seen = [r.measured for _, r in found if r.resolved and not r.falling]
        return reading.with_noise(max(seen)) if seen else reading

    def nothing(self, found: list[tuple[int, Reading]]) -> tuple[Estimate, int]:
        """No segment was resolved: the value of the shortest one, without a bound, and what it looked like."""
        if not found:
            # not one segment was finite
            estimate = Estimate(math.nan, math.inf, "spectral", finding=Finding.NOT_FINITE)
            return self.counted(estimate), min(self.segments)
        exponent, reading = min(found, key=lambda pair: pair[0])
        estimate = replace(reading.estimate, bound=math.inf, finding=shape(reading.estimate.coefficients))
        return self.counted(estimate), exponent

    def counted(self, estimate: Estimate) -> Estimate:
        return replace(estimate, evaluations=self.line.evaluations)


def _is_smooth(near: list[Array], level: float) -> bool:
    """Whether the changes from the centre, rung by rung inwards, are those of a smooth function or of a jump.

    They vanish beside the level, or from one rung to the next (either side of a jump), or fall threefold twice
    over, as those of noise do once in some hundred times.
    """
    if min(np.abs(near[-1]).max(), np.abs(near[-1] - near[-2]).max()) < level / QUIET:
        return True
    sizes = [float(np.abs(change).max()) for change in near[1:][-3:]]
    return len(sizes) == 3 and 3 * sizes[1] < sizes[0] and 3 * sizes[2] < sizes[1]


def _exponent(pair: tuple[int, Estimate]) -> int:
    return pair[0]


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
