"""The functions of convolve.c, compiled to convolve.so beside this file, as a target of gradcheck certify."""

import ctypes
from pathlib import Path

import numpy as np

LIBRARY = ctypes.CDLL(str(Path(__file__).with_name("convolve.so")))
SIZES = ("batch", "in", "out", "height", "width", "rows", "columns")


class Sizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ssize_t) for name in SIZES]


def call(name, x, k, connections, *arrays):
    """Call a C function with sizes and table before the arrays, which C wants in its order and as doubles."""
    table = np.ones(k.shape[:2], bool) if connections is None else np.ascontiguousarray(connections, bool)
    pointers = [each.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for each in arrays]
    sizes = Sizes(len(x), *k.shape[:2], *x.shape[2:], *k.shape[2:])
    getattr(LIBRARY, name)(sizes, table.ctypes.data_as(ctypes.c_char_p), *pointers)


def doubles(*arrays):
    return [np.ascontiguousarray(each, float) for each in arrays]


class convolve_valid:  # noqa: N801 - the operation's name
    @staticmethod
    def forward(x, k, *, connections=None):
        x, k = doubles(x, k)
        y = np.zeros((len(x), k.shape[1], x.shape[2] - k.shape[2] + 1, x.shape[3] - k.shape[3] + 1))
        call("forward", x, k, connections, x, k, y)
        return y

    @staticmethod
    def vjp(cotangent, x, k, *, connections=None):
        cotangent, x, k = doubles(cotangent, x, k)
        dx, dk = np.zeros(x.shape), np.zeros(k.shape)
        call("vjp", x, k, connections, cotangent, x, k, dx, dk)
        return dx, dk
