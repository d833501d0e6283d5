"""Numeric derivatives with their own error, for anybody's function: derivative, gradient, jacobian."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.arguments import positive, real_array
from gradcheck.batches import Section, counted, trust
from gradcheck.estimate import Array, Estimate, Finding
from gradcheck.foreign import is_foreign, to_numpy
from gradcheck.packed import Outputs, Packed, is_tree
from gradcheck.probes import spectral
from gradcheck.probes.elements import ElementLine
from gradcheck.tree import leaves

Function = Callable[[Any], Any]
Batch = Callable[[Any], Any] | bool | None

#: Lengthens a given direction before it is stepped along, so that steps are not whole multiples of a power of
#: two, at which a periodic function could look constant.
INCOMMENSURATE = 2.0**0.5

#: Half length, beside the size of what moves, at which a first search starts; where there are many digits, nearer.
START, FIRST = 0.25, {"float64": 0.125}

#: Searches along one direction: one for all elements together, then for those that it served worst.
PASSES = 3

#: Bound, beside the value, with which an element is content, in square roots of the unit round-off.
CONTENT = 0.01

#: Share of a budget for what is left of a direction that cannot be stepped along: one digit of it will do.
REST = 4


def derivative(f: Function, x: Any, direction: Any = 1.0, *, budget: int = 120, batched: Batch = None) -> Any:
    """Derivative of `f` at `x` along `direction`, with a bound on its error.

    Parameters
    ----------
    f : callable
        f(x) -> float or ndarray; evaluated in the dtype of `x`.
    x : float, array or tree of arrays
        The point; as for `gradient`.
    direction : float, array that broadcasts to the shape of x, or tree built as x is
        The tangent; not normalised.
    budget : int
        Calls of f that a search may cost. Elements that one search serves badly get two more, and what is
        left of a direction that floating point cannot step along gets a quarter of it.
    batched : callable or True, optional
        f at several points in one call, as `gradcheck.check_vjp` has it; of an array that is NumPy's. Estimates and
        budgets count points.

    Returns
    -------
    Estimate, or tree of Estimate where f(x) is a tree
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
    positive(budget, "derivative", "budget")
    if is_tree(x) or is_foreign(x):
        _of_arrays_alone(batched, "derivative")
        return _derivative_of_tree(f, Packed.of(x, "derivative"), direction, budget)
    outputs = Outputs(f)
    return outputs.built(outputs.split(_derivative(outputs, x, direction, budget, batched)))


def _derivative_of_tree(f: Function, packed: Packed, direction: Any, budget: int) -> Any:
    """The sum of the derivatives along the parts of the direction: each leaf is stepped in its own dtype."""
    outputs, parts = Outputs(f), _parts_of(direction, packed)
    found = [
        outputs.split(_derivative(packed.along(leaf.path, outputs), leaf.point, part, budget))
        for leaf, part in zip(packed.leaves, parts, strict=True)
    ]
    return outputs.built([sum(each[1:], start=each[0]) for each in zip(*found, strict=True)])


def _parts_of(direction: Any, packed: Packed) -> list[Any]:
    """The direction's part for each leaf that moves; a number is that for all of them."""
    if not is_tree(direction) and np.ndim(to_numpy(direction)) == 0:
        return [direction] * len(packed.leaves)
    known = {path: to_numpy(leaf) for path, leaf in leaves(direction, "x") if leaf is not None}
    missing = [leaf.path for leaf in packed.leaves if leaf.path not in known]
    if missing:
        raise ValueError(
            "derivative: the direction does not fit the point\n"
            f"  it has {', '.join(known)}, but not {', '.join(missing)}\n"
            "  wanted a number, or a tree built as x is"
        )
    return [known[leaf.path] for leaf in packed.leaves]


def _derivative(f: Function, x: Any, direction: Any, budget: int, batched: Batch = None) -> Estimate:
    point = real_array(x, "derivative", "x")
    tangent = _tangent(direction, point)
    function, centre = _started(f, point, batched, "derivative")
    pushed = _Pushed.along(function, point, tangent, centre, budget)
    return _joined(pushed.whole(function, point, tangent, centre, budget), centre.shape, function.f.points)


def _started(f: Function, point: Array, batched: Batch, who: str) -> tuple[Section, Array]:
    """The function, counted, and its output at the point."""
    function = counted(f, batched, who)
    centre = function(point)
    trust(function, (point,), centre)
    return Section(function, (point,), {0: None}), centre


def _of_arrays_alone(batched: Batch, who: str) -> None:
    if batched is not None:
        raise ValueError(
            f"{who}: batched is of arrays alone\n  x is a tree, or of another library than NumPy; wanted an array\n"
            "  of several leaves none alone has the axis of points"
        )


