"""The policy for kinks of a whole run: on the command line, in workers, in a run that goes on, in a replay."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import pytest
from click.testing import CliRunner
from rich.console import Console

from gradcheck.book import ResumeError
from gradcheck.certificate import Certificate, read, write
from gradcheck.certify import certify
from gradcheck.cli import main
from gradcheck.replay import ReplayError, replay
from gradcheck.report.junit import junit
from gradcheck.report.markdown import markdown
from gradcheck.report.page import html
from gradcheck.report.terminal import operation_report
from gradcheck.report.words import again

#: Two operations with a kink at 0, where a third of the points is; the one declares what is to be done there.
CATALOGUE = """
import numpy as np
from gradcheck.case import Case
from gradcheck.operation import Input, Operation
from gradcheck.strategies import cases, sizes

def ramp(name, **declared):
    drawn = cases(lambda draw: Case({"u": (draw(sizes(4, 9)),)}, kind="zeros"))
    inputs = (Input("u", ("n",), "pre-activations"),)
    return Operation(name, "max(u, 0)", inputs, lambda u: np.maximum(u, 0), drawn, **declared)

def operations():
    return {"ramp": ramp("ramp"), "declared": ramp("declared", kinks="subgradient")}
"""

#: One half at 0 lies between the derivatives from both sides, and is neither of them.
TARGET = """
import numpy as np

class ramp:
    @staticmethod
    def forward(u):
        return np.maximum(u, 0)

    @staticmethod
    def vjp(c, u):
        return (c * np.heaviside(u, 0.5),)

declared = ramp
"""
OPERATIONS, EXAMPLES = ("ramp", "declared"), 3

#: The policy that is asked for, and what is said of the operation that declares none and of the one that does.
VERDICTS = {
    None: ("inconclusive", "pass"),
    "refuse": ("inconclusive", "inconclusive"),
    "avoid": ("pass", "pass"),
    "one_sided": ("fail", "fail"),
    "subgradient": ("pass", "pass"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a target, and a catalogue that is installed where the folder is on the path."""
    folder = tmp_path_factory.mktemp("ramps")
    (folder / "mine.py").write_text(TARGET)
    (folder / "ramps.py").write_text(CATALOGUE)
    installed = folder / "ramps-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: ramps\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[gradcheck.catalogues]\nramps = ramps:operations\n")
    return folder


def ramps():
    """The catalogue, as this process has it."""
    known = {}
    exec(CATALOGUE, known)
    return known["operations"]()


def certified(place, **asked):
    """The certificate of this process, where nothing is isolated."""
    return certify(str(place / "mine.py"), OPERATIONS, examples=EXAMPLES, catalogue=ramps(), **asked)


def command(place, *words):
    """The outcome of a command of its own, where the catalogue is installed."""
    path = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", os.getcwd())])
    return subprocess.run(
        [sys.executable, "-m", "gradcheck", *words],
        cwd=place,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


def numbers(certificate):
    """A certificate without times and environment."""
    data = json.loads(certificate.to_json())
    return {name: data[name] for name in data if name not in ("seconds", "created", "environment")}


@pytest.mark.parametrize("policy", VERDICTS)
def test_what_is_asked_for_goes_before_what_is_declared(place, policy):
    certificate = certified(place, kinks=policy)
    rows = [row for row in certificate.results if row.input == "u"]
    assert tuple(str(row.verdict) for row in rows) == VERDICTS[policy]
    assert certificate.kinks == policy
    assert [row.kinks for row in rows] == [policy or "refuse", policy or "subgradient"]
    assert Certificate.from_json(certificate.to_json()).results == certificate.results


def test_workers_a_run_that_goes_on_and_a_replay_have_the_policy(place):
    def stop(done, total, name):
        if done == 1:
            raise KeyboardInterrupt

    whole = certified(place, kinks="subgradient")
    half = certified(place, kinks="subgradient", progress=stop)
    write(half, place / "half.json")
    assert not half.complete
    assert half.unfinished["run"]["kinks"] == "subgradient"

    with pytest.raises(ResumeError, match="of another run\n  its kinks = subgradient\n  here = avoid\n"):
        certified(place, kinks="avoid", resume=half)

    onwards = command(place, "certify", "--resume", "half.json", "--jobs", "2")
    assert onwards.returncode == 0, onwards.stderr
    assert ", seed 0, kinks subgradient, " in " ".join(onwards.stdout.split())  # a long path wraps it
    assert numbers(read(place / "half.json")) == numbers(whole)

    replayed = command(place, "replay", "half.json", "--result", "ramp.u")
    assert replayed.returncode == 0, replayed.stderr
    assert "\nkinks = 'subgradient'\n" in replayed.stdout
    assert "d ramp / d u: pass (seed" in replayed.stdout
    assert "(kinks: subgradient)" in replayed.stdout


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_catalogue_shows_what_is_declared(name):
    console = Console(file=io.StringIO(), width=120)
    console.print(operation_report(ramps()[name]))
    shown = console.file.getvalue()
    assert ("kinks\n  subgradient    where it has no derivative, unless a run says" in shown) == (
        name == "declared"
    )


def test_a_policy_that_there_is_not_is_refused(place):
    done = CliRunner().invoke(main, ["certify", "reference", "--kinks", "smooth"])
    assert done.exit_code == 2
    wanted = "  kinks = 'smooth', wanted one of refuse, avoid, one_sided, subgradient"
    assert done.stderr == f"Error: certify: no such kinks\n{wanted}\n"


def test_the_file_s_policy_is_read_and_looked_at(tmp_path):
    found = certify("reference", ["sigmoid"], examples=1, kinks="one_sided")
    write(found, tmp_path / "c.json")
    assert read(tmp_path / "c.json").kinks == "one_sided"
    with pytest.raises(ReplayError, match="replay: no such kinks\n  kinks = 'smooth', wanted one of refuse"):
        replay(replace(found, kinks="smooth"), "sigmoid.u")
    data = json.loads(found.to_json())
    del data["kinks"]  # as those of before
    assert Certificate.from_json(json.dumps(data)).kinks is None


def test_every_report_names_the_policy(place):
    found = certified(place, kinks="one_sided")
    row = next(each for each in found.results if each.input == "u")
    properties = [(each.get("name"), each.get("value")) for each in fromstring(junit(found)).iter("property")]
    assert ("kinks", "one_sided") in properties
    assert "seed 0, kinks one_sided, " in html(found)
    assert "seed 0, kinks one\\_sided, " in markdown(found)
    assert any(told.endswith(" --kinks one_sided") for _, told in again(found, row))
