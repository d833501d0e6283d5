"""Extras: libraries that are imported when they are used, and the words where one is missing."""

from __future__ import annotations

import importlib
from typing import Any


def needed(library: str, extra: str, who: str) -> Any:
    """The library's module.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed; the message has the command that installs it.

    Examples
    --------
    >>> needed("numpy.linalg", "numpy", "me").__name__
    'numpy.linalg'
    """
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(missing(error.name or library, extra, who), name=error.name) from error


def missing(library: str, extra: str, who: str) -> str:
    """What to say where a library is missing."""
    return f"{who}: {library} is not installed: pip install 'gradcheck[{extra}]'"
