"""Half precision: bounds hold where samples lie on a few levels, and each rule for that is needed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from benchmarks.calibration import examine
from benchmarks.functions import draw
from gradcheck import derivative
from gradcheck.probes import elements, levels, reading, segment
from gradcheck.probes.field import FieldLine, underflow
from gradcheck.probes.levels import ENDED, LIKE, SHOWN, digits
from gradcheck.probes.nodes import chebyshev
from gradcheck.probes.reading import read

ml_dtypes = pytest.importorskip("ml_dtypes")

PLAIN, CHECKED = "spectral", "spectral, in a check"


def holds(seed, dtype, probe):
    outcome = examine(draw(seed, dtype=dtype), probe)
    assert not outcome.error
    return outcome.holds


#: A spike, a step and a ripple of a few roundings at the centre; a staircase inside of f; what underflows.
HARD = [
    *(
        (seed, "float16", PLAIN)
        for seed in (254, 317, 1522, 2899, 4174, 4927, 10584, 15282, 1000644, 1006054)
    ),
    *((seed, "float16", CHECKED) for seed in (1349, 3798, 4917, 5959, 12961, 15936, 1004512)),
    *((seed, "bfloat16", PLAIN) for seed in (225, 5590, 7307, 8686, 9476, 10149, 15792, 1000951, 1007685)),
    *((seed, "bfloat16", CHECKED) for seed in (1968, 4175, 7962, 18343, 1002585, 1004111, 1005736, 1006896)),
]


@pytest.mark.parametrize(("seed", "dtype", "probe"), HARD)
def test_bounds_hold_where_few_levels_look_like_a_curve(seed, dtype, probe):
    assert holds(seed, dtype, probe)


def no_less(rounding, output, weights=1.0):
    return rounding + weights * underflow(output)


#: What each rule is there for: a problem whose bound breaks without it, and what the rule does then.
NEEDED = {
    "ended in rounding of outputs": ("reading.ENDED", reading.UNSUSPICIOUS, 7962, "bfloat16", CHECKED),
    "few roundings are all noise": ("levels.SHOWN", 0.0, 3798, "float16", CHECKED),
    "what underflows is not shown": ("elements.digits", no_less, 4927, "float16", PLAIN),
    "nor is it along a line of one channel": ("field.digits", no_less, 12961, "float16", CHECKED),
    "rounding is no chance": ("reading.RANDOM", 1000, 18095, "bfloat16", CHECKED),
    "but may be hidden": ("reading.levels", lambda v, r, _: levels.levels(v, r, r), 1006054, "float16", PLAIN),
}  # fmt: skip


@pytest.mark.parametrize("rule", NEEDED)
def test_without_each_rule_a_bound_breaks(monkeypatch, rule):
    place, without, *problem = NEEDED[rule]
    assert holds(*problem)
    monkeypatch.setattr(f"gradcheck.probes.{place}", without)
    assert not holds(*problem)


# ---- what is read


NODES = chebyshev(9, 23)
LINE = np.array(NODES.positions) / 23


def nine(values, rounding=0.5):
    return read(values, rounding, 2.0**-11, 1.0, NODES, 1.0, digits=rounding)


STAIRS = np.repeat([-60.0, -20.0, 0.0, 20.0, 60.0], [2, 2, 1, 2, 2])


def test_a_staircase_tells_no_other_how_large_noise_is():
    smooth, stairs = nine(80 * LINE + 8 * np.random.default_rng(0).normal(size=9)), nine(STAIRS)
    assert stairs.stairs
    assert not smooth.stairs
    seen = [smooth, stairs]
    assert segment.freedom(stairs, seen, stairs.measured) == stairs.freedom
    assert segment.freedom(smooth, [smooth, smooth], smooth.measured) == 2 * smooth.freedom
    assert segment.freedom(smooth, seen, smooth.measured) == smooth.freedom


def test_noise_of_another_size_tells_nothing_of_this_one():
    rng = np.random.default_rng(1)
    loud = nine(800 * LINE + 10 * rng.normal(size=9))
    quiet = nine(800 * LINE + 0.3 * rng.normal(size=9))
    assert LIKE * quiet.measured < loud.measured
    assert segment.freedom(loud, [loud, quiet], loud.measured) == loud.freedom


def test_a_span_of_few_roundings_claims_no_slope():
    few = nine(3.5 * LINE)
    assert few.few
    assert few.estimate.bound >= 2 * abs(few.estimate.value)
    assert not nine(3.5 * LINE, rounding=0.1).few


def test_a_span_of_few_roundings_tells_no_more_than_a_shorter_segment():
    few, plain, constant = nine(2 * LINE), nine(100 * LINE), nine(0 * LINE)
    assert few.few
    assert not plain.few
    assert segment.outdone(4, few, [(0, plain), (4, few)])
    assert not segment.outdone(4, plain, [(0, few), (4, plain)])
    assert not segment.outdone(4, few, [(0, constant), (4, few)])
    assert not segment.outdone(0, few, [(0, few), (4, plain)])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_zeros_alone_may_have_been_scaled_up_after_they_underflowed(dtype):
    tiny = float(np.finfo(dtype).tiny)
    assert underflow(np.array([0, 1], dtype)) == tiny
    assert underflow(np.zeros(2, dtype)) == tiny**0.5


def test_a_constant_hides_what_may_underflow_inside():
    hidden = levels.levels(np.zeros(9), 0.0, 6e-5).hidden
    assert hidden == 6e-5
    assert levels.levels(np.arange(-4.0, 5.0) * 1e-3, 0.0, 6e-5).hidden == 0.0


def test_levels_are_read_in_half_precision_alone():
    for dtype in (np.float64, np.float32, np.longdouble):
        assert digits(1.0, np.ones(3, dtype)) is None
    for dtype in (np.float16, ml_dtypes.bfloat16):
        assert digits(1.0, np.ones(3, dtype)) >= 1.0
        line = FieldLine(lambda x: x, np.ones(3, dtype), np.ones(3), np.ones((2, 3)))
        assert line.sample(3, -5).digits.shape == (2,)
        of_elements = elements.ElementLine(lambda x: x, np.ones(3, dtype), np.ones(3))
        assert of_elements.sample(3, -5).digits.shape == (4,)


def test_the_level_that_rounding_of_outputs_leaves():
    rounding = np.random.default_rng(2).uniform(-1, 1, (40_000, 9))
    last = (np.abs(rounding @ NODES.coefficients.T) / NODES.scale)[:, -2:].max(axis=1)
    assert 0.6 < last.mean() < 0.7
    assert (last > ENDED).mean() < 1 / 2000
    assert (last > ENDED / 2).mean() > 1 / 10


def test_how_much_smaller_noise_may_look():
    assert chi2.cdf(7 / LIKE**2, 7) < 1 / 2500


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_a_plain_slope_is_measured_as_well_as_ever(dtype):
    """To half of the digits of the dtype: the rules cost nothing where many roundings are spanned."""
    x = np.array(1.5, dtype)
    estimate = derivative(lambda x: x * x, x)
    assert (
        abs(float(estimate.value) - 3.0)
        <= estimate.bound
        <= 3.0 * 4 * float(ml_dtypes.finfo(dtype).eps) ** 0.5
    )
    assert SHOWN * float(ml_dtypes.finfo(dtype).eps) < 1
