"""A trial's directions and comparisons, the rounding of a claim, and when nothing is left of a gradient."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from gradcheck.estimate import Estimate
from gradcheck.trial import LEAST, RESERVE, SHORT, Claim, Trial

LABELS = ("dense", "sparse", "one element")


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def trial_of(f, gradient, x, *, cotangents=None, rounding=1e-15, seed=0, **options):
    """A trial of f at x, `gradient(cotangent)` being claimed."""
    x = np.asarray(x)
    centre = np.asarray(f(x))
    if cotangents is None:
        cotangents = normal(3, *centre.shape, seed=7).astype(centre.dtype)
    gradients = np.stack([np.asarray(gradient(c), np.float64) for c in cotangents])
    claim = Claim(gradients, rounding * np.abs(gradients))
    rng = np.random.default_rng(seed)
    return Trial(lambda x: np.asarray(f(x)), x, cotangents, LABELS, claim, centre, rng, **options)


X = normal(4, 5)


def sine(by=1.0, x=X, **options):
    return trial_of(np.sin, lambda c: by * c * np.cos(x), x, **options)


# The claim


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_the_rounding_of_a_product_covers_its_sum(size):
    for seed in range(20):
        gradient, direction = normal(2, size, seed=seed) * 10.0 ** normal(2, size, seed=seed + 100)
        exact = sum(Fraction(float(g)) * Fraction(float(v)) for g, v in zip(gradient, direction, strict=True))
        value, own = Claim(gradient[None], np.zeros((1, size))).along(direction, 0)
        assert abs(Fraction(value) - exact) <= Fraction(own)
        assert own <= 1e-12 * np.abs(gradient * direction).sum()


def test_the_rounding_of_elements_adds_up_like_independent_numbers():
    size, each = 400, 1e-8
    rng = np.random.default_rng(0)
    gradient, direction = normal(2, size)
    claim = Claim(gradient[None], np.full((1, size), each))
    value, own = claim.along(direction, 0)
    errors = [abs(float((gradient + each * rng.normal(size=size)) @ direction) - value) for _ in range(2000)]
    # three deviations: 0.3 % lie beyond; the sum of all |rounding||v| would be 17 times as much
    assert np.mean(np.array(errors) > own) < 0.01
    assert own < each * np.abs(direction).sum() / 4


@pytest.mark.parametrize(
    ("gradient", "rounding", "natural", "eps", "nothing"),
    [
        (1.0, 1e-15, 1.0, 2e-16, False),
        (0.0, 0.0, 1.0, 2e-16, True),
        (0.0, 0.0, 0.0, 2e-16, True),
        (1e-15, 1e-14, 1.0, 2e-16, True),
        (
            1e-15,
            1e-14,
            1e-3,
            2e-16,
            False,
        ),  # rounding by its own measure, but beyond 64 roundings of its size
        (1e-15, 1e-16, 1.0, 2e-16, False),  # small, but more than its own rounding
        (1e-7, 1e-6, 1.0, 1e-7, True),
        (1e-7, 1e-6, 1.0, 2e-16, False),
        (1e-9, 1e-8, 0.0, 2e-16, True),  # f is zero: no natural size
    ],
)
def test_when_nothing_is_left_but_rounding(gradient, rounding, natural, eps, nothing):
    claim = Claim(np.array([[gradient, 0.0]]), np.array([[rounding, 0.0]]))
    assert claim.is_rounding(0, natural, eps) is nothing


# Directions


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_directions_have_the_size_of_the_point(scale):
    trial = trial_of(np.sin, lambda c: c, scale * normal(30, 30))
    lengths = [np.sqrt(np.mean(trial.direction() ** 2)) for _ in range(5)]
    np.testing.assert_allclose(lengths, trial.size(), rtol=0.2)
    assert trial.size() == pytest.approx(scale, rel=0.2)


def test_the_origin_has_size_one():
    assert trial_of(np.sin, lambda c: c, np.zeros(3)).size() == 1.0


@pytest.mark.parametrize("size", [1, 2, 5])
def test_no_direction_is_short(size):
    trial = trial_of(np.sin, lambda c: c, np.full(size, 2.0))
    lengths = np.array([np.sqrt(np.mean(trial.direction() ** 2)) for _ in range(300)])
    assert lengths.min() >= SHORT * trial.size() * (1 - 1e-12)
    if size == 1:
        drawn = np.array([trial.direction()[0] for _ in range(300)])
        assert 100 < np.sum(drawn > 0) < 200


# Comparisons


def test_every_direction_compares_every_cotangent():
    trial = sine()
    trial.run(2, 120)
    assert [[c.cotangent for c in comparisons] for comparisons in trial.rounds] == [list(LABELS)] * 2
    assert trial.differing == 0
    assert trial.evidence() == "spectral"


def test_the_claim_is_compared_along_the_direction_really_taken():
    """In float32 the steps taken are off by some 1e-3, which no bound would cover."""
    x = normal(4, 5).astype(np.float32)
    trial = sine(1.0, x, rounding=1e-7)
    trial.run(2, 120)
    for comparisons, taken in zip(trial.rounds, trial.taken, strict=True):
        for c, direction, cotangent in zip(comparisons, taken, trial.cotangents, strict=True):
            exact = float(np.sum(cotangent * np.cos(x.astype(np.float64)) * direction))
            assert abs(c.estimate.value - exact) <= c.estimate.bound
    assert not trial.differing


def test_a_blatant_error_ends_it_and_a_small_one_is_seen_twice():
    blatant, small = sine(-1.0), sine(1 + 1e-9, rounding=1e-11)
    blatant.run(3, 200)
    assert blatant.blatant
    assert len(blatant.rounds) == 1
    small.run(2, 200)
    assert not small.blatant
    assert small.differing == 2


def test_a_small_difference_along_one_direction_asks_for_another(monkeypatch):
    """Where a bound is wrong once: of two directions the second agrees."""
    trial = sine(1.0)
    kept = Trial.compare

    def astray(self, channel, estimate, taken):
        found = kept(self, channel, estimate, taken)
        off = 3 * found.allowed if not self.rounds and channel == 0 else 0.0
        return kept(self, channel, Estimate(found.estimate.value + off, found.estimate.bound), taken)

    monkeypatch.setattr(Trial, "compare", astray)
    trial.run(2, 200)
    assert trial.differing == 1
    assert len(trial.rounds) == 3


def test_calls_are_counted_and_kept_back():
    for budget in (60, 120, 300):
        calls = []

        def f(x, calls=calls):
            calls.append(1)
            return np.sin(x)

        trial = trial_of(f, lambda c: c * np.cos(X), X)
        trial.run(2, budget)
        assert trial.evaluations == len(calls) - 1  # the centre was known
        assert trial.evaluations <= max(budget - RESERVE, 20) + LEAST


def test_the_second_direction_needs_fewer_digits_unless_more_are_asked_for():
    first, finer = sine(), sine(aim=1e-12)
    coarse = [first.share()]
    first.run(1, 120)
    coarse.append(first.share())
    assert coarse == [4e-11, 1e-8]
    finer.run(1, 120)
    assert finer.share() == 1e-13


def test_one_direction_is_given_the_digits_with_which_it_may_stand_alone():
    """Fewer than a tenth of a coarse aim would be, no more than twice the error of interest in a millionth of all."""
    alone, pair = sine(aim=1e-3), sine(aim=1e-3)
    alone.run(None, 120, 1e-3)
    pair.run(2, 120, 1e-3)
    assert (len(alone.rounds), len(pair.rounds)) == (1, 2)
    assert alone.rounds[0][0].escapes(2e-3) <= 1e-6
    alone.rounds, pair.rounds = [], []
    assert (alone.share(), pair.share()) == (4e-8, 1e-4)


def test_two_directions_are_enough_together():
    """Each of two brief looks leaves a chance of less than a thousandth, neither one of a millionth."""
    trial = sine()
    trial.run(None, 120)
    chances = [r[0].escapes(2e-6) for r in trial.rounds]
    assert len(chances) == 2
    assert 1e-6 < max(chances) <= 1e-3
    assert math.prod(chances) <= 1e-6
    assert trial.tells(1e-6)


@pytest.mark.parametrize(
    ("point", "output", "coarsest", "wanted"),
    [
        (np.float64, np.float64, np.float64, 1e-6),
        (np.float32, np.float64, np.float32, 1e-4),
        (np.float64, np.float32, np.float32, 1e-4),
        (np.float16, np.float32, np.float16, 0.1),
        (np.longdouble, np.longdouble, np.longdouble, 1e-6),
    ],
)
def test_the_coarser_dtype_counts(point, output, coarsest, wanted):
    trial = trial_of(lambda x: x.astype(output), lambda c: c, X.astype(point))
    assert trial.coarsest() == coarsest
    assert trial.wanted() == wanted


# Nothing


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_that_is_zero_but_for_rounding_is_measured_against_the_function(dtype):
    """Of Σ softmax: 1 whatever the input, its gradient the rounding of what cancels."""
    x = X.astype(dtype)
    eps = float(np.finfo(dtype).eps)
    noise = eps * normal(4, 5, seed=3)

    def f(x):
        e = np.exp(x)
        return np.sum(e / e.sum(axis=0))

    centre, ones = np.asarray(f(x)), np.ones((1,), dtype)
    claim = Claim(noise[None], np.full((1, 4, 5), 8 * eps))
    trial = Trial(lambda x: np.asarray(f(x)), x, ones, LABELS[:1], claim, centre, np.random.default_rng(0))
    trial.run(2, 120)
    assert trial.vanishes()
    assert not trial.differing
    # relative to what the function could have varied by, not to the rounding that is left
    assert min(c[0].resolution for c in trial.rounds) < trial.wanted()


def test_a_gradient_that_is_not_zero_does_not_vanish():
    assert not sine().vanishes()
    assert not sine(1e-9).vanishes()
    assert sine(0.0).vanishes()


def test_what_was_measured_leaves_out_what_was_not():
    trial = sine()
    trial.run(2, 120)
    for direction, value, bound in trial.measured(0):
        exact = float(np.sum(trial.cotangents[0] * np.cos(X) * direction))
        assert abs(value - exact) <= bound
    assert len(list(trial.measured(0))) == 2
    blind = trial_of(np.abs, lambda c: c, 0 * X)
    blind.run(2, 120)
    assert list(blind.measured(0)) == []
    assert math.isinf(blind.rounds[0][0].allowed)


# Where a further direction starts


@pytest.mark.parametrize(("offset", "nearer"), [(0.0, True), (1e9, False)])
def test_a_further_direction_starts_nearer_only_where_digits_are_spared(offset, nearer):
    trial = trial_of(lambda x: offset + np.sin(x), lambda c: c * np.cos(X), X, method="spectral")
    trial.probe(60)
    assert (trial.start() < trial.step) == nearer


# The complex step


@pytest.mark.parametrize(("by", "asked"), [(2.0, False), (1.0, True)])
def test_no_complex_step_is_taken_where_samples_have_settled_it(by, asked):
    """It holds a complex output for each of its moves: the largest arrays of a check, for nothing."""
    kinds = []

    def f(x):
        kinds.append(x.dtype.kind)
        return np.sin(x)

    trial = trial_of(f, lambda c: by * c * np.cos(X), X, aim=1e-15)  # more than samples can see
    trial.probe(120)
    assert ("c" in kinds) == asked
