"""Ties: the elements in which an output bends at a point, one by one, and which of them meet in one tie.

Along a random direction the derivatives from both sides leave room for shares of ties that no subgradient has: in a
maximum of k equal elements every share is in [0, 1], and they add up to 1. Along a single element the room is just
[0, 1], and none is left along all elements of one tie at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from gradcheck.directions import gaussian
from gradcheck.estimate import Array

#: Bend, beside that along a random direction, from which on an element is one of a tie.
PART = 1e-3

#: Calls that looking for them may cost, and as many for which of them meet; elements that are looked at by themselves.
CALLS, MOST = 600, 24

#: Bend of two elements together, in bends of one, below which they are in one tie: together they bend by one at most,
#: or not at all where there are no others, and by two in different ties.
TOGETHER = 1.5


@dataclass
class Ties:
    """Elements at which some outputs of f bend, from differences on both sides of the point.

    Parameters
    ----------
    function : callable
        function(point) -> ndarray.
    point, centre : ndarray
        The point, and f there.
    widths : ndarray, shape (outputs,)
        Derivative from the right less that from the left, along a random direction of elements of `size`; 0 for outputs
        that are not asked for.
    size : float
    unit : float
        Rounding of f beside its values.
    rng : Generator

    Examples
    --------
    >>> x = np.array([1.0, 3.0, 3.0, 2.0, 3.0])
    >>> def f(x):
    ...     return x.max(keepdims=True)
    >>> ties = Ties(f, x, f(x), np.ones(1), 1.0, 1e-16, np.random.default_rng(0))
    >>> ties.elements()
    >>> sorted(ties.found), ties.calls <= 4 * 3 * 3, len(list(ties.groups(0, dict.fromkeys(ties.found, 1.0))))
    ([1, 2, 4], True, 1)
    """

    function: Callable[[Array], Array]
    point: Array
    centre: Array
    widths: Array
    size: float
    unit: float
    rng: np.random.Generator
    calls: int = 0
    complete: bool = True
    found: dict[int, Array] = field(default_factory=dict)

    def elements(self) -> None:
        """Find the elements in which one of the outputs bends; `complete` says whether all were.

        Halves of a set in which none bends are left out: O(k log n) calls for k of n elements.
        """
        left = [np.arange(self.point.size)]
        while left:
            some = left.pop()
            if self.calls + 2 > CALLS or len(self.found) >= MOST:
                self.complete = False
                break
            bends = self.bends(some)
            if bends.any() and some.size == 1:
                self.found[int(some[0])] = bends
            elif bends.any():
                left += [some[some.size // 2 :], some[: some.size // 2]]

    def bends(self, some: Array) -> Array:
        """Which outputs bend where these elements alone are moved."""
        direction = np.zeros(self.point.size)
        direction[some] = gaussian(some.shape, self.rng) * self.size
        with np.errstate(invalid="ignore"):
            return np.asarray((np.abs(self.bend(direction)) > PART * self.widths) & (self.widths > 0))

    def bend(self, direction: Array) -> Array:
        """Derivative from the right less that from the left, of every output, up to the root of its rounding."""
        self.calls += 2
        step = math.sqrt(self.unit)
        moved = [(self.point + s * step * direction.reshape(self.point.shape)) for s in (1.0, -1.0)]
        with np.errstate(all="ignore"):
            right, left = (
                np.asarray(self.function(x.astype(self.point.dtype))).astype(np.float64).ravel()
                for x in moved
            )
            return np.asarray((right + left - 2 * self.centre.astype(np.float64).ravel()) / step)

    def groups(self, output: int, widths: dict[int, float]) -> Iterator[dict[int, float]]:
        """For each tie of an output its elements, each with how far it goes to move the tie by as much as the first.

        Parameters
        ----------
        output : int
        widths : mapping of int to float
            For each element in which the output bends, by how much along a unit of it.
        """
        known: list[dict[int, float]] = []
        allowed = self.calls + CALLS
        for place, width in widths.items():
            for group in known:
                if self.calls + 4 > allowed:
                    self.complete = False
                    return
                first = next(iter(group))
                share = widths[first] / width
                if sign := self.sign(output, first, place, share, widths[first] * self.size):
                    group[place] = sign * share * self.size
                    break
            else:
                known.append({place: self.size})
        yield from (group for group in known if len(group) > 1)

    def sign(self, output: int, first: int, place: int, share: float, alone: float) -> float:
        """The sign with which an element moves the tie that the first is in; 0 where it is not of it.

        `share`: how far it goes to bend by as much as the first does by itself, which is `alone`.
        """
        for sign in (1.0, -1.0):
            direction = np.zeros(self.point.size)
            direction[first], direction[place] = self.size, sign * share * self.size
            if abs(self.bend(direction)[output]) < TOGETHER * alone:
                return sign
        return 0.0
