"""Destinations: the files that a run was asked for, tried before the work and all written after it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gradcheck.certificate import Certificate
from gradcheck.operation import Operation
from gradcheck.report.github import SUMMARY_LIMIT, is_github
from gradcheck.report.junit import junit
from gradcheck.report.markdown import markdown
from gradcheck.report.page import html
from gradcheck.writing import try_place, write_whole

Make = Callable[[Certificate], str]

MAKERS: dict[str, Make] = {
    "--json": Certificate.to_json,
    "--markdown": markdown,
    "--junit": junit,
    "--html": html,
}
"""Reports by the option that asks for them; the certificate itself comes first, should the others fail."""


class DestinationError(Exception):
    """A place that cannot be written, or a report that was not."""


@dataclass(frozen=True)
class Destination:
    """One report and its place; `added` to what a file of a job already has."""

    option: str
    place: Path
    make: Make
    added: bool = False

    def write(self, text: str) -> None:
        """Raises OSError where it cannot be."""
        if not self.added:
            write_whole(text, self.place)
            return
        with self.place.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)


def destinations(
    files: Mapping[str, Path | None],
    environment: Mapping[str, str],
    catalogue: Mapping[str, Operation] | None = None,
) -> list[Destination]:
    """What is asked for by options, and the summary of a GitHub job, each place tried.

    Parameters
    ----------
    files : mapping of str to Path or None
        By option, as in `MAKERS`.
    environment : mapping of str to str
        GITHUB_ACTIONS and GITHUB_STEP_SUMMARY are looked at.
    catalogue : mapping of str to Operation, optional
        For the equations on a page.

    Raises
    ------
    DestinationError
        For a place that cannot be written, or one that is named twice.
    """
    makers = MAKERS | {"--html": partial(html, operations=catalogue, file=str(files.get("--json") or "FILE"))}
    asked = [(option, files.get(option), make) for option, make in makers.items()]
    found = [Destination(option, place, make) for option, place, make in asked if place is not None]
    if is_github(environment) and environment.get("GITHUB_STEP_SUMMARY"):
        place = Path(environment["GITHUB_STEP_SUMMARY"])
        make = partial(markdown, limit=SUMMARY_LIMIT)
        found.append(Destination("GITHUB_STEP_SUMMARY", place, make, added=True))
    _check_apart(found)
    for each in found:
        _check(each)
    return found


def _check_apart(found: Sequence[Destination]) -> None:
    options: dict[Path, str] = {}
    for each in found:
        before = options.setdefault(each.place.resolve(), each.option)
        if before != each.option:
            raise DestinationError(
                f"{each.option}: another report goes to the same file\n"
                f"  file = {each.place}, also of {before}\n  wanted a file for each"
            )


def _check(destination: Destination) -> None:
    option, place = destination.option, destination.place
    try:
        try_place(place)
    except OSError as error:
        folder = place.resolve().parent
        if folder.is_dir():
            raise DestinationError(
                f"{option}: the file cannot be written\n  file = {place}\n  observed = {error}"
            ) from error
        raise DestinationError(
            f"{option}: there is no folder to write to\n  folder = {folder}\n"
            "  wanted one that exists and can be written"
        ) from error


def write_all(certificate: Certificate, asked: Sequence[Destination]) -> list[str]:
    """Write every report, whatever becomes of the others, and say what could not be written.

    The text of one that could not is kept in the folder for temporary files, where that is possible.
    """
    complaints = []
    for each in asked:
        try:
            text = each.make(certificate)
        except Exception as error:  # a fault of a report's own must not take the other reports with it
            complaints.append(
                f"{each.option}: the report could not be made\n  observed = {type(error).__name__}: {error}"
            )
            continue
        try:
            each.write(text)
        except OSError as error:
            complaints.append(
                f"{each.option}: the file cannot be written\n  {error}\n  wanted a place for {each.place}\n"
                f"  kept = {_kept(text, each.place)}"
            )
    return complaints


def _kept(text: str, place: Path) -> str:
    try:
        kept = Path(tempfile.mkdtemp(prefix="gradcheck-")) / place.name
        write_whole(text, kept)
    except OSError as error:
        return f"nowhere, since {error}"
    return str(kept)
