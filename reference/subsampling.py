"""The sub-sampling layer (notes 3.2: S1 to S5), as an operation and formula by formula.

down(x) is the block **sum**; with means there would be a further 1/n² (E5). One scale and one bias a map;
gradients are summed over pixels and batch (E3), never averaged.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference import update
from reference._validate import Array, Axes, factor
from reference.activation import named
from reference.convolution import conv_input_gradient
from reference.kernels import downsample, upsample

_MAPS = "batch maps height width"


def forward(x: Array, beta: Array, b: Array, n: int, activation: str = "sigmoid") -> Array:
    """Outputs y_j = f(beta_j down(x_j) + b_j) (S1).

    Parameters
    ----------
    x : ndarray, shape (batch, maps, height, width)
        The notes' x^(l-1).
    beta, b : ndarray, shape (maps,)
        The multiplicative and the additive bias.
    n : int
        Side of a block; divides height and width.
    activation : {"sigmoid", "tanh", "scaled_tanh", "identity"}
        The notes' f.

    Returns
    -------
    ndarray, shape (batch, maps, height / n, width / n)
        In the dtype that NumPy promotes the inputs to. NaN makes its own block NaN.

    Raises
    ------
    TypeError
        Where an array is not floating.
    ValueError
        Where shapes do not fit, an array is empty, n does not divide the sides or the activation is unknown.

    Examples
    --------
    >>> x = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> forward(x, np.array([0.5]), np.array([1.0]), n=2, activation="identity")
    array([[[[6.]]]])
    """
    x, beta, b = _inputs(Axes("subsampling"), x, beta, b, n)
    u = subsampling_preactivation(downsample.fast(x, n), beta, b)
    return named(activation, "subsampling").value(u)


def vjp(
    cotangent: Array, x: Array, beta: Array, b: Array, n: int, activation: str = "sigmoid"
) -> tuple[Array, Array, Array]:
    """Gradients of sum(cotangent * y) with respect to x, beta and b.

    Parameters
    ----------
    cotangent : ndarray, shape (batch, maps, height / n, width / n)
        dE/dy; f' is not yet inside.
    x, beta, b, n, activation
        As for `forward`.

    Returns
    -------
    tuple of ndarray, shapes of x, beta and b
        Fresh arrays.

    Raises
    ------
    TypeError, ValueError
        As `forward`, and where the cotangent does not fit.
    """
    axes = Axes("subsampling.vjp")
    x, beta, b = _inputs(axes, x, beta, b, n)
    cotangent = axes.take("cotangent", cotangent, "batch maps out_height out_width")
    down = downsample.fast(x, n)
    delta = named(activation, "subsampling.vjp").slope(subsampling_preactivation(down, beta, b)) * cotangent
    return (
        subsampling_input_gradient(delta, beta, n),
        subsampling_scale_gradient(delta, down),
        subsampling_bias_gradient(delta),
    )


step = update.stepping(vjp)
"""Every parameter after one step of gradient descent (D6), None for x: `update.stepping` of `vjp`."""


def _inputs(axes: Axes, x: Any, beta: Any, b: Any, n: Any) -> tuple[Array, Array, Array]:
    n = factor(axes.who, n)
    x = axes.take("x", x, _MAPS)
    beta = axes.take("beta", beta, "maps")
    b = axes.take("b", b, "maps")
    axes.blocks("height", n, "out_height")
    axes.blocks("width", n, "out_width")
    return x, beta, b


def subsampling_preactivation(down: Array, beta: Array, b: Array) -> Array:
    """u_j = beta_j d_j + b_j with d_j = down(x_j) (S1), f not applied."""
    return beta[:, None, None] * down + b[:, None, None]


def subsampling_delta(slope: Array, delta: Array, k: Array, connections: Array | None = None) -> Array:
    """Sensitivities of a sub-sampling layer from those of the convolution layer above (S2).

    delta_i = f'(u_i) ∘ sum_j conv2(delta_j^(l+1), rot180(k_ij^(l+1)), 'full') over all j with i in M_j (E2)

    Parameters
    ----------
    slope : ndarray, shape (batch, in_maps, height, width)
        f'(u) of the sub-sampling layer.
    delta : ndarray, shape (batch, out_maps, out_height, out_width)
        Sensitivities of the convolution layer.
    k : ndarray, shape (in_maps, out_maps, kernel_height, kernel_width)
        Its kernels.
    connections : ndarray of bool, shape (in_maps, out_maps), optional
        Its M_j; None connects all.

    Returns
    -------
    ndarray, shape of slope

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating or shapes do not fit.
    """
    axes = Axes("subsampling_delta")
    delta = axes.take("delta", delta, "batch out_maps out_height out_width")
    k = axes.take("k", k, "in_maps out_maps kernel_height kernel_width")
    axes.full("out_height", "kernel_height", "height")
    axes.full("out_width", "kernel_width", "width")
    slope = axes.take("slope", slope, "batch in_maps height width")
    return slope * conv_input_gradient(delta, k, axes.table(connections))


def subsampling_bias_gradient(delta: Array) -> Array:
    """dE/db_j = sum_uv delta_j, over the batch as well (S3, E3): (batch, maps, height, width) to (maps,)."""
    return np.asarray(Axes("subsampling_bias_gradient").take("delta", delta, _MAPS).sum(axis=(0, 2, 3)))


def subsampling_scale_gradient(delta: Array, down: Array) -> Array:
    """dE/dbeta_j = sum_uv delta_j ∘ d_j, over the batch as well (S4, E3).

    Parameters
    ----------
    delta, down : ndarray, shape (batch, maps, height, width)
        dE/du, and d = down(x) kept from the forward pass.

    Returns
    -------
    ndarray, shape (maps,)

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating or shapes do not fit.
    """
    axes = Axes("subsampling_scale_gradient")
    delta = axes.take("delta", delta, _MAPS)
    return np.asarray((delta * axes.take("down", down, _MAPS)).sum(axis=(0, 2, 3)))


def subsampling_input_gradient(delta: Array, beta: Array, n: int) -> Array:
    """dE/dx_j = beta_j up(delta_j) (S5).

    Parameters
    ----------
    delta : ndarray, shape (batch, maps, height, width)
        dE/du; f'(u) is already inside.
    beta : ndarray, shape (maps,)
        Scales.
    n : int
        Side of a block.

    Returns
    -------
    ndarray, shape (batch, maps, n height, n width)

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating or shapes do not fit.
    """
    axes = Axes("subsampling_input_gradient")
    delta = axes.take("delta", delta, _MAPS)
    beta = axes.take("beta", beta, "maps")
    # scaled before it is copied n² times, not after
    return upsample.fast(beta[:, None, None] * delta, n)
