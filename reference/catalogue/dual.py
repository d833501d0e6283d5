"""Dual numbers for the judge's naive forwards: a derivative of its own beside each value, right or wrong on purpose.

The imaginary part of a complex number carries the derivative, 1e-30 as large: the naive forwards are analytic, so
that it comes out right to the last digits, and a mistake is made by putting another derivative beside a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reference.catalogue.plain import ACTIVATIONS

Array = npt.NDArray[Any]

STEP = 1e-30


def slope_of(
    function: Callable[..., Any], inputs: Mapping[str, Array], name: str
) -> Callable[[Array], float]:
    """slope(direction) of a function of all inputs, by the one that is called `name`.

    Parameters
    ----------
    function : callable
        function(*inputs) -> a number, the inputs complex.
    inputs : mapping of name to ndarray
    name : str

    Examples
    --------
    >>> slope_of(lambda x: np.sum(x**2), {"x": np.array([1.0, 3.0])}, "x")(np.array([0.0, 1.0]))
    6.0
    """

    def slope(direction: Array) -> float:
        moved = {key: np.asarray(value, dtype=complex) for key, value in inputs.items()}
        moved[name] = moved[name] + 1j * STEP * direction
        return float(np.imag(function(*moved.values()))) / STEP

    return slope


def beside(value: Array, wrong: Array) -> Array:
    """The value of the one with the derivative of the other."""
    return np.asarray(np.real(value) + 1j * np.imag(wrong))


def bent(u: Array, activation: str, slope: Callable[[Array], Array]) -> Array:
    """f(u) with slope(u) in the place of its derivative."""
    return np.asarray(ACTIVATIONS[activation](u.real) + 1j * slope(u.real) * u.imag)


def derivative(activation: str, u: Array) -> Array:
    """f'(u), by the same step."""
    return np.asarray(np.imag(ACTIVATIONS[activation](u + 1j * STEP)) / STEP)


def only(array: Array, axis: int, place: int) -> Array:
    """The entry at `place` along an axis, zero in the others."""
    kept = np.zeros_like(array)
    np.moveaxis(kept, axis, 0)[place] = np.moveaxis(array, axis, 0)[place]
    return kept
