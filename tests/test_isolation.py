"""Targets that end, hang or fill the process that runs them: each is an error of its own, and the rest goes on."""

import os
import signal
import textwrap
import time
from pathlib import Path

import pytest

from gradcheck.case import Case
from gradcheck.certify import certify
from gradcheck.importing import TargetError
from gradcheck.ledger import CRASHES
from gradcheck.session import Job, Setting
from gradcheck.verdict import Verdict
from gradcheck.warden import Limits, Lost, Warden, ending

TARGET = '''
import ctypes, os, signal, sys, time
import numpy as np

class tanh:
    forward = staticmethod(np.tanh)
    @staticmethod
    def vjp(c, u):
        ctypes.string_at(0)

class scaled_tanh:
    @staticmethod
    def forward(u):
        child = os.fork()
        if child == 0:
            time.sleep(60)
        with open("child", "w") as file:
            file.write(str(child))
        while True:
            pass

class squared_error:
    @staticmethod
    def forward(y, t):
        os._exit(7)

class upsample:
    @staticmethod
    def forward(x, n):
        os.closerange(3, 64)
        return np.kron(x, np.ones((n, n)))

class downsample:
    @staticmethod
    def forward(x, n):
        print("noise")
        if not os.path.exists("closed"):
            open("closed", "w").close()
            os.write(1, b"more noise")
            os.close(1)
        batch, maps, height, width = x.shape
        return x.reshape(batch, maps, height // n, n, width // n, n).sum(axis=(3, 5))
    @staticmethod
    def vjp(c, x, n):
        return (np.kron(c, np.ones((n, n))),)

class softmax:
    @staticmethod
    def forward(c):
        return np.ones(10**10)

class sparsity:
    @staticmethod
    def forward(c, lam):
        raise KeyboardInterrupt
'''  # fmt: skip


def written(folder, text, name="crashing.py"):
    place = Path(folder) / name
    place.write_text(textwrap.dedent(text))
    return str(place)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("crashing")


@pytest.fixture(scope="module")
def certificate(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        return certify(written(folder, TARGET), examples=1, isolate=True, timeout=3.0, memory=1 << 31)
    finally:
        os.chdir(before)


def row(certificate, operation, name):
    (found,) = [each for each in certificate.results if (each.operation, each.input) == (operation, name)]
    return found


@pytest.mark.parametrize(
    ("operation", "name", "said"),
    [
        ("tanh", "u", "the target's process was ended by SIGSEGV (Segmentation fault)"),
        ("scaled_tanh", "forward", "no answer within 3 s: the process was stopped (--timeout)"),
        ("squared_error", "forward", "the target ended its process with exit status 7"),
        ("upsample", "forward", "the target closed the line over which its process answers"),
        ("softmax", "forward", "the forward raised MemoryError: Unable to allocate 74.5 GiB"),
        ("sparsity", "forward", "the target raised KeyboardInterrupt"),
    ],
)  # fmt: skip
def test_what_happened_is_an_error_of_that_row_with_its_case(certificate, operation, name, said):
    found = row(certificate, operation, name)
    assert found.verdict is Verdict.ERROR
    assert found.reason.startswith(said)
    assert Case.from_description(found.worst["case"]).shapes
    assert certificate.complete


def test_the_rest_goes_on(certificate):
    assert row(certificate, "tanh", "forward").verdict is Verdict.PASS
    assert row(certificate, "downsample", "forward").verdict is Verdict.PASS
    assert row(certificate, "downsample", "x").verdict is Verdict.PASS
    assert certificate.exit_status == 3


def test_a_hung_worker_is_killed_with_its_children(certificate, folder):
    child = int((folder / "child").read_text())
    for _ in range(100):
        if not is_running(child):
            return
        time.sleep(0.05)
    raise AssertionError(f"{child} is still running")


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_what_it_prints_stays_out_of_the_report(certificate, capfd):
    assert "noise" not in capfd.readouterr().out


def test_after_a_few_crashes_the_rest_of_an_operation_is_left_out_and_counted(folder):
    text = """
    import os
    class negate: pass
    class tanh:
        @staticmethod
        def forward(u):
            os._exit(0)
    """
    found = certify(written(folder, text, "often.py"), ["tanh"], examples=9, isolate=True)
    (only,) = found.results
    assert (only.cases, only.skipped_cases, only.verdict) == (CRASHES, 9 - CRASHES, Verdict.ERROR)
    assert only.reason == (
        "the target ended its process with exit status 0 (error in 3 of 3 cases; "
        "6 more not tried, since the target ended its process too often)"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os; os._exit(4)", "the target ended its process with exit status 4"),
        ("raise ValueError('bad')", "it raised ValueError: bad"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    ],
)
def test_a_target_that_cannot_be_loaded_is_one_message(folder, text, said):
    with pytest.raises(TargetError) as caught:
        certify(written(folder, text, "unloadable.py"), isolate=True)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


def test_a_worker_that_another_ends_gets_its_job_again(folder):
    text = """
    import os, signal
    import numpy as np
    class tanh:
        @staticmethod
        def forward(u):
            if not os.path.exists("killed"):
                open("killed", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return np.tanh(u)
    """
    warden = Warden(Setting(written(folder, text, "once.py")), Limits(), str(folder))
    came = warden.perform(Job("judge", "tanh", Case({"u": (2,)})))
    warden.stop()
    assert came["found"]["forward"]["verdict"] == "pass"


def test_what_a_target_writes_into_the_line_is_no_answer_and_is_not_evaluated(folder):
    text = """
    import os, pickle, stat
    import numpy as np
    class Evil:
        def __reduce__(self): return os.mkdir, ("evaluated",)
    class tanh:
        @staticmethod
        def forward(u):
            for descriptor in range(3, 32):
                try:
                    if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                        os.write(descriptor, pickle.dumps(Evil()) + b'\\n{"done": {"found": {"forward": 3}}}\\n')
                except OSError:
                    pass
            return np.tanh(u)
    """
    found = certify(written(folder, text, "writing.py"), ["tanh"], examples=1, isolate=True)
    assert found.results[0].reason.startswith("the target wrote into the line over which its process answers")
    assert not os.path.exists("evaluated")


def test_how_a_process_ended_is_told_in_words():
    assert str(ending(-signal.SIGABRT)) == "the target's process was ended by SIGABRT (Aborted)"
    assert str(ending(None)) == "the target closed the line over which its process answers"
    assert isinstance(ending(1), Lost)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": 3.0}, "limits are kept by a worker process"),
        ({"memory": 1 << 30, "isolate": False}, "limits are kept by a worker process"),
        ({"jobs": 2, "isolate": False}, "jobs stands for so many workers on this machine"),
        ({"isolate": True, "timeout": -1.0}, "timeout is not positive"),
        ({"jobs": 0, "isolate": True}, "jobs is not positive"),
        ({"isolate": True}, "only what can be named can be sent to a worker process"),
    ],
)
def test_what_does_not_go_together_is_refused(options, said):
    import reference

    with pytest.raises(ValueError, match=f"certify: {said}\n  .*\n  wanted"):
        certify(reference, ["tanh"], **options)
