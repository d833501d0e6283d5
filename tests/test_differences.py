"""Finite differences: the order of the extrapolation, the balance of the step, and a bound that holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.functions import draw
from gradcheck.check import check_vjp
from gradcheck.estimate import Finding
from gradcheck.probes import differences
from gradcheck.probes import richardson as reading
from gradcheck.probes.differences import _Search, convergence, probe
from gradcheck.probes.field import FieldLine
from gradcheck.probes.line import ScalarLine
from gradcheck.probes.richardson import kinked, read, richardson, settled


def one(f, **options):
    ((estimate, _),) = probe(ScalarLine(f), **options)
    return estimate


# The table


@pytest.mark.parametrize(("power", "columns"), [(2, 6), (1, 6)])
def test_each_column_removes_one_power_at_uneven_steps(power, columns):
    steps = np.array([0.9, 0.4, 0.21, 0.1, 0.052, 0.02])
    for count in range(1, columns + 1):
        series = 3.0 + sum((k + 1.0) * steps ** (power * k) for k in range(1, count))
        table = richardson(steps, series, power)
        np.testing.assert_allclose(table.values[count - 1 :, count - 1], 3.0, rtol=1e-13)
        if count > 2:
            assert abs(table.values[count - 1, count - 2] - 3.0) > 1e-10


def test_weights_bound_what_errors_of_one_can_do():
    steps = np.array([0.8, 0.4, 0.2, 0.1])
    rng = np.random.default_rng(0)
    for power in (1, 2):
        # forward differences carry the error of φ(0) too, hence twice as much
        errors = rng.choice([-1.0, 1.0], (200, 4)) * (2 / power)
        for error in errors:
            table = richardson(steps, error / steps, power)
            lower = np.tril(np.ones((4, 4), bool))
            assert (np.abs(table.values)[lower] <= table.weights[lower] * (1 + 1e-12)).all()


def test_rows_that_skip_oscillations_are_not_settled():
    steps = 0.5 ** np.arange(10.0)
    table = richardson(steps, np.sin(40 * steps) / steps, 2)
    first = settled(table, 1e-15)
    assert 3 <= first <= 6
    assert settled(richardson(steps, np.sin(0.4 * steps) / steps, 2), 1e-15) == 0
    assert settled(richardson(steps, np.sin(1e5 * steps) / steps, 2), 1e-15) == len(steps)


def test_a_kink_is_told_from_curvature():
    steps = 0.5 ** np.arange(8.0)
    assert kinked(steps, np.abs(steps), 1e-16)
    assert not kinked(steps, steps**2, 1e-16)
    assert not kinked(steps, 1e-12 * np.abs(steps), 1e-10)


def test_nothing_is_read_from_the_flat_of_a_staircase():
    steps = 0.5 ** np.arange(8.0)
    samples = np.where(steps[:, None] > 0.2, [[1.0, -1.0]], 0.0)
    assert math.isinf(read(steps, samples, 1e-16, 1e-16).estimate.bound)


# The probe


@pytest.mark.parametrize("kind", ["central", "forward"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_steps_are_found_whatever_the_scale_of_the_function(kind, scale):
    estimate = one(lambda t: math.sin(1 + t / scale), kind=kind)
    truth = math.cos(1) / scale
    assert abs(estimate.value - truth) <= estimate.bound <= {"central": 1e-6, "forward": 1e-3}[kind] * truth
    assert estimate.method == "differences"
    assert estimate.noise + estimate.truncation == pytest.approx(estimate.bound)


def test_round_off_is_balanced_against_truncation():
    smooth = one(lambda t: math.exp(t))
    rough = one(lambda t: math.exp(t) + 1e-7 * math.sin(1e12 * t))
    assert rough.step >= smooth.step / 4
    assert abs(rough.value - 1) <= rough.bound
    assert rough.bound > 1e5 * smooth.bound
    assert smooth.noise < 1e-11


def test_a_given_step_is_the_step():
    taken = []
    estimate = one(lambda t: (taken.append(t), math.exp(t))[1], step=0.3)
    assert sorted(taken)[-1] == pytest.approx(0.3, rel=1e-3)
    assert sorted(taken)[0] == -sorted(taken)[-1]
    assert estimate.evaluations <= 2 * differences.GIVEN_ROWS + 1
    # five rows end while truncation still rules, so that what they call noise is mostly that
    assert abs(estimate.value - 1) <= estimate.bound < 1e-6


def test_several_cotangents_at_once_against_a_naive_sum():
    rng = np.random.default_rng(0)
    x, v, cotangents = rng.normal(size=4), rng.normal(size=4), rng.normal(size=(3, 4))
    line = FieldLine(np.tanh, x, v, cotangents)
    for weights, (estimate, exponent) in zip(cotangents, probe(line), strict=True):
        taken = line.steps.taken(exponent)
        truth = sum(w * t * (1 - math.tanh(p) ** 2) for w, t, p in zip(weights, taken, x, strict=True))
        assert abs(estimate.value - truth) <= estimate.bound <= 1e-8


@pytest.mark.parametrize(("dtype", "outside"), [("float64", 0.005), ("float32", 0.005)])
def test_the_bound_holds_on_random_functions(dtype, outside):
    missed = seen = 0
    # 0.1 % of 20,000, on others
    for seed in range(200_000, 200_400):
        problem = draw(seed, None, dtype)
        line = FieldLine(problem.f, np.asarray(problem.x), np.asarray(2.0**0.5))
        with np.errstate(all="ignore"):
            ((estimate, exponent),) = probe(line, start=line.scale() / 4)
        if math.isfinite(estimate.bound):
            seen += 1
            truth = problem.derivative * float(line.steps.taken(exponent))
            missed += not abs(estimate.value - truth) <= estimate.bound
    assert seen >= 340
    assert missed <= outside * seen


def test_a_domain_that_ends_is_stepped_back_from():
    estimate = one(lambda t: math.log(1e-3 + t) if t > -1e-3 else math.nan)
    assert abs(estimate.value - 1e3) <= estimate.bound < 1e-3
    assert one(lambda t: math.nan).finding is Finding.NOT_FINITE
    assert math.isinf(one(lambda t: math.nan).bound)


def test_a_kink_at_the_point_has_no_derivative_but_two_one_sided_ones():
    assert one(abs).finding is Finding.KINK
    assert math.isinf(one(abs).bound)
    right = one(abs, kind="forward")
    assert abs(right.value - 1) <= right.bound


def test_a_jump_at_the_point_has_no_derivative():
    estimate = one(lambda t: math.sin(t) + (t > 0))
    assert math.isinf(estimate.bound) or estimate.bound > 1e3


def test_fine_structure_under_a_steep_rise_is_not_taken_for_noise():
    estimate = one(lambda t: 1e6 * t + math.tanh(1e7 * t))
    assert abs(estimate.value - 1.1e7) <= estimate.bound


def test_a_constant_is_constant():
    estimate = one(lambda t: 3.0)
    assert (estimate.value, estimate.finding) == (0.0, Finding.CONSTANT)


def test_no_more_is_spent_than_the_budget_and_a_table():
    for budget in (22, 50, 90):
        assert one(lambda t: math.sin(1e5 * t), budget=budget).evaluations <= budget + 1 + 2 * len(
            differences.RUNGS
        )


def test_it_can_take_the_place_of_the_spectral_probe():
    x = np.linspace(-2.0, 2.0, 6).reshape(2, 3)
    right = check_vjp(np.sin, lambda c, x: c * np.cos(x), (x,), method="differences")
    wrong = check_vjp(np.sin, lambda c, x: c * np.cos(x) * 1.01, (x,), method="differences")
    assert (right.verdict, wrong.verdict) == ("pass", "fail")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kind": "backward"},
            "differences: no such kind\n  kind = 'backward', wanted one of central, forward",
        ),
        (
            {"step": -1.0},
            "differences: step is not a length\n  step = -1.0, wanted a finite number above 0",
        ),
        (
            {"start": math.inf},
            "differences: start is not a length\n  start = inf, wanted a finite number above 0",
        ),
        (
            {"step": math.nan},
            "differences: step is not a length\n  step = nan, wanted a finite number above 0",
        ),
    ],
)
def test_wrong_calls_are_told_so(options, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the whole text is compared)
        one(math.exp, **options)
    assert str(error.value) == message


# The classic plot


def test_errors_fall_by_their_order_and_rise_by_round_off():
    coarse, fine = convergence(math.exp, [2.0**-3, 2.0**-5], truth=1.0)
    assert coarse.forward / fine.forward == pytest.approx(4, rel=0.1)
    assert coarse.central / fine.central == pytest.approx(16, rel=0.1)
    assert coarse.extrapolated / fine.extrapolated == pytest.approx(256, rel=0.1)
    best, tiny = convergence(math.exp, [1e-5, 1e-12], truth=1.0)
    assert tiny.central > 1e3 * best.central
    assert [row.step for row in (coarse, tiny)] == [2.0**-3, 1e-12]


def test_without_a_truth_the_spectral_probe_is_asked():
    given = convergence(math.sin, [1e-1, 1e-2], truth=1.0)
    asked = convergence(math.sin, [1e-1, 1e-2])
    for a, b in zip(given, asked, strict=True):
        assert a.central == pytest.approx(b.central, rel=1e-6)


def test_steps_of_the_plot_are_lengths():
    with pytest.raises(ValueError, match="differences: step is not a length"):
        convergence(math.sin, [0.0])


#: What is left out of the rules, and a function whose bound it breaks.
RULES = {
    "an entry foretells what is closer": (_Search, "verify", lambda *_: None, "central", 605, "plateau"),
    "and on the other side": (_Search, "verify", lambda *_: None, "forward", 792, "steep"),
    "a constant is one further out": (
        _Search,
        "doubt_constants",
        lambda *_: None,
        "forward",
        358,
        "saturated",
    ),
    "a shift of the point changes the slope": (reading, "QUIETER", np.inf, "central", 5328, "extremum"),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_needed(rule, monkeypatch):
    where, name, without, kind, seed, family = RULES[rule]
    problem = draw(seed, family, "float64")

    def held():
        line = FieldLine(problem.f, np.asarray(problem.x), np.asarray(abs(float(problem.x)) or 1.0))
        with np.errstate(all="ignore"):
            ((estimate, exponent),) = probe(line, kind=kind)
        return abs(estimate.value - problem.derivative * float(line.steps.taken(exponent))) <= estimate.bound

    assert held()
    monkeypatch.setattr(where, name, without)
    assert not held()


def test_in_few_digits_forward_differences_claim_nothing():
    line = FieldLine(np.sin, np.float16(1.0), np.asarray(1.0))
    assert math.isinf(probe(line, kind="forward")[0][0].bound)
    assert math.isfinite(probe(line)[0][0].bound)
