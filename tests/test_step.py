"""The parameter step: right ones pass at any rate, and each way to get one wrong is failed and named."""

import numpy as np
import pytest

from gradcheck import check_step
from gradcheck.verdict import GradientMismatch, Verdict
from reference import update

RNG = np.random.default_rng(3)
X, T = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 3))
W = RNG.standard_normal((3, 3))
BETA, B = RNG.standard_normal(3), RNG.standard_normal(3)
PARAMS, NAMES = (W, BETA, B), ("W", "beta", "b")
RATES = (RNG.uniform(0.5, 2.0, (3, 3)), RNG.uniform(0.5, 2.0, 3), 0.25)


def grad(w, beta, b):
    """E = ½ Σ (tanh(β ∘ W x + b) − t)², for a batch of four."""
    v = X @ w.T
    y = np.tanh(beta * v + b)
    delta = (y - T) * (1 - y**2)
    return (delta * beta).T @ X, np.sum(delta * v, axis=0), delta.sum(axis=0)


def rates(rate):
    return rate if isinstance(rate, tuple) else (rate,) * 3


def right(*params, learning_rate):
    return tuple(p - r * g for p, r, g in zip(params, rates(learning_rate), grad(*params), strict=True))


def checked(step, rate=0.1, params=PARAMS, **options):
    return check_step(step, grad, params, learning_rate=rate, names=NAMES, **options)


def by(*updates):
    """A step that takes each parameter by its own update(p, rate, gradients)."""

    def step(*params, learning_rate):
        given = grad(*params)
        return tuple(u(p, r, given) for u, p, r in zip(updates, params, rates(learning_rate), strict=True))

    return step


def of(i):
    return lambda p, r, g: p - r * g[i]


def in_place(w, beta, b, *, learning_rate):
    given = grad(w, beta, b)
    for p, r, g in zip((w, beta, b), rates(learning_rate), given, strict=True):
        p -= r * g
    return w, beta, b


def one_after_the_other(w, beta, b, *, learning_rate):
    r = rates(learning_rate)
    w = w - r[0] * grad(w, beta, b)[0]
    beta = beta - r[1] * grad(w, beta, b)[1]
    return w, beta, b - r[2] * grad(w, beta, b)[2]


def last_first(w, beta, b, *, learning_rate):
    r = rates(learning_rate)
    b = b - r[2] * grad(w, beta, b)[2]
    beta = beta - r[1] * grad(w, beta, b)[1]
    return w - r[0] * grad(w, beta, b)[0], beta, b


class WithMomentum:
    """Right at its first call alone."""

    def __init__(self):
        self.speed = [0.0, 0.0, 0.0]

    def __call__(self, *params, learning_rate):
        self.speed = [0.9 * v + g for v, g in zip(self.speed, grad(*params), strict=True)]
        return tuple(p - learning_rate * v for p, v in zip(params, self.speed, strict=True))


@pytest.mark.parametrize("rate", [0.1, 1.0, 1e-5, 1e3, -0.5, RATES, (0.1, 0.2, 0.3)], ids=str)
def test_a_right_step_passes_at_any_rate(rate):
    check = checked(right, rate)
    assert check.verdict is Verdict.PASS, str(check)
    assert [part.subject for part in check.parts] == ["step of W", "step of beta", "step of b"]
    assert check.resolution < 1e-12


@pytest.mark.parametrize(
    "step",
    [
        by(*(lambda p, r, g, i=i: p + (-r * g[i]) for i in range(3))),
        by(*(lambda p, r, g, i=i: (p / r - g[i]) * r for i in range(3))),
        by(*(lambda p, r, g, i=i: p - np.float64(r) * g[i][::-1][::-1] for i in range(3))),
    ],
)
def test_a_right_step_that_rounds_otherwise_passes(step):
    assert checked(step, 0.1).verdict is Verdict.PASS


def test_a_gradient_summed_in_another_order_passes():
    def step(w, beta, b, *, learning_rate):
        v = X @ w.T
        y = np.tanh(beta * v + b)
        delta = (y - T) * (1 - y**2)
        dw = sum(np.outer(delta[n] * beta, X[n]) for n in (3, 1, 0, 2))
        db = sum(delta[n] for n in (2, 0, 3, 1))
        dbeta = sum(delta[n] * v[n] for n in (1, 3, 2, 0))
        return w - learning_rate * dw, beta - learning_rate * dbeta, b - learning_rate * db

    assert checked(step).verdict is Verdict.PASS


