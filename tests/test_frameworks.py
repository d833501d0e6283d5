"""autograd and array API namespaces, and what all frameworks share."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.extend import defvjp, primitive

from gradcheck.frameworks import array_api
from gradcheck.frameworks import autograd as hips
from gradcheck.frameworks.extras import needed
from gradcheck.frameworks.outputs import layout_of
from gradcheck.frameworks.repeats import Unrepeatable
from gradcheck.tree import argument_names, leaves, mapped


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def verdicts(found):
    return {part.subject.split(" / d ", 1)[1]: str(part.verdict) for part in found.parts}


# Trees and outputs


class Pair(NamedTuple):
    left: int
    right: int


@dataclass(frozen=True)
class Box:
    inside: tuple


def test_trees_are_built_again_in_their_own_kinds():
    tree = {"a": [1, (2, Pair(3, 4))], "b": OrderedDict(c=Box((5,)))}
    paths = ["x['a'][0]", "x['a'][1][0]", "x['a'][1][1].left", "x['a'][1][1].right", "x['b']['c'].inside[0]"]
    assert leaves(tree, "x") == [(path, k) for k, path in enumerate(paths, start=1)]
    assert mapped(tree, lambda _, leaf: leaf) is tree
    assert mapped(tree, lambda _, leaf: -leaf) == {
        "a": [-1, (-2, Pair(-3, -4))],
        "b": OrderedDict(c=Box((-5,))),
    }


def test_arguments_are_named_after_the_signature():
    assert argument_names(lambda x, y=1: x, (0,), {}) == ("x",)
    assert argument_names(lambda x, *more: x, (0, 0, 0), {}) == ("x", "more[0]", "more[1]")
    assert argument_names(np.add, (0, 0), {})[0] in ("x1", "args[0]")


@pytest.mark.parametrize("dtypes", [(np.float64, np.float64), (np.float64, np.float32)])
def test_outputs_are_joined_and_their_cotangents_split_without_rounding(dtypes):
    values = [1e6 * drawn(2, 3).astype(dtypes[0]), drawn(4).astype(dtypes[1])]
    outputs = layout_of(values)
    joined = outputs.joined(values)
    assert joined.dtype == dtypes[1]
    assert 0.2 < np.abs(joined[:6]).mean() < 5
    cotangent = drawn(10, seed=1).astype(dtypes[1])
    split = outputs.split(cotangent)
    assert [(c.shape, c.dtype) for c in split] == [(v.shape, v.dtype) for v in values]
    scales = np.repeat(outputs.scales, [6, 4])
    back = np.concatenate([c.ravel() for c in split]) * scales
    np.testing.assert_array_equal(back, cotangent)
    assert (np.frexp(outputs.scales)[0] == 0.5).all()


def test_an_output_that_is_nothing_but_rounding_is_not_enlarged_to_the_size_of_the_others():
    outputs = layout_of([np.ones(3), 1e-17 * np.ones(3)])
    assert outputs.scales[1] >= np.finfo(float).eps ** 0.25 / 2
    assert layout_of([np.zeros(2), np.zeros(1)]).scales == (1.0, 1.0)


def test_a_missing_library_is_one_line_with_the_extra():
    with pytest.raises(ModuleNotFoundError) as missing:
        needed("no_such_library", "jax", "gradcheck.frameworks.jax")
    assert str(missing.value) == (
        "gradcheck.frameworks.jax: no_such_library is not installed: pip install 'gradcheck[jax]'"
    )


# HIPS autograd


@primitive
def scaled_sine(x, w):
    return np.sin(x) * w


defvjp(scaled_sine, lambda ans, x, w: lambda c: c * np.cos(x) * w, lambda ans, x, w: lambda c: c * np.sin(x))


@primitive
def wrong_sine(x, w):
    return np.sin(x) * w


defvjp(wrong_sine, lambda ans, x, w: lambda c: c * np.cos(x) * w, lambda ans, x, w: lambda c: c * np.cos(x))


def test_autograd_s_right_primitive_passes_and_the_wrong_one_fails_where_it_is_wrong():
    inputs = (drawn(4), drawn(4, seed=1))
    assert verdicts(hips.check(scaled_sine, inputs)) == {"args[0]": "pass", "args[1]": "pass"}
    assert verdicts(hips.check(wrong_sine, inputs)) == {"args[0]": "pass", "args[1]": "fail"}


def test_autograd_s_arguments_and_outputs_may_be_nested():
    def net(params, x, count):
        hidden = anp.tanh(anp.dot(x, params["w"]) + params["b"])
        return {"hidden": hidden, "loss": anp.sum(hidden**2) * count}

    inputs = ({"w": drawn(3, 2), "b": drawn(2)}, drawn(4, 3), 3)
    found = hips.check(net, inputs)
    assert verdicts(found) == {"params['w']": "pass", "params['b']": "pass", "x": "pass"}
    assert list(verdicts(hips.check(net, inputs, wrt=("x",)))) == ["x"]
    with pytest.raises(ValueError, match=r"(?s)there is no such array.*floating arrays = params\['w'\]"):
        hips.check(net, inputs, wrt=("y",))
    with pytest.raises(ValueError, match="nothing can be judged"):
        hips.check(net, (1, 2, 3))


def test_autograd_s_stochastic_function_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(Unrepeatable, match="another output at a second call"):
        hips.check(lambda x: x * rng.standard_normal(3), drawn(3))


# Array API namespaces


@pytest.mark.parametrize("library", ["array_api_strict", "torch", "numpy"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_of_any_namespace_see_its_own_arrays(library, dtype):
    pytest.importorskip("array_api_compat")
    module = pytest.importorskip(library)
    kinds = set()

    def f(x, w):
        kinds.update({type(x), type(w)})
        return module.sin(x) * w

    def vjp(c, x, w):
        kinds.update({type(c), type(x)})
        return c * module.cos(x) * w, c * module.sin(x)

    def spoilt(c, x, w):
        return tuple(reversed(vjp(c, x, w)))

    inputs = [module.asarray(drawn(4, seed=seed), dtype=getattr(module, dtype)) for seed in (0, 1)]
    found = array_api.check(f, vjp, inputs, names=("x", "w"))
    assert verdicts(found) == {"x": "pass", "w": "pass"}, str(found)
    assert found.parts[0].dtype == dtype
    assert kinds == {type(inputs[0])}
    assert array_api.check(f, spoilt, inputs).verdict == "fail"


def test_several_outputs_and_exact_evidence_in_a_namespace():
    pytest.importorskip("array_api_compat")
    xp = pytest.importorskip("array_api_strict")

    def f(x):
        return xp.sin(x), x * 2

    def vjp(cotangents, x):
        first, second = cotangents
        return first * xp.cos(x) + 2 * second

    x = xp.asarray(drawn(4))
    assert array_api.check(f, vjp, (x,)).passed
    linear = array_api.check(lambda x: x * 3, lambda c, x: c * 3, (x,), linear_in=(0,))
    assert (linear.evidence, linear.passed) == ("exact", True)
    with pytest.raises(TypeError):
        array_api.check(f, vjp, ("no array",))
