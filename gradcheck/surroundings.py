"""Surroundings: what a call leaves changed beside its arguments, and whether two functions call each other."""

from __future__ import annotations

import functools
import pickle
import random
import sys
from collections.abc import Callable
from types import CellType, CodeType, FrameType
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

#: Functions, one within another, that are looked through: an object may have any attribute that it is asked for.
DEPTH = 64

#: What a caller shares with everything else in the process: how it is called in messages, read and put back.
SHARED: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    # the state of the old global generator is the one that a target can spoil for its caller
    "NumPy's global random generator": (
        lambda: pickle.dumps(np.random.get_state()),  # noqa: NPY002
        lambda state: np.random.set_state(pickle.loads(state)),  # noqa: NPY002
    ),
    "Python's global random generator": (random.getstate, random.setstate),
    "NumPy's handling of floating point errors": (np.geterr, lambda state: np.seterr(**state)),
}


def surroundings() -> dict[str, Any]:
    """State that the whole process shares, by name."""
    return {name: get() for name, (get, _) in SHARED.items()}


def disturbed(before: dict[str, Any]) -> tuple[str, ...]:
    """Names of the shared state that is another now.

    Examples
    --------
    >>> before, drawn = surroundings(), random.random()
    >>> disturbed(before)
    ("Python's global random generator",)
    >>> settled(before)
    >>> disturbed(before)
    ()
    """
    return tuple(name for name, (get, _) in SHARED.items() if get() != before[name])


def settled(before: dict[str, Any]) -> None:
    """Put the shared state back, so that a check leaves it, and finds it the next time, as it was."""
    for name in disturbed(before):
        SHARED[name][1](before[name])


def calls_of(function: Callable[..., Any], call: Callable[[], T]) -> tuple[T, int]:
    """The answer of `call`, and how often it ran `function`, which is written in Python.

    Recognised by code and by what the function closes over, so that another closure of the same code does not
    count. What stands for another function (`__wrapped__`, as `functools.wraps` sets it) counts where that runs.
    Nothing is counted of a compiled function, nor under a profiler, whose hook this would take away.

    Examples
    --------
    >>> def square(x):
    ...     return x * x
    >>> calls_of(square, lambda: square(2) + square(3))
    (13, 2)
    >>> calls_of(square, lambda: 4)
    (4, 0)
    """
    code, held = _identity(function)
    if code is None or sys.getprofile() is not None:
        return call(), 0
    count = 0

    def see(frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        if event == "call" and frame.f_code is code:
            seen = frame.f_locals
            count += all(name in seen and seen[name] is value for name, value in held.items())

    sys.setprofile(see)
    try:
        answer = call()
    finally:
        sys.setprofile(None)
    return answer, count


def _identity(function: Callable[..., Any]) -> tuple[CodeType | None, dict[str, Any]]:
    """The code of a Python function, and the names that it finds bound to its own objects when called."""
    function = _innermost(function)
    if not hasattr(function, "__code__") and not hasattr(function, "__func__"):
        function = getattr(function, "__call__", function)  # noqa: B004  its code, not whether it can be called
    inner: Any = getattr(function, "__func__", function)
    code = getattr(inner, "__code__", None)
    if code is None:
        return None, {}
    cells = zip(code.co_freevars, inner.__closure__ or (), strict=True)
    held = {name: cell.cell_contents for name, cell in cells if cell != CellType()}
    if inner is not function:
        held[code.co_varnames[0]] = getattr(function, "__self__", None)
    return code, held


def stands_for(inner: Callable[..., Any] | None, function: Callable[..., T]) -> Callable[..., T]:
    """The function, whose calls are those of the `inner` one that it makes.

    Examples
    --------
    >>> def square(x):
    ...     return x * x
    >>> shifted = stands_for(square, lambda x: square(x + 1))
    >>> calls_of(shifted, lambda: square(2))
    (4, 1)
    """

    def call(*arguments: Any, **options: Any) -> T:
        return function(*arguments, **options)

    if inner is not None:
        call.__wrapped__ = inner  # type: ignore[attr-defined]
    return call


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a function stands for in the end; a method of its object, which tells it from those of others, stays."""
    for _ in range(DEPTH):
        inner = getattr(function, "__wrapped__", None)
        if isinstance(function, functools.partial):
            function = function.func
        elif callable(inner) and not hasattr(function, "__self__"):
            function = inner
        else:
            break
    return function
