"""Certify: operations × implementation × cases → Certificate."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from gradcheck.case import Case, draw_values
from gradcheck.certificate import Certificate, Missing, Result, gravest
from gradcheck.environment import environment
from gradcheck.implementation import Implementation, load
from gradcheck.importing import TargetError
from gradcheck.judge import CERTIFYING, EXHIBITING, FORWARD, Found, Judge, judge_case
from gradcheck.operation import Operation, find, nearest
from gradcheck.operation import operations as installed
from gradcheck.required import insisted, required
from gradcheck.tally import shown_pair, summed_up, unreached
from gradcheck.verdict import Check, Verdict

EXAMPLES = 25
"""Cases for each operation by default: every edge of the catalogue (at most 16) and some that are drawn."""

SHRINKS = 100
"""Cases tried to make a failing one smaller."""

Progress = Callable[[int, int, str], None]


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
    vjp against the derivative of its own forward (of the naive one where it offers none).

    Parameters
    ----------
    implementation : str, module, class, object or Implementation
        A target as `gradcheck certify` takes it, or the object itself.
    operations : iterable of str, optional
        Names; all of the catalogue by default.
    inputs : iterable of str, optional
        Rows of these operations, names of inputs or "forward"; all by default. What is said of a row does
        not depend on which others are asked for.
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
    _check_numbers(examples, seed)
    known, asked = _asked(operations, catalogue)
    wanted = required(require, asked)
    target = load(implementation, known)
    if not wanted:
        _check_asked(target, asked)
    only = None if inputs is None else _known_rows(inputs, asked)
    started = time.perf_counter()
    run = _Run(target, asked, examples, seed, judge, progress or _silent, only)
    complete = run.to_the_end()
    results, missing = insisted(run.results(), run.not_offered(), wanted)
    return Certificate(
        target=target.name,
        seed=seed,
        examples=examples,
        results=results,
        not_offered=missing,
        coverage=run.coverage(),
        environment=environment(target.version),
        complete=complete,
        seconds=time.perf_counter() - started,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
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
    _check_numbers(examples, seed)
    known, asked = _asked(operations, catalogue)
    target = load(implementation, known)
    _check_asked(target, asked)
    return target, asked


def settled(operation: Operation, *, examples: int = EXAMPLES, seed: int = 0) -> Operation:
    """The operation with the cases of such a run as its edges, so that further runs of it draw nothing."""
    return replace(operation, edges=_cases(operation, examples, seed))


def _asked(
    operations: Iterable[str] | None, catalogue: Mapping[str, Operation] | None
) -> tuple[Mapping[str, Operation], tuple[Operation, ...]]:
    """The catalogue, and what is asked of it."""
    known = installed() if catalogue is None else catalogue
    return known, tuple(
        find(name, known) for name in dict.fromkeys(known if operations is None else operations)
    )


def _cases(operation: Operation, examples: int, seed: int) -> tuple[Case, ...]:
    from gradcheck.strategies import draw_cases  # Hypothesis only where cases are drawn

    return draw_cases(operation.cases, examples, _seed(seed, operation), edges=operation.edges)


def _seed(seed: int, operation: Operation, *more: int) -> int:
    words = [seed, zlib.crc32(operation.name.encode()), *more]
    return int(np.random.SeedSequence(words).generate_state(1)[0])


def _check_numbers(examples: int, seed: int) -> None:
    if examples < 1 or seed < 0:
        raise ValueError(
            f"certify: the numbers of the run are out of range\n  examples = {examples}, seed = {seed}\n"
            "  wanted examples >= 1 and seed >= 0"
        )


def _check_asked(target: Implementation, asked: Sequence[Operation]) -> None:
    if not any(operation.name in target.offers for operation in asked):
        raise TargetError(
            f"certify: {target.name} offers none of what is asked\n"
            f"  asked = {', '.join(each.name for each in asked)}\n  offered = {', '.join(target.offers)}"
        )


def _known_rows(inputs: Iterable[str], asked: Sequence[Operation]) -> frozenset[str]:
    """The names, each of which one of the operations has: of a misspelt one nothing would be judged."""
    found, known = dict.fromkeys(inputs), dict.fromkeys(name for each in asked for name in rows(each))
    unknown = [name for name in found if name not in known]
    if unknown or not found:
        raise ValueError(
            f"certify: inputs name none of the operations' inputs\n  unknown = {', '.join(unknown) or 'all'}"
            f", nearest = {nearest(unknown[0], known) if unknown else 'none'}\n  wanted some of {', '.join(known)}"
        )
    return frozenset(found)


def _silent(done: int, total: int, name: str) -> None:
    return None


def rows(operation: Operation) -> tuple[str, ...]:
    """The rows of a certificate that an operation fills: "forward", then its inputs."""
    return (FORWARD, *(each.name for each in operation.inputs))


@dataclass
class _Row:
    """What the cases said of one row so far."""

    judged: list[tuple[Case, Check]] = field(default_factory=list)
    skipped: int = 0


@dataclass
class _Run:
    """The state of one run, kept so that an interrupted one can still tell what is done."""

    target: Implementation
    asked: Sequence[Operation]
    examples: int
    seed: int
    judge: Judge
    progress: Progress
    only: frozenset[str] | None = None
    rows: dict[tuple[str, str], _Row] = field(default_factory=dict)
    shrunk: dict[tuple[str, str], tuple[Case, Check]] = field(default_factory=dict)
    reached: dict[str, Counter[str]] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)

    def to_the_end(self) -> bool:
        """Judge everything; False when interrupted."""
        try:
            plan = [
                (each, _cases(each, self.examples, self.seed))
                for each in self.asked
                if each.name in self.target.offers
            ]
            total = sum(len(cases) for _, cases in plan)
            done = 0
            for operation, cases in plan:
                self.rows |= {(operation.name, name): _Row() for name in self._asked_rows(operation)}
                for case in cases:
                    self.progress(done, total, operation.name)
                    self._judge(operation, case)
                    done += 1
                self._shrink(operation)
                self._exhibit(operation)
                self.finished.add(operation.name)
            self.progress(done, total, "")
        except KeyboardInterrupt:
            return False
        return True

    def _asked_rows(self, operation: Operation) -> tuple[str, ...]:
        return tuple(name for name in rows(operation) if self.only is None or name in self.only)

    def _judge(self, operation: Operation, case: Case) -> None:
        for name, check in self._found(operation, case, self.only).items():
            row = self.rows.setdefault((operation.name, name), _Row())
            if check is None:
                row.skipped += 1
            else:
                row.judged.append((case, check))
        self.reached.setdefault(operation.name, Counter()).update(case.regimes)

    def _found(
        self,
        operation: Operation,
        case: Case,
        only: Container[str] | None = None,
        judge: Judge | None = None,
    ) -> Found:
        offer = self.target.offers[operation.name]
        rng = np.random.default_rng([self.seed, zlib.crc32(operation.name.encode()), case.seed])
        return judge_case(
            operation,
            offer,
            case,
            draw_values(case, rng),
            seed=_seed(self.seed, operation, case.seed),
            judge=judge or self.judge,
            only=only,
        )

    def _shrink(self, operation: Operation) -> None:
        for (name, row), found in self.rows.items():
            verdict = gravest(check.verdict for _, check in found.judged)
            if name == operation.name and verdict in (Verdict.FAIL, Verdict.ERROR):
                bad = [pair for pair in found.judged if pair[1].verdict is verdict]
                known = min(bad, key=lambda pair: pair[0].size)
                self.shrunk[name, row] = self._smallest(operation, row, known)

    def _smallest(self, operation: Operation, row: str, known: tuple[Case, Check]) -> tuple[Case, Check]:
        """The smallest case found with the same verdict, and its check."""
        from gradcheck.strategies import key, smallest

        found = {key(known[0]): known[1]}

        def fails(case: Case) -> bool:
            check = self._found(operation, case, (row,)).get(row)
            if check is None or check.verdict is not known[1].verdict:
                return False
            found[key(case)] = check
            return True

        case = smallest(operation.cases, fails, known[0], seed=_seed(self.seed, operation), budget=SHRINKS)
        return case, found[key(case)]

    def _exhibit(self, operation: Operation) -> None:
        """Judge once more what each row will show that did not pass, and keep what plots need of it."""
        for (name, row), found in self.rows.items():
            if name != operation.name or not found.judged or self.judge is not CERTIFYING:
                continue
            case, check = self.shrunk.get((name, row)) or shown_pair(found.judged)
            if check.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE) and row != FORWARD:
                again = self._found(operation, case, (row,), EXHIBITING).get(row)
                # the verdict stands as it is, whatever code that answers otherwise the second time would get
                if again is not None and again.verdict is check.verdict:
                    self.shrunk[name, row] = case, replace(check, exhibit=again.exhibit)

    def results(self) -> tuple[Result, ...]:
        """A result for each row, in the order of blame; none for what is not offered or was not come to."""
        return tuple(
            summed_up(operation, name, row.judged, row.skipped, self.shrunk.get((operation, name)))
            if row.judged
            else unreached(operation, name)
            for (operation, name), row in self.rows.items()
            if row.judged or (operation in self.finished and not row.skipped)
        )

    def not_offered(self) -> tuple[Missing, ...]:
        """Rows of the asked operations that the target leaves out; none that an interruption left out."""
        return tuple(
            Missing(operation.name, name)
            for operation in self.asked
            for name in self._asked_rows(operation)
            if self._is_missing(operation.name, name)
        )

    def _is_missing(self, operation: str, name: str) -> bool:
        if operation not in self.target.offers:
            return True
        row = self.rows.get((operation, name))
        return row is not None and row.skipped > 0 and not row.judged

    def coverage(self) -> dict[str, dict[str, int]]:
        """How many judged cases reached each regime, by operation."""
        return {name: dict(sorted(counts.items())) for name, counts in self.reached.items()}
