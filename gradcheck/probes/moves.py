"""What a function changes by along a direction, on one side of a point at a time, for every output."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gradcheck.batches import Section
from gradcheck.directions import Steps
from gradcheck.estimate import Array
from gradcheck.number import finfo
from gradcheck.probes.field import grid
from gradcheck.probes.nodes import Nodes, sided

#: Samples on a segment, the point itself among them.
COUNT = 9

#: Share of the direction by which steps may leave it: an element that stands still is not probed.
TURNED = 1e-2

Function = Callable[[Array], Array]


@dataclass
class Moves:
    """f along a direction, one side at a time.

    Parameters
    ----------
    function : callable
        function(point) -> ndarray.
    point, direction : ndarray of one shape
        The direction is a float64 array of about the size of the point.
    centre : ndarray
        f at the point.
    accuracy : float
        Relative error of the outputs, where that is more than their rounding.
    """

    function: Function
    point: Array
    direction: Array
    centre: Array
    accuracy: float = 0.0
    evaluations: int = 0
    changes: dict[tuple[int, int, int], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.grid = grid(self.point.dtype)
        self.steps = Steps(self.point, self.direction, self.grid)
        self.nodes: Nodes = sided(COUNT, self.grid)
        own = max(float(finfo(self.point.dtype).eps), float(finfo(self.centre.dtype).eps)) / 2
        self.unit = max(own, float(np.finfo(np.float64).eps) / 2)
        self.flat = self.centre.astype(np.float64).ravel()

    def lost(self, exponent: int) -> bool:
        """Whether steps of that exponent are no longer the direction."""
        length = float(np.linalg.norm(self.direction.ravel()))
        away = float(np.linalg.norm((self.steps.taken(exponent) - self.direction).ravel()))
        return away > TURNED * length

    def change(self, side: int, position: int, exponent: int) -> Array:
        """What f changes by over `position` quanta on one side, flat; sampled once."""
        key = side, position, exponent
        if key not in self.changes:
            if position == 0:
                return np.zeros_like(self.flat)
            self.evaluations += 1
            moved = self.point + self.point.dtype.type(side * position) * self.steps.quantum(exponent)
            with np.errstate(all="ignore"):
                output = np.asarray(self.function(moved)).astype(np.float64).ravel()
                self.changes[key] = output - self.flat
        return self.changes[key]

    def segment(self, side: int, exponent: int) -> Array:
        """What f changes by at the nodes of a segment, (count, outputs); in batches, where f takes them."""
        lacking = [p for p in self.nodes.positions if p and (side, p, exponent) not in self.changes]
        if isinstance(self.function, Section):
            places = [side * p for p in lacking]
            for place, output, centre in self.function.outputs(
                self.point, self.steps.quantum(exponent), places
            ):
                self.evaluations += 1
                change = output.astype(np.float64) - centre.astype(np.float64)
                self.changes[side, side * place, exponent] = change.ravel()
        return np.array([self.change(side, p, exponent) for p in self.nodes.positions])

    def floor(self, changes: Array) -> Array:
        """Error of a sample that cannot be avoided, for every output."""
        sizes = np.abs(self.flat) + np.abs(changes).max(axis=0)
        return np.asarray(max(self.unit, self.accuracy) * sizes + float(finfo(self.centre.dtype).tiny))

    def turned(self, exponent: int, other: int) -> float:
        """How far two exponents' steps lie apart in direction, as a share of them."""
        one, two = self.steps.taken(exponent), self.steps.taken(other)
        return float(np.abs(one - two).max() / max(float(np.abs(one).max()), 1e-300)) * math.sqrt(one.size)
