"""An implementation in C is certified through ctypes, and a wrong or crashing one is not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gradcheck.certify import certify

SOURCE = Path(__file__).parent / "c"
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler: neither cc, gcc nor clang")


def certified(folder, *options, examples=8, isolate=False):
    """The certificate of the C code compiled with these options."""
    shutil.copy(SOURCE / "convolve.py", folder)
    command = [COMPILER, "-O2", "-Wall", "-Werror", "-fPIC", "-shared", *options, str(SOURCE / "convolve.c")]
    subprocess.run([*command, "-o", str(folder / "convolve.so")], check=True)
    return certify(str(folder / "convolve.py"), ["convolve_valid"], examples=examples, isolate=isolate)


def verdicts(certificate):
    return {each.input: str(each.verdict) for each in certificate.results}


def test_c_code_is_certified_exactly(tmp_path):
    found = certified(tmp_path)
    assert verdicts(found) == {"forward": "pass", "x": "pass", "k": "pass"}
    assert {each.evidence for each in found.results} == {"exact"}
    assert found.exit_status == 0


def test_a_kernel_gradient_that_is_not_turned_fails_at_itself_and_is_named(tmp_path):
    found = certified(tmp_path, "-DUNTURNED")
    assert verdicts(found) == {"forward": "pass", "x": "pass", "k": "fail"}
    assert "180 degrees" in found.results[2].diagnosis


def test_a_segmentation_fault_is_an_error_of_the_gradients_alone(tmp_path):
    found = certified(tmp_path, "-DCRASH", examples=4, isolate=True)
    assert verdicts(found) == {
        "forward": "inconclusive",
        "x": "error",
        "k": "error",
    }  # for the cases not tried
    assert "SIGSEGV" in found.results[1].reason
    assert found.exit_status == 3
