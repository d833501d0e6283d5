"""Ways of spoiling any gradient, whatever its function."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.battery.case import Array

Spoil = Callable[[Array, Array], Array]
"""(right gradient, its input) → wrong gradient."""


def mutations(sample: Array, small: float, seed: int) -> Iterator[tuple[str, Spoil]]:
    """Every mutation that fits the shape of `sample`, a right gradient; `small` is the least relative size.

    Positions and patterns are drawn here, once, so that a mutant is the same function at every call.
    """
    yield from _factors(small)
    yield from _perturbations(sample, small, seed)
    yield from _regions(sample)
    if sample.size > 1:
        yield from _positions(sample, small)
    if sample.ndim > 1:
        yield from _arrangements(sample)


def _factors(small: float) -> Iterator[tuple[str, Spoil]]:
    for factor in (1 + small, 1 - 1e-3, 1.01, 0.5, 2.0):
        yield f"factor {factor:.9g}", lambda g, x, c=factor: c * g
    yield "sign", lambda g, x: -g
    yield "zero", lambda g, x: np.zeros_like(g)
    yield "constant added", lambda g, x: g + np.asarray(0.01 * _rms(g), g.dtype)
    yield "times the input", lambda g, x: g * x
    yield "clipped at the root mean square", lambda g, x: np.clip(g, -_rms(g), _rms(g))


def _perturbations(sample: Array, small: float, seed: int) -> Iterator[tuple[str, Spoil]]:
    rng = np.random.default_rng(seed)
    noise = rng.choice([-1.0, 1.0], sample.shape).astype(sample.dtype)
    order = rng.permutation(sample.size)
    for size in (small, 1e-3, 1e-2):
        yield f"every element off by ±{size:g} of itself", lambda g, x, s=size: g * (1 + s * noise)
        yield (
            f"a direction of {size:g} of the norm added",
            lambda g, x, s=size: g + s * noise * _permuted(g, order),
        )


def _permuted(g: Array, order: Array) -> Array:
    return g.ravel()[order].reshape(g.shape)


def _rms(g: Array) -> float:
    return float(np.sqrt(np.mean(np.square(g, dtype=np.float64))))


def _regions(sample: Array) -> Iterator[tuple[str, Spoil]]:
    yield "1 % off where x < 0", lambda g, x: np.where(x < 0, 1.01 * g, g).astype(g.dtype)
    if sample.size >= 20:  # of fewer, a whole gradient may come out positive, and its absolute value right
        yield "absolute value", lambda g, x: np.abs(g)
        block = slice(sample.size // 3, sample.size // 3 + max(1, sample.size // 100))
        yield "a block of 1 % of the elements off by half", lambda g, x: _edited(g, block, 1.5)
        yield "last three elements zeroed", lambda g, x: _edited(g, slice(-3, None), 0.0)
        yield "every other element off by 1 %", lambda g, x: _edited(g, slice(None, None, 2), 1.01)


def _edited(g: Array, where: slice | int, factor: float) -> Array:
    wrong = g.flatten()
    wrong[where] *= factor
    return wrong.reshape(g.shape)


def _positions(sample: Array, small: float) -> Iterator[tuple[str, Spoil]]:
    typical = int(np.argmin(np.abs(np.abs(sample.ravel()) - _rms(sample))))
    yield "one element doubled", lambda g, x: _edited(g, typical, 2.0)
    yield "one element zeroed", lambda g, x: _edited(g, typical, 0.0)
    yield "one element's sign", lambda g, x: _edited(g, typical, -1.0)
    yield f"one element off by {small:g} of the norm", lambda g, x: _bumped(g, typical, small)
    yield "flipped", lambda g, x: g[..., ::-1].copy()
    yield "shifted by one", lambda g, x: np.roll(g, 1, axis=-1)


def _bumped(g: Array, where: int, small: float) -> Array:
    wrong = g.flatten()
    wrong[where] += small * _rms(g) * g.size**0.5
    return wrong.reshape(g.shape)


def _arrangements(sample: Array) -> Iterator[tuple[str, Spoil]]:
    yield "transposed", lambda g, x: g.swapaxes(-1, -2).reshape(g.shape).copy()
    yield "turned by 180 degrees", lambda g, x: g[..., ::-1, ::-1].copy()
    yield "flipped along the height", lambda g, x: g[..., ::-1, :].copy()
    yield "last row zeroed", lambda g, x: _painted(g, (..., -1, slice(None)), 0.0)
    yield "border off by half", _border
    yield "summed over the first axis", lambda g, x: np.broadcast_to(g.sum(axis=0), g.shape).copy()
    yield "last of the first axis zeroed", lambda g, x: _painted(g, -1, 0.0)
    if sample.ndim > 2:
        yield "one map off by 1 %", lambda g, x: _painted(g, (slice(None), -1), 1.01)
        yield "first two axes swapped", lambda g, x: g.swapaxes(0, 1).reshape(g.shape).copy()


def _painted(g: Array, where: object, factor: float) -> Array:
    wrong = g.copy()
    wrong[where] *= factor  # type: ignore[index]
    return wrong


def _border(g: Array, x: Array) -> Array:
    wrong = 1.5 * g
    wrong[..., 1:-1, 1:-1] = g[..., 1:-1, 1:-1]
    return wrong
