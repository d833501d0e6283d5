"""A function along a line, sampled at whole multiples of a quantum so that no step is rounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from gradcheck.estimate import Array


class Line(Protocol):
    """What a probe needs to know of φ(t) = ⟨ȳ, f(x + t v)⟩, for one or several cotangents ȳ (channels).

    `grid` is the number of quanta in half a segment; `limits` are the smallest and largest exponents for which the
    line can step; `sample(position, exponent)` is φ(position · 2**exponent) − φ(0) for every channel, beside the
    rounding that its outputs cannot avoid (`Sample.floor`), and costs one evaluation.
    """

    grid: int
    evaluations: int

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest exponent."""

    @property
    def unit(self) -> float:
        """Unit round-off of φ: of the coarser of the dtypes that go in and come out."""

    def scale(self) -> float:
        """Length of t over which the point moves by its own size."""

    def aside(self) -> float:
        """How far `between` may step beside the line, as a length of t."""

    def sample(self, position: int, exponent: int) -> Sample:
        """φ at a whole number of quanta, less φ at the centre."""

    def samples(self, positions: Sequence[int], exponent: int) -> dict[int, Sample]:
        """φ at several, up to the first where it is not finite."""

    def between(self, place: float, exponent: int) -> tuple[Sample, float]:
        """φ near `place`, in half lengths, off the grid of quanta, and the place really taken."""


@dataclass(frozen=True)
class Sample:
    """`values` and `floor`, one number a channel: φ(t) − φ(0), and the unavoidable rounding of φ(t).

    `digits` is the part of `floor` that is rounding to the digits of a low precision, and None in all others.
    """

    values: Array
    floor: Array
    digits: Array | None = None

    @cached_property
    def finite(self) -> bool:
        """Whether every channel is a finite number."""
        return bool(np.isfinite(self.values).all())


@dataclass
class ScalarLine:
    """The line of a plain function of one real number, `function(t)`, in the precision of its result.

    Examples
    --------
    >>> line = ScalarLine(lambda t: 3.0 * t)
    >>> float(line.sample(4, -2).values[0])
    3.0
    """

    function: Callable[[float], float]
    grid: int = 1459
    limits: tuple[int, int] = (-1000, 900)
    evaluations: int = 0
    _centre: float | None = field(default=None, repr=False)

    @property
    def unit(self) -> float:
        """Unit round-off of float64."""
        return float(np.finfo(float).eps / 2)

    def scale(self) -> float:
        """One: t itself is all that is known of the point."""
        return 1.0

    def aside(self) -> float:
        """Nil."""
        return 0.0

    def sample(self, position: int, exponent: int) -> Sample:
        """φ at position · 2**exponent, less φ(0)."""
        if self._centre is None:
            self._centre = self._call(0.0)
        value = self._centre if position == 0 else self._call(position * 2.0**exponent)
        return Sample(np.array([value - self._centre]), np.array([abs(value) * np.finfo(float).eps / 2]))

    def samples(self, positions: Sequence[int], exponent: int) -> dict[int, Sample]:
        """φ at several positions, one after another."""
        found = {}
        for position in positions:
            found[position] = self.sample(position, exponent)
            if not found[position].finite:
                break
        return found

    def between(self, place: float, exponent: int) -> tuple[Sample, float]:
        """φ at place · grid · 2**exponent, less φ(0)."""
        value = self._call(place * self.grid * 2.0**exponent) - (self._centre or 0.0)
        return Sample(np.array([value]), np.array([abs(value) * self.unit])), place

    def _call(self, t: float) -> float:
        self.evaluations += 1
        return float(self.function(t))
