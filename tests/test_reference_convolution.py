"""The convolution layer, formula by formula: against SciPy and autograd; both kernel gradients equal."""

from __future__ import annotations

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.scipy.signal import convolve as autograd_convolve
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d

import reference
from reference import convolution
from reference.activation import ACTIVATIONS
from tests.test_reference_numerics import CLOSE, TABLE, draw, gap, integers, numeric_gradient

SIZES = st.integers(1, 4)


@pytest.mark.parametrize("table", [None, TABLE], ids=["all", "table"])
def test_forward_is_a_sum_of_scipys_convolutions(table):
    x, k, b = integers((2, 3, 5, 6), (3, 3, 2, 4), (3,))
    wanted = np.zeros((2, 3, 4, 3)) + b[:, None, None]
    for n, i, j in np.ndindex(2, 3, 3):
        if table is None or table[i, j]:
            wanted[n, j] += convolve2d(x[n, i], k[i, j], "valid")
    assert np.array_equal(reference.convolution.forward(x, k, b, "identity", table), wanted)


def test_a_pattern_without_inputs_is_its_bias():
    x, k, b = draw([(2, 3, 5, 6), (3, 3, 2, 4), (3,)])
    y = reference.convolution.forward(x, k, b, activation="tanh", connections=TABLE)
    assert (y[:, 1] == np.tanh(b[1])).all()


def test_unconnected_maps_and_kernels_have_zero_gradient():
    x, k, b, cotangent = draw([(2, 3, 5, 6), (3, 3, 2, 4), (3,), (2, 3, 4, 3)])
    in_x, in_k, in_b = reference.convolution.vjp(cotangent, x, k, b, connections=TABLE)
    assert not in_x[:, 2].any()
    assert in_x[:, :2].all()
    assert not in_k[~TABLE].any()
    assert in_k[TABLE].all()
    assert in_b.all()


@settings(deadline=None, max_examples=100)
@given(
    SIZES,
    SIZES,
    SIZES,
    st.tuples(SIZES, SIZES),
    st.tuples(SIZES, SIZES),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_both_forms_of_the_kernel_gradient_are_equal(batch, in_maps, out_maps, kernel, output, tabled, seed):
    side = [k + o - 1 for k, o in zip(kernel, output, strict=True)]
    x, delta = integers((batch, in_maps, *side), (batch, out_maps, *output), seed=seed)
    table = np.random.default_rng(seed).random((in_maps, out_maps)) < 0.5 if tabled else None
    C5 = convolution.conv_kernel_gradient_patches(x, delta, table)
    C6 = convolution.conv_kernel_gradient(x, delta, table)
    assert C5.shape == (in_maps, out_maps, *kernel)
    assert np.array_equal(C5, C6)


def test_gradients_are_autograds():
    x, k, b, cotangent = draw([(2, 3, 5, 6), (3, 4, 2, 3), (4,), (2, 4, 4, 4)])

    def loss(x, k, b):
        u = autograd_convolve(x, k, axes=([2, 3], [2, 3]), dot_axes=([1], [0]), mode="valid")
        return anp.sum(cotangent * anp.tanh(u + b[:, None, None]))

    actual = reference.convolution.vjp(cotangent, x, k, b, activation="tanh")
    for place, gradient in enumerate(actual):
        assert gap(gradient, autograd.grad(loss, place)(x, k, b)) < CLOSE


@pytest.mark.parametrize("n", [1, 2, 3])
def test_recursion_through_subsampling_is_the_derivative_in_u_below(n):
    u, beta, delta = draw([(2, 3, 6, 12), (3,), (2, 3, 6 // n, 12 // n)])

    def above(u):
        blocks = np.tanh(u).reshape(2, 3, 6 // n, n, 12 // n, n).sum(axis=(3, 5))
        return beta[:, None, None] * blocks

    wanted = numeric_gradient(above, [u], 0, delta)
    assert gap(convolution.conv_delta(ACTIVATIONS["tanh"].slope(u), delta, beta, n), wanted) < CLOSE


def test_input_and_bias_gradient_by_loops():
    k, delta = integers((3, 3, 2, 4), (2, 3, 4, 3))
    in_x = np.zeros((2, 3, 5, 6))
    for n, i, j, r, s, a, b in np.ndindex(2, 3, 3, 4, 3, 2, 4):
        if TABLE[i, j]:
            in_x[n, i, r + 1 - a, s + 3 - b] += k[i, j, a, b] * delta[n, j, r, s]
    assert np.array_equal(convolution.conv_input_gradient(delta, k, TABLE), in_x)
    in_b = [sum(delta[n, j, r, s] for n, r, s in np.ndindex(2, 4, 3)) for j in range(3)]
    assert np.array_equal(convolution.conv_bias_gradient(delta), in_b)
