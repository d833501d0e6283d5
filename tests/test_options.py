"""How the command line says where a target runs, and what a run goes on from."""

import importlib
import json
import types
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gradcheck import options
from gradcheck.certificate import read, write
from gradcheck.certify import certify
from gradcheck.cli import main
from gradcheck.options import Size, asked_for, dask_executor, isolates
from gradcheck.plan import EXAMPLES
from tests.test_execution import TARGET, interrupted, timeless


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mixed.py").write_text(TARGET)
    return "mixed.py"


def call(*arguments):
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("2G", 2 << 30), ("1.5 GiB", 3 << 29), ("512mb", 512 << 20), ("3k", 3072), ("1T", 1 << 40)],
)
def test_sizes_are_powers_of_1024(text, size):
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "0", "2X", "two"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(click.BadParameter, match="is no size: wanted bytes, or a number with K, M, G or T"):
        Size().convert(text, None, None)


def test_what_is_named_is_isolated_unless_told_otherwise():
    assert isolates(True, None, None)
    assert not isolates(False, None, None)
    assert not isolates(True, False, None)
    assert isolates(False, True, None)
    assert isolates(False, None, 2)


def test_a_crash_loses_nothing_of_the_rest(target):
    with open(target, "a") as file:
        file.write(
            "class upsample:\n    @staticmethod\n    def forward(x, n):\n        import os; os._exit(5)\n"
        )
    found = call("certify", target, "--examples", "1", "--jobs", "2", "--json", "c.json", "--timeout", "50")
    assert found.exit_code == 3
    assert "error: upsample, forward: the target ended its process with exit status 5" in found.stdout
    assert {str(each.verdict) for each in read("c.json").results} == {"pass", "error"}


def test_a_run_that_was_cut_short_is_gone_on_with_from_its_file_alone(target):
    write(interrupted(target, 5, seed=4), "c.json")
    found = call("certify", "--resume", "c.json", "--no-isolate")
    assert found.exit_code == 1
    assert "mixed.py: fail" in found.stdout
    assert timeless(read("c.json")) == timeless(certify(target, examples=4, seed=4))


def test_what_is_asked_is_said_on_the_line_or_in_the_certificate_or_by_default(target):
    half = interrupted(target, 1, seed=4)
    assert asked_for(None, None, (), None, None, None) == {
        "implementation": "reference",
        "operations": None,
        "inputs": None,
        "examples": EXAMPLES,
        "seed": 0,
        "order": 1,
        "kinks": None,
    }
    assert asked_for(half, None, (), None, None, None)["seed"] == 4
    assert asked_for(half, None, (), None, 0, 2)["seed"] == 0
    assert asked_for(half, None, (), None, 0, 2)["order"] == 2
    assert asked_for(half, None, (), None, None, None, "avoid")["kinks"] == "avoid"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--seed", "5"], "resume: the certificate is of another run\n  its seed = 4\n  here = 5"),
        (["--operation", "tanh"], "resume: the certificate is of another run\n  its operations = "),
        (["reference"], "its target = mixed.py\n  here = reference"),
    ],
)
def test_another_run_is_one_message(target, more, said):
    write(interrupted(target, 1, seed=4), "c.json")
    found = call("certify", "--resume", "c.json", "--no-isolate", *more)
    assert found.exit_code == 2
    assert said in found.stderr
    assert "Traceback" not in found.output
    assert not read("c.json").complete


def test_limits_without_a_worker_are_one_message(target):
    found = call("certify", target, "--no-isolate", "--timeout", "3")
    assert found.exit_code == 2
    assert "certify: limits are kept by a worker process" in found.stderr


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(RuntimeError) as caught, dask_executor("tcp://127.0.0.1:1"):
        raise AssertionError
    assert str(caught.value).splitlines() == [
        "--dask: the package distributed is not installed",
        "  missing = distributed",
        "  wanted: pip install 'gradcheck[distributed]'",
    ]


def test_a_scheduler_that_does_not_answer_is_one_message(monkeypatch):
    def silent(address, timeout):
        raise OSError("Timed out")

    monkeypatch.setattr(
        options,
        "importlib",
        types.SimpleNamespace(import_module=lambda _: types.SimpleNamespace(Client=silent)),
    )
    found = call("certify", "--dask", "tcp://127.0.0.1:1", "--examples", "1")
    assert found.exit_code == 2
    assert "--dask: no scheduler answers\n  address = tcp://127.0.0.1:1, OSError: Timed out" in found.stderr


def test_no_cluster_is_asked_for_by_default():
    with dask_executor(None) as executor:
        assert executor is None


def test_what_is_left_of_a_run_is_in_the_file(target):
    write(interrupted(target, 2), "c.json")
    data = json.loads(Path("c.json").read_text())
    assert [each["number"] for each in data["unfinished"]["cases"]] == [0, 1]
    assert data["unfinished"]["run"]["target"] == "mixed.py"
