"""Objectives of SciPy, losses of scikit-learn and linear operators: right ones pass, and each mutant fails."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from gradcheck import check_objective, check_operator
from gradcheck.verdict import Verdict

X = np.array([1.3, 0.7, 0.8])
ROSEN = {"hess": optimize.rosen_hess, "hessp": optimize.rosen_hess_prod}


def verdicts(check):
    return {part.subject: str(part.verdict) for part in check.parts}


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, aslinearoperator])
def test_the_objective_of_scipy_passes_whatever_its_matrices_are(kind):
    found = check_objective(
        optimize.rosen, X, jac=optimize.rosen_der, **ROSEN | {"hess": lambda x: kind(optimize.rosen_hess(x))}
    )
    assert verdicts(found) == {"jac": "pass", "hess": "pass", "hessp": "pass"}
    assert found.resolution < 1e-9


WRONG = {
    "jac": ({"jac": lambda x: 0.5 * optimize.rosen_der(x)}, "jac"),
    "hess not symmetric": ({"hess": lambda x: np.triu(optimize.rosen_hess(x))}, "hess"),
    "hess without its diagonal": (
        {"hess": lambda x: (h := optimize.rosen_hess(x)) - np.diag(np.diag(h))},
        "hess",
    ),
    "hessp of another point": ({"hessp": lambda x, p: optimize.rosen_hess_prod(x + 1e-4, p)}, "hessp"),
}


@pytest.mark.parametrize("mutant", WRONG)
def test_a_wrong_derivative_of_an_objective_fails_by_its_name(mutant):
    change, name = WRONG[mutant]
    found = check_objective(optimize.rosen, X, **{"jac": optimize.rosen_der, **ROSEN} | change)
    assert found.verdict is Verdict.FAIL
    assert verdicts(found)[name] == "fail"
    others = {each for part, each in verdicts(found).items() if part != name}
    assert others == ({"inconclusive"} if name == "jac" else {"pass"})


def logistic(w, A, t, l2):
    """The loss of a logistic regression and its gradient, as scikit-learn returns them."""
    margin = -t * (A @ w)
    slope = -t / (1 + np.exp(-margin))
    return np.sum(np.logaddexp(0, margin)) + 0.5 * l2 * w @ w, A.T @ slope + l2 * w


def test_a_loss_that_returns_its_gradient_is_taken_with_its_arguments():
    rng = np.random.default_rng(0)
    data = rng.standard_normal((8, 3)), np.sign(rng.standard_normal(8))
    assert check_objective(logistic, X, jac=True, args=(*data, 0.1)).passed

    def without_penalty(w, A, t, l2):
        return logistic(w, A, t, l2)[0], logistic(w, A, t, 0.0)[1]

    assert check_objective(without_penalty, X, jac=True, args=(*data, 0.1)).verdict is Verdict.FAIL


def test_the_loss_of_scikit_learn_itself():
    module = pytest.importorskip("sklearn.linear_model._linear_loss")
    losses = pytest.importorskip("sklearn._loss.loss")
    loss = module.LinearModelLoss(base_loss=losses.HalfBinomialLoss(), fit_intercept=True)
    rng = np.random.default_rng(0)
    data = rng.standard_normal((8, 2)), (rng.random(8) < 0.5).astype(float)
    found = check_objective(loss.loss_gradient, X, jac=True, args=(*data, None, 0.1))
    assert found.passed, found


def test_residuals_have_a_matrix():
    def residuals(x):
        return np.array([x[0] * x[1], np.sin(x[2]), x[0], x[2] ** 2])

    def jac(x):
        return np.array([[x[1], x[0], 0], [0, 0, np.cos(x[2])], [1, 0, 0], [0, 0, 2 * x[2]]])

    assert check_objective(residuals, X, jac=jac).passed
    assert check_objective(residuals, X, jac=lambda x: sparse.csr_array(jac(x))).passed
    assert check_objective(residuals, X, jac=lambda x: jac(x) * [1, 1, -1]).verdict is Verdict.FAIL
    with pytest.raises(ValueError, match=r"jac\(x\)\.shape = \(3, 4\), wanted \(4, 3\)"):
        check_objective(residuals, X, jac=lambda x: jac(x).T)


def test_wrong_calls_are_refused():
    with pytest.raises(ValueError, match=r"x or jac is none that SciPy takes\n  x.shape = \(1, 3\)"):
        check_objective(optimize.rosen, X[None], jac=optimize.rosen_der)
    with pytest.raises(ValueError, match="jac = '2-point'"):
        check_objective(optimize.rosen, X, jac="2-point")
    with pytest.raises(
        TypeError, match="fun does not return a value and its gradient\n  it returns a float64"
    ):
        check_objective(optimize.rosen, X, jac=True)


# Operators


def operator(matrix, dtype=float, **changes):
    parts = {"matvec": lambda x: matrix @ x, "rmatvec": lambda y: matrix.conj().T @ y} | changes
    return LinearOperator(matrix.shape, dtype=dtype, **parts)


REAL = np.arange(6.0).reshape(2, 3) - 2
COMPLEX = REAL + 1j * np.array([[1.0, 0.0, 2.0], [0.0, -1.0, 3.0]])


def test_right_operators_pass_exactly_on_whole_numbers():
    for made in (REAL, sparse.csr_array(REAL), operator(REAL), operator(COMPLEX, complex), COMPLEX):
        found = check_operator(made)
        assert found.passed, found
        assert found.evidence == "exact"
        assert found.resolution == 0


def test_an_operator_that_rounds_passes_within_its_rounding():
    found = check_operator(operator(np.exp(1j * np.outer(np.arange(4), np.arange(4))), complex))
    assert found.passed, found
    assert "dot test" in found.evidence


OPERATORS = {
    "sign": operator(REAL, rmatvec=lambda y: -REAL.T @ y),
    "one column": operator(REAL, rmatvec=lambda y: np.diag([1, 1, 1.0001]) @ REAL.T @ y),
    "transposed and not conjugated": operator(COMPLEX, complex, rmatvec=lambda y: COMPLEX.T @ y),
    "conjugate-linear": operator(
        COMPLEX, complex, matvec=lambda x: COMPLEX @ x.conj(), rmatvec=lambda y: (COMPLEX.conj().T @ y).conj()
    ),
    "matmat of another matrix": operator(REAL, matmat=lambda x: 2 * REAL @ x),
    "rmatmat of another matrix": operator(REAL, rmatmat=lambda y: (REAL + 1).T @ y),
    "not linear": operator(REAL, matvec=lambda x: REAL @ x + 1),
}


@pytest.mark.parametrize("mutant", OPERATORS)
def test_a_wrong_operator_fails_in_the_product_that_is_wrong(mutant):
    found = check_operator(OPERATORS[mutant])
    assert found.verdict is Verdict.FAIL
    if "mat of" in mutant:
        name = mutant.partition(" ")[0]
        assert [p.subject for p in found.parts if not p.passed] == [
            f"{'matmat and rmatvec' if name == 'matmat' else 'matvec and rmatmat'} of the operator"
        ]


def test_a_real_map_of_complex_numbers_is_no_linear_one():
    """Its dot test holds in real numbers; that with A (i x) for i A x does not."""
    found = check_operator(OPERATORS["conjugate-linear"])
    assert "i matvec and rmatvec of the operator" in [p.subject for p in found.parts if not p.passed]


def test_what_is_no_operator_or_has_no_adjoint_is_refused():
    with pytest.raises(TypeError, match="this is no linear operator\n  type = str"):
        check_operator("A")
    alone = LinearOperator((2, 3), matvec=lambda x: REAL @ x, dtype=float)
    with pytest.raises(ValueError, match="the operator has no adjoint"):
        check_operator(alone)
