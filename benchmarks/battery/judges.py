"""Checkers of gradients, each as a judge: a function Case → Judgement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.battery.case import Case


@dataclass(frozen=True)
class Judgement:
    """What a judge said of a case.

    `accused` is the input that it blamed, `dearest` the forward calls of the input that took most (None: it
    did not say).
    """

    verdict: str
    reason: str = ""
    accused: int | None = None
    dearest: int | None = None


Judge = Callable[[Case], Judgement]


def by_gradcheck(**options: Any) -> Judge:
    """This project's own check, with options of `check_vjp`."""
    from gradcheck import check_vjp

    def judge(case: Case) -> Judgement:
        check = check_vjp(case.f, case.vjp, case.inputs, **options)
        verdict = str(check.verdict)
        accused = [place for place, part in enumerate(check.parts) if str(part.verdict) == verdict]
        return Judgement(
            verdict,
            check.reason,
            accused[0] if accused and verdict != "pass" else None,
            max((part.evaluations for part in check.parts), default=None),
        )

    return judge


def by_autograd() -> Judge:
    """HIPS autograd's `check_grads` with its default tolerances, on the function made a primitive."""
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def judge(case: Case) -> Judgement:
        f = primitive(lambda *inputs: case.f(*inputs))
        defvjp(f, *(_pullback(case, place) for place in range(len(case.inputs))))
        np.random.seed(0)  # noqa: NPY002  autograd draws its direction from the global generator
        for place in range(len(case.inputs)):
            try:
                check_grads(f, argnum=place, modes=["rev"], order=1)(*case.inputs)
            except AssertionError as failure:
                return Judgement("fail", str(failure).splitlines()[0], place)
        return Judgement("pass")

    return judge


def _pullback(case: Case, place: int) -> Callable[..., Any]:
    return lambda answer, *inputs: lambda cotangent: case.vjp(cotangent, *inputs)[place]


JUDGES: dict[str, Callable[..., Judge]] = {"gradcheck": by_gradcheck, "autograd": by_autograd}
