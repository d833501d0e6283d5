"""Conventions in which others write the same operations, as linear maps with their adjoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.operation import Convention, Turn

Values = Mapping[str, Convention]


def permuted(*axes: int) -> Turn:
    """The turn that permutes axes as np.transpose does; its adjoint is the inverse permutation."""
    back = tuple(int(i) for i in np.argsort(axes))
    return Turn(
        lambda array, options: np.transpose(array, axes), lambda array, options: np.transpose(array, back)
    )


def _flip(array: Array, options: Mapping[str, Any]) -> Array:
    return np.asarray(array)[..., ::-1, ::-1]


FLIPPED = Turn(_flip, _flip)
"""A half turn of the last two axes, its own inverse and adjoint."""


def _by_block(array: Array, options: Mapping[str, Any]) -> Array:
    return np.asarray(np.asarray(array) * options["n"] ** 2)


TIMES_BLOCK = Turn(_by_block, _by_block)
"""Times n², a symmetric map: between the sum and the mean over a block (E5)."""

_BACK = permuted(0, 3, 1, 2)
_TO_LAST = permuted(0, 2, 3, 1)

KERNEL: Values = {
    "convolution": Convention("the kernel is flipped: conv2"),
    "correlation": Convention("the kernel is not flipped", {"k": FLIPPED}),
}
KERNEL_LAYOUT: Values = {
    "IOHW": Convention("k (I, J, Kh, Kw)"),
    "OIHW": Convention("k (J, I, Kh, Kw)", {"k": permuted(1, 0, 2, 3)}),
    "HWIO": Convention("k (Kh, Kw, I, J)", {"k": permuted(2, 3, 0, 1)}),
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


def maps_layout(maps: str) -> Values:
    """Layouts of the maps of an operation, in and out; `maps` is the input that has them."""
    return {
        "NCHW": Convention(f"{maps} and the output (N, maps, height, width)"),
        "NHWC": Convention(f"{maps} and the output (N, height, width, maps)", {maps: _TO_LAST}, _BACK),
    }
