"""The row of a target's own step: certified beside its gradients, and wrong in every way in which steps go wrong."""

import types
from dataclasses import replace

import numpy as np
import pytest
from hypothesis.strategies import just

import reference
from gradcheck.certify import certify
from gradcheck.implementation import implements, load
from gradcheck.importing import TargetError
from gradcheck.operation import operations
from gradcheck.verdict import Verdict

CATALOGUE = operations()
POOL = reference.subsampling
DENSE = reference.dense


def certified(name, conventions=None, examples=3, **parts):
    operation = CATALOGUE[name]
    edges = [case for case in operation.edges if case.size > 20 and not case.fixed][:examples]
    told = replace(operation, edges=tuple(edges), cases=just(edges[0]))
    members = {key: staticmethod(part) for key, part in parts.items()}
    marked = implements(name, **(conventions or {}))(type("Target", (), members))
    return certify(marked, [name], examples=len(edges), catalogue={name: told})


def row(found, name="step"):
    return next((each for each in found.results if each.input == name), None)


def subsampling(step, **parts):
    given = {"forward": POOL.forward, "vjp": POOL.vjp} | parts
    return row(certified("subsampling", step=step, **{k: v for k, v in given.items() if v is not None}))


def stepped(*updates):
    """A step of β and b, each by update(p, rate, dβ, db)."""

    def step(cotangent, x, beta, b, *, learning_rate, **options):
        _, dbeta, db = POOL.vjp(cotangent, x, beta, b, **options)
        rates = learning_rate if isinstance(learning_rate, tuple) else (learning_rate,) * 3
        return (None, *(u(p, r, dbeta, db) for u, p, r in zip(updates, (beta, b), rates[1:], strict=True)))

    return step


def right_beta(p, r, dbeta, db):
    return p - r * dbeta


def right_b(p, r, dbeta, db):
    return p - r * db


@pytest.mark.parametrize("name", ["dense", "convolution", "subsampling", "combination", "network"])
def test_the_reference_s_step_passes(name):
    part = getattr(reference, name)
    found = certified(name, examples=2, forward=part.forward, vjp=part.vjp, step=part.step)
    assert row(found).verdict is Verdict.PASS, row(found).reason
    assert row(found).evidence == "update"
    assert row(found).resolution < 1e-9


def test_without_a_vjp_or_beside_a_wrong_one_a_step_is_judged_by_the_derivative_itself():
    step = stepped(right_beta, right_b)
    assert subsampling(step).evidence == "update"
    for vjp in (None, lambda c, *inputs, **options: tuple(2 * g for g in POOL.vjp(c, *inputs, **options))):
        found = subsampling(step, vjp=vjp)
        assert found.verdict is Verdict.PASS, found.reason
        assert "update" not in found.evidence
    found = subsampling(stepped(right_beta, right_beta), vjp=None)
    assert found.verdict is Verdict.FAIL
    assert found.worst["subject"] == "subsampling, step of b"
    assert found.reason.startswith("p − step(p) at η = 1 is not ∂E/∂b: ")


