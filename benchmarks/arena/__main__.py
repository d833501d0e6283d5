"""`python3 -m benchmarks.arena`: checkers of gradients side by side on the battery, or `--speed`, against torch alone.

Needs nothing but the extras of whoever is to take part: torch, jax, autograd; whoever is missing is named and left out.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.arena.contest import LIMIT, apart
from benchmarks.arena.contestants import CONTESTANTS
from benchmarks.arena.table import plot, table

#: Elements an input up to which a case takes part by default, and how many of the wrong ones.
MOST, SAMPLE = 2000, 400


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 where gradcheck let nothing through and raised no false alarm."""
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.arena", description=__doc__)
    parser.add_argument("--dtype", choices=("float64", "float32"), action="append", help="default: both")
    parser.add_argument(
        "--checker", choices=[c.name for c in CONTESTANTS], action="append", help="default: all"
    )
    parser.add_argument("--most", type=int, default=MOST, help="elements that an input may have")
    parser.add_argument(
        "--sample", type=int, default=SAMPLE, help="wrong gradients; all right ones take part"
    )
    parser.add_argument("--seed", type=int, default=0, help="that draws the wrong ones")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds a case; beyond it is undecided")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    parser.add_argument(
        "--speed", action="store_true", help="time and memory of a check beside torch's fast mode"
    )
    given = parser.parse_args(arguments)
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
    if given.speed:
        from benchmarks.arena.speed import report

        print(report())
        return 0
    invited = [c for c in CONTESTANTS if c.name in (given.checker or [c.name for c in CONTESTANTS])]
    present = [c for c in invited if not c.missing]
    for absent in sorted({c.module for c in invited} - {c.module for c in present}):
        print(f"{absent} is not installed and takes no part: pip install 'gradcheck[arena]'", file=sys.stderr)
    with ThreadPoolExecutor(given.jobs) as pool:
        runs = [
            pool.submit(apart, c, dtype, given.most, given.sample, given.seed, given.limit)
            for dtype in given.dtype or ("float64", "float32")
            for c in present
        ]
        rows = [run.result() for run in runs]
    print("\n".join(f"- {c.name} ({c.module} {c.version}): `{c.called}`" for c in present), end="\n\n")
    print(table(rows))
    if given.plot:
        plot(rows, given.plot)
    ours = [row for row in rows if row.contestant == "gradcheck"]
    return 0 if all(row.let_through == row.false_alarms == 0 for row in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
