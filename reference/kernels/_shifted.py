"""Convolution as matrix products of shifted copies, arranged so that few copies are made and none too large.

The textbook way copies every window, kernel_height kernel_width times the maps, into one matrix and multiplies
once. Here the maps are laid out with their rows first, (height, maps, width, batch), and copied kernel_width
times only, once for each shift along a row. The windows under one row of the output then lie together, row of
the kernel after row of the kernel: a matrix that overlaps that of the next row, so that a *view* of them all
is a stack of matrices, and `np.matmul` multiplies it as it lies.

With the batch last, shifts along a row are shifts by whole batches: long copies also where maps are small.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference._validate import Array, rot180

PRODUCTS = 10**6
"""Products of two numbers in one matrix product: OpenBLAS takes up to 100³ without packing its operands first,
which for the few rows that a kernel makes costs as much as the product."""
SHARES = 20_000
"""Elements up to which `full` makes all shares by one product: the calls that this spares cost more than what it
multiplies with zeros. Measured from 1,000 to 100,000 elements, on one machine."""
COPIES = 1 << 18
"""Elements of shifted copies held at once, two mebibytes of float64: what a core's second cache holds."""


def valid(x: Array, k: Array) -> Array:
    """C1: sum_i conv2(x_i, k_ij, 'valid'); shapes as for `convolve.valid_naive`, nothing is checked."""
    (batch, maps, height, width), (_, out_maps, rows, columns) = x.shape, k.shape
    down, across = height - rows + 1, width - columns + 1
    weights = rot180(k).transpose(1, 2, 0, 3).reshape(out_maps, -1)
    out = np.empty((batch, out_maps, down, across), np.result_type(x, k))
    for some, top, bottom in _pieces(batch, down, rows, maps * columns * across, weights.size * across):
        part = x[some, :, top : bottom + rows - 1]
        size = len(part) * across
        copies = _shifted_rows(part, columns, across)
        shape = (bottom - top, rows * maps * columns, size)
        windows = _view(copies, shape, (maps * columns * size, size, 1))
        if len(part) == 1:
            np.matmul(weights, windows, out=out[some.start, :, top:bottom].swapaxes(0, 1))
            continue
        product = np.matmul(weights, windows).reshape(bottom - top, out_maps, across, len(part))
        out[some, :, top:bottom] = product.transpose(3, 1, 0, 2)
    return out


def full(d: Array, k: Array) -> Array:
    """C7: sum_j conv2(d_j, k_ij, 'full'); shapes as for `convolve.full_naive`, nothing is checked.

    Kernels must be finite: each meets the rows of zeros around `d`.
    """
    (batch, out_maps, down, across), (maps, _, rows, columns) = d.shape, k.shape
    height, width = down + rows - 1, across + columns - 1
    if batch * maps * rows * columns * height * width <= SHARES:
        return _full_at_once(d, k)
    weights = k[:, :, ::-1].transpose(3, 0, 2, 1).reshape(columns * maps, rows * out_maps)
    work, products = maps * columns * width, weights.size * across
    if batch == 1 and work * (height + rows - 1) <= COPIES and products <= PRODUCTS:  # one piece is all
        framed = np.zeros((height + rows - 1, out_maps, across, 1), d.dtype)
        framed[rows - 1 : height, ..., 0] = d[0].swapaxes(0, 1)
        return _rows_of_full(framed, weights, rows, columns).reshape(1, maps, height, width)
    out = np.empty((batch, maps, height, width), np.result_type(d, k))
    for some, top, bottom in _pieces(batch, height, rows, work, products):
        total = _rows_of_full(_framed(d[some], top - rows + 1, bottom), weights, rows, columns)
        out[some, :, top:bottom] = total.reshape(maps, bottom - top, width, -1).transpose(3, 0, 1, 2)
    return out


def _rows_of_full(part: Array, weights: Array, rows: int, columns: int) -> Array:
    """Rows of all output maps from what `_framed` has above and beside them: one run of (maps, rows, width, batch)."""
    count, (out_maps, across, batch) = len(part) - rows + 1, part.shape[1:]
    size, width = across * batch, across + columns - 1
    windows = _view(part, (count, rows * out_maps, size), (out_maps * size, size, 1))
    shares = np.zeros((len(weights), count, width * batch), np.result_type(part, weights))
    # a product for each row, but the rows of a share one below the other, so that one sum takes all of them
    np.matmul(weights, windows, out=shares.swapaxes(0, 1)[..., :size])
    return _leant(shares, columns, batch)


def _full_at_once(d: Array, k: Array) -> Array:
    """All shares by one product of d in a frame of zeros, then the sum of a view that leans along both axes."""
    (batch, out_maps, down, across), (maps, _, rows, columns) = d.shape, k.shape
    height, width = down + rows - 1, across + columns - 1
    framed = np.zeros((out_maps, batch, height, width), d.dtype)
    framed[:, :, :down, :across] = d.swapaxes(0, 1)
    shares = k.transpose(2, 3, 0, 1).reshape(-1, out_maps) @ framed.reshape(out_maps, -1)
    run = shares.size // (rows * columns)
    # as in `_leant`; share (a, b) finds what it lacks in the last a rows and b columns of the one before
    view = _view(shares, (rows, columns, run), (columns * run - width, run - 1, 1))
    total = np.add.reduce(view, axis=(0, 1)).reshape(maps, batch, height, width)
    return np.ascontiguousarray(total.swapaxes(0, 1))


