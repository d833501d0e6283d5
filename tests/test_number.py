import numpy as np
import pytest

from gradcheck import check_gradient, check_jvp, check_vjp
from gradcheck.arguments import real_array
from gradcheck.directions import Steps
from gradcheck.number import BFLOAT16, finfo, is_inexact, is_real
from gradcheck.probes.field import GRIDS, FieldLine

ml_dtypes = pytest.importorskip("ml_dtypes")
bfloat16 = np.dtype(ml_dtypes.bfloat16)


def test_the_format_is_that_of_the_package_that_brings_the_dtype():
    known = ml_dtypes.finfo(bfloat16)
    for name in ("eps", "nmant", "maxexp", "tiny", "smallest_subnormal", "max"):
        assert float(getattr(known, name)) == getattr(BFLOAT16, name), name


def test_other_dtypes_are_left_to_numpy():
    assert finfo(np.float32).eps == np.finfo(np.float32).eps
    with pytest.raises(ValueError, match="not inexact"):
        finfo(np.int32)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_formats_too_coarse_for_a_line_are_no_real_numbers(name):
    dtype = np.dtype(getattr(ml_dtypes, name))
    assert not is_real(dtype)
    assert not is_inexact(dtype)
    with pytest.raises(TypeError, match="x is not an array of real numbers"):
        real_array(np.ones(3, dtype), "check_vjp", "x")


@pytest.mark.parametrize("exponent", [-8, -6, -3, 0])
def test_steps_in_bfloat16_are_right_to_half_a_unit(exponent):
    rng = np.random.default_rng(0)
    point = rng.standard_normal(200).astype(bfloat16)
    grid = GRIDS["bfloat16"]
    quantum = Steps(point, rng.standard_normal(200), grid).quantum(exponent)
    assert quantum.dtype == bfloat16
    for position in range(-grid, grid + 1):
        moved = (point + bfloat16.type(position) * quantum).astype(np.float64)
        exact = point.astype(np.float64) + position * quantum.astype(np.float64)
        # half a unit of where the step ends: numbers near 0 lose their last bits on a step of size 1
        assert np.all(np.abs(moved - exact) <= 2.0**-8 * np.maximum(np.abs(exact), np.abs(moved)))


def test_a_line_keeps_the_dtype_of_its_point():
    seen = set()

    def f(x):
        seen.add(x.dtype)
        return x

    line = FieldLine(f, np.ones(3, bfloat16), np.ones(3), np.ones((1, 3), bfloat16))
    line.sample(3, -5)
    line.between(0.3, -5)
    assert seen == {bfloat16}
    assert line.unit == 2.0**-8


def narrowly(f):
    """A function evaluated in float32 or wider, its answers in the dtype of what came in: what kernels do."""

    def call(*arrays):
        given = arrays[0].dtype
        answer = f(*[a.astype(np.result_type(a.dtype, np.float32)) for a in arrays])
        return tuple(a.astype(given) for a in answer) if isinstance(answer, tuple) else answer.astype(given)

    return call


@narrowly
def layer(x, W):
    return np.tanh(x @ W)


@narrowly
def pullback(c, x, W):
    d = c * (1 - np.tanh(x @ W) ** 2)
    return d @ W.T, x.T @ d


POINT = tuple(
    (np.random.default_rng(3).standard_normal(shape) / 2).astype(bfloat16) for shape in ((6, 5), (5, 4))
)
SPOILT = {
    "twice": lambda g: 2 * g,
    "negative": lambda g: -g,
    "reversed": lambda g: g[::-1].copy(),
    "zero": lambda g: 0 * g,
}


def spoilt(how):
    def wrong(c, x, W):
        dx, dW = pullback(c, x, W)
        return dx, SPOILT[how](dW).astype(dW.dtype)

    return wrong


def test_what_a_layer_in_bfloat16_shows_of_itself_is_little_and_said():
    check = check_vjp(layer, pullback, POINT, names=("x", "W"))
    assert {str(part.verdict) for part in check.parts} <= {"pass", "inconclusive"}, str(check)
    assert check.parts[0].dtype == "bfloat16"
    assert 0.02 < check.resolution < 1.0


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("finer", [None, np.float64])
def test_a_wrong_layer_in_bfloat16_does_not_pass(how, finer):
    check = check_vjp(layer, spoilt(how), POINT, names=("x", "W"), finer=finer)
    assert check.parts[1].verdict == "fail", str(check)
    assert check.parts[0].verdict != "fail", str(check)


