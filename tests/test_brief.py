"""Brief looks: seven samples bear a claim out, and never contradict one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.calibration import examine
from benchmarks.functions import draw
from gradcheck import check_vjp
from gradcheck.estimate import Estimate
from gradcheck.probes import spectral
from gradcheck.probes.brief import SLACK, Look, brief
from gradcheck.probes.line import ScalarLine
from gradcheck.probes.nodes import chebyshev
from gradcheck.trial import BRIEF, ONE_OF_TWO, RARE
from gradcheck.verdict import Comparison, Verdict

GRID = 1459
NODES = chebyshev(5, GRID)
PLACES = np.array(NODES.positions) / GRID
HALF = BRIEF["float64"]


def seen(f, half=HALF, floor=1e-17, argument=0.0):
    return brief(f(half * PLACES) - f(0.0), floor, argument, NODES, half)


@pytest.mark.parametrize(
    "f", [lambda t: np.sin(1 + t), lambda t: np.exp(3 * t), lambda t: np.tanh(1 + 20 * t)]
)
def test_its_bound_holds_for_what_is_smooth(f):
    found = seen(f).with_misses([0.0, 0.0]).estimate
    h = 1e-30
    right = float(np.imag(f(np.complex128(1j * h)))) / h
    assert abs(found.value - right) <= found.bound <= 1e-6 * abs(right)


def test_truncation_is_no_less_than_that_of_a_pole():
    """Of 1/(1 − t/ρ) with the slope 1/ρ, at lengths where five samples leave out ever more."""
    for bits in range(3, 12):
        rho = 2.0**bits * HALF
        found = seen(lambda t, rho=rho: 1 / (1 - t / rho), floor=1e-16).estimate
        assert abs(found.value - 1 / rho) <= found.bound


def test_noise_is_as_large_as_what_samples_between_miss_by():
    found = seen(np.sin)
    told = found.with_misses([1e-12, 3e-12]).estimate
    assert told.noise == pytest.approx(8 * 3e-12 * found.norm)
    assert told.bound > found.estimate.bound


def test_what_bends_evenly_and_does_not_fall_is_no_curve():
    """A spike at the centre, which the value there alone has seen."""
    values = np.sin(HALF * PLACES) - 1e-9 * (PLACES != 0)
    assert math.isinf(brief(values, 1e-17, 0.0, NODES, HALF).estimate.bound)
    assert math.isfinite(brief(np.sin(HALF * PLACES), 1e-17, 0.0, NODES, HALF).estimate.bound)


def test_constants_and_kinks_are_left_to_a_search():
    assert math.isinf(seen(lambda t: 0.0 * t).estimate.bound)
    assert math.isinf(seen(abs).estimate.bound)


def looked(f, agrees, bound=1e-9, **options):
    asked = []

    def counted(t):
        asked.append(t)
        return f(t)

    look = Look(HALF, agrees, bound)
    ((estimate, _),) = spectral.probe(ScalarLine(counted), look=look, need=1e-6, **options)
    return estimate, len(asked)


def test_where_it_agrees_seven_calls_are_all():
    estimate, calls = looked(lambda t: math.sin(1 + t), lambda *_: True)
    assert estimate.points == 5
    assert calls == 7
    assert abs(estimate.value - math.cos(1)) <= estimate.bound


def test_where_it_does_not_agree_the_search_begins():
    estimate, calls = looked(lambda t: math.sin(1 + t), lambda *_: False)
    assert estimate.points > 5
    assert calls > 7
    assert abs(estimate.value - math.cos(1)) <= estimate.bound


def test_two_more_are_taken_only_where_five_agree_as_far_as_noise_might_explain():
    slacks = []

    def agrees(estimates, exponent, slack):
        slacks.append(slack)
        return slack > 1

    looked(lambda t: math.sin(1 + t), agrees)
    assert slacks == [SLACK, 1.0]


def test_none_is_taken_where_rounding_at_the_centre_says_as_much_before():
    def never(*_):
        raise AssertionError("asked")

    looked(lambda t: 1e12 + math.sin(1 + t), never)


def test_what_is_the_same_on_all_multiples_of_a_quantum_shows_between_them():
    """An oscillation that turns a whole number of times from one node to the next."""
    quantum = HALF / GRID
    quantum = 2.0 ** round(math.log2(quantum))

    def f(t):
        return math.sin(1 + t) + 1e-9 * math.sin(2 * math.pi * t / quantum)

    bounds = []

    def agrees(estimates, exponent, slack):
        bounds.append(estimates[0].bound)
        return True

    estimate, _ = looked(f, agrees)
    assert bounds[0] < 1e-9
    assert bounds[1] > 1e-6
    assert estimate.bound == bounds[1]


def test_two_directions_miss_what_one_may_as_rarely_as_one_that_stands_alone():
    scale, error = 3.0, 1e-6

    worst = Comparison(1.0, 0.0, Estimate(1.0, ONE_OF_TWO * error * scale), scale)
    assert worst.escapes(2 * error) ** 2 == pytest.approx(RARE, rel=1e-3)


# ---- in a check

RNG = np.random.default_rng(7)
X, W = RNG.standard_normal((6, 5)), RNG.standard_normal((5, 4))


def dense(x, w):
    return np.tanh(x @ w)


def pulled(cotangent, x, w):
    d = cotangent * (1 - dense(x, w) ** 2)
    return d @ w.T, x.T @ d


def test_a_right_layer_takes_two_brief_looks():
    found = check_vjp(dense, pulled, (X, W))
    assert found.passed
    assert found.calls <= 14
    assert found.resolution <= 1e-8


def test_one_is_enough_for_an_error_of_a_thousandth():
    found = check_vjp(dense, pulled, (X, W), wanted=1e-3)
    assert found.passed
    assert found.calls <= 8


@pytest.mark.parametrize("error", [1e-1, 1e-3, 1e-5, 4e-6])
def test_a_wrong_one_fails_by_a_search(error):
    def wrong(cotangent, x, w):
        dx, dw = pulled(cotangent, x, w)
        return dx, dw * (1 + error)

    found = check_vjp(dense, wrong, (X, W))
    assert found.verdict is Verdict.FAIL
    assert found.calls > 14


def test_a_finer_aim_is_met():
    found = check_vjp(dense, pulled, (X, W), aim=1e-10)
    assert found.passed
    assert found.resolution <= 1e-10


def test_bounds_hold_on_random_functions():
    """On all but one of the first 8,000, by less than twice: that one is why nothing fails by them."""
    outcomes = [examine(draw(seed, dtype="float64"), "spectral, in brief") for seed in range(900)]
    used = [o for o in outcomes if math.isfinite(o.bound)]
    assert len(used) > 250
    assert all(o.holds for o in used)


def test_that_one_bears_out_no_wrong_claim_either():
    """What it measures is off by less than two bounds, which the resolution of a pass counts anyway."""
    outcome = examine(draw(7970, dtype="float64"), "spectral, in brief")
    assert not outcome.holds
    assert outcome.miss < 2 * outcome.bound


@pytest.mark.parametrize("wrong", [True, False])
def test_a_search_begins_where_the_claim_was_contradicted(wrong):
    """Not where it merely was not borne out: noise is told from structure on longer segments."""
    places = []

    def noted(t):
        places.append(abs(t))
        return math.sin(1 + t)

    look = Look(HALF, lambda *_: False, math.inf)
    spectral.probe(ScalarLine(noted), look=look, start=0.25, goal=1e-6, contradicts=lambda *_: wrong)
    assert (max(places[5:9]) <= HALF * 1.01) is wrong


def test_even_if_all_that_ends_its_coefficients_were_noise():
    asked = []

    def contradicts(estimate, exponent):
        asked.append(estimate.bound)
        return False

    # two samples between are not asked: the last coefficient of five, 1e-9, is as large as noise may be
    look = Look(HALF, lambda *_: False, math.inf)
    spectral.probe(ScalarLine(lambda t: t + 1e-9 * math.cos(1e6 * t)), look=look, contradicts=contradicts)
    assert asked[0] > 8 * 1e-10 / HALF
