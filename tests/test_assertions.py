"""Assertions return the Check, raise its report, and let a test runner show the caller's line."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import gradcheck
from gradcheck import assertions

pytest_plugins = "pytester"

X = np.array([0.5, -1.0, 2.0])
A = np.arange(6.0).reshape(2, 3)

CALLS = {
    "gradient": (lambda k: (lambda x: np.sum(x**3), lambda x: k * 3 * x**2, X)),
    "vjp": (lambda k: (np.sin, lambda c, x: k * c * np.cos(x), (X,))),
    "jvp": (lambda k: (np.sin, lambda v, x: k * np.cos(x) * v[0], (X,))),
    "hvp": (lambda k: (lambda x: x**3, lambda x, v: k * 3 * x**2 * v, X)),
    "adjoint": (lambda k: (lambda x: A @ x, lambda y: k * A.T @ y, np.ones(3), np.ones(2))),
}


def pair(name):
    return getattr(gradcheck, f"assert_{name}"), getattr(gradcheck, f"check_{name}")


@pytest.mark.parametrize("name", CALLS)
def test_the_check_comes_back_where_it_passes(name):
    assertion, check = pair(name)
    assert assertion(*CALLS[name](1), seed=3) == check(*CALLS[name](1), seed=3)


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_one_raises_the_report_of_the_check(name):
    assertion, check = pair(name)
    with pytest.raises(gradcheck.GradientMismatch) as caught:
        assertion(*CALLS[name](2))
    assert str(caught.value) == str(check(*CALLS[name](2)))


def test_what_cannot_be_seen_raises_as_well():
    with pytest.raises(gradcheck.InconclusiveCheck, match="kink at the point"):
        gradcheck.assert_vjp(np.abs, lambda c, x: c * np.sign(x), (np.zeros(1),))


def test_a_wrong_call_is_refused_as_by_the_check():
    with pytest.raises(ValueError, match="check_vjp: there are no inputs"):
        gradcheck.assert_vjp(np.sin, np.cos, ())


@pytest.mark.parametrize("name", CALLS)
def test_the_signature_is_that_of_the_check_and_the_words_its_own(name):
    assertion, check = pair(name)
    assert inspect.signature(assertion) == inspect.signature(check)
    assert assertion.__name__ == f"assert_{name}"
    assert f"`check_{name}`" in assertion.__doc__


def test_every_check_has_an_assertion():
    of = {name.removeprefix("check_") for name in gradcheck.__all__ if name.startswith("check_")}
    assert of - {"step", "objective", "operator"} == set(CALLS)  # of these their own assert_passed is called
    assert {name for name in vars(assertions) if name.startswith("assert_")} == {f"assert_{n}" for n in CALLS}


FAILING = """
import numpy as np
from gradcheck import assert_vjp

def test_sine():
    x = np.array([0.5, -1.0, 2.0])
    assert_vjp(np.sin, lambda c, x: c * np.sin(x), (x,))  # here
"""


@pytest.mark.parametrize("style", ["auto", "short", "long"])
def test_the_line_that_is_shown_is_the_callers(pytester, style):
    pytester.makepyfile(FAILING)
    done = pytester.runpytest(f"--tb={style}")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["*assert_vjp(*# here", "E *GradientMismatch: d f / d x is wrong in 3 of 3 *", "E *looks like*"]
    )
    for frame in ("assertions.py", "verdict.py", "found.assert_passed"):
        assert frame not in done.stdout.str()
    done.stdout.fnmatch_lines(["*.py:6: *"])
