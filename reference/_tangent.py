"""How each kind of layer moves when its input and its parameters do: the derivative, along a tangent, of all that it
does in the forward pass and in the delta recursion (Pearlmutter's R, "Fast exact multiplication by the Hessian").

Each of these is linear in every array by itself (C1, C5, C7, S1, S4, D5, M1, M6), so that its derivative is a sum of
the same formula with one array after the other replaced by its tangent. Only the softmax of a combination is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference import combination, sparsity
from reference._layers import Combination, Layer, Parameters
from reference._validate import Array

_WEIGHT = {"convolution": "k", "subsampling": "beta", "dense": "W"}
"""The letter of what a layer multiplies by, beside which it has a bias alone."""


def product_rule(function: Callable[..., Array], values: Sequence[Array], tangents: Sequence[Array]) -> Array:
    """The derivative along `tangents` of a function that is linear in each argument by itself.

    Examples
    --------
    >>> product_rule(np.multiply, (np.array([2.0]), np.array([5.0])), (np.array([1.0]), np.array([0.1])))
    array([5.2])
    """
    terms = [function(*values[:i], tangent, *values[i + 1 :]) for i, tangent in enumerate(tangents)]
    return np.asarray(sum(terms[1:], start=terms[0]))


def preactivation(layer: Layer, x: Array, kept: Array, p: Parameters, dx: Array, dp: Parameters) -> Any:
    """The tangents of u and of what is kept."""
    if isinstance(layer, Combination):
        alpha, dalpha = _alphas(p, dp)
        dkept = product_rule(combination.filter_maps, (x, p["k"]), (dx, dp["k"]))
        moved = combination.combination_preactivation(dkept, alpha, np.zeros_like(p["b"]))
        return moved + combination.combination_preactivation(kept, dalpha, dp["b"]), dkept
    du, dkept = layer.preactivation(dx, {**p, "b": np.zeros_like(p["b"])})
    return du + layer.preactivation(x, dp)[0], dkept


def gradients(
    layer: Layer,
    point: tuple[Array, Array, Array],
    tangent: tuple[Array, Array, Array],
    p: Parameters,
    dp: Parameters,
) -> dict[str, Array]:
    """The tangents of the parameters' gradients; `point` and `tangent` are delta, x and what is kept."""
    (delta, x, kept), (ddelta, dx, dkept) = point, tangent
    if not isinstance(layer, Combination):
        weight = _WEIGHT[layer.kind]
        own = layer.gradients(ddelta, x, kept, p)
        own[weight] = own[weight] + layer.gradients(delta, dx, dkept, p)[weight]
        return own
    alpha, dalpha = _alphas(p, dp)
    kernels = product_rule(combination.combination_kernel_gradient, (x, delta, alpha), (dx, ddelta, dalpha))
    mixed = combination.combination_weight_gradient(delta, kept)
    dmixed = product_rule(combination.combination_weight_gradient, (delta, kept), (ddelta, dkept))
    hidden = combination.softmax_gradient(dmixed, alpha) + softmax_bend(mixed, alpha, dalpha)
    return {"k": kernels, "c": hidden, "b": combination.combination_bias_gradient(ddelta)}


def penalty_gradients(layer: Layer, p: Parameters, dp: Parameters) -> dict[str, Array]:
    """The tangents of the penalty's gradients (P3): zero but for rounding, as these are (E6)."""
    if not isinstance(layer, Combination):
        return {}
    alpha, dalpha = _alphas(p, dp)
    return {"c": softmax_bend(sparsity.sparsity_alpha_gradient(alpha, layer.lam), alpha, dalpha)}


def input_gradient(
    layer: Layer, delta: Array, ddelta: Array, kept: Array, p: Parameters, dp: Parameters
) -> Array:
    """The tangent of dE/dx, which times f'(u) of the layer below is the recursion (C2, D4, S2, M6)."""
    if not isinstance(layer, Combination):
        return layer.input_gradient(ddelta, kept, p) + layer.input_gradient(delta, kept, dp)
    alpha, dalpha = _alphas(p, dp)
    values, tangents = (delta, p["k"], alpha), (ddelta, dp["k"], dalpha)
    return product_rule(combination.combination_input_gradient, values, tangents)


def _alphas(p: Parameters, dp: Parameters) -> tuple[Array, Array]:
    """The softmax of c and its tangent: the Jacobian (M5) is symmetric, so that it pushes as it pulls."""
    alpha = combination.Softmax.forward(p["c"])
    return alpha, combination.softmax_gradient(dp["c"], alpha)


def softmax_bend(alpha_gradient: Array, alpha: Array, dalpha: Array) -> Array:
    """What M5, g -> alpha (g - sum_k g_k alpha_k), changes by when alpha moves and g does not.

    Examples
    --------
    >>> softmax_bend(np.array([[1.0], [0.0]]), np.array([[0.5], [0.5]]), np.array([[0.1], [-0.1]])).ravel() + 0.0
    array([0., 0.])
    """
    weighed = (alpha_gradient * alpha).sum(axis=0)
    return np.asarray(dalpha * (alpha_gradient - weighed) - alpha * (alpha_gradient * dalpha).sum(axis=0))
