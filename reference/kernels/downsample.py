"""Down-sampling, the **sum** over each n by n block (notes 3.2, S1; fast path 3.4, K2), not the mean (E5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import convolve2d

from reference._validate import Array, Axes, factor

_CHUNK = 1 << 17
"""Elements added at once: a mebibyte of float64, so that the sums of rows are found in cache."""


def _checked(x: Any, n: Any) -> tuple[Array, int]:
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
    batch, maps, height, width = x.shape
    lines = x.reshape(-1, n, width)  # a copy only where x is not contiguous
    out = np.empty((len(lines), width // n), x.dtype)
    step = max(1, _CHUNK // (n * width))
    for start in range(0, len(lines), step):
        some = lines[start : start + step]
        rows = some[:, 0].copy()
        for a in range(1, n):
            rows += some[:, a]
        part = out[start : start + step]
        part[...] = rows[:, 0::n]
        for b in range(1, n):
            part += rows[:, b::n]
    return out.reshape(batch, maps, height // n, width // n)
