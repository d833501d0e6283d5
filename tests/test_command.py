"""A program in another process is certified as any target is; one that is wrong, dead or confused never passes."""

from __future__ import annotations

import json
import os
import shlex
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradcheck.certificate import read
from gradcheck.certify import certify
from gradcheck.cli import main
from gradcheck.importing import TargetError
from gradcheck.protocol import document
from gradcheck.report.words import again
from tests.test_execution import timeless

ADAPTER = Path(__file__).with_name("adapter.py")
BOTH = ["tanh", "upsample"]
EXAMPLES = 4


def command(*words):
    return "$ " + shlex.join([sys.executable, *map(str, words)])


RIGHT = command(ADAPTER)


def wrong(folder, text):
    """The adapter, changed by these lines before it is run."""
    source = ADAPTER.read_text(encoding="utf-8").partition("if __name__")[0]
    place = folder / "wrong.py"
    place.write_text(source + textwrap.dedent(text) + "\nmain()\n", encoding="utf-8")
    return command(place)


def verdicts(certificate):
    return {f"{each.operation}.{each.input}": str(each.verdict) for each in certificate.results}


def row(certificate, operation, name):
    (found,) = (e for e in certificate.results if (e.operation, e.input) == (operation, name))
    return found


@pytest.fixture(scope="module")
def alone():
    """What is said of the adapter by this process alone."""
    return certify(RIGHT, BOTH, examples=EXAMPLES)


def test_an_adapter_of_the_standard_library_alone_passes(alone):
    assert verdicts(alone) == dict.fromkeys(
        ["tanh.forward", "tanh.u", "upsample.forward", "upsample.x"], "pass"
    )
    assert row(alone, "upsample", "x").evidence == "exact"
    assert alone.environment["target"] == "1.2"
    assert alone.target == RIGHT


def test_the_certificate_is_the_same_wherever_it_is_made(alone):
    assert timeless(certify(RIGHT, BOTH, examples=EXAMPLES, jobs=2)) == timeless(alone)
    with ThreadPoolExecutor(2) as executor:
        found = certify(RIGHT, BOTH, examples=EXAMPLES, executor=executor, isolate=False)
    assert timeless(found) == timeless(alone)


def test_a_run_that_was_cut_short_goes_on(alone):
    def stop(done, total, name):
        if done == 5:
            raise KeyboardInterrupt

    half = certify(RIGHT, BOTH, examples=EXAMPLES, progress=stop)
    assert not half.complete
    assert timeless(certify(RIGHT, BOTH, examples=EXAMPLES, resume=half)) == timeless(alone)


def test_another_adapter_of_the_same_name_is_another_run(tmp_path):
    def stop(done, total, name):
        if done == 2:
            raise KeyboardInterrupt

    target = wrong(tmp_path, "")
    half = certify(target, ["upsample"], examples=EXAMPLES, progress=stop)
    wrong(tmp_path, "# changed")
    with pytest.raises(ValueError, match="its digest = "):
        certify(target, ["upsample"], examples=EXAMPLES, resume=half)


DOUBLED = """
def doubled(call, arrays, options):
    found = tanh(call, arrays, options)
    if call == "vjp":
        found["gradient_u"]["data"] = [2 * each for each in found["gradient_u"]["data"]]
    return found
OPERATIONS["tanh"] = doubled
"""


def test_a_wrong_gradient_fails_at_its_own_operation(tmp_path):
    found = certify(wrong(tmp_path, DOUBLED), BOTH, examples=EXAMPLES)
    assert verdicts(found) == {
        "tanh.forward": "pass", "tanh.u": "fail", "upsample.forward": "pass", "upsample.x": "pass",
    }  # fmt: skip
    assert row(found, "tanh", "u").diagnosis == "twice the right gradient"
    assert found.exit_status == 1


