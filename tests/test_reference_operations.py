"""Every operation: gradients against complex steps, dtypes, and what a vjp owes its caller besides."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from tests.test_reference_numerics import CASES, CLOSE, TABLE, draw, gap, numeric_gradient

SINGLE = 2e-5  # float32: 160 units of round-off; the largest gap measured over the table is 1.3e-6
PLACES = [(*case, place) for case in CASES for place in range(len(case[1]))]


def ident(value):
    return "" if isinstance(value, dict | tuple) else str(value)


def run(name, shapes, options, dtype=np.float64):
    operation, inputs = getattr(reference, name), draw(shapes, dtype=dtype)
    output = operation.forward(*inputs, **options)
    (cotangent,) = draw([np.shape(output)], seed=1, dtype=dtype)
    return operation, inputs, output, cotangent


@pytest.mark.parametrize(("name", "shapes", "options", "place"), PLACES, ids=ident)
def test_gradient_is_that_of_the_forward(name, shapes, options, place):
    operation, inputs, _, cotangent = run(name, shapes, options)
    wanted = numeric_gradient(lambda *xs: operation.forward(*xs, **options), inputs, place, cotangent)
    actual = operation.vjp(cotangent, *inputs, **options)[place]
    if shapes == ((1, 2),):  # a softmax over one element is the constant one
        assert np.max(np.abs(actual - wanted)) == 0
    else:
        assert gap(actual, wanted) < CLOSE


@pytest.mark.parametrize(("name", "shapes", "options"), CASES, ids=ident)
def test_float32_stays_and_agrees_with_float64(name, shapes, options):
    operation, inputs, output, cotangent = run(name, shapes, options, np.float32)
    assert output.dtype == np.float32
    gradients = operation.vjp(cotangent, *inputs, **options)
    assert {g.dtype for g in gradients} == {np.dtype(np.float32)}
    doubled = operation.vjp(cotangent.astype(float), *(x.astype(float) for x in inputs), **options)
    for actual, wanted in zip(gradients, doubled, strict=True):
        assert np.max(np.abs(actual - wanted)) <= SINGLE * np.max(np.abs(wanted))


@pytest.mark.parametrize(("name", "shapes", "options"), CASES, ids=ident)
def test_gradients_are_fresh_and_inputs_untouched(name, shapes, options):
    operation, inputs, output, cotangent = run(name, shapes, options)
    before = [x.copy() for x in (cotangent, *inputs)]
    gradients = operation.vjp(cotangent, *inputs, **options)
    arrays = [cotangent, *inputs, *gradients]
    for place, gradient in enumerate(gradients):
        assert gradient.shape == inputs[place].shape
        assert gradient.ndim == 0 or gradient.flags.writeable
        others = [a for a in arrays if a is not gradient]
        assert not any(np.shares_memory(gradient, other) for other in others)
    assert not any(np.shares_memory(output, x) for x in inputs)
    for now, then in zip((cotangent, *inputs), before, strict=True):
        assert np.array_equal(now, then)


@pytest.mark.parametrize(("name", "shapes", "options"), CASES, ids=ident)
def test_memory_layout_does_not_matter(name, shapes, options):
    operation, inputs, _, cotangent = run(name, shapes, options)
    wanted = operation.vjp(cotangent, *inputs, **options)
    for layout in (fortran_ordered, reversed_memory, read_only):
        actual = operation.vjp(layout(cotangent), *map(layout, inputs), **options)
        for a, w in zip(actual, wanted, strict=True):
            assert np.max(np.abs(a - w)) <= CLOSE * np.max(np.abs(w))


def fortran_ordered(x):
    return x.copy(order="F")  # np.asfortranarray would give a scalar an axis


def reversed_memory(x):
    axes = tuple(range(x.ndim))
    return np.flip(np.flip(x, axes).copy(), axes)


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(("name", "shapes", "options"), CASES, ids=ident)
def test_linear_in_the_cotangent(name, shapes, options):
    operation, inputs, _, first = run(name, shapes, options)
    (second,) = draw([first.shape], seed=2)
    one, two, both, none = (
        operation.vjp(c, *inputs, **options) for c in (first, second, 2 * first - second, 0 * first)
    )
    for a, b, c, zero in zip(one, two, both, none, strict=True):
        assert np.max(np.abs(2 * a - b - c)) <= CLOSE * max(np.max(np.abs(a)), np.max(np.abs(b)), 1e-300)
        assert not np.any(zero)


@pytest.mark.parametrize(("name", "shapes", "options"), CASES, ids=ident)
def test_nan_in_the_cotangent_comes_out(name, shapes, options):
    operation, inputs, _, cotangent = run(name, shapes, options)
    gradients = operation.vjp(np.full_like(cotangent, np.nan), *inputs, **options)
    connected = options.get("connections") is None
    for gradient in gradients:
        assert np.isnan(gradient).all() if connected and name != "network" else np.isnan(gradient).any()


@pytest.mark.parametrize(("name", "shapes", "options"), CASES, ids=ident)
def test_nan_in_the_first_input_comes_out(name, shapes, options):
    operation, inputs, _, _ = run(name, shapes, options)
    inputs[0][(0,) * inputs[0].ndim] = np.nan
    assert np.isnan(operation.forward(*inputs, **options)).any()


BATCHED = [case for case in CASES if case[0] != "network" and len(case[1][0]) == 4 and case[1][0][0] == 2]


@pytest.mark.parametrize(("name", "shapes", "options"), BATCHED, ids=ident)
def test_a_batch_of_two_is_two_batches_of_one(name, shapes, options):
    operation, inputs, _, cotangent = run(name, shapes, options)
    whole = operation.vjp(cotangent, *inputs, **options)
    parts = [
        operation.vjp(cotangent[n : n + 1], inputs[0][n : n + 1], *inputs[1:], **options) for n in (0, 1)
    ]
    assert gap(np.concatenate([part[0] for part in parts]), whole[0]) < CLOSE
    for place in range(1, len(inputs)):
        assert gap(parts[0][place] + parts[1][place], whole[place]) < CLOSE


def test_what_is_not_connected_does_not_count_even_as_nan():
    x, k, d = draw([(2, 3, 4, 5), (3, 3, 2, 2), (2, 3, 3, 4)])
    x[:, 2], k[~TABLE] = np.nan, np.nan
    for operation, first in ((reference.convolve_valid, x), (reference.convolve_full, d)):
        output = operation.forward(first, k, connections=TABLE)
        assert np.isfinite(output).all()
        (cotangent,) = draw([output.shape], seed=1)
        gradients = operation.vjp(cotangent, first, k, connections=TABLE)
        assert all(np.isfinite(g).all() for g in gradients)
        assert not gradients[1][~TABLE].any()
        assert gradients[1][TABLE].all()


def test_a_lone_cotangent_does_not_widen_float32():
    for cotangent in (2.0, np.float64(2.0), np.array(2.0)):
        for name in ("squared_error", "sparsity", "network"):
            shapes, options = next(((s, o) for n, s, o in CASES if n == name), (((3, 2),), {}))
            gradients = getattr(reference, name).vjp(cotangent, *draw(shapes, dtype=np.float32), **options)
            assert {g.dtype for g in gradients} == {np.dtype(np.float32)}


def test_mixed_dtypes_are_promoted_as_numpy_does():
    x, W, b = draw([(3, 4), (2, 4), (2,)])
    y = reference.dense.forward(x.astype(np.float32), W, b)
    assert y.dtype == np.float64
    assert (
        reference.convolve_valid.forward(*draw([(1, 1, 3, 3)], dtype=np.float32), np.ones((1, 1, 2, 2))).dtype
        == float
    )


def test_every_operation_is_offered_by_name():
    for name in reference.__all__:
        operation = getattr(reference, name)
        assert callable(operation.forward), name
        assert callable(operation.vjp), name
    assert {case[0] for case in CASES} | {"sparsity"} == set(reference.__all__)
