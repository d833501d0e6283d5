"""The spectral probe: each rule by which it believes or refuses a segment is needed."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from benchmarks.calibration import examine
from benchmarks.functions import draw
from gradcheck import derivative
from gradcheck.estimate import Estimate, Finding
from gradcheck.probes import segment, spectral
from gradcheck.probes.line import ScalarLine
from gradcheck.probes.nodes import chebyshev, sided
from gradcheck.probes.reading import WORST, Reading
from gradcheck.probes.spectral import probe

SMOOTH = {
    "sin": (lambda t: math.sin(1 + t), math.cos(1)),
    "offset": (lambda t: 1e8 + math.sin(1 + t), math.cos(1)),
    "fast": (lambda t: math.sin(1 + 1000 * t), 1000 * math.cos(1)),
    "saturated": (lambda t: math.exp(-30 - t), -math.exp(-30)),
    "log at its end": (lambda t: math.log(1e-5 + t) if t > -1e-5 else math.nan, 1e5),
    "rounded to 6 decimals": (lambda t: round(math.sin(1 + t), 6), math.cos(1)),
    "dent": (lambda t: 3 * t + 1e-3 * math.tanh(1e6 * t), 3 + 1e3),
    "ripple": (lambda t: math.sin(1 + t) + 1e-5 * math.sin(5000 * t), math.cos(1) + 0.05),
}


def of(f, goal=0.0, budget=60):
    ((estimate, _),) = probe(ScalarLine(f), goal=goal, budget=budget)
    return estimate


@pytest.mark.parametrize("goal", [0.0, 1e-11])
@pytest.mark.parametrize("name", SMOOTH)
def test_bounds_hold_and_calls_stay_in_the_budget(name, goal):
    f, truth = SMOOTH[name]
    estimate = of(f, goal)
    assert abs(estimate.value - truth) <= estimate.bound
    assert estimate.evaluations <= 60


@pytest.mark.parametrize("name", ["sin", "saturated"])
def test_smooth_functions_cost_little_with_a_goal(name):
    f, truth = SMOOTH[name]
    assert of(f, 1e-5 * abs(truth)).evaluations <= 20


# ---- kinks


@pytest.mark.parametrize("distance", [0.1, -0.05, 1e-2, 1e-4, 1e-6])
def test_the_half_length_shrinks_past_a_kink(distance):
    estimate = of(lambda t: abs(t - distance) + math.sin(t))
    truth = 1.0 - math.copysign(1.0, distance)
    assert abs(estimate.value - truth) <= estimate.bound < 1e-9
    assert estimate.step < abs(distance)
    assert estimate.finding == Finding.SMOOTH


AT_A_KINK = {
    "absolute value": abs,
    "with a smooth part": lambda t: abs(t) + math.sin(1 + t),
    "the larger of two": lambda t: max(math.sin(t), t * t - 2 * t),
    "rectifier": lambda t: max(t, 0.0),
}


@pytest.mark.parametrize("name", AT_A_KINK)
def test_a_kink_at_the_point_is_found_early_and_has_no_bound(name):
    estimate = of(AT_A_KINK[name])
    assert (estimate.bound, estimate.finding) == (math.inf, Finding.KINK)
    assert estimate.evaluations <= 40


def test_a_jump_at_the_point_is_found_early_and_has_no_bound():
    estimate = of(lambda t: math.sin(t) + (t >= 0))
    assert (estimate.bound, estimate.finding) == (math.inf, Finding.JUMP)
    assert estimate.evaluations <= 40


@pytest.mark.parametrize("size", [10.0**-k for k in range(1, 10)])
def test_a_small_kink_at_the_point_is_never_passed_off(size):
    estimate = of(lambda t: math.sin(1 + t) + size * abs(t))
    # either side has its derivative: a bound that covers both tells no lie
    assert estimate.bound >= size


def test_a_power_of_one_and_a_half_covers_its_derivative():
    estimate = of(lambda t: abs(t) ** 1.5)
    assert abs(estimate.value) <= estimate.bound


@pytest.mark.parametrize("seed", range(3))
def test_a_network_of_many_kinks_is_measured_between_them(seed):
    rng = np.random.default_rng(seed)
    weights, shifts, out = rng.standard_normal((3, 100_000))

    def loss(t):
        return float(out @ np.maximum(weights * t + shifts, 0))

    estimate = of(loss)
    assert abs(estimate.value - out @ (weights * (shifts > 0))) <= estimate.bound


# ---- constants and staircases


def test_a_constant_between_two_steps_is_not_believed():
    estimate = of(lambda t: round(math.sin(1 + t) * 1e3) / 1e3)
    assert abs(estimate.value - math.cos(1)) <= estimate.bound
    flat = of(lambda t: math.floor(t + 0.5) * 1.0)
    assert flat.bound >= 1.0 or flat.bound == math.inf or abs(flat.value - 1) <= flat.bound


@pytest.mark.parametrize(
    "f", [lambda t: 3.0, lambda t: max(t - 0.01, 0.0) + 1, lambda t: max(t - 3, 0.0) + 1]
)
def test_a_constant_that_ends_smoothly_or_nowhere_is_zero(f):
    estimate = of(f)
    assert estimate.value == 0
    # steps of less than what the last sample at the brink left are never excluded
    assert estimate.bound <= 8 * spectral.NEAR * np.finfo(float).eps / estimate.step


# ---- each rule switched off lets something through


def test_structure_taken_for_noise_would_break_the_bound(monkeypatch):
    ripples = draw(52, dtype="float64")  # of 1e-4, 173 times as fast
    assert examine(ripples, "spectral").holds
    monkeypatch.setattr(spectral._Search, "is_noise", lambda *arguments: True)
    assert not examine(ripples, "spectral").holds


def test_a_ripple_on_the_grid_would_pass_unconfirmed(monkeypatch):
    def ripple(t):
        # whole turns a quantum of the segments up to 2**-20 quanta: nothing to see on the grid
        return t + 1e-3 * math.sin(2 * math.pi * (2.0**20 * t % 1.0))

    truth = 1 + 1e-3 * 2 * math.pi * 2.0**20
    seen = of(ripple)
    assert abs(seen.value - truth) <= seen.bound
    monkeypatch.setattr(spectral._Search, "confirm", lambda self, s: setattr(s, "confirmed", True) or True)
    blind = of(ripple)
    assert abs(blind.value - truth) > blind.bound


def test_a_constant_would_hide_a_staircase_unfelt(monkeypatch):
    def stairs(t):
        return round(1e-3 * t + 0.2, 3)

    seen = of(stairs)
    assert abs(seen.value - 1e-3) <= seen.bound
    monkeypatch.setattr(spectral._Search, "feel", lambda self, s: setattr(self, "believed", True))
    blind = of(stairs)
    assert abs(blind.value - 1e-3) > blind.bound


def test_values_that_outgrow_the_centre_would_hide_what_is_there(monkeypatch):
    segments = [fake(-20, 1.0, 1e-9, 1e-16), fake(0, 2.0, 1e-12, 1e-9)]
    assert segment.choose(segments, 0)[0].value == 1.0
    monkeypatch.setattr(segment, "outgrown", lambda *arguments: False)
    monkeypatch.setattr(Estimate, "agrees", lambda *arguments: True)
    assert segment.choose(segments, 0)[0].value == 2.0


def fake(exponent, value, bound, floor):
    estimate = Estimate(value, bound, "spectral", truncation=bound, coefficients=(0.0,) * 9)
    read = Reading(
        estimate,
        2,
        floor,
        0.0,
        0.1,
        0.1,
        1.0,
        floor,
        1.0,
        0.0,
        falling=False,
        suspicious=False,
        resolved=True,
    )
    return segment.Segment(exponent, readings=[read])


def test_of_two_that_contradict_each_other_the_shorter_is_believed():
    segments = [fake(-20, 1.0, 1e-9, 1e-16), fake(0, 2.0, 1e-12, 1e-16)]
    assert segment.choose(segments, 0)[0].value == 1.0


# ---- problems that were hard


@pytest.mark.parametrize(
    ("seed", "dtype"),
    [
        (749, "float64"),
        (389, "float64"),
        (42, "float64"),
        (5900, "float64"),
        (724, "float64"),
        (15741, "float64"),
    ]
    + [(seed, "float64") for seed in (11236, 13045, 20759, 102789, 131995, 310585, 103672)]
    + [(seed, "float32") for seed in (318, 1386, 2869, 3363, 1560, 2306, 3303, 14320, 10667, 30590, 32416)]
    + [(seed, "float32") for seed in (44212, 44612, 161719, 168825, 163222)],
)
def test_bounds_hold_where_rounding_and_structure_look_alike(seed, dtype):
    assert holds(seed, dtype)


def holds(seed, dtype):
    problem = draw(seed, dtype=dtype)
    with np.errstate(over="ignore"):
        estimate = derivative(problem.f, problem.x)
    return abs(float(estimate.value) - problem.derivative) <= estimate.bound


#: What each rule is there for: a problem whose bound breaks without it, and what the rule does then.
NEEDED = {
    "teeth looked for": ("spectral._Search.look_for_teeth", lambda *_: None, 20759, "float64"),
    "half of the digits gone": ("reading._is_short", lambda *_: False, 102789, "float64"),
    "places passed over": ("spectral._Search.passed_over", lambda *_: [], 168825, "float32"),
    "outwards far enough": ("spectral.OUTWARDS", tuple(range(3, 28, 3)), 103672, "float64"),
}


@pytest.mark.parametrize("rule", NEEDED)
def test_without_each_rule_a_bound_breaks(monkeypatch, rule):
    place, without, seed, dtype = NEEDED[rule]
    assert holds(seed, dtype)
    monkeypatch.setattr(f"gradcheck.probes.{place}", without)
    assert not holds(seed, dtype)


@pytest.mark.parametrize("count", [5, 9, 17])
def test_roundings_of_the_worst_signs_stay_within_their_factor(count):
    rows = chebyshev(count, 1459).slopes[2:]
    assert (np.abs(rows).sum(axis=1) / np.linalg.norm(rows, axis=1)).max() <= WORST


# ---- what contradicts


LONG = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps


@pytest.mark.parametrize("made", [chebyshev, sided])
@pytest.mark.parametrize("count", [5, 9, 13])
def test_weights_are_rounded_once(made, count):
    """Beside those that exact fractions give, each is off by half a unit; by some where no numbers are longer."""
    nodes = made(count, 1459)
    if made is chebyshev:
        places = [Fraction(p, 1459) for p in nodes.positions]
        slopes = [k * (-1) ** (k // 2) if k % 2 else 0 for k in range(count)]
    else:
        places = [Fraction(2 * p, 1459) - 1 for p in nodes.positions]
        slopes = [2 * k**2 * (-1) ** (k + 1) for k in range(count)]
    # the row w with Σ w_j T_k(x_j) = T_k'(centre) for every k
    exact = solved([[polynomial(k, x) for x in places] for k in range(count)], slopes)
    off = [abs(Fraction(float(w)) - e) for w, e in zip(nodes.slopes[-1], exact, strict=True)]
    units = 0.5 if LONG else 16.0
    largest = max(abs(e) for e in exact) * Fraction(1, 2**60)  # of a weight that is 0 what long doubles leave
    spacings = [max(Fraction(float(np.spacing(float(abs(e))))), largest) for e in exact]
    assert all(o <= units * unit for o, unit in zip(off, spacings, strict=True))


def polynomial(k, x):
    before, now = Fraction(1), x
    for _ in range(k):
        before, now = now, 2 * x * now - before
    return before


def solved(rows, right):
    """Gauss, Jordan, and no rounding."""
    table = [[Fraction(e) for e in row] + [Fraction(r)] for row, r in zip(rows, right, strict=True)]
    for i in range(len(table)):
        pivot = next(j for j in range(i, len(table)) if table[j][i])
        table[i], table[pivot] = table[pivot], table[i]
        table[i] = [e / table[i][i] for e in table[i]]
        for j in range(len(table)):
            if j != i:
                table[j] = [a - table[j][i] * b for a, b in zip(table[j], table[i], strict=True)]
    return [row[-1] for row in table]


@pytest.mark.skipif(not LONG, reason="long double is float64 on this machine")
@pytest.mark.parametrize(("offset", "units"), [(0.0, 64), (1e3, 256)])
def test_long_doubles_are_measured_to_the_digits_of_a_derivative(offset, units):
    """Those that f has beyond float64's pay for an offset, which would cost float64 a thousand times as much."""
    found = derivative(lambda x: np.sin(x) + np.longdouble(offset), np.longdouble(1.0))
    assert abs(found.value - math.cos(1.0)) <= found.bound <= units * np.finfo(float).eps


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_bound_is_improved_until_it_is_worth_its_digits(dtype):
    """In few digits 512 roundings would be the value itself."""
    found = derivative(np.tanh, np.dtype(dtype).type(0.3))
    slope = 1 - math.tanh(float(np.dtype(dtype).type(0.3))) ** 2
    assert abs(found.value - slope) <= found.bound <= slope * 0.25
    assert found.evaluations <= 20


