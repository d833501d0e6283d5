"""Gradient descent: one rate for all, one for each parameter, one for each weight; nothing in place."""

from __future__ import annotations

import numpy as np
import pytest

from reference import update
from tests.test_reference_numerics import integers, says


def test_one_rate():
    p, g = integers((3, 4), (3, 4))
    new = update.updated(p, g, 0.5)
    assert np.array_equal(new, [[p[i, j] - 0.5 * g[i, j] for j in range(4)] for i in range(3)])
    assert not np.shares_memory(new, p)


def test_one_rate_for_each_weight():
    p, g, eta = integers((3, 4), (3, 4), (3, 4))
    assert np.array_equal(update.updated(p, g, eta), p - eta * g)


@pytest.mark.parametrize("rate", [0.5, np.float64(0.5), np.array(0.5)], ids=["float", "float64", "0-d"])
def test_a_lone_rate_keeps_the_dtype(rate):
    p, g = integers((3,), (3,), dtype=np.float32)
    assert update.updated(p, g, rate).dtype == np.float32


def test_a_step_takes_each_parameter_by_its_own_gradient_and_rate():
    W, b, in_W, in_b, eta = integers((2, 3), (2,), (2, 3), (2,), (2, 3))
    parameters, gradients = {"W": W, "b": b}, {"b": in_b, "W": in_W}
    before = {name: p.copy() for name, p in parameters.items()}
    new = update.step(parameters, gradients, {"W": eta, "b": 2.0})
    assert list(new) == ["W", "b"]
    assert np.array_equal(new["W"], W - eta * in_W)
    assert np.array_equal(new["b"], b - 2 * in_b)
    assert all(np.array_equal(parameters[name], before[name]) for name in before)


def test_message():
    lines = [
        "updated: gradient does not fit parameter",
        "  gradient.shape = (4, 3), wanted the shape of parameter",
        "  gradient.shape = parameter.shape = (3, 4), but is (4, 3)",
    ]
    says(ValueError, lines, lambda: update.updated(np.ones((3, 4)), np.ones((4, 3)), 0.1))
