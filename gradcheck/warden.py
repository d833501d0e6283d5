"""Warden: starts a worker, gives it jobs, and says what happened to one that does not come back."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gradcheck.importing import TargetError
from gradcheck.program import is_command
from gradcheck.protocol import SCRATCH
from gradcheck.session import Job, Setting
from gradcheck.worker import HUNG_UP

TIMEOUT = 60.0
"""Seconds that a case may take by default: the cases are small, but a compiler may run for each new shape."""

STARTING = 120.0
"""Seconds, at least, in which a target must be imported: heavy frameworks on cold disks take a minute."""

DYING = 5.0
"""Seconds in which a process that has hung up must end: writing a core dump takes some."""

GLANCE = 0.2
"""Seconds between looks at a silent process: what it forked may keep its line open after it died."""

MOST = 1 << 26
"""Bytes of one answer; more is no answer of ours."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from gradcheck.worker import main; main({descriptor})"


@dataclass(frozen=True)
class Limits:
    """What a worker may take: seconds for a case (infinite: any), and bytes of memory (None: any)."""

    timeout: float = TIMEOUT
    memory: int | None = None


class Lost(Exception):  # noqa: N818 - names what happened to a worker
    """A worker that did not answer, in words; `again` where that need not be the target's doing."""

    def __init__(self, words: str, again: bool = False) -> None:
        super().__init__(words)
        self.again = again


def is_possible() -> bool:
    """Whether this system has what isolation needs: sockets that are handed on, and groups of processes."""
    return os.name == "posix"


