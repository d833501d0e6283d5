"""Up-sampling, up(x) = x ⊗ 1_{n×n} (notes 3.1.1, C3; fast path 3.4, K1): every pixel an n by n block."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from reference._validate import Array, Axes, are_maps, factor

_FEW = 4096
"""Pixels up to which each is stored n² times by itself, in n calls: as quick as all the calls of the other way."""

_LONG = 1 << 9
"""Bytes of a row of pixels from which on its rows of the output are written without a buffer, in a loop of its own for
each, whose start costs 10 ns, in which 500 bytes are filled."""

_WRITTEN = 1 << 22
"""Bytes of the output written so at once, in all the passes that it takes: fewer cost more calls, more leave the
caches."""

_HELD = 1 << 21
"""Bytes of widened rows held at once in a buffer, for the same reasons."""

_WORDS: dict[int, tuple[np.dtype[Any], np.dtype[Any]]] = {
    2: (np.dtype("<u2"), np.dtype("<u4")),
    4: (np.dtype("<u4"), np.dtype("<u8")),
}
"""Integers of the bytes of one pixel and of two, the first before the second, by the size of one."""

_AHEAD = 32
"""Bytes by which words are put ahead of their places: a vector's, which then reads aligned what it writes aligned."""

_MOVED = 1 << 11
"""Bytes of a row from which on the C library may copy it by one instruction (rep movsb)."""

_PAGE = 1 << 12
"""Bytes after which addresses are alike to that instruction, which stalls where it reads a little ahead of what it has
just written: with the source 16 bytes before the target, or a page and 16, it takes 1.3 to 3.7 times as long, from half
a page on no longer."""


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
    """Rows written from their pixels, or from one another, some megabytes at a time; as `naive` otherwise."""
    x, n = _checked(x, n)
    batch, maps, height, width = x.shape
    lines = x.reshape(-1, width)  # a copy only where x is not contiguous
    shape = (batch, maps, n * height, n * width)
    if x.size <= _FEW:
        out = np.empty(shape, x.dtype)
        pixels = out.reshape(-1, n, width, n)
        for b in range(n):
            pixels[..., b] = lines[:, None]
        return out
    long = width * x.itemsize >= _LONG
    if long and n == 2 and x.itemsize in _WORDS:
        return _joined(lines, shape)
    out = np.empty(shape, x.dtype)
    write = _write if long and (n == 2 or (n == 4 and 4 <= x.itemsize <= 8)) else _write_copies
    write(lines, out.reshape(-1, n, n * width))
    return out


def _joined(lines: Array, shape: tuple[int, ...]) -> Array:
    """Every pixel twice along both rows of its block, of two bytes or four, in an array of that shape.

    Two passes: pixels are put into words, the other half zero, a little ahead of their places; halves are joined with
    those before them on the way there, x0y0 | 0x0y = xxyy, where NumPy makes no copy since it reads ahead of what it
    writes. Not in place by a product, as in `_widen`, which takes almost half as long again.
    """
    (height, width), (single, double) = lines.shape, _WORDS[lines.itemsize]
    count, row, ahead = 4 * lines.size, 4 * width, _AHEAD // lines.itemsize
    spare = np.empty(count * lines.itemsize + 2 * _AHEAD, np.uint8)
    first = -spare.ctypes.data % _AHEAD
    halves = np.ndarray((count + ahead,), single, spare, first)
    words = np.ndarray((height, 2, width), double, spare, first + _AHEAD)
    halves[ahead - 1], pixels = 0, lines.view(single)[:, None]
    step = max(1, _WRITTEN // (row * lines.itemsize))
    for start in range(0, height, step):
        words[start : start + step] = pixels[start : start + step]
        a, b = row * start, row * min(start + step, height)
        c, d = a + ahead, b + ahead
        np.bitwise_or(halves[c:d], halves[c - 1 : d - 1], out=halves[a:b])
    return np.ndarray(shape, lines.dtype, spare, first)


def _write(lines: Array, blocks: Array) -> None:
    """(rows, width) into (rows, n, n width) with n of 2, or of 4: there pixels twice as large, each two of the same."""
    n, (height, width) = blocks.shape[1], lines.shape
    step = min(height, max(1, _WRITTEN // (n * blocks.strides[1])))
    if n == 4:
        pairs, twice = np.empty((step, 2 * width), lines.dtype), _item(2 * lines.itemsize)
        items, blocks = pairs.view(twice), blocks.view(twice)
    for start in range(0, height, step):
        some = lines[start : start + step]
        if n == 4:
            _widen(some, 2, pairs[: len(some)])
            some = items[: len(some)]
        _write_twice(some, blocks[start : start + step])


def _write_twice(lines: Array, blocks: Array) -> None:
    """Every pixel twice along each row of its block, (rows, width) into (rows, n, 2 width).

    In one pass over the output where two pixels are the 16 bytes that NumPy copies without a call for each item, of
    neighbours as in `_double`; of larger ones in two.
    """
    (rows, width), n, row = lines.shape, blocks.shape[1], blocks.strides[1]
    if lines.itemsize == 8:
        neighbours = np.ndarray((rows, 1, width - 1), _item(16), lines, 0, (8 * width, 0, 8))
        np.ndarray((rows, n, width - 1), _item(16), blocks, 8, (n * row, row, 16))[...] = neighbours
        blocks[..., :: 2 * width - 1] = lines[:, None, :: max(1, width - 1)]
    else:
        for b in range(2):
            blocks[..., b::2] = lines[:, None]


def _write_copies(lines: Array, blocks: Array) -> None:
    """(rows, width) into (rows, n, n width): pixels repeated along a row in a buffer, and copies of it written."""
    _, n, columns = blocks.shape
    step = min(len(lines), max(1, _HELD // blocks.strides[1]))
    wide = _buffer(step, columns, blocks)
    for start in range(0, len(lines), step):
        some = lines[start : start + step]
        _widen(some, n, wide[: len(some)])
        _copy(wide[: len(some)], n, blocks[start : start + step])


def _buffer(rows: int, columns: int, out: Array) -> Array:
    """Rows to be widened, where neither the stores into them nor the copies to `out` stall.

    Short ones lie where `_double` stores pairs of 8 bytes each at multiples of 16, which takes an eighth less than
    across lines of the cache; long ones half a page from `out`.
    """
    row, dtype = columns * out.itemsize, out.dtype
    if row >= _MOVED:
        spare = np.empty(rows * row + _PAGE, np.uint8)
        skipped = (out.ctypes.data + _PAGE // 2 - spare.ctypes.data) % _PAGE
    elif dtype.itemsize == 8:
        spare, skipped = np.empty(rows * row + 8, np.uint8), 8
    else:
        return np.empty((rows, columns), dtype)
    return np.ndarray((rows, columns), dtype, spare, skipped)


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
    words *= double.type(1 + (1 << 8 * lines.itemsize))
    return None


def _copy(wide: Array, n: int, blocks: Array) -> None:
    """Every row n times, (rows, width) into (rows, n, width)."""
    size = wide.strides[0]
    if n == 2:
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
