"""The four kinds of layer of a network: what each adds to the forward pass and to the delta recursion.

A layer knows nothing of its neighbours. It takes x to the pre-activation u, keeps what the way back needs,
and takes its own sensitivities delta = dE/du to the gradients of its parameters and to the sensitivities one
layer down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from reference import combination, convolution, dense, sparsity, subsampling
from reference._validate import Array, factor
from reference.activation import named
from reference.kernels import downsample

Shape = tuple[int, ...]
Parameters = Mapping[str, Array]


class Layer(Protocol):
    """What a network asks of a layer. Shapes are of one sample; arrays have the batch first."""

    kind: ClassVar[str]

    @property
    def activation(self) -> str:
        """Name of f."""

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Shapes of the parameters by their letter, for inputs of this shape."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of u, for inputs of this shape."""

    def preactivation(self, x: Array, p: Parameters) -> tuple[Array, Array]:
        """The pre-activation u, f not applied, and what is kept besides it."""

    def gradients(self, delta: Array, x: Array, kept: Array, p: Parameters) -> dict[str, Array]:
        """Gradients of the parameters, from this layer's delta."""

    def below(self, slope: Array, delta: Array, kept: Array, p: Parameters) -> Array:
        """The recursion: sensitivities one layer down, `slope` being f'(u) there."""

    def input_gradient(self, delta: Array, kept: Array, p: Parameters) -> Array:
        """dE/dx, for the first layer, below which there is no u."""

    def penalty(self, p: Parameters) -> Any:
        """What the layer adds to the error."""

    def penalty_gradients(self, p: Parameters) -> dict[str, Array]:
        """Gradients of the penalty, for the parameters that it depends on."""


@dataclass(frozen=True)
class _Plain:
    """A layer without a penalty."""

    def penalty(self, p: Parameters) -> Any:
        return 0.0

    def penalty_gradients(self, p: Parameters) -> dict[str, Array]:
        return {}


@dataclass(frozen=True)
class Convolution(_Plain):
    """`maps` output maps, kernels of size `kernel` (C1 to C7); `connections`: rows of bool, None for all."""

    kind: ClassVar[str] = "convolution"
    maps: int
    kernel: tuple[int, int]
    activation: str = "sigmoid"
    connections: tuple[tuple[bool, ...], ...] | None = None

    @property
    def _table(self) -> Array | None:
        return None if self.connections is None else np.array(self.connections, dtype=bool)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        return {"k": (shape[0], self.maps, *self.kernel), "b": (self.maps,)}

    def output_shape(self, shape: Shape) -> Shape:
        _need_table(self.connections, (shape[0], self.maps))
        return (self.maps, *_valid(shape, self.kernel))

    def preactivation(self, x: Array, p: Parameters) -> tuple[Array, Array]:
        return convolution.conv_preactivation(x, p["k"], p["b"], self._table), x

    def gradients(self, delta: Array, x: Array, kept: Array, p: Parameters) -> dict[str, Array]:
        return {
            "k": convolution.conv_kernel_gradient(x, delta, self._table),
            "b": convolution.conv_bias_gradient(delta),
        }

    def below(self, slope: Array, delta: Array, kept: Array, p: Parameters) -> Array:
        return subsampling.subsampling_delta(slope, delta, p["k"], self._table)

    def input_gradient(self, delta: Array, kept: Array, p: Parameters) -> Array:
        return convolution.conv_input_gradient(delta, p["k"], self._table)


@dataclass(frozen=True)
class Subsampling(_Plain):
    """Sums over blocks of n by n (S1 to S5)."""

    kind: ClassVar[str] = "subsampling"
    n: int
    activation: str = "sigmoid"

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        return {"beta": (shape[0],), "b": (shape[0],)}

    def output_shape(self, shape: Shape) -> Shape:
        maps, height, width = shape
        for axis, size in (("height", height), ("width", width)):
            if size % self.n:
                raise ValueError(f"{axis} mod n = {size} mod {self.n} = {size % self.n}, but must be 0")
        return maps, height // self.n, width // self.n

    def preactivation(self, x: Array, p: Parameters) -> tuple[Array, Array]:
        down = downsample.fast(x, self.n)
        return subsampling.subsampling_preactivation(down, p["beta"], p["b"]), down

    def gradients(self, delta: Array, x: Array, kept: Array, p: Parameters) -> dict[str, Array]:
        return {
            "beta": subsampling.subsampling_scale_gradient(delta, kept),
            "b": subsampling.subsampling_bias_gradient(delta),
        }

    def below(self, slope: Array, delta: Array, kept: Array, p: Parameters) -> Array:
        return convolution.conv_delta(slope, delta, p["beta"], self.n)

    def input_gradient(self, delta: Array, kept: Array, p: Parameters) -> Array:
        return subsampling.subsampling_input_gradient(delta, p["beta"], self.n)


