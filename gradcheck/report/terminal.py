"""Terminal: a certificate and the catalogue as rich tables."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gradcheck.certificate import NOT_OFFERED, Certificate, Result
from gradcheck.operation import Operation
from gradcheck.report import words

_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "error": "magenta"}
_COLUMNS = ("operation", "input", "verdict", "evidence", "cases", "resolution", "miss prob.", "power")
_WIDE = (*_COLUMNS[:-2], "numeric + analytic", *_COLUMNS[-2:])
_RIGHT = ("cases", "resolution", "numeric + analytic", "miss prob.", "power")
_NARROW = ("operation", "input", "verdict", "evidence")
NARROW, WIDE = 72, 120
"""Below the first width the table keeps what decides, and leaves the numbers to the file; from the second on
it has room for the two parts of a resolution."""


def certificate_report(certificate: Certificate, width: int) -> RenderableType:
    """The table of all rows, the regimes reached, an account of each fault, and the summary.

    Parameters
    ----------
    certificate : Certificate
    width : int
        Of the terminal, in characters.
    """
    accounts = [Text(each + "\n") for each in words.accounts(certificate)]
    notes = [Text(f"note: {words.visible(each)}") for each in certificate.notes]
    missing = [(name, ", ".join(inputs)) for name, inputs in words.missing(certificate)]
    reached = words.coverage(certificate) if width >= NARROW else []
    return Group(
        _table(certificate, width),
        Text(""),
        *_section(NOT_OFFERED, missing),
        *_section("regimes reached, and judged cases in each", reached),
        *accounts,
        *notes,
        Text(words.summary(certificate)),
    )


def _table(certificate: Certificate, width: int) -> Table:
    names = _WIDE if width >= WIDE else _COLUMNS if width >= NARROW else _NARROW
    table = _plain_table(*names, right=_RIGHT)
    before = ""
    for result in certificate.results:
        table.add_row(*(_cells(result, result.operation != before)[name] for name in names))
        before = result.operation
    return table


def _plain_table(*names: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def _cells(result: Result, first: bool) -> dict[str, str | Text]:
    numeric, analytic = words.budget(result)
    return {
        "operation": Text(words.line(result.operation) if first else ""),
        "input": Text(words.line(result.input)),
        "verdict": Text(words.verdict(result), style=_STYLES[str(result.verdict)]),
        "evidence": Text(words.line(words.evidence(result))),
        "cases": words.cases(result),
        "resolution": words.small(result.resolution),
        "numeric + analytic": f"{numeric} + {analytic}" if result.budget else "-",
        "miss prob.": words.small(result.miss_probability),
        "power": words.power(result),
    }


def catalogue_report(operations: Mapping[str, Operation]) -> RenderableType:
    """A line for each operation: its inputs with their shapes, its options, its equations."""
    table = _plain_table("operation", "inputs", "options", "equations")
    for name, each in operations.items():
        inputs = ", ".join(f"{given.name} {given.shape}" for given in each.inputs)
        table.add_row(escape(name), escape(inputs), escape(", ".join(each.options)), " ".join(each.equations))
    return table


def operation_report(operation: Operation) -> RenderableType:
    """Everything that the catalogue knows of one operation."""
    parts: list[RenderableType] = [Text(f"{operation.name}: {operation.summary}\n")]
    parts += _section("inputs", [(f"{each.name} {each.shape}", each.meaning) for each in operation.inputs])
    parts += _section("options", list(operation.options.items()))
    parts += _section("equations", [(each, operation.statements[each]) for each in operation.equations])
    parts += _section("errata", [(each, operation.statements[each]) for each in operation.errata])
    parts += _section("conventions", _conventions(operation))
    if operation.kinks != "refuse":
        parts += _section(
            "kinks", [(operation.kinks, "where it has no derivative, unless a run says otherwise")]
        )
    return Group(*parts)


def _conventions(operation: Operation) -> list[tuple[str, str]]:
    return [
        (f'{name}="{value}"', each.meaning + (", as here" if number == 0 else ""))
        for name, values in operation.conventions.items()
        for number, (value, each) in enumerate(values.items())
    ]


def _section(title: str, rows: list[tuple[str, str]]) -> list[RenderableType]:
    if not rows:
        return []
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for name, text in rows:
        table.add_row(Text(words.line(name)), Text(words.line(text)))
    return [Text(title), table, Text("")]
