"""GitHub's workflow commands: escaped, and beside the line that they are about."""

import re

import pytest

from gradcheck.certificate import Certificate, Result
from gradcheck.report.github import command, commands, is_github, line_of
from gradcheck.verdict import Verdict
from tests.test_report import hostile

SOURCE = """
from gradcheck import implements

@implements("dense", weights="DK")
class Layer:
    pass

class tanh:
    pass

sigmoid = object()
"""


def fault(verdict=Verdict.FAIL, operation="tanh"):
    return Result(operation, "u", verdict, "spectral", 1, 0.0, 0.0, reason="it is 50 % off")


@pytest.mark.parametrize(("name", "line"), [("dense", 5), ("tanh", 8), ("sigmoid", 11), ("softmax", None)])
def test_an_operation_is_found_by_its_name_or_its_decorator(name, line):
    assert line_of(name, SOURCE) == line


def test_a_file_that_is_no_python_has_no_lines():
    assert line_of("tanh", "class tanh(:") is None
    assert line_of("tanh", "\0") is None


def test_a_fault_stands_beside_its_line_with_what_to_call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(SOURCE)
    (said,) = commands(Certificate("mine.py", 3, 5, (fault(),)))
    assert said == (
        "::error file=mine.py,line=8,title=fail%3A d tanh / d u::"
        "fail: d tanh / d u: it is 50 %25 off%0A%0A"
        "again: gradcheck certify mine.py --operation tanh --seed 3 --examples 5"
    )


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("pkg/mine.py", "file=pkg/mine.py,line=8,"),
        ("pkg/mine.py:tanh", "file=pkg/mine.py,line=8,"),
        ("pkg.mine", "file=pkg/mine.py,line=8,"),
        ("pkg.mine:tanh", "file=pkg/mine.py,line=8,"),
        ("elsewhere", "title="),
        ("/etc/hosts.py", "title="),
    ],
)
def test_a_target_is_named_by_its_file_in_the_repository(tmp_path, monkeypatch, target, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "mine.py").write_text(SOURCE)
    (said,) = commands(Certificate(target, 3, 5, (fault(),)))
    assert said.startswith(f"::error {place}")


def test_only_what_is_inconclusive_or_cut_short_is_a_warning():
    kinds = (Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.FAIL, Verdict.PASS)
    rows = tuple(fault(kind, operation=str(kind)) for kind in kinds)
    found = [each.split(" ")[0] for each in commands(Certificate("m", 0, 1, rows, complete=False))]
    assert found == ["::error", "::error", "::warning", "::warning"]


def test_no_text_of_a_target_ends_a_command_or_starts_another():
    for each in commands(hostile()):
        assert "\n" not in each
        assert re.fullmatch(r"::(error|warning) title=[^:,]*::[^\n]*", each)
        assert all(sign.isprintable() for sign in each)
        assert not re.search(r"%(?!25|0A|0D|3A|2C)", each)


def test_properties_and_message_are_escaped_as_the_runner_reads_them():
    assert command("error", "a%0A\r\nb", title="c:d,e%") == "::error title=c%3Ad%2Ce%25::a%250A\\r%0Ab"


def test_a_job_is_one_where_its_variable_says_so():
    assert is_github({"GITHUB_ACTIONS": "true"})
    assert not is_github({"GITHUB_ACTIONS": "false"})
    assert not is_github({})
