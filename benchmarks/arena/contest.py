"""One contestant on the battery, in a process of its own, so that its memory is its own; results as plain data."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.arena.contestants import CONTESTANTS, Contestant
from benchmarks.arena.memory import peak, restarted
from benchmarks.battery import cases
from benchmarks.battery.case import Case
from benchmarks.battery.judges import Judge, Judgement
from benchmarks.battery.score import judge_all

#: Seconds that one case may take; beyond it, it is undecided.
LIMIT = 10.0


@dataclass(frozen=True)
class Row:
    """How one contestant did on one dtype. `calls` counts calls of f an input, `memory` is what it took at its peak, in
    MiB, beside what the process held before the first case; `slowest` and `seconds` are processor time of the cases."""

    contestant: str
    dtype: str
    wrong: int
    right: int
    caught: int
    let_through: int
    undecided: int
    false_alarms: int
    undecided_right: int
    seconds: float
    slowest: float
    calls: float
    most_calls: float
    memory: float


def chosen(dtype: str, most: int, sample: int, seed: int = 0) -> list[Case]:
    """Every right case of up to `most` elements an input, and `sample` of the wrong ones, drawn by the seed alone."""
    every = list(cases(dtype, 0, most))
    wrong = [place for place, case in enumerate(every) if case.wrong]
    drawn = np.random.default_rng([seed, 0xA4E4A]).choice(wrong, min(sample, len(wrong)), replace=False)
    return [case for place, case in enumerate(every) if not case.wrong or place in set(drawn.tolist())]


@dataclass
class Clock:
    """A judge with the processor time of each of its cases: others on the machine then count for nothing."""

    judge: Judge
    seconds: list[float] = field(default_factory=list)

    def __call__(self, case: Case) -> Judgement:
        start = time.process_time()
        try:
            return self.judge(case)
        finally:
            self.seconds.append(time.process_time() - start)


def limited(judge: Judge, seconds: float) -> Judge:
    """The judge, who is undecided where a case takes longer."""

    def judged(case: Case) -> Judgement:
        def late(*_: Any) -> None:
            raise TimeoutError

        # what f computes is interrupted, however deep in a framework: some of them wrap what is raised there
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return judge(case)
        except Exception as failure:
            if signal.getitimer(signal.ITIMER_REAL)[0] > 0:
                return Judgement("error", f"{type(failure).__name__}: {failure}")
            return Judgement("error", f"not done in {seconds:g} s")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    return judged


def entered(contestant: Contestant, dtype: str, some: Iterable[Case], limit: float = LIMIT) -> Row:
    """One row of the table."""
    some = list(some)
    judge = limited(contestant.make(), limit)
    warm = replace(some[0], wrong=False)
    list(judge_all([warm], judge))  # imports and compilers, before anything is timed
    before, clock = restarted(), Clock(judge)
    outcomes = list(judge_all(some, clock))
    kinds = [o.kind for o in outcomes]
    wrong = sum(o.case.wrong for o in outcomes)
    return Row(
        contestant.name,
        dtype,
        wrong,
        len(outcomes) - wrong,
        kinds.count("caught"),
        kinds.count("let through"),
        kinds.count("inconclusive, wrong") + kinds.count("error, wrong"),
        kinds.count("false alarm"),
        kinds.count("inconclusive, right") + kinds.count("error, right"),
        sum(clock.seconds),
        max(clock.seconds),
        float(np.median([o.calls for o in outcomes])),
        max(o.calls for o in outcomes),
        peak() - before,
    )


def apart(contestant: Contestant, dtype: str, most: int, sample: int, seed: int, limit: float) -> Row:
    """The same in a fresh process."""
    numbers = [str(each) for each in (most, sample, seed, limit)]
    command = [sys.executable, "-m", __spec__.name, contestant.name, dtype, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"arena: {contestant.name} did not finish\n  {done.stderr.strip().splitlines()[-1:]}"
        )
    return Row(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """One row as JSON."""
    parser = argparse.ArgumentParser()
    for name, kind in {
        "contestant": str,
        "dtype": str,
        "most": int,
        "sample": int,
        "seed": int,
        "limit": float,
    }.items():
        parser.add_argument(name, type=kind)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    contestant = next(c for c in CONTESTANTS if c.name == given.contestant)
    some = chosen(given.dtype, given.most, given.sample, given.seed)
    print(json.dumps(asdict(entered(contestant, given.dtype, some, given.limit))))


if __name__ == "__main__":
    main()
