"""Exhibits: what plots show of a gradient is what was claimed and measured, and costs what it may."""

import json
import math
import pickle

import numpy as np
import pytest

from gradcheck import check_vjp
from gradcheck.estimate import Estimate
from gradcheck.exhibit import MOST, Exhibit
from gradcheck.tally import exhibited
from gradcheck.verdict import Budget, Comparison, budget_of

X = np.random.default_rng(7).standard_normal((3, 4))


def negated(cotangent, x):
    return (-cotangent * np.cos(x),)


def shown(f=np.sin, vjp=negated, x=X, exhibit=1000, **options):
    return check_vjp(f, vjp, (x,), exhibit=exhibit, **options).parts[0]


def test_every_element_is_claimed_and_measured_within_its_bound():
    cotangent = np.ones(X.shape)
    exhibit = shown(cotangent=cotangent).exhibit
    right = np.cos(X).ravel()
    assert exhibit.shape == X.shape
    np.testing.assert_array_equal(exhibit.claimed, -right)
    assert (np.abs(np.array(exhibit.measured) - right) <= exhibit.bounds).all()
    assert all(exhibit.wrong)


def test_elements_that_are_right_are_not_called_wrong():
    def first_zeroed(cotangent, x):
        gradient = cotangent * np.cos(x)
        gradient[0] = 0.0
        return (gradient,)

    assert shown(vjp=first_zeroed).exhibit.wrong == (True,) * 4 + (False,) * 8


def test_the_plotted_quotients_have_truncation_at_long_steps_and_rounding_at_short_ones():
    steps = shown().exhibit.steps
    errors = [row.central for row in steps]
    best = int(np.argmin(errors))
    assert [row.step for row in steps] == [2.0**k for k in range(1, -51, -1)]
    assert 0 < best < len(steps) - 1
    assert errors[best] < 1e-8 < min(errors[0], errors[-1])
    # of a smooth f the error of the central quotient falls like h², that of the forward one like h
    middle = next(row for row in steps if row.step == 2.0**-8)
    assert middle.central < middle.forward / 10


def test_the_coefficients_are_those_of_the_direction_that_decided():
    probe = shown().exhibit.probe
    assert probe.method == "spectral"
    slope = sum(c * k * math.sin(k * math.pi / 2) for k, c in enumerate(probe.coefficients)) / probe.step
    assert slope == pytest.approx(probe.value, rel=1e-9)


def test_a_pass_and_a_check_that_was_not_asked_show_nothing():
    assert shown(vjp=lambda c, x: (c * np.cos(x),)).exhibit is None
    assert shown(exhibit=0).exhibit is None


def test_the_verdict_and_its_calls_are_those_of_the_check_without_it():
    plain, with_plots = shown(exhibit=0), shown()
    assert (plain.verdict, plain.wrong, plain.diagnosis) == (
        with_plots.verdict,
        with_plots.wrong,
        with_plots.diagnosis,
    )
    # 12 elements at 4 calls; 52 steps that share their halves, on two sides; and the centre
    assert with_plots.evaluations - plain.evaluations == 12 * 4 + 2 * 53 + 1


@pytest.mark.parametrize(
    ("size", "granted", "why"),
    [
        (MOST + 1, 10**6, "4,097 elements, more than the 4,096 that a certificate keeps"),
        (300, 1000, "300 elements, whose 1,200 calls are more than the 1,000 granted"),
    ],
)
def test_what_is_left_out_is_said(size, granted, why):
    exhibit = shown(x=np.linspace(-1, 1, size), exhibit=granted).exhibit
    assert (exhibit.claimed, exhibit.left_out) == ((), why)
    assert exhibit.probe.coefficients
    assert exhibit.steps


def test_a_function_that_raises_further_out_gives_holes_and_no_error():
    def guarded(x):
        if np.abs(x - 1).max() > 0.5:
            raise ValueError("too far")
        return np.sin(x)

    found = shown(f=guarded, x=np.full(3, 1.0))
    assert found.verdict == "fail"
    assert math.isnan(found.exhibit.steps[0].central)
    assert math.isfinite(found.exhibit.steps[20].central)
    assert exhibited(found.exhibit)["steps"][0]["central"] == "nan"


def test_where_no_derivative_was_found_there_is_no_error_to_plot():
    found = shown(f=np.abs, vjp=lambda c, x: (c * np.sign(x),), x=np.zeros(3))
    assert (found.verdict, found.exhibit.steps) == ("inconclusive", ())
    assert found.exhibit.probe is not None


def test_an_exhibit_travels_and_is_plain_data():
    exhibit = shown().exhibit
    assert pickle.loads(pickle.dumps(exhibit)) == exhibit
    data = json.loads(json.dumps(exhibited(exhibit), allow_nan=False))
    assert data["claimed"] == list(exhibit.claimed)
    assert data["probe"]["coefficients"] == list(exhibit.probe.coefficients)


def test_numbers_that_are_none_are_wrong_and_equal_infinities_are_not():
    inf, nan = math.inf, math.nan
    assert Exhibit((3,), (nan, inf, 1.0), (1.0, inf, nan), (0.1,) * 3, (0.0,) * 3).wrong == (
        True,
        False,
        True,
    )


def test_a_negative_allowance_is_refused():
    with pytest.raises(ValueError, match="check_vjp: exhibit is negative"):
        shown(exhibit=-1)


def test_the_parts_of_a_resolution_add_up_to_it():
    part = shown(vjp=lambda c, x: (c * np.cos(x),))
    assert part.budget.numeric + part.budget.analytic == pytest.approx(part.resolution, rel=1e-12)
    assert min(part.budget.numeric, part.budget.analytic) > 0


def test_without_a_scale_the_parts_are_infinite_as_the_resolution_is():
    comparison = Comparison(0.0, 0.0, Estimate(0.0, 1.0), scale=0.0)
    assert budget_of([[comparison]]) == Budget(math.inf, math.inf) == budget_of([])
    assert comparison.resolution == math.inf