BAD = {
    "exits": ("os._exit(3)", "the program ended with exit status 3"),
    "exits, and says why": (
        "print('error: no memory', file=sys.stderr, flush=True); os._exit(1)",
        "the program ended with exit status 1, after writing 'error: no memory'",
    ),
    "raises": ("1 / 0", "the program ended with exit status 1, after writing 'ZeroDivisionError: division by zero'"),
    "faults": ("os.kill(os.getpid(), signal.SIGSEGV)", "the program was ended by SIGSEGV"),
    "dies of a long death": (
        "os.close(1); os.write(2, b'x' * 200_000); time.sleep(0.3); os._exit(5)",
        "the program ended with exit status 5, after writing 'xxx",
    ),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", "the program was ended by SIGKILL"),
    "prints": ("print('u = 3')", "the program wrote a line that is no JSON: 'u = 3'"),
    "writes bytes": ("os.write(1, bytes([255, 0, 10]))", "the program wrote a line that is no JSON: '�\\x00'"),
    "writes no object": ("print('[1]')", "the program wrote a line that is no object: '[1]'"),
    "answers twice": ("print(json.dumps({'id': 1}))", "the program answered another question: id = '1', wanted "),
    "closes its output": ("os.close(1); time.sleep(60)", "the program closed its standard output"),
    "stops in a line": ("os.write(1, b'{\"id\": '); os._exit(0)", "the program ended with exit status 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_program_that_is_lost_is_an_error_of_its_gradient_and_the_rest_is_judged(
    name, tmp_path, monkeypatch
):
    monkeypatch.setattr("gradcheck.program.DYING", 5.0 if name != "closes its output" else 0.2)
    statement, said = BAD[name]
    text = f"""
    import os, signal, time
    def lost(call, arrays, options):
        if call == "vjp":
            {statement}
        return tanh(call, arrays, options)
    OPERATIONS["tanh"] = lost
    """
    found = certify(wrong(tmp_path, text), BOTH, examples=EXAMPLES)
    assert verdicts(found) == {
        "tanh.forward": "inconclusive", "tanh.u": "error", "upsample.forward": "pass", "upsample.x": "pass",
    }  # fmt: skip
    lost = row(found, "tanh", "u")
    assert lost.reason.startswith(said)
    assert (lost.cases, lost.skipped_cases) == (3, 1)  # and not started anew without an end
    assert row(found, "tanh", "forward").cases == 3
    assert found.exit_status == 3


def test_a_loss_is_the_same_in_a_worker(tmp_path):
    text = """
    import os
    def lost(call, arrays, options):
        return os._exit(4) if len(arrays["input_u"]["shape"]) == 2 else tanh(call, arrays, options)
    OPERATIONS["tanh"] = lost
    """
    target = wrong(tmp_path, text)
    found = [certify(target, ["tanh"], examples=6, **how) for how in ({}, {"isolate": True})]
    assert verdicts(found[0]) == {"tanh.forward": "error", "tanh.u": "error"}
    assert found[0].results[1].cases == 6
    assert timeless(found[0]) == timeless(found[1])


def test_a_program_that_another_kills_is_asked_a_second_time(tmp_path):
    text = f"""
    import os, signal
    def killed(call, arrays, options):
        if call == "vjp" and not os.path.exists({str(tmp_path / "killed")!r}):
            open({str(tmp_path / "killed")!r}, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return tanh(call, arrays, options)
    OPERATIONS["tanh"] = killed
    """
    found = certify(wrong(tmp_path, text), ["tanh"], examples=2)
    assert (tmp_path / "killed").exists()
    assert verdicts(found) == {"tanh.forward": "pass", "tanh.u": "pass"}


def test_a_program_that_hangs_is_stopped_with_its_children(tmp_path):
    text = f"""
    import os, subprocess, time
    def hung(call, arrays, options):
        child = subprocess.Popen(["sleep", "60"])
        open({str(tmp_path / "processes")!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
        time.sleep(60)
    OPERATIONS["tanh"] = hung
    """
    began = time.monotonic()
    found = certify(wrong(tmp_path, text), BOTH, examples=1, timeout=1.0, isolate=True)
    assert time.monotonic() - began < 30
    assert verdicts(found)["tanh.u"] == "error"
    assert row(found, "tanh", "forward").reason.startswith(
        "no answer within 1 s: the process was stopped (--timeout)"
    )
    assert verdicts(found)["upsample.x"] == "pass"
    for process in (tmp_path / "processes").read_text().split():
        assert ended(process), process


def ended(process):
    for _ in range(100):
        try:
            if Path(f"/proc/{process}/stat").read_text().split()[2] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


WRONG = {
    "too few numbers": ('{"gradient_u": {"shape": [9], "data": [1]}}', "error", "VectorError: gradient_u has 1"),
    "no numbers": ('{"gradient_u": {"shape": [1], "data": [None]}}', "error", "gradient_u has 'None' for element 0"),
    "no array": ('{"gradient_u": 3}', "error", "VectorError: has an array that cannot be read: TypeError"),
    "no arrays": ("[]", "error", 'VectorError: has no "arrays"'),
    "another shape": ('{"gradient_u": {"shape": [1, 9], "data": [1] * 9}}', "fail", "shape"),
    "NaN": (
        '{"gradient_u": {"shape": arrays["input_u"]["shape"], "data": ["nan"] * len(arrays["input_u"]["data"])}}',
        "fail", "gradient of u is not finite",
    ),
    "another name": (
        '{"gradient_v": {"shape": [1], "data": [1]}}', "error",
        "ProtocolError: it answers with arrays that nobody asked for: gradient_v, wanted gradient_u",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_is_none_is_said_to_be_that_and_the_program_goes_on(name, tmp_path):
    answer, verdict, said = WRONG[name]
    text = f"""
    import os
    def odd(call, arrays, options):
        open({str(tmp_path / "processes")!r}, "a").write(f"{{os.getpid()}} ")
        return {answer} if call == "vjp" else tanh(call, arrays, options)
    OPERATIONS["tanh"] = odd
    """
    found = certify(wrong(tmp_path, text), BOTH, examples=2)
    assert verdicts(found) == {
        "tanh.forward": "pass", "tanh.u": verdict, "upsample.forward": "pass", "upsample.x": "pass",
    }  # fmt: skip
    assert said in row(found, "tanh", "u").reason
    assert len(set((tmp_path / "processes").read_text().split())) == 1


def test_errors_and_what_is_not_offered_are_told_apart(tmp_path):
    text = """
    def spoken(question):
        if question["call"] == "vjp" and question["operation"] == "tanh":
            return {"error": "singular\\nmatrix"}
        if question["call"] == "vjp" and question["options"]["n"] > 1:
            return {"not_offered": "n > 1"}
        return right(question)
    right, answered = answered, spoken
    """
    found = certify(wrong(tmp_path, text), BOTH, examples=EXAMPLES)
    reason = row(found, "tanh", "u").reason
    assert reason.startswith("the vjp raised ProtocolError: it answers with an error: singular matrix")
    assert row(found, "upsample", "x").not_offered_cases == 2
    assert verdicts(found)["upsample.x"] == "pass"


def test_what_an_answer_leaves_out_is_not_offered(tmp_path):
    text = """
    def partial(call, arrays, options):
        return {} if call == "vjp" else upsample(call, arrays, options)
    OPERATIONS["upsample"] = partial
    """
    found = certify(wrong(tmp_path, text), ["upsample"], examples=2)
    assert [(each.operation, each.input) for each in found.not_offered] == [("upsample", "x")]


def test_much_on_standard_error_blocks_nothing_and_is_passed_on(tmp_path, capfd):
    text = """
    def chatty(call, arrays, options):
        sys.stderr.write("x" * 300_000)
        return tanh(call, arrays, options)
    OPERATIONS["tanh"] = chatty
    """
    found = certify(wrong(tmp_path, text), ["tanh"], examples=1)
    assert found.exit_status == 0
    assert capfd.readouterr().err.startswith("xxx")


UNLOADABLE = {
    "$ ": "the command is empty",
    "$ 'open": "the command cannot be split into words: No closing quotation",
    "$ no-such-program x": "there is no program 'no-such-program' that can be run, in this folder or on the PATH",
    "$ true": "the program ended with exit status 0",
    "$ echo hello": "the program wrote a line that is no JSON: 'hello'",
    "$ cat": "it offers None, wanted {operation: [forward, vjp]}",
}  # fmt: skip


@pytest.mark.parametrize("target", UNLOADABLE)
def test_a_command_that_is_no_such_program_is_one_message(target):
    with pytest.raises(TargetError) as caught:
        certify(target, isolate=target == "$ true")
    head, said, rule = str(caught.value).splitlines()
    assert head == f"target: {target} cannot be asked what it offers"
    assert said.strip() == UNLOADABLE[target]
    assert rule == "  wanted a program that answers in lines of JSON, as `gradcheck protocol` has it"


def test_a_system_without_such_pipes_is_told(monkeypatch):
    monkeypatch.setattr("gradcheck.program.IS_POSSIBLE", False)
    with pytest.raises(
        TargetError, match="this system cannot wait for several pipes: system = posix, wanted posix"
    ):
        certify(RIGHT)


DESCRIBED = {
    '"offers": {}': "it offers {}, wanted",
    '"offers": {"tanh": "forward"}': "it offers {'tanh': 'forward'}, wanted",
    '"offers": {"tanh": ["jvp"]}': "it offers {'tanh': ['jvp']}, wanted",
    '"offers": {"tanhh": ["vjp"]}': "implements 'tanhh', which is no operation",
    '"offers": {"tanh": ["vjp"]}, "format": "xml"': "its format is xml, wanted one of npz, mat, json, safetensors",
    '"offers": {"tanh": ["vjp"]}, "conventions": {"tanh": 3}': "its conventions are {'tanh': 3}, wanted",
    '"offers": {"dense": ["vjp"]}, "conventions": {"dense": {"weights": "QQ"}}': "declares a convention that dense",
}  # fmt: skip


@pytest.mark.parametrize("said", DESCRIBED)
def test_a_description_that_is_not_understood_is_refused(said, tmp_path):
    answer = 'input(); print("""{"id": 1, ' + said + '}""", flush=True); input()'
    (tmp_path / "odd.py").write_text(answer)
    with pytest.raises(TargetError) as caught:
        certify(command(tmp_path / "odd.py"))
    assert DESCRIBED[said] in str(caught.value)


def test_an_answer_without_an_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("gradcheck.program.MOST", 1 << 12)
    text = """
    def endless(call, arrays, options):
        while True:
            sys.stdout.write("[")
    OPERATIONS["tanh"] = endless
    """
    found = certify(wrong(tmp_path, text), ["tanh"], examples=1)
    assert found.results[0].reason.startswith("the program's answer is longer than 4096 bytes")


def test_the_command_line_takes_a_command(tmp_path):
    place = tmp_path / "certificate.json"
    options = ["--operation", "tanh", "--operation", "upsample", "--examples", "2", "--json", str(place)]
    done = CliRunner().invoke(main, ["certify", "--command", RIGHT[2:], *options])
    assert done.exit_code == 0, done.output
    assert "pass (4 pass; 8 cases, seed 0" in " ".join(
        done.output.split()
    )  # lines break by the length of the path
    found = read(place)
    assert dict(again(found, found.results[0]))["every case of the operation"].startswith(
        f"gradcheck certify --command {shlex.quote(RIGHT[2:])} --operation tanh"
    )
    done = CliRunner().invoke(main, ["replay", str(place), "--result", "upsample.x", "--no-isolate"])
    assert done.exit_code == 0, done.output
    assert "analytic (1, 1, 1, 1)" in done.output


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["reference", "--command", "cat"], 2, "certify: one target is certified at a time"),
        (["--command", "no-such-program"], 2, "there is no program 'no-such-program'"),
        (["--command", RIGHT[2:], "--operation", "dense"], 2, "offers none of what is asked"),
        (
            [
                "--command",
                RIGHT[2:],
                "--operation",
                "tanh",
                "--operation",
                "dense",
                "--examples",
                "1",
                "--require",
                "dense",
            ],
            1,
            "dense",
        ),
    ],
)
def test_the_exit_status_is_that_of_any_target(words, status, said):
    done = CliRunner().invoke(main, ["certify", "--no-isolate", *words])
    assert done.exit_code == status, done.output
    assert said in done.output
    assert "Traceback" not in done.output


def test_the_document_is_printed_and_its_lines_are_what_is_said():
    printed = CliRunner().invoke(main, ["protocol"]).output
    assert printed == document()
    lines = [line.strip() for line in printed.splitlines() if line.startswith('    {"')]
    assert json.loads(lines[0]) == {"call": "describe", "protocol": "gradcheck/command/1", "id": 1}
    assert json.loads(lines[1])["offers"] == {"dense": ["forward", "vjp"]}


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    os.mkdir(tmp_path / "scratch")
    text = f"""
    import os
    open({str(tmp_path / "processes")!r}, "a").write(f"{{os.getpid()}} ")
    """
    for how in ({}, {"isolate": True}):
        certify(wrong(tmp_path, text), ["tanh"], examples=1, **how)
    processes = (tmp_path / "processes").read_text().split()
    assert len(processes) == 2
    assert all(map(ended, processes))
    assert not list((tmp_path / "scratch").iterdir())