def _framed(d: Array, first: int, last: int) -> Array:
    """Rows first to last of d, zeros where it has none, as (rows, maps, width, batch)."""
    batch, maps, height, width = d.shape
    framed = np.zeros((last - first, maps, width, batch), d.dtype)
    start, stop = max(first, 0), min(last, height)
    framed[start - first : stop - first] = d[:, :, start:stop].transpose(2, 1, 3, 0)
    return framed


def _leant(shares: Array, columns: int, batch: int) -> Array:
    """The sum over b of every share b moved b to the right: (columns maps, rows, width batch) to one run of all maps.

    Each row of a map ends in columns - 1 zeros, so that a pitch of the shares that is one pixel short moves every
    share one further, and what it lacks on the left of a row it finds in the zeros of the row before: one sum of
    a view, not a sum for each b.
    """
    run = shares.size // columns
    return np.asarray(np.add.reduce(_view(shares, (columns, run), (run - batch, 1)), axis=0))


def gradient(maps: Array, deltas: Array) -> Array:
    """The kernel gradient; shapes as for `convolve.kernel_gradient_naive`, nothing is checked."""
    (batch, in_maps, height, width), (_, out_maps, down, across) = maps.shape, deltas.shape
    rows, columns = height - down + 1, width - across + 1
    work = in_maps * columns * across
    if batch == 1 and work * height <= COPIES and work * down * out_maps <= PRODUCTS:  # one piece is all
        copies = _columns_of_one(maps, columns, across)
        moved = _view(copies, (rows, in_maps * columns, down * across), (across, height * across, 1))
        total = moved @ deltas.reshape(out_maps, -1).T
    else:
        products = _products(maps, deltas, rows, columns)
        total = next(products)
        for product in products:
            total += product
    turned = total.reshape(rows, in_maps, columns, out_maps)[::-1, :, ::-1]
    return turned.transpose(1, 3, 0, 2).copy()


def _products(maps: Array, deltas: Array, rows: int, columns: int) -> Iterator[Array]:
    """What sums to the gradient, not turned, as (rows, in_maps columns, out_maps): copies times deltas."""
    (batch, in_maps, _, _), (_, out_maps, down, across) = maps.shape, deltas.shape
    work = in_maps * columns * across
    for some, top, bottom in _pieces(batch, down, rows, work, work * out_maps * down):
        moved = _moved(maps[some, :, top : bottom + rows - 1], rows, columns, across)
        given = deltas[some, :, top:bottom].transpose(1, 2, 3, 0).reshape(out_maps, -1).T
        step = max(1, PRODUCTS // (in_maps * columns * out_maps))
        for start in range(0, len(given), step):
            yield moved[..., start : start + step] @ given[start : start + step]


def _moved(maps: Array, rows: int, columns: int, across: int) -> Array:
    """Copies for each row a of the kernel moved by a rows, which is a view: (rows, in_maps columns, pixels)."""
    copies = _shifted_columns(maps, columns, across)
    held = copies.shape[1]
    size = held // maps.shape[2]  # of a row of the output
    return _view(copies, (rows, len(copies), held - (rows - 1) * size), (size, held, 1))


def _pieces(batch: int, down: int, rows: int, copied: int, products: int) -> list[tuple[slice, int, int]]:
    """Parts of the batch, and of the output's rows from top to bottom, that keep within the limits above.

    `copied` is what one image's row has of copies, `products` what one matrix product has of each image.
    """
    some = max(1, min(PRODUCTS // products, COPIES // (copied * (down + rows - 1)), batch))
    high = max(rows, COPIES // (copied * some) - rows + 1)
    if some >= batch and high >= down:  # the rule for a small image, whose time is that of such lines
        return [(slice(0, batch), 0, down)]
    return [
        (slice(start, start + some), top, min(top + high, down))
        for start in range(0, batch, some)
        for top in range(0, down, high)
    ]


def _shifted_rows(x: Array, columns: int, across: int) -> Array:
    """Copies of the maps for every shift along a row, (height, maps, columns, across batch)."""
    batch, maps, height, width = x.shape
    if batch == 1:  # lies as it is wanted, but for the order of its first axes
        source, pixels = np.ascontiguousarray(x), (width, height * width, 1)
    else:
        source, pixels = np.ascontiguousarray(x.transpose(2, 1, 3, 0)), (maps * width, width, 1)
    return _copied(source, (height, maps, columns), pixels, across * batch, batch)


def _shifted_columns(x: Array, columns: int, across: int) -> Array:
    """The same, (maps columns, height across batch)."""
    batch, maps, height, width = x.shape
    source = np.ascontiguousarray(x if batch == 1 else x.transpose(1, 2, 3, 0))
    shape, pixels = (maps, columns, height), (height * width, 1, width)
    return _copied(source, shape, pixels, across * batch, batch).reshape(maps * columns, -1)


def _columns_of_one(x: Array, columns: int, across: int) -> Array:
    """The same of one image: (maps, columns, height, across)."""
    _, maps, height, width = x.shape
    shape, pixels = (maps, columns, height, across), (height * width, 1, width, 1)
    return _view(np.ascontiguousarray(x), shape, pixels).copy()


def _copied(source: Array, shape: tuple[int, ...], pixels: tuple[int, ...], run: int, batch: int) -> Array:
    strides = [pixel * batch for pixel in pixels]
    return np.ascontiguousarray(_view(source, (*shape, run), (*strides, 1)))


def _view(array: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """A view of a contiguous array, strides in elements: `as_strided` costs three times as much to set up."""
    size = array.itemsize
    return np.ndarray(shape, array.dtype, array, 0, [size * each for each in strides])
