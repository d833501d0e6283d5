"""Contenders: the catalogues' own forms, the libraries that are installed, and any target."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

import numpy as np

from gradcheck.bench.natives import NATIVE, native
from gradcheck.bench.sizes import Size
from gradcheck.estimate import Array
from gradcheck.implementation import Implementation, Offer, load
from gradcheck.importing import TargetError
from gradcheck.operation import CATALOGUES, Operation, Turn
from gradcheck.translation import as_tuple, declared, translated

INSTALLED = ("numba", "numexpr", "torch", "jax")
"""Libraries that are raced where they are installed: the first two take NumPy's arrays, the others their own."""

DIRECTIONS = ("forward", "gradients")


@dataclass(frozen=True)
class Contender:
    """One implementation of one operation, to be certified and raced.

    Parameters
    ----------
    name : str
    implementation : Implementation
    """

    name: str
    implementation: Implementation

    def offers(self, operation: str, direction: str) -> bool:
        """Whether it has this direction of the operation."""
        offer = self.implementation.offers.get(operation)
        return offer is not None and (offer.forward if direction == "forward" else offer.vjp) is not None

    def known(self, operation: str) -> bool:
        """Whether it can be called as its users call it."""
        return self.name not in NATIVE or operation in NATIVE[self.name]

    def answer(self, operation: Operation, direction: str, call: Call) -> tuple[Array, ...]:
        """What it answers, in the catalogue's conventions."""
        offer = translated(self.implementation.offers[operation.name], operation)
        return tuple(np.asarray(each) for each in as_tuple(_entered(offer, direction, call)()))

    def ready(self, operation: Operation, direction: str, call: Call) -> Callable[[], Any]:
        """A call of its own code alone: inputs are turned into its conventions beforehand, answers are not back.

        A library is called as its users call it, on arrays of its own.
        """
        offer = self.implementation.offers[operation.name]
        for convention in declared(offer, operation):
            call = call.turned(operation, convention)
        n = call.options.get("n")
        own = native(self.name, operation.name, direction, call.inputs, call.cotangent, n)
        return own or _entered(offer, direction, call)


@dataclass(frozen=True)
class Call:
    """Arguments of one call."""

    inputs: tuple[Array, ...]
    options: dict[str, Any]
    cotangent: Array | None = None

    def turned(self, operation: Operation, convention: Any) -> Call:
        """The call in a convention."""
        turns = [convention.inputs.get(each.name) for each in operation.inputs]
        pairs = zip(turns, self.inputs, strict=True)
        inputs = tuple(_like(turn.apply(x, self.options), x) if turn else x for turn, x in pairs)
        cotangent = self.cotangent
        if isinstance(convention.output, Turn) and cotangent is not None:
            cotangent = _like(convention.output.adjoint(cotangent, self.options), cotangent)
        options = {name: value for name, value in self.options.items() if name not in convention.held}
        return Call(inputs, options, cotangent)


def _like(array: Any, before: Array) -> Array:
    return np.ascontiguousarray(array, dtype=before.dtype)


def _entered(offer: Offer, direction: str, call: Call) -> Callable[[], Any]:
    if direction == "forward":
        assert offer.forward is not None
        return _Bound(offer.forward, call.inputs, call.options)
    assert offer.vjp is not None
    return _Bound(offer.vjp, (call.cotangent, *call.inputs), call.options)


@dataclass(frozen=True)
class _Bound:
    function: Callable[..., Any]
    arguments: Sequence[Any]
    options: dict[str, Any]

    def __call__(self) -> Any:
        return self.function(*self.arguments, **self.options)


def call_of(size: Size, dtype: str, seed: int, shape: tuple[int, ...]) -> Call:
    """Inputs and a cotangent of whole numbers, for an output of this shape."""
    rng = np.random.default_rng([seed, 2])
    cotangent = rng.integers(-4, 5, shape).astype(dtype)
    return Call(size.inputs(dtype, seed), dict(size.options), cotangent)


def contenders(
    targets: Iterable[str], catalogue: Any, wanted: Callable[[str], bool] = lambda name: True
) -> tuple[Contender, ...]:
    """The catalogues' own forms, then the libraries that are installed, then the targets, each once.

    Those of names that are not `wanted` are not even imported.

    Raises
    ------
    TargetError
        When a target cannot be loaded, or two have one name.
    """
    found: dict[str, Contender] = {}
    for name, thing in (*_own(), *((each, each) for each in INSTALLED if find_spec(each) is not None)):
        if wanted(name):
            found[name] = Contender(name, load(thing, catalogue))
    for target in targets:
        if target in dict(_own()):
            raise TargetError(
                f"bench: two contenders have one name\n  name = {target!r}, taken by a form of the catalogue\n"
                f"  names must differ: say module:object, which is named so in the table"
            )
        found[target] = Contender(target, load(target, catalogue))
    return tuple(found.values())


def names(targets: Iterable[str]) -> tuple[str, ...]:
    """The names of all contenders that there are, none of them imported."""
    installed = (each for each in INSTALLED if find_spec(each) is not None)
    return tuple(dict.fromkeys((*(name for name, _ in _own()), *installed, *targets)))


def _own() -> Iterator[tuple[str, Any]]:
    """Forms by name from every catalogue whose module has `contenders()`."""
    for entry in entry_points(group=CATALOGUES):
        module = sys.modules[entry.load().__module__]
        forms: Callable[[], Mapping[str, Any]] = getattr(module, "contenders", dict)
        yield from forms().items()
