"""Words: numbers, counts and verdicts as every report says them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gradcheck.certificate import NOT_OFFERED, Certificate, Result
from gradcheck.verdict import Verdict

_WHOLE = ("forward", "conduct", "step")
_BLAME = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)


def small(value: float) -> str:
    """A resolution or probability in two digits; "0" for none, "-" for not known.

    Examples
    --------
    >>> small(0.0), small(3.14159e-13), small(float("inf"))
    ('0', '3.1e-13', '-')
    """
    if not math.isfinite(value):
        return "-"
    return f"{value:.1e}" if value else "0"


def evidence(result: Result) -> str:
    """The kinds of evidence with the number of cases of each, where there are several.

    Examples
    --------
    >>> kinds = {"exact": 2, "spectral": 3}
    >>> evidence(Result("f", "x", Verdict.PASS, "exact+spectral", 5, 0.0, 0.0, evidence_cases=kinds))
    'exact 2 + spectral 3'
    """
    if len(result.evidence_cases) < 2:
        return result.evidence
    return " + ".join(f"{kind} {count}" for kind, count in result.evidence_cases.items())


def verdict(result: Result) -> str:
    """The verdict, and beside a vacuous pass what it is worth."""
    return f"{result.verdict} (zero everywhere)" if result.zero_everywhere else str(result.verdict)


def summary(certificate: Certificate) -> str:
    """One line: the verdict and every count that is not zero.

    Examples
    --------
    >>> summary(Certificate("mine", 0, 5, (Result("f", "x", Verdict.PASS, "exact", 5, 0.0, 0.0),)))
    'mine: pass (1 pass; 5 cases, seed 0, 0.0 s)'
    """
    counts = certificate.counts
    rows = [f"{counts[name]} {name}" for name in map(str, Verdict) if counts[name]]
    if certificate.not_offered:
        rows.append(f"{len(certificate.not_offered)} {NOT_OFFERED}")
    cut = "" if certificate.complete else "; cut short"
    told = f"{counts['cases']} cases, seed {certificate.seed}, {certificate.seconds:.1f} s{cut}"
    return f"{certificate.target}: {certificate.verdict} ({', '.join(rows) or 'nothing judged'}; {told})"


def faults(certificate: Certificate) -> list[Result]:
    """Results that did not pass, the gravest first."""
    return [result for kind in _BLAME for result in certificate.results if result.verdict is kind]


def accounts(certificate: Certificate) -> list[str]:
    """What went wrong, an account for each row; inputs of one operation in the same error share one."""
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in faults(certificate):
        own = (result.operation, result.input)
        shared = (result.operation, str(result.reason).rpartition(" (")[0])
        whole = result.verdict is not Verdict.ERROR or result.input in _WHOLE
        groups.setdefault(own if whole else shared, []).append(result)
    return [account(first, [each.input for each in rest]) for first, *rest in groups.values()]


def account(result: Result, more: Sequence[str] = ()) -> str:
    """What went wrong in one row, in the lines of a failure report; `more` inputs share the account."""
    head = f"d {result.operation} / d {', '.join([result.input, *more])}"
    if result.input in _WHOLE:
        head = f"{result.operation}, {result.input}"
    lines = [f"{result.verdict}: {head}: {result.reason}"]
    return "\n".join(lines + [f"  {name:<15} {said}" for name, said in _details(result)])


def _details(result: Result) -> list[tuple[str, str]]:
    worst = result.worst or {}
    rows = [("smallest case", _case(worst["case"]))] if "case" in worst else []
    if worst.get("element") is not None:
        rows.append(("worst element", str(worst["element"])))
    if "analytic" in worst:
        given, wanted = ("given", "wanted") if result.input == "forward" else ("analytic", "numeric")
        rows.append((given, f"{_number(worst['analytic'])}  ± {_bound(worst['analytic_bound'])}"))
        rows.append((wanted, f"{_number(worst['numeric'])}  ± {_bound(worst['numeric_bound'])}"))
        rows.append(
            ("difference", f"{_number(worst['difference'])}, could have seen {small(result.resolution)}")
        )
    if result.diagnosis:
        rows.append(("looks like", result.diagnosis))
    return rows + [("note", note.replace("\n", "\n" + " " * 18)) for note in result.notes]


def _case(case: Any) -> str:
    shapes = ", ".join(f"{name} {tuple(shape)}" for name, shape in case["shapes"].items())
    options = ", ".join(f"{name}={value!r}" for name, value in case["options"].items())
    return f"{shapes}{'; ' if options else ''}{options} ({case['values']} values, number {case['number']})"


def _number(value: float | str) -> str:
    return f"{value:+.6e}" if isinstance(value, float) else str(value)


def _bound(value: float | str) -> str:
    return f"{value:.0e}" if isinstance(value, float) else str(value)
