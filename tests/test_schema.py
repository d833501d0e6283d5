"""The published JSON Schema: certificates of every kind of run validate, and nothing in them is undescribed."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from gradcheck.case import Case
from gradcheck.certificate import SCHEMA
from gradcheck.certify import certify
from gradcheck.cli import main
from gradcheck.operation import Input, Operation
from gradcheck.schemas import certificate_schema
from gradcheck.strategies import cases, sizes
from tests.test_certificate import WHOLE

PUBLISHED = json.loads(certificate_schema())


def closed(schema):
    """The schema with every object that names its properties allowed those alone."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        found.setdefault("additionalProperties", False)
    return found


STRICT = Draft202012Validator(closed(PUBLISHED))


def target(vjp, forward=np.tanh):
    return SimpleNamespace(tanh=SimpleNamespace(forward=forward, vjp=vjp))


def raising(cotangent, u):
    raise ValueError("no")


def right(cotangent, u):
    return (cotangent * (1 - np.tanh(u) ** 2),)


RIGHT = target(right)
WRONG = target(lambda cotangent, u: (cotangent * (1 + np.tanh(u) ** 2),))
WRONG_VALUE = target(right, lambda u: np.tanh(u) + np.where(u > 0.5, np.inf, 0))
RAISING = target(raising)
NOT_FINITE = target(lambda cotangent, u: (cotangent * np.nan,))
#: Some of the drawn values are exactly zero, where |x| has no derivative.
ABSOLUTE = Operation(
    "absolute",
    "",
    (Input("x", ("N",), ""),),
    np.abs,
    cases(lambda draw: Case({"x": (draw(sizes(2, 5)),)}, kind="zeros")),
)
KINKED = SimpleNamespace(absolute=SimpleNamespace(forward=np.abs, vjp=lambda c, x: (c * np.sign(x),)))
KINKS = {"operations": None, "catalogue": {"absolute": ABSOLUTE}, "inputs": ["x"], "examples": 8}


def stopped(done, total, name):
    if done == 3:
        raise KeyboardInterrupt


def undescribed(certificate):
    """What the closed schema has against a certificate, each with its place."""
    errors = STRICT.iter_errors(json.loads(certificate.to_json()))
    return [f"{(best := best_match([each])).json_path}: {best.message[:200]}" for each in errors]


@pytest.mark.parametrize(
    ("given", "options", "verdict"),
    [
        (RIGHT, {}, "pass"),
        (WRONG, {}, "fail"),
        (WRONG_VALUE, {}, "fail"),
        (RAISING, {}, "error"),
        (NOT_FINITE, {}, "fail"),
        (KINKED, KINKS, "inconclusive"),
        (RIGHT, {"progress": stopped}, "inconclusive"),
        (RIGHT, {"operations": ["tanh", "dense"]}, "pass"),
    ],
)
def test_a_certificate_of_each_kind_of_run_is_described_whole(given, options, verdict):
    found = certify(given, **({"operations": ["tanh"], "examples": 5} | options))
    assert found.verdict == verdict
    assert undescribed(found) == [], "a new part of the file belongs into gradcheck/schemas as well"


def test_a_failure_carries_what_plots_show():
    (row,) = certify(WRONG, ["tanh"], inputs=["u"], examples=5).results
    exhibit = row.worst["exhibit"]
    assert np.prod(exhibit["shape"], dtype=int) == len(exhibit["claimed"]) == len(exhibit["measured"]) > 0
    assert exhibit["left_out"] == ""
    assert len(exhibit["probe"]["coefficients"]) == exhibit["probe"]["points"] > 4
    assert len(exhibit["steps"]) > 40


def test_where_nothing_is_decided_coefficients_are_shown_and_no_elements():
    (row,) = certify(KINKED, **KINKS).results
    exhibit = row.worst["exhibit"]
    assert (row.verdict, exhibit["claimed"]) == ("inconclusive", [])
    assert "single elements were not measured" in exhibit["left_out"]


def test_the_certificate_of_the_other_tests_is_described_whole():
    assert undescribed(WHOLE) == []


def test_the_schema_is_one_itself_and_of_the_version_that_is_written():
    Draft202012Validator.check_schema(PUBLISHED)
    assert PUBLISHED["properties"]["schema"]["const"] == SCHEMA
    assert PUBLISHED["$id"].endswith(":" + SCHEMA.rpartition("/")[2])


def broken(*path, value=None):
    """The certificate's data with one part replaced, or removed where no value is given."""
    data = json.loads(WHOLE.to_json())
    place = data
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = copy.deepcopy(value)
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "gradcheck/certificate/2"),
        (("verdict",), "good"),
        (("counts", "pass"), -1),
        (("results", 0, "resolution"), "inf"),
        (("results", 0, "worst", "numeric"), "NaN"),
        (("results", 0, "worst", "case"), {}),
        (("results", 0, "miss_probability"), 2),
        (("coverage", "f", "one map"), 0.5),
        (("target",), None),
        (("results", 1, "operation"), None),
        (("not_offered", 0, "input"), None),
    ],
)
def test_what_is_no_certificate_is_refused(path, value):
    assert not Draft202012Validator(PUBLISHED).is_valid(broken(*path, value=value))


@pytest.mark.parametrize("path", [("later",), ("results", 0, "later"), ("results", 0, "worst", "later")])
def test_a_part_that_is_not_described_is_left_to_readers_but_not_to_us(path):
    data = broken(*path, value="new")
    assert Draft202012Validator(PUBLISHED).is_valid(data)
    assert not STRICT.is_valid(data)


def test_the_schema_is_printed():
    assert CliRunner().invoke(main, ["schema"]).stdout == certificate_schema()


def test_a_run_that_was_cut_short_validates():
    def stop(done, total, name):
        if done == 1:
            raise KeyboardInterrupt

    data = json.loads(certify(WRONG, ["tanh"], examples=3, progress=stop).to_json())
    assert data["unfinished"]["cases"]
    STRICT.validate(data)
