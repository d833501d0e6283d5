"""Sums of two-dimensional convolutions over feature maps, 'valid' and 'full', and the gradient of the
kernels.

`conv2` is true convolution, the kernel flipped (MATLAB's sense), everywhere. Kernels have the shape (in_maps,
out_maps, kernel_height, kernel_width) everywhere too: `valid` goes from in_maps to out_maps (C1), `full` from
out_maps back to in_maps (C7, which hands it turned kernels), and `kernel_gradient` (C6) takes both kinds of
maps. Batched: the first two sum over maps, the last over the batch as well (E3).

Each comes as naive loops, as the notes' path (conv2 and rot180, one pair of maps at a time) and as matrix
products of shifted copies (`fast`). `valid_fft` wins for large kernels only and is not exact on integers.

In a connection table, bool of shape (in_maps, out_maps), what is not connected does not count at all: not
even its NaN is seen, and the gradient of its kernel is zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import convolve2d

from reference._validate import Array, Axes, rot180

_CHUNK = 1 << 17
"""Elements of shifted copies held at once: a mebibyte of float64, so that the product finds them in cache."""


def _check_valid(x: Any, k: Any, connections: Any) -> tuple[Array, Array, Array | None]:
    axes = Axes("convolve_valid")
    x = axes.take("x", x, "batch in_maps height width")
    k = axes.take("k", k, "in_maps out_maps kernel_height kernel_width")
    axes.valid("height", "kernel_height", "out_height")
    axes.valid("width", "kernel_width", "out_width")
    return x, k, axes.table(connections)


def _check_full(d: Any, k: Any, connections: Any) -> tuple[Array, Array, Array | None]:
    axes = Axes("convolve_full")
    d = axes.take("d", d, "batch out_maps out_height out_width")
    k = axes.take("k", k, "in_maps out_maps kernel_height kernel_width")
    return d, k, axes.table(connections)


def _check_gradient(maps: Any, deltas: Any, connections: Any) -> tuple[Array, Array, Array | None]:
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
    """One matrix product of the kernels with every shifted copy of the maps; as `valid_naive` otherwise."""
    x, k, connections = _check_valid(x, k, connections)
    out = _zeros(_valid_shape(x, k), x, k)
    if connections is None:
        _add_valid(out, x, k)
        return out
    for j in np.flatnonzero(connections.any(axis=0)):
        i = connections[:, j]
        _add_valid(out[:, j : j + 1], x[:, i], k[i, j : j + 1])
    return out


def _add_valid(out: Array, x: Array, k: Array) -> None:
    weights = rot180(k).swapaxes(0, 1).reshape(k.shape[1], -1)
    for batch, columns in _shifted(x, out.shape[2:]):
        out[batch] += (weights @ columns).reshape(out[batch].shape)


def _shifted(x: Array, window: tuple[int, ...]) -> Iterator[tuple[slice, Array]]:
    """Copies of the maps shifted by every offset, (in_maps offsets, pixels), some of the batch at a time."""
    views = sliding_window_view(x, window, axis=(2, 3))
    rows, pixels = int(np.prod(views.shape[1:4])), window[0] * window[1]
    step = max(1, _CHUNK // (rows * pixels))
    for start in range(0, len(x), step):
        batch = slice(start, start + step)
        yield batch, views[batch].reshape(-1, rows, pixels)


def valid_fft(x: Array, k: Array, connections: Array | None = None) -> Array:
    """A product of Fourier transforms, worth it for large kernels only; as `valid_naive` otherwise, with two
    reserves.

    Rounded even on integers, and NaN in one pixel or infinity in one makes the whole map NaN.
    """
    x, k, connections = _check_valid(x, k, connections)
    if connections is not None:
        k = np.where(connections[:, :, None, None], k, 0)
    shape = [scipy.fft.next_fast_len(side, real=True) for side in x.shape[2:]]
    real = not (np.iscomplexobj(x) or np.iscomplexobj(k))
    there, back = (scipy.fft.rfft2, scipy.fft.irfft2) if real else (scipy.fft.fft2, scipy.fft.ifft2)
    product = np.einsum("nihw,ijhw->njhw", there(x, shape), there(k, shape), optimize=True)
    whole = back(product, shape)[:, :, k.shape[2] - 1 : x.shape[2], k.shape[3] - 1 : x.shape[3]]
    return np.asarray(whole.astype(np.result_type(x, k)))


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
    """One matrix product, then its rows added at their offsets; as `full_naive` otherwise."""
    d, k, connections = _check_full(d, k, connections)
    out = _zeros(_full_shape(d, k), d, k)
    if connections is None:
        _add_full(out, d, k)
        return out
    for j in np.flatnonzero(connections.any(axis=0)):
        i = connections[:, j]
        part = _zeros((len(d), int(i.sum()), *out.shape[2:]), d, k)
        _add_full(part, d[:, j : j + 1], k[i, j : j + 1])
        out[:, i] += part
    return out


def _add_full(out: Array, d: Array, k: Array) -> None:
    height, width = d.shape[2:]
    weights = k.transpose(2, 3, 0, 1).reshape(-1, k.shape[1])
    step = max(1, _CHUNK // (len(weights) * height * width))
    for start in range(0, len(d), step):
        batch = slice(start, start + step)
        pixels = d[batch].reshape(-1, d.shape[1], height * width)
        rows = (weights @ pixels).reshape(-1, *k.shape[2:], k.shape[0], height, width)
        for a, b in np.ndindex(k.shape[2:]):
            out[batch, :, a : a + height, b : b + width] += rows[:, a, b]


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
    """One matrix product of the deltas with every shifted copy of the maps; as the naive one otherwise."""
    maps, deltas, connections = _check_gradient(maps, deltas, connections)
    shape = _gradient_shape(maps, deltas)
    total = _zeros((shape[1], shape[0] * shape[2] * shape[3]), maps, deltas)
    for batch, columns in _shifted(maps, deltas.shape[2:]):
        rows = deltas[batch].reshape(len(columns), shape[1], -1)
        total += (rows @ columns.swapaxes(1, 2)).sum(axis=0)
    turned = total.reshape(shape[1], shape[0], *shape[2:]).swapaxes(0, 1)
    gradient = np.ascontiguousarray(rot180(turned))
    if connections is not None:
        gradient[~connections] = 0
    return gradient
