"""Program: a process that is asked in lines of JSON and answers in lines of JSON, started anew where it is lost.

What its lines say stands in `gradcheck.protocol`; here is only that each question gets one answer, from a process
that is alive, and the words for one that is not.
"""

from __future__ import annotations

import json
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
import weakref
from contextlib import suppress
from typing import IO, Any, cast

COMMAND = "$ "
"""How a target begins that is a command: no module and no file is called so."""

MOST = 1 << 26
"""Bytes of one answer; more is no answer of ours."""

PATIENCE = 120.0
"""Seconds for the first answer, where no worker's limit holds: some languages compile themselves first."""

OUTSIDE = (signal.SIGKILL, signal.SIGTERM)
"""How a process ends that another has killed, unless it did so itself."""

HEARD = 2000
"""Bytes of what was last written to standard error that are kept, for the words about a process that ended."""

DYING = 5.0
"""Seconds in which a process that has closed its output must end: writing a core dump takes some."""

GLANCE = 0.05
"""Seconds between looks at whether it has."""

IS_POSSIBLE = os.name == "posix"
"""Whether this system has pipes that several can be waited for."""

SHOWN = 80
"""Characters of a wrong answer, or of an error, that a message repeats."""


class ProgramLost(Exception):  # noqa: N818 - names what happened to it
    """A program that did not answer, in words; the next question starts it anew.

    `again` where that need not be its own doing: another may have killed it, as a system does that lacks memory.
    """

    def __init__(self, words: str, again: bool = False) -> None:
        super().__init__(words)
        self.again = again


def is_command(target: Any) -> bool:
    """Whether a target is a command.

    Examples
    --------
    >>> is_command("$ octave-cli adapter.m"), is_command("package.module")
    (True, False)
    """
    return isinstance(target, str) and target.startswith(COMMAND)


def words_of(target: str) -> list[str]:
    """The words of a command, split as a shell does; nothing is expanded.

    Raises
    ------
    ValueError
        When there are none, a quotation has no end, or this system cannot run a program so.
    """
    if not IS_POSSIBLE:
        raise ValueError(f"this system cannot wait for several pipes: system = {os.name}, wanted posix")
    try:
        words = shlex.split(target.removeprefix(COMMAND))
    except ValueError as error:
        raise ValueError(f"the command cannot be split into words: {error}") from error
    if not words:
        raise ValueError("the command is empty")
    return words


class Program:
    """One command, and its process while there is one.

    Parameters
    ----------
    target : str
        "$ " and the command.

    Attributes
    ----------
    losses : list of ProgramLost
        What happened each time when the process was lost.

    Examples
    --------
    >>> echo = Program("$ cat")
    >>> echo.ask({"call": "describe"})
    {'call': 'describe', 'id': 1}
    """

    def __init__(self, target: str) -> None:
        self.words = words_of(target)
        self.losses: list[ProgramLost] = []
        self.asked = 0
        self.line: _Line | None = None

    def ask(self, question: dict[str, Any], patience: float | None = None) -> dict[str, Any]:
        """The answer to a question, which gets an `id` that the answer must repeat.

        Raises
        ------
        ProgramLost
            When the process ended, wrote something else than the answer, or (`patience`) took longer than so many
            seconds.
        """
        self.asked += 1
        whole = json.dumps({**question, "id": self.asked}, ensure_ascii=True).encode() + b"\n"
        try:
            self.line = self.line or _Line(self.words)
            return _answer(self.line.exchange(whole, patience), self.asked)
        except ProgramLost as lost:
            self.losses.append(lost)
            self.close()
            raise
        except BaseException:  # KeyboardInterrupt: what it answers now would be taken for the next answer
            self.close()
            raise

    @property
    def is_running(self) -> bool:
        """Whether there is a process, which may have ended since."""
        return self.line is not None

    def close(self) -> None:
        """End the process."""
        if self.line is not None:
            self.line.close()
            self.line = None


