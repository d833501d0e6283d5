"""Arithmetic on estimates keeps their bounds true, checked in fractions; nothing else about them changes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gradcheck.estimate import Estimate, Finding

settings.register_profile("estimate", deadline=None, max_examples=300)
FIND = settings.get_profile("estimate")

values = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e150, max_value=1e150)
bounds = st.floats(allow_nan=False, min_value=0, max_value=1e150)
places = st.fractions(-1, 1, max_denominator=1000)


@st.composite
def truths(draw):
    """An estimate, and a number that it holds to be possible: anywhere within the bound, ends included."""
    value, bound = draw(values), draw(bounds)
    return Estimate(value, bound), Fraction(value) + draw(places) * Fraction(bound)


def holds(estimate, truth):
    return abs(truth - Fraction(float(estimate.value))) <= Fraction(float(estimate.bound))


@FIND
@given(truths(), truths())
@example((Estimate(1e-20, 1.0), Fraction(1e-20) + 1), (Estimate(0.0, 1e-17), Fraction(1e-17)))
def test_sum_and_difference_hold_what_their_terms_hold(a, b):
    (x, p), (y, q) = a, b
    assert holds(x + y, p + q)
    assert holds(x - y, p - q)
    assert holds(-x, -p)


@FIND
@given(truths(), values)
@example((Estimate(1.0, 0.0), Fraction(1)), 0.1)
@example((Estimate(3e-170, 1e-170), Fraction(2e-170)), 1e-154)  # below the smallest number: 5e-324 or nothing
def test_product_with_a_number_holds_what_its_factor_holds(a, factor):
    x, p = a
    assert holds(x * factor, p * Fraction(factor))
    assert holds(factor * x, p * Fraction(factor))


@FIND
@given(truths(), truths())
def test_overlapping_is_what_two_estimates_of_one_number_do(a, b):
    (x, p), (y, _) = a, b
    same = Estimate(y.value, abs(y.value - float(p)) * 2)  # holds p with room for the rounding of float(p)
    assert x.agrees(same)
    assert x.agrees(x)


@pytest.mark.parametrize(
    ("a", "b", "agree"),
    [
        ((1.0, 0.25), (1.5, 0.25), True),  # the ends touch
        ((1.0, 0.25), (1.5, 0.125), False),
        ((1.0, 0.0), (1.0, 0.0), True),
        ((1.0, 0.0), (np.nextafter(1.0, 2.0), 0.0), False),
        ((1.0, np.inf), (-7.0, 0.0), True),
        ((np.nan, 1.0), (1.0, 1.0), False),
    ],
)
def test_agreement(a, b, agree):
    assert Estimate(*a).agrees(Estimate(*b)) == agree
    assert Estimate(*b).agrees(Estimate(*a)) == agree


def test_arrays_go_element_by_element():
    a = Estimate(np.array([1.0, 2.0]), np.array([0.5, 0.0]))
    b = Estimate(np.array([1.5, 2.5]), np.array([0.0, 0.25]))
    np.testing.assert_array_equal(a.agrees(b), [True, False])
    np.testing.assert_array_equal((a + b).value, [2.5, 4.5])
    assert ((a + b).bound >= [0.5, 0.25]).all()
    np.testing.assert_array_equal((2.0 * a).value, [2.0, 4.0])
    assert ((-2.0 * a).bound >= [1.0, 0.0]).all()


@pytest.mark.parametrize("factor", [0.0, 2.0, -1.0])
def test_nothing_known_stays_nothing_known(factor):
    nothing, something = Estimate(1.0, np.inf), Estimate(2.0, 1e-9)
    assert (nothing * factor).bound == np.inf
    assert (nothing + something).bound == (something - nothing).bound == np.inf


def test_bounds_grow_by_rounding_only():
    # the sum of a bound and of half a unit for value and bound; a bound ten times too wide hides errors
    total = Estimate(1.0, 1e-9) + Estimate(2.0, 1e-9)
    assert total.bound <= 2e-9 + 4 * 3 * np.finfo(float).eps
    assert (Estimate(1.0, 1e-9) * 3.0).bound <= 3e-9 + 4 * 3 * np.finfo(float).eps
    assert (Estimate(0.0, 0.0) + Estimate(0.0, 0.0)).bound <= 5e-324


def test_sum_adds_up_the_parts_of_the_bound_and_the_calls():
    a = Estimate(1.0, 3.0, "spectral", evaluations=9, points=17, step=0.5, noise=1.0, truncation=2.0)
    b = Estimate(1.0, 0.75, "differences", evaluations=4, noise=0.5, truncation=0.25)
    for made in (a + b, a - b):
        assert (made.evaluations, made.noise, made.truncation) == (13, 1.5, 2.25)
        assert (made.method, made.points, made.step) == ("spectral", 17, 0.5)


def test_product_scales_the_parts_of_the_bound():
    made = Estimate(1.0, 3.0, evaluations=9, noise=1.0, truncation=2.0, finding=Finding.KINK) * -2.0
    assert (made.noise, made.truncation, made.evaluations) == (2.0, 4.0, 9)
    assert made.finding is Finding.KINK
