"""Numeric derivatives with their own error, for anybody's function: derivative, gradient, jacobian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.estimate import Array, Estimate
from gradcheck.probes import spectral
from gradcheck.probes.field import FieldLine

#: Lengthens a given direction before it is stepped along, so that steps are not whole multiples of a power of two,
#: at which a periodic function could look constant.
INCOMMENSURATE = 2.0**0.5


def derivative(f: Callable[[Any], Any], x: Any, direction: Any = 1.0, *, budget: int = 90) -> Estimate:
    """Derivative of `f` at `x` along `direction`, with a bound on its error.

    Parameters
    ----------
    f : callable
        f(x) -> float or ndarray; evaluated in the dtype of `x`.
    x : float or ndarray
        The point.
    direction : float or ndarray of the shape of x
        The tangent; not normalised.
    budget : int
        Calls of f that may be spent.

    Returns
    -------
    Estimate
        `value` has the shape of f(x); bound is infinite where no derivative could be measured.

    Examples
    --------
    >>> import numpy as np
    >>> slope = derivative(np.sin, 1.0)
    >>> bool(abs(slope.value - np.cos(1.0)) <= slope.bound <= 1e-12)
    True
    """
    point = _floating(x)
    tangent = np.broadcast_to(np.asarray(direction, np.float64), point.shape)
    estimate, taken = _along(f, point, tangent, budget)
    left = tangent - taken
    if np.any(left):
        # The steps that floating point takes exactly are not quite along the tangent: measure the rest as well.
        size = float(np.abs(left).max() / np.abs(tangent).max())
        rest, _ = _along(f, point, left / size, budget)
        estimate = estimate + rest * size
    return estimate


def _along(f: Callable[[Any], Any], point: Array, tangent: Array, budget: int) -> tuple[Estimate, Array]:
    """Estimate along a direction as near to `tangent` as exact steps allow, and that direction."""
    line = FieldLine(f, point, tangent * INCOMMENSURATE)
    ((estimate, exponent),) = spectral.probe(line, start=line.scale() / 4, budget=budget)
    taken = line.steps.taken(exponent) / INCOMMENSURATE
    estimate = estimate * (1 / INCOMMENSURATE)
    if point.size == 1 and taken.any():
        return estimate * float((tangent / taken).item()), tangent
    return estimate, taken


def _floating(x: Any) -> Array:
    """`x` as an array of a real floating dtype; whole numbers become float64."""
    point = np.asarray(x)
    if point.dtype.kind in "iub":
        return point.astype(np.float64)
    if point.dtype.kind != "f":
        raise TypeError(
            "derivative: the point is not real\n"
            f"  x.dtype = {point.dtype}, wanted float16, float32, float64 or longdouble\n"
            "  a real directional derivative needs a real point: pass real and imaginary parts as two inputs"
        )
    return point
