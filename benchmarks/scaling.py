"""What a run costs and what more cores bring, from measured times of single cases: `python3 -m benchmarks.scaling`.

A run is cases × operations × dtypes of jobs that know nothing of each other. Its cost is their sum; its time, on any
number of cores, is at least the longest single job, and what all processes do once: start, import, load the target.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from gradcheck.case import Case
from gradcheck.certify import certify
from gradcheck.operation import Operation, operations
from gradcheck.plan import cases_of
from gradcheck.session import Job, Session, Setting
from gradcheck.strategies import keep_nothing

CASES, DTYPES, CORES = 10_000, 3, 1000
"""The run on paper: cases for each operation, dtypes, cores."""


@dataclass(frozen=True)
class Cost:
    """Seconds that the cases of one operation took, each by itself, in one process."""

    name: str
    seconds: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.seconds)


def measured(found: Sequence[Operation], examples: int, seed: int) -> Iterator[Cost]:
    """Every operation's cases, judged by the reference, one after the other."""
    session = Session(Setting("reference", seed))
    for each in found:
        cases = cases_of(each, examples, seed)
        session.perform(Job("judge", each.name, cases[0]))  # what the first call makes once
        yield Cost(each.name, tuple(_seconds(session, each.name, case) for case in cases))


def _seconds(session: Session, name: str, case: Case) -> float:
    began = time.process_time()
    came = session.perform(Job("judge", name, case))
    if "raised" in came:
        raise RuntimeError(
            f"scaling: a case of {name} was not judged\n  {came['raised']}\n  wanted a certificate"
        )
    return time.process_time() - began


def seconds_of_run(names: Sequence[str], examples: int, seed: int, jobs: int) -> float:
    """Wall time of a whole run by so many worker processes, their start included."""
    began = time.perf_counter()
    certify("reference", names, examples=examples, seed=seed, jobs=jobs)
    return time.perf_counter() - began


def start_seconds() -> float:
    """Processor time of a process until it has loaded the reference: what every worker does once."""
    code = (
        "import time; from gradcheck.session import Session, Setting; Session(Setting('reference')); "
        "print(time.process_time())"
    )
    return float(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )


def on_paper(
    costs: Sequence[Cost], start: float, cases: int = CASES, dtypes: int = DTYPES, cores: int = CORES
) -> dict[str, float]:
    """Core hours of a large run, its seconds on so many cores if shared out evenly, the share of what dominates.

    `start` are the seconds that every process takes to begin.

    Examples
    --------
    >>> told = on_paper([Cost("a", (0.3, 0.1)), Cost("b", (0.05,))], 2.0, cases=1000, dtypes=1, cores=10)
    >>> round(told["core hours"], 4), round(told["seconds"], 3), round(told["share"], 2)
    (0.075, 27.0, 0.8)
    """
    total = sum(cost.mean for cost in costs) * cases * dtypes
    longest = max(second for cost in costs for second in cost.seconds)
    largest = max(cost.mean for cost in costs) / sum(cost.mean for cost in costs)
    return {
        "core hours": (total + cores * start) / 3600,
        "seconds": start + max(total / cores, longest),
        "share": largest,
    }


def table(costs: Sequence[Cost]) -> str:
    """Markdown: milliseconds of a case, by operation, the costliest first."""
    total = sum(cost.mean for cost in costs)
    lines = [
        "| operation | cases | ms, median | ms, mean | ms, longest | share |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for cost in sorted(costs, key=lambda each: -each.mean):
        middle, longest = statistics.median(cost.seconds), max(cost.seconds)
        cells = (f"{1000 * each:.0f}" for each in (middle, cost.mean, longest))
        lines.append(
            f"| `{cost.name}` | {len(cost.seconds)} | {' | '.join(cells)} | {cost.mean / total:.0%} |"
        )
    return "\n".join(lines)


@click.command()
@click.option("--examples", type=click.IntRange(min=1), default=25, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--operation", "names", multiple=True, metavar="NAME")
@click.option("--jobs", type=click.IntRange(min=2), default=2, show_default=True, help="Beside one.")
def main(examples: int, seed: int, names: tuple[str, ...], jobs: int) -> None:
    """Print times of single cases, the speed-up of --jobs on this machine, and a large run on paper."""
    keep_nothing()
    found = [each for name, each in operations().items() if not names or name in names]
    costs = list(measured(found, examples, seed))
    click.echo(table(costs))
    one, many = (seconds_of_run([each.name for each in found], examples, seed, n) for n in (1, jobs))
    click.echo(f"\n1 worker {one:.1f} s, {jobs} workers {many:.1f} s: {one / many:.2f} times as fast")
    start = start_seconds()
    told, count = on_paper(costs, start), CASES * DTYPES * len(found)
    click.echo(
        f"On paper, {CASES:,} cases × {len(found)} operations × {DTYPES} dtypes = {count:,} jobs: "
        f"{told['core hours']:.1f} core hours, {told['seconds']:.0f} s on {CORES:,} cores, "
        f"{start:.1f} s of them to start; "
        f"the costliest operation is {told['share']:.0%} of the work"
    )


if __name__ == "__main__":
    main()
