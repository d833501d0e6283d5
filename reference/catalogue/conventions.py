"""Conventions in which others write the same operations, as maps with their adjoints or pullbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.operation import Convention, Curve, Turn
from reference.catalogue import plain

Values = Mapping[str, Convention]


def permuted(*axes: int) -> Turn:
    """The turn that permutes axes as np.transpose does; its adjoint is the inverse permutation."""
    back = tuple(int(i) for i in np.argsort(axes))
    return Turn(
        lambda array, options: np.transpose(array, axes), lambda array, options: np.transpose(array, back)
    )


def widened(axis: int) -> Turn:
    """The turn that gives an array one more axis, of length 1."""
    return Turn(
        lambda array, options: np.expand_dims(array, axis), lambda array, options: np.squeeze(array, axis)
    )


def scaled(factor: float) -> Turn:
    """The turn that multiplies by a number; exact for powers of two."""
    return Turn(
        lambda array, options: np.asarray(factor * array), lambda array, options: np.asarray(factor * array)
    )


def _flip(array: Array, options: Mapping[str, Any]) -> Array:
    return np.asarray(array)[..., ::-1, ::-1]


FLIPPED = Turn(_flip, _flip)
"""A half turn of the last two axes, its own inverse and adjoint."""


def _by_block(array: Array, options: Mapping[str, Any]) -> Array:
    return np.asarray(np.asarray(array) * options["n"] ** 2)


TIMES_BLOCK = Turn(_by_block, _by_block)
"""Times n², a symmetric map: between the sum and the mean over a block (E5)."""

KERNEL: Values = {
    "convolution": Convention("the kernel is flipped: conv2"),
    "correlation": Convention("the kernel is not flipped", {"k": FLIPPED}),
}
KERNEL_LAYOUT: Values = {
    "IOHW": Convention("k (I, J, Kh, Kw)"),
    "OIHW": Convention("k (J, I, Kh, Kw)", {"k": permuted(1, 0, 2, 3)}),
    "HWIO": Convention("k (Kh, Kw, I, J)", {"k": permuted(2, 3, 0, 1)}),
    "HWOI": Convention("k (Kh, Kw, J, I)", {"k": permuted(2, 3, 1, 0)}),
    "OHWI": Convention("k (J, Kh, Kw, I)", {"k": permuted(1, 2, 3, 0)}),
}
SHARED_KERNEL_LAYOUT: Values = {
    "IHW": Convention("k (I, Kh, Kw)"),
    "I1HW": Convention("k (I, 1, Kh, Kw)", {"k": widened(1)}),
    "HWI": Convention("k (Kh, Kw, I)", {"k": permuted(1, 2, 0)}),
}
WEIGHTS: Values = {
    "KD": Convention("W (K, D): W x"),
    "DK": Convention("W (D, K): x W", {"W": permuted(1, 0)}),
}
POOLING: Values = {
    "sum": Convention("the sum over each block"),
    "mean": Convention("the mean over each block", output=TIMES_BLOCK, exact=False),
}
SCALED_POOLING: Values = {
    "sum": Convention("β times the sum over each block"),
    "mean": Convention("β times the mean over each block", {"beta": TIMES_BLOCK}, exact=False),
}
ACTIVATION: Values = {
    "fused": Convention("y = f(u), and the cotangent is that of y"),
    "separate": Convention(
        "u alone, and the cotangent is δ: f and f' are applied here; no option activation",
        output=Curve(
            lambda u, options: plain.ACTIVATIONS[options["activation"]](u),
            lambda cotangent, u, options: cotangent * plain.SLOPES[options["activation"]](u),
        ),
        held={"activation": "identity"},
    ),
}
AXIS: Values = {
    "0": Convention("c (I, J), over axis 0"),
    "1": Convention("c (J, I), over axis 1", {"c": permuted(1, 0)}, permuted(1, 0)),
}
WEIGHTS_LAYOUT: Values = {
    "IJ": Convention("c, or α, (I, J)"),
    "JI": Convention("c, or α, (J, I)", {"c": permuted(1, 0)}),
}
ERROR: Values = {
    "half": Convention("½ Σ (t − y)²"),
    "sum": Convention("Σ (t − y)²", output=scaled(0.5)),
}


def maps_layout(maps: str) -> Values:
    """Layouts of the maps of an operation, in and out; `maps` is the input that has them."""

    def of(axes: str, there: tuple[int, ...]) -> Convention:
        turn = permuted(*there)
        return Convention(f"{maps} and the output ({axes})", {maps: turn}, Turn(turn.adjoint, turn.apply))

    return {
        "NCHW": Convention(f"{maps} and the output (N, maps, height, width)"),
        "NHWC": of("N, height, width, maps", (0, 2, 3, 1)),
        "CHWN": of("maps, height, width, N", (1, 2, 3, 0)),
        "HWCN": of("height, width, maps, N", (2, 3, 1, 0)),
    }


def _softmax_pullback(gradient: Array, c: Array, options: Mapping[str, Any]) -> Array:
    """∂E/∂c_ij = α_ij (∂E/∂α_ij − Σ_k ∂E/∂α_kj α_kj) (M5)."""
    alpha = plain.softmax(c)
    return np.asarray(alpha * (gradient - np.sum(gradient * alpha, axis=0)))


def _signs(c: Array) -> Array:
    return np.where(np.add.outer(*map(np.arange, c.shape)) % 2, -1.0, 1.0)


def off_simplex(c: Array, options: Mapping[str, Any]) -> Array:
    """Weights of both signs, from ¾ to 5⁄4 in size: no softmax gives them, and so |α| has a slope (E6)."""
    return np.asarray(_signs(c) * (1 + np.tanh(c) / 4))


def _off_simplex_pullback(gradient: Array, c: Array, options: Mapping[str, Any]) -> Array:
    return np.asarray(gradient * _signs(c) * plain.SLOPES["tanh"](c) / 4)


def _penalty_off_simplex(c: Array, *, lam: float) -> Any:
    return lam * np.sum(np.abs(off_simplex(c, {})))


COMBINED: Values = {
    "c": Convention("c, and α is its softmax over axis 0"),
    "alpha": Convention(
        "α itself, and ∂E/∂α: the softmax is applied here",
        {"c": Curve(lambda c, options: plain.softmax(c), _softmax_pullback)},
    ),
}
PENALISED: Values = {
    "c": Convention("c, and α is its softmax over axis 0"),
    "alpha": Convention(
        "α itself, and ∂Ω/∂α; judged for α of both signs, since on a softmax it is constant (E6)",
        {"c": Curve(off_simplex, _off_simplex_pullback)},
        naive=_penalty_off_simplex,
    ),
}
