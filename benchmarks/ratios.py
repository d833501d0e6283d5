"""`python -m benchmarks.ratios`: how many times faster than the naive loops, measured in the same run.

Runs the benchmarks on one thread and prints their medians as ratios, with the machine that they hold for; or
reads what `python3 -m pytest benchmarks --benchmark-enable --benchmark-only --benchmark-json FILE` wrote.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contest import BASELINES

ROOT = Path(__file__).parents[1]
COMMAND = ("-m", "pytest", "benchmarks", "--benchmark-enable", "--benchmark-only", "--benchmark-quiet")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Set before NumPy is loaded, besides the limit that the benchmarks set themselves."""


def run(file: Path, only: str) -> None:
    """Time the benchmarks into a file; pytest's own output goes to standard error."""
    command = [sys.executable, *COMMAND, "--benchmark-json", str(file), *(("-k", only) if only else ())]
    environment = os.environ | dict.fromkeys(THREADS, "1")
    subprocess.run(command, cwd=ROOT, env=environment, stdout=2, check=True)


def machine(info: Mapping[str, Any]) -> str:
    """What the ratios hold for, in a line.

    >>> machine({"cpu": {"brand_raw": "Z80", "count": 1}, "python_version": "3.11", "numpy": "2.0",
    ...          "scipy": "1.13", "threads": 1})
    'Z80 with 1 cores, Python 3.11, NumPy 2.0, SciPy 1.13, 1 thread'
    """
    cpu, threads = info["cpu"], info.get("threads")
    return (
        f"{cpu.get('brand_raw', 'unknown processor')} with {cpu.get('count', '?')} cores, "
        f"Python {info['python_version']}, NumPy {info['numpy']}, SciPy {info['scipy']}, "
        f"{threads} thread{'' if threads == 1 else 's'}"
    )


def groups(benchmarks: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Benchmarks by group and entrant, in the order in which they ran; no others."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for each in benchmarks:
        if entrant := each["extra_info"].get("entrant"):
            found.setdefault(each["group"], {})[entrant] = each
    return found


def cell(each: Mapping[str, Any] | None, baseline: Mapping[str, Any] | None) -> str:
    """Times faster than the baseline, by medians, and calls of f where they were counted.

    >>> slow, fast = ({"stats": {"median": t}, "extra_info": {}} for t in (3.0, 0.02))
    >>> cell(fast, slow), cell(slow, slow), cell(fast, None), cell(None, slow)
    ('150×', '1×', '–', '')
    """
    if each is None:
        return ""
    ratio = "–" if baseline is None else f"{shortened(median(baseline) / median(each))}×"
    calls = each["extra_info"].get("calls")
    return ratio if calls is None else f"{ratio}, {calls:,} calls"


def median(each: Mapping[str, Any]) -> float:
    """Median seconds of a round."""
    return float(each["stats"]["median"])


def shortened(ratio: float) -> str:
    """Two digits: more than a ratio of times repeats.

    >>> [shortened(ratio) for ratio in (0.347, 1.0, 9.96, 12.4, 1234.0)]
    ['0.35', '1', '10', '12', '1200']
    """
    return f"{float(f'{ratio:.2g}'):g}"


def tables(data: Mapping[str, Any]) -> str:
    """Markdown: the machine, then a table for each set of entrants that were timed against each other."""
    alike: dict[tuple[str, ...], list[str]] = {}
    found = groups(data["benchmarks"])
    for name, entrants in found.items():
        alike.setdefault(columns(entrants), []).append(name)
    parts = [f"Measured on {machine(data['machine_info'])}."]
    for names, members in alike.items():
        parts.append("\n".join([*head(names), *(row(name, found[name], names) for name in members)]))
    return "\n\n".join(parts)


def columns(entrants: Iterable[str]) -> tuple[str, ...]:
    """The entrants, the baseline first."""
    return tuple(sorted(entrants, key=lambda name: name not in BASELINES))


def head(names: Sequence[str]) -> list[str]:
    """The head of a table, its baseline marked."""
    titles = [f"{name} (baseline)" if name in BASELINES else name for name in names]
    return [f"| operation and size | {' | '.join(titles)} |", f"| --- |{' ---: |' * len(names)}"]


def row(group: str, entrants: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> str:
    """One contest."""
    baseline = next((entrants[name] for name in BASELINES if name in entrants), None)
    return f"| {group} | {' | '.join(cell(entrants.get(name), baseline) for name in names)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 0, or pytest's own status where a benchmark gave a wrong answer."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratios", description=__doc__)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="read pytest-benchmark's file, time nothing"
    )
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="of the benchmarks, as pytest's -k has it"
    )
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        file = given.json or Path(folder) / "benchmarks.json"
        try:
            if given.json is None:
                run(file, given.only)
        except subprocess.CalledProcessError as failure:
            return int(failure.returncode)
        print(tables(json.loads(file.read_text(encoding="utf-8"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
