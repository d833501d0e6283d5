"""The convolution layer (notes 3.1: C1 to C7), as an operation and formula by formula.

True convolution, the kernel flipped, throughout. Gradients are summed over pixels and batch (E3), never
averaged. A connection table holds the notes' M_j in its columns: what is not connected does not count at all,
not even its NaN, and its kernel has a gradient of zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from reference import update
from reference._validate import Array, Axes, rot180
from reference.activation import named
from reference.kernels import convolve, upsample

_MAPS = "batch in_maps height width"
_DELTAS = "batch out_maps out_height out_width"
_KERNELS = "in_maps out_maps kernel_height kernel_width"


def forward(
    x: Array, k: Array, b: Array, activation: str = "sigmoid", connections: Array | None = None
) -> Array:
    """Outputs y_j = f(sum over i in M_j of conv2(x_i, k_ij, 'valid') + b_j) (C1).

    Parameters
    ----------
    x : ndarray, shape (batch, in_maps, height, width)
        The notes' x^(l-1).
    k : ndarray, shape (in_maps, out_maps, kernel_height, kernel_width)
        The notes' k_ij, no larger than the maps.
    b : ndarray, shape (out_maps,)
        Biases.
    activation : {"sigmoid", "tanh", "scaled_tanh", "identity"}
        The notes' f.
    connections : ndarray of bool, shape (in_maps, out_maps), optional
        M_j as columns; None connects all. An empty column leaves f(b_j).

    Returns
    -------
    ndarray, shape (batch, out_maps, height - kernel_height + 1, width - kernel_width + 1)
        In the dtype that NumPy promotes the inputs to. NaN spreads to the pixels that see it.

    Raises
    ------
    TypeError
        Where an array is not floating, or `connections` not bool.
    ValueError
        Where shapes do not fit, an array is empty, a kernel exceeds the maps or the activation is unknown.

    Examples
    --------
    >>> x, k = np.array([[[[1.0, 10.0, 100.0]]]]), np.array([[[[1.0, 2.0]]]])
    >>> forward(x, k, np.array([0.5]), activation="identity")
    array([[[[ 12.5, 120.5]]]])
    """
    x, k, b, table = _inputs(Axes("convolution"), x, k, b, connections)
    return named(activation, "convolution").value(conv_preactivation(x, k, b, table))


def vjp(
    cotangent: Array,
    x: Array,
    k: Array,
    b: Array,
    activation: str = "sigmoid",
    connections: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of sum(cotangent * y) with respect to x, k and b.

    Parameters
    ----------
    cotangent : ndarray, shape of the output
        dE/dy; f' is not yet inside.
    x, k, b, activation, connections
        As for `forward`.

    Returns
    -------
    tuple of ndarray, shapes of x, k and b
        Fresh arrays.

    Raises
    ------
    TypeError, ValueError
        As `forward`, and where the cotangent does not fit.
    """
    axes = Axes("convolution.vjp")
    x, k, b, table = _inputs(axes, x, k, b, connections)
    cotangent = axes.take("cotangent", cotangent, _DELTAS)
    delta = named(activation, "convolution.vjp").slope(conv_preactivation(x, k, b, table)) * cotangent
    return (
        conv_input_gradient(delta, k, table),
        conv_kernel_gradient(x, delta, table),
        conv_bias_gradient(delta),
    )


step = update.stepping(vjp)
"""Every parameter after one step of gradient descent (D6), None for x: `update.stepping` of `vjp`."""


def _inputs(axes: Axes, x: Any, k: Any, b: Any, table: Any) -> tuple[Array, Array, Array, Array | None]:
    x = axes.take("x", x, _MAPS)
    k = axes.take("k", k, _KERNELS)
    b = axes.take("b", b, "out_maps")
    axes.valid("height", "kernel_height", "out_height")
    axes.valid("width", "kernel_width", "out_width")
    return x, k, b, axes.table(table)


def conv_preactivation(x: Array, k: Array, b: Array, connections: Array | None = None) -> Array:
    """u_j = sum over i in M_j of conv2(x_i, k_ij, 'valid') + b_j (C1), f not applied."""
    return convolve.valid(x, k, connections) + b[:, None, None]


def conv_delta(slope: Array, delta: Array, beta: Array, n: int) -> Array:
    """Sensitivities of a convolution layer from those of the sub-sampling layer above (C2).

    delta_j = beta_j (f'(u_j) ∘ up(delta_j^(l+1))); for block sums, with means there is a further 1/n² (E5)

    Parameters
    ----------
    slope : ndarray, shape (batch, maps, n height, n width)
        f'(u) of the convolution layer.
    delta : ndarray, shape (batch, maps, height, width)
        Sensitivities of the sub-sampling layer.
    beta : ndarray, shape (maps,)
        Its scales.
    n : int
        Its factor.

    Returns
    -------
    ndarray, shape of slope

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating or shapes do not fit.
    """
    axes = Axes("conv_delta")
    delta = axes.take("delta", delta, "batch maps height width")
    beta = axes.take("beta", beta, "maps")
    up = upsample.fast(delta, n)
    axes.repeats("height", n, "up_height")
    axes.repeats("width", n, "up_width")
    slope = axes.take("slope", slope, "batch maps up_height up_width")
    return np.asarray(beta[:, None, None] * (slope * up))


