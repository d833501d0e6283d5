"""Bugs of functions of one element, or of a pair, wherever they are evaluated."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from benchmarks.bugs.recipe import Draw, Made, bug


@bug("arctan2 swapped", "mlx #2453: the two gradients in each other's place", reference="differences")
def arctan2_swapped(r: Draw) -> Made:
    def right(g, y, x):
        s = x * x + y * y
        return g * x / s, -g * y / s

    return np.arctan2, right, lambda g, y, x: right(g, y, x)[::-1], (r(5), 1 + np.abs(r(5)))


@bug("one gradient for two inputs", "mlx #2453: arctan2 returned only one", "shape", "differences")
def one_for_two(r: Draw) -> Made:
    def right(g, y, x):
        s = x * x + y * y
        return g * x / s, -g * y / s

    return np.arctan2, right, lambda g, y, x: right(g, y, x)[:1], (r(4), 1 + np.abs(r(4)))


@bug("leaky ReLU in place", "torch/nn #409 (review): the slope assigned instead of multiplied")
def leaky_assigned(r: Draw) -> Made:
    return (
        lambda x: np.where(x.real > 0, x, 0.1 * x),
        lambda g, x: np.where(x > 0, g, 0.1 * g),
        lambda g, x: np.where(x > 0, g, 0.1),
        (r(12),),
    )


ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


@bug("SELU from its output", "RubixML #427: scale (y + alpha) where y + scale·alpha is meant")
def selu_from_output(r: Draw) -> Made:
    def f(x):
        return SCALE * np.where(x.real > 0, x, ALPHA * np.expm1(np.where(x.real > 0, 0, x)))

    return (
        f,
        lambda g, x: g * np.where(x > 0, SCALE, f(x) + SCALE * ALPHA),
        lambda g, x: g * np.where(x > 0, SCALE, SCALE * (f(x) + ALPHA)),
        (r(12),),
    )


@bug("tanh's slope with a plus", "neural-network-from-scratch #2: 1 + y², the tangent's")
def tanh_plus(r: Draw) -> Made:
    return np.tanh, lambda g, x: g * (1 - np.tanh(x) ** 2), lambda g, x: g * (1 + np.tanh(x) ** 2), (r(7),)


@bug(
    "GELU by the other formula",
    "PyTorch for MPS (kulinseth #284): the tanh approximation's slope for the exact GELU",
    reference="differences",
)
def gelu_other(r: Draw) -> Made:
    def wrong(g, x):
        c = math.sqrt(2 / math.pi)
        t = np.tanh(c * (x + 0.044715 * x**3))
        return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x))

    return (
        lambda x: x * special.ndtr(x),
        lambda g, x: g * (special.ndtr(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
        wrong,
        (r(20),),
    )


@bug(
    "product of a variable with itself",
    "nn-zero-to-hero (micrograd): the second use overwrites",
)
def used_twice(r: Draw) -> Made:
    return (
        lambda x: x * x + np.sin(x),
        lambda g, x: g * (2 * x + np.cos(x)),
        lambda g, x: g * np.cos(x),
        (r(5),),
    )


@bug("subtrahend's sign", "micrograd_c #1: a − b gives b the gradient of a")
def subtrahend(r: Draw) -> Made:
    return (
        lambda a, b: a - 2 * b,
        lambda g, a, b: (g.copy(), -2 * g),
        lambda g, a, b: (g.copy(), 2 * g),
        (r(3, 2), r(3, 2)),
    )


@bug("divisor's gradient", "karpathy.github.io #10: 1/b² without the dividend")
def divisor(r: Draw) -> Made:
    b = 2 + np.abs(r(4))
    return (
        lambda a, b: a / b,
        lambda g, a, b: (g / b, -g * a / b**2),
        lambda g, a, b: (g / b, -g / b**2),
        (r(4), b),
    )


@bug(
    "log density at alpha = 1",
    "jax #15598: xlogy's gradient in its first argument is 0 at 0 instead of log y",
)
def density_at_one(r: Draw) -> Made:
    x = np.array([0.5, 0.2, 0.9])

    def f(a, b):
        return (
            (a - 1) * np.log(x)
            + (b - 1) * np.log1p(-x)
            - special.loggamma(a)
            - special.loggamma(b)
            + special.loggamma(a + b)
        )

    def right(g, a, b):
        both = special.digamma(a + b)
        return g * (np.log(x) - special.digamma(a) + both), g * (np.log1p(-x) - special.digamma(b) + both)

    def wrong(g, a, b):
        first, second = right(g, a, b)
        return first - np.where(a == 1, g * np.log(x), 0), second - np.where(b == 1, g * np.log1p(-x), 0)

    return f, right, wrong, (np.array([1.0, 1.0, 2.5]), np.array([1.0, 3.0, 1.0]))


@bug(
    "digamma left of zero",
    "jax #37635: the trigamma of the reflected argument without the reflection's own term",
)
def digamma_reflected(r: Draw) -> Made:
    def trigamma(x):
        return (np.pi / np.sin(np.pi * x)) ** 2 - special.polygamma(1, 1 - x)

    return (
        special.digamma,
        lambda g, x: g * trigamma(x),
        lambda g, x: -g * special.polygamma(1, 1 - x),
        (np.array([-16.5, -2.3, -19.5]),),
    )


@bug("Huber loss without its cotangent", "chainer #1178: right only where the incoming gradient is one")
def huber_cotangent(r: Draw) -> Made:
    def f(d):
        small = np.abs(d.real) <= 1
        return np.where(small, d * d / 2, np.where(d.real > 0, d, -d) - 0.5).sum(axis=1)

    return (
        f,
        lambda g, d: g[:, None] * np.clip(d, -1, 1),
        lambda g, d: np.clip(d, -1, 1),
        (2 * r(4, 3),),
    )


@bug("smooth L1 with beta", "PyTorch #17447 (review): the threshold stays at 1")
def smooth_beta(r: Draw) -> Made:
    beta = 0.3

    def f(d):
        small = np.abs(d.real) < beta
        return np.where(small, d * d / (2 * beta), np.where(d.real > 0, d, -d) - beta / 2)

    return (
        f,
        lambda g, d: g * np.clip(d / beta, -1, 1),
        lambda g, d: g * np.where(np.abs(d) < 1, d / beta, np.sign(d)),
        (r(15),),
    )


@bug("clamp's bounds", "PyTorch #52695: bounds that are arrays, and get no gradient")
def clamp_bounds(r: Draw) -> Made:
    x, low, high = r(9), -0.5 + 0.1 * r(9), 0.5 + 0.1 * r(9)

    def right(g, x, low, high):
        below, above = x < low, x > high
        return g * ~(below | above), g * below, g * above

    def wrong(g, x, low, high):
        return right(g, x, low, high)[0], np.zeros_like(g), np.zeros_like(g)

    return lambda x, low, high: np.minimum(np.maximum(x, low), high), right, wrong, (x, low, high)


@bug("inverse Gaussian deviance", "glum #891: twice too large, and the sign reversed")
def inverse_gaussian(r: Draw) -> Made:
    y = 0.5 + np.abs(r(6))

    def right(g, eta):
        mu = np.exp(eta)
        return g * (y / mu**2 - 1 / mu)

    # log likelihood, up to constants: −(y − μ)² / (2 μ² y), μ = exp η
    def f(eta):
        mu = np.exp(eta)
        return -((y - mu) ** 2) / (2 * mu**2 * y)

    return f, right, lambda g, eta: -2 * right(g, eta), (0.5 * r(6),)
