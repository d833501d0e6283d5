"""An objective as SciPy and scikit-learn have them: fun with jac, hess, hessp, or a loss that returns its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse.linalg import aslinearoperator

from gradcheck.arguments import real_array
from gradcheck.check import check_vjp
from gradcheck.estimate import Array
from gradcheck.pushforward import check_gradient, check_hvp
from gradcheck.verdict import Check, Verdict

Function = Callable[..., Any]
_GRAVEST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)
_WHO = "check_objective"


def check_objective(
    fun: Function,
    x: Any,
    *,
    jac: Function | bool,
    hess: Function | None = None,
    hessp: Function | None = None,
    args: Sequence[Any] = (),
    **options: Any,
) -> Check:
    """Whether what `scipy.optimize.minimize` is given besides `fun` are its derivatives, at `x`.

    Parameters
    ----------
    fun : callable
        fun(x, *args) -> float; with jac=True (loss, gradient), as scikit-learn's losses have it. Of least squares and
        roots an array, whose `jac` is a matrix.
    x : ndarray of one axis
        The point; as flat as SciPy hands it on.
    jac : callable or True
        jac(x, *args) -> gradient of the shape of x; of an array a matrix (array, sparse or LinearOperator) of shape
        (outputs, inputs).
    hess : callable, optional
        hess(x, *args) -> matrix: array, sparse or LinearOperator; judged beside the derivative of `jac`.
    hessp : callable, optional
        hessp(x, p, *args) -> Hessian times p.
    args : sequence
        Further arguments, handed on.
    **options
        Of `gradcheck.check_gradient`: seed, wanted, budget, directions, conduct.

    Returns
    -------
    Check
        The gravest of its `parts`, "jac", "hess" and "hessp". What is derived from a wrong jac is inconclusive.

    Raises
    ------
    TypeError, ValueError
        For a point that is not finite, real and flat, and a jac that is none.

    Examples
    --------
    >>> from scipy.optimize import rosen, rosen_der, rosen_hess, rosen_hess_prod
    >>> x = np.array([1.3, 0.7, 0.8])
    >>> found = check_objective(rosen, x, jac=rosen_der, hess=rosen_hess, hessp=rosen_hess_prod)
    >>> [(part.subject, part.verdict.value) for part in found.parts]
    [('jac', 'pass'), ('hess', 'pass'), ('hessp', 'pass')]
    >>> check_objective(lambda x: (x @ x, x), x, jac=True).verdict.value  # half of the gradient
    'fail'
    """
    point = real_array(x, _WHO, "x")
    if point.ndim != 1 or not (callable(jac) or jac is True):
        raise ValueError(
            f"{_WHO}: x or jac is none that SciPy takes\n  x.shape = {point.shape}, jac = {jac!r}\n"
            "  wanted x of one axis, and a callable jac, or True where fun returns (value, gradient)"
        )
    value, slope = _apart(fun, jac, tuple(args))
    parts = [_first(value, slope, point, options)]
    for name, product in _products(hess, hessp, tuple(args)).items():
        if parts[0].passed:
            found = replace(check_hvp(slope, product, point, **options), subject=name, parts=())
        else:
            reason = "jac, of which it is the derivative, did not pass"
            found = replace(
                parts[0],
                verdict=Verdict.INCONCLUSIVE,
                reason=reason,
                worst=None,
                wrong=(),
                mistakes=(),
                diagnosis=None,
            )
            found = replace(found, subject=name)
        parts.append(found)
    grave = min(parts, key=lambda part: _GRAVEST.index(part.verdict))
    return replace(grave, resolution=max(part.resolution for part in parts), parts=tuple(parts))


def _apart(fun: Function, jac: Function | bool, args: tuple[Any, ...]) -> tuple[Function, Function]:
    """The value and its gradient as two functions of x."""
    if callable(jac):
        given: Function = jac
        return lambda x: fun(x, *args), lambda x: given(x, *args)

    def both(x: Array) -> tuple[Any, Any]:
        answer = fun(x, *args)
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise TypeError(
                f"{_WHO}: fun does not return a value and its gradient\n  it returns a {type(answer).__name__}\n"
                "  jac=True stands for a fun that returns (value, gradient)"
            )
        return answer[0], answer[1]

    return lambda x: both(x)[0], lambda x: both(x)[1]


def _first(value: Function, slope: Function, point: Array, options: dict[str, Any]) -> Check:
    """The check of jac: a gradient, or the rows of a matrix."""
    output = np.asarray(value(point.copy()))
    if output.ndim == 0:
        return replace(check_gradient(value, slope, point, **options), subject="jac", parts=())

    def vjp(cotangent: Array, x: Array) -> Any:
        matrix = aslinearoperator(slope(x))
        if matrix.shape != (output.size, x.size):
            raise ValueError(
                f"{_WHO}: jac is no matrix of the right shape\n"
                f"  jac(x).shape = {matrix.shape}, wanted {(output.size, x.size)}\n  it has a row for each output"
            )
        return (np.asarray(matrix.rmatvec(cotangent.ravel())),)

    return replace(check_vjp(value, vjp, (point,), **options), subject="jac", parts=())


def _products(hess: Function | None, hessp: Function | None, args: tuple[Any, ...]) -> dict[str, Function]:
    """Hess and hessp, as far as they are given, as products with a vector."""
    found: dict[str, Function] = {}
    if hess is not None:
        matrix = hess
        found["hess"] = lambda x, v: np.asarray(aslinearoperator(matrix(x, *args)).matvec(v))
    if hessp is not None:
        product = hessp
        found["hessp"] = lambda x, v: product(x, v, *args)
    return found
