"""Subjects made of maps (patterns, maps, height, width): convolution, pooling, learned combination."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.battery.case import Array, Subject
from benchmarks.battery.elementwise import ACTIVATIONS, softmax


def taps(kernel_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> Iterator[tuple[int, int, Any]]:
    """Each tap (a, b) of a kernel with the window of x that true convolution lays under it."""
    Kh, Kw = kernel_shape[-2:]
    h, w = out_shape[-2:]
    for a, b in np.ndindex(Kh, Kw):
        top, left = Kh - 1 - a, Kw - 1 - b
        yield a, b, (..., slice(top, top + h), slice(left, left + w))


def valid(x: Array, k: Array) -> tuple[int, int]:
    return x.shape[-2] - k.shape[-2] + 1, x.shape[-1] - k.shape[-1] + 1


def mix(weights: Array, x: Array) -> Array:
    """sum_i weights[j, i] x[n, i, r, s]."""
    N, maps, H, W = x.shape
    return np.matmul(weights, x.reshape(N, maps, H * W)).reshape(N, len(weights), H, W)


def convolve(x: Array, k: Array) -> Array:
    """u_j[r, s] = sum_iab x_i[r + Kh - 1 - a, s + Kw - 1 - b] k_ij[a, b]."""
    out = valid(x, k)
    return sum(mix(k[:, :, a, b].T, x[window]) for a, b, window in taps(k.shape, out))


def maps_gradient(d: Array, x: Array, k: Array) -> Array:
    dx = np.zeros_like(x)
    for a, b, window in taps(k.shape, d.shape):
        dx[window] += mix(k[:, :, a, b], d)
    return dx


def kernel_gradient(d: Array, x: Array, k: Array) -> Array:
    dk = np.empty_like(k)
    for a, b, window in taps(k.shape, d.shape):
        dk[:, :, a, b] = np.tensordot(x[window], d, axes=((0, 2, 3), (0, 2, 3)))
    return dk


def convolution(x: Array, k: Array, b: Array, activation: str = "identity") -> Subject:
    """f(conv2(x, k) + b) for x (N, I, H, W), k (I, J, Kh, Kw), b (J,)."""
    act, slope = ACTIVATIONS[activation]

    def before(x: Array, k: Array, b: Array) -> Array:
        return convolve(x, k) + b[:, None, None]

    def delta(g: Array, x: Array, k: Array, b: Array) -> Array:
        return g * slope(before(x, k, b))

    def vjp(g: Array, x: Array, k: Array, b: Array) -> tuple[Array, ...]:
        d = delta(g, x, k, b)
        return maps_gradient(d, x, k), kernel_gradient(d, x, k), d.sum(axis=(0, 2, 3))

    slips = {
        "kernel not turned in the gradient of x": (
            0,
            lambda g, x, k, b: maps_gradient(delta(g, x, k, b), x, k[..., ::-1, ::-1]),
        ),
        "kernel gradient averaged over patterns": (
            1,
            lambda g, x, k, b: kernel_gradient(delta(g, x, k, b), x, k) / len(x),
        ),
        "first pattern only": (
            1,
            lambda g, x, k, b: kernel_gradient(delta(g, x, k, b)[:1], x[:1], k),
        ),
        "last output map forgotten": (
            0,
            lambda g, x, k, b: maps_gradient(delta(g, x, k, b)[:, :-1], x, k[:, :-1]),
        ),
        "bias averaged over pixels": (2, lambda g, x, k, b: delta(g, x, k, b).mean(axis=(2, 3)).sum(axis=0)),
        "missing f'": (1, lambda g, x, k, b: kernel_gradient(g, x, k)),
        "f' of y instead of u": (
            0,
            lambda g, x, k, b: maps_gradient(g * slope(act(before(x, k, b))), x, k),
        ),
    }
    name = f"convolution {activation} {x.shape} by {k.shape}"
    return Subject(name, lambda x, k, b: act(before(x, k, b)), vjp, (x, k, b), slips)


def blocks(x: Array, n: int) -> Array:
    """(N, J, H, W) as (N, J, H/n, n, W/n, n)."""
    N, J, H, W = x.shape
    return x.reshape(N, J, H // n, n, W // n, n)


def spread(d: Array, n: int) -> Array:
    """Every element repeated over an n by n block."""
    return d.repeat(n, axis=-2).repeat(n, axis=-1)


def pooling(x: Array, n: int, kind: str) -> Subject:
    """Sum or mean over each n by n block."""
    share = 1.0 if kind == "sum" else 1.0 / n**2
    other = 1.0 / n**2 if kind == "sum" else 1.0
    slips = {
        "sum against mean": (0, lambda g, x: other * spread(g, n)),
        "1/n instead of 1/n²": (0, lambda g, x: spread(g, n) * (n if kind == "sum" else 1 / n)),
        "tiled instead of repeated": (0, lambda g, x: share * np.tile(g, (1, 1, n, n))),
        "corner of the block only": (0, lambda g, x: share * _corner(g, n)),
        "repeated along the width twice": (0, lambda g, x: share * g.repeat(n * n, axis=-1).reshape(x.shape)),
    }
    return Subject(
        f"{kind} pooling by {n} {x.shape}",
        lambda x: share * blocks(x, n).sum(axis=(3, 5)),
        lambda g, x: (share * spread(g, n),),
        (x,),
        slips,
    )


def _corner(g: Array, n: int) -> Array:
    result = np.zeros_like(spread(g, n))
    result[..., ::n, ::n] = g
    return result


def max_pooling(x: Array, n: int) -> Subject:
    """Largest of each n by n block; no ties in Gaussian inputs."""

    def f(x: Array) -> Array:
        return blocks(x, n).max(axis=(3, 5))

    def chosen(x: Array) -> Array:
        return x == spread(f(x), n)

    slips = {
        "shared by the whole block": (0, lambda g, x: spread(g, n) / n**2),
        "given to the whole block": (0, lambda g, x: spread(g, n)),
        "corner of the block only": (0, lambda g, x: _corner(g, n)),
        "to the least": (0, lambda g, x: spread(g, n) * (x == -spread(f(-x), n))),
        "multiplied by the value": (0, lambda g, x: spread(g, n) * chosen(x) * x),
    }
    return Subject(f"max pooling by {n} {x.shape}", f, lambda g, x: (spread(g, n) * chosen(x),), (x,), slips)


def combination(x: Array, k: Array, c: Array, b: Array, activation: str = "tanh") -> Subject:
    """f(sum_i α_ij conv2(x_i, k_i) + b_j), α = softmax of c (I, J) over its first axis; k (I, Kh, Kw)."""
    act, slope = ACTIVATIONS[activation]

    def single(x: Array, k: Array) -> Array:
        return sum(x[w] * k[:, p, q, None, None] for p, q, w in taps(k.shape, valid(x, k)))

    def before(x: Array, k: Array, c: Array, b: Array) -> Array:
        return mix(softmax(c, 0).T, single(x, k)) + b[:, None, None]

    def delta(g: Array, x: Array, k: Array, c: Array, b: Array) -> Array:
        return g * slope(before(x, k, c, b))

    def to_maps(e: Array, x: Array, k: Array) -> Array:
        dx = np.zeros_like(x)
        for p, q, window in taps(k.shape, e.shape):
            dx[window] += e * k[:, p, q, None, None]
        return dx

    def to_kernels(e: Array, x: Array, k: Array) -> Array:
        dk = np.empty_like(k)
        for p, q, window in taps(k.shape, e.shape):
            dk[:, p, q] = (x[window] * e).sum(axis=(0, 2, 3))
        return dk

    def to_alpha(d: Array, x: Array, k: Array) -> Array:
        return np.tensordot(single(x, k), d, axes=((0, 2, 3), (0, 2, 3)))

    def vjp(g: Array, x: Array, k: Array, c: Array, b: Array) -> tuple[Array, ...]:
        alpha, d = softmax(c, 0), delta(g, x, k, c, b)
        e, r = mix(alpha, d), to_alpha(d, x, k)
        dc = alpha * (r - (alpha * r).sum(axis=0))
        return to_maps(e, x, k), to_kernels(e, x, k), dc, d.sum(axis=(0, 2, 3))

    def confused(g: Array, x: Array, k: Array, c: Array, b: Array) -> Array:
        return to_kernels(mix(c, delta(g, x, k, c, b)), x, k)

    def diagonal(g: Array, x: Array, k: Array, c: Array, b: Array) -> Array:
        alpha = softmax(c, 0)
        return alpha * (1 - alpha) * to_alpha(delta(g, x, k, c, b), x, k)

    def rows(g: Array, x: Array, k: Array, c: Array, b: Array) -> Array:
        alpha, r = softmax(c, 0), to_alpha(delta(g, x, k, c, b), x, k)
        return alpha * (r - (alpha * r).sum(axis=1, keepdims=True))

    slips = {
        "c in place of α": (1, confused),
        "softmax Jacobian's diagonal only": (2, diagonal),
        "softmax over the other axis": (2, rows),
        "gradient of α given as that of c": (2, lambda g, *p: to_alpha(delta(g, *p), p[0], p[1])),
        "α left out of the gradient of x": (
            0,
            lambda g, x, k, c, b: to_maps(mix(np.ones_like(c), delta(g, x, k, c, b)), x, k),
        ),
        "missing f'": (3, lambda g, x, k, c, b: g.sum(axis=(0, 2, 3))),
        "first output map only": (
            1,
            lambda g, x, k, c, b: to_kernels(mix(softmax(c, 0)[:, :1], delta(g, x, k, c, b)[:, :1]), x, k),
        ),
    }
    name = f"combination {x.shape} by {k.shape} to {c.shape[1]}"
    return Subject(name, lambda *p: act(before(*p)), vjp, (x, k, c, b), slips)
