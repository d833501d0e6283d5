"""Page: a certificate as one HTML file that needs nothing else, whoever chose the names in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from xml.etree.ElementTree import Element

from gradcheck.certificate import NOT_OFFERED, Certificate, Result
from gradcheck.operation import Operation
from gradcheck.report import words
from gradcheck.report.fault import fault
from gradcheck.report.tree import element, raw, text
from gradcheck.verdict import Verdict

MARKS = {"pass": "✓", "fail": "✕", "inconclusive": "?", "error": "!"}
_RANK = {"fail": 0, "error": 1, "inconclusive": 2, "pass": 3}


def html(
    certificate: Certificate,
    operations: Mapping[str, Operation] | None = None,
    file: str = "certificate.json",
) -> str:
    """The page: all rows, every fault with its plots and equations, what is not offered, what was reached.

    A policy inside the page forbids it to load anything, and every script and style but its own.

    Parameters
    ----------
    certificate : Certificate
    operations : mapping of str to Operation, optional
        The catalogue, for the equations.
    file : str
        Where the certificate is, for the commands that replay a row.

    Examples
    --------
    >>> page = html(Certificate("<mine>", 0, 5, ()))
    >>> page.startswith("<!DOCTYPE html>"), "&lt;mine&gt;" in page, "<mine>" in page
    (True, True, False)
    """
    style, script = _source("page.css"), _source("page.js")
    body = element(
        "body",
        _header(certificate),
        element(
            "main",
            _results(certificate),
            _faults(certificate, operations or {}, file),
            _missing(certificate),
            _coverage(certificate),
        ),
        _footer(certificate),
        raw("script", script),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{certificate.verdict}: {words.line(certificate.target)} – gradient certificate"),
        element("link", rel="icon", href="data:,"),
        raw("style", style),
    )
    return "<!DOCTYPE html>\n" + text(element("html", head, body, lang="en")) + "\n"


def _source(name: str) -> str:
    return files("gradcheck.report").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    ours = {"style": style, "script": script}
    allowed = [f"{kind}-src '{_hash(source)}'" for kind, source in ours.items()]
    return "; ".join(
        ["default-src 'none'", *allowed, "img-src data:", "base-uri 'none'", "form-action 'none'"]
    )


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def mark(verdict: Verdict, said: str | None = None, *more: str) -> Element:
    """A verdict in its colour and with its sign, so that colour is not all that tells it."""
    kind = str(verdict)
    sign = element("span", MARKS[kind], aria_hidden="true")
    return element("span", sign, f" {said or kind}", class_=" ".join(["mark", kind, *more]))


def _header(certificate: Certificate) -> Element:
    counts = certificate.counts
    chips = [
        element("li", mark(verdict, f"{counts[str(verdict)]} {verdict}"))
        for verdict in Verdict
        if counts[str(verdict)]
    ]
    if certificate.not_offered:
        chips.append(element("li", f"{counts['not_offered']} {NOT_OFFERED}", class_="soft"))
    cut = " The run was cut short." if not certificate.complete else ""
    kinks = f", kinks {words.line(certificate.kinks)}" if certificate.kinks else ""
    told = (
        f"{counts['cases']} cases, {certificate.examples} examples for each operation, "
        f"seed {certificate.seed}{kinks}, {certificate.seconds:.1f} s.{cut}"
    )
    return element(
        "header",
        element("h1", "Gradient certificate"),
        element("p", element("bdi", words.line(certificate.target)), class_="target"),
        element("p", mark(certificate.verdict, None, "chip"), class_="verdict-line"),
        element("ul", *chips, class_="counts"),
        element("p", told, class_="soft"),
        *(element("p", f"Note: {note}", class_="soft") for note in certificate.notes),
    )


_COLUMNS = (
    *("operation", "input", "verdict", "evidence", "cases", "resolution"),
    *("numeric", "analytic", "miss probability", "power"),
)


def _results(certificate: Certificate) -> Element:
    places = {id(first): k for k, (first, *_) in enumerate(words.alike(certificate))}
    heads = [
        element("th", name, scope="col", role="columnheader", class_="number" if k > 3 else None)
        for k, name in enumerate(_COLUMNS)
    ]
    rows = [_row(result, places.get(id(result))) for result in certificate.results]
    told = (
        "Resolution: the smallest error, relative to the gradient's norm, that would have been seen. It has two "
        "parts: numeric, from the bound of the measured derivative, and analytic, from the rounding of the claimed one."
    )
    return element(
        "section",
        element("h2", "Results", id="results"),
        element("p", told, class_="soft"),
        element("p", class_="visually-hidden", id="sorted", role="status"),
        element(
            "table",
            element("thead", element("tr", *heads, role="row"), role="rowgroup"),
            element("tbody", *rows, role="rowgroup"),
            class_="results",
            role="table",
            aria_labelledby="results",
        ),
    )


def _row(result: Result, place: int | None) -> Element:
    said: Element = mark(result.verdict, words.verdict(result))
    if place is not None:
        said = element("a", said, href=f"#fault-{place}")
    numeric, analytic = words.budget(result)
    parts = result.budget
    cells = [
        _cell("operation", words.line(result.operation)),
        _cell("input", words.line(result.input)),
        _cell("verdict", said, _RANK[str(result.verdict)]),
        _cell("evidence", words.line(words.evidence(result))),
        _cell("cases", words.cases(result), result.cases),
        _cell("resolution", words.small(result.resolution), result.resolution),
        _cell("numeric", numeric, parts.numeric if parts else float("inf")),
        _cell("analytic", analytic, parts.analytic if parts else float("inf")),
        _cell("miss probability", words.small(result.miss_probability), result.miss_probability),
        _cell("power", words.power(result), result.power.norm if result.power else float("inf")),
    ]
    return element("tr", *cells, role="row")


def _cell(name: str, said: Element | str, value: float | None = None) -> Element:
    """A cell that knows its column's name, for narrow pages, and its number, for sorting."""
    kind = name if name in ("operation", "input", "verdict", "evidence") else "number"
    told = None if value is None else repr(float(value)).replace("inf", "Infinity")
    return element("td", said, role="cell", class_=kind, data_name=name, data_value=told)


def _faults(certificate: Certificate, operations: Mapping[str, Operation], file: str) -> Element | None:
    groups = words.alike(certificate)
    if not groups:
        return None
    found = [
        fault(certificate, group, k, operations.get(group[0].operation), file)
        for k, group in enumerate(groups)
    ]
    return element("section", element("h2", "Faults"), *found)


def _missing(certificate: Certificate) -> Element | None:
    rows = words.missing(certificate)
    if not rows:
        return None
    head = element("h2", f"Not offered ({len(certificate.not_offered)})")
    return element("section", head, _pairs([(name, ", ".join(inputs)) for name, inputs in rows]))


def _coverage(certificate: Certificate) -> Element | None:
    rows = words.coverage(certificate)
    if not rows:
        return None
    told = "How many judged cases of each operation reached each regime."
    return element(
        "section", element("h2", "Regimes reached"), element("p", told, class_="soft"), _pairs(rows)
    )


def _footer(certificate: Certificate) -> Element:
    known = {"made": certificate.created, "by": "gradcheck", **certificate.environment}
    pairs = [(name, said) for name, said in known.items() if said]
    return element("footer", element("h2", "Where it was made"), _pairs(pairs, "soft"))


def _pairs(rows: list[tuple[str, str]], kind: str | None = None) -> Element:
    pairs = [part for name, said in rows for part in (element("dt", name), element("dd", said))]
    return element("dl", *pairs, class_=kind)
