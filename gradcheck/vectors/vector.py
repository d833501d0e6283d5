"""Vector: one case with its inputs, its cotangent, and what is right of it, each number with its bound.

What is right comes from the catalogue's naive forward alone, never from anybody's formula of a gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.case import INTEGERS, Case
from gradcheck.directions import gaussian, integers
from gradcheck.estimate import Array
from gradcheck.formats import VectorError
from gradcheck.forward import ULPS, rounding_bound
from gradcheck.operation import Operation
from gradcheck.oracle import derivative, gradient
from gradcheck.plan import seed_of, values_of

STEP = 2.0**-100
"""Imaginary step: its square is below every rounding, so that nothing is truncated."""

WHOLE = 2.0**53
"""Whole numbers up to here are exact in float64, and so are their sums in any order."""


@dataclass(frozen=True)
class Known:
    """What is right: a value and how far a right answer may lie from it; `exact` where that is not at all."""

    value: Array
    bound: Array
    exact: bool
    method: str


@dataclass(frozen=True)
class Vector:
    """One case of one operation with all that an answer is compared with.

    Parameters
    ----------
    operation : str
    case : Case
    inputs : mapping of str to ndarray
    cotangent : ndarray of the shape of the output
    output : Known
    gradients : mapping of str to Known
        Of the inputs that the case judges.
    flags : tuple of str
        What is special of the case: the regimes that it reaches, its kind of values, "zero gradient of …".
    equations, errata : mapping of str to str
        Ids with their text: of the operation, and of those errata that the case guards, in that the notes read to
        the letter give another answer in it.
    """

    operation: str
    case: Case
    inputs: Mapping[str, Array]
    cotangent: Array
    output: Known
    gradients: Mapping[str, Known]
    flags: tuple[str, ...] = ()
    equations: Mapping[str, str] = field(default_factory=dict)
    errata: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name without its ending: "convolution-003"."""
        return f"{self.operation}-{self.case.seed:03d}"


def vector_of(operation: Operation, case: Case, seed: int) -> Vector:
    """The vector of one case; the same seed gives the same numbers.

    Parameters
    ----------
    operation : Operation
    case : Case
    seed : int
        Of the run; with the operation's name and the case's number it seeds values and cotangent.

    Examples
    --------
    >>> from gradcheck.operation import operation
    >>> up = vector_of(operation("upsample"), Case({"x": (1, 1, 1, 1)}, {"n": 2}, "integers"), seed=0)
    >>> up.gradients["x"].exact, bool(up.gradients["x"].value.item() == up.cotangent.sum())
    (True, True)
    """
    values, options = values_of(seed, operation, case), case.arguments()
    rng = np.random.default_rng([seed_of(seed, operation, case.seed), 17])

    def naive(*inputs: Array) -> Array:
        return np.asarray(operation.forward(*inputs, **options))

    linear = operation.linear_in(options) if case.kind == "integers" else ()
    output = naive(*values)
    cotangent = integers(output.shape, INTEGERS, rng) if linear else gaussian(output.shape, rng)
    number = seed_of(seed, operation, case.seed)
    bound = np.zeros(output.shape) if linear else rounding_bound(naive, values, output, number)
    names = list(case.shapes)
    known = {
        name: _exact(naive, values, names.index(name), cotangent)
        if name in linear
        else _numeric(naive, values, names.index(name), cotangent, number)
        for name in case.judged
    }
    return Vector(
        operation.name,
        case,
        dict(zip(names, values, strict=True)),
        cotangent,
        Known(output, bound, bool(linear), "naive"),
        known,
        _flags(case, known),
        {each: operation.statements[each] for each in operation.equations},
        {each: operation.statements[each] for each in operation.guarded(case)},
    )


def _flags(case: Case, known: Mapping[str, Known]) -> tuple[str, ...]:
    zero = [
        f"zero gradient of {name}" for name, each in known.items() if (np.abs(each.value) <= each.bound).all()
    ]
    return (*sorted({*case.regimes, f"{case.kind} values"}), *zero)


Naive = Callable[..., Array]


def _exact(naive: Naive, values: tuple[Array, ...], i: int, cotangent: Array) -> Known:
    """⟨f(x + e_j) − f(x), ȳ⟩ for every element j: of whole numbers, so without any rounding."""
    start, found = naive(*values), np.zeros(values[i].size)
    for j in range(values[i].size):
        products = cotangent * (naive(*_moved(values, i, j, 1.0)) - start)
        if not (products == products.round()).all() or np.abs(products).sum() >= WHOLE:
            raise VectorError("vectors: a sum that was to be exact is not of whole numbers below 2^53")
        found[j] = products.sum()
    value = found.reshape(values[i].shape)
    return Known(value, np.zeros(value.shape), True, "exact")


def _moved(values: tuple[Array, ...], i: int, j: int, step: complex) -> list[Array]:
    """The inputs with one element of one of them moved; all complex where the step is, as sums need them."""
    moved = [np.array(x, dtype=np.result_type(x, type(step))) for x in values]
    moved[i].reshape(-1)[j] += step
    return moved


def _numeric(naive: Naive, values: tuple[Array, ...], i: int, cotangent: Array, seed: int) -> Known:
    """By a complex step in every element, where the spectral probe bears it out; by that probe where not."""

    def whole(*given: Array) -> Array:
        *inputs, weights = given
        point = tuple(inputs)
        slopes = [
            np.sum(weights * np.imag(naive(*_moved(point, i, j, 1j * STEP)))) for j in range(point[i].size)
        ]
        return np.reshape(slopes, point[i].shape) / STEP

    def scalar(x: Array) -> Any:
        return np.sum(cotangent * naive(*values[:i], x, *values[i + 1 :]))

    with np.errstate(all="ignore"):
        value = whole(*values, cotangent)
        least = _cancelled(cotangent * naive(*values), values[i], sum(x.size for x in values))
        bound = rounding_bound(whole, (*values, cotangent), value, seed) + least
        direction = gaussian(values[i].shape, np.random.default_rng([seed, 18]))
        seen = derivative(scalar, values[i], direction)
        claimed, own = float(np.sum(value * direction)), float(np.sum(bound * np.abs(direction)))
        if np.isfinite(value).all() and abs(claimed - seen.value) <= seen.bound + own:
            return Known(value, bound, False, "complex step")
        found = gradient(scalar, values[i])
    return Known(np.asarray(found.value), np.asarray(found.bound) + least, False, "spectral")


def _cancelled(products: Array, x: Array, terms: int) -> float:
    """What rounding leaves of a gradient that cancels to nothing: 2 γ Σ|ȳ ∘ y| over the size of the input.

    Where the whole gradient is zero, no perturbation of it shows the terms that it was made of; they are of the
    size of the gradient of a function that varies by its own size when its input does.
    """
    unit = (terms + ULPS) * np.finfo(float).eps / 2
    size = float(np.sqrt(np.mean(np.square(x)))) or 1.0
    # and what lies below the smallest normal number is lost on the imaginary axis, by which the step divides
    lost = products.size * np.finfo(float).tiny / STEP
    return float(2 * unit / (1 - unit) * np.abs(products).sum() / size + lost)
