"""What operations say of their own mistakes: each can be evaluated, is a gradient, and is recognised."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.case import draw_values
from gradcheck.diagnose import diagnose_by_probes
from gradcheck.turns import Context
from reference.catalogue import operations
from reference.catalogue.dual import bent, beside, derivative, only, slope_of

OPERATIONS = operations()


def of(operation, case, seed=0):
    """Every suspect of every judged input, with the input's values."""
    rng = np.random.default_rng(seed)
    values = dict(zip(case.shapes, draw_values(case, rng), strict=True))
    options = case.arguments()
    cotangent = rng.standard_normal(np.shape(operation.forward(*values.values(), **options)))
    for name in case.judged:
        for suspect in operation.suspects(name, cotangent, values, options):
            yield name, values[name], suspect


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_is_linear_in_the_direction(name):
    """A gradient is: what is evaluated along two directions is evaluated along their sum."""
    operation, rng = OPERATIONS[name], np.random.default_rng(1)
    edges = operation.edges[2:5] if name != "network" else operation.edges[3:4]
    for case in edges:
        with np.errstate(all="ignore"):
            for _, values, suspect in of(operation, case):
                u, v = rng.standard_normal((2, *values.shape))
                parts = suspect.slope(u), suspect.slope(v)
                size = abs(parts[0]) + abs(parts[1]) + 1e-6
                assert abs(suspect.slope(u + v) - sum(parts)) <= 1e-8 * size, suspect


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "network"])
def test_each_has_a_name_and_a_sentence(name):
    found = [s for case in OPERATIONS[name].edges[-3:] for _, _, s in of(OPERATIONS[name], case)]
    assert found
    assert all(s.name and len(s.sentence) > len(s.name) for s in found)


def gradient_of(suspect, shape):
    found = np.zeros(shape)
    for index in np.ndindex(*shape):
        direction = np.zeros(shape)
        direction[index] = 1.0
        found[index] = suspect.slope(direction)
    return found


def test_what_a_suspect_says_is_recognised_without_a_call():
    operation = OPERATIONS["convolution"]
    known = []
    for name, values, suspect in of(operation, operation.edges[3]):
        claimed = gradient_of(suspect, values.shape)
        right = claimed + np.random.default_rng(2).standard_normal(values.shape)
        v = np.ones(values.shape)
        found = diagnose_by_probes(
            claimed,
            None,
            context=Context(suspects=(suspect,)),
            count=0,
            known=[(v, float(np.sum(right * v)), 1e-12)],
        )
        known.append((name, found.name == suspect.name))
    assert len(known) > 20
    assert all(right for _, right in known)


# Dual numbers


def test_a_derivative_beside_another_value():
    value, wrong = np.array([1 + 2j]), np.array([5 + 7j])
    assert beside(value, wrong) == [1 + 7j]


def test_a_bent_function_has_its_value_and_the_slope_given():
    def f(x):
        return np.sum(bent(x, "tanh", lambda u: 3 * u))

    x = np.array([0.5, -2.0])
    assert slope_of(f, {"x": x}, "x")(np.array([1.0, 1.0])) == pytest.approx(3 * (0.5 - 2.0))
    assert f(x.astype(complex)).real == pytest.approx(np.sum(np.tanh(x)))


@pytest.mark.parametrize("u", [-3.0, 0.0, 0.7])
def test_the_derivatives_of_the_activations(u):
    y = 1 / (1 + np.exp(-u))
    assert derivative("sigmoid", np.array(u)) == pytest.approx(y * (1 - y), rel=1e-14)
    assert derivative("tanh", np.array(u)) == pytest.approx(1 - np.tanh(u) ** 2, rel=1e-14)
    assert derivative("identity", np.array(u)) == 1


def test_one_entry_along_an_axis():
    assert only(np.arange(6.0).reshape(2, 3), 1, -1).tolist() == [[0, 0, 2], [0, 0, 5]]