def _answer(line: bytes, wanted: int) -> dict[str, Any]:
    """The object of a line, if it is the answer to this question."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise ProgramLost(f"the program wrote a line that is no JSON: {_shown(line)}") from None
    if not isinstance(answer, dict):
        raise ProgramLost(f"the program wrote a line that is no object: {_shown(line)}")
    if answer.get("id") != wanted:
        raise ProgramLost(
            f"the program answered another question: id = {_shown(str(answer.get('id')))}, wanted {wanted}"
        )
    return answer


def _shown(text: bytes | str) -> str:
    whole = text.decode(errors="replace") if isinstance(text, bytes) else text
    return repr(whole if len(whole) <= SHOWN else whole[:SHOWN] + "…")


class _Line:
    """A process with our ends of its three pipes; it stays in our group, which is killed whole."""

    def __init__(self, words: list[str]) -> None:
        if shutil.which(words[0]) is None:
            raise ProgramLost(
                f"there is no program {words[0]!r} that can be run, in this folder or on the PATH"
            )
        try:
            self.process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise ProgramLost(f"the program cannot be started: {error}") from error
        pipes = self.process.stdin, self.process.stdout, self.process.stderr
        self.stdin, self.stdout, self.stderr = (cast(IO[bytes], each) for each in pipes)
        os.set_blocking(self.stdin.fileno(), False)
        self.pending, self.heard = bytearray(), b""
        self.close = weakref.finalize(self, _end, self.process)

    def exchange(self, data: bytes, patience: float | None) -> bytes:
        """Send a line and get one, while what is written to standard error is passed on."""
        deadline = None if patience is None else time.monotonic() + patience
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.stdin, selectors.EVENT_WRITE)
            waiting.register(self.stdout, selectors.EVENT_READ)
            if not self.stderr.closed:
                waiting.register(self.stderr, selectors.EVENT_READ)
            while b"\n" not in self.pending:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                ready = [key.fileobj for key, _ in waiting.select(left)]
                if not ready:
                    raise ProgramLost(f"the program did not answer within {patience:g} s")
                if self.stderr in ready and not self._listen():
                    waiting.unregister(self.stderr)
                    self.stderr.close()
                if self.stdin in ready:
                    data = self._send(data)
                    if not data:
                        waiting.unregister(self.stdin)
                if self.stdout in ready:
                    self._receive()
        if data:
            raise ProgramLost("the program answered before it had read the question")
        line, _, rest = bytes(self.pending).partition(b"\n")
        self.pending = bytearray(rest)
        return line

    def _send(self, data: bytes) -> bytes:
        """What is left to send; nothing where nobody reads, which its end will explain."""
        try:
            return data[os.write(self.stdin.fileno(), data[: 1 << 16]) :]
        except BlockingIOError:
            return data
        except OSError:
            return b""

    def _receive(self) -> None:
        came = os.read(self.stdout.fileno(), 1 << 20)
        if not came:
            raise self._gone()
        self.pending += came
        if len(self.pending) > MOST:
            raise ProgramLost(f"the program's answer is longer than {MOST} bytes")

    def _listen(self) -> bool:
        """Pass on what it writes to standard error, and keep the end of it; False where that is closed."""
        came = os.read(self.stderr.fileno(), 1 << 16)
        self.heard = (self.heard + came)[-HEARD:]
        with suppress(OSError, ValueError, AttributeError):
            os.write(sys.__stderr__.fileno(), came)  # type: ignore[union-attr]
        return bool(came)

    def _gone(self) -> ProgramLost:
        """What happened to a process that closed its output, with the last line that it wrote to standard error."""
        deadline = time.monotonic() + DYING
        while time.monotonic() < deadline:
            # while it is alive as well: it cannot end before somebody has read what it writes
            if not self.stderr.closed and _is_ready(self.stderr, GLANCE) and self._listen():
                continue
            if self.process.poll() is not None:
                break
            time.sleep(GLANCE)
        lines = [each for each in self.heard.decode(errors="replace").splitlines() if each.strip()]
        said = f", after writing {_shown(lines[-1].strip())}" if lines else ""
        status = self.process.returncode
        return ProgramLost(
            f"the program {_ended(status)}{said}", again=status is not None and -status in OUTSIDE
        )


def _is_ready(pipe: IO[bytes], seconds: float) -> bool:
    """Whether something can be read within so many seconds, or the end is reached."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(pipe, selectors.EVENT_READ)
        return bool(waiting.select(seconds))


def _ended(status: int | None) -> str:
    """How a process ended, in words.

    Examples
    --------
    >>> _ended(3), _ended(-11), _ended(None)
    ('ended with exit status 3', 'was ended by SIGSEGV', 'closed its standard output')
    """
    if status is None:
        return "closed its standard output"
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was ended by {signal.Signals(-status).name if -status in signal.valid_signals() else -status}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()
