"""Bugs of convolution, pooling and resampling. One axis of pixels where one shows the bug."""

from __future__ import annotations

import numpy as np

from benchmarks.bugs.recipe import Draw, Made, bug


def matrix_pair(M, wrong_matrix):
    """f, right and wrong for a linear map x → M x with a wrong adjoint."""
    return lambda x: M @ x, lambda g, x: M.T @ g, lambda g, x: wrong_matrix.T @ g


def windows(size, kernel, stride, pad=0, ceil=False):
    """Start and end of each window, clipped to the padded input."""
    span = size + 2 * pad - kernel
    count = (-(-span // stride) if ceil else span // stride) + 1
    starts = [i * stride - pad for i in range(count)]
    return [(s, min(s + kernel, size + pad)) for s in starts if s < size + pad]


def averaging(size, cells, divisor):
    """Matrix of an average pooling whose window (s, e) is divided by divisor(s, e)."""
    M = np.zeros((len(cells), size))
    for row, (s, e) in enumerate(cells):
        M[row, max(s, 0) : min(e, size)] = 1 / divisor(s, e)
    return M


@bug("average pooling's overhang", "PyTorch #198119, burn #5604: the last window divided by the whole kernel")
def average_overhang(r: Draw) -> Made:
    cells = [*windows(5, 3, 2, ceil=True), (4, 5)]
    right = averaging(5, cells, lambda s, e: e - s)
    return (*matrix_pair(right, averaging(5, cells, lambda s, e: 3)), (r(5, 2),))


@bug("average pooling, padding not counted", "caffe2 (PyTorch #15997): counted in the gradient all the same")
def average_padding(r: Draw) -> Made:
    cells = windows(6, 3, 2, pad=1)
    right = averaging(6, cells, lambda s, e: min(e, 6) - max(s, 0))
    return (*matrix_pair(right, averaging(6, cells, lambda s, e: 3)), (r(6),))


@bug("max pooling with overlapping windows", "NNlib.jl #205, Flux.jl #1197: the last window's gradient only")
def max_overlapping(r: Draw) -> Made:
    x = np.array([0.1, 2.0, -0.3, 0.4, 1.5, 0.7, -1.0])

    def places(x):
        return np.array([i + int(np.argmax(x[i : i + 3])) for i in range(5)])

    def right(g, x):
        dx = np.zeros_like(x)
        np.add.at(dx, places(x), g)
        return dx

    def wrong(g, x):
        dx = np.zeros_like(x)
        dx[places(x)] = g
        return dx

    return lambda x: x[places(x.real)], right, wrong, (x,)


def correlate(x, k, stride=1, dilation=1):
    """y[r] = sum_a x[r stride + a dilation] k[a]."""
    n = (len(x) - dilation * (len(k) - 1) - 1) // stride + 1
    return sum(x[a * dilation :][: (n - 1) * stride + 1 : stride] * k[a] for a in range(len(k)))


def kernel_gradient(g, x, size, stride, dilation):
    return np.array([g @ x[a * dilation :][: (len(g) - 1) * stride + 1 : stride] for a in range(size)])


def input_gradient(g, x, k, stride, dilation):
    dx = np.zeros_like(x)
    for a in range(len(k)):
        dx[a * dilation :][: (len(g) - 1) * stride + 1 : stride] += g * k[a]
    return dx


@bug("stride and dilation exchanged", "candle #2337: in the gradient of a convolution's kernel")
def stride_dilation(r: Draw) -> Made:
    def right(g, x, k):
        return input_gradient(g, x, k, 2, 1), kernel_gradient(g, x, len(k), 2, 1)

    def wrong(g, x, k):
        return right(g, x, k)[0], kernel_gradient(g, x, len(k), 1, 2)

    return lambda x, k: correlate(x, k, 2, 1), right, wrong, (r(11), r(4))


@bug(
    "trailing pixels of a strided convolution",
    "pytorch/xla #2333: no output padding, the gradient too short",
    "shape",
)
def strided_trailing(r: Draw) -> Made:
    def right(g, x, k):
        return input_gradient(g, x, k, 2, 1), kernel_gradient(g, x, len(k), 2, 1)

    def wrong(g, x, k):
        dx, dk = right(g, x, k)
        return dx[: (len(g) - 1) * 2 + len(k)], dk

    return lambda x, k: correlate(x, k, 2), right, wrong, (r(8), r(3))


@bug(
    "transposed convolution with stride 2",
    "PyTorch #63314: the cotangent read at every pixel instead of every other",
)
def transposed_stride(r: Draw) -> Made:
    def f(x, k):
        y = np.zeros(2 * len(x) - 1, np.result_type(x, k))
        y[::2] = x * k
        return y

    return (
        f,
        lambda g, x, k: (g[::2] * k, (g[::2] * x).sum(keepdims=True)),
        lambda g, x, k: (g[: len(x)] * k, (g[::2] * x).sum(keepdims=True)),
        (r(4), r(1)),
    )


@bug("grouped convolution's kernel", "PyTorch #51430: channels of the groups paired in the wrong order")
def grouped_kernel(r: Draw) -> Made:
    def gradients(g, x, k, order):
        dx, dk = np.zeros_like(x), np.zeros_like(k)
        for o in range(4):
            for i in range(2):
                dk[o, i] = kernel_gradient(g[o], x[order(o, i)], 3, 1, 1)
                dx[2 * (o // 2) + i] += input_gradient(g[o], x[0], k[o, i], 1, 1)
        return dx, dk

    def f(x, k):
        return np.stack([sum(correlate(x[2 * (o // 2) + i], k[o, i]) for i in range(2)) for o in range(4)])

    return (
        f,
        lambda g, x, k: gradients(g, x, k, lambda o, i: 2 * (o // 2) + i),
        lambda g, x, k: gradients(g, x, k, lambda o, i: 2 * i + o // 2),
        (r(4, 6), r(4, 2, 3)),
    )


@bug("kernel in another memory order", "candle #3735: a transposed kernel read as if it were contiguous")
def kernel_memory(r: Draw) -> Made:
    def pull(g, x, k):
        return g @ k.T, x.T @ g

    def wrong(g, x, k):
        return pull(g, x, k.ravel(order="K").reshape(k.shape))

    return lambda x, k: x @ k, pull, wrong, (r(2, 3), r(3, 3).T)


def linear_resize(size, out, ratio, shift=0.0):
    """Matrix of a linear resize: output i at i·ratio + shift of the input, clipped to its ends."""
    M = np.zeros((out, size))
    for row in range(out):
        at = min(max(row * ratio + shift, 0.0), size - 1.0)
        left = min(int(at), size - 2)
        M[row, left] += 1 - (at - left)
        M[row, left + 1] += at - left
    return M


@bug(
    "linear resize with aligned corners",
    "PyTorch #5927: the ratio of the sizes where that of the gaps is meant",
)
def aligned_corners(r: Draw) -> Made:
    right = linear_resize(4, 7, 3 / 6)
    return (*matrix_pair(right, linear_resize(4, 7, 4 / 7)), (r(4),))


@bug("linear resize by a fixed window", "FlagGems #5218: outputs outside of the window are dropped")
def resize_window(r: Draw) -> Made:
    right = linear_resize(2, 10, 1 / 9)
    wrong = right * (np.abs(np.arange(10)[:, None] - np.array([0, 9])) <= 7)
    return (*matrix_pair(right, wrong), (r(2),))


@bug("bilinear resize of a portrait", "torch-xpu-ops #4380: the column computed from the height")
def portrait(r: Draw) -> Made:
    rows, columns = linear_resize(5, 10, 0.5, -0.25), linear_resize(2, 4, 0.5, -0.25)
    shifted = np.roll(columns, -1, axis=0)
    return (
        lambda x: rows @ x @ columns.T,
        lambda g, x: rows.T @ g @ columns,
        lambda g, x: rows.T @ g @ shifted,
        (r(5, 2),),
    )


@bug(
    "nearest resize, inverted",
    "PyTorch #97135: from input to output where the forward goes from output to input",
)
def nearest(r: Draw) -> Made:
    source = (np.arange(5) / 1.25).astype(int)

    def right(g, x):
        dx = np.zeros_like(x)
        np.add.at(dx, source, g)
        return dx

    return lambda x: x[source], right, lambda g, x: g[(np.arange(4) * 1.25).astype(int)], (r(4),)


@bug(
    "sampling beyond the border",
    "AiDotNet.Tensors #390 (review): what is clamped to the border gives it nothing",
)
def beyond_border(r: Draw) -> Made:
    places = np.array([-0.7, 0.4, 2.5, 3.6])
    right = np.array([linear_resize(4, 1, 0, p)[0] for p in places])
    wrong = right * ((places >= 0) & (places <= 3))[:, None]
    return (*matrix_pair(right, wrong), (r(4),))
