"""Each rule of conduct has vjps that break it, and right ones, of many kinds, that break none."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.sparse.linalg
import scipy.special

from gradcheck.answer import backward, fortran, memory_faults, same_bits
from gradcheck.conduct import Conduct, examine
from gradcheck.recall import FEW
from gradcheck.rounding import ulps


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


X, K = normal(4, 5), normal(5, 3)
C = normal(4, 3)


def product(c, x, k):
    return c @ k.T, x.T @ c


def kinds(conduct: Conduct, severity: str = "fail") -> list[str]:
    return [fault.kind for fault in conduct.faults if fault.severity == severity]


def saw(vjp, **options) -> Conduct:
    return examine(vjp, C, (X, K), names=("x", "k"), **options)


def message(conduct: Conduct, kind: str) -> str:
    return next(fault.message for fault in conduct.faults if fault.kind == kind)


def test_right_vjp_has_no_fault_and_its_answer_is_kept():
    conduct = saw(product)
    assert conduct.faults == ()
    assert not conduct.failed
    for kept, wanted in zip(conduct.gradients, product(C, X, K), strict=True):
        np.testing.assert_array_equal(kept, wanted)
    assert conduct.calls == 11


def test_many_elements_cost_four_calls():
    calls = []
    x = normal(FEW + 1)
    conduct = examine(lambda c, x: (calls.append(1), c * x)[1:], x, (x,))
    assert len(calls) == conduct.calls == 4


# Form: what comes back


@pytest.mark.parametrize(
    ("vjp", "line"),
    [
        (lambda c, x, k: c @ k.T, "  returned ndarray, wanted a tuple of 2"),
        (lambda c, x, k: (c @ k.T,), "  returned tuple of 1, wanted a tuple of 2"),
        (lambda c, x, k: None, "  returned NoneType, wanted a tuple of 2"),
        (lambda c, x, k: ((c @ k.T).T, x.T @ c), "  gradient.shape = (5, 4), wanted (4, 5)"),
        (lambda c, x, k: (c @ k.T, np.ones(())), "  gradient.shape = (), wanted (5, 3)"),
        (lambda c, x, k: (c @ k.T, (x.T @ c).astype(int)), "  gradient.dtype = int64, input.dtype = float64"),
        (lambda c, x, k: (c @ k.T, (x.T @ c) > 0), "  gradient.dtype = bool, input.dtype = float64"),
        (lambda c, x, k: (c @ k.T, (x.T @ c) + 0j), "  gradient.dtype = complex128, input.dtype = float64"),
        (
            lambda c, x, k: (c @ k.T, (x.T @ c).astype(object)),
            "  gradient.dtype = object, input.dtype = float64",
        ),
        (lambda c, x, k: (c @ k.T, [[1.0], [1.0, 2.0]]), "  np.asarray raised ValueError: "),
    ],
)
def test_form(vjp, line):
    conduct = saw(vjp)
    assert kinds(conduct) == ["form"]
    assert line in message(conduct, "form")


@pytest.mark.parametrize(
    "vjp",
    [
        lambda c, x, k: list(product(c, x, k)),
        lambda c, x, k: (None, x.T @ c),
        lambda c, x, k: (c @ k.T, (x.T @ c).tolist()),
        lambda c, x, k: (None, None),
    ],
)
def test_forms_that_are_accepted(vjp):
    assert saw(vjp).faults == ()


def test_one_input_may_have_a_bare_array():
    for answer in (lambda g: g, lambda g: (g,), lambda g: [g], lambda g: g.tolist()):
        assert examine(lambda c, x, answer=answer: answer(c * x), X, (X,)).faults == ()


def test_coarser_dtype_is_a_note_and_its_rounding_that_of_float32():
    conduct = saw(lambda c, x, k: ((c @ k.T).astype(np.float32), x.T @ c))
    assert kinds(conduct) == []
    assert kinds(conduct, "note") == ["dtype"]
    assert "gradient.dtype = float32, input.dtype = float64" in message(conduct, "dtype")
    small, wide = (np.max(r / np.abs(g)) for r, g in zip(conduct.rounding, conduct.gradients, strict=True))
    assert small > 1e-8
    assert wide < 1e-12


def test_finer_dtype_is_fine():
    x = X.astype(np.float32)
    assert examine(lambda c, x: (c * x).astype(np.float64), x, (x,)).faults == ()


# Mutation


def writes_into_x(c, x, k):
    answer = product(c, x, k)
    x[0, 0] = np.nan
    return answer


def writes_into_c(c, x, k):
    answer = product(c, x, k)
    c *= 2
    return answer


@pytest.mark.parametrize(
    ("vjp", "line", "where"),
    [
        (writes_into_x, "vjp writes into x\n  1 of 20 elements differ after the call, wanted 0; restored", 0),
        (writes_into_c, "vjp writes into the cotangent\n  12 of 12 elements differ", None),
    ],
)
def test_mutation_is_seen_and_undone(vjp, line, where):
    c, x, k = C.copy(), X.copy(), K.copy()
    conduct = examine(vjp, c, (x, k), names=("x", "k"))
    assert kinds(conduct) == ["mutation"]
    assert conduct.faults[0].input == where
    assert line in conduct.faults[0].message
    for now, was in ((c, C), (x, X), (k, K)):
        np.testing.assert_array_equal(now, was)


def test_a_changed_nan_payload_or_sign_of_zero_is_mutation():
    def vjp(c, x):
        answer = c * np.cos(np.nan_to_num(x))
        x.view(np.uint64)[0] += 1
        x[1] = -0.0
        return answer

    x = np.array([np.nan, 0.0, 1.0])
    conduct = examine(vjp, normal(3), (x,))
    assert "2 of 3 elements" in message(conduct, "mutation")
    assert not np.signbit(x[1])


def test_the_callers_own_arrays_are_what_the_first_call_gets():
    seen = []
    saw(lambda c, x, k: (seen.append((c is C, x is X, k is K)), product(c, x, k))[1])
    assert seen[0] == (True, True, True)
    assert not any(any(call) for call in seen[1:])


# Read-only, memory


def test_read_only_arguments_must_be_accepted():
    def vjp(c, x, k):
        x += 1
        x -= 1  # whole numbers are back as they were
        return product(c, x, k)

    whole = examine(vjp, np.round(C), (np.round(X) + 0.0, np.round(K)))
    assert kinds(whole) == ["read-only"]
    assert "vjp fails for read-only arguments\n  raised " in whole.faults[0].message
    assert "read-only\n  with plain copies it does not" in whole.faults[0].message


def one_buffer(c, x, y):
    return c, c


@pytest.mark.parametrize(
    ("vjp", "seen"),
    [
        (lambda c, x, y: (c.copy(), c), ["gradient of y shares memory with the cotangent"]),
        (lambda c, x, y: (x[:], y * c), ["gradient of x shares memory with x"]),
        (lambda c, x, y: (g := c.copy(), g), ["gradient of y shares memory with the gradient of x"]),
        (lambda c, x, y: (np.broadcast_to(c[:1], c.shape).copy(), np.broadcast_to(c[:1] * 1, c.shape)),
         ["gradient of y repeats one element by a stride of 0", "gradient of y is read-only"]),
    ],
)  # fmt: skip
def test_memory_is_a_note_or_when_strict_a_failure(vjp, seen):
    for strict, severity in ((False, "note"), (True, "fail")):
        conduct = examine(
            vjp, normal(6), (normal(6, seed=1), normal(6, seed=2)), names=("x", "y"), strict=strict
        )
        found = [
            f.message.splitlines()[0] for f in conduct.faults if f.kind == "memory" and f.severity == severity
        ]
        assert found == seen


def test_memory_that_only_interleaves_is_not_shared():
    both = normal(12)
    assert list(memory_faults(both[::2], [("other", both[1::2])])) == []
    assert list(memory_faults(both[::2], [("other", both[2:])])) == ["shares memory with other"]


def test_one_buffer_for_every_call_is_seen():
    buffer = np.empty_like(X)

    def vjp(c, x, k):
        np.matmul(c, k.T, out=buffer)
        return buffer, x.T @ c

    conduct = saw(vjp)
    assert kinds(conduct) == ["overwritten"]
    assert message(conduct, "overwritten").startswith(
        "gradient of x changes at later calls\n  20 of 20 elements"
    )
    np.testing.assert_array_equal(conduct.gradients[0], C @ K.T)


# The same answer twice


def test_right_only_at_the_first_call():
    kept = {"x": X}

    def vjp(c, x, k):
        return c @ k.T, kept.pop("x", 0 * x).T @ c

    conduct = saw(vjp)
    assert kinds(conduct) == ["repeat"]
    assert (
        "gradient of k is another at a second call\n  15 of 15 elements by up to" in conduct.faults[0].message
    )


def test_accumulated_gradients_are_not_repeatable():
    total = np.zeros_like(K)

    def vjp(c, x, k):
        total[...] += x.T @ c
        return c @ k.T, total.copy()

    assert kinds(saw(vjp)) == ["repeat", "zero"]


def test_dropout_is_not_repeatable():
    rng = np.random.default_rng(0)
    assert kinds(saw(lambda c, x, k: (c @ k.T, x.T @ c * (rng.random(k.shape) > 0.2)))) == ["repeat"]


def test_reordered_sums_are_a_note_with_their_size():
    rng = np.random.default_rng(0)

    def vjp(c, x):
        order = rng.permutation(len(x))
        return x * sum((c * x)[order])

    conduct = examine(vjp, normal(200), (normal(200, seed=1),))
    assert kinds(conduct) == []
    assert kinds(conduct, "note") == ["repeat"]
    assert "may" not in message(conduct, "repeat")
    assert "the same arguments give the same bits, or within" in message(conduct, "repeat")


# Linear in the cotangent


@pytest.mark.parametrize(
    "bend",
    [
        lambda c: np.abs(c),
        lambda c: c * np.abs(c),
        lambda c: np.clip(c, -5, 5),
        lambda c: c + 1e-6,
        lambda c: c * (1 + 1e-7 * np.tanh(c)),
        lambda c: np.sign(c),
        lambda c: np.where(np.abs(c) > 100, 0, c),
        lambda c: c * np.max(c) / np.max(np.abs(c)),
    ],
)
def test_not_linear_at_other_scales_of_the_cotangent(bend):
    conduct = saw(lambda c, x, k: product(bend(c), x, k))
    assert set(kinds(conduct)) - {"zero"} == {"linear"}
    first = message(conduct, "linear")
    assert first.startswith("gradient of x is not linear in the cotangent\n  ")
    assert "with the cotangent scaled by a power of two" in first


def test_homogeneous_but_not_additive():
    conduct = saw(lambda c, x, k: product(c + 1e-3 * np.cbrt(np.sum(c**3)), x, k))
    assert kinds(conduct) == ["linear", "linear"]
    assert "with the cotangent split into two that add up to it" in message(conduct, "linear")


def test_zero_cotangent_must_give_zero():
    def normalised(c, x):
        size = np.sqrt(np.sum(c * c))
        return x * (c / size) * size

    conduct = examine(normalised, C, (normal(4, 3, seed=1),))
    assert kinds(conduct) == ["zero"]
    wanted = "gradient of input 0 is not 0 for a zero cotangent\n  12 of 12 elements, as nan at [0, 0]"
    assert conduct.faults[0].message == wanted


def test_raising_for_a_zero_cotangent():
    def vjp(c, x, k):
        if not c.any():
            raise ZeroDivisionError("no direction")
        return product(c, x, k)

    assert "raised ZeroDivisionError: no direction" in message(saw(vjp), "zero")


def test_raising_for_another_cotangent():
    def vjp(c, x, k):
        if np.max(np.abs(c)) > 100:
            raise OverflowError("large")
        return product(c, x, k)

    assert kinds(saw(vjp)) == ["raises"]
    assert "raised OverflowError: large" in message(saw(vjp), "raises")


def test_an_exception_of_the_first_call_is_the_callers():
    with pytest.raises(KeyError):
        saw(lambda c, x, k: {}["gradient"])


# Memory layouts of the arguments


def reads_the_buffer_of_x(c, x, k):
    flat = x.ravel("K")  # right for C-contiguous arrays alone
    return c @ k.T, flat.reshape(x.shape).T @ c


def reads_the_buffer_of_c(c, x, k):
    return c.ravel("K").reshape(c.shape) @ k.T, x.T @ c


@pytest.mark.parametrize("vjp", [reads_the_buffer_of_x, reads_the_buffer_of_c])
def test_wrong_for_other_memory_layouts(vjp):
    conduct = saw(vjp)
    assert kinds(conduct) == ["layout"]
    assert "depends on the memory layout\n  " in conduct.faults[0].message
    assert "arguments of the same values" in conduct.faults[0].message


def test_raising_for_other_memory_layouts():
    def vjp(c, x, k):
        if not x.flags.c_contiguous:
            raise ValueError("ndarray is not C-contiguous\nat all")
        return product(c, x, k)

    conduct = saw(vjp)
    assert kinds(conduct) == ["layout", "layout"]
    wanted = "vjp fails for Fortran-ordered arguments\n  raised ValueError: ndarray is not C-contiguous"
    assert conduct.faults[0].message.startswith(wanted)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 4), (2, 3, 4)])
def test_layouts_keep_the_values(shape):
    x = normal(*shape)
    for view in (fortran, backward):
        np.testing.assert_array_equal(view(x), x)
        assert not np.shares_memory(view(x), x)
        assert x.size < 2 or view(x).strides != x.strides


# Finite


def test_nan_where_inputs_and_output_are_finite():
    def prod(c, x):
        with np.errstate(all="ignore"):
            return c * np.prod(x) / x

    x = np.array([1.0, 0.0, 2.0])
    conduct = examine(prod, np.array(1.0), (x,), names=("x",))
    assert "gradient of x is not finite\n  1 of 3 elements, as nan at [1]" in message(conduct, "finite")
    assert "finite" not in kinds(examine(prod, np.array(1.0), (x,), finite_output=False))
    assert "finite" not in kinds(examine(lambda c, x: c * x, np.ones(2), (np.array([np.nan, 1.0]),)))


# Right vjps of many kinds: nothing to complain of


def layer_norm(c, x, g):
    centred = x - x.mean(-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(-1, keepdims=True) + x.dtype.type(1e-5))
    h, d = centred / scale, c * g
    return (d - d.mean(-1, keepdims=True) - h * (d * h).mean(-1, keepdims=True)) / scale, (c * h).sum(0)


def softmax(c, x):
    p = np.exp(x - x.max(-1, keepdims=True))
    p = p / p.sum(-1, keepdims=True)
    return p * (c - (c * p).sum(-1, keepdims=True))


def dense(c, x, w, b):
    d = c * (1 - np.tanh(x @ w.T + b) ** 2)
    return d @ w, d.T @ x, d.sum(0)


def fft_convolution(c, x, k):
    xf, kf, cf = np.fft.rfft2(x), np.fft.rfft2(k), np.fft.rfft2(c)
    return np.fft.irfft2(cf * kf.conj(), s=x.shape), np.fft.irfft2(cf * xf.conj(), s=x.shape)


def linear_solve(c, a, b):
    y, w = np.linalg.solve(a, b), np.linalg.solve(a.T, c)
    return -np.outer(w, y), w


def conjugate_gradients(c, a, b):
    return None, scipy.sparse.linalg.cg(a @ a.T + np.eye(len(a)), c, rtol=1e-12)[0]


def conjugate_gradients_to_an_absolute_error(c, a, b):
    return None, scipy.sparse.linalg.cg(a @ a.T + np.eye(len(a)), c, rtol=0, atol=1e-10)[0]


def singular_values(c, a):
    u, _, vt = np.linalg.svd(a, full_matrices=False)
    return (u * c) @ vt


def max_pool(c, x):
    gradient = np.zeros((len(c), 2), x.dtype)
    gradient[np.arange(len(c)), x.reshape(-1, 2).argmax(1)] = c
    return gradient.ravel()


def ill_conditioned(size, condition, seed):
    u, _, vt = np.linalg.svd(normal(size, size, seed=seed))
    return u * np.geomspace(1, 1 / condition, size) @ vt


def right_vjps(seed):
    def n(*shape):
        return normal(*shape, seed=seed)

    yield "product", product, n(40, 30), (n(40, 50), n(50, 30))
    yield "long sums", product, n(1, 1), (n(1, 5000), n(5000, 1))
    yield "layer norm", layer_norm, n(4, 16), (n(4, 16) + 10, n(16))
    yield "layer norm of one feature", layer_norm, n(4, 1), (n(4, 1), n(1))
    yield "softmax", softmax, n(4, 10), (n(4, 10),)
    yield "softmax, where the gradient is zero", softmax, np.ones((4, 10)), (n(4, 10),)
    yield "dense", dense, n(5, 7), (n(5, 6), n(7, 6), n(7))
    yield "fft", fft_convolution, n(20, 17), (n(20, 17), n(20, 17))
    yield "solve", linear_solve, n(8), (n(8, 8), n(8))
    yield "relu with zeros", lambda c, x: c * (x > 0), n(50), (np.round(n(50)),)
    yield "max pool with ties", max_pool, n(25), (np.round(n(50)),)
    yield "singular values", singular_values, n(6), (n(8, 6),)
    yield "tiny inputs", product, n(4, 3), (n(4, 5) * 1e-6, n(5, 3))
    yield "subnormal", lambda c, x: c * np.exp(x), n(50), (-5 * np.abs(n(50)) - 100,)
    yield (
        "softplus",
        lambda c, x: c * scipy.special.expit(x),
        n(5),
        (np.array([-800.0, 800.0, 0.0, -1e4, 30.0]),),
    )
    yield "log domain", lambda c, x: np.sign(c) * np.exp(np.log(np.abs(c) + (c == 0)) + x), n(50), (n(50),)
    yield "mean", lambda c, x: np.full(x.shape, c / x.size), n(), (n(7, 3),)
    yield "correlate", lambda c, x: scipy.signal.fftconvolve(c, np.ones((3, 3), x.dtype)), n(6, 5), (n(8, 7),)
    yield "small cotangent", product, n(4, 3) * 1e-18, (n(4, 5), n(5, 3))
    yield "large cotangent", product, n(4, 3) * 1e18, (n(4, 5), n(5, 3))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_vjps_have_no_faults(dtype):
    for seed in range(20):
        for name, vjp, c, inputs in right_vjps(seed):
            conduct = examine(
                vjp, np.asarray(c).astype(dtype), [np.asarray(x).astype(dtype) for x in inputs], seed=seed
            )
            assert not conduct.failed, (name, seed, conduct.faults)
            unwanted = [k for k in kinds(conduct, "note") if (name, k) != ("max pool with ties", "rounding")]
            assert unwanted == [], (name, seed, conduct.faults)


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e8, 1e10, 1e12])
def test_right_but_ill_conditioned(condition):
    for seed in range(20):
        conduct = examine(
            linear_solve, normal(8, seed=seed), (ill_conditioned(8, condition, seed), normal(8))
        )
        assert not conduct.failed, conduct.faults


@pytest.mark.parametrize("condition", [1e8, 1e10, 1e12])
def test_digits_lost_on_the_way_are_not_taken_for_nonlinear(condition):
    for seed in range(20):
        a = ill_conditioned(8, condition, seed)
        conduct = examine(lambda c, x, a=a: a.T @ np.linalg.solve(a.T, c), normal(8, seed=seed), (normal(8),))
        assert not conduct.failed, conduct.faults


@pytest.mark.parametrize("vjp", [conjugate_gradients, conjugate_gradients_to_an_absolute_error])
def test_iterations_that_stop_early_are_at_most_notes(vjp):
    for seed in range(20):
        conduct = examine(vjp, normal(30, seed=seed), (normal(30, 30, seed=seed), normal(30)))
        assert not conduct.failed, conduct.faults
        assert set(kinds(conduct, "note")) <= {"linear"}


# Rounding


def claim_over_error(vjp, c, inputs, seed):
    """Norms of the rounding claimed for a float32 vjp, and of its error by the same code in float64."""
    low = [np.asarray(a).astype(np.float32) for a in (c, *inputs)]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        conduct = examine(vjp, low[0], low[1:], seed=seed)
        truth = vjp(*(a.astype(np.float64) for a in low))
    for g, claim, t in zip(
        conduct.gradients, conduct.rounding, truth if isinstance(truth, tuple) else (truth,), strict=True
    ):
        yield np.linalg.norm(claim), np.linalg.norm(g - t)


def test_rounding_holds_in_norm_and_is_not_much_too_large():
    ratios = []
    for seed in range(20):
        for name, vjp, c, inputs in right_vjps(seed):
            for claim, error in claim_over_error(vjp, c, inputs, seed):
                if name != "max pool with ties":
                    assert error <= claim, (name, seed)
                    ratios.append(error / claim if claim else 0)
    assert np.median(ratios) > 1 / 50


def test_rounding_holds_in_nearly_every_element_of_many():
    missed = count = 0
    for seed in range(5):
        inputs = normal(40, 50, seed=seed), normal(40, 50, seed=seed + 50) + 10, normal(50, seed=seed)
        low = [a.astype(np.float32) for a in inputs]
        conduct = examine(layer_norm, low[0], low[1:], seed=seed)
        truth = layer_norm(*(a.astype(np.float64) for a in low))
        for g, claim, t in zip(conduct.gradients, conduct.rounding, truth, strict=True):
            missed, count = missed + int(np.sum(np.abs(g - t) > claim)), count + g.size
    assert missed / count < 1e-3


def test_rounding_of_an_ill_conditioned_solve_is_its_condition_times_eps():
    for condition in (1e2, 1e4, 1e6):
        conduct = examine(linear_solve, normal(8), (ill_conditioned(8, condition, 1), normal(8)))
        relative = np.linalg.norm(conduct.rounding[1]) / np.linalg.norm(conduct.gradients[1])
        assert 1e-17 < relative / condition < 1e-13


def test_a_gradient_that_went_through_float32_is_not_excused():
    def vjp(c, x):
        return c * np.cos(x.astype(np.float32)).astype(np.float64)

    c, x = normal(50), normal(50, seed=1)
    conduct = examine(vjp, c, (x,))
    error = np.abs(conduct.gradients[0] - c * np.cos(x))
    assert np.max(error - conduct.rounding[0]) > 0


def test_a_tie_decided_otherwise_is_noted_and_not_excused():
    c, x = normal(25), np.repeat(normal(25, seed=1), 2)
    conduct = examine(max_pool, c, (x,), names=("x",))
    assert "gradient of x moves with the last digits of the inputs" in message(conduct, "rounding")
    assert np.max(conduct.rounding[0]) < 1e-6


def test_a_function_with_slope_does_not_show_it_as_rounding():
    """sin(x − 1e8), where one ulp of the input is 1.5e-8: the subtraction is exact, and the gradient too."""
    c, x = normal(50), 1e8 + normal(50, seed=1)
    conduct = examine(lambda c, x: c * np.cos(x - 1e8), c, (x,))
    assert np.max(conduct.rounding[0] / np.abs(c)) < 1e-7


def test_rounding_of_a_vjp_that_leaves_its_domain_when_moved_is_not_infinite():
    def vjp(c, x):
        if np.any(x > 1):
            raise ValueError("outside")
        return c / x

    conduct = examine(vjp, normal(3), (np.ones(3),))
    assert not conduct.failed
    assert np.all(np.isfinite(conduct.rounding[0]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.complex128, np.complex64])
def test_moves_are_exact_and_change_the_last_bit(dtype):
    x = (normal(1000) * (1 if np.dtype(dtype).kind == "f" else 1 + 1j)).astype(dtype)
    d = ulps(x, np.random.default_rng(0))
    moved = [np.asarray(part != 0) for part in (d.real, d.imag)][: 2 if d.dtype.kind == "c" else 1]
    assert all(np.mean(m) > 0.9 for m in moved)
    np.testing.assert_array_equal((x + d).astype(np.clongdouble) + (x - d), 2 * x.astype(np.clongdouble))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_moves_are_an_odd_number_of_ulps(dtype):
    """2^13 ulps of x would leave the last digits of 1000·x, and with them its rounding, as they were."""
    x = normal(1000).astype(dtype)
    units = np.abs(ulps(x, np.random.default_rng(0)).astype(float)) / np.spacing(np.abs(x)).astype(float)
    assert np.all(units[units > 0] % 2 == 1)


def test_what_is_not_floating_does_not_move():
    labels = np.array([0, 2, 1])
    assert not ulps(labels, np.random.default_rng(0)).any()
    conduct = examine(lambda c, x, labels: (c * x, None), normal(3), (normal(3, seed=1), labels))
    assert conduct.faults == ()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
def test_same_bits(dtype):
    a = np.array([[0.0, np.nan], [1.0, 2.0]], dtype)
    b = a.copy()
    b[1, 0] = np.nextafter(1.0, 2.0, dtype=b.real.dtype)
    np.testing.assert_array_equal(same_bits(a, b), [[True, True], [False, True]])


def total_of_softmax(c, x):
    """Of Σ softmax(x) = 1: zero but for rounding."""
    p = np.exp(x - x.max())
    p = p / p.sum()
    return c * p * (1 - p.sum()) + c * (p - p * p - p * (1 - p))


def test_a_gradient_that_is_zero_but_for_rounding_is_excused_by_the_scale_of_what_cancelled():
    covered = {0.0: 0, 1.0: 0}
    for magnitude in covered:
        for seed in range(20):
            conduct = examine(total_of_softmax, np.array(1.0), (normal(9, seed=seed),), magnitude=magnitude)
            covered[magnitude] += int(np.all(np.abs(conduct.gradients[0]) <= conduct.rounding[0]))
    assert covered[1.0] == 20
    assert covered[0.0] < 10


def test_the_scale_of_what_cancelled_is_known_from_the_other_inputs_too():
    def vjp(c, x, k):
        return total_of_softmax(c, x), 3.0 * c * k

    for seed in range(20):
        conduct = examine(vjp, np.array(1.0), (normal(9, seed=seed), normal(2, seed=seed)))
        assert np.all(np.abs(conduct.gradients[0]) <= conduct.rounding[0])
