"""Sizes: at which shapes an operation is raced, and how much work one call of it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.estimate import Array

NAMED: Mapping[str, tuple[tuple[int, ...], ...]] = {
    "small": ((1, 2, 3, 8, 8, 3),),
    "lenet": ((1, 1, 6, 28, 28, 5), (50, 1, 6, 28, 28, 5), (1, 6, 12, 12, 12, 5), (50, 6, 12, 12, 12, 5)),
    "large": ((1, 16, 32, 64, 64, 5), (8, 16, 32, 64, 64, 5)),
}
"""(N, I, J, H, W, K): batch, input maps, output maps, height, width, side of a kernel."""

POOL = 2
"""Side of a block of upsample and downsample, as in the notes' network."""

OPERATIONS = (
    *("upsample", "downsample", "convolve_valid", "convolve_full", "sigmoid", "tanh", "scaled_tanh"),
    *("squared_error", "dense", "convolution", "subsampling", "softmax", "combination", "sparsity"),
    "network",
)
"""The operations that have sizes here, and so can be raced: all of the notes."""

CLASSES = 10
"""Units of a network's last layer."""

LINEAR = {"activation": "identity"}
"""Of layers: right answers are equal to the bit, and the activation's own time is raced by its own name."""


class SizeError(ValueError):
    """Sizes that nobody knows, or at which an operation cannot be called."""


@dataclass(frozen=True)
class Size:
    """The shapes of one call, and its work.

    Parameters
    ----------
    operation : str
    shapes : mapping of str to tuple of int
        Of the inputs, in order.
    options : mapping
    products : int
        Products of two numbers that a forward takes, where it is a matrix product in disguise; else 0.
    factors : int
        How many of the inputs, biases apart, are factors of these: in gradients each is asked for.
    scales : mapping of str to float
        What an input is multiplied by, where it is not a whole number.
    """

    operation: str
    shapes: Mapping[str, tuple[int, ...]]
    options: Mapping[str, Any] = field(default_factory=dict)
    products: int = 0
    factors: int = 1
    scales: Mapping[str, float] = field(default_factory=dict)

    @property
    def work(self) -> int:
        """Products, or elements where there are none: what the time of a call grows with."""
        return self.products or sum(map(math.prod, self.shapes.values()))

    def inputs(self, dtype: str, seed: int) -> tuple[Array, ...]:
        """Whole numbers from −4 to 4, so that right answers of a linear operation are equal to the bit; or scaled."""
        rng = np.random.default_rng([seed, 1])
        return tuple(
            (rng.integers(-4, 5, shape) * self.scales.get(name, 1)).astype(dtype)
            for name, shape in self.shapes.items()
        )

    def __str__(self) -> str:
        inputs = {
            name: shape for name, shape in self.shapes.items() if self.operation != "network" or name == "x"
        }
        shapes = ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, shape in inputs.items())
        options = dict(self.options)
        if self.operation == "network":
            options["architecture"] = self._layers()
        return shapes + "".join(f", {name}={value}" for name, value in options.items() if value is not None)

    def _layers(self) -> str:
        """A network's layers in a word: c6 a convolution to 6 maps, s2 a subsampling by 2, d10 a dense layer of 10."""
        return "-".join(f"{kind[0]}{number}" for kind, number, *_ in self.options["architecture"])


def sizes(operation: str, text: str) -> tuple[Size, ...]:
    """The sizes of an operation that a word (small, lenet, large) or numbers "N,I,J,H,W,K" stand for.

    Raises
    ------
    SizeError
        When the text is neither, or the operation cannot be called at these sizes.

    Examples
    --------
    >>> [str(size) for size in sizes("convolve_valid", "1,6,12,12,12,5")]
    ['x 1×6×12×12, k 6×12×5×5']
    >>> str(sizes("downsample", "small")[0])
    'x 1×2×8×8, n=2'
    """
    made = [_made(operation, *numbers) for numbers in _numbers(text)]
    return tuple({str(size): size for size in made}.values())  # maps are sampled alike whatever the kernel


def _numbers(text: str) -> tuple[tuple[int, ...], ...]:
    if text in NAMED:
        return NAMED[text]
    parts = text.split(",")
    if len(parts) != 6 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise SizeError(
            f"--sizes: these are no sizes\n  sizes = {text!r}, wanted one of {', '.join(NAMED)}, or N,I,J,H,W,K\n"
            "  six whole numbers of at least 1: batch, input maps, output maps, height, width, side of a kernel"
        )
    return (tuple(map(int, parts)),)


