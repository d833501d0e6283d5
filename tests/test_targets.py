import pytest
from click.testing import CliRunner

from benchmarks.targets import complaints, main, row, table
from gradcheck.built_in import ADAPTERS
from gradcheck.certificate import Certificate, Missing, Result
from gradcheck.verdict import Verdict


def result(operation, input, verdict, reason=None):
    return Result(operation, input, verdict, "spectral", 3, 1e-12, 1e-9, reason=reason)


MIXED = Certificate(
    "torch",
    0,
    25,
    (
        result("dense", "forward", Verdict.PASS),
        result("dense", "W", Verdict.FAIL, "differs\n  much"),
        result("dense", "b", Verdict.FAIL, "differs too"),
        result("softmax", "c", Verdict.INCONCLUSIVE, "a kink"),
        result("softmax", "forward", Verdict.ERROR, None),
    ),
    (Missing("sparsity", "forward"), Missing("sparsity", "c")),
    environment={"target": "9.9"},
)


def test_every_row_is_counted_under_its_verdict_and_only_a_pass_is_no_complaint():
    assert row(MIXED) == "| `torch` | 9.9 | 2 | 1 | 2 | 1 | 1 | 2 |"
    assert list(complaints(MIXED)) == [
        "- `torch` dense: 2 fail; differs",
        "- `torch` softmax: 1 inconclusive, 1 error; a kink",
    ]


def test_what_did_not_pass_stands_below_the_table():
    lines = table([MIXED]).splitlines()
    assert len({line.count("|") for line in lines[:3]}) == 1
    assert lines[3] == ""
    assert len(lines) == 6
    assert len(table([]).splitlines()) == 2


def test_the_command_certifies_what_is_named_and_nothing_else():
    said = CliRunner().invoke(main, ["scipy", "--examples", "1"])
    assert said.exit_code == 0, said.output
    assert [line.split("`")[1] for line in said.output.splitlines() if line.startswith("| `")] == ["scipy"]
    assert CliRunner().invoke(main, ["numpy"]).exit_code == 2


@pytest.mark.parametrize("library", ADAPTERS)
def test_each_adapter_can_be_named(library):
    assert library in main.params[0].type.choices
