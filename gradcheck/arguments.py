"""Arguments of the checks: what a user passes in, as arrays, or a clear refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.number import is_real

METHODS = ("auto", "exact", "complex_step", "spectral", "differences")


def real_array(value: Any, who: str, name: str) -> Array:
    """`value` as an array of real floating numbers; whole numbers become float64.

    Raises
    ------
    TypeError
        If it holds anything else.
    ValueError
        If it is empty, or holds NaN or infinity.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(
            f"{who}: {name} is not an array of real numbers\n"
            f"  np.asarray({name}) raised ValueError: {error}\n"
            "  an array has rows of one length"
        ) from error
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if not is_real(array.dtype):
        raise TypeError(
            f"{who}: {name} is not an array of real numbers\n"
            f"  {name}.dtype = {array.dtype}, wanted float16, float32, float64 or longdouble\n"
            "  a complex input is two real ones, its real and its imaginary part"
        )
    if array.size == 0:
        raise ValueError(
            f"{who}: {name} is empty\n"
            f"  {name}.shape = {array.shape}, wanted at least one element\n"
            "  a gradient without elements has nothing to check"
        )
    if not np.isfinite(array).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(
            f"{who}: {name} is not finite\n"
            f"  {name}{list(where) or ''} = {array[where]}, wanted a finite number\n"
            "  a derivative is checked at a point"
        )
    return array


def real_arrays(inputs: Any, who: str) -> tuple[Array, ...]:
    """A sequence of inputs, each by `real_array`.

    Raises
    ------
    TypeError
        If it is no sequence: a bare array, whose rows could be taken for inputs, too.
    ValueError
        If it is empty.
    """
    if isinstance(inputs, Sequence) and not isinstance(inputs, str) and not inputs:
        raise ValueError(
            f"{who}: there are no inputs\n"
            "  len(inputs) = 0, wanted one array an argument of f\n"
            "  for a single array x, pass (x,)"
        )
    if not isinstance(inputs, Sequence) or isinstance(inputs, str):
        raise TypeError(
            f"{who}: inputs are not a sequence of arrays\n"
            f"  type(inputs) = {type(inputs).__name__}, wanted a tuple or list, one array an argument of f\n"
            "  for a single array x, pass (x,)"
        )
    return tuple(real_array(x, who, f"inputs[{i}]") for i, x in enumerate(inputs))


def one_of(value: str, allowed: Sequence[str], who: str, name: str) -> str:
    """`value` if it is among `allowed`.

    Raises
    ------
    ValueError
        If it is not.
    """
    if value not in allowed:
        raise ValueError(f"{who}: no such {name}\n  {name} = {value!r}, wanted one of {', '.join(allowed)}")
    return value


def positive(value: float, who: str, name: str) -> float:
    """`value` if it is a number above 0.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not value > 0:
        raise ValueError(f"{who}: {name} is not positive\n  {name} = {value!r}, wanted a number above 0")
    return value


def not_negative(value: int, who: str, name: str) -> int:
    """`value` if it is a number from 0.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not value >= 0:
        raise ValueError(f"{who}: {name} is negative\n  {name} = {value!r}, wanted a whole number from 0")
    return value


def share(value: float, who: str, name: str) -> float:
    """`value` if it is a number from 0 to below 0.1.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not 0 <= value < 0.1:
        raise ValueError(
            f"{who}: {name} is no small share\n  {name} = {value!r}, wanted a number from 0 to below 0.1\n"
            "  what is not known to one digit has no derivative worth comparing"
        )
    return value


def names_of(names: Sequence[str] | None, count: int, who: str) -> tuple[str, ...]:
    """A name for each of `count` inputs: the given ones, or x, or inputs[0] and so on.

    Raises
    ------
    ValueError
        If there are more or fewer names than inputs.
    """
    if names is None:
        return ("x",) if count == 1 else tuple(f"inputs[{i}]" for i in range(count))
    if len(names) != count:
        raise ValueError(
            f"{who}: names do not fit inputs\n"
            f"  len(names) = {len(names)}, wanted {count}, the number of inputs\n"
            f"  names = {tuple(names)!r}"
        )
    return tuple(names)


def finer_than(value: Any, arrays: Sequence[Array], who: str) -> np.dtype[Any] | str | None:
    """`value` as a dtype of real numbers that holds those of all `arrays`; None and "auto" as they are.

    Raises
    ------
    ValueError
        If it is coarser than an array's: it would not be the point that is checked.
    """
    if value is None or (isinstance(value, str) and value == "auto"):
        return value
    dtype: np.dtype[Any] = np.dtype(value)
    held = is_real(dtype) and all(np.can_cast(x.dtype, dtype, "safe") for x in arrays)
    if not held:
        raise ValueError(
            f"{who}: finer is no dtype that holds the inputs\n"
            f"  finer = {dtype}, inputs have {', '.join(dict.fromkeys(str(x.dtype) for x in arrays))}\n"
            "  wanted a real dtype to which each of them casts without loss, as float64"
        )
    return dtype


def places(value: Any, count: int, who: str, name: str) -> tuple[int, ...]:
    """Indices of inputs, each from 0 to count − 1.

    Raises
    ------
    TypeError
        If they are no sequence.
    ValueError
        If one is of no input: what is meant to be checked exactly would silently not be.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(
            f"{who}: {name} is not a sequence of indices\n"
            f"  {name} = {value!r}, wanted a tuple or list of whole numbers in 0..{count - 1}\n"
            "  for a single input i, pass (i,)"
        )
    for i in value:
        if i not in range(count):
            raise ValueError(
                f"{who}: {name} names an input that there is not\n"
                f"  {name} = {tuple(value)!r}, wanted whole numbers in 0..{count - 1}\n"
                f"  {i!r} is the index of none of the {count} inputs"
            )
    return tuple(value)


@dataclass
class Counted:
    """The user's function with its calls counted and its answers made arrays.

    A call with several points (`gradcheck.batches`) is one of `calls`, and those after its first are `further`. Budgets
    count `points`: they reach as far whether these are evaluated together or one by one.

    Raises
    ------
    TypeError
        If it answers anything but real floating numbers.
    ValueError
        If its answer is empty, or the shape of its answer changes from call to call.
    """

    function: Callable[..., Any]
    who: str
    calls: int = 0
    shape: tuple[int, ...] | None = field(default=None)
    further: int = 0

    @property
    def points(self) -> int:
        """Points at which f was evaluated: as many as calls, but for batches."""
        return self.calls + self.further

    def __call__(self, *inputs: Array) -> Array:
        """The answer as an array."""
        self.calls += 1
        with np.errstate(all="ignore"):
            output = np.asarray(self.function(*inputs))
        if output.dtype.kind == "c" and any(np.iscomplexobj(x) for x in inputs):
            return output  # asked for, by the complex step
        if not is_real(output.dtype):
            raise TypeError(
                f"{self.who}: f does not return real floating numbers\n"
                f"  f(*inputs).dtype = {output.dtype}, wanted float16, float32, float64 or longdouble\n"
                "  whole numbers have no derivative, and a complex output is two real ones"
            )
        if output.size == 0:
            raise ValueError(
                f"{self.who}: f(*inputs) is empty\n"
                f"  f(*inputs).shape = {output.shape}, wanted at least one element\n"
                "  what has no elements has no derivative"
            )
        if self.shape is None:
            self.shape = output.shape
        if output.shape != self.shape:
            raise ValueError(
                f"{self.who}: the shape of f(*inputs) changes from call to call\n"
                f"  f(*inputs).shape = {output.shape}, before it was {self.shape}\n"
                "  a derivative needs one output space"
            )
        return output
