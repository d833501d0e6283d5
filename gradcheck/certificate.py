"""Certificate: what was certified, with what evidence; and the file that says so."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from gradcheck.power import Power
from gradcheck.verdict import Budget, Verdict
from gradcheck.writing import write_whole

SCHEMA = "gradcheck/certificate/1"
NOT_OFFERED = "not offered"
VECTORS = "vectors in "
"""How the target begins of a certificate of answers to vectors: nothing can be loaded and judged again but these."""

_ORDER = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)


class CertificateError(ValueError):
    """A file that is no certificate."""


def gravest(verdicts: Any) -> Verdict:
    """The verdict of several together: fail before error before inconclusive before pass.

    Nothing at all is inconclusive, since nothing was seen.

    Examples
    --------
    >>> str(gravest([Verdict.PASS, Verdict.ERROR])), str(gravest([]))
    ('error', 'inconclusive')
    """
    present = set(verdicts)
    return next((verdict for verdict in _ORDER if verdict in present), Verdict.INCONCLUSIVE)


@dataclass(frozen=True)
class Result:
    """One row: one input of one operation, over all its cases.

    Parameters
    ----------
    operation, input : str
        `input` is "forward" for the value itself, and "conduct" for what belongs to no single input.
    verdict : Verdict
        The gravest of the cases.
    evidence : str
        The kinds of evidence joined by "+": "exact+spectral".
    cases : int
        Cases that were judged; `evidence_cases` has the number of each kind.
    resolution : float
        The worst over the cases: the smallest relative error that would have been seen; 0 where all is exact.
    miss_probability : float
        The worst over the cases.
    worst : mapping or None
        The (shrunk) case that decided, as plain data: shapes, options, element, analytic, numeric.
    diagnosis, reason : str or None
        What the mistake looks like; why the verdict is what it is.
    not_offered_cases : int
        Cases whose options the target does not implement.
    zero_everywhere : bool
        The gradient was zero wherever it was probed: a pass that proves little.
    notes : tuple of str
        What was seen beside the verdict, each once: whose fault it was that something else failed, conduct
        that a caller may live with.
    skipped_cases : int
        Cases that were not tried, since the target ended its process in too many before them; then no pass.
    kinks : str
        What was done where the operation has no derivative: the run's policy, else the operation's own.
    resampled_cases : int
        Cases that were judged at a point drawn beside, since the operation has no derivative at the one given.
    power : Power or None
        The smallest error that the directions of all cases together would not have let pass, all but certainly; None
        where nothing was probed.
    budget : Budget or None
        The resolution in its two parts.
    """

    operation: str
    input: str
    verdict: Verdict
    evidence: str
    cases: int
    resolution: float
    miss_probability: float
    worst: Mapping[str, Any] | None = None
    diagnosis: str | None = None
    reason: str | None = None
    evidence_cases: Mapping[str, int] = field(default_factory=dict)
    not_offered_cases: int = 0
    zero_everywhere: bool = False
    notes: tuple[str, ...] = ()
    skipped_cases: int = 0
    budget: Budget | None = None
    power: Power | None = None
    resampled_cases: int = 0
    kinks: str = "refuse"


@dataclass(frozen=True)
class Missing:
    """Something that the target does not offer: counted, never green."""

    operation: str
    input: str


@dataclass(frozen=True)
class Certificate:
    """Everything that a run of `certify` found out.

    Parameters
    ----------
    target : str
    seed, examples : int
        With them the same cases are drawn again.
    results : tuple of Result
    not_offered : tuple of Missing
    coverage : mapping of str to mapping of str to int
        For each operation, how many of its judged cases reached each regime.
    environment : mapping of str to str
        Versions, and the machine.
    complete : bool
        False when the run was cut short.
    seconds : float
    created : str
        ISO 8601, UTC.
    notes : tuple of str
        What the target did beside answering: printed, warned, changed global state.
    kinks : str or None
        The policy for kinks that was asked for, before what operations declare; None where theirs held.
    unfinished : mapping or None
        Of a run cut short: every case that was judged, as plain data, from which `--resume` goes on. A complete
        certificate has none: its rows say it all.

    Examples
    --------
    >>> empty = Certificate("mine", 0, 25, ())
    >>> str(empty.verdict), empty.exit_status
    ('inconclusive', 3)
    """

    target: str
    seed: int
    examples: int
    results: tuple[Result, ...]
    not_offered: tuple[Missing, ...] = ()
    coverage: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    seconds: float = 0.0
    created: str = ""
    notes: tuple[str, ...] = ()
    unfinished: Mapping[str, Any] | None = None
    kinks: str | None = None

    @property
    def verdict(self) -> Verdict:
        """The gravest of all results; at best inconclusive when the run was cut short."""
        cut_short = () if self.complete else (Verdict.INCONCLUSIVE,)
        return gravest([*(result.verdict for result in self.results), *cut_short])

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each verdict, rows not offered, and cases judged in all rows together."""
        rows = Counter(str(result.verdict) for result in self.results)
        return {
            **{str(verdict): rows[str(verdict)] for verdict in Verdict},
            "not_offered": len(self.not_offered),
            "cases": sum(result.cases for result in self.results),
        }

    @property
    def exit_status(self) -> int:
        """0 all pass; 1 any fail; 3 none failed but something is inconclusive or in error."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1}.get(self.verdict, 3)

    def to_json(self) -> str:
        """The file's text. Valid JSON: an infinite resolution is null."""
        rows = [_row(result) for result in self.results]
        whole = {
            "schema": SCHEMA,
            "target": self.target,
            "verdict": str(self.verdict),
            "complete": self.complete,
            "seed": self.seed,
            "examples": self.examples,
            "kinks": self.kinks,
            "created": self.created,
            "seconds": round(self.seconds, 3),
            "environment": dict(self.environment),
            "counts": self.counts,
            "notes": list(self.notes),
            "results": rows,
            "not_offered": [asdict(each) for each in self.not_offered],
            "coverage": self.coverage,
        } | ({} if self.unfinished is None else {"unfinished": self.unfinished})
        return _gathered(json.dumps(whole, indent=2, allow_nan=False, ensure_ascii=False)) + "\n"

    @staticmethod
    def from_json(text: str) -> Certificate:
        """The certificate of a file's text.

        Raises
        ------
        CertificateError
            When the text is no JSON, has another schema, or lacks a part.
        """
        data = _parsed(text)
        try:
            return Certificate(
                target=data["target"],
                seed=data["seed"],
                examples=data["examples"],
                results=tuple(_result(row) for row in data["results"]),
                not_offered=tuple(Missing(**row) for row in data["not_offered"]),
                coverage=data["coverage"],
                environment=data["environment"],
                complete=data["complete"],
                seconds=data["seconds"],
                created=data["created"],
                notes=tuple(data.get("notes", ())),
                unfinished=data.get("unfinished"),
                kinks=data.get("kinks"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CertificateError(
                f"certificate: a part of the file is missing or of the wrong kind\n"
                f"  observed = {type(error).__name__}: {error}\n  wanted all parts of {SCHEMA}"
            ) from error


def _gathered(text: str) -> str:
    """The same JSON with each list of numbers in one line: a gradient would else take a screen for itself.

    A text in JSON has no line breaks, so what is replaced stands outside of all texts.
    """
    return re.sub(r"\[\n([^\[\]{}\"]*)\]", lambda found: f"[{' '.join(found[1].split())}]", text)


def _parsed(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise CertificateError(f"certificate: the file is no JSON\n  {error}\n  wanted {SCHEMA}") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise CertificateError(
            f"certificate: the file has another schema\n  schema = {schema!r}\n  wanted {SCHEMA!r}"
        )
    return dict(data)


def _row(result: Result) -> dict[str, Any]:
    told = {"budget": result.budget, "power": result.power}
    parts = {
        name: part and {key: _finite(value) for key, value in asdict(part).items()}
        for name, part in told.items()
    }
    return asdict(result) | {"resolution": _finite(result.resolution)} | parts


def _result(row: Mapping[str, Any]) -> Result:
    known = {each.name for each in fields(Result)}
    parts = {name: value for name, value in row.items() if name in known}
    parts["verdict"] = Verdict(parts["verdict"])
    parts["notes"] = tuple(parts.get("notes", ()))
    parts["resolution"] = _number(parts["resolution"])
    for name, kind in (("budget", Budget), ("power", Power)):
        if parts.get(name) is not None:
            parts[name] = kind(**{key: _number(value) for key, value in parts[name].items()})
    return Result(**parts)


def read(path: str | os.PathLike[str]) -> Certificate:
    """The certificate in a file.

    Raises
    ------
    CertificateError
        When the file cannot be read, or is no certificate.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return Certificate.from_json(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise CertificateError(
            f"certificate: the file cannot be read\n  {error}\n  wanted {SCHEMA} in {os.fspath(path)}"
        ) from error


def write(certificate: Certificate, path: str | os.PathLike[str]) -> None:
    """Write the file whole or not at all."""
    write_whole(certificate.to_json(), path)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.inf if value is None else value
