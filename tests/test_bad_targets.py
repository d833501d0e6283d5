"""Bad targets, each through the command line: one clear line, the right exit status, and an output that is ours."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from gradcheck.cli import main

RIGHT = """
import sys, os, random, warnings
import numpy as np
class tanh:
    @staticmethod
    def forward(u):
        {forward}
        return np.tanh(u)
    @staticmethod
    def vjp(c, u):
        {vjp}
        return (c * (1 - np.tanh(u) ** 2),)
"""


def written(before="", forward="pass", vjp="pass"):
    return f"{before}\n{RIGHT.format(forward=forward, vjp=vjp)}"


LOADING = {
    "syntax": ("def f(:", "target: bad.py cannot be imported\n  it raised SyntaxError: invalid syntax"),
    "import of what there is not": (
        "import surely_not_there",
        "target: cannot be imported: bad.py\n  missing = surely_n",
    ),
    "an exception": ("raise KeyError('a\\nb')", "target: bad.py cannot be imported\n  it raised KeyError: "),
    "sys.exit": ("import sys; sys.exit(0)", "target: bad.py cannot be imported\n  it raised SystemExit: 0"),
    "a test framework's skip": (
        "class Skipped(BaseException): pass\nraise Skipped('no GPU')",
        "target: bad.py cannot be imported\n  it raised Skipped: no GPU",
    ),
    "nothing implemented": ("x = 1", "target: bad.py offers none of the catalogue's operations"),
    "unknown operation": (
        "import gradcheck\n@gradcheck.implements('convolutoin')\nclass A:\n    forward = staticmethod(abs)",
        "target: abs implements 'convolutoin', which is no operation\n  nearest = convolution",
    ),
    "unknown convention": (
        "import gradcheck\n@gradcheck.implements('convolution', kernel='flipped')\nclass A:\n"
        "    forward = staticmethod(abs)",
        "target: abs declares a convention that convolution does not have\n  declared = kernel='flipped'\n"
        "  known: kernel = convolution | correlation; ",
    ),
    "two of one": (
        "import gradcheck\n"
        "@gradcheck.implements('tanh')\nclass A:\n    forward = staticmethod(abs)\n"
        "@gradcheck.implements('tanh')\nclass B:\n    forward = staticmethod(len)",
        "target: 'tanh' is implemented twice",
    ),
    "a step of nothing": (
        "class tanh:\n    step = staticmethod(abs)",
        "target: abs offers a step for tanh, which has no parameters",
    ),
    "neither forward nor vjp": (
        "import gradcheck\n@gradcheck.implements('tanh')\nclass A: pass",
        "it raised TypeError: implements: the class A offers nothing for 'tanh'",
    ),
}
ANSWERING = {
    "wrong shape": (written(forward="return np.tanh(u)[None]"), 1, "fail: tanh, forward: the forward has shape (1"),
    "None": (written(forward="return None"), 1, "the forward returned None, wanted real floating numbers"),
    "complex": (written(forward="return np.tanh(u) + 0j"), 1, "the forward returned dtype complex128, wanted real"),
    "text": (written(forward="return 'tanh'"), 1, "the forward returned dtype <U4, wanted real floating numbers"),
    "no array": (written(forward="return [[1.0], 2.0]"), 1, "the forward returned a list, which is no array"),
    "an exception": (written(forward="1 / 0"), 3, "the forward raised ZeroDivisionError: division by zero"),
    "sys.exit": (written(vjp="sys.exit(0)"), 3, "the vjp raised SystemExit: 0"),
    "endless recursion": (
        written(vjp="return tanh.vjp(c, u)"), 3, "the vjp raised RecursionError: maximum recursion depth exceeded"
    ),
    "a skip": (
        written("class Skipped(BaseException): pass", vjp="raise Skipped('gone')"), 3, "the vjp raised Skipped: gone"
    ),
    "a gradient of None": (
        written(vjp="return None"), 1, "fail: tanh, conduct: vjp does not return one gradient for each input"
    ),
    "two gradients of one input": (
        written(vjp="return c, c"), 1, "fail: tanh, conduct: vjp does not return one gradient for each input"
    ),
    "a complex gradient": (written(vjp="return (c * 1j,)"), 1, "gradient of u: wrong dtype"),
    "a gradient of another shape": (written(vjp="return (c[None],)"), 1, "gradient of u: wrong shape"),
    "seeds of others": (
        written(vjp="np.random.seed(0)"), 1, "fail: tanh, conduct: vjp changes NumPy's global random generator"
    ),
    "a gradient of NaN": (written(vjp="return (c * np.nan,)"), 1, "gradient of u is not finite"),
}  # fmt: skip
BESIDE = {
    "prints when imported": (written("print('LOUD')"), "the target printed to standard output: 'LOUD'"),
    "prints when called": (written(vjp="print('LOUD')"), "tanh: the target printed to standard output: 'LOUD'"),
    "closes standard output": (written("import sys; sys.stdout.close()", vjp="sys.stdout.close()"), None),
    "replaces standard output": (
        written("import sys, io; sys.stdout = io.StringIO()"), "the target replaced sys.stdout; put back"
    ),
    "error handling, when imported": (
        written("import numpy; numpy.seterr(over='raise')"),
        "the target changed how NumPy handles over (warn → raise); put back",
    ),
    "error handling, when called": (
        written(forward="np.seterr(divide='raise')"), "tanh: the target changed how NumPy handles divide ("
    ),
    "seeds": (
        written(forward="np.random.seed(0); random.seed(0)"),
        "tanh: the target changed the state of NumPy's global random generator; put back",
    ),
    "the working folder": (written(vjp="os.chdir('/')"), "tanh: the target changed the working folder; put back"),
    "print options": (
        written("import numpy; numpy.set_printoptions(precision=1)"),
        "the target changed NumPy's print options; put back",
    ),
    "warns when imported": (
        written("import warnings; warnings.warn('OLD', DeprecationWarning)"),
        "the target warned: DeprecationWarning: OLD",
    ),
    "warns when called": (
        written(vjp="warnings.warn('OLD', DeprecationWarning)"), "tanh: the target warned: DeprecationWarning: OLD"
    ),
    "ignores all warnings": (written(vjp="warnings.simplefilter('ignore')"), None),
}  # fmt: skip


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Certify a text as bad.py in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def certify(text, *more):
        (tmp_path / "bad.py").write_text(text, encoding="utf-8")
        sys.modules.pop("bad", None)
        few = ["certify", "bad.py", "--operation", "tanh", "--examples", "2"]
        return CliRunner().invoke(main, [*few, *(more or ["--no-isolate"])])

    yield certify
    sys.modules.pop("bad", None)


def clean(found):
    assert "Traceback" not in found.output
    return " ".join(found.output.split())


@pytest.mark.parametrize("kind", LOADING)
def test_what_cannot_be_loaded_exits_with_2_and_says_why(call, kind):
    text, said = LOADING[kind]
    found = call(text)
    assert found.exit_code == 2
    assert said in found.stderr
    assert found.stdout == ""
    assert "Traceback" not in found.output


@pytest.mark.parametrize(
    ("target", "said"), [("no_such_module", "there is no module"), ("no.py", "there is no file")]
)
def test_a_target_that_is_not_there_exits_with_2(call, target, said):
    found = CliRunner().invoke(main, ["certify", target])
    assert (found.exit_code, f"target: {said} {target}" in found.stderr) == (2, True)


@pytest.mark.parametrize("kind", ANSWERING)
def test_what_does_not_answer_as_it_should_is_failed_or_in_error_in_its_own_row(call, kind):
    text, status, said = ANSWERING[kind]
    found = call(text)
    assert said in clean(found)
    assert found.exit_code == status


@pytest.mark.parametrize("kind", BESIDE)
def test_what_a_right_target_does_beside_answering_is_a_note_and_no_more(call, kind):
    text, note = BESIDE[kind]
    found = call(text)
    assert found.exit_code == 0, found.output
    assert ("note: " in found.stdout) == (note is not None)
    assert note is None or f"note: {note}" in clean(found)
    assert found.stdout.startswith("operation ")
    assert found.stdout.splitlines()[-1].startswith("bad.py: pass (2 pass; 4 cases, seed 0, ")


def test_the_certificate_has_the_notes_and_its_place_does_not_move_with_the_target(call, tmp_path):
    found = call(written("import os; os.chdir('/'); print('LOUD')"), "--no-isolate", "--json", "c.json")
    assert found.exit_code == 0
    assert "the target printed to standard output: 'LOUD'" in (tmp_path / "c.json").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("flags", [[], ["-W", "error"]], ids=["default", "error"])
def test_a_process_of_its_own_writes_what_we_write_whatever_the_filters(tmp_path, flags):
    loud = "import sys, io, warnings; print('LOUD'); warnings.warn('OLD'); sys.stdout = io.StringIO(); print('MORE')"
    (tmp_path / "bad.py").write_text(
        written(loud, vjp="print('LOUD'); warnings.warn('OLD')"), encoding="utf-8"
    )
    done = subprocess.run(
        [
            sys.executable,
            *flags,
            "-m",
            "gradcheck",
            "certify",
            "bad.py",
            "--operation",
            "tanh",
            "--examples",
            "1",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("operation ")
    assert "note: the target warned: UserWarning: OLD" in done.stdout
    assert "note: tanh: the target printed to standard output: 'LOUD'" in done.stdout
