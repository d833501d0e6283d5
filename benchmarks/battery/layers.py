"""Subjects made of matrices: dense, ReLU network, attention, layer norm, cross-entropy, linear solve."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.battery.case import Array, Subject
from benchmarks.battery.elementwise import ACTIVATIONS, softmax


def dense(x: Array, W: Array, b: Array, activation: str) -> Subject:
    """f(x Wᵀ + b) for x (N, D), W (K, D), b (K,)."""
    act, slope = ACTIVATIONS[activation]

    def delta(g: Array, x: Array, W: Array, b: Array) -> Array:
        return g * slope(x @ W.T + b)

    def vjp(g: Array, x: Array, W: Array, b: Array) -> tuple[Array, ...]:
        d = delta(g, x, W, b)
        return d @ W, d.T @ x, d.sum(axis=0)

    slips = {
        "x dᵀ in the layout of d xᵀ": (1, lambda g, x, W, b: (x.T @ delta(g, x, W, b)).reshape(W.shape)),
        "averaged over patterns": (1, lambda g, x, W, b: delta(g, x, W, b).T @ x / len(x)),
        "first pattern only": (2, lambda g, x, W, b: delta(g, x, W, b)[0]),
        "missing f'": (0, lambda g, x, W, b: g @ W),
        "f' of y instead of u": (1, lambda g, x, W, b: (g * slope(act(x @ W.T + b))).T @ x),
        "f' without the bias": (0, lambda g, x, W, b: (g * slope(x @ W.T)) @ W),
    }
    name = f"dense {activation} {x.shape} by {W.shape}"
    return Subject(name, lambda x, W, b: act(x @ W.T + b), vjp, (x, W, b), slips)


def relu_network(x: Array, W: Array, V: Array) -> Subject:
    """relu(relu(x Wᵀ) Vᵀ) for x (N, D), W (H, D), V (K, H)."""

    def deltas(g: Array, x: Array, W: Array, V: Array) -> tuple[Array, Array, Array]:
        u = x @ W.T
        y = np.maximum(u, 0)
        d = np.where(y @ V.T > 0, g, 0)
        return np.where(u > 0, d @ V, 0), d, y

    def vjp(g: Array, x: Array, W: Array, V: Array) -> tuple[Array, ...]:
        e, d, y = deltas(g, x, W, V)
        return e @ W, e.T @ x, d.T @ y

    def guided(g: Array, x: Array, W: Array, V: Array) -> Array:
        return np.maximum(deltas(g, x, W, V)[0], 0) @ W

    def stale(g: Array, x: Array, W: Array, V: Array) -> Array:
        return deltas(g, x, W, V)[1].T @ (x @ W.T)

    slips = {
        "outer mask forgotten": (2, lambda g, x, W, V: g.T @ np.maximum(x @ W.T, 0)),
        "inner mask forgotten": (0, lambda g, x, W, V: deltas(g, x, W, V)[1] @ V @ W),
        "masked by the sign of the gradient": (0, guided),
        "u in place of relu(u)": (2, stale),
        "first pattern only": (1, lambda g, x, W, V: deltas(g, x, W, V)[0][:1].T @ x[:1]),
    }
    name = f"ReLU network {x.shape} by {W.shape} by {V.shape}"
    return Subject(name, lambda x, W, V: np.maximum(np.maximum(x @ W.T, 0) @ V.T, 0), vjp, (x, W, V), slips)


def attention(q: Array, k: Array, v: Array) -> Subject:
    """softmax(q kᵀ / √d) v for q (T, d), k (S, d), v (S, e)."""
    root = math.sqrt(q.shape[1])

    def weights(q: Array, k: Array) -> Array:
        return softmax(q @ k.T / root, 1)

    def scores(g: Array, q: Array, k: Array, v: Array) -> Array:
        p, r = weights(q, k), g @ v.T
        return p * (r - (p * r).sum(axis=1, keepdims=True)) / root

    def vjp(g: Array, q: Array, k: Array, v: Array) -> tuple[Array, ...]:
        s = scores(g, q, k, v)
        return s @ k, s.T @ q, weights(q, k).T @ g

    def diagonal(g: Array, q: Array, k: Array, v: Array) -> Array:
        p = weights(q, k)
        return p * (1 - p) * (g @ v.T) / root

    def columns(g: Array, q: Array, k: Array, v: Array) -> Array:
        p, r = weights(q, k), g @ v.T
        return p * (r - (p * r).sum(axis=0)) / root

    slips = {
        "softmax Jacobian's diagonal only": (0, lambda g, q, k, v: diagonal(g, q, k, v) @ k),
        "softmax over the queries": (1, lambda g, q, k, v: columns(g, q, k, v).T @ q),
        "missing 1/√d": (1, lambda g, q, k, v: root * scores(g, q, k, v).T @ q),
        "1/d for 1/√d": (0, lambda g, q, k, v: scores(g, q, k, v) @ k / root),
        "weights not normalised": (2, lambda g, q, k, v: np.exp(q @ k.T / root).T @ g),
    }
    name = f"attention {q.shape} by {k.shape} by {v.shape}"
    return Subject(name, lambda q, k, v: weights(q, k) @ v, vjp, (q, k, v), slips)


def layer_norm(x: Array, gamma: Array, beta: Array, epsilon: float = 1e-5) -> Subject:
    """gamma (x − mean) / √(variance + epsilon) + beta over the last axis; x (N, D), gamma and beta (D,)."""

    def parts(x: Array) -> tuple[Array, Array]:
        centred = x - x.mean(axis=1, keepdims=True)
        r = 1 / np.sqrt((centred * centred).mean(axis=1, keepdims=True) + epsilon)
        return centred * r, r

    def to_x(h: Array, x: Array, mean: float = 1.0, variance: float = 1.0) -> Array:
        y, r = parts(x)
        return r * (
            h - mean * h.mean(axis=1, keepdims=True) - variance * y * (h * y).mean(axis=1, keepdims=True)
        )

    def vjp(g: Array, x: Array, gamma: Array, beta: Array) -> tuple[Array, ...]:
        return to_x(g * gamma, x), (g * parts(x)[0]).sum(axis=0), g.sum(axis=0)

    D = x.shape[1]
    slips = {
        "missing the mean's term": (0, lambda g, x, c, b: to_x(g * c, x, mean=0)),
        "missing the variance's term": (0, lambda g, x, c, b: to_x(g * c, x, variance=0)),
        "variance divided by D − 1": (0, lambda g, x, c, b: to_x(g * c, x, variance=D / (D - 1))),
        "missing gamma": (0, lambda g, x, c, b: to_x(g, x)),
        "gamma after the mean": (0, lambda g, x, c, b: c * to_x(g, x)),
        "x in place of the normalised x": (1, lambda g, x, c, b: (g * x).sum(axis=0)),
        "beta averaged over patterns": (2, lambda g, x, c, b: g.mean(axis=0)),
        "first pattern only": (1, lambda g, x, c, b: (g * parts(x)[0])[0]),
    }
    name = f"layer norm {x.shape}, epsilon {epsilon:g}"
    return Subject(name, lambda x, c, b: c * parts(x)[0] + b, vjp, (x, gamma, beta), slips)


def cross_entropy(c: Array, labels: Array) -> Subject:
    """Mean over patterns of −log softmax(c)[label]; c (N, C) → scalar."""
    N, rows = len(c), np.arange(len(c))

    def f(c: Array) -> Array:
        shifted = c - c.max(axis=1, keepdims=True)
        return (np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, labels]).mean()

    def residual(c: Array) -> Array:
        p = softmax(c, 1)
        p[rows, labels] -= 1
        return p

    slips = {
        "summed over patterns": (0, lambda g, c: g * residual(c)),
        "targets forgotten": (0, lambda g, c: g * softmax(c, 1) / N),
        "sigmoid's slope on top": (0, lambda g, c: g * residual(c) * (p := softmax(c, 1)) * (1 - p) / N),
        "divided by classes too": (0, lambda g, c: g * residual(c) / c.size),
        "label's element only": (0, lambda g, c: g * np.where(residual(c) < 0, residual(c), 0) / N),
        "labels shifted by one": (0, lambda g, c: g * np.roll(residual(c), 1, axis=1) / N),
    }
    return Subject(f"cross-entropy {c.shape}", f, lambda g, c: (g * residual(c) / N,), (c,), slips)


def solve(A: Array, b: Array) -> Subject:
    """A⁻¹ b for A (n, n), b (n, m)."""

    def vjp(g: Array, A: Array, b: Array) -> tuple[Array, ...]:
        w = np.linalg.solve(A.T, g)
        return -w @ np.linalg.solve(A, b).T, w

    slips = {
        "A not transposed": (1, lambda g, A, b: np.linalg.solve(A, g)),
        "A not transposed in its own gradient": (
            0,
            lambda g, A, b: -np.linalg.solve(A, g) @ np.linalg.solve(A, b).T,
        ),
        "b in place of the solution": (0, lambda g, A, b: -np.linalg.solve(A.T, g) @ b.T),
        "missing minus": (0, lambda g, A, b: np.linalg.solve(A.T, g) @ np.linalg.solve(A, b).T),
        "made symmetric": (0, lambda g, A, b: (s := vjp(g, A, b)[0]) / 2 + s.T / 2),
    }
    return Subject(f"solve {A.shape} by {b.shape}", np.linalg.solve, vjp, (A, b), slips)
