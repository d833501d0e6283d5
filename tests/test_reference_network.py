"""The whole network: shapes, the recursion against complex steps and autograd, training, and errors."""

from __future__ import annotations

import json

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.scipy.signal import convolve as autograd_convolve

from reference import network, update
from reference.loss import one_of_c
from tests.test_reference_numerics import CLOSE, NET, NET_SHAPES, draw, gap, says

SIMPLE = (
    ("convolution", 3, (2, 3), "tanh"),
    ("subsampling", 2, "tanh"),
    ("convolution", 2, (2, 1), "tanh"),
    ("dense", 4, "tanh"),
)


def arrays_of(architecture, x_shape, seed=0):
    """x, t, every parameter and every perturbation."""
    shapes = network.parameter_shapes(architecture, x_shape[1:]).values()
    layers = list(network.perturbation_shapes(architecture, x_shape).values())
    outputs = (x_shape[0], int(np.prod(layers[-1][1:])))
    return draw([x_shape, outputs, *shapes, *layers], seed)


def test_shapes_by_name():
    shapes = network.parameter_shapes(NET, (3, 8, 7))
    assert tuple(shapes.values()) == NET_SHAPES[2 : 2 + len(shapes)]
    assert list(shapes) == [
        *("layer1.k", "layer1.b", "layer2.beta", "layer2.b", "layer3.k", "layer3.c", "layer3.b"),
        *("layer4.k", "layer4.b", "layer5.W", "layer5.b", "layer6.W", "layer6.b"),
    ]
    layers = network.perturbation_shapes(NET, (2, 3, 8, 7))
    assert list(layers) == [f"layer{place}" for place in range(1, 7)]
    assert tuple(layers.values()) == NET_SHAPES[2 + len(shapes) :]


def test_an_architecture_is_hashable_and_may_come_from_json():
    assert hash(NET) == hash(tuple(NET))
    arrays = draw(NET_SHAPES)
    again = json.loads(json.dumps(NET))
    assert network.forward(*arrays, architecture=again) == network.forward(*arrays, architecture=NET)
    made = (network.Dense(2, "tanh"),)
    assert network.parameter_shapes(made, (1, 2, 3)) == network.parameter_shapes(
        (("dense", 2, "tanh"),), (1, 2, 3)
    )


def test_gradients_are_autograds():
    arrays = arrays_of(SIMPLE, (3, 2, 7, 8))

    def layer(x, k):
        return autograd_convolve(x, k, axes=([2, 3], [2, 3]), dot_axes=([1], [0]), mode="valid")

    def loss(x, t, k1, b1, beta, b2, k3, b3, W, b4, u1, u2, u3, u4):
        y = anp.tanh(layer(x, k1) + b1[:, None, None] + u1)
        blocks = anp.sum(anp.reshape(y, (3, 3, 3, 2, 3, 2)), axis=(3, 5))
        y = anp.tanh(beta[:, None, None] * blocks + b2[:, None, None] + u2)
        y = anp.tanh(layer(y, k3) + b3[:, None, None] + u3)
        y = anp.tanh(anp.dot(anp.reshape(y, (3, -1)), W.T) + b4 + u4)
        return anp.sum((t - y) ** 2) / 2

    assert gap(network.forward(*arrays, architecture=SIMPLE), loss(*arrays)) < CLOSE
    gradients = network.vjp(np.float64(3.0), *arrays, architecture=SIMPLE)
    for place, gradient in enumerate(gradients):
        assert gap(gradient, 3 * autograd.grad(loss, place)(*arrays)) < CLOSE


def test_a_bias_gradient_is_its_delta_summed():
    arrays = draw(NET_SHAPES)
    parameters = dict(zip(network.parameter_shapes(NET, (3, 8, 7)), arrays[2:], strict=False))
    s = network.backward(NET, parameters, network.run(NET, parameters, arrays[0]), arrays[1])
    for layer, delta in s.deltas.items():
        assert gap(s.parameters[f"{layer}.b"], delta.sum(axis=(0, *range(2, delta.ndim)))) < CLOSE
        assert delta.shape == network.perturbation_shapes(NET, (2, 3, 8, 7))[layer]


def test_the_sparsity_terms_are_added():
    arrays = draw(NET_SHAPES)
    without = (*NET[:2], (*NET[2][:4], 0), *NET[3:])
    difference = network.forward(*arrays, architecture=NET) - network.forward(*arrays, architecture=without)
    assert abs(difference - 0.25 * 2) < 1e-13  # lambda times two columns; round-off of a loss of about ten
    assert np.shape(network.forward(*arrays, architecture=without)) == ()


