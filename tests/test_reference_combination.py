"""Learned combinations, formula by formula: against pairs of SciPy's convolutions and complex steps."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from scipy.signal import convolve2d

import reference
from reference import combination
from reference._validate import rot180
from reference.activation import ACTIVATIONS
from tests.test_reference_numerics import CLOSE, draw, gap, integers, numeric_gradient

X, K, C, B, DELTA = draw([(2, 3, 5, 6), (3, 2, 4), (3, 2), (2,), (2, 2, 4, 3)], seed=3)
ALPHA = scipy.special.softmax(C, axis=0)


def test_softmax_is_scipys_and_its_columns_sum_to_one():
    assert gap(reference.softmax.forward(C), ALPHA) < CLOSE
    assert np.max(np.abs(reference.softmax.forward(C).sum(axis=0) - 1)) < 1e-15


def test_forward_mixes_scipys_convolutions():
    wanted = np.zeros((2, 2, 4, 3)) + B[:, None, None]
    for n, i, j in np.ndindex(2, 3, 2):
        wanted[n, j] += ALPHA[i, j] * convolve2d(X[n, i], K[i], "valid")
    assert gap(reference.combination.forward(X, K, C, B, activation="identity"), wanted) < CLOSE


def test_jacobian_is_the_derivative_of_the_softmax():
    jacobian = combination.softmax_jacobian(ALPHA)
    assert jacobian.shape == (2, 3, 3)
    for k, j in np.ndindex(ALPHA.shape):
        picked = np.zeros_like(C)
        picked[k, j] = 1
        wanted = numeric_gradient(reference.softmax.forward, [C], 0, picked)
        assert gap(jacobian[j, k], wanted[:, j]) < CLOSE
        assert not np.delete(wanted, j, axis=1).any()


def test_gradient_through_the_softmax_is_the_jacobians():
    (gradient,) = draw([(3, 2)], seed=4)
    wanted = np.einsum("jki,kj->ij", combination.softmax_jacobian(ALPHA), gradient)
    assert gap(combination.softmax_gradient(gradient, ALPHA), wanted) < CLOSE


def test_signed_softmax_has_the_same_jacobian():
    signs = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    alpha = combination.signed_softmax(C, signs)
    assert np.max(np.abs(alpha.sum(axis=0) - 1)) < 1e-14
    assert alpha[1, 1] * alpha[0, 1] < 0
    (cotangent,) = draw([(3, 2)], seed=4)
    wanted = numeric_gradient(lambda c: combination.signed_softmax(c, signs), [C], 0, cotangent)
    assert gap(combination.softmax_gradient(cotangent, alpha), wanted) < CLOSE
    assert gap(combination.signed_softmax(C, np.ones((3, 2))), ALPHA) < CLOSE


def test_weight_gradient_by_loops():
    filtered, delta = integers((2, 3, 4, 3), (2, 2, 4, 3))
    wanted = np.zeros((3, 2))
    for n, i, j, r, s in np.ndindex(2, 3, 2, 4, 3):
        wanted[i, j] += delta[n, j, r, s] * filtered[n, i, r, s]
    assert np.array_equal(combination.combination_weight_gradient(delta, filtered), wanted)


def test_kernel_and_input_gradient_are_the_sums_over_output_maps():
    in_k, in_x = np.zeros_like(K), np.zeros_like(X)
    for n, i, j in np.ndindex(2, 3, 2):
        in_k[i] += ALPHA[i, j] * rot180(convolve2d(X[n, i], rot180(DELTA[n, j]), "valid"))
        in_x[n, i] += ALPHA[i, j] * convolve2d(DELTA[n, j], rot180(K[i]), "full")
    assert gap(combination.combination_kernel_gradient(X, DELTA, ALPHA), in_k) < CLOSE
    assert gap(combination.combination_input_gradient(DELTA, K, ALPHA), in_x) < CLOSE
    assert gap(combination.combination_bias_gradient(DELTA), DELTA.sum(axis=(0, 2, 3))) < CLOSE


def test_recursion_is_the_derivative_in_u_below():
    above = lambda u: reference.combination.forward(np.tanh(u), K, C, B, activation="identity")  # noqa: E731
    wanted = numeric_gradient(above, [X], 0, DELTA)
    actual = combination.combination_delta(ACTIVATIONS["tanh"].slope(X), DELTA, K, ALPHA)
    assert gap(actual, wanted) < CLOSE


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_is_finite_and_silent_far_out(dtype):
    c = np.array([[1e4, -1e4, 0, 1e30], [-1e4, -1e4, 800, -1e30]], dtype)
    assert reference.softmax.forward(c).tolist() == [[1, 0.5, 0, 1], [0, 0.5, 1, 0]]
    (gradient,) = reference.softmax.vjp(np.ones_like(c), c)
    assert not gradient.any()
