"""Words: numbers, counts and verdicts as every report says them."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from gradcheck.certificate import NOT_OFFERED, VECTORS, Certificate, Result
from gradcheck.program import COMMAND, is_command
from gradcheck.verdict import Verdict

_WHOLE = ("forward", "conduct", "step", "hvp")
_BLAME = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)


def visible(text: str, keep: str = "\n") -> str:
    r"""Text that a target chose, with what a reader would not see written out.

    Control characters move a terminal's cursor, and marks of direction turn a line round: a name could so
    show itself as another.

    Examples
    --------
    >>> visible("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    return "".join(
        sign if sign.isprintable() or sign in keep else sign.encode("unicode_escape").decode()
        for sign in text
    )


def line(text: str) -> str:
    r"""The same on one line.

    Examples
    --------
    >>> line("a\nb\t")
    'a b\\t'
    """
    return visible(text.replace("\n", " "))


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


def cases(result: Result) -> str:
    """Cases that were judged, of how many where some were left out.

    Examples
    --------
    >>> cases(Result("f", "x", Verdict.PASS, "exact", 20, 0.0, 0.0, not_offered_cases=5))
    '20 of 25'
    """
    left_out = result.not_offered_cases + result.skipped_cases
    moved = f", {result.resampled_cases} moved" if result.resampled_cases else ""
    return f"{result.cases} of {result.cases + left_out}{moved}" if left_out else f"{result.cases}{moved}"


def power(result: Result) -> str:
    """The smallest error in norm that would not have passed, all but certainly."""
    return "-" if result.power is None else small(result.power.norm)


def budget(result: Result) -> tuple[str, str]:
    """The two parts of the resolution: of the numeric side, and of the analytic one."""
    if result.budget is None:
        return "-", "-"
    return small(result.budget.numeric), small(result.budget.analytic)


def coverage(certificate: Certificate) -> list[tuple[str, str]]:
    """For each operation how many of its judged cases reached each regime, the most frequent first.

    Examples
    --------
    >>> coverage(Certificate("mine", 0, 5, (), coverage={"f": {"one map": 2, "several maps": 3}}))
    [('f', 'several maps (3), one map (2)')]
    """
    return [
        (name, ", ".join(f"{regime} ({count})" for regime, count in sorted(counts.items(), key=_frequent)))
        for name, counts in certificate.coverage.items()
    ]


