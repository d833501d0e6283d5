"""Ground: in which dtype f is evaluated, and that it is the same function there."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import Verdict, check_vjp
from gradcheck.ground import lifted

RNG = np.random.default_rng(11)
X = RNG.standard_normal((6, 7)).astype(np.float32)


def on(f, *inputs):
    centre = np.asarray(f(*inputs))
    cotangents = np.ones((1, *centre.shape), centre.dtype)
    return lifted(lambda *a: np.asarray(f(*a)), inputs, centre, cotangents, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_function_that_computes_in_what_it_is_given_is_evaluated_in_float64(dtype):
    x = X.astype(dtype)
    ground = on(np.tanh, x)
    assert (ground.inputs[0].dtype, ground.centre.dtype, ground.cotangents.dtype) == (np.float64,) * 3
    assert (ground.output, ground.coarse) == (dtype, dtype)
    assert np.array_equal(ground.inputs[0], x)


def only_float32(x):
    if x.dtype != np.float32:
        raise TypeError("float32 alone")
    return np.sin(x)


def agrees_here_alone(x):
    return np.sin(x) if x.dtype == np.float32 else np.sin(x) + 0.1 * (x - X.astype(np.float64))


STAYING = {
    "computes in float32 whatever it is given": lambda x: np.sin(x.astype(np.float32)),
    "refuses float64": only_float32,
    "another function in float64": lambda x: np.sin(x) if x.dtype == np.float32 else np.cos(x),
    "another one beside the inputs": agrees_here_alone,
    "of another shape": lambda x: np.sin(x) if x.dtype == np.float32 else np.sin(x).ravel(),
    "not finite": lambda x: np.sin(x) if x.dtype == np.float32 else np.sin(x) / np.where(x == x[0, 0], 0, 1),
    "off by a thousandth": lambda x: np.sin(x) * (1 if x.dtype == np.float32 else 1.001),
}


@pytest.mark.parametrize("why", STAYING)
def test_others_stay_where_they_are(why):
    with np.errstate(all="ignore"):
        assert on(STAYING[why], X) is None
        check = check_vjp(STAYING[why], lambda c, x: c * np.cos(x), (X,))
    assert check.verdict is not Verdict.FAIL, str(check)


def test_float64_stays_where_it_is():
    assert on(np.sin, X.astype(np.float64)) is None
    assert on(np.add, X, X.astype(np.float64)) is None


def network(x, w, v):
    return np.maximum(x @ w.T, 0) @ v.T


def backward(c, x, w, v):
    u = x @ w.T
    d = (c @ v) * (u > 0)
    return d @ w, d.T @ x, c.T @ np.maximum(u, 0)


POINT = tuple((RNG.standard_normal(shape) / 3).astype(np.float32) for shape in ((20, 30), (12, 30), (5, 12)))


@pytest.mark.parametrize("by", [1.0, 1.0002, 0.9998])
def test_what_few_digits_cannot_tell_is_told_by_more(by):
    """Kinks so near that no float32 step avoids them, and an error of 2e-4, twice what is of interest."""

    def vjp(c, *inputs):
        assert all(a.dtype == np.float32 for a in (c, *inputs))
        gx, gw, gv = backward(c, *inputs)
        return gx, (gw * by).astype(np.float32), gv

    check = check_vjp(network, vjp, POINT)
    assert [part.passed for part in check.parts] == [True, by == 1.0, True], str(check)
    assert check.verdict is (Verdict.PASS if by == 1.0 else Verdict.FAIL)
    assert {part.dtype for part in check.parts} == {"float32"}
    assert check_vjp(network, vjp, POINT, finer=None).verdict is not Verdict.PASS


def test_a_claim_for_another_function_than_is_called_in_float32_does_not_pass():
    """A float64 path that bears the claim out is no evidence for the float32 one."""

    def f(x):
        return np.sin(x) if x.dtype == np.float32 else np.sin(x) + 0.01 * (x - X.astype(np.float64))

    check = check_vjp(f, lambda c, x: (c * (np.cos(x) + 0.01)).astype(np.float32), (X,))
    assert check.verdict is Verdict.FAIL


def test_a_vjp_that_knows_the_point_is_right_nowhere_else():
    """The look beside the inputs is taken in the dtype of the inputs."""
    known = np.cos(X)

    def knowing(c, x):
        assert x.dtype == c.dtype == np.float32
        return c * known

    check = check_vjp(np.sin, knowing, (X,))
    assert check.verdict is Verdict.FAIL
    assert "wrong at a point beside them" in check.reason


# ---- the claim's rounding, which is what decides then


def test_rounding_of_what_is_saturated_is_not_ascribed_to_the_rest():
    """Beyond saturation nothing but rounding is left; there are more such elements than others."""
    x = RNG.standard_normal(4000).astype(np.float32)

    def f(x):
        return np.tanh(20 * x)

    def vjp(c, x, by=1.0):
        return (c * 20 * (1 - f(x) ** 2) * by).astype(np.float32)

    right, wrong = check_vjp(f, vjp, (x,)), check_vjp(f, lambda c, x: vjp(c, x, 1.001), (x,))
    assert right.passed, str(right)
    assert wrong.verdict is Verdict.FAIL, str(wrong)


def clipped(c, x):
    g = c * np.cos(x)
    top = np.sqrt(np.mean(g**2))
    return np.clip(g, -top, top)


NONLINEAR = {
    "a constant on top": lambda c, x: c * np.cos(x) + np.float32(2e-3),
    "clipped at its own size": clipped,
}


@pytest.mark.parametrize("how", NONLINEAR)
@pytest.mark.parametrize("size", [60, 5000])
def test_what_is_not_linear_by_an_error_of_interest_fails_where_much_may_cancel(how, size):
    """The offset makes Σ|ȳ ∘ y| large, and with it what may be rounding of a gradient that cancels."""

    def f(x):
        return np.sin(x) + 1000 * np.cumsum(np.ones_like(x)) / x.size

    x = RNG.standard_normal(size).astype(np.float32)
    check = check_vjp(f, NONLINEAR[how], (x,), explain=False)
    assert check.verdict is Verdict.FAIL
    assert any("not linear in the cotangent" in said for said in (check.reason, *check.parts[0].notes)), str(
        check
    )


def test_a_gradient_that_all_but_cancels_is_no_error_of_interest():
    """Parts of it are large, and so is their rounding beside what is left."""

    def f(x):
        return np.array([(x / x.sum()).sum() + np.float32(1e-3) * np.sin(x[0])], x.dtype)

    def vjp(c, x):
        s = x.sum()
        g = c[0] / s - c[0] * (x / s**2).sum()
        g = np.full_like(x, g)
        g[0] += c[0] * np.float32(1e-3) * np.cos(x[0])
        return g

    for seed in range(20):
        x = (1 + np.random.default_rng(seed).random(30)).astype(np.float32)
        assert check_vjp(f, vjp, (x,)).verdict is not Verdict.FAIL
