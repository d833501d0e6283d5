"""Verdicts from comparisons, the chance that an error escapes, and every line of a printed check."""

from __future__ import annotations

import itertools
import math
import traceback
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from gradcheck.estimate import Estimate, Finding
from gradcheck.verdict import (
    BLATANT,
    Check,
    Comparison,
    GradientMismatch,
    InconclusiveCheck,
    Verdict,
    Worst,
    decide,
    resolution_of,
)

INF, NAN = math.inf, math.nan


def comparison(analytic=1.0, rounding=0.0, value=1.0, bound=1e-9, scale=1.0, finding=Finding.SMOOTH):
    return Comparison(analytic, rounding, Estimate(value, bound, finding=finding), scale)


# One comparison


@pytest.mark.parametrize(
    ("analytic", "rounding", "value", "bound", "excess"),
    [
        (1.0, 0.0, 1.0, 0.0, 0.0),
        (1.0, 0.0, 1.5, 0.0, INF),  # nothing is allowed
        (1.5, 0.25, 1.0, 0.25, 1.0),  # the ends touch: both may be right
        (1.0, 0.125, 1.5, 0.125, 2.0),
        (-1.0, 0.0, 1.0, 0.5, 4.0),
        (1.0, 0.0, 9.0, INF, 0.0),  # nothing was measured
        (1.0, INF, 9.0, 1.0, 0.0),  # nothing was claimed
        (NAN, 0.0, 1.0, 1e9, INF),
        (INF, 0.0, 1.0, 1e9, INF),
        (NAN, 0.0, 1.0, INF, 0.0),
        (1.0, 0.0, NAN, INF, 0.0),
        (1.0, 0.0, NAN, NAN, 0.0),  # a bound that is no number claims nothing
        (5e-324, 0.0, 0.0, 0.0, INF),
    ],
)
def test_excess(analytic, rounding, value, bound, excess):
    found = comparison(analytic, rounding, value, bound)
    assert found.excess == excess
    assert found.differs is (excess > 1)


def test_difference_is_claimed_less_measured():
    assert comparison(analytic=3.0, value=1.0).difference == 2.0


@pytest.mark.parametrize(
    ("rounding", "bound", "scale", "resolution"),
    [
        (1e-9, 3e-9, 2.0, 2e-9),  # what is allowed, to the gradient
        (0.0, 0.0, 1.0, 0.0),
        (0.0, 0.0, 0.0, INF),  # no gradient to be relative to
        (0.0, 1e-9, 0.0, INF),
        (0.0, INF, 1.0, INF),
    ],
)
def test_resolution(rounding, bound, scale, resolution):
    found = comparison(rounding=rounding, bound=bound, scale=scale).resolution
    assert found == pytest.approx(resolution, rel=1e-15)


@pytest.mark.parametrize(("apart", "resolution"), [(0.0, 1e-9), (4e-10, 1.4e-9), (1e-9, 2e-9), (1.0, 2e-9)])
def test_what_was_seen_to_differ_takes_room_from_what_could_be_seen(apart, resolution):
    found = Comparison(1.0 + apart, 0.0, Estimate(1.0, 1e-9), 1.0)
    assert found.resolution == pytest.approx(resolution, rel=1e-6)


def drawn(size, error, allowed, trials, seed):
    """Comparisons of one wrong gradient along random directions, the measurement off by its whole bound.

    The error, of `error` times the gradient's norm, points in a direction of its own.
    """
    rng = np.random.default_rng(seed)
    right, wrong = rng.standard_normal((2, size))
    wrong = right + wrong * error * np.linalg.norm(right) / np.linalg.norm(wrong)
    for _ in range(trials):
        v = rng.standard_normal(size)
        scale = np.linalg.norm(wrong) * np.linalg.norm(v) / math.sqrt(size)
        value = float(right @ v) + math.copysign(allowed, float((wrong - right) @ v))
        yield Comparison(float(wrong @ v), 0.0, Estimate(value, allowed), float(scale))


