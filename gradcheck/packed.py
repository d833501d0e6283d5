"""Packed: the point of an oracle as its leaves, whatever tree and library they come in, each moved by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from gradcheck.arguments import real_array
from gradcheck.estimate import Array, Estimate
from gradcheck.foreign import is_array, is_foreign, like, to_numpy
from gradcheck.number import is_inexact
from gradcheck.tree import leaves, mapped

Function = Callable[[Any], Any]


def is_tree(value: Any) -> bool:
    """Whether a value has leaves of its own, or is a list of numbers, which NumPy takes for one array.

    Examples
    --------
    >>> is_tree({"w": 1.0}), is_tree([1.0, 2.0]), is_tree([np.ones(2), np.ones(3)]), is_tree(np.ones(2))
    (True, False, True, False)
    """
    if not isinstance(value, tuple | list) or hasattr(value, "_fields"):
        return isinstance(value, dict) or hasattr(value, "_fields") or _is_instance_of_dataclass(value)
    return any(is_array(leaf) for _, leaf in leaves(value)) or any(is_tree(each) for each in value)


def _is_instance_of_dataclass(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type) and not is_array(value)


@dataclass(frozen=True)
class Leaf:
    """One array of a tree: where it is, as it came, and its numbers."""

    path: str
    given: Any
    point: Array


@dataclass(frozen=True)
class Packed:
    """A tree of arrays, of which those of floating numbers are moved and the rest is held.

    Examples
    --------
    >>> point = Packed.of({"w": np.ones(2), "n": 3}, "gradient")
    >>> [leaf.path for leaf in point.leaves], point.moved({"x['w']": np.zeros(2)})
    (["x['w']"], {'w': array([0., 0.]), 'n': 3})
    """

    tree: Any
    leaves: tuple[Leaf, ...]

    @classmethod
    def of(cls, tree: Any, who: str) -> Packed:
        """Raises TypeError where no leaf is of floating numbers, ValueError where one is not finite or is empty."""
        found = [
            Leaf(path, leaf, _point(leaf, who, path)) for path, leaf in leaves(tree, "x") if _moves(leaf)
        ]
        if not found:
            kinds = ", ".join(f"{path}: {type(leaf).__name__}" for path, leaf in leaves(tree, "x"))
            raise TypeError(
                f"{who}: x has no floating numbers\n  leaves = {kinds or 'none'}, wanted arrays or floats\n"
                "  whole numbers, texts and the like in a tree are held as they are"
            )
        return cls(tree, tuple(found))

    def moved(self, points: dict[str, Array]) -> Any:
        """The tree with other numbers in some of its leaves, in the libraries and kinds in which they came."""
        known = {leaf.path: leaf for leaf in self.leaves}

        def put(path: str, value: Any) -> Any:
            if path not in known:
                return value
            array = points.get(path, known[path].point)
            return like(array, value) if is_array(value) else type(value)(array)

        return mapped(self.tree, put, "x")

    def along(self, path: str, f: Function) -> Function:
        """`f` as a function of one leaf."""
        return lambda array: f(self.moved({path: np.asarray(array)}))

    def of_leaves(self, values: dict[str, Any]) -> Any:
        """A tree of the same build with a value for every leaf that moves, and None for what is held."""
        return mapped(self.tree, lambda path, leaf: values.get(path), "x", checked=False)


def _moves(leaf: Any) -> bool:
    if is_array(leaf):
        return is_inexact(to_numpy(leaf).dtype)
    return isinstance(leaf, float | np.floating)


def _point(leaf: Any, who: str, path: str) -> Array:
    return real_array(to_numpy(leaf), who, path).copy()


@dataclass
class Outputs:
    """The answer of f as one array, whatever tree and library it comes in, and how it was built."""

    function: Function
    tree: Any = None
    shapes: Sequence[tuple[int, ...]] = ()

    def __call__(self, x: Any) -> Array:
        """The numbers of all leaves; of a lone array in its own shape."""
        answer = self.function(x)
        if not is_tree(answer):
            return to_numpy(answer)
        self.tree, arrays = answer, [np.asarray(to_numpy(leaf)) for _, leaf in leaves(answer)]
        self.shapes = [array.shape for array in arrays]
        return np.concatenate([array.ravel() for array in arrays])

    def split(self, estimate: Estimate, behind: tuple[int, ...] = ()) -> list[Estimate]:
        """An estimate of all outputs as one for each leaf; `behind` are the axes after those of the output."""
        if self.tree is None:
            return [estimate]
        value, bound = np.asarray(estimate.value), np.asarray(estimate.bound)
        sizes = [math.prod(shape) for shape in self.shapes]
        places = [slice(end - size, end) for end, size in zip(accumulate(sizes), sizes, strict=True)]
        return [
            replace(
                estimate,
                value=value[place].reshape((*shape, *behind))[()],
                bound=bound[place].reshape((*shape, *behind))[()],
            )
            for place, shape in zip(places, self.shapes, strict=True)
        ]

    def built(self, values: Sequence[Any]) -> Any:
        """A tree of the same build with these values for its leaves; the only one where the answer was a lone array."""
        if self.tree is None:
            return values[0]
        given = iter(values)
        return mapped(self.tree, lambda path, leaf: next(given), checked=False)


__all__ = ["Outputs", "Packed", "is_foreign", "is_tree"]
