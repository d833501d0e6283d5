"""The squared error and its targets (notes 2.1: L1, L2, L3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reference._validate import Array, Axes
from reference.activation import named


def squared_error_gradient(y: Array, t: Array) -> Array:
    """dE/dy = y - t (L2); dE/dt is its opposite.

    Examples
    --------
    >>> squared_error_gradient(np.array([[3.0, 1.0]]), np.array([[1.0, 1.0]]))
    array([[2., 0.]])
    """
    return np.asarray(y - t)


def _pair(who: str, y: Any, t: Any) -> tuple[Array, Array]:
    axes = Axes(who)
    return axes.take("y", y, "batch classes"), axes.take("t", t, "batch classes")


class SquaredError:
    """E = 1/2 sum_n sum_k (t - y)² (L1): summed, not averaged, over the batch and the classes."""

    @staticmethod
    def forward(y: Array, t: Array) -> Any:
        """The error, one number (L1).

        Parameters
        ----------
        y : ndarray, shape (batch, classes)
            Outputs of the network. NaN gives NaN.
        t : ndarray, shape (batch, classes)
            Targets.

        Returns
        -------
        scalar of the dtype that NumPy promotes `y` and `t` to

        Raises
        ------
        TypeError
            Where an array is not floating.
        ValueError
            Where shapes do not fit or an array is empty.

        Examples
        --------
        >>> float(SquaredError.forward(np.array([[3.0, 1.0]]), np.array([[1.0, 0.0]])))
        2.5
        """
        y, t = _pair("squared_error", y, t)
        return 0.5 * np.sum((t - y) ** 2)

    @staticmethod
    def vjp(cotangent: Any, y: Array, t: Array) -> tuple[Array, Array]:
        """The cotangent, a scalar, times y - t and times t - y (L2)."""
        y, t = _pair("squared_error.vjp", y, t)
        cotangent = Axes("squared_error.vjp").number("cotangent", cotangent)
        return cotangent * squared_error_gradient(y, t), cotangent * squared_error_gradient(t, y)


squared_error = SquaredError()


def one_of_c(
    labels: npt.ArrayLike, classes: int, activation: str = "sigmoid", dtype: npt.DTypeLike = np.float64
) -> Array:
    """Targets of one for the right class and the lower end of the activation's range for the others (L3).

    That is 0 for "sigmoid" and -1 for "tanh" and "scaled_tanh" (and 0 for "identity", which has no end).

    Parameters
    ----------
    labels : array_like of int, shape (batch,)
        Right classes, in 0..classes-1.
    classes : int
        Their number.
    activation : str
        The activation of the output layer.
    dtype : dtype
        Of the result.

    Returns
    -------
    ndarray, shape (batch, classes)

    Raises
    ------
    TypeError
        Where the labels are not integers.
    ValueError
        Where the labels have not one axis, or one lies outside of the classes.

    Examples
    --------
    >>> one_of_c([1, 0], 3, "tanh")
    array([[-1.,  1., -1.],
           [ 1., -1., -1.]])
    """
    index = np.asarray(labels)
    _check_labels(index, classes)
    off = named(activation, "one_of_c").off_target
    return np.where(np.arange(classes) == index[:, None], 1.0, off).astype(dtype)


def _check_labels(labels: Array, classes: int) -> None:
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            "one_of_c: labels must be integers\n"
            f"  labels.dtype = {labels.dtype}, wanted an integer dtype\n"
            f"  each label names a class in 0..{classes - 1}"
        )
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(
            "one_of_c: labels must be a list that is not empty\n"
            f"  labels.shape = {labels.shape}, wanted (batch,)\n"
            f"  axes = 1 and batch >= 1, but axes = {labels.ndim} and labels = {labels.size}"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            "one_of_c: a label lies outside of the classes\n"
            f"  labels span {labels.min()}..{labels.max()}, wanted 0..{classes - 1}\n"
            f"  0 <= label < classes = {classes}"
        )
