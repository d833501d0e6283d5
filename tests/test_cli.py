import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradcheck.certificate import Certificate
from gradcheck.cli import main
from gradcheck.environment import package_version
from gradcheck.report import destinations

FEW = ["--examples", "2", "--no-isolate"]


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run a command line in a folder of its own; the result has exit_code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)  # set by shells and by xdist; tables are as wide as it says
    before = set(sys.modules)
    yield lambda *arguments: CliRunner().invoke(main, list(arguments))
    for name in set(sys.modules) - before:
        if name.startswith("target"):
            del sys.modules[name]


def target(text, name="target.py"):
    with open(name, "w", encoding="utf-8") as file:
        file.write("import numpy as np\n" + text)
    return name


RIGHT = """
class tanh:
    @staticmethod
    def forward(u): return np.tanh(u)
    @staticmethod
    def vjp(c, u): return (c * (1 - np.tanh(u) ** 2),)
"""
WRONG = RIGHT.replace("1 - np.tanh(u) ** 2", "1 + np.tanh(u) ** 2")


def test_the_reference_is_the_target_when_none_is_named(call):
    found = call("certify", "--operation", "upsample", "--operation", "tanh", *FEW)
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[-1].startswith("reference: pass (4 pass; 8 cases, seed 0, ")
    assert [line.split()[0] for line in lines[2:6]] == ["upsample", "x", "tanh", "u"]
    assert found.stderr == ""


def test_a_wrong_gradient_exits_with_1_and_accounts_for_it(call):
    found = call("certify", target(WRONG), *FEW, "--json", "c.json")
    assert found.exit_code == 1
    assert "fail: d tanh / d u: " in found.stdout
    assert "could have seen" in found.stdout
    data = Certificate.from_json(Path("c.json").read_text(encoding="utf-8"))
    assert (data.exit_status, data.target) == (1, "target.py")


def test_a_target_that_raises_exits_with_3(call):
    found = call("certify", target(RIGHT.replace("return (c", "return (1 / 0 * c")), *FEW)
    assert found.exit_code == 3
    assert "the vjp raised ZeroDivisionError: division by zero" in found.stdout
    assert "Traceback" not in found.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no_such_target"], "target: there is no module no_such_target"),
        (["none.py"], "target: there is no file none.py"),
        (["target.py"], "target: target.py offers none of the catalogue's operations"),
        (["raising.py"], "it raised ValueError: bad"),
        (["reference:tanh"], "offers none"),
        (["reference", "--operation", "convolutoin"], "nearest = convolution"),
        (["--examples", "0"], "0 is not in the range x>=1"),
        (["--seed", "-1"], "-1 is not in the range x>=0"),
        (["--examples", "many"], "'many' is not a valid integer"),
        (["--json", "nowhere/c.json"], "--json: there is no folder to write to"),
        (["--json", "."], "is a directory"),
        (["--colour"], "No such option"),
        (["one", "two"], "Got unexpected extra argument"),
    ],
)
def test_a_wrong_call_exits_with_2_one_message_and_no_traceback(call, arguments, said):
    target("x = 1")
    target("raise ValueError('bad')", "raising.py")
    found = call("certify", *arguments)
    assert found.exit_code == 2
    assert said in found.stderr
    assert "Traceback" not in found.output


def test_a_file_that_cannot_be_written_after_all_exits_with_2_and_keeps_the_table(call, monkeypatch):
    def full(text, path):
        raise OSError("no space left")

    monkeypatch.setattr(destinations, "write_whole", full)
    found = call("certify", "--operation", "tanh", *FEW, "--json", "c.json")
    assert found.exit_code == 2
    assert "--json: the file cannot be written\n  no space left" in found.stderr
    assert "reference: pass" in found.stdout


def test_the_file_is_the_same_for_the_same_seed_but_for_times_and_environment(call):
    def timeless(name, seed):
        call("certify", target(WRONG), *FEW, "--seed", seed, "--json", name)
        data = json.loads(Path(name).read_text(encoding="utf-8"))
        return {part: data[part] for part in data if part not in ("created", "seconds", "environment")}

    assert timeless("a.json", "5") == timeless("b.json", "5")
    assert timeless("a.json", "5")["seed"] == 5
    assert timeless("a.json", "5") != timeless("c.json", "6")