def test_a_contradiction_that_is_plain_ends_the_search():
    """No more digits are asked for of a slope that is not the expected one by far."""
    asked = []

    def contradicts(estimate, exponent):
        asked.append((estimate.value, estimate.bound, exponent))
        return abs(estimate.value - 2 * math.cos(1)) > 1e4 * estimate.bound

    def f(t):
        return 1e6 + math.sin(1 + t)

    ((plain, _),) = probe(ScalarLine(f), start=2.0**-4)
    ((ended, _),) = probe(ScalarLine(f), start=2.0**-4, contradicts=contradicts)
    assert ended.evaluations < plain.evaluations
    assert len(asked) == 1
    assert abs(ended.value - math.cos(1)) <= ended.bound


@pytest.mark.parametrize("name", SMOOTH)
def test_what_is_not_contradicted_is_read_as_ever(name):
    f, _ = SMOOTH[name]
    assert probe(ScalarLine(f), contradicts=lambda estimate, exponent: False) == probe(ScalarLine(f))


@pytest.mark.parametrize("name", SMOOTH)
def test_bounds_hold_whatever_ends_the_search(name):
    f, truth = SMOOTH[name]
    ((ended, _),) = probe(ScalarLine(f), contradicts=lambda estimate, exponent: True)
    assert abs(ended.value - truth) <= ended.bound


def test_what_is_not_resolved_contradicts_nothing():
    """Samples without rhyme are not sharp but by a chance of about SHARP squared."""
    rng, asked = np.random.default_rng(3), []

    def contradicts(estimate, exponent):
        asked.append(estimate)
        return True

    for _ in range(300):
        probe(ScalarLine(lambda t: rng.standard_normal() if t else 0.0), contradicts=contradicts)
    assert not asked
