"""Mutants of the layer that learns which maps to combine."""

from __future__ import annotations

import numpy as np

from reference.combination import (
    Softmax,
    combination_input_gradient,
    combination_kernel_gradient,
    combination_weight_gradient,
    filter_maps,
    softmax_gradient,
)
from reference.convolution import conv_kernel_gradient
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


def alpha(a):
    return Softmax.forward(a.c)


def across(a):
    """The softmax over the wrong axis: every row, not every column, sums to one."""
    return Softmax.forward(a.c.T.copy()).T


def inputs(weights):
    return lambda a: combination_input_gradient(a.delta, a.k, weights(a))


def kernels(weights):
    return lambda a: combination_kernel_gradient(a.x, a.delta, weights(a))


def m4(a, delta=None):
    """∂E/∂α."""
    return combination_weight_gradient(a.delta if delta is None else delta, filter_maps(a.x, a.k))


def ones(a):
    return np.ones_like(a.c)


def one_map(a):
    return first(alpha(a), 1)


def shared_by_none(a):
    """E8 overlooked: a kernel for every pair of maps, as in C1."""
    return alpha(a)[:, :, None, None] * conv_kernel_gradient(a.x, a.delta)


SLOPES = {
    "missing f'": lambda a: a.again(activation="identity"),
    "f' of y for u": lambda a: a.again(dy=a.slope_of_output, activation="identity"),
}
WEIGHTS = {
    "α dropped (M6)": ones,
    "α and c confused": lambda a: a.c,
    "α over the wrong axis": across,
    "α of the next map": lambda a: np.roll(alpha(a), 1, axis=0),
    "one output map (sum over j left out)": one_map,
}
SUMS = {
    "E3: one pattern": one_pattern,
    "mean over the batch": (lambda a: a.right / len(a.x), "a mean for a sum"),
    "one pixel (sum over pixels left out)": lambda a: a.again(dy=first(first(a.dy, 2), 3)),
}

MUTANTS: tuple[Mutant, ...] = (
    *mutants(
        "combination",
        "x",
        GENERIC
        | SLOPES
        | {name: inputs(weights) for name, weights in WEIGHTS.items()}
        | {
            "1e-4 too large": lambda a: (
                1.0001 * a.right
            ),  # of 36 elements and more, not always told by probes
            "kernel not turned": lambda a: combination_input_gradient(a.delta, rot180(a.k), alpha(a)),
            "kernel flipped across alone": lambda a: combination_input_gradient(
                a.delta, a.k[..., ::-1], alpha(a)
            ),
            "border row": border_zero,
        },
    ),
    *mutants(
        "combination",
        "k",
        GENERIC
        | SLOPES
        | SUMS
        | {name: kernels(weights) for name, weights in WEIGHTS.items()}
        | {
            "E8: not summed over the output maps": shared_by_none,
            "turned by 180 degrees (E4)": (lambda a: rot180(a.right), "turned by 180 degrees"),
            "transposed": (lambda a: transposed_if_square(a.right), "transposed in its last two axes"),
            "flipped across": (lambda a: a.right[..., ::-1], "reversed along axis 2"),
            "shifted by one": (shifted, "rolled by .1 along axis 2"),
        },
    ),
    *mutants(
        "combination",
        "c",
        GENERIC
        | SLOPES
        | SUMS
        | {
            "M5 without Σ": lambda a: alpha(a) * m4(a),
            "M5 left out: ∂E/∂α": m4,
            "M5 with c for α": lambda a: softmax_gradient(m4(a), a.c),
            "M5 with + Σ": lambda a: alpha(a) * (m4(a) + (m4(a) * alpha(a)).sum(axis=0)),
            "Σ over j for Σ over k": lambda a: (
                alpha(a) * (m4(a) - (m4(a) * alpha(a)).sum(axis=1, keepdims=True))
            ),
            "M3, its diagonal alone": lambda a: alpha(a) * (1 - alpha(a)) * m4(a),
            "M4 with x for conv2(x, k)": lambda a: softmax_gradient(
                combination_weight_gradient(a.delta, a.x[..., : a.dy.shape[2], : a.dy.shape[3]]), alpha(a)
            ),
            "M4 with u for conv2(x, k)": lambda a: softmax_gradient(
                np.repeat((a.delta * a.preactivation).sum(axis=(0, 2, 3))[None], len(a.c), axis=0), alpha(a)
            ),
        },
    ),
    *mutants(
        "combination",
        "b",
        SHORT | SLOPES | SUMS | {"times Σα²": lambda a: a.right * (alpha(a) ** 2).sum(axis=0)},
    ),
)
