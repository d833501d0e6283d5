"""Validation shared by every operation: named axes learn their sizes, and errors speak of the axes.

Every error has three parts: who and what in words; what was observed beside what was wanted, axes named;
the rule with the numbers put in.
"""

from __future__ import annotations

import operator
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def rot180(array: Array) -> Array:
    """A view of `array` turned by a half turn of its last two axes (the notes' rot180)."""
    return array[..., ::-1, ::-1]


def is_floating(array: Any) -> bool:
    """Whether this is an array of floating numbers, not empty, that needs no conversion: nothing to ask or to tell."""
    return bool(type(array) is np.ndarray and array.dtype.kind in "fc" and array.size)


def are_maps(array: Any) -> bool:
    """Whether this `is_floating`, with the axes of maps or kernels; not by a call, which takes as long again."""
    return bool(type(array) is np.ndarray and array.ndim == 4 and array.dtype.kind in "fc" and array.size)


def are_blocks(whole: Any, n: Any, part: Any) -> bool:
    """Whether these are maps, a factor, and maps that are smaller by it, and nothing is unusual that has to be told."""
    return bool(
        are_maps(whole)
        and are_maps(part)
        and type(n) is int
        and whole.shape == (*part.shape[:2], n * part.shape[2], n * part.shape[3])
    )


