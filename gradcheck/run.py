"""Run: jobs handed out, a window of them at a time, and their outcomes written down as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from gradcheck.execution import Hands, Progress
from gradcheck.importing import in_words
from gradcheck.ledger import Ledger
from gradcheck.plain import NotPlain
from gradcheck.session import Job


def _nothing() -> None:
    return None


class Run:
    """One run: its ledger, who does the work, and what is called after each job (`keep`)."""

    def __init__(self, ledger: Ledger, hands: Hands, keep: Callable[[], None] = _nothing) -> None:
        self.ledger = ledger
        self.hands = hands
        self.keep = keep
        self.running: dict[Future[dict[str, Any]], Job] = {}
        self.queue: deque[Job] = deque()
        self.followed: set[str] = set()
        self.again: set[int] = set()
        self.done = 0

    def to_the_end(self, progress: Progress) -> bool:
        """Do everything that is left; False when interrupted, with what was done until then written down."""
        try:
            self._go_on(progress)
        except KeyboardInterrupt:
            self._salvage()
            return False
        finally:
            self.hands.close()
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
                job = self.running.pop(future)
                self._take(future, job)
                if self.running:  # where one is done at a time, the next is told of before it begins
                    progress(self.done, total, job.operation)
            self.keep()
        progress(total, total, "")

    def _fill(self, report: Callable[[str], None]) -> None:
        while len(self.running) < self.hands.window and self.queue:
            job = self.queue.popleft()
            if self.ledger.needs(job):
                if job.kind == "judge":
                    report(job.operation)
                self.running[self._submitted(job)] = job
            elif job.kind == "judge":
                self.done += 1

    def _submitted(self, job: Job) -> Future[dict[str, Any]]:
        try:
            return self.hands.executor.submit(self.hands.perform, job)
        except (
            Exception
        ):  # a pool one of whose processes was killed takes nothing more; what it is called varies
            self.hands = self.hands.spare()
            return self.hands.executor.submit(self.hands.perform, job)

    def _take(self, future: Future[dict[str, Any]], job: Job) -> None:
        try:
            came = future.result()
        except Exception as error:
            if id(job) not in self.again:  # lost with its process, which another job may have ended
                self.again.add(id(job))
                self.queue.appendleft(job)
                return
            came = {"crashed": f"its process was lost, twice: {in_words(error)}"}
        try:
            self.ledger.take(job, came)
        except (NotPlain, KeyError, TypeError, AttributeError):
            self.ledger.take(
                job, {"crashed": "the target wrote into the line over which its process answers"}
            )
        if job.kind == "judge":
            self.done += 1
            self._follow(job.operation)

    def _follow(self, operation: str) -> None:
        """Before what is waiting: an operation is brought to its end before the next one begins."""
        if operation not in self.followed and self.ledger.is_finished(operation):
            self.followed.add(operation)
            self.queue.extendleft(reversed(self.ledger.follow_ups(operation)))

    def _salvage(self) -> None:
        """Write down what is done and was not looked at, and call off the rest."""
        for future, job in self.running.items():
            if not future.cancel() and future.done() and future.exception() is None:
                self._take(future, job)