def test_a_penalty_that_had_a_gradient_would_be_passed_on(monkeypatch):
    # that of the sparsity term is zero, so that its sum with the error's says nothing: one of ones stands in
    arrays = draw(NET_SHAPES)
    place = list(network.parameter_shapes(NET, (3, 8, 7))).index("layer3.c") + 2
    before = network.vjp(3.0, *arrays, architecture=NET)
    monkeypatch.setattr(
        network.Combination, "penalty_gradients", lambda layer, p: {"c": np.ones_like(p["c"])}
    )
    after = network.vjp(3.0, *arrays, architecture=NET)
    for index, (new, old) in enumerate(zip(after, before, strict=True)):
        assert np.max(np.abs(new - old - 3 * (index == place))) < 1e-13  # round-off of gradients of about ten


def test_records_keep_what_the_way_back_needs():
    arrays = draw(NET_SHAPES)
    parameters = dict(zip(network.parameter_shapes(NET, (3, 8, 7)), arrays[2:], strict=False))
    records = network.run(NET, parameters, arrays[0])
    assert np.array_equal(records[1].x, records[0].y)
    blocks = records[0].y.reshape(2, 3, 3, 2, 3, 2).sum(axis=(3, 5))
    assert gap(records[1].kept, blocks) < CLOSE
    assert records[-1].y.shape == (2, 3)
    assert np.array_equal(network.predict(NET, parameters, arrays[0]), records[-1].y)


def test_the_loss_is_a_sum_over_the_batch():
    arrays = arrays_of(SIMPLE, (2, 2, 7, 8))
    count = len(network.parameter_shapes(SIMPLE, (2, 7, 8)))
    x, t, parameters, bumps = arrays[0], arrays[1], arrays[2 : 2 + count], arrays[2 + count :]
    parts = []
    for n in (slice(0, 1), slice(1, 2)):
        parts.append(network.vjp(1.0, x[n], t[n], *parameters, *[u[n] for u in bumps], architecture=SIMPLE))
    whole = network.vjp(1.0, *arrays, architecture=SIMPLE)
    for place, gradient in enumerate(whole):
        split = place < 2 or place >= 2 + count
        joined = np.concatenate([p[place] for p in parts]) if split else parts[0][place] + parts[1][place]
        assert gap(gradient, joined) < CLOSE


