"""Estimate: a number that knows its own error."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.foreign import to_numpy

Array = npt.NDArray[Any]

#: The smallest number above 0.
SMALLEST = float(np.finfo(np.float64).smallest_subnormal)


class Finding(StrEnum):
    """What a probe noticed about the function on the segment that it sampled."""

    SMOOTH = "smooth"
    KINK = "kink"
    JUMP = "jump"
    UNRESOLVED = "unresolved"
    NOT_FINITE = "not finite"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Estimate:
    """A derivative and a bound on its error: |truth − value| <= bound.

    Parameters
    ----------
    value : float or ndarray
        The derivative.
    bound : float or ndarray of the value's shape
        Claimed bound of the error, in the units of the value; infinite where nothing can be said.
    method : str
        The evidence: "exact", "complex step", "spectral" or "differences".
    evaluations : int
        Calls of the function that it cost; of batches, points.
    points, step : int, float
        Samples on the final segment [−step, step], and its half length (0 where there is no segment).
    noise, truncation : float
        The two parts of the bound, in the units of the value.
    finding : Finding
        What the function looked like on the segment.
    coefficients : tuple of float
        Chebyshev coefficients of the final segment, for plots; empty for other probes.

    Examples
    --------
    >>> e = Estimate(2.0, 1e-9) - Estimate(0.5, 1e-9)
    >>> e.value, bool(e.bound >= 2e-9)
    (1.5, True)
    """

    value: Any
    bound: Any
    method: str = ""
    evaluations: int = 0
    points: int = 0
    step: float = 0.0
    noise: float = 0.0
    truncation: float = 0.0
    finding: Finding = Finding.SMOOTH
    coefficients: tuple[float, ...] = field(default=(), repr=False)

    def __neg__(self) -> Estimate:
        return replace(self, value=-self.value)

    def __add__(self, other: Estimate) -> Estimate:
        value = self.value + other.value
        return replace(
            self,
            value=value,
            bound=_outward(self.bound + other.bound, value),
            evaluations=self.evaluations + other.evaluations,
            noise=self.noise + other.noise,
            truncation=self.truncation + other.truncation,
        )

    def __sub__(self, other: Estimate) -> Estimate:
        return self + -other

    def __mul__(self, factor: float) -> Estimate:
        with np.errstate(all="ignore"):
            value, size = self.value * factor, abs(factor)
            # a product, unlike a sum, may be lost below the smallest number
            lost = SMALLEST * ((self.value != 0) | (self.bound != 0))
            return replace(
                self,
                value=value,
                bound=_outward(self.bound * size, value) + lost,
                noise=self.noise * size,
                truncation=self.truncation * size,
            )

    __rmul__ = __mul__

    def assert_close(self, actual: Any, *, rounding: float = 0.0) -> None:
        """Raise unless `actual` lies within the bound, element by element: `numpy.testing` takes one number alone.

        Parameters
        ----------
        actual : float or array of any library
            What is tested.
        rounding : float
            Error of its own that it may have beside, relative to each element: of float32, say, 1e-6.

        Raises
        ------
        AssertionError
            With the element that is furthest off; also where the shape is another, or the bound says nothing.

        Examples
        --------
        >>> Estimate(np.array([1.0, 2.0]), np.array([1e-9, 1e-3])).assert_close([1.0, 2.0001])
        >>> Estimate(np.array([1.0, 2.0]), np.array([1e-9, 1e-3])).assert_close([1.0001, 2.0])
        Traceback (most recent call last):
            ...
        AssertionError: 1 of 2 elements are off by more than the bound of the estimate
          worst element [0]: 1.0001, wanted 1 ± 1e-09
        """
        __tracebackhide__ = True
        given = np.asarray(to_numpy(actual), dtype=np.float64)
        value, bound = np.asarray(self.value, dtype=np.float64), np.asarray(self.bound, dtype=np.float64)
        if given.shape != value.shape:  # not stretched: a gradient of another shape is another gradient
            raise AssertionError(f"the shape is {given.shape}, wanted {value.shape}, that of the estimate")
        if not np.isfinite(bound).all():
            raise AssertionError("the estimate has no finite bound: no derivative could be measured there")
        with np.errstate(invalid="ignore"):
            over = abs(given - value) - (bound + rounding * abs(value))
        off = ~(over <= 0)
        if off.any():
            at = np.unravel_index(
                int(np.argmax(np.where(off, np.nan_to_num(over, nan=np.inf), -np.inf))), off.shape
            )
            place = [int(k) for k in at]
            raise AssertionError(
                f"{int(off.sum())} of {off.size} elements are off by more than the bound of the estimate\n"
                f"  worst element {place}: {given[at]:.17g}, wanted {value[at]:.17g} ± {bound[at]:.0e}"
            )

    def agrees(self, other: Estimate) -> Any:
        """Whether (element-wise) the two intervals overlap."""
        return abs(self.value - other.value) <= self.bound + other.bound


def _outward(bound: Any, value: Any) -> Any:
    """A bound widened by the rounding of the value and by its own; infinite where it is 0 · ∞.

    Its own too: a bound much larger than the value loses more in a sum than the value does.
    """
    size = abs(np.asarray(value, float)) + bound
    wider = bound + 2 * np.finfo(np.float64).eps * np.where(np.isfinite(size), size, 0.0)
    wider = np.where(np.isnan(wider), np.inf, wider)
    return wider if wider.ndim else wider.item()
