"""Numba as a target: up- and down-sampling as loops that it compiles, where these beat any number of NumPy's calls.

A convolution is not here: compiled loops take several times what BLAS takes for its products.
"""

import numba
import numpy as np

from gradcheck.implementation import implements

__version__ = numba.__version__


@numba.njit
def _copy_into_blocks(lines, n, out):
    """Rows (lines, width) into (lines, n, n width); two pixels are written out, which the compiler makes one store."""
    for r in range(lines.shape[0]):
        first = out[r, 0]
        if n == 2:
            for c in range(lines.shape[1]):
                first[2 * c] = lines[r, c]
                first[2 * c + 1] = lines[r, c]
        else:
            for c in range(lines.shape[1]):
                for b in range(n):
                    first[c * n + b] = lines[r, c]
        for a in range(1, n):
            out[r, a] = first


@numba.njit
def _add_blocks(lines, n, out):
    """Blocks of (lines, n, n width) into (lines, width), each summed row by row."""
    for r in range(out.shape[0]):
        if n == 2:
            above, below = lines[r, 0], lines[r, 1]
            for c in range(out.shape[1]):
                out[r, c] = above[2 * c] + above[2 * c + 1] + below[2 * c] + below[2 * c + 1]
        else:
            for c in range(out.shape[1]):
                total = lines[r, 0, c * n]
                for a in range(n):
                    for b in range(n):
                        if a or b:
                            total += lines[r, a, c * n + b]
                out[r, c] = total


def copied(x, n):
    """Every pixel as an n by n block."""
    batch, maps, height, width = x.shape
    out = np.empty((batch * maps * height, n, n * width), x.dtype)
    _copy_into_blocks(np.ascontiguousarray(x).reshape(-1, width), n, out)
    return out.reshape(batch, maps, n * height, n * width)


def summed(x, n):
    """The sum of every n by n block."""
    batch, maps, height, width = x.shape
    out = np.empty((batch * maps * height // n, width // n), x.dtype)
    _add_blocks(np.ascontiguousarray(x).reshape(-1, n, width), n, out)
    return out.reshape(batch, maps, height // n, width // n)


@implements("upsample")
class Upsample:
    """Pixels copied; the adjoint sums blocks."""

    @staticmethod
    def forward(x, *, n):
        return copied(x, n)

    @staticmethod
    def vjp(cotangent, x, *, n):
        return (summed(cotangent, n),)


@implements("downsample")
class Downsample:
    """Blocks summed; the adjoint copies pixels."""

    @staticmethod
    def forward(x, *, n):
        return summed(x, n)

    @staticmethod
    def vjp(cotangent, x, *, n):
        return (copied(cotangent, n),)
