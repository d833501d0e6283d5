import itertools

import numpy as np
import pytest
import scipy.signal
import scipy.special

from gradcheck.case import draw_values
from gradcheck.strategies import draw_cases, key
from reference.catalogue import networks, operations, plain
from reference.catalogue.statements import EQUATIONS, ERRATA

CATALOGUE = operations()
RNG = np.random.default_rng(11)
PINNED = {
    "sigmoid": "u",
    "tanh": "u",
    "scaled_tanh": "u",
    "squared_error": "y t",
    "dense": "x W b",
    "upsample": "x",
    "downsample": "x",
    "convolve_valid": "x k",
    "convolve_full": "d k",
    "convolution": "x k b",
    "subsampling": "x beta b",
    "softmax": "c",
    "combination": "x k c b",
    "sparsity": "c",
    "network": "x t k b beta c W delta",
}
NOTES = (
    "L1 L2 L3 A1 A2 A3 D1 D2 D3 D4 D5 D6 C1 C2 C3 C4 C5 C6 C7 S1 S2 S3 S4 S5 M1 M2 M3 M4 M5 M6 "
    "P1 P2 P3 P4 K1 K2 K3"
)


def cases(name, count=25):
    operation = CATALOGUE[name]
    return draw_cases(operation.cases, count, 0, edges=operation.edges)


def values(case):
    return draw_values(case, np.random.default_rng(case.seed))


def test_names_inputs_and_their_order_are_the_pinned_ones():
    assert {name: " ".join(each.name for each in op.inputs) for name, op in CATALOGUE.items()} == PINNED


def test_every_equation_and_every_erratum_of_the_notes_has_an_operation():
    assert set(EQUATIONS) == set(NOTES.split())
    assert set(ERRATA) == {f"E{i}" for i in range(1, 10)}
    stated = {each for op in CATALOGUE.values() for each in op.equations + op.errata}
    assert stated == set(EQUATIONS) | set(ERRATA)


@pytest.mark.parametrize("name", PINNED)
def test_the_first_convention_is_the_catalogue_s_own(name):
    for values_of in CATALOGUE[name].conventions.values():
        first, *others = values_of.values()
        assert (dict(first.inputs), first.output, first.exact) == ({}, None, True)
        assert all(each.inputs or each.output for each in others)


@pytest.mark.parametrize("name", PINNED)
def test_the_default_number_of_cases_has_every_edge_and_some_that_are_drawn(name):
    edges = {key(edge) for edge in CATALOGUE[name].edges}
    found = {key(case) for case in cases(name)}
    assert len(found) == 25
    assert edges < found


@pytest.mark.parametrize("name", PINNED)
def test_cases_fit_the_forward_and_its_options(name):
    for case in cases(name):
        assert set(case.options) == set(CATALOGUE[name].options)
        output = np.asarray(CATALOGUE[name].forward(*values(case), **case.arguments()))
        assert output.dtype == np.float64
        assert np.isfinite(output).all()


@pytest.mark.parametrize("name", PINNED)
def test_the_first_case_judges_every_input(name):
    reached = {CATALOGUE[name].row(each) for each in cases(name)[0].judged}
    assert reached == set(PINNED[name].split())


@pytest.mark.parametrize("name", PINNED)
def test_integers_stand_where_the_operation_is_linear_and_give_integers(name):
    operation = CATALOGUE[name]
    for case in cases(name):
        if case.kind == "integers":
            assert set(operation.linear_in(case.arguments())) == set(case.judged)
            output = operation.forward(*values(case), **case.arguments())
            assert np.array_equal(output, np.rint(output))


WHOLLY_EXACT = ("upsample", "downsample", "convolve_valid", "convolve_full")
IN_PART = ("dense", "convolution", "subsampling", "combination")


@pytest.mark.parametrize("name", PINNED)
def test_exact_evidence_comes_wherever_the_notes_are_linear(name):
    kinds = {case.kind == "integers" for case in cases(name)}
    wanted = {True} if name in WHOLLY_EXACT else {True, False} if name in IN_PART else {False}
    assert kinds == wanted


MAPS = {"one map", "several maps", "one pattern", "several patterns", "square map", "non square map"}
KERNELS = {"kernel of 1x1", "kernel as large as the map", "square kernel", "non square kernel"}
TABLES = {
    "all connected",
    "connection table",
    "input map that feeds nothing",
    "output map that is fed by nothing",
}
FACTORS = {f"n is {n}" for n in range(1, 6)}
REACHED = {
    "sigmoid": {"0 axes", "large values", "zeros values", "ties values"},
    "squared_error": {"one pattern", "several patterns", "one class"},
    "dense": {
        "one pattern",
        "several patterns",
        "one input",
        "one unit",
        "square weights",
        "non square weights",
    },
    "upsample": MAPS | FACTORS,
    "downsample": MAPS | FACTORS,
    "convolve_valid": MAPS | KERNELS | TABLES,
    "convolve_full": MAPS | KERNELS | TABLES,
    "convolution": MAPS | KERNELS | TABLES,
    "subsampling": MAPS | FACTORS,
    "combination": MAPS | KERNELS | {"exact weights"},
    "softmax": {"one input map", "one output map", "non square weights", "large values"},
    "sparsity": {"one input map", "one output map", "non square weights"},
    "network": {
        "one pattern",
        "several patterns",
        "connection table",
        "sparsity term",
        "combination layer",
        "two dense layers",
    },
}