def _frequent(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def missing(certificate: Certificate) -> list[tuple[str, list[str]]]:
    """What is not offered: for each operation its rows."""
    rows: dict[str, list[str]] = {}
    for each in certificate.not_offered:
        rows.setdefault(each.operation, []).append(each.input)
    return list(rows.items())


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
    kinks = f", kinks {line(certificate.kinks)}" if certificate.kinks else ""
    told = f"{counts['cases']} cases, seed {certificate.seed}{kinks}, {certificate.seconds:.1f} s{cut}"
    return (
        f"{line(certificate.target)}: {certificate.verdict} ({', '.join(rows) or 'nothing judged'}; {told})"
    )


def faults(certificate: Certificate) -> list[Result]:
    """Results that did not pass, the gravest first."""
    return [result for kind in _BLAME for result in certificate.results if result.verdict is kind]


def alike(certificate: Certificate) -> list[list[Result]]:
    """Faults, the gravest first; inputs of one operation in the same error together."""
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in faults(certificate):
        own = (result.operation, result.input)
        shared = (result.operation, str(result.reason).rpartition(" (")[0])
        whole = result.verdict is not Verdict.ERROR or result.input in _WHOLE
        groups.setdefault(own if whole else shared, []).append(result)
    return list(groups.values())


def accounts(certificate: Certificate) -> list[str]:
    """What went wrong, an account for each row; inputs of one operation in the same error share one."""
    return [account(first, [each.input for each in rest]) for first, *rest in alike(certificate)]


def head(result: Result, more: Sequence[str] = ()) -> str:
    """What a row is about: "d f / d x", or "f, forward".

    Examples
    --------
    >>> head(Result("f", "x", Verdict.PASS, "exact", 5, 0.0, 0.0)), head(unlike := Result(
    ...     "f", "forward", Verdict.PASS, "exact", 5, 0.0, 0.0))
    ('d f / d x', 'f, forward')
    """
    if result.input in _WHOLE:
        return line(f"{result.operation}, {result.input}")
    return line(f"d {result.operation} / d {', '.join([result.input, *more])}")


def account(result: Result, more: Sequence[str] = ()) -> str:
    """What went wrong in one row, in the lines of a failure report; `more` inputs share the account."""
    lines = [f"{result.verdict}: {head(result, more)}: {_hanging(visible(str(result.reason)), 2)}"]
    return "\n".join(lines + [f"  {name:<15} {_hanging(said)}" for name, said in details(result)])


def details(result: Result) -> list[tuple[str, str]]:
    """The case that decided and both numbers in it, each with its name; notes may have several lines."""
    worst = result.worst or {}
    rows = [("smallest case", case(worst["case"]))] if "case" in worst else []
    if worst.get("element") is not None:
        rows.append(("worst element", str(worst["element"])))
    if "analytic" in worst:
        given, wanted = sides(result)
        rows.append((given, f"{number(worst['analytic'])}  ± {_bound(worst['analytic_bound'])}"))
        rows.append((wanted, f"{number(worst['numeric'])}  ± {_bound(worst['numeric_bound'])}"))
        rows.append(
            ("difference", f"{number(worst['difference'])}, could have seen {small(result.resolution)}")
        )
    if result.diagnosis:
        rows.append(("looks like", visible(result.diagnosis)))
    return rows + [("note", visible(note)) for note in result.notes]


def sides(result: Result) -> tuple[str, str]:
    """What the two numbers of a row are called: the accused's, and the judge's."""
    return ("given", "wanted") if result.input in ("forward", "step") else ("analytic", "numeric")


def again(certificate: Certificate, result: Result, file: str = "certificate.json") -> list[tuple[str, str]]:
    """Commands by which a row comes about again, each with what it does.

    Parameters
    ----------
    certificate : Certificate
    result : Result
    file : str
        Where the certificate is.
    """
    target = certificate.target
    if target.startswith(VECTORS):
        judging = ["gradcheck", "vectors", "judge", target.removeprefix(VECTORS)]
        return [("every answer", shlex.join(judging))]
    place = next(k for k, each in enumerate(certificate.results) if each is result)
    named = ["--command", target.removeprefix(COMMAND)] if is_command(target) else [target]
    words = [
        *("gradcheck", "certify", *named, "--operation", result.operation),
        *("--seed", str(certificate.seed), "--examples", str(certificate.examples)),
        *(("--kinks", certificate.kinks) if certificate.kinks else ()),
    ]
    return [
        ("this case, and its arrays", shlex.join(["gradcheck", "replay", file, "--result", str(place)])),
        ("every case of the operation", shlex.join(words)),
    ]


def _hanging(text: str, width: int = 18) -> str:
    """Further lines of a text that starts at column `width`, below its first."""
    return text.replace("\n", "\n" + " " * width)


def case(given: Mapping[str, Any]) -> str:
    """A case in words: shapes, options, values.

    Examples
    --------
    >>> case({"shapes": {"x": [2, 3]}, "options": {"n": 2}, "values": "ties", "number": 4})
    'x (2, 3); n=2 (ties values, number 4)'
    """
    shapes = ", ".join(f"{name} {tuple(shape)}" for name, shape in given["shapes"].items())
    options = ", ".join(f"{name}={value!r}" for name, value in given["options"].items())
    told = f"{shapes}{'; ' if options else ''}{options} ({given['values']} values, number {given['number']})"
    return visible(told)


def number(value: float | str) -> str:
    """A number of a gradient in seven digits."""
    return f"{value:+.6e}" if isinstance(value, float) else line(str(value))


def _bound(value: float | str) -> str:
    return f"{value:.0e}" if isinstance(value, float) else line(str(value))
