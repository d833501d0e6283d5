"""Session: a loaded target and the jobs that it is given; each says the same wherever it is done.

A run is a list of jobs. Each is a function of the setting and of itself alone, and what comes out is plain
data (`gradcheck.plain`), so that it may be done here, in a process of its own, or on another machine.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.case import Case
from gradcheck.coarse import cast
from gradcheck.estimate import Array
from gradcheck.exhibit import Exhibit
from gradcheck.implementation import load
from gradcheck.importing import in_words
from gradcheck.judge import CERTIFYING, EXHIBITING, FORWARD, HVP, SHRINKING, Found, Judge, judge_case
from gradcheck.misdeclared import looks_like
from gradcheck.operation import Operation
from gradcheck.operation import operations as installed
from gradcheck.plain import from_plain, to_plain
from gradcheck.plan import bound_by, seed_of, values_of
from gradcheck.program import ProgramLost, is_command, words_of
from gradcheck.translation import fitting, restated, translated
from gradcheck.variant import dtype_of, split
from gradcheck.verdict import Check, Verdict
from gradcheck.witness import Witness

SHRINKS = 100
"""Cases tried to make a failing one smaller."""

Tell = Callable[[str, Any], None]
"""Told what is known before a job is done: its name and plain data, for when the job never ends."""


@dataclass(frozen=True)
class Setting:
    """What a process must know to do any job of a run; it can be pickled where its parts can.

    Parameters
    ----------
    target : str or object
        As `certify` takes it. Only a string can be sent to another process.
    seed : int
    judge : callable, optional
        Stands in the place of `check_vjp` as certificates use it; then nothing is kept for plots.
    only : frozenset of str, optional
        Rows to judge.
    order : int
        2 for the row "hvp" as well.
    catalogue : mapping of str to Operation, optional
        The installed ones by default, which a process looks up for itself.
    kinks : str, optional
        The policy for kinks of every operation; each one's own by default.
    """

    target: Any
    seed: int = 0
    judge: Judge | None = None
    only: frozenset[str] | None = None
    catalogue: Mapping[str, Operation] | None = None
    order: int = 1
    kinks: str | None = None


@dataclass(frozen=True)
class Outline:
    """What a run has to know of a target that is loaded elsewhere.

    `offers` has for each operation whether there is a forward and whether there is a vjp; `digest` is of the
    target's own source, where it is a file or a package that is not installed; `bent` are the operations with an hvp.
    """

    name: str
    offers: Mapping[str, tuple[bool, bool]]
    version: str | None = None
    notes: tuple[str, ...] = ()
    digest: str | None = None
    bent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Parameters
    ----------
    kind : str
        "outline"; "judge": one case, all rows; "show": for a row that did not pass, the smallest case found
        with the same verdict where it is wrong, and what plots show of it; "declare": whether another
        declaration would make right the cases that failed; "replay": one row of one case, and its arrays.
    operation : str
    case : Case
    more : tuple of Case
        For "declare", further cases; for "show", a larger one with the same verdict, in which plots show more.
    known : Check
        What was said of the row in this case.
    row : str
    """

    kind: str
    operation: str = ""
    case: Case | None = None
    known: Check | None = None
    row: str = ""
    more: tuple[Case, ...] = ()

    def __str__(self) -> str:
        number = "" if self.case is None else f", case {self.case.seed}"
        return f"{self.kind} {self.operation}{number}"


def untold(name: str, data: Any) -> None:
    """Tell nobody."""


