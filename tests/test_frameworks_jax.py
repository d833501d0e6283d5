from dataclasses import dataclass

import numpy as np
import pytest

from gradcheck.frameworks.jax import check
from gradcheck.frameworks.repeats import Unrepeatable

jax = pytest.importorskip("jax")
jnp = jax.numpy


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def verdicts(found):
    return {part.subject.split(" / d ", 1)[1]: str(part.verdict) for part in found.parts}


@jax.custom_vjp
def right(x, w):
    return jnp.sin(x) @ w


right.defvjp(
    lambda x, w: (right(x, w), (x, w)),
    lambda kept, c: ((c @ kept[1].T) * jnp.cos(kept[0]), jnp.sin(kept[0]).T @ c),
)


@jax.custom_vjp
def wrong(x, w):
    return jnp.sin(x) @ w


wrong.defvjp(
    lambda x, w: (wrong(x, w), (x, w)),
    lambda kept, c: ((c @ kept[1].T) * jnp.cos(kept[0]), c.T @ jnp.sin(kept[0])),
)


@jax.custom_jvp
def half(x):
    return x**2


@half.defjvp
def half_jvp(primals, tangents):
    return half(primals[0]), primals[0] * tangents[0]


POINT = (drawn(3, 3), drawn(3, 3, seed=1))


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_right_custom_vjp_passes_and_a_wrong_one_fails_where_it_is_wrong(dtype):
    assert verdicts(check(right, POINT, dtype=dtype)) == {"x": "pass", "w": "pass"}
    found = check(wrong, POINT, dtype=dtype)
    assert verdicts(found) == {"x": "pass", "w": "fail"}
    assert found.parts[0].dtype == dtype


def test_a_wrong_custom_jvp_fails_in_both_modes():
    x = drawn(4)
    for mode in ("reverse", "forward"):
        assert check(half, (x,), dtype="float64", mode=mode).verdict == "fail"
        assert check(jnp.square, (x,), dtype="float64", mode=mode).passed
    found = check(half, (x,), dtype="float64")
    assert "the right gradient divided by 2" in found.diagnosis or "half" in found.diagnosis


def test_leaves_of_pytrees_are_named_by_their_path_and_the_rest_is_held():
    def net(params, x, index, *, slope=0.5):
        hidden = jnp.tanh(x @ params["layers"][0] + params["b"])[index]
        return {"hidden": hidden * slope, "index": index}

    params = {"layers": [drawn(3, 2)], "b": drawn(2)}
    found = check(net, (params, drawn(4, 3), jnp.array([0, 2])), dtype="float64")
    assert verdicts(found) == {"params['b']": "pass", "params['layers'][0]": "pass", "x": "pass"}
    assert found.notes == ("held fixed: index (int32)",)
    found = check(net, (params, drawn(4, 3), jnp.array([0, 2])), dtype="float64", wrt=("x",))
    assert found.subject == "d net / d x"


def test_a_callable_pytree_is_judged_by_its_leaves():
    @jax.tree_util.register_dataclass
    @dataclass
    class Affine:
        weight: object
        bias: object

        def __call__(self, x):
            return x @ self.weight + self.bias

    found = check(Affine(drawn(3, 2), drawn(2)), (drawn(4, 3),), dtype="float64")
    assert verdicts(found) == {"weight": "pass", "bias": "pass", "x": "pass"}


def test_the_second_order_is_judged_after_the_first():
    @jax.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, c: (c * 3 * x * jax.lax.stop_gradient(x),))
    assert check(cube, (drawn(3),), dtype="float64").passed
    assert check(cube, (drawn(3),), dtype="float64", order=2).verdict == "fail"
    assert check(lambda x: x**3, (drawn(3),), dtype="float64", order=2).passed


def test_64_bits_are_switched_on_for_the_check_alone():
    assert check(jnp.sin, (drawn(3),), dtype="float64").parts[0].dtype == "float64"
    assert jnp.ones(1).dtype == jnp.float32
    assert check(jnp.sin, (drawn(3),)).parts[0].dtype == "float32"


def test_jax_s_stochastic_function_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(Unrepeatable, match="another output at a second call"):
        check(lambda x: x * rng.standard_normal(3), (drawn(3),))
    key = jax.random.key(0)
    found = check(lambda x, key: x * jax.random.normal(key, (3,)), (drawn(3), key), dtype="float64")
    assert found.passed, str(found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "sideways"}, "mode = 'sideways', order = 1"),
        ({"wrt": ("y",)}, r"(?s)there is no such leaf.*wrt = \('y',\), floating arrays = "),
    ],
)
def test_jax_s_wrong_calls_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        check(lambda x: x, (drawn(3),), **options)
    with pytest.raises(ValueError, match="nothing can be judged"):
        check(lambda n: n, (3,))


def test_jax_s_samples_are_taken_together_where_asked_for():
    inputs = {"w": drawn(3, 2), "n": np.arange(3)}, drawn(4, 3)

    def f(p, x):
        return {"y": jnp.tanh(x @ p["w"]), "sum": x.sum(), "n": p["n"]}

    for mode in ("reverse", "forward"):
        one, many = (check(f, inputs, dtype="float64", mode=mode, batched=b) for b in (False, True))
        assert one.passed
        assert many.passed
        assert many.calls < 0.75 * one.calls
        assert many.resolution <= 2 * one.resolution


def test_jax_s_wrong_gradient_fails_in_batches_too():
    @jax.custom_vjp
    def f(x):
        return jnp.sin(x)

    f.defvjp(lambda x: (f(x), x), lambda x, c: (c * jnp.cos(x) * 1.001,))
    one, many = (check(f, (drawn(3),), dtype="float64", batched=b) for b in (False, True))
    assert str(one.verdict) == str(many.verdict) == "fail"
    assert many.calls < one.calls


def test_where_jax_s_vmap_is_another_function_samples_are_taken_one_by_one():
    @jax.custom_batching.custom_vmap
    def f(x):
        return jnp.sin(x)

    @f.def_vmap
    def _(size, batched, x):
        return jnp.cos(x), batched[0]

    @jax.custom_vjp
    def g(x):
        return f(x)

    g.defvjp(lambda x: (jnp.sin(x), x), lambda x, c: (c * jnp.cos(x),))
    one, many = (check(g, (drawn(3),), dtype="float64", batched=b) for b in (False, True))
    assert many.passed
    assert many.resolution == one.resolution
    assert one.calls < many.calls <= one.calls + 3
