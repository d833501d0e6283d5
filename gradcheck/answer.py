"""What a vjp hands back, as arrays: its form, its bits, its memory; and arguments in unusual memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.number import is_real

Complaint = tuple[str, ...]


def listed(answer: Any, inputs: Sequence[Array]) -> tuple[list[Any], Complaint]:
    """The answer as one entry for each input, and what is wrong with it as a list (empty: nothing).

    Examples
    --------
    >>> listed(np.ones(3), [np.ones(3), np.ones(2)])[1][0]
    'vjp does not return one gradient for each input'
    """
    count = len(inputs)
    if (
        isinstance(answer, tuple | list)
        and len(answer) == count
        and (count != 1 or isinstance(answer, tuple) or not np.isscalar(answer[0]))
    ):
        return list(answer), ()
    if count == 1 and answer is not None and not isinstance(answer, tuple):
        return [answer], ()
    seen = (
        f"{type(answer).__name__} of {len(answer)}"
        if isinstance(answer, tuple | list)
        else type(answer).__name__
    )
    lines = (
        "vjp does not return one gradient for each input",
        f"returned {seen}, wanted a tuple of {count}",
        f"one entry for each of the {count} inputs, None where not offered; a bare array only for one input",
    )
    return [None] * count, lines


def gradient_of(returned: Any, x: Array) -> tuple[Array, Complaint]:
    """One returned gradient as an array, and what is wrong with its form (empty: nothing)."""
    try:
        gradient = np.asarray(returned)
    except Exception as error:
        return np.empty(0), ("is not an array", f"np.asarray raised {type(error).__name__}: {error}")
    if gradient.shape != x.shape:
        return gradient, (
            "wrong shape",
            f"gradient.shape = {gradient.shape}, wanted {x.shape}",
            "a gradient has the shape of its input",
        )
    if is_real(gradient.dtype) or (gradient.dtype.kind == "c" and x.dtype.kind == "c"):
        return gradient, ()
    return gradient, (
        "wrong dtype",
        f"gradient.dtype = {gradient.dtype}, input.dtype = {x.dtype}",
        "a gradient is floating, and complex only for a complex input",
    )


def wide(array: Array) -> Array:
    """The values as float64 (or complex128, or wider), so that the judge's own arithmetic adds no float32."""
    return array.astype(np.result_type(array.dtype, np.float64), copy=False)


def same_bits(a: Array, b: Array) -> Array:
    """Element by element, whether two arrays of one shape and dtype hold the same bytes (NaN and −0.0 too).

    Examples
    --------
    >>> same_bits(np.array([np.nan, 0.0]), np.array([np.nan, -0.0]))
    array([ True, False])
    """
    whole = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}.get(a.dtype.itemsize)
    if (
        whole is not None and a.flags.c_contiguous and b.flags.c_contiguous
    ):  # one comparison an element, and no copy
        return np.asarray(np.equal(a.view(whole), b.view(whole)))
    pairs = (np.ascontiguousarray(v).reshape(-1).view(np.uint8).reshape(v.size, -1) for v in (a, b))
    return np.asarray(np.equal(*pairs).all(axis=1)).reshape(a.shape)


def memory_faults(gradient: Array, held: Sequence[tuple[str, Array]]) -> Iterator[str]:
    """What is unusual about the memory of a result, `held` being the arrays it could share it with."""
    for name, other in held:
        if overlaps(gradient, other):
            yield f"shares memory with {name}"
    if any(stride == 0 and side > 1 for stride, side in zip(gradient.strides, gradient.shape, strict=True)):
        yield "repeats one element by a stride of 0"
    if not gradient.flags.writeable:
        yield "is read-only"


def overlaps(a: Array, b: Array) -> bool:
    """Whether two arrays share memory; where telling exactly is too hard, whether their bounds meet."""
    try:
        return bool(np.shares_memory(a, b, max_work=1000))  # type: ignore[arg-type]  # any int, says NumPy
    except np.exceptions.TooHardError:
        return bool(np.may_share_memory(a, b))


def locked(array: Array) -> Array:
    """A read-only copy in the same memory order."""
    copy = array.copy("K")
    copy.setflags(write=False)
    return copy


def fortran(array: Array) -> Array:
    """The same values, first axis fastest; in one dimension every second element of a longer buffer."""
    if array.ndim != 1:
        return np.array(array, order="F", copy=True)
    return np.repeat(array, 2)[::2]


def backward(array: Array) -> Array:
    """The same values, stored from the last to the first: every stride negative."""
    turn = (slice(None, None, -1),) * array.ndim
    return np.array(array[turn], order="C", copy=True)[turn]


def turned(array: Array) -> Array:
    """The same values, stored from the last to the first, first axis fastest: no stride is what is usual.

    Examples
    --------
    >>> turned(np.ones((2, 3))).strides, turned(np.ones(3)).strides
    ((-8, -16), (-16,))
    """
    turn = (slice(None, None, -1),) * array.ndim
    return fortran(array[turn])[turn]
