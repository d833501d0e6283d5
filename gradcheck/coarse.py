"""Coarse: the cases of a run in float32 or half precision, and the naive forward, which keeps its 16 digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.number import coarsest, finfo
from gradcheck.probes.exact import largest_exact

FLOAT64 = np.dtype(np.float64)

HEADROOM = 4.0
"""Factor below the largest number of a dtype that values stay, so that a sum of a few does not overflow."""


def cast(values: Sequence[Array], dtype: np.dtype[Any], kind: str) -> tuple[Array, ...]:
    """The values of a case in a dtype; whole numbers so small that sums of their products are exact in it."""
    if dtype == FLOAT64:
        return tuple(values)
    if kind == "integers":
        most = largest_exact(2.0 ** (finfo(dtype).nmant + 1), max(x.size for x in values))
        # a number from 1 on stays one: of zeros alone a gradient would be zero
        return tuple(_small(x, most).astype(dtype) for x in values)
    largest = float(finfo(dtype).max) / HEADROOM
    return tuple(np.clip(x, -largest, largest).astype(dtype) for x in values)


def _small(x: Array, most: int) -> Array:
    """Whole numbers as such of 1 to `most`, their signs and zeros kept; others, which a case fixes, as they are."""
    return np.asarray(np.where(x == np.round(x), np.sign(x) * (1 + np.fmod(np.abs(x) - 1, most)), x))


def keeps_exact(naive: Callable[..., Any], values: Sequence[Array], dtype: np.dtype[Any]) -> bool:
    """Whether every sum that the forward takes of whole numbers is exact in a dtype: also of their magnitudes.

    Not where a case fixes others, as weights that a softmax makes whole in float64 alone.
    """
    if dtype == FLOAT64:
        return True
    value = np.asarray(naive(*(np.asarray(x, np.float64) for x in values)))
    if not (value.astype(dtype).astype(np.float64) == value).all():
        return False
    sums = np.asarray(naive(*(np.abs(np.asarray(x, np.float64)) for x in values)))
    return bool(np.max(np.abs(sums), initial=0.0) <= 2.0 ** (finfo(dtype).nmant + 1))


def in_float64(naive: Callable[..., Any]) -> Callable[..., Any]:
    """The naive forward, reckoned in float64 whatever it is given, and answered in the dtype that it was given."""

    def forward(*inputs: Array, **options: Any) -> Array:
        answer = np.asarray(naive(*(_widened(x) for x in inputs), **options))
        given = coarsest(*(np.asarray(x).dtype for x in inputs))
        return answer if np.iscomplexobj(answer) else answer.astype(given)

    return forward


def _widened(x: Any) -> Array:
    array = np.asarray(x)
    return array if array.dtype.kind == "c" else array.astype(np.float64)
