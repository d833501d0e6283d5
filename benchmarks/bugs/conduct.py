"""Bugs of what a pullback does besides answering: to its arguments, its other results, its next answer.

At the first call, with a contiguous cotangent, every one of these returns the right numbers.
"""

from __future__ import annotations

from itertools import count

import numpy as np

from benchmarks.bugs.recipe import Draw, Made, bug


@bug(
    "cotangent overwritten", "torch/nn #409: ReLU in place, on the gradient that it was handed", "side effect"
)
def overwrites_cotangent(r: Draw) -> Made:
    def wrong(g, x):
        g[x <= 0] = 0
        return g.copy()

    return lambda x: np.where(x.real > 0, x, 0), lambda g, x: np.where(x > 0, g, 0), wrong, (r(8),)


@bug(
    "halved in place",
    "pytorch_fft #38: clones its cotangent before halving it; this one does not",
    "side effect",
)
def halves_cotangent(r: Draw) -> Made:
    def right(g, x):
        return 3 * g / 2 * x**2

    def wrong(g, x):
        g /= 2
        return 3 * g * x**2

    return lambda x: x**3 / 2, right, wrong, (r(5),)


@bug(
    "input overwritten",
    "no thread: what reusing an activation's buffer for its gradient risks",
    "side effect",
)
def overwrites_input(r: Draw) -> Made:
    def wrong(g, x):
        np.multiply(g, np.cos(x), out=x)
        return x.copy()

    return np.sin, lambda g, x: g * np.cos(x), wrong, (r(6),)


@bug(
    "gradients left from the call before",
    "torch/nn #792, micrograd #102: added to, never cleared",
    "side effect",
)
def accumulates(r: Draw) -> Made:
    kept = np.zeros(5)

    def wrong(g, x):
        kept[:] += 2 * g * x
        return kept.copy()

    return lambda x: x * x, lambda g, x: 2 * g * x, wrong, (r(5),)


@bug(
    "one buffer for every call",
    "Paddle #3689: a result is overwritten by the next call's",
    "side effect",
)
def one_buffer(r: Draw) -> Made:
    buffer = np.zeros(5)

    def wrong(g, x):
        buffer[:] = g * np.exp(x)
        return buffer

    return np.exp, lambda g, x: g * np.exp(x), wrong, (r(5),)


@bug("lost updates", "MXNet #19817: the gradient of take differs from call to call", "side effect")
def lost_updates(r: Draw) -> Made:
    index, calls = np.array([0, 1, 1, 2, 1]), count()

    def right(g, x):
        dx = np.zeros_like(x)
        np.add.at(dx, index, g)
        return dx

    def wrong(g, x):
        dx = right(g, x)
        lost = next(calls) % 3
        return dx if not lost else dx - g[2 * lost] * np.eye(len(x))[index[2 * lost]]

    return lambda x: x[index], right, wrong, (r(4),)


@bug(
    "cotangent in another memory order",
    "torch/nn #345, flash-attention #355: read as if it were contiguous",
    "side effect",
)
def cotangent_order(r: Draw) -> Made:
    return (
        lambda x: np.tanh(x),
        lambda g, x: g * (1 - np.tanh(x) ** 2),
        lambda g, x: g.ravel(order="K").reshape(x.shape) * (1 - np.tanh(x) ** 2),
        (r(3, 4),),
    )


@bug(
    "cotangent of stride zero",
    "TransformerEngine #623: an expanded gradient read past its one element",
    "side effect",
)
def cotangent_stride(r: Draw) -> Made:
    def memory(g):
        held = g[tuple(slice(None) if stride else slice(1) for stride in g.strides)].ravel()
        return np.concatenate([held, np.zeros(g.size - held.size)]).reshape(g.shape)

    return (
        lambda x: x * x / 2,
        lambda g, x: g * x,
        lambda g, x: memory(g) * x,
        (r(4, 3),),
    )


@bug(
    "input in another memory order",
    "PyTorch #30303, candle #3735: right for contiguous inputs alone",
    "side effect",
)
def input_order(r: Draw) -> Made:
    return (
        lambda x: x**3,
        lambda g, x: 3 * g * x**2,
        lambda g, x: 3 * g * x.ravel(order="K").reshape(x.shape) ** 2,
        (r(4, 3),),
    )


@bug(
    "two gradients in one buffer",
    "oneflow #9497: a sum hands both of its terms the same array",
    "side effect",
)
def shared_buffer(r: Draw) -> Made:
    def wrong(g, a, b):
        both = 2 * g
        return both, both

    return lambda a, b: 2 * (a + b), lambda g, a, b: (2 * g, 2 * g), wrong, (r(4), r(4))
