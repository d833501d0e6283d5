"""Low precision: layers in float16, bfloat16, float32 and as tensor cores take them, right ones and half-size ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from gradcheck import Verdict, check_vjp

ml_dtypes = pytest.importorskip("ml_dtypes")

HALF, BRAIN = np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)


class Layer(NamedTuple):
    """A layer as it is written for float32 or float64; `shapes` of its inputs."""

    forward: object
    vjp: object
    shapes: tuple


def sigmoid(u):
    return 1 / (1 + np.exp(-u))


def softmax(u):
    e = np.exp(u - u.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_vjp(c, u):
    p = softmax(u)
    return (p * (c - (c * p).sum(axis=-1, keepdims=True)),)


def convolve(x, k):
    return np.einsum("nihwab,ijab->njhw", sliding_window_view(x, k.shape[2:], axis=(2, 3)), k)


def convolve_vjp(c, x, k):
    high, wide = k.shape[2] - 1, k.shape[3] - 1
    padded = np.pad(c, ((0, 0), (0, 0), (high, high), (wide, wide)))
    windows = sliding_window_view(padded, k.shape[2:], axis=(2, 3))
    dx = np.einsum("njhwab,ijab->nihw", windows, k[:, :, ::-1, ::-1])
    dk = np.einsum("nihwab,njab->ijhw", sliding_window_view(x, c.shape[2:], axis=(2, 3)), c)
    return dx, dk


def mean_pool(x):
    n, j, h, w = x.shape
    return x.reshape(n, j, h // 2, 2, w // 2, 2).mean(axis=(3, 5))


def max_pool(x):
    n, j, h, w = x.shape
    return x.reshape(n, j, h // 2, 2, w // 2, 2).max(axis=(3, 5))


def spread(small):
    return small.repeat(2, axis=2).repeat(2, axis=3)


def normalised(x):
    return (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + np.float32(1e-3))


def normalised_vjp(c, x):
    y = normalised(x)
    sd = np.sqrt(x.var(axis=1, keepdims=True) + np.float32(1e-3))
    return ((c - c.mean(axis=1, keepdims=True) - y * (c * y).mean(axis=1, keepdims=True)) / sd,)


LAYERS = {
    "sigmoid": Layer(sigmoid, lambda c, u: (c * sigmoid(u) * (1 - sigmoid(u)),), ((5, 7),)),
    "tanh": Layer(np.tanh, lambda c, u: (c * (1 - np.tanh(u) ** 2),), ((5, 7),)),
    "relu": Layer(lambda u: np.maximum(u, 0), lambda c, u: (c * (u > 0),), ((5, 7),)),
    "softmax": Layer(softmax, softmax_vjp, ((4, 6),)),
    "dense": Layer(
        lambda x, W, b: x @ W.T + b,
        lambda c, x, W, b: (c @ W, c.T @ x, c.sum(axis=0)),
        ((5, 6), (4, 6), (4,)),
    ),
    "convolution": Layer(convolve, convolve_vjp, ((2, 2, 6, 5), (2, 3, 3, 2))),
    "mean pooling": Layer(mean_pool, lambda c, x: (spread(c) / 4,), ((2, 2, 6, 4),)),
    "max pooling": Layer(max_pool, lambda c, x: (spread(c) * (x == spread(max_pool(x))),), ((2, 2, 6, 4),)),
    "normalisation": Layer(normalised, normalised_vjp, ((4, 16),)),
}


def in_dtype(function, dtype, inside=np.float32):
    """The function of inputs of that dtype, computed inside of another and rounded to that dtype at the end."""

    def rounded(*inputs):
        answer = function(*[np.asarray(x).astype(inside) for x in inputs])
        if isinstance(answer, tuple):
            return tuple(a.astype(dtype) for a in answer)
        return answer.astype(dtype)

    return rounded


def points(layer, dtype, seed):
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in layer.shapes)


def times(share, vjp):
    return lambda *args: tuple((np.float32(share) * g.astype(np.float32)).astype(g.dtype) for g in vjp(*args))


#: The smallest error, beside the gradient's norm, that is asked for: of the 11 bits of float16 and the 8 of bfloat16
#: a difference loses four or five. A half-size gradient is wrong by its own norm.
WANTED = {HALF: 0.5, BRAIN: 0.9}


def verdicts(layer, dtype, seed, forward, vjp, **options):
    """Of the right gradient and of half of it."""
    inputs = points(layer, dtype, seed)
    right = check_vjp(forward, vjp, inputs, seed=seed, **options)
    half = check_vjp(forward, times(0.5, vjp), inputs, seed=seed, explain=False, **options)
    return right, half


@pytest.mark.parametrize("dtype", [HALF, BRAIN], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_also_runs_in_a_finer_dtype(name, dtype):
    layer = LAYERS[name]

    def forward(*inputs):  # accumulated in float32 at least, rounded to what came in
        wide = np.float64 if inputs[0].dtype == np.float64 else np.float32
        return layer.forward(*[x.astype(wide) for x in inputs]).astype(inputs[0].dtype)

    right, half = verdicts(
        layer, dtype, 1, forward, in_dtype(layer.vjp, dtype), finer=np.float64, kinks="subgradient"
    )
    assert right.passed, right
    assert right.resolution < {HALF: 0.05, BRAIN: 0.3}[dtype]
    assert half.verdict is Verdict.FAIL, half


#: Layers of which float16 and bfloat16 values alone do not show enough, and why that is so.
FEW = {
    "max pooling": "a kink for every few inputs, and steps too coarse to go between them",
    "relu": "the same",
}


@pytest.mark.parametrize("dtype", [HALF, BRAIN], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_knows_no_other_dtype(name, dtype):
    layer, passed = LAYERS[name], 0
    forward, vjp = in_dtype(layer.forward, dtype), in_dtype(layer.vjp, dtype)
    for seed in range(3):
        right, half = verdicts(layer, dtype, seed, forward, vjp, wanted=WANTED[dtype], directions=4)
        assert right.verdict is not Verdict.FAIL, right
        assert half.verdict is Verdict.FAIL or (name in FEW and half.verdict is not Verdict.PASS), half
        passed += right.passed
        if right.passed:
            assert right.resolution <= WANTED[dtype]
            assert "agrees to a relative" in str(right)
    assert passed == 3 or name in FEW


def truncated(x):
    """The number that a tensor core takes for a float32: 10 bits of its mantissa, the others cut off."""
    return (x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def in_tf32(function):
    return lambda *inputs: function(*[truncated(x) for x in inputs])


@pytest.mark.parametrize("accumulated", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_float32_is_right_whatever_it_is_accumulated_in(name, accumulated):
    layer = LAYERS[name]
    forward = in_dtype(layer.forward, np.float32, accumulated)
    for inside in (np.float32, np.float64):
        vjp = in_dtype(layer.vjp, np.float32, inside)
        right, half = verdicts(layer, np.float32, 0, forward, vjp, kinks="avoid")
        assert right.passed, right
        assert half.verdict is Verdict.FAIL, half


@pytest.mark.parametrize("name", LAYERS)
def test_inputs_cut_to_ten_bits_are_no_fault_of_the_gradient(name):
    layer = LAYERS[name]
    forward, vjp = in_tf32(layer.forward), in_tf32(layer.vjp)
    for seed in range(2):
        # an input is off by up to 2^-10 of itself, its product with another by twice that
        right, half = verdicts(layer, np.float32, seed, forward, vjp, noise=2.0**-9, kinks="avoid")
        assert right.verdict is not Verdict.FAIL, right
        assert half.verdict is not Verdict.PASS, half


def test_cut_inputs_are_steps_that_have_to_be_declared():
    layer = LAYERS["dense"]
    right, _ = verdicts(layer, np.float32, 0, in_tf32(layer.forward), in_tf32(layer.vjp))
    assert right.verdict is not Verdict.PASS
    assert truncated(np.float32(1 + 2.0**-11)) == 1
    assert truncated(np.float32(1 + 2.0**-10)) == np.float32(1 + 2.0**-10)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3)])
def test_a_wrong_gradient_of_few_elements_fails_in_few_digits(dtype, shape):
    x = (1 + np.arange(np.prod(shape, dtype=int)).reshape(shape) / 4).astype(dtype)
    for scale, verdict in ((1, Verdict.PASS), (3, Verdict.FAIL)):
        check = check_vjp(lambda x: x * x, lambda c, x, s=scale: (s * 2 * c * x).astype(x.dtype), (x,))
        assert check.verdict is verdict, check
