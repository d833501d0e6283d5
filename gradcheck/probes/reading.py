"""What one set of Chebyshev samples says of a derivative: its value, noise, truncation, and whether to believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import t as student

from gradcheck.estimate import SMALLEST, Array, Estimate, Finding
from gradcheck.probes.levels import ENDED, Levels, levels
from gradcheck.probes.nodes import Nodes

#: Coefficients that end below this multiple of the unavoidable rounding of f's outputs end in rounding; a level
#: stretch above it must show itself as noise between close neighbours too.
UNSUSPICIOUS = 8.0

#: Coefficients above this multiple of the noise level count as signal. One of 17 normal deviates exceeds it in
#: about 1 of 1,000 sets; using one too many costs little, since its share of the noise is in the bound.
SIGNAL = 4.0

#: Multiple of the noise level up to which the first coefficient that is cut off may be none, and hidden by it.
UNSEEN = SIGNAL

#: Fall from one quarter of the coefficients to the next that counts as geometric, by the number of samples. A kink
#: (k**-2) falls to 4/9 over the last two quarters, a jump (k**-1) to 2/3; noise falls so far by accident with a
#: chance of about the m-th power for a quarter of m coefficients, hence the stricter limits for fewer.
GEOMETRIC = {5: -1.0, 9: 0.04, 13: 0.07, 17: 0.1, 33: 0.25}

#: Level, beside the largest coefficient, up to which noise leaves a derivative worth having. A jump at the centre
#: ends at 0.04 of it and a kink at 0.012 (17 samples); noise of that size makes bounds as large as the value.
CLEAR = 0.01

#: Ratio of the 1-norm of a derivative row to its 2-norm, at most (3.71 for 17 samples, the most that are taken): what
#: a bounded error of the worst signs can reach beside one of random signs.
WORST = 4.0

#: Deviations of the noise that a bound covers: normal noise of known size exceeds 6 with a probability of 2e-9.
NORMAL = 8.0

#: Growth of the rounding of f's values, from a segment to a longer one, up to which the longer one still sees what the
#: shorter one saw.
OUTGROWN = 4.0

#: Multiple of what a fall foretells from which on a coefficient is none of it.
ASTRAY = 2.0

#: Share of a level that explains it.
EXPLAINED = 4.0

#: What the coefficients may hide of rounding inside f, as a multiple of what they show.
HIDDEN = 64.0

#: Coefficients that tell of noise in few digits, at most: those that nine samples leave. Rounding to steps is no
#: chance, and what more of them show is not known better.
RANDOM = 7

#: Chance that the noise part of a bound is exceeded, for normal noise of unknown size.
RISK = 1e-7


@dataclass(frozen=True)
class Reading:
    """One channel of one segment.

    `used` coefficients stand above the noise, whose size a sample is `level` (`measured` where it was not raised to the
    floor), `norm` the deviation of the derivative for one unit of it; `rate` is the fall from one of the
    used coefficients to the next, `fall` the fall over the last two quarters, `top` the largest coefficient but c_0,
    `floor` the rounding that a sample cannot avoid, `value` the size of φ; `suspicious` means that the level is
    noise only if it shows itself between close neighbours; `resolved` that the estimate's bound can be believed;
    `ended` that they end in rounding; `ends` is the larger of the last two coefficients of a fall, where noise may
    hide, `inner` the least noise that rounding of the argument makes; `freedom` coefficients tell `measured`, and noise
    enters as no less than `least` a sample; `levels` is what samples of low precision lie on, None in others.
    """

    estimate: Estimate
    used: int
    level: float
    measured: float
    rate: float
    fall: float
    top: float
    floor: float
    value: float
    norm: float
    falling: bool
    suspicious: bool
    resolved: bool
    ended: bool = False
    freedom: int = 0
    least: float = 0.0
    ends: float = 0.0
    astray: float = 0.0
    inner: float = 0.0
    cut: float = 0.0
    levels: Levels | None = None

    @property
    def constant(self) -> bool:
        """Whether all samples are equal to the bit."""
        return self.top == 0.0

    @property
    def few(self) -> bool:
        """Whether they span too few roundings to show a slope."""
        return self.levels is not None and self.levels.few

    @property
    def stairs(self) -> bool:
        """Whether they lie on steps higher than rounding to their few digits: then neighbours are not independent."""
        return self.levels is not None and self.levels.runs and self.measured > ENDED * self.floor

    def excess(self, wanted: int) -> float:
        """Bits by which h is too long for the signal to end within `wanted` coefficients."""
        quarter = (self.estimate.points - 1) // 4
        if self.fall >= 0.9 or self.fall <= 0 or self.top <= 0:
            return 100.0
        rate = self.fall ** (1.0 / quarter)
        return float(np.log2(rate) - np.log2(max(self.floor / self.top, 1e-17)) / wanted)

    def with_noise(self, spread: float, inner: float = 0.0) -> Reading:
        """The same reading, with noise of at least this deviation a sample in its bound, of known size.

        Rounding of f's output, and of its argument, is bounded: it enters with the factor that covers a bounded error
        of the worst signs.
        """
        least = max(self.least, NORMAL * spread, WORST * self.floor, WORST * inner)
        return replace(self, least=least).with_spread(self.measured, self.freedom)

    def least_but(self, spread: float) -> float:
        """The least noise, where this is what samples beside a fall show of it."""
        return max(NORMAL * spread, WORST * self.floor, self.inner)

    def with_spread(self, spread: float, freedom: int) -> Reading:
        """The same reading, with noise of this deviation a sample as `freedom` coefficients show it (0: none do).

        Noise of unknown size enters with Student's quantile.
        """
        told = freedom if self.levels is None else min(freedom, RANDOM)
        shown = max(_quantile(told) * self.norm, UNSEEN * math.hypot(self.norm, self.cut)) * spread
        noise = max(shown if freedom else 0.0, self.norm * self.least)
        bound = noise + self.estimate.truncation
        return replace(self, estimate=replace(self.estimate, noise=noise, bound=bound))

    def with_misses(self, misses: list[float]) -> Reading:
        """The same reading, its noise told as well by what samples between its own miss by.

        Such a sample has noise of its own, and the interpolant up to as much.
        """
        if self.levels is not None:  # neighbours round alike
            return self.with_noise(self.ends)
        if self.falling:
            hidden = max(self.astray, *misses) if len(misses) > 1 else self.ends
            return replace(self, least=self.least_but(hidden)).with_spread(self.measured, 0)
        if not self.freedom:
            return self
        freedom = self.freedom + len(misses)
        parts = [math.sqrt(self.freedom) * self.measured, *(miss / math.sqrt(2.0) for miss in misses)]
        measured = math.hypot(*parts) / math.sqrt(freedom)
        return replace(self, measured=measured, freedom=freedom).with_spread(measured, freedom)

    def at(self, place: float) -> float:
        """φ at `place`, of the half length, from the samples' interpolant."""
        return float(np.polynomial.chebyshev.chebval(place, self.estimate.coefficients))

    def signal(self, place: Any) -> Any:
        """φ at `place` (or places), of the half length, from the coefficients that stand above the noise."""
        return np.polynomial.chebyshev.chebval(place, self.estimate.coefficients[: max(self.used, 2)])

    def explains(self, level: float, bits: int) -> bool:
        """Whether what bends here, followed to a segment 2**bits as long, is as large as a level that was seen there.

        On a tooth of rounding f is far too smooth for that.
        """
        orders = np.arange(2, max(self.used, 2))
        sizes = np.abs(np.array(self.estimate.coefficients))[2 : max(self.used, 2)]
        return bool(
            (np.log2(np.maximum(sizes, SMALLEST)) + bits * orders > math.log2(level / EXPLAINED)).any()
        )

    def refused(self) -> Reading:
        """The same reading, with a bound that claims nothing."""
        return replace(self, resolved=False, suspicious=False)

    def room(self, wanted: int) -> float:
        """Factor by which h can grow until the signal takes `wanted` coefficients; below 1 where it has too many."""
        if self.used >= wanted or self.rate <= 0.0:
            return 1.0 if self.used >= wanted else 256.0
        return float(self.rate ** (self.used / wanted - 1.0))


