"""How the delta recursion of a network is got wrong, and how one row alone is taken from the wrong one.

A mistake of the recursion makes everything below it wrong; a mutant takes its own row of the certificate from
the wrong recursion, and all others from the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from reference import network
from reference._layers import parse
from reference.combination import Softmax, combination_delta, combination_kernel_gradient
from reference.combination import combination_weight_gradient as m4
from reference.dense import dense_delta
from reference.network import Combination, Convolution, Dense
from tests.mutants.convolutions import literal_patches
from tests.mutants.mutant import Mutant, first, in_memory_transposed

Change = Callable[[tuple[Any, ...]], tuple[Any, ...]]


def rows(architecture, x):
    """The certificate's row of every array of the call."""
    letters = [name.split(".")[1] for name in network.parameter_shapes(architecture, x.shape[1:])]
    return ["x", "t", *letters, *["delta"] * len(architecture)]


def spliced(row: str, wrong: Callable[..., Any]) -> SimpleNamespace:
    """The network with the gradients of one row from `wrong(right, cotangent, *inputs, architecture=…)`."""

    def vjp(cotangent, *arrays, architecture):
        right = network.vjp(cotangent, *arrays, architecture=architecture)
        mistaken = wrong(right, cotangent, *arrays, architecture=architecture)
        here = rows(architecture, arrays[0])
        return tuple(np.array(m if r == row else g) for r, g, m in zip(here, right, mistaken, strict=True))

    return SimpleNamespace(network=SimpleNamespace(forward=network.forward, vjp=vjp))


def mutants(row: str, wrong: Mapping[str, Any], place: int) -> tuple[Mutant, ...]:
    """A table, name of the mistake to gradients or (gradients, looks_like), as mutants of one row."""
    made = []
    for mistake, entry in wrong.items():
        gradients, looks_like = entry if isinstance(entry, tuple) else (entry, None)
        made.append(Mutant(mistake, "network", row, partial(spliced, row, gradients), looks_like, place))
    return tuple(made)


def each(change: Callable[[np.ndarray], Any]) -> Callable[..., Any]:
    """Every gradient changed by itself."""
    return lambda right, *arrays, architecture: [change(gradient) for gradient in right]


def through(change: Change, see: Callable[[Any], Any] = lambda record: record) -> Callable[..., Any]:
    """The gradients of a backward pass through other layers, after the right forward pass.

    `see` changes what was kept of the forward pass.
    """

    def backward(right, cotangent, x, t, *arrays, architecture):
        shapes = network.parameter_shapes(architecture, x.shape[1:])
        layers = network.perturbation_shapes(architecture, x.shape)
        parameters = dict(zip(shapes, arrays, strict=False))
        perturbations = dict(zip(layers, arrays[len(shapes) :], strict=True))
        records = network.run(architecture, parameters, x, perturbations)
        altered = change(tuple(parse(layer) for layer in architecture))
        s = network.backward(altered, parameters, tuple(map(see, records)), t, cotangent)
        return s.x, s.t, *s.parameters.values(), *s.deltas.values()

    return backward


def unchanged(layers):
    return layers


def overriding(kind, **methods) -> Change:
    """Layers of a kind with other methods."""
    mistaken = type(kind.__name__, (kind,), methods)
    return lambda layers: tuple(
        mistaken(**vars(layer)) if isinstance(layer, kind) else layer for layer in layers
    )


def without_slope(chosen) -> Change:
    """f' = 1 in the chosen layers, given (place, layers)."""
    return lambda layers: tuple(
        replace(layer, activation="identity") if chosen(place, layers) else layer
        for place, layer in enumerate(layers)
    )


def before(kind):
    return lambda place, layers: place + 1 < len(layers) and isinstance(layers[place + 1], kind)


def at_the_top(place, layers):
    return place == len(layers) - 1


def everywhere(place, layers):
    return True


def below(kind, wrong) -> Change:
    """Layers of a kind with another recursion, wrong(layer, slope, delta, kept, parameters)."""
    return overriding(kind, below=wrong)


def own(kind, letter, wrong) -> Change:
    """Layers of a kind with another gradient of one parameter, wrong(layer, delta, x, kept, parameters)."""

    def gradients(self, delta, x, kept, p):
        return kind.gradients(self, delta, x, kept, p) | {letter: wrong(self, delta, x, kept, p)}

    return overriding(kind, gradients=gradients)


def penalised(wrong) -> Change:
    """Combinations with another gradient of their penalty, wrong(layer, alpha)."""
    return overriding(
        Combination, penalty_gradients=lambda self, p: {"c": wrong(self, Softmax.forward(p["c"]), p)}
    )


def with_kernel(turn):
    """S2 with the kernel turned otherwise."""
    return lambda self, slope, delta, kept, p: Convolution.below(
        self, slope, delta, kept, p | {"k": turn(p["k"])}
    )


def with_delta(change):
    return lambda self, slope, delta, kept, p: Convolution.below(self, slope, change(delta), kept, p)


def unconnected(self, slope, delta, kept, p):
    return Convolution.below(replace(self, connections=None), slope, delta, kept, p)


def with_up(up):
    """C2 with another up."""
    return lambda self, slope, delta, kept, p: p["beta"][:, None, None] * (slope * up(delta, self.n))


def with_alpha(weights):
    """M6's recursion with other weights."""
    return lambda self, slope, delta, kept, p: combination_delta(slope, delta, p["k"], weights(p["c"]))


def maps_last(self, slope, delta, kept, p):
    """Unflattened as if the maps were the last axis."""
    flat = dense_delta(p["W"], delta, np.ones((len(delta), p["W"].shape[1])))
    if slope.ndim == 2:
        return slope * flat
    batch, maps, height, width = slope.shape
    return slope * flat.reshape(batch, height, width, maps).transpose(0, 3, 1, 2)


def weights_not_transposed(self, slope, delta, kept, p):
    return Dense.below(self, slope, delta, kept, p | {"W": in_memory_transposed(p["W"])})


def alpha_of(p):
    return Softmax.forward(p["c"])


def output_for_preactivation(record):
    return replace(record, u=record.y)


def one_kernel_for_each_pair(self, delta, x, kept, p):
    return combination_kernel_gradient(x, delta, first(alpha_of(p), 1))


def literal_c5(self, delta, x, kept, p):
    table = None if self.connections is None else np.array(self.connections)
    return literal_patches(SimpleNamespace(k=p["k"], dy=delta, x=x, connections=table))


def means(kind, letters):
    """Parameter gradients as means over the batch."""
    return overriding(
        kind,
        gradients=lambda self, delta, x, kept, p: {
            letter: g / len(delta) if letter in letters else g
            for letter, g in kind.gradients(self, delta, x, kept, p).items()
        },
    )


def of_one_pattern(kind):
    """E3: parameter gradients of the first pattern alone."""
    return overriding(
        kind, gradients=lambda self, delta, x, kept, p: kind.gradients(self, first(delta), x, kept, p)
    )


def sum_left_out(self, delta, x, kept, p):
    return alpha_of(p) * m4(delta, kept)


def doubled(gradient):
    """One element wrong."""
    changed = np.array(gradient)
    changed.flat[0] *= 2
    return changed
