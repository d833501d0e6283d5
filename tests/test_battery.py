"""The battery's own tests: what it calls right is right, what it calls wrong is wrong by what it says."""

from __future__ import annotations

from functools import cache
from itertools import islice

import numpy as np
import pytest

from benchmarks.battery import SMALLEST, cases, right_cases
from benchmarks.battery.__main__ import main
from benchmarks.battery.case import cotangents, relative_difference
from benchmarks.battery.judges import JUDGES, Judgement
from benchmarks.battery.mutations import mutations
from benchmarks.battery.score import judge_all, summary

DTYPES = sorted(SMALLEST)
SMALL = 100  # elements up to which a whole gradient is compared


@cache
def battery(dtype):
    return list(cases(dtype))


def most(dtype):
    """Every case of up to 5,000 elements, and every fifth of the larger ones."""
    large = [case for case in battery(dtype) if max(x.size for x in case.inputs) > 5000]
    skipped = {case.name for place, case in enumerate(case for case in large if case.wrong) if place % 5}
    return [case for case in battery(dtype) if case.name not in skipped]


def complex_step(case, place, direction, cotangent):
    """⟨cotangent, df·direction⟩ in double precision: the forward function alone, no difference taken."""
    inputs = [x.astype(np.complex128) for x in case.inputs]
    size = float(np.abs(case.inputs[place]).max())
    inputs[place] = inputs[place] + 1e-30j * size * direction
    return float(np.sum(cotangent.astype(np.float64) * case.f(*inputs).imag)) / (1e-30 * size)


def directions(x, rng):
    """Every unit vector of a small input; of a large one, dense directions and a few elements."""
    if x.size <= SMALL:
        return list(np.eye(x.size).reshape(x.size, *x.shape))
    dense = [rng.standard_normal(x.shape) for _ in range(3)]
    single = np.zeros((5, x.size))
    single[np.arange(5), rng.integers(x.size, size=5)] = 1
    return dense + list(single.reshape(5, *x.shape))


