"""Nested Chebyshev nodes on an integer grid, and the matrices that turn samples into coefficients.

The nodes are the extrema cos(jπ/n), n = 4, 8, 16, 32, rounded to integers out of `grid`. Whole numbers of one
quantum can be added to a point without rounding (`gradcheck.directions`), so the step taken is the step meant; the
rounding of the nodes costs nothing, because the coefficients are solved for at the nodes as they are. A prime
grid keeps the nodes off the dyadic points at which a periodic function could vanish all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from gradcheck.estimate import Array


@dataclass(frozen=True)
class Nodes:
    """One level: `positions` (integers), `coefficients` (count, count) and the derivative rows.

    `slopes[K] @ samples` is the derivative at the centre, times the half length, of the expansion cut to its first
    K coefficients; `slope_norms[K]` is the 2-norm of that row.
    """

    positions: tuple[int, ...]
    coefficients: Array
    scale: Array
    slopes: Array
    slope_norms: Array


@cache
def chebyshev(count: int, grid: int) -> Nodes:
    """Nodes and matrices for `count` samples on the integer `grid`.

    Raises
    ------
    ValueError
        If two nodes fall on one integer of the grid.

    Examples
    --------
    >>> chebyshev(5, 1459).positions
    (1459, 1032, 0, -1032, -1459)
    """
    last = count - 1
    positions = tuple(round(grid * np.sin(np.pi * (last - 2 * j) / (2 * last))) for j in range(count))
    if len(set(positions)) < count:
        raise ValueError(
            f"chebyshev: {count} nodes do not fit a grid of {grid}\n"
            f"  distinct positions = {len(set(positions))}, wanted {count}\n"
            f"  grid must exceed about count**2 / 5 = {count**2 / 5:.0f}"
        )
    matrix = np.polynomial.chebyshev.chebvander(np.array(positions) / grid, last)
    inverse = np.linalg.inv(matrix)
    order = np.arange(count)
    derivative = np.where(order % 2 == 1, order * (1.0 - 2.0 * ((order // 2) % 2)), 0.0)
    slopes = np.vstack([np.zeros(count), np.cumsum(derivative[:, None] * inverse, axis=0)])
    return Nodes(
        positions,
        inverse,
        np.linalg.norm(inverse, axis=1),
        slopes,
        np.linalg.norm(slopes, axis=1),
    )