MISTAKES = {
    "b stepped with dβ": (by(of(0), of(1), of(1)), 0.1, "b", "b stepped by the gradient of beta"),
    "β stepped with db": (by(of(0), of(2), of(2)), 0.1, "beta", "beta stepped by the gradient of b"),
    "sign": (
        by(of(0), of(1), lambda p, r, g: p + r * g[2]), 0.1, "b", "the step with the other sign: p + η ∘ ∂E/∂p"
    ),
    "rate squared": (by(lambda p, r, g: p - r**2 * g[0], of(1), of(2)), 0.1, "W", "a step by the rate squared"),
    "rate squared, at a rate of 1": (
        by(lambda p, r, g: p - r**2 * g[0], of(1), of(2)), 1.0, "W", "a step by the rate squared"
    ),
    "no rate": (by(of(0), lambda p, r, g: p - g[1], of(2)), 0.1, "beta", "a step without the rate: p − ∂E/∂p"),
    "through updated weights": (
        one_after_the_other, 0.1, "b", "the gradient taken through already updated W, beta"
    ),
    "through weights updated backwards": (
        last_first, 0.1, "W", "the gradient taken through already updated beta, b"
    ),
    "mean": (
        by(lambda p, r, g: p - r * g[0] / 4, of(1), of(2)), 0.1, "W",
        "the right step divided by 4, as by a mean in place of a sum",
    ),
    "half": (
        by(of(0), of(1), lambda p, r, g: p - 1.5 * r * g[2]), 0.1, "b", "the right step times 1.5"
    ),
    "not stepped": (by(of(0), lambda p, r, g: p.copy(), of(2)), 0.1, "beta", "not stepped at all"),
    "the update alone": (
        by(of(0), lambda p, r, g: -r * g[1], of(2)), 0.1, "beta",
        "the update −η ∘ ∂E/∂p itself, without the parameter",
    ),
    "weight decay": (
        by(lambda p, r, g: p - r * (g[0] + 0.01 * p), of(1), of(2)), 0.5, "W",
        "the right step and -0.005 times the parameter, as by weight decay",
    ),
    "rates transposed": (by(lambda p, r, g: p - r.T * g[0], of(1), of(2)), RATES, "W", "the rates transposed"),
    "rate of the first row for all": (
        by(lambda p, r, g: p - r[:1] * g[0], of(1), of(2)), RATES, "W",
        "the first rate along axis 0 for all of that axis",
    ),
    "rate of the first column for all": (
        by(lambda p, r, g: p - r[:, :1] * g[0], of(1), of(2)), RATES, "W",
        "the first rate along axis 1 for all of that axis",
    ),
    "mean of the rates": (
        by(lambda p, r, g: p - r.mean() * g[0], of(1), of(2)), RATES, "W", "the mean rate for all weights"
    ),
    "rate of another": (
        by(of(0), of(1), lambda p, r, g: p - g[2] * RATES[1] * r / 0.25), RATES, "b", "b stepped at the rate of beta"
    ),
    "transposed gradient": (
        by(lambda p, r, g: p - r * g[0].T, of(1), of(2)), 0.1, "W", "a step by the transposed gradient"
    ),
    "one element off": (
        by(lambda p, r, g: p - r * g[0] * np.where(np.eye(3) > 0, 1 + 1e-9, 1), of(1), of(2)), 0.1, "W", None
    ),
    "float32 on the way": (
        by(lambda p, r, g: (p - r * g[0]).astype(np.float32).astype(np.float64), of(1), of(2)), 0.1, "W", None
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_step_fails_in_the_parameter_that_it_gets_wrong_and_is_named(mistake):
    step, rate, name, said = MISTAKES[mistake]
    check = checked(step, rate)
    assert check.verdict is Verdict.FAIL
    part = check.parts[NAMES.index(name)]
    assert part.verdict is Verdict.FAIL
    assert part.diagnosis == said
    assert f"{name}_new − {name}_old is not −η ∘ ∂E/∂{name}" in part.reason
    if "updated" not in mistake and mistake != "rate of another":
        assert [each.subject for each in check.parts if not each.passed] == [f"step of {name}"]


def test_the_report_reads_well():
    with pytest.raises(GradientMismatch) as caught:
        checked(by(of(0), of(1), of(1))).assert_passed()
    lines = str(caught.value).splitlines()
    assert lines[0] == "step of b: fail (seed 0, float64, update)"
    assert lines[1] == "  step of W: pass (seed 0, float64, update)"
    assert "  step of b is wrong in 3 of 3 elements (seed 0, float64, update)" in lines
    assert lines[-1] == "    looks like      b stepped by the gradient of beta"


def test_a_step_that_writes_into_its_arguments_fails_and_they_are_as_they_were():
    before = [p.copy() for p in PARAMS]
    check = checked(in_place)
    assert [part.reason for part in check.parts] == [
        f"step writes into the caller's {name}: it owes a new array" for name in NAMES
    ]
    assert all(np.array_equal(p, was) for p, was in zip(PARAMS, before, strict=True))


def test_a_step_that_is_right_at_its_first_call_alone_fails():
    check = checked(WithMomentum())
    assert check.verdict is Verdict.FAIL
    assert check.parts[0].reason == "step of W is another at a second call with the same arguments"


def test_a_step_that_is_another_each_time_fails():
    drawn = np.random.default_rng(0)

    def step(*params, learning_rate):
        return tuple(p * (1 + 1e-17 * drawn.integers(9)) for p in right(*params, learning_rate=learning_rate))

    def jumps(*params, learning_rate, seen=[]):  # noqa: B006
        seen.append(1)
        return tuple(
            p + (1.0 if len(seen) == 2 else 0.0) for p in right(*params, learning_rate=learning_rate)
        )

    assert checked(step).verdict is Verdict.PASS
    part = checked(jumps).parts[0]
    assert part.reason == "step of W is another at a second call with the same arguments"


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (lambda p: p[None], "the new W has shape (1, 3, 3), wanted (3, 3)"),
        (lambda p: p.astype(int), "the new W has dtype int64, wanted float64"),
        (lambda p: p.astype(np.float32), "the new W comes back coarser: dtype float32, wanted float64"),
    ],
)
def test_a_new_parameter_of_another_form_fails(new, reason):
    part = checked(by(lambda p, r, g: new(p - r * g[0]), of(1), of(2))).parts[0]
    assert (part.verdict, part.reason) == (Verdict.FAIL, reason)


