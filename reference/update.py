"""Gradient descent (notes 2.2, D6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from reference._validate import Array, Axes


def updated(parameter: Array, gradient: Array, learning_rate: Any) -> Array:
    """The parameter after one step, p - eta ∘ dE/dp (D6): a fresh array, `parameter` is not changed.

    Parameters
    ----------
    parameter, gradient : ndarray of one shape
        p and dE/dp.
    learning_rate : float, or ndarray of that shape
        One rate for all, or the notes' eta_ij, one for each weight. A lone number takes the parameter's
        dtype.

    Returns
    -------
    ndarray, shape of parameter

    Raises
    ------
    TypeError
        Where an array is not floating.
    ValueError
        Where shapes differ.

    Examples
    --------
    >>> updated(np.array([1.0, 2.0]), np.array([10.0, 10.0]), 0.1)
    array([0., 1.])
    >>> updated(np.array([1.0, 2.0]), np.array([10.0, 10.0]), np.array([0.1, 0.0]))
    array([0., 2.])
    """
    axes = Axes("updated")
    parameter = axes.take_any("parameter", parameter)
    gradient = axes.like("gradient", gradient, "parameter", parameter)
    if np.ndim(learning_rate) == 0:
        return np.asarray(parameter - float(learning_rate) * gradient)
    return np.asarray(
        parameter - axes.like("learning_rate", learning_rate, "parameter", parameter) * gradient
    )


def stepping(vjp: Callable[..., Sequence[Any]], data: int = 1) -> Callable[..., tuple[Any, ...]]:
    """The step of a layer from its vjp: step(cotangent, *inputs, learning_rate=η, **options) (D6).

    It returns one entry for each input, None for the first `data` of them, which are no parameters. η is one
    number, or one entry for each input: None, a number, or one rate for each weight.

    Parameters
    ----------
    vjp : function (cotangent, *inputs, **options) -> one gradient for each input
    data : int
        How many inputs come before the parameters.
    """

    def step(cotangent: Array, *inputs: Array, learning_rate: Any, **options: Any) -> tuple[Any, ...]:
        gradients = vjp(cotangent, *inputs, **options)
        rates = learning_rate if isinstance(learning_rate, tuple) else (learning_rate,) * len(inputs)
        known = list(zip(inputs, gradients, rates, strict=True))[data:]
        return (None,) * data + tuple(updated(p, g, rate) for p, g, rate in known)

    return step


def step(
    parameters: Mapping[str, Array], gradients: Mapping[str, Array], learning_rate: Any
) -> dict[str, Array]:
    """Every parameter after one step (D6), each from its own gradient, all gradients taken before the step.

    Parameters
    ----------
    parameters, gradients : mapping of name to ndarray
        Of the same names and shapes.
    learning_rate : float, or mapping of name to what `updated` takes
        Rates.

    Returns
    -------
    dict of name to ndarray, in the order of `parameters`

    Raises
    ------
    TypeError, ValueError
        As `updated`.
    KeyError
        Where a parameter has no gradient, or no rate in a mapping of rates.
    """
    rates = learning_rate if isinstance(learning_rate, Mapping) else dict.fromkeys(parameters, learning_rate)
    return {name: updated(p, gradients[name], rates[name]) for name, p in parameters.items()}
