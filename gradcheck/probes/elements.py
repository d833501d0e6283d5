"""Lines on which every element of an array function is a channel of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcheck.estimate import Array
from gradcheck.probes.channels import difference
from gradcheck.probes.field import FieldLine, carried, underflow, unit_of
from gradcheck.probes.levels import digits
from gradcheck.probes.line import Sample


@dataclass
class ElementLine(FieldLine):
    """φ_0(t) = ⟨driver, f(point + t direction)⟩, then a channel for each element, less their values at 0.

    The first channel drives a search; the elements are read off its samples. As many cotangents as elements
    would say the same with a matrix of size² numbers.

    Parameters
    ----------
    driver : ndarray, shape of f(x), optional
        By default Gaussian weights over the size of each element, so that no large one drowns the others.
    """

    driver: Array | None = None

    def __post_init__(self) -> None:
        # in float64 it would carry the steps, and with them f, out of the dtype of the point
        self.direction = self.direction.astype(self.point.dtype)
        super().__post_init__()

    def scale(self) -> float:
        """Length of t over which what moves does so by its own size; at 0 by that of all of x, else 1."""
        moving = self.direction != 0
        speed = float(np.linalg.norm(self.direction[moving]))
        sizes = (self.point[moving], self.point)
        reach = [float(np.linalg.norm(part.astype(np.float64).ravel())) for part in sizes]
        reach[1] /= np.sqrt(max(self.point.size, 1))
        return next((r / speed for r in reach if r > 0 and speed > 0), 1.0)

    def less_centre(self, output: Array, centre: Array | None = None) -> Sample:
        """The driver's change and every element's, with the rounding of the outputs to their own dtype."""
        values, weights = output.astype(np.float64).ravel(), self.weights()
        change = difference(output, self.start() if centre is None else centre).ravel()
        rounding = unit_of(output.dtype) * np.abs(values) + carried(output.dtype) * np.abs(change)
        floor, least = rounding + underflow(output), digits(rounding, output)
        driven, noise = weights @ change, np.linalg.norm(weights * floor)
        if least is not None:
            least = np.concatenate([[np.linalg.norm(weights * least)], least])
        return Sample(np.concatenate([[driven], change]), np.concatenate([[noise], floor]), least)

    def weights(self) -> Array:
        """The driver, flat; weights of elements that are 0 are those of the typical element."""
        if self.driver is not None:
            return self.driver.ravel()
        sizes = np.abs(self.start().astype(np.float64).ravel())
        usual = float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 1.0
        self.driver = np.random.default_rng(0).standard_normal(sizes.size) / np.where(sizes > 0, sizes, usual)
        return self.driver
