"""The complex step: no truncation, no cancellation, where f is analytic and takes complex numbers.

f(x + i h v) = f(x) + i h J v − h² …, so Im f(x + i h v) / h is J v as soon as h² is nothing beside 1. Code
that is not analytic, or that drops the imaginary part on its way, answers just as readily, with a wrong
number: hence the cross-check with samples at real points.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np

from gradcheck.directions import Steps
from gradcheck.estimate import Array, Estimate
from gradcheck.number import finfo, is_real
from gradcheck.probes import spectral
from gradcheck.probes.field import FieldLine

#: Step beside the size of the point, by dtype: a power of two, so that multiplying by it rounds nothing. Its
#: square is below the unit round-off for all that varies over 2^-73 (float32: 2^-38) of the size of x, and
#: what is left above underflow is as much again.
STEPS = {"float64": 2.0**-100, "float32": 2.0**-50, "float16": 2.0**-50, "bfloat16": 2.0**-50}

#: Further calls, next to the point, that show how far its own rounding moves the answer.
MOVES = 8

#: Parameters of the curve through the answers at the neighbours: what is left of J v within ε^(1/4) of what f
#: varies over is of order ε.
CUBIC = 4

#: Bits by which a neighbour may be further away that changes J v where none of the others does, by no more than so many
#: roundings.
FURTHER, UNMOVED = 30, 8.0

#: Lengthens the step to the neighbours so that it ends in odd bits: 2^k away, x² may round as it does at x.
INCOMMENSURATE = 2.0**0.5

#: Claimed rounding over the deviation that was seen. Eight neighbours show less than an eighth of the rounding at the
#: point about once in 1,000 times; where they show none at all, eight roundings of each element of the output stand for
#: a chain of 64 operations of independent rounding. Measured on 20,000 random functions a dtype: the bound is exceeded
#: by none in float64, one in float32. Median bound over error: 14.
SAFETY = 8.0

#: Bound of the samples, beside the size of the derivative, up to which they can cross-check: what is dropped
#: with an imaginary part, at an abs, a max or a cast, is a term of the derivative, not a thousandth of it.
COARSE, CHECKED = 1e-3, 1e-4


@dataclass(frozen=True)
class ComplexStep:
    """What the complex step found; `applies` is False where f does not take it, and `reason` says why.

    Parameters
    ----------
    applies : bool
    estimates : tuple of Estimate
        One for each cotangent of the line, along `taken(line)`; empty where it does not apply.
    reason : str
    evaluations : int
        Calls of f, those of the cross-check included.
    """

    applies: bool
    estimates: tuple[Estimate, ...] = ()
    reason: str = ""
    evaluations: int = 0


class _RefusedError(Exception):
    """f is not analytic, or takes no complex numbers; the text is the reason."""


def probe(
    line: FieldLine,
    *,
    reference: Sequence[tuple[Estimate, int]] | None = None,
    moves: int = MOVES,
    budget: int = 60,
) -> ComplexStep:
    """For every cotangent the derivative at the centre of `line`, cross-checked by samples at real points.

    Parameters
    ----------
    line : FieldLine
        The function along the line; called with complex points too.
    reference : sequence of (Estimate, int), optional
        What `spectral.probe` says of the same line; by default it is asked here.
    moves : int
        Further calls that measure the rounding.
    budget : int
        Calls that the cross-check may cost.

    Examples
    --------
    >>> line = FieldLine(np.exp, np.array([0.5]), np.array([1.0]), np.ones((1, 1)))
    >>> (slope,) = probe(line).estimates
    >>> bool(abs(slope.value - np.exp(0.5)) <= slope.bound <= 1e-14)
    True
    >>> probe(FieldLine(lambda x: np.abs(x) * x, np.array(0.5), np.array(1.0))).reason
    'f is not analytic: the complex step gives 0.5, samples at real points 1'
    """
    before = line.evaluations
    try:
        tangent = _tangent(line, taken(line))
        reference = reference or _sampled(line, tangent, budget)
        found = _measured(line, tangent, reference[0][0].step, moves)
        _cross_check(line, tangent, found, reference)
    except _RefusedError as refusal:
        return ComplexStep(False, reason=str(refusal), evaluations=line.evaluations - before)
    return _counted(found, line.evaluations - before)


def unchecked(line: FieldLine, *, step: float | None = None, moves: int = MOVES) -> ComplexStep:
    """The same without the cross-check: for further directions of an f that has passed it.

    Parameters
    ----------
    line : FieldLine
        The function along the line.
    step : float, optional
        Length of t over which f is smooth, as `spectral.probe` found it; by default a quarter of the size
        of the point.
    moves : int
        Further calls that measure the rounding.
    """
    before = line.evaluations
    try:
        found = _measured(line, _tangent(line, taken(line)), step or line.scale() / 4, moves)
    except _RefusedError as refusal:
        return ComplexStep(False, reason=str(refusal), evaluations=line.evaluations - before)
    return _counted(found, line.evaluations - before)


def _counted(found: Sequence[Estimate], cost: int) -> ComplexStep:
    return ComplexStep(True, tuple(replace(e, evaluations=cost) for e in found), evaluations=cost)


def taken(line: FieldLine) -> Array:
    """The direction that the step really has: that of the line in the dtype of its point, as float64."""
    h = _step(line)
    return np.asarray((line.direction * h).astype(line.point.dtype).astype(np.float64) / h)


def _step(line: FieldLine) -> float:
    """h: the share `STEPS` of the length over which the point moves by its own size, to a power of two."""
    return float(STEPS.get(line.point.dtype.name, 2.0**-100) * 2.0 ** round(math.log2(line.scale())))


def _tangent(line: FieldLine, direction: Array, move: Array | float = 0.0, odd: int = 1) -> Array:
    """J v as float64, shape of f(x), by a step of `odd` times h at the point moved by `move`."""
    h = odd * _step(line)
    point = np.empty(line.point.shape, np.result_type(line.point.dtype, np.complex64))
    point.real = line.point + move
    point.imag = direction * h
    return np.asarray(_called(line, point).imag.astype(np.float64) / h)


def _called(line: FieldLine, point: Array) -> Array:
    """The answer at a complex point, or the reason why it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            output = line.call(point)
        except np.exceptions.ComplexWarning as warning:
            raise _RefusedError(f"f drops the imaginary part: {warning}") from None
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            reason = f"f does not take complex numbers: raised {type(error).__name__}: {first}"
            raise _RefusedError(reason) from None
    if output.dtype.kind != "c":
        raise _RefusedError(f"f returns {output.dtype}, not complex numbers, for {point.dtype} input")
    if line.centre is None:
        line.centre = line.call(line.point)
    if not is_real(line.centre.dtype):
        raise _RefusedError(f"f returns {line.centre.dtype}, not real numbers, for {line.point.dtype} input")
    if output.shape != line.centre.shape:
        raise _RefusedError(f"f returns shape {output.shape} for complex input, {line.centre.shape} for real")
    if not np.isfinite(output).all():
        raise _RefusedError("f is not finite at, or right beside, x + i h v")
    return output


