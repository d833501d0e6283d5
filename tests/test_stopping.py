"""Solvers that stop at a tolerance, their noise not declared: never called wrong, and wrong gradients still are."""

import re

import numpy as np
import pytest

from gradcheck import Verdict, check_jvp, check_vjp
from gradcheck.probes.field import FieldLine
from gradcheck.stopping import LARGER, MOST, SEARCH, Noise, Stretch, jumps

TOLERANCE = 1e-6


def fixed_point(n, rng):
    """z = tanh(W z + u), iterated until z moves by no more than a share of itself."""
    weights = rng.standard_normal((n, n))
    weights *= 0.7 / np.linalg.norm(weights, 2)

    def f(u, tolerance=TOLERANCE):
        z, before = np.tanh(u), np.full(n, np.inf)
        while np.linalg.norm(z - before) > tolerance * np.linalg.norm(z):
            z, before = np.tanh(weights @ z + u), z
        return z

    def vjp(c, u):
        slope = 1 - f(u, 1e-15) ** 2
        return slope * np.linalg.solve((np.eye(n) - slope[:, None] * weights).T, c)

    return f, vjp


def conjugate_gradients(n, rng):
    """The solution of A x = b, until the residual is a share of b."""
    q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    matrix = q @ np.diag(np.geomspace(1, 100, n)) @ q.T

    def f(b):
        x, r = np.zeros(n), b
        p, square = r, r @ r
        while square > (TOLERANCE**2) * (b @ b):
            product = matrix @ p
            step = square / (p @ product)
            x, r = x + step * p, r - step * product
            square, before = r @ r, square
            p = r + square / before * p
        return x

    return f, lambda c, b: np.linalg.solve(matrix, c)


def bisection(n, rng):
    """z + z³ = u by halving an interval until it is short, one u at a time."""

    def f(u):
        low, high = -np.abs(u) - 1, np.abs(u) + 1
        while (high - low).max() > TOLERANCE:
            middle = (low + high) / 2
            below = middle + middle**3 < u
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2

    def vjp(c, u):
        z = np.zeros_like(u)
        for _ in range(100):
            z = z - (z + z**3 - u) / (1 + 3 * z**2)
        return c / (1 + 3 * z**2)

    return f, vjp


SOLVERS = {each.__name__: each for each in (fixed_point, conjugate_gradients, bisection)}


def solver(name, n, seed):
    rng = np.random.default_rng([seed, n])
    return *SOLVERS[name](n, rng), rng.standard_normal(n)


def off_by(share, vjp):
    """A gradient that is wrong by a share of its norm, in all elements."""

    def wrong(c, x):  # linear in c
        return vjp(c, x) * (1 + share * np.random.default_rng(5).choice([-1, 1], x.shape))

    return wrong


@pytest.mark.parametrize("n", [3, 10, 40])
@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_is_never_called_wrong_and_a_wrong_gradient_of_it_is(name, n):
    for seed in range(4):
        f, vjp, x = solver(name, n, seed)
        check = check_vjp(f, vjp, (x,), seed=seed)
        assert check.verdict is not Verdict.FAIL, check
        wrong = check_vjp(f, off_by(1e-3, vjp), (x,), seed=seed)
        # of what stands still between two steps little is seen, and a second direction may see nothing at all
        assert not wrong.passed
        assert wrong.verdict is Verdict.FAIL or name == "bisection"


@pytest.mark.parametrize("seed", range(3))
def test_it_is_said_which_noise_to_declare_and_with_that_the_check_passes(seed):
    f, vjp, x = solver("fixed_point", 10, seed)
    check = check_vjp(f, vjp, (x,), seed=seed)
    assert check.verdict is Verdict.INCONCLUSIVE
    first, second, third = check.reason.splitlines()
    assert re.fullmatch(
        r"f jumps beside the inputs by a relative \S+, as a solver does that .* tolerance", first
    )
    assert re.fullmatch(
        r"the claim is a relative \S+ off what f does between two jumps, which .* explain", second
    )
    (noise,) = re.fullmatch(r"noise=(\S+) declares them, and passes: agrees to a .*", third).groups()
    assert TOLERANCE / 10 < float(noise) < 30 * TOLERANCE
    declared = check_vjp(f, vjp, (x,), seed=seed, noise=float(noise))
    assert declared.passed, declared
    assert check_vjp(f, off_by(1e-2, vjp), (x,), seed=seed, noise=float(noise)).verdict is Verdict.FAIL
    many = check_vjp(f, vjp, (x,), seed=seed, batched=lambda u: np.array([*map(f, u)]))
    assert many.reason == check.reason
    assert many.calls < check.calls


