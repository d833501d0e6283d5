"""The layers as loops on the naive kernels, one number at a time: the baseline of the layers.

Each layer is a pair: the pre-activation u from the inputs, and every input's gradient from delta = dE/du.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from reference.kernels import NAIVE

Array = np.ndarray


class Layer(NamedTuple):
    preactivation: Callable[..., Array]
    gradients: Callable[..., tuple[Array, ...]]

    def forward(self, *inputs: Array, activation: str, **options: Any) -> Array:
        return apply(VALUES[activation], self.preactivation(*inputs, **options))

    def vjp(self, cotangent: Array, *inputs: Array, activation: str, **options: Any) -> tuple[Array, ...]:
        slope = apply(SLOPES[activation], self.preactivation(*inputs, **options))
        return self.gradients(times(slope, cotangent), *inputs, **options)


VALUES: dict[str, Callable[[float], float]] = {
    "identity": lambda u: u,
    "tanh": math.tanh,
    "scaled_tanh": lambda u: 1.7159 * math.tanh(2 * u / 3),
}
SLOPES: dict[str, Callable[[float], float]] = {
    "identity": lambda u: 1.0,
    "tanh": lambda u: 1 - math.tanh(u) ** 2,
    "scaled_tanh": lambda u: 1.7159 * 2 / 3 * (1 - math.tanh(2 * u / 3) ** 2),
}


def apply(function: Callable[[float], float], u: Array) -> Array:
    out = np.empty_like(u)
    for place in np.ndindex(u.shape):
        out[place] = function(float(u[place]))
    return out


def times(a: Array, b: Array) -> Array:
    out = np.empty_like(a)
    for place in np.ndindex(a.shape):
        out[place] = a[place] * b[place]
    return out


def dense_preactivation(x: Array, W: Array, b: Array) -> Array:
    u = np.zeros((len(x), len(b)))
    for n, k in np.ndindex(u.shape):
        for d in range(x.shape[1]):
            u[n, k] += W[k, d] * x[n, d]
        u[n, k] += b[k]
    return u


def dense_gradients(delta: Array, x: Array, W: Array, b: Array) -> tuple[Array, ...]:
    dx, dW, db = np.zeros_like(x), np.zeros_like(W), np.zeros_like(b)
    for n, k in np.ndindex(delta.shape):
        db[k] += delta[n, k]
        for d in range(x.shape[1]):
            dx[n, d] += W[k, d] * delta[n, k]
            dW[k, d] += x[n, d] * delta[n, k]
    return dx, dW, db


def add_biases(u: Array, b: Array) -> Array:
    for n, j, r, s in np.ndindex(u.shape):
        u[n, j, r, s] += b[j]
    return u


def bias_gradient(delta: Array) -> Array:
    db = np.zeros(delta.shape[1])
    for n, j, r, s in np.ndindex(delta.shape):
        db[j] += delta[n, j, r, s]
    return db


def convolution_preactivation(x: Array, k: Array, b: Array) -> Array:
    return add_biases(NAIVE.convolve_valid.forward(x, k), b)


def convolution_gradients(delta: Array, x: Array, k: Array, b: Array) -> tuple[Array, ...]:
    return *NAIVE.convolve_valid.vjp(delta, x, k), bias_gradient(delta)


def scaled(maps: Array, beta: Array) -> Array:
    out = np.empty_like(maps)
    for n, j, r, s in np.ndindex(maps.shape):
        out[n, j, r, s] = beta[j] * maps[n, j, r, s]
    return out


def subsampling_preactivation(x: Array, beta: Array, b: Array, n: int) -> Array:
    return add_biases(scaled(NAIVE.downsample.forward(x, n), beta), b)


def subsampling_gradients(delta: Array, x: Array, beta: Array, b: Array, n: int) -> tuple[Array, ...]:
    down, dbeta = NAIVE.downsample.forward(x, n), np.zeros_like(beta)
    for batch, j, r, s in np.ndindex(delta.shape):
        dbeta[j] += delta[batch, j, r, s] * down[batch, j, r, s]
    return NAIVE.upsample.forward(scaled(delta, beta), n), dbeta, bias_gradient(delta)


def softmax(c: Array) -> Array:
    alpha = np.empty_like(c)
    for j in range(c.shape[1]):
        powers = [math.exp(value - max(c[:, j])) for value in c[:, j]]
        for i, power in enumerate(powers):
            alpha[i, j] = power / sum(powers)
    return alpha


def softmax_gradient(dalpha: Array, alpha: Array) -> Array:
    dc = np.empty_like(alpha)
    for i, j in np.ndindex(alpha.shape):
        mean = sum(dalpha[k, j] * alpha[k, j] for k in range(len(alpha)))
        dc[i, j] = alpha[i, j] * (dalpha[i, j] - mean)
    return dc


def filtered(x: Array, k: Array) -> Array:
    """Each map convolved with its own kernel."""
    maps = [NAIVE.convolve_valid.forward(x[:, i : i + 1], k[i, None, None]) for i in range(len(k))]
    return np.concatenate(maps, axis=1)


def combination_preactivation(x: Array, k: Array, c: Array, b: Array) -> Array:
    alpha, z = softmax(c), filtered(x, k)
    u = np.zeros((len(z), len(b), *z.shape[2:]))
    for n, j, r, s in np.ndindex(u.shape):
        for i in range(len(k)):
            u[n, j, r, s] += alpha[i, j] * z[n, i, r, s]
    return add_biases(u, b)


def combination_gradients(delta: Array, x: Array, k: Array, c: Array, b: Array) -> tuple[Array, ...]:
    alpha, z = softmax(c), filtered(x, k)
    dz, dalpha = np.zeros_like(z), np.zeros_like(c)
    for n, j, r, s in np.ndindex(delta.shape):
        for i in range(len(k)):
            dz[n, i, r, s] += alpha[i, j] * delta[n, j, r, s]
            dalpha[i, j] += z[n, i, r, s] * delta[n, j, r, s]
    pairs = [
        NAIVE.convolve_valid.vjp(dz[:, i : i + 1], x[:, i : i + 1], k[i, None, None]) for i in range(len(k))
    ]
    dx = np.concatenate([pair[0] for pair in pairs], axis=1)
    dk = np.concatenate([pair[1][0] for pair in pairs])
    return dx, dk, softmax_gradient(dalpha, alpha), bias_gradient(delta)


LAYERS = {
    "dense": Layer(dense_preactivation, dense_gradients),
    "convolution": Layer(convolution_preactivation, convolution_gradients),
    "subsampling": Layer(subsampling_preactivation, subsampling_gradients),
    "combination": Layer(combination_preactivation, combination_gradients),
}
LETTERS = {"dense": "Wb", "convolution": "kb", "subsampling": ("beta", "b"), "combination": "kcb"}


def train(
    architecture: Sequence[Any], parameters: Mapping[str, Array], x: Array, t: Array, rate: float
) -> tuple[dict[str, Array], float]:
    """One step of descent of a whole network, and the loss before it; as `reference.network.train`."""
    steps, kept = list(plan(architecture, parameters)), []
    for layer, own, options, activation, _ in steps:
        x = x.reshape(len(x), -1) if layer is LAYERS["dense"] else x
        u = layer.preactivation(x, *own.values(), **options)
        kept.append((x, u))
        x = apply(VALUES[activation], u)
    difference = x.reshape(t.shape) - t
    loss = sum(each**2 for each in difference.flat) / 2 + sum(
        lam * own["c"].shape[1] for _, own, _, _, lam in steps if lam
    )
    return descend(steps, kept, difference, rate), float(loss)


def descend(steps: list[Any], kept: list[Any], cotangent: Array, rate: float) -> dict[str, Array]:
    """The parameters after the step; the penalty's gradient is zero and left out (E6)."""
    after: list[dict[str, Array]] = []
    for place in range(len(steps) - 1, -1, -1):
        (layer, own, options, activation, _), (x, u) = steps[place], kept[place]
        delta = times(apply(SLOPES[activation], u), cotangent.reshape(u.shape))
        cotangent, *gradients = layer.gradients(delta, x, *own.values(), **options)
        after.append({
            f"layer{place + 1}.{letter}": moved(own[letter], gradient, rate)
            for letter, gradient in zip(own, gradients, strict=True)
        })  # fmt: skip
    return {name: value for each in reversed(after) for name, value in each.items()}


def moved(parameter: Array, gradient: Array, rate: float) -> Array:
    out = np.empty_like(parameter)
    for place in np.ndindex(parameter.shape):
        out[place] = parameter[place] - rate * gradient[place]
    return out


def plan(architecture: Sequence[Any], parameters: Mapping[str, Array]) -> Any:
    """Each layer with its parameters by letter, its options, its activation and its lambda."""
    for place, (kind, *rest) in enumerate(architecture, 1):
        own = {letter: parameters[f"layer{place}.{letter}"] for letter in LETTERS[kind]}
        options = {"n": rest[0]} if kind == "subsampling" else {}
        activation = rest[1] if kind in ("subsampling", "dense") else rest[2]
        yield LAYERS[kind], own, options, activation, rest[3] if kind == "combination" else 0.0