def read(
    values: Array,
    floor: float,
    unit: float,
    scale: float,
    nodes: Nodes,
    half: float,
    digits: float | None = None,
) -> Reading:
    """The derivative at the centre from `values` (count,) at the nodes of a segment of half length `half`.

    Parameters
    ----------
    values : ndarray, shape (count,)
        φ at the nodes, less φ(0).
    floor : float
        Rounding of a value that cannot be avoided.
    unit : float
        Unit round-off of φ.
    scale : float
        Length over which the point moves by its own size.
    nodes : Nodes
        Where the samples were taken.
    half : float
        Half length h of the segment.
    digits : float, optional
        In low precision the part of `floor` that is rounding to the digits of a value.
    """
    found = None if digits is None else levels(values, digits, floor)
    floor = floor if digits is None else digits
    count = len(values)
    coefficients = nodes.coefficients @ values
    sizes = np.abs(coefficients) / nodes.scale
    quarters = _quarters(sizes)
    level = max(_tail(sizes), floor)
    used = _used(sizes, level)
    fall = float(quarters[2] / quarters[1]) if quarters[1] > 0 else 0.0
    limit = GEOMETRIC[count]
    rounded = bool(quarters[2] <= UNSUSPICIOUS * floor)
    ended = rounded if found is None else bool(quarters[2] <= ENDED * floor)
    falling = not ended and fall <= limit and bool(quarters[1] <= 2 * limit * quarters[0])
    kept = count if falling else max(used, 2)
    clear = rounded or level < CLEAR * float(sizes[1:].max())
    level_stretch = 2 <= used <= (count + 1) // 2
    spread = float(np.sqrt(np.mean(np.square(sizes[kept:])))) if kept < count else level
    reading = Reading(
        _estimate(values, coefficients, level, kept, falling, nodes, half),
        kept if falling else used,
        level,
        spread,
        _rate(sizes, used),
        fall,
        float(sizes[1:].max()),
        floor,
        floor / unit,
        float(nodes.slope_norms[kept]) / half,
        falling,
        suspicious=not (ended or falling) and level_stretch and clear,
        resolved=ended or falling or (level_stretch and clear),
        ended=ended,
        freedom=0 if falling else count - kept,
        least=0.0 if found is None else WORST * found.hidden,
        cut=_first_cut(kept, nodes) / half,
        levels=found,
    )
    inner = _inner(reading, unit, scale, half)
    if falling:
        # noise may end the fall as well: in the last one, as far as samples between these do not tell otherwise
        return replace(
            reading.with_noise(float(sizes[-1]), inner),
            ends=float(sizes[-2:].max()),
            astray=_astray(sizes),
            inner=WORST * inner,
        )
    return reading.with_noise(0.0, inner)


