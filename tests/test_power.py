"""The power that a certificate states: errors of that size, seeded through the same checks, do not pass."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from gradcheck import Verdict, certify, check_vjp
from gradcheck.case import Case
from gradcheck.operation import Input, Operation
from gradcheck.power import Power, power_of
from gradcheck.strategies import cases, sizes


@pytest.mark.parametrize("count", [1, 2, 3, 25])
@pytest.mark.parametrize("chance", [1e-9, 0.05])
def test_directions_miss_the_error_with_that_chance(count, chance):
    thresholds = np.random.default_rng(count).uniform(1, 3, count) * 1e-12
    found = power_of(thresholds, 100, chance=chance)
    hidden = math.prod(math.erf(t / found.norm / math.sqrt(2)) for t in thresholds)
    assert hidden == pytest.approx(chance, rel=1e-9)
    assert found.element == pytest.approx(10 * found.norm)


def test_thresholds_of_any_size_are_told_apart():
    assert power_of([1e-300], 1).norm == pytest.approx(1e-300 * math.sqrt(2 / math.pi) * 1e9, rel=1e-6)
    assert power_of([math.inf, 1e-3], 1) == power_of([1e-3], 1)
    assert power_of([0.0, 1.0], 1).norm == 0.0
    assert power_of([1e-12] * 2, 1, missed=1e-6).norm < power_of([1e-12] * 2, 1).norm


def test_nothing_certain_is_infinite():
    assert power_of([math.inf], 3) == Power(math.inf, math.inf)
    assert power_of([], 3, missed=0.5).norm == math.inf


# The claim, tried: at a chance that can be counted


def f(x):
    return np.sum(np.sin(x) * np.cumsum(x))


def gradient(x):
    return np.cos(x) * np.cumsum(x) + np.cumsum(np.sin(x)[::-1])[::-1]


def right(c, x):
    return (c * gradient(x),)


def mutant(error, size):
    """Wrong by an error in that direction, of that size beside the gradient, and as linear as the right one."""

    def wrong(c, x):
        g = gradient(x)
        return (c * (g + size * np.linalg.norm(g) * error / np.linalg.norm(error)),)

    return wrong


CHANCE, TRIALS = 0.2, 300


@pytest.mark.parametrize("single", [False, True])
def test_mutants_of_that_size_pass_as_seldom_as_is_said(single):
    """One direction each, and a chance of one in five, so that many do pass."""
    x = np.random.default_rng(0).standard_normal(60)
    missed = 0
    for seed in range(TRIALS):
        settings = {"seed": seed, "directions": 1, "conduct": False, "explain": False}
        power = power_of(check_vjp(f, right, (x,), **settings).thresholds, x.size, chance=CHANCE)
        error = (
            np.eye(x.size)[seed % x.size] if single else np.random.default_rng(seed).standard_normal(x.size)
        )
        size = power.element / math.sqrt(x.size) if single else power.norm
        missed += check_vjp(f, mutant(error, size), (x,), **settings).verdict is Verdict.PASS
    assert missed > 0, "errors of that size are so seldom missed that the statement says too little"
    # no more than is said: a bound is an allowance, not all of which noise uses up
    assert binomtest(missed, TRIALS, CHANCE, alternative="greater").pvalue > 1e-3


def test_mutants_of_the_size_that_a_check_states_do_not_pass():
    x = np.random.default_rng(1).standard_normal(40)
    for seed in range(40):
        power = check_vjp(f, right, (x,), seed=seed).power
        assert power.norm < 1e-3  # by one direction, since that sees so much
        error = np.random.default_rng(seed).standard_normal(x.size)
        assert check_vjp(f, mutant(error, power.norm), (x,), seed=seed).verdict is not Verdict.PASS


# In a certificate

CUBE = Operation(
    "cube",
    "x³, element by element",
    (Input("x", ("n",), "numbers"),),
    lambda x: x * x * x,
    cases(lambda draw: Case({"x": (draw(sizes(2, 9)),)})),
)


class Cubes:
    class cube:  # noqa: N801  named after its operation
        forward = staticmethod(lambda x: x**3)
        vjp = staticmethod(lambda c, x: (3 * x**2 * c,))


def test_all_cases_of_a_row_count_together():
    few, many = (
        next(row for row in certify(Cubes, examples=n, catalogue={"cube": CUBE}).results if row.input == "x")
        for n in (1, 8)
    )
    assert 0 < many.power.norm < few.power.norm / 1e3
    assert many.power.norm < many.power.element < 3 * math.sqrt(9) * many.power.norm


def test_exact_evidence_of_many_cases_leaves_no_error():
    row = next(r for r in certify("reference", ["upsample"], examples=8).results if r.input == "x")
    assert row.power == Power(0.0, 0.0)
