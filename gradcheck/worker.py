"""Worker: the process in which a target runs, alone with its faults.

Started by `gradcheck.warden` as a new program, never forked: threads and locks of the caller's do not come
along. It gets jobs over one end of a pair of sockets and answers in lines of JSON, so that nothing that a
target prints, and nothing that it closes, can be taken for an answer, and nothing that it writes is ever
evaluated or unpickled on the other side. That guards against faults, not against malice: the target shares
this process with the judge, and one that means to can answer in its place.
"""

from __future__ import annotations

import faulthandler
import json
import os
import pickle
import shutil
import signal
import socket
import sys
import threading
import time
from typing import IO, Any

from gradcheck.importing import TargetError, in_words
from gradcheck.operation import UnknownOperation
from gradcheck.protocol import SCRATCH
from gradcheck.session import Session

HUNG_UP = 121
"""Exit status of a worker whose line the target has closed."""


def main(descriptor: int) -> None:
    """Serve the process at the other end of a socket until it hangs up."""
    os.set_inheritable(descriptor, False)  # what the target starts must not keep the line open
    _end_with(os.getppid())
    faulthandler.enable(all_threads=False)
    line = socket.socket(fileno=descriptor)
    try:
        serve(line.makefile("rb"), lambda answer: line.sendall(json.dumps(answer).encode() + b"\n"))
    except OSError:
        os._exit(HUNG_UP)
    os._exit(0)  # whatever threads and handlers the target left behind: nobody waits for them


def serve(requests: IO[bytes], answer: Any) -> None:
    """Load what the first request says, then do a job for each that follows."""
    setting, memory = pickle.load(requests)
    try:
        _limit(memory)
        session = Session(setting)
    except (TargetError, UnknownOperation, RuntimeError) as error:
        answer({"refused": str(error)})
        return
    except BaseException as error:  # KeyboardInterrupt as well: here it is the target that raises it
        answer({"refused": f"target: {setting.target} cannot be loaded\n  it raised {in_words(error)}"})
        return
    answer({"ready": True})
    while True:
        try:
            job = pickle.load(requests)
        except EOFError:
            return
        answer({"done": _done(session, job, lambda name, data: answer({"told": name, "data": data}))})


def _done(session: Session, job: Any, tell: Any) -> dict[str, Any]:
    try:
        return session.perform(job, tell)
    except BaseException as error:
        return {"raised": f"the target raised {in_words(error)}"}


def _limit(memory: int | None) -> None:
    """No more memory than this for what the process writes to; reserved addresses alone count for nothing.

    CUDA and XLA reserve terabytes that they never touch, which a limit of the address space would refuse.
    """
    if memory is None:
        return
    import resource

    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    resource.setrlimit(kind, (memory, memory))


def _end_with(parent: int) -> None:
    """End when the parent does, even where the target never returns to the line."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        if SCRATCH in os.environ:  # the parent's to clear, which it no longer can
            shutil.rmtree(os.environ[SCRATCH], ignore_errors=True)
        os.killpg(os.getpgrp(), signal.SIGKILL)  # with what the target started: the worker leads its group

    threading.Thread(target=watch, daemon=True, name="gradcheck-watch").start()