def test_a_pushforward_is_left_open_as_well():
    found = []
    for seed in range(4):
        f, vjp, x = solver("fixed_point", 6, seed)
        jacobian = np.array([vjp(row, x) for row in np.eye(6)])
        found.append(check_jvp(f, lambda v, x, j=jacobian: j @ v[0], (x,), seed=seed))
        wrong = check_jvp(f, lambda v, x, j=jacobian: 1.001 * j @ v[0], (x,), seed=seed)
        assert wrong.verdict is Verdict.FAIL
    assert all(check.verdict is not Verdict.FAIL for check in found), found
    assert any("noise=" in check.reason for check in found)


@pytest.mark.parametrize("error", [2e-6, 1e-3, 1e-2])
def test_where_f_does_not_jump_a_small_error_is_one(error):
    x = np.random.default_rng(1).standard_normal(30)
    check = check_vjp(np.sin, off_by(error, lambda c, x: c * np.cos(x)), (x,))
    assert check.verdict is Verdict.FAIL
    hinted = any(
        "if f is solved to a tolerance, in as many steps" in note
        for note in check.notes + check.parts[0].notes
    )
    assert hinted == (error < 1e-4)


def test_jumps_too_small_to_explain_an_error_do_not_excuse_it():
    x = np.random.default_rng(1).standard_normal(30)
    vjp = off_by(5e-5, lambda c, x: c * np.cos(x))
    for size, verdict in ((1e-9, Verdict.FAIL), (1e-6, Verdict.INCONCLUSIVE)):

        def f(x, size=size):
            return np.sin(x) + size * (x.sum() > 2)

        assert check_vjp(f, vjp, (x,), seed=1).verdict is verdict


def test_large_jumps_are_no_tolerance_and_kinks_no_jumps():
    x, v = np.array([1.0, 2.0]), np.array([1.0, -0.5])

    def seen(added):
        return jumps(FieldLine(lambda x: np.sin(x) + added(x[0] - 1.7), x, v, np.ones((1, 2))))

    assert seen(lambda t: 1e-7 * (t > 0)).jump == pytest.approx(1e-7, rel=1.5)
    assert seen(lambda t: 1e-7 * (t > 0)).jump < MOST / LARGER
    assert seen(lambda t: 1e-2 * (t > 0)) is None
    assert seen(lambda t: 1e-3 * abs(t)) is None
    assert seen(lambda t: 1e-3 * abs(t) ** 0.5) is None
    assert seen(lambda t: 1e-5 * np.sin(200 * t)) is None
    assert seen(lambda t: 0.0) is None


def test_what_ends_within_a_stretch_is_left_out():
    x = np.array([1.0])
    line = FieldLine(lambda x: np.log(x), x, x, np.ones((1, 1)))
    assert Stretch(line, -5).jump() == 0.0
    assert jumps(line) is None


def test_the_noise_to_declare_has_one_digit():
    assert [Noise(jump).declared for jump in (1e-7, 2.4e-7, 2.6e-6)] == [4e-07, 1e-06, 2e-05]


def test_few_digits_hide_jumps_of_that_size():
    x = np.linspace(0.5, 2, 8).astype(np.float16)
    calls = []

    def f(x):
        calls.append(1)
        return np.sin(x)

    assert check_vjp(f, lambda c, x: 3 * c * np.cos(x), (x,), finer=None).verdict is Verdict.FAIL
    assert len(calls) < SEARCH
