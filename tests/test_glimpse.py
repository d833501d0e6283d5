"""A glimpse of five samples: where it sends the search, and that each of its rules is needed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.calibration import examine, here
from benchmarks.functions import draw
from gradcheck.probes import spectral
from gradcheck.probes.glimpse import BITS, KINKS_FALL, NOISE, Glimpse, glimpse, plan
from gradcheck.probes.line import ScalarLine
from gradcheck.probes.nodes import chebyshev
from gradcheck.probes.reading import UNSUSPICIOUS, WORST, read

GRID = 1459
NODES = chebyshev(5, GRID)
PLACES = np.array(NODES.positions) / GRID
ROUNDING = 1e-16


def seen(f, half=1.0, rounding=ROUNDING):
    return glimpse(f(half * PLACES) - f(0.0), rounding, rounding, 0.0, NODES, half)


def test_the_fall_of_the_first_coefficients_tells_that_of_all():
    """1/(1 − t/ρ) has coefficients that fall as (ρ + √(ρ² − 1))**−k."""
    for far in (3.0, 10.0, 100.0):
        rate = 1 / (far + math.sqrt(far**2 - 1))
        assert seen(lambda t, far=far: 1 / (1 - t / far)).rate == pytest.approx(rate, rel=0.1)


@pytest.mark.parametrize("half", [2.0**-9, 2.0**-5, 2.0**-1, 8.0])
@pytest.mark.parametrize("share", [1e-6, 1e-9, 1e-12])
def test_a_plan_keeps_what_it_promises(half, share):
    """A full look at the length that glimpses lead to has the bound that was asked for, or almost."""
    f, goal = lambda t: np.sin(1.0 + t), share * math.cos(1.0)
    for _ in range(4):
        count, bits = plan([seen(f, half)], np.array([goal]), GRID, BITS)
        half *= 2.0**bits
        if bits == 0:
            break
    nodes = chebyshev(count, GRID)
    values = f(half * np.array(nodes.positions) / GRID) - f(0.0)
    reading = read(values, ROUNDING, 2.0**-53, 1.0, nodes, half)
    assert reading.resolved
    assert reading.estimate.bound <= 2 * goal


def test_a_plan_stays_where_that_costs_least():
    close = seen(lambda t: np.sin(1.0 + t), 2.0**-6)
    assert plan([close], np.array([1e-9]), GRID, BITS) == (min(NOISE), 0)
    assert plan([close], np.array([0.0]), GRID, BITS[BITS == 0]) == (max(NOISE), 0)


def test_values_that_outgrow_the_one_at_the_centre_bring_their_rounding():
    """A parabola far out has as many digits as it will ever have: no longer segment is worth its calls."""
    far = glimpse((1e6 * PLACES + 1e6 * PLACES**2), 1e-10, 1e-16, 0.0, NODES, 1.0)
    assert plan([far], np.array([0.0]), GRID, BITS)[1] <= 0


@pytest.mark.parametrize(
    ("f", "least", "most"),
    [(abs, 0.9, 1.1), (lambda t: np.sin(1.0 + 0.3 * t), 1.9, 4.1)],
)
def test_kinks_fall_with_the_length_and_what_is_smooth_does_faster(f, least, most):
    assert least < seen(f, 2.0**-3).falls(seen(f, 1.0)) < most
    assert (least < KINKS_FALL) == (f is abs)


def test_what_rounding_hides_is_left_to_a_full_look():
    nothing = Glimpse(10 * ROUNDING, ROUNDING, ROUNDING, 0.0, 1.0, ROUNDING)
    assert nothing.hidden
    assert not seen(np.sin, 0.1).hidden
    assert seen(lambda t: 3.0 * t).rate == math.sqrt(UNSUSPICIOUS * ROUNDING / 3.0)


def test_a_function_whose_length_is_known_is_read_at_once():
    asked = []

    def f(t):
        asked.append(t)
        return math.sin(1.0 + t)

    ((estimate, _),) = spectral.probe(ScalarLine(f), start=2.0**-6, goal=1e-10)
    assert estimate.points == 9
    assert len(asked) == 11
    assert abs(estimate.value - math.cos(1.0)) <= estimate.bound <= 1e-10


def test_a_kink_at_the_point_is_left_after_two_glimpses_and_one_look():
    asked = []

    def f(t):
        asked.append(t)
        return abs(t)

    ((estimate, _),) = spectral.probe(ScalarLine(f))
    assert math.isinf(estimate.bound)
    assert len(asked) <= 19


NEEDED = {
    "a level looked for further out": ("spectral._Search.stays", lambda *_: False, 30590, "float32"),
    "a last coefficient that leaves the fall": ("reading._astray", lambda _: 0.0, 16757, "float64"),
    "a slope that x cannot show": ("spectral._Search.reach", lambda *_: 8, 17909, "float32"),
    "a jump at the centre that noise would be": ("spectral.at_centre", lambda *_: False, 15077, "float64"),
    "five samples that nothing confirmed": ("segment.GLIMPSE", 0, 708369, "float64"),
    "the brink of a constant": ("spectral._Search.brink", lambda *_: np.zeros(2), 709219, "float64"),
    "noise that the even steps of a fall hide": ("spectral.BESIDE", (), 1606, "longdouble"),
    "what noise hides of what is cut off": ("reading.UNSEEN", 0.0, 15048, "longdouble"),
}


@pytest.mark.parametrize("rule", NEEDED)
def test_without_each_rule_a_bound_breaks(monkeypatch, rule):
    place, without, seed, dtype = NEEDED[rule]
    if dtype not in here():
        pytest.skip(f"{dtype} has no digits of its own on this machine")
    problem = draw(seed, dtype=dtype)
    kinds = ("spectral", "spectral, in a check")
    assert all(examine(problem, kind).holds for kind in kinds)
    monkeypatch.setattr(f"gradcheck.probes.{place}", without)
    assert not all(examine(problem, kind).holds for kind in kinds)


# ---- what samples between the others tell


def falling():
    nodes = chebyshev(9, GRID)
    places = np.array(nodes.positions) / GRID
    found = read(np.sin(0.3 + 0.2 * places) - math.sin(0.3), ROUNDING, 2.0**-53, 1.0, nodes, 1.0)
    assert found.falling
    return found


@pytest.mark.parametrize(
    ("curve", "bits", "explains"), [(1e-6, 3, False), (1e-6, 12, True), (0.0, 12, False)]
)
def test_what_bends_here_explains_a_level_further_out(curve, bits, explains):
    """A parabola of that curve is 4**bits times as large on a segment 2**bits as long."""
    places = np.array(NODES.positions) / GRID
    found = read(places + curve * places**2, ROUNDING, 2.0**-53, 1.0, NODES, 1.0)
    assert found.explains(1.0, bits) == explains


def test_a_tooth_that_no_call_is_left_for_is_not_harmless():
    line = ScalarLine(lambda t: t)
    search = spectral._Search(line, np.zeros(1), 20)
    straight, level = seen_at(line), seen_at(ScalarLine(lambda t: 0.0))
    assert not search.unlooked(level)
    line.evaluations = 15
    assert search.unlooked(level)
    assert not search.unlooked(straight)


def seen_at(line):
    nodes = chebyshev(9, line.grid)
    values = np.array([line.sample(p, -12).values[0] for p in nodes.positions])
    return read(values, ROUNDING, 2.0**-53, 1.0, nodes, 1.0)


def test_a_fall_is_known_as_well_as_samples_between_tell():
    found = falling()
    told = found.with_misses([1e-14, 2e-14])
    assert told.estimate.bound < found.with_noise(found.ends).estimate.bound / 10
    assert told.estimate.noise >= 8 * 2e-14 * found.norm
    assert told.estimate.truncation == found.estimate.truncation


def test_one_sample_between_is_too_few():
    found = falling()
    assert found.with_misses([0.0]).estimate.noise >= 8 * found.ends * found.norm


def test_a_fall_that_nothing_confirms_may_hide_noise():
    found = falling()
    segment = spectral.Segment(0, readings=[found])
    assert segment.told(0).estimate.noise == 8 * found.ends * found.norm
    segment.confirmed = True
    assert segment.told(0) is found


def test_samples_between_count_as_further_deviations():
    nodes = chebyshev(9, GRID)
    noise = np.random.default_rng(0).normal(size=9) * 1e-9
    found = read(np.array(nodes.positions) / GRID + noise, 1e-12, 2.0**-53, 1.0, nodes, 1.0)
    assert found.freedom > 0
    told = found.with_misses([1e-9, -1e-9, 1e-9])
    assert told.freedom == found.freedom + 3
    assert told.estimate.bound < found.estimate.bound
    assert found.with_misses([1e-6]).estimate.bound > found.estimate.bound
    assert told.estimate.bound >= WORST * 1e-12 * found.norm