def test_a_parameter_that_is_not_stepped_is_no_pass():
    check = checked(by(of(0), of(1), lambda p, r, g: None))
    assert [str(part.verdict) for part in check.parts] == ["pass", "pass", "inconclusive"]
    assert check.parts[2].reason == "b is not stepped: None came back"


def test_a_nan_fails():
    check = checked(by(lambda p, r, g: p * np.nan, of(1), of(2)))
    assert check.parts[0].verdict is Verdict.FAIL


def test_a_gradient_of_zero_proves_little():
    check = check_step(lambda p, learning_rate: p.copy(), np.zeros_like, (B,), learning_rate=0.1)
    assert (check.verdict, check.zero_everywhere) == (Verdict.PASS, True)
    assert check.reason == "the gradient is zero, and nothing moves: a pass that proves little"


def test_a_step_of_a_zero_gradient_that_moves_fails():
    check = check_step(lambda p, learning_rate: p * 0.9, np.zeros_like, (B,), learning_rate=0.1)
    assert check.verdict is Verdict.FAIL
    assert check.diagnosis == "the right step and -0.1 times the parameter, as by weight decay"


def test_a_demand_that_rounding_does_not_allow_is_inconclusive():
    check = checked(right, wanted=1e-20)
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.parts[0].reason.startswith("could have seen a relative error of ")


def test_float32_is_judged_by_its_own_rounding():
    params = tuple(p.astype(np.float32) for p in PARAMS)

    def of32(*given):
        return tuple(g.astype(np.float32) for g in grad(*given))

    def step(*given, learning_rate):
        return tuple(p - np.float32(learning_rate) * g for p, g in zip(given, of32(*given), strict=True))

    check = check_step(step, of32, params, learning_rate=0.1, names=NAMES)
    assert check.verdict is Verdict.PASS, str(check)
    assert 1e-8 < check.resolution < 1e-4


