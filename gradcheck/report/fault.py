"""Fault: one row that did not pass, as a part of the page: both numbers, plots, equations, how to see it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from gradcheck.certificate import Certificate, Result
from gradcheck.operation import Operation
from gradcheck.report import words
from gradcheck.report.heat import heat_key, heat_map
from gradcheck.report.plots import Elements, decay, scatter, steps, steps_key
from gradcheck.report.tree import element, mathml

LISTED = 64
"""Elements whose numbers are listed; the file has them all."""


def fault(
    certificate: Certificate, group: Sequence[Result], number: int, operation: Operation | None, file: str
) -> Element:
    """An article on the first of a group of rows with the same fault.

    Parameters
    ----------
    certificate : Certificate
    group : sequence of Result
    number : int
        Of the fault on the page.
    operation : Operation or None
        What the catalogue knows of it.
    file : str
        Where the certificate is.
    """
    first, *rest = group
    head = words.head(first, [each.input for each in rest])
    return element(
        "article",
        element("h3", f"{first.verdict}: ", element("bdi", head), id=f"fault-{number}-head"),
        element("p", str(first.reason), class_="reason"),
        _numbers(first),
        *_exhibit(first, f"fault-{number}"),
        *_equations(operation),
        element("h4", "See it again"),
        *_again(words.again(certificate, first, file)),
        class_=f"fault {first.verdict}",
        id=f"fault-{number}",
        aria_labelledby=f"fault-{number}-head",
    )


def _numbers(result: Result) -> Element:
    pairs = []
    for name, said in words.details(result):
        pairs += [element("dt", name), element("dd", said, class_="looks" if name == "looks like" else None)]
    return element("dl", *pairs)


def _exhibit(result: Result, key: str) -> list[Element]:
    exhibit = (result.worst or {}).get("exhibit")
    if exhibit is None:
        return []
    given, wanted = (each.capitalize() for each in words.sides(result))
    figures, elements = [], Elements.of(exhibit)
    if elements.claimed:
        figures += [
            _figure(
                "Error, by its place", heat_map(elements, f"{key}-heat"), elements.told, heat_key(elements)
            ),
            _figure(
                f"{given} against {wanted.lower()}",
                scatter(elements, (given.lower(), wanted.lower()), f"{key}-scatter"),
                "Right elements lie on the dashed diagonal; crosses are wrong, circles right.",
            ),
        ]
    figures += _along(exhibit["probe"], exhibit["steps"], key)
    parts = _other_case(exhibit, result.diagnosis)
    left_out = f"No plot of the elements: {exhibit['left_out']}."
    parts += [element("p", left_out, class_="soft")] if exhibit["left_out"] else []
    parts.append(element("div", *figures, class_="plots"))
    return parts + ([_listing(elements)] if elements.claimed else [])


def _other_case(exhibit: Mapping[str, Any], said: str | None) -> list[Element]:
    """Which case the plots are of, where that is another than the one above."""
    if not exhibit.get("case"):
        return []
    pairs = [element("dt", "plotted case"), element("dd", words.case(exhibit["case"]))]
    if exhibit.get("diagnosis") and exhibit["diagnosis"] != said:
        pairs += [element("dt", "looks like"), element("dd", exhibit["diagnosis"], class_="looks")]
    return [element("dl", *pairs)]


def _along(probe: Mapping[str, Any] | None, rows: Sequence[Mapping[str, Any]], key: str) -> list[Element]:
    """What was seen along the direction that decided."""
    if probe is None or not probe["coefficients"]:
        return []
    found = [
        _figure(
            "What the probe saw",
            decay(probe, f"{key}-decay"),
            f"Chebyshev coefficients of {probe['points']} samples along one direction. They fall while f is "
            "smooth and stay level at its noise; those of odd number (filled) make the derivative. "
            f"Here f looked {probe['finding']}.",
        )
    ]
    if rows:
        told = (
            f"Along the same direction: rounding at the left, truncation at the right. "
            f"The measured derivative is {float(probe['value']):.6g} ± {float(probe['bound']):.0e}."
        )
        figure = _figure(
            "And what difference quotients would", steps(probe, rows, f"{key}-steps"), told, steps_key()
        )
        found.append(figure)
    return found


def _figure(caption: str, svg: Element, told: str, key: Element | None = None) -> Element:
    return element("figure", element("figcaption", caption), svg, key, element("p", told))


def _listing(elements: Elements) -> Element:
    """The numbers of the first elements, the wrong ones before the right."""
    places = sorted(range(len(elements.claimed)), key=lambda k: not elements.wrong(k))[:LISTED]
    names = ("element", "claimed", "measured", "difference", "bound", "")
    kinds = [None, *["number"] * 4, None]
    heads = (element("th", name, scope="col", class_=kind) for name, kind in zip(names, kinds, strict=True))
    head = element("tr", *heads)
    rows = [
        element(
            "tr",
            element("td", str(elements.index(k))),
            element("td", f"{elements.claimed[k]:+.6e}", class_="number"),
            element("td", f"{elements.measured[k]:+.6e}", class_="number"),
            element("td", f"{elements.difference(k):+.2e}", class_="number"),
            element("td", f"{elements.allowed[k]:.0e}", class_="number"),
            element("td", "wrong" if elements.wrong(k) else "right"),
        )
        for k in places
    ]
    count = len(elements.claimed)
    said = f"The numbers of {'all' if count <= LISTED else f'{LISTED} of'} {count} elements"
    table = element("table", element("thead", head), element("tbody", *rows), class_="numbers")
    return element("details", element("summary", said), element("div", table, class_="scroll", tabindex="0"))


def _equations(operation: Operation | None) -> list[Element]:
    if operation is None or not operation.equations:
        return []
    rows = [_equation(each, operation) for each in operation.equations]
    errata = [
        element("div", element("span", each), element("p", operation.statements[each]), class_="equation")
        for each in operation.errata
    ]
    return [element("h4", "Equations"), *rows, *([element("h4", "Errata"), *errata] if errata else [])]


def _equation(name: str, operation: Operation) -> Element:
    """An equation as MathML, where the catalogue has it; else its text."""
    source = operation.mathml.get(name)
    shown = mathml(source) if source else None
    said = element("p", operation.statements[name]) if shown is None else element("div", shown)
    return element("div", element("span", name), said, class_="equation")


def _again(commands: Sequence[tuple[str, str]]) -> list[Element]:
    parts = []
    for said, command in commands:
        parts += [
            element("p", f"{said}:", class_="soft"),
            element("pre", element("code", command), tabindex="0"),
        ]
    return parts