@pytest.mark.parametrize(
    ("size", "error", "allowed"), [(50, 1e-6, 1e-6), (50, 1e-6, 1e-5), (2000, 1e-3, 0.002), (200, 1e-5, 4e-5)]
)
def test_as_many_errors_escape_as_is_said(size, error, allowed):
    trials = 3000
    seen = list(drawn(size, error, allowed, trials, seed=size))
    escaped = sum(not c.differs for c in seen)
    said = float(np.mean([c.escapes(error) for c in seen]))
    assert 0.01 < said < 0.99, "a rate that no count of this size could contradict"
    # two numbers: the rate observed, and a mean over directions whose length varies
    assert binomtest(escaped, trials, said).pvalue > 1e-3, (escaped / trials, said)


@pytest.mark.parametrize(
    ("found", "error", "chance"),
    [
        (comparison(bound=0.0), 1e-6, 0.0),
        (comparison(bound=1e-9), 0.0, 1.0),  # no error at all cannot be seen
        (comparison(bound=INF), 1e-6, 1.0),
        (comparison(scale=0.0), 1e-6, 1.0),
        (comparison(bound=1.0), 1e-6, 1.0),
    ],
)
def test_chances_at_the_ends(found, error, chance):
    assert found.escapes(error) == chance


# Verdicts

FINE = comparison()
SMALL = comparison(analytic=1.0 + 5e-9)  # 5 times what is allowed
BAD = comparison(analytic=2.0)
COARSE = comparison(bound=1e-3)
EDGE = comparison(analytic=BLATANT, value=0.0, bound=1.0)


def blind(finding):
    return comparison(value=0.0, bound=INF, finding=finding)


AGREES = "agrees to a relative 1e-09"
DIFFERS = "differs from the numeric derivative by {}, {} times what rounding and truncation explain"
ONE_OF = DIFFERS + ", along one of {} directions"


@pytest.mark.parametrize(
    ("rounds", "verdict", "reason"),
    [
        ([[FINE]], "pass", AGREES),
        ([[COARSE], [FINE]], "pass", AGREES),  # the better direction counts
        ([[FINE, blind(Finding.KINK)]], "pass", AGREES),  # a pass is the first cotangent's
        (
            [[BAD]],
            "fail",
            DIFFERS.format("1.000e+00", "1.0e+09"),
        ),
        (
            [[FINE, BAD], [FINE, FINE]],  # any cotangent can fail
            "fail",
            DIFFERS.format("1.000e+00", "1.0e+09"),
        ),
        ([[SMALL]], "inconclusive", ONE_OF.format("5.000e-09", "5.0e+00", 1)),
        ([[SMALL], [FINE]], "inconclusive", ONE_OF.format("5.000e-09", "5.0e+00", 2)),
        ([[SMALL, SMALL], [FINE]], "inconclusive", ONE_OF.format("5.000e-09", "5.0e+00", 2)),
        ([[EDGE]], "inconclusive", ONE_OF.format("1.000e+03", "1.0e+03", 1)),
        (
            [[SMALL], [FINE, SMALL]],
            "fail",
            DIFFERS.format("5.000e-09", "5.0e+00"),
        ),
        ([[COARSE]], "inconclusive", "could have seen a relative error of 1e-03, wanted 1e-06"),
        (
            [[comparison(scale=0.0)]],
            "inconclusive",
            "could have seen a relative error of inf, wanted 1e-06",
        ),
        (
            [[blind(Finding.KINK)]],
            "inconclusive",
            "a kink at the point: the derivative from one side is not the one from the other",
        ),
        (
            [[blind(Finding.JUMP)]],
            "inconclusive",
            "a jump at the point: the function is not continuous there",
        ),
        (
            [[blind(Finding.NOT_FINITE)]],
            "inconclusive",
            "the function is not finite round the point, at any distance",
        ),
        (
            [[blind(Finding.UNRESOLVED)]],
            "inconclusive",
            "the function varies too fast, or too irregularly, for its samples at any distance",
        ),
        (
            [[blind(Finding.SMOOTH)]],
            "inconclusive",
            "could have seen a relative error of inf, wanted 1e-06",
        ),
        (
            [[blind(Finding.UNRESOLVED)], [blind(Finding.KINK)]],  # the most telling
            "inconclusive",
            "a kink at the point: the derivative from one side is not the one from the other",
        ),
        (
            # a finding beside a finite bound explains nothing
            [[comparison(bound=1e-3, finding=Finding.KINK)]],
            "inconclusive",
            "could have seen a relative error of 1e-03, wanted 1e-06",
        ),
    ],
)
def test_decision(rounds, verdict, reason):
    assert decide(rounds, wanted=1e-6) == (Verdict(verdict), reason)


