"""Numeric derivatives with their own error, for anybody's function: derivative, gradient, jacobian."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.arguments import Counted, positive, real_array
from gradcheck.estimate import Array, Estimate, Finding
from gradcheck.probes import spectral
from gradcheck.probes.elements import ElementLine

Function = Callable[[Any], Any]

#: Lengthens a given direction before it is stepped along, so that steps are not whole multiples of a power of
#: two, at which a periodic function could look constant.
INCOMMENSURATE = 2.0**0.5

#: Searches along one direction: one for all elements together, then for those that it served worst.
PASSES = 3

#: Bound, beside the value, with which an element is content, in square roots of the unit round-off.
CONTENT = 0.01

#: Share of a budget for what is left of a direction that cannot be stepped along: one digit of it will do.
REST = 4


def derivative(f: Function, x: Any, direction: Any = 1.0, *, budget: int = 120) -> Estimate:
    """Derivative of `f` at `x` along `direction`, with a bound on its error.

    Parameters
    ----------
    f : callable
        f(x) -> float or ndarray; evaluated in the dtype of `x`.
    x : float or ndarray
        The point.
    direction : float or ndarray that broadcasts to the shape of x
        The tangent; not normalised.
    budget : int
        Calls of f that a search may cost. Elements that one search serves badly get two more, and what is
        left of a direction that floating point cannot step along gets a quarter of it.

    Returns
    -------
    Estimate
        `value` and `bound` have the shape of f(x); bound is infinite where no derivative could be measured.

    Raises
    ------
    TypeError, ValueError
        For a point or direction that is not finite and real, a direction that does not fit the point, and
        an f that does not return real floating numbers of one shape.

    Examples
    --------
    >>> import numpy as np
    >>> slope = derivative(np.sin, 1.0)
    >>> bool(abs(slope.value - np.cos(1.0)) <= slope.bound <= 1e-10)
    True
    >>> derivative(lambda x: x[:2] * x[1:], np.array([1.0, 2.0, 4.0]), [1.0, 0.0, 0.0]).value.round(9)
    array([2., 0.])
    """
    point, function = real_array(x, "derivative", "x"), Counted(f, "derivative")
    positive(budget, "derivative", "budget")
    tangent = _tangent(direction, point)
    centre = function(point)
    pushed = _Pushed.along(function, point, tangent, centre, budget)
    return _joined(pushed.whole(function, point, tangent, centre, budget), centre.shape, function.calls)


def gradient(f: Function, x: Any, *, budget: int = 60) -> Estimate:
    """Gradient of a scalar `f` at `x`, element by element, with a bound on the error of each.

    Parameters
    ----------
    f : callable
        f(x) -> float, or an array of one element.
    x : float or ndarray
        The point.
    budget : int
        Calls of f that an element of x may cost.

    Returns
    -------
    Estimate
        `value` and `bound` have the shape of x.

    Raises
    ------
    TypeError, ValueError
        As for `derivative`; and if f returns more than one number.

    Examples
    --------
    >>> import numpy as np
    >>> slopes = gradient(lambda x: np.sum(x**3), np.array([[1.0, -2.0]]))
    >>> bool(np.all(abs(slopes.value - [[3.0, 12.0]]) <= slopes.bound)), slopes.value.shape
    (True, (1, 2))
    """
    point, function = real_array(x, "gradient", "x"), Counted(f, "gradient")
    positive(budget, "gradient", "budget")
    centre = function(point)
    if centre.size != 1:
        raise ValueError(
            "gradient: f does not return one number\n"
            f"  f(x).shape = {centre.shape}, wanted () or one element\n"
            "  the derivative of an array in every element of x is its jacobian"
        )
    rows = _columns(function, point, centre, budget)
    return _joined([row[0] for row in rows], point.shape, function.calls)


def jacobian(f: Function, x: Any, *, budget: int = 60) -> Estimate:
    """Derivative of every element of f(x) in every element of `x`, with a bound on the error of each.

    Parameters
    ----------
    f : callable
        f(x) -> float or ndarray.
    x : float or ndarray
        The point.
    budget : int
        Calls of f that a search in one element of x may cost.

    Returns
    -------
    Estimate
        `value` and `bound` have shape (*shape of f(x), *shape of x).

    Raises
    ------
    TypeError, ValueError
        As for `derivative`.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: np.array([x[0] * x[1], x[1]]), np.array([2.0, 3.0])).value.round(9) + 0.0
    array([[3., 2.],
           [0., 1.]])
    """
    point, function = real_array(x, "jacobian", "x"), Counted(f, "jacobian")
    positive(budget, "jacobian", "budget")
    centre = function(point)
    columns = _columns(function, point, centre, budget)
    flat = [column[k] for k in range(centre.size) for column in columns]
    return _joined(flat, (*centre.shape, *point.shape), function.calls)


def _tangent(direction: Any, point: Array) -> Array:
    """The direction as float64 in the shape of the point."""
    tangent = real_array(direction, "derivative", "direction").astype(np.float64)
    try:
        return np.broadcast_to(tangent, point.shape)
    except ValueError:
        raise ValueError(
            "derivative: the direction does not fit the point\n"
            f"  direction.shape = {tangent.shape}, wanted {point.shape}, the shape of x, or a number\n"
            "  a direction moves every element of x"
        ) from None


def _columns(function: Counted, point: Array, centre: Array, budget: int) -> list[list[Estimate]]:
    """For every element of the point the derivatives of all outputs in it, started at the last good step."""
    columns, share = [], 0.25
    for k in range(point.size):
        tangent = (np.arange(point.size) == k).astype(np.float64).reshape(point.shape)
        pushed = _Pushed.along(function, point, tangent, centre, budget, share)
        share = pushed.share
        columns.append(pushed.whole(function, point, tangent, centre, budget))
    return columns


@dataclass
class _Pushed:
    """Every output's derivative along one direction, and along what of it the steps really were.

    `share` is the half length that served, out of the length over which the point moves by its own size.
    """

    estimates: list[Estimate]
    taken: list[Array]
    share: float = 0.25

    @classmethod
    def along(
        cls,
        function: Function,
        point: Array,
        tangent: Array,
        centre: Array,
        budget: int,
        share: float = 0.25,
        passes: int = PASSES,
    ) -> _Pushed:
        """Search for all outputs together, then for the worst served one by itself, and so once more."""
        found = cls([], [], share)
        driver: Array | None = None
        for _ in range(passes):
            line = ElementLine(function, point, tangent * INCOMMENSURATE, centre=centre, driver=driver)
            answers = spectral.probe(line, start=line.scale() * share, goal=_goal(centre.size), budget=budget)
            if driver is None and answers[0][0].step > 0:
                found.share = min(max(answers[0][0].step / line.scale(), 1e-6), 1.0)
            taken = {e: line.steps.taken(e) / INCOMMENSURATE for e in {e for _, e in answers}}
            found.merge([(e * (1 / INCOMMENSURATE), taken[k]) for e, k in answers[1:]])
            worst = found.worst(line.unit)
            if worst is None or centre.size == 1:  # a single output has driven the search already
                break
            driver = np.zeros(centre.size)
            driver[worst] = 1.0
        return found

    def merge(self, answers: Sequence[tuple[Estimate, Array]]) -> None:
        """Keep, for each output, what has the smaller bound."""
        if not self.estimates:
            self.estimates, self.taken = [e for e, _ in answers], [t for _, t in answers]
            return
        for k, (estimate, taken) in enumerate(answers):
            if estimate.bound < self.estimates[k].bound:
                self.estimates[k], self.taken[k] = estimate, taken

    def worst(self, unit: float) -> int | None:
        """The output known worst, if worse than to about half of its digits beside the largest of all."""
        bounds = np.array([float(e.bound) for e in self.estimates])
        values = np.abs([float(e.value) for e in self.estimates])
        values = np.where(np.isfinite(values), values, 0.0)
        relative = bounds / np.maximum(
            values, math.sqrt(unit) * values.max(initial=0.0) + np.finfo(float).tiny
        )
        k = int(np.argmax(relative))
        return k if relative[k] > CONTENT * math.sqrt(unit) and values.any() else None

    def whole(
        self, function: Function, point: Array, tangent: Array, centre: Array, budget: int
    ) -> list[Estimate]:
        """The derivatives along the tangent itself: what the steps left of it is measured too."""
        moving = np.flatnonzero(tangent)
        if moving.size == 1:
            return [
                e * _ratio(tangent, t, int(moving[0]))
                for e, t in zip(self.estimates, self.taken, strict=True)
            ]
        rests: dict[bytes, list[Estimate]] = {}
        answers = []
        for k, (estimate, taken) in enumerate(zip(self.estimates, self.taken, strict=True)):
            left = tangent - taken
            if left.any():
                size = float(np.abs(left).max() / np.abs(tangent).max())
                if taken.tobytes() not in rests:
                    rest = _Pushed.along(
                        function, point, left / size, centre, max(budget // REST, 1), passes=1
                    )
                    rests[taken.tobytes()] = [e * size for e in rest.estimates]
                estimate = estimate + rests[taken.tobytes()][k]
            answers.append(estimate)
        return answers


def _ratio(tangent: Array, taken: Array, k: int) -> float:
    """Tangent over the step taken, in the only element that moves; 1 where no step was possible."""
    step = float(taken.ravel()[k])
    return float(tangent.ravel()[k]) / step if step != 0 else 1.0


def _goal(outputs: int) -> Array:
    """The driver decides when to stop; the outputs are read off its samples."""
    return np.array([0.0] + [math.inf] * outputs)


def _joined(estimates: Sequence[Estimate], shape: tuple[int, ...], calls: int) -> Estimate:
    """Many estimates as one of arrays, with the gravest finding and the largest of every other number."""

    def filled(name: str) -> Any:
        return np.array([float(getattr(e, name)) for e in estimates]).reshape(shape)[()]

    findings = [e.finding for e in estimates]
    doubts = [f for f in findings if f not in (Finding.SMOOTH, Finding.CONSTANT)]
    return Estimate(
        value=filled("value"),
        bound=filled("bound"),
        method="spectral",
        evaluations=calls,
        points=max(e.points for e in estimates),
        step=max(float(e.step) for e in estimates),
        noise=max(float(e.noise) for e in estimates),
        truncation=max(float(e.truncation) for e in estimates),
        finding=doubts[0] if doubts else Finding.SMOOTH if Finding.SMOOTH in findings else findings[0],
        coefficients=estimates[0].coefficients if len(estimates) == 1 else (),
    )
