"""Each input of each operation as a test of pytest's: its outcome, what it says, and what it costs."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from functools import partial
from importlib.metadata import entry_points

import hypothesis.configuration
import pytest

import gradcheck.pytest_plugin
import gradcheck.strategies.drawing
import reference.catalogue  # noqa: F401  imported here, so that no session inside this one imports it anew
from gradcheck import session
from gradcheck.certify import EXAMPLES, certify
from gradcheck.check import check_vjp

pytest_plugins = "pytester"

MINE = """
import numpy as np


class downsample:
    @staticmethod
    def forward(x, n):
        batch, maps, height, width = x.shape
        return x.reshape(batch, maps, height // n, n, width // n, n).sum(axis=(3, 5))

    @staticmethod
    def vjp(cotangent, x, n):
        return (np.kron(cotangent, np.ones((n, n))) / n**2,)


class dense:
    @staticmethod
    def vjp(cotangent, x, W, b, activation):
        if activation != "identity":
            raise NotImplementedError
        return cotangent @ W, None, cotangent.sum(axis=0)
"""
ROWS = {
    "downsample::forward": "passed",
    "downsample::x": "failed",
    "dense::forward": "skipped",
    "dense::x": "passed",
    "dense::W": "skipped",
    "dense::b": "passed",
}
FEW = ("--gradcheck-examples=4", "--gradcheck-operation=downsample", "--gradcheck-operation=dense")
IDS = [f"gradcheck::mine.py::{row}" for row in ROWS]


@pytest.fixture
def mine(pytester):
    pytester.makepyfile(mine=MINE)
    return pytester


def outcomes(pytester, *arguments):
    """Outcome of every test by its name, as the JUnit file has it; and the result."""
    done = pytester.runpytest("--junitxml=out.xml", *arguments)
    found = {}
    for case in ET.parse(pytester.path / "out.xml").iter("testcase"):
        faults = {child.tag for child in case} & {"failure", "skipped", "error"}
        name = f"{case.get('classname').rpartition('.')[2]}::{case.get('name')}"
        found[name] = {"failure": "failed"}.get(*faults, *faults) if faults else "passed"
    return found, done


def test_the_plugin_is_found_by_its_entry_point():
    (entry,) = entry_points(group="pytest11", name="gradcheck")
    assert entry.value == "_gradcheck_pytest"


def test_every_row_is_a_test_with_an_outcome_of_its_own(mine):
    found, done = outcomes(mine, "--gradcheck", "mine.py", *FEW)
    assert found == ROWS
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["gradcheck: mine.py (4 examples, seed 0)", "collected 6 items"])


def test_the_outcomes_are_those_of_the_certificate(mine, monkeypatch):
    monkeypatch.chdir(mine.path)
    found, _ = outcomes(mine, "--gradcheck", "mine.py", "--gradcheck-operation=downsample", *FEW)
    whole = certify("mine.py", ["downsample", "dense"], examples=4)
    verdicts = {f"{each.operation}::{each.input}": f"{each.verdict}ed" for each in whole.results}
    verdicts |= {f"{each.operation}::{each.input}": "skipped" for each in whole.not_offered}
    assert verdicts == found


def test_a_failure_shows_the_account_and_not_our_frames(mine):
    done = mine.runpytest("--gradcheck", "mine.py", *FEW, "-k", "downsample and x")
    done.stdout.fnmatch_lines(
        [
            "*fail: d downsample / d x: differs from the numeric derivative by *",
            "  smallest case   x (1, 1, 2, 2); n=2 *",
            "  looks like      the right gradient divided by 4*",
            "FAILED gradcheck::mine.py::downsample::x - *GradientMismatch*",
        ]
    )
    for frame in ("pytest_plugin.py", "Traceback", "certify("):
        assert frame not in done.stdout.str()


def test_what_is_not_offered_is_skipped_with_the_reason(mine):
    done = mine.runpytest("--gradcheck", "mine.py", *FEW, "-rs")
    done.stdout.fnmatch_lines_random(
        ["SKIPPED * mine.py: dense, forward: not offered", "SKIPPED * mine.py: dense, W: not offered"]
    )
    done = mine.runpytest("--gradcheck", "mine.py", "--gradcheck-examples=2", "-k", "softmax or downsample")
    done.assert_outcomes(passed=1, failed=1, skipped=2)


NOISY = """
import numpy as np


class tanh:
    @staticmethod
    def forward(u):
        return np.tanh(u)

    @staticmethod
    def vjp(cotangent, u):
        return cotangent * (1 - np.tanh(u) ** 2)


class sigmoid:
    @staticmethod
    def vjp(cotangent, u):
        raise ZeroDivisionError("of all things")
"""


def test_what_is_inconclusive_or_in_error_fails_and_says_so(pytester, monkeypatch):
    # no smooth function is too noisy for what a certificate wants to see: so want more than there are digits
    monkeypatch.setattr(session, "CERTIFYING", partial(check_vjp, wanted=1e-20, strict=True))
    pytester.makepyfile(noisy=NOISY)
    few = ("--gradcheck-examples=2", "--gradcheck-operation=tanh", "--gradcheck-operation=sigmoid")
    done = pytester.runpytest("--gradcheck=noisy.py", *few, "-k", "u")
    done.assert_outcomes(failed=2, skipped=0, passed=0)
    done.stdout.fnmatch_lines(
        [
            "inconclusive: d tanh / d u: could have seen a relative error of *",
            "error: d sigmoid / d u: the vjp raised ZeroDivisionError: of all things*",
            "FAILED gradcheck::noisy.py::tanh::u - gradcheck.verdict.InconclusiveCheck: *",
            "FAILED gradcheck::noisy.py::sigmoid::u - gradcheck.verdict.GradientMismatch: *",
        ]
    )


WRITES = """
import numpy as np


class dense:
    @staticmethod
    def vjp(cotangent, x, W, b, activation):
        if activation != "identity":
            raise NotImplementedError
        gradients = cotangent @ W, cotangent.T @ x, cotangent.sum(axis=0)
        cotangent *= 2
        return gradients

    @staticmethod
    def step(cotangent, x, W, b, activation, learning_rate):
        if activation != "identity":
            raise NotImplementedError
        rates = learning_rate if isinstance(learning_rate, (list, tuple)) else [learning_rate] * 3
        return None, W - rates[1] * (cotangent.T @ x), b + rates[2] * cotangent.sum(axis=0)
"""


def test_what_belongs_to_no_single_input_fails_each_of_them(pytester):
    pytester.makepyfile(writes=WRITES)
    few = ("--gradcheck-examples=3", "--gradcheck-operation=dense", "--gradcheck=writes.py")
    found, done = outcomes(pytester, *few)
    assert found == {"dense::forward": "skipped"} | dict.fromkeys(
        ["dense::x", "dense::W", "dense::b", "dense::step"], "failed"
    )
    done.stdout.fnmatch_lines(["fail: dense, conduct: vjp writes into *"])
    pytester.runpytest(*few, "gradcheck::writes.py::dense::W").assert_outcomes(failed=1)


def test_ids_are_stable_and_listed_in_order(mine):
    done = mine.runpytest("--gradcheck", "mine.py", *FEW, "--collect-only", "-q")
    assert [line for line in done.outlines if "::" in line] == IDS
    done = mine.runpytest("--gradcheck=mine.py", "--collect-only", "--gradcheck-operation=dense")
    done.stdout.fnmatch_lines(["<Target mine.py>", "  <Rows dense>", "    <Row forward>", "    <Row x>"])


def test_items_stand_beside_the_tests_of_the_project(mine):
    mine.makepyfile(test_own="def test_own(): pass")
    done = mine.runpytest("--gradcheck", "mine.py", *FEW, "--collect-only", "-q")
    assert [line for line in done.outlines if "::" in line] == ["test_own.py::test_own", *IDS]
    done = mine.runpytest(
        "--gradcheck", "mine.py", *FEW, "--strict-markers", "-m", "gradcheck and not dense", "-v"
    )
    assert "test_own" not in done.stdout.str().partition("collected")[2]
    mine.runpytest("--gradcheck", "mine.py", *FEW, "-m", "not gradcheck").assert_outcomes(
        passed=1, deselected=6
    )


COUNTING = """
from pathlib import Path


def count(name):
    with Path("calls.txt").open("a") as calls:
        print(name, file=calls)
    raise NotImplementedError


class dense:
    @staticmethod
    def forward(x, W, b, activation):
        count("forward")

    @staticmethod
    def vjp(cotangent, x, W, b, activation):
        count("vjp")
"""


def test_only_what_is_selected_is_judged(pytester):
    pytester.makepyfile(counting=COUNTING)
    few = ("--gradcheck=counting.py", "--gradcheck-examples=2", "--gradcheck-operation=dense")
    pytester.runpytest(*few, "-k", "forward").assert_outcomes(skipped=1, deselected=3)
    assert set((pytester.path / "calls.txt").read_text().split()) == {"forward"}
    pytester.runpytest(*few, "--collect-only")
    pytester.runpytest(*few, "-k", "nothing of this name")
    assert (pytester.path / "calls.txt").read_text().split() == ["forward"] * 2


def test_the_cases_of_an_operation_are_drawn_once(mine, monkeypatch):
    drawn = []
    draw = gradcheck.strategies.drawing._drawn
    monkeypatch.setattr(
        gradcheck.strategies.drawing, "_drawn", lambda *given: drawn.append(given) or draw(*given)
    )
    mine.runpytest("--gradcheck=mine.py", "--gradcheck-examples=9", "--gradcheck-operation=dense")
    assert len(drawn) == 1


def test_it_stops_at_the_first_failure(mine):
    mine.runpytest("--gradcheck=mine.py", *FEW, "-x").assert_outcomes(passed=1, failed=1)


def test_the_last_failures_are_run_again(mine):
    mine.runpytest("--gradcheck=mine.py", *FEW)
    done = mine.runpytest("--gradcheck=mine.py", *FEW, "--lf", "-v")
    done.assert_outcomes(failed=1, deselected=5)
    done.stdout.fnmatch_lines(["gradcheck::mine.py::downsample::x FAILED*"])


def test_workers_collect_the_same_and_say_the_same(mine):
    pytest.importorskip("xdist")
    mine.makepyfile(test_own="def test_own(): pass")
    found, done = outcomes(mine, "--gradcheck=mine.py", *FEW, "-n2", "gradcheck::mine.py")
    assert found == ROWS  # and not what workers would collect where they are given nothing
    done.stdout.fnmatch_lines(["  looks like      the right gradient divided by 4*"])


def test_items_are_asked_for_by_their_ids(mine):
    mine.makepyfile(test_own="def test_own(): pass")
    few = (*FEW, "--gradcheck=mine.py")
    found, _ = outcomes(mine, *few, "gradcheck::mine.py::dense::b", "gradcheck::mine.py::downsample")
    assert list(found) == ["downsample::forward", "downsample::x", "dense::b"]
    mine.runpytest(*few, "gradcheck::mine.py::dense::b", "test_own.py").assert_outcomes(passed=2)


def test_the_policy_for_kinks_reaches_every_row(mine):
    done = mine.runpytest("--gradcheck=mine.py", *FEW, "--gradcheck-kinks=avoid", "--junitxml=out.xml")
    done.stdout.fnmatch_lines(["gradcheck: mine.py (4 examples, seed 0, kinks avoid)"])
    told = [each for each in ET.parse(mine.path / "out.xml").iter("property") if each.get("name") == "kinks"]
    assert {each.get("value") for each in told} == {"avoid"}


def test_an_id_that_there_is_not_is_a_wrong_call(mine):
    done = mine.runpytest("--gradcheck=mine.py", *FEW, "gradcheck::mine.py::dense::w")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: not found: gradcheck::mine.py::dense::w"])


def test_a_report_keeps_what_the_row_was_worth(mine):
    mine.runpytest("--gradcheck=mine.py", *FEW, "--gradcheck-seed=3", "--junitxml=out.xml")
    (case,) = (
        each
        for each in ET.parse(mine.path / "out.xml").iter("testcase")
        if each.get("classname") == "gradcheck.mine.py.downsample" and each.get("name") == "x"
    )
    kept = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert kept["verdict"] == "fail"
    assert kept["evidence"].startswith("exact ")
    assert (kept["cases"], kept["seed"]) == ("4", "3")
    assert "looks like" in case.find("failure").text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--gradcheck=missing.py"],
            ["ERROR: --gradcheck missing.py", "target: there is no file missing.py"],
        ),
        (["--gradcheck=no_such_module"], ["*", "target: there is no module no_such_module"]),
        (
            ["--gradcheck=broken.py"],
            ["*", "target: broken.py cannot be imported", "  it raised NameError: *"],
        ),
        (["--gradcheck=empty.py"], ["*", "target: empty.py offers none of the catalogue's operations"]),
        (
            ["--gradcheck=mine.py", "--gradcheck-operation=tanhh"],
            ["*", "operation: no operation is called 'tanhh'"],
        ),
        (
            ["--gradcheck=mine.py", "--gradcheck-operation=tanh"],
            ["*", "certify: mine.py offers none of what is asked"],
        ),
        (["--gradcheck=mine.py", "--gradcheck-examples=0"], ["*", "*", "  examples = 0, seed = 0"]),
        (["--gradcheck=mine.py", "--gradcheck-seed=-1"], ["*", "*", "  examples = 25, seed = -1"]),
        (
            ["--gradcheck=mine.py", "--gradcheck-kinks=smooth"],
            ["*", "certify: no such kinks", "  kinks = 'smooth', wanted one of refuse, avoid, *"],
        ),
    ],
)
def test_a_wrong_call_ends_with_a_message_and_status_4(mine, arguments, said):
    mine.makepyfile(broken="nothing", empty="")
    done = mine.runpytest(*arguments)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(said)
    assert "Traceback" not in done.stderr.str()


def test_an_interruption_ends_the_session(pytester):
    pytester.makepyfile(stops="class tanh:\n    @staticmethod\n    def forward(u): raise KeyboardInterrupt\n")
    done = pytester.runpytest_subprocess("--gradcheck=stops.py", "--gradcheck-operation=tanh")
    assert done.ret == pytest.ExitCode.INTERRUPTED


def test_without_the_option_nothing_is_imported(pytester):
    pytester.makepyfile(
        "import sys\ndef test_quiet():\n"
        "    assert {'gradcheck', 'numpy', 'scipy', 'rich', 'reference'} & set(sys.modules) == set()\n"
        "    assert '_gradcheck_pytest' in sys.modules"
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_plugin_can_be_left_out(mine):
    done = mine.runpytest("-p", "no:gradcheck", "--gradcheck=mine.py")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*unrecognized arguments: --gradcheck=mine.py"])
    mine.makepyfile("def test_own(): pass")
    mine.runpytest("-p", "no:gradcheck").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "other", ["terminal", "cacheprovider", "skipping", "junitxml", "python", "xdist", "logging"]
)
def test_it_needs_no_other_plugin(mine, other):
    done = mine.runpytest("-p", f"no:{other}", "--gradcheck=mine.py", *FEW)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    if other != "terminal":
        done.assert_outcomes(passed=3, failed=1, skipped=2)


def test_a_filter_that_makes_errors_of_warnings_changes_nothing_for_quiet_code(mine):
    strict = ("-Werror", "--strict-markers", "--strict-config")
    done = mine.runpytest_subprocess("--gradcheck=mine.py", *FEW, *strict)
    done.assert_outcomes(passed=3, failed=1, skipped=2)


def test_no_folder_of_hypothesis_is_left_and_its_home_stays(mine, monkeypatch):
    monkeypatch.setattr(hypothesis.configuration, "__hypothesis_home_directory", mine.path / "home")
    mine.runpytest("--gradcheck=mine.py", "--gradcheck-examples=9", "--gradcheck-operation=downsample")
    assert not (mine.path / ".hypothesis").exists()
    assert vars(hypothesis.configuration)["__hypothesis_home_directory"] == mine.path / "home"


def test_defaults_are_those_of_certify(mine):
    done = mine.runpytest("--gradcheck=mine.py", "--collect-only")
    done.stdout.fnmatch_lines([f"gradcheck: mine.py ({EXAMPLES} examples, seed 0)"])
    assert "gradcheck.pytest_plugin" in sys.modules
