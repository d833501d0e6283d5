"""Importing: the module, file or object that a target's name stands for."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from gradcheck.built_in import Unavailable, module_of
from gradcheck.hosting import Host
from gradcheck.operation import nearest
from gradcheck.variant import split


class TargetError(Exception):
    """A target that cannot be loaded, or that declares what nobody knows."""


def imported(target: str, host: Host | None = None) -> Any:
    """The module, or the object inside it, that a string names.

    Parameters
    ----------
    target : str
    host : Host, optional
        Keeps what it prints, and notes what it changes.

    Raises
    ------
    TargetError
        When there is none, or it raises or exits when it is imported.
    """
    bare, settings = split(target)
    try:
        place, path = _split(module_of(bare))
    except Unavailable as error:
        raise TargetError(str(error)) from error
    with (host := host or Host()).stay():
        module = _run(_from_file if place.endswith(".py") else _from_name, place, host)
    thing: Any = module
    for part in filter(None, path.split(".")):
        if not hasattr(thing, part):
            raise TargetError(
                f"target: {place} has no {path!r}\n"
                f"  missing = {part!r}, nearest = {nearest(part, vars(module))}\n"
                "  wanted module:object or file.py:object"
            )
        thing = getattr(thing, part)
    _configure(thing, target, {name: each for name, each in settings.items() if name != "dtype"})
    return thing


def _configure(thing: Any, target: str, settings: dict[str, str]) -> None:
    """Hand a target its settings; without any it goes back to its own."""
    configure = getattr(thing, "configure", None) if isinstance(thing, ModuleType) else None
    if configure is None and settings:
        raise TargetError(
            f"target: {target} takes no settings\n  settings = {', '.join(settings)}\n"
            "  wanted a module with configure(**settings), as the adapter of torch has it"
        )
    try:
        if configure is not None:
            configure(**settings)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TargetError(f"target: {target} cannot be had\n  {error}") from error


def _split(target: str) -> tuple[str, str]:
    """Place and object of a target; the colon of a drive letter is part of the place.

    Examples
    --------
    >>> _split("pkg.mod:part.inner"), _split("C:/x.py"), _split("x.py:A")
    (('pkg.mod', 'part.inner'), ('C:/x.py', ''), ('x.py', 'A'))
    """
    place, colon, path = target.rpartition(":")
    if colon and path.replace(".", "").isidentifier():
        return place, path
    return target, ""


def _from_name(name: str) -> ModuleType:
    """The module, with the working folder first on the path, as `python -m` has it."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(name)


def _from_file(name: str) -> ModuleType:
    """The file as a module of its own name, with its folder first on the path, as `python file.py` has it."""
    path = Path(name).resolve()
    if not path.is_file():
        raise TargetError(f"target: there is no file {name}\n  looked at = {path}\n  wanted a Python file")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise TargetError(
            f"target: {name} cannot be read as a module\n  looked at = {path}\n  wanted a .py file"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _run(importer: Callable[[str], ModuleType], place: str, host: Host) -> ModuleType:
    try:
        with host.visit():
            return importer(place)
    except (TargetError, KeyboardInterrupt):
        raise
    except ModuleNotFoundError as error:
        raise TargetError(_missing(place, error)) from error
    except BaseException as error:  # SystemExit, and what test frameworks raise beside Exception
        raise TargetError(
            f"target: {place} cannot be imported\n  it raised {in_words(error)}\n  at {_last_line(error)}"
        ) from error


def _missing(place: str, error: ModuleNotFoundError) -> str:
    whose = "there is no module" if error.name and place.startswith(error.name) else "cannot be imported:"
    return (
        f"target: {whose} {place}\n"
        f"  missing = {error.name}, looked in {os.getcwd()} and the installed packages\n"
        "  wanted a module, a file ending in .py, or either with :object behind it"
    )


def _last_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "an unknown place"


def in_words(error: BaseException) -> str:
    r"""An exception as one line: its kind and the first line of what it says.

    Examples
    --------
    >>> in_words(ValueError("no\nmore"))
    'ValueError: no'
    """
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
