"""Batches: the same verdicts from fewer calls, and no word for f that is not f."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d

from gradcheck import batches as of
from gradcheck import (
    check_gradient,
    check_hvp,
    check_jvp,
    check_vjp,
    derivative,
    gradient,
    jacobian,
)
from gradcheck.arguments import Counted
from gradcheck.batches import FEWEST, LIMIT, Batched, Section, counted, trust

RNG = np.random.default_rng(3)
X, W, B = RNG.standard_normal((6, 4)), RNG.standard_normal((4, 3)), RNG.standard_normal(3)


def dense(x, w, b):
    return np.tanh(x @ w + b[..., None, :])


def dense_vjp(c, x, w, b):
    d = c * (1 - np.tanh(x @ w + b) ** 2)
    return d @ w.T, x.T @ d, d.sum(0)


def wrong_vjp(c, x, w, b):
    dx, dw, db = dense_vjp(c, x, w, b)
    return dx, dw * (1 + 1e-5), db


def checked(vjp=dense_vjp, batched=True, f=dense, **options):
    return check_vjp(f, vjp, (X, W, B), batched=batched, **options)


# -- the same verdicts, from fewer calls -------------------------------------------------------------------


@pytest.mark.parametrize("vjp", [dense_vjp, wrong_vjp])
@pytest.mark.parametrize("options", [{}, {"method": "spectral"}, {"conduct": False}, {"only": (1,)}])
def test_verdict_and_resolution_are_those_of_single_calls(vjp, options):
    one, many = checked(vjp, None, **options), checked(vjp, **options)
    assert many.verdict is one.verdict
    assert many.resolution == pytest.approx(one.resolution, rel=0.5)
    assert [part.verdict for part in many.parts] == [part.verdict for part in one.parts]
    assert many.diagnosis == one.diagnosis
    assert one.calls == one.evaluations
    # of seven samples four are taken together, of a search's more
    assert many.calls < (0.75 if many.passed else 0.5) * one.calls


def test_calls_and_points_are_counted():
    calls, points = [], []

    def batched(x, w, b):
        points.append(len(x))
        return dense(x, w, b)

    def f(x, w, b):
        calls.append(1)
        return dense(x, w, b)

    check = checked(batched=batched, f=f)
    assert points[0] == 2  # the comparison with f
    assert set(points[1:]) <= set(range(FEWEST, 18))
    assert check.calls == len(calls) + len(points)
    assert check.evaluations == len(calls) + sum(points)


def test_a_seed_decides_everything():
    assert checked(seed=4) == checked(seed=4)


def test_what_rounds_otherwise_in_a_batch_is_no_noise():
    """Sums in another order at each size of a batch: the centre comes from the same call."""

    def batched(x, w, b):
        order = np.random.default_rng(len(x)).permutation(4)
        return np.tanh(sum(x[..., k, None] * w[:, None, k] for k in order) + b[:, None])

    one, many = checked(batched=None), checked(batched=batched)
    assert many.passed
    assert many.resolution <= 2 * one.resolution


def test_other_checks_take_batches():
    x = np.array([0.5, -1.0, 2.0])

    def cubes(x):
        return np.sum(x**3, axis=-1)

    for check in (
        check_gradient(cubes, lambda x: 3 * x**2, x, batched=True),
        check_jvp(np.sin, lambda v, x: np.cos(x) * v[0], (x,), batched=True),
        check_hvp(lambda x: x**3, lambda x, v: 3 * x**2 * v, x, batched=True),
    ):
        assert check.passed
        assert check.calls < 0.75 * check.evaluations
    assert check_gradient(cubes, lambda x: 3 * x, x, batched=True).verdict.value == "fail"
    assert check_jvp(np.sin, lambda v, x: np.cos(x) * v[0] * 1.01, (x,), batched=True).verdict.value == "fail"


def test_kinks_are_looked_at_in_batches():
    x = np.array([0.0, 1.0, -2.0])

    def claimed(c, x):
        return c * (x > 0)

    def relu(x):
        return np.maximum(x, 0)

    for policy in ("one_sided", "avoid"):
        one = check_vjp(relu, claimed, (x,), kinks=policy)
        many = check_vjp(relu, claimed, (x,), kinks=policy, batched=True)
        assert one.passed
        assert many.passed
        assert many.calls < one.calls


def test_the_oracle_takes_batches():
    x = np.linspace(0.5, 2.0, 4)
    calls = []

    def f(x):
        calls.append(np.ndim(x))
        return np.sum(np.sin(x) * x**2, axis=-1)

    one, before = gradient(f, x), len(calls)
    many = gradient(f, x, batched=True)
    assert np.allclose(one.value, many.value, rtol=0, atol=float(one.bound.max() + many.bound.max()))
    assert 2 * (len(calls) - before) < before
    assert jacobian(np.sin, x, batched=True).value == pytest.approx(np.diag(np.cos(x)))
    assert derivative(np.sin, x, batched=True).value == pytest.approx(np.cos(x))


def test_the_oracle_refuses_batches_of_trees():
    with pytest.raises(ValueError, match="batched is of arrays alone") as refusal:
        gradient(lambda p: np.sum(p["w"]), {"w": np.ones(2)}, batched=True)
    assert "wanted an array" in str(refusal.value)


# -- what is not f -----------------------------------------------------------------------------------------


def normalised(x, w, b):
    """Normalises over its first axis: of patterns in f, of points in a batch."""
    y = np.tanh(x @ w + b[..., None, :])
    return (y - y.mean(axis=0)) / y.std(axis=0)


ANOTHER = {
    "normalises over the points": (normalised, normalised),
    "mean over the points": (lambda *a: dense(*a) - 1e-9 * dense(*a).mean(axis=0), dense),
    "takes a kernel from the first point": (lambda x, w, b: dense(x, w[:1], b), dense),
    "points in another order": (lambda *a: dense(*a)[::-1], dense),
    "another function": (lambda *a: dense(*a) * (1 + 1e-12), dense),
    "infinite where f is not": (
        lambda x, w, b: dense(x, w, b) / (np.arange(len(x)) < 1)[:, None, None],
        dense,
    ),
}


@pytest.mark.parametrize("name", ANOTHER)
def test_another_function_is_refused(name):
    batched, f = ANOTHER[name]
    with pytest.raises(ValueError, match="check_vjp: batched is another function than f") as refusal:
        checked(batched=batched, f=f)
    assert "may be rounding" in str(refusal.value)
    assert "each point is to be answered by itself" in str(refusal.value)


def test_a_sum_over_the_points_is_refused():
    with pytest.raises(ValueError, match="batched does not answer point by point") as refusal:
        check_gradient(lambda x: np.sum(x**2), lambda x: 2 * x, X[0], batched=True)
    assert r"batched(*stacked).shape = (), wanted (2,), (points, *f(*inputs).shape)" in str(refusal.value)
    assert "one more axis in front" in str(refusal.value)


def test_code_that_takes_no_axis_is_refused():
    with pytest.raises(ValueError, match="batched fails where f does not") as refusal:
        check_vjp(lambda x: convolve2d(x, W), lambda c, x: c, (X,), batched=True)
    assert "raised ValueError" in str(refusal.value)
    assert "for inputs of shape (2, 6, 4)" in str(refusal.value)


def test_another_dtype_is_refused():
    with pytest.raises(ValueError, match="batched answers in another dtype") as refusal:
        checked(batched=lambda *a: dense(*a).astype(np.float32))
    assert "dtype = float32, wanted float64" in str(refusal.value)


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="check_vjp: batched is no function") as refusal:
        checked(batched=8)
    assert "batched = 8, wanted a function" in str(refusal.value)


def test_declared_noise_is_allowed_for():
    assert checked(batched=lambda *a: dense(*a) * (1 + 1e-9), noise=1e-8).passed


def test_what_samples_of_f_itself_contradict_is_no_pass():
    """One that is f in twos alone, and then follows a wrong gradient: samples of f do not bear it out."""

    def batched(x):
        return np.sin(x) if len(x) == 2 else np.sin(x[:1]) + (x - x[:1]) * np.cos(x[:1]) * 2

    check = check_vjp(np.sin, lambda c, x: 2 * c * np.cos(x), (X,), batched=batched)
    assert not check.passed


# -- where batches are of no use ---------------------------------------------------------------------------


def test_f_alone_is_called_where_few_points_have_room():
    x = np.ones(LIMIT // 8 // (2 * FEWEST) + 8)
    calls = []

    def batched(x):
        calls.append(1)
        return x**2

    function = counted(lambda x: x**2, batched, "who")
    trust(function, (x,), function(x))
    assert isinstance(function, Batched)
    assert (function.room((x,)), calls) == (0, [])
    assert list(Section(function, (x,), {0: None}).outputs(x, x, (1, 2, 3))) == []
    fits = x[: x.size - 16]
    function.shape = fits.shape
    trust(function, (fits,), fits**2)
    assert function.room((fits,)) == FEWEST


def test_batches_are_cut_to_what_has_room(monkeypatch):
    monkeypatch.setattr(of, "LIMIT", 5 * 2 * X.nbytes)
    sizes = []

    def batched(x):
        sizes.append(len(x))
        return np.sin(x)

    assert check_vjp(np.sin, lambda c, x: c * np.cos(x), (X,), batched=batched).passed
    assert max(sizes) == 5


def test_where_a_batch_raises_f_is_called():
    def batched(x):
        if len(x) > 2:
            raise RuntimeError("no more than two")
        return np.sin(x)

    one = check_vjp(np.sin, lambda c, x: c * np.cos(x), (X,))
    many = check_vjp(np.sin, lambda c, x: c * np.cos(x), (X,), batched=batched)
    assert many.passed
    assert many.parts[0].resolution == one.parts[0].resolution


def test_a_random_function_is_told_as_one():
    rng = np.random.default_rng(0)
    check = check_vjp(lambda x: x + rng.random(), lambda c, x: c, (X,), batched=lambda x: x + rng.random())
    assert check.verdict.value == "inconclusive"
    assert check.reason.startswith("f is random")


@pytest.mark.parametrize("edge", [1e-3, 1e-9])
def test_near_the_end_of_a_domain(edge):
    x = np.array([edge, 1.0, 2.0])
    for f, vjp in ((np.log, lambda c, x: c / x), (np.sqrt, lambda c, x: c / (2 * np.sqrt(x)))):
        one, many = (check_vjp(f, vjp, (x,), batched=batched) for batched in (None, True))
        assert one.verdict is many.verdict


def test_f_that_raises_beside_the_inputs_is_called_alone():
    def f(x):
        if (x != X).any():
            raise ArithmeticError
        return x

    function = counted(f, lambda x: x, "who")
    trust(function, (X,), f(X))
    assert isinstance(function, Batched)
    assert function.room((X,)) == 0


def test_a_finer_dtype_is_compared_by_itself():
    """In float64, where f has more digits, one that keeps to float32 is not f: it is left out."""
    x = X.astype(np.float32)
    dtypes = []

    def batched(x):
        dtypes.append((len(x), x.dtype.name))
        return np.sin(x.astype(np.float32))

    assert check_vjp(np.sin, lambda c, x: c * np.cos(x), (x,), batched=batched).passed
    assert dtypes == [(2, "float32"), (2, "float64")]
    assert check_vjp(np.sin, lambda c, x: c * np.cos(x), (x,), batched=True).passed


# -- sections ----------------------------------------------------------------------------------------------


def test_a_section_is_f_of_what_moves():
    function = counted(dense, True, "who")
    centre = function(X, W, B)
    trust(function, (X, W, B), centre)
    flat, parts = np.concatenate([W.ravel(), B]), {1: slice(0, 12), 2: slice(12, 15)}
    section = Section(function, (X, W, B), parts)
    step = np.full(15, 0.25)
    assert np.array_equal(section(flat), centre)
    found = list(section.outputs(flat, step, (-3, 1, 2)))
    assert [position for position, _, _ in found] == [-3, 1, 2]
    for position, output, at in found:
        assert output == pytest.approx(dense(X, W + position * 0.25, B + position * 0.25), rel=1e-14)
        assert at == pytest.approx(centre, rel=1e-14)


def test_a_negative_zero_stays_one():
    function = counted(lambda x: np.copysign(1.0, x), True, "who")
    x = np.array([-0.0, 1.0])
    function.shape = (2,)
    trust(function, (x,), function(x))
    ((_, _, centre), *_) = Section(function, (x,), {0: None}).outputs(x, np.array([0.0, 1.0]), (1, 2, 3))
    assert centre.tolist() == [-1.0, 1.0]


def test_nothing_is_declared_by_default():
    assert type(counted(np.sin, None, "who")) is type(counted(np.sin, False, "who")) is Counted


def test_the_benchmark_tells_calls_and_times():
    from benchmarks.batches import dense, recurrent, row, solved

    for made in (dense, recurrent, solved):
        cells = [cell.strip() for cell in row(made(), rounds=1).strip("| ").split("|")]
        assert len(cells) == 8
        assert int(cells[4]) < int(cells[3])
        one, many, ratio = map(float, cells[5:])
        # times are printed to 0.05 ms, the ratio to 0.005
        assert abs(ratio - many / one) <= 0.005 + 0.05 * (1 + ratio) / (one - 0.05)
