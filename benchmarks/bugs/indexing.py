"""Bugs of what gathers, scatters, orders and slices."""

from __future__ import annotations

import numpy as np

from benchmarks.bugs.recipe import Draw, Made, bug


@bug("gather with a repeated index", "PyTorch #1631, Paddle #17509, MXNet #9172: the last one wins")
def gather_repeated(r: Draw) -> Made:
    index = np.array([2, 0, 2, 1, 2])

    def right(g, x):
        dx = np.zeros_like(x)
        np.add.at(dx, index, g)
        return dx

    def wrong(g, x):
        dx = np.zeros_like(x)
        dx[index] = g
        return dx

    return lambda x: x[index], right, wrong, (r(4, 3),)


@bug("gather by scatter-add's pullback", "AiDotNet.Tensors #894: a gather where a scatter is meant")
def gather_gathered(r: Draw) -> Made:
    index = np.array([3, 1, 1])

    def right(g, x):
        dx = np.zeros_like(x)
        np.add.at(dx, index, g)
        return dx

    return lambda x: x[index], right, lambda g, x: g[index[np.arange(len(x)) % 3] % 3], (r(5, 2),)


@bug("scatter of a larger source", "PyTorch #94336: the source's gradient in the shape of the index", "shape")
def scatter_source(r: Draw) -> Made:
    index = np.array([1, 3])

    def f(base, source):
        total = base + np.zeros(1, source.dtype)
        total[index] += source[:2]
        return total

    def right(g, base, source):
        return g.copy(), np.concatenate([g[index], np.zeros(len(source) - 2)])

    return f, right, lambda g, base, source: (g.copy(), g[index]), (r(4), r(5))


@bug("embedding's padding row", "PyTorch #26302: gradient for the row that the forward pass masks")
def embedding_padding(r: Draw) -> Made:
    tokens = np.array([0, 2, 1, 0, 2])
    kept = (tokens != 0)[:, None]

    def pull(g, W):
        dW = np.zeros_like(W)
        np.add.at(dW, tokens, g)
        return dW

    return lambda W: np.where(kept, W[tokens], 0), lambda g, W: pull(g * kept, W), pull, (r(4, 3),)


@bug("embedding scaled by frequency", "PyTorch #190063: the frequency of another token")
def embedding_frequency(r: Draw) -> Made:
    tokens = np.array([1, 1, 3])
    counts = np.array([0, 2, 0, 1])

    def pull(g, W, scale):
        dW = np.zeros_like(W)
        np.add.at(dW, tokens, g / scale[:, None])
        return dW

    return (
        lambda W: W[tokens] / counts[tokens][:, None],
        lambda g, W: pull(g, W, counts[tokens]),
        lambda g, W: pull(g, W, counts[tokens[[0, 0, 1]]]),
        (r(4, 3),),
    )


@bug("top k", "mlx #1428: the places of the partitioned array taken for those of the input")
def top_k(r: Draw) -> Made:
    x = np.array([[1.0, 2.0, 6.0, 4.0, 5.0], [9.0, 5.5, 6.0, 7.0, 8.0]])

    def right(g, x):
        dx = np.zeros_like(x)
        np.put_along_axis(dx, np.argsort(x, axis=1)[:, -2:], g, axis=1)
        return dx

    def wrong(g, x):
        dx = np.zeros_like(x)
        dx[:, 2:4] = g
        return dx

    return lambda x: np.sort(x, axis=1)[:, -2:], right, wrong, (x,)


@bug("sort by its own permutation", "no thread, common in course code: g[order] where its inverse is meant")
def sort_permutation(r: Draw) -> Made:
    x = np.array([2.0, 0.4, 1.1, -1.0, 0.2])
    return np.sort, lambda g, x: g[np.argsort(np.argsort(x))], lambda g, x: g[np.argsort(x)], (x,)


@bug(
    "median of an even number",
    "Paddle #42385 (review): the whole gradient to both in the middle",
    reference="differences",
)
def median_even(r: Draw) -> Made:
    def middle(x):
        return np.argsort(x)[len(x) // 2 - 1 : len(x) // 2 + 1]

    def pull(g, x, share):
        dx = np.zeros_like(x)
        dx[middle(x)] = share * g
        return dx

    x = np.array([0.3, 2.0, -1.0, 1.1, 0.8, -2.2])
    return np.median, lambda g, x: pull(g, x, 0.5), lambda g, x: pull(g, x, 1.0), (x,)


@bug(
    "maximum by closeness", "mni-ml/framework #22 (review): every element within 1e-2 of the maximum gets it"
)
def maximum_close(r: Draw) -> Made:
    x = np.array([[0.3, 1.000, 0.994], [2.0, -1.0, 0.1]])

    def pull(g, x, tolerance):
        return g[:, None] * (x >= x.max(axis=1, keepdims=True) - tolerance)

    return lambda x: x.max(axis=1), lambda g, x: pull(g, x, 0), lambda g, x: pull(g, x, 1e-2), (x,)


@bug("roll", "MXNet #15902 (review): rolled on instead of back")
def roll(r: Draw) -> Made:
    return (
        lambda x: np.roll(x, 2, axis=1),
        lambda g, x: np.roll(g, -2, axis=1),
        lambda g, x: np.roll(g, 2, axis=1),
        (r(2, 5),),
    )


@bug("slice with a negative step", "cgt #13: put back in the order of a positive one")
def slice_negative(r: Draw) -> Made:
    def pull(g, x, where):
        dx = np.zeros_like(x)
        dx[where] = g
        return dx

    return (
        lambda x: x[7:1:-2],
        lambda g, x: pull(g, x, slice(7, 1, -2)),
        lambda g, x: pull(g, x, slice(3, 8, 2)),
        (r(9),),
    )
