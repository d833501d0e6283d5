"""Kinks, ties and edges: where f has no derivative, right claims pass under the policy for it and wrong ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import Verdict, certify, check_gradient, check_jvp, check_vjp
from gradcheck.case import Case
from gradcheck.kinks import POLICIES, irregular
from gradcheck.operation import Input, Operation
from gradcheck.probes.beside import beside
from gradcheck.probes.sides import Sides
from gradcheck.strategies import cases, sizes

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE

KNOTS, HEIGHTS = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, -1.0, 5.0])


def away(*values):
    return np.array(values, dtype=float)


def relu(x):
    return np.maximum(x, 0)


def pool(x):
    return x.reshape(2, 3).max(axis=1)


def interpolated(x):
    return np.interp(x, KNOTS, HEIGHTS)


def step(x):
    return np.where(x > 0.7, x + 1, x)


def clipped(x):
    return np.clip(x, 0, 1)


def pooled(shares):
    """What the first of equal largest elements is given, and the second, and the third."""

    def vjp(c, x):
        largest = x.reshape(2, 3) == pool(x)[:, None]
        rank = np.cumsum(largest, axis=1) - 1
        return (c[:, None] * np.where(largest, np.array(shares)[rank], 0)).ravel()

    return vjp


def sorting(c, x):
    gradient = np.zeros_like(x)
    gradient[np.argsort(x, kind="stable")] = c
    return gradient


def slope(c, x, side="right"):
    return c * np.diff(HEIGHTS)[np.clip(np.searchsorted(KNOTS, x, side) - 1, 0, 2)]


def at(place, inside):
    """A derivative that is `inside` at a place and the right one elsewhere."""
    return lambda right: lambda c, x: c * np.where(x == place, inside, right(x))


def safe_root(x):
    return np.where(x > 0, 0.5 / np.sqrt(np.where(x > 0, x, 1)), 0)


def step_of(x):
    return np.where(x > 0, 1.0, 0.0)


ONES = np.ones_like
ZERO = away(-1.3, 0.4, 0, 0.9)
TIED = away(1, 1, 0, 2, 2, 2)

# f, x, vjp, and what is said under one_sided and under subgradient
CLAIMS = {
    "relu, 0": (relu, ZERO, at(0, 0.0)(step_of), PASS, PASS),
    "relu, 1": (relu, ZERO, at(0, 1.0)(step_of), PASS, PASS),
    "relu, one half": (relu, ZERO, at(0, 0.5)(step_of), FAIL, PASS),
    "relu, too much": (relu, ZERO, at(0, 1.001)(step_of), FAIL, FAIL),
    "relu, too little": (relu, ZERO, at(0, -0.001)(step_of), FAIL, FAIL),
    "relu, all at once": (relu, np.zeros(5), at(0, 0.0)(step_of), PASS, PASS),
    "relu, wrong elsewhere": (relu, ZERO, lambda c, x: c * (x > 0) * (1 + 1e-3 * (x > 0.5)), FAIL, FAIL),
    "abs, sign": (np.abs, ZERO, lambda c, x: c * np.sign(x), FAIL, PASS),
    "abs, from the left": (np.abs, ZERO, at(0, -1.0)(np.sign), PASS, PASS),
    "abs, beyond": (np.abs, ZERO, at(0, 1.01)(np.sign), FAIL, FAIL),
    "pooling, the first": (pool, TIED, pooled([1, 0, 0]), PASS, PASS),
    "pooling, the last": (pool, away(1, 1, 0, 2, 2, 0), pooled([0, 1, 0]), PASS, PASS),
    "pooling, shared": (pool, away(1, 1, 0, 2, 2, 0), pooled([0.5, 0.5, 0]), FAIL, PASS),
    "pooling, to each": (pool, TIED, pooled([1, 1, 1]), FAIL, FAIL),
    "clip, inside": (clipped, away(0, 0.5, 1, 2), at(0, 1.0)(lambda x: 1.0 * (x > 0) * (x <= 1)), PASS, PASS),
    "clip, beyond": (
        clipped,
        away(0, 0.5, 1, 2),
        lambda c, x: c * (x <= 1) * (1 + 0.2 * (x == 0)),
        FAIL,
        FAIL,
    ),
    "sort, two alike": (np.sort, away(1, 1, 2, 3), sorting, PASS, PASS),
    "sort, three alike": (np.sort, away(1, 1, 1, 3), sorting, PASS, PASS),
    "sort, backwards": (np.sort, away(1, 1, 1, 3), lambda c, x: sorting(c[::-1], x), FAIL, FAIL),
    "sort, too much": (np.sort, away(1, 1, 1, 3), lambda c, x: 1.2 * sorting(c, x), FAIL, FAIL),
    "norm, 0": (np.linalg.norm, np.zeros(3), lambda c, x: c * 0 * x, OPEN, PASS),
    "norm, within the ball": (np.linalg.norm, np.zeros(3), lambda c, x: c * away(0.5, -0.5, 0.5), OPEN, PASS),
    "norm, outside of it": (np.linalg.norm, np.zeros(3), lambda c, x: c * away(2, 0, 0), FAIL, FAIL),
    "interpolation, right": (interpolated, away(0.5, 1, 2.2), slope, PASS, PASS),
    "interpolation, left": (interpolated, away(0.5, 1, 2.2), lambda c, x: slope(c, x, "left"), PASS, PASS),
    "interpolation, wrong": (interpolated, away(0.5, 1, 2.2), lambda c, x: 1.01 * slope(c, x), FAIL, FAIL),
    "root, 0": (np.sqrt, away(0, 1, 2), lambda c, x: c * safe_root(x), FAIL, FAIL),
    "log near 0": (np.log, away(1e-12, 1, 2), lambda c, x: c / x, PASS, PASS),
    "log near 0, wrong": (np.log, away(1e-12, 1, 2), lambda c, x: c / x * (1 + 1e-3 * (x < 0.5)), FAIL, FAIL),
    "arcsin near 1": (np.arcsin, away(1 - 1e-7, 0.3), lambda c, x: c / np.sqrt(1 - x * x), PASS, PASS),
    "arcsin near 1, wrong": (np.arcsin, away(1 - 1e-7, 0.3), lambda c, x: c / np.sqrt(1 + x * x), FAIL, FAIL),
    "floor": (np.floor, away(0.5, 1.3, 2.2), lambda c, x: 0 * c, PASS, PASS),
    "floor, passed through": (np.floor, away(0.5, 1.3, 2.2), lambda c, x: c, FAIL, FAIL),
    "floor, at a step": (np.floor, away(0.5, 1, 2.2), lambda c, x: 0 * c, OPEN, OPEN),
    "jump": (step, away(0.5, 0.7, 2.2), lambda c, x: c, OPEN, OPEN),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_beside_kinks(name):
    f, x, vjp, *wanted = CLAIMS[name]
    for policy, verdict in zip(("one_sided", "subgradient"), wanted, strict=True):
        check = check_vjp(f, vjp, (x,), kinks=policy)
        assert check.verdict is verdict, check


#: For each f that has no derivative at x: right and wrong pullbacks, as they are beside x.
BESIDE = {
    "relu": (relu, ZERO, lambda c, x: c * (x > 0), lambda c, x: 1.01 * c * (x > 0)),
    "pooling": (pool, TIED, pooled([1, 0, 0]), lambda c, x: 1.01 * pooled([1, 0, 0])(c, x)),
    "sort": (np.sort, away(1, 1, 1, 3), sorting, lambda c, x: sorting(c[::-1], x)),
    "norm": (np.linalg.norm, np.zeros(3), lambda c, x: c * x / np.linalg.norm(x), lambda c, x: c * x),
    "root": (np.sqrt, away(0, 1, 2), lambda c, x: c * 0.5 / np.sqrt(x), lambda c, x: c * safe_root(x) * 1.01),
    "floor": (np.floor, away(0.5, 1, 2.2), lambda c, x: 0 * c, lambda c, x: c),
    "jump": (step, away(0.5, 0.7, 2.2), lambda c, x: c, lambda c, x: 1.01 * c),
}


@pytest.mark.parametrize("seed", range(8))
def test_an_element_right_beside_the_end_of_a_domain_may_not_be_measured(seed):
    f, x, wrong, *_ = CLAIMS["arcsin near 1, wrong"]
    assert check_vjp(f, wrong, (x,), kinks="one_sided", seed=seed).verdict is FAIL


@pytest.mark.parametrize("name", BESIDE)
def test_a_kink_is_avoided_and_counted(name):
    f, x, right, wrong = BESIDE[name]
    for seed in range(2):
        check = check_vjp(f, right, (x,), kinks="avoid", seed=seed)
        assert check.passed, check
        assert (check.kinks, check.resampled >= 1) == ("avoid", True)
        assert "f has no derivative at the inputs: judged at a point up to" in str(check)
        assert f"{check.resampled} drawn; what is claimed at the inputs themselves is not judged" in str(
            check
        )
        assert check_vjp(f, wrong, (x,), kinks="avoid", seed=seed).verdict is FAIL
        assert check_vjp(f, right, (x,), seed=seed).verdict is not PASS, "avoided only where asked for"


def test_nothing_is_moved_where_there_is_a_derivative():
    x = away(-1.0, 0.5, 2.0)
    for policy in POLICIES:
        check = check_vjp(np.sin, lambda c, x: c * np.cos(x), (x,), kinks=policy)
        assert check == check_vjp(np.sin, lambda c, x: c * np.cos(x), (x,))
        wrong = check_vjp(np.sin, lambda c, x: c * np.sin(x), (x,), kinks=policy)
        assert (wrong.verdict, wrong.kinks, wrong.resampled) == (FAIL, "", 0)
        assert wrong.worst.element is not None, "and what is wrong is looked into"


def test_what_cannot_be_avoided_is_left_open():
    def rough(x):  # a kink everywhere, for all that steps can tell
        return x + 1e-3 * np.abs(np.sin(1e12 * x))

    check = check_vjp(rough, lambda c, x: c, (away(0.3, 1.7),), kinks="avoid", explain=False)
    assert check.verdict is not PASS
    assert (check.resampled, check.kinks) == (8, "avoid")
    assert "none of 8 points drawn beside the inputs is far enough from kinks" in check.reason


# -- what is said --------------------------------------------------------------------------------------------


def said(name, policy):
    f, x, vjp, *_ = CLAIMS[name]
    return str(check_vjp(f, vjp, (x,), kinks=policy))


@pytest.mark.parametrize(
    ("name", "policy", "lines"),
    [
        (
            "relu, 0",
            "one_sided",
            [
                "d f / d x: pass (seed 0, float64, one-sided)",
                "a kink at the point: the claim is the derivative from one side along each of 7 directions",
                "(kinks: one_sided)",
                "what shows along none of them passes",
            ],
        ),
        (
            "relu, one half",
            "subgradient",
            ["the claim is between the derivatives from both sides along each of"],
        ),
        (
            "relu, one half",
            "one_sided",
            [
                "a kink at the point: along direction",
                "output [2], the claim is",
                "none of the derivatives on its sides",
            ],
        ),
        (
            "relu, too much",
            "subgradient",
            ["not between the derivatives on its sides", "derivatives = ", "off by "],
        ),
        ("sort, too much", "subgradient", ["could have seen", "(kinks: subgradient)"]),
        (
            "root, 0",
            "one_sided",
            [
                "a derivative without bound at the point, from the right: no number is it",
                "shorter ones are steeper",
            ],
        ),
        ("floor", "subgradient", ["constant on either side of the point, as between two steps: zero"]),
        ("jump", "subgradient", ["a jump at the point: f is not continuous there, and has no derivative"]),
        (
            "norm, 0",
            "one_sided",
            ["f has more pieces at the point than could be looked at (kinks: one_sided)"],
        ),
        (
            "log near 0",
            "one_sided",
            ["agrees with the derivative from either side along each of 7 directions"],
        ),
        ("log near 0, wrong", "one_sided", ["beside the point: along direction"]),
    ],
)
def test_the_words(name, policy, lines):
    text = said(name, policy)
    for line in lines:
        assert line in text, text


def test_no_chance_to_miss_is_claimed_for_membership():
    f, x, vjp, *_ = CLAIMS["relu, one half"]
    assert check_vjp(f, vjp, (x,), kinks="subgradient").miss_probability == 1.0
    f, x, vjp, *_ = CLAIMS["relu, 0"]
    one = check_vjp(f, vjp, (x,), kinks="one_sided")
    assert 0 < one.miss_probability < 1e-6
    assert one.power.norm == np.inf


def test_any_way_to_share_among_ties_is_a_subgradient_and_nothing_that_adds_up_to_more():
    x = np.full(6, 2.0)
    for shares, verdict in (
        ((0.2, 0.2, 0.6), PASS),
        ((0.2, 0.2, 0.7), FAIL),
        ((1, 1, 1), FAIL),
        ((-0.2, 0.6, 0.6), FAIL),
    ):
        check = check_vjp(pool, pooled(shares), (x,), kinks="subgradient", seed=3)
        assert check.verdict is verdict, check


def test_many_kinks_of_one_output_are_left_open_rather_than_judged():
    rng = np.random.default_rng(0)
    for seed in range(6):
        w = rng.standard_normal(40)
        for policy in ("one_sided", "subgradient"):
            check = check_gradient(
                lambda x, w=w: w @ relu(x), lambda x, w=w: 0 * w, np.zeros(40), kinks=policy, seed=seed
            )
            assert check.verdict is OPEN, check
            assert "more pieces at the point" in check.reason


# -- other faces ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "half"), [("one_sided", FAIL), ("subgradient", PASS)])
def test_a_pushforward_and_a_gradient_have_the_policies_too(policy, half):
    for share, verdict in ((0.0, PASS), (0.5, half), (1.5, FAIL)):
        right = at(0, share)(step_of)
        assert check_jvp(relu, lambda v, x, g=right: g(v[0], x), (ZERO,), kinks=policy).verdict is verdict
        found = check_gradient(lambda x: relu(x).sum(), lambda x, g=right: g(ONES(x), x), ZERO, kinks=policy)
        assert found.verdict is verdict
    moved = check_jvp(relu, lambda v, x: v[0] * (x > 0), (ZERO,), kinks="avoid")
    assert moved.passed
    assert moved.resampled == 1
    assert check_jvp(relu, lambda v, x: v[0] * (x > 0) * 1.01, (ZERO,), kinks="avoid").verdict is FAIL


@pytest.mark.parametrize("policy", ["one_sided", "subgradient"])
def test_in_single_precision_what_can_be_seen_is_coarser(policy):
    x = ZERO.astype(np.float32)
    assert check_vjp(relu, at(0, 0.0)(step_of), (x,), kinks=policy).passed
    assert check_vjp(relu, at(0, 1.5)(step_of), (x,), kinks=policy).verdict is FAIL
    close = check_vjp(relu, at(0, 0.0)(step_of), (x,), kinks=policy, wanted=1e-7)
    assert close.verdict is OPEN
    assert "wanted 1e-07" in close.reason


def test_wrong_arguments_are_refused():
    with pytest.raises(
        ValueError, match="no such kinks\n  kinks = 'ignore', wanted one of refuse, avoid, one_sided"
    ):
        check_vjp(relu, at(0, 0)(step_of), (ZERO,), kinks="ignore")
    with pytest.raises(ValueError, match="a cotangent is given, where outputs are looked at one by one"):
        check_vjp(relu, at(0, 0)(step_of), (ZERO,), kinks="one_sided", cotangent=np.ones(4))
    for noise in (-1e-6, 0.5):
        with pytest.raises(ValueError, match="noise is no small share\n  noise = "):
            check_vjp(relu, at(0, 0)(step_of), (ZERO,), noise=noise)
        with pytest.raises(ValueError, match="noise is no small share\n  noise = "):
            check_jvp(relu, lambda v, x: v[0], (ZERO,), noise=noise)


# -- noise, and chance ---------------------------------------------------------------------------------------


def solved(x):
    """z**3 + z = x by a damped iteration that stops at 1e-6."""
    z = np.ones_like(x)
    for _ in range(200):
        closer = z - 0.3 * (z**3 + z - x) / (3 * z * z + 1)
        if np.abs(closer - z).max() < 1e-6:
            break
        z = closer
    return z


def implicit(c, x):
    return c / (3 * solved(x) ** 2 + 1)


def jittering(x):
    return np.sin(x) + 1e-6 * np.sin(1e9 * x)


@pytest.mark.parametrize("seed", range(3))
def test_a_solver_whose_accuracy_is_declared(seed):
    x = np.random.default_rng(seed).standard_normal(6)
    check = check_vjp(solved, implicit, (x,), noise=1e-5, seed=seed)
    assert check.passed, check
    assert 1e-6 < check.resolution < 1e-2
    assert check_vjp(solved, lambda c, x: 0.95 * implicit(c, x), (x,), noise=1e-5, seed=seed).verdict is FAIL
    assert check_vjp(jittering, lambda c, x: c * np.cos(x), (x,), noise=2e-6, seed=seed).passed
    assert (
        check_vjp(jittering, lambda c, x: 0.95 * c * np.cos(x), (x,), noise=2e-6, seed=seed).verdict is FAIL
    )
    jvp = check_jvp(solved, lambda v, x: implicit(v[0], x), (x,), noise=1e-5, seed=seed)
    assert jvp.passed, jvp
    assert (
        check_jvp(solved, lambda v, x: 0.95 * implicit(v[0], x), (x,), noise=1e-5, seed=seed).verdict is FAIL
    )


def test_what_is_finer_than_the_noise_is_left_open():
    x = away(0.3, -1.1)
    check = check_vjp(solved, implicit, (x,), noise=1e-5, wanted=1e-6)
    assert check.verdict is OPEN


@pytest.mark.parametrize("policy", POLICIES)
def test_a_random_function_is_refused_with_the_reason(policy):
    rng = np.random.default_rng(5)

    def dropout(x):
        return np.sin(x) * (rng.random(x.shape) > 0.2)

    for check in (
        check_vjp(dropout, lambda c, x: c * np.cos(x), (np.linspace(-2, 2, 30),), kinks=policy),
        check_jvp(dropout, lambda v, x: v[0] * np.cos(x), (np.linspace(-2, 2, 30),), kinks=policy),
    ):
        assert check.verdict is OPEN
        assert "f is random: it answers otherwise to the same inputs" in str(check)
        assert "seed it at each call, or pass what it draws" in str(check)


def test_a_sum_in_another_order_is_not_called_random():
    rng = np.random.default_rng(6)

    def summed(x):
        return np.sum(rng.permutation(x**3))

    check = check_gradient(summed, lambda x: 3 * x**2 * 1.5, np.random.default_rng(7).standard_normal(50))
    assert check.verdict is FAIL


# -- in a certificate ----------------------------------------------------------------------------------------


def operation(policy):
    """ReLU at points a third of whose elements are 0."""
    return Operation(
        "kinked",
        "max(x, 0)",
        (Input("x", ("n",), "numbers"),),
        relu,
        cases(lambda draw: Case({"x": (draw(sizes(4, 9)),)}, kind="zeros")),
        kinks=policy,
    )


class Kinked:
    class kinked:  # noqa: N801  named after its operation
        @staticmethod
        def vjp(c, x):
            return (c * (x > 0),)


@pytest.mark.parametrize("policy", ["avoid", "subgradient"])
def test_a_certificate_says_by_which_policy_it_passed(policy):
    certificate = certify(Kinked, examples=4, catalogue={"kinked": operation(policy)})
    row = next(row for row in certificate.results if row.input == "x")
    assert row.verdict is PASS, row
    assert f"(kinks: {policy})" in row.reason
    assert (row.resampled_cases > 0) == (policy == "avoid")
    assert f'"resampled_cases": {row.resampled_cases}' in certificate.to_json()
    if policy == "subgradient":
        assert "one-sided" in row.evidence


def test_a_certificate_without_a_policy_leaves_it_open():
    certificate = certify(Kinked, examples=4, catalogue={"kinked": operation("refuse")})
    assert next(row for row in certificate.results if row.input == "x").verdict is OPEN


# -- the instruments -----------------------------------------------------------------------------------------


def bounded(sides, side, right):
    found = sides.best(side)
    return bool(np.all(np.abs(found.value - right) <= found.bound)), float(found.bound.max())


@pytest.mark.parametrize("curve", [np.sin, np.exp, lambda t: t + t**2, np.tanh, lambda t: np.log1p(0.9 * t)])
def test_one_sided_derivatives_are_within_their_bounds(curve):
    slope_at_0 = {np.exp: 1.0}.get(curve, (curve(1e-6) - curve(-1e-6)) / 2e-6)
    for seed in range(5):
        k = np.random.default_rng(seed).uniform(0.5, 2, 4)
        sides = Sides(lambda x, k=k: curve(k * np.abs(x)), np.zeros(4), np.ones(4), curve(0 * k))
        sides.search(200)
        for side in (1, -1):
            held, bound = bounded(sides, side, side * k * slope_at_0 * (1 + 1e-9 * side))
            assert bound < 1e-6
            found = sides.best(side)
            assert np.all(np.abs(found.value - side * k * slope_at_0) <= found.bound + 1e-9), (held, found)


def test_a_kink_close_by_is_not_taken_for_one_at_the_point():
    for distance in (1e-2, 1e-4, 1e-6):
        sides = Sides(np.abs, np.array([distance]), np.ones(1), np.array([distance]))
        sides.search(300)
        for side in (1, -1):
            found = sides.best(side)
            assert abs(found.value[0] - 1) <= found.bound[0] < 1e-6


def test_what_there_is_instead_of_a_slope():
    x = away(0, 1, 0.7)
    sides = Sides(
        lambda x: np.array([np.sqrt(x[0]), np.floor(x[1]), step(x[2])]), x, np.ones(3), away(0, 1, 0.7)
    )
    sides.search(300)
    assert sides.ends(-1).tolist() == [True, False, False]
    assert sides.steep(1).tolist() == [True, False, False]
    assert sides.jumps(-1).tolist() == [False, True, False]
    assert sides.jumps(1).tolist() == [False, False, True]


def test_points_beside_show_the_piece_that_they_lie_on():
    for dtype, close in ((np.float64, 1e-6), (np.float32, 2e-3)):
        for side in (1.0, -1.0):
            zero, one = np.zeros(1, dtype), np.ones(1)
            found = beside(np.abs, zero, one, zero, side * one, float(np.finfo(dtype).eps) / 2)
            assert abs(found.value[0] - side * found.taken[0]) <= found.bound[0] < close


def test_irregular_points_are_told_from_regular_ones():
    rng = np.random.default_rng(0)
    for f, x, wanted in (
        (np.sort, away(1, 1, 1, 3), True),
        (np.sort, away(1, 1.2, 1.5, 3), False),
        (np.sqrt, away(0, 1), True),
        (np.exp, away(0, 1), False),
    ):
        assert irregular(f, x, f(x), rng, 1.0)[0] is wanted
