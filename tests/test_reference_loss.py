"""The squared error and the targets."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from reference.loss import one_of_c, squared_error_gradient
from tests.test_reference_numerics import CLOSE, draw, gap, integers, says


def test_the_error_is_half_the_sum_of_squares_over_batch_and_classes():
    y, t = integers((3, 4), (3, 4))
    total = sum((t[n, c] - y[n, c]) ** 2 for n, c in np.ndindex(y.shape)) / 2
    error = reference.squared_error.forward(y, t)
    assert error == total
    assert np.ndim(error) == 0


def test_gradients_are_opposite_and_not_one_buffer():
    y, t = draw([(3, 4), (3, 4)])
    in_y, in_t = reference.squared_error.vjp(np.float64(2.0), y, t)
    assert gap(in_y, 2 * (y - t)) < CLOSE
    assert np.array_equal(in_y, -in_t)
    assert np.array_equal(squared_error_gradient(y, t), y - t)


@pytest.mark.parametrize(("activation", "off"), [("sigmoid", 0), ("tanh", -1), ("scaled_tanh", -1)])
def test_one_of_c(activation, off):
    targets = one_of_c([2, 0, 2], 3, activation, np.float32)
    assert targets.dtype == np.float32
    assert targets.tolist() == [[off, off, 1], [1, off, off], [off, off, 1]]


@pytest.mark.parametrize(
    ("labels", "kind", "lines"),
    [
        (
            [0.0, 1.0],
            TypeError,
            [
                "one_of_c: labels must be integers",
                "  labels.dtype = float64, wanted an integer dtype",
                "  each label names a class in 0..2",
            ],
        ),
        (
            [[0, 1]],
            ValueError,
            [
                "one_of_c: labels must be a list that is not empty",
                "  labels.shape = (1, 2), wanted (batch,)",
                "  axes = 1 and batch >= 1, but axes = 2 and labels = 2",
            ],
        ),
        (
            [0, 3],
            ValueError,
            [
                "one_of_c: a label lies outside of the classes",
                "  labels span 0..3, wanted 0..2",
                "  0 <= label < classes = 3",
            ],
        ),
    ],
    ids=["dtype", "rank", "range"],
)
def test_messages(labels, kind, lines):
    says(kind, lines, lambda: one_of_c(labels, 3))
