"""Bug: a wrong gradient that a public project once had, beside the right one and inputs that reach it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Draw = Callable[..., Array]
Made = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any], tuple[Array, ...]]

KINDS = ("value", "shape", "nan", "side effect")


@dataclass(frozen=True)
class Bug:
    """One bug.

    `f(*inputs)` is the function; `right_vjp` and `wrong_vjp` take `(cotangent, *inputs)` and return one
    gradient per input, or a bare array where there is one input. `kind` is "value", "shape", "nan" (not
    finite where the derivative is) or "side effect" (what the call does to its arguments, its other results
    or later calls). `reference` names what the right one is verified by: "complex step", "differences" where
    f takes no complex numbers, or "many digits" where f's own rounding is all that either would see.
    """

    name: str
    source: str
    f: Callable[..., Any]
    right_vjp: Callable[..., Any]
    wrong_vjp: Callable[..., Any]
    inputs: tuple[Array, ...]
    kind: str
    reference: str


@dataclass(frozen=True)
class Recipe:
    """A bug whose inputs are not drawn yet."""

    name: str
    source: str
    kind: str
    reference: str
    make: Callable[[Draw], Made]

    def cook(self) -> Bug:
        """The bug, its inputs drawn from a generator seeded by its name."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        f, right, wrong, inputs = self.make(lambda *shape: rng.standard_normal(shape))
        return Bug(self.name, self.source, f, right, _quiet(wrong), inputs, self.kind, self.reference)


def _quiet(wrong: Callable[..., Any]) -> Callable[..., Any]:
    """The wrong one without NumPy's warnings: what it divides by zero is for the checker to see."""

    def silent(*arguments: Array) -> Any:
        with np.errstate(all="ignore"):
            return wrong(*arguments)

    return silent


def bug(
    name: str, source: str, kind: str = "value", reference: str = "complex step"
) -> Callable[[Callable[[Draw], Made]], Recipe]:
    """Make a recipe of a function from a drawer of Gaussian arrays to (f, right, wrong, inputs)."""
    return lambda make: Recipe(name, source, kind, reference, make)
