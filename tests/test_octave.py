"""The notes' MATLAB one-liners, run by GNU Octave, are certified: by vectors in files, and as a program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gradcheck.certify import certify
from gradcheck.vectors import export, judge_answers

HERE = Path(__file__).parent / "octave"
OCTAVE = shutil.which("octave-cli")
NAMES = ("sigmoid", "upsample", "downsample", "convolve_valid", "convolve_full", "convolution", "subsampling")

pytestmark = pytest.mark.skipif(OCTAVE is None, reason="GNU Octave is not installed: there is no octave-cli")


def answered(folder, script=HERE / "answer.m"):
    subprocess.run([OCTAVE, str(script), str(folder)], check=True, timeout=60)
    return judge_answers(folder)


def changed(folder, old, new):
    """The scripts with one line of the notes replaced."""
    shutil.copytree(HERE, folder / "octave")
    source = (folder / "octave" / "notes.m").read_text(encoding="utf-8")
    assert source.count(old) == 1
    (folder / "octave" / "notes.m").write_text(source.replace(old, new), encoding="utf-8")
    return folder / "octave"


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("octave")
    export(folder, [*NAMES, "softmax"], format="mat", blind=True, examples=6)
    return folder


def test_the_notes_one_liners_answer_vectors_rightly(vectors):
    found = answered(vectors)
    assert {each.operation for each in found.results} == set(NAMES)
    assert {str(each.verdict) for each in found.results} == {"pass"}
    exact = {each.operation for each in found.results if each.evidence == "exact"}
    assert exact == {"upsample", "downsample", "convolve_valid", "convolve_full"}
    assert {each.operation for each in found.not_offered} == {"softmax"}
    assert found.exit_status == 0


def test_a_one_liner_without_its_outer_turn_fails_at_the_kernel_alone(vectors, tmp_path):
    old = 'g = rot180(conv2(map(x, m, i), rot180(delta), "valid"));'
    script = changed(tmp_path, old, 'g = conv2(map(x, m, i), rot180(delta), "valid");')
    found = answered(vectors, script / "answer.m")
    wrong = {(each.operation, each.input) for each in found.results if each.verdict != "pass"}
    assert wrong == {("convolve_valid", "k"), ("convolution", "k")}


def test_octave_is_certified_as_a_program_and_asked_at_the_judges_own_points():
    found = certify(f"$ {OCTAVE} {HERE / 'adapter.m'}", NAMES, examples=3)
    assert {str(each.verdict) for each in found.results} == {"pass"}
    assert len(found.results) == 20
    assert found.environment["target"].count(".") == 2


def test_a_program_without_the_outer_turn_fails_at_the_kernel_alone_and_is_told_why(tmp_path):
    old = 'g = rot180(conv2(map(x, m, i), rot180(delta), "valid"));'
    script = changed(tmp_path, old, 'g = conv2(map(x, m, i), rot180(delta), "valid");')
    found = certify(f"$ {OCTAVE} {script / 'adapter.m'}", ["convolve_valid"], examples=2)
    wrong = {(each.operation, each.input): each for each in found.results if each.verdict != "pass"}
    assert set(wrong) == {("convolve_valid", "k")}
    assert "180 degrees" in wrong["convolve_valid", "k"].diagnosis


def test_what_octave_says_of_a_mistake_is_in_the_certificate(tmp_path):
    script = changed(
        tmp_path, "kron(map(q.input_x, m, j), ones(o.n))", "kron(map(q.input_x, m, j), won(o.n))"
    )
    found = certify(f"$ {OCTAVE} {script / 'adapter.m'}", ["upsample"], examples=2)
    assert "'won' undefined" in found.results[0].reason
