"""Seeded directions, and steps along them that floating point takes exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gradcheck.estimate import Array


def gaussian(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Independent standard normal numbers, shape `shape`, float64.

    A fixed error e of a gradient is seen as ⟨e, v⟩, which is normal with deviation ‖e‖: it hides below r with
    probability about 0.8 r / ‖e‖, whatever the size of the array.
    """
    return np.asarray(rng.standard_normal(shape))


def integers(shape: tuple[int, ...], limit: int, rng: np.random.Generator, *, nonzero: bool = False) -> Array:
    """Independent uniform integers in [−limit, limit] as float64, without 0 if `nonzero`."""
    drawn = rng.integers(-limit, limit, shape) if nonzero else rng.integers(-limit, limit + 1, shape)
    if nonzero:
        drawn = np.where(drawn >= 0, drawn + 1, drawn)
    return np.asarray(drawn, dtype=np.float64)


#: Sizes between which squares, and sums of them, are numbers with all their digits.
SQUARES = 1e-140, 1e140


@dataclass(frozen=True)
class Steps:
    """Displacements of `point` along `direction` that are representable, whatever the position.

    `point + position * quantum(exponent)` is exact for whole positions up to `grid` in size: the quantum is rounded
    to whole units in the last place of the largest number on the segment. The price is that the direction is
    `quantum(exponent) / 2**exponent`, close to the one asked for but not it; compare with that.

    Examples
    --------
    >>> steps = Steps(np.array([1.0, 1e8]), np.array([0.3, 0.7]), grid=1459)
    >>> q = steps.quantum(-14)
    >>> bool(np.all((steps.point + 1459 * q) - steps.point == 1459 * q))
    True
    """

    point: Array
    direction: Array
    grid: int
    _last: dict[int, Array] = field(default_factory=dict, repr=False, compare=False)
    _taken: dict[int, Array] = field(default_factory=dict, repr=False, compare=False)

    def quantum(self, exponent: int) -> Array:
        """The step of one position, in the dtype of the point; read-only, since the last one is kept."""
        return _kept(self._last, exponent, self._quantum)

    def _quantum(self, exponent: int) -> Array:
        size = 2.0**exponent * np.abs(self.direction.astype(np.float64))
        unit = np.spacing((np.abs(self.point) + self.grid * size).astype(self.point.dtype))
        steps = np.copysign(np.rint(size / unit), self.direction)
        return np.asarray((steps * unit).astype(self.point.dtype))

    def nearest(self, place: float, exponent: int) -> tuple[Array, float]:
        """The point nearest to `place` half lengths along the quanta, and the place that its steps add up to."""
        quantum = self.quantum(exponent)
        moved = self.point + self.point.dtype.type(place * self.grid) * quantum
        step = (moved - self.point).astype(np.float64, copy=False).ravel()
        whole = quantum.astype(np.float64, copy=False).ravel()
        size = max(float(whole.max()), -float(whole.min()))
        if size == 0:
            return moved, place
        if not SQUARES[0] < size < SQUARES[1]:
            step, whole = step / size, whole / size
        return moved, float(step @ whole / (whole @ whole) / self.grid)

    def taken(self, exponent: int) -> Array:
        """The direction that the steps really have, float64; read-only, since the last one is kept."""
        return _kept(self._taken, exponent, lambda e: self.quantum(e).astype(np.float64) / 2.0**e)


def _kept(last: dict[int, Array], exponent: int, made: Callable[[int], Array]) -> Array:
    """What was made last if it is of that exponent, else made anew in its place."""
    if exponent not in last:
        last.clear()
        last[exponent] = made(exponent)
        last[exponent].setflags(write=False)
    return last[exponent]
