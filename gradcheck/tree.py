"""Trees: arguments and answers nested in tuples, lists, dictionaries and dataclasses, their leaves by path."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Visit = Callable[[str, Any], Any]


def mapped(tree: Any, visit: Visit, path: str = "", *, checked: bool = True) -> Any:
    """A tree of the same build with `visit(path, leaf)` in place of every leaf.

    Not `checked`: dataclasses are copied without the checks of their own, which know nothing of what stands there now.

    Examples
    --------
    >>> mapped({"a": (1, [2])}, lambda path, leaf: f"{path} {leaf}", "x")
    {'a': ("x['a'][0] 1", ["x['a'][1][0] 2"])}
    """
    parts = _parts(tree)
    if parts is None:
        return visit(path, tree)
    made = [mapped(value, visit, f"{path}{where}", checked=checked) for where, value in parts]
    if all(new is old for new, (_, old) in zip(made, parts, strict=True)):
        return tree  # some kinds cannot be built from their parts: only where they must
    return _built(tree, made, checked)


def _parts(tree: Any) -> list[tuple[str, Any]] | None:
    """What a node consists of, each with its step of the path; None for a leaf."""
    if isinstance(tree, Mapping):
        return [(f"[{key!r}]", value) for key, value in tree.items()]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return [(f".{name}", value) for name, value in zip(tree._fields, tree, strict=True)]
    if isinstance(tree, tuple | list):
        return [(f"[{i}]", value) for i, value in enumerate(tree)]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return [(f".{name}", getattr(tree, name)) for name in _fields(tree)]
    return None


def _built(tree: Any, made: list[Any], checked: bool) -> Any:
    """A node of the same kind with other parts; a plain dictionary or tuple where the kind has ways of its own."""
    if isinstance(tree, Mapping):
        entries = dict(zip(tree, made, strict=True))
        return type(tree)(entries) if isinstance(tree, dict) else entries
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*made)
    if isinstance(tree, tuple | list):
        return made if isinstance(tree, list) else tuple(made)
    if not checked:
        bare = copy.copy(tree)
        for name, value in zip(_fields(tree), made, strict=True):
            object.__setattr__(bare, name, value)
        return bare
    return dataclasses.replace(tree, **dict(zip(_fields(tree), made, strict=True)))


def _fields(tree: Any) -> list[str]:
    return [each.name for each in dataclasses.fields(tree) if each.init]


def leaves(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    """Path and value of every leaf, in order.

    Examples
    --------
    >>> leaves({"loss": 1, "parts": (2, 3)})
    [("['loss']", 1), ("['parts'][0]", 2), ("['parts'][1]", 3)]
    """
    parts = _parts(tree)
    if parts is None:
        return [(path, tree)]
    return [leaf for where, value in parts for leaf in leaves(value, f"{path}{where}")]


def argument_names(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """What a function calls its positional arguments: args[0] where it does not say.

    Examples
    --------
    >>> argument_names(lambda x, *rest: x, (1, 2, 3), {})
    ('x', 'rest[0]', 'rest[1]')
    """
    return tuple(_names(function, len(args), kwargs))


def _names(function: Any, count: int, kwargs: Mapping[str, Any]) -> Iterator[str]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    single = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "args")
    for i in range(count):
        if i < len(single) and single[i] not in kwargs:
            yield single[i]
        else:
            yield f"{rest}[{i - len(single) if i >= len(single) else i}]"
