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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from gradcheck.estimate import Array, Estimate
from gradcheck.probes.brief import SLACK, Brief, Look, brief
from gradcheck.probes.glimpse import BITS, KINKS_FALL, STRIDE, Glimpse, glimpse, plan
from gradcheck.probes.jump import Inward, at_centre
from gradcheck.probes.line import Line, Sample
from gradcheck.probes.nodes import Nodes, chebyshev, fits
from gradcheck.probes.reading import NORMAL, OUTGROWN, UNSUSPICIOUS, WORST, Reading, read
from gradcheck.probes.segment import GLIMPSE, SAME, Segment, choose, hides, steady

#: Levels that the search uses: 9 samples to look, 17 to measure, in few digits 13, which their grids hold.
LOOK, MEASURE, FEW_MEASURE = 9, 17, 13

#: A bound of so many roundings of the estimate is not improved upon, or of so many roots of one where that is less: in
#: few digits so many roundings would be the estimate itself.
ENOUGH, ROOTS = 512, 5

#: Bits by which h exceeds the half length that suits the finer points, up to which they are worth trying at once.
PROMISING = 2.0

#: Bits by which a constant is followed outwards, to 2**57 times its length (x may be tiny beside what f sees of it),
#: and inwards before that, to a millionth of it.
OUTWARDS, INWARDS = (*range(3, 28, 3), *range(33, 58, 6)), (4, 8, 12, 16, 20)

#: Calls left from which on it is followed inwards on both sides, in steps of two bits.
PLENTY = 80

#: Calls for the brink of a constant, and how much closer to it the next place is where f is straight: a kink leaves
#: less than 1e-12, and what fades faster nothing.
BRINK, NEAR = 10, 64.0

#: Steps of a staircase within the first stride of a constant, at most.
FEW = 16.0

#: Roundings that the bend of a kink at the point must exceed to be seen, and the share of it that must be left there.
SEEN, LEFT = 64.0, 0.5

#: Bits of growth below which a longer segment is not worth its evaluations, and the multiple of noise down to which
#: truncation is not worth those of a shorter one.
WORTHWHILE, GAIN = 3, 8.0

#: Share of its bound that finer points leave of one that is not good enough.
REFINED = 2.0

#: Rounding of the values further out, beside that of the value at the centre, from which a shorter segment is looked
#: at as well, and by how many bits it is shorter.
DROWNED, NEARER = 64.0, 4

#: Bound, beside the largest coefficient over h, from which on a segment may contradict what is claimed before its bound
#: is small: samples of what they do not resolve end two coefficients so low with a chance of about its square.
SHARP = 1e-4

#: Level, in roundings of the outputs and beside the largest coefficient, above which it has to persist before it is
#: looked for between neighbours (a finer one may be a ripple that longer segments overlooked); bits between the lengths
#: that are compared, and the ratio of levels that counts as the same. A kink's level falls with the length at least.
LARGE, COARSE, DISTANT, PERSISTENT = 1e4, 3e-5, 3, 6.0

#: Where, in half lengths, a resolved segment is put to the test, by which multiple of the noise it may miss, and
#: how many bits shorter the next segment is where it does.
BETWEEN, NOISY, SURPRISED = (0.371693, -0.618034), 10.0, 4

#: A further place where a fall of few samples, which shows no noise of its own, is put to the test: two may both miss
#: by a tenth of the noise once in a hundred times.
BESIDE = (0.832156,)

#: Segments that a look may leave for what a glimpse of them promises elsewhere, and as far too long.
LEAVES, LEAVES_LOST = 3, 5

#: Bits inside of a segment from which on its samples leave a gap round the centre.
GAP = 2

#: Share of a structure's level down to which coefficients must fall that have seen it.
BURIED = 8.0

#: Multiple of noise once confirmed up to which a level needs no confirmation, and calls that one may take.
KNOWN, INWARD = 2.0, 32


