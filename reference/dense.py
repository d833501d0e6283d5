"""The fully connected layer (notes 2.1 and 2.2: D1 to D5), as an operation and formula by formula.

Batched, the batch first: the notes' column vectors are rows here, so that `W x` is `x @ W.T`. Weights are
(outputs, inputs), as in the forward pass, and so is their gradient (E1). Sums over the batch, never means
(E3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference import update
from reference._validate import Array, Axes
from reference.activation import named


def forward(x: Array, W: Array, b: Array, activation: str = "sigmoid") -> Array:
    """Outputs y = f(W x + b) (D1).

    Parameters
    ----------
    x : ndarray, shape (batch, inputs)
        The notes' x^(l-1).
    W : ndarray, shape (outputs, inputs)
        Weights.
    b : ndarray, shape (outputs,)
        Biases.
    activation : {"sigmoid", "tanh", "scaled_tanh", "identity"}
        The notes' f.

    Returns
    -------
    ndarray, shape (batch, outputs)
        In the dtype that NumPy promotes the inputs to. NaN in a sample gives NaN in that sample only.

    Raises
    ------
    TypeError
        Where an array is not floating.
    ValueError
        Where shapes do not fit, an array is empty or the activation is unknown.

    Examples
    --------
    >>> forward(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.array([0.5]), activation="identity")
    array([[11.5]])
    """
    x, W, b = _inputs(Axes("dense"), x, W, b)
    return named(activation, "dense").value(dense_preactivation(x, W, b))


def vjp(
    cotangent: Array, x: Array, W: Array, b: Array, activation: str = "sigmoid"
) -> tuple[Array, Array, Array]:
    """Gradients of sum(cotangent * y) with respect to x, W and b.

    Parameters
    ----------
    cotangent : ndarray, shape (batch, outputs)
        dE/dy; f' is not yet inside.
    x, W, b, activation
        As for `forward`.

    Returns
    -------
    tuple of ndarray, shapes of x, W and b
        Fresh arrays.

    Raises
    ------
    TypeError, ValueError
        As `forward`, and where the cotangent does not fit.
    """
    axes = Axes("dense.vjp")
    x, W, b = _inputs(axes, x, W, b)
    cotangent = axes.take("cotangent", cotangent, "batch outputs")
    delta = named(activation, "dense.vjp").slope(dense_preactivation(x, W, b)) * cotangent
    return dense_input_gradient(W, delta), dense_weight_gradient(x, delta), dense_bias_gradient(delta)


step = update.stepping(vjp)
"""Every parameter after one step of gradient descent (D6), None for x: `update.stepping` of `vjp`."""


def _inputs(axes: Axes, x: Any, W: Any, b: Any) -> tuple[Array, Array, Array]:
    x = axes.take("x", x, "batch inputs")
    W = axes.take("W", W, "outputs inputs")
    return x, W, axes.take("b", b, "outputs")


def dense_preactivation(x: Array, W: Array, b: Array) -> Array:
    """U = W x + b (D1), f not applied; shapes as for `forward`."""
    return x @ W.T + b


def dense_bias_gradient(delta: Array) -> Array:
    """dE/db = delta, summed over the batch (D2, E3): (batch, outputs) to (outputs,)."""
    return np.asarray(Axes("dense_bias_gradient").take("delta", delta, "batch outputs").sum(axis=0))


def output_delta(slope: Array, y: Array, t: Array) -> Array:
    """Sensitivities of the output layer, delta^L = f'(u^L) ∘ (y - t) (D3); all of shape (batch, classes)."""
    axes = Axes("output_delta")
    slope = axes.take("slope", slope, "batch classes")
    y, t = axes.take("y", y, "batch classes"), axes.take("t", t, "batch classes")
    return np.asarray(slope * (y - t))


def dense_delta(W: Array, delta: Array, slope: Array) -> Array:
    """Sensitivities one layer down, delta^l = (W^(l+1))ᵀ delta^(l+1) ∘ f'(u^l) (D4, eq. 1).

    Parameters
    ----------
    W : ndarray, shape (outputs, inputs)
        Weights of the layer above.
    delta : ndarray, shape (batch, outputs)
        Sensitivities of the layer above.
    slope : ndarray, shape (batch, inputs)
        f'(u) of this layer.

    Returns
    -------
    ndarray, shape (batch, inputs)

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating or shapes do not fit.
    """
    axes = Axes("dense_delta")
    W = axes.take("W", W, "outputs inputs")
    delta = axes.take("delta", delta, "batch outputs")
    return dense_input_gradient(W, delta) * axes.take("slope", slope, "batch inputs")


def dense_input_gradient(W: Array, delta: Array) -> Array:
    """dE/dx = Wᵀ delta, D4 without its f': (outputs, inputs) and (batch, outputs) to (batch, inputs)."""
    axes = Axes("dense_input_gradient")
    W = axes.take("W", W, "outputs inputs")
    return axes.take("delta", delta, "batch outputs") @ W


def dense_weight_gradient(x: Array, delta: Array) -> Array:
    """dE/dW = delta xᵀ, summed over the batch (D5, eq. 2, in the layout of W: E1).

    dE/dW[k, d] = sum_n delta[n, k] x[n, d]

    Parameters
    ----------
    x : ndarray, shape (batch, inputs)
        The notes' x^(l-1).
    delta : ndarray, shape (batch, outputs)
        dE/du; f'(u) is already inside.

    Returns
    -------
    ndarray, shape (outputs, inputs)

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating or the batches differ.

    Examples
    --------
    >>> dense_weight_gradient(np.array([[1.0, 2.0]]), np.array([[1.0, 10.0, 100.0]]))
    array([[  1.,   2.],
           [ 10.,  20.],
           [100., 200.]])
    """
    axes = Axes("dense_weight_gradient")
    x = axes.take("x", x, "batch inputs")
    return axes.take("delta", delta, "batch outputs").T @ x
