"""One contestant on the battery, in a process of its own, so that its memory is its own; results as plain data."""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.arena.contestants import CONTESTANTS, Contestant
from benchmarks.battery import cases
from benchmarks.battery.case import Case
from benchmarks.battery.judges import Judge, Judgement
from benchmarks.battery.score import judge_all

#: Seconds that one case may take; beyond it, it is undecided.
LIMIT = 10.0


@dataclass(frozen=True)
class Row:
    """How one contestant did on one dtype. `calls` counts calls of f an input, `memory` is what it took at its peak, in
    MiB, beside what the process held before the first case; `slowest` and `seconds` are of the cases."""

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


def chosen(dtype: str, most: int, every: int, seed: int = 0) -> Iterator[Case]:
    """Every right case of up to `most` elements an input, and one in `every` of the wrong ones."""
    place = 0
    for case in cases(dtype, seed, most):
        if not case.wrong:
            yield case
            continue
        if place % every == 0:
            yield case
        place += 1


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
    before = peak()
    outcomes = list(judge_all(some, judge))
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
        sum(o.seconds for o in outcomes),
        max(o.seconds for o in outcomes),
        float(np.median([o.calls for o in outcomes])),
        max(o.calls for o in outcomes),
        peak() - before,
    )


def peak() -> float:
    """Most memory that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def apart(contestant: Contestant, dtype: str, most: int, every: int, limit: float) -> Row:
    """The same in a fresh process."""
    command = [sys.executable, "-m", __spec__.name, contestant.name, dtype, str(most), str(every), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"arena: {contestant.name} did not finish\n  {done.stderr.strip().splitlines()[-1:]}"
        )
    return Row(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """One row as JSON."""
    parser = argparse.ArgumentParser()
    for name in ("contestant", "dtype", "most", "every", "limit"):
        parser.add_argument(name)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    contestant = next(c for c in CONTESTANTS if c.name == given.contestant)
    some = islice(chosen(given.dtype, int(given.most), int(given.every)), None)
    print(json.dumps(asdict(entered(contestant, given.dtype, some, float(given.limit)))))


if __name__ == "__main__":
    main()
