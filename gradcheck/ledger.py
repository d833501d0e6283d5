"""Ledger: what a run has found out so far, in whatever order it came, and the rows that it makes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gradcheck.case import Case
from gradcheck.certificate import Missing, Result, gravest
from gradcheck.hosting import BESIDE
from gradcheck.judge import FORWARD, HVP, Found
from gradcheck.plan import Plan
from gradcheck.session import Job, read_found, read_shown
from gradcheck.tally import shown_pair, summed_up, unreached
from gradcheck.verdict import Check, Verdict

_WRONG = (Verdict.FAIL, Verdict.ERROR)

CRASHES = 3
"""Cases of one operation that may end the target's process; those behind the last are not tried."""


MEASURED = 500
"""Elements of all inputs of a case whose gradients plots may show: each costs 4 calls of the forward."""


@dataclass(frozen=True)
class Entry:
    """What one case said of each row, and whether it ended the process that judged it."""

    found: Found
    crashed: bool = False


@dataclass
class _Row:
    """What the cases said of one row."""

    judged: list[tuple[Case, Check]] = field(default_factory=list)
    crashed: list[tuple[Case, Check]] = field(default_factory=list)
    skipped: int = 0

    @property
    def passed(self) -> bool:
        return all(check.passed for _, check in self.judged)

    def add(self, case: Case, check: Check | None, crashed: bool) -> None:
        if check is None:
            self.skipped += 1
            return
        self.judged.append((case, check))
        if crashed and check.verdict is Verdict.ERROR:
            self.crashed.append((case, check))


@dataclass
class Ledger:
    """Everything that is known, by operation and number of the case; the order of arrival leaves no trace."""

    plan: Plan
    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    shown: dict[tuple[str, str], tuple[Case, Check]] = field(default_factory=dict)
    declared: dict[str, str | None] = field(default_factory=dict)

    def take(self, job: Job, came: dict[str, Any]) -> None:
        """Write down what came of a job, also of one that ended its process."""
        if job.kind == "judge" and job.case is not None:
            self.entries[job.operation, job.case.seed] = self._entry(job.operation, job.case, came)
        elif job.kind == "show" and job.case is not None and job.known is not None:
            nearest = came.get("shown") or came.get("told", {}).get("shown")
            self.shown[job.operation, job.row] = read_shown(nearest) if nearest else (job.case, job.known)
        elif job.kind == "declare":
            said = came.get("declared")
            self.declared[job.operation] = said if isinstance(said, str) else None

    def _entry(self, operation: str, case: Case, came: dict[str, Any]) -> Entry:
        if "found" in came:
            return Entry(read_found(came["found"]))
        told = read_found({name: came["told"][name] for name in (FORWARD,) if name in came.get("told", {})})
        reason = str(came.get("crashed") or came.get("raised"))
        return Entry(lost(self.plan, operation, case, told, reason), "crashed" in came)

    # What is left to do

    def within(self, operation: str) -> int:
        """How many cases of an operation count: all, or those up to the last crash that is allowed."""
        crashes = 0
        numbers = range(len(self.plan.cases(operation)))
        for number in numbers:
            entry = self.entries.get((operation, number))
            crashes += entry is not None and entry.crashed
            if crashes == CRASHES:
                return number + 1
        return len(numbers)

    def needs(self, job: Job) -> bool:
        """Whether a job is still to be done."""
        if job.kind == "declare":
            return job.operation not in self.declared
        if job.kind != "judge" or job.case is None:
            return (job.operation, job.row) not in self.shown
        number = job.case.seed
        return (job.operation, number) not in self.entries and number < self.within(job.operation)

    def is_finished(self, operation: str) -> bool:
        """Whether all cases of an operation that count are judged."""
        return all((operation, number) in self.entries for number in range(self.within(operation)))

    def jobs(self) -> Iterator[Job]:
        """Every case that is not judged, in the order of the plan."""
        for name in self.plan.operations:
            yield from (Job("judge", name, case) for case in self.plan.cases(name))

    def follow_ups(self, operation: str) -> list[Job]:
        """What is to be done once an operation's cases are judged: to find what a row shows that did not pass.

        Not where a case ended the process: each attempt would cost a process, or the time limit.
        """
        shows = [
            Job("show", operation, *_telling(row.judged), name, _large(row.judged))
            for name, row in self.rows(operation).items()
            if not row.passed and not row.crashed and (operation, name) not in self.shown
        ]
        return shows + self._declarations(operation)

    def _declarations(self, operation: str) -> list[Job]:
        """Whether other conventions would fit, in the smallest and the largest cases that failed.

        On a small one many conventions are the same. Cases in which the forward fails are asked before others,
        whose gradients may be wrong beside.
        """
        rows = self.rows(operation)
        bad = _wrong([rows[FORWARD]] if FORWARD in rows else []) or _wrong(rows.values())
        crashed = any(row.crashed for row in rows.values())
        if not bad or not self.plan.operations[operation].conventions or crashed:
            return []
        smallest, *larger = sorted(bad.values(), key=lambda case: case.size)
        return [Job("declare", operation, smallest, more=tuple(larger[:-4:-1]))]

    # What is known

    def rows(self, operation: str) -> dict[str, _Row]:
        """The rows of one operation so far, in the order of blame."""
        found = {name: _Row() for name in self.plan.rows(self.plan.operations[operation])}
        for case in self._counted(operation):
            entry = self.entries[operation, case.seed]
            for name, check in entry.found.items():
                found.setdefault(name, _Row()).add(case, check, entry.crashed)
        return found

    def _counted(self, operation: str) -> list[Case]:
        """The cases that are judged and count."""
        cases = self.plan.cases(operation)[: self.within(operation)]
        return [case for case in cases if (operation, case.seed) in self.entries]

    def results(self) -> tuple[Result, ...]:
        """A result for each row, in the order of blame; none for what is not offered or was not come to."""
        return tuple(result for name in self._begun() for result in self._results(name))

    def _begun(self) -> list[str]:
        return [name for name in self.plan.operations if self._counted(name)]

    def _results(self, operation: str) -> Iterator[Result]:
        untried = len(self.plan.cases(operation)) - self.within(operation)
        for name, row in self.rows(operation).items():
            if row.judged:
                show = self.shown.get((operation, name)) or _crash(row)
                result = summed_up(operation, name, row.judged, row.skipped, show, untried)
                yield replace(self._diagnosed(result), kinks=self.plan.operations[operation].kinks)
            elif self.is_finished(operation) and not row.skipped:
                yield unreached(operation, name)

    def _diagnosed(self, result: Result) -> Result:
        """A row that failed with the declaration that would have made it right, if one would."""
        said = self.declared.get(result.operation)
        return replace(result, diagnosis=said) if said and result.verdict in _WRONG else result

    def beside(self) -> tuple[str, ...]:
        """What the target did beside answering, each thing once for an operation."""
        checks = (
            (name, each) for name in self._begun() for row in self.rows(name).values() for each in row.judged
        )
        notes = [
            f"{name}: {note}"
            for name, (_, check) in checks
            for note in check.notes
            if note.startswith(BESIDE)
        ]
        return tuple(dict.fromkeys(notes))

    def not_offered(self) -> tuple[Missing, ...]:
        """Rows of the asked operations that the target leaves out; none that an interruption left out."""
        return tuple(
            Missing(operation.name, name)
            for operation in self.plan.asked
            for name in self.plan.rows(operation)
            if self._is_missing(operation.name, name)
        )

    def _is_missing(self, operation: str, name: str) -> bool:
        if operation not in self.plan.offers:
            return True
        row = self.rows(operation)[name]
        return row.skipped > 0 and not row.judged

    def coverage(self) -> dict[str, dict[str, int]]:
        """How many judged cases reached each regime, by operation."""
        return {
            name: dict(sorted(Counter(each for case in self._counted(name) for each in case.regimes).items()))
            for name in self._begun()
        }


