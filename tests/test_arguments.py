"""Every refusal of a wrong call word by word, and what is taken as it is."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from gradcheck.arguments import Counted, names_of, places, real_array, real_arrays
from gradcheck.check import check_vjp

X = np.arange(6.0).reshape(2, 3)


def cosine(c, x):
    return c * np.cos(x)


def checked(f=np.sin, vjp=cosine, inputs=(X,), **options):
    return check_vjp(f, vjp, inputs, **options)


def refused(kind, message, call, *args, **options):
    """Calls, and compares what it raises with the whole message."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call(*args, **options)
    assert type(caught.value) is kind
    assert str(caught.value) == message


# The inputs

NO_SEQUENCE = """check_vjp: inputs are not a sequence of arrays
  type(inputs) = {}, wanted a tuple or list, one array an argument of f
  for a single array x, pass (x,)"""

NOT_REAL = """check_vjp: inputs[{}] is not an array of real numbers
  inputs[{}].dtype = {}, wanted float16, float32, float64 or longdouble
  a complex input is two real ones, its real and its imaginary part"""

NOT_FINITE = """check_vjp: inputs[{}] is not finite
  inputs[{}]{} = {}, wanted a finite number
  a derivative is checked at a point"""


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [(X, "ndarray"), ("ab", "str"), (None, "NoneType"), (iter((X,)), "tuple_iterator"), ({"x": X}, "dict")],
)
def test_inputs_that_are_no_sequence(inputs, kind):
    refused(TypeError, NO_SEQUENCE.format(kind), checked, inputs=inputs)


@pytest.mark.parametrize("inputs", [(), []])
def test_no_inputs(inputs):
    message = """check_vjp: there are no inputs
  len(inputs) = 0, wanted one array an argument of f
  for a single array x, pass (x,)"""
    refused(ValueError, message, checked, inputs=inputs)


@pytest.mark.parametrize(
    ("bad", "dtype"),
    [
        (X + 1j, "complex128"),
        (None, "object"),
        (["a"], "<U1"),
        (np.datetime64("2006-11-22"), "datetime64[D]"),
    ],
)
@pytest.mark.parametrize("at", [0, 1])
def test_inputs_that_are_not_real(bad, dtype, at):
    inputs = (X, bad) if at else (bad, X)
    refused(TypeError, NOT_REAL.format(at, at, dtype), checked, inputs=inputs)


def test_rows_of_different_lengths():
    with pytest.raises(TypeError) as caught:
        checked(inputs=([[1.0, 2.0], [3.0]],))
    first, second, third = str(caught.value).splitlines()
    assert first == "check_vjp: inputs[0] is not an array of real numbers"
    assert second.startswith("  np.asarray(inputs[0]) raised ValueError: setting an array element with a seq")
    assert third == "  an array has rows of one length"
    assert isinstance(caught.value.__cause__, ValueError)


def test_empty_inputs():
    message = """check_vjp: inputs[0] is empty
  inputs[0].shape = (0, 3), wanted at least one element
  a gradient without elements has nothing to check"""
    refused(ValueError, message, checked, inputs=(np.ones((0, 3)),))


@pytest.mark.parametrize(
    ("bad", "place", "value"),
    [
        ([[1.0, np.nan], [np.inf, 0.0]], "[0, 1]", "nan"),
        ([[1.0, 2.0], [-np.inf, 0.0]], "[1, 0]", "-inf"),
        (np.inf, "", "inf"),
        (np.array([1, np.nan], np.float16), "[1]", "nan"),
    ],
)
def test_inputs_that_are_not_finite(bad, place, value):
    refused(ValueError, NOT_FINITE.format(1, 1, place, value), checked, inputs=(X, bad))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_floating_numbers_keep_their_dtype(dtype):
    assert real_array(X.astype(dtype), "who", "x").dtype == dtype


@pytest.mark.parametrize("whole", [3, [1, 2], True, X.astype(np.uint8), np.int64(7)])
def test_whole_numbers_become_float64(whole):
    array = real_array(whole, "who", "x")
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, np.asarray(whole))


def test_arrays_are_not_copied():
    # a vjp that writes into its caller's arrays is found only if it gets them
    assert real_arrays([X], "who")[0] is X


