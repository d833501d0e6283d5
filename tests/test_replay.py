"""One row of a certificate again: the same numbers, the arrays that made them, and clear words where it cannot be."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gradcheck.case import Case
from gradcheck.certificate import Certificate, write
from gradcheck.certify import certify
from gradcheck.cli import main
from gradcheck.plan import cases_of, values_of
from gradcheck.replay import ReplayError, replay
from gradcheck.verdict import Verdict
from reference.catalogue import operations
from tests.test_execution import TARGET

WRONG_FORWARD = (
    TARGET
    + """
class upsample:
    @staticmethod
    def forward(x, n):
        return np.kron(x, np.ones((n, n))) + (x.size > 3)
    @staticmethod
    def vjp(c, x, n):
        if x.size == 1:
            __import__("os")._exit(3)
        return (np.ones(x.shape),)
"""
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    place = tmp_path_factory.mktemp("targets") / "mixed.py"
    place.write_text(WRONG_FORWARD.replace('__import__("os")._exit(3)', "pass"))
    return Certificate.from_json(certify(str(place), examples=6).to_json())


@pytest.fixture(scope="module")
def file(certificate, tmp_path_factory):
    place = tmp_path_factory.mktemp("certificates") / "c.json"
    write(certificate, place)
    return str(place)


@pytest.mark.parametrize("name", operations())
def test_every_case_of_the_catalogue_is_made_again_exactly(name):
    operation = operations()[name]
    for case in cases_of(operation, 40, 3):
        again = Case.from_description(json.loads(json.dumps(case.describe(), allow_nan=False)))
        assert again == case
        for one, other in zip(values_of(3, operation, case), values_of(3, operation, again), strict=True):
            assert one.tobytes() == other.tobytes()
        assert repr(again.arguments()) == repr(case.arguments())


def test_every_row_comes_about_again_with_its_numbers(certificate):
    for place, row in enumerate(certificate.results):
        found = replay(certificate, place)
        assert found.check.verdict is row.verdict
        assert found.exit_status == {"pass": 0, "fail": 1}.get(str(row.verdict), 3)
        if found.check.worst is not None:
            assert float(found.check.worst.analytic) == row.worst["analytic"]
            assert list(found.check.worst.element or ()) == (row.worst["element"] or [])
    assert {row.verdict for row in certificate.results} >= {Verdict.PASS, Verdict.FAIL}


def test_the_arrays_are_those_of_the_case(certificate):
    found = replay(certificate, "downsample.x")
    n, c, x = found.case.options["n"], found.arrays["cotangent"], found.arrays["x"]
    assert x.shape == found.case.shapes["x"]
    np.testing.assert_array_equal(found.arrays["analytic"], np.kron(c, np.ones((n, n))) / n**2)
    right = np.kron(c, np.ones((n, n)))
    assert (np.abs(found.arrays["numeric"] - right) <= found.arrays["numeric bound"]).all()


def test_of_a_forward_given_and_wanted_are_shown(certificate):
    found = replay(certificate, "upsample.forward")
    assert found.check.verdict is Verdict.FAIL
    assert set(found.arrays) == {"x", "given", "wanted"}
    np.testing.assert_array_equal(found.arrays["given"], found.arrays["wanted"] + 1)


def test_the_command_prints_them_and_exits_as_the_row_does(file):
    found = CliRunner().invoke(main, ["replay", file, "--result", "downsample.x", "--no-isolate"])
    assert found.exit_code == 1
    for said in ("downsample, x: number ", "n = ", "cotangent (", "analytic (", "numeric (", "looks like"):
        assert said in found.stdout
    assert found.stderr == ""
    place = next(str(k) for k, row in enumerate(Certificate.from_json(Path(file).read_text()).results)
                 if (row.operation, row.input) == ("tanh", "forward"))  # fmt: skip
    assert CliRunner().invoke(main, ["replay", file, "--result", place, "--no-isolate"]).exit_code == 0


def test_a_row_that_ended_its_process_does_so_again_in_a_worker(tmp_path):
    place = tmp_path / "ending.py"
    place.write_text(WRONG_FORWARD)
    before = certify(str(place), ["upsample"], examples=1, isolate=True)
    found = replay(before, "upsample.x", isolate=True)
    assert found.check.reason == "the target ended its process with exit status 3"
    assert found.exit_status == 3
    assert "error" in str(found)


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("99", "replay: the certificate has no such row\n  result = 99, rows = "),
        (
            "downsample.y",
            "replay: the certificate has no such row\n  result = 'downsample.y', nearest = downsample.x",
        ),
        ("-1", "replay: the certificate has no such row\n  result = '-1', nearest = none"),
    ],
)
def test_a_row_that_is_not_there_is_one_message(file, which, said):
    found = CliRunner().invoke(main, ["replay", file, "--result", which, "--no-isolate"])
    assert found.exit_code == 2
    assert said in found.stderr
    assert "or operation.input" in found.stderr
    assert "Traceback" not in found.output


def test_another_version_is_refused(certificate):
    other = replace(certificate, environment=dict(certificate.environment) | {"gradcheck": "9.9"})
    with pytest.raises(ReplayError, match=r"is of another version\n  its gradcheck = 9\.9, here = "):
        replay(other, 0)
    other = replace(certificate, environment=dict(certificate.environment) | {"target": "1.0"})
    with pytest.raises(ReplayError, match=r"is of another version\n  its target = 1\.0, here = None"):
        replay(other, 0)


def test_a_row_without_a_case_is_refused(certificate):
    bare = replace(certificate, results=(replace(certificate.results[0], worst=None),))
    with pytest.raises(ReplayError, match="the row holds no case"):
        replay(bare, 0)


def test_a_target_that_is_gone_is_one_message(certificate, tmp_path):
    gone = replace(certificate, target=os.fspath(tmp_path / "gone.py"))
    place = tmp_path / "c.json"
    write(gone, place)
    found = CliRunner().invoke(main, ["replay", str(place), "--result", "0", "--no-isolate"])
    assert found.exit_code == 2
    assert "target: there is no file" in found.stderr
