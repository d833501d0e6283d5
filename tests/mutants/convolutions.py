"""Mutants of the two convolutions and the convolution layer."""

from __future__ import annotations

import numpy as np

from tests.mutants.mutant import (
    GENERIC,
    SHORT,
    Mutant,
    border_zero,
    first,
    mutants,
    one_pattern,
    rot180,
    shifted,
    transposed_if_square,
)


def literal_patches(a):
    """C5 with the patch as it lies in x (E4)."""
    gradient, (height, width) = np.zeros_like(a.k), a.k.shape[2:]
    for n, j, r, s in np.ndindex(a.dy.shape):
        gradient[:, j] += a.dy[n, j, r, s] * a.x[n, :, r : r + height, s : s + width]
    return gradient if a.connections is None else gradient * a.connections[:, :, None, None]


def swapped_maps(k):
    """i and j swapped, where there are as many of each."""
    return k.swapaxes(0, 1) if k.shape[0] == k.shape[1] else k


def crossed(a):
    """Map i of x with map i of δ, in every kernel of i."""
    wanted = [min(i, a.dy.shape[1] - 1) for i in range(a.k.shape[0])]
    return np.stack(
        [a.again(dy=np.repeat(a.dy[:, j : j + 1], a.k.shape[1], 1))[i] for i, j in enumerate(wanted)]
    )


PLACES = {"border row": border_zero, "shifted by one": (shifted, "(rolled by .1|reversed) along axis 3")}
KERNEL_TURNS = {
    "turned by 180 degrees": (lambda a: rot180(a.right), "turned by 180 degrees"),
    "flipped down": (lambda a: a.right[..., ::-1, :], "reversed along axis 2"),
    "flipped across": (lambda a: a.right[..., ::-1], "reversed along axis 3"),
    "transposed": (lambda a: transposed_if_square(a.right), "transposed in its last two axes"),
    "i and j swapped": (lambda a: swapped_maps(a.right), "axes 0 and 1 swapped"),
}
KERNEL_SUMS = {
    "E3: one pattern": one_pattern,
    "mean over the batch": (lambda a: a.right / len(a.dy), "a mean for a sum"),
    "mean over pixels": (lambda a: a.right / a.dy[0, 0].size, "divided by"),
    "one pixel (sum over pixels left out)": lambda a: a.again(dy=first(first(a.dy, 2), 3)),
    "unconnected kernels as well": lambda a: a.again(connections=None),
    "one map of δ for all": lambda a: a.again(dy=np.repeat(a.dy[:, :1], a.dy.shape[1], 1)),
}
INPUT_SUMS = {
    "E2: one receiving map": lambda a: a.again(dy=first(a.dy, 1)),
    "unconnected maps as well": lambda a: a.again(connections=None),
    "mean over receiving maps": (lambda a: a.right / a.k.shape[1], "divided by"),
}
SOURCES = {
    "kernel not turned (C7)": lambda a: a.again(k=rot180(a.k)),
    "kernel flipped down alone": lambda a: a.again(k=a.k[..., ::-1, :]),
    "kernel flipped across alone": lambda a: a.again(k=a.k[..., ::-1]),
    "kernel transposed": lambda a: a.again(k=transposed_if_square(a.k)),
    "i and j of the kernel swapped": lambda a: a.again(k=swapped_maps(a.k)),
}

VALID_MUTANTS = (
    *mutants("convolve_valid", "x", GENERIC | PLACES | INPUT_SUMS | SOURCES),
    *mutants(
        "convolve_valid",
        "k",
        GENERIC
        | PLACES
        | KERNEL_TURNS
        | KERNEL_SUMS
        | {"E4: C5 to the letter": (literal_patches, "turned by 180 degrees"), "maps crossed": crossed},
    ),
)

FULL_MUTANTS = (
    *mutants(
        "convolve_full",
        "d",
        GENERIC
        | PLACES
        | SOURCES
        | {
            "one map (E2)": lambda a: a.again(dy=first(a.dy, 1)),
            "unconnected maps as well": lambda a: a.again(connections=None),
        },
    ),
    *mutants("convolve_full", "k", GENERIC | PLACES | KERNEL_TURNS | KERNEL_SUMS),
)


def _from_delta(mistakes):
    """The same mistakes after f': the kernel's turn must not change u."""
    pairs = {name: made if isinstance(made, tuple) else (made, None) for name, made in mistakes.items()}
    return {
        name: (lambda a, made=made: made(_Linear(a)), looks_like)
        for name, (made, looks_like) in pairs.items()
    }


class _Linear:
    """A call of the layer as one of its linear part, δ the cotangent."""

    def __init__(self, given):
        self._given, self.dy = given, given.delta
        self.right = given.right

    def __getattr__(self, name):
        return getattr(self._given, name)

    def again(self, **changes):
        return self._given.linear(**{"dy": self.dy} | changes)


SLOPES = {
    "missing f'": lambda a: a.again(activation="identity"),
    "f' of y for u": lambda a: a.again(dy=a.slope_of_output, activation="identity"),
    "f' twice": lambda a: a.again(dy=a.delta),
}

LAYER_MUTANTS = (
    *mutants(
        "convolution",
        "x",
        GENERIC | SLOPES | PLACES | _from_delta(INPUT_SUMS | SOURCES),
    ),
    *mutants(
        "convolution",
        "k",
        GENERIC
        | SLOPES
        | PLACES
        | KERNEL_TURNS
        | _from_delta(KERNEL_SUMS | {"E4: C5 to the letter": (literal_patches, "turned by 180 degrees")}),
    ),
    *mutants(
        "convolution",
        "b",
        SHORT
        | SLOPES
        | {
            "E3: one pattern": one_pattern,
            "mean over the batch": (lambda a: a.right / len(a.x), "a mean for a sum"),
            "mean over pixels": (lambda a: a.right / a.dy[0, 0].size, "divided by"),
            "one pixel (sum over pixels left out)": lambda a: a.again(dy=first(first(a.dy, 2), 3)),
            "sum over maps": (lambda a: np.full_like(a.b, a.right.sum()), "summed along axis 0"),
            "maps reversed": (lambda a: a.right[::-1], "reversed along axis 0"),
        },
    ),
)

MUTANTS: tuple[Mutant, ...] = (*VALID_MUTANTS, *FULL_MUTANTS, *LAYER_MUTANTS)
