"""Gradient bugs of public projects, re-implemented: each with the right gradient and inputs that reach it.

The code is written for this collection; `source` says where the mistake, or its like, was seen. A checker
should fail every wrong one and no right one.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bugs import (
    algebra,
    conduct,
    edges,
    images,
    indexing,
    losses,
    networks,
    normalisation,
    pointwise,
    reductions,
    shapes,
)
from benchmarks.bugs.recipe import KINDS, Array, Bug, Recipe

__all__ = ["KINDS", "Array", "Bug", "bugs", "recipes"]


MODULES = (
    edges,
    pointwise,
    reductions,
    indexing,
    shapes,
    algebra,
    images,
    normalisation,
    losses,
    networks,
    conduct,
)


def recipes() -> Iterator[Recipe]:
    """Every recipe, in the order of the files."""
    for module in MODULES:
        yield from (value for value in vars(module).values() if isinstance(value, Recipe))


def bugs() -> Iterator[Bug]:
    """Every bug, freshly made: the stateful ones start anew."""
    return (recipe.cook() for recipe in recipes())
