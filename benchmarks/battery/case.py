"""What the battery is made of: subjects (right), slips and cases (right or wrong)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Forward = Callable[..., Any]
Pullback = Callable[..., tuple[Array, ...]]
Slip = Callable[..., Array]


@dataclass(frozen=True)
class Subject:
    """A function with its right pullback, and the ways in which people get it wrong.

    `f(*inputs)` is the function, `vjp(cotangent, *inputs)` one gradient per input. `slips` maps a mutation to
    the input that it hits and to a function `(cotangent, *inputs) -> the wrong gradient of that input`.
    `finest` is the smallest relative error that f's own rounding lets anyone see: no wrong one is below it.
    """

    name: str
    f: Forward
    vjp: Pullback
    inputs: tuple[Array, ...]
    slips: Mapping[str, tuple[int, Slip]] = field(default_factory=dict)
    finest: float = 0.0

    def scaled(self, factor: float) -> Subject:
        """The same subject with its output multiplied by `factor`."""
        if factor == 1:
            return self
        slips = {name: (hit, _after_scaling(slip, factor)) for name, (hit, slip) in self.slips.items()}
        return replace(
            self,
            name=f"{self.name}, output {factor:g}",
            f=lambda *inputs: factor * self.f(*inputs),
            vjp=_after_scaling(self.vjp, factor),
            slips=slips,
        )


def _after_scaling(pullback: Callable[..., Any], factor: float) -> Callable[..., Any]:
    return lambda cotangent, *inputs: pullback(factor * cotangent, *inputs)


@dataclass(frozen=True)
class Case:
    """One gradient to be judged.

    `mutation` is "none" and `relative_error` 0 for a right one; otherwise `relative_error` is the least, over
    a few Gaussian cotangents, of the relative norm of the error in the gradient of input number `hit`.
    """

    name: str
    f: Forward
    vjp: Pullback
    inputs: tuple[Array, ...]
    wrong: bool
    mutation: str
    relative_error: float
    hit: int | None = None


def cotangents(subject: Subject, count: int, seed: int) -> list[Array]:
    """Gaussian cotangents of the output's shape and dtype."""
    rng = np.random.default_rng(seed)
    output = np.asarray(subject.f(*subject.inputs))
    return [np.asarray(rng.standard_normal(output.shape), dtype=output.dtype) for _ in range(count)]


def relative_difference(wrong: Array, right: Array) -> float:
    """‖wrong − right‖ / ‖right‖ in double precision; 0 where both are zero."""
    right = right.astype(np.float64)
    size = float(np.linalg.norm(right))
    difference = float(np.linalg.norm(wrong.astype(np.float64) - right))
    return difference / size if size else float(np.inf if difference else 0)
