"""GitHub: workflow commands that put each fault beside the line of the file that it is in."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from gradcheck.certificate import Certificate, Result
from gradcheck.report import words
from gradcheck.verdict import Verdict

SUMMARY_LIMIT = 1000 * 1024
"""Bytes of a job's summary; a step's is refused whole from 1024 KiB."""

_LEVELS = {Verdict.FAIL: "error", Verdict.ERROR: "error", Verdict.INCONCLUSIVE: "warning"}


def is_github(environment: Mapping[str, str]) -> bool:
    """Whether these are the variables of a GitHub job."""
    return environment.get("GITHUB_ACTIONS") == "true"


def commands(certificate: Certificate, root: Path | None = None) -> list[str]:
    r"""A line for each fault, and one for a run that was cut short.

    Parameters
    ----------
    certificate : Certificate
    root : Path, optional
        Of the repository, to which the files are named; the working folder by default.

    Examples
    --------
    >>> commands(Certificate("mine", 0, 5, (), complete=False))
    ['::warning title=mine%3A cut short::not every case was judged']
    """
    file = _file(certificate.target, root or Path.cwd())
    lines = [_annotation(certificate, group, file) for group in words.alike(certificate)]
    if not certificate.complete:
        title = f"{words.line(certificate.target)}: cut short"
        lines.append(command("warning", "not every case was judged", title=title))
    return lines


def _annotation(certificate: Certificate, group: list[Result], file: tuple[str, Path] | None) -> str:
    first, *rest = group
    title = f"{first.verdict}: {words.head(first, [each.input for each in rest])}"
    parts = {"title": title}
    if file is not None:
        line = line_of(first.operation, file[1].read_text(encoding="utf-8", errors="replace"))
        parts = {"file": file[0], **({"line": str(line)} if line else {}), **parts}
    _, command_line = words.again(certificate, first)[-1]
    told = words.account(first, [each.input for each in rest])
    return command(_LEVELS[first.verdict], f"{told}\n\nagain: {command_line}", **parts)


def command(level: str, message: str, **properties: str) -> str:
    r"""A workflow command, with what would end one of its parts escaped.

    Examples
    --------
    >>> command("error", "50 %\nor ::more", file="a,b:c.py", title="x")
    '::error file=a%2Cb%3Ac.py,title=x::50 %25%0Aor ::more'
    """
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {told}::{_data(message)}"


def _data(text: str) -> str:
    return words.visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _file(target: str, root: Path) -> tuple[str, Path] | None:
    """The target's file as the repository names it, and where it is; None where there is none below the root."""
    place = target if target.endswith(".py") else target.rpartition(":")[0]
    path = Path(place if place.endswith(".py") else target.partition(":")[0].replace(".", "/") + ".py")
    if not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
        return None
    return path.resolve().relative_to(root.resolve()).as_posix(), path


def line_of(operation: str, source: str) -> int | None:
    r"""The line at which a file defines an operation: by its name, or by the decorator `implements`.

    Examples
    --------
    >>> line_of("tanh", "import gradcheck\n\nclass tanh:\n    pass\n")
    3
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    return next((getattr(node, "lineno", None) for node in ast.walk(tree) if operation in _names(node)), None)


def _names(node: ast.AST) -> Iterator[object]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield node.name
        calls = [each for each in node.decorator_list if isinstance(each, ast.Call) and each.args]
        yield from (each.args[0].value for each in calls if isinstance(each.args[0], ast.Constant))
    elif isinstance(node, ast.Assign):
        yield from (each.id for each in node.targets if isinstance(each, ast.Name))
