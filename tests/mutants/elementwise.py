"""Mutants of the activations, the squared error, the dense layer, the softmax and the sparsity term."""

from __future__ import annotations

import numpy as np

import reference
from reference.activation import ACTIVATIONS
from reference.combination import Softmax
from tests.mutants.mutant import (
    GENERIC,
    Mutant,
    first,
    in_memory_transposed,
    mutants,
    one_pattern,
)

UNCHANGED = "the cotangent, passed through unchanged"


def _activation(name):
    f = ACTIVATIONS[name]
    return mutants(
        name,
        "u",
        GENERIC
        | {
            "missing f'": (lambda a: a.dy, UNCHANGED),
            "f' of y for u": lambda a: a.dy * f.slope(f.value(a.u)),
            "f for f'": lambda a: a.dy * f.value(a.u),
            "f' from y, given u (K3)": lambda a: a.dy * f.slope_from_output(a.u),
            "f' alone, the cotangent left out": lambda a: f.slope(a.u),
            "f' twice": lambda a: a.dy * f.slope(a.u) ** 2,
        },
    )


def _sigmoid(u):
    return 1 / (1 + np.exp(-u))


ACTIVATION_MUTANTS = (
    *(mutant for name in ("sigmoid", "tanh", "scaled_tanh") for mutant in _activation(name)),
    *mutants(
        "sigmoid",
        "u",
        {
            "y(1 + y)": lambda a: a.dy * _sigmoid(a.u) * (1 + _sigmoid(a.u)),
            "1 - y": lambda a: a.dy * (1 - _sigmoid(a.u)),
            "E9, A1 to the letter: overflows": lambda a: a.dy * np.exp(-a.u) / (1 + np.exp(-a.u)) ** 2,
        },
    ),
    *mutants(
        "tanh",
        "u",
        {
            "1 + y²": lambda a: a.dy * (1 + np.tanh(a.u) ** 2),
            "1 - y": lambda a: a.dy * (1 - np.tanh(a.u)),
        },
    ),
    *mutants(
        "scaled_tanh",
        "u",
        {
            "a dropped": (lambda a: a.right / 1.7159, "times 0.58278"),
            "b dropped": (lambda a: a.right * 1.5, "times 1.5"),
            "b dropped within": lambda a: a.dy * 1.7159 * 2 / 3 * (1 - np.tanh(a.u) ** 2),
            "1 - y²": lambda a: a.dy * (1 - reference.scaled_tanh.value(a.u) ** 2),
        },
    ),
)

ERROR_MUTANTS = (
    *mutants(
        "squared_error",
        "y",
        GENERIC
        | {
            "½ forgotten": (lambda a: 2 * a.right, "twice"),
            "mean over the batch": (lambda a: a.right / len(a.y), "divided by 4"),
            "mean over the classes": (lambda a: a.right / a.y.shape[1], "divided by 5"),
            "the cotangent left out": lambda a: a.y - a.t,
            "one pattern (E3)": (
                lambda a: first(a.right),
                "in the first entry along axis 0|first pattern alone",
            ),
            "t left out": lambda a: a.dy * a.y,
        },
    ),
    *mutants(
        "squared_error",
        "t",
        GENERIC
        | {
            "zero: targets taken for constants": (lambda a: 0 * a.t, "zero everywhere"),
            "½ kept": (lambda a: a.right / 2, "half"),
            "absolute": (lambda a: abs(a.right), "absolute values"),
        },
    ),
)


def _wrong_slope(a):
    return a.again(dy=a.slope_of_output, activation="identity")


def _no_slope(a):
    return a.again(activation="identity")


SLOPES = {"missing f' (D4)": _no_slope, "f' of y for u": _wrong_slope}

