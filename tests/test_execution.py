"""The same certificate wherever the cases are judged, in whatever order they come, and in however many halves."""

import json
import multiprocessing
import os
import random
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from gradcheck import execution
from gradcheck.book import EVERY, Keeper, ResumeError
from gradcheck.certificate import Certificate, read
from gradcheck.certify import certify
from gradcheck.verdict import Verdict

TARGET = """
import numpy as np

class downsample:  # the gradient of means
    @staticmethod
    def forward(x, n):
        batch, maps, height, width = x.shape
        return x.reshape(batch, maps, height // n, n, width // n, n).sum(axis=(3, 5))
    @staticmethod
    def vjp(c, x, n):
        return (np.kron(c, np.ones((n, n))) / n**2,)

class tanh:
    forward = staticmethod(np.tanh)
    @staticmethod
    def vjp(c, u):
        if u.ndim == 3:
            raise ZeroDivisionError("three axes")
        return (c * (1 - np.tanh(u) ** 2),)

class squared_error:
    @staticmethod
    def forward(y, t):
        return 0.5 * np.sum((y - t) ** 2)
    @staticmethod
    def vjp(c, y, t):
        return c * (y - t), None
"""
EXAMPLES = 4


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    place = tmp_path_factory.mktemp("targets") / "mixed.py"
    place.write_text(TARGET)
    return str(place)


@pytest.fixture(scope="module")
def alone(target):
    """What one process says."""
    return certify(target, examples=EXAMPLES)


def timeless(certificate):
    data = json.loads(certificate.to_json())
    return {name: each for name, each in data.items() if name not in ("created", "seconds", "environment")}


def test_the_target_has_every_kind_of_row(alone):
    assert {str(each.verdict) for each in alone.results} >= {"pass", "fail"}
    assert alone.not_offered


def test_workers_of_this_machine_say_the_same(target, alone):
    assert timeless(certify(target, examples=EXAMPLES, jobs=2, timeout=60.0)) == timeless(alone)


@pytest.mark.parametrize("isolate", [None, False])
def test_threads_say_the_same(target, alone, isolate):
    with ThreadPoolExecutor(3) as executor:
        found = certify(target, examples=EXAMPLES, executor=executor, isolate=isolate)
    assert timeless(found) == timeless(alone)
    assert not execution._performers  # workers are let go of with the run


def test_what_other_threads_of_an_executor_do_is_not_taken_for_the_targets_doing(target, alone):
    """A heartbeat that draws random numbers, as in the processes of a cluster."""
    over = threading.Event()

    def beat():
        while not over.is_set():
            random.random()
            time.sleep(0.001)

    with ThreadPoolExecutor(2) as executor:
        heart = executor.submit(beat)
        found = certify(target, examples=EXAMPLES, executor=executor)
        over.set()
        heart.result()
    assert timeless(found) == timeless(alone)


def test_processes_say_the_same_also_where_one_of_them_is_killed(target, alone, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADCHECK_TEST_ONCE", str(tmp_path / "killed"))
    place = Path(target).with_name("once.py")
    place.write_text(TARGET.replace("    forward = staticmethod(np.tanh)\n", ONCE))
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawning) as executor:
        found = certify(str(place), examples=EXAMPLES, executor=executor, isolate=False)
    assert (tmp_path / "killed").exists()
    assert timeless(found) | {"target": target} == timeless(alone)


ONCE = """
    @staticmethod
    def forward(u):
        import os, signal
        once = os.environ["GRADCHECK_TEST_ONCE"]
        if not os.path.exists(once):
            open(once, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return np.tanh(u)
"""


def test_progress_is_told_as_results_come(target):
    told = []
    with ThreadPoolExecutor(1) as executor:
        certify(
            target,
            ["tanh"],
            examples=3,
            executor=executor,
            isolate=False,
            progress=lambda *state: told.append(state),
        )
    assert [done for done, *_ in told] == sorted(done for done, *_ in told)
    assert {1, 2, 3} <= {done for done, *_ in told}


def test_an_executor_whose_first_job_fails_is_refused(target):
    class Broken(Executor):
        def submit(self, fn, /, *args, **kwargs):
            raise OSError("no room")

    with pytest.raises(
        ValueError, match="the executor could not do the first job\n  it raised OSError: no room"
    ):
        certify(target, executor=Broken())


def test_a_job_that_an_executor_loses_is_given_to_it_again_and_then_an_error(target):
    class Losing(Executor):
        def submit(self, fn, /, job):
            future = Future()
            if job.kind == "judge" and job.operation == "tanh" and job.case.seed == 1:
                future.set_exception(ConnectionError("gone"))
            else:
                future.set_result(fn(job))
            return future

    found = certify(target, ["tanh", "downsample"], examples=2, executor=Losing(), isolate=False)
    lost, *_ = [each for each in found.results if each.operation == "tanh"]
    assert lost.verdict is Verdict.ERROR
    assert lost.reason == "its process was lost, twice: ConnectionError: gone (error in 1 of 2 cases)"
    assert {str(each.verdict) for each in found.results if each.operation == "downsample"} == {"pass", "fail"}


