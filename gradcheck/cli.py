"""Command line: a face without logic of its own."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gradcheck.certificate import Certificate, read
from gradcheck.certify import EXAMPLES
from gradcheck.certify import Progress as Report
from gradcheck.certify import certify as certify_target
from gradcheck.environment import package_version
from gradcheck.importing import TargetError
from gradcheck.operation import UnknownOperation, operation, operations
from gradcheck.options import (
    asked_for,
    dask_executor,
    isolates,
    isolation_options,
    kinks_option,
    named,
    run_options,
    variant_options,
)
from gradcheck.protocol import document
from gradcheck.replay import replay
from gradcheck.report import github, terminal
from gradcheck.report.destinations import MAKERS, Destination, DestinationError, destinations, write_all
from gradcheck.schemas import certificate_schema, vector_schema
from gradcheck.strategies import keep_nothing
from gradcheck.variant import joined
from gradcheck.vectors import FORMATS, export, judge_answers
from gradcheck.vectors.export import EXAMPLES as VECTORS

FILE_WIDTH = 120
"""Characters a line where the output is no terminal and COLUMNS does not say: the whole table fits."""


_FILES = {
    "--json": "Write the certificate to this file as well.",
    "--markdown": "Write a page for a job's summary; on GitHub that is added to by itself.",
    "--junit": "Write a JUnit file, which CI servers read.",
    "--html": "Write a page with plots of every fault, which needs nothing else.",
}
"""What each option does that takes a file."""


class WrongCall(click.ClickException):
    """A wrong call or a target that cannot be loaded: exit status 2."""

    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_version("gradcheck"), prog_name="gradcheck")
def main() -> None:
    """Certify derivatives: exactly where the operation is linear, else with errors that are known."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a Greek letter must not end the run on an ASCII terminal


def _report_options(function: Callable[..., None]) -> Callable[..., None]:
    """An option for each report, which takes the file that it is written to."""
    for option in reversed(MAKERS):
        place = click.Path(path_type=Path)
        function = click.option(option, type=place, metavar="FILE", help=_FILES[option])(function)
    return function


@main.command()
@click.argument("target", required=False)
@click.option(
    "--command", metavar="COMMAND", help="Certify a program in any language, as gradcheck protocol has it."
)
@click.option("--operation", "names", multiple=True, metavar="NAME", help="Only this operation; repeatable.")
@click.option("--examples", type=click.IntRange(min=1), metavar="N",
              help=f"Cases for each operation.  [default: {EXAMPLES}]")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), metavar="S",
              help="The same seed gives the same certificate.  [default: 0]")  # fmt: skip
@click.option("--order", type=click.IntRange(1, 2), metavar="1|2",
              help="2 judges the Hessian products too that the target offers.  [default: 1]")  # fmt: skip
@click.option("--require", multiple=True, metavar="NAME",
              help="Fail where the target lacks this operation, or input (dense.W); repeatable.")  # fmt: skip
@kinks_option
@variant_options
@run_options
@_report_options
def certify(
    target: str | None,
    command: str | None,
    names: tuple[str, ...],
    examples: int | None,
    seed: int | None,
    order: int | None,
    require: tuple[str, ...],
    kinks: str | None,
    device: str | None,
    dtype: str | None,
    tf32: bool | None,
    deterministic: bool | None,
    isolate: bool | None,
    timeout: float | None,
    memory: int | None,
    jobs: int | None,
    dask: str | None,
    resume: Path | None,
    **files: Path | None,
) -> None:
    """Certify TARGET: a module, a .py file, or either with :object behind it; the reference where none is named.

    Exit status: 0 all pass; 1 any fail; 2 wrong call or a target that cannot be loaded; 3 none failed but
    something is inconclusive, in error, or was cut short.
    """
    keep_nothing()
    with _said(), _progress() as report:
        target = named(target, command)
        settings = {"device": device, "dtype": dtype, "tf32": tf32, "deterministic": deterministic}
        if any(value is not None for value in settings.values()):
            target = joined(target or "reference", settings)
        before = read(resume) if resume is not None else None
        if before is not None and not any(files.values()):
            files["json"] = resume
        asked = destinations({f"--{name}": place for name, place in files.items()}, os.environ, operations())
        with dask_executor(dask) as executor:
            found = certify_target(
                **asked_for(before, target, names, examples, seed, order, kinks),
                require=require,
                isolate=isolates(target is not None or before is not None, isolate, jobs or dask),
                timeout=timeout,
                memory=memory,
                jobs=jobs,
                executor=executor,
                resume=before,
                keep_in=files["json"],
                progress=report,
            )
    _written(found, asked)


