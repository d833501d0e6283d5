"""What is told of a failed gradient: which elements, the worst of them, and what the mistake looks like."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.autopsy import Autopsy
from gradcheck.check import check_vjp
from gradcheck.quick import QUICK
from gradcheck.trial import Claim, Trial
from gradcheck.turns import Context, Suspect
from gradcheck.verdict import Check, Verdict

LABELS = ("dense", "sparse", "one element")


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def failed(change, x, f=np.sin, slope=np.cos, **options):
    """The check of an element-wise function whose gradient is changed."""
    return check_vjp(f, lambda c, x: change(c * slope(x)), (x,), **options)


def doubled_at(*places):
    def change(g):
        changed = g.copy()
        changed.flat[list(places)] *= 2
        return changed

    return change


SMALL, LARGE = normal(4, 5), normal(60, 50)


# Small ones: every element is measured


@pytest.mark.parametrize(
    ("change", "wrong", "words"),
    [
        (lambda g: -g, 20, "the right gradient with the opposite sign"),
        (lambda g: g / 2, 20, "half the right gradient"),
        (lambda g: 0 * g, 20, "zero everywhere"),
        (lambda g: g[::-1, ::-1].copy(), 20, "the right gradient turned by 180 degrees in its last two axes"),
        (lambda g: np.roll(g, 1, axis=1), 20, "the right gradient rolled by +1 along axis 1"),
        (lambda g: g * 9, 20, "the right gradient multiplied by 9, which is n²"),
    ],
)
def test_small_ones_in_full(change, wrong, words):
    check = failed(change, SMALL, sizes={"n": 3})
    assert check.verdict == "fail"
    assert len(check.wrong) == wrong
    assert check.diagnosis == words


@pytest.mark.parametrize("places", [(0,), (7,), (19,), (3, 12)])
def test_small_ones_list_what_is_wrong_and_show_the_worst(places):
    check = failed(doubled_at(*places), SMALL, cotangent=np.arange(1.0, 21.0).reshape(4, 5))
    indices = [tuple(int(k) for k in np.unravel_index(p, (4, 5))) for p in places]
    assert list(check.wrong) == indices
    right = np.arange(1.0, 21.0).reshape(4, 5) * np.cos(SMALL)
    assert check.worst.element == max(indices, key=lambda at: abs(right[at]))
    assert check.worst.analytic == 2 * right[check.worst.element]
    assert abs(check.worst.numeric.value - right[check.worst.element]) <= check.worst.numeric.bound
    assert f"{len(places)} of 20 elements" in str(check)


def test_every_line_of_a_single_wrong_element():
    check = failed(doubled_at(7), SMALL, cotangent=np.ones((4, 5)))
    lines = str(check).splitlines()
    value = np.cos(SMALL[1, 2])
    assert lines[0] == "d f / d x is wrong in 1 of 20 elements (seed 0, float64, spectral)"
    assert lines[1].startswith("  differs from the numeric derivative by ")
    assert lines[2] == "  worst element   [1, 2]"
    assert lines[3].startswith(f"  analytic        {2 * value:+.4e}  ± ")
    assert lines[4].startswith(f"  numeric         {value:+.4e}  ± ")
    assert "   (spectral, 5 points, h = " in lines[4]
    assert lines[5].startswith(f"  difference      {abs(value):.3e}, could have seen ")
    assert lines[6] == "  wrong elements  [1, 2]"
    assert lines[7].startswith("  looks like      ")
    assert len(lines) == 8


def test_one_number():
    check = failed(lambda g: -g, np.float64(0.7))
    assert check.wrong == ((),)
    assert check.worst.element == ()
    assert "the right gradient with the opposite sign" in check.diagnosis


# Large ones: by probes, then by halves


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: -g, "the right gradient with the opposite sign"),
        (lambda g: 2 * g, "twice the right gradient"),
        (lambda g: 0 * g, "zero everywhere"),
        (lambda g: g[::-1, ::-1].copy(), "the right gradient turned by 180 degrees in its last two axes"),
        (lambda g: g / 60, "the right gradient divided by"),
    ],
)
def test_large_ones_by_probes(change, words):
    check = failed(change, LARGE)
    assert check.verdict == "fail"
    assert check.diagnosis.startswith(words)
    assert check.wrong == ()
    assert check.worst.element is None
    assert "  along           a random direction, dense cotangent" in str(check).splitlines()


@pytest.mark.parametrize("place", [0, 1234, 2999])
def test_a_wrong_element_of_a_large_one_is_found(place):
    check = failed(doubled_at(place), LARGE)
    index = tuple(int(k) for k in np.unravel_index(place, LARGE.shape))
    assert check.wrong == (index,)
    assert check.worst.element == index
    assert check.diagnosis == "right but for one element"
    assert str(check).startswith("d f / d x is wrong in 1 of 3000 elements (")


def test_several_wrong_elements_of_a_large_one():
    check = failed(doubled_at(5, 2000), LARGE, locate=250)
    assert set(check.wrong) == {(0, 5), (40, 0)}
    assert check.diagnosis == "right but for 2 elements"


def test_more_than_the_calls_could_find():
    check = failed(doubled_at(5, 2000), LARGE, budget=110)
    assert set(check.wrong) < {(0, 5), (40, 0)}
    assert check.diagnosis == "right but for one element, and more that were not looked for"


def test_more_calls_for_a_failure_find_more():
    """`locate` is spent by what fails alone."""
    check = failed(doubled_at(5, 777, 2000), LARGE, budget=110, locate=1000)
    assert set(check.wrong) == {(0, 5), (15, 27), (40, 0)}
    assert check.diagnosis == "right but for 3 elements"
    assert check.mistakes == (("few elements", check.diagnosis),)
    assert failed(lambda g: g, LARGE, locate=1000).evaluations == failed(lambda g: g, LARGE).evaluations


def test_without_an_explanation_nothing_more_is_spent():
    check, plain = (failed(lambda g: -g, SMALL, explain=explain) for explain in (True, False))
    assert (plain.verdict, plain.reason) == (check.verdict, check.reason)
    assert plain.diagnosis is None
    assert plain.wrong == plain.mistakes == ()
    assert plain.evaluations < check.evaluations


def test_a_missing_factor_is_named():
    check = failed(lambda g: g / np.cos(SMALL), SMALL, factors={"cos x": np.cos(SMALL)})
    assert check.mistakes[0][0] in ("missing factor", "cotangent")
    assert ("missing factor", "the right gradient without its factor cos x") in check.mistakes


def test_a_suspect_is_named_of_large_ones_as_well():
    def suspects(name, cotangent):
        assert name == "x"
        gradient = cotangent * np.sin(LARGE)
        yield Suspect("sine", "the sine in the place of the cosine", lambda v: float(np.sum(gradient * v)))

    check = check_vjp(np.sin, lambda c, x: c * np.sin(x), (LARGE,), names=("x",), suspects=suspects)
    assert check.mistakes == (("sine", "the sine in the place of the cosine"),)
    assert check.diagnosis == "the sine in the place of the cosine"


def test_no_element_found_before_the_calls_ended():
    check = failed(doubled_at(5), LARGE, budget=60)
    assert check.wrong == ()
    assert check.diagnosis == "no single known mistake explains it; wrong, in places that were not found"


def test_too_many_to_list():
    check = failed(lambda g: g + normal(60, 50, seed=4), LARGE)
    assert check.wrong == ()
    assert check.diagnosis == "no single known mistake explains it; wrong in many elements"


@pytest.mark.parametrize("seed", range(3))
def test_too_little_everywhere_to_be_seen_anywhere(seed):
    """In float32, 1e-4 of every element: a direction of 3,000 shows it, the quick probes of blocks do not."""
    off = 1 + 1e-4 * normal(60, 50, seed=9).astype(np.float32)
    check = failed(lambda g: g * off, LARGE.astype(np.float32), seed=seed, finer=None)
    assert check.verdict == "fail"
    assert check.wrong == ()
    where = "wrong, but in no element by more than can be seen"
    assert check.diagnosis == f"no single known mistake explains it; {where}"


# The numbers that it rests on


def trial_of(x, by, seed=0, f=np.sin, slope=np.cos):
    centre = f(x)
    cotangents = normal(2, *x.shape, seed=5).astype(x.dtype)
    gradients = by * cotangents.astype(np.float64) * slope(x.astype(np.float64))
    eps = float(np.finfo(x.dtype).eps)
    claim = Claim(gradients, 8 * eps * np.abs(gradients))
    trial = Trial(f, x, cotangents, LABELS[:2], claim, centre, np.random.default_rng(seed))
    trial.run(1, 120)
    return trial


def blank(shape):
    return Check(Verdict.FAIL, "d f / d x", "spectral", 1.0, 0.0, "", shape=shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_quick_probes_hold_their_bounds(dtype, channel, scale):
    x = (scale * normal(4, 5)).astype(dtype)
    trial = trial_of(x, -1.0)
    autopsy = Autopsy(trial, Context(), channel, 1000)
    for seed in range(10):
        direction = trial.size() * normal(4, 5, seed=seed)
        before = autopsy.budget, trial.evaluations
        taken, value, bound = autopsy.probe(direction)
        exact = float(np.sum(trial.cotangents[channel] * np.cos(x.astype(np.float64)) * taken))
        assert abs(value - exact) <= bound
        # fit to tell errors apart
        assert bound < 0.1 * np.linalg.norm(trial.cotangents[channel]) * np.linalg.norm(taken) / 4
        assert (before[0] - autopsy.budget, trial.evaluations - before[1]) == (QUICK, QUICK)


def test_without_calls_nothing_is_added():
    trial = trial_of(LARGE, -1.0)
    check = blank(LARGE.shape)
    assert Autopsy(trial, Context(), 0, 0).report(check) == check


def test_what_is_right_after_all_is_left_as_it_is():
    """A failure for other reasons than its numbers, as of conduct: no element is called wrong."""
    trial = trial_of(SMALL, 1.0)
    check = blank(SMALL.shape)
    assert Autopsy(trial, Context(), 0, 1000).report(check) == check


@pytest.mark.parametrize("size", [7, 3000])
@pytest.mark.parametrize("budget", [0, 3, 10, 40])
def test_calls_stay_within_the_budget(size, budget):
    trial = trial_of(normal(size), -1.0)
    before = trial.evaluations
    Autopsy(trial, Context(), 0, budget).report(blank((size,)))
    assert trial.evaluations - before <= budget


def test_another_input_and_the_sizes_are_clues():
    def f(x, y):
        return x * y

    x, y = normal(4, 5), normal(4, 5, seed=1)
    check = check_vjp(f, lambda c, x, y: (c * y, c * y), (x, y), names=("x", "y"))
    assert check.parts[0].passed
    assert check.parts[1].diagnosis == "the gradient of x"