# Interrupted, and gone on with


def interrupted(target, after, **options):
    def stop(done, total, name):
        if done >= after:
            raise KeyboardInterrupt

    return certify(target, examples=EXAMPLES, progress=stop, **options)


@pytest.mark.parametrize("after", [0, 1, 5, 9])
def test_two_halves_are_the_certificate_of_one_run(target, alone, after):
    half = Certificate.from_json(interrupted(target, after).to_json())
    assert not half.complete
    assert len(half.unfinished["cases"]) == after
    whole = certify(target, examples=EXAMPLES, resume=half)
    assert timeless(whole) == timeless(alone)
    assert whole.unfinished is None


def test_what_is_done_is_not_done_again(target):
    half = interrupted(target, 5)
    seen = []
    certify(target, examples=EXAMPLES, resume=half, progress=lambda done, total, name: seen.append(done))
    assert seen[0] == 5


def test_an_interrupted_run_of_workers_keeps_what_is_done(target, alone):
    half = interrupted(target, 3, jobs=2)
    assert not half.complete
    assert len(half.unfinished["cases"]) >= 3
    assert timeless(certify(target, examples=EXAMPLES, resume=half)) == timeless(alone)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 3}, "  its seed = 0\n  here = 3"),
        ({"examples": 5}, "  its examples = 4\n  here = 5"),
        ({"operations": ["tanh"]}, "  here = ['tanh']"),
    ],
)
def test_another_run_is_not_gone_on_with(target, change, said):
    with pytest.raises(ResumeError) as caught:
        certify(target, **({"examples": EXAMPLES, "resume": interrupted(target, 1)} | change))
    assert "resume: the certificate is of another run" in str(caught.value)
    assert said in str(caught.value)


def test_another_target_or_version_is_not_gone_on_with(target, tmp_path):
    half = interrupted(target, 1)
    with pytest.raises(ResumeError, match=r"its target = .*mixed\.py\n  here = reference"):
        certify("reference", examples=EXAMPLES, resume=half)
    other = replace(half, environment=dict(half.environment) | {"numpy": "0.1"})
    with pytest.raises(ResumeError, match=r"its environment = .*'numpy': '0\.1'"):
        certify(target, examples=EXAMPLES, resume=other)
    before = Path(target).read_text()
    try:
        Path(target).write_text(before + "\n# edited\n")
        with pytest.raises(ResumeError, match="its digest = "):
            certify(target, examples=EXAMPLES, resume=half)
    finally:
        Path(target).write_text(before)


def test_a_complete_certificate_and_a_spoilt_one_are_refused(target, alone):
    with pytest.raises(ResumeError, match="resume: the certificate is complete"):
        certify(target, examples=EXAMPLES, resume=alone)
    half = interrupted(target, 2)
    half.unfinished["cases"][1].pop("found")
    with pytest.raises(ResumeError, match="what is done cannot be read\n  observed = KeyError: 'found'"):
        certify(target, examples=EXAMPLES, resume=half)
    half.unfinished["cases"][1]["key"] = "0"
    with pytest.raises(ResumeError, match="the certificate's cases are others"):
        certify(target, examples=EXAMPLES, resume=half)


def test_what_is_done_is_kept_while_the_run_goes_on(target, alone, tmp_path, monkeypatch):
    monkeypatch.setattr("gradcheck.book.EVERY", 0.0)
    monkeypatch.setattr("gradcheck.book.SHARE", 0)
    place = tmp_path / "c.json"
    kept = []
    certify(target, examples=EXAMPLES, keep_in=place,
            progress=lambda done, total, name: kept.append(place.exists() and read(place)))  # fmt: skip
    assert len(kept[7].unfinished["cases"]) == 7
    assert timeless(certify(target, examples=EXAMPLES, resume=kept[7])) == timeless(alone)


def test_keeping_takes_its_time_and_bears_a_place_that_cannot_be_written(tmp_path):
    class Book:
        def certificate(self, complete):
            return Certificate("t", 0, 1, (), complete=complete)

    keep = Keeper(Book(), tmp_path / "nowhere" / "c.json")
    keep()
    keep.next = time.monotonic()
    keep()
    assert keep.next >= time.monotonic() + EVERY / 2
    assert os.listdir(tmp_path) == []


# A cluster


def test_a_cluster_says_the_same(target, alone):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
        ) as cluster,
        cluster.get_client() as client,
        client.get_executor() as executor,
    ):
        assert timeless(certify(target, examples=EXAMPLES, executor=executor)) == timeless(alone)
