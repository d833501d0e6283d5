"""Convolution as a product of Fourier transforms, for kernels so large that it costs less.

Rounded even on integers; NaN in one pixel, or infinity, makes every pixel NaN that is summed with its map.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.fft

from reference._validate import Array, rot180

DIRECT = (0.058, 0.7)
"""Nanoseconds for a product of `_shifted`: with many rows in a matrix product, and what fewer rows cost more, over
their number cubed: one row is no matrix product but a sum of scaled vectors."""
TRANSFORM = (39_000, 0.22, 3.1)
"""Nanoseconds for a call of transforms, for each of their elements and levels, and for a product of two of these. All
are fits in float64 on one machine; float32 takes two thirds of them, and other machines other numbers of about one
proportion. `python -m benchmarks.growth --crossover` prints what the choice costs."""


def cheaper(
    batch: int,
    maps: tuple[int, ...],
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    output: tuple[int, ...],
    rows: int,
) -> bool:
    """Whether transforms cost less than matrix products, by counts of what each multiplies.

    Parameters
    ----------
    batch : int
    maps : (in_maps, out_maps)
    size, kernel, output : (height, width)
        Of the larger maps, the kernels and the smaller maps.
    rows : int
        Of each matrix product.

    Examples
    --------
    >>> cheaper(1, (4, 4), (64, 64), (5, 5), (60, 60), 4), cheaper(1, (4, 4), (64, 64), (25, 25), (40, 40), 4)
    (False, True)
    """
    pairs, pixels = maps[0] * maps[1], size[0] * size[1]
    direct = (DIRECT[0] + DIRECT[1] / rows**3) * batch * pairs * math.prod(kernel) * math.prod(output)
    planes = batch * (maps[0] + maps[1]) + pairs
    call, level, product = TRANSFORM
    return call + pixels * (level * planes * math.log2(pixels) + product * batch * pairs) < direct


def valid(x: Array, k: Array) -> Array:
    """As `convolve.valid_naive`; nothing is checked."""
    size = x.shape[2:]
    whole = _product("nihw,ijhw->njhw", x, k, size)
    return np.ascontiguousarray(whole[:, :, k.shape[2] - 1 : size[0], k.shape[3] - 1 : size[1]])


def full(d: Array, k: Array) -> Array:
    """As `convolve.full_naive`; nothing is checked."""
    height, width = d.shape[2] + k.shape[2] - 1, d.shape[3] + k.shape[3] - 1
    whole = _product("njhw,ijhw->nihw", d, k, (height, width))
    return np.ascontiguousarray(whole[:, :, :height, :width])


def gradient(maps: Array, deltas: Array) -> Array:
    """As `convolve.kernel_gradient_naive`; nothing is checked."""
    size = maps.shape[2:]
    whole = _product("nihw,njhw->ijhw", maps, rot180(deltas), size)
    return np.ascontiguousarray(
        rot180(whole[:, :, deltas.shape[2] - 1 : size[0], deltas.shape[3] - 1 : size[1]])
    )


def _product(subscripts: str, a: Array, b: Array, size: tuple[int, ...]) -> Array:
    """Circular convolutions of period at least `size`, summed over what the subscripts say."""
    shape = [scipy.fft.next_fast_len(side, real=True) for side in size]
    real = not (np.iscomplexobj(a) or np.iscomplexobj(b))
    there, back = (scipy.fft.rfft2, scipy.fft.irfft2) if real else (scipy.fft.fft2, scipy.fft.ifft2)
    product = _summed(subscripts, there(a, shape), there(b, shape))
    return np.asarray(back(product, shape).astype(np.result_type(a, b), copy=False))


def _summed(subscripts: str, a: Array, b: Array) -> Array:
    """A stack of small matrix products, one for each frequency, which lie last in a and b and in the sum."""
    terms = subscripts.replace("->", ",").replace("hw", "").split(",")
    (summed,) = set(terms[0]) & set(terms[1])
    left = a.transpose(2, 3, *((1, 0) if terms[0][0] == summed else (0, 1)))
    right = b.transpose(2, 3, *((0, 1) if terms[1][0] == summed else (1, 0)))
    product = np.ascontiguousarray(left) @ np.ascontiguousarray(right)  # (h, w, of a, of b)
    order = (2, 3) if terms[2][0] in terms[0] else (3, 2)
    return np.asarray(product.transpose(*order, 0, 1))