def conv_bias_gradient(delta: Array) -> Array:
    """dE/db_j = sum_uv delta_j, over the batch as well (C4, eq. 3, E3): to shape (out_maps,)."""
    return np.asarray(Axes("conv_bias_gradient").take("delta", delta, _DELTAS).sum(axis=(0, 2, 3)))


def conv_kernel_gradient(maps: Array, deltas: Array, connections: Array | None = None) -> Array:
    """Gradient of the error with respect to every kernel of a convolution layer (C6).

    dE/dk_ij[a, b] = sum_n sum_rs delta_j[r, s] x_i[r + K - 1 - a, s + L - 1 - b]

    for K by L kernels (notes 3.1.1: rot180(conv2(x_i, rot180(delta_j), 'valid'))).
    Summed, not averaged, over pixels and batch (E3); f'(u) is already inside `deltas`.

    Parameters
    ----------
    maps : ndarray, shape (batch, in_maps, height, width)
        The notes' x^(l-1).
    deltas : ndarray, shape (batch, out_maps, out_height, out_width)
        Sensitivities dE/du of the layer.
    connections : ndarray of bool, shape (in_maps, out_maps), optional
        M_j as columns; None connects all.

    Returns
    -------
    ndarray, shape (in_maps, out_maps, height - out_height + 1, width - out_width + 1)
        Zero for kernels that are not connected.

    Raises
    ------
    TypeError
        Where an array is not floating, or `connections` not bool.
    ValueError
        Where shapes do not fit, an array is empty or the deltas exceed the maps.

    Examples
    --------
    >>> conv_kernel_gradient(np.array([[[[1.0, 10.0, 100.0]]]]), np.array([[[[1.0, 2.0]]]]))
    array([[[[210.,  21.]]]])
    """
    return convolve.kernel_gradient(maps, deltas, connections)


def conv_kernel_gradient_patches(maps: Array, deltas: Array, connections: Array | None = None) -> Array:
    """The kernel gradient as a sum of patches, each times its pixel's sensitivity (C5).

    dE/dk_ij = sum_n sum_uv (delta_j)_uv (p_i)_uv, p_i the patch under the kernel read **flipped** (E4)

    Parameters, result and errors are those of `conv_kernel_gradient`, which it equals.

    Examples
    --------
    >>> conv_kernel_gradient_patches(np.array([[[[1.0, 10.0, 100.0]]]]), np.array([[[[1.0, 2.0]]]]))
    array([[[[210.,  21.]]]])
    """
    axes = Axes("conv_kernel_gradient_patches")
    maps = axes.take("maps", maps, _MAPS)
    deltas = axes.take("deltas", deltas, _DELTAS)
    axes.valid("height", "out_height", "kernel_height")
    axes.valid("width", "out_width", "kernel_width")
    table = axes.table(connections)
    patches = rot180(sliding_window_view(maps, (axes["kernel_height"], axes["kernel_width"]), axis=(2, 3)))
    gradient = np.asarray(np.einsum("njuv,niuvab->ijab", deltas, patches))
    return gradient if table is None else np.where(table[:, :, None, None], gradient, 0)


def conv_input_gradient(deltas: Array, k: Array, connections: Array | None = None) -> Array:
    """dE/dx_i = sum over j with i in M_j of conv2(delta_j, rot180(k_ij), 'full') (C7).

    Parameters
    ----------
    deltas : ndarray, shape (batch, out_maps, out_height, out_width)
        Sensitivities dE/du of the layer; f'(u) is already inside.
    k : ndarray, shape (in_maps, out_maps, kernel_height, kernel_width)
        Its kernels, not turned.
    connections : ndarray of bool, shape (in_maps, out_maps), optional
        M_j as columns; None connects all.

    Returns
    -------
    ndarray, shape (batch, in_maps, out_height + kernel_height - 1, out_width + kernel_width - 1)
        Zero for maps that feed nobody.

    Raises
    ------
    TypeError
        Where an array is not floating, or `connections` not bool.
    ValueError
        Where shapes do not fit or an array is empty.

    Examples
    --------
    >>> conv_input_gradient(np.array([[[[1.0, 10.0]]]]), np.array([[[[1.0, 2.0]]]]))
    array([[[[ 2., 21., 10.]]]])
    """
    axes = Axes("conv_input_gradient")
    deltas = axes.take("deltas", deltas, _DELTAS)
    k = axes.take("k", k, _KERNELS)
    return convolve.full(deltas, rot180(k), axes.table(connections))