def _measured(line: FieldLine, tangent: Array, step: float, moves: int) -> list[Estimate]:
    """⟨ȳ, J v⟩ for every cotangent ȳ, with the rounding of J v, of the sum, and of what underflows."""
    scatter, slope, hidden = _neighbours(line, tangent, step, moves)
    number = np.finfo(np.result_type(line.point.dtype, np.float32))
    unit, grain = float(number.eps) / 2, float(number.smallest_subnormal) / _step(line)
    made = []
    for weights in _cotangents(line):
        terms = weights * tangent.ravel()
        # f may round x itself, alike at all neighbours: u |x| of argument, times the slope of J v
        own = max(unit * max(_norm(terms), line.scale() * _norm(weights * slope)), _norm(weights * hidden))
        added = np.finfo(float).eps * (math.log2(terms.size) + 2) * float(np.abs(terms).sum())
        bound = SAFETY * max(own, _seen(scatter, weights)) + added + grain * float(np.abs(weights).sum())
        made.append(Estimate(float(terms.sum()), bound, "complex step", step=_step(line), noise=bound))
    return made


def _neighbours(line: FieldLine, tangent: Array, step: float, moves: int) -> tuple[Array, Array, Array]:
    """What J v at the point and `moves` neighbours leaves of a cubic, (1 + moves, outputs), its slope, what they hide.

    The neighbours lie at random whole numbers of one exact step: at ± the same one, as at single units in the
    last place, sums inside f may round alike. Odd multiples of h, so that the imaginary part rounds otherwise
    each time too.
    """
    reach = float(finfo(line.point.dtype).eps) ** (1 / CUBIC) * step / line.grid
    exponent = max(math.floor(math.log2(reach)), line.shortest()) if reach > 0 else line.shortest()
    longer = (line.direction * INCOMMENSURATE).astype(line.point.dtype)
    steps = Steps(line.point, longer, line.grid)
    quantum = steps.quantum(exponent)
    v, places = taken(line), np.random.default_rng(0).integers(-line.grid, line.grid, moves, endpoint=True)
    ways = [line.point.dtype.type(n) * quantum for n in places]
    rows = [_tangent(line, v, d, odd) - tangent for d, odd in zip(ways, cycle((3, 5, 7)), strict=False)]
    left = np.stack([np.zeros(tangent.size), *(row.ravel() for row in rows)])
    powers = np.vander(np.concatenate([[0], places]) / line.grid, CUBIC)
    fit = np.linalg.lstsq(powers, left, rcond=None)[0]
    with np.errstate(over="ignore"):
        slope = fit[-2] / (line.grid * 2.0**exponent * INCOMMENSURATE)
    if not np.isfinite(slope).all():
        raise _RefusedError("J v changes beyond all numbers beside x")

    def further(bits: int) -> Array:
        return np.asarray(line.point.dtype.type(line.grid) * steps.quantum(exponent + bits))

    hidden = _hidden(line, tangent, further, np.abs(left).max(axis=0)) if rows else np.zeros(tangent.size)
    return left - powers @ fit, slope, hidden