def _astray(sizes: Array) -> float:
    """The larger of the last two coefficients that exceed what the fall of the others foretells; 0 where none does."""
    rate = _falls(sizes)
    foretold = [max(sizes[k - 1] * rate, sizes[k - 2] * rate**2) for k in (-2, -1)]
    return max(
        (float(size) for size, due in zip(sizes[-2:], foretold, strict=True) if size > ASTRAY * due),
        default=0.0,
    )


def _falls(sizes: Array) -> float:
    """Fall from one coefficient to the next, by the largest of the last two quarters."""
    quarters = _quarters(sizes)
    return float(min((quarters[2] / quarters[1]) ** (4.0 / (len(sizes) - 1)), 0.9))


@cache
def _quantile(freedom: int) -> float:
    """Student's, for a deviation that so many coefficients tell."""
    return float(student.isf(RISK / 2, max(freedom, 2)))


def _inner(reading: Reading, unit: float, scale: float, half: float) -> float:
    """Rounding of the argument inside f, u |x| |f'|, as far as the coefficients leave room for it.

    f may round its argument (to form c x, say) without showing it: evenly spaced arguments can round alike, and on a
    short segment nothing may round differently at all (x² near 1). It also may not (x − p is exact near p), so what
    the coefficients show limits what they may hide; but not on a segment that has less than half of the digits of x.
    """
    argument = float(unit * scale * abs(reading.estimate.value))
    if _is_short(half, unit, scale):
        return argument
    return float(min(argument, HIDDEN * max(reading.measured, reading.floor)))


