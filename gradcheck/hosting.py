"""Hosting: running a target's code so that it can neither write into our output nor leave the process changed."""

from __future__ import annotations

import io
import os
import random
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

BESIDE = "the target "
"""How every note begins that tells what a target did beside answering."""

SHOWN = 60
"""Characters of a printed line or a warning that a note repeats."""


class _Spoken(io.TextIOBase):
    """A standard output that keeps the beginning of the first line alone, however much is written."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        if len(self.text) <= SHOWN:
            self.text += str(text)[: SHOWN + 1]
        return len(text)

    def close(self) -> None:
        """Stay open: a target that closes its standard output must not end the run."""

    @property
    def first(self) -> str:
        line = (self.text.strip().splitlines() or [""])[0]
        return line if len(line) <= SHOWN else line[:SHOWN] + "…"


@dataclass
class Host:
    """What a target did beside answering: notes with the number of times.

    Examples
    --------
    >>> host = Host()
    >>> with host.visit():
    ...     print("hello")
    >>> host.notes
    ("the target printed to standard output: 'hello'",)
    """

    seen: Counter[str] = field(default_factory=Counter)

    @property
    def notes(self) -> tuple[str, ...]:
        """One line for each thing that it did."""
        return tuple(BESIDE + each for each in self.seen)

    def note(self, what: str) -> None:
        """Count one thing."""
        self.seen[what] += 1

    @contextmanager
    def visit(self) -> Iterator[None]:
        """One call: what it prints and warns is kept, and NumPy's error handling put back."""
        out, spoken, errors = sys.stdout, _Spoken(), np.geterr()
        sys.stdout = spoken
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                yield
        finally:
            if sys.stdout is not spoken:
                self.note("replaced sys.stdout; put back")
            sys.stdout = out
            if np.geterr() != errors:
                self.note(f"changed how NumPy handles {_changed(errors)}; put back")
                np.seterr(**errors)
            if spoken.first:
                self.note(f"printed to standard output: {spoken.first!r}")
            for each in dict.fromkeys(f"{w.category.__name__}: {_line(w.message)}" for w in warned):
                self.note(f"warned: {each}")

    @contextmanager
    def stay(self) -> Iterator[None]:
        """Several calls, or an import: global state that takes longer to look at is put back at the end."""
        before = {name: look() for name, look in _LOOKS.items()}
        filters = list(warnings.filters)
        try:
            yield
        finally:
            for name, look in _LOOKS.items():
                if look() != before[name]:
                    self.note(f"changed {name}; put back")
                    with suppress(OSError):  # a folder that was removed meanwhile
                        _PUTS[name](before[name])
            warnings.filters[:] = filters  # type: ignore[index]  # a list, whatever typeshed says


def _line(message: Any) -> str:
    line = (str(message).strip().splitlines() or [""])[0]
    return line if len(line) <= SHOWN else line[:SHOWN] + "…"


def _changed(before: Any) -> str:
    now = np.geterr()
    kinds = [kind for kind in before if before[kind] != now[kind]]  # type: ignore[literal-required]
    return ", ".join(f"{kind} ({before[kind]} → {now[kind]})" for kind in kinds)  # type: ignore[literal-required]


def _global_generator() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - the state that others share
    return (name, keys.tobytes(), *rest)  # type: ignore[union-attr]


def _put_generator(state: tuple[Any, ...]) -> None:
    name, keys, *rest = state
    np.random.set_state((name, np.frombuffer(keys, np.uint32), *rest))  # noqa: NPY002 - put back


def _put_options(options: Any) -> None:
    np.set_printoptions(**options)


_LOOKS: dict[str, Any] = {
    "the state of NumPy's global random generator": _global_generator,
    "the state of the module random": random.getstate,
    "the working folder": os.getcwd,
    "NumPy's print options": lambda: {k: v for k, v in np.get_printoptions().items() if k != "override_repr"},
}


_PUTS: dict[str, Any] = {
    "the state of NumPy's global random generator": _put_generator,
    "the state of the module random": random.setstate,
    "the working folder": os.chdir,
    "NumPy's print options": _put_options,
}
