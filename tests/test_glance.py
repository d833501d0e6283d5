"""A glance at many elements: three calls see whatever the calls for single faults would, and hand over to these."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import Verdict, check_vjp
from gradcheck.conduct import examine
from gradcheck.glance import glance, is_many
from gradcheck.recall import FEW, Recall
from gradcheck.task import _cotangents
from tests import test_cheating as cheating

RNG = np.random.default_rng(5)
X, K, C = RNG.standard_normal((40, 30)), RNG.standard_normal((30, 20)), RNG.standard_normal((40, 20))


def product(c, x, k):
    return c @ k.T, x.T @ c


def elementwise(bend):
    return lambda c, x, k: product(bend(c), x, k)


def random_drop(c, x, k, rng=np.random.default_rng(0)):  # noqa: B008  one generator for all calls is meant
    return c @ k.T, x.T @ c * (rng.random(k.shape) > 0.2)


def one_buffer(c, x, k, buffer=np.empty_like(X)):  # noqa: B008  so is one buffer
    return np.matmul(c, k.T, out=buffer), x.T @ c


def refuses_fortran(c, x, k):
    if not x.flags.c_contiguous:
        raise ValueError("not C-contiguous")
    return product(c, x, k)


def refuses_read_only(c, x, k):
    x += 0.0
    return product(c, x, k)


def normalised(c, x, k):
    size = np.sqrt(np.sum(c * c))
    return product(c / size * size, x, k)


def writes(c, x, k):
    answer = product(c, x, k)
    x[0, 0] = 7.0
    return answer


FAULTY = {
    "absolute": (elementwise(np.abs), "linear"),
    "clipped": (elementwise(lambda c: np.clip(c, -5, 5)), "linear"),
    "bent a little": (elementwise(lambda c: c * (1 + 1e-6 * np.tanh(c))), "linear"),
    "zero where large": (elementwise(lambda c: np.where(np.abs(c) > 100, 0, c)), "linear"),
    "offset": (elementwise(lambda c: c + 1e-6), "linear"),
    "not additive": (elementwise(lambda c: c + 1e-3 * np.cbrt(np.sum(c**3))), "linear"),
    "not additive at equal size": (elementwise(lambda c: c * (1 + 1e-6 * np.mean(c**2 > 0))), "linear"),
    "random": (random_drop, "repeat"),
    "one buffer": (one_buffer, "overwritten"),
    "needs C order": (refuses_fortran, "layout"),
    "reads the buffer": (lambda c, x, k: (c @ k.T, x.ravel("K").reshape(x.shape).T @ c), "layout"),
    "writes into read-only memory": (refuses_read_only, "read-only"),
    "zero over zero": (normalised, "zero"),
    "writes": (writes, "mutation"),
    "not a number": (lambda c, x, k: (c @ k.T, np.where(k > 2, np.nan, x.T @ c)), "finite"),
    "misshapen": (lambda c, x, k: (c @ k.T, (x.T @ c).T), "form"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_single_calls_find_of_few_elements_is_found_of_many(name):
    vjp, kind = FAULTY[name]
    faults = examine(vjp, C.copy(), (X.copy(), K.copy())).faults
    assert kind in {f.kind for f in faults if f.severity == "fail"}


def few(c, places=(0, 1, 2, 3, 57, 200, 411, 799)):
    """A part of few elements, as the sparse cotangent of a check is."""
    part = np.zeros_like(c)
    part.ravel()[list(places)] = c.ravel()[list(places)]
    return part


@pytest.mark.parametrize("name", FAULTY)
def test_and_where_the_part_is_of_few_elements(name):
    vjp, kind = FAULTY[name]
    faults = examine(vjp, C.copy(), (X.copy(), K.copy()), part=few(C)).faults
    assert kind in {f.kind for f in faults if f.severity == "fail"}
    assert examine(product, C.copy(), (X.copy(), K.copy()), part=few(C)).calls == 3


def by_row(c, x, k):
    size = np.sqrt(np.sum(c * c, axis=1, keepdims=True))
    return product(c / size * size, x, k)


def where_few(c, x, k):
    return product(c if np.count_nonzero(c) > 40 else 2 * c, x, k)


def kept_by_id(c, x, k, known={}):  # noqa: B006  kept from call to call is what is meant
    return known.setdefault((id(c), id(x)), product(c, x, k))


@pytest.mark.parametrize(("vjp", "kind"), [(by_row, "zero"), (kept_by_id, "repeat"), (normalised, "zero")])
def test_rows_of_zeros_norms_of_zero_and_arrays_met_again_are_seen(vjp, kind):
    faults = examine(vjp, C.copy(), (X.copy(), K.copy()), part=few(C)).faults
    assert kind in {f.kind for f in faults if f.severity == "fail"}


def test_what_answers_otherwise_for_few_elements_is_seen():
    for seed in range(3):
        assert check_vjp(np.matmul, product, (X, K), seed=seed).passed
        assert check_vjp(np.matmul, where_few, (X, K), seed=seed).verdict is Verdict.FAIL


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_a_cotangent_stands_for_zeros_where_its_norm_is_none_and_gradients_keep_their_digits(dtype):
    c, x, k = (a.astype(dtype) for a in (C, X, K))
    recall = Recall(product, c, (x, k), list(product(c, x, k)), RNG)
    tiny = recall.tiny()
    if dtype in (np.float16, np.longdouble):
        assert tiny is None
    else:
        small = (c * tiny).astype(dtype)
        assert small.any()
        assert np.sum(small * small) == 0
        for g, scaled in zip(recall.first, product(small, x, k), strict=True):
            np.testing.assert_allclose(scaled / dtype(tiny), g, rtol=0, atol=1000 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", cheating.CAUGHT)
def test_cheats_are_caught_where_there_are_many_elements(name, monkeypatch):
    monkeypatch.setattr(cheating, "POINT", np.random.default_rng(3).standard_normal((40, 50)))
    make, _ = cheating.CAUGHT[name]
    for seed in range(3):
        point = cheating.POINT.copy()
        assert check_vjp(cheating.f, make(), (point,), seed=seed, strict=True).verdict is Verdict.FAIL
        assert np.array_equal(point, cheating.POINT)


def dense(c, x, w, b):
    d = c * (1 - np.tanh(x @ w.T + b) ** 2)
    return d @ w, d.T @ x, d.sum(0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rounding_alone_is_no_cause_for_a_closer_look(dtype):
    rng, calls = np.random.default_rng(1), []
    for seed in range(10):
        c, x, w, b = (rng.standard_normal(s).astype(dtype) for s in ((60, 50), (60, 80), (50, 80), (50,)))
        conduct = examine(dense, c, (x, w, b), seed=seed)
        assert conduct.faults == ()
        calls.append(conduct.calls)
    assert calls == [4] * 10


def test_the_rounding_that_a_glance_shows_covers_the_error():
    """As that of the calls one by one does: float32 beside the same code in float64, in norm."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        low = [rng.standard_normal(s).astype(np.float32) for s in ((60, 50), (60, 80), (50, 80), (50,))]
        conduct = examine(dense, low[0], low[1:], seed=seed)
        for g, claim, t in zip(
            conduct.gradients, conduct.rounding, dense(*(a.astype(float) for a in low)), strict=True
        ):
            assert np.linalg.norm(g - t) <= np.linalg.norm(claim) <= 50 * np.linalg.norm(g - t)


