"""Bugs of matrix functions and of Fourier transforms."""

from __future__ import annotations

import numpy as np

from benchmarks.bugs.recipe import Draw, Made, bug


def positive(r: Draw, n: int):
    """A symmetric positive definite matrix."""
    B = r(n, n)
    return B @ B.T / n + np.eye(n)


def cholesky_pullback(G, A, half=0.5):
    """Gradient in the lower triangle alone, which is all that the factorisation reads."""
    L = np.linalg.cholesky(A)
    P = np.tril(L.T @ np.tril(G))
    P[np.diag_indices_from(P)] *= half
    S = np.linalg.solve(L.T, np.linalg.solve(L.T, P.T).T)
    return np.tril(S + S.T) - np.diag(np.diag(S))


@bug(
    "Cholesky's other triangle",
    "jax #40421: gradient for the triangle that is never read",
    reference="differences",
)
def cholesky_ghost(r: Draw) -> Made:
    def wrong(G, A):
        full = cholesky_pullback(G, A)
        return (full + full.T) / 2

    return np.linalg.cholesky, cholesky_pullback, wrong, (positive(r, 4),)


@bug("Cholesky's diagonal not halved", "PyTorch #18825: off in a predictable way", reference="differences")
def cholesky_half(r: Draw) -> Made:
    return np.linalg.cholesky, cholesky_pullback, lambda G, A: cholesky_pullback(G, A, 1.0), (positive(r, 3),)


@bug(
    "log determinant not transposed",
    "owl #356 (fixed there, details from memory): the inverse where its transpose is meant",
    reference="differences",
)
def logdet(r: Draw) -> Made:
    A = 3 * np.eye(4) + r(4, 4)
    return (
        lambda A: np.linalg.slogdet(A)[1],
        lambda g, A: g * np.linalg.inv(A).T,
        lambda g, A: g * np.linalg.inv(A),
        (A,),
    )


@bug(
    "Gaussian log density in its covariance",
    "autograd #412: the sign, in the release after the tests stopped running",
)
def gaussian_covariance(r: Draw) -> Made:
    x = r(3)

    # without the symmetry of S assumed: −½ xᵀ S⁻¹ x − ½ log det S
    def f(S):
        det = S[0, 0] * (S[1, 1] * S[2, 2] - S[1, 2] * S[2, 1])
        det = det - S[0, 1] * (S[1, 0] * S[2, 2] - S[1, 2] * S[2, 0])
        det = det + S[0, 2] * (S[1, 0] * S[2, 1] - S[1, 1] * S[2, 0])
        return -0.5 * x @ np.linalg.solve(S, x) - 0.5 * np.log(det)

    def right(g, S):
        w = np.linalg.solve(S, x)
        v = np.linalg.solve(S.T, x)
        return g * 0.5 * (np.outer(v, w) - np.linalg.inv(S).T)

    return f, right, lambda g, S: -right(g, S), (positive(r, 3),)


@bug("norm through equal singular values", "jax #8732: 1/(s_i − s_j) on the way to a smooth function", "nan")
def equal_singular_values(r: Draw) -> Made:
    A = np.diag([1.0, 1.0, 2.0, 3.0])

    def wrong(g, A):
        s, U = np.linalg.eigh(A)
        gap = 1 / (s[None] - s[:, None])
        np.fill_diagonal(gap, 0)
        size = np.linalg.norm(A)
        inner = U.T @ (2 * A @ U * s) / (2 * size) * gap
        return g * U @ (np.diag(s / size) + inner - inner.T) @ U.T

    return lambda A: np.sqrt((A * A).sum()), lambda g, A: g * A / np.linalg.norm(A), wrong, (A,)


def pairs(z):
    """Real and imaginary part in one real array."""
    return np.stack([z.real, z.imag])


def rfft_pullback(g, n, last_is_single):
    """Real n vector; the bins that stand for two are not halved where `last_is_single` is wrong."""
    z = g[0] + 1j * g[1]
    z[1 : (-1 if last_is_single else None)] /= 2
    return np.fft.irfft(z, n) * n


@bug("real Fourier transform", "pytorch_fft #38: inner bins not halved", reference="differences")
def rfft_inner(r: Draw) -> Made:
    def wrong(g, x):
        return np.fft.irfft(g[0] + 1j * g[1], 8) * 8

    return lambda x: pairs(np.fft.rfft(x)), lambda g, x: rfft_pullback(g, 8, True), wrong, (r(8),)


@bug(
    "real Fourier transform of odd length",
    "pytorch_fft #38: there is no Nyquist bin to spare",
    reference="differences",
)
def rfft_odd(r: Draw) -> Made:
    return (
        lambda x: pairs(np.fft.rfft(x)),
        lambda g, x: rfft_pullback(g, 7, False),
        lambda g, x: rfft_pullback(g, 7, True),
        (r(7),),
    )


@bug(
    "inverse real Fourier transform",
    "no thread, common in course code: inner bins not doubled",
    reference="differences",
)
def irfft(r: Draw) -> Made:
    def pull(g, twice):
        z = np.fft.rfft(g) / 8
        z[1:-1] *= twice
        both = pairs(z)
        both[1, [0, -1]] = 0
        return both

    return (
        lambda p: np.fft.irfft(p[0] + 1j * p[1], 8),
        lambda g, p: pull(g, 2),
        lambda g, p: pull(g, 1),
        (r(2, 5),),
    )
