"""The complex step where it applies, and every way in which code silently does not take complex numbers."""

from __future__ import annotations

import math
import warnings

import mpmath
import numpy as np
import pytest
import scipy.special

from benchmarks.functions import draw
from gradcheck.estimate import Estimate
from gradcheck.probes import complex_step, spectral
from gradcheck.probes.field import FieldLine


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


X = normal(3, 4)
V = normal(3, 4, seed=1)


def line_of(f, x=X, v=V, channels=3):
    cotangents = normal(channels, *np.shape(f(x)), seed=2)
    return FieldLine(f, x, v, cotangents)


def reason(f, x=X, v=V):
    found = complex_step.probe(line_of(f, x, v))
    assert not found.applies
    assert found.estimates == ()
    return found.reason


# Where it applies


def test_several_cotangents_at_once_against_a_naive_sum():
    line = line_of(lambda x: np.exp(x @ x.T))
    found = complex_step.probe(line)
    assert found.applies
    assert found.reason == ""
    inner = [[sum(X[i, k] * X[j, k] for k in range(4)) for j in range(3)] for i in range(3)]
    for weights, estimate in zip(line.cotangents, found.estimates, strict=True):
        truth = mpmath.mpf(0)
        for i in range(3):
            for j in range(3):
                slope = sum(mpmath.mpf(V[i, k]) * X[j, k] + mpmath.mpf(X[i, k]) * V[j, k] for k in range(4))
                exact = sum(mpmath.mpf(X[i, k]) * X[j, k] for k in range(4))
                assert abs(float(exact) - inner[i][j]) < 1e-14
                truth += weights[i, j] * mpmath.exp(exact) * slope
        assert abs(estimate.value - float(truth)) <= estimate.bound <= 1e-13 * abs(float(truth))
        assert estimate.method == "complex step"


def test_one_evaluation_gives_the_value_and_moves_pay_for_the_bound():
    calls = []
    line = line_of(lambda x: (calls.append(x.dtype.kind), np.sin(x))[1])
    calls.clear()
    found = complex_step.unchecked(line, moves=0)
    assert calls == ["c", "f"]  # the second for the shape that a real point gives
    assert found.evaluations == 2
    line.evaluations, before = 0, len(calls)
    assert complex_step.unchecked(line, moves=8).evaluations == len(calls) - before == 9


def test_the_cross_check_may_be_handed_in():
    line = line_of(np.tanh)
    reference = spectral.probe(line, start=line.scale() / 4)
    before = line.evaluations
    found = complex_step.probe(line, reference=reference)
    assert found.applies
    assert found.evaluations == line.evaluations - before <= 2 + complex_step.MOVES + len(reference)


def test_a_scalar_function_needs_no_cotangents():
    (slope,) = complex_step.probe(FieldLine(np.exp, np.array(0.5), np.array(2.0))).estimates
    assert abs(slope.value - 2 * math.exp(0.5)) <= slope.bound <= 1e-14


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-8, 1.0, 1e8])
def test_the_step_follows_the_size_of_the_point(dtype, size):
    x = (X * size).astype(dtype)
    line = line_of(lambda x: np.sin(x / dtype(size)), x, V * size)
    taken = complex_step.taken(line)
    for weights, estimate in zip(line.cotangents, complex_step.probe(line).estimates, strict=True):
        truth = float(
            (weights * np.cos(x.astype(float) / float(dtype(size))) * taken / float(dtype(size))).sum()
        )
        assert abs(estimate.value - truth) <= estimate.bound <= 200 * np.finfo(dtype).eps


@pytest.mark.parametrize(("dtype", "wanted"), [(np.float32, "complex64"), (np.float64, "complex128")])
def test_the_complex_dtype_is_that_of_the_point(dtype, wanted):
    seen = set()
    line = line_of(lambda x: (seen.add(str(x.dtype)), np.sin(x))[1], X.astype(dtype))
    seen.clear()
    assert complex_step.unchecked(line).applies
    assert seen == {wanted, np.dtype(dtype).name}


def test_the_point_may_be_the_origin():
    assert complex_step.probe(line_of(np.sinh, np.zeros(5), normal(5))).applies


def test_nothing_warns_and_inputs_stay_as_they_are():
    kept = X.copy()

    def noisy(x):
        warnings.warn("mind the step", stacklevel=1)
        return np.log(x - 10.0 + 20.0)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        line = FieldLine(noisy, X, V, normal(1, 3, 4))
        line.centre = np.log(X + 10.0)
        assert complex_step.unchecked(line).applies
    assert seen == []
    np.testing.assert_array_equal(X, kept)


# A bound that holds


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_bound_holds_on_random_functions(dtype):
    outside = seen = 0
    for seed in range(200_000, 200_400):
        problem = draw(seed, None, dtype)
        line = FieldLine(problem.f, np.asarray(problem.x), np.asarray(1.0))
        with np.errstate(all="ignore"):
            found = complex_step.probe(line)
        if found.applies:
            seen += 1
            outside += not abs(found.estimates[0].value - problem.derivative) <= found.estimates[0].bound
    assert outside == 0
    assert seen >= 200