@pytest.mark.parametrize("name", REACHED)
def test_the_edges_alone_reach_every_regime(name):
    reached = frozenset().union(*(edge.regimes for edge in CATALOGUE[name].edges))
    assert reached >= REACHED[name]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_up_and_down_are_the_kronecker_product_and_its_transpose(n):
    x = RNG.integers(-9, 9, (2, 2, 3, 2)).astype(float)
    wide = plain.upsample(x, n=n)
    assert np.array_equal(wide, np.kron(x, np.ones((1, 1, n, n))))
    other = RNG.integers(-9, 9, wide.shape).astype(float)
    assert np.sum(wide * other) == np.sum(x * plain.downsample(other, n=n))


@pytest.mark.parametrize("mode", ["valid", "full"])
def test_convolutions_are_scipy_s_map_by_map_where_connected(mode):
    x, k = RNG.integers(-9, 9, (2, 3, 4, 5)).astype(float), RNG.integers(-9, 9, (3, 2, 3, 2)).astype(float)
    table = np.array([[True, False], [False, False], [True, True]])
    given = x if mode == "valid" else x[:, :2]
    out = (plain.convolve_valid if mode == "valid" else plain.convolve_full)(given, k, connections=table)
    wanted = np.zeros(out.shape)
    for n, (i, j) in itertools.product(range(2), np.argwhere(table)):
        source, sink = (i, j) if mode == "valid" else (j, i)
        wanted[n, sink] += scipy.signal.convolve2d(given[n, source], k[i, j], mode)
    assert np.array_equal(out, wanted)


def test_the_activations_and_the_softmax_are_scipy_s_to_the_last_places():
    u = np.concatenate([RNG.standard_normal(50) * 10, [0.0, 800.0, -800.0, 1e4, -1e4]])
    # each side is a few roundings of a function whose relative condition in u is |u|
    bound = np.finfo(float).eps * (4 * np.abs(u) + 8)
    for mine, theirs in ((plain.sigmoid(u), scipy.special.expit(u)), (plain.tanh(u), np.tanh(u))):
        assert np.all(np.abs(mine - theirs) <= bound * np.abs(theirs) + np.finfo(float).tiny)
    assert np.array_equal(plain.scaled_tanh(np.zeros(2)), np.zeros(2))
    assert plain.scaled_tanh(np.array(1e3)) == 1.7159
    c = RNG.standard_normal((4, 3)) * 100
    weights = scipy.special.softmax(c, axis=0)
    assert np.all(
        np.abs(plain.softmax(c) - weights) <= np.finfo(float).eps * (4 * np.abs(c).max() + 8) * weights
    )


def test_the_layers_are_the_sums_that_the_notes_write():
    x, W, b = (RNG.integers(-9, 9, shape).astype(float) for shape in ((3, 4), (2, 4), (2,)))
    assert np.array_equal(plain.dense(x, W, b), x @ W.T + b)
    assert plain.squared_error(x, x + 2) == 0.5 * 4 * 12
    maps, beta, bias = (RNG.integers(-9, 9, shape).astype(float) for shape in ((2, 3, 4, 6), (3,), (3,)))
    summed = maps.reshape(2, 3, 2, 2, 3, 2).sum(axis=(3, 5))
    assert np.array_equal(
        plain.subsampling(maps, beta, bias, n=2), beta[:, None, None] * summed + bias[:, None, None]
    )


def test_one_kernel_for_each_input_map_serves_all_combinations():
    x, k, b = (RNG.integers(-9, 9, shape).astype(float) for shape in ((2, 3, 4, 4), (3, 2, 3), (2,)))
    c = np.zeros((3, 2))
    c[1, 0] = c[2, 1] = 2000.0
    out = plain.combination(x, k, c, b)
    for n, (j, i) in itertools.product(range(2), [(0, 1), (1, 2)]):
        assert np.array_equal(out[n, j], scipy.signal.convolve2d(x[n, i], k[i], "valid") + b[j])


def test_the_penalty_is_lambda_for_each_output_map_whatever_the_weights():
    assert abs(plain.sparsity(RNG.standard_normal((5, 3)), lam=0.5) - 1.5) <= 15 * np.finfo(float).eps


def test_a_network_is_its_layers_one_after_the_other_with_perturbed_sums():
    case = networks.NETWORK[0]
    arrays = dict(zip(case.shapes, values(case), strict=True))
    arrays["delta2"] = RNG.standard_normal(arrays["delta2"].shape)
    loss = plain.network(*arrays.values(), **case.arguments())
    first, second, third, last = case.options["architecture"]
    maps = plain.convolution(
        arrays["x"], arrays["k1"], arrays["b1"], activation=first[3], connections=np.array(first[4])
    )
    maps = np.tanh(plain.subsampling(maps, arrays["beta2"], arrays["b2"], n=second[1]) + arrays["delta2"])
    maps = plain.combination(maps, arrays["k3"], arrays["c3"], arrays["b3"], activation=third[3])
    y = plain.dense(maps.reshape(len(maps), -1), arrays["W4"], arrays["b4"], activation=last[2])
    assert loss == plain.squared_error(y, arrays["t"]) + plain.sparsity(arrays["c3"], lam=third[4])


def test_perturbations_start_at_zero_so_that_their_gradient_is_the_notes_delta():
    case = networks.NETWORK[0]
    for name, array in zip(case.shapes, values(case), strict=True):
        assert name.startswith("delta") == (not array.any())
