"""numexpr as a target: activations, each as one expression that is evaluated a cacheful at a time.

The derivatives of the notes are taken from u, with one exponential, and not from the output, where they cancel.
"""

import numexpr
import numpy as np

from gradcheck.implementation import implements

__version__ = numexpr.__version__

AMPLITUDE, STEEPNESS = 1.7159, 2 / 3


def evaluated(expression, like, **arrays):
    """An expression of arrays, in the dtype and shape of one of them."""
    found = numexpr.evaluate(expression, local_dict=arrays, global_dict={}, truediv=True)
    return np.asarray(found, dtype=like.dtype).reshape(like.shape)


@implements("sigmoid")
class Sigmoid:
    """1 / (1 + exp(−u)); f' = e / (1 + e)² with e = exp(−|u|)."""

    @staticmethod
    def forward(u):
        return evaluated("1 / (1 + exp(-u))", u, u=u)

    @staticmethod
    def vjp(cotangent, u):
        slope = "cotangent * exp(-abs(u)) / ((1 + exp(-abs(u))) * (1 + exp(-abs(u))))"
        return (evaluated(slope, u, u=u, cotangent=cotangent),)


@implements("tanh")
class Tanh:
    """tanh(u); f' = 1 / cosh(u)², which does not cancel where tanh nears 1."""

    @staticmethod
    def forward(u):
        return evaluated("tanh(u)", u, u=u)

    @staticmethod
    def vjp(cotangent, u):
        return (evaluated("cotangent / (cosh(u) * cosh(u))", u, u=u, cotangent=cotangent),)


@implements("scaled_tanh")
class ScaledTanh:
    """a tanh(b u); f' = a b / cosh(b u)²."""

    @staticmethod
    def forward(u):
        return evaluated("a * tanh(b * u)", u, u=u, a=AMPLITUDE, b=STEEPNESS)

    @staticmethod
    def vjp(cotangent, u):
        slope = "cotangent * a * b / (cosh(b * u) * cosh(b * u))"
        return (evaluated(slope, u, u=u, cotangent=cotangent, a=AMPLITUDE, b=STEEPNESS),)