def _first_cut(kept: int, nodes: Nodes) -> float:
    """Derivative, times h, of the first coefficient that is cut off and has a slope, for one unit of noise."""
    odd = kept | 1  # even coefficients have no slope at the centre
    return odd * float(nodes.scale[odd]) if odd < len(nodes.scale) else 0.0


def _is_short(half: float, unit: float, scale: float) -> bool:
    """Whether a segment has less than half of the digits of x."""
    return half < math.sqrt(unit) * scale


def _quarters(sizes: Array) -> Array:
    """Largest coefficient in the second, third and last quarter."""
    last = len(sizes) - 1
    edges = (last // 4, last // 2, 3 * last // 4, last + 1)
    return np.array([sizes[a:b].max() for a, b in pairwise(edges)])


def _tail(sizes: Array) -> float:
    """Root mean square of the last third, of no less than two."""
    return float(np.sqrt(np.mean(sizes[-max(len(sizes) // 3, 2) :] ** 2)))


def _used(sizes: Array, level: float) -> int:
    above = np.flatnonzero(sizes > SIGNAL * level)
    return int(above[-1]) + 1 if above.size else 0


def _rate(sizes: Array, used: int) -> float:
    """Geometric fall a coefficient from the largest to the last used one; 0 where there is none to see."""
    if used < 3:
        return 0.0
    top = int(np.argmax(sizes[1:used])) + 1
    steps = max(used - 1 - top, 1)
    return float(min(max(sizes[used - 1] / sizes[top], 1e-300) ** (1.0 / steps), 0.99))


def _estimate(
    values: Array, coefficients: Array, level: float, kept: int, falling: bool, nodes: Nodes, half: float
) -> Estimate:
    """The value and its truncation; the noise comes with `Reading.with_noise`."""
    sizes = np.abs(coefficients) / nodes.scale
    truncation = _truncation(sizes, level, kept, falling, nodes) / half
    return Estimate(
        value=float(nodes.slopes[kept] @ values) / half,
        bound=truncation,
        method="spectral",
        points=len(values),
        step=half,
        noise=0.0,
        truncation=truncation,
        finding=Finding.SMOOTH,
        coefficients=tuple(float(c) for c in coefficients),
    )


def _truncation(sizes: Array, level: float, kept: int, falling: bool, nodes: Nodes) -> float:
    """Derivative, times h, of a geometric continuation of the coefficients that were not used.

    What was cut off lay below the level; what the points alias onto the used ones is no larger than what follows.
    """
    last = len(sizes) - 1
    if falling:
        rate = _falls(sizes)
        last_ones = sizes[-3:] * rate ** np.arange(2, -1, -1)
        first = float(last_ones.max()) * nodes.scale[1]
        return 2.0 * float(first) * (2 * last * rate / (1 - rate) + rate / (1 - rate) ** 2)
    rate = min(_rate(sizes, kept), 0.9)
    cut = float(sizes[min(kept | 1, last)]) * _first_cut(kept, nodes)
    return cut + float(level * nodes.scale[1] * (kept * rate / (1 - rate) + rate / (1 - rate) ** 2))
