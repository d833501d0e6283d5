"""Noise told from structure: noise is still there between the closest neighbours that the line can sample.

A fine oscillation, a kink or a dent between two samples of a coarse segment ends its coefficients in the same level
stretch as noise does. Between neighbours that come ever closer it fades, in proportion to their distance at last;
the jitter of rounding does not, and of the steps of a staircase one is always left, as large as before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gradcheck.estimate import Array

#: Share of the noise level below which the last changes between neighbours, two deviations of noise squared each, do
#: not explain it. Normal noise of that level is quieter in 1 of 100 sets of four.
LOUD = 0.4

#: Share of the level below which one change is not noise: normal noise is as quiet once in 25 times, on both sides
#: of a sample in 600.
QUIET = 1 / 16

#: Changes in a row that all lie in one half of an interval: a smooth function's share between halves as they shrink.
STEPS = 6

#: One half's share of the change of the other, up to which all of it lies in that other.
CONCENTRATED = 0.25

#: Distance from the centre, in widths of the interval, from which on a change all at once is none of what f does at
#: the centre.
APART = 8.0

#: The middle of an interval.
HALF = 0.5

#: How much closer the next neighbour is tried while both parts of an interval are loud.
STRIDE = 64.0

#: Last changes by which a jump is measured, and its ratio to the deviation of a sawtooth with such jumps.
LAST, JUMP = 4, 12.0**0.5

#: Neighbours that are sampled for jitter, and their distances beside the closest one: rounding inside f may need
#: some of them to move.
NEIGHBOURS, NEIGHBOURING = 5, (1.0, 4.0)

#: Noise, beside the level, above which it is not what ends the coefficients: a pole, or a jump of f itself.
LOUDEST = 8.0

#: Largest residual of noise, beside the largest deviation that it may have.
WILD = 4.0

#: Levels by which a trend may rise before noise of that level ends it: a sawtooth's teeth are 3.5 high.
BEYOND = 4.0

#: Bend of a stretch, beside its rise, up to which it is straight.
STRAIGHT = 0.25


#: Share of a level that a jump at the centre leaves where it is all there is to it, by so many samples more than it and
#: the signal take: noise of five samples is by chance that quiet once in ten million times.
ALONE, FREE = 32.0, 5


def at_centre(places: Array, rest: Array, used: int, level: float) -> bool:
    """Whether a jump at the centre, and any value there, explains a level: then it is none of noise.

    Parameters
    ----------
    places, rest : ndarray, shape (count,)
        Where samples lie, in half lengths, and what a signal of `used` coefficients leaves of them.
    level : float
        Deviation of the noise that this would be.

    Examples
    --------
    >>> places = np.linspace(-1.0, 1.0, 9)
    >>> at_centre(places, 0.1 * np.sign(places), 2, 0.05)
    True
    >>> at_centre(places, 0.1 * (-1.0) ** np.arange(9), 2, 0.05)
    False
    """
    smooth = np.polynomial.chebyshev.chebvander(places, used - 1)
    model = np.column_stack([smooth, np.sign(places), places == 0])
    freedom = len(places) - model.shape[1]
    if freedom < FREE:
        return False
    left = rest - model @ np.linalg.lstsq(model, rest)[0]
    return bool(np.linalg.norm(left) < np.sqrt(freedom) * level / ALONE)


@dataclass
class Inward:
    """The way from two neighbours a and b, between which the residual changes, to closer and closer ones.

    `residual(place)` is φ less its signal, a number a channel, at a place of the segment [−1, 1]; `level` the
    deviation of the noise that is to be confirmed, in channel `channel`; `closest` the distance at which the line
    can step no closer.
    """

    residual: Callable[[float], Array]
    channel: int
    level: float
    closest: float
    a: float
    b: float
    at_a: Array
    at_b: Array
    loudest: float = LOUDEST
    changes: list[Array] = field(default_factory=list)
    concentrated: int = 0
    trend: Array | float = 0.0
    offset: Array | float = 0.0
    wild: bool = False
    extended: bool = False
    noise: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def size(self) -> float:
        """Change over the whole interval."""
        return abs(float((self.at_b - self.at_a)[self.channel]))

    def is_noise(self, calls: int) -> bool:
        """Whether what changes between a and b still does between closest neighbours, or does so all at once."""
        share = 1 / STRIDE
        for _ in range(calls - NEIGHBOURS * len(NEIGHBOURING)):
            if abs(self.b - self.a) <= self.closest:
                return self.jitters()
            share = self.step(share)
            if self.wild or (self.faded() and not self.extend()):
                return False
            if self.concentrated >= STEPS and self.apart():
                return self.jumped()
        return False

    def faded(self) -> bool:
        """Whether the last change was too small for the level."""
        return bool(self.changes) and bool(abs(self.changes[-1][self.channel]) < QUIET * self.level)

    def extend(self) -> bool:
        """Go on, once, to where the trend that was followed would leave the level behind: there a tooth ends."""
        trend = float(np.broadcast_to(self.trend, self.at_a.shape)[self.channel])
        if self.extended or trend == 0.0:
            return False
        self.extended = True
        length = BEYOND * self.level / abs(trend)
        side = 1.0 if self.b + length <= 1.0 else -1.0
        if abs(self.b + side * length) > 1.0:
            return False
        self.a, self.at_a, self.b = self.b, self.at_b, self.b + side * length
        self.at_b, self.concentrated = self.at(self.b), 0
        self.changes.append(self.at_b - self.at_a)
        return not self.faded()

    def apart(self) -> bool:
        """Whether the change is as far from the centre as to be none of the structure there."""
        return min(abs(self.a), abs(self.b)) >= APART * abs(self.b - self.a)

    def step(self, share: float) -> float:
        """Halve the interval, or try a much shorter one; the share to go on with."""
        middle = self.a + share * (self.b - self.a)
        between = self.at(middle)
        near, far = between - self.at_a, self.at_b - between
        sizes = abs(float(near[self.channel])), abs(float(far[self.channel]))
        if share != HALF and sizes[0] < LOUD * self.level:
            return self.quiet(middle, between, near)
        alone = share == HALF and min(sizes) <= CONCENTRATED * max(sizes)
        self.concentrated = self.concentrated + 1 if alone else 0
        self.narrow(middle, between, keep_near=share != HALF or sizes[0] >= sizes[1])
        return HALF if alone else 1 / STRIDE

    def at(self, place: float) -> Array:
        """The residual beside the trend; it may not be far above the level anywhere."""
        rest = self.residual(place)
        self.wild = self.wild or abs(float(rest[self.channel])) > WILD * self.loudest * self.level
        return np.asarray(rest - self.trend * place - self.offset)

    def narrow(self, middle: float, between: Array, *, keep_near: bool) -> None:
        """Go on with one part of the interval."""
        if keep_near:
            self.b, self.at_b = middle, between
        else:
            self.a, self.at_a = middle, between
        self.changes.append(self.at_b - self.at_a)

    def quiet(self, middle: float, between: Array, near: Array) -> float:
        """Go on beside the trend of a quiet stretch next to a, if straight: a staircase rises between its steps."""
        twice = self.at(2 * middle - self.a) - self.at_a
        bend = abs(float((twice - 2 * near)[self.channel]))
        straight = bend <= STRAIGHT * abs(float(near[self.channel])) + QUIET * self.level / STRIDE
        if straight and middle != self.a:  # between the two closest numbers there is none
            self.follow(near / (middle - self.a), middle, between)
        else:
            self.narrow(middle, between, keep_near=False)
        return HALF

    def follow(self, trend: Array, middle: float, between: Array) -> None:
        """Go on with what is left beside a trend."""
        before = self.a
        self.at_a = between - trend * (middle - before)
        self.at_b = self.at_b - trend * (self.b - before)
        self.trend, self.offset = self.trend + trend, self.offset - trend * before
        self.a = middle
        self.changes.append(self.at_b - self.at_a)

    def jitters(self) -> bool:
        """Whether close neighbours depart from a straight line by the level."""
        return any(self.uneven(width * (self.b - self.a)) for width in NEIGHBOURING)

    def uneven(self, width: float) -> bool:
        """Whether neighbours of that distance do."""
        rest = np.array([self.residual(self.a + width * k) for k in range(NEIGHBOURS)])
        bends = np.diff(rest, 2, axis=0)
        # a second difference of independent numbers has six times their variance
        self.noise = np.sqrt(np.mean(np.square(bends), axis=0) / 6)
        return self.fits(self.noise)

    def jumped(self) -> bool:
        """Whether the last changes, all in one place, are those of a staircase whose noise has that level."""
        self.noise = np.sqrt(np.mean(np.square(self.changes[-LAST:]), axis=0)) / JUMP
        return self.fits(self.noise)

    def fits(self, noise: Array) -> bool:
        """Whether noise of that deviation explains the level, and is not another thing altogether."""
        return bool(LOUD * self.level <= noise[self.channel] <= self.loudest * self.level)
