"""PyTorch as a target: torch.nn.functional, and the gradients that its autograd has of it.

conv2d is correlation, its kernels are (out, in, height, width), and its pooling takes means: declared, not rewritten.
"""

import numpy as np
import torch
from torch.nn import functional

from gradcheck.frameworks.torch_arrays import from_numpy, to_numpy
from gradcheck.implementation import implements

__version__ = str(torch.__version__)

ACTIVATIONS = {
    "identity": lambda u: u,
    "sigmoid": functional.sigmoid,
    "tanh": functional.tanh,
    "scaled_tanh": lambda u: 1.7159 * functional.tanh(2 * u / 3),
}


PLACE = {"device": "cpu"}
"""Where tensors go."""


def configure(device="cpu", tf32=None, deterministic=None):
    """Go to another device; switch TF32 in matrix products and convolutions, and torch's deterministic algorithms."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"torch {torch.__version__} finds no CUDA device here: device = {device}, wanted cpu"
        )
    PLACE["device"] = torch.device(device)
    for switch in (torch.backends.cuda.matmul, torch.backends.cudnn):
        switch.allow_tf32 = tf32 == "on"  # off by default: a certificate of float32 is of float32
    torch.use_deterministic_algorithms(deterministic == "on")


def target(name, **conventions):
    """Turn a function of tensors into a target of this name, with torch's gradient of it."""

    def wrap(function):
        def forward(*inputs, **options):
            with torch.no_grad():
                return array(function(*map(tensor, inputs), **options))

        def vjp(cotangent, *inputs, **options):
            leaves = [tensor(x).requires_grad_() for x in inputs]
            output = function(*leaves, **options)
            gradients = torch.autograd.grad(output, leaves, tensor(cotangent))
            # copies: torch hands a cotangent on as the gradient where it is one
            return tuple(np.array(array(gradient)) for gradient in gradients)

        def hvp(cotangent, tangents, *inputs, **options):
            leaves = [tensor(x).requires_grad_() for x in inputs]
            output = function(*leaves, **options)
            gradients = torch.autograd.grad(output, leaves, tensor(cotangent), create_graph=True)
            # by its transpose, which is the Hessian itself; a gradient that does not bend has no graph
            bent = [(g, tensor(v)) for g, v in zip(gradients, tangents, strict=True) if g.requires_grad]
            if not bent:
                return tuple(np.zeros_like(x) for x in inputs)
            bending, weights = zip(*bent, strict=True)
            products = torch.autograd.grad(bending, leaves, weights, materialize_grads=True)
            return tuple(np.array(array(product)) for product in products)

        members = {"forward": staticmethod(forward), "vjp": staticmethod(vjp), "hvp": staticmethod(hvp)}
        return implements(name, **conventions)(type(function.__name__, (), members))

    return wrap


def tensor(array):
    """In the array's own memory and strides where torch can have them, on the CPU."""
    return from_numpy(torch, np.asarray(array)).to(PLACE["device"])


def array(tensor):
    """Back, from wherever it is."""
    return to_numpy(torch, tensor)


def masked(kernels, connections):
    """Kernels (out, in, height, width) with zeros where maps are not connected; the table is (in, out)."""
    if connections is None:
        return kernels
    return kernels * torch.as_tensor(np.array(connections).T[:, :, None, None].copy()).to(kernels)


@target("sigmoid")
def sigmoid(u):
    return functional.sigmoid(u)


@target("tanh")
def tanh(u):
    return functional.tanh(u)


@target("scaled_tanh")
def scaled_tanh(u):
    return ACTIVATIONS["scaled_tanh"](u)


@target("squared_error")
def squared_error(y, t):
    return functional.mse_loss(y, t, reduction="sum") / 2


@target("dense")
def dense(x, W, b, *, activation):
    return ACTIVATIONS[activation](functional.linear(x, W, b))


@target("upsample")
def upsample(x, *, n):
    return functional.interpolate(x, scale_factor=n, mode="nearest")


@target("downsample", pooling="mean")
def downsample(x, *, n):
    return functional.avg_pool2d(x, n)


@target("convolve_valid", kernel="correlation", kernel_layout="OIHW")
def convolve_valid(x, k, *, connections):
    return functional.conv2d(x, masked(k, connections))


@target("convolve_full", kernel_layout="OIHW")
def convolve_full(d, k, *, connections):
    return functional.conv_transpose2d(d, masked(k, connections))


@target("convolution", kernel="correlation", kernel_layout="OIHW")
def convolution(x, k, b, *, activation, connections):
    return ACTIVATIONS[activation](functional.conv2d(x, masked(k, connections), b))


@target("subsampling", pooling="mean")
def subsampling(x, beta, b, *, n, activation):
    return ACTIVATIONS[activation](beta[:, None, None] * functional.avg_pool2d(x, n) + b[:, None, None])


@target("softmax")
def softmax(c):
    return functional.softmax(c, dim=0)


@target("combination")
def combination(x, k, c, b, *, activation):
    turned = k.flip(1, 2)  # the catalogue has no convention for these kernels
    kernels = functional.softmax(c, dim=0).T[:, :, None, None] * turned
    return ACTIVATIONS[activation](functional.conv2d(x, kernels, b))
