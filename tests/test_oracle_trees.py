"""The oracle for what other projects hold: trees and arrays of any library, with bounds that a test can use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

from gradcheck import Estimate, derivative, gradient, jacobian
from gradcheck.oracle import Outputs
from gradcheck.packed import Packed, is_tree


class Pair(NamedTuple):
    w: object
    b: object


@dataclass(frozen=True)
class Layer:
    w: np.ndarray
    b: np.ndarray
    name: str = "dense"

    def __post_init__(self):
        if self.w.shape[0] != self.b.shape[0]:
            raise ValueError("w and b do not fit")


W, B = np.array([[0.5, -1.0], [2.0, 0.25]]), np.array([0.1, -0.2])
X = np.array([1.5, -0.5])


def loss(w, b):
    return np.sum(np.tanh(w @ X + b))


def slopes():
    slope = 1 - np.tanh(W @ X + B) ** 2
    return np.outer(slope, X), slope


TREES = {
    "dict": ({"w": W, "b": B}, lambda t: (t["w"], t["b"])),
    "list": ([W, B], lambda t: t),
    "tuple": ((W, B), lambda t: t),
    "namedtuple": (Pair(W, B), lambda t: t),
    "dataclass": (Layer(W, B), lambda t: (t.w, t.b)),
    "nested": ({"layers": [Layer(W, B)], "n": 3}, lambda t: (t["layers"][0].w, t["layers"][0].b)),
}


@pytest.mark.parametrize("kind", TREES)
def test_a_gradient_is_built_as_its_point_is(kind):
    tree, parts = TREES[kind]
    found = gradient(lambda t: loss(*parts(t)), tree)
    assert type(found) is type(tree)
    for estimate, right in zip(parts(found), slopes(), strict=True):
        assert (np.abs(estimate.value - right) <= estimate.bound).all()
        assert estimate.bound.max() < 1e-9
        estimate.assert_close(right)


def test_what_is_no_floating_number_is_held_and_has_none():
    tree = {"w": W, "n": 3, "index": np.array([0, 1]), "rate": 0.5, "name": "a", "none": None}
    found = gradient(lambda t: t["rate"] * t["n"] * np.sum(t["w"][t["index"]] ** 2), tree)
    assert [name for name, each in found.items() if each is None] == ["n", "index", "name", "none"]
    found["rate"].assert_close(3 * np.sum(W**2))
    assert isinstance(found["rate"].value, float)
    with pytest.raises(TypeError, match=r"x has no floating numbers\n  leaves = x\['n'\]: int"):
        gradient(lambda t: 1.0, {"n": 3})


def test_a_leaf_is_stepped_in_its_own_dtype():
    seen = set()

    def f(t):
        seen.add((t["a"].dtype.name, t["b"].dtype.name))
        return np.sum(t["a"] ** 2) * np.sum(t["b"])

    point = {"a": np.array([0.5, 2.0], np.float32), "b": np.array([3.0])}
    found = gradient(f, point)
    assert seen == {("float32", "float64")}
    found["a"].assert_close([3.0, 12.0])
    assert found["b"].bound.max() < 1e-9


def test_a_jacobian_of_trees_is_a_tree_of_trees():
    def f(t):
        return {"y": t["w"] @ X + t["b"], "s": np.sum(t["b"] ** 2)}

    found = jacobian(f, {"w": W, "b": B})
    found["y"]["b"].assert_close(np.eye(2))
    found["y"]["w"].assert_close(np.einsum("ij,k->ijk", np.eye(2), X))
    found["s"]["b"].assert_close(2 * B)
    found["s"]["w"].assert_close(np.zeros((2, 2)))
    jacobian(lambda t: t["b"] ** 2, {"b": B})["b"].assert_close(np.diag(2 * B))
    jacobian(lambda x: [x**2, x[0]], B)[0].assert_close(np.diag(2 * B))


def test_a_derivative_goes_along_a_tree():
    def f(t):
        return {"y": t["w"] @ X + t["b"], "s": np.sum(t["b"] ** 2)}

    found = derivative(f, {"w": W, "b": B}, {"w": np.ones((2, 2)), "b": np.array([1.0, 0.0])})
    found["y"].assert_close(np.array([2.0, 1.0]))
    found["s"].assert_close(2 * B[0])
    derivative(f, {"w": W, "b": B}, 2.0)["s"].assert_close(4 * B.sum())
    with pytest.raises(
        ValueError, match=r"the direction does not fit the point\n  it has x\['w'\], but not x\['b'\]"
    ):
        derivative(f, {"w": W, "b": B}, {"w": W})


def test_a_list_of_numbers_stays_one_array():
    found = gradient(lambda x: x[0] * x[1], [2.0, 3.0])
    assert isinstance(found, Estimate)
    found.assert_close([3.0, 2.0])
    assert not is_tree([[1.0, 2.0], [3.0, 4.0]])
    assert is_tree([np.ones(2)])


# Arrays of other libraries


def strict():
    return pytest.importorskip("array_api_strict")


def test_arrays_of_an_array_api_namespace_go_in_and_are_what_f_sees():
    xp = strict()

    def f(x):
        assert type(x) is type(xp.ones(2))
        return xp.sum(xp.exp(x["w"] if isinstance(x, dict) else x))

    found = gradient(f, xp.asarray(X))
    found.assert_close(np.exp(X))
    found.assert_close(xp.exp(xp.asarray(X)))
    assert isinstance(found.value, np.ndarray)
    tree = gradient(lambda t: xp.sum(t["a"] * t["b"]), {"a": xp.asarray(X), "b": xp.asarray(B)})
    tree["a"].assert_close(B)
    jacobian(lambda x: x * x, xp.asarray(X)).assert_close(np.diag(2 * X))


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_tensors_of_torch_go_in_and_are_what_f_sees(dtype):
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, dtype=getattr(torch, dtype), requires_grad=True)

    def f(t):
        assert t["x"].dtype == x.dtype
        return torch.sum(t["x"] ** 2)

    found = gradient(f, {"x": x})["x"]
    if dtype == "bfloat16":  # 8 bits: a bound, whatever its size, is all that can be had
        assert (np.abs(found.value - 2 * X) <= found.bound).all()
        return
    own = torch.autograd.grad(torch.sum(x**2), x)[0]
    found.assert_close(own, rounding=1e-6)
    torch.testing.assert_close(
        own.double(),
        torch.from_numpy(found.value),
        rtol=1e-6,
        atol=float(found.bound.max()),  # float32 rounds to 6e-8
    )


def test_arrays_of_jax_go_in():
    jax = pytest.importorskip("jax")
    x = jax.numpy.asarray(X)
    found = gradient(lambda t: jax.numpy.sum(jax.numpy.sin(t["x"])), {"x": x})["x"]
    found.assert_close(jax.grad(lambda x: jax.numpy.sum(jax.numpy.sin(x)))(x), rounding=1e-6)


# Bounds in a test


def test_one_bound_for_all_goes_into_numpy_testing():
    found = gradient(lambda x: np.sum(x**3), X)
    np.testing.assert_allclose(3 * X**2, found.value, rtol=0, atol=found.bound.max())
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        np.testing.assert_allclose(3 * X**2 + 1e-6, found.value, rtol=0, atol=found.bound.max())


@pytest.mark.parametrize(
    ("actual", "said"),
    [
        (
            [1.0, 2.1],
            r"1 of 2 elements are off by more than the bound of the estimate\n  worst element \[1\]: 2.1",
        ),
        ([1.0, np.nan], r"worst element \[1\]: nan"),
        ([[1.0, 2.0]], r"the shape is \(1, 2\), wanted \(2,\)"),
        (1.0, r"the shape is \(\), wanted \(2,\)"),
    ],
)
def test_a_value_off_by_more_than_its_bound_is_refused(actual, said):
    with pytest.raises(AssertionError, match=said):
        Estimate(np.array([1.0, 2.0]), np.array([1e-9, 1e-3])).assert_close(actual)


def test_an_estimate_that_knows_nothing_confirms_nothing():
    with pytest.raises(AssertionError, match="no finite bound"):
        Estimate(1.0, np.inf).assert_close(1.0)


def test_a_scalar_is_compared_as_one_and_rounding_of_its_own_is_allowed_for():
    Estimate(2.0, 1e-12).assert_close(np.float32(2.0000002), rounding=1e-6)
    with pytest.raises(AssertionError, match="1 of 1 elements"):
        Estimate(2.0, 1e-12).assert_close(np.float32(2.00001), rounding=1e-6)


def test_a_point_that_is_not_finite_is_refused_by_its_path():
    with pytest.raises(ValueError, match=r"gradient: x\['w'\] is not finite"):
        gradient(lambda t: 1.0, {"w": np.array([np.nan])})
    assert Outputs(lambda x: x)(3.0) == 3.0
    assert [leaf.path for leaf in Packed.of({"w": W}, "me").leaves] == ["x['w']"]
