"""Required: what a run was told to insist on, as rows that fail where the target does not offer it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from gradcheck.certificate import Missing, Result
from gradcheck.judge import CONDUCT, FORWARD, HVP, STEP
from gradcheck.operation import Operation, UnknownOperation, find, nearest
from gradcheck.verdict import Verdict


def required(names: Iterable[str], asked: Sequence[Operation]) -> tuple[Missing, ...]:
    """The rows that these names stand for: of "dense" its forward and every input, of "dense.W" that one.

    Parameters
    ----------
    names : iterable of str
        An operation's name, or that and an input, "forward", "step" or "hvp" behind a dot.
    asked : sequence of Operation
        What the run is about.

    Raises
    ------
    UnknownOperation
        When an operation is not among those asked, or has no such input.
    """
    known = {each.name: each for each in asked}
    rows = [row for name in dict.fromkeys(names) for row in _rows(name, known)]
    return tuple(dict.fromkeys(rows))


def _rows(name: str, known: dict[str, Operation]) -> list[Missing]:
    operation, dot, row = name.partition(".")
    inputs = [FORWARD, *(each.name for each in find(operation, known).inputs)]
    if not dot:
        return [Missing(operation, each) for each in inputs]
    if row not in (*inputs, STEP, HVP):
        raise UnknownOperation(
            f"require: {operation} has no {row!r}\n  nearest = {nearest(row, dict.fromkeys(inputs))}\n"
            f"  wanted {operation} itself, or behind a dot one of: {', '.join([*inputs, STEP, HVP])}"
        )
    return [Missing(operation, row)]


def insisted(
    results: Sequence[Result], missing: Sequence[Missing], wanted: Sequence[Missing]
) -> tuple[tuple[Result, ...], tuple[Missing, ...]]:
    """Results and what is not offered, with the wanted rows moved from these to those, as failures."""
    found = {(each.operation, each.input) for each in results}
    more = [row for row in wanted if row.input in (STEP, HVP) and (row.operation, row.input) not in found]
    absent = list(dict.fromkeys([*(row for row in missing if row in wanted), *more]))
    failed = [
        Result(
            operation=row.operation,
            input=row.input,
            verdict=Verdict.FAIL,
            evidence="none",
            cases=0,
            resolution=math.inf,
            miss_probability=1.0,
            reason="required, but not offered",
        )
        for row in absent
    ]
    return tuple(_ordered([*results, *failed])), tuple(row for row in missing if row not in absent)


def _ordered(results: Sequence[Result]) -> list[Result]:
    """Rows of one operation side by side, in the order in which the operations came."""
    places = {name: place for place, name in enumerate(dict.fromkeys(each.operation for each in results))}
    last = {CONDUCT: 1, STEP: 1, HVP: 1}
    return sorted(results, key=lambda each: (places[each.operation], last.get(each.input, 0)))
