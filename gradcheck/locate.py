"""Where a gradient is wrong: halves of a direction's support, O(log n) probes for each wrong element."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gradcheck.estimate import Array

#: Probe(direction) -> the direction really taken, the right derivative along it, and its bound.
Probe = Callable[[Array], tuple[Array, float, float]]

#: Blocks of the array, at random places, that are looked at first, and how many of them it holds. Of 30 wrong elements
#: all four hold one with probability (30/256)^4 = 2e-4, and two of them with 0.07.
LOOKS, BLOCKS = 4, 256


@dataclass(frozen=True)
class Element:
    """A wrong element: its index, what is claimed of it, and what was measured, with its bound."""

    index: tuple[int, ...]
    claimed: float
    value: float
    bound: float


@dataclass(frozen=True)
class Located:
    """Wrong elements, the worst first, and what is left.

    Parameters
    ----------
    elements : tuple of Element
    spread : bool
        Whether there are more, not looked for: too many to list, or the probes were spent.
    probes : int
        What it cost.
    everywhere : bool
        Whether they were found at all of the places looked at, or at half of them and more than there are probes.
    faint : int
        Blocks found wrong in whose halves nothing was: what is wrong there is too small to be told from noise.
    """

    elements: tuple[Element, ...]
    spread: bool
    probes: int
    everywhere: bool = False
    faint: int = 0


@dataclass
class _Search:
    """Best-first halving: the block with the largest unexplained number is split next."""

    claimed: Array
    probe: Probe
    direction: Array
    size: float
    probes: int = 0
    blocks: list[tuple[float, int, int, float, float]] = field(default_factory=list)
    found: list[Element] = field(default_factory=list)
    everywhere: bool = False
    faint: int = 0

    def residual(self, low: int, high: int) -> tuple[float, float]:
        """Claimed less measured derivative along the direction's elements low..high, and its bound."""
        masked = np.zeros(self.claimed.size)
        masked[low:high] = self.direction[low:high]
        self.probes += 1
        taken, value, bound = self.probe(masked.reshape(self.claimed.shape))
        flat = taken.ravel()[low:high]
        claim = self.claimed.ravel()[low:high] * flat
        own = np.finfo(float).eps * (np.log2(flat.size) + 2) * float(np.abs(claim).sum())
        return float(claim.sum()) - value, bound + own

    def keep(self, low: int, high: int, residual: float, bound: float) -> bool:
        """Whether a block is wrong; if so it waits to be split."""
        wrong = abs(residual) > bound
        if wrong:
            heapq.heappush(self.blocks, (-abs(residual), low, high, residual, bound))
        return wrong

    def split(self, low: int, high: int, residual: float, bound: float) -> None:
        """Measure the first half; the second is what is left, since derivatives add up."""
        middle = (low + high) // 2
        first, own = self.residual(low, middle)
        left = self.keep(low, middle, first, own)
        right = self.keep(middle, high, residual - first, bound + own)
        self.faint += not (left or right)

    def look_everywhere(self, budget: int) -> None:
        """Look at blocks at random places: whether all are wrong, or so many that there are more than can be listed."""
        size = max(1, self.claimed.size // BLOCKS)
        # a stream of its own: the errors of a test are all too often drawn from seed 0 as well
        rng = np.random.default_rng([self.claimed.size, 0x10CA7E])
        places = rng.choice(self.claimed.size - size + 1, LOOKS, replace=False)
        wrong = 0
        for seen, low in enumerate(places, 1):
            wrong += self.is_wrong(int(low), int(low) + size)
            many = 2 * wrong >= LOOKS and wrong / seen * self.claimed.size / size > budget - self.probes
            self.everywhere = wrong == LOOKS or many
            if self.everywhere or (2 * seen == LOOKS and not wrong):
                return

    def is_wrong(self, low: int, high: int) -> bool:
        """Whether a block is wrong by its own measurement."""
        residual, bound = self.residual(low, high)
        return bool(abs(residual) > bound)

    def settle(self, at: int) -> None:
        """Measure one element by itself."""
        taken = np.zeros(self.claimed.size)
        taken[at] = self.size
        self.probes += 1
        moved, value, bound = self.probe(taken.reshape(self.claimed.shape))
        length = float(moved.ravel()[at])
        if length != 0:
            claim = float(self.claimed.ravel()[at])
            element = Element(_index(at, self.claimed), claim, value / length, bound / abs(length))
            if abs(claim - element.value) > element.bound:
                self.found.append(element)


def locate(
    claimed: Array,
    probe: Probe,
    direction: Array,
    measured: tuple[float, float],
    *,
    size: float = 1.0,
    budget: int = 60,
) -> Located:
    """Elements of `claimed` that differ from what is measured.

    Derivatives along disjoint supports add up, so a wrong block is halved by one probe, and one wrong element
    among n takes about log2(n) + 3 of them, k take at most about k log2(n). Where errors are everywhere the
    search stops early and says so. Only one direction is kept in memory, whatever the number of probes.

    Parameters
    ----------
    claimed : ndarray
        The gradient.
    probe : callable
        probe(direction) -> (direction taken, right derivative along it, bound).
    direction : ndarray of the shape of claimed
        A Gaussian direction along which claim and measurement differ.
    measured : (float, float)
        The right derivative along it, and its bound.
    size : float
        Length of the steps by which single elements are measured.
    budget : int
        Probes.

    Examples
    --------
    >>> right, v = np.arange(1.0, 65.0), np.random.default_rng(0).standard_normal(64)
    >>> wrong = right.copy()
    >>> wrong[37] *= 2
    >>> found = locate(wrong, lambda v: (v, float(right @ v), 1e-12), v, (float(right @ v), 1e-12))
    >>> [e.index for e in found.elements], found.probes
    ([(37,)], 9)
    """
    search = _Search(claimed, probe, direction.ravel(), size)
    value, bound = measured
    search.keep(0, claimed.size, float(np.sum(claimed * direction)) - value, bound)
    if search.blocks and min(budget, claimed.size) >= LOOKS:
        search.look_everywhere(budget)
    while search.blocks and search.probes < budget and not search.everywhere:
        _, low, high, residual, bound = heapq.heappop(search.blocks)
        if high - low == 1:
            search.settle(low)
        else:
            search.split(low, high, residual, bound)
    found = sorted(search.found, key=lambda e: -abs(e.claimed - e.value))
    return Located(tuple(found), bool(search.blocks), search.probes, search.everywhere, search.faint)


def enough(size: int) -> int:
    """Probes that one wrong element among so many takes: the first looks, one for each halving, and its own.

    Examples
    --------
    >>> enough(1000)
    13
    """
    return LOOKS // 2 + math.ceil(math.log2(size)) + 1


def measure_all(claimed: Array, probe: Probe, *, size: float = 1.0) -> tuple[Array, Array]:
    """Every element of the right gradient and its bound, one probe each; both of the shape of `claimed`."""
    values, bounds = np.empty(claimed.size), np.empty(claimed.size)
    for at in range(claimed.size):
        direction = np.zeros(claimed.size)
        direction[at] = size
        taken, value, bound = probe(direction.reshape(claimed.shape))
        length = float(taken.ravel()[at])
        values[at], bounds[at] = (value / length, bound / abs(length)) if length else (np.nan, np.inf)
    return values.reshape(claimed.shape), bounds.reshape(claimed.shape)


def _index(at: int, array: Array) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(at, array.shape))
