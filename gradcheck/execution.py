"""Execution: the jobs of a run, done here or by any executor, until all is known."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from gradcheck.environment import package_version
from gradcheck.importing import TargetError, in_words
from gradcheck.operation import UnknownOperation
from gradcheck.plain import from_plain
from gradcheck.session import Job, Outline, Session, Setting
from gradcheck.warden import TIMEOUT, Limits, Wardens, is_possible

Progress = Callable[[int, int, str], None]
Perform = Callable[[Job], dict[str, Any]]


class Immediately(Executor):
    """An executor that does each thing at once, in the thread of the caller, whom an interruption reaches."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future that is done; only an exception that belongs to the caller is raised here."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass(frozen=True)
class Order:
    """What another process must know to do the jobs of one run: the setting, and how to isolate the target.

    `token` is another for each run, so that a process which serves many loads each run's target afresh.
    """

    token: str
    setting: Setting
    limits: Limits | None
    folder: str
    version: str


def perform(order: Order, job: Job) -> dict[str, Any]:
    """Do a job wherever this is called; what any executor is given.

    Raises
    ------
    TargetError
        When the target cannot be loaded there, or another version of gradcheck is installed.
    """
    here = package_version("gradcheck")
    if here != order.version:
        raise TargetError(
            f"certify: a process of the executor has another gradcheck\n"
            f"  there = {here}, here = {order.version}\n  the two must be the same"
        )
    return _performer(order)(job)


_KEPT = 4
"""Runs whose sessions or workers a process keeps at once."""

_performers: dict[str, tuple[Perform, Callable[[], None]]] = {}
_lock = threading.Lock()


def _performer(order: Order) -> Perform:
    with _lock:
        if order.token not in _performers:
            _performers[order.token] = _made(order)
            for old in list(_performers)[:-_KEPT]:
                _performers.pop(old)[1]()
        return _performers[order.token][0]


def _release(order: Order) -> None:
    """Let go of a run's workers in this process; in others they end with it, or when newer runs take their place."""
    with _lock:
        performer = _performers.pop(order.token, None)
    if performer is not None:
        performer[1]()


def _one_at_a_time(session: Session) -> Perform:
    """What a target does to its process is watched, and two at once could not be told apart."""
    alone = threading.Lock()

    def perform_alone(job: Job) -> dict[str, Any]:
        with alone:
            return session.perform(job)

    return perform_alone


def _made(order: Order) -> tuple[Perform, Callable[[], None]]:
    if order.limits is None:
        return _one_at_a_time(Session(order.setting)), lambda: None
    wardens = Wardens(order.setting, order.limits, order.folder)
    return wardens.perform, wardens.close


@dataclass(frozen=True)
class Hands:
    """Who does the jobs of a run.

    Parameters
    ----------
    executor : Executor
    perform : callable (Job) -> dict
        What it is given.
    window : int
        Jobs that it is given at once.
    close : callable
        Lets go of it, also of what it is still busy with.
    spare : callable
        Others, for when it is broken.
    """

    executor: Executor
    perform: Perform
    window: int
    close: Callable[[], None]
    spare: Callable[[], Hands]

    def outline(self) -> Outline:
        """What is known of the target, from whoever loads it first.

        Raises
        ------
        TargetError
            When it cannot be loaded.
        ValueError
            When the executor cannot be sent the work.
        """
        try:
            came = self.executor.submit(self.perform, Job("outline")).result()
        except (TargetError, UnknownOperation):
            raise
        except Exception as error:
            raise ValueError(
                f"certify: the executor could not do the first job\n  it raised {in_words(error)}\n"
                "  wanted one whose processes can import gradcheck and be sent the target, as its name"
            ) from error
        return from_plain(Outline, came["outline"])


ANY_NUMBER = 1 << 30
"""The window of an executor that queues for itself: everything at once."""


def here(setting: Setting) -> Hands:
    """One thing after the other, in this process."""
    session = Session(setting)
    return Hands(Immediately(), session.perform, 1, lambda: None, lambda: here(setting))


def isolated(setting: Setting, limits: Limits, jobs: int) -> Hands:
    """So many workers at once on this machine, each a process of its own."""
    wardens = Wardens(setting, limits, os.getcwd())
    threads = ThreadPoolExecutor(jobs, thread_name_prefix="gradcheck")

    def close() -> None:
        wardens.close()
        threads.shutdown(wait=True, cancel_futures=True)

    return Hands(threads, wardens.perform, jobs, close, lambda: isolated(setting, limits, jobs))


def anywhere(setting: Setting, limits: Limits | None, executor: Executor) -> Hands:
    """Whatever the executor stands for; in its processes the target runs in a worker of its own, or (None) not."""
    order = Order(uuid.uuid4().hex, setting, limits, os.getcwd(), package_version("gradcheck"))

    def spare() -> Hands:
        return isolated(setting, limits or Limits(), 1) if _can_isolate(setting) else here(setting)

    return Hands(executor, partial(perform, order), ANY_NUMBER, lambda: _release(order), spare)


def _can_isolate(setting: Setting) -> bool:
    return is_possible() and isinstance(setting.target, str) and setting.catalogue is None


def hands(
    setting: Setting,
    *,
    isolate: bool | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    jobs: int | None = None,
    executor: Executor | None = None,
) -> Hands:
    """Who does the jobs, as `certify` is told; raises as it does for what cannot be had together."""
    elsewhere = executor is not None and _can_isolate(setting)
    alone = (bool(jobs) or elsewhere) if isolate is None else isolate
    _check_together(setting, alone, timeout, memory, jobs, executor)
    limits = Limits(TIMEOUT if timeout is None else timeout, memory) if alone else None
    if executor is not None:
        return anywhere(setting, limits, executor)
    return here(setting) if limits is None else isolated(setting, limits, jobs or 1)


def _check_together(
    setting: Setting,
    alone: bool,
    timeout: float | None,
    memory: int | None,
    jobs: int | None,
    executor: Executor | None,
) -> None:
    limited = timeout is not None or memory is not None
    if jobs is not None and (executor is not None or not alone):
        raise ValueError(
            f"certify: jobs stands for so many workers on this machine\n  jobs = {jobs}, "
            f"isolate = {alone}, executor = {executor}\n  wanted jobs alone, or an executor, or isolate=False"
        )
    if limited and not alone:
        raise ValueError(
            f"certify: limits are kept by a worker process\n  timeout = {timeout}, memory = {memory}\n"
            "  wanted isolate=True with them"
        )
    for name, value in (("timeout", timeout), ("memory", memory), ("jobs", jobs)):
        if value is not None and not value > 0:
            raise ValueError(f"certify: {name} is not positive\n  {name} = {value}\n  wanted {name} > 0")
    if alone and not is_possible():
        raise ValueError(
            f"certify: this system cannot isolate a target\n  system = {os.name}, wanted posix\n"
            "  isolate=False runs the target in this process"
        )
    if alone and not (isinstance(setting.target, str) and setting.catalogue is None):
        raise ValueError(
            "certify: only what can be named can be sent to a worker process\n"
            f"  target = {setting.target!r}, catalogue = {'installed' if setting.catalogue is None else 'given'}\n"
            "  wanted a target given as a string, and the installed catalogues"
        )