# The options


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"cotangent": X.T},
            ValueError,
            """check_vjp: the cotangent does not fit the output
  cotangent.shape = (3, 2), wanted (2, 3), the shape of f(*inputs)
  a cotangent weighs every element of the output""",
        ),
        (
            {"cotangent": X * 1j},
            TypeError,
            """check_vjp: cotangent is not an array of real numbers
  cotangent.dtype = complex128, wanted float16, float32, float64 or longdouble
  a complex input is two real ones, its real and its imaginary part""",
        ),
        (
            {"cotangent": np.where(X, X, np.nan)},
            ValueError,
            """check_vjp: cotangent is not finite
  cotangent[0, 0] = nan, wanted a finite number
  a derivative is checked at a point""",
        ),
        (
            {"method": "finite"},
            ValueError,
            """check_vjp: no such method
  method = 'finite', wanted one of auto, exact, complex_step, spectral, differences""",
        ),
        ({"seed": -1}, ValueError, "check_vjp: seed is negative\n  seed = -1, wanted a whole number from 0"),
        *[
            (
                {name: value},
                ValueError,
                f"check_vjp: {name} is not positive\n  {name} = {value!r}, wanted a number above 0",
            )
            for name, value in [
                ("wanted", 0.0),
                ("wanted", float("nan")),
                ("aim", -1e-9),
                ("budget", 0),
                ("directions", 0),
            ]
        ],
        (
            {"names": ("x", "y")},
            ValueError,
            """check_vjp: names do not fit inputs
  len(names) = 2, wanted 1, the number of inputs
  names = ('x', 'y')""",
        ),
        (
            {"linear_in": (1,)},
            ValueError,
            """check_vjp: linear_in names an input that there is not
  linear_in = (1,), wanted whole numbers in 0..0
  1 is the index of none of the 1 inputs""",
        ),
        (
            {"linear_in": [0, -1]},
            ValueError,
            """check_vjp: linear_in names an input that there is not
  linear_in = (0, -1), wanted whole numbers in 0..0
  -1 is the index of none of the 1 inputs""",
        ),
        (
            {"linear_in": 0},
            TypeError,
            """check_vjp: linear_in is not a sequence of indices
  linear_in = 0, wanted a tuple or list of whole numbers in 0..0
  for a single input i, pass (i,)""",
        ),
    ],
)
def test_options(options, kind, message):
    refused(kind, message, checked, **options)


def test_names_of_their_own():
    assert names_of(None, 1, "who") == ("x",)
    assert names_of(None, 2, "who") == ("inputs[0]", "inputs[1]")
    assert names_of(["W", "b"], 2, "who") == ("W", "b")


def test_places_that_are_taken():
    assert places((), 2, "who", "linear_in") == ()
    assert places([1, 0], 2, "who", "linear_in") == (1, 0)


# The function

NO_NUMBERS = """check_vjp: f does not return real floating numbers
  f(*inputs).dtype = {}, wanted float16, float32, float64 or longdouble
  whole numbers have no derivative, and a complex output is two real ones"""


@pytest.mark.parametrize(
    ("f", "dtype"),
    [
        (lambda x: (x > 0).astype(int), "int64"),
        (lambda x: x > 0, "bool"),
        (lambda x: x + 0j, "complex128"),
        (lambda x: None, "object"),
        (lambda x: 3, "int64"),
    ],
)
def test_functions_that_return_something_else(f, dtype):
    refused(TypeError, NO_NUMBERS.format(dtype), checked, f)


def test_functions_that_return_nothing():
    message = """check_vjp: f(*inputs) is empty
  f(*inputs).shape = (0, 3), wanted at least one element
  what has no elements has no derivative"""
    refused(ValueError, message, checked, lambda x: x[:0], lambda c, x: 0 * x)


def test_functions_whose_shape_changes():
    calls = count(1)
    message = """check_vjp: the shape of f(*inputs) changes from call to call
  f(*inputs).shape = (2,), before it was (1,)
  a derivative needs one output space"""
    refused(ValueError, message, checked, lambda x: np.ones(next(calls)), lambda c, x: 0 * x)


def test_every_call_is_counted():
    counted = Counted(np.sin, "who")
    for _ in range(3):
        np.testing.assert_array_equal(counted(X), np.sin(X))
    assert counted.calls == 3


@pytest.mark.parametrize("f", [np.log, lambda x: 1 / x, lambda x: np.exp(1e3 + x), np.sqrt])
def test_no_warning_of_a_function_reaches_the_caller(f):
    assert not np.isfinite(Counted(f, "who")(X - 1)).all()


def test_complex_answers_are_for_complex_questions():
    counted = Counted(np.sin, "who")
    counted(X)
    assert counted(X + 1e-30j).dtype == np.complex128


@pytest.mark.parametrize(
    "answer", [lambda x: float(x.sum()), lambda x: np.sum(x), lambda x: x.sum().tolist()]
)
def test_scalars_are_arrays(answer):
    assert Counted(answer, "who")(X).shape == ()


def test_what_user_code_raises_is_the_users():
    def fails(*_):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match=r"\Amine\Z"):
        checked(fails)
    with pytest.raises(ZeroDivisionError, match=r"\Amine\Z"):
        checked(vjp=fails)
