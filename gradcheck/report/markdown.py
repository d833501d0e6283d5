"""Markdown: a certificate as a page, for a job's summary."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.certificate import NOT_OFFERED, Certificate
from gradcheck.report import words

_HEAD = ("operation", "input", "verdict", "evidence", "cases", "resolution", "miss probability")


def markdown(certificate: Certificate) -> str:
    """The summary, the table, an account of each fault, and what is not offered.

    Examples
    --------
    >>> print(markdown(Certificate("mine", 0, 5, ())).splitlines()[0])
    # Gradient certificate
    """
    parts = ["# Gradient certificate", _escaped(words.summary(certificate)), _table(certificate)]
    accounts = words.accounts(certificate)
    if accounts:
        parts += ["## Faults", *map(_fenced, accounts)]
    if certificate.not_offered:
        missing = [f"- {each.operation}, {each.input}: {NOT_OFFERED}" for each in certificate.not_offered]
        parts += ["## Not offered", "\n".join(map(_escaped, missing))]
    return "\n\n".join(parts) + "\n"


def _table(certificate: Certificate) -> str:
    rows = [
        (
            result.operation,
            result.input,
            words.verdict(result),
            words.evidence(result),
            str(result.cases),
            words.small(result.resolution),
            words.small(result.miss_probability),
        )
        for result in certificate.results
    ]
    return "\n".join([_row(_HEAD), _row(["---"] * len(_HEAD)), *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_escaped, cells)) + " |"


def _escaped(text: str) -> str:
    """Text that a target chose, without what Markdown or HTML would read in it."""
    for sign in "\\`*_[]|<>":
        text = text.replace(sign, "&lt;" if sign == "<" else "&gt;" if sign == ">" else f"\\{sign}")
    return text.replace("\n", " ")


def _fenced(text: str) -> str:
    """Text as it is, between fences longer than any that it contains."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"
