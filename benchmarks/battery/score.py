"""How a judge did on the battery: pure results → text."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.battery.case import Case
from benchmarks.battery.judges import Judge, Judgement


@dataclass(frozen=True)
class Outcome:
    """One case, judged. `calls` counts calls of the forward function, per input."""

    case: Case
    judgement: Judgement
    calls: float
    seconds: float

    @property
    def kind(self) -> str:
        """Which line of the score it belongs to."""
        if self.judgement.verdict in ("inconclusive", "error"):
            return f"{self.judgement.verdict}, {'wrong' if self.case.wrong else 'right'}"
        if self.case.wrong:
            return "caught" if self.judgement.verdict == "fail" else "let through"
        return "false alarm" if self.judgement.verdict == "fail" else "passed"

    @property
    def as_wanted(self) -> bool:
        """A wrong one failed, at the input that was hit where the judge names one; a right one passed."""
        accused = self.judgement.accused
        return self.kind == "passed" or (self.kind == "caught" and accused in (None, self.case.hit))


def judge_all(cases: Iterable[Case], judge: Judge) -> Iterator[Outcome]:
    """Every case through the judge, its forward calls counted."""
    for case in cases:
        count = 0

        def counting(*inputs: Any, f: Any = case.f) -> Any:
            nonlocal count
            count += 1
            return f(*inputs)

        start = time.perf_counter()
        try:
            judgement = judge(replace(case, f=counting))
        except Exception as failure:
            judgement = Judgement("error", f"{type(failure).__name__}: {failure}")
        yield Outcome(case, judgement, count / len(case.inputs), time.perf_counter() - start)


def summary(outcomes: Iterable[Outcome]) -> str:
    """Counts, calls per input, seconds, and each case that did not go as wanted."""
    outcomes = list(outcomes)
    if not outcomes:
        return "no case"
    wrong = sum(o.case.wrong for o in outcomes)
    lines = [f"{wrong} wrong and {len(outcomes) - wrong} right gradients"]
    kinds = [o.kind for o in outcomes]
    lines += [f"  {kind:<22}{kinds.count(kind):5}" for kind in KINDS]
    misplaced = sum(o.kind == "caught" and not o.as_wanted for o in outcomes)
    lines += [f"  {'of the caught, at another input':<35}{misplaced:5}"]
    lines += [f"forward calls per input: {_spread(o.calls for o in outcomes)}"]
    lines += [f"  of the right ones: {_spread(o.calls for o in outcomes if not o.case.wrong)}"]
    dearest = [o.judgement.dearest for o in outcomes if o.judgement.dearest is not None]
    lines += [f"  of the dearest input, by the judge's own count: {_spread(dearest)}"]
    lines += [
        f"seconds: {sum(o.seconds for o in outcomes):.1f}, slowest {max(o.seconds for o in outcomes):.2f}"
    ]
    return "\n".join(lines + [_line(o) for o in outcomes if not o.as_wanted])


KINDS = ("caught", "let through", "inconclusive, wrong", "error, wrong", "passed", "false alarm",
         "inconclusive, right", "error, right")  # fmt: skip


def _spread(calls: Iterable[float]) -> str:
    values = list(calls)
    return f"median {statistics.median(values):g}, max {max(values):g}" if values else "none"


def _line(outcome: Outcome) -> str:
    case, accused = outcome.case, outcome.judgement.accused
    place = "" if accused is None else f" (at input {accused})"
    reason = " ".join(outcome.judgement.reason.strip().splitlines()[:1])
    size = f"[error {case.relative_error:.1e}, {outcome.calls:g} calls]"
    return f"- {outcome.kind}{place}: {case.name} {size}: {reason}"