def _hidden(line: FieldLine, tangent: Array, further: Callable[[int], Array], left: Array) -> Array:
    """By how much J v changes, (outputs,), where the shortest move changes it at all; of those of which others do not.

    An f that adds x to what is far larger takes all neighbours of x for the same number, which is none of them.
    """
    number = np.finfo(np.result_type(line.point.dtype, np.float32))
    eps = max(float(number.eps), float(np.finfo(np.float64).eps))  # J v is kept as float64
    rounding = UNMOVED * eps * np.abs(tangent.ravel())
    still = left <= rounding
    if not still.any():
        return np.zeros(tangent.size)

    def changed(bits: int) -> Array:
        try:
            change = np.abs(_tangent(line, taken(line), further(bits)) - tangent).ravel()
        except _RefusedError:  # another branch, where f ends
            change = np.full(tangent.size, np.inf)
        return np.where(still & (change > rounding), change, 0.0)

    low, high, found = 0, FURTHER, changed(FURTHER)
    while found.any() and high - low > 1:
        middle = (low + high) // 2
        if (here := changed(middle)).any():
            high, found = middle, here
        else:
            low = middle
    # a branch that ends there changes it by more than digits
    branch = found > math.sqrt(eps) * np.abs(tangent.ravel())
    return np.where(branch, 0.0, found)


def _seen(scatter: Array, weights: Array) -> float:
    """Deviation of a weighted sum: as it came out, and as large as if its terms were independent."""
    freedom = max(len(scatter) - CUBIC, 1)
    return max(_norm(scatter @ weights), _norm(scatter * weights)) / math.sqrt(freedom)


def _norm(terms: Array) -> float:
    return float(np.linalg.norm(terms))


def _cotangents(line: FieldLine) -> Array:
    """Shape (channels, elements of f(x)), float64."""
    if line.cotangents is None:
        return np.ones((1, 1))
    return line.cotangents.reshape(len(line.cotangents), -1).astype(np.float64)


def _sampled(line: FieldLine, tangent: Array, budget: int) -> list[tuple[Estimate, int]]:
    """What samples at real points say, to half of the digits: that takes steps as long as f allows."""
    share = max(math.sqrt(float(finfo(line.point.dtype).eps)) / 10, CHECKED)
    goal = [share * _size(line, tangent), *[math.inf] * (len(_cotangents(line)) - 1)]
    return spectral.probe(line, start=line.scale() / 8, goal=np.array(goal), budget=budget)


def _size(line: FieldLine, tangent: Array) -> float:
    """Size of ⟨ȳ, J v⟩: that of its terms, or √ε of an f that changes by its own size where x does."""
    weights = _cotangents(line)[0]
    natural = _norm(weights * np.asarray(line.centre, np.float64).ravel()) / line.scale()
    return max(_norm(weights * tangent.ravel()), math.sqrt(float(finfo(line.point.dtype).eps)) * natural)


def _cross_check(
    line: FieldLine,
    tangent: Array,
    found: Sequence[Estimate],
    reference: Sequence[tuple[Estimate, int]],
) -> None:
    """Raise unless samples at real points say the same, along the direction that they took."""
    first = reference[0][0]
    if not first.bound <= COARSE * max(_size(line, tangent), abs(float(first.value))):
        seen = f"samples at real points give {first.value:.3g} ± {first.bound:.1g}"
        raise _RefusedError(f"f could not be cross-checked: {seen} ({first.finding})")
    tangents = {e: _tangent(line, line.steps.taken(e)).ravel() for e in {e for _, e in reference}}
    for weights, mine, (sampled, exponent) in zip(_cotangents(line), found, reference, strict=True):
        along = replace(mine, value=float(weights @ tangents[exponent]))
        if not along.agrees(sampled):
            seen = f"the complex step gives {along.value:.6g}, samples at real points {sampled.value:.6g}"
            raise _RefusedError(f"f is not analytic: {seen}")
