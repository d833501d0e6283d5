"""Targets that cheat: what a vjp or a function may do to look right, and what is seen of it.

`caught` are failed, with the reason read here. `LIMITS` are not, and cannot be by calls from within one process: the
table pins that they are not, so that nobody takes a pass for more than it is.
"""

from __future__ import annotations

import functools
import inspect
import threading
import time
import unittest.mock

import numpy as np
import pytest

from gradcheck import Verdict, certify, check_vjp
from gradcheck.surroundings import calls_of, settled, stands_for, surroundings

POINT = np.random.default_rng(3).standard_normal((4, 5))


def f(x):
    return np.tanh(x) * x


def right(c, x):
    t = np.tanh(x)
    return c * ((1 - t * t) * x + t)


def wrong(c, x):
    return 1.5 * right(c, x)


def when(holds):
    """A vjp that is right where `holds(cotangent, x)` and wrong elsewhere."""
    return lambda: lambda c, x: right(c, x) if holds(c, x) else wrong(c, x)


def caches_by_id():
    known = {}

    def vjp(c, x):
        if id(x) not in known:
            known[id(x)] = right(c, x)
        return known[id(x)].copy()

    return vjp


def caches_by_value():
    known = {}

    def vjp(c, x):
        return known.setdefault((c.tobytes(), round(float(x.sum()), 6)), right(c, POINT)).copy()

    return vjp


def answers_last_call():
    last = []

    def vjp(c, x):
        last.append(right(c, x))
        return last[max(len(last) - 2, 0)].copy()

    return vjp


def right_for_first(calls):
    def make():
        count = 0

        def vjp(c, x):
            nonlocal count
            count += 1
            return right(c, x) if count <= calls else wrong(c, x)

        return vjp

    return make


def restores_late():
    held = []

    def vjp(c, x):
        for array, was in held:
            array[...] = was
        held.clear()
        answer = right(c, x)
        if x.flags.writeable:
            held.append((x, x.copy()))
            x *= 2
        return answer

    return vjp


def writes_late():
    """Into the array of the call before: nothing is amiss right after any call."""
    held = []

    def vjp(c, x):
        if len(held) == 3:
            held[0] *= 2
        held.append(x)
        return right(c, x)

    return vjp


def seeds(c, x):
    np.random.seed(0)  # noqa: NPY002
    return right(c, x)


def resets(c, x):
    np.seterr(over="print")
    return right(c, x)


def from_start(seconds):
    def make():
        start = time.perf_counter()
        return when(lambda c, x: time.perf_counter() - start < seconds)()

    return make


CAUGHT = {
    "caches by id": (caches_by_id, "numeric derivative"),
    "caches by the value of the cotangent": (caches_by_value, "right at the inputs, wrong at a point beside"),
    "answers the call before": (answers_last_call, "another at a second call"),
    "right at the first call": (right_for_first(1), "another at a second call"),
    "right at the first three": (right_for_first(3), "not linear in the cotangent"),
    "right for whole numbers": (when(lambda c, x: np.all(x == np.rint(x))), "numeric derivative"),
    "right at the inputs": (when(lambda c, x: np.array_equal(x, POINT)), "beside them"),
    "right near the inputs": (when(lambda c, x: np.allclose(x, POINT)), "beside them"),
    "right for dense cotangents": (when(lambda c, x: c.all()), "not linear in the cotangent"),
    "right for cotangents to be written into": (when(lambda c, x: c.flags.writeable), "not linear"),
    "right for read-only cotangents": (when(lambda c, x: not c.flags.writeable), "numeric derivative"),
    "right for plain memory": (when(lambda c, x: x.flags.c_contiguous), "memory layout"),
    "right for small cotangents": (when(lambda c, x: np.abs(c).max() < 100), "not linear"),
    "restores its input a call later": (restores_late, "vjp writes into x"),
    "writes into its input two calls later": (writes_late, "writes into x"),
    "seeds the global generator": (lambda: seeds, "vjp changes NumPy's global random generator"),
    "sets the handling of errors": (lambda: resets, "vjp changes NumPy's handling of floating point errors"),
}


@pytest.mark.parametrize("name", CAUGHT)
def test_a_cheating_vjp_is_caught(name):
    make, words = CAUGHT[name]
    for seed in range(3):
        point = POINT.copy()
        check = check_vjp(f, make(), (point,), seed=seed, strict=True)
        assert check.verdict is Verdict.FAIL
        assert words in str(check), str(check)
        assert np.array_equal(point, POINT)


def aware(c, x):
    return right(c, x) if any("gradcheck" in frame.filename for frame in inspect.stack()) else wrong(c, x)


LIMITS = {
    "looks who calls": lambda: aware,
    "right in the main thread": when(lambda c, x: threading.current_thread() is threading.main_thread()),
    "right for its first hour": from_start(3600),
    "right for its first hundred calls": right_for_first(100),
    "right within a thousand times the size of the inputs": when(lambda c, x: np.abs(x).max() < 1000),
}


@pytest.mark.parametrize("name", LIMITS)
def test_what_no_call_from_within_can_catch(name):
    assert check_vjp(f, LIMITS[name](), (POINT,)).passed


def test_what_is_replaced_in_the_judge_itself_is_a_limit(monkeypatch):
    # a target in the same process can rewrite the judge: only a process of its own helps
    import gradcheck.task as judge

    def vjp(c, x):
        monkeypatch.setattr(judge, "decide", lambda rounds, wanted: (Verdict.PASS, "as I say"))
        return wrong(c, x)

    monkeypatch.setattr(judge, "astray", lambda *given: "")
    assert check_vjp(f, vjp, (POINT,)).reason == "as I say"


