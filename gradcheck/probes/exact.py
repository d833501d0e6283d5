"""The exact probe: operations that are linear in an argument, on whole numbers, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.directions import integers
from gradcheck.estimate import Array
from gradcheck.number import finfo

#: Largest whole number drawn; fewer where sums of products of three could leave the exact range of the dtype.
LARGEST = 1000

#: Independent trials; the chance to miss is the power.
TRIALS = 3


@dataclass(frozen=True)
class Exact:
    """What the exact probe found; `applies` is False where the function is not linear on whole numbers.

    `left` and `right` are ⟨f(x + d) − f(x), ȳ⟩ and ⟨d, vjp(ȳ)⟩ of the first trial that differs, or the last.
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
    output: Array,
    rng: np.random.Generator,
    *,
    largest: int | None = None,
) -> Exact:
    """Whether ⟨f(x + d) − f(x), ȳ⟩ = ⟨d, vjp(ȳ)⟩ to the bit, for whole numbers in place of every input.

    Every sum of whole numbers below 2^53 (float64; 2^24, 2^11, 2^8 for float32, float16, bfloat16) is exact
    in any order, so there is no tolerance. Both sides are of degree 1 in each of d, ȳ and the further inputs.
    Each of these hides the difference of a wrong one for at most one of its |S| values, so the sides agree at
    a random point with probability at most 1 − (1 − 1/|S|)^degree <= degree/|S| (Schwartz–Zippel), in all
    trials with that to the power of their number. Nothing is said of numbers that are not whole.

    Parameters
    ----------
    f, vjp : callable
        f(*inputs) -> ndarray, and vjp(cotangent, *inputs) -> the gradient of the input probed.
    inputs : sequence of ndarray
        Only shapes and dtypes are used.
    index : int
        The input in which f is affine with the others fixed.
    output : ndarray
        f(*inputs), of which only size and dtype are used: cotangents have its dtype.
    rng : Generator
        Of every number drawn.
    largest : int, optional
        Largest whole number to draw; by default as large as the sums allow, at most 1000.
    """
    most = 2.0 ** min(53, *(finfo(x.dtype).nmant + 1 for x in (*inputs, output)))
    limit = largest or largest_exact(most, max(x.size for x in (*inputs, output)))
    missed = (1.0 - (1.0 - 1.0 / (2 * limit + 1)) ** (1 + len(inputs))) ** TRIALS
    left = right = 0
    for trial in range(1, TRIALS + 1):
        try:
            left, right = _sides(f, vjp, inputs, index, output.dtype, limit, most, rng)
        except _RefusedError as why:
            return Exact(False, False, 0.0, 0.0, 1.0, 3 * trial, str(why))
        if left != right:
            return Exact(
                True, False, float(left), float(right), missed, 3 * trial, "differs on whole numbers"
            )
    return Exact(True, True, float(left), float(right), missed, 3 * TRIALS)


class _RefusedError(Exception):
    """Why whole numbers tell nothing of this function, or of this gradient."""


def _sides(
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    inputs: Sequence[Array],
    index: int,
    dtype: np.dtype[Any],
    limit: int,
    most: float,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """⟨f(x + d) − f(x), ȳ⟩ and ⟨d, vjp(ȳ)⟩ for numbers drawn anew."""
    whole = [integers(x.shape, limit, rng).astype(x.dtype) for x in inputs]
    step = integers(inputs[index].shape, limit, rng).astype(inputs[index].dtype)
    values = [_asked(_moved, f, whole, index, step, times) for times in (0, 1, 2)]
    if not all(_whole(v, most) for v in values) or np.any(
        values[2] - values[0] != 2 * (values[1] - values[0])
    ):
        raise _RefusedError("f is not linear, or not exact, on whole numbers")
    one = values[1] - values[0]
    cotangent = integers(one.shape, limit, rng).astype(dtype)
    gradient = np.asarray(_asked(vjp, cotangent, *whole), dtype=np.float64)
    if not _whole(gradient, most):
        # rounding (a transform, a mean) or a mistake: the numeric tiers tell which
        raise _RefusedError("the gradient is not exact on whole numbers")
    return _product(one, cotangent), _product(step, gradient)


def _asked(function: Callable[..., Any], *arguments: Any) -> Any:
    """The user's answer. Whole numbers may lie outside what it takes: probabilities, angles, indices."""
    try:
        return function(*arguments)
    except Exception as error:
        raise _RefusedError(f"raised {type(error).__name__} on whole numbers") from error


def largest_exact(most: float, size: int) -> int:
    """Largest L for which sums of `size` products of three numbers up to L (one up to 3 L) stay below `most`.

    At least 1: with random signs even sums of a million such products stay below 2^11.
    """
    return int(min(max(np.cbrt(most / (4 * size)), 1), LARGEST))


def _moved(f: Callable[..., Any], whole: Sequence[Array], index: int, step: Array, times: int) -> Array:
    moved = [x + times * step if i == index else x for i, x in enumerate(whole)]
    return np.asarray(f(*[x.astype(w.dtype) for x, w in zip(moved, whole, strict=True)]), dtype=np.float64)


def _whole(value: Array, most: float) -> bool:
    """Whether all are whole and so small that they cannot have been rounded to it."""
    return bool(np.all(np.abs(value) <= most) and np.all(value == np.rint(value)))


def _product(a: Array, b: Array) -> int:
    """⟨a, b⟩ of whole numbers, without rounding at any size."""
    return sum(
        int(p) * int(q) for p, q in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True) if p and q
    )
