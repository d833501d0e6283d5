"""Tally: all checks of one input as one row of the certificate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradcheck.case import Case
from gradcheck.certificate import Result, gravest
from gradcheck.diagnose import COINCIDENT
from gradcheck.estimate import Estimate
from gradcheck.exhibit import Exhibit
from gradcheck.hosting import BESIDE
from gradcheck.mistakes import LOOSE
from gradcheck.plain import number
from gradcheck.power import Power, power_of
from gradcheck.verdict import Check, Verdict

QUIET = COINCIDENT | {each.name for each in LOOSE}
"""Mistakes that are not mentioned beside another: with a free place or number they nearly always fit as well."""

SHOWN_TIES = 2
"""Other mistakes that a row mentions where they explain as many cases."""

SHOWN = 8
"""Wrong elements that a row lists; their number is given whole."""

KINKED = {
    "avoid": "at a point drawn beside one without a derivative",
    "one_sided": "without a derivative as that from one side",
    "subgradient": "without a derivative between those from both sides",
}
"""How cases passed at whose point the operation has no derivative, by the policy for it."""

NOTES = 4
"""Notes of a row: what its cases say is mostly the same thing in other numbers."""


def summed_up(
    operation: str,
    name: str,
    judged: Sequence[tuple[Case, Check]],
    skipped: int = 0,
    shrunk: tuple[Case, Check] | None = None,
    untried: int = 0,
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
    untried : int
        Cases left out because others ended the target's process: with any, a row is at best inconclusive.
    """
    checks = [check for _, check in judged]
    seen = gravest(check.verdict for check in checks)
    verdict = gravest([seen, *([Verdict.INCONCLUSIVE] if untried else [])])
    coarsest = max(checks, key=lambda each: each.resolution)
    case, check = shrunk or shown_pair(judged)
    kinds = Counter(check.evidence or "none" for check in checks)
    vacuous = all(check.zero_everywhere for check in checks)
    return Result(
        operation=operation,
        input=name,
        verdict=verdict,
        evidence="+".join(sorted(kinds, key=_strength)),
        cases=len(checks),
        resolution=coarsest.resolution,
        miss_probability=max(check.miss_probability for check in checks),
        worst=worst_of(check, case.describe()),
        diagnosis=likeliest(check, [each for each in checks if each.verdict is verdict])[1],
        reason=_reason(seen, check, checks, vacuous, untried),
        evidence_cases=dict(sorted(kinds.items(), key=lambda item: _strength(item[0]))),
        not_offered_cases=skipped,
        zero_everywhere=vacuous,
        notes=_notes(checks),
        skipped_cases=untried,
        budget=coarsest.budget,
        power=_power(checks),
        resampled_cases=sum(check.resampled > 0 for check in checks),
    )


def likeliest(shown: Check, failed: Sequence[Check]) -> tuple[str | None, str | None]:
    """The name of the mistake, and what it looks like, from all cases that it shows in.

    In a single case, the more so in the smallest, several mistakes come to the same: named is the one that
    explains most cases, and of those that explain as many the simplest.

    Parameters
    ----------
    shown : Check
        Of the case that the row shows, whose words are taken where it has any.
    failed : sequence of Check

    Examples
    --------
    >>> half, mean = ("half", "half of it"), ("mean", "divided by the batch of 2")
    >>> batch_of_2 = Check(Verdict.FAIL, "", "", 0.0, 0.0, "", "half of it", mistakes=(half, mean))
    >>> from dataclasses import replace
    >>> batch_of_3 = replace(batch_of_2, mistakes=(("mean", "divided by the batch of 3"),))
    >>> likeliest(batch_of_2, [batch_of_2, batch_of_3])
    ('mean', 'divided by the batch of 2')
    """
    counts = Counter(name for each in failed for name in {name for name, _ in each.mistakes})
    most = max(counts.values(), default=0)
    for each in (shown, *failed):
        best = [(name, words) for name, words in each.mistakes if counts[name] == most]
        if best:
            (name, _), *others = best
            ties = [tie for tie in others if tie[0] not in QUIET][:SHOWN_TIES]
            words = "; or ".join(dict.fromkeys(words for _, words in (best[0], *ties)))
            more = "" if each is shown else f" (in {most} of {len(failed)} cases that fail)"
            return name, words + more
    return None, shown.diagnosis