def test_operations_lists_them_all(call):
    found = call("operations")
    assert found.exit_code == 0
    assert "convolve_full   d (N, J, h, w), k (I, J, Kh, Kw)" in found.stdout


def test_show_tells_what_the_catalogue_knows(call):
    found = call("show", "convolution")
    assert found.exit_code == 0
    for said in (
        "k (I, J, Kh, Kw)",
        "rot180(conv2(x_i, rot180(δ_j), 'valid'))",
        "E4",
        'kernel="correlation"',
    ):
        assert said in found.stdout


def test_show_of_an_unknown_operation_lists_what_comes_near(call):
    found = call("show", "convolv")
    assert found.exit_code == 2
    assert "operation: no operation is called 'convolv'" in found.stderr


def test_the_version_is_that_of_the_package(call):
    assert call("--version").stdout == f"gradcheck, version {package_version('gradcheck')}\n"


def test_the_working_folder_stays_clean(call, tmp_path):
    call("certify", "--operation", "tanh", *FEW)
    assert os.listdir(tmp_path) == []


def test_an_interruption_while_loading_exits_with_3(call):
    found = call("certify", target("raise KeyboardInterrupt"), "--no-isolate")
    assert found.exit_code == 3
    assert found.stderr == "interrupted before anything was certified\n"


def started(folder, *arguments, **options):
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONIOENCODING": "ascii",
    }
    command = [sys.executable, "-m", "gradcheck", *arguments]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_the_program_runs_as_a_module_and_survives_an_ascii_terminal(tmp_path):
    process = started(tmp_path, "show", "dense")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "D5" in out
    assert "\x1b" not in out


SLOW = RIGHT.replace("def vjp(c, u): return", "def vjp(c, u):\n        import time; time.sleep(0.01); return")