def probe(
    line: Line,
    *,
    start: float = 0.25,
    goal: Array | float = 0.0,
    budget: int = 60,
    contradicts: Callable[[Estimate, int], bool] | None = None,
    need: float | None = None,
    look: Look | None = None,
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
    contradicts : callable, optional
        contradicts(estimate of the first channel, exponent) -> whether that is so far from what was expected that
        more digits would tell no more: the search may stop there as well.
    need : float, optional
        Bound down to which no call is spared; none by default.
    look : Look, optional
        Look there first, in brief, whether the function bears out what is expected.

    Examples
    --------
    >>> from gradcheck.probes.line import ScalarLine
    >>> import math
    >>> ((estimate, _),) = probe(ScalarLine(lambda t: math.sin(1 + t)))
    >>> abs(estimate.value - math.cos(1)) <= estimate.bound <= 1e-13
    True
    """
    search = _Search(line, np.atleast_1d(np.asarray(goal, float)), budget, contradicts, need)
    begin = search.placed(start)
    if look is not None:
        exponent = search.placed(look.start)
        found = search.in_brief(exponent, look)
        if found:
            return [(replace(e, evaluations=line.evaluations), exponent) for e in found]
        begin = exponent if search.sharp(exponent) else begin
    search.run(begin)
    search.doubt()
    first = next(iter(search.segments.values()))
    channels = len(next(iter(first.samples.values())).values)
    answers = [choose(search.segments.values(), channel) for channel in range(channels)]
    return [(replace(estimate, evaluations=line.evaluations), exponent) for estimate, exponent in answers]


@dataclass
class _Search:
    """The walk over half lengths.

    `known` is the deviation of noise that showed itself between close neighbours, a number a channel; `step` the
    size of the jumps by which a constant ends; a constant is `believed` once it is known how it ends, if it does.
    """

    line: Line
    goal: Array
    budget: int
    contradicts: Callable[[Estimate, int], bool] | None = None
    need: float | None = None
    segments: dict[int, Segment] = field(default_factory=dict)
    known: Array | None = None
    step: Array | None = None
    felt: bool = False
    bent: bool = False
    believed: bool = False
    ceiling: int = 10_000
    shrinks: int = 0

    @property
    def driven(self) -> int:
        """Channels that drive the search; they come first."""
        return max(int(np.isfinite(self.goal).sum()), 1)

    @property
    def measure(self) -> int:
        """Samples to measure with: as many as the grid can hold."""
        return MEASURE if fits(MEASURE, self.line.grid) else LOOK

    @property
    def most(self) -> int:
        """Samples of a segment that none longer is worth: in few digits more than it is looked at with."""
        return max(self.measure, FEW_MEASURE)

    def run(self, exponent: int) -> None:
        segment: Segment | None = self.look(exponent)
        while True:
            while segment is not None and not self.good(segment):
                segment = self.next(segment)
            leader = self.leader()
            if leader is None or leader.confirmed or self.left() < 1:
                return
            segment = None if self.confirm(leader) else self.shrink(leader)
            if segment is None:
                self.look_for_teeth(leader)

    def in_brief(self, exponent: int, look: Look) -> list[Estimate]:
        """Estimates of all channels from five samples and two between them, where they agree; else none.

        The two are not taken where the five do not agree, nor those where rounding at the centre says as much before.
        """
        agrees, nodes = look.agrees, chebyshev(GLIMPSE, self.line.grid)
        rounding = nodes.slope_norms[-1] * WORST * self.line.sample(0, exponent).floor[: self.driven]
        drowned = bool((rounding > look.bound * self.line.grid * 2.0**exponent).any())
        if drowned or self.measure <= LOOK or not self.affords(GLIMPSE):
            return []
        segment = self.gather(exponent, nodes)
        found = self.briefs(segment) if segment.finite else []
        if not found or not agrees([each.estimate for each in found], exponent, SLACK):
            return []
        beside = [self.line.between(place, exponent) for place in BETWEEN]
        told = [
            each.with_misses([abs(float(s.values[c]) - each.at(place)) for s, place in beside]).estimate
            for c, each in enumerate(found)
        ]
        return told if agrees(told, exponent, 1.0) else []

    def sharp(self, exponent: int) -> bool:
        """Whether a brief look contradicts what was expected, even if all that ends its coefficients were noise."""
        segment = self.segments.get(exponent)
        if segment is None or not segment.finite or self.contradicts is None:
            return False
        dense = self.briefs(segment)[0]
        last = max(abs(c) for c in dense.estimate.coefficients[3:])
        return self.contradicts(dense.with_misses([last]).estimate, exponent)

    def leader(self) -> Segment | None:
        """The resolved segment with the smallest bounds."""
        resolved = [s for s in self.segments.values() if s.resolved]
        resolved = [s for s in resolved if s.count > GLIMPSE] or resolved
        return min(resolved, key=lambda s: float(s.bounds().max()), default=None)

    def good(self, segment: Segment) -> bool:
        if not segment.resolved or segment.count == GLIMPSE or (segment.constant and not self.felt):
            return False
        return bool((segment.bounds() <= self.goals(segment)).all()) or self.tells(segment)

    def tells(self, segment: Segment) -> bool:
        """Whether it shows that what is expected is wrong, sharply enough."""
        reading = segment.leading[0]
        estimate = reading.estimate
        if self.contradicts is None or estimate.bound * estimate.step > SHARP * reading.top:
            return False
        return self.contradicts(estimate, segment.exponent)

    def serves(self, segment: Segment, factor: float = 1.0) -> bool:
        """Whether its bounds are as small as they have to be, if not as small as they might."""
        return self.need is None or bool((segment.bounds() <= factor * self.need).all())

    def goals(self, segment: Segment) -> Array:
        unit = max(self.line.unit, float(np.finfo(np.float64).eps) / 2)  # estimates are float64
        enough = min(ENOUGH * unit, ROOTS * math.sqrt(unit))
        own = np.array([enough * abs(r.estimate.value) for r in segment.leading])
        return np.asarray(np.maximum(self.goal[: self.driven], own))

    def placed(self, half: float) -> int:
        """The exponent of a segment of about that half length."""
        return self.clip(round(math.log2(half / self.line.grid)))

    def clip(self, exponent: int) -> int:
        low, high = self.line.limits
        return min(max(exponent, low), high)

    def left(self) -> int:
        return self.budget - self.line.evaluations

    def affords(self, calls: int) -> bool:
        """Whether calls are left, beside those that confirm what is found."""
        return self.left() >= calls + len(BETWEEN)

    # -- moves ---------------------------------------------------------------------------------------------

    def next(self, segment: Segment) -> Segment | None:
        """The next segment worth its evaluations, or None."""
        if not segment.resolved:
            return self.shrink(segment)
        if segment.constant:
            return self.feel(segment) if not self.felt else None
        worst = segment.leading[int(np.argmax(segment.bounds() - self.goals(segment)))]
        if not worst.falling:
            return self.near_centre(segment) or self.enlarge(segment)
        near = segment.count > LOOK and not self.serves(segment) and self.serves(segment, REFINED)
        if segment.count < self.measure and (segment.count == LOOK or near):
            return self.refine(segment, self.measure)
        if segment is not self.leader():
            return None
        if self.serves(segment) and worst.estimate.truncation <= GAIN * NORMAL * worst.norm * worst.floor:
            return None
        return self.move(segment, -max(round(worst.excess(self.measure * 2 // 3)), 1))

    def near_centre(self, segment: Segment) -> Segment | None:
        """A shorter segment where f is so small at the centre that its values further out drown what it does there."""
        drowned = any(DROWNED * segment.samples[0].floor[c] < r.floor for c, r in enumerate(segment.leading))
        if not drowned or segment is not self.leader() or segment.exponent - NEARER in self.segments:
            return None
        return self.move(segment, -NEARER)

    def shrink(self, segment: Segment) -> Segment | None:
        """Leave a segment that could not be read: with finer points once, else shorter, in growing strides."""
        self.ceiling = min(self.ceiling, segment.exponent - SURPRISED * segment.surprised)
        if self.bent or self.pinched(segment):
            return None
        if segment.surprised:
            return self.move(segment, -SURPRISED)
        bits = max((r.excess(self.measure * 2 // 3) for r in segment.leading), default=math.inf)
        if segment.finite and segment.count == LOOK and bits < PROMISING and self.measure > LOOK:
            return self.refine(segment, self.measure)
        if bits < PROMISING + 3:
            return self.move(segment, -max(round(bits), 1))
        self.shrinks += 1
        return self.move(segment, -2 - 2 * min(self.shrinks, 5))

    def pinched(self, segment: Segment) -> bool:
        """Whether f bends or jumps at the point itself: as sharply as here where rounding begins to hide it.

        φ(t) + φ(−t) grows like t for a kink at the point and not at all for a jump, and at least like t**2 for what a
        shorter segment could resolve.
        """
        longer = [s for s in self.segments.values() if s.exponent > segment.exponent and s.finite]
        if not segment.finite or not longer:
            return False
        next_longer = min(longer, key=lambda s: s.exponent)
        here, there = self.bend(segment), self.bend(next_longer)
        ratio = 2.0 ** (next_longer.exponent - segment.exponent)
        power = next((p for p in (0, 1) if abs(here * ratio**p - there) <= abs(there) / 8), None)
        floor = max(r.floor for r in segment.leading)
        if power is None or not self.affords(2) or abs(here) <= SEEN * floor:
            return False
        down = math.floor(math.log2(abs(here) / (SEEN * floor))) if power else 10_000
        exponent = self.clip(segment.exponent - down)
        pair = [float(self.line.sample(p, exponent).values[0]) for p in (self.line.grid, -self.line.grid)]
        expected = here * 2.0 ** (power * (exponent - segment.exponent))
        return abs(sum(pair) - expected) <= LEFT * abs(expected)

    def bend(self, segment: Segment) -> float:
        """φ(h) + φ(−h) of the first channel."""
        return sum(float(segment.samples[p].values[0]) for p in (self.line.grid, -self.line.grid))

    def enlarge(self, segment: Segment) -> Segment | None:
        """Grow to where the signal would take two thirds of the measuring level's coefficients.

        Not so far that the values of f outgrow those at the centre, nor for less than a bound a third as large.
        """
        gain = min(min(r.room(self.measure * 2 // 3), OUTGROWN * r.value / r.top) for r in segment.leading)
        bits = min(int(math.log2(gain)), 8) if gain > 0 else 0
        if any(r.used < 2 for r in segment.leading):
            bits = min(bits, self.reach(segment))
        serves = self.serves(segment)
        grown = self.move(segment, bits) if bits >= (WORTHWHILE if serves else 2) else None
        if grown is None and segment.count == LOOK < self.most:
            return self.refine(segment, self.most)
        return grown

    def reach(self, segment: Segment) -> int:
        """Powers of two to where x moves as far as it is large: a slope that does not show up to there is none."""
        return math.floor(math.log2(self.line.scale())) - segment.exponent - self.line.grid.bit_length() + 1

    def feel(self, segment: Segment) -> Segment | None:
        """Go from a segment on which f is constant to where it moves, and see whether it does so at once.

        Inwards first: what f does close by may be missed by all samples but the one at the centre.
        """
        self.felt = True
        grid, (low, high) = self.line.grid, self.line.limits
        plenty = self.left() > PLENTY
        close = [
            (segment.exponent - bits, [grid, -grid] if plenty else [grid * (-1) ** k])
            for k, bits in enumerate(range(2, 21, 2) if plenty else INWARDS)
        ]
        far = [(segment.exponent + bits, [grid, -grid]) for bits in OUTWARDS]
        for exponent, places in ((e, p) for e, p in close + far if low <= e <= high):
            if not self.affords(2):
                return None
            samples = [(p, self.line.sample(p, exponent)) for p in places]
            if not all(sample.finite for _, sample in samples):
                return None
            moved = [(p, s) for p, s in samples if (s.values[: segment.driven] != 0).any()]
            if moved:
                if exponent > segment.exponent:
                    self.edge(exponent, *moved[0])
                return self.look(exponent) if self.affords(LOOK) else None
        self.believed = True
        return None

    def edge(self, exponent: int, position: int, sample: Sample) -> None:
        """Note the step by which f leaves a constant, if it is one, as the noise of that constant."""
        channel = int(np.argmax(np.abs(sample.values[: self.driven])))
        # a constant ends within a few of its own lengths: what leaves it in steps does so in few of them
        level = max(UNSUSPICIOUS * float(sample.floor[channel]), abs(float(sample.values[channel])) / FEW)
        side = math.copysign(1.0, position)

        def residual(place: float) -> Array:
            return self.line.between(place, exponent)[0].values

        still = np.zeros_like(sample.values)
        inward = Inward(
            residual,
            channel,
            level,
            self.closest(exponent),
            side * 2.0 ** -OUTWARDS[0],
            side,
            still,
            sample.values,
        )
        inward.loudest = math.inf
        stepped = inward.is_noise(self.left() - LOOK - len(BETWEEN))
        self.believed = stepped or inward.faded()
        if self.believed:
            self.step = np.abs(inward.changes[-1]) if stepped else self.brink(exponent, side, sample)
            for other in self.segments.values():
                other.readings = [
                    r.with_noise(float(s)) if r.constant else r
                    for r, s in zip(other.readings, self.step, strict=False)
                ]

    def brink(self, exponent: int, side: float, sample: Sample) -> Array:
        """The least by which f was seen to leave a constant: smaller steps than that are hidden by it."""
        channel = int(np.argmax(np.abs(sample.values[: self.driven])))
        still, moving, least = side * 2.0 ** -OUTWARDS[0], side, sample.values
        foretold = math.nan  # where the last two that moved would have f end, were it straight
        for _ in range(min(BRINK, self.left() - len(BETWEEN))):
            near = foretold + (moving - foretold) / NEAR
            place = near if (near - still) * side > 0 else (still + moving) / 2
            values = self.line.between(place, exponent)[0].values
            if (values[: self.driven] == 0).all():
                still, foretold = place, math.nan
                continue
            fall = float(least[channel] - values[channel])
            foretold = place - float(values[channel]) * (moving - place) / fall if fall else math.nan
            moving, least = place, values
        return np.abs(least)

    def doubt(self) -> None:
        """Do not believe a constant whose end was not seen: it may lie between two steps of a staircase."""
        for segment in self.segments.values():
            if segment.constant and not self.believed:
                segment.readings = [r.refused() if r.constant else r for r in segment.readings]

    def move(self, segment: Segment, bits: int) -> Segment | None:
        """A segment 2**bits as long, never one that was taken before, and shorter than any that was refused."""
        target = self.clip(segment.exponent + bits)
        if bits > 0 and target > self.ceiling - 2:  # next to one that was refused
            target = max(self.ceiling - 2, segment.exponent)
            target = target if target - segment.exponent >= WORTHWHILE else segment.exponent
        while self.looked(target) and target != segment.exponent:
            target += 1 if bits < 0 else -1
        stuck = target == segment.exponent or target < self.line.limits[0]
        if stuck or not self.affords(LOOK - 1):
            return None
        return self.look(target)

    def refine(self, segment: Segment, count: int) -> Segment | None:
        if not self.affords(count - segment.count):
            return None
        return self.take(segment.exponent, count)

    def looked(self, exponent: int) -> bool:
        """Whether there was more than a glimpse of that segment, or nothing to see."""
        segment = self.segments.get(exponent)
        return segment is not None and (segment.count > GLIMPSE or not segment.finite)

    def look(self, exponent: int) -> Segment:
        """A segment with as many samples as it needs, at this length or at that which glimpses lead to."""
        seen: list[tuple[int, list[Glimpse]]] = []
        while self.measure > LOOK:
            segment = self.take(exponent, GLIMPSE)
            if not segment.finite:
                return segment
            shown = self.glimpses(segment)
            if any(g.hidden for g in shown):
                break
            count, target = self.onwards(segment, shown, seen)
            if self.looked(target) or target == exponent or not self.affords(count - 1):
                return self.take(exponent, self.afforded(count))
            seen.append((exponent, shown))
            exponent = target
        return self.take(exponent, LOOK)

    def onwards(
        self, segment: Segment, shown: list[Glimpse], seen: list[tuple[int, list[Glimpse]]]
    ) -> tuple[int, int]:
        """Samples to take next, and the exponent of the segment to take them of; its own to stay."""
        lost = any(g.lost for g in shown)
        leaves = len(seen) < (LEAVES_LOST if lost else LEAVES)
        count, bits = plan(shown, self.goals(segment), self.line.grid, BITS if leaves else BITS[BITS == 0])
        bits -= 2 * len(seen) * (lost and leaves)
        left = seen[-1][0] - segment.exponent if seen else 0
        fell = min(g.falls(b) for g, b in zip(shown, seen[-1][1], strict=True)) if left > 0 else math.inf
        if fell < KINKS_FALL:
            self.bent = self.pinched(segment)
            count, bits = LOOK, 0 if self.bent or not leaves else min(bits, -STRIDE)
        target = self.clip(segment.exponent + bits)
        return count, max(min(target, self.ceiling - 2), segment.exponent) if bits > 0 else target

    def afforded(self, count: int) -> int:
        """As many samples as calls are left for, a full look at least."""
        return count if self.affords(count - GLIMPSE) else LOOK

    def glimpses(self, segment: Segment) -> list[Glimpse]:
        """What each driving channel shows in the first few samples."""
        values, floors, argument, nodes, half = self.five(segment)
        return [
            glimpse(values[c], float(floors[c]), float(segment.samples[0].floor[c]), argument, nodes, half)
            for c in range(segment.driven)
        ]

    def briefs(self, segment: Segment) -> list[Brief]:
        """What the first few samples say of every channel."""
        values, floors, argument, nodes, half = self.five(segment)
        return [brief(v, float(f), argument, nodes, half) for v, f in zip(values, floors, strict=True)]

    def five(self, segment: Segment) -> tuple[Array, Array, float, Nodes, float]:
        """Values and their rounding, a row a channel, of the first few samples; rounding of a place, nodes, length."""
        nodes = chebyshev(GLIMPSE, self.line.grid)
        samples = [segment.samples[p] for p in nodes.positions]
        values = np.array([s.values for s in samples]).T
        floors = np.array([s.floor for s in samples]).max(axis=0)
        return (
            values,
            floors,
            self.line.unit * self.line.scale(),
            nodes,
            self.line.grid * 2.0**segment.exponent,
        )

    # -- samples -------------------------------------------------------------------------------------------

    def gather(self, exponent: int, nodes: Nodes) -> Segment:
        """The segment with the samples at these nodes, as far as they are finite."""
        segment = self.segments.setdefault(exponent, Segment(exponent, self.driven))
        lacking = [p for p in nodes.positions if p not in segment.samples]
        segment.samples.update(self.line.samples(lacking, exponent))
        segment.count = len(nodes.positions)
        return segment

    def take(self, exponent: int, count: int) -> Segment:
        """The segment with so many samples, and what they say."""
        nodes = chebyshev(count, self.line.grid)
        segment = self.gather(exponent, nodes)
        segment.readings = self.read(segment, nodes) if segment.finite else []
        for channel, reading in enumerate(segment.readings):
            glimpsed = count == GLIMPSE and not (reading.ended and reading.used > 1)
            if glimpsed or (reading.suspicious and not self.is_noise(segment, nodes, channel)):
                segment.readings[channel] = reading.refused()
        return segment

    def read(self, segment: Segment, nodes: Nodes) -> list[Reading]:
        samples = [segment.samples[p] for p in nodes.positions]
        values = np.array([s.values for s in samples]).T
        floors = np.array([s.floor for s in samples]).max(axis=0)
        few = [s.digits for s in samples if s.digits is not None]
        digits = np.array(few).max(axis=0).tolist() if few else [None] * len(floors)
        half = self.line.grid * 2.0**segment.exponent
        scale, unit = self.line.scale(), self.line.unit
        with np.errstate(over="ignore", invalid="ignore"):
            return [
                read(v, float(f), unit, scale, nodes, half, d)
                for v, f, d in zip(values, floors, digits, strict=True)
            ]

    def closest(self, exponent: int) -> float:
        """Distance of the closest neighbours, in half lengths: the shortest step."""
        return float(max(2.0 ** (self.line.limits[0] - exponent) / self.line.grid, 4 * np.finfo(float).eps))

    def is_noise(self, segment: Segment, nodes: Nodes, channel: int) -> bool:
        """Whether the level that ends the coefficients is there between the closest neighbours too."""
        level = segment.readings[channel].level
        if self.known is not None and level <= KNOWN * self.known[channel]:
            return True
        if channel >= self.driven:
            return False
        reading = segment.readings[channel]
        coarse = level > max(LARGE * reading.floor, COARSE * reading.top)
        if coarse and not self.persists(segment, channel, level):
            segment.pending[channel] = reading
            return False
        return self.between_neighbours(segment, nodes, channel)

    def between_neighbours(self, segment: Segment, nodes: Nodes, channel: int) -> bool:
        """Whether the level is there between the closest of the neighbours that differ most."""
        reading = segment.readings[channel]
        level = reading.level
        places = np.array(nodes.positions) / self.line.grid
        rest = np.array([segment.samples[p].values for p in nodes.positions])
        rest = rest - np.array([self.signal(segment, place) for place in places])
        # in few digits f may step there once, and nowhere else
        if reading.levels is None and at_centre(places, rest[:, channel], max(reading.used, 2), level):
            return False
        changes = np.abs(np.diff(rest[:, channel]))
        middle = len(changes) // 2
        pair = middle - 1 + int(np.argmax(changes[middle - 1 : middle + 1]))
        if changes[pair] < level:
            # nothing is amiss at the centre, where structure would matter most
            pair = int(np.argmax(changes))
        ends = [pair + 1, pair] if pair < middle else [pair, pair + 1]
        return self.confirmed_noise(segment, channel, level, places[ends], rest[ends])

    def confirmed_noise(
        self, segment: Segment, channel: int, level: float, places: Array, rest: Array
    ) -> bool:
        """Whether the residuals at two places differ by noise; what it measures is remembered for every channel."""

        def residual(place: float) -> Array:
            sample, taken = self.line.between(place, segment.exponent)
            return np.asarray(sample.values - self.signal(segment, taken))

        first, second = (float(place) for place in places)
        inward = Inward(
            residual, channel, level, self.closest(segment.exponent), first, second, rest[0], rest[1]
        )
        calls = self.left() - len(BETWEEN)
        if segment.readings[channel].levels is not None:
            calls = (calls - LOOK) // 2  # as many for another segment, as likely to be the answer
        noise = inward.is_noise(min(calls, INWARD))
        if noise:
            measured = inward.noise
            self.known = measured if self.known is None else np.maximum(self.known, measured)
            self.restore(self.known)
        else:
            self.overlooked(segment, channel, level)
        return noise

    def persists(self, segment: Segment, channel: int, level: float) -> bool:
        """Whether a much shorter or longer segment ends in the same level, as noise does and a kink does not.

        To look there costs less than to go inwards, and a row of kinks has to be left for a shorter segment anyway.
        """
        others = [
            s for s in self.segments.values() if s.readings and abs(s.exponent - segment.exponent) >= DISTANT
        ]
        return any(1 / PERSISTENT <= s.readings[channel].level / level <= PERSISTENT for s in others)

    def restore(self, known: Array) -> None:
        """Believe the readings that were put off, now that their level is known for noise."""
        for segment in self.segments.values():
            for channel, reading in segment.pending.items():
                if reading.level <= KNOWN * known[channel]:
                    segment.readings[channel] = reading
            segment.pending.clear()

    def overlooked(self, segment: Segment, channel: int, level: float) -> None:
        """Refuse longer segments whose own coefficients end too high to have seen a structure of that level.

        It shows in the other channels too, as large beside what they do as in this one.
        """
        if segment.readings[channel].constant:
            return
        share = level / (segment.readings[channel].top * BURIED)
        for other in self.segments.values():
            if other.exponent > segment.exponent:
                for c, (here, longer) in enumerate(zip(segment.readings, other.readings, strict=False)):
                    if longer.level > share * here.top:
                        other.readings[c] = longer.refused()

    def signal(self, segment: Segment, place: float) -> Array:
        """What stands above the noise, at a place of the segment, a number a channel."""
        return np.array([r.signal(place) for r in segment.readings])

    def confirm(self, segment: Segment) -> bool:
        """Whether the samples foretell others between them, where the steps are no multiples of the same quantum.

        An oscillation that turns a whole number of times a quantum looks smooth on every multiple of it, and so does
        rounding inside f that is the same on all of them. What a sample misses by counts as noise: so large is the
        error of the interpolant between its nodes.
        """
        segment.confirmed = True
        misses: list[list[float]] = [[] for _ in segment.readings]
        beside = BESIDE if any(r.falling and r.estimate.points <= LOOK for r in segment.leading) else ()
        if not self.foretells(segment, (*BETWEEN, *beside, *self.passed_over(segment)), misses):
            return False
        segment.readings = [r.with_misses(m) for r, m in zip(segment.readings, misses, strict=True)]
        return True

    def foretells(self, segment: Segment, places: Sequence[float], misses: list[list[float]]) -> bool:
        """Whether the samples foretell those at other places, as far as calls are left; what they miss by is added."""
        for wanted in places[: max(self.left(), 0)]:
            sample, place = self.line.between(wanted, segment.exponent)
            for c, r in enumerate(segment.readings):
                miss = abs(float(sample.values[c]) - r.at(place))
                surprising = miss > NOISY * (r.level + self.line.aside() * abs(r.estimate.value))
                if surprising and not self.rounding(segment, c, place, sample, miss):
                    if c >= self.driven:
                        segment.readings[c] = r.refused()
                        continue
                    segment.confirmed, segment.surprised = False, True
                    segment.readings = [r.refused() for r in segment.readings]
                    return False
                misses[c].append(miss)
                segment.readings[c] = segment.readings[c].with_noise(miss)
        return True

    def passed_over(self, segment: Segment) -> list[float]:
        """Places, in half lengths, between the segment and shorter ones, where the samples of none leave less of a gap.

        What f does close by, and no more further out, would be seen by the sample at the centre alone.
        """
        taken = sorted((s.exponent for s in self.segments.values() if s.finite), reverse=True)
        below = [segment.exponent - e for e in taken if e <= segment.exponent]
        bits = [k for near, far in pairwise(below) for k in range(near + GAP, far, 2)]
        shows = all(r.used > 1 for r in segment.leading)  # nothing else might be seen from one side alone
        return [
            side * 2.0**-k
            for i, k in enumerate(bits)
            for side in ((1.0, -0.5)[i % 2 : i % 2 + 1] if shows else (1.0, -0.5))
        ]

    def look_for_teeth(self, segment: Segment) -> None:
        """Look whether the level that a longer segment was refused for is noise: this one may lie on a tooth of it.

        Not where this one, or another, shows the structure of that level.
        """
        for channel, reading in enumerate(segment.leading):
            found = [(s.exponent, s.readings[channel]) for s in self.segments.values() if s.readings]
            refused = [(e, r) for e, r in found if e > segment.exponent and not (r.resolved or r.falling)]
            if not refused:
                continue
            exponent, above = min(refused, key=lambda pair: pair[0])
            longer = self.segments[exponent]
            if above.level <= SAME * reading.level or not hides(segment.exponent, above.level, found):
                continue
            if reading.explains(above.level, exponent - segment.exponent):
                continue
            nodes = chebyshev(longer.count, self.line.grid)
            longer.noisy = (
                longer.noisy
                or any(steady(pair, (exponent, above)) for pair in found)
                or self.unlooked(reading)
                or self.between_neighbours(longer, nodes, channel)
                or self.stays(exponent, above, channel)
            )

    def unlooked(self, reading: Reading) -> bool:
        """Whether nothing but a level was found and no calls are left to look further: then it is not harmless."""
        known = reading.constant and self.believed
        return reading.used < 2 and not known and not self.affords(LOOK)

    def stays(self, exponent: int, above: Reading, channel: int) -> bool:
        """Whether a still longer segment ends in the level of a refused one, as noise does and a kink does not."""
        further = self.clip(exponent + DISTANT)
        if self.looked(further) or not self.affords(LOOK - 1):
            return False
        other = self.take(further, LOOK)
        return bool(other.readings) and steady((further, other.readings[channel]), (exponent, above))

    def rounding(self, segment: Segment, channel: int, place: float, sample: Sample, miss: float) -> bool:
        """Whether noise that the even steps hide explains what a sample between them misses by."""
        if channel >= self.driven:
            return self.known is not None and miss <= NOISY * float(self.known[channel])
        nearest = min(segment.samples, key=lambda p: abs(p / self.line.grid - place))
        near = nearest / self.line.grid
        rest = np.array(
            [
                segment.samples[nearest].values - self.signal(segment, near),
                sample.values - self.signal(segment, place),
            ]
        )
        return self.confirmed_noise(segment, channel, miss / 2, np.array([near, place]), rest)
