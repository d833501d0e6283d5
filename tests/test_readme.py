"""Every block of the README is run, or its command checked, and what it shows compared with what comes."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from gradcheck.cli import main
from gradcheck.operation import operations
from reference.catalogue.statements import ERRATA

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

IN_CI = {"python3 -m pip install -e '.[test]' && gradcheck certify", "python3 -m pytest"}
"""Commands that .ci/run carries out, word by word, where a test cannot."""
STATUS = {
    "gradcheck certify mine.py --operation downsample --json certificate.json": 1,
    "gradcheck report certificate.json --html page.html --junit junit.xml --markdown summary.md": 1,
    "gradcheck replay certificate.json --result downsample.x": 1,
}
"""Exit statuses other than 0, as the README has them."""
TAKES_LONG = {"bench"}
"""Parts of gradcheck whose calls are read and not carried out."""


class Block(NamedTuple):
    language: str
    text: str

    @property
    def commands(self):
        return (
            [line.removeprefix("$ ") for line in self.text.splitlines()] if self.language == "console" else []
        )

    @property
    def missing(self):
        """Libraries that a block of Python imports and that are not here: it needs an extra."""
        if self.language != "python":
            return []
        imports = [
            node for node in ast.walk(ast.parse(self.text)) if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = {
            name
            for node in imports
            for name in (
                [node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            )
        }
        return sorted({top for name in names if find_spec(top := name.partition(".")[0]) is None})


def blocks(markdown):
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", markdown, flags=re.MULTILINE | re.DOTALL)
    return [Block(language, text) for language, text in fences]


BLOCKS = blocks(README)
COMMANDS = [command for block in BLOCKS for command in block.commands]
SHOWN = {
    command for block, after in pairwise(BLOCKS) if after.language == "text" for command in block.commands
}
"""Commands whose output the README has."""


def shape(text):
    """Words without their numbers, however lines are broken."""
    numbers = re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "#", text)
    return re.sub(r"─+", "─", numbers).split()


def execute(code, names, folder):
    """What a block prints; one that opens with a file's name is written there as well."""
    if file := re.match(r"# (\w+\.py)\n", code):
        (folder / file[1]).write_text(code, encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "README.md", "exec"), names)
    return out.getvalue()


def call(words, folder):
    # as from a shell: a pytest inside a worker of this one would take itself for a worker
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COLUMNS"))}
    environment = own | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def read_only(words):
    """Takes a call of gradcheck apart, with all that its options demand, and does nothing."""
    try:
        main.commands[words[0]].make_context(words[0], words[1:])
    except click.ClickException as error:
        raise AssertionError(error.format_message()) from error


