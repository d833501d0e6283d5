"""Misdeclared: which other convention would make a target right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, product

from gradcheck.operation import Operation

Conventions = Mapping[str, str]


def looks_like(
    operation: Operation, declared: Conventions, right: Callable[[Conventions], bool]
) -> str | None:
    """What a failing target looks like, if another declaration makes it right; else None.

    One convention is changed at a time and then two. Where values of different conventions would do, none is
    named; of one convention all are (up-sampling NHWC and CHWN is the same).

    Parameters
    ----------
    operation : Operation
    declared : mapping of str to str
        What the target says of itself; the catalogue's own conventions for what it leaves out.
    right : callable (mapping of str to str) -> bool
        Whether forward and gradients are right under these conventions.

    Examples
    --------
    >>> from gradcheck.operation import operation
    >>> looks_like(operation("dense"), {}, lambda declared: declared.get("weights") == "DK")
    'this looks like DK; declared: KD (weights= by default)'
    """
    for count in (1, 2):
        fitting = [change for change in _changes(operation, declared, count) if right({**declared, **change})]
        if len({tuple(change) for change in fitting}) == 1:
            return _said(operation, declared, fitting)
        if fitting:
            return None
    return None


def _changes(operation: Operation, declared: Conventions, count: int) -> Iterator[dict[str, str]]:
    """Every way to change so many conventions at once."""
    for names in combinations(operation.conventions, count):
        others = [
            [value for value in operation.conventions[name] if value != _value(operation, declared, name)]
            for name in names
        ]
        for values in product(*others):
            yield dict(zip(names, values, strict=True))


def _value(operation: Operation, declared: Conventions, name: str) -> str:
    return declared.get(name, next(iter(operation.conventions[name])))


def _said(operation: Operation, declared: Conventions, fitting: list[dict[str, str]]) -> str:
    was = ", ".join(_value(operation, declared, name) for name in fitting[0])
    names = ", ".join(f"{name}=" + ("" if name in declared else " by default") for name in fitting[0])
    looks = " or ".join(", ".join(change.values()) for change in fitting)
    return f"this looks like {looks}; declared: {was} ({names})"
