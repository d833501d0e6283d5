"""Up-sampling, up(x) = x ⊗ 1_{n×n} (notes 3.1.1, C3; fast path 3.4, K1): every pixel an n by n block."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference._validate import Array, Axes, factor

_CHUNK = 1 << 18
"""Elements of widened rows held at once, two mebibytes of float64: fewer cost more calls, more leave the caches."""

_WORDS = {2: (np.uint16, np.uint32), 4: (np.uint32, np.uint64)}
"""Integers of the bytes of one pixel and of two, by the size of one."""


def _checked(x: Any, n: Any) -> tuple[Array, int]:
    return Axes("upsample").take("x", x, "batch maps height width"), factor("upsample", n)


def naive(x: Array, n: int) -> Array:
    """Each pixel copied n times along both axes, one element at a time: y[r, s] = x[r // n, s // n] (C3).

    Parameters
    ----------
    x : ndarray, shape (batch, maps, height, width)
        Maps; not changed. NaN stays NaN, in its own block.
    n : int
        Side of a block.

    Returns
    -------
    ndarray, shape (batch, maps, n height, n width)
        In the dtype of `x`, never a view of it.

    Raises
    ------
    TypeError
        Where `x` is not floating.
    ValueError
        Where `x` is empty or not of four axes, or n is not an integer of at least 1.

    Examples
    --------
    >>> naive(np.array([[[[1.0, 2.0]]]]), 2)[0, 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]])
    """
    x, n = _checked(x, n)
    out = np.empty((*x.shape[:2], n * x.shape[2], n * x.shape[3]), x.dtype)
    for index in np.ndindex(out.shape):
        batch, j, r, s = index
        out[index] = x[batch, j, r // n, s // n]
    return out


def notes(x: Array, n: int) -> Array:
    """The Kronecker product of every map with an n by n block of ones (K1); as `naive` otherwise."""
    x, n = _checked(x, n)
    return np.kron(x, np.ones((1, 1, n, n), x.dtype))


def fast(x: Array, n: int) -> Array:
    """Pixels repeated along a row, then whole rows copied, a cacheful at a time; as `naive` otherwise."""
    x, n = _checked(x, n)
    batch, maps, height, width = x.shape
    lines = np.ascontiguousarray(x).reshape(-1, width)
    if n * lines.size <= _CHUNK:
        wide = np.empty((len(lines), n * width), x.dtype)
        _widen(lines, n, wide)
        return np.repeat(wide, n, axis=0).reshape(batch, maps, n * height, n * width)
    out = np.empty((len(lines), n, n * width), x.dtype)
    step = max(1, _CHUNK // (n * n * width))
    wide = np.empty((step, n * width), x.dtype)
    for start in range(0, len(lines), step):
        some = lines[start : start + step]
        _widen(some, n, wide[: len(some)])
        out[start : start + step] = wide[: len(some), None]
    return out.reshape(batch, maps, n * height, n * width)


def _widen(lines: Array, n: int, wide: Array) -> None:
    """Every pixel n times along its row: n strided stores of one pixel each.

    Where two pixels fit in a word, n/2 stores of a word, doubled by a product: its time is per store, not per byte.
    """
    if n % 2 or lines.itemsize not in _WORDS:
        for b in range(n):
            wide[:, b::n] = lines
        return
    single, double = _WORDS[lines.itemsize]
    words, pixels = wide.view(double), lines.view(single)
    for b in range(n // 2):
        words[:, b :: n // 2] = pixels
    words *= double(1 + (1 << 8 * lines.itemsize))
