"""The promise of the oracle: these names take these arguments, in later versions of the same first number too."""

from __future__ import annotations

import inspect

import pytest

import gradcheck

PROMISED = {
    "derivative": ("f", "x", "direction", "budget"),
    "gradient": ("f", "x", "budget"),
    "jacobian": ("f", "x", "budget"),
    "check_gradient": ("f", "grad", "x", "seed", "wanted"),
    "check_vjp": ("f", "vjp", "inputs", "seed", "linear_in", "names", "wanted"),
    "check_jvp": ("f", "jvp", "inputs", "seed", "names", "wanted"),
    "check_hvp": ("grad", "hvp", "x", "seed", "wanted"),
    "check_adjoint": ("A", "At", "x", "y", "seed", "wanted"),
    "check_objective": ("fun", "x", "jac", "hess", "hessp", "args"),
    "check_operator": ("operator", "seed", "wanted"),
    "check_step": ("step", "grad", "params", "learning_rate", "names", "seed", "wanted"),
    "certify": (
        "implementation",
        "operations",
        "inputs",
        "examples",
        "seed",
        "order",
        "require",
        "executor",
        "resume",
    ),
}
"""What the README promises to keep. Add here what is added to the promise; take nothing away."""

FIELDS = {
    "Estimate": ("value", "bound", "method", "evaluations", "finding", "assert_close", "agrees"),
    "Check": ("verdict", "passed", "evidence", "resolution", "diagnosis", "reason", "parts", "assert_passed"),
    "Certificate": ("verdict", "results", "not_offered", "seed", "exit_status", "to_json", "from_json"),
}


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_function_takes_what_it_is_promised_to_take(name):
    taken = inspect.signature(getattr(gradcheck, name)).parameters
    assert [each for each in taken if each in PROMISED[name]] == list(PROMISED[name])
    later = [each for each in taken.values() if each.name not in PROMISED[name]]
    assert all(each.default is not each.empty or each.kind is each.VAR_KEYWORD for each in later)


@pytest.mark.parametrize("name", FIELDS)
def test_a_promised_result_has_what_it_is_promised_to_have(name):
    kind = getattr(gradcheck, name)
    known = {*dir(kind), *getattr(kind, "__dataclass_fields__", {})}
    assert set(FIELDS[name]) <= known
