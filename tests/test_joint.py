"""Joint trials: what all inputs agree on together is said of each, and nothing is drowned or cancelled."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import Verdict, check_vjp

RNG = np.random.default_rng(5)
X, W, B = RNG.standard_normal((6, 9)), RNG.standard_normal((7, 9)) / 3, RNG.standard_normal(7)


def layer(x, w, b):
    return np.tanh(x @ w.T + b)


def pullback(c, x, w, b):
    d = c * (1 - layer(x, w, b) ** 2)
    return d @ w, d.T @ x, d.sum(axis=0)


def counted(f):
    def counting(*inputs):
        counting.calls += 1
        return f(*inputs)

    counting.calls = 0
    return counting


def test_three_inputs_cost_less_than_two_by_themselves():
    together, alone = counted(layer), counted(lambda x: layer(x, W, B))
    assert check_vjp(together, pullback, (X, W, B)).passed
    assert check_vjp(alone, lambda c, x: pullback(c, x, W, B)[0], (X,)).passed
    assert together.calls < 2 * alone.calls


@pytest.mark.parametrize("hit", range(3))
@pytest.mark.parametrize("by", [1.5, 1 + 1e-5, -1.0])
def test_the_wrong_one_is_named_and_the_others_pass(hit, by):
    def spoilt(c, *inputs):
        return tuple(g * by if i == hit else g for i, g in enumerate(pullback(c, *inputs)))

    check = check_vjp(layer, spoilt, (X, W, B))
    assert [part.verdict is Verdict.FAIL for part in check.parts] == [i == hit for i in range(3)]


@pytest.mark.parametrize("size", [1e-8, 1e-3, 1e3, 1e8])
def test_a_small_gradient_is_not_drowned_by_a_large_one(size):
    """Of the input `a` the gradient is `size` times as large as of `z`; each is off by 1e-5 in turn."""

    def f(z, a):
        return np.sin(z) + size * np.sin(a)

    def vjp(c, z, a, off=(1.0, 1.0)):
        return off[0] * c * np.cos(z), off[1] * size * c * np.cos(a)

    inputs = RNG.standard_normal(50), RNG.standard_normal(50)
    assert check_vjp(f, vjp, inputs, wanted=1e-5 if size in (1e-8, 1e8) else None).verdict is not Verdict.FAIL
    if size in (1e-8, 1e8):
        return  # what rounds to nothing beside the other is inconclusive or better, never wrong
    for hit in range(2):
        off = tuple(1 + 1e-5 * (i == hit) for i in range(2))
        check = check_vjp(f, lambda c, z, a, off=off: vjp(c, z, a, off), inputs)
        assert [part.verdict is Verdict.FAIL for part in check.parts] == [i == hit for i in range(2)], str(
            check
        )


def test_errors_that_cancel_along_equal_steps_do_not_cancel():
    def f(x, y):
        return np.sin(x + y)

    def vjp(c, x, y):
        d = c * np.cos(x + y)
        return d * 1.01, d * 0.99

    x = RNG.standard_normal(30)
    check = check_vjp(f, vjp, (x, x.copy()))
    assert all(part.verdict is Verdict.FAIL for part in check.parts)


def test_each_part_says_its_own_resolution_and_shares_the_calls():
    check = check_vjp(layer, pullback, (X, W, B))
    assert all(0 < part.resolution < 1e-6 for part in check.parts)
    assert all(part.miss_probability < 1e-4 for part in check.parts)
    assert sum(part.evaluations for part in check.parts) <= check.evaluations + len(check.parts)


def test_a_gradient_of_zero_is_still_told_from_the_others():
    check = check_vjp(lambda x, y: np.sin(x) + 0 * y, lambda c, x, y: (c * np.cos(x), 0 * c), (X, X.copy()))
    assert check.passed
    assert [part.zero_everywhere for part in check.parts] == [False, True]


def test_the_innocent_are_told_together_though_one_is_wrong():
    """The wrong one costs its own calls; those that agree one line and a quick look for each."""

    def f(*inputs):
        return np.tanh(sum(inputs))

    def vjp(c, *inputs):
        d = c * (1 - f(*inputs) ** 2)
        return tuple(d * (1.01 if i == 3 else 1.0) for i in range(6))

    inputs = tuple(RNG.standard_normal(40) / 4 for _ in range(6))
    together, alone = counted(f), counted(f)
    check = check_vjp(together, vjp, inputs, explain=False)
    assert [part.verdict is Verdict.FAIL for part in check.parts] == [i == 3 for i in range(6)]
    assert len({check.parts[i].evaluations for i in range(6) if i != 3}) == 1
    check_vjp(alone, vjp, inputs, explain=False, only=(0,))
    assert together.calls < 7 * alone.calls


@pytest.mark.parametrize("hit", [(0, 2), (0, 1, 2), (1, 2)])
def test_several_wrong_ones_are_all_named(hit):
    def wrong(c, *inputs):
        return tuple(g * (1.3 if i in hit else 1.0) for i, g in enumerate(pullback(c, *inputs)))

    check = check_vjp(layer, wrong, (X, W, B))
    assert [part.verdict is Verdict.FAIL for part in check.parts] == [i in hit for i in range(3)]
