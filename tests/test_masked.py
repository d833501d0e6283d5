"""Looks with masked cotangents: gradients told right from wrong where kinks lie too densely for any one segment."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import Verdict, check_vjp
from gradcheck.masked import Look, blind, outvoted
from gradcheck.trial import Claim, Trial

X = np.random.default_rng(2).standard_normal(4000).astype(np.float32)


def relu(x):
    return np.maximum(x, 0)


def pullback(c, x):
    return c * (x > 0)


WRONG = {
    "leaks": lambda c, x: np.where(x > 0, c, np.float32(0.01) * c),
    "sign": lambda c, x: -c * (x > 0),
    "no mask": lambda c, x: c.copy(),
    "threshold too high": lambda c, x: c * (x > 0.05),
    "off by 2e-4 of itself": lambda c, x: c * (x > 0) * np.float32(1 + 2e-4),
    "one element": lambda c, x: (
        c * (x > 0) * np.where(np.arange(x.size) == np.argmax(x), 2, 1).astype(x.dtype)
    ),
}


def test_a_right_relu_of_many_elements_is_not_failed_in_single_precision():
    assert check_vjp(relu, pullback, (X,)).verdict is not Verdict.FAIL


def test_a_jump_that_some_directions_do_not_show_is_no_pass():
    """Σ sign(x) at 0 is 0 along every direction with as many steps up as down."""
    zero = np.zeros(20)
    for seed in range(3):
        check = check_vjp(
            lambda x: np.sum(np.sign(x) + x), lambda c, x: c * np.ones_like(x), (zero,), seed=seed
        )
        assert check.verdict is Verdict.INCONCLUSIVE


def test_a_kink_at_the_point_is_no_pass_in_however_few_outputs():
    at = X[:40].copy()
    at[7] = 0
    for dtype in (np.float32, np.float64):
        check = check_vjp(np.abs, lambda c, x: c * np.sign(x), (at.astype(dtype),))
        assert check.verdict is Verdict.INCONCLUSIVE
        assert "a kink at the point" in str(check)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_fails(name):
    for seed in range(3):
        assert check_vjp(relu, WRONG[name], (X,), seed=seed).verdict is Verdict.FAIL


def test_a_vjp_that_is_not_asked_about_half_of_the_outputs_does_not_pass():
    """Where most outputs bend, what is left proves nothing."""
    close = (1e-3 * X).astype(np.float32)
    shifted = check_vjp(lambda x: np.maximum(x, 0) + np.abs(x - x.round(1)), pullback, (close,))
    assert not shifted.passed


def test_hardly_anything_is_masked_of_a_smooth_function():
    trial = trial_of(np.sin, np.cos)
    (look,) = taken(trial, 1)
    assert blind([look]) <= 0.01
    assert look.comparisons[0].excess < 1


def test_an_error_that_bends_alone_is_seen_by_the_directions_that_keep_it():
    trial = trial_of(relu, lambda x: 1.0 * (x > 0.05))
    assert max(look.comparisons[0].excess for look in taken(trial, 4)) > 1


def test_what_further_directions_would_have_seen_is_outvoted_and_no_more():
    trial = trial_of(np.sin, lambda x: 1.02 * np.cos(x))
    trial.run(1, 100)
    assert trial.differing
    right = taken(trial_of(np.sin, np.cos), 4)
    assert outvoted(trial, right)  # 2 % would have shown in each of them
    assert not outvoted(trial, [])


def test_blindness_is_what_all_directions_share():
    def masked(*places):
        return Look([], np.isin(np.arange(10), places))

    assert blind([masked(0, 1, 2), masked(1, 5)]) == 0.1
    assert blind([masked(0), masked(1)]) == 0


def trial_of(f, slope):
    x = np.random.default_rng(4).standard_normal(500).astype(np.float32)
    c = np.random.default_rng(5).standard_normal(500).astype(np.float32)
    gradient = (c * slope(x)).astype(np.float64)
    claim = Claim(gradient[None], 8 * 6e-8 * np.abs(gradient)[None])
    return Trial(f, x, c[None], ("dense",), claim, f(x), np.random.default_rng(6))


def taken(trial, directions):
    from gradcheck.masked import looks

    def claimed(cotangent):
        kept = np.where(cotangent != 0, trial.claim.gradients, 0)
        return Claim(kept, trial.claim.rounding)

    return looks(trial, claimed, directions, 120)
