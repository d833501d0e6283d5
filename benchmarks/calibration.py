"""The calibration study: do the bounds hold, and how tight are they?

    python -m benchmarks.calibration --count 10000

draws random functions (benchmarks.functions), asks every differentiator for the derivative and for what it
says of its own error, and compares with the exact derivative. A bound that does not hold is a violation, and
is listed with the call that draws the function again. With `--keep FILE` the same command goes on where it was cut
short, on any number of processes. What is not asked is said: the differentiators and dtypes that are not here, and
how many functions were drawn again, and why.
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.differentiators import DIFFERENTIATORS, Answer, Counted
from benchmarks.families import WITHOUT
from benchmarks.functions import FAMILIES, REACH, Problem, draw
from benchmarks.keeping import Kept

#: Problems that a worker draws at a time.
CHUNK = 200

#: Columns of a report that is not read in a terminal.
WIDTH = 130

#: Violations listed in the terminal for one differentiator; the JSON has them all.
LISTED = 20


@dataclass(frozen=True)
class Outcome:
    """What one differentiator said of one problem.

    `error` is what it raised, if it did; `redrawn` why functions drawn before this one were not asked.
    """

    probe: str
    dtype: str
    family: str
    seed: int
    name: str
    truth: float
    value: float
    bound: float
    evaluations: int
    error: str = ""
    redrawn: tuple[str, ...] = ()

    @property
    def miss(self) -> float:
        """True error of the value."""
        return abs(self.truth - self.value)

    @property
    def holds(self) -> bool:
        """Whether what it said of its error is so; saying nothing (an infinite bound) is no lie."""
        return bool(self.bound == np.inf or self.miss <= self.bound)

    @property
    def useful(self) -> bool:
        """Whether the bound leaves a sign, or, where the derivative is zero, says anything at all."""
        return bool(np.isfinite(self.bound) and (self.bound <= abs(self.value) or self.truth == 0))

    @property
    def looseness(self) -> float:
        """Bound over true error, the latter at least one unit in the last place of the value."""
        return self.bound / max(self.miss, float(np.spacing(abs(self.value))))

    @property
    def call(self) -> str:
        """What draws the problem again."""
        return f'draw({self.seed}, "{self.family}", "{self.dtype}")'


@dataclass(frozen=True)
class Row:
    """A line of the table.

    `tightness` is the median of bound over true error (where the bound is finite), `relative_bound` that of
    bound over value (where it is useful), `evaluations` a median too; `useless` is the share of the others.
    """

    probe: str
    dtype: str
    family: str
    count: int
    violations: int
    errors: int
    coverage: float
    tightness: float
    relative_bound: float
    evaluations: float
    useless: float


def examine(problem: Problem, probe: str) -> Outcome:
    """One differentiator on one problem."""
    f, answer, error = Counted(problem.f), Answer(np.nan, np.inf), ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = DIFFERENTIATORS[probe].answer(f, problem.x)
    except Exception as raised:  # a study goes on: what a differentiator raises is its answer
        error = " ".join(f"{type(raised).__name__}: {raised}".split())
    return Outcome(
        probe=probe,
        dtype=problem.dtype,
        family=problem.family,
        seed=problem.seed,
        name=problem.name,
        truth=problem.derivative,
        value=answer.value,
        bound=answer.bound,
        evaluations=f.points,
        error=error,
        redrawn=problem.redrawn,
    )


def chunk(seeds: range, dtype: str, probes: Sequence[str], families: Sequence[str]) -> list[Outcome]:
    """All differentiators on the problems of some seeds, which take the families in turn."""
    problems = [draw(seed, families[seed % len(families)], dtype) for seed in seeds]
    return [examine(problem, probe) for problem in problems for probe in probes]


def study(
    count: int,
    seed: int = 0,
    dtypes: Sequence[str] = ("float64",),
    probes: Sequence[str] = ("spectral",),
    families: Sequence[str] = (),
    jobs: int = 1,
    kept: Kept | None = None,
) -> Iterator[list[Outcome]]:
    """Outcomes of `count` problems a dtype, a list a chunk, in the same order with any number of jobs.

    The problem of a seed depends on the seed, its family and the dtype alone. What is kept is not asked again.
    """
    chosen = list(families) or list(FAMILIES)
    starts = range(seed, seed + count, CHUNK)
    parts = [(range(s, min(s + CHUNK, seed + count)), dtype) for dtype in dtypes for s in starts]
    known = {part: found for part in parts if kept and (found := kept.get(_name(part))) is not None}
    new = [part for part in parts if part not in known]
    arguments = ([p[0] for p in new], [p[1] for p in new], [probes] * len(new), [chosen] * len(new))
    # started anew: a fork of a process with threads, as jax and torch have, may wait for ever for a lock of theirs
    pool = ProcessPoolExecutor(jobs, get_context("spawn")) if jobs > 1 and new else None
    try:
        fresh = iter(pool.map(chunk, *arguments) if pool else map(chunk, *arguments))
        for part in parts:
            if part in known:
                yield [Outcome(**row | {"redrawn": tuple(row["redrawn"])}) for row in known[part]]
                continue
            outcomes = next(fresh)
            if kept:
                kept.put(_name(part), [asdict(outcome) for outcome in outcomes])
            yield outcomes
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def _name(part: tuple[range, str]) -> str:
    seeds, dtype = part
    return f"{dtype}/{seeds.start}-{seeds.stop}"


def summarise(outcomes: Iterable[Outcome], total: str = "") -> list[Row]:
    """A row for every probe, dtype and family; with a name for their `total`, for every probe and dtype."""

    def key(o: Outcome) -> tuple[str, str, str]:
        return o.dtype, total or o.family, o.probe

    ranks = {name: rank for rank, name in enumerate([*REACH, *FAMILIES, *DIFFERENTIATORS])}
    ordered = sorted(outcomes, key=lambda o: [ranks.get(part, 0) for part in key(o)])
    return [
        _row(probe, dtype, family, list(group)) for (dtype, family, probe), group in groupby(ordered, key)
    ]


def totals_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """For every probe and dtype a row of all, and one of those that are smooth and have a slope to find."""
    smooth = [o for o in outcomes if o.family not in WITHOUT]
    found = summarise(outcomes, total="all")
    return found if len(smooth) == len(outcomes) else found + summarise(smooth, total="smooth")


def _row(probe: str, dtype: str, family: str, group: list[Outcome]) -> Row:
    violations = sum(not o.holds for o in group)
    useful = [o for o in group if o.useful]
    nonzero = [o.bound / abs(o.value) for o in useful if o.value]
    return Row(
        probe=probe,
        dtype=dtype,
        family=family,
        count=len(group),
        violations=violations,
        errors=sum(bool(o.error) for o in group),
        coverage=1 - violations / len(group),
        tightness=_median([o.looseness for o in group if np.isfinite(o.bound)]),
        relative_bound=_median(nonzero),
        evaluations=_median([o.evaluations for o in group]),
        useless=1 - len(useful) / len(group),
    )


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else float("nan")


# ---- the report


COLUMNS = ("count", "coverage", "broken", "errors", "bound/error", "bound/value", "calls", "no use")


def table(rows: Iterable[Row], title: str) -> Table:
    """The rows; those of our own that do not cover everything are red."""
    caption = "bound/error, bound/value, calls: medians; no use: share whose bound exceeds the value"
    result = Table(title=title, caption=caption, box=box.SIMPLE_HEAD)
    for name in ("dtype", "family", "differentiator"):
        result.add_column(name, no_wrap=True)
    for name in COLUMNS:
        result.add_column(name, justify="right")
    for row in rows:
        result.add_row(
            *_cells(row),
            style="red" if row.violations + row.errors and DIFFERENTIATORS[row.probe].own else "",
        )
    return result


def _cells(row: Row) -> list[str]:
    return [
        row.dtype,
        row.family,
        row.probe,
        f"{row.count}",
        _share(row.coverage),
        f"{row.violations}",
        f"{row.errors}",
        f"{row.tightness:.3g}",
        f"{row.relative_bound:.1e}",
        f"{row.evaluations:g}",
        f"{row.useless:.1%}",
    ]


def unasked(outcomes: Iterable[Outcome]) -> list[str]:
    """For each dtype how many functions were drawn and not asked, by reason."""
    once = {(o.dtype, o.family, o.seed): o.redrawn for o in outcomes}
    lines = []
    for dtype in dict.fromkeys(key[0] for key in once):
        drawn = [redrawn for key, redrawn in once.items() if key[0] == dtype]
        reasons = Counter(reason for redrawn in drawn for reason in redrawn)
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()) or "none"
        lines.append(f"{dtype}: {len(drawn)} functions asked, {reasons.total()} drawn and not asked: {told}")
    return lines


def absent() -> list[str]:
    """What the study cannot ask on this machine."""
    lines = [
        f"left out: {d.name}, which needs {d.needs} (pip install 'gradcheck[calibration]')"
        for d in DIFFERENTIATORS.values()
        if not d.installed
    ]
    if importlib.util.find_spec("ml_dtypes") is None:
        lines.append("left out: bfloat16, which needs ml_dtypes (pip install 'gradcheck[calibration]')")
    if np.finfo(np.longdouble).eps == np.finfo(np.float64).eps:
        lines.append("left out: longdouble, which is float64 on this machine")
    return lines


def here() -> list[str]:
    """Dtypes that are on this machine."""
    gone = " ".join(absent())
    return [name for name in REACH if f"left out: {name}," not in gone]


def _share(coverage: float) -> str:
    """Per cent, never rounded up to 100."""
    return "100 %" if coverage == 1 else f"{np.floor(coverage * 1e5) / 1e3:.3f} %"


def complaints(outcomes: Iterable[Outcome]) -> list[str]:
    """One line for every bound that does not hold, and for every error: how to draw it, what is wrong, f."""
    return [
        f"{o.call}  {o.probe}: "
        + (o.error or f"truth {o.truth:.17g}, value {o.value:.17g}, error {o.miss:.2e} > bound {o.bound:.2e}")
        + f"  f = {o.name}"
        for o in outcomes
        if o.error or not o.holds
    ]


def as_json(rows: list[Row], totals: list[Row], outcomes: list[Outcome], settings: dict[str, Any]) -> str:
    """Everything but the outcomes that hold; numbers that JSON does not know are null."""
    broken = [asdict(o) for o in outcomes if o.error or not o.holds]
    report = {
        "schema": "gradcheck/calibration/1",
        **settings,
        "totals": [asdict(row) for row in totals],
        "rows": [asdict(row) for row in rows],
        "violations": broken,
    }
    return json.dumps(_plain(report), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


@click.command(context_settings={"show_default": True})
@click.option("--count", default=1000, help="Problems of each dtype.")
@click.option("--seed", default=0, help="The first seed; the following ones are used in turn.")
@click.option("--dtype", "dtypes", multiple=True, type=click.Choice(list(REACH)), help="All that are here.")
@click.option(
    "--probe", "probes", multiple=True, type=click.Choice(list(DIFFERENTIATORS)), help="All installed."
)
@click.option("--family", "families", multiple=True, type=click.Choice(list(FAMILIES)), help="All of them.")
@click.option("--jobs", default=2, help="Processes.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), help="Write the report to this file as well."
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep what is done in this file, and go on from it.",
)
@click.option("--totals", is_flag=True, help="Print no table by family.")
def main(
    count: int,
    seed: int,
    dtypes: Sequence[str],
    probes: Sequence[str],
    families: Sequence[str],
    jobs: int,
    file: Path | None,
    keep: Path | None,
    totals: bool,
) -> None:
    """Measure coverage, tightness and cost of numeric derivatives on random functions.

    Exit status 1 if one of gradcheck's own bounds does not hold, or a probe of its own raises; 3 if cut short.
    """
    console = Console() if Console().is_terminal else Console(width=WIDTH)
    asked = list(dict.fromkeys(probes)) or [name for name, d in DIFFERENTIATORS.items() if d.installed]
    dtypes = list(dict.fromkeys(dtypes)) or here()
    settings = {"seed": seed, "probes": asked, "families": list(families), "chunk": CHUNK}
    try:
        kept = Kept(keep, settings) if keep else None
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    chunks = study(count, seed, dtypes, asked, families, jobs, kept)
    size = len(dtypes) * -(-count // CHUNK)
    outcomes, complete = _gathered(track(chunks, "calibrating", size, console=Console(stderr=True)))
    if not complete:
        left = (
            f"kept in {keep}: the same command goes on" if keep else "kept nowhere: name a file with --keep"
        )
        console.print(f"cut short after {len(outcomes)} answers, {left}", markup=False, soft_wrap=True)
    rows, summary = summarise(outcomes), totals_of(outcomes)
    if not totals:
        console.print(table(rows, f"Calibration by family, seeds {seed}..{seed + count - 1}"))
    console.print(table(summary, f"Calibration, seeds {seed}..{seed + count - 1}"))
    own = complaints(o for o in outcomes if DIFFERENTIATORS[o.probe].own)
    for line in own[:LISTED]:
        console.print(line, markup=False, soft_wrap=True)
    for line in unasked(outcomes) + absent():
        console.print(line, markup=False, soft_wrap=True)
    if file is not None:
        file.write_text(
            as_json(rows, summary, outcomes, {"count": count, "seed": seed, "dtypes": list(dtypes)}) + "\n"
        )
    raise SystemExit(bool(own) if complete else 3)


def _gathered(chunks: Iterable[list[Outcome]]) -> tuple[list[Outcome], bool]:
    """All answers, and whether nobody ended the study before."""
    outcomes: list[Outcome] = []
    try:
        for part in chunks:
            outcomes += part
    except KeyboardInterrupt:
        return outcomes, False
    return outcomes, True


if __name__ == "__main__":
    main()