def test_parameters_and_rates_may_be_mappings_as_the_reference_has_them():
    params = dict(zip(NAMES, PARAMS, strict=True))

    def grads(given):
        return dict(zip(NAMES, grad(*given.values()), strict=True))

    def step(given, learning_rate):
        return update.step(given, grads(given), learning_rate)

    for rate in (0.1, dict(zip(NAMES, RATES, strict=True))):
        assert check_step(step, grads, params, learning_rate=rate).verdict is Verdict.PASS

    def wrong(given, learning_rate):
        return step(given, learning_rate) | {"b": given["b"] - learning_rate * grads(given)["beta"]}

    check = check_step(wrong, grads, params, learning_rate=0.1)
    assert check.diagnosis == "b stepped by the gradient of beta"


def test_one_parameter_may_be_alone():
    check = check_step(
        lambda p, learning_rate: p - learning_rate * 2 * p, lambda p: 2 * p, (B,), learning_rate=0.1
    )
    assert (check.verdict, check.parts, check.subject) == (Verdict.PASS, (), "step of p")
    per_weight = check_step(
        lambda p, learning_rate: p - learning_rate[0] * 2 * p, lambda p: 2 * p, (B,), learning_rate=RATES[1]
    )
    assert per_weight.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("options", "error", "lines"),
    [
        ({"params": W}, TypeError, ["check_step: params are neither a sequence nor a mapping of arrays"]),
        ({"params": ()}, ValueError, ["check_step: there are no parameters"]),
        ({"params": (1j, 2.0)}, TypeError, ["check_step: params[0] is not an array of real numbers"]),
        (
            {"names": ("W",)},
            ValueError,
            ["check_step: names do not fit params", "  len(names) = 1, wanted 2"],
        ),
        ({"learning_rate": 0.0}, ValueError, ["check_step: learning_rate of params[0] is 0"]),
        ({"learning_rate": np.nan}, ValueError, ["check_step: learning_rate of params[0] is not finite"]),
        ({"learning_rate": (0.1,)}, ValueError, ["check_step: learning_rate does not fit params"]),
        (
            {"learning_rate": np.ones(3)},
            TypeError,
            ["check_step: learning_rate is one array for several parameters"],
        ),
        (
            {"learning_rate": (np.ones(2), 0.1)},
            ValueError,
            [
                "check_step: learning_rate does not fit params[0]",
                "  learning_rate.shape = (2,), params[0].shape = (3, 3)",
                "  a rate is one number, or one for each weight in the shape of the parameter",
            ],
        ),
        ({"learning_rate": {"W": 0.1}}, ValueError, ["check_step: learning_rate lacks parameters"]),
        ({"seed": -1}, ValueError, ["check_step: seed is negative"]),
        ({"wanted": 0.0}, ValueError, ["check_step: wanted is not positive"]),
        (
            {"step": lambda *p, learning_rate: p[0]},
            ValueError,
            ["check_step: step does not return one array for each"],
        ),
        (
            {"grad": lambda *p: None},
            ValueError,
            ["check_step: grad does not return one array for each parameter"],
        ),
        ({"grad": lambda *p: (p[1], p[0])}, ValueError, ["check_step: grad is no gradient"]),
    ],
)
def test_a_wrong_call_is_refused(options, error, lines):
    given = {
        "step": lambda *p, learning_rate: p,
        "grad": lambda *p: p,
        "params": (W, B),
        "learning_rate": 0.1,
    } | options
    with pytest.raises(error) as caught:
        check_step(given.pop("step"), given.pop("grad"), given.pop("params"), **given)
    seen = str(caught.value).splitlines()
    assert seen[0].startswith(lines[0])
    assert seen[1 : len(lines)] == lines[1:]


def test_a_step_that_is_right_at_the_given_rate_alone_fails_and_says_so():
    check = checked(by(lambda p, r, g: p - (r if r == 0.1 else 0.1) * g[0], of(1), of(2)))
    assert " times the rate, though it is at the rate itself: " in check.parts[0].reason
    assert check.parts[0].diagnosis is not None
