"""The command `gradcheck bench`, from its arguments to its exit status."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from gradcheck.bench.contenders import contenders
from gradcheck.bench.contenders import names as all_names
from gradcheck.bench.contest import contests
from gradcheck.bench.plot import plot
from gradcheck.bench.record import RecordError, compared, in_words, machine, written
from gradcheck.bench.sizes import OPERATIONS, SizeError, sizes
from gradcheck.bench.table import bench_report, changes_report
from gradcheck.bench.timing import one_thread
from gradcheck.frameworks.extras import needed
from gradcheck.operation import find, nearest, operations
from gradcheck.writing import try_place, write_whole

DEFAULT = ("upsample", "downsample", "convolve_valid", "sigmoid")


class WrongBench(Exception):  # noqa: N818 - read as a sentence: raise WrongBench
    """A call that cannot be carried out, in words."""


def run(
    targets: Sequence[str],
    names: Sequence[str],
    text: str,
    *,
    console: Console,
    dtype: str,
    wanted: Sequence[str],
    baseline: str | None,
    rounds: int,
    seed: int,
    clock: str,
    file: Path | None,
    picture: Path | None,
    old: Path | None,
) -> int:
    """Race, print, write; the exit status.

    Raises
    ------
    WrongBench, TargetError, UnknownOperation, ModuleNotFoundError
        Before anything is raced; RecordError of --compare becomes WrongBench once the table is printed.
    """
    known = operations()
    asked = [find(name, known) for name in dict.fromkeys(names or DEFAULT)]
    try:
        for operation in asked:
            sizes(operation.name, text)
        for place in filter(None, (file, picture)):
            try_place(place)
    except (SizeError, OSError) as error:
        raise WrongBench(str(error)) from error
    for library, extra in (("pytest_benchmark", "bench"), *((("matplotlib", "plot"),) if picture else ())):
        needed(library, extra, "gradcheck bench")
    chosen = _chosen(targets, wanted, baseline)
    with one_core():  # before the libraries are loaded, some of which start a thread for each core
        entrants = contenders(targets, known, chosen.__contains__)
        with one_thread() as threads:
            found = contests(
                asked,
                entrants,
                text=text,
                dtypes=("float32", "float64") if dtype == "both" else (dtype,),
                rounds=rounds,
                seed=seed,
                baseline=baseline,
                clock=clock,
            )
            info = machine(threads)
    if file is not None:
        write_whole(written(found, threads), file)
    if picture is not None:
        plot(found, in_words(info), picture)
    console.print(bench_report(found, in_words(info), rounds, seed, clock))
    return 0 if old is None else _since(found, old, console)


def _since(found: Any, old: Path, console: Console) -> int:
    try:
        changes = compared(found, old)
    except RecordError as error:
        raise WrongBench(str(error)) from error
    console.print(changes_report(changes))
    return int(any(change.verdict == "slower" for change in changes))


def _chosen(targets: Sequence[str], wanted: Sequence[str], baseline: str | None) -> set[str]:
    """The names of those that race: all, or those asked for with the targets and the baseline."""
    known = all_names(targets)
    asked = (*wanted, *([baseline] if baseline else ()))
    for name in asked:
        if name not in known:
            raise WrongBench(
                "bench: there is no contender of this name\n"
                f"  name = {name!r}, nearest = {nearest(name, dict.fromkeys(known))}\n"
                f"  wanted one of {', '.join(known)}"
            )
    return {*asked, *targets} if wanted else set(known)


@contextmanager
def one_core() -> Iterator[None]:
    """The process on one core, where the system can do that: some libraries start threads that no pool knows."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


__all__ = ["DEFAULT", "OPERATIONS", "WrongBench", "one_core", "run"]