MISTAKES = {
    "b with dβ": ((right_beta, right_beta), "b", "b stepped by the gradient of beta"),
    "sign": (
        (right_beta, lambda p, r, dbeta, db: p + r * db),
        "b",
        "the step with the other sign: p + η ∘ ∂E/∂p",
    ),
    "rate squared": (
        (lambda p, r, dbeta, db: p - r**2 * dbeta, right_b),
        "beta",
        "a step by the rate squared",
    ),
    "mean": (
        (right_beta, lambda p, r, dbeta, db: p - r * db / 2),
        "b",
        "the right step divided by 2, as by a mean in place of a sum",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_step_fails_though_every_gradient_is_right(mistake):
    updates, name, said = MISTAKES[mistake]
    found = certified("subsampling", forward=POOL.forward, vjp=POOL.vjp, step=stepped(*updates))
    verdicts = {each.input: str(each.verdict) for each in found.results}
    assert verdicts == {"forward": "pass", "x": "pass", "beta": "pass", "b": "pass", "step": "fail"}
    assert row(found).worst["subject"] == f"subsampling, step of {name}"
    assert row(found).diagnosis == said
    assert found.exit_status == 1


def test_a_step_through_weights_that_are_updated_already_fails():
    def step(cotangent, x, W, b, *, learning_rate, activation):
        W = W - learning_rate * DENSE.vjp(cotangent, x, W, b, activation)[1]
        return None, W, b - learning_rate * DENSE.vjp(cotangent, x, W, b, activation)[2]

    found = row(certified("dense", forward=DENSE.forward, vjp=DENSE.vjp, step=step, examples=4))
    assert (found.verdict, found.diagnosis) == (Verdict.FAIL, "the gradient taken through already updated W")


def test_a_step_that_writes_into_its_arguments_fails():
    def step(cotangent, x, W, b, *, learning_rate, activation):
        _, dW, db = DENSE.vjp(cotangent, x, W, b, activation)
        W -= learning_rate * dW
        b -= learning_rate * db
        return None, W, b

    found = row(certified("dense", forward=DENSE.forward, vjp=DENSE.vjp, step=step))
    assert found.reason.startswith("step writes into the caller's W: it owes a new array")


def test_one_rate_a_weight_is_tried_where_the_step_takes_it():
    def wrong(p, r, dbeta, db):
        return p - (np.flip(r) if np.ndim(r) else r) * dbeta

    found = subsampling(stepped(wrong, right_b))
    assert found.reason.startswith("with one rate for each weight: beta_new − beta_old is not −η ∘ ∂E/∂beta")
    assert found.diagnosis == "the rates reversed along axis 0"

    def one_alone(cotangent, x, beta, b, *, learning_rate, **options):
        return stepped(right_beta, right_b)(
            cotangent, x, beta, b, learning_rate=float(learning_rate), **options
        )

    assert subsampling(one_alone).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (
            lambda c, x, beta, b, **options: None,
            "the step does not return one new array for each input\n  returned None",
        ),
        (
            lambda c, x, beta, b, **options: (beta, b),
            "the step does not return one new array for each input\n  returned 2",
        ),
        (lambda c, x, beta, b, **options: (x + 1, beta, b), "the step changes x, which is no parameter"),
        (lambda c, x, beta, b, **options: (None, beta[None], b), "the new beta has shape (1, "),
    ],
)
def test_a_step_of_another_form_fails(step, reason):
    found = subsampling(step)
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith(reason)


def test_a_step_that_raises_is_an_error_and_the_rest_stands():
    found = certified("subsampling", forward=POOL.forward, vjp=POOL.vjp, step=lambda *a, **o: 1 / 0)
    assert row(found).verdict is Verdict.ERROR
    assert row(found).reason.startswith("the step raised ZeroDivisionError: division by zero")
    assert row(found, "b").verdict is Verdict.PASS


def test_parameters_may_be_left_alone_and_what_is_declined_is_not_offered():
    assert subsampling(stepped(right_beta, lambda p, r, dbeta, db: None)).verdict is Verdict.PASS
    assert subsampling(lambda c, *inputs, **options: (None, None, None)) is None

    def declines(*arguments, **options):
        raise NotImplementedError

    assert subsampling(declines) is None


def test_a_step_is_compared_in_the_layout_and_the_scale_of_the_target():
    """β' = n² β is stepped by its own gradient, ∂E/∂β / n², which is no n²-th part of our step."""

    def forward(x, beta, b, *, n, **options):
        return POOL.forward(x / n**2, beta, b, n=n, **options)

    def vjp(cotangent, x, beta, b, *, n, **options):
        dx, dbeta, db = POOL.vjp(cotangent, x / n**2, beta, b, n=n, **options)
        return dx / n**2, dbeta, db

    def step(cotangent, x, beta, b, *, learning_rate, **options):
        _, dbeta, db = vjp(cotangent, x, beta, b, **options)
        return None, beta - learning_rate * dbeta, b - learning_rate * db

    found = certified("subsampling", {"pooling": "mean"}, forward=forward, vjp=vjp, step=step)
    assert found.verdict is Verdict.PASS, row(found).reason
    wrong = certified("subsampling", {"pooling": "mean"}, forward=forward, vjp=vjp,
                      step=lambda c, x, *rest, n, **o: step(c, x * n, *rest, n=n, **o))  # fmt: skip
    assert row(wrong).verdict is Verdict.FAIL


def test_a_step_without_parameters_is_refused():
    with pytest.raises(TargetError) as caught:
        load(types.SimpleNamespace(tanh=types.SimpleNamespace(step=np.tanh)), CATALOGUE)
    assert str(caught.value).splitlines()[0] == "target: tanh offers a step for tanh, which has no parameters"
    assert "dense" in str(caught.value).splitlines()[1]


def test_a_step_may_be_required():
    part = types.SimpleNamespace(
        dense=types.SimpleNamespace(forward=DENSE.forward, vjp=DENSE.vjp, step=DENSE.step)
    )
    assert certify(part, ["dense"], examples=2, require=["dense.step"]).exit_status == 0
    del part.dense.step
    found = certify(part, ["dense"], examples=2, require=["dense.step"])
    assert (found.exit_status, row(found).reason) == (1, "required, but not offered")