class Axes:
    """Sizes of named axes, learnt from one array after another.

    Parameters
    ----------
    who : str
        The function whose arguments these are; the first word of every error.

    Examples
    --------
    >>> axes = Axes("dense")
    >>> x = axes.take("x", np.ones((5, 3)), "batch inputs")
    >>> W = axes.take("W", np.ones((4, 2)), "outputs inputs")
    Traceback (most recent call last):
    ValueError: dense: W does not fit along its inputs
      x.shape = (5, 3), wanted (batch, inputs)
      W.shape = (4, 2), wanted (outputs, inputs)
      inputs = 3 in x, but is 2 in W
    """

    def __init__(self, who: str) -> None:
        self.who = who
        self.sizes: dict[str, int] = {}
        self._rules: dict[str, str] = {}
        self._seen: list[str] = []

    def __getitem__(self, axis: str) -> int:
        """Size of a named axis."""
        return self.sizes[axis]

    def take(self, name: str, value: Any, axes: str) -> Array:
        """The array, when it is floating, its axes are these and their sizes agree with those known."""
        array = self.floating(name, value)
        wanted = axes.split()
        names = ", ".join(wanted) + "," * (len(wanted) == 1)
        self._seen.append(f"{name}.shape = {array.shape}, wanted ({names})")
        if array.ndim != len(wanted):
            self._fail(
                f"{name} has the wrong number of axes", f"axes = {array.ndim}, but must be {len(wanted)}"
            )
        for axis, size in zip(wanted, array.shape, strict=True):
            self._bind(name, axis, size)
        return array

    def number(self, name: str, value: Any) -> Any:
        """The lone floating number, as Python's own: it widens no dtype that it meets."""
        return self.take(name, value, "").item()

    def take_any(self, name: str, value: Any) -> Array:
        """The array, of any shape that is not empty, when its dtype is floating."""
        array = self.floating(name, value)
        if array.size == 0:
            self._seen.append(f"{name}.shape = {array.shape}, wanted any shape without a zero")
            self._fail(f"{name} is empty", "elements = 0, but must be at least 1")
        return array

    def like(self, name: str, value: Any, other_name: str, other: Array) -> Array:
        """The array, when its shape is that of `other`."""
        array = self.floating(name, value)
        if array.shape != other.shape:
            self._seen.append(f"{name}.shape = {array.shape}, wanted the shape of {other_name}")
            self._fail(
                f"{name} does not fit {other_name}",
                f"{name}.shape = {other_name}.shape = {other.shape}, but is {array.shape}",
            )
        return array

    def floating(self, name: str, value: Any) -> Array:
        """The value as a floating array; complex passes too, so that complex steps can be taken."""
        if (
            type(value) is np.ndarray and value.dtype.kind in "fc"
        ):  # nothing to ask: layers are as quick as this
            return value
        array = np.asarray(value)
        if not np.issubdtype(array.dtype, np.inexact):
            raise TypeError(
                f"{self.who}: {name} must be of a floating dtype\n"
                f"  {name}.dtype = {array.dtype}, wanted float32 or float64, kept as they come in\n"
                f"  derivatives are fractions, which {array.dtype} cannot hold: pass {name}.astype(float)"
            )
        return array

    def valid(self, whole: str, part: str, rest: str) -> None:
        """Learn rest = whole - part + 1, the size of a 'valid' convolution's result."""
        a, b = self[whole], self[part]
        rule = f"{_words(rest)} = {whole} - {part} + 1 = {a} - {b} + 1 = {a - b + 1}"
        if b > a:
            self._fail(f"{part} exceeds {whole}", f"{rule}, but must be in 1..{a}")
        self._learn(rest, a - b + 1, rule)

    def full(self, part: str, other: str, whole: str) -> None:
        """Learn whole = part + other - 1, the size of a 'full' convolution's result."""
        a, b = self[part], self[other]
        self._learn(whole, a + b - 1, f"{_words(whole)} = {part} + {other} - 1 = {a} + {b} - 1 = {a + b - 1}")

    def blocks(self, axis: str, n: int, count: str) -> None:
        """Learn count = axis / n, the number of blocks of n along an axis that n must divide."""
        size = self[axis]
        if size % n:
            self._fail(
                f"{axis} does not divide into blocks of n = {n}",
                f"{axis} mod n = {size} mod {n} = {size % n}, but must be 0",
            )
        self._learn(count, size // n, f"{_words(count)} = {axis} / n = {size} / {n} = {size // n}")

    def repeats(self, axis: str, n: int, whole: str) -> None:
        """Learn whole = n axis."""
        size = self[axis]
        self._learn(whole, n * size, f"{_words(whole)} = n {axis} = {n} * {size} = {n * size}")

    def table(self, value: Any) -> Array | None:
        """The connection table, bool of shape (in_maps, out_maps); None, for all connected, stays None."""
        if value is None:
            return None
        array = np.asarray(value)
        wanted = (self["in_maps"], self["out_maps"])
        self._seen.append(
            f"connections.shape = {array.shape}, connections.dtype = {array.dtype}, "
            "wanted (in_maps, out_maps) of bool"
        )
        if array.dtype != np.bool_:
            self._fail(
                "connections must be bool",
                f"dtype = bool, but is {array.dtype}: an index list is not a table",
                TypeError,
            )
        if array.shape != wanted:
            self._fail(
                "connections do not fit the kernels", f"(in_maps, out_maps) = {wanted}, but is {array.shape}"
            )
        return array

    def _bind(self, name: str, axis: str, size: int) -> None:
        if size == 0:
            self._fail(f"{name} is empty along its {axis}", f"{axis} = 0, but must be at least 1")
        known = self.sizes.get(axis, size)
        if known != size:
            self._fail(
                f"{name} does not fit along its {axis}", f"{self._rules[axis]}, but is {size} in {name}"
            )
        if axis not in self.sizes:
            self._learn(axis, size, f"{axis} = {size} in {name}")

    def _learn(self, axis: str, size: int, rule: str) -> None:
        self.sizes[axis], self._rules[axis] = size, rule

    def _fail(self, what: str, rule: str, kind: type[Exception] = ValueError) -> NoReturn:
        raise kind("\n  ".join([f"{self.who}: {what}", *self._seen, rule]))


def _words(axis: str) -> str:
    return axis.replace("_", " ")


def factor(who: str, n: Any) -> int:
    """The factor n of up- and down-sampling, an integer of at least 1."""
    try:
        size = operator.index(n)
    except TypeError:
        size = 0
    if size < 1 or isinstance(n, bool | np.bool_):
        raise ValueError(
            f"{who}: n is not the side of a block\n"
            f"  n = {n!r}, wanted an integer\n"
            f"  n >= 1, since each block has n by n pixels, but is {n!r}"
        )
    return size
