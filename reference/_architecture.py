"""Reading an architecture: its layers by name, and the shapes that pass between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reference._layers import Dense, Layer, Shape, parse


def plan(architecture: Sequence[Any], shape: Shape) -> list[tuple[str, Layer, Shape, Shape]]:
    """Every layer with its name and the shapes of its input and its u, of one sample."""
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            "network: the input is not a stack of maps\n"
            f"  input shape = {tuple(shape)}, wanted (in_maps, height, width)\n"
            f"  axes = 3, each at least 1, but the shape is {tuple(shape)}"
        )
    steps: list[tuple[str, Layer, Shape, Shape]] = []
    for name, layer in layers_of(architecture):
        out = _fit(name, layer, shape)
        steps.append((name, layer, shape, out))
        shape = out
    return steps


def _fit(name: str, layer: Layer, shape: Shape) -> Shape:
    try:
        if len(shape) != 3 and not isinstance(layer, Dense):
            raise ValueError("maps end at the first dense layer: only dense layers may follow it")
        return layer.output_shape(shape)
    except ValueError as error:
        raise ValueError(
            f"network: {name} ({layer.kind}) does not fit what is below it\n"
            f"  input shape = {tuple(shape)}, wanted (in_maps, height, width)\n"
            f"  {error}"
        ) from None


def layers_of(architecture: Sequence[Any]) -> list[tuple[str, Layer]]:
    """Every layer with its name, from the first to the last."""
    if len(architecture) == 0:
        raise ValueError(
            "network: the architecture is empty\n"
            "  layers = 0, wanted a tuple of layers\n"
            "  layers >= 1, but is 0"
        )
    return [(f"layer{place}", _parsed(place, spec)) for place, spec in enumerate(architecture, 1)]


def _parsed(place: int, spec: Any) -> Layer:
    try:
        return parse(spec)
    except ValueError as error:
        rule = str(error).splitlines()[-1].strip()
        raise ValueError(
            f"network: layer{place} is not a layer\n  spec = {spec!r}, wanted a tuple\n  {rule}"
        ) from None
