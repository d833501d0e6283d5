"""The notes' errata: for each, the literal reading fails a numeric check and the corrected one passes it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.signal import convolve2d, correlate2d

import reference
from reference import combination, convolution, dense, kernels, sparsity, subsampling
from reference._validate import rot180
from tests.test_reference_numerics import CLOSE, draw, gap, integers, numeric_gradient

WRONG = 1e-3  # a literal reading is off by a share of the gradient itself, twelve orders above what passes
LINEAR = {"activation": "identity"}


def test_E1_weight_gradient_has_the_layout_of_the_weights():
    for inputs, outputs in [(4, 3), (3, 3)]:
        x, W, b, delta = draw([(2, inputs), (outputs, inputs), (outputs,), (2, outputs)])
        wanted = numeric_gradient(lambda W, x=x, b=b: dense.forward(x, W, b, **LINEAR), [W], 0, delta)
        literal = x.T @ delta  # x deltaᵀ, of columns
        assert literal.shape != wanted.shape or gap(literal, wanted) > WRONG
        assert gap(dense.dense_weight_gradient(x, delta), wanted) < CLOSE


def test_E2_sensitivity_sums_over_every_receiving_map():
    u, k, b, delta = draw([(2, 2, 5, 4), (2, 3, 2, 3), (3,), (2, 3, 4, 2)])
    above = lambda u: reference.convolution.forward(np.tanh(u), k, b, **LINEAR)  # noqa: E731
    wanted = numeric_gradient(above, [u], 0, delta)
    slope = reference.tanh.slope(u)
    for j in range(3):  # whichever one map the formula may mean
        literal = slope * convolution.conv_input_gradient(delta[:, j : j + 1], k[:, j : j + 1])
        assert gap(literal, wanted) > WRONG
    assert gap(subsampling.subsampling_delta(slope, delta, k), wanted) < CLOSE


X, K, ALPHA = draw([(3, 2, 5, 6), (2, 2, 2, 3), (2, 2)], seed=7)
DELTA, POOLED = draw([(3, 2, 4, 4), (3, 2, 5, 6)], seed=8)
BATCH_SUMS = {
    "C4": (lambda d: convolution.conv_bias_gradient(d), [DELTA]),
    "C5": (convolution.conv_kernel_gradient_patches, [X, DELTA]),
    "C6": (convolution.conv_kernel_gradient, [X, DELTA]),
    "S3": (subsampling.subsampling_bias_gradient, [POOLED]),
    "S4": (subsampling.subsampling_scale_gradient, [POOLED, X]),
    "M4": (combination.combination_weight_gradient, [POOLED, X]),
}
FORWARDS = {
    "C4": lambda b: reference.convolution.forward(X, K, b, **LINEAR),
    "C5": lambda k: reference.convolution.forward(X, k, np.zeros(2), **LINEAR),
    "C6": lambda k: reference.convolution.forward(X, k, np.zeros(2), **LINEAR),
    "S3": lambda b: reference.subsampling.forward(X, np.ones(2), b, n=1, **LINEAR),
    "S4": lambda beta: reference.subsampling.forward(X, beta, np.zeros(2), n=1, **LINEAR),
    "M4": lambda alpha: np.einsum("ij,nirs->njrs", alpha, X),
}
POINTS = {"C4": K[0, 0, 0, :2], "C5": K, "C6": K, "S3": ALPHA[0], "S4": ALPHA[0], "M4": ALPHA}


@pytest.mark.parametrize("equation", BATCH_SUMS)
def test_E3_gradients_sum_over_the_batch(equation):
    gradient, arrays = BATCH_SUMS[equation]
    delta = DELTA if equation.startswith("C") else POOLED
    wanted = numeric_gradient(FORWARDS[equation], [POINTS[equation]], 0, delta)
    one_pattern = [array[:1] for array in arrays]
    assert gap(gradient(*one_pattern), wanted) > WRONG
    assert gap(gradient(*arrays) / len(X), wanted) > WRONG  # nor is it the mean
    assert gap(gradient(*arrays), wanted) < CLOSE


def literal_patches(x, delta, height, width):
    gradient = np.zeros((x.shape[1], delta.shape[1], height, width))
    for n, j, r, s in np.ndindex(delta.shape):
        gradient[:, j] += delta[n, j, r, s] * x[n, :, r : r + height, s : s + width]
    return gradient


def test_E4_patches_are_read_flipped():
    wanted = numeric_gradient(FORWARDS["C6"], [K], 0, DELTA)
    literal = literal_patches(X, DELTA, 2, 3)
    assert gap(literal, wanted) > WRONG
    assert gap(rot180(literal), wanted) < CLOSE
    assert gap(convolution.conv_kernel_gradient_patches(X, DELTA), wanted) < CLOSE


def test_E4_under_correlation_C5_is_right_as_it_stands_and_C6_loses_its_outer_turn():
    x, k, delta = X[:1, :1], K[:1, :1], DELTA[:1, :1]
    # real and imaginary part apart: correlate2d conjugates its second argument
    correlate = lambda k: correlate2d(x[0, 0], k.real, "valid") + 1j * correlate2d(x[0, 0], k.imag, "valid")  # noqa: E731
    wanted = numeric_gradient(lambda k: correlate(k[0, 0]), [k], 0, delta[0, 0])
    assert gap(literal_patches(x, delta, 2, 3), wanted) < CLOSE
    unturned = convolve2d(x[0, 0], rot180(delta[0, 0]), "valid")
    assert gap(unturned, wanted[0, 0]) < CLOSE
    assert gap(rot180(unturned), wanted[0, 0]) > WRONG


@pytest.mark.parametrize("n", [2, 3])
def test_E5_means_need_a_further_factor(n):
    u, beta, delta = draw([(2, 2, 6, 12), (2,), (2, 2, 6 // n, 12 // n)])
    slope = reference.tanh.slope(u)
    sums = lambda u: reference.subsampling.forward(np.tanh(u), beta, 0 * beta, n=n, **LINEAR)  # noqa: E731
    means = lambda u: sums(u) / n**2  # noqa: E731
    literal = convolution.conv_delta(slope, delta, beta, n)
    assert gap(literal, numeric_gradient(sums, [u], 0, delta)) < CLOSE
    wanted = numeric_gradient(means, [u], 0, delta)
    assert gap(literal, wanted) > WRONG
    assert gap(literal / n**2, wanted) < CLOSE


def test_E5_sides_must_divide():
    with pytest.raises(ValueError, match="height mod n = 5 mod 2 = 1, but must be 0"):
        reference.downsample.forward(np.ones((1, 1, 5, 4)), n=2)


def test_E6_the_penalty_is_constant_and_its_gradient_zero():
    for scale in (1e-3, 1.0, 10.0):
        (c,) = draw([(5, 4)])
        omega = sparsity.forward(scale * c, lam=0.3)
        assert abs(omega - 0.3 * 4) < 4e-15  # lambda times the columns; rounding of a sum of 20
        (gradient,) = sparsity.vjp(1.0, scale * c, lam=0.3)
        assert np.max(np.abs(gradient)) < 1e-15


def test_E6_read_as_a_pressure_it_does_not_press():
    (c,) = draw([(5, 4)])
    before = combination.Softmax.forward(c)
    # the sign of P2 taken for the gradient in c would press; P3, which is right, leaves all as it was
    literal = sparsity.sparsity_alpha_gradient(before)
    wanted = numeric_gradient(sparsity.forward, [c], 0)
    assert np.max(np.abs(literal - wanted)) > 0.9
    for _ in range(100):
        c = c - sparsity.vjp(1.0, c, lam=1.0)[0]
    assert np.max(np.abs(combination.Softmax.forward(c) - before)) < 1e-13


def test_E6_off_the_simplex_the_same_formula_says_something_and_is_right():
    c, signs = draw([(5, 3)])[0], np.ones((5, 3))
    signs[[0, 3], [0, 1]] = -1
    omega = lambda c: sparsity.sparsity_penalty(combination.signed_softmax(c, signs), 0.3)  # noqa: E731
    wanted = numeric_gradient(omega, [c], 0)
    alpha = combination.signed_softmax(c, signs)
    actual = sparsity.sparsity_gradient(alpha, 0.3)
    assert np.max(np.abs(wanted[:, :2])) > 0.01
    assert np.max(np.abs(wanted[:, 2])) < 1e-15  # the column without a sign lies on the simplex
    assert gap(actual, wanted) < CLOSE
    chained = combination.softmax_gradient(sparsity.sparsity_alpha_gradient(alpha, 0.3), alpha)
    assert gap(chained, wanted) < CLOSE
    assert gap(0.3 * (np.abs(alpha) - alpha), wanted) > WRONG  # the sum over k taken for one


def sampled_same(x, n, offset):
    """K2 with 'same' padding: full convolution with ones, cut from `offset`, every n-th sample."""
    full = convolve2d(x, np.ones((n, n)), "full")
    return full[offset : offset + x.shape[0], offset : offset + x.shape[1]][0::n, 0::n]


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_E7_same_padding_samples_the_wrong_places(n):
    (x,) = integers((1, 1, 2 * n, 3 * n))
    wanted = kernels.downsample.naive(x, n)
    assert np.array_equal(kernels.downsample.notes(x, n), wanted)
    matlab = sampled_same(
        x[0, 0], n, n // 2
    )  # its central part starts at ceil((n + 1) / 2), counted from one
    assert np.array_equal(matlab, wanted[0, 0]) == (n == 2)
    scipy = convolve2d(x[0, 0], np.ones((n, n)), "same")[0::n, 0::n]
    assert np.array_equal(scipy, sampled_same(x[0, 0], n, (n - 1) // 2))
    assert not np.array_equal(scipy, wanted[0, 0])


def test_E8_a_shared_kernel_sums_over_the_output_maps():
    x, k, c, delta = draw([(2, 3, 5, 6), (3, 2, 3), (3, 2), (2, 2, 4, 4)])
    layer = lambda k: reference.combination.forward(x, k, c, np.zeros(2), **LINEAR)  # noqa: E731
    wanted = numeric_gradient(layer, [k], 0, delta)
    alpha = combination.Softmax.forward(c)
    pairs = convolution.conv_kernel_gradient(x, delta)  # one kernel for each pair, as in C1
    assert pairs.shape != wanted.shape
    for j in range(2):
        assert gap(alpha[:, j, None, None] * pairs[:, j], wanted) > WRONG
    assert gap(np.einsum("ij,ijab->iab", alpha, pairs), wanted) < CLOSE
    assert gap(combination.combination_kernel_gradient(x, delta, alpha), wanted) < CLOSE


def literal_sigmoid(u):
    return 1 / (1 + np.exp(-u))


def literal_softmax(c):
    return np.exp(c) / np.exp(c).sum(axis=0)


@pytest.mark.parametrize(
    ("literal", "corrected", "edge"),
    [
        (literal_sigmoid, reference.sigmoid.forward, np.array([-710.0])),
        (literal_sigmoid, reference.sigmoid.forward, np.array([-89.0], np.float32)),
        (literal_softmax, reference.softmax.forward, np.array([[710.0], [0.0]])),
        (literal_softmax, reference.softmax.forward, np.array([[89.0], [0.0]], np.float32)),
    ],
    ids=["sigmoid", "sigmoid32", "softmax", "softmax32"],
)
def test_E9_the_exponential_overflows(literal, corrected, edge):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wrong = literal(edge)
    assert "overflow" in str(caught[0].message)
    assert wrong.ndim == 1 or np.isnan(wrong).any()
    for scale in (1, 12, 1e4, 1e30):
        y = corrected(scale * edge)
        assert y.dtype == edge.dtype
        assert np.isfinite(y).all()
        assert y.max() == 1 if y.ndim > 1 else y < 2 * np.finfo(y.dtype).tiny
