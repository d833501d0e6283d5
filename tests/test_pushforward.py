"""check_jvp, check_gradient, check_hvp, check_adjoint: right ones pass, wrong ones fail for what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.adjoint import check_adjoint
from gradcheck.linear import examine
from gradcheck.pushforward import check_gradient, check_hvp, check_jvp
from gradcheck.verdict import GradientMismatch, Verdict


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


X, W, B = normal(4, 5), normal(5, 3), normal(3)


def layer(x, w, b):
    return np.tanh(x @ w + b)


def layer_jvp(tangents, x, w, b):
    dx, dw, db = tangents
    return (1 - layer(x, w, b) ** 2) * (dx @ w + x @ dw + db)


def jvp_of(change):
    """The right jvp, changed: change(tangents, x, w, b, right)."""
    return lambda tangents, x, w, b: change(tangents, x, w, b, layer_jvp(tangents, x, w, b))


def one_element(tangents, x, w, b, right):
    right[2, 1] *= 1.001
    return right


# check_jvp


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_a_right_jvp_passes_along_every_input(size):
    inputs = (X * size, W / size, B)
    check = check_jvp(layer, layer_jvp, inputs, names=("x", "w", "b"))
    assert check.passed, str(check)
    assert [part.subject for part in check.parts] == ["d f along x", "d f along w", "d f along b"]
    assert check.resolution <= 1e-9
    assert check.miss_probability < 1e-3
    check.assert_passed()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_right_jvp_passes_in_its_own_dtype(dtype):
    check = check_jvp(layer, layer_jvp, tuple(a.astype(dtype) for a in (X, W, B)))
    assert check.passed, str(check)
    assert check.dtype == np.dtype(dtype).name


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (lambda t, x, w, b, right: -right, {0, 1, 2}),
        (lambda t, x, w, b, right: right * (1 + 1e-6), {0, 1, 2}),
        (one_element, {0, 1, 2}),
        (lambda t, x, w, b, right: t[0] @ w + x @ t[1] + t[2], {0, 1, 2}),
        (lambda t, x, w, b, right: right - (1 - layer(x, w, b) ** 2) * t[2], {2}),
        (lambda t, x, w, b, right: right + 1e-4 * (t[0] @ w), {0}),
        (lambda t, x, w, b, right: np.roll(right, 1, axis=1), {0, 1, 2}),
        (lambda t, x, w, b, right: right * 0, {0, 1, 2}),
    ],
    ids=["sign", "factor", "one element", "no f'", "no bias", "x a little off", "shifted", "zero"],
)
def test_a_wrong_jvp_fails_at_the_inputs_that_it_is_wrong_for(change, failing):
    check = check_jvp(layer, jvp_of(change), (X, W, B))
    assert check.verdict is Verdict.FAIL
    assert {i for i, part in enumerate(check.parts) if part.verdict is Verdict.FAIL} == failing
    assert "differs from the numeric derivative by" in check.reason
    with pytest.raises(GradientMismatch):
        check.assert_passed()


def test_the_wrong_element_of_the_output_is_named():
    check = check_jvp(layer, jvp_of(one_element), (X, W, B), names=("x", "w", "b"))
    assert check.wrong == ((2, 1),)
    assert check.worst.element == (2, 1)
    assert check.reason.endswith("; 1 of 12 elements of the output are wrong")
    report = str(check)
    assert report.startswith("d f along x")
    assert "worst element   [2, 1]" in report


def kinked_square(tangents, x, w, b, right):
    return right + 1e-9 * np.abs(right)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t, x, w, b, right: right[0],
            "jvp of the tangent of x has the wrong shape\n  shape (3,), wanted (4, 3)",
        ),
        (
            lambda t, x, w, b, right: right.astype(int),
            "jvp of the tangent of x has the wrong dtype\n  dtype int64, wanted real floating numbers",
        ),
        (
            lambda t, x, w, b, right: right * np.nan,
            "jvp of the tangent of x is not finite\n  12 of 12 elements are NaN or infinite",
        ),
        (
            lambda t, x, w, b, right: (np.negative(t[0], out=t[0]), right)[1],
            "jvp writes into the tangent of x\n  20 of 20 elements differ after the call, wanted 0",
        ),
        (
            lambda t, x, w, b, right: (np.add(w, 1, out=w), right)[1],
            "jvp writes into input 1\n  15 of 15 elements differ after the call, wanted 0",
        ),
        (
            kinked_square,
            "jvp is not linear in the tangent of x\n  off by up to ",
        ),
        (
            lambda t, x, w, b, right: right + 1e-12,
            "jvp is not linear in the tangent of x\n  off by up to ",
        ),
    ],
    ids=["shape", "dtype", "finite", "writes tangent", "writes input", "abs", "affine"],
)
def test_misconduct_is_named(change, message):
    check = check_jvp(layer, jvp_of(change), (X, W, B), names=("x", "w", "b"))
    assert check.verdict is Verdict.FAIL
    assert check.reason.startswith(message)


def test_another_answer_each_time_is_named():
    state = [0.0]

    def jvp(tangents, x):
        state[0] += 1e-10
        return np.cos(x) * tangents[0] * (1 + state[0])

    check = check_jvp(np.sin, jvp, (X,))
    assert check.reason.startswith(
        "jvp of the tangent of x is another at a second call\n  20 of 20 elements change"
    )


def test_tangents_that_do_not_add_up_are_named():
    def jvp(tangents, a, b):
        return tangents[0] * b + a * tangents[1] + tangents[0] * tangents[1]

    check = check_jvp(np.multiply, jvp, (X, X + 1))
    assert all(part.passed for part in check.parts)
    assert check.verdict is Verdict.FAIL
    assert check.reason.startswith("jvp does not add up over its tangents\n  off by up to ")
    assert check_jvp(np.multiply, jvp, (X, X + 1), conduct=False).passed


def test_what_cannot_be_known_is_not_passed():
    assert check_jvp(np.abs, lambda t, x: np.sign(x) * t[0], (np.zeros(3),)).verdict is Verdict.INCONCLUSIVE
    with np.errstate(all="ignore"):
        check = check_jvp(np.log, lambda t, x: t[0] / x, (np.array([-1.0]),))
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.reason == "f is not finite at the inputs: no derivative to compare with"


def test_zero_everywhere_says_so():
    check = check_jvp(lambda x: np.ones(3) + 0 * x, lambda t, x: 0 * t[0], (normal(3),))
    assert check.zero_everywhere
    assert check.reason == "zero everywhere probed: a pass that proves little"


def test_directions_and_inputs_weigh_the_output_each_in_its_own_way():
    # with one cotangent for all, this error of 3e-4 of the jvp hid along all three inputs at once
    rng = np.random.default_rng(67)
    n, d, k = rng.integers(1, 7, 3)
    size = 10.0 ** rng.integers(-6, 7)
    x, w = rng.normal(size=(n, d)) * size, rng.normal(size=(d, k)) / size
    inputs = tuple(a.astype(np.float32) for a in (x, w, rng.normal(size=k)))

    def wrong(tangents, *inputs):
        right = layer_jvp(tangents, *inputs).copy()
        right.flat[right.size // 2] *= np.float32(1.01)
        return right

    verdicts = [check_jvp(layer, wrong, inputs, seed=seed).verdict for seed in range(20)]
    assert Verdict.PASS not in verdicts
    assert verdicts.count(Verdict.FAIL) >= 18


def test_the_same_seed_gives_the_same_check():
    one, two, three = (str(check_jvp(layer, layer_jvp, (X, W, B), seed=s)) for s in (1, 1, 2))
    assert one == two
    assert one != three


# check_gradient


def energy(x):
    return np.sum(np.sin(x) * x)


def slope(x):
    return np.cos(x) * x + np.sin(x)


def test_a_right_gradient_passes():
    assert check_gradient(energy, slope, X).passed
    assert check_gradient(lambda x: np.array([energy(x)]), slope, X).passed
    assert check_gradient(lambda t: float(t) ** 3, lambda t: 3 * t**2, 2.0).passed


@pytest.mark.parametrize(
    "grad",
    [
        lambda x: -slope(x),
        lambda x: slope(x) * (1 + 1e-5),
        lambda x: slope(x).T.reshape(x.shape),
        lambda x: np.cos(x) * x,
        lambda x: np.where(np.arange(20).reshape(4, 5) == 7, 0, slope(x)),
    ],
    ids=["sign", "factor", "transposed", "half", "one element"],
)
def test_a_wrong_gradient_fails(grad):
    check = check_gradient(energy, grad, X)
    assert check.verdict is Verdict.FAIL
    assert "differs from the numeric derivative" in check.reason


def writes(x):
    right = slope(x)
    x += 1
    return right


BUFFER = np.zeros((4, 5))


def reuses(x):
    BUFFER[...] = slope(x)
    return BUFFER


@pytest.mark.parametrize(
    ("grad", "words"),
    [
        (writes, "grad writes into x"),
        (reuses, "gradient of x changes at later calls"),
        (lambda x: slope(x).ravel(), "gradient of x: wrong shape"),
    ],
    ids=["writes", "one buffer", "shape"],
)
def test_misconduct_of_a_gradient_is_told_of_grad(grad, words):
    check = check_gradient(energy, grad, X)
    assert check.verdict is Verdict.FAIL
    assert check.reason.startswith(words)
    assert "vjp" not in str(check)


# check_hvp


A = normal(6, 6)
Z = normal(6)


def quartic(x):
    return (A + A.T) @ x + x**3


def curved(x, v):
    return (A + A.T) @ v + 3 * x**2 * v


def test_a_right_hessian_product_passes():
    check = check_hvp(quartic, curved, Z)
    assert check.passed, str(check)
    assert check.subject == "d grad along x"


@pytest.mark.parametrize(
    "hvp",
    [
        lambda x, v: -curved(x, v),
        lambda x, v: curved(x, v) * 1.00001,
        lambda x, v: A @ v + 3 * x**2 * v,
        lambda x, v: curved(v, x),
        lambda x, v: (A + A.T) @ v,
        lambda x, v: curved(x, v) + 1e-5 * np.eye(6)[2] * v,
    ],
    ids=["sign", "factor", "one triangle", "arguments swapped", "one term", "one element"],
)
def test_a_wrong_hessian_product_fails(hvp):
    check = check_hvp(quartic, hvp, Z)
    assert check.verdict is Verdict.FAIL


def test_a_jacobian_that_is_not_symmetric_is_no_hessian():
    check = check_hvp(lambda x: A @ x, lambda x, v: A @ v, Z)
    assert check.verdict is Verdict.FAIL
    assert check.reason.startswith("not symmetric: ⟨v, H u⟩ = ")
    assert check.reason.endswith(
        "grad, of which it may be the derivative, is then the gradient of no function"
    )


def test_a_slight_asymmetry_is_seen():
    skew = 1e-5 * (A - A.T)
    check = check_hvp(lambda x: (A + A.T + skew) @ x, lambda x, v: (A + A.T + skew) @ v, Z)
    assert check.verdict is Verdict.FAIL
    assert check.reason.startswith("not symmetric")


def test_misconduct_of_a_hessian_product_is_told_of_hvp():
    check = check_hvp(quartic, lambda x, v: np.abs(curved(x, v)), Z)
    assert check.verdict is Verdict.FAIL
    check = check_hvp(quartic, lambda x, v: curved(x, v)[:3], Z)
    assert check.reason == "hvp of the tangent of x has the wrong shape\n  shape (3,), wanted (6,)"


# check_adjoint


M = np.arange(12.0).reshape(3, 4) - 5
FOURIER = normal(3, 4)


def test_equal_to_the_bit_on_whole_numbers():
    check = check_adjoint(lambda x: M @ x, lambda y: M.T @ y, np.ones(4), np.ones(3))
    assert check.passed
    assert (check.evidence, check.resolution) == ("exact", 0.0)
    assert 0 < check.miss_probability < 1e-6
    assert check.reason == "⟨A x, y⟩ = ⟨x, At y⟩ to the bit on whole numbers"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_within_rounding_where_whole_numbers_do_not_stay_whole(dtype):
    a = FOURIER.astype(dtype)
    check = check_adjoint(lambda x: a @ x, lambda y: a.T @ y, np.ones(4, dtype), np.ones(3, dtype))
    assert check.passed, str(check)
    assert check.evidence == "dot test"
    assert check.resolution <= 500 * np.finfo(dtype).eps


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (lambda y: -M.T @ y, "on whole numbers ⟨A x, y⟩ = "),
        (lambda y: 2 * M.T @ y, "on whole numbers ⟨A x, y⟩ = "),
        (lambda y: (M + np.eye(3, 4)).T @ y, "on whole numbers ⟨A x, y⟩ = "),
        (lambda y: M.T[::-1] @ y, "on whole numbers ⟨A x, y⟩ = "),
        (lambda y: M.T @ y * (1 + 1e-6), "⟨A x, y⟩ = "),
        (lambda y: M.T @ y + 1, "At is not linear in y\n"),
        (lambda y: M.T @ np.abs(y), "At is not linear in y\n"),
        (lambda y: M @ np.ones(4), "At of y has the wrong shape\n  shape (3,), wanted (4,)"),
    ],
    ids=["sign", "factor", "one element", "reversed", "a millionth", "affine", "abs", "shape"],
)
def test_a_wrong_adjoint_fails(at, words):
    check = check_adjoint(lambda x: M @ x, at, np.ones(4), np.ones(3))
    assert check.verdict is Verdict.FAIL
    assert check.reason.startswith(words)


def test_a_square_map_is_not_its_own_adjoint():
    check = check_adjoint(lambda x: A @ x, lambda y: A @ y, Z, Z)
    assert check.verdict is Verdict.FAIL
    assert check.reason.endswith("times what rounding explains")


def test_a_map_that_is_not_linear_is_named():
    check = check_adjoint(lambda x: M @ np.maximum(x, 0), lambda y: M.T @ y, np.ones(4), np.ones(3))
    assert check.verdict is Verdict.FAIL
    assert check.reason.startswith("A is not linear in x\n  off by up to ")


def test_an_argument_written_into_is_named():
    def At(y):
        y *= 2
        return M.T @ y / 2

    check = check_adjoint(lambda x: M @ x, At, np.ones(4), np.ones(3))
    assert check.reason.startswith("At writes into y\n  3 of 3 elements differ after the call, wanted 0")


# What linear maps owe


def test_an_honest_map_has_no_faults_and_a_rounding_that_covers_it():
    for seed in range(50):
        a, v = (normal(*shape, seed=seed).astype(np.float32) for shape in ((20, 30), (30,)))
        answer = examine(lambda v, a=a: a @ v, v, (20,), np.random.default_rng(seed))
        assert answer.faults == ()
        truth = a.astype(np.float64) @ v.astype(np.float64)
        assert np.linalg.norm(answer.value - truth) <= np.linalg.norm(answer.rounding)


# What is refused


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: check_jvp(np.sin, layer_jvp, X),
            TypeError,
            "check_jvp: inputs are not a sequence of arrays\n  type(inputs) = ndarray, wanted a tuple or list",
        ),
        (
            lambda: check_jvp(np.sin, layer_jvp, (X,), directions=0),
            ValueError,
            "check_jvp: directions is not positive\n  directions = 0, wanted a number above 0",
        ),
        (
            lambda: check_gradient(np.sin, np.cos, X),
            ValueError,
            "check_gradient: f does not return one number\n  f(x).shape = (4, 5), wanted () or one element\n"
            "  an array has a vjp: check_vjp(f, vjp, (x,))",
        ),
        (
            lambda: check_gradient(np.sum, np.ones_like, 1j),
            TypeError,
            "check_gradient: x is not an array of real numbers\n",
        ),
        (
            lambda: check_hvp(np.sum, np.multiply, Z),
            ValueError,
            "check_hvp: grad does not return a gradient\n  grad(x).shape = (), wanted (6,), the shape of x\n"
            "  the Hessian is the derivative of a gradient",
        ),
        (
            lambda: check_adjoint(np.sin, np.sin, [np.nan], [1.0]),
            ValueError,
            "check_adjoint: x is not finite\n  x[0] = nan, wanted a finite number\n",
        ),
        (
            lambda: check_adjoint(np.sin, np.sin, [1.0], []),
            ValueError,
            "check_adjoint: y is empty\n",
        ),
        (
            lambda: check_adjoint(np.sin, np.sin, [1.0], [1.0], seed=-1),
            ValueError,
            "check_adjoint: seed",
        ),
    ],
)
def test_wrong_calls_are_told_so(call, kind, message):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).startswith(message)
