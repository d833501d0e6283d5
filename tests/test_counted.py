"""The commands that count: what is located, and mutants of the stated size."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmarks import locating, power


def test_locating_counts_what_is_found():
    found = CliRunner().invoke(
        locating.main, ["--size", "20000", "--wrong", "1", "--wrong", "3", "--mistake", "twice"]
    )
    assert found.exit_code == 0, found.output
    for hunt in (locating.hunt(20_000, 3, "zero", 1), locating.hunt(20_000, 5, "1 % off", 2)):
        assert hunt.complete, hunt
        assert hunt.probes > 0
        assert hunt.calls > 0


def test_locating_fails_where_something_is_missed(monkeypatch):
    monkeypatch.setitem(locating.MISTAKES, "none", lambda g: g)
    assert not locating.hunt(2000, 1, "none", 0).complete
    monkeypatch.setattr(locating, "TIMES", 0.01)
    assert (
        CliRunner().invoke(locating.main, ["--size", "2000", "--wrong", "1", "--mistake", "twice"]).exit_code
        == 1
    )


@pytest.mark.parametrize("kind", ["norm", "one element"])
def test_mutants_of_the_stated_size_are_counted(kind):
    rare = power.chunk(range(20), kind, power.CHANCE)
    often = power.chunk(range(60), kind, 0.2)
    assert not any(passed for passed, _ in rare)
    assert 0 < sum(passed for passed, _ in often) < 30
    assert all(size > 0 for _, size in rare + often)


def test_a_broken_statement_is_seen_and_so_is_an_empty_one():
    assert power.Row("norm", 0.01, 1000, 60, 1e-9).broken
    assert not power.Row("norm", 0.01, 1000, 12, 1e-9).broken
    assert power.Row("norm", 0.2, 400, 0, 1e-9).empty
    assert not power.Row("norm", power.CHANCE, 400, 0, 1e-9).empty
