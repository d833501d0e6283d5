"""Stepped: one parameter before and after a step, and by how much two right steps may differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradcheck.answer import wide
from gradcheck.estimate import Array
from gradcheck.number import coarsest, finfo

ROUNDINGS = 4.0
"""Times the measured rounding of a gradient, element by element: single elements exceed it up to twice."""


@dataclass(frozen=True)
class Attempt:
    """One call of a step: its new parameters, and which of its arguments it changed."""

    factor: float
    new: list[Array | None]
    changed: list[bool]


@dataclass(frozen=True)
class Look:
    """One parameter before and after a step at `rate`, which is `factor` times the one that was asked for."""

    old: Array
    gradient: Array
    rounding: Array
    rate: Array
    new: Array
    factor: float

    @property
    def move(self) -> Array:
        """η ∘ ∂E/∂p."""
        return np.asarray(self.rate * wide(self.gradient))

    @property
    def right(self) -> Array:
        """What it should be, p − η ∘ ∂E/∂p."""
        return np.asarray(wide(self.old) - self.move)

    @property
    def coarsest(self) -> str:
        """Name of the coarsest dtype among old, new and gradient."""
        return coarsest(self.old.dtype, self.new.dtype).name

    @property
    def allowed(self) -> Array:
        """What two right steps may differ by: each rounds the rate, the product and the difference."""
        unit = max(float(finfo(a.dtype).eps) for a in (self.old, self.new, self.gradient)) / 2
        own = 2 * unit * (2 * np.abs(self.move) + np.abs(self.right))
        return np.asarray(
            own
            + ROUNDINGS * np.abs(self.rate) * self.rounding
            + float(finfo(self.new.dtype).smallest_subnormal)
        )

    @property
    def off(self) -> Array:
        """New less right."""
        return np.asarray(wide(self.new) - self.right)

    @property
    def wrong(self) -> Array:
        """Elements that differ by more than is allowed; NaN does."""
        with np.errstate(invalid="ignore"):
            return np.asarray(~(np.abs(self.off) <= self.allowed))

    @property
    def moves(self) -> bool:
        """Whether any weight is to move."""
        return bool(np.any(self.move))

    @property
    def resolution(self) -> float:
        """Largest allowance, relative to the longest move."""
        longest = float(np.max(np.abs(self.move)))
        return float(np.max(self.allowed)) / longest if longest > 0 else math.inf


def misformed(new: Array, old: Array) -> str:
    """What is wrong with the form of a new parameter; empty where nothing is."""
    if new.shape != old.shape:
        return f"has shape {new.shape}, wanted {old.shape}"
    if new.dtype.kind != "f" and new.dtype.name != "bfloat16":
        return f"has dtype {new.dtype}, wanted {old.dtype}"
    if float(finfo(new.dtype).eps) > float(finfo(old.dtype).eps):
        return f"comes back coarser: dtype {new.dtype}, wanted {old.dtype}"
    return ""
