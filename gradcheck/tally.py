"""Tally: all checks of one input as one row of the certificate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gradcheck.case import Case
from gradcheck.certificate import Result, gravest
from gradcheck.verdict import Check, Verdict

SHOWN = 8
"""Wrong elements that a row lists; their number is given whole."""

NOTES = 4
"""Notes of a row: what its cases say is mostly the same thing in other numbers."""


def summed_up(
    operation: str,
    name: str,
    judged: Sequence[tuple[Case, Check]],
    skipped: int = 0,
    shrunk: tuple[Case, Check] | None = None,
) -> Result:
    """The row of an input from all its cases.

    Parameters
    ----------
    operation, name : str
    judged : sequence of (Case, Check)
        At least one.
    skipped : int
        Cases that the target does not offer.
    shrunk : (Case, Check), optional
        The smallest failing case, which then decides what the row shows.
    """
    checks = [check for _, check in judged]
    verdict = gravest(check.verdict for check in checks)
    case, check = shrunk or next(pair for pair in _by_resolution(judged) if pair[1].verdict is verdict)
    kinds = Counter(check.evidence or "none" for check in checks)
    vacuous = all(check.zero_everywhere for check in checks)
    return Result(
        operation=operation,
        input=name,
        verdict=verdict,
        evidence="+".join(sorted(kinds, key=_strength)),
        cases=len(checks),
        resolution=max(check.resolution for check in checks),
        miss_probability=max(check.miss_probability for check in checks),
        worst=worst_of(check, case.describe()),
        diagnosis=check.diagnosis,
        reason=_reason(verdict, check, checks, vacuous),
        evidence_cases=dict(sorted(kinds.items(), key=lambda item: _strength(item[0]))),
        not_offered_cases=skipped,
        zero_everywhere=vacuous,
        notes=_notes(checks),
    )


def _notes(checks: Sequence[Check]) -> tuple[str, ...]:
    """What the cases noted, each once by its first line, with the number of cases that did."""
    said = [note for check in checks for note in check.notes]
    first = {note.partition("\n")[0]: note for note in reversed(said)}
    counts = Counter(line for check in checks for line in {note.partition("\n")[0] for note in check.notes})
    lines = list(dict.fromkeys(note.partition("\n")[0] for note in said))[:NOTES]
    return tuple(f"{first[line]} (in {counts[line]} of {len(checks)} cases)" for line in lines)


def unreached(operation: str, name: str) -> Result:
    """The row of an input that is offered but came up in no case: inconclusive, since nothing was seen."""
    return Result(
        operation=operation,
        input=name,
        verdict=Verdict.INCONCLUSIVE,
        evidence="none",
        cases=0,
        resolution=math.inf,
        miss_probability=1.0,
        reason="no case reached this input: more examples are needed",
    )


def _by_resolution(judged: Sequence[tuple[Case, Check]]) -> list[tuple[Case, Check]]:
    return sorted(judged, key=lambda pair: -pair[1].resolution)


def _strength(evidence: str) -> tuple[int, str]:
    order = ("exact", "complex step", "spectral", "differences", "naive", "none")
    return (order.index(evidence) if evidence in order else len(order), evidence)


def _reason(verdict: Verdict, check: Check, checks: Sequence[Check], vacuous: bool) -> str | None:
    if verdict is Verdict.PASS:
        return f"zero everywhere probed, in all {len(checks)} cases: proves little" if vacuous else None
    count = sum(each.verdict is verdict for each in checks)
    return f"{check.reason} ({verdict} in {count} of {len(checks)} cases)"


def worst_of(check: Check, case: Mapping[str, Any]) -> dict[str, Any]:
    """A check and its case as plain data for a row's `worst`; numbers that are not finite as strings."""
    found: dict[str, Any] = {"case": dict(case), "subject": check.subject, "evidence": check.evidence}
    if check.wrong:
        found["wrong"] = {
            "count": len(check.wrong),
            "elements": [list(each) for each in check.wrong[:SHOWN]],
        }
    if check.worst is None:
        return found
    worst = check.worst
    return found | {
        "element": None if worst.element is None else list(worst.element),
        "cotangent": worst.cotangent,
        "analytic": number(worst.analytic),
        "analytic_bound": number(worst.analytic_bound),
        "numeric": number(worst.numeric.value),
        "numeric_bound": number(worst.numeric.bound),
        "difference": number(worst.difference),
    }


def number(value: Any) -> float | str:
    """A number for JSON, which knows neither infinity nor NaN.

    Examples
    --------
    >>> number(0.5), number(float("-inf"))
    (0.5, '-inf')
    """
    plain = float(value)
    return plain if math.isfinite(plain) else str(plain)
