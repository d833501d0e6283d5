import numpy as np
import pytest

import gradcheck.forward
from gradcheck.forward import check_forward, rounding_bound, transform_bound
from gradcheck.verdict import Verdict

RNG = np.random.default_rng(5)
X, Y = RNG.standard_normal((4, 30)), RNG.standard_normal(30)
WHOLE = RNG.integers(-99, 99, (4, 30)).astype(float), RNG.integers(-99, 99, 30).astype(float)


def naive(x, y):
    return np.array([sum(a * b for a, b in zip(row, y, strict=True)) for row in x])


def checked(forward, inputs=(X, Y), exact=False):
    return check_forward(forward, naive, inputs, seed=0, exact=exact, subject="product")


def test_another_order_of_summation_passes():
    for forward in (lambda x, y: x @ y, lambda x, y: naive(x[:, ::-1], y[::-1])):
        check = checked(forward)
        assert check.verdict is Verdict.PASS
        assert check.evidence == "naive"
        assert 0 < check.resolution < 1e-11  # 2 γ_n √n S with n = 150, S about 5 times the result


def test_whole_numbers_are_compared_to_the_bit():
    right = checked(lambda x, y: x @ y, WHOLE, exact=True)
    assert (right.verdict, right.evidence, right.resolution) == (Verdict.PASS, "exact", 0.0)
    assert 0 < right.miss_probability < 2e-3


def conv(x, k):
    return np.convolve(x, k, "valid")


def fft(x, k, period=None):
    n = period or len(x)
    return np.fft.irfft(np.fft.rfft(x, n) * np.fft.rfft(k, n), n)[len(k) - 1 : len(x)]


def checked_conv(forward, n=64, m=9, seed=0, size=1024):
    rng = np.random.default_rng(seed)
    inputs = rng.integers(-size, size, n).astype(float), rng.integers(-size, size, m).astype(float)
    return check_forward(forward, conv, inputs, seed=0, exact=True, subject="conv")


def test_a_transform_of_whole_numbers_passes_as_what_it_is_and_not_as_exact():
    check = checked_conv(fft)
    assert (check.verdict, check.evidence) == (Verdict.PASS, "naive")
    assert 0 < check.resolution < 1e-8
    assert check.miss_probability == checked_conv(conv).miss_probability > 0
    assert checked_conv(conv).evidence == "exact"


@pytest.mark.parametrize("error", [1.0, -1.0, 1e-3, 1e-5, np.nan])
def test_a_transform_with_one_wrong_element_fails_to_the_bit(error):
    def wrong(x, k):
        out = fft(x, k)
        out[7] += error
        return out

    check = checked_conv(wrong)
    assert (check.verdict, check.evidence) == (Verdict.FAIL, "exact")
    assert check.worst.element == (7,)


MUTANTS = {
    "circular where it should be cut": lambda x, k: np.roll(fft(x, k), 1),
    "a correlation": lambda x, k: fft(x, k[::-1]),
    "a period too short": lambda x, k: np.resize(fft(x, k, len(x) - 3), len(x) - len(k) + 1),
    "in float32": lambda x, k: fft(x.astype(np.float32), k.astype(np.float32)).astype(float),
    "scaled by 1 + 1e-9": lambda x, k: fft(x, k) * (1 + 1e-9),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_transform_fails(mutant):
    assert checked_conv(MUTANTS[mutant]).verdict is Verdict.FAIL


@pytest.mark.parametrize("n", [8, 100, 1500])
@pytest.mark.parametrize("m", [1, 5])
def test_the_bound_of_a_transform_holds_where_numbers_differ_much(n, m):
    x, k = np.ones(n), np.ones(m)
    x[::3] *= 2.0**20
    k[0] = 0.0 if m > 1 else 1.0
    bound = transform_bound(conv, (x, k), conv(x, k))
    error = np.max(np.abs(fft(x, k) - conv(x, k)))
    assert (
        error <= bound / 10
    )  # a worst case, which nothing reaches; n = 1500: 1.1e-16 · 3300 · 55 · 5e6 = 1e-4
    assert bound <= 2e-16 * (21 * 13 + 3001) * 55 * 5 * 2**20


def test_whole_numbers_that_differ_by_a_whole_one_are_never_rounding(monkeypatch):
    monkeypatch.setattr(gradcheck.forward, "transform_bound", lambda *_: np.inf)
    assert checked_conv(lambda x, k: conv(x, k) + 1).verdict is Verdict.FAIL
    assert checked_conv(lambda x, k: conv(x, k) + 0.2).verdict is Verdict.PASS


@pytest.mark.parametrize("error", [1e-9, -1e-6, 0.5])
def test_a_relative_error_in_one_element_fails_and_is_located(error):
    factors = np.ones(4)
    factors[2] += error
    check = checked(lambda x, y: factors * (x @ y))
    assert check.verdict is Verdict.FAIL
    assert check.wrong == ((2,),)
    assert check.worst.element == (2,)
    assert check.worst.difference == pytest.approx(error * naive(X, Y)[2], rel=1e-5)
    assert check.reason == "the forward differs from the naive one in 1 of 4 elements"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (None, "the forward returned None, wanted real floating numbers"),
        (np.ones(4, complex), "the forward returned dtype complex128, wanted real floating numbers"),
        (np.ones((4, 1)), "the forward has shape (4, 1), wanted (4,)"),
        ("text", "the forward returned dtype <U4, wanted real floating numbers"),
        ([[1.0], [1.0, 2.0]], "the forward returned a list, which is no array"),
    ],
)
def test_an_output_of_the_wrong_form_fails_with_the_reason(output, reason):
    check = checked(lambda x, y: output)
    assert check.verdict is Verdict.FAIL
    assert check.reason == reason


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_wrong_and_the_worst(bad):
    def forward(x, y):
        out = x @ y
        out[0] += 1
        out[3] = bad
        return out

    check = checked(forward)
    assert check.wrong == ((0,), (3,))
    assert check.worst.element == (3,)


def test_the_bound_holds_and_does_not_hide_cancellation():
    big = np.concatenate([np.full(15, 1e8), RNG.standard_normal(15)])
    y = np.concatenate([np.tile([1.0, -1.0], 7), [0.0], np.ones(15)])
    bound = rounding_bound(naive, (big[None], y), naive(big[None], y), 0)
    exact = np.array([float(sum(np.longdouble(a) * b for a, b in zip(big, y, strict=True)))])
    assert abs(naive(big[None], y) - exact) <= bound
    assert bound[0] < 1e-4  # 150 roundings of numbers of 1e8: γ_n Σ|p| is about 2e-5


def test_the_bound_covers_elementary_functions_far_out():
    u = np.linspace(-700, 700, 41)
    bound = rounding_bound(np.exp, (u,), np.exp(u), 0)
    truth = np.exp(u.astype(np.longdouble))
    assert np.all(np.abs(np.exp(u) - truth) <= bound)
    # 49 terms, and e^u has a condition of |u| <= 700: 2 γ √49 · 700 is about 1e-10
    assert np.all(bound <= 1e-9 * np.exp(u) + 50 * np.finfo(float).tiny)
