"""One-sided derivatives: of every output of f along a direction, from the right and from the left, with a bound.

On [0, h] samples at Chebyshev points give the slope at 0, which f need not have on the other side. A segment is
believed where its coefficients fall, or end in noise, and where it foretells samples closer to the point than any of
its own: what f does close by, and nowhere else on the segment, would be in none of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gradcheck.batches import Section
from gradcheck.directions import Steps
from gradcheck.estimate import Array
from gradcheck.number import finfo
from gradcheck.probes.field import GRIDS
from gradcheck.probes.nodes import Nodes, sided

#: Samples on a segment, the point itself among them; the longest segment, in lengths of the direction.
COUNT, LONGEST = 9, 2.0**-3

#: Bits by which each further segment is shorter, and where rounding is more than FINE; segments at most; and the share
#: of the direction by which the steps of none may leave it: an element that stands still is not probed.
STRIDE, COARSE, FINE, SEGMENTS, TURNED = 6, 3, 1e-10, 8, 1e-2

#: Roundings at which coefficients have ended (`masked` has the same); their fall over the last two quarters that is
#: geometric, and the share of the largest that noise may have: a kink inside of the segment falls to 0.25 and ends
#: at 0.01 of the largest, and no less than 0.003 of it where it is as far as can be from the nodes next to it.
ENDED, FALLING, NOISY = 64.0, 0.04, 1e-3

#: Multiple of the noise above which a coefficient is signal, and the slowest fall that is continued.
SIGNAL, STEEPEST = 4.0, 0.9

#: Deviations of noise that a bound covers, and roundings of the argument inside f beside those that show.
NORMAL, HIDDEN = 8.0, 64.0

#: Shares of the way to the first node at which samples have to be foretold; and bits by which segments are shorter
#: whose ends have to be as well, up to what the turn of their steps leaves to be seen.
CLOSER, BEYOND = (0.02, 0.1, 0.4), (15, 27)

#: Smallest step of a staircase, beside its height.
STEP = 1 / 64

#: Share that a jump keeps of itself over two strides; power of the distance with which f leaves the point
#: where its slope is unbounded, and how far two of them may be apart.
KEPT, STEEP, ALIKE = 0.75, (0.02, 0.9), 0.1

#: Calls that one side of a segment costs.
PRICE = COUNT - 1 + len(CLOSER) + len(BEYOND)

Function = Callable[[Array], Array]


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
class Sides:
    """f along a direction, one side at a time.

    Parameters
    ----------
    function : callable
        function(point) -> ndarray.
    point, direction : ndarray of one shape
        The direction is a float64 array of about the size of the point.
    centre : ndarray
        f at the point.
    accuracy : float
        Relative error of the outputs, where that is more than their rounding.
    """

    function: Function
    point: Array
    direction: Array
    centre: Array
    accuracy: float = 0.0
    evaluations: int = 0
    changes: dict[tuple[int, int, int], Array] = field(default_factory=dict)
    readings: dict[tuple[int, int], Side] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.grid = GRIDS.get(self.point.dtype.name, 1459)
        self.steps = Steps(self.point, self.direction, self.grid)
        self.nodes: Nodes = sided(COUNT, self.grid)
        self.first = round(math.log2(LONGEST / self.grid))
        own = max(float(finfo(self.point.dtype).eps), float(finfo(self.centre.dtype).eps)) / 2
        self.unit = max(own, float(np.finfo(np.float64).eps) / 2)
        self.stride = STRIDE if self.unit < FINE else COARSE
        self.flat = self.centre.astype(np.float64).ravel()

    @property
    def exponents(self) -> tuple[int, ...]:
        """Of the segments that were sampled, the longest first."""
        return tuple(sorted({e for e, _ in self.readings}, reverse=True))

    def lost(self, exponent: int) -> bool:
        """Whether steps of that exponent are no longer the direction."""
        length = float(np.linalg.norm(self.direction.ravel()))
        away = float(np.linalg.norm((self.steps.taken(exponent) - self.direction).ravel()))
        return away > TURNED * length

    def change(self, side: int, position: int, exponent: int) -> Array:
        """What f changes by over `position` quanta on one side, flat; sampled once."""
        key = side, position, exponent
        if key not in self.changes:
            if position == 0:
                return np.zeros_like(self.flat)
            self.evaluations += 1
            moved = self.point + self.point.dtype.type(side * position) * self.steps.quantum(exponent)
            with np.errstate(all="ignore"):
                output = np.asarray(self.function(moved)).astype(np.float64).ravel()
                self.changes[key] = output - self.flat
        return self.changes[key]

    def together(self, side: int, exponent: int) -> None:
        """Sample what lacks of a segment in batches, where f takes them."""
        if not isinstance(self.function, Section):
            return
        lacking = [p for p in self.nodes.positions if p and (side, p, exponent) not in self.changes]
        places = [side * p for p in lacking]
        for place, output, centre in self.function.outputs(self.point, self.steps.quantum(exponent), places):
            self.evaluations += 1
            change = output.astype(np.float64) - centre.astype(np.float64)
            self.changes[side, side * place, exponent] = change.ravel()

    def search(self, budget: int, goal: float = 0.0) -> None:
        """Sample shorter and shorter segments until every output is known from both sides, or there are no more.

        Known to a bound of no more than `goal` of the largest slope, if that is above 0.
        """
        for k in range(SEGMENTS):
            exponent = self.first - self.stride * k
            if self.lost(exponent) or self.evaluations + 2 * PRICE > budget:
                return
            for side in (1, -1):
                self.readings[exponent, side] = self.read(side, exponent)
            if all(self.content(self.best(side), goal) for side in (1, -1)):
                return

    def content(self, found: Side, goal: float) -> bool:
        """Whether all bounds are small enough."""
        if not np.isfinite(found.bound).all():
            return False
        return goal <= 0 or bool(found.bound.max() <= goal * np.abs(found.value).max())

    def read(self, side: int, exponent: int) -> Side:
        """Slopes at the point from one segment, of which nothing shorter is known."""
        half = self.grid * 2.0**exponent
        with np.errstate(all="ignore"):
            self.together(side, exponent)
            changes = np.array([self.change(side, p, exponent) for p in self.nodes.positions])
            c = np.abs(self.nodes.coefficients @ changes) / self.nodes.scale[:, None]
            floor = self.floor(changes)
            early, middle, late = c[1:4].max(axis=0), c[4:6].max(axis=0), c[6:].max(axis=0)
            falls = (late <= FALLING * middle) & (middle <= 2 * FALLING * early)
            known = falls | (late <= np.maximum(ENDED * floor, NOISY * early))
            level = np.maximum(np.where(falls, c[7:].max(axis=0), late), floor)
            kept = np.where(falls, COUNT, np.maximum(_above(c, SIGNAL * level), 2))
            value = side * np.einsum("mp,pm->m", self.nodes.slopes[kept], changes) / half
            noise = self.nodes.slope_norms[kept] * NORMAL * (level + self.inner(value, level, floor))
            bound = (noise + np.where(falls, _rest(c, level, COUNT - 1), _cut(c, level, kept))) / half
            return Side(value, np.where(known & np.isfinite(value), bound, np.inf))

    def floor(self, changes: Array) -> Array:
        """Error of a sample that cannot be avoided, for every output."""
        sizes = np.abs(self.flat) + np.abs(changes).max(axis=0)
        return np.asarray(max(self.unit, self.accuracy) * sizes + float(finfo(self.centre.dtype).tiny))

    def inner(self, slope: Array, late: Array, floor: Array) -> Array:
        """Rounding of the argument inside f, as far as the coefficients leave room for it."""
        return np.minimum(self.unit * np.abs(slope), HIDDEN * np.maximum(late, floor))

    def known(self, exponent: int, side: int) -> Side:
        """What a segment says, if it foretells what lies closer to the point."""
        own = self.readings[exponent, side]
        held = np.isfinite(own.bound) & ~self.stuck(exponent, side)
        if not held.any():
            return Side(own.value, np.full_like(own.bound, np.inf))
        first = self.nodes.positions[1]
        for position in dict.fromkeys(max(round(share * first), 1) for share in CLOSER):
            held &= self.foretold(side, exponent, position, exponent)
        for shorter in (exponent - bits for bits in BEYOND):
            if not self.lost(shorter):
                held &= self.foretold(side, exponent, self.grid, shorter)
        return Side(own.value, np.where(held, own.bound, np.inf))

    def stuck(self, exponent: int, side: int) -> Array:
        """Outputs that do not move on a segment, but do on a longer one, by so little that rounding may hide it here.

        Between two steps of a staircase f is constant, between two roundings of its argument it only looks so.
        """
        here = [self.change(side, p, exponent) for p in self.nodes.positions]
        longer = [np.abs(self.change(side, self.grid, e)) for e in self.exponents if e > exponent]
        if not longer:
            return np.zeros(self.flat.size, dtype=bool)
        with np.errstate(invalid="ignore"):
            moved = np.array([np.where(size > 0, size, np.inf) for size in longer]).min(axis=0)
            coarse = moved >= STEP * np.maximum(np.abs(self.flat), np.fmax.reduce(longer))
        return np.asarray(~np.any(here, axis=0) & np.isfinite(moved) & ~coarse)

    def foretold(self, side: int, exponent: int, position: int, at: int) -> Array:
        """Whether, for each output, a segment's samples foretell one closer to the point."""
        own = self.readings[exponent, side]
        with np.errstate(all="ignore"):
            changes = np.array([self.change(side, p, exponent) for p in self.nodes.positions])
            coefficients, floor = self.nodes.coefficients @ changes, self.floor(changes)
            place = position / self.grid * 2.0 ** (at - exponent)
            length = place * self.grid * 2.0**exponent
            series = np.polynomial.chebyshev.chebval(2 * place - 1, coefficients)
            expected = series - np.polynomial.chebyshev.chebval(-1.0, coefficients)
            # the bound of the slope is one of the change as well, as close as this is to the point
            allowed = own.bound * length + NORMAL * (self.inner(expected / length, floor, floor) + 2 * floor)
            allowed = (
                allowed + self.turned(exponent, at) * length * np.abs(own.value[np.isfinite(own.bound)]).max()
            )
            return np.asarray(np.abs(self.change(side, position, at) - expected) <= allowed)

    def turned(self, exponent: int, other: int) -> float:
        """How far two exponents' steps lie apart in direction, as a share of them."""
        one, two = self.steps.taken(exponent), self.steps.taken(other)
        return float(np.abs(one - two).max() / max(float(np.abs(one).max()), 1e-300)) * math.sqrt(one.size)

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


