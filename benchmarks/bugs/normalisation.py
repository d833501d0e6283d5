"""Bugs of batch, layer, group and RMS normalisation."""

from __future__ import annotations

import numpy as np

from benchmarks.bugs.recipe import Draw, Made, bug


def normalise(x, axis=0, epsilon=1e-3):
    """x less its mean, over its standard deviation; and one over that deviation."""
    centred = x - x.mean(axis=axis, keepdims=True)
    r = 1 / np.sqrt((centred * centred).mean(axis=axis, keepdims=True) + epsilon)
    return centred * r, r


def through(h, x, axis=0):
    """Pullback of `normalise`'s first result."""
    y, r = normalise(x, axis)
    return r * (h - h.mean(axis=axis, keepdims=True) - y * (h * y).mean(axis=axis, keepdims=True))


@bug("batch norm without gamma", "Knet.jl #288: the scale never reaches the gradient of x")
def batch_norm_gamma(r: Draw) -> Made:
    def pull(g, x, gamma, scale):
        return through(g * scale, x), (g * normalise(x)[0]).sum(axis=0)

    return (
        lambda x, gamma: gamma * normalise(x)[0],
        lambda g, x, gamma: pull(g, x, gamma, gamma),
        lambda g, x, gamma: pull(g, x, gamma, 1.0),
        (r(5, 3), 1.5 + 0.3 * r(3)),
    )


@bug("batch norm at inference", "TVM #19574, there in the forward pass: through the batch's own statistics")
def batch_norm_inference(r: Draw) -> Made:
    mean, spread = r(3), 0.5 + np.abs(r(3))
    return (
        lambda x: (x - mean) / spread,
        lambda g, x: g / spread,
        lambda g, x: through(g, x),
        (r(4, 3),),
    )


@bug("RMS norm without its weight", "llm.c #763 (review): the weight missing in the backward pass")
def rms_weight(r: Draw) -> Made:
    return rms(r, lambda h, w: h, lambda h, w: 1.0)


@bug("RMS norm with its weight twice", "Megatron-LM #6859: in the variance's term")
def rms_twice(r: Draw) -> Made:
    return rms(r, lambda h, w: h * w, lambda h, w: w)


def rms(r: Draw, inner, outer) -> Made:
    """x w / rms(x); the wrong one takes `inner` of the cotangent and `outer` times the variance's term."""

    def size(x):
        return np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-3)

    def pull(g, x, w, h, factor):
        q = 1 / size(x)
        dx = h * q - factor * x * q**3 * (h * x).mean(axis=1, keepdims=True)
        return dx, (g * x * q).sum(axis=0)

    return (
        lambda x, w: x * w / size(x),
        lambda g, x, w: pull(g, x, w, g * w, 1.0),
        lambda g, x, w: pull(g, x, w, inner(g, w), outer(g, w)),
        (r(3, 4), 1 + 0.5 * r(4)),
    )


@bug("gamma never written", "trueno #178: the gradient of the norm's weight left at zero")
def gamma_zero(r: Draw) -> Made:
    return (
        lambda x, gamma: gamma * normalise(x, 1)[0],
        lambda g, x, gamma: (through(g * gamma, x, 1), (g * normalise(x, 1)[0]).sum(axis=0)),
        lambda g, x, gamma: (through(g * gamma, x, 1), np.zeros_like(gamma)),
        (r(3, 5), r(5)),
    )


@bug("group norm's groups", "tt-metal #56202: group c mod G where c over (C/G) is meant")
def group_of_channel(r: Draw) -> Made:
    def f(x, gamma):
        return (normalise(x.reshape(2, -1), 1)[0].reshape(x.shape)) * gamma[:, None]

    def right(g, x, gamma):
        grouped = x.reshape(2, -1)
        dx = through((g * gamma[:, None]).reshape(2, -1), grouped, 1).reshape(x.shape)
        return dx, (g * normalise(grouped, 1)[0].reshape(x.shape)).sum(axis=1)

    def wrong(g, x, gamma):
        grouped = x.reshape(2, -1)
        mean, q = grouped.mean(axis=1), normalise(grouped, 1)[1][:, 0]
        group = np.arange(4) % 2
        y = (x - mean[group][:, None]) * q[group][:, None]
        return right(g, x, gamma)[0], (g * y).sum(axis=1)

    return f, right, wrong, (np.array([[1.0], [2.0], [-1.0], [3.0]]) + r(4, 3), 1 + 0.3 * r(4))
