"""Every wrong call of `reference`, and its error line by line."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from reference import combination, convolution, dense, loss, sparsity, subsampling
from tests.test_reference_numerics import says

o = np.ones

CALLS = {
    "an integer dtype": (
        lambda: reference.dense.forward(o((5, 3), int), o((4, 3)), o(4)),
        TypeError,
        [
            "dense: x must be of a floating dtype",
            "  x.dtype = int64, wanted float32 or float64, kept as they come in",
            "  derivatives are fractions, which int64 cannot hold: pass x.astype(float)",
        ],
    ),
    "a bool dtype": (
        lambda: reference.sigmoid.forward(o(3, bool)),
        TypeError,
        [
            "sigmoid: u must be of a floating dtype",
            "  u.dtype = bool, wanted float32 or float64, kept as they come in",
            "  derivatives are fractions, which bool cannot hold: pass u.astype(float)",
        ],
    ),
    "an object dtype": (
        lambda: reference.squared_error.forward(o((1, 1)), o((1, 1), object)),
        TypeError,
        [
            "squared_error: t must be of a floating dtype",
            "  t.dtype = object, wanted float32 or float64, kept as they come in",
            "  derivatives are fractions, which object cannot hold: pass t.astype(float)",
        ],
    ),
    "a wrong rank": (
        lambda: reference.convolution.forward(o((3, 5, 5)), o((3, 2, 2, 2)), o(2)),
        ValueError,
        [
            "convolution: x has the wrong number of axes",
            "  x.shape = (3, 5, 5), wanted (batch, in_maps, height, width)",
            "  axes = 3, but must be 4",
        ],
    ),
    "an empty array": (
        lambda: reference.combination.forward(o((1, 3, 5, 5)), o((3, 2, 0)), o((3, 2)), o(2)),
        ValueError,
        [
            "combination: k is empty along its kernel_width",
            "  x.shape = (1, 3, 5, 5), wanted (batch, in_maps, height, width)",
            "  k.shape = (3, 2, 0), wanted (in_maps, kernel_height, kernel_width)",
            "  kernel_width = 0, but must be at least 1",
        ],
    ),
    "an empty batch": (
        lambda: reference.downsample.forward(o((0, 1, 2, 2)), n=2),
        ValueError,
        [
            "downsample: x is empty along its batch",
            "  x.shape = (0, 1, 2, 2), wanted (batch, maps, height, width)",
            "  batch = 0, but must be at least 1",
        ],
    ),
    "an empty array of any shape": (
        lambda: reference.tanh.forward(o((2, 0))),
        ValueError,
        [
            "tanh: u is empty",
            "  u.shape = (2, 0), wanted any shape without a zero",
            "  elements = 0, but must be at least 1",
        ],
    ),
    "mismatched map counts": (
        lambda: reference.convolve_valid.forward(o((1, 3, 5, 5)), o((2, 4, 2, 2))),
        ValueError,
        [
            "convolve_valid: k does not fit along its in_maps",
            "  x.shape = (1, 3, 5, 5), wanted (batch, in_maps, height, width)",
            "  k.shape = (2, 4, 2, 2), wanted (in_maps, out_maps, kernel_height, kernel_width)",
            "  in_maps = 3 in x, but is 2 in k",
        ],
    ),
    "a kernel larger than the map": (
        lambda: reference.convolution.forward(o((1, 1, 3, 5)), o((1, 1, 4, 5)), o(1)),
        ValueError,
        [
            "convolution: kernel_height exceeds height",
            "  x.shape = (1, 1, 3, 5), wanted (batch, in_maps, height, width)",
            "  k.shape = (1, 1, 4, 5), wanted (in_maps, out_maps, kernel_height, kernel_width)",
            "  b.shape = (1,), wanted (out_maps,)",
            "  out height = height - kernel_height + 1 = 3 - 4 + 1 = 0, but must be in 1..3",
        ],
    ),
    "deltas larger than the map": (
        lambda: convolution.conv_kernel_gradient(o((1, 3, 8, 8)), o((1, 4, 9, 6))),
        ValueError,
        [
            "conv_kernel_gradient: out_height exceeds height",
            "  maps.shape = (1, 3, 8, 8), wanted (batch, in_maps, height, width)",
            "  deltas.shape = (1, 4, 9, 6), wanted (batch, out_maps, out_height, out_width)",
            "  kernel height = height - out_height + 1 = 8 - 9 + 1 = 0, but must be in 1..8",
        ],
    ),
    "sides that n does not divide": (
        lambda: reference.subsampling.forward(o((1, 1, 4, 5)), o(1), o(1), n=2),
        ValueError,
        [
            "subsampling: width does not divide into blocks of n = 2",
            "  x.shape = (1, 1, 4, 5), wanted (batch, maps, height, width)",
            "  beta.shape = (1,), wanted (maps,)",
            "  b.shape = (1,), wanted (maps,)",
            "  width mod n = 5 mod 2 = 1, but must be 0",
        ],
    ),
    "n of zero": (
        lambda: reference.upsample.forward(o((1, 1, 2, 2)), n=0),
        ValueError,
        [
            "upsample: n is not the side of a block",
            "  n = 0, wanted an integer",
            "  n >= 1, since each block has n by n pixels, but is 0",
        ],
    ),
    "n of a half": (
        lambda: reference.subsampling.forward(o((1, 1, 2, 2)), o(1), o(1), n=0.5),
        ValueError,
        [
            "subsampling: n is not the side of a block",
            "  n = 0.5, wanted an integer",
            "  n >= 1, since each block has n by n pixels, but is 0.5",
        ],
    ),
    "n of True": (
        lambda: reference.downsample.vjp(o((1, 1, 2, 2)), o((1, 1, 2, 2)), n=True),
        ValueError,
        [
            "downsample.vjp: n is not the side of a block",
            "  n = True, wanted an integer",
            "  n >= 1, since each block has n by n pixels, but is True",
        ],
    ),
    "a cotangent off the output": (
        lambda: reference.convolution.vjp(o((1, 1, 4, 2)), o((1, 1, 4, 4)), o((1, 1, 2, 3)), o(1)),
        ValueError,
        [
            "convolution.vjp: cotangent does not fit along its out_height",
            "  x.shape = (1, 1, 4, 4), wanted (batch, in_maps, height, width)",
            "  k.shape = (1, 1, 2, 3), wanted (in_maps, out_maps, kernel_height, kernel_width)",
            "  b.shape = (1,), wanted (out_maps,)",
            "  cotangent.shape = (1, 1, 4, 2), wanted (batch, out_maps, out_height, out_width)",
            "  out height = height - kernel_height + 1 = 4 - 2 + 1 = 3, but is 4 in cotangent",
        ],
    ),
    "a cotangent off a full convolution": (
        lambda: reference.convolve_full.vjp(o((1, 1, 4, 4)), o((1, 1, 4, 4)), o((1, 1, 2, 3))),
        ValueError,
        [
            "convolve_full.vjp: cotangent does not fit along its height",
            "  d.shape = (1, 1, 4, 4), wanted (batch, out_maps, out_height, out_width)",
            "  k.shape = (1, 1, 2, 3), wanted (in_maps, out_maps, kernel_height, kernel_width)",
            "  cotangent.shape = (1, 1, 4, 4), wanted (batch, in_maps, height, width)",
            "  height = out_height + kernel_height - 1 = 4 + 2 - 1 = 5, but is 4 in cotangent",
        ],
    ),
    "a cotangent off the blocks": (
        lambda: reference.subsampling.vjp(o((1, 1, 4, 3)), o((1, 1, 4, 6)), o(1), o(1), n=2),
        ValueError,
        [
            "subsampling.vjp: cotangent does not fit along its out_height",
            "  x.shape = (1, 1, 4, 6), wanted (batch, maps, height, width)",
            "  beta.shape = (1,), wanted (maps,)",
            "  b.shape = (1,), wanted (maps,)",
            "  cotangent.shape = (1, 1, 4, 3), wanted (batch, maps, out_height, out_width)",
            "  out height = height / n = 4 / 2 = 2, but is 4 in cotangent",
        ],
    ),
    "a cotangent off the repeats": (
        lambda: reference.upsample.vjp(o((1, 1, 2, 3)), o((1, 1, 1, 1)), n=2),
        ValueError,
        [
            "upsample.vjp: cotangent does not fit along its up_width",
            "  x.shape = (1, 1, 1, 1), wanted (batch, maps, height, width)",
            "  cotangent.shape = (1, 1, 2, 3), wanted (batch, maps, up_height, up_width)",
            "  up width = n width = 2 * 1 = 2, but is 3 in cotangent",
        ],
    ),
    "a cotangent of a scalar that is none": (
        lambda: sparsity.vjp(o(1), o((2, 2))),
        ValueError,
        [
            "sparsity.vjp: cotangent has the wrong number of axes",
            "  c.shape = (2, 2), wanted (in_maps, out_maps)",
            "  cotangent.shape = (1,), wanted ()",
            "  axes = 1, but must be 0",
        ],
    ),
    "a cotangent unlike u": (
        lambda: reference.sigmoid.vjp(o((1, 3)), o(3)),
        ValueError,
        [
            "sigmoid.vjp: cotangent does not fit u",
            "  cotangent.shape = (1, 3), wanted the shape of u",
            "  cotangent.shape = u.shape = (3,), but is (1, 3)",
        ],
    ),
    "connections of integers": (
        lambda: reference.convolve_valid.forward(o((1, 1, 2, 2)), o((1, 1, 1, 1)), connections=[[1]]),
        TypeError,
        [
            "convolve_valid: connections must be bool",
            "  x.shape = (1, 1, 2, 2), wanted (batch, in_maps, height, width)",
            "  k.shape = (1, 1, 1, 1), wanted (in_maps, out_maps, kernel_height, kernel_width)",
            "  connections.shape = (1, 1), connections.dtype = int64, wanted (in_maps, out_maps) of bool",
            "  dtype = bool, but is int64: an index list is not a table",
        ],
    ),
    "connections of another shape": (
        lambda: reference.convolve_full.forward(
            o((1, 2, 2, 2)), o((1, 2, 1, 1)), connections=o((2, 1), bool)
        ),
        ValueError,
        [
            "convolve_full: connections do not fit the kernels",
            "  d.shape = (1, 2, 2, 2), wanted (batch, out_maps, out_height, out_width)",
            "  k.shape = (1, 2, 1, 1), wanted (in_maps, out_maps, kernel_height, kernel_width)",
            "  connections.shape = (2, 1), connections.dtype = bool, wanted (in_maps, out_maps) of bool",
            "  (in_maps, out_maps) = (1, 2), but is (2, 1)",
        ],
    ),
    "an unknown activation": (
        lambda: reference.subsampling.forward(o((1, 1, 2, 2)), o(1), o(1), n=2, activation="relu"),
        ValueError,
        [
            "subsampling: there is no such activation",
            "  activation = 'relu', wanted a name",
            "  activation must be one of identity, sigmoid, tanh, scaled_tanh",
        ],
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_message(case):
    call, kind, lines = CALLS[case]
    says(kind, lines, call)


maps, few = o((2, 3, 4, 6)), o((1, 3, 4, 6))
MISFITS = {
    "dense_weight_gradient": lambda: dense.dense_weight_gradient(o((2, 3)), o((3, 4))),
    "dense_input_gradient": lambda: dense.dense_input_gradient(o((2, 3)), o((5, 3))),
    "dense_delta": lambda: dense.dense_delta(o((2, 3)), o((5, 2)), o((5, 2))),
    "dense_bias_gradient": lambda: dense.dense_bias_gradient(o(3)),
    "output_delta": lambda: dense.output_delta(o((2, 3)), o((2, 3)), o((2, 1))),
    "conv_delta": lambda: convolution.conv_delta(maps, maps, o(3), 2),
    "conv_bias_gradient": lambda: convolution.conv_bias_gradient(o((2, 3))),
    "conv_kernel_gradient_patches": lambda: convolution.conv_kernel_gradient_patches(maps, few),
    "conv_input_gradient": lambda: convolution.conv_input_gradient(maps, o((3, 2, 1, 1))),
    "subsampling_delta": lambda: subsampling.subsampling_delta(maps, maps, o((3, 3, 2, 1))),
    "subsampling_bias_gradient": lambda: subsampling.subsampling_bias_gradient(o(3)),
    "subsampling_scale_gradient": lambda: subsampling.subsampling_scale_gradient(maps, few),
    "subsampling_input_gradient": lambda: subsampling.subsampling_input_gradient(maps, o(2), 2),
    "softmax": lambda: combination.Softmax.forward(o(3)),
    "softmax.vjp": lambda: combination.Softmax.vjp(o((3, 1)), o((3, 2))),
    "softmax_jacobian": lambda: combination.softmax_jacobian(o(3)),
    "softmax_gradient": lambda: combination.softmax_gradient(o((3, 1)), o((3, 2))),
    "signed_softmax": lambda: combination.signed_softmax(o((3, 1)), o((3, 2))),
    "combination_weight_gradient": lambda: combination.combination_weight_gradient(maps, few),
    "combination_kernel_gradient": lambda: combination.combination_kernel_gradient(maps, few, o((3, 3))),
    "combination_input_gradient": lambda: combination.combination_input_gradient(
        maps, o((2, 1, 1)), o((3, 3))
    ),
    "combination_delta": lambda: combination.combination_delta(few, maps, o((3, 1, 1)), o((3, 3))),
    "combination_bias_gradient": lambda: combination.combination_bias_gradient(o(3)),
    "sparsity": lambda: sparsity.forward(o(3)),
    "sparsity_penalty": lambda: sparsity.sparsity_penalty(o(3)),
    "sparsity_alpha_gradient": lambda: sparsity.sparsity_alpha_gradient(o(3)),
    "sparsity_gradient": lambda: sparsity.sparsity_gradient(o(3)),
    "squared_error": lambda: loss.SquaredError.forward(o((2, 3)), o((3, 2))),
    "squared_error.vjp": lambda: loss.SquaredError.vjp(o(2), o((2, 3)), o((2, 3))),
}


@pytest.mark.parametrize("who", MISFITS)
def test_every_formula_names_itself_and_shows_what_it_saw(who):
    with pytest.raises(ValueError, match=rf"^{who}: ") as error:
        MISFITS[who]()
    _, *seen, rule = str(error.value).splitlines()
    assert seen
    assert all(".shape = (" in line and ", wanted " in line for line in seen)
    assert "but " in rule