DENSE_MUTANTS = (
    *mutants(
        "dense",
        "x",
        GENERIC
        | SLOPES
        | {
            "W not transposed (D4)": lambda a: a.linear(W=in_memory_transposed(a.W)),
            "one unit (sum over units left out)": lambda a: a.again(dy=first(a.dy, 1)),
            "mean over units": (lambda a: a.right / len(a.W), "divided by 3"),
        },
    ),
    *mutants(
        "dense",
        "W",
        GENERIC
        | SLOPES
        | {
            "E1 to the letter: x δᵀ": (lambda a: a.x.T @ a.delta, "transposed in its last two axes"),
            "E1, memory not turned": (
                lambda a: (a.x.T @ a.delta).reshape(a.W.shape),
                "C's order of elements taken for Fortran's",
            ),
            "E3: one pattern": one_pattern,
            "mean over the batch": (lambda a: a.right / len(a.x), "a mean for a sum"),
        },
    ),
    *mutants(
        "dense",
        "b",
        GENERIC
        | SLOPES
        | {
            "E3: one pattern": one_pattern,
            "not summed over the batch": lambda a: a.delta if len(a.x) > 1 else a.right,
            "mean over the batch": (lambda a: a.right / len(a.x), "a mean for a sum"),
        },
    ),
)


def _alpha(a):
    return Softmax.forward(a.c)


SOFTMAX_MUTANTS = mutants(
    "softmax",
    "c",
    GENERIC
    | {
        "M5 without Σ": lambda a: _alpha(a) * a.dy,
        "M5 without its outer α": lambda a: a.dy - (a.dy * _alpha(a)).sum(axis=0),
        "M5 with + Σ": lambda a: _alpha(a) * (a.dy + (a.dy * _alpha(a)).sum(axis=0)),
        "Σ without α": lambda a: _alpha(a) * (a.dy - a.dy.sum(axis=0)),
        "Σ over j for Σ over k": lambda a: _alpha(a) * (a.dy - (a.dy * _alpha(a)).sum(axis=1, keepdims=True)),
        "Σ over all": lambda a: _alpha(a) * (a.dy - (a.dy * _alpha(a)).sum()),
        "α and c confused": lambda a: a.c * (a.dy - (a.dy * a.c).sum(axis=0)),
        "M3, its diagonal alone: α(1 - α)": lambda a: a.dy * _alpha(a) * (1 - _alpha(a)),
        "missing M5: ∂E/∂α": (lambda a: a.dy, UNCHANGED),
        "E9, M2 to the letter: overflows": lambda a: _m5(a.dy, np.exp(a.c) / np.exp(a.c).sum(axis=0)),
    },
)


def _m5(gradient, alpha):
    return alpha * (gradient - (gradient * alpha).sum(axis=0))


ZERO = "not zero, where the right gradient is zero everywhere"
SPARSITY_MUTANTS = mutants(
    "sparsity",
    "c",
    {
        "E6, P3 as a pressure: P2 taken for it": (lambda a: a.dy * a.lam * np.sign(_alpha(a)), ZERO),
        "P2 in c: λ sign(c)": (lambda a: a.dy * a.lam * np.sign(a.c), ZERO),
        "P3 without Σ": (lambda a: a.dy * a.lam * (_alpha(a) - _alpha(a) ** 2), ZERO),
        "P3 without |α|": (lambda a: -a.dy * a.lam * _alpha(a), ZERO),
        "P3 with + Σ": (lambda a: 2 * a.dy * a.lam * _alpha(a), ZERO),
        "α and c confused": lambda a: a.dy * a.lam * (abs(a.c) - a.c * abs(a.c).sum(axis=0)),
        "M3, its diagonal alone": lambda a: a.dy * a.lam * _alpha(a) * (1 - _alpha(a)),
        "Σ over j for Σ over k": lambda a: (
            a.dy * a.lam * (_alpha(a) - _alpha(a) * _alpha(a).sum(axis=1, keepdims=True))
        ),
        "one element off by 1e-4": lambda a: a.right + 1e-4 * first(first(np.ones_like(a.c)), 1),
    },
)

MUTANTS: tuple[Mutant, ...] = (
    *ACTIVATION_MUTANTS,
    *ERROR_MUTANTS,
    *DENSE_MUTANTS,
    *SOFTMAX_MUTANTS,
    *SPARSITY_MUTANTS,
)
