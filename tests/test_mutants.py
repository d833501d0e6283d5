"""Every wrong gradient is failed, in the row of its input, and what it looks like is named."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis.strategies import just

import reference
from gradcheck.case import Case
from gradcheck.certify import certify
from gradcheck.verdict import Verdict
from reference.catalogue import operations
from reference.catalogue.networks import network
from tests.mutants import MUTANTS

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


def narrowed(operation, edges):
    """The operation with these cases alone, and nothing smaller to shrink to."""
    return replace(operation, edges=edges, cases=just(edges[0]))


def told(operation):
    if operation.name == "network":
        return narrowed(operation, NETWORKS)
    far = (FAR[operation.name],) if operation.name in FAR else ()
    return narrowed(operation, (*(operation.edges[place] for place in TELLING[operation.name]), *far))


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


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_it_is_failed_where_it_is_wrong(mutant):
    certificate = certified(mutant.make(), mutant.operation, mutant.place)
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
