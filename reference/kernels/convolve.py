"""Sums of two-dimensional convolutions over feature maps, 'valid' and 'full', and the gradient of the
kernels.

`conv2` is true convolution, the kernel flipped (MATLAB's sense), everywhere. Kernels have the shape (in_maps,
out_maps, kernel_height, kernel_width) everywhere too: `valid` goes from in_maps to out_maps (C1), `full` from
out_maps back to in_maps (C7, which hands it turned kernels), and `kernel_gradient` (C6) takes both kinds of
maps. Batched: the first two sum over maps, the last over the batch as well (E3).

Each comes as naive loops, as the notes' path (conv2 and rot180, one pair of maps at a time), as matrix
products of shifted copies (`fast`) and as products of Fourier transforms (`fft`), which win for large kernels
only and are not exact on integers. `valid`, `full` and `kernel_gradient` take whichever of the last two costs
less.

In a connection table, bool of shape (in_maps, out_maps), what is not connected does not count at all: not
even its NaN is seen, and the gradient of its kernel is zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.signal import convolve2d

from reference._validate import Array, Axes, are_maps, rot180
from reference.kernels import _shifted, _transformed


def _holds(whole: Array, part: Array) -> bool:
    return bool(part.shape[2] <= whole.shape[2] and part.shape[3] <= whole.shape[3])


def fit(x: Any, k: Any, d: Any) -> bool:
    """Whether these are maps, kernels and what 'valid' makes of them, and nothing is unusual that has to be told."""
    if not (are_maps(x) and are_maps(k) and are_maps(d)):
        return False
    (batch, in_maps, height, width), (rows, columns) = x.shape, k.shape[2:]
    return bool(
        k.shape[:2] == (in_maps, d.shape[1])
        and d.shape == (batch, k.shape[1], height - rows + 1, width - columns + 1)
    )


def _check_valid(x: Any, k: Any, connections: Any) -> tuple[Array, Array, Array | None]:
    # the right call costs a microsecond here; all that is wrong, or unusual, is told by named axes below
    if connections is None and are_maps(x) and are_maps(k) and x.shape[1] == k.shape[0] and _holds(x, k):
        return x, k, None
    axes = Axes("convolve_valid")
    x = axes.take("x", x, "batch in_maps height width")
    k = axes.take("k", k, "in_maps out_maps kernel_height kernel_width")
    axes.valid("height", "kernel_height", "out_height")
    axes.valid("width", "kernel_width", "out_width")
    return x, k, axes.table(connections)


def _check_full(d: Any, k: Any, connections: Any) -> tuple[Array, Array, Array | None]:
    if connections is None and are_maps(d) and are_maps(k) and d.shape[1] == k.shape[1]:
        return d, k, None
    axes = Axes("convolve_full")
    d = axes.take("d", d, "batch out_maps out_height out_width")
    k = axes.take("k", k, "in_maps out_maps kernel_height kernel_width")
    return d, k, axes.table(connections)


def _check_gradient(maps: Any, deltas: Any, connections: Any) -> tuple[Array, Array, Array | None]:
    usual = connections is None and are_maps(maps) and are_maps(deltas)
    if usual and len(maps) == len(deltas) and _holds(maps, deltas):
        return maps, deltas, None
    axes = Axes("conv_kernel_gradient")
    maps = axes.take("maps", maps, "batch in_maps height width")
    deltas = axes.take("deltas", deltas, "batch out_maps out_height out_width")
    axes.valid("height", "out_height", "kernel_height")
    axes.valid("width", "out_width", "kernel_width")
    return maps, deltas, axes.table(connections)


def _zeros(shape: tuple[int, ...], *arrays: Array) -> Array:
    return np.zeros(shape, np.result_type(*arrays))


def _valid_shape(x: Array, k: Array) -> tuple[int, int, int, int]:
    return x.shape[0], k.shape[1], x.shape[2] - k.shape[2] + 1, x.shape[3] - k.shape[3] + 1


def _full_shape(d: Array, k: Array) -> tuple[int, int, int, int]:
    return d.shape[0], k.shape[0], d.shape[2] + k.shape[2] - 1, d.shape[3] + k.shape[3] - 1


def _gradient_shape(maps: Array, deltas: Array) -> tuple[int, int, int, int]:
    height, width = (maps.shape[axis] - deltas.shape[axis] + 1 for axis in (2, 3))
    return maps.shape[1], deltas.shape[1], height, width


def _pairs(shape: tuple[int, ...], connections: Array | None) -> Iterator[tuple[int, int]]:
    """The connected pairs of maps, for kernels of this shape."""
    for i, j in np.ndindex(*shape[:2]):
        if connections is None or connections[i, j]:
            yield i, j


def valid_naive(x: Array, k: Array, connections: Array | None = None) -> Array:
    """Maps convolved with their kernels where these fit, summed over the connected input maps (C1, without
    bias).

    u_j[r, s] = sum_i sum_ab k_ij[a, b] x_i[r + K - 1 - a, s + L - 1 - b] for K by L kernels

    Parameters
    ----------
    x : ndarray, shape (batch, in_maps, height, width)
        The notes' x^(l-1).
    k : ndarray, shape (in_maps, out_maps, kernel_height, kernel_width)
        The notes' k_ij, no larger than the maps.
    connections : ndarray of bool, shape (in_maps, out_maps), optional
        The notes' M_j as columns; None connects all. An empty column gives zeros.

    Returns
    -------
    ndarray, shape (batch, out_maps, height - kernel_height + 1, width - kernel_width + 1)
        In the dtype that NumPy promotes `x` and `k` to. NaN spreads to the pixels that see it.

    Raises
    ------
    TypeError
        Where an array is not floating, or `connections` not bool.
    ValueError
        Where shapes do not fit, an array is empty or a kernel exceeds the maps.

    Examples
    --------
    >>> valid_naive(np.array([[[[1.0, 10.0, 100.0]]]]), np.array([[[[1.0, 2.0]]]]))
    array([[[[ 12., 120.]]]])
    """
    x, k, connections = _check_valid(x, k, connections)
    out = _zeros(_valid_shape(x, k), x, k)
    height, width = k.shape[2:]
    for n, _, r, s in np.ndindex(out.shape[0], 1, *out.shape[2:]):
        for i, j in _pairs(k.shape, connections):
            for a, b in np.ndindex(height, width):
                out[n, j, r, s] += k[i, j, a, b] * x[n, i, r + height - 1 - a, s + width - 1 - b]
    return out


def valid_notes(x: Array, k: Array, connections: Array | None = None) -> Array:
    """conv2(x_i, k_ij, 'valid') for one pair of maps after the other (C1); as `valid_naive` otherwise."""
    x, k, connections = _check_valid(x, k, connections)
    out = _zeros(_valid_shape(x, k), x, k)
    for i, j in _pairs(k.shape, connections):
        for n in range(len(x)):
            out[n, j] += convolve2d(x[n, i], k[i, j], "valid")
    return out


def valid_fast(x: Array, k: Array, connections: Array | None = None) -> Array:
    """Matrix products of the kernels with shifted copies of the maps; as `valid_naive` otherwise."""
    x, k, connections = _check_valid(x, k, connections)
    if connections is None:
        return _shifted.valid(x, k)
    if _finite(x):
        return _shifted.valid(x, _cut(k, connections))
    out = _zeros(_valid_shape(x, k), x, k)
    for j in np.flatnonzero(connections.any(axis=0)):
        i = connections[:, j]
        out[:, j : j + 1] = _shifted.valid(x[:, i], k[i, j : j + 1])
    return out


def _finite(array: Array) -> bool:
    """Whether no element is infinite or NaN, so that a kernel of zeros is as good as none."""
    # the ufunc's own reduction: `all` is a Python function around it, of the same time again where kernels are small
    return bool(np.logical_and.reduce(np.isfinite(array), axis=None))


def _real(*arrays: Array) -> bool:
    """Whether a transform may stand in: it spreads NaN, and drowns the tiny imaginary part of a complex step."""
    return all(array.dtype.kind == "f" and _finite(array) for array in arrays)


def _cut(k: Array, connections: Array) -> Array:
    """The kernels with zeros where they are not connected."""
    return np.where(connections[:, :, None, None], k, k.dtype.type(0))


def valid_fft(x: Array, k: Array, connections: Array | None = None) -> Array:
    """A product of Fourier transforms, worth it for large kernels only; as `valid_naive` otherwise, with two
    reserves.

    Rounded even on integers, and NaN in one pixel or infinity in one makes the whole map NaN.
    """
    x, k, connections = _check_valid(x, k, connections)
    return _transformed.valid(x, k if connections is None else _cut(k, connections))


def valid(x: Array, k: Array, connections: Array | None = None) -> Array:
    """`valid_fast`, or `valid_fft` where that costs less; as these otherwise."""
    x, k, connections = _check_valid(x, k, connections)
    down, across = _valid_shape(x, k)[2:]
    if _transformed.cheaper(len(x), k.shape[:2], x.shape[2:], k.shape[2:], (down, across), k.shape[1]) and (
        _real(x, k)
    ):
        return valid_fft(x, k, connections)
    return valid_fast(x, k, connections)


def full_naive(d: Array, k: Array, connections: Array | None = None) -> Array:
    """Maps convolved with their kernels wherever these overlap, summed over the connected *output* maps.

    z_i[r, s] = sum_j sum_ab k_ij[a, b] d_j[r - a, s - b], zero outside d (C7 is this with turned kernels)

    The kernels are **not** turned here: handed rot180(k), this is the adjoint of `valid`.

    Parameters
    ----------
    d : ndarray, shape (batch, out_maps, out_height, out_width)
        The notes' delta_j.
    k : ndarray, shape (in_maps, out_maps, kernel_height, kernel_width)
        Kernels of any size.
    connections : ndarray of bool, shape (in_maps, out_maps), optional
        None connects all. An input map that feeds nobody gets zeros.

    Returns
    -------
    ndarray, shape (batch, in_maps, out_height + kernel_height - 1, out_width + kernel_width - 1)
        In the dtype that NumPy promotes `d` and `k` to. NaN spreads to the pixels that see it.

    Raises
    ------
    TypeError
        Where an array is not floating, or `connections` not bool.
    ValueError
        Where shapes do not fit or an array is empty.

    Examples
    --------
    >>> full_naive(np.array([[[[1.0, 10.0]]]]), np.array([[[[1.0, 2.0]]]]))
    array([[[[ 1., 12., 20.]]]])
    """
    d, k, connections = _check_full(d, k, connections)
    out = _zeros(_full_shape(d, k), d, k)
    for n, _, r, s in np.ndindex(d.shape[0], 1, *d.shape[2:]):
        for i, j in _pairs(k.shape, connections):
            for a, b in np.ndindex(k.shape[2:]):
                out[n, i, r + a, s + b] += k[i, j, a, b] * d[n, j, r, s]
    return out


def full_notes(d: Array, k: Array, connections: Array | None = None) -> Array:
    """conv2(d_j, k_ij, 'full') for one pair of maps after the other; as `full_naive` otherwise."""
    d, k, connections = _check_full(d, k, connections)
    out = _zeros(_full_shape(d, k), d, k)
    for i, j in _pairs(k.shape, connections):
        for n in range(len(d)):
            out[n, i] += convolve2d(d[n, j], k[i, j], "full")
    return out


def full_fast(d: Array, k: Array, connections: Array | None = None) -> Array:
    """Matrix products with the maps as they lie, their rows added at their offsets; as `full_naive`
    otherwise.
    """
    d, k, connections = _check_full(d, k, connections)
    if not _finite(k):
        return _full_scattered(d, k, connections)
    if connections is None:
        return _shifted.full(d, k)
    if _finite(d):
        return _shifted.full(d, _cut(k, connections))
    out = _zeros(_full_shape(d, k), d, k)
    for j in np.flatnonzero(connections.any(axis=0)):
        i = connections[:, j]
        out[:, i] += _shifted.full(d[:, j : j + 1], k[i, j : j + 1])
    return out


def _full_scattered(d: Array, k: Array, connections: Array | None) -> Array:
    """One pair of maps and one element of the kernel at a time: NaN in a kernel meets no zeros around d."""
    out = _zeros(_full_shape(d, k), d, k)
    height, width = d.shape[2:]
    for i, j in _pairs(k.shape, connections):
        for a, b in np.ndindex(k.shape[2:]):
            out[:, i, a : a + height, b : b + width] += k[i, j, a, b] * d[:, j]
    return out


def full_fft(d: Array, k: Array, connections: Array | None = None) -> Array:
    """A product of Fourier transforms; as `full_naive` otherwise, with the reserves of `valid_fft`."""
    d, k, connections = _check_full(d, k, connections)
    return _transformed.full(d, k if connections is None else _cut(k, connections))


def full(d: Array, k: Array, connections: Array | None = None) -> Array:
    """`full_fast`, or `full_fft` where that costs less; as these otherwise."""
    d, k, connections = _check_full(d, k, connections)
    height, width = _full_shape(d, k)[2:]
    if _transformed.cheaper(
        len(d), k.shape[:2], (height, width), k.shape[2:], d.shape[2:], k.shape[0] * k.shape[3]
    ) and (_real(d, k)):
        return full_fft(d, k, connections)
    return full_fast(d, k, connections)


def kernel_gradient_naive(maps: Array, deltas: Array, connections: Array | None = None) -> Array:
    """Gradient of the kernels of `valid`, one product at a time (C6, summed over the batch as well: E3).

    dE/dk_ij[a, b] = sum_n sum_rs delta_j[r, s] x_i[r + K - 1 - a, s + L - 1 - b]

    Not averaged over pixels or batch.

    Parameters
    ----------
    maps : ndarray, shape (batch, in_maps, height, width)
        The notes' x^(l-1).
    deltas : ndarray, shape (batch, out_maps, out_height, out_width)
        dE/du of what `valid` returned; no larger than `maps`.
    connections : ndarray of bool, shape (in_maps, out_maps), optional
        None connects all. A kernel that is not connected has a gradient of zero.

    Returns
    -------
    ndarray, shape (in_maps, out_maps, height - out_height + 1, width - out_width + 1)
        In the dtype that NumPy promotes `maps` and `deltas` to.

    Raises
    ------
    TypeError
        Where an array is not floating, or `connections` not bool.
    ValueError
        Where shapes do not fit, an array is empty or `deltas` exceed the maps.

    Examples
    --------
    >>> kernel_gradient_naive(np.array([[[[1.0, 10.0, 100.0]]]]), np.array([[[[1.0, 2.0]]]]))
    array([[[[210.,  21.]]]])
    """
    maps, deltas, connections = _check_gradient(maps, deltas, connections)
    out = _zeros(_gradient_shape(maps, deltas), maps, deltas)
    height, width = out.shape[2:]
    for i, j in _pairs(out.shape, connections):
        for a, b, n, r, s in np.ndindex(height, width, len(maps), *deltas.shape[2:]):
            out[i, j, a, b] += deltas[n, j, r, s] * maps[n, i, r + height - 1 - a, s + width - 1 - b]
    return out


def kernel_gradient_notes(maps: Array, deltas: Array, connections: Array | None = None) -> Array:
    """rot180(conv2(x_i, rot180(delta_j), 'valid')) for one pair after the other (C6); as the naive one
    otherwise.
    """
    maps, deltas, connections = _check_gradient(maps, deltas, connections)
    out = _zeros(_gradient_shape(maps, deltas), maps, deltas)
    for i, j in _pairs(out.shape, connections):
        for n in range(len(maps)):
            out[i, j] += rot180(convolve2d(maps[n, i], rot180(deltas[n, j]), "valid"))
    return out


def kernel_gradient_fast(maps: Array, deltas: Array, connections: Array | None = None) -> Array:
    """Matrix products of the deltas with shifted copies of the maps; as the naive one otherwise."""
    maps, deltas, connections = _check_gradient(maps, deltas, connections)
    return _connected(_shifted.gradient(maps, deltas), connections)


def valid_gradients_fast(cotangent: Array, x: Array, k: Array) -> tuple[Array, Array]:
    """Gradients of `valid` in x and k, of arrays that `fit`: `full_fast` of turned kernels and
    `kernel_gradient_fast`, whose checks would take as long as the products of a small image.
    """
    turned = rot180(k)
    dx = _shifted.full(cotangent, turned) if _tame(k) else _full_scattered(cotangent, turned, None)
    return dx, _shifted.gradient(x, cotangent)


@np.errstate(over="ignore", invalid="ignore")
def _tame(k: Array) -> bool:
    """Whether no element is infinite or NaN: a sum of squares says so in half of the time, unless it overflows."""
    flat = k.ravel()
    return math.isfinite(abs(flat.dot(flat))) or _finite(k)


def kernel_gradient_fft(maps: Array, deltas: Array, connections: Array | None = None) -> Array:
    """A product of Fourier transforms; as the naive one otherwise, with the reserves of `valid_fft`."""
    maps, deltas, connections = _check_gradient(maps, deltas, connections)
    return _connected(_transformed.gradient(maps, deltas), connections)


def kernel_gradient(maps: Array, deltas: Array, connections: Array | None = None) -> Array:
    """`kernel_gradient_fast`, or `kernel_gradient_fft` where that costs less; as these otherwise."""
    maps, deltas, connections = _check_gradient(maps, deltas, connections)
    shape = _gradient_shape(maps, deltas)
    if _transformed.cheaper(
        len(maps), shape[:2], maps.shape[2:], shape[2:], deltas.shape[2:], shape[1] + 1
    ) and (_real(maps, deltas)):
        return kernel_gradient_fft(maps, deltas, connections)
    return kernel_gradient_fast(maps, deltas, connections)


def _connected(gradient: Array, connections: Array | None) -> Array:
    if connections is not None:
        gradient[~connections] = 0
    return gradient
