"""derivative, gradient and jacobian against closed forms, their bounds, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradcheck.estimate import Finding
from gradcheck.oracle import derivative, gradient, jacobian
from gradcheck.probes.elements import ElementLine


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def holds(estimate, truth, relative):
    """The truth within the bound, and the bound no larger than this share of the largest element."""
    error = np.abs(estimate.value - truth)
    assert np.shape(estimate.value) == np.shape(estimate.bound) == np.shape(truth)
    assert (error <= estimate.bound).all()
    assert np.max(estimate.bound) <= relative * np.max(np.abs(truth))


# One direction


def test_a_derivative_has_the_shape_of_the_output():
    x, v, a = normal(4, 5), normal(4, 5, seed=1), normal(5, 3)
    holds(derivative(lambda x: np.tanh(x @ a), x, v), (1 - np.tanh(x @ a) ** 2) * (v @ a), 1e-9)
    holds(derivative(lambda x: np.sum(np.exp(x)), x, v), np.sum(np.exp(x) * v), 1e-9)
    holds(derivative(lambda t: np.array([[t], [t**2]]), 3.0), np.array([[1.0], [6.0]]), 1e-9)


def test_a_float_gives_a_float():
    estimate = derivative(lambda t: math.sin(t), 1.0)
    assert np.shape(estimate.value) == ()
    assert isinstance(estimate.value, float)
    holds(estimate, math.cos(1.0), 1e-10)


def test_the_direction_is_the_one_asked_for_where_steps_are_rounded():
    # at 1e8 no step along these is exact: what is left of the direction is measured as well
    x, v = np.array([1.0, 1e8, -1e8 / 3]), np.array([1e-3, 1.0 / 3, 0.7])
    scale = np.array([1.0, 1e-8, 1e-8])
    holds(derivative(lambda x: np.sin(x * scale), x, v), np.cos(x * scale) * scale * v, 1e-7)


def test_outputs_of_every_size_are_known_to_their_own_digits():
    sizes = 10.0 ** np.arange(-12, 13, 4)
    estimate = derivative(lambda t: sizes * np.sin(t), 1.0)
    truth = sizes * math.cos(1.0)
    assert (np.abs(estimate.value - truth) <= estimate.bound).all()
    assert (estimate.bound <= 1e-8 * np.abs(truth)).all()


def test_an_output_faster_than_the_others_gets_its_own_search():
    rates = np.array([1.0, 1e4])
    truth = rates * np.cos(rates)
    estimate = derivative(lambda t: np.sin(rates * t), 1.0)
    assert (np.abs(estimate.value - truth) <= estimate.bound).all()
    assert (estimate.bound <= 1e-7 * np.abs(truth)).all()


def test_many_outputs_need_no_square_matrix():
    x = normal(3000)
    line = ElementLine(np.sin, x, np.ones(3000))
    sample = line.sample(1, -20)
    assert line.cotangents is None
    assert sample.values.shape == sample.floor.shape == (3001,)
    assert sample.values[0] == pytest.approx(line.driver @ sample.values[1:])


def test_a_zero_direction_has_a_zero_derivative():
    estimate = derivative(np.exp, np.ones(3), 0.0)
    np.testing.assert_array_equal(estimate.value, np.zeros(3))


@pytest.mark.parametrize(("dtype", "relative"), [(np.float16, 0.5), (np.float32, 1e-4), (np.float64, 1e-9)])
def test_dtypes_are_kept_on_the_way_in(dtype, relative):
    x, seen = np.linspace(0.2, 2, 5).astype(dtype), set()

    def f(x):
        seen.add(np.asarray(x).dtype)
        return np.sum(np.sin(x))

    holds(gradient(f, x), np.cos(x.astype(np.float64)), relative)
    assert seen == {np.dtype(dtype)}
    holds(derivative(np.sin, dtype(1)), math.cos(1), relative)


def test_whole_numbers_are_taken_for_float64():
    holds(derivative(lambda t: t**3, 2), 12.0, 1e-10)


def test_evaluations_are_counted():
    calls = []
    estimate = gradient(lambda x: (calls.append(1), np.sum(np.sin(x)))[1], normal(6))
    assert estimate.evaluations == len(calls) <= 6 * 3 * 60 + 1


# Gradients and Jacobians


def test_gradient_against_a_closed_form():
    x, a = normal(3, 4), normal(4, 4)
    holds(gradient(lambda x: np.sum((x @ a) ** 2) / 2, x), x @ a @ a.T, 1e-9)


def test_elements_of_every_size_get_steps_of_their_own():
    x = np.array([1e-8, 3.0, 2e8])
    estimate = gradient(lambda x: np.sum(np.log(x)), x)
    assert (np.abs(estimate.value - 1 / x) <= estimate.bound).all()
    assert (estimate.bound <= 1e-6 / x).all()


def test_gradient_of_a_number():
    estimate = gradient(math.exp, 0.5)
    assert np.shape(estimate.value) == ()
    holds(estimate, math.exp(0.5), 1e-10)


def test_an_output_of_one_element_is_a_number():
    holds(gradient(lambda x: np.array([np.sum(x**2)]), np.array([1.0, 2.0])), np.array([2.0, 4.0]), 1e-9)


def test_jacobian_against_a_naive_loop():
    x, a = normal(2, 3), normal(3, 2)
    truth = np.zeros((2, 2, 2, 3))
    for n in range(2):
        for m in range(2):
            slope = 1 - math.tanh(sum(x[n, k] * a[k, m] for k in range(3))) ** 2
            for k in range(3):
                truth[n, m, n, k] = slope * a[k, m]
    estimate = jacobian(lambda x: np.tanh(x @ a), x)
    assert estimate.value.shape == (2, 2, 2, 3)
    holds(estimate, truth, 1e-9)


def test_jacobian_of_a_scalar_function_is_its_gradient():
    x = normal(5)
    np.testing.assert_array_equal(
        jacobian(lambda x: np.sum(np.sin(x)), x).value, gradient(lambda x: np.sum(np.sin(x)), x).value
    )


# Where there is no derivative


def test_a_kink_in_one_element_leaves_the_others_known():
    estimate = gradient(lambda x: abs(x[0]) + x[1] ** 2, np.array([0.0, 3.0]))
    assert math.isinf(estimate.bound[0])
    assert abs(estimate.value[1] - 6.0) <= estimate.bound[1] < 1e-8
    assert estimate.finding is Finding.KINK


def test_nothing_is_claimed_where_f_is_not_finite():
    with np.errstate(all="ignore"):
        estimate = derivative(np.log, -1.0)
    assert math.isinf(estimate.bound)
    assert estimate.finding is Finding.NOT_FINITE


# What is refused


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: derivative(np.sin, 1j),
            TypeError,
            "derivative: x is not an array of real numbers\n  x.dtype = complex128, wanted ",
        ),
        (
            lambda: gradient(np.sum, [1.0, np.nan]),
            ValueError,
            "gradient: x is not finite\n  x[1] = nan, wanted a finite number\n",
        ),
        (
            lambda: jacobian(np.sin, np.zeros((0, 2))),
            ValueError,
            "jacobian: x is empty\n  x.shape = (0, 2), wanted at least one element\n",
        ),
        (
            lambda: derivative(np.sin, np.ones((2, 3)), np.ones(2)),
            ValueError,
            "derivative: the direction does not fit the point\n  direction.shape = (2,), wanted (2, 3), "
            "the shape of x, or a number\n  a direction moves every element of x",
        ),
        (
            lambda: derivative(np.sin, np.ones(2), [1.0, np.inf]),
            ValueError,
            "derivative: direction is not finite\n  direction[1] = inf",
        ),
        (
            lambda: gradient(np.sin, np.ones(2)),
            ValueError,
            "gradient: f does not return one number\n  f(x).shape = (2,), wanted () or one element\n"
            "  the derivative of an array in every element of x is its jacobian",
        ),
        (
            lambda: jacobian(lambda x: x > 0, np.ones(2)),
            TypeError,
            "jacobian: f does not return real floating numbers\n  f(*inputs).dtype = bool, wanted ",
        ),
        (
            lambda: gradient(np.sum, np.ones(2), budget=0),
            ValueError,
            "gradient: budget is not positive\n  budget = 0, wanted a number above 0",
        ),
    ],
)
def test_wrong_calls_are_told_so(call, kind, message):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).startswith(message)
