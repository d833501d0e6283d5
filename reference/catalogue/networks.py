"""Cases of the network: whole architectures, from the last maps backwards so that every side divides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gradcheck.case import Case
from gradcheck.strategies import Draw, one_of, sizes, tables
from reference.catalogue.cases import EMPTY_ROW, Pair, Table, batch_regimes, regimes

Layer = tuple[Any, ...]
_PARAMETERS = {
    "convolution": ("k", "b"),
    "subsampling": ("beta", "b"),
    "combination": ("k", "c", "b"),
    "dense": ("W", "b"),
}


TANHS = ("tanh", "scaled_tanh")

BIAS = 0.25
"""Scale of biases and hidden weights: less than what the maps bring, so that it is they that matter."""


def network(batch: int, in_maps: int, last: Pair, architecture: tuple[Layer, ...]) -> Case:
    """A case of the network: x, t, every parameter and one perturbation for each layer.

    Parameters
    ----------
    batch, in_maps : int
    last : (height, width)
        Side of the maps before the first dense layer; that of x follows.
    architecture : tuple of layers
    """
    side = first_side(last, architecture)
    shapes: dict[str, tuple[int, ...]] = {"x": (batch, in_maps, *side), "t": (batch, architecture[-1][1])}
    scales: dict[str, float] = {"t": 0.5}
    perturbations: dict[str, tuple[int, ...]] = {}
    before: tuple[int, ...] = (in_maps, *side)
    for number, layer in enumerate(architecture, 1):
        after, made = after_layer(before, layer)
        shapes |= {f"{name}{number}": shape for name, shape in made.items()}
        scales |= {f"{name}{number}": _scale(name, made[name], before, layer) for name in made}
        perturbations[f"delta{number}"] = (batch, *after)
        before = after
    scales |= dict.fromkeys(perturbations, 0.0)
    return Case(
        shapes | perturbations,
        {"architecture": architecture},
        "bounded",
        scales,
        regimes=_regimes(batch, architecture),
    )


def first_side(last: Pair, architecture: Sequence[Layer]) -> Pair:
    """The side of x from that of the last maps.

    Examples
    --------
    >>> first_side((1, 2), (("convolution", 2, (3, 2), "tanh", None), ("subsampling", 2, "tanh")))
    (4, 5)
    """
    height, width = last
    for kind, *settings in reversed(architecture):
        if kind == "subsampling":
            height, width = height * settings[0], width * settings[0]
        elif kind != "dense":
            height, width = height + settings[1][0] - 1, width + settings[1][1] - 1
    return height, width


def after_layer(before: tuple[int, ...], layer: Layer) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]]]:
    """Shape of one pattern's u after a layer, and the shapes of the layer's parameters.

    Parameters
    ----------
    before : (maps, height, width) or (units,)
    layer : tuple
        As the architecture has it.
    """
    kind, *settings = layer
    if kind == "dense":
        return (settings[0],), {"W": (settings[0], math.prod(before)), "b": (settings[0],)}
    maps, height, width = before
    if kind == "subsampling":
        return (maps, height // settings[0], width // settings[0]), {"beta": (maps,), "b": (maps,)}
    out_maps, (rows, columns) = settings[0], settings[1]
    after = (out_maps, height - rows + 1, width - columns + 1)
    if kind == "combination":
        return after, {"k": (maps, rows, columns), "c": (maps, out_maps), "b": (out_maps,)}
    return after, {"k": (maps, out_maps, rows, columns), "b": (out_maps,)}


def _scale(name: str, shape: tuple[int, ...], before: tuple[int, ...], layer: Layer) -> float:
    """A factor that keeps u near 1 and gradients from fading, layer for layer.

    One over the root of what is summed; twice that before a sigmoid, which hands on a quarter at most.
    """
    gain = 2.0 if "sigmoid" in layer else 1.0
    if name == "beta":
        return gain / float(layer[1])
    if name == "W":
        return gain / math.sqrt(shape[1])
    if name == "k":
        maps = before[0] if layer[0] == "convolution" else 1
        return gain / math.sqrt(maps * shape[-1] * shape[-2])
    return BIAS


def _regimes(batch: int, architecture: Sequence[Layer]) -> frozenset[str]:
    kinds = [layer[0] for layer in architecture]
    tabled = any(layer[0] == "convolution" and layer[4] is not None for layer in architecture)
    layers = {f"{kind}_layer": kind in kinds for kind in _PARAMETERS}
    sparse = any(layer[0] == "combination" and layer[4] for layer in architecture)
    return batch_regimes(batch) | regimes(
        connection_table=tabled, sparsity_term=sparse, two_dense_layers=kinds.count("dense") > 1, **layers
    )


def draw_network(draw: Draw) -> Case:
    """Convolution and subsampling once or twice, a combination layer or none, one or two dense layers.

    At most one layer is a sigmoid: through seven of them a gradient fades to 1e-5 of the error, and no
    numeric derivative of the error sees ten digits of that.
    """
    layers: list[Layer] = []
    in_maps = maps = draw(sizes(1, 2))
    for _ in range(draw(sizes(1, 2))):
        wider = draw(sizes(1, 3))
        table = fed(draw(tables(maps, wider))) if draw(one_of(False, True)) else None
        layers.append(("convolution", wider, _draw_side(draw), _draw_activation(draw), table))
        layers.append(("subsampling", draw(sizes(1, 2)), _draw_activation(draw)))
        maps = wider
    if draw(one_of(True, False)):
        lam = draw(one_of(0.0, 0.1))
        layers.append(("combination", draw(sizes(1, 3)), _draw_side(draw), _draw_activation(draw), lam))
    layers += [("dense", draw(sizes(1, 4)), _draw_activation(draw)) for _ in range(draw(sizes(1, 2)))]
    spot = draw(sizes(0, len(layers)))
    if spot < len(layers):
        layers[spot] = tuple("sigmoid" if each in TANHS else each for each in layers[spot])
    return network(draw(sizes(1, 2)), in_maps, _draw_side(draw), tuple(layers))


def _draw_activation(draw: Draw) -> str:
    return draw(one_of(*TANHS))


def fed(table: Table) -> Table:
    """The table with a connection in every column that had none: else no gradient would get past the layer.

    Examples
    --------
    >>> fed(((False, False), (True, False)))
    ((False, True), (True, False))
    """
    empty = [not any(column) for column in zip(*table, strict=True)]
    return tuple(
        tuple(entry or (empty[j] and i == (j + 1) % len(table)) for j, entry in enumerate(row))
        for i, row in enumerate(table)
    )


def _draw_side(draw: Draw) -> Pair:
    return draw(sizes(1, 2)), draw(sizes(1, 2))


NETWORK = (
    network(
        2,
        3,
        (2, 1),
        (
            ("convolution", 2, (2, 3), "sigmoid", EMPTY_ROW),
            ("subsampling", 3, "tanh"),
            ("combination", 3, (1, 2), "tanh", 0.1),
            ("dense", 2, "identity"),
        ),
    ),
    network(1, 1, (1, 1), (("dense", 1, "tanh"),)),
    network(3, 1, (2, 1), (("dense", 4, "tanh"), ("dense", 3, "sigmoid"))),
    network(
        2,
        1,
        (1, 2),
        (
            ("convolution", 2, (3, 2), "tanh", None),
            ("subsampling", 2, "sigmoid"),
            ("dense", 3, "scaled_tanh"),
        ),
    ),
    network(
        2,
        2,
        (1, 1),
        (
            ("convolution", 3, (2, 2), "tanh", None),
            ("subsampling", 2, "tanh"),
            ("convolution", 2, (2, 1), "scaled_tanh", ((True, False), (False, True), (True, True))),
            ("subsampling", 1, "sigmoid"),
            ("dense", 3, "tanh"),
            ("dense", 2, "sigmoid"),
        ),
    ),
)