@pytest.mark.parametrize("dtype", [bfloat16, np.dtype(np.float16), np.dtype(np.float32)], ids=str)
@pytest.mark.parametrize("finer", [np.float32, np.float64])
def test_evaluated_in_a_finer_dtype_a_right_layer_passes_and_most_is_seen(dtype, finer):
    if dtype == finer:
        return
    inputs = [x.astype(dtype) for x in POINT]
    check = check_vjp(layer, pullback, inputs, finer=finer)
    assert check.passed, str(check)
    # each element is claimed right to 8 half units, thrice that in norm, and twice that is what would be seen
    assert check.resolution <= 4 * 24 * finfo(dtype).eps
    assert check.parts[0].dtype == dtype.name


def test_evaluated_in_a_finer_dtype_an_error_of_a_fifth_is_seen_in_bfloat16():
    def wrong(c, x, W):
        return tuple(bfloat16.type(1.25) * g for g in pullback(c, x, W))

    assert check_vjp(layer, wrong, POINT, finer=np.float64).verdict == "fail"


def test_a_gradient_that_is_right_in_the_finer_dtype_only_fails():
    def wrong(c, x, W):
        dx, dW = pullback(c, x, W)
        return dx, dW * dW.dtype.type(1 if x.dtype == np.float64 else 3)

    assert check_vjp(layer, wrong, [x.astype(np.float64) for x in POINT]).passed
    assert check_vjp(layer, wrong, POINT, finer=np.float64).parts[1].verdict == "fail"


def test_zero_but_for_rounding_in_bfloat16_is_told_as_such():
    def rows(x):
        e = np.exp(x.astype(np.float64))
        return (e / e.sum(1, keepdims=True)).astype(x.dtype)

    def total(x):
        return rows(x.astype(np.float64)).sum(1).astype(x.dtype)

    def vjp(c, x):
        s = rows(x)
        d = s * c[:, None]
        return ((d - s * d.sum(1, keepdims=True).astype(x.dtype)).astype(x.dtype),)

    x = POINT[0]
    check = check_vjp(total, vjp, (x,), finer=np.float64)
    assert check.verdict != "fail", str(check)


def test_a_finer_dtype_that_is_none_is_refused():
    with pytest.raises(
        ValueError, match=r"(?s)finer is no dtype that holds the inputs.*finer = float32.*float64"
    ):
        check_vjp(np.sin, lambda c, x: c * np.cos(x), (np.ones(3),), finer=np.float32)
    with pytest.raises(ValueError, match="f is not evaluated in the finer dtype"):
        check_vjp(
            lambda x: np.sin(x).astype(np.float32),
            lambda c, x: c * np.cos(x),
            (np.ones(3, np.float32),),
            finer=np.float64,
        )


def test_another_function_in_the_finer_dtype_is_refused():
    def f(x):
        return np.sin(x) if x.dtype == np.float32 else np.cos(x)

    with pytest.raises(ValueError, match="f is another function in the finer dtype"):
        check_vjp(f, lambda c, x: c * np.cos(x), (np.ones(3, np.float32),), finer=np.float64)


def test_whole_numbers_are_exact_in_bfloat16_as_well():
    @narrowly
    def dense(x, W):
        return x @ W

    @narrowly
    def right(c, x, W):
        return c @ W.T, x.T @ c

    inputs = [a[:2, :2] for a in POINT]
    check = check_vjp(dense, right, inputs, linear_in=(0, 1), finer=np.float64)
    assert "exact" in check.evidence
    assert check.passed, str(check)


def test_the_other_checks_take_it_too():
    x = POINT[0].ravel()

    def f(x):
        return np.sum(x.astype(np.float32) ** 2).astype(bfloat16)

    def twice(v, x):
        return v[0] * x * bfloat16.type(2)

    assert check_jvp(lambda x: x * x, twice, (x,)).passed
    assert check_jvp(lambda x: x * x, lambda v, x: -twice(v, x), (x,)).verdict == "fail"
    # a sum of 30 squares in 8 bits shows nothing of its gradient, and a check says so
    assert check_gradient(f, lambda x: x * bfloat16.type(2), x).verdict == "inconclusive"


def test_the_last_steps_are_kept_and_can_be_spoilt_by_nobody():
    steps = Steps(np.array([1.0, 2.0]), np.array([0.3, 0.7]), 1459)
    first = steps.taken(-14)
    assert steps.taken(-14) is first
    assert not first.flags.writeable
    assert np.array_equal(first, steps.quantum(-14) / 2.0**-14)
    assert not np.array_equal(steps.taken(-50), first)
