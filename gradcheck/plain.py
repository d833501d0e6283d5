"""Plain: results as lists, dictionaries, texts and numbers, and back, without losing a bit."""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

import numpy as np

_Kind = TypeVar("_Kind")
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class NotPlain(ValueError):  # noqa: N818 - read as a sentence: raise NotPlain
    """Data that cannot be what it is said to be."""


def number(value: Any) -> float | str:
    """A number for JSON, which knows neither infinity nor NaN.

    Examples
    --------
    >>> number(0.5), number(float("-inf"))
    (0.5, '-inf')
    """
    plain = float(value)
    return plain if math.isfinite(plain) else str(plain)


def to_plain(value: Any) -> Any:
    """What `json` can write: dataclasses as dictionaries of the fields that are not at their default.

    A float keeps its bits: its shortest decimal form reads back as the same float.

    Raises
    ------
    TypeError
        For anything but dataclasses, arrays, enums, containers, texts, numbers, truth values and None.

    Examples
    --------
    >>> to_plain({"a": (1, np.float64("inf")), "b": None})
    {'a': [1, 'inf'], 'b': None}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_plain(part) for each, part in _told(value)}
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return number(value)
    if isinstance(value, Mapping):
        return {str(name): to_plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, (frozenset, set)):
        return sorted(map(to_plain, value))
    if isinstance(value, (tuple, list)):
        return [to_plain(part) for part in value]
    raise TypeError(f"plain: a {type(value).__name__} is no plain data\n  value = {value!r}")


def _told(value: Any) -> list[tuple[Field[Any], Any]]:
    parts = [(each, getattr(value, each.name)) for each in fields(value)]
    return [(each, part) for each, part in parts if not _is_default(each, part)]


def _is_default(each: Field[Any], part: Any) -> bool:
    if each.default_factory is not MISSING:
        return bool(part == each.default_factory())
    return each.default is not MISSING and type(part) is type(each.default) and bool(part == each.default)


def from_plain(kind: type[_Kind], data: Any) -> _Kind:
    """What `to_plain` made of an object of this kind; nothing is evaluated, imported or unpickled.

    Parameters
    ----------
    kind : type
        A dataclass, or anything that stands in the annotations of one.
    data : plain data
        From a file or another process, which may hold anything.

    Raises
    ------
    NotPlain
        Where the data do not fit.

    Examples
    --------
    >>> from_plain(tuple[float, ...], [1, "nan"])
    (1.0, nan)
    """
    try:
        return typing.cast(_Kind, _read(kind, data))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        name = getattr(kind, "__name__", str(kind))
        raise NotPlain(f"plain: the data are no {name}\n  observed = {error}") from error


def _read(kind: Any, data: Any) -> Any:
    if kind is Any:
        return _number_or(data)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if data is None else _read(next(each for each in inner if each is not type(None)), data)
    if origin is tuple:
        return _tuple(inner, _expected(list, data))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {_read(inner[0], name): _read(inner[1], part) for name, part in _expected(dict, data).items()}
    if is_dataclass(kind):
        return _dataclass(kind, _expected(dict, data))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if kind is float:
        return _float(data)
    return _expected(kind, data)


def _number_or(data: Any) -> Any:
    if isinstance(data, list):
        return [_number_or(part) for part in data]
    return _NOT_FINITE.get(data, data) if isinstance(data, str) else data


def _tuple(inner: tuple[Any, ...], data: list[Any]) -> tuple[Any, ...]:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_read(inner[0], part) for part in data)
    return tuple(_read(each, part) for each, part in zip(inner, data, strict=True))


def _dataclass(kind: Any, data: dict[str, Any]) -> Any:
    hints = _hints(kind)
    return kind(**{name: _read(hints[name], part) for name, part in data.items()})


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _float(data: Any) -> float:
    if isinstance(data, str):
        return _NOT_FINITE[data]
    if isinstance(data, bool):
        raise TypeError(f"{data!r}, wanted a number")
    return float(_expected((int, float), data))


def _expected(kind: Any, data: Any) -> Any:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise TypeError(f"{data!r}, wanted {getattr(kind, '__name__', kind)}")
    return data
