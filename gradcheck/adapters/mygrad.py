"""MyGrad as a target: its convolution, activations and array functions, and the gradients that backward() leaves.

conv_nd is correlation with kernels (out, in, height, width): declared, not rewritten.
"""

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import sigmoid as mg_sigmoid
from mygrad.nnet.activations import softmax as mg_softmax
from mygrad.nnet.layers import conv_nd

from gradcheck.environment import package_version
from gradcheck.implementation import implements

__version__ = package_version("mygrad")

ACTIVATIONS = {
    "identity": lambda u: u,
    "sigmoid": mg_sigmoid,
    "tanh": mg.tanh,
    "scaled_tanh": lambda u: 1.7159 * mg.tanh(2 * u / 3),
}


def target(name, **conventions):
    """Turn a function of tensors into a target of this name, with MyGrad's gradient of it."""

    def wrap(function):
        def forward(*inputs, **options):
            with mg.no_autodiff:
                return np.array(mg.asarray(function(*map(mg.tensor, inputs), **options)))

        def vjp(cotangent, *inputs, **options):
            leaves = [mg.tensor(x) for x in inputs]
            function(*leaves, **options).backward(np.array(cotangent))
            return tuple(None if leaf.grad is None else np.array(leaf.grad) for leaf in leaves)

        members = {"forward": staticmethod(forward), "vjp": staticmethod(vjp)}
        return implements(name, **conventions)(type(function.__name__, (), members))

    return wrap


def masked(kernels, connections):
    """Kernels (out, in, height, width) with zeros where maps are not connected; the table is (in, out)."""
    return (
        kernels if connections is None else kernels * np.array(connections, dtype=float).T[:, :, None, None]
    )


def blocks(x, n):
    """Sums over n×n blocks, by reshaping."""
    batch, maps, height, width = x.shape
    return mg.sum(mg.reshape(x, (batch, maps, height // n, n, width // n, n)), axis=(3, 5))


@target("sigmoid")
def sigmoid(u):
    return mg_sigmoid(u)


@target("tanh")
def tanh(u):
    return mg.tanh(u)


@target("scaled_tanh")
def scaled_tanh(u):
    return ACTIVATIONS["scaled_tanh"](u)


@target("squared_error")
def squared_error(y, t):
    return mg.sum((t - y) ** 2) / 2


@target("dense")
def dense(x, W, b, *, activation):
    return ACTIVATIONS[activation](mg.matmul(x, W.T) + b)


@target("upsample")
def upsample(x, *, n):
    return mg.repeat(mg.repeat(x, n, axis=2), n, axis=3)


@target("downsample")
def downsample(x, *, n):
    return blocks(x, n)


@target("convolve_valid", kernel="correlation", kernel_layout="OIHW")
def convolve_valid(x, k, *, connections):
    return conv_nd(x, masked(k, connections), stride=1)


@target("convolution", kernel="correlation", kernel_layout="OIHW")
def convolution(x, k, b, *, activation, connections):
    return ACTIVATIONS[activation](conv_nd(x, masked(k, connections), stride=1) + b[:, None, None])


@target("subsampling")
def subsampling(x, beta, b, *, n, activation):
    return ACTIVATIONS[activation](beta[:, None, None] * blocks(x, n) + b[:, None, None])


@target("softmax")
def softmax(c):
    return mg_softmax(c, axis=0)


@target("combination")
def combination(x, k, c, b, *, activation):
    turned = k[:, ::-1, ::-1]  # the catalogue has no convention for these kernels
    kernels = mg.transpose(mg_softmax(c, axis=0))[:, :, None, None] * turned
    return ACTIVATIONS[activation](conv_nd(x, kernels, stride=1) + b[:, None, None])
