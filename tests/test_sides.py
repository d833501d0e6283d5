"""One-sided derivatives and their bounds: on random functions, and what each rule of theirs is for."""

import numpy as np
import pytest

from benchmarks.differentiators import one_sided
from benchmarks.functions import draw
from gradcheck.probes import departure, onesided, sides
from gradcheck.probes.sides import Sides


def right(problem):
    """Whether the bound of the derivative from the right holds; None where none is claimed."""
    answer = one_sided(problem.f, problem.x)
    if not np.isfinite(answer.bound):
        return None
    return abs(answer.value - problem.derivative) <= answer.bound


def searched(f, x, **options):
    point = np.atleast_1d(np.asarray(x))
    found = Sides(f, point, np.abs(point.astype(float)) + (point == 0), np.asarray(f(point)))
    with np.errstate(all="ignore"):
        found.search(120, **options)
    return found


def alone(problem):
    """The same, from the right alone: what lies to the left of x is not looked at."""
    found = searched(problem.f, problem.x, sides=(1,))
    with np.errstate(all="ignore"):
        known = [(found.known(e, 1), float(found.steps.taken(e)[0])) for e in found.exponents]
    side, step = min(known, key=lambda each: float(each[0].bound[0]) / abs(each[1]))
    if not np.isfinite(side.bound[0]):
        return None
    return bool(abs(side.value[0] - problem.derivative * step) <= side.bound[0])


@pytest.mark.parametrize("dtype", ["float64", "float32", "longdouble", "float16", "bfloat16"])
def test_the_bound_holds_on_random_functions(dtype):
    least = {"float64": 380, "float32": 320, "longdouble": 370, "float16": 60, "bfloat16": 40}[dtype]
    with np.errstate(all="ignore"):
        held = [right(draw(seed, None, dtype)) for seed in range(300_000, 300_400)]
    assert False not in held
    assert sum(h is True for h in held) >= least


def test_the_bound_is_close_to_the_error():
    loose = []
    for seed in range(300_000, 300_300):
        problem = draw(seed, None, "float64")
        answer = one_sided(problem.f, problem.x)
        if np.isfinite(answer.bound) and answer.value != problem.derivative:
            loose.append(answer.bound / abs(answer.value - problem.derivative))
    assert np.median(loose) <= 30


#: What is left out of the rules, and a function whose bound it breaks.
RULES = {
    "a jump at the point ends coefficients in a level": (onesided, "JUMP", 0.0, 1707, "plateau", "float64"),
    "few roundings may hide a slope": (onesided, "SPAN", 0.0, 10361, "saturation", "float16"),
    "a jump at the point is no noise": (sides, "EVEN", -1.0, 1261, "at zero", "float64"),
    "what varies fast is no noise": (sides, "LIKE", np.inf, 343, "cancellation", "float64"),
    "rounding makes constants": (departure, "STEP", 0.0, 84, "noisy", "float32"),
    "a level needs an explanation": (onesided, "QUIET", 1e3, 1464, "at zero", "float32"),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_needed(rule, monkeypatch):
    where, name, without, seed, family, dtype = RULES[rule]
    problem = draw(seed, family, dtype)
    with np.errstate(all="ignore"):
        assert alone(problem) is not False
        monkeypatch.setattr(where, name, without)
        assert alone(problem) is False


def test_noise_that_does_not_shrink_is_in_the_bound():
    def noisy(x):
        return np.sin(x) + 1e-9 * np.modf(1e4 * np.sin(1e9 * x))[0]

    found = searched(noisy, 1.0).best(1)
    assert abs(found.value[0] - np.cos(1.0)) <= found.bound[0]
    assert 1e-9 < found.bound[0] < 1e-5


@pytest.mark.parametrize(
    ("f", "x"), [(np.log1p, -0.5), (lambda x: np.maximum(x, 0) - 1, -1.0), (np.floor, 2.5)]
)
def test_what_is_constant_close_by_is_claimed_to_be(f, x):
    found = searched(f, x).best(1)
    assert np.isfinite(found.bound).all()


def test_what_may_only_look_constant_is_not():
    found = searched(lambda x: np.log(1 + x), np.float32(1e-8))
    doubtful, stepping = found.leaving(1, found.exponents[-1])
    assert doubtful.tolist() == [True]
    assert stepping.tolist() == [False]
    assert np.isinf(found.best(1).bound).all()


def test_steps_that_no_rounding_makes_are_told_apart():
    found = searched(np.floor, 2.5)
    doubtful, stepping = found.leaving(1, found.exponents[0])
    assert doubtful.tolist() == [False]
    assert stepping.tolist() == [True]


def test_a_bend_shows_on_the_other_side():
    for f, goes_on in ((np.abs, False), (np.sin, True), (lambda x: np.maximum(x, -2 * x), False)):
        found = searched(f, 0.0, sides=(1,))
        assert found.continues(1, found.exponents[0]).tolist() == [goes_on]
        assert not any(side < 0 and position > 0 for side, position, _ in found.changes)
