"""Outputs: several of them as one array, none of which drowns another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.number import coarsest, finfo


@dataclass(frozen=True)
class Outputs:
    """How to join several outputs, each divided by a power of two near its size, and to split a cotangent.

    By powers of two, which round nothing. In the coarsest of their dtypes, so that a cotangent has the same bits for
    each of them.
    """

    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[np.dtype[Any], ...]
    scales: tuple[float, ...]

    def joined(self, values: Sequence[Array]) -> Array:
        """One output as it is; several flat, one behind the other."""
        if len(self.shapes) == 1 == len(values):
            return values[0]
        wide = [v.astype(_wide(v.dtype)).ravel() / s for v, s in zip(values, self.scales, strict=True)]
        joined: Array = np.concatenate(wide)
        finer = any(finfo(v.dtype).eps < finfo(d).eps for v, d in zip(values, self.dtypes, strict=True))
        return joined.astype(coarsest(*(v.dtype for v in values)) if finer else coarsest(*self.dtypes))

    def split(self, cotangent: Array) -> list[Array]:
        """A cotangent for each output, in its dtype and shape."""
        if len(self.shapes) == 1:
            return [cotangent]
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]
        pieces = zip(np.split(cotangent, ends), self.shapes, self.dtypes, self.scales, strict=True)
        finer = (
            finfo(cotangent.dtype).eps < finfo(coarsest(*self.dtypes)).eps
        )  # the function in a finer dtype
        return [
            (piece.astype(_wide(d)) / s).astype(cotangent.dtype if finer else d).reshape(shape)
            for piece, shape, d, s in pieces
        ]


def layout_of(values: Sequence[Array]) -> Outputs:
    """How to join these outputs.

    None is enlarged beyond ε^(1/4) of the largest: one that is zero but for rounding would drown the others in that.
    """
    eps = float(finfo(coarsest(*(v.dtype for v in values))).eps)
    sizes = [_size(v) for v in values]
    least = max(sizes) * eps**0.25
    return Outputs(
        tuple(v.shape for v in values),
        tuple(v.dtype for v in values),
        tuple(_power(max(size, least)) for size in sizes),
    )


def _wide(dtype: np.dtype[Any]) -> Any:
    return np.result_type(dtype, np.float64)


def _size(value: Array) -> float:
    """The typical size of an element; 0 where it is no number."""
    size = float(np.sqrt(np.mean(np.square(value.astype(np.float64)))))
    return size if math.isfinite(size) else 0.0


def _power(size: float) -> float:
    """The power of two nearest to a size; 1 for 0."""
    return 2.0 ** round(math.log2(size)) if size > 0 else 1.0
