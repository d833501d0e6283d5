"""Every derivative of the notes on convolutional networks, written out by hand: NumPy and SciPy only.

Each operation is an attribute with `forward(*inputs, **options)` and `vjp(cotangent, *inputs, **options)`,
the latter
returning one gradient for each input, in order.
"""

from reference import combination, convolution, dense, network, sparsity, subsampling
from reference.activation import ACTIVATIONS
from reference.combination import softmax
from reference.kernels import FAST
from reference.loss import squared_error

sigmoid = ACTIVATIONS["sigmoid"]
tanh = ACTIVATIONS["tanh"]
scaled_tanh = ACTIVATIONS["scaled_tanh"]
upsample = FAST.upsample
downsample = FAST.downsample
convolve_valid = FAST.convolve_valid
convolve_full = FAST.convolve_full

__all__ = [
    "combination",
    "convolution",
    "convolve_full",
    "convolve_valid",
    "dense",
    "downsample",
    "network",
    "scaled_tanh",
    "sigmoid",
    "softmax",
    "sparsity",
    "squared_error",
    "subsampling",
    "tanh",
    "upsample",
]
