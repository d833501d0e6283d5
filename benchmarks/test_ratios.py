"""The table of ratios, from what pytest-benchmark writes."""

from __future__ import annotations

import json

import pytest

from benchmarks import ratios
from benchmarks.contest import BASELINE, EVERY_ELEMENT

MACHINE = {
    "cpu": {"brand_raw": "Abacus", "count": 10},
    "python_version": "3.12.1",
    "numpy": "2.1",
    "scipy": "1.14",
    "threads": 1,
    "node": "secret.example",
}


def timed(group, entrant, median, **told):
    return {
        "group": group,
        "stats": {"median": median, "min": 0.1},
        "extra_info": {"entrant": entrant, **told},
    }


BENCHMARKS = [
    timed("up", "fast", 2e-6),
    timed("up", BASELINE, 3e-3),
    timed("check", EVERY_ELEMENT, 4.0, calls=2369),
    timed("check", "check_vjp", 0.5, calls=58),
    timed("check of much", "check_vjp", 0.5, calls=60),
    {"group": None, "stats": {"median": 1.0}, "extra_info": {}},
]


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "benchmarks.json"
    place.write_text(json.dumps({"machine_info": MACHINE, "benchmarks": BENCHMARKS}))
    return place


def test_ratios_of_medians_against_the_baseline_that_comes_first(file, capsys):
    assert ratios.main(["--json", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Measured on Abacus with 10 cores, Python 3.12.1, NumPy 2.1, SciPy 1.14, 1 thread.",
        "",
        "| operation and size | naive loops (baseline) | fast |",
        "| --- | ---: | ---: |",
        "| up | 1× | 1500× |",
        "",
        "| operation and size | every element (baseline) | check_vjp |",
        "| --- | ---: | ---: |",
        "| check | 1×, 2,369 calls | 8×, 58 calls |",
        "",
        "| operation and size | check_vjp |",
        "| --- | ---: |",
        "| check of much | –, 60 calls |",
    ]


def test_a_failing_benchmark_gives_no_table(monkeypatch, capsys):
    monkeypatch.setattr(ratios, "COMMAND", ("-c", "raise SystemExit(5)"))
    assert ratios.main(["--only", "nothing of this name"]) == 5
    assert capsys.readouterr().out == ""


def test_the_benchmarks_are_timed_on_one_thread_by_the_command_of_the_readme(monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(
        ratios.subprocess, "run", lambda command, **given: seen.update(given, command=command)
    )
    ratios.run(tmp_path / "b.json", only="up")
    assert seen["env"]["OPENBLAS_NUM_THREADS"] == seen["env"]["OMP_NUM_THREADS"] == "1"
    assert seen["check"]
    assert " ".join(seen["command"]).endswith(
        f"-m pytest benchmarks --benchmark-enable --benchmark-only --benchmark-quiet "
        f"--benchmark-json {tmp_path / 'b.json'} -k up"
    )