def _power(checks: Sequence[Check]) -> Power | None:
    """Of all directions of all cases together, for an error that is there in each of them."""
    thresholds = [each for check in checks for each in check.thresholds]
    missed = math.prod(check.missed for check in checks)
    if not thresholds and missed == 1.0:
        return None
    return power_of(thresholds, max(math.prod(check.shape) for check in checks), missed=missed)


def _notes(checks: Sequence[Check]) -> tuple[str, ...]:
    """What the cases noted, each once by its first line, with the number of cases that did."""
    checks = [
        replace(each, notes=tuple(n for n in each.notes if not n.startswith(BESIDE))) for each in checks
    ]
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


def shown_pair(judged: Sequence[tuple[Case, Check]]) -> tuple[Case, Check]:
    """The case that a row shows where none was shrunk: of the gravest verdict, the coarsest."""
    verdict = gravest(check.verdict for _, check in judged)
    return max((pair for pair in judged if pair[1].verdict is verdict), key=lambda pair: pair[1].resolution)


def _strength(evidence: str) -> tuple[int, str]:
    order = ("exact", "complex step", "spectral", "differences", "one-sided", "naive", "update", "none")
    return (order.index(evidence) if evidence in order else len(order), evidence)


def _reason(seen: Verdict, check: Check, checks: Sequence[Check], vacuous: bool, untried: int) -> str | None:
    """Why the verdict is what it is; None for a pass that has nothing to explain."""
    left = f"; {untried} more not tried, since the target ended its process too often" if untried else ""
    if seen is not Verdict.PASS:
        count = sum(each.verdict is seen for each in checks)
        return f"{check.reason} ({seen} in {count} of {len(checks)} cases{left})"
    if vacuous:
        return f"zero everywhere probed, in all {len(checks)} cases: proves little{left}"
    kinked = Counter(each.kinks for each in checks if each.kinks)
    if kinked:
        told = " and ".join(f"{KINKED[policy]} in {count}" for policy, count in kinked.items())
        return f"passes in {len(checks)} cases, {told} (kinks: {', '.join(kinked)}){left}"
    return f"passes in {len(checks)} cases{left}" if untried else None


def worst_of(check: Check, case: Mapping[str, Any]) -> dict[str, Any]:
    """A check and its case as plain data for a row's `worst`; numbers that are not finite as strings."""
    found: dict[str, Any] = {"case": dict(case), "subject": check.subject, "evidence": check.evidence}
    if check.wrong:
        found["wrong"] = {
            "count": len(check.wrong),
            "elements": [list(each) for each in check.wrong[:SHOWN]],
        }
    if check.exhibit is not None:
        found["exhibit"] = exhibited(check.exhibit)
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


def exhibited(exhibit: Exhibit) -> dict[str, Any]:
    """What plots show as plain data."""
    columns = ("claimed", "measured", "bounds", "rounding")
    return {
        "shape": list(exhibit.shape),
        **{name: [number(each) for each in getattr(exhibit, name)] for name in columns},
        "left_out": exhibit.left_out,
        "case": dict(exhibit.case) or None,
        "diagnosis": exhibit.diagnosis or None,
        "probe": _probed(exhibit.probe) if exhibit.probe else None,
        "steps": [
            {name: number(getattr(row, name)) for name in ("step", "forward", "central", "extrapolated")}
            for row in exhibit.steps
        ],
    }


def _probed(estimate: Estimate) -> dict[str, Any]:
    return {
        "method": estimate.method,
        "finding": str(estimate.finding),
        "points": estimate.points,
        "step": number(estimate.step),
        "value": number(estimate.value),
        "bound": number(estimate.bound),
        "coefficients": [number(each) for each in estimate.coefficients],
    }
