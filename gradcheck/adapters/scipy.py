"""SciPy as a target: its convolutions, correlations, zoom and special functions, forward and adjoint.

Each class calls SciPy for both directions; what stands here only loops over batch and maps.
"""

import numpy as np
import scipy.ndimage
import scipy.signal
import scipy.special

from gradcheck.implementation import implements

__version__ = scipy.__version__


def pairs(kernels, connections):
    """Indices (i, j) of the connected pairs of maps."""
    table = np.ones(kernels.shape[:2], dtype=bool) if connections is None else connections
    return [(int(i), int(j)) for i, j in np.argwhere(table)]


@implements("convolve_valid")
class SignalConvolve:
    """scipy.signal.convolve2d in mode 'valid'; its adjoints are correlate2d in 'full' and in 'valid'."""

    @staticmethod
    def forward(x, k, *, connections=None):
        side = (x.shape[2] - k.shape[2] + 1, x.shape[3] - k.shape[3] + 1)
        out = np.zeros((len(x), k.shape[1], *side))
        for i, j in pairs(k, connections):
            for n in range(len(x)):
                out[n, j] += scipy.signal.convolve2d(x[n, i], k[i, j], "valid")
        return out

    @staticmethod
    def vjp(cotangent, x, k, *, connections=None):
        dx, dk = np.zeros(x.shape), np.zeros(k.shape)
        for i, j in pairs(k, connections):
            for n in range(len(x)):
                dx[n, i] += scipy.signal.correlate2d(cotangent[n, j], k[i, j], "full")
                dk[i, j] += scipy.signal.correlate2d(x[n, i], cotangent[n, j], "valid")[::-1, ::-1]
        return dx, dk


@implements("convolve_full")
class NdimageConvolve:
    """scipy.ndimage.convolve of maps widened with zeros; its adjoint is scipy.ndimage.correlate."""

    @staticmethod
    def forward(d, k, *, connections=None):
        more = [(0, 0), (0, 0), (0, k.shape[2] - 1), (0, k.shape[3] - 1)]
        wide = np.pad(d, more)
        out = np.zeros((len(d), k.shape[0], *wide.shape[2:]))
        for i, j in pairs(k, connections):
            for n in range(len(d)):
                out[n, i] += scipy.ndimage.convolve(wide[n, j], k[i, j], mode="constant", origin=first(k))
        return out

    @staticmethod
    def vjp(cotangent, d, k, *, connections=None):
        dd, dk = np.zeros(d.shape), np.zeros(k.shape)
        for i, j in pairs(k, connections):
            for n in range(len(d)):
                whole = scipy.ndimage.correlate(cotangent[n, i], k[i, j], mode="constant", origin=first(k))
                dd[n, j] += whole[: d.shape[2], : d.shape[3]]
                dk[i, j] += scipy.signal.correlate2d(cotangent[n, i], d[n, j], "valid")
        return dd, dk


def first(kernels):
    """The origin that puts a kernel's first element, and not its centre, on the pixel."""
    return [-(kernels.shape[2] // 2), -(kernels.shape[3] // 2)]


@implements("upsample")
class NdimageZoom:
    """scipy.ndimage.zoom of order 0; its adjoint sums over blocks."""

    @staticmethod
    def forward(x, *, n):
        return scipy.ndimage.zoom(x, (1, 1, n, n), order=0, mode="nearest", grid_mode=True)

    @staticmethod
    def vjp(cotangent, x, *, n):
        return (sums_over_blocks(cotangent, n),)


@implements("downsample")
class SignalDownsample:
    """The notes' K2: convolution with ones, then every n-th; its adjoint is scipy.ndimage.zoom."""

    @staticmethod
    def forward(x, *, n):
        return sums_over_blocks(x, n)

    @staticmethod
    def vjp(cotangent, x, *, n):
        return (NdimageZoom.forward(cotangent, n=n),)


def sums_over_blocks(maps, n):
    """scipy.signal.convolve with a block of ones, 'valid', directly and not by FFT; then every n-th."""
    return scipy.signal.convolve(maps, np.ones((1, 1, n, n)), "valid", method="direct")[..., ::n, ::n]


@implements("sigmoid")
class SpecialExpit:
    """scipy.special.expit; f' = expit(u) expit(−u)."""

    @staticmethod
    def forward(u):
        return scipy.special.expit(u)

    @staticmethod
    def vjp(cotangent, u):
        return (cotangent * scipy.special.expit(u) * scipy.special.expit(-u),)


@implements("softmax")
class SpecialSoftmax:
    """scipy.special.softmax, which has no adjoint in SciPy: forward alone."""

    @staticmethod
    def forward(c):
        return scipy.special.softmax(c, axis=0)
