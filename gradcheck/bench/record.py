"""Record: contests as pytest-benchmark writes its own, so that its tools read ours; and one compared with another."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gradcheck.bench.contest import Contest, Standing
from gradcheck.bench.statistics import Median, median
from gradcheck.environment import package_version
from gradcheck.frameworks.extras import needed

SLOWER = 1.05
"""A median must have grown by more than this, beside its interval: less is the layout of memory, from run to run."""

PACKAGES = ("numpy", "scipy", "torch", "jax", "numba", "numexpr")


class RecordError(Exception):
    """A file that cannot be compared with."""


def written(contests: Sequence[Contest], threads: int) -> str:
    """The contests as JSON of pytest-benchmark's format; `pytest-benchmark compare FILE` shows it."""
    benchmarks = [
        _benchmark(contest, standing)
        for contest in contests
        for standing in contest.standings
        if standing.seconds is not None
    ]
    told = {
        "machine_info": machine(threads),
        "commit_info": {},
        "benchmarks": benchmarks,
        "datetime": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": needed("pytest_benchmark", "bench", "gradcheck bench").__version__,
    }
    return json.dumps(told, indent=1) + "\n"


def machine(threads: int) -> dict[str, Any]:
    """The machine and the versions that times hold for."""
    cpu = needed("cpuinfo", "bench", "gradcheck bench").get_cpu_info()
    versions = {name: package_version(name) for name in PACKAGES}
    return {
        "node": "",
        "system": platform.system(),
        "machine": platform.machine(),
        "python_version": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "cpu": {"brand_raw": cpu.get("brand_raw", "unknown processor"), "count": cpu.get("count")},
        "threads": threads,
        **{name: number for name, number in versions.items() if number != "unknown"},
    }


def in_words(machine_info: Mapping[str, Any]) -> str:
    """The machine as a line.

    Examples
    --------
    >>> in_words({"cpu": {"brand_raw": "Z80", "count": 1}, "python_version": "3.11", "threads": 1, "numpy": "2.0"})
    'Z80 (1 core), 1 thread, Python 3.11, numpy 2.0'
    """
    cpu, threads = machine_info["cpu"], machine_info["threads"]
    packages = "".join(f", {name} {machine_info[name]}" for name in PACKAGES if name in machine_info)
    return (
        f"{cpu['brand_raw']} ({_counted(cpu['count'], 'core')}), {_counted(threads, 'thread')}, "
        f"Python {machine_info['python_version']}{packages}"
    )


def _counted(number: Any, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _benchmark(contest: Contest, standing: Standing) -> dict[str, Any]:
    name = f"{contest.title}[{standing.name}]"
    return {
        "group": contest.title,
        "name": name,
        "fullname": f"gradcheck bench::{name}",
        "params": {"contender": standing.name},
        "param": standing.name,
        "extra_info": {"limit": contest.limit, "baseline": contest.baseline, **_ratios(standing)},
        "options": {
            "disable_gc": True,
            "timer": "perf_counter",
            "warmup": True,
            "min_rounds": len(standing.times),
        },
        "stats": _stats(standing),
    }


def _ratios(standing: Standing) -> dict[str, Any]:
    told = {"ratio": standing.ratio, "multiple_of_limit": standing.multiple}
    return {name: [each.value, each.low, each.high] for name, each in told.items() if each is not None}


def _stats(standing: Standing) -> dict[str, Any]:
    stats = needed("pytest_benchmark.stats", "bench", "gradcheck bench").Stats()
    for seconds in standing.times:
        stats.update(seconds)
    return {**stats.as_dict(), "data": list(standing.times), "iterations": standing.calls}


@dataclass(frozen=True)
class Change:
    """One contender's time now beside its time before."""

    name: str
    before: Median
    now: Median

    @property
    def verdict(self) -> str:
        """Slower or faster where the intervals are apart and the medians by more than 5 %; else "same"."""
        if self.now.low > self.before.high and self.now.value > SLOWER * self.before.value:
            return "slower"
        if self.now.high < self.before.low and self.before.value > SLOWER * self.now.value:
            return "faster"
        return "same"


def compared(contests: Iterable[Contest], old: str | Path) -> list[Change]:
    """What changed since a file was written: for every contender of a contest that both have.

    Raises
    ------
    RecordError
        When the file is no record of benchmarks, or has none of these.
    """
    before = _read(Path(old))
    names = {
        f"{contest.title}[{standing.name}]": standing.seconds
        for contest in contests
        for standing in contest.standings
        if standing.seconds is not None
    }
    changes = [Change(name, before[name], now) for name, now in names.items() if name in before]
    if not changes:
        raise RecordError(
            f"--compare: the file has none of these contests\n  file = {old}, its benchmarks = {len(before)}\n"
            "  wanted one that was written with the same operations, sizes and dtypes"
        )
    return changes


def _read(place: Path) -> dict[str, Median]:
    try:
        told = json.loads(place.read_text(encoding="utf-8"))
        return {each["name"]: median(each["stats"]["data"]) for each in told["benchmarks"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"--compare: the file cannot be read as benchmarks\n  file = {place}, {type(error).__name__}: {error}\n"
            "  wanted what gradcheck bench --json wrote"
        ) from error