@dataclass(frozen=True)
class Combination:
    """`maps` learned mixtures of the input maps, with a sparsity term of weight `lam` (M1 to M6, P1)."""

    kind: ClassVar[str] = "combination"
    maps: int
    kernel: tuple[int, int]
    activation: str = "sigmoid"
    lam: float = 0.0

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        return {"k": (shape[0], *self.kernel), "c": (shape[0], self.maps), "b": (self.maps,)}

    def output_shape(self, shape: Shape) -> Shape:
        return (self.maps, *_valid(shape, self.kernel))

    def preactivation(self, x: Array, p: Parameters) -> tuple[Array, Array]:
        filtered = combination.filter_maps(x, p["k"])
        alpha = combination.Softmax.forward(p["c"])
        return combination.combination_preactivation(filtered, alpha, p["b"]), filtered

    def gradients(self, delta: Array, x: Array, kept: Array, p: Parameters) -> dict[str, Array]:
        alpha = combination.Softmax.forward(p["c"])
        return {
            "k": combination.combination_kernel_gradient(x, delta, alpha),
            "c": combination.softmax_gradient(combination.combination_weight_gradient(delta, kept), alpha),
            "b": combination.combination_bias_gradient(delta),
        }

    def below(self, slope: Array, delta: Array, kept: Array, p: Parameters) -> Array:
        return combination.combination_delta(slope, delta, p["k"], combination.Softmax.forward(p["c"]))

    def input_gradient(self, delta: Array, kept: Array, p: Parameters) -> Array:
        return combination.combination_input_gradient(delta, p["k"], combination.Softmax.forward(p["c"]))

    def penalty(self, p: Parameters) -> Any:
        return sparsity.forward(p["c"], self.lam)

    def penalty_gradients(self, p: Parameters) -> dict[str, Array]:
        return {"c": sparsity.sparsity_gradient(combination.Softmax.forward(p["c"]), self.lam)}


@dataclass(frozen=True)
class Dense(_Plain):
    """`units` outputs, all connected (D1 to D5); maps below it are flattened, map by map, row by row."""

    kind: ClassVar[str] = "dense"
    units: int
    activation: str = "sigmoid"

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        return {"W": (self.units, int(np.prod(shape))), "b": (self.units,)}

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def preactivation(self, x: Array, p: Parameters) -> tuple[Array, Array]:
        return dense.dense_preactivation(_flat(x), p["W"], p["b"]), x

    def gradients(self, delta: Array, x: Array, kept: Array, p: Parameters) -> dict[str, Array]:
        return {"W": dense.dense_weight_gradient(_flat(x), delta), "b": dense.dense_bias_gradient(delta)}

    def below(self, slope: Array, delta: Array, kept: Array, p: Parameters) -> Array:
        return dense.dense_delta(p["W"], delta, _flat(slope)).reshape(slope.shape)

    def input_gradient(self, delta: Array, kept: Array, p: Parameters) -> Array:
        return dense.dense_input_gradient(p["W"], delta).reshape(kept.shape)


def _flat(maps: Array) -> Array:
    return maps.reshape(len(maps), -1)


def _valid(shape: Shape, kernel: tuple[int, int]) -> tuple[int, int]:
    for axis, size, part in zip(("height", "width"), shape[1:], kernel, strict=True):
        if part > size:
            raise ValueError(
                f"output {axis} = {axis} - kernel {axis} + 1 = {size} - {part} + 1 = {size - part + 1}, "
                f"but must be in 1..{size}"
            )
    return shape[1] - kernel[0] + 1, shape[2] - kernel[1] + 1


def _need_table(table: tuple[tuple[bool, ...], ...] | None, wanted: tuple[int, int]) -> None:
    if table is not None and (len(table), *{len(row) for row in table}) != wanted:
        raise ValueError(
            f"connections have {len(table)} rows of {sorted({len(row) for row in table})}, "
            f"but must have {wanted[0]} (input maps) of {wanted[1]} (output maps)"
        )


def parse(spec: Any) -> Layer:
    """The layer that a plain tuple (or a list, as JSON has it) describes; a layer itself passes.

    Raises
    ------
    ValueError
        Where there is no such kind, or its fields are not those of the kind; the rule alone, the caller says
        where.
    """
    if isinstance(spec, Convolution | Subsampling | Combination | Dense):
        return spec
    if not isinstance(spec, Sequence) or isinstance(spec, str) or len(spec) == 0:
        raise ValueError(f"a layer is a tuple whose first item is one of {', '.join(_MAKERS)}")
    kind, *fields = spec
    if kind not in _MAKERS:
        raise ValueError(f"kind must be one of {', '.join(_MAKERS)}, but is {kind!r}")
    least, most, wanted = _FIELDS[kind]
    if not least <= len(fields) <= most:
        raise ValueError(f"fields must be {wanted}, but are {len(fields)} in number")
    layer: Layer = _MAKERS[kind](*fields)
    return layer


def _count(name: str, value: Any) -> int:
    try:
        return factor("", value)
    except ValueError:
        raise ValueError(f"{name} must be an integer of at least 1, but is {value!r}") from None


def _kernel(value: Any) -> tuple[int, int]:
    if not isinstance(value, Sequence) or len(value) != 2:
        raise ValueError(f"kernel must be (height, width), but is {value!r}")
    return _count("kernel height", value[0]), _count("kernel width", value[1])


def _convolution(maps: Any, kernel: Any, activation: str = "sigmoid", connections: Any = None) -> Convolution:
    table = None if connections is None else tuple(tuple(bool(cell) for cell in row) for row in connections)
    return Convolution(_count("maps", maps), _kernel(kernel), named(activation).name, table)


def _subsampling(n: Any, activation: str = "sigmoid") -> Subsampling:
    return Subsampling(_count("n", n), named(activation).name)


def _combination(maps: Any, kernel: Any, activation: str = "sigmoid", lam: float = 0.0) -> Combination:
    return Combination(_count("maps", maps), _kernel(kernel), named(activation).name, float(lam))


def _dense(units: Any, activation: str = "sigmoid") -> Dense:
    return Dense(_count("units", units), named(activation).name)


_MAKERS: dict[str, Any] = {
    "convolution": _convolution,
    "subsampling": _subsampling,
    "combination": _combination,
    "dense": _dense,
}
_FIELDS = {
    "convolution": (2, 4, "maps, (kernel height, kernel width)[, activation[, connections]]"),
    "subsampling": (1, 2, "n[, activation]"),
    "combination": (2, 4, "maps, (kernel height, kernel width)[, activation[, lam]]"),
    "dense": (1, 2, "units[, activation]"),
}
