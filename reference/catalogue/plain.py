"""The judge's own forwards: naive, slow, obviously right. NumPy alone; nothing shared with the accused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def identity(u: Array) -> Array:
    """f(u) = u (A3), in an array of its own."""
    return np.array(u)


def sigmoid(u: Array) -> Array:
    """f(u) = 1 / (1 + exp(−u)) (A1), with exp of a number below 0 alone, which cannot overflow (E9).

    Parameters
    ----------
    u : ndarray, any shape
    """
    negative = np.real(u) < 0
    small = np.exp(np.where(negative, u, -np.asarray(u)))
    return np.asarray(np.where(negative, small, 1.0) / (1 + small))


def tanh(u: Array) -> Array:
    """f(u) = tanh(u) (A2)."""
    return np.asarray(np.tanh(u))


def scaled_tanh(u: Array) -> Array:
    """f(u) = a tanh(b u) with LeCun's a = 1.7159, b = 2/3 (A2)."""
    return np.asarray(1.7159 * np.tanh(np.asarray(u) * 2 / 3))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": identity,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "scaled_tanh": scaled_tanh,
}


def sigmoid_slope(u: Array) -> Array:
    """f'(u) = e / (1 + e)² with e = exp(−|u|) (A1): no digit is lost where 1 − f would lose all of them."""
    small = np.exp(-np.abs(u))
    return np.asarray(small / (1 + small) ** 2)


def tanh_slope(u: Array) -> Array:
    """1 − tanh(u)² = 4 e / (1 + e)² with e = exp(−2|u|) (A2)."""
    return np.asarray(4 * sigmoid_slope(2 * np.asarray(u)))


SLOPES: dict[str, Callable[[Array], Array]] = {
    "identity": np.ones_like,
    "sigmoid": sigmoid_slope,
    "tanh": tanh_slope,
    "scaled_tanh": lambda u: np.asarray(1.7159 * 2 / 3 * tanh_slope(np.asarray(u) * 2 / 3)),
}
"""f' of each activation, for targets that leave it to their caller."""


def squared_error(y: Array, t: Array) -> Any:
    """E = ½ Σ_n Σ_k (t − y)² (L1); a number.

    Parameters
    ----------
    y, t : ndarray, shape (N, C)
    """
    return sum((t[n, c] - y[n, c]) ** 2 for n, c in np.ndindex(y.shape)) / 2


def dense(x: Array, W: Array, b: Array, *, activation: str = "identity") -> Array:
    """Y = f(W x + b) for each pattern (D1).

    Parameters
    ----------
    x : ndarray, shape (N, D)
    W : ndarray, shape (K, D)
    b : ndarray, shape (K,)
    """
    u = [
        [sum(W[k, d] * x[n, d] for d in range(W.shape[1])) + b[k] for k in range(len(b))]
        for n in range(len(x))
    ]
    return ACTIVATIONS[activation](np.array(u))


