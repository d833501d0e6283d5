"""The sparsity term: its value, its gradient in alpha, and the sum with the error's."""

from __future__ import annotations

import numpy as np
import pytest

from reference import combination, sparsity
from tests.test_reference_numerics import CLOSE, draw, gap, numeric_gradient


def test_penalty_sums_absolute_values():
    alpha = np.array([[1.0, -2.0], [-4.0, 0.0]])
    assert sparsity.sparsity_penalty(alpha, 0.5) == 3.5
    assert sparsity.sparsity_penalty(alpha.astype(np.float32), 0.5).dtype == np.float32


def test_gradient_in_alpha_is_lambda_times_the_sign():
    (alpha,) = draw([(3, 4)])
    wanted = numeric_gradient(lambda a: sparsity.sparsity_penalty(a, 0.3), [alpha], 0)
    assert gap(sparsity.sparsity_alpha_gradient(alpha, 0.3), wanted) < CLOSE
    assert {-1, 1} == set(np.sign(wanted).ravel())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_an_operation(dtype):
    (c,) = draw([(5, 3)], dtype=dtype)
    omega = sparsity.forward(c, lam=0.25)
    assert omega.dtype == dtype
    assert abs(omega - 0.75) < 4 * np.finfo(dtype).eps
    (gradient,) = sparsity.vjp(dtype(2.0), c, lam=0.25)
    assert gradient.dtype == dtype
    assert gradient.shape == c.shape
    assert np.max(np.abs(gradient)) < 4 * np.finfo(dtype).eps
    assert np.isnan(sparsity.vjp(dtype(np.nan), c)[0]).all()
    assert np.isnan(sparsity.forward(c * dtype(np.nan)))


def test_gradient_of_error_and_penalty_is_their_sum():
    c, weights = draw([(4, 3), (4, 3)])
    signs = np.ones((4, 3))
    signs[1] = -1

    def error(c):
        alpha = combination.signed_softmax(c, signs)
        return np.sum(weights * alpha**2) + sparsity.sparsity_penalty(alpha, 0.3)

    alpha = combination.signed_softmax(c, signs)
    assert (
        gap(sparsity.combined_gradient(2 * weights * alpha, alpha, 0.3), numeric_gradient(error, [c], 0))
        < CLOSE
    )
