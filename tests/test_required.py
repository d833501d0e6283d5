import types

import numpy as np
import pytest
from click.testing import CliRunner

from gradcheck.certificate import Missing
from gradcheck.certify import certify
from gradcheck.cli import main
from gradcheck.operation import UnknownOperation, operation
from gradcheck.required import required
from gradcheck.verdict import Verdict

TANH = types.SimpleNamespace(forward=np.tanh, vjp=lambda c, u: (c * (1 - np.tanh(u) ** 2),))
HALF = types.SimpleNamespace(tanh=types.SimpleNamespace(forward=np.tanh))
ASKED = (operation("dense"), operation("tanh"))


def rows(certificate):
    return {(each.operation, each.input): each for each in certificate.results}


def test_an_operation_stands_for_its_forward_and_every_input_and_a_dot_for_one():
    whole = [Missing("dense", name) for name in ("forward", "x", "W", "b")]
    assert required(["dense", "dense.W"], ASKED) == tuple(whole)
    assert required(["tanh.step", "dense.b"], ASKED) == (Missing("tanh", "step"), Missing("dense", "b"))


def test_what_is_required_and_missing_fails_and_is_no_longer_counted_as_not_offered():
    found = certify(HALF, ["tanh"], examples=2, require=["tanh"])
    row = rows(found)["tanh", "u"]
    assert (str(row.verdict), row.reason, row.cases) == ("fail", "required, but not offered", 0)
    assert rows(found)["tanh", "forward"].verdict is Verdict.PASS
    assert (found.exit_status, found.not_offered, found.counts["fail"]) == (1, (), 1)


def test_what_is_not_required_stays_not_offered_and_the_exit_status_that_of_the_rest():
    found = certify(HALF, ["tanh"], examples=2, require=["tanh.forward"])
    assert (found.exit_status, found.not_offered) == (0, (Missing("tanh", "u"),))


def test_an_operation_that_is_missing_as_a_whole_fails_in_every_row():
    found = certify(HALF, ["tanh", "dense"], examples=2, require=["dense"])
    failed = {each for each, row in rows(found).items() if row.verdict is Verdict.FAIL}
    assert failed == {("dense", name) for name in ("forward", "x", "W", "b")}
    found = certify(HALF, ["dense"], examples=2, require=["dense.W"])
    assert (found.exit_status, len(found.not_offered)) == (1, 3)


def test_what_is_required_and_offered_changes_nothing():
    found = certify(types.SimpleNamespace(tanh=TANH), ["tanh"], examples=2, require=["tanh"])
    assert (found.exit_status, len(found.results)) == (0, 2)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("tahn", ["operation: no operation is called 'tahn'", "  nearest = tanh"]),
        ("sigmoid", ["operation: no operation is called 'sigmoid'"]),
        (
            "dense.w",
            [
                "require: dense has no 'w'",
                "  nearest = none",
                "  wanted dense itself, or behind a dot one of: forward, x, W, b, step, hvp",
            ],
        ),
    ],
)
def test_a_requirement_that_there_is_not_is_refused(name, lines):
    with pytest.raises(UnknownOperation) as caught:
        certify(HALF, ["tanh", "dense"], require=[name])
    assert str(caught.value).splitlines()[: len(lines)] == lines


def test_the_command_line_says_what_is_missing_and_exits_with_1(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "half.py").write_text(
        "import numpy\nclass tanh:\n    forward = staticmethod(numpy.tanh)\n", encoding="utf-8"
    )
    few = ["certify", "half.py", "--operation", "tanh", "--examples", "2", "--no-isolate"]
    assert CliRunner().invoke(main, few).exit_code == 0
    found = CliRunner().invoke(main, [*few, "--require", "tanh.u"])
    assert found.exit_code == 1
    assert "fail: d tanh / d u: required, but not offered" in found.stdout
    found = CliRunner().invoke(main, [*few, "--require", "tanh.v"])
    assert (found.exit_code, "require: tanh has no 'v'" in found.stderr) == (2, True)