@main.command()
@click.argument("certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_report_options
def report(certificate: Path, **files: Path | None) -> None:
    """Print the report of a CERTIFICATE once more, and write it in other forms.

    Exit status: as when it was made.
    """
    with _said():
        asked = destinations({f"--{name}": place for name, place in files.items()}, os.environ, operations())
        found = read(certificate)
    _written(found, asked)


@main.command("replay")
@click.argument("certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--result", "which", required=True, metavar="K", help="The row: its place in the file's results, "
              "from 0, or operation.input.")  # fmt: skip
@isolation_options
def replay_row(
    certificate: Path, which: str, isolate: bool | None, timeout: float | None, memory: int | None
) -> None:
    """Judge one row of a CERTIFICATE again, in the case that it shows, and print the arrays.

    Exit status: as of certify, for this row.
    """
    with _said():
        before = read(certificate)
        alone = isolates(before.target != "reference", isolate, None)
        found = replay(before, which, isolate=alone, timeout=timeout, memory=memory)
    click.echo(str(found))
    sys.exit(found.exit_status)


@main.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]…")
@click.option("--operation", "names", multiple=True, metavar="NAME", help="Only this operation; repeatable.")
@click.option("--sizes", "text", default="lenet", show_default=True, metavar="SIZES",
              help="small, lenet, large, or N,I,J,H,W,K: batch, maps in and out, height, width, kernel.")  # fmt: skip
@click.option(
    "--dtype", type=click.Choice(["float32", "float64", "both"]), default="float64", show_default=True
)
@click.option("--only", "wanted", multiple=True, metavar="CONTENDER", help="Race only these; repeatable.")
@click.option(
    "--baseline", metavar="CONTENDER", help="What ratios are of; the first that is raced by default."
)
@click.option("--rounds", type=click.IntRange(min=6), default=15, show_default=True, metavar="R")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S")
@click.option("--clock", type=click.Choice(["wall", "cpu"]), default="wall", show_default=True,
              help="cpu: seconds of this process alone, where others want the core too.")  # fmt: skip
@click.option("--json", "file", type=click.Path(path_type=Path), metavar="FILE",
              help="Write times for pytest-benchmark compare.")  # fmt: skip
@click.option("--plot", "picture", type=click.Path(path_type=Path), metavar="FILE.svg",
              help="Draw the times; needs the extra plot.")  # fmt: skip
@click.option("--compare", "old", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="OLD.json",
              help="Exit with 1 where a contender is slower than in this file.")  # fmt: skip
def bench(targets: tuple[str, ...], names: tuple[str, ...], text: str, **asked: Any) -> None:
    """Race TARGETs against the catalogues' own forms and the libraries installed, each certified first.

    Exit status: 0 raced; 1 slower than in the file of --compare; 2 wrong call.
    """
    from gradcheck.bench import command  # imports what only a race needs

    keep_nothing()
    try:
        with _said():
            sys.exit(command.run(targets, names, text, console=_console(), **asked))
    except (command.WrongBench, ModuleNotFoundError) as error:
        raise WrongCall(str(error)) from error


@main.command("operations")
def list_operations() -> None:
    """List the operations that can be certified."""
    with _said():
        _console().print(terminal.catalogue_report(operations()))


