"""Activations y = f(u) and their slopes f'(u) (notes 2.1: A1, A2, A3), applied element by element.

Each slope comes twice: from the output y, as the notes have it (K3, no second exponential), and from u, which
keeps every digit where f saturates: the first cancels there, 1 - y being a difference of neighbours. The
layers use the second, so that a gradient's relative error does not depend on how saturated its unit is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from reference._validate import Array, Axes
from reference.kernels import sigmoid as logistic

TANH_AMPLITUDE = 1.7159
"""LeCun's a in a tanh(b u), so that f(1) is 1 and f(-1) is -1 (A2)."""
TANH_STEEPNESS = 2 / 3
"""LeCun's b in a tanh(b u) (A2)."""


def identity(u: Array) -> Array:
    """U itself, copied (A3)."""
    return u.copy()


def identity_slope(u: Array) -> Array:
    """One everywhere (A3): it does not depend on u, so that a NaN of u does not show in it."""
    return np.ones_like(u)


def sigmoid_curvature(u: Array) -> Array:
    """F'' = f'(1 - 2f), with 1 - 2f = -tanh(u / 2), which does not cancel where f is a half (A1)."""
    return -logistic.fast_slope(u) * np.tanh(u / 2)


def tanh_curvature(u: Array) -> Array:
    """F'' = -2 f f' (A2)."""
    return -2 * np.tanh(u) * tanh_slope(u)


def tanh_slope(u: Array) -> Array:
    """F' = 1 - tanh(u)² = 4 f(1 - f) at 2 u with f the sigmoid, without cancellation (A2).

    Examples
    --------
    >>> bool(1 - np.tanh(20.0) ** 2 == 0), float(tanh_slope(np.array(20.0)))
    (True, 1.6993417021166355e-17)
    """
    return 4 * logistic.fast_slope(2 * u)


def tanh_slope_from_output(output: Array) -> Array:
    """F' = 1 - y² from the output y (A2, K3)."""
    return 1 - output**2


def scaled_tanh(u: Array) -> Array:
    """A tanh(b u) with LeCun's a = 1.7159 and b = 2/3 (A2)."""
    return TANH_AMPLITUDE * np.tanh(TANH_STEEPNESS * u)


def scaled_tanh_slope(u: Array) -> Array:
    """F' = a b (1 - tanh(b u)²) (A2)."""
    return TANH_AMPLITUDE * TANH_STEEPNESS * tanh_slope(TANH_STEEPNESS * u)


def scaled_tanh_curvature(u: Array) -> Array:
    """F'' = a b² times the curvature of tanh at b u (A2)."""
    return TANH_AMPLITUDE * TANH_STEEPNESS**2 * tanh_curvature(TANH_STEEPNESS * u)


def scaled_tanh_slope_from_output(output: Array) -> Array:
    """F' = b (a - y² / a) from the output y (A2, K3)."""
    return TANH_STEEPNESS * (TANH_AMPLITUDE - output**2 / TANH_AMPLITUDE)


@dataclass(frozen=True)
class Activation:
    """An activation, its slope, and the operation made of them.

    Parameters
    ----------
    name : str
        The option by which layers name it.
    value, slope : function of an array
        f(u) and f'(u).
    slope_from_output : function of an array
        f' as a function of y = f(u) (K3).
    curvature : function of an array
        f''(u), which second derivatives need.
    off_target : float
        The lower end of its range: what the wrong classes are taught (L3).

    Examples
    --------
    >>> ACTIVATIONS["tanh"].forward(np.array([0.0, 1e4]))
    array([0., 1.])
    >>> ACTIVATIONS["tanh"].vjp(np.array([3.0, 3.0]), np.array([0.0, 1e4]))
    (array([3., 0.]),)
    """

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    slope_from_output: Callable[[Array], Array]
    curvature: Callable[[Array], Array]
    off_target: float

    def forward(self, u: Array) -> Array:
        """The outputs y = f(u), in the shape and dtype of u; finite and silent for every finite u
        (E9).

        Parameters
        ----------
        u : ndarray, any shape
            Pre-activations; NaN gives NaN.

        Raises
        ------
        TypeError
            Where `u` is not floating.
        ValueError
            Where `u` is empty.
        """
        return np.asarray(self.value(Axes(self.name).take_any("u", u)))

    def vjp(self, cotangent: Array, u: Array) -> tuple[Array]:
        """Gradient of sum(cotangent * f(u)): f'(u) times the cotangent, element by element.

        Parameters
        ----------
        cotangent : ndarray, shape of u
            dE/dy.
        u : ndarray, any shape
            Pre-activations.

        Raises
        ------
        TypeError, ValueError
            As `forward`, and where the cotangent has not the shape of `u`.
        """
        axes = Axes(f"{self.name}.vjp")
        u = axes.take_any("u", u)
        return (np.asarray(axes.like("cotangent", cotangent, "u", u) * self.slope(u)),)


ACTIVATIONS = MappingProxyType(
    {
        a.name: a
        for a in (
            Activation("identity", identity, identity_slope, identity_slope, np.zeros_like, 0.0),
            Activation(
                "sigmoid", logistic.fast, logistic.fast_slope, logistic.notes_slope, sigmoid_curvature, 0.0
            ),
            Activation("tanh", np.tanh, tanh_slope, tanh_slope_from_output, tanh_curvature, -1.0),
            Activation(
                "scaled_tanh",
                scaled_tanh,
                scaled_tanh_slope,
                scaled_tanh_slope_from_output,
                scaled_tanh_curvature,
                -1.0,
            ),
        )
    }
)
"""The activations by the name that the option `activation` gives them."""


def named(name: str, who: str = "activation") -> Activation:
    """The activation of that name.

    Raises
    ------
    ValueError
        Where there is none.
    """
    if name not in ACTIVATIONS:
        raise ValueError(
            f"{who}: there is no such activation\n"
            f"  activation = {name!r}, wanted a name\n"
            f"  activation must be one of {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]