class Session:
    """A target, loaded, and what it answers to jobs.

    Examples
    --------
    >>> session = Session(Setting("reference"))
    >>> session.outline().offers["upsample"]
    (True, True)
    >>> found = session.perform(Job("judge", "upsample", Case({"x": (1, 1, 2, 2)}, {"n": 2})))
    >>> [(row, check["verdict"]) for row, check in found["found"].items()]
    [('forward', 'pass'), ('x', 'pass')]
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        known = installed() if setting.catalogue is None else setting.catalogue
        self.catalogue = {name: bound_by(each, setting.kinks) for name, each in known.items()}
        self.target = load(setting.target, self.catalogue)
        self.dtype = dtype_of(setting.target)

    def outline(self) -> Outline:
        """What others have to know of the target."""
        offers = {
            name: (offer.forward is not None, offer.vjp is not None)
            for name, offer in self.target.offers.items()
        }
        notes, version = self.target.notes, self.target.version
        bent = tuple(name for name, offer in self.target.offers.items() if offer.hvp is not None)
        return Outline(self.target.name, offers, version, notes, digest_of(self.setting.target), bent)

    def perform(self, job: Job, tell: Tell = untold) -> dict[str, Any]:
        """What comes out of a job, as plain data; {"raised": words} where an exception got past the judge.

        Of a program that was lost on the way nothing counts but what was told before, whatever the judge made of
        that: {"crashed": words, "told": …}. One that was killed from outside, as far as one can tell, is asked a
        second time, as a worker is.
        """
        came, lost = self._attempt(job, tell)
        if lost is not None and lost.again:
            came, lost = self._attempt(job, tell)
        return came

    def _attempt(self, job: Job, tell: Tell) -> tuple[dict[str, Any], ProgramLost | None]:
        losses = self.target.program.losses if self.target.program is not None else []
        before, told = len(losses), dict[str, Any]()

        def keep(name: str, data: Any) -> None:
            if len(losses) == before:
                told[name] = data
            tell(name, data)

        try:
            came = self._performed(job, keep)
        except Exception as error:
            came = {"raised": f"the judge raised {in_words(error)}"}
        if len(losses) == before:
            return came, None
        return {"crashed": str(losses[before]), "told": told}, losses[before]

    def _performed(self, job: Job, tell: Tell) -> dict[str, Any]:
        if job.kind == "outline":
            return {"outline": to_plain(self.outline())}
        assert job.case is not None
        if job.kind == "judge":
            found = self.found(
                job.operation, job.case, self.setting.only, tell=lambda value: tell(FORWARD, to_plain(value))
            )
            return {"found": {row: to_plain(check) for row, check in found.items()}}
        if job.kind == "declare":
            return {"declared": self._declared(job.operation, (job.case, *job.more), tell)}
        if job.kind == "replay":
            return self._replayed(job.operation, job.case, job.row)
        assert job.known is not None
        return {"shown": shown(*self._shown(job, job.case, job.known, tell))}

    def found(
        self,
        operation: str,
        case: Case,
        only: frozenset[str] | None,
        judge: Judge | None = None,
        *,
        explain: bool = True,
        conventions: Mapping[str, str] | None = None,
        tell: Callable[[Check | None], None] | None = None,
    ) -> Found:
        """What one case says of each row; under other conventions than the target declares, where given."""
        known, offer = self.catalogue[operation], self.target.offers[operation]
        return judge_case(
            known,
            offer if conventions is None else replace(offer, conventions=conventions),
            case,
            self.values(known, case),
            seed=seed_of(self.setting.seed, known, case.seed),
            judge=judge or self.setting.judge or CERTIFYING,
            only=only,
            explain=explain,
            tell=tell,
            order=self.setting.order,
        )

    def values(self, operation: Operation, case: Case) -> tuple[Array, ...]:
        """The arguments of a case, in the dtype that the target is judged in."""
        return cast(values_of(self.setting.seed, operation, case), self.dtype, case.kind)

    def _replayed(self, name: str, case: Case, row: str) -> dict[str, Any]:
        """What is said of a row, and the arrays: inputs; cotangent and gradients, or given and wanted output."""
        operation, witness = self.catalogue[name], Witness(CERTIFYING)
        values = self.values(operation, case)
        check = self.found(name, case, frozenset({row}), witness).get(row)
        arrays = dict(zip(case.shapes, values, strict=True))
        with suppress(Exception):  # what the target raises is said by the check
            if row == FORWARD:
                options = case.arguments()
                offer = fitting(self.target.offers[name], operation, values, options)
                offer = translated(offer, operation, tuple(case.shapes))
                wanted = restated(operation, self.target.offers[name]).forward(*values, **options)
                arrays["wanted"] = np.asarray(wanted)
                if offer.forward is not None:
                    arrays["given"] = np.asarray(offer.forward(*[each.copy() for each in values], **options))
            else:
                arrays |= witness.arrays(lambda each: operation.row(each) == row)
        told = {each: _told(array) for each, array in arrays.items() if array.dtype.kind in "fiub"}
        return {"replayed": to_plain(check), "arrays": told}

    def _declared(self, operation: str, cases: Sequence[Case], tell: Tell) -> str | None:
        """Which other declaration would make right what fails: a wrong one is the likeliest mistake of all.

        Not asked where a forward is right as it is declared.
        """

        def right(conventions: Mapping[str, str]) -> bool:
            tell("alive", None)
            return all(self._is_right(operation, case, conventions) for case in cases)

        values = [self.found(operation, case, frozenset({FORWARD}), explain=False)[FORWARD] for case in cases]
        if all(value is not None and value.passed for value in values):
            return None
        return looks_like(self.catalogue[operation], self.target.offers[operation].conventions, right)

    def _is_right(self, operation: str, case: Case, conventions: Mapping[str, str]) -> bool:
        """Forward first, which is cheap; then the gradients."""
        for only in (frozenset({FORWARD}), None):
            found = self.found(operation, case, only, explain=False, conventions=conventions)
            if any(check is not None and not check.passed for check in found.values()):
                return False
        return any(check is not None for check in found.values())

    def _shown(self, job: Job, case: Case, check: Check, tell: Tell) -> tuple[Case, Check]:
        if job.row == HVP:  # each look takes all gradients: the smallest of the cases has to do
            return case, check
        if check.verdict in (Verdict.FAIL, Verdict.ERROR):
            case, check = self._smallest(job.operation, job.row, case, check, tell)
        if check.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE) and not self.setting.judge:
            tell("alive", None)
            exhibit = self._exhibit(job, check, case, *job.more)
            check = replace(check, exhibit=exhibit or check.exhibit)
        return case, check

    def _smallest(
        self, operation: str, row: str, known: Case, check: Check, tell: Tell
    ) -> tuple[Case, Check]:
        """The smallest case found with the same verdict; each that comes nearer to it is told on the way."""
        from gradcheck.strategies import key, smallest

        found, least = {key(known): check}, known.size

        def fails(case: Case) -> bool:
            nonlocal least
            tell("alive", None)
            judge = None if self.setting.judge else SHRINKING
            again = self.found(operation, case, frozenset({row}), judge, explain=False).get(row)
            if again is None or again.verdict is not check.verdict:
                return False
            found[key(case)] = again
            if case.size < least:
                least = case.size
                tell("shown", shown(case, again))
            return True

        strategy, seed = (
            self.catalogue[operation].cases,
            seed_of(self.setting.seed, self.catalogue[operation]),
        )
        case = smallest(strategy, fails, known, seed=seed, budget=SHRINKS)
        if row != FORWARD and found[key(case)] is check:
            return case, check
        # looked at once more, now for what it looks like, and of a forward for what the gradients say of it
        again = self.found(operation, case, frozenset({row})).get(row)
        return case, found[key(case)] if again is None or again.verdict is not check.verdict else again

    def _exhibit(self, job: Job, check: Check, *cases: Case) -> Exhibit | None:
        """What plots show of the last of these cases, from judging it once more; None where it is not as it was.

        The verdict stands as it is, whatever code that answers otherwise the second time would get.
        """
        again = self.found(job.operation, cases[-1], frozenset({job.row}), EXHIBITING).get(job.row)
        if again is None or again.verdict is not check.verdict or again.exhibit is None:
            return None
        if len(cases) == 1:
            return again.exhibit
        return replace(again.exhibit, case=cases[-1].describe(), diagnosis=again.diagnosis or "")


def digest_of(target: Any) -> str | None:
    """A digest of a file, or of every source of a package; None for what is installed, which has a version.

    Of a command, of those of its words that are files. What else a file imports is not looked at.
    """
    if is_command(target):
        files = [Path(word) for word in words_of(target) if Path(word).is_file()]
        return hashlib.sha256(b"\0".join(each.read_bytes() for each in files)).hexdigest() if files else None
    place = split(target)[0].partition(".py:")[0] if isinstance(target, str) else ""
    path = Path(place if place.endswith(".py") else f"{place}.py")
    if not path.is_file():
        module = sys.modules.get(place.partition(":")[0].partition(".")[0])
        path = Path(getattr(module, "__file__", None) or "")
    if not path.is_file() or {"site-packages", "dist-packages"} & set(path.parts):
        return None
    sources = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    return hashlib.sha256(b"\0".join(each.read_bytes() for each in sources)).hexdigest()


def _told(array: Array) -> dict[str, Any]:
    return {"shape": list(array.shape), "values": to_plain(array.astype(float).ravel())}


def shown(case: Case, check: Check) -> dict[str, Any]:
    """A case and what was said of one row in it, as plain data."""
    return {"case": case.describe(), "check": to_plain(check)}


def read_shown(data: Mapping[str, Any]) -> tuple[Case, Check]:
    """What `shown` wrote; raises `NotPlain`."""
    return Case.from_description(data["case"]), from_plain(Check, data["check"])


def read_found(data: Mapping[str, Any]) -> Found:
    """What a judged case says of each row; raises `NotPlain`."""
    return from_plain(dict[str, Check | None], data)
