"""Numeric derivatives with an error of their own: those of gradcheck, and those that people use today.

Each takes a function of one real variable and a point, and gives a value and what it says of its own error:
a bound, an error estimate, or the tolerance with which a checker would compare.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.differentiate import derivative as scipy_derivative

from benchmarks.functions import epsilon

Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Answer:
    """A derivative, and what was said of its error (infinite where nothing was)."""

    value: float
    bound: float


@dataclass(frozen=True)
class Differentiator:
    """`answer(f, x)`; `own` marks those whose bounds must hold, `said` is what they say of their error."""

    name: str
    answer: Callable[[Function, Any], Answer]
    said: str
    own: bool = False
    needs: str = "numpy"

    @property
    def installed(self) -> bool:
        """Whether the library that it wraps is here."""
        return importlib.util.find_spec(self.needs) is not None


class Counted:
    """A function that counts the points at which it is evaluated, a complex one as one."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.points = 0

    def __call__(self, x: Any) -> Any:
        self.points += int(np.size(x))
        return self.function(x)


def _answer(value: Any, bound: Any) -> Answer:
    """Infinite where either is not a number: nothing was claimed."""
    value, bound = float(np.squeeze(value)), float(np.squeeze(bound))
    return Answer(value, bound) if np.isfinite(value) and not np.isnan(bound) else Answer(value, np.inf)


def spectral(f: Function, x: Any) -> Answer:
    """Our line probe, at its defaults."""
    from gradcheck import derivative

    estimate = derivative(f, x, np.ones_like(x))
    return _answer(estimate.value, estimate.bound)


def checked(f: Counted, x: Any) -> Answer:
    """The probe as a check asks for it: until a claimed derivative, here the right one, can be judged."""
    from gradcheck.probes import spectral as probe
    from gradcheck.trial import GOAL, NEAR, ROOM, START, WANTED

    line, name = _line(f, x), x.dtype.name
    slope = abs(f.function.derivative(x)) * (abs(float(x)) or 1.0)
    goal, need = GOAL.get(name, 1e-11) * slope, WANTED.get(name, 1e-6) / ROOM * slope
    return _along(line, probe.probe(line, start=NEAR.get(name, START), goal=goal, need=need))


def in_brief(f: Counted, x: Any) -> Answer:
    """The seven samples that a check takes first, whatever is claimed; infinite where they would not be enough.

    A check goes by them where the claim agrees with them as well, and never to fail one.
    """
    from gradcheck.probes import spectral as probe
    from gradcheck.probes.brief import Look
    from gradcheck.trial import BRIEF, ONE_OF_TWO, WANTED

    start = BRIEF.get(np.asarray(x).dtype.name)
    if start is None:
        return Answer(np.nan, np.inf)
    line = _line(f, x)
    interest = WANTED[x.dtype.name] * abs(f.function.derivative(x)) * (abs(float(x)) or 1.0)

    def enough(estimates: Any, exponent: int, slack: float) -> bool:
        return bool(estimates[0].bound <= ONE_OF_TWO * interest)

    look = Look(start, enough, ONE_OF_TWO * interest)
    # what follows where they are not enough is of no interest here
    answers = probe.probe(line, goal=np.inf, budget=8, need=interest, look=look)
    short = answers[0][0].points == 5 and np.isfinite(answers[0][0].bound)
    return _along(line, answers) if short else Answer(np.nan, np.inf)


def _line(f: Function, x: Any) -> Any:
    """The line through x along its own size, as the probes take it."""
    from gradcheck.probes.field import FieldLine

    point = np.asarray(x).reshape(1)
    return FieldLine(f, point, np.full(1, abs(float(x)) or 1.0))


def _along(line: Any, answers: Any) -> Answer:
    """What a probe of such a line says of the derivative in x itself."""
    ((estimate, exponent),) = answers
    step = float(line.steps.taken(exponent)[0])
    if not step:
        return Answer(np.nan, np.inf)
    along = estimate * (1 / step)  # which counts the rounding of the product
    return _answer(along.value, along.bound)


def complex_step(f: Function, x: Any) -> Answer:
    """One evaluation at a complex point, cross-checked once by real ones, as a check asks for it."""
    from gradcheck.probes import complex_step as probe

    line = _line(f, x)
    found = probe.probe(line)
    if not found.applies:
        return Answer(np.nan, np.inf)
    (estimate,), step = found.estimates, float(probe.taken(line)[0])
    return _answer(estimate.value / step, estimate.bound / abs(step)) if step else Answer(np.nan, np.inf)


