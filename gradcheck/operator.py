"""The dot test of an operator as SciPy has them: matvec and rmatvec, matmat and rmatmat, real or complex."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse.linalg import aslinearoperator

from gradcheck.adjoint import check_adjoint
from gradcheck.estimate import Array
from gradcheck.verdict import Check, Verdict

_GRAVEST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)
_COLUMNS = 2

Map = Callable[[Array], Any]


def check_operator(operator: Any, *, seed: int = 0, wanted: float | None = None) -> Check:
    """Whether a linear operator's `rmatvec` is the adjoint of its `matvec`, and its products with matrices are those.

    ⟨A x, y⟩ = ⟨x, Aᴴ y⟩, to the bit on whole numbers where both maps keep to them; of complex operators with the
    conjugate, and once more with A (i x), since a map that is linear in real and imaginary part alone is not linear.

    Parameters
    ----------
    operator : scipy.sparse.linalg.LinearOperator, or what aslinearoperator takes
        An array, a sparse matrix, an object with shape, matvec and rmatvec.
    seed, wanted
        As for `check_adjoint`.

    Returns
    -------
    Check
        `parts` has one for each pair of products.

    Raises
    ------
    TypeError, ValueError
        For what is no linear operator, or one without rmatvec.

    Examples
    --------
    >>> from scipy.sparse.linalg import LinearOperator
    >>> def difference(x):
    ...     return np.diff(x.ravel())
    >>> def adjoint(y):
    ...     return -np.diff(y.ravel(), prepend=0.0, append=0.0)
    >>> A = LinearOperator((3, 4), matvec=difference, rmatvec=adjoint, dtype=float)
    >>> check_operator(A).evidence
    'exact'
    >>> B = LinearOperator((3, 4), matvec=difference, rmatvec=lambda y: -adjoint(y), dtype=float)
    >>> check_operator(B).verdict.value
    'fail'
    """
    try:
        found = aslinearoperator(operator)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"check_operator: this is no linear operator\n  type = {type(operator).__name__}, "
            f"aslinearoperator raised {type(error).__name__}: {error}\n"
            "  wanted an object with shape, matvec and rmatvec"
        ) from error
    dtype = np.dtype(found.dtype or np.float64)
    dtype = dtype if dtype.kind in "fc" else np.dtype(np.float64)
    try:
        found.rmatvec(np.zeros(found.shape[0], dtype))
    except (NotImplementedError, AttributeError, TypeError) as error:
        raise ValueError(
            f"check_operator: the operator has no adjoint\n  rmatvec raised {type(error).__name__}"
            f"{f': {error}' if str(error) else ''}\n  wanted rmatvec, or rmatmat"
        ) from error
    return _gravest(_parts(found, dtype, seed, wanted))


def _parts(operator: Any, dtype: np.dtype[Any], seed: int, wanted: float | None) -> list[Check]:
    pairs: dict[str, tuple[Map, Map, tuple[int, ...]]] = {
        "matvec and rmatvec": (operator.matvec, operator.rmatvec, ()),
        "matmat and rmatvec": (operator.matmat, _columns(operator.rmatvec), (_COLUMNS,)),
        "matvec and rmatmat": (_columns(operator.matvec), operator.rmatmat, (_COLUMNS,)),
    }
    if dtype.kind == "c":
        pairs["i matvec and rmatvec"] = (
            lambda x: operator.matvec(1j * x),
            lambda y: operator.rmatvec(-1j * y),
            (),
        )
    rows, columns = operator.shape
    return [
        replace(
            _dot_test(A, At, (columns, *more), (rows, *more), dtype, seed, wanted),
            subject=f"{name} of the operator",
        )
        for name, (A, At, more) in pairs.items()
    ]


def _dot_test(
    A: Map,
    At: Map,
    domain: tuple[int, ...],
    codomain: tuple[int, ...],
    dtype: np.dtype[Any],
    seed: int,
    wanted: float | None,
) -> Check:
    if dtype.kind != "c":
        x, y = np.ones(domain, dtype), np.ones(codomain, dtype)
        return check_adjoint(A, At, x, y, seed=seed, wanted=wanted)
    real = np.zeros((), dtype).real.dtype
    x, y = np.ones((2, *domain), real), np.ones((2, *codomain), real)
    return check_adjoint(_parted(A), _parted(At), x, y, seed=seed, wanted=wanted)


def _parted(function: Map) -> Map:
    """A map of complex arrays as one of their real and imaginary parts, of which the adjoint is the transpose."""

    def parted(z: Array) -> Array:
        value = np.asarray(function(z[0] + 1j * z[1]))
        return np.stack([value.real, value.imag]).astype(z.dtype)

    return parted


def _columns(function: Map) -> Map:
    """The product with a matrix, one column at a time."""
    return lambda x: np.stack([np.asarray(function(x[:, k])) for k in range(x.shape[1])], axis=1)


def _gravest(parts: list[Check]) -> Check:
    grave = min(parts, key=lambda part: _GRAVEST.index(part.verdict))
    subject = "A and its adjoint" if grave.verdict is Verdict.PASS else grave.subject
    return replace(
        grave,
        subject=subject,
        resolution=max(part.resolution for part in parts),
        miss_probability=max(part.miss_probability for part in parts),
        evaluations=sum(part.evaluations for part in parts),
        evidence="+".join(dict.fromkeys(part.evidence for part in parts if part.evidence)),
        parts=tuple(parts),
    )
