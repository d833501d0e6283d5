"""A mutant, and what its mistake may draw on: one call of a vjp, the right answer included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

import reference
from reference.activation import ACTIVATIONS
from reference.catalogue import operations

CATALOGUE = operations()


@dataclass(frozen=True)
class Mutant:
    """A gradient that is wrong in one input.

    `make()` is an implementation for `certify`: the reference's forward, and its vjp but for that input.
    `looks_like` is a pattern that the diagnosis must hold; None where several mistakes explain the same
    numbers, or none of the known ones does. `place` is that of the one case in which it is to be seen; None
    where in all that tell something of its operation.
    """

    name: str
    operation: str
    input: str
    make: Callable[[], Any]
    looks_like: str | None = None
    place: int | None = None

    def __str__(self) -> str:
        return f"{self.operation}.{self.input}: {self.name}"


@dataclass(frozen=True)
class Given:
    """One call of a vjp: its arguments as attributes (x, k, n, activation, …), `dy` the cotangent."""

    operation: str
    place: int
    dy: Any
    inputs: Mapping[str, np.ndarray]
    options: Mapping[str, Any]

    def __getattr__(self, name):
        for values in (self.inputs, self.options):
            if name in values:
                return values[name]
        raise AttributeError(name)

    @property
    def right(self):
        """The right gradient of the mutated input."""
        return self.again()

    def again(self, **changes):
        """The right gradient for some other arguments."""
        values = {"dy": self.dy, **self.inputs, **self.options, **changes}
        arrays = [values.pop(name) for name in ("dy", *self.inputs)]
        return getattr(reference, self.operation).vjp(*arrays, **values)[self.place]

    def linear(self, **changes):
        """The same from δ = f'(u) ∘ dy on, so that f' stays what it is."""
        return self.again(**{"dy": self.delta, "activation": "identity"} | changes)

    @property
    def preactivation(self):
        """The notes' u."""
        options = {**self.options, "activation": "identity"}
        return getattr(reference, self.operation).forward(*self.inputs.values(), **options)

    @property
    def f(self):
        return ACTIVATIONS[self.activation]

    @property
    def delta(self):
        return self.f.slope(self.preactivation) * self.dy

    @property
    def slope_of_output(self):
        """δ with f'(y) for f'(u)."""
        return self.f.slope(self.f.value(self.preactivation)) * self.dy


def mutants(operation: str, name: str, wrong: Mapping[str, Any]) -> tuple[Mutant, ...]:
    """A table, name of the mistake to gradient or (gradient, looks_like), as mutants of one input."""
    made = []
    for mistake, entry in wrong.items():
        gradient, looks_like = entry if isinstance(entry, tuple) else (entry, None)
        make = partial(_implementation, operation, name, gradient)
        made.append(Mutant(mistake, operation, name, make, looks_like))
    return tuple(made)


def _implementation(operation: str, name: str, wrong: Callable[[Given], Any]) -> SimpleNamespace:
    right, names = getattr(reference, operation), [each.name for each in CATALOGUE[operation].inputs]
    place = names.index(name)

    def vjp(cotangent, *arrays, **options):
        gradients = list(right.vjp(cotangent, *arrays, **options))
        given = Given(operation, place, cotangent, dict(zip(names, arrays, strict=True)), options)
        with np.errstate(all="ignore"):  # a mistake may overflow; that it says so is not what is tested
            gradients[place] = np.array(wrong(given))
        return tuple(gradients)

    return SimpleNamespace(**{operation: SimpleNamespace(forward=right.forward, vjp=vjp)})


# Mistakes that any gradient can have


SIGN = {"sign": (lambda a: -a.right, "with the opposite sign")}
SCALE = {"1e-4 too large": (lambda a: 1.0001 * a.right, "times 1.0001")}


def one_element(a):
    gradient = np.array(a.right)
    gradient.flat[-1] *= 2
    return gradient


ELEMENT = {"one element doubled": (one_element, "but (in the|for one) element")}
GENERIC = SIGN | SCALE | ELEMENT
SHORT = SIGN | {"1e-4 too large": SCALE["1e-4 too large"][0], "one element doubled": one_element}
"""The same for gradients of two elements, from which hardly more than a sign is told."""


# Arrays


def first(array, axis=0, place=0):
    """The entry at `place` of an axis, zero in the others."""
    kept = np.zeros_like(array)
    index = (slice(None),) * axis + (place,)
    kept[index] = array[index]
    return kept


def one_pattern(a):
    """E3 read to the letter: the formula for one pattern, its sum over the batch left out."""
    return a.again(dy=first(a.dy))


def rot180(array):
    return array[..., ::-1, ::-1]


def transposed_if_square(array):
    return np.swapaxes(array, -1, -2) if array.shape[-1] == array.shape[-2] else array


def border_zero(a):
    gradient = np.array(a.right)
    gradient[..., -1, :] = 0
    return gradient


def shifted(a):
    return np.roll(a.right, 1, axis=-1)


def in_memory_transposed(matrix):
    """A matrix whose memory is read as if it were stored the other way round."""
    return matrix.reshape(matrix.shape[::-1]).T