def test_maps_at_the_end_are_flattened():
    architecture = (("convolution", 2, (2, 2), "tanh"),)
    arrays = arrays_of(architecture, (3, 1, 3, 4))
    gradients = network.vjp(1.0, *arrays, architecture=architecture)
    assert [g.shape for g in gradients] == [a.shape for a in arrays]
    assert gradients[1].shape == (3, 12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initial_parameters(dtype):
    first, second = (
        network.initialise(NET, (3, 8, 7), np.random.default_rng(seed), dtype) for seed in (0, 0)
    )
    assert {n: p.shape for n, p in first.items()} == network.parameter_shapes(NET, (3, 8, 7))
    assert {p.dtype for p in first.values()} == {np.dtype(dtype)}
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert (first["layer2.beta"] == 0.25).all()
    assert not first["layer5.b"].any()


def test_a_training_step_is_descent_along_the_gradient():
    rng = np.random.default_rng(0)
    parameters = network.initialise(SIMPLE, (2, 7, 8), rng)
    before = {name: p.copy() for name, p in parameters.items()}
    x, t = rng.standard_normal((5, 2, 7, 8)), one_of_c([0, 1, 2, 3, 0], 4, "tanh")
    rates = {name: rng.random(p.shape) / 100 for name, p in parameters.items()}
    new, loss = network.train(SIMPLE, parameters, x, t, rates)
    gradients = network.backward(SIMPLE, parameters, network.run(SIMPLE, parameters, x), t).parameters
    for name, p in parameters.items():
        assert np.array_equal(p, before[name])
        assert np.array_equal(new[name], p - rates[name] * gradients[name])
    assert network.train(SIMPLE, new, x, t, 0.0)[1] < loss
    assert new.keys() == update.step(parameters, gradients, 0.1).keys()


x, t = np.ones((2, 1, 5, 6)), np.ones((2, 3))
DENSE = (("dense", 3, "tanh"),)
ARRAYS = [np.ones((3, 30)), np.ones(3), np.ones((2, 3))]


def shapes_of(*architecture):
    return lambda: network.parameter_shapes(architecture, (1, 5, 6))


ERRORS = {
    "no layers": (
        shapes_of(),
        [
            "network: the architecture is empty",
            "  layers = 0, wanted a tuple of layers",
            "  layers >= 1, but is 0",
        ],
    ),
    "not a tuple": (
        shapes_of("dense"),
        [
            "network: layer1 is not a layer",
            "  spec = 'dense', wanted a tuple",
            "  a layer is a tuple whose first item is one of convolution, subsampling, combination, dense",
        ],
    ),
    "an unknown kind": (
        shapes_of(("pool", 2)),
        [
            "network: layer1 is not a layer",
            "  spec = ('pool', 2), wanted a tuple",
            "  kind must be one of convolution, subsampling, combination, dense, but is 'pool'",
        ],
    ),
    "too many fields": (
        shapes_of(("dense", 3, "tanh", None)),
        [
            "network: layer1 is not a layer",
            "  spec = ('dense', 3, 'tanh', None), wanted a tuple",
            "  fields must be units[, activation], but are 3 in number",
        ],
    ),
    "no units": (
        shapes_of(("dense", 0)),
        [
            "network: layer1 is not a layer",
            "  spec = ('dense', 0), wanted a tuple",
            "  units must be an integer of at least 1, but is 0",
        ],
    ),
    "a kernel of one number": (
        shapes_of(("convolution", 1, 3)),
        [
            "network: layer1 is not a layer",
            "  spec = ('convolution', 1, 3), wanted a tuple",
            "  kernel must be (height, width), but is 3",
        ],
    ),
    "an unknown activation": (
        shapes_of(("dense", 1, "relu")),
        [
            "network: layer1 is not a layer",
            "  spec = ('dense', 1, 'relu'), wanted a tuple",
            "  activation must be one of identity, sigmoid, tanh, scaled_tanh",
        ],
    ),
    "a kernel that exceeds the maps": (
        shapes_of(("convolution", 2, (3, 3)), ("combination", 1, (2, 5))),
        [
            "network: layer2 (combination) does not fit what is below it",
            "  input shape = (2, 3, 4), wanted (in_maps, height, width)",
            "  output width = width - kernel width + 1 = 4 - 5 + 1 = 0, but must be in 1..4",
        ],
    ),
    "sides that do not divide": (
        shapes_of(("subsampling", 2)),
        [
            "network: layer1 (subsampling) does not fit what is below it",
            "  input shape = (1, 5, 6), wanted (in_maps, height, width)",
            "  height mod n = 5 mod 2 = 1, but must be 0",
        ],
    ),
    "a table of another shape": (
        shapes_of(("convolution", 2, (1, 1), "tanh", ((True,),))),
        [
            "network: layer1 (convolution) does not fit what is below it",
            "  input shape = (1, 5, 6), wanted (in_maps, height, width)",
            "  connections have 1 rows of [1], but must have 1 (input maps) of 2 (output maps)",
        ],
    ),
    "maps after a dense layer": (
        shapes_of(("dense", 4), ("subsampling", 2)),
        [
            "network: layer2 (subsampling) does not fit what is below it",
            "  input shape = (4,), wanted (in_maps, height, width)",
            "  maps end at the first dense layer: only dense layers may follow it",
        ],
    ),
    "an input without maps": (
        lambda: network.parameter_shapes(DENSE, (5, 6)),
        [
            "network: the input is not a stack of maps",
            "  input shape = (5, 6), wanted (in_maps, height, width)",
            "  axes = 3, each at least 1, but the shape is (5, 6)",
        ],
    ),
    "an array too few": (
        lambda: network.forward(x, t, *ARRAYS[:2], architecture=DENSE),
        [
            "network: the arrays after x and t do not fit the architecture",
            "  arrays = 2, wanted layer1.W, layer1.b, layer1.u",
            "  arrays = parameters + layers = 2 + 1 = 3, but are 2",
        ],
    ),
    "a parameter of another shape": (
        lambda: network.vjp(1.0, x, t, ARRAYS[0].T, *ARRAYS[1:], architecture=DENSE),
        [
            "network: layer1.W does not fit the architecture",
            "  layer1.W.shape = (30, 3), wanted (3, 30)",
            "  layer1.W.shape follows from the layers and x, and is (30, 3) instead of (3, 30)",
        ],
    ),
    "a perturbation of another shape": (
        lambda: network.forward(x, t, *ARRAYS[:2], np.ones(3), architecture=DENSE),
        [
            "network: layer1.u does not fit the architecture",
            "  layer1.u.shape = (3,), wanted (2, 3)",
            "  layer1.u.shape follows from the layers and x, and is (3,) instead of (2, 3)",
        ],
    ),
    "targets of another shape": (
        lambda: network.forward(x, t[:, :2], *ARRAYS, architecture=DENSE),
        [
            "network: t does not fit the architecture",
            "  t.shape = (2, 2), wanted (2, 3)",
            "  t.shape follows from the layers and x, and is (2, 2) instead of (2, 3)",
        ],
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_message(case):
    call, lines = ERRORS[case]
    says(ValueError, lines, call)


def test_a_parameter_that_is_not_floating():
    lines = [
        "network: layer1.b must be of a floating dtype",
        "  layer1.b.dtype = int64, wanted float32 or float64, kept as they come in",
        "  derivatives are fractions, which int64 cannot hold: pass layer1.b.astype(float)",
    ]
    arrays = [ARRAYS[0], ARRAYS[1].astype(int), ARRAYS[2]]
    says(TypeError, lines, lambda: network.forward(x, t, *arrays, architecture=DENSE))