def test_a_pass_on_borrowed_time_ends_with_it():
    assert check_vjp(f, from_start(1e-3)(), (POINT,)).verdict is Verdict.FAIL


# -- the function --------------------------------------------------------------------------------------------


def test_a_function_that_writes_into_its_input_fails_and_the_input_is_put_back():
    def scales(x):
        answer = f(x)
        x *= 2
        return answer

    point = POINT.copy()
    check = check_vjp(scales, right, (point,))
    assert check.verdict is Verdict.FAIL
    assert "f writes into x\n" in str(check)
    assert "20 of 20 elements; restored" in str(check)
    assert np.array_equal(point, POINT)


def test_a_function_that_draws_from_the_global_generator_is_told():
    def draws(x):
        np.random.rand()  # noqa: NPY002
        return f(x)

    state = np.random.get_state()[2]  # noqa: NPY002
    assert check_vjp(draws, right, (POINT,), strict=True).verdict is Verdict.FAIL
    lenient = check_vjp(draws, right, (POINT,))
    assert lenient.passed
    assert "f changes NumPy's global random generator" in str(lenient)
    assert np.random.get_state()[2] == state, "a check leaves the generator as it was"  # noqa: NPY002


def test_a_function_made_of_its_own_vjp_is_refused():
    nodes, weights = np.polynomial.legendre.leggauss(30)

    def integral(x):
        return sum(
            w / 2 * wrong(np.ones_like(x), (t + 1) / 2 * x) * x for t, w in zip(nodes, weights, strict=True)
        )

    check = check_vjp(integral, wrong, (POINT,))
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "self-referential: f calls the vjp (30 times)" in check.reason
    # of a function that goes by another name nothing can be seen: it is the derivative of what f computes
    assert check_vjp(integral, lambda c, x: wrong(c, x), (POINT,)).passed


def test_a_vjp_that_differentiates_f_numerically_is_told():
    def numeric(c, x, h=1e-5):
        return c * (f(x + h) - f(x - h)) / (2 * h)

    check = check_vjp(f, numeric, (POINT,))
    assert "vjp calls f itself 2 times: a numeric derivative of f is no second opinion" in str(check)
    # one call, to have an intermediate value again, is honest work
    once = check_vjp(
        f,
        lambda c, x: right(c, x + 0 * f(x)),
        (POINT,),
    )
    assert once.passed
    assert not once.notes


class Doubled:
    """down-sampling whose two halves are made of each other, one way or the other."""

    def __init__(self, forward, vjp):
        self.__dict__.update(forward=forward, vjp=vjp)


def sums(x, n):
    batch, maps, height, width = x.shape
    return x.reshape(batch, maps, height // n, n, width // n, n).sum(axis=(3, 5))


def spread(cotangent, x, n):
    return (np.kron(cotangent, np.ones((n, n))),)


def sums_of_its_vjp(x, n):
    spread(np.zeros(sums(x, n).shape), x, n)
    return sums(x, n)


def numeric_spread(cotangent, x, n):
    sums(x, n)
    return spread(cotangent + 0 * sums(x, n), x, n)


def test_both_are_told_through_what_a_certificate_puts_around_them():
    with_its_vjp, with_its_f = (
        certify({"downsample": Doubled(forward, vjp)}, ["downsample"], examples=4, seed=0)
        for forward, vjp in ((sums_of_its_vjp, spread), (sums, numeric_spread))
    )
    of_x = next(r for r in with_its_vjp.results if r.input == "x")
    assert of_x.verdict == "inconclusive"
    assert "self-referential: f calls the vjp (1 times)" in of_x.reason
    of_x = next(r for r in with_its_f.results if r.input == "x")
    assert of_x.verdict == "pass"
    assert any("vjp calls f itself 2 times" in note for note in of_x.notes)


def test_a_numeric_vjp_of_several_inputs_is_told_too():
    def product(x, y):
        return x * y

    def vjp(c, x, y):
        product(x, y)
        return c * y + 0 * product(x, y), c * x

    check = check_vjp(product, vjp, (POINT, POINT + 1))
    assert check.passed
    assert any("vjp calls f itself 2 times" in note for note in check.notes)


# -- the instruments -----------------------------------------------------------------------------------------


def test_a_method_of_another_object_is_another_function():
    class Twice:
        def __init__(self, by):
            self.by = by

        def __call__(self, x):
            return self.by * x

        def other(self, x):
            return self.by * x

    one, two = Twice(1), Twice(2)
    assert calls_of(one, lambda: one(3) + two(3)) == (9, 1)
    assert calls_of(one.other, lambda: one.other(3) + two.other(3)) == (9, 1)
    assert calls_of(np.sin, lambda: np.sin(0.0)) == (0.0, 0)


def test_closures_of_one_code_are_told_apart():
    def make(by):
        return lambda x: by * x

    one, two = make(1.5), make(2.5)
    assert calls_of(one, lambda: one(2) + two(2)) == (8.0, 1)


def test_what_stands_for_another_function_counts_as_that():
    def square(x):
        return x * x

    @functools.wraps(square)
    def logged(x):
        return square(x)

    assert calls_of(logged, lambda: square(2.0)) == (4.0, 1)
    assert calls_of(stands_for(logged, lambda x: logged(x) + 1), lambda: square(2.0)) == (4.0, 1)
    assert calls_of(stands_for(None, square), lambda: square(2.0)) == (4.0, 0)
    assert calls_of(unittest.mock.MagicMock(), lambda: square(2.0)) == (4.0, 0)


def test_what_a_process_shares_is_put_back():
    before = surroundings()
    np.random.rand()  # noqa: NPY002
    old = np.seterr(all="ignore")
    settled(before)
    assert np.geterr() == old
    assert surroundings() == before
