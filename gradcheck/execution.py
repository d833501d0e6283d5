"""Execution: the jobs of a run, done here or by any executor, until all is known."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any

from gradcheck.ledger import Ledger
from gradcheck.session import Job

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


class Run:
    """Jobs handed to an executor, a window of them at a time, and their outcomes to a ledger."""

    def __init__(self, ledger: Ledger, executor: Executor, perform: Perform, window: int) -> None:
        self.ledger = ledger
        self.executor = executor
        self.perform = perform
        self.window = window
        self.running: dict[Future[dict[str, Any]], Job] = {}
        self.queue: deque[Job] = deque()
        self.followed: set[str] = set()
        self.done = 0

    def to_the_end(self, progress: Progress) -> bool:
        """Do everything that is left; False when interrupted, with what was done until then written down."""
        try:
            self._go_on(progress)
        except KeyboardInterrupt:
            self._salvage()
            return False
        return True

    def _go_on(self, progress: Progress) -> None:
        operations = self.ledger.plan.operations
        total = sum(len(self.ledger.plan.cases(name)) for name in operations)
        self.queue.extend(job for job in self.ledger.jobs() if self.ledger.needs(job))
        self.done = total - len(self.queue)
        for name in reversed(operations):
            self._follow(name)
        while self.queue or self.running:
            self._fill(lambda name: progress(self.done, total, name))
            done, _ = wait(self.running, return_when=FIRST_COMPLETED)
            for future in done:
                self._take(future)
        progress(total, total, "")

    def _fill(self, report: Callable[[str], None]) -> None:
        while self.queue and len(self.running) < self.window:
            job = self.queue.popleft()
            if not self.ledger.needs(job):
                self.done += 1
                continue
            if job.kind == "judge":
                report(job.operation)
            self.running[self.executor.submit(self.perform, job)] = job

    def _take(self, future: Future[dict[str, Any]]) -> None:
        job = self.running.pop(future)
        self.ledger.take(job, future.result())
        if job.kind == "judge":
            self.done += 1
            self._follow(job.operation)

    def _follow(self, operation: str) -> None:
        """Before what is waiting: an operation is brought to its end before the next one begins."""
        if operation not in self.followed and self.ledger.is_finished(operation):
            self.followed.add(operation)
            self.queue.extendleft(reversed(self.ledger.follow_ups(operation)))

    def _salvage(self) -> None:
        for future in list(self.running):
            if not future.cancel() and future.done() and future.exception() is None:
                self.ledger.take(self.running[future], future.result())