def _above(sizes: Array, level: Array) -> Array:
    """Coefficients up to the last that stands above the level, for every output."""
    return np.asarray(COUNT - np.argmax((sizes > level)[::-1], axis=0)) * (sizes > level).any(axis=0)


def _rest(sizes: Array, level: Array, last: int) -> Array:
    """Slope at the end, times h, of a geometric continuation beyond the last coefficient, twice over.

    It falls as fast as those before it do, from the last of them.
    """
    middle = sizes[4:6].max(axis=0)
    late = sizes[6:].max(axis=0)
    rate = np.minimum(np.divide(late, middle, out=np.zeros_like(late), where=middle > 0), FALLING) ** 0.4
    order = np.arange(last + 1, 8 * COUNT)
    return np.asarray(4.0 * level * (order**2 @ rate[None, :] ** (order[:, None] - last)))


def _cut(sizes: Array, level: Array, kept: Array) -> Array:
    """Slope at the end, times h, of what was cut off below the level, where the kept ones fall geometrically."""
    steps = np.maximum(kept - 2, 1)
    last = np.take_along_axis(sizes, (kept - 1)[None, :], 0)[0]
    top = sizes[1:].max(axis=0)
    fall = np.divide(last, top, out=np.zeros_like(top), where=top > 0)
    rate = np.where(kept > 2, np.minimum(fall ** (1.0 / steps), STEEPEST), 0.0)
    ahead = np.arange(1, 8 * COUNT)
    beyond = ((kept[None, :] + ahead[:, None]) ** 2 * rate[None, :] ** ahead[:, None]).sum(axis=0)
    first = np.take_along_axis(sizes, np.minimum(kept, COUNT - 1)[None, :], 0)[0] * (kept < COUNT)
    return np.asarray(2.0 * (kept**2 * first + level * beyond))
