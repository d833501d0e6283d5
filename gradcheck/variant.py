"""Variants: a target under other settings, told in brackets behind its name: torch[device=cuda,dtype=float32].

In the name, so that workers, other machines, a run that goes on and a replay all have the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

COMMAND = "$ "
"""Before the name of a target that is a program, whose own brackets are its arguments'."""

DTYPES = ("float64", "float32", "float16", "bfloat16")

_NAME = re.compile(r"(?P<bare>[^\[\]]+)\[(?P<told>\w+=[\w:.]+(,\w+=[\w:.]+)*)\]")


def split(target: str) -> tuple[str, dict[str, str]]:
    """The bare name and the settings of a target; none where there are no brackets behind it.

    Examples
    --------
    >>> split("torch[device=cuda:0,tf32=on]"), split("mine.py:layer")
    (('torch', {'device': 'cuda:0', 'tf32': 'on'}), ('mine.py:layer', {}))
    """
    found = None if target.startswith(COMMAND) else _NAME.fullmatch(target)
    if found is None:
        return target, {}
    return found["bare"], dict(each.split("=") for each in found["told"].split(","))


def joined(target: str, settings: Mapping[str, Any]) -> str:
    """The target under further settings; None stands for what is not said.

    Examples
    --------
    >>> joined("torch[dtype=float32]", {"device": "cpu", "tf32": False, "deterministic": None})
    'torch[device=cpu,dtype=float32,tf32=off]'
    """
    if target.startswith(COMMAND) and any(value is not None for value in settings.values()):
        raise ValueError(
            "target: a program takes no settings\n"
            f"  target = {target}, settings = {', '.join(n for n, v in settings.items() if v is not None)}\n"
            "  wanted a module; a program is certified in float64, where it runs"
        )
    bare, known = split(target)
    words = {True: "on", False: "off"}
    told = known | {name: words.get(value, value) for name, value in settings.items() if value is not None}
    return f"{bare}[{','.join(f'{name}={told[name]}' for name in sorted(told))}]" if told else bare


def dtype_of(target: Any) -> np.dtype[Any]:
    """The dtype of the numbers that a target is judged in: float64 where its name does not say.

    Raises
    ------
    ValueError
        For one that is not judged in.
    ModuleNotFoundError
        For bfloat16 without ml_dtypes.
    """
    name = split(target)[1].get("dtype", "float64") if isinstance(target, str) else "float64"
    if name not in DTYPES:
        raise ValueError(
            f"target: there is no such dtype\n  dtype = {name}\n  wanted one of {', '.join(DTYPES)}"
        )
    if name != "bfloat16":
        return np.dtype(name)
    try:
        import ml_dtypes
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "target: ml_dtypes is not installed, which has bfloat16: pip install 'gradcheck[torch]'",
            name=error.name,
        ) from error
    made: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return made
