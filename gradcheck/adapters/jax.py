"""JAX as a target: jax.lax and jax.nn, and the gradients that jax.vjp has of them, in 64-bit numbers.

jax.lax.conv_general_dilated is correlation, with its kernels here as (out, in, height, width): declared, not rewritten.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gradcheck.implementation import implements

__version__ = jax.__version__

ACTIVATIONS = {
    "identity": lambda u: u,
    "sigmoid": jax.nn.sigmoid,
    "tanh": lax.tanh,
    "scaled_tanh": lambda u: 1.7159 * lax.tanh(2 * u / 3),
}
MAPS = ("NCHW", "OIHW", "NCHW")


def target(name, **conventions):
    """Turn a function of JAX arrays into a target of this name, with JAX's gradient of it, both compiled."""

    def wrap(function):
        @cache
        def compiled(options):
            call = partial(function, **dict(options))

            def gradients(cotangent, *inputs):
                return jax.vjp(call, *inputs)[1](cotangent)

            def products(cotangent, tangents, *inputs):
                return jax.jvp(partial(gradients, cotangent), inputs, tangents)[1]

            return jax.jit(call), jax.jit(gradients), jax.jit(products)

        def forward(*inputs, **options):
            with jax.enable_x64(True):
                return np.array(compiled(frozen(options))[0](*map(jnp.array, inputs)))

        def vjp(cotangent, *inputs, **options):
            with jax.enable_x64(True):
                gradients = compiled(frozen(options))[1](jnp.array(cotangent), *map(jnp.array, inputs))
                return tuple(map(np.array, gradients))

        def hvp(cotangent, tangents, *inputs, **options):
            with jax.enable_x64(True):
                given = (jnp.array(cotangent), tuple(map(jnp.array, tangents)), *map(jnp.array, inputs))
                return tuple(map(np.array, compiled(frozen(options))[2](*given)))

        members = {"forward": staticmethod(forward), "vjp": staticmethod(vjp), "hvp": staticmethod(hvp)}
        return implements(name, **conventions)(type(function.__name__, (), members))

    return wrap


def frozen(options):
    """Options by which a compiled function can be found again; a connection table as tuples."""
    return tuple(
        (name, tuple(map(tuple, np.asarray(value))) if name == "connections" and value is not None else value)
        for name, value in options.items()
    )


def masked(kernels, connections):
    """Kernels (out, in, height, width) with zeros where maps are not connected; the table is (in, out)."""
    return (
        kernels if connections is None else kernels * np.array(connections, dtype=float).T[:, :, None, None]
    )


def valid(x, kernels):
    """A correlation without padding."""
    return lax.conv_general_dilated(x, kernels, (1, 1), "VALID", dimension_numbers=MAPS)


def blocks(x, n):
    """Sums over n×n blocks."""
    return lax.reduce_window(x, 0.0, lax.add, (1, 1, n, n), (1, 1, n, n), "VALID")


@target("sigmoid")
def sigmoid(u):
    return jax.nn.sigmoid(u)


@target("tanh")
def tanh(u):
    return lax.tanh(u)


@target("scaled_tanh")
def scaled_tanh(u):
    return ACTIVATIONS["scaled_tanh"](u)


@target("squared_error")
def squared_error(y, t):
    return jnp.sum(lax.square(t - y)) / 2


@target("dense")
def dense(x, W, b, *, activation):
    return ACTIVATIONS[activation](lax.dot_general(x, W, (((1,), (1,)), ((), ()))) + b)


@target("upsample")
def upsample(x, *, n):
    return jax.image.resize(x, (*x.shape[:2], x.shape[2] * n, x.shape[3] * n), "nearest")


@target("downsample")
def downsample(x, *, n):
    return blocks(x, n)


@target("convolve_valid", kernel="correlation", kernel_layout="OIHW")
def convolve_valid(x, k, *, connections):
    return valid(x, masked(k, connections))


@target("convolve_full", kernel="correlation")
def convolve_full(d, k, *, connections):
    # the receiving maps are k's first axis here, and stand first in JAX as well
    kernels = k if connections is None else k * np.array(connections, dtype=float)[:, :, None, None]
    sides = [(side - 1, side - 1) for side in k.shape[2:]]
    return lax.conv_general_dilated(d, kernels, (1, 1), sides, dimension_numbers=MAPS)


@target("convolution", kernel="correlation", kernel_layout="OIHW")
def convolution(x, k, b, *, activation, connections):
    return ACTIVATIONS[activation](valid(x, masked(k, connections)) + b[:, None, None])


@target("subsampling")
def subsampling(x, beta, b, *, n, activation):
    return ACTIVATIONS[activation](beta[:, None, None] * blocks(x, n) + b[:, None, None])


@target("softmax")
def softmax(c):
    return jax.nn.softmax(c, axis=0)


@target("combination")
def combination(x, k, c, b, *, activation):
    turned = k[:, ::-1, ::-1]  # the catalogue has no convention for these kernels
    kernels = jax.nn.softmax(c, axis=0).T[:, :, None, None] * turned
    return ACTIVATIONS[activation](valid(x, kernels) + b[:, None, None])
