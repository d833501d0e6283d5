"""Mutants of up-sampling, down-sampling and the sub-sampling layer."""

from __future__ import annotations

import numpy as np
from scipy.signal import convolve2d

from reference.kernels import downsample, upsample
from tests.mutants.mutant import GENERIC, SHORT, Mutant, border_zero, first, mutants, one_pattern, shifted


def same_padded(x, n, offset):
    """K2 with 'same' padding (E7), its central part cut at `offset`."""
    out = np.zeros((*x.shape[:2], x.shape[2] // n, x.shape[3] // n), x.dtype)
    for index in np.ndindex(x.shape[:2]):
        full = convolve2d(x[index], np.ones((n, n)), "full")
        out[index] = full[offset:, offset:][: x.shape[2], : x.shape[3]][::n, ::n]
    return out


def matlab(x, n):
    return same_padded(x, n, n // 2)


def scipy(x, n):
    return same_padded(x, n, (n - 1) // 2)


def sampled(x, n):
    return x[..., ::n, ::n]


def spread(x, n):
    """Each pixel in the corner of its block, zero in the rest of it."""
    out = np.zeros((*x.shape[:2], x.shape[2] * n, x.shape[3] * n), x.dtype)
    out[..., ::n, ::n] = x
    return out


def tiled(x, n):
    """The whole map n times down and across: the Kronecker product the wrong way round."""
    return np.tile(x, (1, 1, n, n))


PLACES = {"border row": border_zero, "shifted by one": (shifted, "rolled by .1 along axis 3")}

UP_MUTANTS = mutants(
    "upsample",
    "x",
    GENERIC
    | PLACES
    | {
        "mean for sum (E5)": (lambda a: a.right / a.n**2, "divided by 4"),
        "divided by n": lambda a: a.right / a.n,
        "one pixel of a block": lambda a: sampled(a.dy, a.n),
        "summed down, not across": lambda a: a.dy.reshape(*a.x.shape[:3], a.n, -1).sum(axis=3)[..., :: a.n],
        "blocks of a tiled map": lambda a: sum(
            a.dy[..., i * a.x.shape[2] :, j * a.x.shape[3] :][..., : a.x.shape[2], : a.x.shape[3]]
            for i, j in np.ndindex(a.n, a.n)
        ),
        "E7: K2 'same' as MATLAB has it": lambda a: matlab(a.dy, a.n),
        "E7: K2 'same' as SciPy has it": lambda a: scipy(a.dy, a.n),
        "one pattern (E3)": (lambda a: first(a.right), "in the first entry along axis 0|first pattern alone"),
        "one map": (
            lambda a: first(a.right, 1),
            "in the first entry along axis 1|first output map or unit alone",
        ),
    },
)

DOWN_MUTANTS = mutants(
    "downsample",
    "x",
    GENERIC
    | PLACES
    | {
        "E5: of the mean": (lambda a: a.right / a.n**2, "divided by 4"),
        "one pixel of a block": lambda a: spread(a.dy, a.n),
        "tiled for Kronecker (C3)": lambda a: tiled(a.dy, a.n),
        "repeated down, not across": lambda a: np.repeat(spread(a.dy, a.n)[..., :: a.n, :], a.n, axis=2),
        "times n² once more": (lambda a: a.right * a.n**2, "multiplied by 4"),
        "one pattern (E3)": lambda a: first(a.right),
        "one map": lambda a: first(a.right, 1),
    },
)


def _through(a, down):
    """∂E/∂β with another d (S4)."""
    return (a.delta * down).sum(axis=(0, 2, 3))


def _up(a, up):
    """∂E/∂x with another up (S5)."""
    return a.beta[:, None, None] * up(a.delta, a.n)


SLOPES = {
    "missing f'": lambda a: a.again(activation="identity"),
    "f' of y for u": lambda a: a.again(dy=a.slope_of_output, activation="identity"),
}
SUMS = {
    "E3: one pattern": one_pattern,
    "mean over the batch": (lambda a: a.right / len(a.x), "a mean for a sum"),
    "mean over pixels": lambda a: a.right / a.dy[0, 0].size,
    "one pixel (sum over pixels left out)": lambda a: a.again(dy=first(first(a.dy, 2), 3)),
}

LAYER_MUTANTS = (
    *mutants(
        "subsampling",
        "x",
        GENERIC
        | SLOPES
        | PLACES
        | {
            "β dropped (S5)": lambda a: upsample.fast(a.delta, a.n),
            "β twice": lambda a: a.beta[:, None, None] * a.right,
            "β of the next map": lambda a: np.roll(a.beta, 1)[:, None, None] * upsample.fast(a.delta, a.n),
            "E5: of the mean": (lambda a: a.right / a.n**2, "divided by 4"),
            "one pixel of a block": lambda a: _up(a, spread),
            "tiled for Kronecker (C3)": lambda a: _up(a, tiled),
        },
    ),
    *mutants(
        "subsampling",
        "beta",
        SHORT
        | SLOPES
        | SUMS
        | {
            "d of the mean (S4, E5)": (lambda a: a.right / a.n**2, "divided by 4"),
            "d a sample of x": lambda a: _through(a, sampled(a.x, a.n)),
            "d by K2 with 'same' as SciPy has it (E7)": lambda a: _through(a, scipy(a.x, a.n)),
            "u for d": lambda a: _through(a, a.preactivation),
            "y for d": lambda a: _through(a, a.f.value(a.preactivation)),
            "β d for d": lambda a: a.right * a.beta,
            "d left out: that of b": (lambda a: a.delta.sum(axis=(0, 2, 3)), "the gradient of b"),
            "sum over maps": (lambda a: np.full_like(a.beta, a.right.sum()), "summed along axis 0"),
        },
    ),
    *mutants(
        "subsampling",
        "b",
        SHORT
        | SLOPES
        | SUMS
        | {
            "times β": lambda a: a.right * a.beta,
            "that of β": lambda a: _through(a, downsample.fast(a.x, a.n)),
            "sum over maps": lambda a: np.full_like(a.b, a.right.sum()),
        },
    ),
)

MUTANTS: tuple[Mutant, ...] = (*UP_MUTANTS, *DOWN_MUTANTS, *LAYER_MUTANTS)
