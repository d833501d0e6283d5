"""What the samples of one side's segment say of the slope at its end, for every output: value, noise, truncation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcheck.estimate import Array
from gradcheck.probes.levels import coarse
from gradcheck.probes.moves import COUNT
from gradcheck.probes.nodes import Nodes

#: Roundings at which coefficients have ended (`masked` has the same); their fall over the last two quarters that is
#: geometric, and the share of the largest that noise may have: a kink inside of the segment falls to 0.25 and ends
#: at 0.01 of the largest, and no less than 0.003 of it where it is as far as can be from the nodes next to it.
ENDED, FALLING, NOISY = 64.0, 0.04, 1e-3

#: Roundings up to which a level needs no explanation, and share of one that is left beside a jump at the point if that
#: is what it shows.
QUIET, JUMP = 8.0, 0.1

#: Where digits are few: roundings that samples have to span, and the multiple of a bound that is claimed, since
#: steps beside the point round alike.
SPAN, CAUTION = 24.0, 2.0

#: Multiple of the noise above which a coefficient is signal, and the slowest fall that is continued.
SIGNAL, STEEPEST = 4.0, 0.9

#: Deviations of noise that a bound covers, roundings (which may all have the worst signs: a row has `COUNT` of them),
#: and roundings of the argument inside f beside those that show.
NORMAL, WORST, HIDDEN = 8.0, 3.0, 64.0


@dataclass(frozen=True)
class Reading:
    """What one segment's samples say by themselves, of every output.

    `coefficients` are theirs, (count, outputs). `known` are outputs whose coefficients fall or end in rounding, `noisy`
    those that end in noise if it is that; `late` is what they end at, `uneven` what is left of that beside a jump at
    the point; `ends` where noise may hide (the last coefficients of a fall, or the level that ended them), `shown` what
    of it is seen in them; `norm` the deviation of the value for one unit of it.
    """

    value: Array
    coefficients: Array
    known: Array
    noisy: Array
    falls: Array
    late: Array
    uneven: Array
    ends: Array
    shown: Array
    floor: Array
    norm: Array
    truncation: Array
    unit: float
    half: float

    @property
    def rounding(self) -> Array:
        """Misses that rounding explains: more may be what varies beneath a fall."""
        return np.asarray(2 * QUIET * np.maximum(self.floor, self.unit * np.abs(self.value)))

    def bound(self, noise: Array) -> Array:
        """Of the value, for that noise a sample."""
        rounding = np.maximum(self.floor, self.inner(noise, self.value))
        caution = CAUTION if coarse(self.unit) else 1.0
        return np.asarray(
            caution * (self.norm * np.maximum(NORMAL * noise, WORST * rounding) + self.truncation)
        )

    def inner(self, noise: Array, slope: Array) -> Array:
        """Rounding of the argument inside f, as far as what is seen of noise leaves room for it."""
        return np.minimum(self.unit * np.abs(slope), HIDDEN * np.maximum(noise, self.floor))


def read(changes: Array, floor: Array, nodes: Nodes, half: float, side: int, unit: float) -> Reading:
    """Slopes at the end of one segment, of which nothing shorter is known.

    Parameters
    ----------
    changes : ndarray, shape (count, outputs)
        f at the nodes, less f at the point.
    floor : ndarray, shape (outputs,)
        Error of a sample that cannot be avoided.
    nodes : Nodes
    half : float
        Length of the segment.
    side : int
        1 or -1.
    unit : float
        Unit round-off.
    """
    coefficients = nodes.coefficients @ changes
    c = np.abs(coefficients) / nodes.scale[:, None]
    early, middle, late = c[1:4].max(axis=0), c[4:6].max(axis=0), c[6:].max(axis=0)
    falls = (late <= FALLING * middle) & (middle <= 2 * FALLING * early)
    uneven = _uneven(coefficients, nodes)
    # a jump at the point; and in few digits a slope that may hide between two roundings
    jumps = ~falls & (late > 2 * floor) & (uneven <= JUMP * late)
    span = np.ptp(changes, axis=0)
    few = coarse(unit) & (span > 0) & (span < SPAN * floor)
    level = np.maximum(late, floor)
    kept = np.where(falls, COUNT, np.maximum(_above(c, SIGNAL * level), 2))
    value = side * np.einsum("mp,pm->m", nodes.slopes[kept], changes) / half
    readable = ~jumps & ~few & np.isfinite(value)
    return Reading(
        value=value,
        coefficients=coefficients,
        known=readable & (falls | (late <= QUIET * floor)),
        noisy=readable & (late <= np.maximum(ENDED * floor, NOISY * early)),
        falls=falls,
        late=late,
        uneven=uneven,
        ends=np.where(falls, c[-2:].max(axis=0), level),
        shown=np.where(falls, 0.0, level),
        floor=floor,
        norm=nodes.slope_norms[kept] / half,
        truncation=np.where(falls, _rest(c), _cut(c, level, kept)) / half,
        unit=unit,
        half=half,
    )


def _uneven(coefficients: Array, nodes: Nodes) -> Array:
    """The last coefficients, less those of a jump at the point, up to which they may all be one."""
    scale = nodes.scale[6:, None]
    c, jump = coefficients[6:] / scale, nodes.coefficients[6:, :1] / scale
    return np.asarray(np.abs(c - jump * (jump * c).sum(axis=0) / (jump * jump).sum()).max(axis=0))


def _above(sizes: Array, level: Array) -> Array:
    """Coefficients up to the last that stands above the level, for every output."""
    return np.asarray(COUNT - np.argmax((sizes > level)[::-1], axis=0)) * (sizes > level).any(axis=0)


def _rate(sizes: Array) -> Array:
    """Fall from one coefficient to the next, by the last two quarters."""
    middle, late = sizes[4:6].max(axis=0), sizes[6:].max(axis=0)
    fall = np.divide(late, middle, out=np.zeros_like(late), where=middle > 0)
    return np.asarray(np.sqrt(np.minimum(fall, FALLING)))


def _rest(sizes: Array) -> Array:
    """Slope at the end, times h, of a geometric continuation beyond the last coefficient, twice over.

    The samples take T_n for T_m, m = 2 last - n, whose slope at the end is m**2 / n**2 of its own.
    """
    rate, last = _rate(sizes), COUNT - 1
    first = np.max([sizes[last - k] * rate**k for k in range(3)], axis=0)
    order = np.arange(last + 1, 8 * COUNT)
    slopes = order**2 - np.maximum(2 * last - order, 0) ** 2
    return np.asarray(4.0 * first * (slopes @ rate[None, :] ** (order[:, None] - last)))


def _cut(sizes: Array, level: Array, kept: Array) -> Array:
    """Slope at the end, times h, of what was cut off below the level, where the kept ones fall geometrically."""
    steps = np.maximum(kept - 2, 1)
    last = np.take_along_axis(sizes, (kept - 1)[None, :], 0)[0]
    top = sizes[1:].max(axis=0)
    fall = np.divide(last, top, out=np.zeros_like(top), where=top > 0)
    rate = np.where(kept > 2, np.minimum(fall ** (1.0 / steps), STEEPEST), 0.0)
    ahead = np.arange(1, 8 * COUNT)
    beyond = ((kept[None, :] + ahead[:, None]) ** 2 * rate[None, :] ** ahead[:, None]).sum(axis=0)
    unseen = np.zeros_like(top)
    for order in (kept, kept + 1):  # which may be none of the noise that hides them
        here = np.take_along_axis(sizes, np.minimum(order, COUNT - 1)[None, :], 0)[0]
        unseen += np.where(order < COUNT, order**2 * here, 0.0)
    return np.asarray(2.0 * (unseen + level * beyond))
