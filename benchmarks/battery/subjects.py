"""The right gradients of the battery: every family, in sizes from one element to 262,144."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from benchmarks.battery.case import Array, Subject
from benchmarks.battery.elementwise import elementwise, offset, oscillating, steep
from benchmarks.battery.layers import attention, cross_entropy, dense, layer_norm, relu_network, solve
from benchmarks.battery.maps import combination, convolution, max_pooling, pooling

Draw = Callable[..., Array]
SCALES = ((1.0, 1.0), (1e-6, 1.0), (1.0, 1e-6), (1e-6, 1e-6))
"""Size of the inputs, size of the outputs."""


def subjects(dtype: str, seed: int) -> Iterator[Subject]:
    """Every right gradient, in a fixed order."""
    yield from _scaled(dtype, seed)
    normal = _drawer(dtype, seed, 1.0)
    yield from _maps(normal)
    yield from _layers(normal)
    yield from _elementwise(normal)
    yield from _hard(dtype, seed)


def _drawer(dtype: str, seed: int, scale: float) -> Draw:
    rng = np.random.default_rng(seed)
    return lambda *shape: scale * rng.standard_normal(shape).astype(dtype)


def _scaled(dtype: str, seed: int) -> Iterator[Subject]:
    """The small subjects at size 1, and in turn with small inputs, or with small outputs and both small."""
    for number, (size, factor) in enumerate(SCALES):
        normal = _drawer(dtype, seed + 1 + number, size)
        for make in SMALL if number == 0 else SMALL[number != 1 :: 2]:
            subject = make(normal).scaled(factor)
            yield subject if size == 1 else replace(subject, name=f"{subject.name}, inputs {size:g}")


def _well_posed(normal: Draw, n: int) -> Array:
    """A matrix of small condition number at every n and scale: 2 I and noise of spectral radius 1/2."""
    noise = normal(n, n)
    size = float(np.sqrt(np.mean(np.square(noise, dtype=np.float64))))
    return (size * (2 * np.eye(n, dtype=noise.dtype)) + noise / (2 * n**0.5)).astype(noise.dtype)


SMALL: tuple[Callable[[Draw], Subject], ...] = (
    lambda r: convolution(r(2, 3, 8, 7), r(3, 4, 3, 2), r(4), "identity"),
    lambda r: convolution(r(2, 2, 9, 6), r(2, 3, 2, 4), r(3), "tanh"),
    lambda r: dense(r(5, 7), r(6, 7), r(6), "tanh"),
    lambda r: pooling(r(2, 3, 6, 8), 2, "mean"),
    lambda r: pooling(r(2, 2, 6, 9), 3, "sum"),
    lambda r: max_pooling(r(2, 2, 9, 6), 3),
    lambda r: combination(r(2, 3, 7, 6), r(3, 3, 2), r(3, 4), r(4)),
    lambda r: attention(r(5, 4), r(6, 4), r(6, 3)),
    lambda r: layer_norm(r(4, 6), r(6), r(6)),
    lambda r: cross_entropy(r(5, 7), np.array([3, 0, 6, 1, 1])),
    lambda r: solve(_well_posed(r, 5), r(5, 2)),
    lambda r: relu_network(r(4, 7), r(6, 7), r(5, 6)),
    lambda r: elementwise(r(40), "swish"),
)


def _maps(normal: Draw) -> Iterator[Subject]:
    yield convolution(normal(1, 1, 12, 12), normal(1, 1, 5, 5), normal(1), "tanh")
    yield convolution(normal(4, 2, 64, 128), normal(2, 3, 5, 3), normal(3), "sigmoid")
    yield convolution(normal(1, 1, 512, 512), normal(1, 1, 5, 5), normal(1), "identity")
    yield pooling(normal(1, 1, 512, 512), 4, "mean")
    yield max_pooling(normal(1, 1, 256, 256), 2)
    yield combination(normal(2, 2, 128, 128), normal(2, 3, 3), normal(2, 3), normal(3))


def _layers(normal: Draw) -> Iterator[Subject]:
    yield dense(normal(64, 1024), normal(8, 1024) / 32, normal(8), "sigmoid")
    yield dense(normal(3, 512), normal(512, 512) / 23, normal(512), "tanh")
    yield attention(normal(1024, 64), normal(48, 64), normal(48, 32))
    yield layer_norm(normal(256, 1024), normal(1024), normal(1024))
    yield layer_norm(1e-6 * normal(6, 50), normal(50), normal(50), 0.0)
    yield cross_entropy(normal(1024, 256), np.arange(1024) % 256)
    yield cross_entropy(12 * normal(30, 10), np.arange(30) * 7 % 10)
    yield solve(_well_posed(normal, 256), normal(256, 3))
    yield relu_network(normal(64, 1024), normal(16, 1024) / 32, normal(6, 16))
    yield relu_network(normal(256, 1024), normal(16, 1024) / 32, normal(6, 16))


def _elementwise(normal: Draw) -> Iterator[Subject]:
    yield elementwise(normal(1000), "relu")
    yield elementwise(normal(262_144), "relu")
    yield elementwise(normal(1), "cube")
    yield elementwise(normal(512, 512), "tanh")
    yield elementwise(normal(262_144), "sine").scaled(1e-6)
    yield elementwise(1e-6 * normal(64, 1024), "cube")
    yield elementwise(normal(300), "gaussian")


def _hard(dtype: str, seed: int) -> Iterator[Subject]:
    """Steep, offset and oscillating functions.

    Where σ(30) = 1 − 9.4e-14 is written with a unit of 1.1e-16, one value shows its slope to 1e-3 at best.
    float32 would show nothing at all, so it is asked about 8 instead: 3.4e-4 with a unit of 6e-8. It writes
    1e2 + sin x with a unit of 7.6e-6, and the argument 1e2 x with one of the same size.
    """
    double = dtype == "float64"
    normal = _drawer(dtype, seed + 100, 1.0)
    yield steep(1 + normal(30) / 100, "sigmoid", 30.0 if double else 8.0, finest=0.05)
    yield steep(-1 + normal(30) / 100, "sigmoid", 30.0)
    yield steep(normal(200), "sigmoid", 30.0)
    yield steep(normal(65_536), "tanh", 20.0)
    yield steep(1e-4 * normal(3, 4), "tanh", 1e4)
    height, frequency = (1e8, 1e3) if double else (1e2, 1e2)
    yield offset(normal(1), height, finest=1e-5 if double else 1e-3)
    yield offset(normal(4, 5), height)
    yield offset(1e-6 * normal(500), height)
    yield offset(normal(65_536), height)
    yield oscillating(normal(2, 3), frequency)
    yield oscillating(normal(2000), frequency).scaled(1e-6)
    yield oscillating(normal(65_536), frequency)
