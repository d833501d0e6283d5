"""One-sided derivatives: of every output of f along a direction, from the right and from the left, with a bound.

On [0, h] samples at Chebyshev points give the slope at 0, which f need not have on the other side. A segment is
believed where its coefficients fall, or end in rounding or in noise that does not shrink with it, and where it
foretells samples closer to the point than any of its own: what f does close by, and nowhere else, would be in none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from gradcheck.estimate import Array
from gradcheck.probes.departure import leaving
from gradcheck.probes.moves import COUNT, Moves
from gradcheck.probes.onesided import ENDED, NORMAL, Reading, read

#: The longest segment, in lengths of the direction.
LONGEST = 2.0**-3

#: Bits by which each further segment is shorter, and where rounding is more than FINE; and segments at most.
STRIDE, COARSE, FINE, SEGMENTS = 6, 3, 1e-10, 8

#: Samples that have to be foretold: at shares of the way to the first node, at shares of the segment between other
#: nodes, and at the ends of segments that are so many bits shorter, up to what the turn of their steps leaves to see.
CLOSER, ACROSS, BEYOND = (0.02, 0.1, 0.4), (0.2245, 0.598), (15, 27)

#: And where f is noisy, since what varies fast may be as large as that at one of these, but not at all.
NOISIER = 33

#: Share that a jump keeps of itself over two strides; power of the distance with which f leaves the point
#: where its slope is unbounded, and how far two of them may be apart.
KEPT, STEEP, ALIKE = 0.75, (0.02, 0.9), 0.1

#: Ratio up to which the levels are one that two segments end in, of which one is so many bits shorter, and share of a
#: level that no jump at the point may explain.
PERSISTENT, PERSISTENT_BITS, EVEN = 4.0, 6, 0.5

#: Share of a level down to which a sample close by is like it.
LIKE = 16.0

#: Calls that one side of a segment costs.
PRICE = COUNT - 1 + len(CLOSER) + len(ACROSS) + len(BEYOND)


@dataclass(frozen=True)
class Side:
    """Derivatives of all outputs (flat) from one side, read off one segment.

    Parameters
    ----------
    value, bound : ndarray, shape (outputs,)
        bound is infinite where the segment could not be read.
    """

    value: Array
    bound: Array


@dataclass
class Sides(Moves):
    """f along a direction, one side at a time, and what its segments say; see `gradcheck.probes.moves.Moves`."""

    readings: dict[tuple[int, int], Reading] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.first = round(math.log2(LONGEST / self.grid))
        self.stride = STRIDE if self.unit < FINE else COARSE

    @property
    def exponents(self) -> tuple[int, ...]:
        """Of the segments that were sampled, the longest first."""
        return tuple(sorted({e for e, _ in self.readings}, reverse=True))

    def search(self, budget: int, goal: float = 0.0, sides: tuple[int, ...] = (1, -1)) -> None:
        """Sample shorter and shorter segments until every output is known from these sides, or there are no more.

        Known to a bound of no more than `goal` of the largest slope, if that is above 0.
        """
        for k in range(SEGMENTS):
            exponent = self.first - self.stride * k
            if self.lost(exponent) or self.evaluations + len(sides) * PRICE > budget:
                return
            for side in sides:
                self.readings[exponent, side] = self.read(side, exponent)
            if all(self.content(self.best(side), goal) for side in sides):
                return

    def content(self, found: Side, goal: float) -> bool:
        """Whether all bounds are small enough."""
        if not np.isfinite(found.bound).all():
            return False
        return goal <= 0 or bool(found.bound.max() <= goal * np.abs(found.value).max())

    def read(self, side: int, exponent: int) -> Reading:
        """What one segment says by itself."""
        with np.errstate(all="ignore"):
            changes = self.segment(side, exponent)
            half = self.grid * 2.0**exponent
            return read(changes, self.floor(changes), self.nodes, half, side, self.unit)

    def known(self, exponent: int, side: int) -> Side:
        """What a segment says, if it foretells what lies closer to the point and between its nodes."""
        own = self.readings[exponent, side]
        noise = self.noise(side)
        held = (own.known | (own.noisy & (own.late <= PERSISTENT * noise))) & ~self.leaving(side, exponent)[0]
        if not held.any():
            return Side(own.value, np.full_like(own.value, np.inf))
        first = self.nodes.positions[1]
        places = [max(round(share * first), 1) for share in CLOSER] + [round(s * self.grid) for s in ACROSS]
        misses = np.zeros_like(own.value)
        with np.errstate(all="ignore"):
            for position in dict.fromkeys(places):
                miss, allowed = self.foretold(side, exponent, position, exponent)
                held &= miss <= allowed + NORMAL * noise
                misses = np.fmax(misses, miss)
            held &= ~own.falls | (misses <= own.rounding + own.truncation * own.half / COUNT)
            for bits in (*BEYOND, NOISIER) if (held & (noise > 0)).any() else BEYOND:
                if not self.lost(exponent - bits):
                    miss, allowed = self.foretold(side, exponent, self.grid, exponent - bits)
                    still = self.change(side, self.grid, exponent - bits) == 0
                    like = (still | (miss >= noise / LIKE)) & (miss <= NORMAL * noise)
                    held &= (miss <= allowed) | like
            # a sample that is foretold has noise of its own, and what foretells it as much
            seen = np.maximum(misses / math.sqrt(2.0), noise)
            return Side(own.value, np.where(held, own.bound(np.maximum(own.shown, seen)), np.inf))

    def noise(self, side: int) -> Array:
        """Noise of a sample that ends the coefficients of two segments in one level, for every output; else 0.

        What bends close to the point is the less the shorter a segment is, and what jumps there shows in all alike.
        """
        found = np.zeros_like(self.flat)
        apart = PERSISTENT_BITS // self.stride
        for far, near in zip(self.exponents, self.exponents[apart:], strict=False):
            longer, shorter = self.readings[far, side], self.readings[near, side]
            steady = ~longer.falls & (longer.late <= PERSISTENT * shorter.late)
            noisy = steady & (longer.uneven > EVEN * longer.late)
            found = np.where(noisy, np.fmax(found, np.fmax(longer.late, shorter.late)), found)
        return found

    def leaving(self, side: int, exponent: int) -> tuple[Array, Array]:
        """Outputs that move further out than a segment alone, as rounding may; and those that do by larger steps."""
        return leaving(self, side, exponent, self.exponents)

    def foretold(self, side: int, exponent: int, position: int, at: int) -> tuple[Array, Array]:
        """By how much, for each output, a segment's samples miss another one, and by how much they may."""
        own = self.readings[exponent, side]
        place = position / self.grid * 2.0 ** (at - exponent)
        length = abs(place) * self.grid * 2.0**exponent
        series = np.polynomial.chebyshev.chebval(2 * place - 1, own.coefficients)
        expected = np.asarray(series - np.polynomial.chebyshev.chebval(-1.0, own.coefficients))
        # the bound of the slope is one of the change as well, as close as this is to the point
        allowed = own.bound(own.ends) * length + NORMAL * (
            own.inner(own.floor, expected / length) + 2 * own.floor
        )
        turned = self.turned(exponent, at) * length * np.abs(own.value[own.known | own.noisy]).max()
        return np.abs(self.change(side, position, at) - expected), np.asarray(allowed + turned)

    def continues(self, side: int, exponent: int) -> Array:
        """Outputs that go on, right beside on the other side, as a segment foretells: f does not bend at the point."""
        with np.errstate(all="ignore"):
            miss, allowed = self.foretold(side, exponent, -self.nodes.positions[1], exponent)
            return np.asarray(miss <= allowed + NORMAL * self.noise(side))

    def best(self, side: int) -> Side:
        """For every output the smallest bound of all segments that are known on that side."""
        known = [self.known(e, side) for e in self.exponents]
        at = np.argmin([k.bound for k in known], axis=0)
        take = np.arange(at.size)
        return Side(
            np.array([k.value for k in known])[at, take], np.array([k.bound for k in known])[at, take]
        )

    # -- what is there instead of a slope --------------------------------------------------------------------

    def ends(self, side: int) -> Array:
        """Outputs that are nowhere finite on that side, however close to the point: the domain ends there."""
        if not self.exponents:
            return np.ones(self.flat.size, dtype=bool)
        found = np.isfinite([self.change(side, self.grid, e) for e in self.exponents])
        return np.asarray(~found.any(axis=0))

    def jumps(self, side: int) -> Array:
        """Outputs that do not come back to f at the point, however close."""
        if len(self.exponents) < 3:
            return np.zeros(self.flat.size, dtype=bool)
        last, first = self.sizes(side)
        return np.asarray((last > KEPT * first) & self.seen(last))

    def steep(self, side: int) -> Array:
        """Outputs that leave the point like a power of the distance below 1: their slope is unbounded."""
        if len(self.exponents) < 3:
            return np.zeros(self.flat.size, dtype=bool)
        sizes = [np.abs(self.change(side, self.grid, e)) for e in self.exponents[-3:]]
        with np.errstate(all="ignore"):
            powers = np.log2(np.array(sizes[:-1]) / np.array(sizes[1:])) / self.stride
            alike = np.abs(powers[0] - powers[1]) <= ALIKE
            return np.asarray(
                alike
                & (powers > STEEP[0]).all(axis=0)
                & (powers < STEEP[1]).all(axis=0)
                & self.seen(sizes[-1])
            )

    def sizes(self, side: int) -> tuple[Array, Array]:
        """How far f is from its value at the point, at the shortest segment's end and two segments further out."""
        shown = self.exponents[-3:]
        with np.errstate(all="ignore"):
            return tuple(np.abs(self.change(side, self.grid, e)) for e in (shown[-1], shown[0]))  # type: ignore[return-value]

    def seen(self, sizes: Array) -> Array:
        """Whether changes are more than rounding."""
        return np.asarray(sizes > ENDED * max(self.unit, self.accuracy) * (np.abs(self.flat) + sizes))