def test_a_claim_that_is_no_number_is_blatant():
    verdict, reason = decide([[comparison(analytic=NAN)]], wanted=1e-6)
    assert verdict is Verdict.FAIL
    assert reason == DIFFERS.format("nan", "inf")


def test_what_a_pass_has_to_see_is_the_callers():
    assert decide([[COARSE]], wanted=1e-3)[0] is Verdict.PASS
    assert decide([[COARSE]], wanted=0.9e-3)[0] is Verdict.INCONCLUSIVE


def test_a_jump_along_one_direction_is_none_of_a_derivative():
    assert decide([[FINE], [blind(Finding.JUMP)]], wanted=1e-6)[0] is Verdict.INCONCLUSIVE
    assert decide([[FINE], [blind(Finding.UNRESOLVED)]], wanted=1e-6)[0] is Verdict.PASS


def test_order_of_directions_does_not_matter():
    rounds = [[SMALL], [FINE, SMALL], [COARSE], [blind(Finding.KINK)]]
    assert len({decide(order, wanted=1e-6) for order in itertools.permutations(rounds)}) == 1


def test_resolution_of_no_direction_is_infinite():
    assert resolution_of([]) == INF


# Printing

WORST = Worst((1, 0, 2, 2), 0.18731, 2e-16, Estimate(-0.40022, 3e-15, "spectral", points=17, step=0.5))
FAILED = Check(
    Verdict.FAIL,
    "d convolution / d k",
    "spectral",
    4e-14,
    0.0,
    "differs",
    diagnosis="the right gradient turned by 180 degrees in its last two axes",
    worst=WORST,
    wrong=tuple(np.ndindex(2, 2, 3, 3)),
    seed=1234,
    dtype="float64",
    shape=(2, 2, 3, 3),
)
PASSED = Check(Verdict.PASS, "d f / d x", "exact", 0.0, 1e-9, "equal to the bit", dtype="float32", shape=(3,))


def test_every_line_of_a_failure():
    assert str(FAILED).splitlines() == [
        "d convolution / d k is wrong in 36 of 36 elements (seed 1234, float64, spectral)",
        "  differs",
        "  worst element   [1, 0, 2, 2]",
        "  analytic        +1.8731e-01  ± 2e-16",
        "  numeric         -4.0022e-01  ± 3e-15   (spectral, 17 points, h = 0.5)",
        "  difference      5.875e-01, could have seen 3e-15",
        "  looks like      the right gradient turned by 180 degrees in its last two axes",
    ]


