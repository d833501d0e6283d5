"""Rates: what a caller of check_step passes as parameters and learning rates, or a clear refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.arguments import real_array
from gradcheck.estimate import Array

WHO = "check_step"


def labels(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """The given names, or p, or params[0] and so on; raises ValueError for more or fewer than parameters."""
    if names is None:
        return ("p",) if count == 1 else tuple(f"params[{i}]" for i in range(count))
    if len(names) != count:
        raise ValueError(
            f"{WHO}: names do not fit params\n  len(names) = {len(names)}, wanted {count}\n  names = {tuple(names)!r}"
        )
    return tuple(names)


def rates_of(given: Any, params: Sequence[Array], names: Sequence[str]) -> tuple[tuple[Array, ...], bool]:
    """A rate for each parameter, a number or of its shape; and whether one number was given for all."""
    lone = not isinstance(given, Mapping | tuple | list)
    if lone and np.ndim(given):
        if len(params) > 1:
            raise TypeError(
                f"{WHO}: learning_rate is one array for several parameters\n  parameters = {', '.join(names)}\n"
                "  wanted a number for all, or a sequence or mapping with an entry for each"
            )
        given, lone = (given,), False
    if isinstance(given, Mapping):
        missing = [name for name in names if name not in given]
        if missing:
            raise ValueError(f"{WHO}: learning_rate lacks parameters\n  missing = {', '.join(missing)}")
        given = [given[name] for name in names]
    if not lone and len(given) != len(params):
        raise ValueError(
            f"{WHO}: learning_rate does not fit params\n  len(learning_rate) = {len(given)}, wanted {len(params)}\n"
            f"  the parameters are {', '.join(names)}"
        )
    each = [given] * len(params) if lone else given
    return tuple(_rate(r, p, name) for r, p, name in zip(each, params, names, strict=True)), lone


def _rate(given: Any, p: Array, name: str) -> Array:
    rate = np.asarray(real_array(given, WHO, f"learning_rate of {name}"), dtype=np.float64)
    if rate.shape not in ((), p.shape):
        raise ValueError(
            f"{WHO}: learning_rate does not fit {name}\n"
            f"  learning_rate.shape = {rate.shape}, {name}.shape = {p.shape}\n"
            "  a rate is one number, or one for each weight in the shape of the parameter"
        )
    if not rate.any():
        raise ValueError(f"{WHO}: learning_rate of {name} is 0\n  wanted a rate at which something moves")
    return rate
