"""The sparsity term of learned combinations (notes 3.3.1: P1 to P4), as an operation and formula by formula.

On the simplex |alpha| = alpha and every column sums to one, so Omega is the constant lam * out_maps and its
gradient P3 is identically zero but for rounding (E6): the penalty has no effect. The formulas are kept apart
from the softmax so that they can be certified where they say something: P2 for any alpha, P3 for
`combination.signed_softmax`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference._validate import Array, Axes
from reference.combination import Softmax, softmax_gradient

_WEIGHTS = "in_maps out_maps"


def forward(c: Array, lam: float = 1.0) -> Any:
    """Omega = lam sum_ij |alpha_ij| with alpha = softmax(c) (P1, M2): lam times the number of columns (E6).

    Parameters
    ----------
    c : ndarray, shape (in_maps, out_maps)
        Free weights. NaN gives NaN.
    lam : float
        The notes' lambda.

    Returns
    -------
    scalar of the dtype of `c`

    Raises
    ------
    TypeError
        Where `c` is not floating.
    ValueError
        Where `c` is empty or not of two axes.

    Examples
    --------
    >>> float(forward(np.array([[0.0, 3.0], [0.0, 3.0]]), lam=0.5))
    1.0
    """
    return sparsity_penalty(Softmax.forward(Axes("sparsity").take("c", c, _WEIGHTS)), lam)


def vjp(cotangent: Any, c: Array, lam: float = 1.0) -> tuple[Array]:
    """Gradient of cotangent * Omega with respect to c (P3): zero, up to rounding, for every c (E6).

    Parameters
    ----------
    cotangent : scalar
        dE/dOmega.
    c, lam
        As for `forward`.

    Returns
    -------
    tuple of one ndarray, shape of c

    Raises
    ------
    TypeError, ValueError
        As `forward`, and where the cotangent is not a floating scalar.
    """
    axes = Axes("sparsity.vjp")
    c = axes.take("c", c, _WEIGHTS)
    return (axes.number("cotangent", cotangent) * sparsity_gradient(Softmax.forward(c), lam),)


def sparsity_penalty(alpha: Array, lam: float = 1.0) -> Any:
    """Omega = lam sum_ij |alpha_ij| for any alpha, on the simplex or off it (P1)."""
    alpha = Axes("sparsity_penalty").take("alpha", alpha, _WEIGHTS)
    # the sign times alpha, not np.abs, which would drop the imaginary part of a complex step
    return float(lam) * np.sum(np.sign(alpha.real) * alpha)


def sparsity_alpha_gradient(alpha: Array, lam: float = 1.0) -> Array:
    """dOmega/dalpha_ij = lam sign(alpha_ij) (P2); at zero, where any of -lam..lam is a subgradient, zero.

    Examples
    --------
    >>> sparsity_alpha_gradient(np.array([[0.5, -2.0, 0.0]]), lam=3.0)
    array([[ 3., -3.,  0.]])
    """
    return np.asarray(float(lam) * np.sign(Axes("sparsity_alpha_gradient").take("alpha", alpha, _WEIGHTS)))


def sparsity_gradient(alpha: Array, lam: float = 1.0) -> Array:
    """dOmega/dc_ij = lam (|alpha_ij| - alpha_ij sum_k |alpha_kj|) (P3): P2 through M5.

    Parameters
    ----------
    alpha : ndarray, shape (in_maps, out_maps)
        A softmax, where this is zero (E6), or a `signed_softmax`, where it is not.
    lam : float
        The notes' lambda.

    Returns
    -------
    ndarray, shape (in_maps, out_maps)

    Raises
    ------
    TypeError, ValueError
        Where `alpha` is not floating, empty or not of two axes.

    Examples
    --------
    >>> sparsity_gradient(np.array([[0.25], [0.75]])).ravel()
    array([0., 0.])
    >>> sparsity_gradient(np.array([[1.5], [-0.5]])).ravel()
    array([-1.5,  1.5])
    """
    alpha = Axes("sparsity_gradient").take("alpha", alpha, _WEIGHTS)
    size = np.abs(alpha)
    return np.asarray(float(lam) * (size - alpha * size.sum(axis=0)))


def combined_gradient(alpha_gradient: Array, alpha: Array, lam: float = 1.0) -> Array:
    """d(E + Omega)/dc = dE/dc + dOmega/dc (P4), from dE/dalpha; shapes (in_maps, out_maps)."""
    return softmax_gradient(alpha_gradient, alpha) + sparsity_gradient(alpha, lam)