@pytest.mark.parametrize("dtype", DTYPES)
def test_right_ones_are_right(dtype):
    # measured: 1.3e-15 and 3e-6 at the most; both leave room for another order of summation
    allowed = 1e-13 if dtype == "float64" else SMALLEST[dtype] / 10
    rng = np.random.default_rng(5)
    for case in right_cases(dtype):
        (cotangent,) = cotangents(case, 1, 3)
        for place, (x, gradient) in enumerate(
            zip(case.inputs, case.vjp(cotangent, *case.inputs), strict=True)
        ):
            for v in directions(x, rng):
                expected = complex_step(case, place, v, cotangent)
                found = float(np.sum(gradient.astype(np.float64) * v))
                size = float(np.linalg.norm(gradient.astype(np.float64)))
                assert abs(found - expected) <= allowed * size, (case.name, place, found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_leaves_the_dtype(dtype):
    for case in right_cases(dtype):
        output = np.asarray(case.f(*case.inputs))
        (cotangent,) = cotangents(case, 1, 3)
        gradients = case.vjp(cotangent, *case.inputs)
        for array, like in [(output, output), *zip(gradients, case.inputs, strict=True)]:
            assert array.dtype == dtype, case.name
            assert array.shape == like.shape, case.name
            assert np.isfinite(array).all(), case.name


@pytest.mark.parametrize("dtype", DTYPES)
def test_wrong_ones_are_wrong_by_what_is_said_and_only_where_said(dtype):
    right = {}
    for case in most(dtype):
        (cotangent,) = cotangents(case, 1, 11)
        if not case.wrong:
            right = case.vjp(cotangent, *case.inputs)
            continue
        wrong = case.vjp(cotangent, *case.inputs)
        for place, (bad, good) in enumerate(zip(wrong, right, strict=True)):
            error = relative_difference(bad, good)
            if place == case.hit:
                assert bad.shape == good.shape, case.name
                assert bad.dtype == good.dtype, case.name
                # another cotangent than those measured: a single element may be small under it
                assert error > 0.01 * case.relative_error, (case.name, error)
            else:
                assert error == 0, case.name


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_battery_is_as_large_and_as_fine_as_it_claims(dtype):
    every = battery(dtype)
    errors = np.array([case.relative_error for case in every if case.wrong])
    assert len(every) - len(errors) >= 60
    assert len(errors) >= 700
    assert len({case.name for case in every}) == len(every)
    assert np.isfinite(errors).all()
    assert errors.min() >= 0.99 * SMALLEST[dtype]
    assert (errors < 1.01 * SMALLEST[dtype]).sum() >= 30
    assert all(max(x.size for x in case.inputs) <= 262_144 for case in every)
    assert sum(max(x.size for x in case.inputs) == 262_144 for case in every) >= 50


def test_the_same_seed_gives_the_same_battery():
    def fingerprint(seed):
        some = islice(cases("float32", seed), 100)
        return [(case.name, case.relative_error, float(case.inputs[0].sum())) for case in some]

    first = fingerprint(0)
    assert first == fingerprint(0)
    assert first != fingerprint(1)


def test_every_general_mutation_is_used():
    offered = {name for name, _ in mutations(np.ones((2, 2, 3, 3)), SMALLEST["float64"], 0)}
    assert offered <= {case.mutation for case in battery("float64")}


def test_inputs_are_not_overwritten():
    for case in most("float32"):
        (cotangent,) = cotangents(case, 1, 11)
        before = [x.copy() for x in (cotangent, *case.inputs)]
        case.vjp(cotangent, *case.inputs)
        for x, kept in zip((cotangent, *case.inputs), before, strict=True):
            assert np.array_equal(x, kept), case.name


def test_the_score_counts_and_lists():
    chosen = [case for case in battery("float64") if case.name.startswith("cube (1,)")]

    def says_fail(case):
        case.f(*case.inputs)
        return Judgement("fail", "because", 0)

    def gives_up(case):
        raise ZeroDivisionError("no")

    text = summary(judge_all(chosen, says_fail))
    assert f"caught                {len(chosen) - 1:5}" in text
    assert "false alarm               1" in text
    assert "median 1, max 1" in text
    assert "- false alarm (at input 0): cube (1,) [error 0.0e+00, 1 calls]: because" in text
    assert "ZeroDivisionError: no" in summary(judge_all(chosen, gives_up))
    assert summary([]) == "no case"


def some(dtype):
    """Every right one of a few hundred elements, and every fifth of the wrong ones."""
    small = [case for case in battery(dtype) if max(x.size for x in case.inputs) <= 400]
    return [case for case in small if not case.wrong] + [case for case in small if case.wrong][::5]


def test_gradcheck_judges_a_part_of_it_rightly():
    outcomes = list(judge_all(some("float64"), JUDGES["gradcheck"]()))
    kinds = [outcome.kind for outcome in outcomes]
    assert not [outcome for outcome in outcomes if outcome.kind in ("let through", "false alarm")]
    assert not any(kind.startswith("error") for kind in kinds)
    # the one that gives up is σ(30): f's own rounding hides what is asked for
    assert kinds.count("inconclusive, right") + kinds.count("inconclusive, wrong") <= 3


def test_another_judge_lets_through_what_gradcheck_does_not():
    outcomes = list(judge_all(some("float64"), JUDGES["autograd"]()))
    assert sum(outcome.kind == "let through" for outcome in outcomes) >= 10


def test_the_command_prints_the_score(capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.battery.__main__.cases", lambda dtype, seed: battery(dtype))
    assert main(["--only", "gaussian (300,): input 0: missing"]) == 0
    printed = capsys.readouterr().out
    assert "1 wrong and 0 right gradients" in printed
    assert "caught                    1" in printed