@pytest.fixture
def interruptible():
    """Not left out of Ctrl-C, as what a shell starts in the background is, and all that this starts in turn."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_still_writes_and_prints_what_is_done(call, tmp_path):
    marked = SLOW.replace("return (c", "open('started', 'w').close(); return (c")
    process = started(tmp_path, "certify", target(marked), "--examples", "90", "--json", "c.json")
    while not os.path.exists("started") and process.poll() is None:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (3, "")
    assert re.search(r"target.py: inconclusive \(.*; cut short\)", out)
    data = Certificate.from_json(Path("c.json").read_text(encoding="utf-8"))
    assert not data.complete
    assert 0 < data.counts["cases"] < 180


REPORTS = ["--json", "c.json", "--markdown", "c.md", "--junit", "c.xml"]


def test_every_report_is_written(call):
    assert call("certify", target(WRONG), *FEW, *REPORTS).exit_code == 1
    assert Certificate.from_json(Path("c.json").read_text(encoding="utf-8")).target == "target.py"
    assert Path("c.md").read_text(encoding="utf-8").startswith("# Gradient certificate\n")
    assert Path("c.xml").read_text(encoding="utf-8").startswith("<?xml")
    left = sorted(set(os.listdir()) - {"__pycache__"})  # which Python writes where it may
    assert left == ["c.json", "c.md", "c.xml", "target.py"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--markdown", "nowhere/c.md"], "--markdown: there is no folder to write to"),
        (["--junit", "folder"], "--junit: the file cannot be written"),
        (["--json", "c", "--junit", "./c"], "--junit: another report goes to the same file"),
    ],
)
def test_a_place_that_cannot_be_written_is_said_before_the_work(call, arguments, said):
    os.mkdir("folder")
    found = call("certify", target("open('loaded', 'w').close()" + RIGHT), *FEW, *arguments)
    assert found.exit_code == 2
    assert said in found.stderr
    assert "Traceback" not in found.output
    assert not os.path.exists("loaded")


def test_one_file_that_cannot_be_written_after_all_costs_no_other(call, monkeypatch):
    write = destinations.write_whole

    def full(text, path):
        if Path(path).name == "c.json" and Path(path).parent == Path():
            raise OSError("no space left")
        write(text, path)

    monkeypatch.setattr(destinations, "write_whole", full)
    found = call("certify", target(WRONG), *FEW, *REPORTS)
    assert found.exit_code == 2
    assert "--json: the file cannot be written\n  no space left\n  wanted a place for c.json" in found.stderr
    (kept,) = re.findall(r"  kept = (.*)", found.stderr)
    assert Certificate.from_json(Path(kept).read_text(encoding="utf-8")).exit_status == 1
    assert "fail: d tanh / d u: " in found.stdout
    assert Path("c.md").exists()
    assert Path("c.xml").exists()


def test_one_report_that_cannot_be_made_costs_no_other(call, monkeypatch):
    def broken(certificate):
        raise ZeroDivisionError("a fault of our own")

    monkeypatch.setattr(destinations, "MAKERS", {**destinations.MAKERS, "--markdown": broken})
    found = call("certify", target(RIGHT), *FEW, *REPORTS)
    assert found.exit_code == 2
    assert "--markdown: the report could not be made\n  observed = ZeroDivisionError: a fault" in found.stderr
    assert (os.path.exists("c.json"), os.path.exists("c.md"), os.path.exists("c.xml")) == (True, False, True)


def test_on_github_faults_are_annotated_and_the_summary_is_added_to(call, monkeypatch):
    Path("summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", os.path.abspath("summary.md"))
    found = call("certify", target(WRONG), *FEW)
    assert found.exit_code == 1
    assert "\n::error file=target.py,line=3,title=fail%3A d tanh / d u::fail: d tanh" in found.stdout
    assert Path("summary.md").read_text(encoding="utf-8").startswith("before\n# Gradient certificate\n")


def test_elsewhere_nothing_of_github_is_printed(call, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", os.path.abspath("summary.md"))
    assert "::error" not in call("certify", target(WRONG), *FEW).stdout
    assert not os.path.exists("summary.md")


def test_a_reader_that_goes_away_changes_neither_the_files_nor_the_exit_status(call, tmp_path):
    script = f"{sys.executable} -m gradcheck certify {target(RIGHT)} --examples 2 --json c.json"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    piped = ["bash", "-c", f"set -o pipefail; {script} | true"]
    done = subprocess.run(piped, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("c.json").exists()


def test_a_page_is_written_that_replays_from_the_certificate_beside_it(call):
    call("certify", target(WRONG), *FEW, "--html", "c.html", "--json", "c.json")
    text = Path("c.html").read_text(encoding="utf-8")
    assert "gradcheck replay c.json --result 1" in text
    assert "<math" in text


def test_a_certificate_is_reported_once_more_in_other_forms_as_when_it_was_made(call):
    first = call(
        "certify", target(WRONG), *FEW, "--json", "c.json", "--html", "first.html", "--junit", "first.xml"
    )
    again = call("report", "c.json", "--json", "d.json", "--html", "second.html", "--junit", "second.xml")
    assert (again.exit_code, again.stdout) == (1, first.stdout)
    assert Path("d.json").read_bytes() == Path("c.json").read_bytes()
    assert Path("second.xml").read_bytes() == Path("first.xml").read_bytes()
    pages = [Path(name).read_text(encoding="utf-8") for name in ("first.html", "second.html")]
    assert pages[0].replace("replay c.json", "replay d.json") == pages[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{}", "certificate: the file has another schema\n  schema = None"),
        (b"\xff", "certificate: the file cannot be read\n  'utf-8' codec can't decode"),
        (None, "File 'c.json' does not exist"),
    ],
)
def test_a_report_of_what_is_no_certificate_is_refused(call, content, said):
    if content is not None:
        Path("c.json").write_bytes(content)
    found = call("report", "c.json", "--html", "c.html")
    assert found.exit_code == 2
    assert said in found.stderr
    assert not os.path.exists("c.html")


def test_a_certificate_with_a_broken_exhibit_still_has_its_other_reports(call):
    call("certify", target(WRONG), *FEW, "--json", "c.json")
    text = Path("c.json").read_text(encoding="utf-8")
    Path("c.json").write_text(text.replace('"claimed": [', '"claimed": [null, '), encoding="utf-8")
    found = call("report", "c.json", "--html", "c.html", "--junit", "c.xml")
    assert found.exit_code == 2
    assert "--html: the report could not be made\n  observed = TypeError" in found.stderr
    assert Path("c.xml").exists()
