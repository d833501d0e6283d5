"""The activations: values against other libraries, slopes from u and from y, and far out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

import reference
from reference.activation import ACTIVATIONS, TANH_AMPLITUDE, named
from tests.test_reference_numerics import CLOSE, draw, gap, says

VALUES = {
    "identity": lambda u: u,
    "sigmoid": expit,
    "tanh": np.tanh,
    "scaled_tanh": lambda u: 1.7159 * np.tanh(2 / 3 * u),
}


@pytest.mark.parametrize("name", VALUES)
def test_value(name):
    (u,) = draw([(4, 5)])
    assert gap(ACTIVATIONS[name].forward(u), VALUES[name](u)) < CLOSE


@pytest.mark.parametrize("name", VALUES)
def test_slope_from_the_output_is_the_slope_from_u(name):
    (u,) = draw([(4, 5)])
    f = ACTIVATIONS[name]
    assert gap(f.slope_from_output(f.value(u)), f.slope(u)) < CLOSE


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_and_silent_far_out(name, dtype):
    u = np.array([-1e30, -1e4, -800, -89, 0, 89, 800, 1e4, 1e30], dtype)
    f = ACTIVATIONS[name]
    for result in (f.forward(u), *f.vjp(np.ones_like(u), u)):
        assert result.dtype == dtype
        assert np.isfinite(result).all()


def test_slopes_keep_their_digits_where_the_output_saturates():
    u = np.array([20.0])
    assert ACTIVATIONS["tanh"].slope_from_output(np.tanh(u)) == 0
    assert abs(ACTIVATIONS["tanh"].slope(u) * np.cosh(u) ** 2 - 1) < 1e-14
    assert abs(ACTIVATIONS["sigmoid"].slope(u) * 4 * np.cosh(u / 2) ** 2 - 1) < 1e-14


def test_scaled_tanh_is_one_at_one():
    assert (
        abs(reference.scaled_tanh.forward(np.array([1.0]))[0] - 1) < 1e-4
    )  # a and b are given in five digits
    assert reference.scaled_tanh.forward(np.array([1e4]))[0] == TANH_AMPLITUDE


def test_the_identity_is_a_copy():
    u = np.ones(3)
    assert not np.shares_memory(ACTIVATIONS["identity"].forward(u), u)


def test_an_unknown_name():
    lines = [
        "dense: there is no such activation",
        "  activation = 'relu', wanted a name",
        "  activation must be one of identity, sigmoid, tanh, scaled_tanh",
    ]
    says(ValueError, lines, lambda: named("relu", "dense"))