@main.command()
@click.argument("name")
def show(name: str) -> None:
    """Show an operation: equations, inputs with shapes, options, conventions, errata."""
    with _said():
        _console().print(terminal.operation_report(operation(name)))


@main.command()
def protocol() -> None:
    """Print what a program that is certified by --command is asked, and how it answers."""
    click.echo(document(), nl=False)


@main.command()
def schema() -> None:
    """Print the JSON Schema of certificates."""
    click.echo(certificate_schema(), nl=False)


@main.group()
def vectors() -> None:
    """Test vectors for programs in any language: files out, answers in, judged.

    A folder has one file for each case, OPERATION-NUMBER, and their list, vectors.json. A file has the arrays
    input_NAME and cotangent, what is right of output and gradient_NAME, and beside each of these the bound within
    which an answer must lie, output_bound and gradient_NAME_bound. Its facts (operation, case with its options, flags,
    evidence, equations, errata) are JSON: text in a MAT-file, bytes in npz, metadata in safetensors, all of them
    under the name facts, and the file itself in json.
    """


@vectors.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--operation", "names", multiple=True, metavar="NAME", help="Only this operation; repeatable.")
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), default="npz", show_default=True,
              help="How each case is written.")  # fmt: skip
@click.option("--examples", type=click.IntRange(min=1), metavar="N",
              help=f"Cases for each operation.  [default: every edge, at least {VECTORS}]")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S",
              help="The same seed gives the same bytes.")  # fmt: skip
@click.option("--blind", is_flag=True, help="Leave out what is right: the judge then works it out anew.")
def export_vectors(folder: Path, names: tuple[str, ...], kind: str, **asked: Any) -> None:
    """Write to FOLDER a file for each case: inputs, cotangent, and the right output and gradients with bounds."""
    keep_nothing()
    with _said(), _progress() as report:
        files = export(folder, names or None, format=kind, progress=report, **asked)
    click.echo(f"{folder}: {len(files) - 1} vectors and their list, {files[-1]}")


@vectors.command("schema")
def schema_of_vectors() -> None:
    """Print the JSON Schema of vectors and answers in their JSON form."""
    click.echo(vector_schema(), nl=False)


@vectors.command("judge")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--answers", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
              help="Where the answers are; by default the folder answers inside.")  # fmt: skip
@_report_options
def judge_vectors(folder: Path, answers: Path | None, **files: Path | None) -> None:
    """Judge the answers to the vectors in FOLDER: files of the same names, with output and gradient_NAME.

    Exit status: as of certify.
    """
    with _said():
        asked = destinations({f"--{name}": place for name, place in files.items()}, os.environ, operations())
        found = judge_answers(folder, answers)
    _written(found, asked)


class _Plain(Console):
    """A console that leaves it to its caller what a closed pipe means; rich would exit with 1, a failure."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _console() -> Console:
    console = _Plain(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = FILE_WIDTH
    return console


@contextmanager
def _said() -> Iterator[None]:
    """Turn what a user can cause into one message and an exit status."""
    try:
        yield
    except (TargetError, UnknownOperation, DestinationError, ValueError, RuntimeError) as error:
        raise WrongCall(str(error)) from error
    except KeyboardInterrupt:
        click.echo("interrupted before anything was certified", err=True)
        sys.exit(3)


@contextmanager
def _progress() -> Iterator[Report | None]:
    """A bar on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("drawing cases", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=name)


def _written(found: Certificate, asked: Sequence[Destination]) -> None:
    """Write every report, print the table, and end with the exit status."""
    complaints = write_all(found, asked)  # before the table, which a closed pipe may cut short
    _print_report(found)
    if complaints:
        raise WrongCall("\n".join(complaints))
    sys.exit(found.exit_status)


def _print_report(found: Certificate) -> None:
    """The table, and on GitHub what puts each fault beside its line; nothing more where nobody reads on."""
    console = _console()
    try:
        console.print(terminal.certificate_report(found, console.width))
        for command in github.commands(found) if github.is_github(os.environ) else ():
            click.echo(command)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