def upsample(x: Array, *, n: int) -> Array:
    """Every pixel repeated n times down and n times across (C3).

    Parameters
    ----------
    x : ndarray, shape (N, J, h, w)
    """
    batch, maps, height, width = x.shape
    out = np.zeros((batch, maps, height * n, width * n), x.dtype)
    for r, s in np.ndindex(height * n, width * n):
        out[:, :, r, s] = x[:, :, r // n, s // n]
    return out


def downsample(x: Array, *, n: int) -> Array:
    """The sum over each n×n block (S1); not the mean (E5).

    Parameters
    ----------
    x : ndarray, shape (N, J, H, W)
    """
    batch, maps, height, width = x.shape
    out = np.zeros((batch, maps, height // n, width // n), x.dtype)
    for r, s in np.ndindex(height, width):
        out[:, :, r // n, s // n] += x[:, :, r, s]
    return out


def convolve_map(x: Array, k: Array) -> Array:
    """conv2(x, k, 'valid') of single maps, a whole batch at once; the kernel is flipped.

    y[r, s] = Σ_ab k[a, b] x[r + Kh − 1 − a, s + Kw − 1 − b]

    Parameters
    ----------
    x : ndarray, shape (N, H, W)
    k : ndarray, shape (Kh, Kw)
    """
    rows, columns = k.shape
    height, width = x.shape[1] - rows + 1, x.shape[2] - columns + 1
    out = np.zeros((len(x), height, width), np.result_type(x, k))
    for r, s in np.ndindex(height, width):
        for a, b in np.ndindex(rows, columns):
            out[:, r, s] += k[a, b] * x[:, r + rows - 1 - a, s + columns - 1 - b]
    return out


def convolve_valid(x: Array, k: Array, *, connections: Array | None = None) -> Array:
    """Σ_{i∈M_j} conv2(x_i, k_ij, 'valid') (C1 without bias and activation).

    Parameters
    ----------
    x : ndarray, shape (N, I, H, W)
    k : ndarray, shape (I, J, Kh, Kw)
    connections : ndarray of bool, shape (I, J), optional
        M_j: whether input map i feeds output map j; all do by default.
    """
    shape = (len(x), k.shape[1], x.shape[2] - k.shape[2] + 1, x.shape[3] - k.shape[3] + 1)
    out = np.zeros(shape, np.result_type(x, k))
    for i, j in np.ndindex(k.shape[:2]):
        if connections is None or connections[i, j]:
            out[:, j] += convolve_map(x[:, i], k[i, j])
    return out


def convolve_full(d: Array, k: Array, *, connections: Array | None = None) -> Array:
    """Σ_{j: i∈M_j} conv2(d_j, k_ij, 'full'): every d_j[r, s] spreads k_ij over the output of map i.

    The kernel is not turned; C7's rot180 is the caller's.

    Parameters
    ----------
    d : ndarray, shape (N, J, h, w)
    k : ndarray, shape (I, J, Kh, Kw)
    connections : ndarray of bool, shape (I, J), optional
    """
    rows, columns = k.shape[2:]
    height, width = d.shape[2:]
    out = np.zeros((len(d), k.shape[0], height + rows - 1, width + columns - 1), np.result_type(d, k))
    for i, j in np.ndindex(k.shape[:2]):
        if connections is None or connections[i, j]:
            for r, s, a, b in np.ndindex(height, width, rows, columns):
                out[:, i, r + a, s + b] += d[:, j, r, s] * k[i, j, a, b]
    return out


def add_bias(u: Array, b: Array) -> Array:
    """b_j added to every pixel of map j; u (N, J, h, w), b (J,)."""
    out = np.array(u)
    for j in range(len(b)):
        out[:, j] += b[j]
    return out


def convolution(
    x: Array, k: Array, b: Array, *, activation: str = "identity", connections: Array | None = None
) -> Array:
    """y_j = f(Σ_{i∈M_j} conv2(x_i, k_ij, 'valid') + b_j) (C1).

    Parameters
    ----------
    x : ndarray, shape (N, I, H, W)
    k : ndarray, shape (I, J, Kh, Kw)
    b : ndarray, shape (J,)
    connections : ndarray of bool, shape (I, J), optional
    """
    return ACTIVATIONS[activation](add_bias(convolve_valid(x, k, connections=connections), b))


def scale_maps(u: Array, beta: Array) -> Array:
    """beta_j times every pixel of map j; u (N, J, h, w), beta (J,)."""
    out = np.array(u)
    for j in range(len(beta)):
        out[:, j] *= beta[j]
    return out


def subsampling(x: Array, beta: Array, b: Array, *, n: int, activation: str = "identity") -> Array:
    """y_j = f(β_j down(x_j) + b_j) (S1).

    Parameters
    ----------
    x : ndarray, shape (N, J, H, W)
    beta, b : ndarray, shape (J,)
    """
    return ACTIVATIONS[activation](add_bias(scale_maps(downsample(x, n=n), beta), b))


def softmax(c: Array) -> Array:
    """α_ij = exp(c_ij) / Σ_k exp(c_kj) (M2), each column shifted by its largest real part (E9).

    Parameters
    ----------
    c : ndarray, shape (I, J)
    """
    out = np.zeros_like(c)
    for j in range(c.shape[1]):
        powers = np.exp(c[:, j] - np.max(np.real(c[:, j])))
        out[:, j] = powers / np.sum(powers)
    return out


def mix(x: Array, k: Array, c: Array) -> Array:
    """Σ_i α_ij conv2(x_i, k_i, 'valid') (M1 without bias and activation); α = softmax(c).

    Parameters
    ----------
    x : ndarray, shape (N, I, H, W)
    k : ndarray, shape (I, Kh, Kw)
    c : ndarray, shape (I, J)
    """
    shape = (len(x), c.shape[1], x.shape[2] - k.shape[1] + 1, x.shape[3] - k.shape[2] + 1)
    out = np.zeros(shape, np.result_type(x, k, c))
    alpha = softmax(c)
    for i, j in np.ndindex(c.shape):
        out[:, j] += alpha[i, j] * convolve_map(x[:, i], k[i])
    return out


def combination(x: Array, k: Array, c: Array, b: Array, *, activation: str = "identity") -> Array:
    """y_j = f(Σ_i α_ij conv2(x_i, k_i, 'valid') + b_j) (M1); α = softmax(c).

    Parameters
    ----------
    x : ndarray, shape (N, I, H, W)
    k : ndarray, shape (I, Kh, Kw)
    c : ndarray, shape (I, J)
    b : ndarray, shape (J,)
    """
    return ACTIVATIONS[activation](add_bias(mix(x, k, c), b))


def sparsity(c: Array, *, lam: float) -> Any:
    """Ω = λ Σ_ij |α_ij| (P1) with α = softmax(c); a number, and always λJ (E6).

    Parameters
    ----------
    c : ndarray, shape (I, J)
    """
    return lam * np.sum(np.abs(softmax(c)))


def network(x: Array, t: Array, *rest: Array, architecture: Sequence[Any]) -> Any:
    """E + Σ Ω of a whole network (L1, P1): ½ Σ (t − y)² and each combination layer's λ Σ|α|; a number.

    Parameters
    ----------
    x : ndarray, shape (N, I, H, W)
    t : ndarray, shape (N, C)
    *rest : ndarray
        The parameters of every layer in order, then one perturbation for each layer, added to its u.
    architecture : sequence of tuple
        ("convolution", maps, (Kh, Kw), activation, connections or None), with k and b;
        ("subsampling", n, activation), with beta and b;
        ("combination", maps, (Kh, Kw), activation, lam), with k, c and b;
        ("dense", units, activation), with W and b; maps are flattened in C order before the first.
    """
    depth = len(architecture)
    parameters, perturbations = list(rest[:-depth]), rest[-depth:]
    maps, penalty = x, 0.0
    for (kind, *settings), perturbation in zip(architecture, perturbations, strict=True):
        u, penalty_here = _LAYERS[kind](maps, parameters, settings)
        maps = ACTIVATIONS[settings[1 if kind in ("subsampling", "dense") else 2]](u + perturbation)
        penalty = penalty + penalty_here
    return squared_error(maps, t) + penalty


def _convolution_layer(x: Array, parameters: list[Array], settings: Sequence[Any]) -> tuple[Array, Any]:
    table = None if settings[3] is None else np.asarray(settings[3], dtype=bool)
    return convolution(x, parameters.pop(0), parameters.pop(0), connections=table), 0.0


def _subsampling_layer(x: Array, parameters: list[Array], settings: Sequence[Any]) -> tuple[Array, Any]:
    return subsampling(x, parameters.pop(0), parameters.pop(0), n=settings[0]), 0.0


def _combination_layer(x: Array, parameters: list[Array], settings: Sequence[Any]) -> tuple[Array, Any]:
    k, c, b = parameters.pop(0), parameters.pop(0), parameters.pop(0)
    return combination(x, k, c, b), sparsity(c, lam=settings[3])


def _dense_layer(x: Array, parameters: list[Array], settings: Sequence[Any]) -> tuple[Array, Any]:
    return dense(x.reshape(len(x), -1), parameters.pop(0), parameters.pop(0)), 0.0


_LAYERS = {
    "convolution": _convolution_layer,
    "subsampling": _subsampling_layer,
    "combination": _combination_layer,
    "dense": _dense_layer,
}