def differences(f: Function, x: Any) -> Answer:
    """Our central differences, extrapolated."""
    from gradcheck.probes import differences as probe

    line = _line(f, x)
    return _along(line, probe.probe(line))


def forward_differences(f: Function, x: Any) -> Answer:
    """Our forward differences, extrapolated."""
    from gradcheck.probes import differences as probe

    line = _line(f, x)
    return _along(line, probe.probe(line, kind="forward"))


def one_sided(f: Function, x: Any) -> Answer:
    """The derivative from the right, as it is taken beside kinks; none where f bends at x as far as can be seen.

    Nor between two steps of a staircase, where it is 0, whatever the staircase rounds.
    """
    from gradcheck.probes.sides import Sides

    line = _line(f, x)
    sides = Sides(f, line.point, line.direction, line.start())
    sides.search(120, sides=(1,))
    found = [(sides.known(e, 1), e) for e in sides.exponents]
    side, exponent = min(found, key=lambda each: float(each[0].bound[0]), default=(None, 0))
    if side is None or not np.isfinite(side.bound[0]) or not sides.continues(1, exponent)[0]:
        return Answer(np.nan, np.inf)
    if not side.value[0] and any(np.any(sides.leaving(s, exponent)) for s in (1, -1)):
        return Answer(np.nan, np.inf)
    step = float(sides.steps.taken(exponent)[0])
    return _answer(side.value[0] / step, side.bound[0] / abs(step)) if step else Answer(np.nan, np.inf)


def scipy(f: Function, x: Any) -> Answer:
    """scipy.differentiate.derivative at its defaults, with its error estimate, even where it gave up."""
    with np.errstate(all="ignore"):
        found = scipy_derivative(f, x)
    return _answer(found.df, found.error)


def numdifftools(f: Function, x: Any) -> Answer:
    """numdifftools.Derivative at its defaults, with its error estimate; it steps in float64 always."""
    from numdifftools import Derivative

    with np.errstate(all="ignore"):
        found = Derivative(f, full_output=True)(x)
    if isinstance(found, tuple) and not hasattr(found, "estimate"):  # up to 0.9: (value, info)
        return _answer(found[0], found[1].error_estimate)
    return _answer(found.estimate, found.error_estimate)


def torch_default(f: Function, x: Any) -> Answer:
    """The central difference of torch.autograd.gradcheck, eps = 1e-6, with its atol 1e-5 + rtol 1e-3."""
    value = _central(f, x, 1e-6)
    return _answer(value, 1e-5 + 1e-3 * abs(value))


def jax_default(f: Function, x: Any) -> Answer:
    """The central difference of jax.test_util.check_grads, eps = 1e-4, with its tolerance for the dtype.

    atol = rtol = 1e-5 for float64, 2e-3 for float32, 1e-2 for float16, 1e-1 for bfloat16
    (default_gradient_tolerance).
    """
    tolerances = {2.0**-52: 1e-5, 2.0**-23: 2e-3, 2.0**-10: 1e-2, 2.0**-7: 1e-1}
    tolerance = tolerances.get(epsilon(x.dtype), 1e-5)
    value = _central(f, x, 1e-4)
    return _answer(value, tolerance * (1 + abs(value)))


def _central(f: Function, x: Any, step: float) -> float:
    """(f(x + h) - f(x - h)) / 2h, in the dtype throughout, as both checkers compute it."""
    h = x.dtype.type(step)
    with np.errstate(all="ignore"):
        return float((f(x + h) - f(x - h)) * x.dtype.type(0.5 / step))


DIFFERENTIATORS = {
    d.name: d
    for d in (
        Differentiator("spectral", spectral, "bound", own=True),
        Differentiator("spectral, in a check", checked, "bound", own=True),
        Differentiator("spectral, in brief", in_brief, "bound, for a claim that agrees"),
        Differentiator("complex step", complex_step, "bound", own=True),
        Differentiator("differences", differences, "bound", own=True),
        Differentiator("differences, forward", forward_differences, "bound", own=True),
        Differentiator("one-sided", one_sided, "bound", own=True),
        Differentiator("scipy.differentiate", scipy, "error estimate"),
        Differentiator("numdifftools", numdifftools, "error estimate", needs="numdifftools"),
        Differentiator("central, torch", torch_default, "tolerance"),
        Differentiator("central, jax", jax_default, "tolerance"),
    )
}
