"""Bugs of broadcasting, contraction, joining and axes."""

from __future__ import annotations

import numpy as np

from benchmarks.bugs.recipe import Draw, Made, bug


@bug("broadcast row not reduced", "nd4j #2424: [3, 4] + [1, 4] gives the row a gradient of [3, 4]", "shape")
def row_not_reduced(r: Draw) -> Made:
    return (
        lambda a, b: (a + b) ** 2,
        lambda g, a, b: (2 * g * (a + b), (2 * g * (a + b)).sum(axis=0, keepdims=True)),
        lambda g, a, b: (2 * g * (a + b), 2 * g * (a + b)),
        (r(3, 4), r(1, 4)),
    )


@bug("broadcast scalar not reduced", "jax #1350, #6452: an array where a number is meant", "shape")
def scalar_not_reduced(r: Draw) -> Made:
    return (
        lambda y, z: y * np.exp(z),
        lambda g, y, z: (g * np.exp(z), (g * y * np.exp(z)).sum()),
        lambda g, y, z: (g * np.exp(z), g * y * np.exp(z)),
        (r(3, 2), np.array(0.1)),
    )


@bug("broadcast axis dropped", "jax #3768: the axis of size one is summed away", "shape")
def axis_dropped(r: Draw) -> Made:
    return (
        lambda a, b: a * b,
        lambda g, a, b: (g * b, (g * a).sum(axis=1, keepdims=True)),
        lambda g, a, b: (g * b, (g * a).sum(axis=1)),
        (r(3, 4), r(3, 1)),
    )


@bug("mean tiled by the input's shape", "shumai #74: [1, 3] tiled to [2, 9]", "shape")
def mean_tiled(r: Draw) -> Made:
    return (
        lambda x: x.mean(axis=0, keepdims=True),
        lambda g, x: np.repeat(g, 2, axis=0) / 2,
        lambda g, x: np.tile(g, x.shape) / 2,
        (r(2, 3),),
    )


@bug(
    "einsum over a size of one",
    "autograd #376: i,i with sizes 2 and 1 gives the first a gradient of size 1",
    "shape",
)
def einsum_broadcast(r: Draw) -> Made:
    return (
        lambda x, y: np.einsum("i,i", x, y),
        lambda g, x, y: (g * np.repeat(y, 2), g * x.sum(keepdims=True)),
        lambda g, x, y: (np.einsum(",i", g, y), g * x.sum(keepdims=True)),
        (r(2), r(1)),
    )


@bug("einsum's trace", "TensorFlow #24374, there in the forward pass: ii read as a sum over the whole matrix")
def einsum_trace(r: Draw) -> Made:
    return (
        lambda x: np.einsum("ii->", x),
        lambda g, x: g * np.eye(3),
        lambda g, x: g * np.ones((3, 3)),
        (r(3, 3),),
    )


@bug("einsum's diagonal transposed", "tinygrad #18229: iij->ij with the labels left where they were")
def einsum_diagonal(r: Draw) -> Made:
    def pull(g):
        dx = np.zeros((3, 3, 3))
        np.einsum("iij->ij", dx)[...] = g
        return dx

    return lambda x: np.einsum("iij->ij", x), lambda g, x: pull(g), lambda g, x: pull(g.T), (r(3, 3, 3),)


@bug("batched product with one matrix", "tfjs #8721: not summed over the batch", "shape")
def matmul_batch(r: Draw) -> Made:
    return (
        np.matmul,
        lambda g, a, b: (g @ b.T, (a.swapaxes(1, 2) @ g).sum(axis=0)),
        lambda g, a, b: (g @ b.T, a.swapaxes(1, 2) @ g),
        (r(2, 3, 4), r(4, 5)),
    )


@bug("tensordot's axes", "autograd #466: the axes of the second argument ignored")
def tensordot_axes(r: Draw) -> Made:
    return (
        lambda a, b: np.tensordot(a, b, (0, 1)),
        lambda g, a, b: (b.T @ g, np.outer(g, a)),
        lambda g, a, b: (b @ g, np.outer(a, g)),
        (r(3), r(3, 3)),
    )


@bug("concatenation along a negative axis", "tfjs-core #1267: split along the wrong axis", "shape")
def concat_negative(r: Draw) -> Made:
    return (
        lambda a, b: np.concatenate([a, b], axis=-1),
        lambda g, a, b: (g[:, :2].copy(), g[:, 2:].copy()),
        lambda g, a, b: (g[:2].copy(), g[2:].copy()),
        (r(4, 2), r(4, 3)),
    )


@bug(
    "concatenation split elsewhere", "keanu #279: split on the dimension that the tests got right by accident"
)
def concat_elsewhere(r: Draw) -> Made:
    def wrong(g, a, b):
        halves = g.reshape(2, 2, 2, 2).swapaxes(0, 1).reshape(2, 2, 4)
        return halves[:, :, :2].copy(), halves[:, :, 2:].copy()

    return (
        lambda a, b: np.concatenate([a, b], axis=2),
        lambda g, a, b: (g[:, :, :2].copy(), g[:, :, 2:].copy()),
        wrong,
        (r(2, 2, 2), r(2, 2, 2)),
    )


@bug(
    "repeat taken for tile",
    "tt-metal #55894, TensorFlow #8954 (review): summed over the wrong half of the split axis",
)
def repeat_for_tile(r: Draw) -> Made:
    return (
        lambda x: np.repeat(x, 3, axis=1),
        lambda g, x: g.reshape(2, 4, 3).sum(axis=2),
        lambda g, x: g.reshape(2, 3, 4).sum(axis=1),
        (r(2, 4),),
    )


@bug("batched inverse", "Nx #1748: contracted over every axis but the batch's", "shape")
def inverse_batched(r: Draw) -> Made:
    A = 3 * np.eye(3) + r(2, 3, 3)

    def right(g, A):
        B = np.linalg.inv(A).swapaxes(1, 2)
        return -B @ g @ B

    def wrong(g, A):
        B = np.linalg.inv(A).swapaxes(1, 2)
        return -np.tensordot(np.tensordot(B, g, axes=(2, 1)), B, axes=(3, 1))

    return np.linalg.inv, right, wrong, (A,)


@bug("batched solve", "Nx #1745: the right-hand side's axis of one lost", "shape")
def solve_batched(r: Draw) -> Made:
    A, b = 3 * np.eye(3) + r(2, 3, 3), r(2, 3, 1)

    def right(g, A, b):
        w = np.linalg.solve(A.swapaxes(1, 2), g)
        return -w @ np.linalg.solve(A, b).swapaxes(1, 2), w

    return np.linalg.solve, right, lambda g, A, b: (right(g, A, b)[0], right(g, A, b)[1][..., 0]), (A, b)
