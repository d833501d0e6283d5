"""Ties: shares that no subgradient has are caught one by one, and every right share passes."""

import numpy as np
import pytest

from gradcheck import Verdict, check_vjp
from gradcheck.ties import CALLS, MOST, Ties

COEFFICIENTS = np.array([1.0, -0.7, 2.0, 0.4])


def pool(x):
    return x.reshape(4, 5).max(axis=1)


def summed(x):
    return np.sum(COEFFICIENTS * pool(x)) + 0.1 * np.sum(x**2)


def point(seed):
    """Four windows of five: three, two and five equal maxima, and one maximum."""
    x = np.round(np.random.default_rng(seed).uniform(-1, 0.9, (4, 5)), 1)
    x[0, :3], x[1, 1:3], x[2], x[3, 4] = 2, 3, 1, 1
    return x.ravel()


def shared(shares):
    """The pullback of the windows that gives each maximum of a window its share: shares(window, maxima)."""

    def vjp(c, x):
        windows = x.reshape(4, 5)
        gradient = np.zeros_like(windows)
        for row, window in enumerate(windows):
            places = np.flatnonzero(window == window.max())
            gradient[row, places] = c[row] * shares(row, places.size)
        return gradient.ravel()

    return vjp


def both(shares):
    """F, of many outputs or a sum of them, and the pullback of each."""
    own = shared(shares)
    yield pool, own
    yield summed, lambda c, x: own(c * COEFFICIENTS, x) + 0.2 * c * x


def evenly(row, count):
    return np.full(count, 1 / count)


def drawn(seed):
    """Shares that add up to 1, of which in every third draw one is 1 and the others 0."""

    def shares(row, count):
        if seed % 3 == 0:
            return np.eye(count)[(seed + row) % count]
        return np.random.default_rng([seed, row]).dirichlet(np.full(count, 0.5))

    return shares


def below(row, count, off=0.02):
    if row or count == 1:
        return evenly(row, count)
    return np.array([-off, *np.full(count - 1, (1 + off) / (count - 1))])


def above(row, count):
    return np.array([1.02, -0.02, *np.zeros(count - 2)]) if row == 0 else evenly(row, count)


def too_much(row, count):
    return evenly(row, count) * (1.02 if row == 2 else 1)


def traded(row, count):
    """As much in all windows together as is right, and in none of two."""
    return evenly(row, count) * (1 + 0.05 * ((row == 0) - (row == 2)))


WRONG = {
    "below 0": below,
    "a little below 0": lambda row, count: below(row, count, 1e-4),
    "above 1": above,
    "more than 1 in all": too_much,
    "from one tie to another": traded,
}


@pytest.mark.parametrize("name", WRONG)
def test_shares_that_no_subgradient_has_are_caught(name):
    for seed in range(3):
        for f, vjp in both(WRONG[name]):
            check = check_vjp(f, vjp, (point(seed),), seed=seed, kinks="subgradient")
            assert check.verdict is Verdict.FAIL, check
            assert "not between the derivatives on its sides" in check.reason


@pytest.mark.parametrize("seed", range(6))
def test_shares_of_a_subgradient_never_fail(seed):
    (f, vjp), (total, pullback) = both(drawn(seed))
    check = check_vjp(f, vjp, (point(seed),), seed=seed, kinks="subgradient")
    assert check.passed, check
    assert "so it is along each of 10 tied elements, and along all elements of each tie" in check.reason
    assert (
        check_vjp(total, pullback, (point(seed),), seed=seed, kinks="subgradient").verdict is not Verdict.FAIL
    )


def test_the_words_name_the_element():
    check = check_vjp(pool, shared(below), (point(0),), kinks="subgradient")
    first, second, *_ = check.reason.splitlines()
    assert first.startswith("a kink at the point: along element [0], output [0], the claim is -0.0")
    assert first.endswith(", not between the derivatives on its sides")
    assert ", off by 0.0" in second


@pytest.mark.parametrize("seed", range(4))
def test_of_a_difference_of_convex_functions_what_points_beside_have_does_not_fail(seed):
    """Any piece, and what lies between pieces, is a subgradient, though it may be beyond both sides of an element."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(-99, 99, (2, 4, 3)) / 64

    def f(x):
        return (first @ x).max() - (second @ x).max()

    def piece(y):
        return first[np.argmax(first @ y)] - second[np.argmax(second @ y)]

    for _ in range(3):
        share = rng.random()
        claim = share * piece(rng.standard_normal(3)) + (1 - share) * piece(rng.standard_normal(3))
        check = check_vjp(f, lambda c, x, g=claim: c * g, (np.zeros(3),), seed=seed, kinks="subgradient")
        assert check.verdict is not Verdict.FAIL, check


def ties(x, seed=0):
    found = Ties(
        lambda x: x.max(keepdims=True),
        x,
        x.max(keepdims=True),
        np.ones(1),
        1.0,
        1e-16,
        np.random.default_rng(seed),
    )
    found.elements()
    return found


@pytest.mark.parametrize("k", [2, 5, 16])
def test_tied_elements_are_found_in_calls_that_grow_like_k_log_n(k):
    n = 4096
    places = np.sort(np.random.default_rng(k).choice(n, k, replace=False))
    x = np.zeros(n)
    x[places] = 1.0
    found = ties(x)
    assert sorted(found.found) == places.tolist()
    assert found.complete
    assert found.calls <= 2 * (2 * k * 12 + 1)


def test_too_many_are_left_out_and_it_is_said():
    x = np.ones(100)
    found = ties(x)
    assert not found.complete
    assert len(found.found) <= MOST
    assert found.calls <= CALLS
    check = check_vjp(lambda x: x.max(), lambda c, x: c * np.eye(100)[3], (x,), kinks="subgradient")
    assert check.passed
    assert "so it is along each of 24 tied elements\n" in check.reason
    assert "more than 24 elements are tied: shares of the others are seen in sums alone" in check.reason


def test_signs_and_weights_of_a_tie_are_found():
    weights = np.array([1.0, -2.0, 0.5, 3.0, 4.0])
    x = 1 / weights  # max(w x) is a tie of all; and the last two are in another one
    x = np.append(x, [2.0, 2.0])

    def f(x):
        return np.array([(weights * x[:5]).max() + np.abs(x[5] - x[6])])

    found = Ties(f, x, f(x), np.ones(1), 1.0, 1e-16, np.random.default_rng(0))
    found.elements()
    assert sorted(found.found) == list(range(7))
    groups = list(found.groups(0, {**{i: abs(w) for i, w in enumerate(weights)}, 5: 2.0, 6: 2.0}))
    assert [sorted(group) for group in groups] == [[0, 1, 2, 3, 4], [5, 6]]
    assert np.allclose([groups[0][i] * w for i, w in enumerate(weights)], 1.0)
    assert groups[1][5] == groups[1][6]
