"""Bugs at exact zeros, at saturation and on the sides of a branch: often NaN where the function is smooth."""

from __future__ import annotations

import numpy as np

from benchmarks.bugs.recipe import Draw, Made, bug


def sigmoid(u):
    """σ on both sides without overflow."""
    e = np.exp(np.where(u.real < 0, u, -u))
    return np.where(u.real < 0, e, 1) / (1 + e)


def softplus(u):
    """log(1 + exp u) on both sides without overflow."""
    return np.where(u.real > 0, u, 0) + np.log1p(np.exp(np.where(u.real > 0, -u, u)))


@bug("sinc at zero", "PyTorch #53989, jax #1722: (πx cos πx − sin πx)/(πx²) is 0/0 at 0", "nan")
def sinc_at_zero(r: Draw) -> Made:
    def slope(x):
        return (np.pi * x * np.cos(np.pi * x) - np.sin(np.pi * x)) / (np.pi * x * x)

    def right(g, x):
        safe = np.where(x == 0, 1, x)
        return g * np.where(x == 0, 0, slope(safe))

    return np.sinc, right, lambda g, x: g * slope(x), (np.array([0.7, 0.0, -1.3, 2.1]),)


@bug(
    "sinc near zero",
    "jax #34139: the formula cancels to nothing for small x other than 0",
    reference="many digits",
)
def sinc_near_zero(r: Draw) -> Made:
    def wrong(g, x):
        return g * (np.cos(np.pi * x) - np.sin(np.pi * x) / (np.pi * x)) / x

    def right(g, x):
        p = np.pi * x
        return -g * np.pi * p / 3 * (1 - p * p / 10)

    return np.sinc, right, wrong, (np.array([1e-8, -3e-8, 2e-8]),)


@bug("softplus, saturated", "burn #5373, tt-metal #56397: exp(x)/(1 + exp(x)) where exp overflows", "nan")
def softplus_saturated(r: Draw) -> Made:
    def wrong(g, x):
        return g * np.exp(x) * (1 / (1 + np.exp(x)))

    return softplus, lambda g, x: g * sigmoid(x), wrong, (np.array([-800.0, -1.0, 0.5, 800.0]),)


@bug(
    "binary cross-entropy at a logit of zero",
    "PyTorch #2298: the clamp's derivative at 0 swallows the element",
)
def logits_at_zero(r: Draw) -> Made:
    t = np.array([0.0, 1.0, 0.3, 1.0])
    return (
        lambda x: softplus(x) - t * x,
        lambda g, x: g * (sigmoid(x) - t),
        lambda g, x: g * np.where(x == 0, 0, sigmoid(x) - t),
        (np.array([0.0, 0.0, 1.2, -0.7]),),
    )


@bug("focal loss, confident", "optax #1346: (1 − p)^(γ − 1) with p rounded to 1", "nan")
def focal_confident(r: Draw) -> Made:
    gamma = 0.5

    def right(g, x):
        p, q = sigmoid(x), sigmoid(-x)
        return -g * q**gamma * (gamma * p * softplus(-x) + q)

    def wrong(g, x):
        p = 1 / (1 + np.exp(-x))
        return g * (gamma * (1 - p) ** (gamma - 1) * np.log(p) - (1 - p) ** gamma / p) * p * (1 - p)

    return lambda x: sigmoid(-x) ** gamma * softplus(-x), right, wrong, (np.array([-2.0, 0.3, 4.0, 60.0]),)


@bug("power with exponent zero at zero", "Drake #23862, tt-metal #5082: 0 · 0^(−1)", "nan")
def power_zero_exponent(r: Draw) -> Made:
    p = np.array([0.0, 1.0, 2.0, 3.0, 0.0])
    return (
        lambda x: x**p,
        lambda g, x: g * p * x ** np.maximum(p - 1, 0),
        lambda g, x: g * p * x ** (p - 1),
        (np.array([0.0, 0.0, 0.5, -1.5, 2.0]),),
    )


@bug("power's exponent at base zero", "tfjs #346: x^p log x is 0 · −inf at 0", "nan")
def power_of_zero(r: Draw) -> Made:
    base = np.array([0.0, 0.5, 3.0])
    return (
        lambda p: base**p,
        lambda g, p: g * base**p * np.log(np.where(base > 0, base, 1)),
        lambda g, p: g * base**p * np.log(base),
        (np.array([2.0, 1.5, -0.5]),),
    )


@bug("power from its own output", "torch7-distro #60, MetaPhysicL #49: n y / x at 0", "nan")
def power_from_output(r: Draw) -> Made:
    x = np.array([0.4, 0.0, -1.1])
    return lambda x: x**3, lambda g, x: 3 * g * x * x, lambda g, x: 3 * g * x**3 / x, (x,)


@bug(
    "where with a root on the side not taken",
    "jax #347, PyTorch #187297: 0 · inf from the branch not taken",
    "nan",
)
def where_not_taken(r: Draw) -> Made:
    def f(x):
        return np.where(x.real > 0.5, np.sqrt(np.where(x.real > 0.5, x, 1)), x)

    def right(g, x):
        return g * np.where(x > 0.5, 0.5 / np.sqrt(np.where(x > 0.5, x, 1)), 1)

    def wrong(g, x):
        taken = x > 0.5
        return (g * taken) * 0.5 / np.sqrt(x) + g * ~taken

    return f, right, wrong, (np.array([1.7, -1.0, 0.0, 3.0]),)
