"""The fully connected layer, formula by formula, against loops."""

from __future__ import annotations

import numpy as np

from reference import dense
from reference.activation import ACTIVATIONS
from tests.test_reference_numerics import CLOSE, draw, gap, integers, numeric_gradient


def test_forward_is_W_x_plus_b():
    x, W, b = integers((3, 4), (2, 4), (2,))
    wanted = [[sum(W[k, d] * x[n, d] for d in range(4)) + b[k] for k in range(2)] for n in range(3)]
    assert np.array_equal(dense.forward(x, W, b, activation="identity"), wanted)
    assert np.array_equal(dense.forward(x / 8, W, b), dense.forward(x / 8, W, b, activation="sigmoid"))


def test_gradients_by_loops():
    x, W, delta = integers((3, 4), (2, 4), (3, 2))
    in_W, in_b, in_x = np.zeros((2, 4)), np.zeros(2), np.zeros((3, 4))
    for n, k in np.ndindex(3, 2):
        in_b[k] += delta[n, k]
        for d in range(4):
            in_W[k, d] += delta[n, k] * x[n, d]
            in_x[n, d] += W[k, d] * delta[n, k]
    assert np.array_equal(dense.dense_weight_gradient(x, delta), in_W)
    assert np.array_equal(dense.dense_bias_gradient(delta), in_b)
    assert np.array_equal(dense.dense_input_gradient(W, delta), in_x)


def test_recursion_is_the_derivative_in_u_below():
    u, W, b, delta = draw([(3, 4), (2, 4), (2,), (3, 2)])
    wanted = numeric_gradient(lambda u: np.tanh(u) @ W.T + b, [u], 0, delta)
    assert gap(dense.dense_delta(W, delta, ACTIVATIONS["tanh"].slope(u)), wanted) < CLOSE


def test_output_delta_is_the_derivative_in_the_last_u():
    u, t = draw([(3, 4), (3, 4)])
    wanted = numeric_gradient(lambda u: np.sum((t - np.tanh(u)) ** 2) / 2, [u], 0)
    assert gap(dense.output_delta(ACTIVATIONS["tanh"].slope(u), np.tanh(u), t), wanted) < CLOSE
