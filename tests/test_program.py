"""One question gets one answer, from a process that is alive, and no process outlives whoever asks."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from gradcheck.program import Program, ProgramLost, words_of
from tests.test_command import ended, wrong

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


def program(source):
    return Program("$ " + shlex.join([sys.executable, "-c", textwrap.dedent(source)]))


def test_a_question_comes_back_with_its_number_however_long_it_is():
    echo = program(ECHO)
    for number, size in enumerate((1, 300_000), 1):
        assert echo.ask({"x": "a" * size}) == {"x": "a" * size, "id": number}
    assert echo.is_running
    echo.close()
    assert not echo.is_running
    assert echo.ask({}) == {"id": 3}  # by another process
    assert echo.losses == []


def test_patience_has_an_end_and_the_process_too():
    silent = program("import time; time.sleep(60)")
    with pytest.raises(ProgramLost, match=r"the program did not answer within 0\.3 s"):
        silent.ask({}, 0.3)
    assert [str(each) for each in silent.losses] == ["the program did not answer within 0.3 s"]
    assert not silent.is_running


def test_an_answer_that_was_there_before_the_question_is_none():
    early = program("import time; print('{\"id\": 1}', flush=True); time.sleep(60)")
    with pytest.raises(ProgramLost, match="the program answered before it had read the question"):
        early.ask({"x": "a" * 10_000_000})


def test_what_was_killed_may_be_asked_again_and_what_killed_itself_not():
    for name, again in (("SIGKILL", True), ("SIGTERM", True), ("SIGABRT", False)):
        dying = program(f"import os, signal; os.kill(os.getpid(), signal.{name})")
        with pytest.raises(ProgramLost, match=f"the program was ended by {name}") as caught:
            dying.ask({})
        assert caught.value.again is again


def test_an_interruption_ends_the_process_whose_answer_would_be_taken_for_the_next():
    echo = program(ECHO)
    echo.ask({})
    process = echo.line.process.pid
    echo.line.exchange = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        echo.ask({})
    assert ended(process)


def test_a_program_ends_with_the_last_that_knows_it():
    echo = program(ECHO)
    echo.ask({})
    process = echo.line.process.pid
    del echo
    assert ended(process)


def test_words_are_split_as_a_shell_does_and_nothing_is_expanded():
    assert words_of("$ sh -c 'a b' $HOME *") == ["sh", "-c", "a b", "$HOME", "*"]


def test_a_program_does_not_outlive_a_run_that_is_killed(tmp_path):
    text = f"""
    import os, time
    def hung(call, arrays, options):
        open({str(tmp_path / "process")!r}, "w").write(str(os.getpid()))
        while True:
            time.sleep(1)
    OPERATIONS["tanh"] = hung
    """
    command = [sys.executable, "-m", "gradcheck", "certify", "--operation", "tanh", "--command"]
    (tmp_path / "scratch").mkdir()
    run = subprocess.Popen(
        [*command, wrong(tmp_path, text).removeprefix("$ ")],
        env={**os.environ, "TMPDIR": str(tmp_path / "scratch")},
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            if (tmp_path / "process").exists() and (tmp_path / "process").read_text():
                break
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
    finally:
        run.kill()
        run.wait()
    assert ended((tmp_path / "process").read_text())
    assert not list((tmp_path / "scratch").glob("gradcheck-command-*"))
