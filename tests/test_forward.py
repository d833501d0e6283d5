import numpy as np
import pytest

from gradcheck.forward import check_forward, rounding_bound
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
    wrong = checked(lambda x, y: np.nextafter(x @ y, np.inf), WHOLE, exact=True)
    assert wrong.verdict is Verdict.FAIL


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