def carry_out(command, folder):
    """Output of a command; of one that takes long, whether it is a right call."""
    words = shlex.split(command)
    if command in IN_CI:
        assert f'run "{command}"\n' in CI
        return ""
    if words[0] == "gradcheck" and words[1] in TAKES_LONG:
        read_only(words[1:])
        return ""
    if words[0] == "gradcheck":
        done = call(words, folder)
    elif words[:3] == ["python3", "-m", "pytest"]:
        done = call(["pytest", "--collect-only", "-q", *words[3:]], ROOT)
        assert "::" in done.stdout
    else:
        assert words[:2] == ["python3", "-m"], f"no test knows how to check: {command}"
        assert words[2].startswith("benchmarks.")
        done = call([words[2], "--help"], ROOT)
        assert {word for word in words if word.startswith("-")} - {"-m"} <= set(
            re.findall(r"--?\w[\w-]*", done.stdout)
        )
    assert done.returncode == STATUS.get(command, 0), done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each block printed, by its place; the blocks run in order, in one folder, but those that need an extra."""
    folder, names, found = tmp_path_factory.mktemp("readme"), {}, {}
    for place, block in enumerate(BLOCKS):
        if block.language == "python" and not block.missing:
            found[place] = execute(block.text, names, folder)
        elif SHOWN.intersection(block.commands):
            found[place] = "".join(carry_out(command, folder) for command in block.commands)
    return folder, names, found


def test_every_block_is_of_a_kind_that_is_tested():
    assert {block.language for block in BLOCKS} == {"python", "console", "text"}
    assert all(
        line.startswith("$ ") for b in BLOCKS if b.language == "console" for line in b.text.splitlines()
    )
    assert README.count("```") == 2 * len(BLOCKS)


def test_there_are_outputs():
    assert sum(block.language == "text" for block in BLOCKS) >= 3


@pytest.mark.parametrize("place", [place for place, block in enumerate(BLOCKS) if block.language == "text"])
def test_an_output_is_what_comes_but_for_its_numbers(place, printed):
    _, _, found = printed
    if missing := BLOCKS[place - 1].missing:
        pytest.skip(f"needs an extra: {', '.join(missing)} not installed")
    assert shape(found[place - 1]) == shape(BLOCKS[place].text), found[place - 1]


def test_a_block_says_what_it_misses():
    code = "import numpy as np\nimport no_such.part\nfrom none_such.part import this\nfrom gradcheck import certify"
    assert Block("python", code).missing == ["no_such", "none_such"]
    assert Block("text", code).missing == []


def test_what_is_printed_is_shown(printed):
    _, _, found = printed
    for place, text in found.items():
        assert not text or BLOCKS[place + 1].language == "text"


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in SHOWN])
def test_a_command_is_right(command, printed):
    folder, _, _ = printed  # with the files that the blocks before have written
    carry_out(command, folder)


def test_the_example_fails_for_the_reason_that_is_given(printed):
    _, names, _ = printed
    check = names["check"]
    assert (check.verdict, check.parts[0].verdict, check.parts[1].verdict) == ("fail", "pass", "fail")
    assert "180 degrees" in check.parts[1].diagnosis
    with pytest.raises(AssertionError, match="180 degrees"):
        check.assert_passed()


def test_the_first_two_commands_are_the_whole_set_up():
    assert COMMANDS[:2] == [
        "python3 -m pip install -e '.[test]' && gradcheck certify",
        "python3 -m pytest",
    ]


def test_the_file_has_the_parts_that_are_named(printed):
    folder, _, _ = printed
    data = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    for part in ("schema", "target", "verdict", "counts", "results"):
        assert part in data
        assert f"`{part}`" in README
    for part in ("operation", "input", "evidence", "resolution", "miss_probability", "worst", "diagnosis"):
        assert part in data["results"][0]
        assert f"`{part}`" in README


def test_every_erratum_is_in_the_table():
    assert re.findall(r"^\| (E\d+) \|", README, flags=re.MULTILINE) == list(ERRATA)


def test_the_conventions_exist():
    named = re.findall(r'`(\w+)="(\w+)"`', README)
    known = [each.conventions for each in operations().values()]
    assert named
    for name, value in named:
        assert any(value in conventions.get(name, {}) for conventions in known), (name, value)


def test_the_paths_exist():
    for path in re.findall(r"`([\w./]+(?:/|\.py|/run))`", README):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    ("one", "other"),
    [("worst [1, 2]\n analytic +1.0e-3", "worst [1, 2]\n numeric +1.0e-3"), ("pass", "fail"), ("a b", "a")],
)
def test_other_words_are_another_output(one, other):
    assert shape(one) != shape(other)


def test_other_numbers_and_line_breaks_are_not():
    assert shape("off by 1.5e-03, ± 2\n───") == shape("off by\n-7, ± 3e+2\n─────")


@pytest.mark.parametrize(
    "command",
    [
        "gradcheck certificate",
        "python3 -m benchmarks.calibration --counted 5",
        "python3 -m pytest benchmarks -k nothing_of_this_name",
        "gradcheck bench --size lenet",
        "gradcheck bench --rounds 2",
        "make",
    ],
)
def test_a_wrong_command_is_seen(command, tmp_path):
    with pytest.raises(AssertionError):
        carry_out(command, tmp_path)
