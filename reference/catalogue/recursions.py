"""How the gradients of a whole network are got wrong: in one layer, on the way down or in its own parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.turns import Suspect
from reference.catalogue import plain
from reference.catalogue.dual import Array, bent, beside, only, slope_of
from reference.catalogue.suspects import (
    Inputs,
    Options,
    combination_mistakes,
    convolution_mistakes,
    fixed,
    hidden_weights,
    slopes,
    subsampling_mistakes,
)

LETTERS = {
    "convolution": ("k", "b"),
    "subsampling": ("beta", "b"),
    "combination": ("k", "c", "b"),
    "dense": ("W", "b"),
}

Bend = Callable[[Array], Array]
Change = Callable[..., Array]
"""change(maps, *parameters) -> u, whose derivative is the mistaken one."""


def network(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of the loss of a network, by x, t, one layer's parameters or the perturbation of its u."""
    net = _Network(tuple(options["architecture"]), inputs, float(np.sum(cotangent)))
    letter, number = name.rstrip("0123456789"), name[len(name.rstrip("0123456789")) :]
    if name == "t":
        yield from net.targets()
        return
    at = int(number) - 1 if number else -1
    yield from net.bent_slopes(name, max(at, 0))
    for place in range(at + 1, len(net.architecture)):
        yield from net.mistaken(name, place, net.on_the_way(place))
    if number and letter != "delta":
        yield from net.mistaken(name, at, net.of_its_own(at, letter))
        if letter == "c":
            yield from net.of_hidden_weights(at)


