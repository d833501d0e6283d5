"""Where a gradient is wrong: halves of a direction's support, O(log n) probes for each wrong element."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gradcheck.estimate import Array

#: Probe(direction) -> the direction really taken, the right derivative along it, and its bound.
Probe = Callable[[Array], tuple[Array, float, float]]

#: Splits in a row with both halves wrong after which it is asked whether the error is all over the array.
SPREAD = 4

#: Blocks of the array, at random places, that are all wrong where it is, and how many of them it holds. Of 30
#: wrong elements all four blocks hold one with probability (30/256)^4 = 2e-4, of 256 with 0.16.
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
        Whether they were found to be all over the array.
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
    both: int = 0
    asked: bool = False
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
        self.both = self.both + 1 if left and right else 0
        self.faint += not (left or right)

    def look_everywhere(self) -> None:
        """Ask once whether blocks at random places are all wrong: k elements make log2(k) splits as well."""
        self.asked = True
        size = max(1, self.claimed.size // BLOCKS)
        # a stream of its own: the errors of a test are all too often drawn from seed 0 as well
        places = np.random.default_rng([self.claimed.size, 0x10CA7E]).integers(
            0, self.claimed.size - size + 1, LOOKS
        )
        self.everywhere = all(self.is_wrong(int(low), int(low) + size) for low in places)

    def is_wrong(self, low: int, high: int) -> bool:
        """Whether a block is wrong by its own measurement."""
        residual, bound = self.residual(low, high)
        return abs(residual) > bound

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
    among n takes about log2(n) + 1 of them, k take at most about k log2(n). Where errors are everywhere the
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
    ([(37,)], 7)
    """
    search = _Search(claimed, probe, direction.ravel(), size)
    value, bound = measured
    search.keep(0, claimed.size, float(np.sum(claimed * direction)) - value, bound)
    while search.blocks and search.probes < budget and not search.everywhere:
        if search.both >= SPREAD and not search.asked and search.probes + LOOKS <= budget:
            search.look_everywhere()
            continue
        _, low, high, residual, bound = heapq.heappop(search.blocks)
        if high - low == 1:
            search.settle(low)
        else:
            search.split(low, high, residual, bound)
    found = sorted(search.found, key=lambda e: -abs(e.claimed - e.value))
    return Located(tuple(found), bool(search.blocks), search.probes, search.everywhere, search.faint)


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
