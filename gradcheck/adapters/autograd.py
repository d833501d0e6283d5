"""HIPS autograd as a target: forwards written in its NumPy, and the gradients that it derives of them.

Its convolution, autograd.scipy.signal.convolve, has gradients of its own making: those are what is on trial.
"""

import autograd.numpy as anp
from autograd.differential_operators import make_vjp
from autograd.scipy.signal import convolve
from autograd.scipy.special import expit, logsumexp

from gradcheck.environment import package_version
from gradcheck.implementation import implements

__version__ = package_version("autograd")

ACTIVATIONS = {
    "identity": lambda u: u,
    "sigmoid": expit,
    "tanh": anp.tanh,
    "scaled_tanh": lambda u: 1.7159 * anp.tanh(2 * u / 3),
}


def differentiated(forward):
    """The vjp that autograd derives of a forward, for all of its inputs at once."""

    def vjp(cotangent, *inputs, **options):
        def call(*arrays):
            return forward(*arrays, **options)

        pullback, _ = make_vjp(call, tuple(range(len(inputs))))(*inputs)
        return tuple(pullback(cotangent))

    return vjp


def target(name):
    """Turn a function into a target of this name, with autograd's gradient of it."""

    def wrap(forward):
        members = {"forward": staticmethod(forward), "vjp": staticmethod(differentiated(forward))}
        return implements(name)(type(forward.__name__, (), members))

    return wrap


def masked(k, connections):
    """Kernels with zeros where maps are not connected."""
    return k if connections is None else k * anp.array(connections, dtype=float)[:, :, None, None]


def valid(x, k):
    """Sum over input maps of conv2(x_i, k_ij, 'valid'), by autograd's own convolution."""
    return convolve(x, k, axes=([2, 3], [2, 3]), dot_axes=([1], [0]), mode="valid")


def blocks(x, n):
    """Sums over n×n blocks, by reshaping."""
    batch, maps, height, width = x.shape
    return anp.sum(anp.reshape(x, (batch, maps, height // n, n, width // n, n)), axis=(3, 5))


@target("sigmoid")
def sigmoid(u):
    return expit(u)


@target("tanh")
def tanh(u):
    return anp.tanh(u)


@target("scaled_tanh")
def scaled_tanh(u):
    return ACTIVATIONS["scaled_tanh"](u)


@target("squared_error")
def squared_error(y, t):
    return anp.sum((t - y) ** 2) / 2


@target("dense")
def dense(x, W, b, *, activation):
    return ACTIVATIONS[activation](anp.dot(x, W.T) + b)


@target("upsample")
def upsample(x, *, n):
    return anp.repeat(anp.repeat(x, n, axis=2), n, axis=3)


@target("downsample")
def downsample(x, *, n):
    return blocks(x, n)


@target("convolve_valid")
def convolve_valid(x, k, *, connections):
    return valid(x, masked(k, connections))


@target("convolve_full")
def convolve_full(d, k, *, connections):
    return convolve(d, masked(k, connections), axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="full")


@target("convolution")
def convolution(x, k, b, *, activation, connections):
    return ACTIVATIONS[activation](valid(x, masked(k, connections)) + b[:, None, None])


@target("subsampling")
def subsampling(x, beta, b, *, n, activation):
    return ACTIVATIONS[activation](beta[:, None, None] * blocks(x, n) + b[:, None, None])


@target("softmax")
def softmax(c):
    return anp.exp(c - logsumexp(c, axis=0, keepdims=True))


@target("combination")
def combination(x, k, c, b, *, activation):
    kernels = anp.exp(c - logsumexp(c, axis=0, keepdims=True))[:, :, None, None] * k[:, None]
    return ACTIVATIONS[activation](valid(x, kernels) + b[:, None, None])
