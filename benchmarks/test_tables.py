"""The scripts that print the tables of kernels: that they can fail, and that each runs at a small size."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from benchmarks import claims, epoch, growth, memory
from gradcheck.bench.statistics import Median


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_claims_are_printed_with_their_limits(capsys, dtype):
    told = ["--side", "4", "--maps", "2", "--rounds", "6", "--clock", "cpu", "--dtype", dtype]
    assert claims.main(told) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| limit:") for line in lines) == 5
    assert sum(line.startswith("| one pass of NumPy's") for line in lines) == 2
    assert sum(line.startswith("| pixels: ") for line in lines) == (4 if dtype == "float64" else 5)
    assert any("(the notes)" in line for line in lines)
    assert [line.split(", wanted ")[1][:3] for line in lines if line.startswith("Fast: ")] == [
        "2 a",
        "3 a",
        "1.5",
    ]
    assert sum("The least that NumPy's passes cost: " in line for line in lines) == 2


@pytest.mark.parametrize(
    ("multiple", "word"),
    [(Median(1.9, 1.8, 2.0), "met"), (Median(1.9, 1.8, 2.1), "ambiguous"), (Median(2.2, 2.1, 2.3), "missed")],
)
def test_a_bound_is_met_or_missed_by_a_whole_interval(multiple, word):
    assert claims.told(multiple, 2.0) == f"{multiple} times the limit, wanted 2 at most: {word}"


def test_who_is_faster_is_said_and_who_may_be_is_not():
    times = {
        "ours": [2.0] * 6,
        "jitted JAX": [1.0] * 6,
        "torch": [1.9, 2.1] * 3,
        "numba": [3.0] * 6,
        "loops": [0.1] * 6,
    }
    assert list(claims.ahead(times, "ours")) == [
        "Fast loses to jitted JAX, which takes 0.5 [0.5, 0.5] of its time."
    ]


def test_the_least_is_the_sum_of_the_quickest_passes():
    passes = dict.fromkeys(["limit: a fill", "pixels: slow", "pixels: quick", "rows: one"], lambda: None)
    claim = claims.Claim(
        "",
        "",
        {},
        "ours",
        2.0,
        passes,
        ((("pixels: slow", "pixels: quick"), ("rows: one",), ("rows: one",)),),
    )
    times = {
        "limit: a fill": [2.0] * 6,
        "pixels: slow": [9.0] * 6,
        "pixels: quick": [1.0] * 6,
        "rows: one": [3.0] * 6,
    }
    assert claims.least_of(claim, times).endswith(
        "cost: pixels: quick + rows: one + rows: one = 3.5 [3.5, 3.5] times the limit."
    )


@pytest.mark.parametrize(("dtype", "passes"), [("float64", (1,)), ("float32", (1, 2))])
def test_both_rows_at_once_are_a_way_of_their_own(dtype, passes):
    up, *_ = claims.claims(4, 2, dtype)
    apart, *at_once = (way for way in up.least if all(way))
    assert len(apart) == 2
    assert [tuple(len(names) for names in way) for way in at_once] == [passes]
    assert up.passes is not None
    for name in {name for way in up.least for names in way for name in names}:
        up.passes[name]()


def test_the_least_is_of_the_way_whose_passes_are_quickest_together():
    passes = dict.fromkeys(("limit: a fill", "a", "b", "c", "d"), print)
    claim = claims.Claim("", "", {}, "", 2.0, passes, ((("a", "b"), ("c",)), (("d",),), ((), ("c",))))
    times = {"limit: a fill": [1.0] * 9, "a": [5.0] * 9, "b": [2.0] * 9, "c": [1.0] * 9, "d": [4.0] * 9}
    assert claims.least_of(claim, times).endswith(": b + c = 3 [3, 3] times the limit.")
    assert claims.least_of(claim, times | {"d": [2.5] * 9}).endswith(": d = 2.5 [2.5, 2.5] times the limit.")


def test_a_way_that_answers_otherwise_is_seen():
    with pytest.raises(AssertionError, match="wrong"):
        claims.agree({"right": lambda: np.ones(3), "wrong": lambda: np.array([1, 1, 1 + 1e-6])})


def test_growth_is_told_from_one_series(monkeypatch, capsys):
    monkeypatch.setattr(growth, "TO", 3e3)
    monkeypatch.setattr(growth, "SERIES", growth.SERIES[:2])
    assert growth.main([]) == 0
    assert sum(line.startswith("| upsample, pixels | ") for line in capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("series", growth.SERIES, ids=lambda series: series.title)
def test_a_series_reaches_from_a_hundred_to_millions(series):
    work = [work for _, work in growth.steps(series)]
    assert work == sorted(work)
    assert work[0] < 3e3
    assert 0.8e7 < work[-1] <= 1e7


@pytest.mark.parametrize("name", growth.KERNELS)
def test_the_transform_is_picked_for_large_kernels_alone(name):
    assert not growth.picks(name, 1, 4, 4, 64, 5)
    assert growth.picks(name, 1, 4, 4, 64, 31)
    assert not growth.picks(name, 1, 1, 1, 16, 11)  # whose products take less than the call


def test_the_crossover_is_told_with_what_the_choice_costs(monkeypatch, capsys):
    monkeypatch.setattr(growth, "CROSSINGS", ((1, 1, 1, 12),))
    monkeypatch.setattr(growth, "SIDES", (3, 5))
    assert growth.main(["--crossover"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| 1×1×1, 12² | float64 | ") for line in lines) == 3
    assert any(line.endswith("of 12.") for line in lines)


def test_an_epoch_ends_where_torch_s_does(capsys, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(epoch, "epoch_of", partial(epoch.epoch_of, images=64))
    assert epoch.main(["--batch", "32", "--rounds", "6", "--clock", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| 64")] == [
        "| 64 digits, batch 32, float64",
        "| 64 digits, batch 32, float32",
    ]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_epoch_without_one_step_is_seen(dtype):
    whole = epoch.epoch_of(16, dtype, images=64)
    cut = whole._replace(batches=whole.batches[:-1])
    with pytest.raises(AssertionError, match="differs by"):
        epoch.assert_same(epoch.by_reference(cut)(), epoch.by_reference(whole)(), epoch.CLOSE[dtype])


LINUX = pytest.mark.skipif(not memory.PEAK.exists(), reason="no peak that can be set back")


@LINUX
def test_the_peak_of_memory_is_that_of_what_is_held_at_once():
    million = 1 << 20  # arrays so large that none is taken from what was freed before

    def two_after_each_other():
        for _ in range(2):
            np.ones(8 * million)

    assert 60e6 < memory.peak(lambda: np.ones(8 * million)) < 75e6
    assert 60e6 < memory.peak(two_after_each_other) < 75e6
    assert memory.peak(lambda: (np.ones(8 * million), np.ones(8 * million))) > 120e6


@LINUX
def test_memory_is_measured_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(memory, "RUNS", 1)
    size = "1,4,4,256,256,3"
    assert memory.apart("reference", size, "forward", "float64") > 4 * 254 * 254 * 8  # the output alone


def test_memory_is_told_beside_torch_s(monkeypatch, capsys):
    taken = {"torch": 4_000_000, "reference": 1_000_000}
    monkeypatch.setattr(memory, "apart", lambda contender, *words: taken[contender])
    assert memory.main(["--sizes", "2,1,2,20,20,3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == (
        "| forward: x 2×1×20×20, k 1×2×3×3, connections=None, float64 | 4.0 MB | 1.0 MB | 0.25 | 0.0 MB |"
    ).replace(", connections=None", "")
    assert len(lines) == 6


def test_a_system_without_a_peak_is_told_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(memory, "PEAK", tmp_path / "none")
    with pytest.raises(SystemExit):
        memory.main([])
    assert "wanted Linux" in capsys.readouterr().err


def test_growth_is_drawn_with_the_machine_units_and_sizes(monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    found = {
        (s.title, name): [(10**p, 1e-7 * 10**p) for p in range(2, 6)]
        for s in growth.SERIES
        for name in growth.FORMS
    }
    growth.draw(found, "Z80, 1 thread", tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    for said in ("Z80, 1 thread", "seconds of a call", "products", *(s.fixed for s in growth.SERIES)):
        assert said in text, said
