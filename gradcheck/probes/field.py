"""Lines through the inputs of array functions: φ_m(t) = ⟨ȳ_m, f(x + t v)⟩ for several cotangents at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np

from gradcheck.batches import Section
from gradcheck.directions import Steps
from gradcheck.estimate import SMALLEST, Array
from gradcheck.number import finfo
from gradcheck.probes.channels import Channels, difference
from gradcheck.probes.levels import digits
from gradcheck.probes.line import Sample

#: Grid by the significant bits of the dtype: as fine as the dtype can step along, see `Steps`.
GRIDS = {"float64": 1459, "float32": 181, "float16": 23, "bfloat16": 17}

#: Elements that tell as much of the median one as all do.
MANY = 1 << 15


def grid(dtype: np.dtype) -> int:
    """The grid of a dtype; of what has more digits than float64, or none of these, that of float64."""
    return GRIDS.get(dtype.name, GRIDS["float64"])


@dataclass
class FieldLine:
    """φ_m(t) = ⟨cotangents[m], f(point + t direction)⟩ less its value at t = 0.

    Differences are taken element by element before they are summed, so that a large offset common to both sides
    costs nothing. `floor` is the rounding of the outputs to their own dtype, u · ‖ȳ ∘ y‖.

    Parameters
    ----------
    function : callable
        f(x) -> ndarray or scalar.
    point, direction : ndarray of one shape
        The notes' x, and v.
    cotangents : ndarray, shape (channels, *shape of f(x))
        Nothing for a scalar function: the single cotangent 1.
    accuracy : float
        Relative error of the outputs, where that is more than their rounding.
    """

    function: Callable[[Any], Any]
    point: Array
    direction: Array
    cotangents: Array | None = None
    evaluations: int = 0
    centre: Array | None = None
    accuracy: float = 0.0
    steps: Steps = field(init=False)

    def __post_init__(self) -> None:
        self.grid = grid(self.point.dtype)
        self.steps = Steps(self.point, self.direction, self.grid)

    @property
    def limits(self) -> tuple[int, int]:
        """From the shortest step that the numbers can take to the longest that stays finite."""
        # a longdouble's exponents are beyond those of the float64 in which lengths are kept
        longest = min(int(finfo(self.point.dtype).maxexp), int(finfo(np.float64).maxexp))
        return self.shortest(), longest - self.grid.bit_length() - 4

    @property
    def unit(self) -> float:
        """Unit round-off of the coarser of the dtypes of x and f(x)."""
        outputs = [] if self.centre is None else [self.centre.dtype]
        return max(self.accuracy, *(unit_of(dtype) for dtype in (self.point.dtype, *outputs)))

    def shortest(self) -> int:
        """Exponent at which one quantum is a few units in the last place for the median element that moves."""
        return self._shortest

    @cached_property
    def _shortest(self) -> int:
        moving = np.flatnonzero(self.direction)
        if not moving.size:
            return -1000
        # the median of so many is within a fiftieth of the ranks of that of all
        moving = moving[:: moving.size // MANY + 1]
        least = np.spacing(np.abs(self.point.ravel()[moving])).astype(np.float64)
        ratio = np.log2(np.maximum(least, SMALLEST)) - np.log2(
            np.abs(self.direction.ravel()[moving]).astype(np.float64)
        )
        return int(np.ceil(float(np.median(ratio)))) + 1

    def scale(self) -> float:
        """Length of t over which the point moves by its own size; 1 at the origin."""
        return self.length

    @cached_property
    def length(self) -> float:
        """The same, measured once."""
        v = float(np.sqrt(np.mean(np.square(self.direction, dtype=np.float64))))
        x = float(np.sqrt(np.mean(np.square(self.point, dtype=np.float64))))
        return x / v if x > 0 and v > 0 else 1.0

    def aside(self) -> float:
        """Half a unit in each element, of a point of several: with one, the place tells it all."""
        return self.unit * self.scale() if self.point.size > 1 else 0.0

    def sample(self, position: int, exponent: int) -> Sample:
        """φ at `position` quanta, less φ at the centre, for every cotangent."""
        if position == 0:
            return self.less_centre(self.start())
        moved = self.point.dtype.type(position) * self.steps.quantum(exponent)
        moved += self.point
        return self.less_centre(self.call(moved))

    def samples(self, positions: Sequence[int], exponent: int) -> dict[int, Sample]:
        """φ at several positions, up to the first where it is not finite; from one call where f takes them together.

        Those of a batch cost what they would one by one: none that lies beyond is counted.
        """
        together = {p: self.less_centre(y, centre) for p, y, centre in self.together(positions, exponent)}
        found = {}
        for position in positions:
            self.evaluations += position in together
            found[position] = together.get(position) or self.sample(position, exponent)
            if not found[position].finite:
                break
        return found

    def together(self, positions: Sequence[int], exponent: int) -> Iterator[tuple[int, Array, Array]]:
        """Outputs of batches, each with the one at the centre to compare it with; nothing where f takes no batches."""
        if isinstance(self.function, Section):
            moving = [p for p in positions if p != 0]
            yield from self.function.outputs(self.point, self.steps.quantum(exponent), moving)

    def between(self, place: float, exponent: int) -> tuple[Sample, float]:
        """φ at the number nearest to `place` half lengths, and the share of the half length that it is."""
        moved, taken = self.steps.nearest(place, exponent)
        return self.less_centre(self.call(moved)), taken

    def less_centre(self, output: Array, centre: Array | None = None) -> Sample:
        """One number a cotangent from an output less the one at the centre, and its rounding."""
        before = self.start() if centre is None else centre
        unit, longer = max(unit_of(output.dtype), self.accuracy), carried(output.dtype)
        least = underflow(output)
        if self.channels is None:
            values = difference(output, before).reshape(1)
            rounding = unit * np.abs(output.astype(np.float64)).reshape(1) + longer * np.abs(values)
            return Sample(values, rounding + least, digits(rounding, output))
        values, sizes = self.channels.products(output.ravel(), before.ravel())
        rounding, heaviest = unit * sizes, self.channels.heaviest
        if longer:
            change = difference(output, before).ravel()
            rounding = rounding + longer * self.channels.products(change, np.zeros_like(change))[1]
        return Sample(values, rounding + least * heaviest, digits(rounding, output, heaviest))

    @cached_property
    def channels(self) -> Channels | None:
        """The cotangents; None of a scalar function without."""
        return None if self.cotangents is None else Channels(self.cotangents)

    def start(self) -> Array:
        """The output at the point, evaluated once."""
        if self.centre is None:
            self.centre = self.call(self.point)
        return self.centre

    def call(self, point: Array) -> Array:
        """One evaluation, as an array."""
        self.evaluations += 1
        with np.errstate(all="ignore"):
            return np.asarray(self.function(point))


def underflow(output: Array) -> float:
    """Size below which two outputs may be one, whatever theirs: what f is made of underflows.

    Where nothing but zeros is left, it may have been scaled up after that: by no more than the root of it, since even
    then it would have to be a root in size to be seen.
    """
    tiny = float(finfo(output.dtype).tiny)
    return tiny if output.flat[0] != 0 or output.any() else math.sqrt(tiny)


@cache
def unit_of(dtype: np.dtype[Any]) -> float:
    """Unit round-off of a number of this dtype."""
    return float(finfo(dtype).eps) / 2


@cache
def carried(dtype: np.dtype[Any]) -> float:
    """Rounding of a difference, which is float64 where the numbers are longer.

    That of its weight in a derivative is half as large at most: the factor for the worst signs has room for it, since
    differences are smaller near the centre.
    """
    least = float(np.finfo(np.float64).eps)
    return least / 2 if finfo(dtype).eps < least else 0.0
