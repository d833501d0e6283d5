"""Element-wise subjects: activations, steep, offset and oscillating functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.battery.case import Array, Subject


def sigmoid(u: Array) -> Array:
    """1 / (1 + exp(−u)), without overflow and exact to a few units in the last place on both sides."""
    e = np.exp(np.where(u.real < 0, u, -u))
    return np.where(u.real < 0, e, 1) / (1 + e)


def sigmoid_slope(u: Array) -> Array:
    """σ(u) σ(−u): y (1 − y) would lose every digit where y rounds to 1."""
    return sigmoid(u) * sigmoid(-u)


def tanh_slope(u: Array) -> Array:
    """1 / cosh² from exp(−2|u|): 1 − y² would lose every digit where y rounds to 1."""
    e = np.exp(-2 * np.abs(u))
    return 4 * e / (1 + e) ** 2


def softmax(c: Array, axis: int) -> Array:
    e = np.exp(c - c.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "identity": (lambda u: u, np.ones_like),
    "tanh": (np.tanh, tanh_slope),
    "sigmoid": (sigmoid, sigmoid_slope),
    "relu": (lambda u: np.maximum(u, 0), lambda u: np.where(u > 0, np.ones_like(u), 0)),
    "swish": (lambda u: u * sigmoid(u), lambda u: sigmoid(u) + u * sigmoid_slope(u)),
    "sine": (np.sin, np.cos),
    "cube": (lambda u: u**3, lambda u: 3 * u**2),
    "gaussian": (lambda u: np.exp(-(u**2)), lambda u: -2 * u * np.exp(-(u**2))),
}


def elementwise(x: Array, kind: str) -> Subject:
    """y = f(x), one element at a time."""
    act, slope = ACTIVATIONS[kind]
    slips = {
        "missing f'": (0, lambda g, x: g.copy()),
        "f' of y instead of u": (0, lambda g, x: g * slope(act(x))),
        "f itself for f'": (0, lambda g, x: g * act(x)),
        "f' of |x|": (0, lambda g, x: g * slope(np.abs(x))),
    }
    if kind == "relu":
        slips |= {
            "leaks below zero": (0, lambda g, x: np.where(x > 0, g, 0.01 * g)),
            "masked by the cotangent": (0, lambda g, x: np.where(g > 0, g, 0)),
            "threshold of 1e-2 of the scale": (0, lambda g, x: np.where(x > 0.01 * np.abs(x).max(), g, 0)),
        }
    return Subject(f"{kind} {x.shape}", act, lambda g, x: (g * slope(x),), (x,), slips)


def steep(x: Array, kind: str, factor: float, finest: float = 0.0) -> Subject:
    """y = f(factor · x)."""
    act, slope = ACTIVATIONS[kind]
    slips = {
        "factor left out": (0, lambda g, x: g * slope(factor * x)),
        "factor squared": (0, lambda g, x: factor**2 * g * slope(factor * x)),
        "f' of y instead of u": (0, lambda g, x: factor * g * slope(act(factor * x))),
        "saturated elements zeroed": (
            0,
            lambda g, x: factor * g * np.where(np.abs(factor * x) < 8, slope(factor * x), 0),
        ),
        "argument rounded to 1/64": (0, lambda g, x: factor * g * slope(np.round(64 * factor * x) / 64)),
    }
    name = f"steep {kind} of {factor:g} x about {factor * float(x.mean()):.0f} {x.shape}"
    vjp = lambda g, x: (factor * g * slope(factor * x),)  # noqa: E731
    return Subject(name, lambda x: act(factor * x), vjp, (x,), slips, finest)


def offset(x: Array, height: float, finest: float = 0.0) -> Subject:
    """y = height + sin(x): the rounding of the output is that of the height, not of the part that moves."""
    slips = {
        "sine for cosine": (0, lambda g, x: g * np.sin(x)),
        "slope at zero": (0, lambda g, x: g.copy()),
        "second order for cosine": (0, lambda g, x: g * (1 - x * x / 2)),
        "height as a factor": (0, lambda g, x: height * g * np.cos(x)),
    }
    return Subject(
        f"{height:g} + sin x {x.shape}",
        lambda x: height + np.sin(x),
        lambda g, x: (g * np.cos(x),),
        (x,),
        slips,
        finest,
    )


def oscillating(x: Array, frequency: float, finest: float = 0.0) -> Subject:
    """y = sin(frequency · x)."""
    slips = {
        "frequency left out": (0, lambda g, x: g * np.cos(frequency * x)),
        "sine for cosine": (0, lambda g, x: frequency * g * np.sin(frequency * x)),
        "frequency off by 1 %": (0, lambda g, x: frequency * g * np.cos(1.01 * frequency * x)),
        "phase off by 1e-3": (0, lambda g, x: frequency * g * np.cos(frequency * x + 1e-3)),
    }
    return Subject(
        f"sin {frequency:g} x {x.shape}",
        lambda x: np.sin(frequency * x),
        lambda g, x: (frequency * g * np.cos(frequency * x),),
        (x,),
        slips,
        finest,
    )
