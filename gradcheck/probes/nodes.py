"""Nested Chebyshev nodes on an integer grid, and the matrices that turn samples into coefficients.

The nodes are the extrema cos(jπ/n), n = 4, 8, 16, 32, rounded to integers out of `grid`. Whole numbers of one
quantum can be added to a point without rounding (`gradcheck.directions`), so the step taken is the step meant; the
rounding of the nodes costs nothing, because the coefficients are solved for at the nodes as they are. A prime
grid keeps the nodes off the dyadic points at which a periodic function could vanish all at once.
"""

from __future__ import annotations

import math
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


def fits(count: int, grid: int) -> bool:
    """Whether that many nodes fall on different integers of a grid."""
    return count**2 // 5 < grid


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
    inverse = _inverse(np.array(positions, np.longdouble) / grid)
    order = np.arange(count)
    derivative = np.where(order % 2 == 1, order * (1.0 - 2.0 * ((order // 2) % 2)), 0.0)
    return _nodes(positions, inverse, derivative)


@cache
def sided(count: int, grid: int) -> Nodes:
    """Nodes on [0, h] alone, h = grid quanta, and matrices for them; `slopes` are those at 0, times h.

    Raises
    ------
    ValueError
        If two nodes fall on one integer of the grid.

    Examples
    --------
    >>> nodes = sided(5, 1459)
    >>> nodes.positions
    (0, 214, 729, 1245, 1459)
    >>> t = np.array(nodes.positions) / 1459
    >>> round(float(nodes.slopes[-1] @ (3 * t + t**2)), 9)
    3.0
    """
    last = count - 1
    positions = tuple(round(grid * (1 - math.cos(math.pi * j / last)) / 2) for j in range(count))
    if len(set(positions)) < count:
        raise ValueError(
            f"sided: {count} nodes do not fit a grid of {grid}\n"
            f"  distinct positions = {len(set(positions))}, wanted {count}\n"
            "  a longer grid keeps them apart"
        )
    inverse = _inverse(2 * np.array(positions, np.longdouble) / grid - 1)
    order = np.arange(count)
    derivative = 2.0 * order**2 * np.where(order % 2 == 1, 1.0, -1.0)
    return _nodes(positions, inverse, derivative)


def _inverse(places: Array) -> Array:
    """What turns samples at these places into coefficients, to the last digit where there are numbers with more."""
    matrix = np.polynomial.chebyshev.chebvander(places, len(places) - 1)
    rough = np.linalg.inv(matrix.astype(np.float64)).astype(matrix.dtype)
    # Newton's step: the inverse of a matrix of this condition is off by some units, as large as what a line rounds to
    return rough + rough @ (np.eye(len(places)) - matrix @ rough)


def _nodes(positions: tuple[int, ...], inverse: Array, derivative: Array) -> Nodes:
    """Where samples are turned into coefficients by `inverse`, which have these derivatives at the centre or end."""
    slopes = np.vstack([np.zeros(len(positions)), np.cumsum(derivative[:, None] * inverse, axis=0)])
    inverse, slopes = inverse.astype(np.float64), slopes.astype(np.float64)
    return Nodes(positions, inverse, np.linalg.norm(inverse, axis=1), slopes, np.linalg.norm(slopes, axis=1))