def lost(plan: Plan, name: str, case: Case, told: Found, reason: str) -> Found:
    """What a case says that did not come to its end: its forward where that was told before, else errors."""
    operation, (forward, vjp) = plan.operations[name], plan.offers[name]
    judged = {operation.row(each) for each in case.judged}
    found: Found = {}
    for row in plan.rows(operation):
        if row == FORWARD:
            found[row] = told[row] if row in told else _error(name, reason) if forward else None
        elif row == HVP:
            found[row] = _error(f"{name}, {HVP}", reason) if name in plan.bent else None
        elif row in judged:
            found[row] = _error(f"d {name} / d {row}", reason) if vjp else None
    return found


def _error(subject: str, reason: str) -> Check:
    return Check(Verdict.ERROR, subject, "none", math.inf, 1.0, reason)


def _wrong(rows: Iterable[_Row]) -> dict[int, Case]:
    """Cases in which one of the rows is wrong, by their number."""
    return {case.seed: case for row in rows for case, check in row.judged if check.verdict in _WRONG}


def _telling(judged: Sequence[tuple[Case, Check]]) -> tuple[Case, Check]:
    """The case to show, or to begin a search for a smaller one with: if wrong the smallest, else the coarsest."""
    verdict = gravest(check.verdict for _, check in judged)
    if verdict is Verdict.INCONCLUSIVE:
        return shown_pair(judged)
    return min((pair for pair in judged if pair[1].verdict is verdict), key=lambda pair: pair[0].size)


def _large(judged: Sequence[tuple[Case, Check]]) -> tuple[Case, ...]:
    """The largest case that is wrong and not too large to be measured whole; none where nothing is wrong.

    A search for the smallest ends with an element or two, in which every mistake looks the same.
    """
    wrong = [case for case, check in judged if check.verdict is Verdict.FAIL and case.size <= MEASURED]
    return (max(wrong, key=lambda case: case.size),) if wrong else ()


def _crash(row: _Row) -> tuple[Case, Check] | None:
    """The smallest of the cases that ended the process, where that is the gravest that happened."""
    if not row.crashed or gravest(check.verdict for _, check in row.judged) is not Verdict.ERROR:
        return None
    return min(row.crashed, key=lambda pair: pair[0].size)
