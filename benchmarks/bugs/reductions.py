"""Bugs of sums, products, norms and means."""

from __future__ import annotations

import numpy as np

from benchmarks.bugs.recipe import Draw, Made, bug


def others(x):
    """Product of all elements but one, for each, without dividing."""
    ahead = np.concatenate([[1.0], np.cumprod(x[:-1])])
    behind = np.concatenate([np.cumprod(x[:0:-1])[::-1], [1.0]])
    return ahead * behind


@bug("product with one zero", "PyTorch #773, MXNet #17864, burn #5533: product / x", "nan")
def product_one_zero(r: Draw) -> Made:
    x = np.array([2.0, 0.0, -1.5, 0.7])
    return np.prod, lambda g, x: g * others(x), lambda g, x: g * np.prod(x) / x, (x,)


@bug("product with two zeros", "tinygrad #17404 (review): the zeros replaced by one, whatever their number")
def product_two_zeros(r: Draw) -> Made:
    def wrong(g, x):
        safe = np.where(x == 0, 1, x)
        return g * np.where(x == 0, np.prod(safe), np.prod(x) / safe)

    return np.prod, lambda g, x: g * others(x), wrong, (np.array([2.0, 0.0, -1.5, 0.0, 0.7]),)


@bug(
    "cumulative product with a zero",
    "TensorFlow #3862, Theano #5317: reverse cumulative sum of y g, over x",
    "nan",
)
def cumprod_zero(r: Draw) -> Made:
    def right(g, x):
        n = len(x)
        return np.array(
            [sum(g[j] * np.prod(np.delete(x[: j + 1], i)) for j in range(i, n)) for i in range(n)]
        )

    def wrong(g, x):
        return np.cumsum((g * np.cumprod(x))[::-1])[::-1] / x

    return np.cumprod, right, wrong, (np.array([1.3, -0.6, 0.0, 2.0, 0.9]),)


@bug(
    "cumulative product, exclusive",
    "DeepLearning4j #5871: an inclusive reverse sum where an exclusive one is meant",
)
def cumprod_exclusive(r: Draw) -> Made:
    def f(x):
        return np.concatenate([np.ones(1, x.dtype), np.cumprod(x)[:-1]])

    def suffix(g, x):
        return np.cumsum((g * f(x))[::-1])[::-1]

    return f, lambda g, x: (suffix(g, x) - g * f(x)) / x, lambda g, x: suffix(g, x) / x, (r(6),)


@bug("squared norm at zero", "jax #4177, autograd #183: 2 ‖x‖ · x/‖x‖", "nan")
def norm_at_zero(r: Draw) -> Made:
    def wrong(g, x):
        size = np.linalg.norm(x)
        return g * 2 * size * (x / size)

    return lambda x: (x * x).sum(), lambda g, x: 2 * g * x, wrong, (np.zeros(4),)


@bug("squared norms, one row zero", "autograd #617: one zero row", "nan")
def norm_of_a_zero_row(r: Draw) -> Made:
    x = r(3, 2)
    x[1] = 0

    def wrong(g, x):
        size = np.linalg.norm(x, axis=-1, keepdims=True)
        return g[:, None] * 2 * size * (x / size)

    return lambda x: (x * x).sum(axis=-1), lambda g, x: 2 * g[:, None] * x, wrong, (x,)


@bug(
    "squared distances of a point to itself",
    "PyTorch #37154, tmol #146: through the distance, 0/0 on the diagonal",
    "nan",
)
def distance_to_itself(r: Draw) -> Made:
    def f(x):
        d = x[:, None] - x[None]
        return (d * d).sum(axis=-1)

    def through(g, d, size):
        each = 2 * g[..., None] * size[..., None] * (d / size[..., None])
        return each.sum(axis=1) - each.sum(axis=0)

    def wrong(g, x):
        d = x[:, None] - x[None]
        return through(g, d, np.sqrt((d * d).sum(axis=-1)))

    def right(g, x):
        d = x[:, None] - x[None]
        return through(g, d, np.ones(g.shape))

    return f, right, wrong, (r(4, 3),)


@bug("logsumexp where some are masked", "jax #23842: exp of what is masked overflows", "nan")
def logsumexp_masked(r: Draw) -> Made:
    keep = np.array([True, True, False, True])

    def f(x):
        kept = x[keep]
        top = kept.real.max()
        return top + np.log(np.exp(kept - top).sum())

    def right(g, x):
        e = np.where(keep, np.exp(np.where(keep, x, 0) - x[keep].max()), 0)
        return g * e / e.sum()

    def wrong(g, x):
        e = keep * np.exp(x - x[keep].max())
        return g * e / (keep * np.exp(x - x[keep].max())).sum()

    return f, right, wrong, (np.array([0.0, -1.0, 900.0, 0.5]),)


@bug("mean over one axis", "DeepLearning4j #7405, Swift #23033: divided by the size of the whole array")
def mean_axis(r: Draw) -> Made:
    return (
        lambda x: x.mean(axis=1),
        lambda g, x: np.repeat(g[:, None], 5, axis=1) / 5,
        lambda g, x: np.repeat(g[:, None], 5, axis=1) / x.size,
        (r(3, 5),),
    )


@bug("mean over an empty list of axes", "PyTorch #28993: the gradient of a sum")
def mean_empty_axes(r: Draw) -> Made:
    return (
        lambda x: x.mean(),
        lambda g, x: np.full(x.shape, g / x.size),
        lambda g, x: np.full(x.shape, float(g)),
        (r(3),),
    )


@bug("standard deviation, N − 1", "no thread, common in course code: the pullback divides by N")
def std_ddof(r: Draw) -> Made:
    def pull(g, x, n):
        centred = x - x.mean(axis=0)
        return g * centred / (np.sqrt((centred * centred).sum(axis=0) / (len(x) - 1)) * n)

    def f(x):
        centred = x - x.mean(axis=0)
        return np.sqrt((centred * centred).sum(axis=0) / (len(x) - 1))

    return f, lambda g, x: pull(g, x, len(x) - 1), lambda g, x: pull(g, x, len(x)), (r(6, 2),)


@bug(
    "intermediate in half precision",
    "Fuser #704: float16 between two fused parts of a backward pass overflows",
    "nan",
)
def half_precision(r: Draw) -> Made:
    return (
        lambda x: 1.5e5 * (x * x).sum(axis=1),
        lambda g, x: 3e5 * g[:, None] * x,
        lambda g, x: (3e5 * g[:, None] * x).astype(np.float16).astype(x.dtype),
        (4 + np.abs(r(3, 4)),),
    )
