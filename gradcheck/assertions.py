"""Checks that raise what they found: for a test of anybody's, in any test runner."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from gradcheck.adjoint import check_adjoint
from gradcheck.check import check_vjp
from gradcheck.pushforward import check_gradient, check_hvp, check_jvp
from gradcheck.verdict import Check

P = ParamSpec("P")


def _like(check: Callable[P, Check]) -> Callable[[Callable[..., Any]], Callable[P, Check]]:
    """Decorator of a docstring: it becomes the check with its signature, raising unless it passed."""

    def of(described: Callable[..., Any]) -> Callable[P, Check]:
        @functools.wraps(described)
        def assertion(*arguments: P.args, **options: P.kwargs) -> Check:
            __tracebackhide__ = True  # what pytest shows is the caller's line
            found = check(*arguments, **options)
            found.assert_passed()
            return found

        assertion.__wrapped__ = check  # whose signature editors then show
        return assertion

    return of


@_like(check_gradient)
def assert_gradient() -> None:
    """The passed Check of a gradient; takes what `check_gradient` takes.

    Raises
    ------
    GradientMismatch
        With the report, if the gradient is wrong.
    InconclusiveCheck
        If an error of interest could not have been seen.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, -2.0])
    >>> assert_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, x).evidence
    'spectral'
    >>> assert_gradient(lambda x: np.sum(x**3), lambda x: 2 * x**2, x)
    Traceback (most recent call last):
        ...
    gradcheck.verdict.GradientMismatch: d f / d x is wrong in 2 of 2 elements (seed 0, float64, spectral)
    ...
    """


@_like(check_vjp)
def assert_vjp() -> None:
    """The passed Check of a pullback; takes what `check_vjp` takes, raises as `assert_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> assert_vjp(np.sin, lambda c, x: c * np.cos(x), (np.array([0.5, -1.0]),)).verdict.value
    'pass'
    """


@_like(check_jvp)
def assert_jvp() -> None:
    """The passed Check of a pushforward; takes what `check_jvp` takes, raises as `assert_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> assert_jvp(np.sin, lambda v, x: np.cos(x) * v[0], (np.array([0.5, -1.0]),)).verdict.value
    'pass'
    """


@_like(check_hvp)
def assert_hvp() -> None:
    """The passed Check of a Hessian product; takes what `check_hvp` takes, raises as `assert_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> assert_hvp(lambda x: x**3, lambda x, v: 3 * x**2 * v, np.array([1.0, -2.0])).verdict.value
    'pass'
    """


@_like(check_adjoint)
def assert_adjoint() -> None:
    """The passed Check of two adjoint maps; takes what `check_adjoint` takes, raises as `assert_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.arange(6.0).reshape(2, 3)
    >>> assert_adjoint(lambda x: a @ x, lambda y: a.T @ y, np.ones(3), np.ones(2)).evidence
    'exact'
    """
