"""Book: a run as a certificate, also while it goes on; and what a run that was cut short goes on from."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gradcheck.case import Case
from gradcheck.certificate import Certificate, Missing, write
from gradcheck.environment import environment
from gradcheck.ledger import Entry, Ledger
from gradcheck.plain import NotPlain, to_plain
from gradcheck.required import insisted
from gradcheck.session import Outline, read_found, read_shown, shown

ASIDE = ("platform", "machine")
"""Parts of the environment that may be others where a run goes on: the numbers are those of the versions."""

EVERY = 5.0
"""Seconds, at least, between two writings of what is done."""

SHARE = 20
"""Writing takes at most one part in so many of the time."""


class ResumeError(ValueError):
    """A certificate from which this run cannot go on."""


@dataclass
class Book:
    """A run's ledger and what a certificate says beside it; going on from `resume` where that is given.

    Raises
    ------
    ResumeError
        When that is of another run.
    """

    ledger: Ledger
    target: Outline
    wanted: Sequence[Missing]
    resume: Certificate | None = None
    began: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        """Take over what is done, after a look at whether it is of this run."""
        if self.resume is not None:
            _check_same(self._run_of(self.resume), self._run())
            restore(self.ledger, self.resume.unfinished or {})

    def certificate(self, complete: bool) -> Certificate:
        """What is known now."""
        plan, ledger = self.ledger.plan, self.ledger
        results, missing = insisted(ledger.results(), ledger.not_offered(), self.wanted)
        return Certificate(
            target=self.target.name,
            seed=plan.seed,
            examples=plan.examples,
            results=results,
            not_offered=missing,
            coverage=ledger.coverage(),
            environment=environment(self.target.version),
            complete=complete,
            seconds=time.perf_counter() - self.began + (self.resume.seconds if self.resume else 0.0),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            notes=(*self.target.notes, *ledger.beside()),
            kinks=plan.kinks,
            unfinished=None if complete else self._unfinished(),
        )

    def _unfinished(self) -> dict[str, Any]:
        return {"run": self._run() | {"environment": None}, **done(self.ledger)}

    def _run(self) -> dict[str, Any]:
        """What must be the same for two halves of one run."""
        plan = self.ledger.plan
        versions = environment(self.target.version)
        return {
            "target": self.target.name,
            "digest": self.target.digest,
            "seed": plan.seed,
            "examples": plan.examples,
            "order": plan.order,
            "kinks": plan.kinks,
            "operations": [each.name for each in plan.asked],
            "inputs": None if plan.only is None else sorted(plan.only),
            "environment": {name: each for name, each in versions.items() if name not in ASIDE},
        }

    def _run_of(self, certificate: Certificate) -> dict[str, Any]:
        if certificate.complete or certificate.unfinished is None:
            raise ResumeError(
                "resume: the certificate is complete\n"
                f"  target = {certificate.target}, complete = {certificate.complete}\n"
                "  wanted one that was cut short, which holds the cases that are done"
            )
        versions = {name: each for name, each in certificate.environment.items() if name not in ASIDE}
        return dict(certificate.unfinished.get("run", {})) | {"environment": versions}


def _check_same(was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name, wanted in now.items():
        if was.get(name) != wanted:
            raise ResumeError(
                f"resume: the certificate is of another run\n  its {name} = {was.get(name)}\n"
                f"  here = {wanted}\n  both halves of a run need the same target, seed, examples, operations, versions"
            )


def done(ledger: Ledger) -> dict[str, Any]:
    """Everything that a ledger knows, as plain data."""
    return {
        "cases": [
            {"operation": name, "number": number, "key": _key(ledger.plan.cases(name)[number])}
            | {"found": {row: to_plain(check) for row, check in entry.found.items()}}
            | ({"crashed": True} if entry.crashed else {})
            for (name, number), entry in sorted(ledger.entries.items())
        ],
        "shown": [
            {"operation": name, "row": row} | shown(*pair)
            for (name, row), pair in sorted(ledger.shown.items())
        ],
        "declared": dict(sorted(ledger.declared.items())),
    }


def restore(ledger: Ledger, told: Mapping[str, Any]) -> None:
    """Write into a ledger what `done` told; raises `ResumeError` where that cannot be read."""
    try:
        for each in told["cases"]:
            name, number = each["operation"], each["number"]
            if _key(ledger.plan.cases(name)[number]) != each["key"]:
                raise ResumeError(
                    f"resume: the certificate's cases are others\n  operation = {name}, case = {number}\n"
                    "  wanted the cases that this catalogue draws"
                )
            ledger.entries[name, number] = Entry(read_found(each["found"]), bool(each.get("crashed")))
        ledger.shown |= {(each["operation"], each["row"]): read_shown(each) for each in told["shown"]}
        ledger.declared |= told["declared"]
    except (KeyError, IndexError, TypeError, AttributeError, NotPlain) as error:
        raise ResumeError(
            f"resume: what is done cannot be read\n  observed = {type(error).__name__}: {error}\n"
            "  wanted a certificate as an interrupted run writes it"
        ) from error


def _key(case: Case) -> str:
    """A case's contents in 8 digits, to notice that a catalogue draws others now."""
    from gradcheck.strategies import key

    return f"{zlib.crc32(key(case).encode()):08x}"


class Keeper:
    """Writes what is done every few seconds; not more often than writing is cheap.

    A file that cannot be written now may be writable at the end, where it is an error.
    """

    def __init__(self, book: Book, file: str | os.PathLike[str]) -> None:
        self.book, self.file = book, file
        self.next = time.monotonic() + EVERY

    def __call__(self) -> None:
        """Write if it is time."""
        began = time.monotonic()
        if began < self.next:
            return
        with suppress(OSError):
            write(self.book.certificate(complete=False), self.file)
        now = time.monotonic()
        self.next = now + max(EVERY, SHARE * (now - began))