SUBJECT, SETTING = "d convolution / d k", "(seed 1234, float64, spectral)"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"wrong": ((1, 0, 2, 2),)}, "  wrong elements  [1, 0, 2, 2]"),
        (
            {"wrong": ((1, 0, 2, 2),)},
            "d convolution / d k is wrong in 1 of 36 elements (seed 1234, float64, spectral)",
        ),
        (
            {"wrong": tuple(np.ndindex(1, 1, 2, 3))},
            "  wrong elements  [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 1, 0], [0, 0, 1, 1] …",
        ),
        ({"wrong": ()}, f"{SUBJECT}: fail {SETTING}"),
        (
            {"verdict": Verdict.INCONCLUSIVE},
            f"{SUBJECT}: inconclusive {SETTING}",
        ),
        ({"verdict": Verdict.ERROR}, f"{SUBJECT}: error {SETTING}"),
        ({"evidence": ""}, "d convolution / d k is wrong in 36 of 36 elements (seed 1234, float64)"),
        ({"worst": replace(WORST, element=None)}, "  along           a random direction, dense cotangent"),
        (
            {"worst": replace(WORST, element=None, cotangent="one element")},
            "  along           a random direction, one element cotangent",
        ),
        (
            {"worst": replace(WORST, numeric=Estimate(-0.5, 1e-3, "differences"))},
            "  numeric         -5.0000e-01  ± 1e-03   (differences)",
        ),
        (
            {"worst": replace(WORST, numeric=Estimate(0.0, INF, "spectral", points=9, step=2.0**-40))},
            "  numeric         +0.0000e+00  ± inf   (spectral, 9 points, h = 9.1e-13)",
        ),
        (
            {"worst": replace(WORST, analytic_bound=1e-3)},
            "  difference      5.875e-01, could have seen 1e-03",
        ),
        ({"reason": "one\ntwo"}, "  two"),
        ({"notes": ("one\ntwo",)}, "  note            one"),
        ({"notes": ("one\ntwo",)}, "                  two"),
    ],
)
def test_a_line_of_it(changes, line):
    assert line in str(replace(FAILED, **changes)).splitlines()


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"diagnosis": None}, "  looks like"),
        ({"worst": None}, "  worst"),
        ({}, "  wrong elements"),
        ({}, "  note"),
    ],
)
def test_a_line_that_is_left_out(changes, start):
    assert not any(line.startswith(start) for line in str(replace(FAILED, **changes)).splitlines())


def test_every_line_of_a_pass():
    assert str(PASSED).splitlines() == ["d f / d x: pass (seed 0, float32, exact)", "  equal to the bit"]


def test_inputs_stand_below_the_whole():
    whole = replace(
        PASSED, subject="d f", notes=("odd",), parts=(PASSED, replace(PASSED, subject="d f / d y"))
    )
    assert str(whole).splitlines() == [
        "d f: pass (seed 0, float32, exact)",
        "  note            odd",
        "  d f / d x: pass (seed 0, float32, exact)",
        "    equal to the bit",
        "  d f / d y: pass (seed 0, float32, exact)",
        "    equal to the bit",
    ]


def test_the_whole_gives_a_reason_that_no_input_has():
    whole = replace(
        PASSED, verdict=Verdict.FAIL, reason="vjp writes into x\nall of it", parts=(PASSED, PASSED)
    )
    assert str(whole).splitlines()[:3] == [
        "d f / d x: fail (seed 0, float32, exact)",
        "  vjp writes into x",
        "  all of it",
    ]


def test_one_input_is_printed_once():
    assert str(replace(FAILED, parts=(FAILED,))) == str(FAILED)


# Raising


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (Verdict.FAIL, GradientMismatch),
        (Verdict.ERROR, GradientMismatch),
        (Verdict.INCONCLUSIVE, InconclusiveCheck),
    ],
)
def test_only_a_pass_is_green(verdict, kind):
    check = replace(FAILED, verdict=verdict)
    assert not check.passed
    with pytest.raises(AssertionError) as caught:
        check.assert_passed()
    assert type(caught.value) is kind
    assert str(caught.value) == str(check)


def test_a_pass_is_green():
    assert PASSED.passed
    PASSED.assert_passed()


def test_the_report_is_the_exceptions():
    with pytest.raises(GradientMismatch) as caught:
        FAILED.assert_passed()
    printed = "".join(traceback.format_exception_only(caught.value))
    assert printed.startswith(
        "gradcheck.verdict.GradientMismatch: d convolution / d k is wrong in 36 of 36 elements"
    )
