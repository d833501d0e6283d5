"""Results as plain data: nothing is lost on the way there and back, and nothing is believed."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest

from gradcheck.case import Case
from gradcheck.estimate import Estimate, Finding
from gradcheck.plain import NotPlain, from_plain, to_plain
from gradcheck.verdict import Check, Verdict, Worst
from reference.catalogue import operations

RICH = Check(
    Verdict.FAIL,
    "d f / d x",
    "spectral",
    np.float64(0.1) + 0.2,
    5e-324,
    "because",
    diagnosis="sign",
    worst=Worst(
        (1, 2),
        -0.0,
        np.inf,
        Estimate(np.float64(1 / 3), np.inf, "spectral", 17, 5, coefficients=(1.0, 1e-300)),
    ),
    wrong=((1, 2), (np.int64(3), 4)),
    notes=("a", "b"),
    parts=(Check(Verdict.PASS, "", "exact", 0.0, math.nan, ""),),
    shape=(3, 5),
    zero_everywhere=True,
)


def there_and_back(check):
    text = json.dumps(to_plain(check), allow_nan=False)
    return from_plain(Check, json.loads(text))


def test_a_check_comes_back_to_the_bit():
    found = there_and_back(RICH)
    assert repr(found) == repr(there_and_back(found))
    assert found.resolution.hex() == RICH.resolution.hex()
    assert math.copysign(1, found.worst.analytic) == -1
    assert found.worst.numeric.value == 1 / 3
    assert found.worst.numeric.bound == math.inf
    assert found.worst.numeric.coefficients == (1.0, 1e-300)
    assert found.worst.numeric.finding is Finding.SMOOTH
    assert found.wrong == ((1, 2), (3, 4))
    assert math.isnan(found.parts[0].miss_probability)
    assert (found.verdict, found.notes, found.shape) == (Verdict.FAIL, ("a", "b"), (3, 5))


def test_what_is_at_its_default_takes_no_room():
    assert to_plain(Check(Verdict.PASS, "s", "exact", 0.0, 0.0, "r")) == {
        "verdict": "pass",
        "subject": "s",
        "evidence": "exact",
        "resolution": 0.0,
        "miss_probability": 0.0,
        "reason": "r",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": "good"}, "'good' is not a valid Verdict"),
        ({"subject": 3}, "3, wanted str"),
        ({"resolution": "much"}, "'much'"),
        ({"resolution": True}, "True, wanted a number"),
        ({"evaluations": True}, "True, wanted int"),
        ({"notes": "one"}, "'one', wanted list"),
        ({"worst": [1]}, "[1], wanted dict"),
        ({"novelty": 1}, "'novelty'"),
        ({"wrong": [["a"]]}, "'a', wanted int"),
    ],
)
def test_data_that_are_no_check_are_refused(change, said):
    with pytest.raises(NotPlain) as caught:
        from_plain(Check, to_plain(RICH) | change)
    lines = str(caught.value).splitlines()
    assert lines[0] == "plain: the data are no Check"
    assert said in lines[1]


def test_data_without_a_part_are_refused():
    with pytest.raises(NotPlain, match="required positional arguments: 'subject'"):
        from_plain(Check, {"verdict": "pass"})


def test_fixed_tuples_keep_their_length():
    @dataclass(frozen=True)
    class Pair:
        both: tuple[int, str]

    assert from_plain(tuple[int, str], [1, "a"]) == (1, "a")
    with pytest.raises(NotPlain, match="shorter"):
        from_plain(tuple[int, str], [1])
    assert to_plain(Pair((1, "a"))) == {"both": [1, "a"]}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.ones((1, 2)), [[1.0, 1.0]]),
        (np.bool_(True), True),
        ({"b", "a"}, ["a", "b"]),
        ({1: (2,)}, {"1": [2]}),
    ],
)
def test_numpy_and_containers_become_plain(value, plain):
    assert to_plain(value) == plain


def test_what_has_no_plain_form_is_refused():
    with pytest.raises(TypeError, match="a complex is no plain data\n  value = 1j"):
        to_plain(1j)


@pytest.mark.parametrize("name", operations())
def test_every_edge_of_the_catalogue_is_made_again_from_its_description(name):
    for case in operations()[name].edges:
        text = json.dumps(case.describe(), allow_nan=False)
        assert Case.from_description(json.loads(text)) == case


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"values": "odd"}, "values = 'odd', wanted one of: bounded"),
        ({"shapes": {"x": [1.5]}}, "'float' object cannot be interpreted as an integer"),
        ({"shapes": [1]}, "'list' object has no attribute 'items'"),
        ({"number": None}, "'NoneType' object cannot be interpreted"),
        ({"scales": {"x": "big"}}, "could not convert string to float"),
    ],
)
def test_a_description_that_cannot_be_read_is_refused(change, said):
    with pytest.raises(NotPlain) as caught:
        Case.from_description(Case({"x": (2,)}).describe() | change)
    lines = str(caught.value).splitlines()
    assert lines[0] == "case: the description of a case cannot be read"
    assert said in lines[1]
    assert lines[2] == "  wanted shapes, options, values and number, as Case.describe writes them"


def test_a_description_without_a_part_is_refused():
    with pytest.raises(NotPlain, match="KeyError: 'shapes'"):
        Case.from_description({"options": {}, "values": "gaussian", "number": 0})
