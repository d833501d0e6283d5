"""The arena's own tests: every contestant sees what the others see, and the table counts what they say."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import replace

import pytest

from benchmarks.arena import oracle
from benchmarks.arena.__main__ import main
from benchmarks.arena.contest import Row, chosen, entered, limited
from benchmarks.arena.contestants import CONTESTANTS, Contestant
from benchmarks.arena.speed import CHECKERS, FAULTS, SIZES, Time, beside, line, measured
from benchmarks.arena.table import plot, table
from benchmarks.battery.judges import Judgement

SOME = [case for case in chosen("float64", 60, 30) if "cube" in case.name or "dense tanh" in case.name]
ROW = Row("someone", "float32", 10, 4, 7, 2, 1, 3, 0, 1.25, 0.5, 17.0, 99.0, 12.4)


@pytest.mark.parametrize("contestant", CONTESTANTS, ids=lambda c: c.name)
@pytest.mark.filterwarnings("ignore")  # what a framework deprecates is not ours to mend
def test_every_contestant_catches_a_coarse_mistake_and_passes_a_right_gradient(contestant):
    if contestant.missing:
        pytest.skip(f"{contestant.module} is not installed")
    right = next(case for case in SOME if not case.wrong and "dense" in case.name)
    wrong = replace(right, wrong=True, vjp=lambda *given: tuple(2 * g for g in right.vjp(*given)))
    row = entered(contestant, "float64", [right, wrong])
    assert (row.caught, row.let_through, row.undecided) == (1, 0, 0)
    assert (row.false_alarms, row.undecided_right) == (0, 0)
    assert row.calls > 0


def test_what_takes_too_long_is_undecided():
    def sleeps(case):
        time.sleep(1)
        return Judgement("pass")

    said = limited(sleeps, 0.05)(SOME[0])
    assert (said.verdict, said.reason) == ("error", "not done in 0.05 s")


def test_what_a_contestant_raises_is_told_from_what_takes_too_long():
    def gives_up(case):
        raise ZeroDivisionError("no")

    assert limited(gives_up, 5.0)(SOME[0]).reason == "ZeroDivisionError: no"


def test_the_table_has_a_row_for_each_and_the_plot_is_drawn(tmp_path):
    assert "| float32 | someone | 7 of 10 | 2 | 1 | 3 of 4 | 0 | 1.2 | 0.50 | 17 (99) | 12 MiB |" in table(
        [ROW]
    )
    if importlib.util.find_spec("matplotlib") is None:
        pytest.skip("matplotlib is not installed")
    place = tmp_path / "arena.svg"
    plot([ROW, replace(ROW, dtype="float64")], place)
    assert "<svg" in place.read_text()


def test_a_missing_contestant_is_said_and_left_out(capsys, monkeypatch):
    nobody = Contestant("nobody", "f()", "no_such_module", lambda: None)
    monkeypatch.setattr("benchmarks.arena.__main__.CONTESTANTS", (nobody,))
    assert main([]) == 0
    assert "no_such_module is not installed and takes no part" in capsys.readouterr().err


def test_right_cases_all_take_part_and_so_many_of_the_wrong_whoever_is_judged():
    every, few, again, other = (
        chosen("float64", 30, n, seed) for n, seed in ((10**6, 0), (20, 0), (20, 0), (20, 1))
    )
    assert sum(not c.wrong for c in every) == sum(not c.wrong for c in few)
    assert sum(c.wrong for c in few) == 20 < sum(c.wrong for c in every)
    assert [c.name for c in few] == [c.name for c in again] != [c.name for c in other]


def test_a_check_of_a_layer_is_timed_and_its_calls_and_memory_counted(monkeypatch):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    monkeypatch.setitem(SIZES, "tiny", (1, 1, 2, 8, 3, 2))
    monkeypatch.setattr("resource.setrlimit", lambda *given: None)  # of this process, which goes on
    for checker in CHECKERS:
        said = [measured(checker, "tiny", fault) for fault in FAULTS]
        assert [each.verdict for each in said] == ["pass", "fail"]
        assert said[0].seconds > 0
        assert min(said[0].forward, said[0].backward) >= 4
        assert said[0].memory >= 0


def test_a_whole_gradient_is_set_beside_scipys_with_its_calls_and_its_true_error(monkeypatch):
    monkeypatch.setattr(oracle, "SIZE", 6)
    f = oracle.Softplus(0.0)
    three, ours = oracle.measured(f, "SciPy, 3-point"), oracle.measured(f, "gradcheck.gradient")
    assert three.calls == 13
    assert ours.error <= ours.bound < three.error / 80
    assert three.bound is None
    assert len(oracle.report([0.0]).splitlines()) == 5
    ours, three = replace(ours, calls=26, seconds=1.0, error=1.0), replace(three, seconds=0.25, error=10.0)
    assert oracle.line("f", ours, three).endswith(" 2× | 4× | 0.1× |")


def test_a_ratio_is_given_where_there_is_one():
    assert beside(3.0, 2.0, 0.0) == "1.5×"
    assert beside(3.0, float("nan"), 0.0) == beside(float("nan"), 1.0, 0.0) == beside(1.0, 0.5, 1.0) == "–"
    told = line(
        Time("us", "1,840", "right", "pass", 0.5, 20, 9, 30.0),
        Time("torch", "1,840", "right", "pass", 0.25, 8, 3, 20.0),
    )
    assert told == "| 1,840 | right | us | pass | 20 | 9 | 0.5000 | 2× | 30 MiB | 1.5× |"
