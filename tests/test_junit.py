"""JUnit files: well formed, counted as their readers count, and never green where nothing was shown."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from gradcheck.certificate import Certificate, Missing, Result
from gradcheck.report.junit import junit
from gradcheck.verdict import Budget, Verdict
from tests.test_report import CERTIFICATE, HOSTILE, hostile


def read(certificate):
    return ElementTree.fromstring(junit(certificate))


def row(verdict, name="x"):
    return Result("f", name, verdict, "exact", 3, 0.0, 0.0, reason="because", budget=Budget(0.0, 0.0))


def test_every_row_is_a_test_case_of_its_operations_suite():
    suites = read(CERTIFICATE).findall("testsuite")
    found = {(s.get("name"), c.get("name")) for s in suites for c in s.findall("testcase")}
    assert found == {("dense", "x"), ("dense", "W"), ("sparsity", "c"), ("network", "x")}
    assert {c.get("classname") for c in read(CERTIFICATE).iter("testcase")} == {
        "mine_bold_.dense",
        "mine_bold_.sparsity",
        "mine_bold_.network",
    }


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        (Verdict.PASS, "system-out"),
        (Verdict.FAIL, "failure"),
        (Verdict.ERROR, "error"),
        (Verdict.INCONCLUSIVE, "error"),
    ],
)
def test_a_verdict_has_its_element_and_only_a_pass_is_green(verdict, tag):
    (case,) = read(Certificate("m", 0, 1, (row(verdict),))).iter("testcase")
    (element,) = case
    assert element.tag == tag
    if verdict is not Verdict.PASS:
        assert (element.get("message"), element.get("type")) == ("because", str(verdict))
        assert element.text.startswith(f"{verdict}: d f / d x: because")


def test_the_counts_are_those_of_the_elements():
    rows = (
        row(Verdict.PASS),
        row(Verdict.FAIL, "k"),
        row(Verdict.ERROR, "b"),
        row(Verdict.INCONCLUSIVE, "c"),
    )
    root = read(Certificate("m", 0, 1, rows, (Missing("f", "d"), Missing("g", "x"))))
    wanted = {"tests": "6", "failures": "1", "errors": "2", "skipped": "2"}
    assert {name: root.get(name) for name in wanted} == wanted
    for name in wanted:
        assert sum(int(suite.get(name)) for suite in root) == int(root.get(name))
    assert len(root.findall("testsuite")) == 2


def test_a_run_that_was_cut_short_is_an_error_though_all_rows_pass():
    root = read(Certificate("m", 0, 1, (row(Verdict.PASS),), complete=False))
    assert (root.get("errors"), root.find(".//error").get("message")) == ("1", "the run was cut short")


def test_what_xml_forbids_and_what_a_target_chose_come_back_as_text():
    case = next(read(hostile()).iter("testcase"))
    assert "<script>alert(1)</script>" in case.get("name")
    assert "]]>" in case.find("failure").text
    assert "\\x00" in case.get("name")
    assert "\\ud800" in case.get("name")
    assert all(sign.isprintable() or sign in "\n" for sign in junit(hostile()))
    assert HOSTILE not in junit(hostile())


def test_seed_versions_and_time_are_there():
    root = read(replace(CERTIFICATE, environment={"numpy": "2"}, created="2030-01-01T00:00:00+00:00"))
    suite = root.find("testsuite")
    properties = {each.get("name"): each.get("value") for each in suite.find("properties")}
    assert properties == {"seed": "7", "examples": "5", "numpy": "2"}
    assert suite.get("timestamp") == "2030-01-01T00:00:00"
    assert root.get("time") == "2.000"
