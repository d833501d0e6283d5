"""Markdown: a certificate as a page, for a job's summary."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.certificate import NOT_OFFERED, Certificate
from gradcheck.report import words

_HEAD = (
    *("operation", "input", "verdict", "evidence", "cases"),
    *("resolution", "of it numeric", "of it analytic", "miss probability", "power"),
)
_MARKS = {"pass": "✅", "fail": "❌", "inconclusive": "⚠️", "error": "💥"}


def markdown(certificate: Certificate, limit: int | None = None) -> str:
    """The summary, the table, an account of each fault, what is not offered, and the regimes reached.

    Parameters
    ----------
    certificate : Certificate
    limit : int, optional
        Bytes that the text may have: accounts that would exceed it are left out, and counted.

    Examples
    --------
    >>> print(markdown(Certificate("mine", 0, 5, ())).splitlines()[0])
    # Gradient certificate
    """
    mark = _MARKS[str(certificate.verdict)]
    parts = ["# Gradient certificate", f"{mark} {_escaped(words.summary(certificate))}", _table(certificate)]
    rest = [*_missing(certificate), *_notes(certificate), *_coverage(certificate)]
    left = None if limit is None else limit - len(_joined(parts + rest).encode())
    return _joined([*parts, *_faults(certificate, left), *rest])


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _faults(certificate: Certificate, left: int | None) -> list[str]:
    accounts = [_fenced(each) for each in words.accounts(certificate)]
    kept: list[str] = []
    for each in accounts:
        if left is not None:
            left -= len(each.encode()) + 100  # of the blank line, and of the count of what is left out
            if left < 0:
                left_out = f"{len(accounts) - len(kept)} more faults would make this page too long."
                return ["## Faults", *kept, left_out]
        kept.append(each)
    return ["## Faults", *kept] if kept else []


def _missing(certificate: Certificate) -> list[str]:
    if not certificate.not_offered:
        return []
    rows = [
        f"- {_escaped(name)}: {_escaped(', '.join(inputs))}" for name, inputs in words.missing(certificate)
    ]
    return [f"## {len(certificate.not_offered)} {NOT_OFFERED}", "\n".join(rows)]


def _notes(certificate: Certificate) -> list[str]:
    return ["\n".join(f"- {_escaped(note)}" for note in certificate.notes)] if certificate.notes else []


def _coverage(certificate: Certificate) -> list[str]:
    rows = [_row([name, reached]) for name, reached in words.coverage(certificate)]
    if not rows:
        return []
    table = "\n".join([_row(["operation", "judged cases in each regime"]), _row(["---"] * 2), *rows])
    return [f"<details><summary>Regimes reached</summary>\n\n{table}\n\n</details>"]


def _table(certificate: Certificate) -> str:
    rows = [
        (
            result.operation,
            result.input,
            f"{_MARKS[str(result.verdict)]} {words.verdict(result)}",
            words.evidence(result),
            words.cases(result),
            words.small(result.resolution),
            *words.budget(result),
            words.small(result.miss_probability),
            words.power(result),
        )
        for result in certificate.results
    ]
    rule = ["---"] * 4 + ["---:"] * 6
    return "\n".join([_row(_HEAD), _row(rule), *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_escaped, cells)) + " |"


def _escaped(text: str) -> str:
    """Text that a target chose, without what Markdown or HTML would read in it."""
    text = words.line(text).replace("&", "&amp;")
    for sign in "\\`*_[]|<>~@#$":
        text = text.replace(
            sign, {"<": "&lt;", ">": "&gt;", "@": "&#64;", "#": "&#35;"}.get(sign, f"\\{sign}")
        )
    return text


def _fenced(text: str) -> str:
    """Text as it is, between fences longer than any that it contains."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"
