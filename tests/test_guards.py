"""Each erratum's literal reading, as answers to vectors: wrong in the cases said to guard it, right in the others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d

from gradcheck.formats import FORMATS
from gradcheck.implementation import load
from gradcheck.operation import operations
from gradcheck.vectors import export, judge_answers
from reference.catalogue import networks
from reference.catalogue.guards import GUARDS
from tests.test_vectors import answered

OFFERS = load("reference", operations()).offers


def asked(folder, name):
    """Cotangent and inputs of a vector, with its options."""
    arrays, facts = FORMATS["npz"].load((folder / f"{name}.npz").read_bytes(), 2**30)
    inputs = [arrays[f"input_{each}"] for each in facts["case"]["shapes"]]
    return arrays["cotangent"], inputs, facts["case"]["options"]


def E1(cotangent, inputs, options, right):
    return {"gradient_W": right["gradient_W"].T}  # x δᵀ


def E2(cotangent, inputs, options, right):
    d, k = inputs
    table = np.ones(k.shape[:2], bool) if options["connections"] is None else np.array(options["connections"])
    first = table & (np.cumsum(table, axis=1) == 1)  # one receiving map for each
    return {"output": OFFERS["convolve_full"].forward(d, k, connections=first)}


def E3(cotangent, inputs, options, right):
    x, k = inputs
    options = {"connections": options["connections"] and np.array(options["connections"])}
    one = OFFERS["convolve_valid"].vjp(cotangent[:1], x[:1], k, **options)[1]
    return {"gradient_k": one}


def E4(cotangent, inputs, options, right):
    return {"gradient_k": right["gradient_k"][..., ::-1, ::-1]}  # the sum over patches as they lie


def E5(cotangent, inputs, options, right):
    return {"output": right["output"] / options["n"] ** 2}  # means, with S1 and S5 unchanged


def E6(cotangent, inputs, options, right):
    c = inputs[0]
    alpha = np.exp(c) / np.exp(c).sum(axis=0)
    return {"gradient_c": cotangent * options["lam"] * alpha}  # a pressure towards 0


def E7(cotangent, inputs, options, right):
    (x,), n = inputs, options["n"]
    out = np.zeros(right["output"].shape)
    for place in np.ndindex(x.shape[:2]):
        out[place] = convolve2d(x[place], np.ones((n, n)), "same")[::n, ::n]
    return {"output": out}


def E8(cotangent, inputs, options, right):
    each = np.repeat(right["gradient_k"][:, None], len(inputs[3]), axis=1)  # as if k were k_ij
    return {"gradient_k": each[:, 0] if each.shape[1] == 1 else each}


def E9(cotangent, inputs, options, right):
    (c,) = inputs
    with np.errstate(all="ignore"):
        return {"output": np.exp(c) / np.exp(c).sum(axis=0)}


LITERAL = {
    "E1": (E1, "dense"), "E2": (E2, "convolve_full"), "E3": (E3, "convolve_valid"), "E4": (E4, "convolve_valid"),
    "E5": (E5, "downsample"), "E6": (E6, "sparsity"), "E7": (E7, "downsample"), "E8": (E8, "combination"),
    "E9": (E9, "softmax"),
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guards")
    for name in {operation for _, operation in LITERAL.values()}:
        export(folder / name, [name], examples=8)
    return folder


@pytest.mark.parametrize("erratum", GUARDS)
def test_the_literal_reading_fails_in_the_cases_that_guard_it_and_passes_in_the_others(erratum, exported):
    literal, name = LITERAL[erratum]
    folder = exported / name
    answered(folder)
    wrong, guarded, everywhere = set(), set(), sorted(folder.glob("*-*.npz"))
    for place in everywhere:
        answer = folder / "answers" / place.name
        data = answer.read_bytes()
        right, _ = FORMATS["npz"].load(data, 2**30)
        changed = right | literal(*asked(folder, place.stem), right)
        answer.write_bytes(FORMATS["npz"].dump(changed, {}))
        wrong |= {place.stem} if judge_answers(folder).exit_status == 1 else set()
        answer.write_bytes(data)
        _, facts = FORMATS["npz"].load(place.read_bytes(), 2**30)
        guarded |= {place.stem} if erratum in facts["errata"] else set()
    assert wrong == guarded
    assert guarded
    assert len(guarded) < len(everywhere) or erratum == "E6"


def test_a_network_guards_what_its_layers_have():
    small, *_, large = networks.NETWORK[1:]
    assert operations()["network"].guarded(small) == ()
    assert operations()["network"].guarded(large) == ("E2",)
    assert operations()["network"].guarded(networks.NETWORK[0]) == ("E2", "E6")
