"""Numeric derivatives for the tests of `reference`, by complex step, and their table of cases."""

from __future__ import annotations

import numpy as np
import pytest

STEP = 1e-30  # far below any rounding: a complex step has neither truncation nor cancellation
CLOSE = (
    2e-14  # ten times the largest gap measured over the table below, 2e-15; relative to the largest element
)

TABLE = np.array([[True, False, True], [True, False, False], [False, False, False]])
"""A pattern with one input, one with none, one with two; an input map that feeds nobody."""
TABLE_ROWS = tuple(tuple(bool(cell) for cell in row) for row in TABLE)

NET = (
    ("convolution", 3, (3, 2), "tanh", TABLE_ROWS),
    ("subsampling", 2, "sigmoid"),
    ("combination", 2, (2, 1), "scaled_tanh", 0.25),
    ("convolution", 2, (1, 2), "sigmoid", ((True, True), (False, True))),
    ("dense", 4, "tanh"),
    ("dense", 3, "identity"),
)
NET_SHAPES = (
    *((2, 3, 8, 7), (2, 3)),
    *(
        (3, 3, 3, 2),
        (3,),
        (3,),
        (3,),
        (3, 2, 1),
        (3, 2),
        (2,),
        (2, 2, 1, 2),
        (2,),
        (4, 8),
        (4,),
        (3, 4),
        (3,),
    ),
    *((2, 3, 6, 6), (2, 3, 3, 3), (2, 2, 2, 3), (2, 2, 2, 2), (2, 4), (2, 3)),
)

ACTIVATIONS = ("identity", "sigmoid", "tanh", "scaled_tanh")
CASES = [
    *((name, shapes, {}) for name in ACTIVATIONS[1:] for shapes in [((3, 2),), ((),), ((2, 1, 3, 2),)]),
    ("squared_error", ((3, 2), (3, 2)), {}),
    ("squared_error", ((1, 1), (1, 1)), {}),
    *(("upsample", ((2, 3, 3, 2),), {"n": n}) for n in (1, 2, 3)),
    *(("downsample", ((2, 3, 6, 12),), {"n": n}) for n in (1, 2, 3)),
    ("convolve_valid", ((2, 3, 5, 6), (3, 3, 2, 4)), {}),
    ("convolve_valid", ((2, 3, 5, 6), (3, 3, 2, 4)), {"connections": TABLE}),
    ("convolve_valid", ((1, 1, 3, 4), (1, 2, 3, 4)), {}),
    ("convolve_full", ((2, 3, 4, 3), (3, 3, 2, 4)), {}),
    ("convolve_full", ((2, 3, 4, 3), (3, 3, 2, 4)), {"connections": TABLE}),
    ("convolve_full", ((1, 2, 1, 1), (1, 2, 3, 1)), {}),
    ("softmax", ((3, 2),), {}),
    ("softmax", ((1, 2),), {}),
    *(("dense", ((3, 4), (2, 4), (2,)), {"activation": f}) for f in ACTIVATIONS),
    *(
        ("convolution", ((2, 3, 5, 6), (3, 3, 2, 4), (3,)), {"activation": f, "connections": table})
        for f in ACTIVATIONS
        for table in (None, TABLE)
    ),
    *(("subsampling", ((2, 3, 4, 6), (3,), (3,)), {"n": 2, "activation": f}) for f in ACTIVATIONS),
    *(("combination", ((2, 3, 5, 6), (3, 2, 4), (3, 2), (2,)), {"activation": f}) for f in ACTIVATIONS),
    ("network", NET_SHAPES, {"architecture": NET}),
]
"""Operation, shapes of its inputs, options. Sparsity, whose gradient is zero, has tests of its own."""


def draw(shapes, seed=0, dtype=np.float64):
    """Normal arrays; those of a network scaled down, so that no unit saturates."""
    rng = np.random.default_rng(seed)
    scale = 0.5 if len(shapes) > 4 else 1.0
    return [np.asarray(scale * rng.standard_normal(shape)).astype(dtype) for shape in shapes]


def integers(*shapes, seed=0, dtype=np.float64):
    """Arrays of small integers, on which sums of products are exact in any order."""
    rng = np.random.default_rng(seed)
    return [rng.integers(-8, 9, shape).astype(dtype) for shape in shapes]


def numeric_gradient(function, inputs, place, cotangent=1.0):
    """Gradient of sum(cotangent * function(*inputs)) in one input, one complex step for each element."""
    point = inputs[place].astype(complex)
    gradient = np.empty(point.shape)
    for index in np.ndindex(point.shape):
        moved = point.copy()
        moved[index] += 1j * STEP
        value = function(*inputs[:place], moved, *inputs[place + 1 :])
        gradient[index] = np.sum(cotangent * np.imag(value)) / STEP
    return gradient


def gap(actual, wanted):
    """Largest difference, relative to the largest element wanted."""
    assert np.shape(actual) == np.shape(wanted)
    scale = np.max(np.abs(wanted))
    assert scale > 0, "nothing to compare with"
    return np.max(np.abs(actual - wanted)) / scale


def says(kind, lines, call):
    """Assert that the call raises an error of this very type, with this message, line by line."""
    with pytest.raises(kind, match=r".") as raised:
        call()
    assert type(raised.value) is kind
    assert str(raised.value).splitlines() == lines


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (np.exp, np.exp),
        (np.sin, np.cos),
        (lambda x: x**3, lambda x: 3 * x**2),
        (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    ],
    ids=["exp", "sin", "cube", "tanh"],
)
def test_a_complex_step_is_right_to_rounding(function, derivative):
    (x, cotangent) = draw([(4, 3), (4, 3)])
    assert gap(numeric_gradient(function, [x], 0, cotangent), cotangent * derivative(x)) < CLOSE


def test_a_complex_step_is_taken_in_the_input_that_is_asked_for():
    x, y = draw([(3,), (3,)])
    assert gap(numeric_gradient(lambda x, y: x * y**2, [x, y], 1), 2 * x * y) < CLOSE


def test_gap_sees_one_wrong_element_and_refuses_zero():
    x = np.ones((4, 5))
    wrong = x.copy()
    wrong[3, 4] += 1e-13
    assert gap(x, x) == 0
    assert gap(wrong, x) > CLOSE
    with pytest.raises(AssertionError, match="nothing to compare with"):
        gap(x, 0 * x)


def test_the_table_has_every_kind_of_map():
    assert [int(n) for n in TABLE.sum(axis=0)] == [2, 0, 1]
    assert not TABLE[2].any()


def test_warnings_are_errors_here():
    with pytest.raises(RuntimeWarning, match="overflow"):
        np.exp(np.array([1e4]))


def test_says_tells_kinds_and_lines_apart_and_misses_no_silence():
    def call():
        raise ValueError("one\ntwo")

    says(ValueError, ["one", "two"], call)
    for kind, lines in [(ValueError, ["one"]), (Exception, ["one", "two"])]:
        with pytest.raises(AssertionError):
            says(kind, lines, call)
    with pytest.raises(ValueError, match="one"):
        says(TypeError, ["one", "two"], call)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        says(ValueError, ["one"], lambda: None)