def gradient(f: Function, x: Any, *, budget: int = 60, batched: Batch = None) -> Any:
    """Gradient of a scalar `f` at `x`, element by element, with a bound on the error of each.

    Parameters
    ----------
    f : callable
        f(x) -> float, or an array of one element.
    x : float, array or tree of arrays
        The point. f is given what x is: arrays of torch, JAX or an array API namespace, on their device; or such arrays
        and floats in dictionaries, lists, tuples and dataclasses. What a tree holds beside floating numbers is held.
    budget : int
        Calls of f that an element of x may cost.
    batched : callable or True, optional
        As for `derivative`.

    Returns
    -------
    Estimate, or tree of Estimate where x is a tree
        `value` and `bound` are NumPy's, of the shape of x; a tree is built as x is, with None for what is held.

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
    >>> of = gradient(lambda p: np.sum(p["w"] * p["b"]), {"w": np.array([1.0, 2.0]), "b": 3.0})
    >>> of["w"].value.round(9), float(round(of["b"].value, 9))
    (array([3., 3.]), 3.0)
    """
    positive(budget, "gradient", "budget")
    if is_tree(x) or is_foreign(x):
        _of_arrays_alone(batched, "gradient")
        packed, outputs = Packed.of(x, "gradient"), Outputs(f)
        return packed.of_leaves(
            {
                leaf.path: _gradient(packed.along(leaf.path, outputs), leaf.point, budget)
                for leaf in packed.leaves
            }
        )
    return _gradient(Outputs(f), x, budget, batched)


def _gradient(f: Function, x: Any, budget: int, batched: Batch = None) -> Estimate:
    point = real_array(x, "gradient", "x")
    function, centre = _started(f, point, batched, "gradient")
    if centre.size != 1:
        raise ValueError(
            "gradient: f does not return one number\n"
            f"  f(x).shape = {centre.shape}, wanted () or one element\n"
            "  the derivative of an array in every element of x is its jacobian"
        )
    rows = _columns(function, point, centre, budget)
    return _joined([row[0] for row in rows], point.shape, function.f.points)


def jacobian(f: Function, x: Any, *, budget: int = 60, batched: Batch = None) -> Any:
    """Derivative of every element of f(x) in every element of `x`, with a bound on the error of each.

    Parameters
    ----------
    f : callable
        f(x) -> float or ndarray.
    x : float, array or tree of arrays
        The point; as for `gradient`.
    budget : int
        Calls of f that a search in one element of x may cost.
    batched : callable or True, optional
        As for `derivative`.

    Returns
    -------
    Estimate, or tree of Estimate where x or f(x) is a tree
        `value` and `bound` have shape (*shape of f(x), *shape of x); where both are trees, a tree built as f(x) is,
        each leaf of which is one built as x is.

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
    positive(budget, "jacobian", "budget")
    outputs = Outputs(f)
    if not is_tree(x) and not is_foreign(x):
        return outputs.built(outputs.split(_jacobian(outputs, x, budget, batched), np.shape(x)))
    _of_arrays_alone(batched, "jacobian")
    packed = Packed.of(x, "jacobian")
    parts = {
        leaf.path: outputs.split(
            _jacobian(packed.along(leaf.path, outputs), leaf.point, budget), leaf.point.shape
        )
        for leaf in packed.leaves
    }
    count = len(next(iter(parts.values())))
    return outputs.built(
        [packed.of_leaves({path: part[k] for path, part in parts.items()}) for k in range(count)]
    )


def _jacobian(f: Function, x: Any, budget: int, batched: Batch = None) -> Estimate:
    point = real_array(x, "jacobian", "x")
    function, centre = _started(f, point, batched, "jacobian")
    columns = _columns(function, point, centre, budget)
    flat = [column[k] for k in range(centre.size) for column in columns]
    return _joined(flat, (*centre.shape, *point.shape), function.f.points)


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


def _columns(function: Section, point: Array, centre: Array, budget: int) -> list[list[Estimate]]:
    """For every element of the point the derivatives of all outputs in it, started at the last good step."""
    columns: list[list[Estimate]] = []
    share: float | None = None
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
    share: float

    @classmethod
    def along(
        cls,
        function: Function,
        point: Array,
        tangent: Array,
        centre: Array,
        budget: int,
        share: float | None = None,
        passes: int = PASSES,
    ) -> _Pushed:
        """Search for all outputs together, then for the worst served one by itself, and so once more."""
        share = FIRST.get(point.dtype.name, START) if share is None else share
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
