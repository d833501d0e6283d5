"""Every wrong gradient is failed, in the row of its input, and what it looks like is named."""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis.strategies import just

import reference
from gradcheck import tally
from gradcheck.case import Case
from gradcheck.certify import certify
from gradcheck.verdict import Verdict
from reference.catalogue import cases, operations
from reference.catalogue.networks import network
from tests.mutants import MUTANTS
from tests.mutants.expected import EXPECTED, expected

tally_likeliest = tally.likeliest

TELLING = {
    "sigmoid": (2, 3),
    "tanh": (2, 3),
    "scaled_tanh": (2, 3),
    "squared_error": (1, 2),
    "dense": (2, 3, 4),
    "upsample": (4, 5),
    "downsample": (4, 5),
    "convolve_valid": (4, 6),
    "convolve_full": (4, 6),
    "convolution": (9, 13),
    "subsampling": (3, 7, 8),
    "softmax": (3, 4),
    "combination": (4, 6),
    "sparsity": (3, 4),
}
"""Of the catalogue's edges, which every certificate judges, those with several patterns, maps and pixels: on
a single element many mistakes look the same, or like nothing."""

NETWORKS = (
    network(
        2,
        2,
        (2, 1),
        (
            ("convolution", 3, (2, 2), "tanh", ((True, False, True), (True, True, False))),
            ("subsampling", 2, "scaled_tanh"),
            ("dense", 2, "sigmoid"),
        ),
    ),
    network(
        2,
        2,
        (2, 1),
        (
            ("subsampling", 2, "tanh"),
            ("convolution", 2, (2, 1), "scaled_tanh", ((True, False), (True, True))),
            ("combination", 3, (1, 2), "tanh", 0.1),
            ("dense", 2, "sigmoid"),
        ),
    ),
)
"""Every step of the recursion, in two networks: a deeper one costs every mutant as much again."""

# E9's formulas overflow from 710 on (squared: 355), farther out than any value that the catalogue draws
FAR = {
    "sigmoid": Case({"u": (20,)}, kind="bounded", scales={"u": 800.0}),
    "softmax": Case({"c": (1, 20)}, kind="bounded", scales={"c": 1500.0}),
}


MORE = {
    "upsample": (cases.resample("up", 3, 2, (3, 4), 3),),
    "downsample": (cases.resample("down", 3, 2, (2, 3), 2),),
    "convolve_valid": (cases.convolution(3, (2, 3), (3, 2), (3, 4)),),
    "convolve_full": (cases.full(3, (2, 3), (3, 2), (3, 4)),),
    "convolution": (cases.convolution(3, (2, 3), (3, 2), (3, 4), activation="tanh"),),
    "subsampling": (cases.subsampling(3, 2, (2, 3), 2, "tanh"),),
}
"""Cases of which no two sizes are the same, as hardly one of the edges is: half is then no mean over two."""


def narrowed(operation, edges):
    """The operation with these cases alone, and nothing smaller to shrink to."""
    return replace(operation, edges=edges, cases=just(edges[0]))


def told(operation):
    if operation.name == "network":
        return narrowed(operation, NETWORKS)
    more = MORE.get(operation.name, ()) + ((FAR[operation.name],) if operation.name in FAR else ())
    return narrowed(operation, (*(operation.edges[place] for place in TELLING[operation.name]), *more))


CATALOGUE = {name: told(operation) for name, operation in operations().items()}


def certified(target, operation, place=None):
    told = CATALOGUE[operation]
    if place is not None:
        told = narrowed(told, told.edges[place : place + 1])
    return certify(target, examples=len(told.edges), seed=0, catalogue={operation: told})


def verdicts(certificate):
    """Of every row that a case reached: one network alone has not every kind of layer."""
    return {result.input: result.verdict for result in certificate.results if result.cases}


def row(certificate, mutant):
    return next(each for each in certificate.results if each.input == mutant.input)


def test_there_are_many_each_with_a_name_of_its_own():
    names = Counter(map(str, MUTANTS))
    assert len(names) == len(MUTANTS) >= 80
    for erratum in ("E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9"):
        assert any(erratum in name for name in names), erratum


def test_every_input_of_every_operation_has_mutants():
    wanted = {(o.name, each.name) for o in operations().values() for each in o.inputs}
    assert {(mutant.operation, mutant.input) for mutant in MUTANTS} == wanted


@pytest.mark.parametrize("operation", CATALOGUE)
def test_what_is_mutated_passes_before(operation):
    certificate = certified(reference, operation)
    assert set(verdicts(certificate).values()) == {Verdict.PASS}


@functools.cache
def judged(mutant):
    """Its certificate, and the name of the mistake that its row states."""
    names = []

    def likeliest(shown, failed):
        name, words = tally_likeliest(shown, failed)
        names.append((name, words))
        return name, words

    with mock.patch.object(tally, "likeliest", likeliest):
        certificate = certified(mutant.make(), mutant.operation, mutant.place)
    said = row(certificate, mutant).diagnosis
    return certificate, next((name for name, words in names if words == said), None)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_it_is_failed_where_it_is_wrong(mutant):
    certificate, _ = judged(mutant)
    found = verdicts(certificate)
    assert found.pop(mutant.input) is Verdict.FAIL
    assert set(found.values()) <= {Verdict.PASS}, found
    if mutant.looks_like is not None:
        assert re.search(mutant.looks_like, str(row(certificate, mutant).diagnosis))


@pytest.mark.parametrize(
    "name", ["dense.W: E1 to the letter: x δᵀ", "combination.k: E8: not summed over the output maps"]
)
def test_a_gradient_of_another_shape_is_failed_for_its_shape(name):
    mutant = next(each for each in MUTANTS if str(each) == name)
    certificate = certified(mutant.make(), mutant.operation, place=0)
    assert "wrong shape" in row(certificate, mutant).reason


# What the mistake is called

NAMED, MISNAMED = 0.9, 0.01
"""Share of the mutants that have a name for which it must be said first, and of all for which a wrong one may."""


def test_every_mutant_has_a_name_or_a_reason_why_not():
    for mutant in MUTANTS:
        name, why = expected(str(mutant))
        assert bool(name) != bool(why), mutant
    titles = {str(m) if str(m) in EXPECTED else str(m).split(": ", 1)[1] for m in MUTANTS}
    assert titles == set(EXPECTED)


def test_the_right_mistake_is_named_first():
    """From the certificates that the test above has made; alone it makes them all."""
    said = {mutant: (judged(mutant)[1], expected(str(mutant))[0]) for mutant in MUTANTS}
    named = [mutant for mutant, (_, right) in said.items() if right]
    rightly = [mutant for mutant in named if said[mutant][0] == said[mutant][1]]
    wrongly = [f"{m}: {got}, not {right}" for m, (got, right) in said.items() if got not in (None, right)]
    print(f"named first: {len(rightly)} of {len(named)}; wrongly: {len(wrongly)} of {len(MUTANTS)}", *wrongly)
    assert len(rightly) >= NAMED * len(named)
    assert len(wrongly) < MISNAMED * len(MUTANTS), wrongly
