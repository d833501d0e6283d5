"""Channels: what several cotangents make of an output, in blocks that stay in the cache.

An array of the size of the output is made by none of them: memory that is fresh costs more than the numbers in it.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from gradcheck.estimate import Array

#: Elements of a block: 128 KiB of float64, of which a few fit into the second cache of any processor.
BLOCK = 1 << 14

#: Elements, beside those that are not 0, from which on a channel is summed over these alone.
SPARSE = 16


class Channels:
    """Cotangents ȳ_m, by which outputs are weighed.

    Parameters
    ----------
    cotangents : ndarray, shape (channels, *shape of the output)

    Examples
    --------
    >>> channels = Channels(np.array([[1.0, 2.0], [0.0, -3.0]]))
    >>> values, sizes = channels.products(np.array([5.0, 6.0]), np.array([4.0, 4.0]))
    >>> values, sizes
    (array([ 5., -6.]), array([13., 18.]))
    """

    def __init__(self, cotangents: Array) -> None:
        self.flat = cotangents.reshape(len(cotangents), -1).astype(np.float64, copy=False)

    def products(self, output: Array, centre: Array) -> tuple[Array, Array]:
        """⟨ȳ_m, output − centre⟩ and ‖ȳ_m ∘ output‖ of every channel, of flat outputs.

        Differences come first: what does not change costs no digits of what does.
        """
        values, squares = np.zeros(len(self.flat)), np.zeros(len(self.flat))
        full, few = self.places
        weights = self.flat[full]
        for start in range(0, output.size, BLOCK):
            block = slice(start, start + BLOCK)
            here, there = output[block], centre[block]
            part = weights[:, block]
            values[full] += part @ difference(here, there)
            weighed = part * here.astype(np.float64, copy=False)
            squares[full] += np.einsum("ij,ij->i", weighed, weighed)
        for channel, places in few.items():
            here, part = output[places], self.flat[channel, places]
            values[channel] = part @ difference(here, centre[places])
            weighed = part * here.astype(np.float64, copy=False)
            squares[channel] = weighed @ weighed
        return values, np.sqrt(squares)

    @cached_property
    def places(self) -> tuple[slice, dict[int, Array]]:
        """The channels that are summed over all outputs, which come first, and the places of the others' elements.

        The first is summed over all of them whatever it holds: what is not finite anywhere is seen by it.
        """
        few: dict[int, Array] = {}
        for channel in range(len(self.flat) - 1, 0, -1):
            if (
                self.flat.shape[1] <= BLOCK
                or np.count_nonzero(self.flat[channel]) * SPARSE > self.flat.shape[1]
            ):
                break
            few[channel] = np.flatnonzero(self.flat[channel])
        return slice(0, len(self.flat) - len(few)), few

    @cached_property
    def heaviest(self) -> Array:
        """The largest weight of each channel."""
        return np.asarray(np.maximum(self.flat.max(axis=1), -self.flat.min(axis=1)))


def difference(output: Array, centre: Array) -> Array:
    """What two outputs differ by, float64: taken in their own numbers where those are longer."""
    wide = np.result_type(output.dtype, np.float64) if output.dtype.kind == "f" else np.float64
    apart = output.astype(wide, copy=False) - centre.astype(wide, copy=False)
    return np.asarray(apart.astype(np.float64, copy=False))