class Warden:
    """One worker, replaced by a fresh one whenever it ends.

    Parameters
    ----------
    setting : Setting
        Pickled to the worker; what comes back is JSON and never unpickled.
    limits : Limits
    folder : str, optional
        Where the worker runs, and relative names of files are looked up.
    """

    def __init__(self, setting: Setting, limits: Limits, folder: str | None = None) -> None:
        self.setting, self.limits, self.folder = setting, limits, folder
        self.line: _Line | None = None
        self.starting: _Line | None = None
        self.closed = False

    def perform(self, job: Job) -> dict[str, Any]:
        """What came of a job, as `Session.perform` has it; {"crashed": words, "told": …} where it ended the worker.

        A worker that was killed from outside, as far as one can tell, gets its job a second time.

        Raises
        ------
        TargetError
            For the job "outline" alone, when the target cannot be loaded.
        """
        told: dict[str, Any] = {}
        try:
            return self._attempt(job, told)
        except Lost as lost:
            if not lost.again or self.closed:
                return {"crashed": str(lost), "told": told}
        try:
            return self._attempt(job, told)
        except Lost as lost:
            return {"crashed": str(lost), "told": told}

    def _attempt(self, job: Job, told: dict[str, Any]) -> dict[str, Any]:
        try:
            self.line = self.line or self._started()
            if self.closed:
                self.stop()
                raise Lost("the run was ended")
        except TargetError as error:
            if job.kind == "outline":
                raise
            raise Lost(", ".join(part.strip() for part in str(error).splitlines()[:2])) from error
        try:
            self.line.send(job)
            came = self._answer(self.line, told)
        except BaseException:  # KeyboardInterrupt as well: a worker that is still busy is of no more use
            self.stop()
            raise
        if "MemoryError" in json.dumps(came):
            self.stop()  # what this case has left in memory must not decide over the next
        return came

    def _answer(self, line: _Line, told: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + self.limits.timeout
        while "done" not in (said := line.receive(deadline, self.limits.timeout)):
            if said["told"] == "alive":  # one of many cases is done: the next has its own time
                deadline = time.monotonic() + self.limits.timeout
            told[str(said["told"])] = said["data"]
        return dict(said["done"])

    def _started(self) -> _Line:
        """A fresh worker with its target loaded."""
        patience = max(STARTING, self.limits.timeout)
        line = None
        try:
            self.starting = line = _Line(self.folder, is_command(self.setting.target))
            line.send((self.setting, self.limits.memory))
            said = line.receive(time.monotonic() + patience, patience)
        except (Lost, OSError) as error:
            if line is not None:
                line.stop()
            raise TargetError(
                f"target: {self.setting.target} cannot be loaded\n  {error}\n"
                "  wanted a target that can be imported in a process of its own"
            ) from error
        if "refused" in said:
            line.stop()
            raise TargetError(str(said["refused"]))
        return line

    def stop(self) -> None:
        """Kill the worker and what it started."""
        if self.line is not None:
            self.line.stop()
            self.line = None

    def close(self) -> None:
        """The same for good: what a thread still waits for is lost."""
        self.closed = True
        for line in (self.line, self.starting):
            if line is not None:
                line.kill()


class _Line:
    """A worker's process and our end of the sockets."""

    def __init__(self, folder: str | None, files: bool = False) -> None:
        self.scratch = tempfile.TemporaryDirectory(prefix="gradcheck-command-") if files else None
        self.socket, theirs = socket.socketpair()
        self.pending = b""
        self.ended = False
        with theirs:
            descriptor = theirs.fileno()
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM.format(path=sys.path, descriptor=descriptor)],
                cwd=folder,
                env=None if self.scratch is None else {**os.environ, SCRATCH: self.scratch.name},
                stdin=subprocess.DEVNULL,  # a target that asks for input gets none, and does not hang
                stdout=_standard_error(),  # standard output is for the report
                pass_fds=(descriptor,),
                start_new_session=True,  # Ctrl-C is for us, and to kill the group spares no child of the target's
            )

    def send(self, thing: Any) -> None:
        """Send what the worker unpickles: it has no reason to mistrust us."""
        try:
            self.socket.settimeout(STARTING)
            self.socket.sendall(pickle.dumps(thing))
        except OSError:
            raise self._gone() from None

    def receive(self, deadline: float, patience: float) -> dict[str, Any]:
        """The next answer; raises `Lost` where none comes, or something that is none."""
        while b"\n" not in self.pending:
            self._more(deadline, patience)
        answer, _, self.pending = self.pending.partition(b"\n")
        try:
            said = json.loads(answer)
            if said.keys() & {"done", "told", "ready", "refused"}:
                return dict(said)
        except (ValueError, AttributeError, RecursionError):
            pass
        raise Lost("the target wrote into the line over which its process answers")

    def _more(self, deadline: float, patience: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Lost(f"no answer within {patience:g} s: the process was stopped (--timeout)")
        self.socket.settimeout(min(left, GLANCE))
        try:
            came = self.socket.recv(1 << 20)
        except TimeoutError:
            if self.process.poll() is None:
                return
            came = b""
        except OSError:
            came = b""
        self.pending += came
        if not came:
            raise self._gone()
        if len(self.pending) > MOST:
            raise Lost(f"the answer is longer than {MOST} bytes: the process was stopped")

    def _gone(self) -> Lost:
        """What happened to a process that has hung up, from how it ended."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(DYING)
        return ending(self.process.returncode)

    def kill(self) -> None:
        """Kill the process and its children, from any thread; not those of another that got its number since."""
        if self.ended:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Kill, and clear up."""
        self.kill()
        self.process.wait()
        self.ended = True
        self.socket.close()
        if self.scratch is not None:
            self.scratch.cleanup()


def _standard_error() -> int:
    """Where the target's output goes: our standard error, or nowhere where there is none."""
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2


def ending(status: int | None) -> Lost:
    """How a process ended, in words, from what `Popen.returncode` says of it.

    Examples
    --------
    >>> print(ending(-11), "|", ending(3))
    the target's process was ended by SIGSEGV (Segmentation fault) | the target ended its process with exit status 3
    >>> ending(-9).again, ending(-11).again
    (True, False)
    """
    if status is None or status == HUNG_UP:
        return Lost("the target closed the line over which its process answers")
    if status >= 0:
        return Lost(f"the target ended its process with exit status {status}")
    name = signal.Signals(-status).name if -status in signal.valid_signals() else f"signal {-status}"
    hint = ", as the system does where memory runs out" if -status == signal.SIGKILL else ""
    outside = -status in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
    return Lost(
        f"the target's process was ended by {name} ({signal.strsignal(-status)}{hint})", again=outside
    )


class Wardens:
    """As many wardens as there are threads that ask at once; each job goes to one that is free."""

    def __init__(self, setting: Setting, limits: Limits, folder: str | None = None) -> None:
        self.parts = (setting, limits, folder)
        self.all: list[Warden] = []
        self.free: list[Warden] = []
        self.lock = threading.Lock()

    def perform(self, job: Job) -> dict[str, Any]:
        """What came of a job, as `Warden.perform` has it."""
        with self.lock:
            warden = self.free.pop() if self.free else Warden(*self.parts)
            self.all += [warden] if warden not in self.all else []
        try:
            return warden.perform(job)
        finally:
            with self.lock:
                self.free.append(warden)

    def close(self) -> None:
        """End every worker, busy ones as well."""
        with self.lock:
            for warden in self.all:
                warden.close()
            for warden in self.free:
                warden.stop()
