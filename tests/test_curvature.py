"""Second order: the reference's Hessian products, the row "hvp", and its mutants, each failed for what it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis.strategies import just

import reference
from gradcheck import check_hvp
from gradcheck.certificate import Certificate
from gradcheck.certify import certify
from gradcheck.cli import main
from gradcheck.implementation import implements
from gradcheck.importing import TargetError
from gradcheck.operation import operations
from gradcheck.plan import cases_of, values_of
from gradcheck.verdict import Verdict
from reference import _tangent, network
from reference.activation import ACTIVATIONS

CATALOGUE = operations()
NETWORK = CATALOGUE["network"]


def tangents_of(arrays, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(array.shape) for array in arrays]


def inner(left, right):
    return sum(float(np.sum(a * b)) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_curvature_is_the_derivative_of_the_slope(name):
    u = np.concatenate([np.linspace(-6, 6, 41), [-40.0, 40.0]])
    by_complex_step = np.imag(ACTIVATIONS[name].slope(u + 1e-30j)) / 1e-30
    # a dozen operations of 1 ε each, relative
    np.testing.assert_allclose(ACTIVATIONS[name].curvature(u), by_complex_step, rtol=3e-15, atol=1e-300)


def without_penalty(architecture):
    """The same with λ = 0: |α|, of which the penalty is made, takes no complex step, and adds nothing (E6)."""
    return tuple((*layer[:4], 0.0) if layer[0] == "combination" else layer for layer in architecture)


@pytest.mark.parametrize("place", range(12))
def test_the_networks_product_is_the_complex_step_of_its_gradients_and_symmetric(place):
    case = cases_of(NETWORK, 12, 0)[place]
    values, options = values_of(0, NETWORK, case), case.arguments()
    u, v = tangents_of(values, 1), tangents_of(values, 2)
    plain = {"architecture": without_penalty(options["architecture"])}
    by_complex_step = network.vjp(1.0, *[a + 1e-30j * b for a, b in zip(values, u, strict=True)], **plain)
    products = network.hvp(1.0, u, *values, **options)
    size = max(float(np.abs(product).max()) for product in products)
    for product, moved in zip(products, by_complex_step, strict=True):
        # some hundred terms a number, of at most the size of the largest
        np.testing.assert_allclose(product, np.imag(moved) / 1e-30, rtol=0, atol=1e-14 * size)
    there, back = inner(v, products), inner(u, network.hvp(1.0, v, *values, **options))
    terms = sum(float(np.sum(np.abs(a * b))) for a, b in zip(v, products, strict=True))
    assert abs(there - back) <= 100 * np.finfo(float).eps * terms  # rounding of some hundred terms


def test_the_networks_product_passes_check_hvp():
    case = NETWORK.edges[0]
    values, options = values_of(0, NETWORK, case), case.arguments()
    ends = np.cumsum([value.size for value in values])[:-1]

    def apart(z):
        return [part.reshape(v.shape) for part, v in zip(np.split(z, ends), values, strict=True)]

    def flat(arrays):
        return np.concatenate([array.ravel() for array in arrays])

    def grad(z):
        return flat(network.vjp(1.0, *apart(z), **options))

    def hvp(z, v):
        return flat(network.hvp(1.0, apart(v), *apart(z), **options))

    found = check_hvp(grad, hvp, flat(values))
    assert found.passed, found
    assert found.resolution < 1e-9


def test_tangents_that_do_not_fit_are_refused():
    net, ones = (("dense", 1, "identity"),), [np.ones((1, 1, 1, 1)), np.ones((1, 1)), np.ones((1, 1))]
    point = [*ones, np.zeros(1), np.zeros((1, 1))]
    with pytest.raises(
        ValueError, match="the tangents do not fit the arrays\n  tangents = 2, wanted one for each"
    ):
        network.hvp(1.0, ones[:2], *point, architecture=net)
    with pytest.raises(ValueError, match=r"tangents\[0\] does not fit x"):
        network.hvp(
            1.0,
            [np.ones((2, 1, 1, 1)), np.ones((2, 1)), *point[2:4], np.ones((2, 1))],
            *point,
            architecture=net,
        )


# The row


def certified(name="network", edges=slice(0, 2), order=2, **parts):
    operation = CATALOGUE[name]
    edges = operation.edges[edges]
    told = replace(operation, edges=tuple(edges), cases=just(edges[0]))
    part = getattr(reference, name)
    given = {"forward": part.forward, "vjp": part.vjp} | parts
    members = {key: staticmethod(each) for key, each in given.items()}
    marked = implements(name)(type("Target", (), members))
    return certify(marked, [name], examples=len(edges), catalogue={name: told}, order=order)


def row(found, name="hvp"):
    return next((each for each in found.results if each.input == name), None)


def test_the_reference_passes_and_only_where_it_is_asked():
    found = row(certified(edges=slice(0, 1), hvp=network.hvp))
    assert found.verdict is Verdict.PASS, found.reason
    assert found.resolution < 1e-9
    assert row(certified(edges=slice(2, 3), hvp=network.hvp, order=1)) is None


def without_bend(monkeypatch):
    flat = {name: replace(each, curvature=np.zeros_like) for name, each in ACTIVATIONS.items()}
    monkeypatch.setattr("reference.network.named", lambda name: flat[name])
    return network.hvp


def of_upper_half(monkeypatch):
    def hvp(cotangent, tangents, *inputs, **options):
        lower = [np.zeros_like(v) if i < len(tangents) // 2 else v for i, v in enumerate(tangents)]
        return network.hvp(cotangent, lower, *inputs, **options)

    return hvp


def halved(monkeypatch):
    return lambda *given, **options: tuple(h / 2 for h in network.hvp(*given, **options))


def one_too_small(monkeypatch):
    """The block of one input is off by a hundredth of a thousandth."""

    def hvp(*given, **options):
        found = list(network.hvp(*given, **options))
        found[2] = found[2] * (1 + 1e-5)
        return tuple(found)

    return hvp


def softmax_straight(monkeypatch):
    monkeypatch.setattr(_tangent, "softmax_bend", lambda g, alpha, dalpha: np.zeros_like(alpha))
    return network.hvp


def opposite(monkeypatch):
    return lambda *given, **options: tuple(-h for h in network.hvp(*given, **options))


def bent(monkeypatch):
    """A square of the tangent beside it: no linear map."""
    return lambda c, v, *inputs, **o: tuple(
        h + 1e-3 * w**2 for h, w in zip(network.hvp(c, v, *inputs, **o), v, strict=True)
    )


MUTANTS = {
    "f'' dropped: Gauss-Newton": (without_bend, "in the gradient of"),
    "tangents of the lower half left out: not symmetric": (of_upper_half, "hvp along"),
    "half": (halved, "hvp along"),
    "opposite sign": (opposite, "hvp along"),
    "1e-5 too large in one input": (one_too_small, "in the gradient of W1"),
    "a softmax without its second derivative": (softmax_straight, "in the gradient of c"),
    "not linear": (bent, "hvp along"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_product_fails_in_its_row_alone(mutant, monkeypatch):
    make, said = MUTANTS[mutant]
    found = certified(hvp=make(monkeypatch), edges=slice(0, 1) if "softmax" in mutant else slice(2, 3))
    assert row(found).verdict is Verdict.FAIL, row(found).reason
    assert said in row(found).worst["subject"] or "linear" in row(found).reason, row(found).worst
    assert all(each.verdict is Verdict.PASS for each in found.results if each.input != "hvp" and each.cases)


def test_a_product_that_is_only_not_symmetric_is_told_so():
    """Right beside gradients that are those of no function: of each check, what it is there for."""
    turn = np.array([[1.0, 2.0], [0.0, 1.0]])
    found = check_hvp(lambda x: turn @ x, lambda x, v: turn @ v, np.array([1.0, 2.0]))
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("not symmetric")


ANSWERS = {
    "None": (
        lambda *given, **options: None,
        "the hvp does not return one array for each input\n  returned None",
    ),
    "too few": (lambda c, v, *inputs, **o: tuple(v[:2]), "returned 2 entries"),
    "misshapen": (
        lambda c, v, *inputs, **o: tuple(np.ones(2) for _ in inputs),
        "the hvp of x has another shape",
    ),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_of_another_form_is_a_failure(answer):
    hvp, said = ANSWERS[answer]
    found = row(certified("dense", hvp=hvp))
    assert found.verdict is Verdict.FAIL
    assert said in found.reason


def test_an_hvp_that_raises_is_an_error_and_one_that_gives_none_is_not_offered():
    def raising(*given, **options):
        raise ZeroDivisionError("no curvature")

    assert "ZeroDivisionError: no curvature" in row(certified("dense", hvp=raising)).reason
    found = certified("dense", hvp=lambda c, v, *inputs, **options: (None,) * 3)
    assert row(found) is None
    assert ("dense", "hvp") in {(each.operation, each.input) for each in found.not_offered}


def test_beside_wrong_gradients_it_is_inconclusive():
    def doubled(c, *inputs, **options):
        return tuple(2 * g for g in reference.dense.vjp(c, *inputs, **options))

    def zero(c, v, *inputs, **options):
        return tuple(map(np.zeros_like, inputs))

    found = certified("dense", hvp=zero, vjp=doubled)
    assert row(found).verdict is Verdict.INCONCLUSIVE
    assert "no right gradient" in row(found).reason


def test_what_does_not_bend_passes_and_says_how_little_that_proves():
    found = row(certified("upsample", hvp=lambda c, v, x, **options: (np.zeros_like(x),)))
    assert found.verdict is Verdict.PASS
    assert found.zero_everywhere
    wrong = row(certified("upsample", hvp=lambda c, v, x, **options: (1e-3 * v[0],)))
    assert wrong.verdict is Verdict.FAIL


def test_a_target_without_any_is_refused():
    with pytest.raises(
        TargetError, match="offers no second derivatives\n  order = 2, operations with an hvp = none"
    ):
        certified("dense")
    with pytest.raises(ValueError, match="certify: no such order\n  order = 3"):
        certify("reference", order=3)
    with pytest.raises(TargetError, match="operations with an hvp = network, asked = dense"):
        certify("reference", ["dense"], order=2)


def test_the_command_line_has_it_resumes_it_and_replays_it(tmp_path):
    file = tmp_path / "c.json"
    call = [
        "certify",
        "reference",
        "--operation",
        "network",
        "--order",
        "2",
        "--examples",
        "2",
        "--json",
        str(file),
    ]
    done = CliRunner().invoke(main, [*call, "--no-isolate", "--require", "network.hvp"])
    assert done.exit_code == 0, done.output
    certificate = Certificate.from_json(file.read_text())
    assert row(certificate).verdict is Verdict.PASS
    again = CliRunner().invoke(main, ["replay", str(file), "--result", "network.hvp", "--no-isolate"])
    assert again.exit_code == 0, again.output
    refused = CliRunner().invoke(main, ["certify", "scipy", "--order", "2"])
    assert refused.exit_code == 2
    assert "offers no second derivatives" in refused.output


def test_order_is_a_part_of_what_a_run_goes_on_from():
    def stop(done, total, name):
        if done >= 1:
            raise KeyboardInterrupt

    small = replace(NETWORK, edges=(NETWORK.edges[2],), cases=just(NETWORK.edges[1]))
    run = {"operations": ["network"], "examples": 2, "catalogue": {"network": small}}
    half = Certificate.from_json(certify("reference", order=2, progress=stop, **run).to_json())
    with pytest.raises(ValueError, match="its order = 2\n  here = 1"):
        certify("reference", resume=half, **run)
    assert row(certify("reference", order=2, resume=half, **run)).verdict is Verdict.PASS


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_what_frameworks_derive_twice_passes(library):
    pytest.importorskip(library)
    found = certify(library, ["dense", "softmax"], inputs=["hvp"], examples=3)
    assert {(each.operation, each.verdict) for each in found.results} == {
        ("dense", Verdict.PASS),
        ("softmax", Verdict.PASS),
    }
