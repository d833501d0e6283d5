"""Certify: operations × implementation × cases → Certificate."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from gradcheck.arguments import one_of
from gradcheck.book import Book, Keeper
from gradcheck.certificate import Certificate
from gradcheck.execution import Progress, hands
from gradcheck.implementation import Implementation, load
from gradcheck.importing import TargetError
from gradcheck.judge import CERTIFYING, Judge
from gradcheck.kinks import POLICIES
from gradcheck.ledger import Ledger
from gradcheck.operation import Operation, find
from gradcheck.operation import operations as installed
from gradcheck.plan import EXAMPLES, Plan, cases_of, check_numbers, known_rows, rows
from gradcheck.required import required
from gradcheck.run import Run
from gradcheck.session import Outline, Setting

__all__ = ["EXAMPLES", "Progress", "certify", "prepare", "rows", "settled"]


def certify(
    implementation: Any,
    operations: Iterable[str] | None = None,
    *,
    inputs: Iterable[str] | None = None,
    examples: int = EXAMPLES,
    seed: int = 0,
    order: int = 1,
    kinks: str | None = None,
    require: Iterable[str] = (),
    isolate: bool | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    jobs: int | None = None,
    executor: Executor | None = None,
    resume: Certificate | None = None,
    keep_in: str | os.PathLike[str] | None = None,
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
    order : int
        2 judges the Hessian products that the target offers (`hvp`, see `gradcheck.implements`) as well, in a row "hvp"
        for each operation: against the derivative of the target's own gradients, and for symmetry.
    kinks : str, optional
        What to do where an operation has no derivative in one of its inputs, as `check_vjp` has it: "refuse", "avoid",
        "one_sided" or "subgradient". It goes before what the operations declare (`Operation.kinks`), which holds by
        default. It is for the gradients: a forward is compared by its values, and Hessian products have no policy.
    require : iterable of str
        Operations ("dense") and single rows of them ("dense.W") that must be offered: a missing one fails.
    isolate : bool
        Run the target in a worker process, in which a crash, an endless loop or a blow-up of memory is an error
        of one case. By default with `jobs`, and with an `executor` where the target is given as a string, as it
        must be: the threads of an executor's own (a heartbeat) would be taken for what the target does beside.
    timeout, memory : float, int
        Seconds that a case may take (60 by default), and bytes that a worker may use, where it is isolated.
    jobs : int
        Workers at once on this machine, each isolated.
    executor : concurrent.futures.Executor
        Where the cases are judged: a `ProcessPoolExecutor`, `dask.distributed.Client(...).get_executor()`. Its
        processes must be able to import gradcheck and to load the target by its name, in this folder where they
        are isolated. The certificate is the same as without.
    resume : Certificate
        One that was cut short, of the same target, seed, examples, operations and versions: go on from it.
    keep_in : path
        A file that holds what is done, written every few seconds while the run goes on, to resume from.
    progress : callable (done, total, operation), optional
        Called before each case, and once at the end.
    judge : callable, optional
        Stands in the place of `check_vjp`.
    catalogue : mapping of str to Operation, optional
        The installed ones by default.

    Raises
    ------
    TargetError
        When the implementation cannot be loaded, or offers nothing of what is asked, or no hvp for order 2.
    UnknownOperation
        When an operation is asked for that no catalogue has, or one required that is not asked for.
    ValueError
        When `examples` is not positive or `seed` is negative, or `inputs` has a name that no asked operation has;
        when there is no such policy for kinks; when what is said of isolation and executors does not go together, or
        `resume` is of another run.

    Examples
    --------
    >>> certificate = certify("reference", ["upsample"], examples=3)
    >>> print(certificate.verdict, [(row.input, row.evidence) for row in certificate.results])
    pass [('forward', 'exact'), ('x', 'exact')]
    """
    check_numbers(examples, seed)
    if order not in (1, 2):
        raise ValueError(
            f"certify: no such order\n  order = {order!r}\n  wanted 1, or 2 for Hessian products too"
        )
    if kinks is not None:
        one_of(kinks, POLICIES, "certify", "kinks")
    _, asked = _asked(operations, catalogue)
    wanted = required(require, asked)
    only = None if inputs is None else known_rows(inputs, asked)
    setting = Setting(
        implementation, seed, None if judge is CERTIFYING else judge, only, catalogue, order, kinks
    )
    given = hands(setting, isolate=isolate, timeout=timeout, memory=memory, jobs=jobs, executor=executor)
    try:
        target = given.outline()
        if not wanted:
            _check_asked(target, asked)
        if order > 1:
            _check_bent(target, asked)
        bent = frozenset(target.bent)
        ledger = Ledger(Plan(asked, target.offers, examples, seed, only, order, bent, kinks=kinks))
        book = Book(ledger, target, wanted, resume)
    except BaseException:
        given.close()
        raise
    keep = Keeper(book, keep_in) if keep_in is not None else None
    complete = Run(ledger, given, keep or _nothing).to_the_end(progress or _silent)
    return book.certificate(complete)


def _nothing() -> None:
    return None


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


def _check_bent(target: Outline, asked: Sequence[Operation]) -> None:
    if not any(operation.name in target.bent for operation in asked):
        raise TargetError(
            f"certify: {target.name} offers no second derivatives\n"
            f"  order = 2, operations with an hvp = {', '.join(target.bent) or 'none'}, "
            f"asked = {', '.join(each.name for each in asked)}\n"
            "  wanted hvp(cotangent, tangents, *inputs, **options) beside the vjp of one of these"
        )


def _silent(done: int, total: int, name: str) -> None:
    return None
