"""Up-sampling, up(x) = x ⊗ 1_{n×n} (notes 3.1.1, C3; fast path 3.4, K1): every pixel an n by n block."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from reference._validate import Array, Axes, are_maps, factor

_FEW = 4096
"""Pixels up to which each is stored n² times by itself, in n calls: as quick as all the calls of the other way."""

_HELD = 1 << 21
"""Bytes of widened rows held at once: fewer cost more calls, more leave the caches."""

_WORDS = {2: (np.uint16, np.uint32), 4: (np.uint32, np.uint64)}
"""Integers of the bytes of one pixel and of two, by the size of one."""

_LONGEST = 1 << 20
"""Bytes of a row up to which two are copied as one item, whose size NumPy keeps below 2 GiB; a longer row costs the
call that copies it next to nothing."""


def _checked(x: Any, n: Any) -> tuple[Array, int]:
    # the right call costs half a microsecond here; all that is wrong, or unusual, is told by named axes below
    if are_maps(x) and type(n) is int and n > 0:
        return x, n
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
    lines = x.reshape(-1, width)  # a copy only where x is not contiguous
    out = np.empty((batch, maps, n * height, n * width), x.dtype)
    if x.size <= _FEW:
        pixels = out.reshape(-1, n, width, n)
        for b in range(n):
            pixels[..., b] = lines[:, None]
        return out
    blocks = out.reshape(-1, n, n * width)
    step = min(len(lines), max(1, _HELD // (n * width * x.itemsize)))
    wide = np.empty((step, n * width), x.dtype)
    for start in range(0, len(lines), step):
        some = lines[start : start + step]
        _widen(some, n, wide[: len(some)])
        _copy(wide[: len(some)], n, blocks[start : start + step])
    return out


def _widen(lines: Array, n: int, wide: Array) -> None:
    """Every pixel n times along its row: n strided stores of one pixel each.

    Fewer where they can be, since a store costs the same whatever its bytes: of two pixels that fit in a word, a word
    doubled by a product, with n/2 stores.
    """
    if n == 2 and lines.itemsize == 8:
        return _double(lines, 8, wide)
    if n % 2 or lines.itemsize not in _WORDS:
        for b in range(n):
            wide[:, b::n] = lines
        return None
    single, double = _WORDS[lines.itemsize]
    words, pixels = wide.view(double), lines.view(single)
    for b in range(n // 2):
        words[:, b :: n // 2] = pixels
    words *= double(1 + (1 << 8 * lines.itemsize))
    return None


def _copy(wide: Array, n: int, blocks: Array) -> None:
    """Every row n times, (rows, width) into (rows, n, width)."""
    size = wide.strides[0]
    if n == 2 and size <= _LONGEST:
        _double(wide, size, blocks)
    else:
        rows = np.repeat(
            np.arange(len(wide)), n
        )  # not blocks[...] = wide[:, None], which starts anew in every row
        np.take(wide, rows, axis=0, out=blocks.reshape(len(rows), -1), mode="clip")


def _double(source: Array, size: int, out: Array) -> None:
    """Every item of so many bytes twice, a b c to a a b b c c, in half as many copies as there are items in `out`.

    But for its ends that is the row of all neighbours, ab bc: items of twice the size, read at overlapping places and
    written one after the other.
    """
    count, item, pair = source.nbytes // size, _item(size), _item(2 * size)
    neighbours = np.ndarray((count - 1,), pair, source, 0, (size,))
    np.ndarray((count - 1,), pair, out, size)[...] = neighbours
    ends = np.ndarray((2,), item, source, 0, ((count - 1) * size,))
    np.ndarray((2,), item, out, 0, ((2 * count - 1) * size,))[...] = ends


@cache
def _item(size: int) -> np.dtype[np.void]:
    """So many bytes as one item, whatever they mean."""
    return np.dtype((np.void, size))
