"""The sub-sampling layer, formula by formula, against loops."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from reference import subsampling
from reference.activation import ACTIVATIONS
from tests.test_reference_numerics import CLOSE, TABLE, draw, gap, integers, numeric_gradient


@pytest.mark.parametrize("n", [1, 2, 3])
def test_forward_scales_block_sums(n):
    x, beta, b = integers((2, 3, 6, 12), (3,), (3,))
    wanted = np.zeros((2, 3, 6 // n, 12 // n)) + b[:, None, None]
    for p, j, r, s in np.ndindex(x.shape):
        wanted[p, j, r // n, s // n] += beta[j] * x[p, j, r, s]
    assert np.array_equal(reference.subsampling.forward(x, beta, b, n=n, activation="identity"), wanted)


def test_gradients_by_loops():
    down, beta, delta = integers((2, 3, 2, 4), (3,), (2, 3, 2, 4))
    in_beta, in_b, in_x = np.zeros(3), np.zeros(3), np.zeros((2, 3, 6, 12))
    for p, j, r, s in np.ndindex(down.shape):
        in_b[j] += delta[p, j, r, s]
        in_beta[j] += delta[p, j, r, s] * down[p, j, r, s]
        in_x[p, j, 3 * r : 3 * r + 3, 3 * s : 3 * s + 3] = beta[j] * delta[p, j, r, s]
    assert np.array_equal(subsampling.subsampling_bias_gradient(delta), in_b)
    assert np.array_equal(subsampling.subsampling_scale_gradient(delta, down), in_beta)
    assert np.array_equal(subsampling.subsampling_input_gradient(delta, beta, 3), in_x)


def test_recursion_through_convolution_is_the_derivative_in_u_below():
    u, k, delta = draw([(2, 3, 5, 6), (3, 3, 2, 4), (2, 3, 4, 3)])
    above = lambda u: reference.convolve_valid.forward(np.tanh(u), k, TABLE)  # noqa: E731
    wanted = numeric_gradient(above, [u], 0, delta)
    actual = subsampling.subsampling_delta(ACTIVATIONS["tanh"].slope(u), delta, k, TABLE)
    assert gap(actual, wanted) < CLOSE
