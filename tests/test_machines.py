"""Many processes and machines: one certificate, whoever is killed in the middle, and whoever stops it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradcheck.certificate import Certificate

TARGET = """
import numpy as np, time

class tanh:
    forward = staticmethod(np.tanh)
    @staticmethod
    def vjp(c, u):
        open(__file__ + ".called", "w").close()
        time.sleep(0.002)  # long enough to be met in the middle
        return (c * (1 - np.tanh(u) ** 2),)

class downsample:  # the gradient of means: this one fails
    @staticmethod
    def forward(x, n):
        batch, maps, height, width = x.shape
        return x.reshape(batch, maps, height // n, n, width // n, n).sum(axis=(3, 5))
    @staticmethod
    def vjp(c, x, n):
        return (np.kron(c, np.ones((n, n))) / n**2,)
"""
RUN = (sys.executable, "-m", "gradcheck", "certify", "target.py", "--examples", "4", "--json")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the target, and what one process says of it."""
    found = tmp_path_factory.mktemp("machines")
    (found / "target.py").write_text(TARGET)
    subprocess.run([*RUN, "alone.json"], cwd=found, capture_output=True, timeout=120, check=False)
    return found


@pytest.fixture
def folder(place, monkeypatch):
    monkeypatch.chdir(place)
    (place / "target.py.called").unlink(missing_ok=True)
    return place


def bare(file):
    """The certificate's text without what differs between any two runs: times and environment."""
    data = json.loads(Path(file).read_text(encoding="utf-8"))
    return json.dumps(
        {k: v for k, v in data.items() if k not in ("created", "seconds", "environment")}, indent=1
    )


def children(pid, words):
    """Processes below this one whose command line has these words."""
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            continue
        if parent == pid:
            found += ([int(place.name)] if words in line else []) + children(int(place.name), words)
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are read from /proc")


def is_called():
    return Path("target.py.called").exists()


def wait_for(what, process, seconds=60):
    end = time.monotonic() + seconds
    while not (found := what()) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    return found


@needs_proc
def test_a_worker_of_jobs_that_is_killed_loses_nothing(folder):
    process = subprocess.Popen(
        [*RUN, "jobs.json", "--jobs", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert wait_for(is_called, process)
    workers = children(process.pid, "gradcheck.worker")
    assert workers, "no worker was met"
    os.kill(workers[0], signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode == 1  # for the gradient that is wrong, and nothing else
    assert bare("jobs.json") == bare("alone.json")


def started_cluster(folder):
    distributed = pytest.importorskip("distributed")
    return distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True, local_directory=str(folder)
    )


def test_a_worker_of_a_cluster_that_is_killed_loses_nothing(folder):
    with started_cluster(folder) as cluster:
        pids = [worker.process.pid for worker in cluster.workers.values()]
        process = subprocess.Popen(
            [*RUN, "dask.json", "--dask", cluster.scheduler_address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert wait_for(is_called, process)
        os.kill(pids[0], signal.SIGKILL)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1, out.decode() + err.decode()
    assert bare("dask.json") == bare("alone.json")


@pytest.fixture
def interruptible():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_the_middle_of_jobs_keeps_what_is_done_and_resume_goes_on(folder):
    process = subprocess.Popen(
        [*RUN, "half.json", "--jobs", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert wait_for(is_called, process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    half = Certificate.from_json(Path("half.json").read_text(encoding="utf-8"))
    assert process.returncode == 3
    assert "cut short" in " ".join(out.decode().split())  # a long path wraps it
    assert not half.complete
    again = [sys.executable, "-m", "gradcheck", "certify", "--resume", "half.json"]
    assert subprocess.run(again, capture_output=True, timeout=120, check=False).returncode == 1
    assert bare("half.json") == bare("alone.json")
