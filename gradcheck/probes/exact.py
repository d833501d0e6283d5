"""The exact probe: operations that are linear in an argument, on whole numbers, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.directions import integers
from gradcheck.estimate import Array

#: Largest whole number drawn; fewer where sums of products of three could leave the exact range of the dtype.
LARGEST = 1000

#: Independent trials; the chance to miss is the power.
TRIALS = 3


@dataclass(frozen=True)
class Exact:
    """What the exact probe found; `applies` is False where the function is not linear on whole numbers.

    `left` and `right` are ⟨f(x + d) − f(x), ȳ⟩ and ⟨d, vjp(ȳ)⟩ of the first trial that differs, else of the last.
    """

    applies: bool
    equal: bool
    left: float
    right: float
    miss_probability: float
    evaluations: int
    reason: str = ""


def probe(
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    inputs: Sequence[Array],
    index: int,
    rng: np.random.Generator,
    *,
    largest: int | None = None,
) -> Exact:
    """Whether ⟨f(x + d) − f(x), ȳ⟩ = ⟨d, vjp(ȳ)⟩ to the bit, for whole numbers in place of every input.

    Every sum of whole numbers below 2^53 (float64; 2^24, 2^11, 2^8 for float32, float16, bfloat16) is exact in any
    order, so there is no tolerance. Both sides are polynomials of degree 1 in d, in ȳ and in each further input:
    a wrong one agrees at a random point of a grid of |S| values with probability at most degree / |S|
    (Schwartz–Zippel), in all trials with that to the power of their number.

    Parameters
    ----------
    f, vjp : callable
        f(*inputs) -> ndarray, and vjp(cotangent, *inputs) -> the gradient of the input probed.
    inputs : sequence of ndarray
        Only shapes and dtypes are used.
    index : int
        The input in which f is affine with the others fixed.
    largest : int, optional
        Largest whole number to draw; by default as large as the sums allow, at most 1000.
    """
    limit = largest or _limit(inputs)
    degree = 1 + len(inputs)
    missed = min(1.0, degree / (2 * limit + 1)) ** TRIALS
    calls = 0
    for _ in range(TRIALS):
        whole = [integers(x.shape, limit, rng).astype(x.dtype) for x in inputs]
        step = integers(inputs[index].shape, limit, rng).astype(inputs[index].dtype)
        values = [_moved(f, whole, index, step, times) for times in (0, 1, 2)]
        calls += 3
        one, two = values[1] - values[0], values[2] - values[0]
        if not all(_whole(v) for v in values) or np.any(two != 2 * one):
            return Exact(False, False, 0.0, 0.0, 1.0, calls, "f is not linear, or not exact, on whole numbers")
        cotangent = integers(one.shape, limit, rng)
        gradient = np.asarray(vjp(cotangent, *whole), dtype=np.float64)
        if not _whole(gradient):
            # rounding (a transform, a mean) or a mistake: the numeric tiers tell which
            return Exact(False, False, 0.0, 0.0, 1.0, calls, "the gradient is not exact on whole numbers")
        left, right = _product(one, cotangent), _product(step, gradient)
        if left != right:
            return Exact(True, False, float(left), float(right), missed, calls, "differs on whole numbers")
    return Exact(True, True, float(left), float(right), missed, calls)


def _limit(inputs: Sequence[Array]) -> int:
    """Largest L for which the sum of every product of three numbers up to L (2 L for a moved input) is exact."""
    precision = min(np.finfo(x.dtype).nmant + 1 for x in inputs)
    most = max(x.size for x in inputs) * 4
    return int(min(max(np.cbrt(2.0**precision / most), 1), LARGEST))


def _moved(f: Callable[..., Any], whole: Sequence[Array], index: int, step: Array, times: int) -> Array:
    moved = [x + times * step if i == index else x for i, x in enumerate(whole)]
    return np.asarray(f(*[x.astype(w.dtype) for x, w in zip(moved, whole, strict=True)]), dtype=np.float64)


def _whole(value: Array) -> bool:
    return bool(np.all(np.isfinite(value)) and np.all(value == np.rint(value)))


def _product(a: Array, b: Array) -> int:
    """⟨a, b⟩ of whole numbers, without rounding at any size."""
    return sum(int(p) * int(q) for p, q in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True) if p and q)
