"""The layer that learns which maps to combine (notes 3.3: M1 to M6), as an operation and formula by formula.

One kernel for each **input** map, shared by all outputs (E8). The mixing weights alpha are a softmax, down
each column, of free weights c: the two are not to be confused, the layer takes c and is differentiated in c.
Gradients are summed over pixels and batch (E3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference import update
from reference._validate import Array, Axes, rot180
from reference.activation import named

_MAPS = "batch in_maps height width"
_DELTAS = "batch out_maps out_height out_width"
_FILTERED = "batch in_maps out_height out_width"
_KERNELS = "in_maps kernel_height kernel_width"
_WEIGHTS = "in_maps out_maps"


class Softmax:
    """alpha_ij = exp(c_ij) / sum_k exp(c_kj): every column sums to one (M2)."""

    @staticmethod
    def forward(c: Array) -> Array:
        """The mixing weights (M2), finite and silent for every finite c: shifted by each column's maximum
        (E9).

        Parameters
        ----------
        c : ndarray, shape (in_maps, out_maps)
            Free weights. NaN makes its own column NaN.

        Returns
        -------
        ndarray, shape (in_maps, out_maps)
            The notes' alpha, in the dtype of `c`.

        Raises
        ------
        TypeError
            Where `c` is not floating.
        ValueError
            Where `c` is empty or not of two axes.

        Examples
        --------
        >>> Softmax.forward(np.array([[0.0, 1e4], [0.0, -1e4]]))
        array([[0.5, 1. ],
               [0.5, 0. ]])
        """
        c = Axes("softmax").take("c", c, _WEIGHTS)
        powers = np.exp(c - c.real.max(axis=0))
        return np.asarray(powers / powers.sum(axis=0))

    @staticmethod
    def vjp(cotangent: Array, c: Array) -> tuple[Array]:
        """Gradient of sum(cotangent * alpha) with respect to c (M5); errors as `forward`, and for a
        cotangent's shape.
        """
        axes = Axes("softmax.vjp")
        c = axes.take("c", c, _WEIGHTS)
        return (softmax_gradient(axes.take("cotangent", cotangent, _WEIGHTS), Softmax.forward(c)),)


softmax = Softmax()


def softmax_jacobian(alpha: Array) -> Array:
    """D alpha_k / d c_i = [k = i] alpha_i - alpha_i alpha_k for each column j (M3).

    Parameters
    ----------
    alpha : ndarray, shape (in_maps, out_maps)
        The softmax, not its argument.

    Returns
    -------
    ndarray, shape (out_maps, in_maps, in_maps)
        Symmetric in its last two axes, [j, k, i].

    Raises
    ------
    TypeError, ValueError
        Where `alpha` is not floating, empty or not of two axes.

    Examples
    --------
    >>> softmax_jacobian(np.array([[0.25], [0.75]]))
    array([[[ 0.1875, -0.1875],
            [-0.1875,  0.1875]]])
    """
    columns = Axes("softmax_jacobian").take("alpha", alpha, _WEIGHTS).T
    return np.asarray(
        columns[:, :, None] * (np.eye(columns.shape[1], dtype=columns.dtype) - columns[:, None, :])
    )


def softmax_gradient(alpha_gradient: Array, alpha: Array) -> Array:
    """dE/dc_ij = alpha_ij (dE/dalpha_ij - sum_k dE/dalpha_kj alpha_kj) (M5): `softmax_jacobian`, never
    formed.

    Holds for every alpha whose Jacobian is that of M3, so for `signed_softmax` as well.

    Parameters
    ----------
    alpha_gradient : ndarray, shape (in_maps, out_maps)
        dE/dalpha, for any E.
    alpha : ndarray, shape (in_maps, out_maps)
        The softmax, not its argument.

    Returns
    -------
    ndarray, shape (in_maps, out_maps)

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating or shapes do not fit.
    """
    axes = Axes("softmax_gradient")
    gradient = axes.take("alpha_gradient", alpha_gradient, _WEIGHTS)
    alpha = axes.take("alpha", alpha, _WEIGHTS)
    return np.asarray(alpha * (gradient - (gradient * alpha).sum(axis=0)))


def signed_softmax(c: Array, signs: Array) -> Array:
    """alpha_ij = s_ij exp(c_ij) / sum_k s_kj exp(c_kj): columns of sum one, but off the simplex for mixed
    signs.

    Not in the notes. M3, and all that follows from it (M5, P3), holds for it word by word, while |alpha| is
    no longer alpha: the place to certify P3, which is identically zero on the simplex (E6).

    Parameters
    ----------
    c : ndarray, shape (in_maps, out_maps)
        Free weights.
    signs : ndarray, shape (in_maps, out_maps)
        Constants of +1 and -1.

    Returns
    -------
    ndarray, shape (in_maps, out_maps)
        Infinite where a column's signed sum is zero.

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating or shapes do not fit.

    Examples
    --------
    >>> signed_softmax(np.log(np.array([[3.0], [1.0]])), np.array([[1.0], [-1.0]]))
    array([[ 1.5],
           [-0.5]])
    """
    axes = Axes("signed_softmax")
    c = axes.take("c", c, _WEIGHTS)
    powers = axes.take("signs", signs, _WEIGHTS) * np.exp(c - c.real.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))


def forward(x: Array, k: Array, c: Array, b: Array, activation: str = "sigmoid") -> Array:
    """Outputs y_j = f(sum_i alpha_ij conv2(x_i, k_i, 'valid') + b_j) with alpha = softmax(c) (M1, M2).

    Parameters
    ----------
    x : ndarray, shape (batch, in_maps, height, width)
        The notes' x^(l-1).
    k : ndarray, shape (in_maps, kernel_height, kernel_width)
        The notes' k_i, one for each input map, no larger than the maps.
    c : ndarray, shape (in_maps, out_maps)
        Free weights under the softmax.
    b : ndarray, shape (out_maps,)
        Biases.
    activation : {"sigmoid", "tanh", "scaled_tanh", "identity"}
        The notes' f.

    Returns
    -------
    ndarray, shape (batch, out_maps, height - kernel_height + 1, width - kernel_width + 1)
        In the dtype that NumPy promotes the inputs to. NaN in a map spreads to the pixels that see it, in
        every output map.

    Raises
    ------
    TypeError
        Where an array is not floating.
    ValueError
        Where shapes do not fit, an array is empty, a kernel exceeds the maps or the activation is unknown.

    Examples
    --------
    >>> x, k = np.array([[[[1.0]], [[3.0]]]]), np.array([[[10.0]], [[100.0]]])
    >>> forward(x, k, np.zeros((2, 1)), np.array([0.5]), activation="identity")
    array([[[[155.5]]]])
    """
    x, k, c, b = _inputs(Axes("combination"), x, k, c, b)
    filtered = filter_maps(x, k)
    return named(activation, "combination").value(combination_preactivation(filtered, Softmax.forward(c), b))


def vjp(
    cotangent: Array, x: Array, k: Array, c: Array, b: Array, activation: str = "sigmoid"
) -> tuple[Array, Array, Array, Array]:
    """Gradients of sum(cotangent * y) with respect to x, k, c and b.

    Parameters
    ----------
    cotangent : ndarray, shape of the output
        dE/dy; f' is not yet inside.
    x, k, c, b, activation
        As for `forward`.

    Returns
    -------
    tuple of ndarray, shapes of x, k, c and b
        Fresh arrays.

    Raises
    ------
    TypeError, ValueError
        As `forward`, and where the cotangent does not fit.
    """
    axes = Axes("combination.vjp")
    x, k, c, b = _inputs(axes, x, k, c, b)
    cotangent = axes.take("cotangent", cotangent, _DELTAS)
    filtered, alpha = filter_maps(x, k), Softmax.forward(c)
    delta = (
        named(activation, "combination.vjp").slope(combination_preactivation(filtered, alpha, b)) * cotangent
    )
    return (
        combination_input_gradient(delta, k, alpha),
        combination_kernel_gradient(x, delta, alpha),
        softmax_gradient(combination_weight_gradient(delta, filtered), alpha),
        combination_bias_gradient(delta),
    )


step = update.stepping(vjp)
"""Every parameter after one step of gradient descent (D6), None for x: `update.stepping` of `vjp`."""


def _inputs(axes: Axes, x: Any, k: Any, c: Any, b: Any) -> tuple[Array, Array, Array, Array]:
    x = axes.take("x", x, _MAPS)
    k = axes.take("k", k, _KERNELS)
    c = axes.take("c", c, _WEIGHTS)
    b = axes.take("b", b, "out_maps")
    axes.valid("height", "kernel_height", "out_height")
    axes.valid("width", "kernel_width", "out_width")
    return x, k, c, b


def filter_maps(x: Array, k: Array) -> Array:
    """conv2(x_i, k_i, 'valid') of every map with its own kernel, not yet mixed (within M1); shapes as for
    `forward`.
    """
    height, width = (x.shape[axis] - k.shape[axis - 1] + 1 for axis in (2, 3))
    out = np.zeros((*x.shape[:2], height, width), np.result_type(x, k))
    turned = rot180(k)
    for a, b in np.ndindex(k.shape[1:]):
        out += turned[:, a, b, None, None] * x[:, :, a : a + height, b : b + width]
    return out


def combination_preactivation(filtered: Array, alpha: Array, b: Array) -> Array:
    """u_j = sum_i alpha_ij z_i + b_j with z_i = conv2(x_i, k_i, 'valid') (M1), f not applied."""
    return _mix(alpha.T, filtered) + b[:, None, None]


def _mix(weights: Array, maps: Array) -> Array:
    """sum_q weights_pq maps_q, for every sample and pixel."""
    batch, _, height, width = maps.shape
    return (weights @ maps.reshape(batch, -1, height * width)).reshape(batch, -1, height, width)


def combination_weight_gradient(delta: Array, filtered: Array) -> Array:
    """dE/dalpha_ij = sum_uv delta_j ∘ conv2(x_i, k_i, 'valid'), over the batch as well (M4, E3).

    The gradient in alpha, not yet in c: `softmax_gradient` takes it there (M5).

    Parameters
    ----------
    delta : ndarray, shape (batch, out_maps, out_height, out_width)
        dE/du; f'(u) is already inside.
    filtered : ndarray, shape (batch, in_maps, out_height, out_width)
        `filter_maps` of the forward pass.

    Returns
    -------
    ndarray, shape (in_maps, out_maps)

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating or shapes do not fit.
    """
    axes = Axes("combination_weight_gradient")
    delta = axes.take("delta", delta, _DELTAS)
    filtered = axes.take("filtered", filtered, _FILTERED)
    return np.asarray(np.tensordot(filtered, delta, axes=((0, 2, 3), (0, 2, 3))))


def combination_kernel_gradient(x: Array, delta: Array, alpha: Array) -> Array:
    """dE/dk_i = sum_j alpha_ij rot180(conv2(x_i, rot180(delta_j), 'valid')), over the batch as well (M6, E3,
    E8).

    Convolution is linear, so the sensitivities are mixed first and one map is convolved instead of every
    pair.

    Parameters
    ----------
    x : ndarray, shape (batch, in_maps, height, width)
        The notes' x^(l-1).
    delta : ndarray, shape (batch, out_maps, out_height, out_width)
        dE/du; f'(u) is already inside.
    alpha : ndarray, shape (in_maps, out_maps)
        The softmax of c, not c.

    Returns
    -------
    ndarray, shape (in_maps, height - out_height + 1, width - out_width + 1)

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating, shapes do not fit or the deltas exceed the maps.
    """
    axes = Axes("combination_kernel_gradient")
    x = axes.take("x", x, _MAPS)
    delta = axes.take("delta", delta, _DELTAS)
    mixed = _mix(axes.take("alpha", alpha, _WEIGHTS), delta)
    axes.valid("height", "out_height", "kernel_height")
    axes.valid("width", "out_width", "kernel_width")
    height, width = mixed.shape[2:]
    out = np.zeros((x.shape[1], axes["kernel_height"], axes["kernel_width"]), np.result_type(x, mixed))
    # with the batch last rows are long also where maps are small
    given, maps = (np.ascontiguousarray(each.transpose(1, 2, 3, 0)) for each in (mixed, x))
    for a, b in np.ndindex(out.shape[1:]):
        out[:, a, b] = np.einsum("irsn,irsn->i", given, maps[:, a : a + height, b : b + width])
    return np.ascontiguousarray(rot180(out))


def combination_input_gradient(delta: Array, k: Array, alpha: Array) -> Array:
    """dE/dx_i = sum_j alpha_ij conv2(delta_j, rot180(k_i), 'full') (M6).

    Parameters
    ----------
    delta : ndarray, shape (batch, out_maps, out_height, out_width)
        dE/du; f'(u) is already inside.
    k : ndarray, shape (in_maps, kernel_height, kernel_width)
        Kernels, not turned.
    alpha : ndarray, shape (in_maps, out_maps)
        The softmax of c, not c.

    Returns
    -------
    ndarray, shape (batch, in_maps, out_height + kernel_height - 1, out_width + kernel_width - 1)

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating or shapes do not fit.
    """
    axes = Axes("combination_input_gradient")
    delta = axes.take("delta", delta, _DELTAS)
    k = axes.take("k", k, _KERNELS)
    mixed, turned = _mix(axes.take("alpha", alpha, _WEIGHTS), delta), rot180(k)
    height, width = mixed.shape[2:]
    shape = (*mixed.shape[:2], height + k.shape[1] - 1, width + k.shape[2] - 1)
    out = np.zeros(shape, np.result_type(mixed, k))
    for a, b in np.ndindex(k.shape[1:]):
        out[:, :, a : a + height, b : b + width] += turned[:, a, b, None, None] * mixed
    return out


def combination_delta(slope: Array, delta: Array, k: Array, alpha: Array) -> Array:
    """Sensitivities of the layer below a combination: f'(u) ∘ dE/dx of M6; slope of shape (batch, in_maps,
    ...).
    """
    gradient = combination_input_gradient(delta, k, alpha)
    return Axes("combination_delta").like("slope", slope, "dE/dx", gradient) * gradient


def combination_bias_gradient(delta: Array) -> Array:
    """dE/db_j = sum_uv delta_j, over the batch as well (M6, E3): to shape (out_maps,)."""
    return np.asarray(Axes("combination_bias_gradient").take("delta", delta, _DELTAS).sum(axis=(0, 2, 3)))
