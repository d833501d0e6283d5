"""What only somebody who knows the operation can ask of a vjp: each property, and a mutant that breaks it."""

import types

import numpy as np
import pytest

from gradcheck.certify import certify
from gradcheck.properties import Subject, batch_faults, cotangent_faults, faults, input_faults

RNG = np.random.default_rng(4)
X, W, B = RNG.standard_normal((3, 4)), RNG.standard_normal((2, 4)), RNG.standard_normal(2)
C = RNG.standard_normal((3, 2))


def forward(x, w, b):
    return np.tanh(x @ w.T + b)


def vjp(c, x, w, b):
    delta = c * (1 - forward(x, w, b) ** 2)
    return delta @ w, delta.T @ x, delta.sum(axis=0)


def subject(pullback=vjp, function=forward):
    return Subject(function, pullback, (X, W, B), ("x", "w", "b"), (True, False, False), C)


def mean_over_the_batch(c, x, w, b):
    dx, dw, db = vjp(c, x, w, b)
    return dx, dw / len(x), db


def centred_over_the_batch(c, x, w, b):
    dx, dw, db = vjp(c, x, w, b)
    return dx - dx.mean(axis=0), dw, db


def only_the_last_pattern(c, x, w, b):
    return (*vjp(c, x, w, b)[:2], vjp(c[-1:], x[-1:], w, b)[2])


def keeps_its_number_of_patterns(c, x, w, b):
    return np.zeros(np.shape(X)), *vjp(c, x, w, b)[1:]


def without_nan(c, x, w, b):
    return tuple(np.nan_to_num(g) for g in vjp(c, x, w, b))


def of_clean_cotangents(c, x, w, b):
    return vjp(np.where(np.isnan(c), 0.0, c), x, w, b)


def of_clean_inputs(c, x, w, b):
    return vjp(c, *(np.where(np.isnan(a), 0.0, a) for a in (x, w, b)))


def by_nansum(c, x, w, b):
    dx, dw, _ = vjp(c, x, w, b)
    return dx, dw, np.nansum(c * (1 - forward(x, w, b) ** 2), axis=0)


def raises_at_nan(c, x, w, b):
    if any(np.isnan(a).any() for a in (c, x, w, b)):
        raise ValueError("NaN")
    return vjp(c, x, w, b)


def some(found):
    return [fault.splitlines()[0] for fault in found]


def all_seeds(check, *arguments):
    return [fault for seed in range(12) for fault in check(*arguments, np.random.default_rng(seed))]


def test_a_right_vjp_has_no_faults():
    assert [fault for seed in range(12) for fault in faults(subject(), seed)] == []
    assert all_seeds(cotangent_faults, subject(raises_at_nan)) == []
    assert all_seeds(input_faults, subject(raises_at_nan)) == []


def test_sums_in_the_digits_of_float32_are_no_fault():
    rng = np.random.default_rng(0)
    x, c = rng.standard_normal((64, 4)), rng.standard_normal((64, 2))

    def coarse(c, *inputs):
        return tuple(g.astype(np.float32) for g in vjp(c.astype(np.float32), *inputs))

    long = Subject(forward, coarse, (x, W, B), ("x", "w", "b"), (True, False, False), c)
    assert [fault for seed in range(12) for fault in faults(long, seed)] == []


@pytest.mark.parametrize(
    ("mutant", "said"),
    [
        (mean_over_the_batch, "gradient of w of a batch is not that of its patterns added up"),
        (centred_over_the_batch, "gradient of x of a batch is not that of its patterns beside each other"),
        (only_the_last_pattern, "gradient of b of a batch is not that of its patterns added up"),
        (keeps_its_number_of_patterns, "gradient of x of a batch has shape (3, 4), that of its parts (6, 4)"),
    ],
)
def test_a_batch_of_two_is_two_batches_of_one(mutant, said):
    assert some(batch_faults(subject(mutant))) == [said]


def test_a_batch_fault_says_how_much_and_the_rule():
    (fault,) = batch_faults(subject(mean_over_the_batch))
    lines = fault.splitlines()
    assert lines[1].startswith("  8 of 8 elements differ, by up to ")
    assert lines[2].startswith("  a batch of two is two batches of one")


def test_one_pattern_alone_cannot_be_split_nor_what_has_none():
    one = Subject(forward, mean_over_the_batch, (X[:1], W, B), ("x", "w", "b"), (True, False, False), C[:1])
    assert list(batch_faults(one)) == []
    none = Subject(forward, mean_over_the_batch, (X, W, B), ("x", "w", "b"), (False,) * 3, C)
    assert list(batch_faults(none)) == []


@pytest.mark.parametrize("mutant", [without_nan, of_clean_cotangents, by_nansum])
def test_a_nan_of_the_cotangent_shows_in_every_gradient_that_it_counts_in(mutant):
    found = all_seeds(cotangent_faults, subject(mutant))
    names = {fault.split()[2] for fault in found}
    assert names == ({"b"} if mutant is by_nansum else {"x", "w", "b"})
    assert found[0].splitlines()[0].endswith(" hides a NaN")
    assert found[0].splitlines()[1].startswith("  with NaN in the cotangent at [")
    assert found[0].splitlines()[2] == "  NaN in, NaN out: a lost number must not look like a found one"


@pytest.mark.parametrize("mutant", [without_nan, of_clean_inputs])
def test_a_nan_of_an_input_shows_in_every_gradient_that_depends_on_it(mutant):
    assert {fault.split()[2] for fault in all_seeds(input_faults, subject(mutant))} == {"x", "w", "b"}


def test_a_nan_of_an_input_shows_in_the_output():
    found = all_seeds(input_faults, subject(vjp, lambda *a: np.nan_to_num(forward(*a))))
    assert set(some(found)) == {"the output hides a NaN"}


def certified(**parts):
    right = {
        "forward": lambda x, W, b, activation: x @ W.T + b,
        "vjp": lambda c, x, W, b, activation: (c @ W, c.T @ x, c.sum(axis=0)),
    }

    def linear(call):
        def declines(*arguments, activation):
            if activation != "identity":
                raise NotImplementedError
            return call(*arguments, activation=activation)

        return declines

    offer = types.SimpleNamespace(**{name: linear(call) for name, call in (right | parts).items()})
    return certify(types.SimpleNamespace(dense=offer), ["dense"], examples=12)


def test_a_certificate_has_a_row_for_them_where_every_gradient_is_right_by_itself():
    def vjp(c, x, W, b, activation):
        clean = np.nan_to_num(c)
        return clean @ W, clean.T @ np.nan_to_num(x), clean.sum(axis=0)

    assert [each.input for each in certified().results] == ["forward", "x", "W", "b"]
    found = certified(vjp=vjp)
    verdicts = {each.input: str(each.verdict) for each in found.results}
    assert verdicts == {"forward": "pass", "x": "pass", "W": "pass", "b": "pass", "conduct": "fail"}
    assert found.results[-1].reason.splitlines()[0] == "gradient of x hides a NaN"
    assert found.exit_status == 1


def test_a_wrong_gradient_is_told_by_its_own_row_alone():
    found = certified(vjp=lambda c, x, W, b, activation: (c @ W, c.T @ x / len(x), c.sum(axis=0)))
    verdicts = {each.input: str(each.verdict) for each in found.results}
    assert verdicts == {"forward": "pass", "x": "pass", "W": "fail", "b": "pass"}
