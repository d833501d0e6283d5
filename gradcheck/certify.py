"""Certify: operations × implementation × cases → Certificate."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gradcheck.certificate import Certificate
from gradcheck.environment import environment
from gradcheck.execution import Immediately, Progress, Run
from gradcheck.implementation import Implementation, load
from gradcheck.importing import TargetError
from gradcheck.judge import CERTIFYING, Judge
from gradcheck.ledger import Ledger
from gradcheck.operation import Operation, find
from gradcheck.operation import operations as installed
from gradcheck.plan import EXAMPLES, Plan, cases_of, check_numbers, known_rows, rows
from gradcheck.required import insisted, required
from gradcheck.session import Outline, Session, Setting

__all__ = ["EXAMPLES", "Progress", "certify", "prepare", "rows", "settled"]


def certify(
    implementation: Any,
    operations: Iterable[str] | None = None,
    *,
    inputs: Iterable[str] | None = None,
    examples: int = EXAMPLES,
    seed: int = 0,
    require: Iterable[str] = (),
    progress: Progress | None = None,
    judge: Judge = CERTIFYING,
    catalogue: Mapping[str, Operation] | None = None,
) -> Certificate:
    """The certificate of an implementation; Ctrl-C ends it early, with what is done.

    Each operation is judged in the order of blame: its forward against the catalogue's naive one, then its
    vjp against the derivative of its own forward (where that is wrong or missing, of the naive one as well),
    then its conduct; where it fails, whether another declaration of its conventions would make it right.

    Parameters
    ----------
    implementation : str, module, class, object or Implementation
        A target as `gradcheck certify` takes it, or the object itself.
    operations : iterable of str, optional
        Names; all of the catalogue by default.
    inputs : iterable of str, optional
        Rows of these operations: names of inputs, "forward", "step"; all by default. What is said of a row does
        not depend on which others are asked for. "conduct" adds what these inputs' gradients owe together.
    examples : int
        Cases for each operation. The catalogue's edges come first.
    seed : int
        The same seed gives the same certificate, but for times and environment.
    require : iterable of str
        Operations ("dense") and single rows of them ("dense.W") that must be offered: a missing one fails.
    progress : callable (done, total, operation), optional
        Called before each case, and once at the end.
    judge : callable, optional
        Stands in the place of `check_vjp`.
    catalogue : mapping of str to Operation, optional
        The installed ones by default.

    Raises
    ------
    TargetError
        When the implementation cannot be loaded, or offers nothing of what is asked.
    UnknownOperation
        When an operation is asked for that no catalogue has, or one required that is not asked for.
    ValueError
        When `examples` is not positive or `seed` is negative, or `inputs` has a name that no asked operation has.

    Examples
    --------
    >>> certificate = certify("reference", ["upsample"], examples=3)
    >>> print(certificate.verdict, [(row.input, row.evidence) for row in certificate.results])
    pass [('forward', 'exact'), ('x', 'exact')]
    """
    check_numbers(examples, seed)
    _, asked = _asked(operations, catalogue)
    wanted = required(require, asked)
    only = None if inputs is None else known_rows(inputs, asked)
    session = Session(Setting(implementation, seed, None if judge is CERTIFYING else judge, only, catalogue))
    target = session.outline()
    if not wanted:
        _check_asked(target, asked)
    started = time.perf_counter()
    ledger = Ledger(Plan(asked, frozenset(target.offers), examples, seed, only))
    complete = Run(ledger, Immediately(), session.perform, 1).to_the_end(progress or _silent)
    results, missing = insisted(ledger.results(), ledger.not_offered(), wanted)
    return Certificate(
        target=target.name,
        seed=seed,
        examples=examples,
        results=results,
        not_offered=missing,
        coverage=ledger.coverage(),
        environment=environment(target.version),
        complete=complete,
        seconds=time.perf_counter() - started,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=(*target.notes, *ledger.beside()),
    )


def prepare(
    implementation: Any,
    operations: Iterable[str] | None = None,
    *,
    examples: int = EXAMPLES,
    seed: int = 0,
    catalogue: Mapping[str, Operation] | None = None,
) -> tuple[Implementation, tuple[Operation, ...]]:
    """The loaded implementation and the operations of a run, for callers that judge row by row.

    Raises as `certify` does, before anything is judged. Takes what `certify` takes.

    Examples
    --------
    >>> target, asked = prepare("reference", ["dense"])
    >>> target.name, rows(asked[0])
    ('reference', ('forward', 'x', 'W', 'b'))
    """
    check_numbers(examples, seed)
    known, asked = _asked(operations, catalogue)
    target = load(implementation, known)
    _check_asked(target, asked)
    return target, asked


def settled(operation: Operation, *, examples: int = EXAMPLES, seed: int = 0) -> Operation:
    """The operation with the cases of such a run as its edges, so that further runs of it draw nothing."""
    return replace(operation, edges=cases_of(operation, examples, seed))


def _asked(
    operations: Iterable[str] | None, catalogue: Mapping[str, Operation] | None
) -> tuple[Mapping[str, Operation], tuple[Operation, ...]]:
    """The catalogue, and what is asked of it."""
    known = installed() if catalogue is None else catalogue
    return known, tuple(
        find(name, known) for name in dict.fromkeys(known if operations is None else operations)
    )


def _check_asked(target: Outline | Implementation, asked: Sequence[Operation]) -> None:
    if not any(operation.name in target.offers for operation in asked):
        raise TargetError(
            f"certify: {target.name} offers none of what is asked\n"
            f"  asked = {', '.join(each.name for each in asked)}\n  offered = {', '.join(target.offers)}"
        )


def _silent(done: int, total: int, name: str) -> None:
    return None
