"""Down-sampling, the **sum** over each n by n block (notes 3.2, S1; fast path 3.4, K2), not the mean (E5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import convolve2d

from reference._validate import Array, Axes, are_maps, factor

_FEW = 4096
"""Pixels up to which rows are added slice by slice, with fewer calls than the other way has."""

_CHUNK = 1 << 17
"""Sums of rows held at once: a mebibyte of float64, so that they are found in cache when columns are added."""


def _checked(x: Any, n: Any) -> tuple[Array, int]:
    # the right call costs a microsecond here; all that is wrong, or unusual, is told by named axes below
    if are_maps(x) and type(n) is int and n > 0 and x.shape[2] % n == 0 == x.shape[3] % n:
        return x, n
    n = factor("downsample", n)
    axes = Axes("downsample")
    x = axes.take("x", x, "batch maps height width")
    axes.blocks("height", n, "out_height")
    axes.blocks("width", n, "out_width")
    return x, n


def naive(x: Array, n: int) -> Array:
    """Sum over each block, one element at a time: y[r, s] = sum_ab x[n r + a, n s + b] (S1).

    Summed, not averaged; sides that n does not divide are an error, not padded or cut.

    Parameters
    ----------
    x : ndarray, shape (batch, maps, height, width)
        Maps; not changed. NaN makes its own block NaN.
    n : int
        Side of a block; divides height and width.

    Returns
    -------
    ndarray, shape (batch, maps, height / n, width / n)
        In the dtype of `x`, never a view of it.

    Raises
    ------
    TypeError
        Where `x` is not floating.
    ValueError
        Where `x` is empty or not of four axes, n is not an integer of at least 1 or does not divide the
        sides.

    Examples
    --------
    >>> naive(np.array([[[[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]]]]), 2)[0, 0]
    array([[33., 77.]])
    """
    x, n = _checked(x, n)
    out = np.zeros((*x.shape[:2], x.shape[2] // n, x.shape[3] // n), x.dtype)
    for batch, j, r, s in np.ndindex(x.shape):
        out[batch, j, r // n, s // n] += x[batch, j, r, s]
    return out


def notes(x: Array, n: int) -> Array:
    """Convolution with an n by n kernel of ones, then every n-th sample: y = z[0::n, 0::n] (K2).

    'valid', since 'same' is right for no n but 1 and MATLAB's 2 (E7). As `naive` otherwise.
    """
    x, n = _checked(x, n)
    ones = np.ones((n, n), x.dtype)
    out = np.empty((*x.shape[:2], x.shape[2] // n, x.shape[3] // n), x.dtype)
    for batch, j in np.ndindex(x.shape[:2]):
        out[batch, j] = convolve2d(x[batch, j], ones, "valid")[0::n, 0::n]
    return out


def fast(x: Array, n: int) -> Array:
    """Rows of the blocks added whole, then their columns by strided slices, a cacheful at a time; as `naive`
    otherwise.
    """
    x, n = _checked(x, n)
    if n == 1:
        return x.copy("C")
    batch, maps, height, width = x.shape
    lines = x.reshape(-1, n, width)  # a copy only where x is not contiguous
    out = np.empty((len(lines), width // n), x.dtype)
    if x.size <= _FEW:
        rows = lines[:, 0] + lines[:, 1]
        for a in range(2, n):
            rows += lines[:, a]
        _add_columns(rows, n, out)
        return out.reshape(batch, maps, height // n, width // n)
    step = max(1, min(len(lines), _CHUNK // width))
    rows = np.empty((step, width), x.dtype)
    for start in range(0, len(lines), step):
        some = lines[start : start + step]
        # not slice by slice as below: np.add starts anew in every row, at a third of the whole stage's time
        np.einsum("rnw->rw", some, out=rows[: len(some)])
        _add_columns(rows[: len(some)], n, out[start : start + step])
    return out.reshape(batch, maps, height // n, width // n)


def _add_columns(rows: Array, n: int, total: Array) -> None:
    np.add(
        rows[:, 0::n], rows[:, 1::n], out=total
    )  # not a copy and n sums: each goes through memory once more
    for b in range(2, n):
        total += rows[:, b::n]