def layers():
    """Vjps of several kinds, with the shapes of cotangent and inputs."""

    def bent(c, x):
        t = np.tanh(x)
        return c * ((1 - t * t) * x + t)

    def softmax(c, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return p * (c - (c * p).sum(axis=1, keepdims=True))

    def normal(c, x):
        d, n = x - x.mean(axis=1, keepdims=True), x.shape[1]
        s = np.sqrt((d * d).mean(axis=1, keepdims=True))
        return (c - c.mean(axis=1, keepdims=True) - d / s * (c * d / s).sum(axis=1, keepdims=True) / n) / s

    matrix = (60, 50)
    return {
        "dense": (dense, (matrix, (60, 80), (50, 80), (50,))),
        "bent": (bent, (matrix, matrix)),
        "exponential": (lambda c, x: c * np.exp(x), (matrix, matrix)),
        "fast": (lambda c, x: 30 * c * np.cos(30 * x), (matrix, matrix)),
        "softmax": (softmax, (matrix, matrix)),
        "layer norm": (normal, (matrix, matrix)),
        "quotient": (lambda c, x, y: (c / y, -c * x / y / y), (matrix, matrix, matrix)),
    }


@pytest.mark.parametrize("name", layers())
def test_moved_once_by_units_the_rounding_covers_the_error_and_is_little_more(name):
    """Float64 beside the same code in long double, in norm: of the dense cotangent, and of the part."""
    vjp, shapes = layers()[name]
    for seed in range(10):
        rng = np.random.default_rng(seed)
        c, *inputs = (rng.standard_normal(s) for s in shapes)
        conduct = examine(vjp, c, inputs, part=few(c), seed=seed)
        assert conduct.calls == 3
        assert not conduct.faults
        long = [a.astype(np.longdouble) for a in inputs]
        true = listed(vjp(c.astype(np.longdouble), *long))
        of_part = listed(vjp(few(c).astype(np.longdouble), *long))
        for g, p, claim, t, tp in zip(
            conduct.gradients, conduct.part, conduct.rounding, true, of_part, strict=True
        ):
            assert np.linalg.norm(g - t) <= np.linalg.norm(claim) <= 3e-13 * np.linalg.norm(g)
            assert np.linalg.norm(p - tp) <= np.linalg.norm(claim)


def listed(answer):
    return answer if isinstance(answer, tuple) else (answer,)


def test_the_answer_to_a_part_is_handed_on():
    part = C * (RNG.random(C.shape) < 0.1)
    conduct = examine(product, C, (X, K), part=part)
    for got, wanted in zip(conduct.part, product(part, X, K), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-13)  # sums of 40 products, in another order
    assert examine(elementwise(np.abs), C, (X, K), part=part).part is None


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_or_all_of_the_cotangent_is_no_part(share):
    """Nothing would be left to be scaled, and moved."""
    conduct = examine(product, C, (X, K), part=share * C)
    assert conduct.part is None
    assert all(r.any() for r in conduct.rounding)
    clipped = examine(elementwise(lambda c: np.clip(c, -5, 5)), C, (X, K), part=share * C)
    assert "linear" in {f.kind for f in clipped.faults}


def test_of_few_outputs_the_sparse_cotangent_is_another_one():
    few, many = np.zeros(4), np.zeros(400)
    for centre, nested, same in ((few, False, False), (many, False, False), (many, True, True)):
        dense_one, sparse, *others = _cotangents(centre, None, np.random.default_rng(0), nested=nested)
        assert np.all((sparse == 0) | (sparse == dense_one)) == same
        assert len(others) == (not nested)
    assert 5 <= np.count_nonzero(sparse) <= 8
    a = RNG.standard_normal((4, 300))
    for seed in range(5):  # as many inputs as are called many, and four outputs
        assert check_vjp(
            lambda a, x: a @ x, lambda c, a, x: (c[:, None] * x, c @ a), (a, a[0]), seed=seed
        ).passed
        wrong = check_vjp(
            lambda a, x: a @ x, lambda c, a, x: (c[:, None] * x, np.abs(c) @ a), (a, a[0]), seed=seed
        )
        assert wrong.verdict is Verdict.FAIL


def test_a_single_number_has_no_parts():
    x = RNG.standard_normal(FEW + 1)
    asked = []
    conduct = examine(lambda c, x: (asked.append(float(c)), c * x)[1], np.array(0.5), (x,))
    assert conduct.faults == ()
    assert conduct.calls == 4
    assert [c for c in asked if abs(c) < 1] == [0.5, 0.0]


def test_numbers_too_large_to_be_scaled_are_looked_at_one_by_one():
    x = RNG.standard_normal(FEW + 1)
    recall = Recall(lambda c, x: c * x, np.full(x.shape, 1e305), (x,), [1e305 * x], RNG)
    assert is_many((x,))
    assert glance(recall, None) is None
    assert recall.calls == 1


def test_without_conduct_rounding_alone_is_measured():
    calls = []

    def vjp(c, x, k):
        calls.append(1)
        return product(np.abs(c), x, k)

    few = X[:4, :5], K[:5, :3]
    conduct = examine(vjp, C[:4, :3], few, measured=True)
    assert conduct.faults == ()
    assert len(calls) == conduct.calls == 9  # the first, three pairs of moves, and a split
    assert examine(product, C, (X, K), measured=True).calls == 4
