"""Limits: what no implementation beats, measured on this machine in the same rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.estimate import Array

MOVED, MULTIPLIED = "limit: bytes moved", "limit: one BLAS product"


def limits(arrays: Sequence[Array], outputs: Sequence[Array], products: int) -> dict[str, Callable[[], Any]]:
    """A copy of as many bytes as go in and out; and, where there are products, one square product of as many.

    A copy reads and writes each of its bytes, so half of what goes in and out is copied.
    """
    size = max(1, sum(each.nbytes for each in (*arrays, *outputs)) // 2)
    source, sink = np.zeros(size, np.uint8), np.empty(size, np.uint8)
    found: dict[str, Callable[[], Any]] = {MOVED: lambda: np.copyto(sink, source)}
    if products:
        side = max(1, round(products ** (1 / 3)))
        square = np.ones((side, side), arrays[0].dtype)
        out = np.empty_like(square)
        found[MULTIPLIED] = lambda: np.matmul(square, square, out=out)
    return found