def test_rounding_of_a_large_argument_is_in_the_bound():
    x = np.array(0.9123456789)
    (slope,) = complex_step.probe(FieldLine(lambda t: np.sin(1e8 * t), x, np.array(1.0))).estimates
    truth = float(1e8 * mpmath.cos(mpmath.mpf(float(x)) * 10**8))
    assert abs(slope.value - truth) <= slope.bound
    assert slope.bound > 1e-9 * abs(truth)  # u · 1e8: one call alone would claim 1e-15


# Where it does not, and says so


def conjugated(x):
    return np.conj(x) * x


def dropped(x):
    out = np.empty(x.shape)
    out[...] = x
    return out * x


def branching(x):
    return x**2 if np.iscomplexobj(x) else x**3


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: np.abs(x) * x, "f is not analytic: the complex step gives "),
        (conjugated, "f is not analytic: the complex step gives "),
        (lambda x: x.real * np.exp(x), "f is not analytic: the complex step gives "),
        (lambda x: np.sqrt(np.sum(np.abs(x) ** 2)) + x, "f is not analytic: the complex step gives "),
        (lambda x: x.real + 0j * x, "f returns complex128, not real numbers, for float64 input"),
        (branching, "f is not analytic: the complex step gives "),
        (np.abs, "f returns float64, not complex numbers, for complex128 input"),
        (lambda x: np.linalg.norm(x, axis=1), "f returns float64, not complex numbers, for complex128 input"),
        (dropped, "f drops the imaginary part: Casting complex values to real discards the imaginary part"),
        (lambda x: x.astype(x.real.dtype) ** 2, "f drops the imaginary part: Casting complex values"),
        (
            scipy.special.expit,
            "f does not take complex numbers: raised TypeError: ufunc 'expit' not supported",
        ),
        (
            lambda x: np.array([math.sin(t) for t in x.ravel().tolist()]),
            "f does not take complex numbers: raised TypeError",
        ),
        (
            lambda x: np.where(np.iscomplexobj(x), np.nan, 1) * x,
            "f is not finite at, or right beside, x + i h v",
        ),
        (
            lambda x: x[:1] if np.iscomplexobj(x) else x,
            "f returns shape (1, 4) for complex input, (3, 4) for real",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_breaks_it_is_named(f, words):
    assert reason(f).startswith(words)


def test_one_broken_element_of_many_is_seen():
    def f(x):
        y = np.sin(x)
        y[17] = np.abs(y[17])
        return y

    x = np.linspace(-3.0, -1.0, 5000)
    assert reason(f, x, normal(5000)).startswith("f is not analytic")


def test_max_and_comparisons_by_the_real_part_are_analytic_beside_a_tie():
    assert complex_step.probe(line_of(lambda x: np.maximum(x, 0))).applies
    assert complex_step.probe(line_of(lambda x: np.where(x > 0, x, np.expm1(x)))).applies


def test_samples_too_coarse_to_cross_check_with_are_refused():
    line = line_of(np.exp, channels=1)
    (value,) = complex_step.unchecked(line).estimates
    coarse = Estimate(value.value, abs(value.value) * 10, "spectral", step=1.0)
    found = complex_step.probe(line, reference=[(coarse, -10)])
    assert not found.applies
    assert found.reason.startswith("f could not be cross-checked: samples at real points give ")


def test_an_exception_of_the_real_function_is_left_to_the_caller():
    def f(x):
        raise ZeroDivisionError("always")

    found = complex_step.probe(FieldLine(f, X, V, normal(1, 3, 4)))
    assert found.reason == "f does not take complex numbers: raised ZeroDivisionError: always"


@pytest.mark.parametrize(("seed", "family"), [(649, "gaussian"), (1723, "pole")])
def test_what_hides_x_beside_something_larger_is_in_the_bound(seed, family, monkeypatch):
    problem = draw(seed, family, "float32")

    def held():
        line = FieldLine(problem.f, np.asarray(problem.x).reshape(1), np.array([abs(float(problem.x))]))
        found = complex_step.probe(line)
        (estimate,), truth = found.estimates, problem.derivative * float(complex_step.taken(line)[0])
        return abs(estimate.value - truth) <= estimate.bound

    assert held()
    monkeypatch.setattr(complex_step, "FURTHER", 0)
    assert not held()


def test_a_branch_further_out_is_not_taken_for_rounding():
    line = FieldLine(lambda x: np.where(x.real > 2, 5 * x, 3 * x), np.array([1.0]), np.array([1.0]))
    (estimate,) = complex_step.probe(line).estimates
    assert abs(estimate.value - 3.0) <= estimate.bound < 1e-13