def _made(operation: str, n: int, i: int, j: int, h: int, w: int, k: int) -> Size:
    if operation not in OPERATIONS:
        raise SizeError(
            f"bench: {operation} has no sizes to be raced at\n  operation = {operation!r}, "
            f"wanted one of {', '.join(OPERATIONS)}\n  operation must be of the notes, whose shapes are known here"
        )
    if operation == "network":
        return network(n, i, j, h, w, k)
    maps, kernels = (n, i, h, w), (i, j, k, k)
    if operation.startswith("convol"):
        return _convolution(operation, maps, kernels)
    if operation == "combination":
        return _combination(maps, kernels)
    if operation in ("downsample", "subsampling"):
        _divided(h, w)
    plain: dict[str, tuple[Mapping[str, tuple[int, ...]], Mapping[str, Any], int]] = {
        "squared_error": ({"y": (n, i * h * w), "t": (n, i * h * w)}, {}, 0),
        "dense": ({"x": (n, i * h * w), "W": (j, i * h * w), "b": (j,)}, LINEAR, n * i * h * w * j),
        "upsample": ({"x": maps}, {"n": POOL}, 0),
        "downsample": ({"x": maps}, {"n": POOL}, 0),
        "subsampling": ({"x": maps, "beta": (i,), "b": (i,)}, {"n": POOL, **LINEAR}, 0),
        "softmax": ({"c": (i, j)}, {}, 0),
        "sparsity": ({"c": (i, j)}, {"lam": 0.5}, 0),
    }
    return Size(operation, *plain.get(operation, ({"u": maps}, {}, 0)), factors=2)


def _convolution(operation: str, x: tuple[int, ...], k: tuple[int, ...]) -> Size:
    down, across = _valid(x, k)
    products, table = x[0] * math.prod(k) * down * across, {"connections": None}
    if operation == "convolution":
        return Size(operation, {"x": x, "k": k, "b": (k[1],)}, LINEAR | table, products, 2)
    if operation == "convolve_valid":
        return Size(operation, {"x": x, "k": k}, table, products, 2)
    return Size(operation, {"d": (x[0], k[1], down, across), "k": k}, table, products, 2)


def _combination(x: tuple[int, ...], k: tuple[int, ...]) -> Size:
    """Each map filtered by a kernel of its own, then mixtures of them."""
    down, across = _valid(x, k)
    shapes = {"x": x, "k": (k[0], *k[2:]), "c": k[:2], "b": (k[1],)}
    return Size("combination", shapes, LINEAR, x[0] * k[0] * (k[2] * k[3] + k[1]) * down * across, 3)


def network(n: int, i: int, j: int, h: int, w: int, k: int) -> Size:
    """As LeNet is built: a convolution to j maps and a subsampling, the same to 2 j maps where it fits, a dense layer.

    Examples
    --------
    >>> print(network(50, 1, 6, 28, 28, 5))
    x 50×1×28×28, architecture=c6-s2-c12-s2-d10
    """
    layers: list[tuple[Any, ...]] = []
    shapes: dict[str, tuple[int, ...]] = {"x": (n, i, h, w), "t": (n, CLASSES)}
    scales: dict[str, float] = {"t": 0.25, "x": 0.25}
    deltas, products, before, out = [], 0, (n, i, h, w), j
    while not layers or _fits(before, k):
        down, across = _valid(before, (before[1], out, k, k))
        _divided(down, across, f"after a kernel of {k}: ")
        after, number = (n, out, down // POOL, across // POOL), len(layers) + 1
        shapes |= {f"k{number}": (before[1], out, k, k), f"b{number}": (out,)}
        shapes |= {f"beta{number + 1}": (out,), f"b{number + 1}": (out,)}
        scales |= {f"k{number}": _even(before[1] * k * k), f"beta{number + 1}": _even(POOL**2)}
        layers += [("convolution", out, (k, k), "scaled_tanh", None), ("subsampling", POOL, "tanh")]
        deltas += [(n, out, down, across), after]
        products += n * before[1] * out * k * k * down * across
        before, out = after, 2 * out
    units, number = math.prod(before[1:]), len(layers) + 1
    shapes |= {f"W{number}": (CLASSES, units), f"b{number}": (CLASSES,)}
    scales[f"W{number}"] = _even(units)
    scales |= {name: 0.0625 for name in shapes if name[0] == "b" and name not in scales}
    shapes |= {f"delta{place}": shape for place, shape in enumerate([*deltas, (n, CLASSES)], 1)}
    scales |= {name: 0.0 for name in shapes if name.startswith("delta")}
    options = {"architecture": (*layers, ("dense", CLASSES, "scaled_tanh"))}
    return Size("network", shapes, options, products + n * units * CLASSES, 2, scales)


def _divided(h: int, w: int, where: str = "") -> None:
    if h % POOL or w % POOL:
        raise SizeError(
            f"--sizes: blocks do not fit\n  {where}height, width = {h}, {w}, wanted multiples of {POOL}\n"
            f"  height mod {POOL} = {h % POOL}, width mod {POOL} = {w % POOL}, but must be 0"
        )


def _fits(x: tuple[int, ...], k: int) -> bool:
    down, across = x[2] - k + 1, x[3] - k + 1
    return down > 0 < across and down % POOL == 0 == across % POOL


def _even(terms: int) -> float:
    """A scale at which a sum of so many products with numbers of about 1 is about 1: whole numbers to 4 vary by 2.6."""
    return 1 / (2.6 * math.sqrt(terms))


def _valid(x: tuple[int, ...], k: tuple[int, ...]) -> tuple[int, int]:
    down, across = x[2] - k[2] + 1, x[3] - k[3] + 1
    if down < 1 or across < 1:
        raise SizeError(
            f"--sizes: kernels exceed the maps\n  height, width, kernel = {x[2]}, {x[3]}, {k[2]}\n"
            f"  height - kernel + 1 = {down}, width - kernel + 1 = {across}, but must be at least 1"
        )
    return down, across