class _Network:
    """A naive network on dual numbers, in which a layer can be given a wrong derivative."""

    def __init__(self, architecture: Sequence[Any], inputs: Inputs, weight: float) -> None:
        self.architecture, self.inputs, self.weight = architecture, inputs, weight
        self.maps = {0: np.asarray(inputs["x"], dtype=complex)}
        self.loss(inputs)

    def loss(
        self,
        given: Inputs,
        change: Mapping[int, Change] | None = None,
        bends: Mapping[int, Bend] | None = None,
    ) -> Any:
        """The loss, times the cotangent, with other derivatives in some layers."""
        maps, penalty = np.asarray(given["x"], dtype=complex), 0.0
        for place, (kind, *settings) in enumerate(self.architecture):
            parameters = self.parameters(place, given)
            u, more = plain._LAYERS[kind](maps, list(parameters), settings)
            if change and place in change:
                u = beside(u, change[place](maps, *parameters))
            u, penalty = u + given[f"delta{place + 1}"], penalty + more
            f = self.activation(place)
            maps = bent(u, f, bends[place]) if bends and place in bends else plain.ACTIVATIONS[f](u)
            self.maps[place + 1] = maps
        return self.weight * (plain.squared_error(maps, given["t"]) + penalty)

    def parameters(self, place: int, given: Inputs) -> tuple[Array, ...]:
        """Of one layer, complex."""
        letters = LETTERS[self.architecture[place][0]]
        return tuple(np.asarray(given[f"{letter}{place + 1}"], dtype=complex) for letter in letters)

    def activation(self, place: int) -> str:
        """Its f by name."""
        kind, *settings = self.architecture[place]
        return str(settings[1 if kind in ("subsampling", "dense") else 2])

    def suspect(self, name: str, kind: str, said: str, **mistake: Any) -> Suspect:
        """The gradient by one input with that mistake on the way."""
        names = list(self.inputs)
        return Suspect(
            kind, said,
            slope_of(lambda *a: self.loss(dict(zip(names, a, strict=True)), **mistake), self.inputs, name),
        )  # fmt: skip

    def bent_slopes(self, name: str, lowest: int) -> Iterator[Suspect]:
        """F' wrong in all layers on the way, or in one."""
        places = range(lowest, len(self.architecture))
        kinds = {p: {kind: slope for kind, _, slope in slopes(self.activation(p))} for p in places}
        for kind, said, _ in slopes("tanh"):
            bends = {p: of[kind] for p, of in kinds.items() if kind in of}
            if len(bends) > 1:
                yield self.suspect(name, kind, f"{said} of every layer", bends=bends)
            for place, bend in bends.items():
                yield self.suspect(name, kind, f"{said} of layer {place + 1}", bends={place: bend})

    def mistaken(self, name: str, place: int, wrong: Iterator[tuple[str, str, Change]]) -> Iterator[Suspect]:
        """A layer's u with another derivative."""
        for kind, said, change in wrong:
            yield self.suspect(name, kind, f"{said}, layer {place + 1}", change={place: change})

    def on_the_way(self, place: int) -> Iterator[tuple[str, str, Change]]:
        """Mistakes of the recursion through a layer."""
        kind, *settings = self.architecture[place]
        letters = [f"{letter}{place + 1}" for letter in LETTERS[kind]]
        own = [self.inputs[letter] for letter in letters]
        u = self.linear(place)
        if kind == "convolution":
            table = None if settings[3] is None else np.asarray(settings[3], dtype=bool)
            yield from convolution_mistakes(True, own[0], table, plain.convolve_valid)
        elif kind == "subsampling":
            yield from subsampling_mistakes("x", settings[0], "identity", u)
        elif kind == "combination":
            yield from combination_mistakes("x", dict(zip("kcb", own, strict=True)))
        else:
            yield "not transposed", "the right gradient with W read as if it were transposed", \
                lambda x, W, b: _flat(x, W.reshape(W.shape[::-1]).T, b)  # fmt: skip
            if own[0].shape[0] == own[0].shape[1]:
                yield "not transposed", "the right gradient with W transposed", \
                    lambda x, W, b: _flat(x, W.T, b)  # fmt: skip
            yield from self.flattened(place)
        for which, kept in (("first", 0), ("last", -1)):
            said = f"the right gradient by the {which} receiving map alone, the sum over them left out"
            yield "one map", said, lambda x, *p, k=kept: only(u(x, *p), 1, k)

    def of_its_own(self, place: int, letter: str) -> Iterator[tuple[str, str, Change]]:
        """Mistakes of the gradient by a layer's own parameter."""
        kind, *settings = self.architecture[place]
        u = self.linear(place)
        if (kind, letter) == ("convolution", "k"):
            table = None if settings[3] is None else np.asarray(settings[3], dtype=bool)
            own = self.inputs[f"k{place + 1}"]
            yield from convolution_mistakes(False, own, table, plain.convolve_valid)
        elif kind == "subsampling":
            yield from subsampling_mistakes(letter, settings[0], self.activation(place), u)
        elif kind == "combination":
            own_inputs = {each: self.inputs[f"{each}{place + 1}"] for each in LETTERS[kind]}
            yield from combination_mistakes(letter, own_inputs)
        elif letter == "W":
            yield from self.flattened(place)
        for axis, name, what in ((0, "one pattern", "pattern"), (1, "one map", "output map or unit")):
            for which, kept in (("first", 0), ("last", -1)):
                said = f"the right gradient of the {which} {what} alone, the sum over them left out"
                yield name, said, lambda x, *p, a=axis, k=kept: only(u(x, *p), a, k)

    def flattened(self, place: int) -> Iterator[tuple[str, str, Change]]:
        """Maps flattened in another order than that of the forward."""
        if self.maps[place].ndim == 4:
            for order, words in (((0, 2, 3, 1), "maps last"), ((0, 1, 3, 2), "columns first")):
                yield "flattened in another order", f"the right gradient with maps flattened {words}", \
                    lambda x, W, b, o=order: _flat(x.transpose(o), W, b)  # fmt: skip

    def linear(self, place: int) -> Callable[..., Array]:
        """The layer's own u."""
        kind, *settings = self.architecture[place]
        return lambda x, *p: np.asarray(plain._LAYERS[kind](x, list(p), settings)[0])

    def targets(self) -> Iterator[Suspect]:
        """By t, which has no way down."""
        last = len(self.architecture)
        y, t = self.maps[last].real, self.inputs["t"]
        u = self.gradient(f"delta{last}")
        yield fixed("extra slope", "the right gradient multiplied by f' of the output layer", -u)
        yield fixed("term left out", "the right gradient with y left out", self.weight * t)
        yield fixed(
            "plus for minus", "the right gradient with y + t for the difference", self.weight * (y + t)
        )

    def of_hidden_weights(self, place: int) -> Iterator[Suspect]:
        """M5's mistakes, on ∂E/∂α of this layer."""
        k, c = self.inputs[f"k{place + 1}"], self.inputs[f"c{place + 1}"]
        self.loss(self.inputs)
        delta = self.gradient(f"delta{place + 1}")
        yield from hidden_weights(delta, self.maps[place].real, k, c)

    def gradient(self, name: str) -> Array:
        """Of the loss by a small array, an element at a time."""
        slope = self.suspect(name, "", "").slope
        found = np.zeros(self.inputs[name].shape)
        for index in np.ndindex(found.shape):
            direction = np.zeros(found.shape)
            direction[index] = 1.0
            found[index] = slope(direction)
        return found


def _flat(x: Array, W: Array, b: Array) -> Array:
    return plain.dense(x.reshape(len(x), -1), W, b)
