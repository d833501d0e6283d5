"""Whole numbers, to the bit: linear maps right and wrong, where it does not apply, and what it cannot see."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from gradcheck.check import check_vjp
from gradcheck.probes import exact

NOT_LINEAR = "f is not linear, or not exact, on whole numbers"
NOT_WHOLE = "the gradient is not exact on whole numbers"


def ones(*shapes, dtype=np.float64):
    return tuple(np.ones(shape, dtype) for shape in shapes)


def correlate(x, k):
    """Valid correlation of x (height, width) with k, by loops."""
    (height, width), (rows, columns) = x.shape, k.shape
    out = np.zeros((height - rows + 1, width - columns + 1), np.result_type(x, k))
    for r, s in np.ndindex(*out.shape):
        for a, b in np.ndindex(rows, columns):
            out[r, s] += x[r + a, s + b] * k[a, b]
    return out


def correlate_vjp(c, x, k):
    dx, dk = np.zeros_like(x), np.zeros_like(k)
    for r, s in np.ndindex(*c.shape):
        for a, b in np.ndindex(*k.shape):
            dx[r + a, s + b] += c[r, s] * k[a, b]
            dk[a, b] += c[r, s] * x[r + a, s + b]
    return dx, dk


class Case(NamedTuple):
    """A function linear in each of its inputs, and its pullback."""

    f: Any
    vjp: Any
    shapes: tuple[tuple[int, ...], ...]


def upsampled(x):
    return np.kron(x, np.ones((3, 3), x.dtype))


def upsampled_vjp(c, x):
    return (c.reshape(x.shape[0], 3, x.shape[1], 3).sum(axis=(1, 3), dtype=c.dtype),)


CASES = {
    "matrix product": Case(lambda x, k: x @ k, lambda c, x, k: (c @ k.T, x.T @ c), ((4, 5), (5, 3))),
    "correlation": Case(correlate, correlate_vjp, ((6, 5), (3, 2))),
    "upsample": Case(upsampled, upsampled_vjp, ((2, 3),)),
    "affine": Case(
        lambda x, b: 3 * x + b + 7, lambda c, x, b: (3 * c, np.sum(c, axis=0, dtype=c.dtype)), ((4, 3), (3,))
    ),
    "inner product": Case(lambda x, y: np.sum(x * y), lambda c, x, y: (c * y, c * x), ((7,), (7,))),
    "one element": Case(lambda x: -2 * x, lambda c, x: (-2 * c,), ((),)),
    "constant": Case(lambda x: 0 * x + 5, lambda c, x: (0 * x,), ((3,),)),
}


def probed(f, vjp, inputs, index=0, *, seed=0, **options):
    output = np.asarray(f(*inputs))
    return exact.probe(f, vjp, inputs, index, output, np.random.default_rng(seed), **options)


def probed_case(case, index, dtype=np.float64, change=lambda g: g, **options):
    inputs = ones(*case.shapes, dtype=dtype)
    return probed(case.f, lambda c, *x: change(case.vjp(c, *x)[index]), inputs, index, **options)


EVERY = [(name, index) for name, case in CASES.items() for index in range(len(case.shapes))]


# Right ones


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize(("name", "index"), EVERY)
def test_right_ones_are_equal(name, index, dtype):
    for seed in range(5):
        found = probed_case(CASES[name], index, dtype, seed=seed)
        assert (found.applies, found.equal, found.reason) == (True, True, "")
        assert found.left == found.right
        assert found.evaluations == 3 * exact.TRIALS


@pytest.mark.parametrize("sides", [(30, 40, 20), (300, 500, 200)])
@pytest.mark.parametrize("index", [0, 1])
def test_sums_stay_exact_in_float32(sides, index):
    """Inputs in the hundreds of thousands: numbers are drawn so small that no order of summation rounds."""
    a, b, c = sides
    inputs = ones((a, b), (b, c), dtype=np.float32)
    case = CASES["matrix product"]
    for f in (case.f, lambda x, k: x[:, ::-1] @ k[::-1]):
        found = probed(f, lambda c, x, k: case.vjp(c, x, k)[index], inputs, index)
        assert (found.applies, found.equal) == (True, True)


@pytest.mark.parametrize(("dtype", "largest"), [(np.float16, 1), (np.float32, 4)])
def test_sums_over_an_output_larger_than_the_input_stay_exact(dtype, largest):
    """Numbers up to cbrt(2^24 / (4 · 50,000)) = 4.4, for an input of one element."""

    def spread(b):
        return b * np.ones(50_000, dtype)

    def summed(c, b):
        return np.asarray(np.cumsum(c)[-1:])  # one after the other, in the dtype of c

    found = probed(spread, summed, ones((1,), dtype=dtype))
    assert (found.applies, found.equal) == (True, True)
    assert found.miss_probability == pytest.approx((1 - (1 - 1 / (2 * largest + 1)) ** 2) ** 3)


def test_cotangents_come_in_the_dtype_of_the_output():
    seen = []

    def vjp(c, x):
        seen.append(c.dtype)
        return c * 2

    probed(lambda x: 2 * x, vjp, ones((3,), dtype=np.float32))
    assert set(seen) == {np.dtype(np.float32)}


# Wrong ones


def one_element(g, by):
    changed = g.copy()
    changed.flat[-1] += by
    return changed


MUTANTS = {
    "sign": lambda g: -g,
    "twice": lambda g: 2 * g,
    "one element, by 1": lambda g: one_element(g, 1),
    "last row zero": lambda g: np.concatenate([g[:-1], 0 * g[-1:]]),
    "zero": lambda g: 0 * g,
    "reversed": lambda g: np.ascontiguousarray(g[::-1]),
    "rolled": lambda g: np.roll(g, 1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("name", ["matrix product", "correlation", "upsample", "affine", "inner product"])
def test_wrong_ones_differ(name, mutant, dtype):
    found = probed_case(CASES[name], 0, dtype, MUTANTS[mutant])
    assert (found.applies, found.equal) == (True, False)
    assert found.reason == "differs on whole numbers"
    assert found.left != found.right
    assert found.evaluations % 3 == 0


@pytest.mark.parametrize(("right", "wrong"), [(2.0**50, 2.0**50 + 1), (2.0**50 + 1, 2.0**50)])
def test_a_difference_in_the_last_bit_is_seen(right, wrong):
    """No tolerance, and products are added without rounding at any size."""
    found = probed(lambda x: x * right, lambda c, x: c * wrong, ones((3,)), largest=1)
    assert (found.applies, found.equal) == (True, False)


# The chance to miss


@pytest.mark.parametrize(
    ("shapes", "dtype", "largest", "chance"),
    [
        # by the degree: d, ȳ and each further input
        (((3,),), np.float64, 1, 1 - (2 / 3) ** 2),
        (((3,), (3,)), np.float64, 1, 1 - (2 / 3) ** 3),
        (((3,), (3,)), np.float64, 500, 1 - (1000 / 1001) ** 3),
        # the numbers drawn reach 1000, or what float32 can add up: cbrt(2^24 / (4 · 100)) = 34.7
        (((3,), (3,)), np.float64, None, 1 - (2000 / 2001) ** 3),
        (((100,), (100,)), np.float32, None, 1 - (68 / 69) ** 3),
        (((100,), (100,)), np.float16, None, 1 - (2 / 3) ** 3),
    ],
)
def test_the_number_that_is_stated(shapes, dtype, largest, chance):
    def product(*inputs):
        return np.prod(inputs, axis=0)

    def vjp(c, *inputs):
        return c * np.prod(inputs[1:], axis=0)

    found = probed(product, vjp, ones(*shapes, dtype=dtype), largest=largest)
    assert found.equal
    assert found.miss_probability == pytest.approx(chance**exact.TRIALS, rel=1e-12)


def test_wrong_ones_escape_as_often_as_is_stated():
    """The worst there is: one element, in which the difference is d ȳ k, nil where one of the three is."""
    case = CASES["inner product"]._replace(shapes=((1,), (1,)))
    trials = 2000
    found = [probed_case(case, 0, change=lambda g: 2 * g, seed=seed, largest=1) for seed in range(trials)]
    escaped = sum(each.equal for each in found) / trials
    stated = found[0].miss_probability
    assert abs(escaped - stated) < 4 * np.sqrt(stated * (1 - stated) / trials)


@pytest.mark.parametrize("mutant", ["twice", "one element, by 1", "rolled"])
@pytest.mark.parametrize("name", ["matrix product", "upsample", "affine"])
def test_wrong_ones_escape_no_more_often_than_is_stated(name, mutant):
    trials = 150
    found = [
        probed_case(CASES[name], 0, change=MUTANTS[mutant], seed=seed, largest=1) for seed in range(trials)
    ]
    stated = found[0].miss_probability
    escaped = sum(each.equal for each in found) / trials
    assert escaped <= stated + 4 * np.sqrt(stated * (1 - stated) / trials)


# Where it does not apply


def mean_pool(x, n):
    return x.reshape(x.shape[0] // n, n, x.shape[1] // n, n).mean(axis=(1, 3))


def mean_pool_vjp(c, x, n):
    return np.kron(c, np.full((n, n), 1 / n**2))


def refuse(x):
    if (np.abs(x) > 1).any():
        raise ValueError("a probability lies in 0..1")
    return x


@pytest.mark.parametrize(
    ("f", "vjp", "reason"),
    [
        (lambda x: x**2, lambda c, x: 2 * c * x, NOT_LINEAR),
        (lambda x: np.abs(x), lambda c, x: c * np.sign(x), NOT_LINEAR),
        (lambda x: np.tanh(x), lambda c, x: c / np.cosh(x) ** 2, NOT_LINEAR),
        (lambda x: np.log(x), lambda c, x: c / x, NOT_LINEAR),
        (lambda x: 1 / (x - x), lambda c, x: c, NOT_LINEAR),  # infinite
        (lambda x: x / 3, lambda c, x: c / 3, NOT_LINEAR),
        (lambda x: x * 2.0**40, lambda c, x: c * 2.0**40, ""),
        (
            lambda x: x * 2.0**60,
            lambda c, x: c * 2.0**60,
            NOT_LINEAR,
        ),  # whole, but may have been rounded to it
        (lambda x: x * 2.0**40, lambda c, x: c * 2.0**60, NOT_WHOLE),
        (lambda x: mean_pool(x, 3), lambda c, x: mean_pool_vjp(c, x, 3), NOT_LINEAR),
        (lambda x: x, lambda c, x: c / 3, NOT_WHOLE),
        (lambda x: x, lambda c, x: c * np.nan, NOT_WHOLE),
        (refuse, lambda c, x: c, "raised ValueError on whole numbers"),
        (lambda x: x, lambda c, x: c * refuse(x), "raised ValueError on whole numbers"),
    ],
)
def test_where_it_does_not_apply_it_says_so(f, vjp, reason):
    with np.errstate(all="ignore"):
        found = probed(f, vjp, ones((3, 6)))
    assert found.reason == reason
    assert found.applies is not bool(reason)
    assert found.equal is found.applies
    assert (found.miss_probability == 1.0) is bool(reason)


@pytest.mark.parametrize(("dtype", "factor"), [(np.float16, 1001), (np.float32, 1000003)])
def test_what_rounds_is_never_wrong(dtype, factor):
    """Whole numbers beyond 2^11 or 2^24: rounding may leave them whole, and even in proportion."""
    for seed in range(50):
        found = probed(
            lambda x: x * dtype(factor), lambda c, x: c * dtype(factor), ones((3,), dtype=dtype), seed=seed
        )
        assert found.equal or not found.applies


# In a check

SMALL = np.random.default_rng(0).normal(size=(6, 6))


def test_a_check_says_exact():
    check = check_vjp(lambda x: 2 * x, lambda c, x: 2 * c, (SMALL,), linear_in=(0,))
    assert str(check).splitlines() == [
        "d f / d x: pass (seed 0, float64, exact)",
        "  equal to the bit on whole numbers",
    ]
    assert check.resolution == 0.0
    assert check.miss_probability == pytest.approx((1 - (2000 / 2001) ** 2) ** 3)


def test_a_failed_check_shows_both_whole_numbers_and_what_the_mistake_looks_like():
    check = check_vjp(lambda x: 2 * x, lambda c, x: -2 * c, (SMALL[:3],), linear_in=(0,))
    lines = str(check).splitlines()
    assert lines[0] == "d f / d x is wrong in 18 of 18 elements (seed 0, float64, exact)"
    assert lines[1] == "  differs on whole numbers, where both sides are exact"
    left, right = (int(part.split(" = ")[1]) for part in lines[2].split(", ⟨"))
    assert lines[2] == f"  ⟨f(x + d) − f(x), ȳ⟩ = {left}, ⟨d, vjp(ȳ)⟩ = {right}"
    assert left == -right != 0
    assert lines[-1] == "  looks like      the right gradient with the opposite sign"


@pytest.mark.parametrize("method", ["auto", "exact"])
@pytest.mark.parametrize(
    ("f", "vjp"),
    [
        (lambda x: mean_pool(x, 3), lambda c, x: mean_pool_vjp(c, x, 3)),
        (np.sin, lambda c, x: c * np.cos(x)),
        (lambda x: refuse(x / 10), lambda c, x: c / 10),
    ],
)
def test_where_it_does_not_apply_a_check_measures(f, vjp, method):
    right = check_vjp(f, vjp, (SMALL,), linear_in=(0,), method=method)
    wrong = check_vjp(f, lambda c, x: vjp(c, x) * 1.0001, (SMALL,), linear_in=(0,), method=method)
    assert (right.verdict, right.evidence) == ("pass", "spectral")
    assert (wrong.verdict, wrong.evidence) == ("fail", "spectral")


def test_only_inputs_said_to_be_linear_are_taken_exactly():
    def f(x, k):
        return x @ k

    def vjp(c, x, k):
        return c @ k.T, x.T @ c

    kinds = [part.evidence for part in check_vjp(f, vjp, (SMALL, SMALL), linear_in=(1,)).parts]
    assert kinds == ["spectral", "exact"]
    kinds = [p.evidence for p in check_vjp(f, vjp, (SMALL, SMALL), linear_in=(0, 1), method="spectral").parts]
    assert kinds == ["spectral", "spectral"]


def test_what_whole_numbers_cannot_show():
    """A gradient right for whole numbers alone: the exact probe passes it, and is right by its own words."""

    def rounding(c, x, k):
        return np.rint(k) * c, None

    inputs = np.array([1.5, 2.25]), np.array([0.5, 0.75])
    assert probed(lambda x, k: k * x, lambda *a: rounding(*a)[0], inputs).equal
