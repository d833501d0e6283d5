"""Masked cotangents: a gradient compared on those outputs alone that do not bend along the way.

Where f has a kink for every few of its inputs (ReLU, max-pooling), one of them bends on any segment that is long enough
to be read, and their sum shows nothing. But each bends in one output or in few: with a cotangent that is 0 there, and
with what the vjp claims for that cotangent, the rest is smooth. Directions differ in what they mask; nothing is said of
what all of them do. Where no output bends, as of a smooth function, it is a comparison like any other, at 8 calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.directions import gaussian
from gradcheck.estimate import Array
from gradcheck.number import finfo
from gradcheck.probes.channels import difference
from gradcheck.probes.field import FieldLine, carried, unit_of
from gradcheck.probes.nodes import Nodes, chebyshev
from gradcheck.probes.reading import Reading, read
from gradcheck.trial import Claim, Trial
from gradcheck.verdict import Comparison

#: Half lengths, beside the size of the point, that are tried until few outputs bend; and multiples of one that served
#: before, if that was longer: a function may change over many times the point's size.
LENGTHS, SERVED = (2.0**-3, 2.0**-5, 2.0**-7, 2.0**-9), (4.0, 1.0, 0.25)

#: Share of the outputs that may be masked along one direction. For a pass none may be so along all of them: it may have
#: a kink at the point itself.
MOST = 0.1

#: Samples on a segment; from which of the nine Chebyshev coefficients on they tell a bend, and which they are beside.
COUNT, TAIL, BEFORE = 9, 6, slice(3, 5)

#: Roundings of an output that its last coefficients may reach without counting as a bend (sums of a thousand products
#: round by some thirty); the share of the largest, which noise inside f may have; the share of those before, which a
#: smooth function's fall to (a kink's to a quarter of them, and 0.02 of the largest); and the share of the typical
#: output's change that matters to nothing.
ROUNDINGS, NOISE, FALL, NEGLIGIBLE = 64.0, 1e-4, 1e-3, 1e-6

#: Roundings that the sum has to move by: below, f may hardly have felt the step (1 + x of a tiny x).
SEEN = 64.0

#: Chance up to which what a single direction saw, and sharper ones did not, is taken for a bound that was too small.
UNLIKELY = 1e-4

Claimed = Callable[[Array], Claim | None]


@dataclass(frozen=True)
class Look:
    """Comparisons along one direction, the dense cotangent's first, the outputs that they left out, flat, and where."""

    comparisons: list[Comparison]
    masked: Array
    exponent: int = 0


def looks(trial: Trial, claimed: Claimed, directions: int, budget: int) -> list[Look]:
    """Comparisons along further directions, each under the dense cotangent without the outputs that bend there.

    Parameters
    ----------
    trial : Trial
        Of the input; its evaluations are counted up.
    claimed : callable
        claimed(cotangent) -> what is claimed for it, with its rounding.
    directions : int
    budget : int
        Calls of f that the trial may come to.
    """
    found: list[Look] = []
    served = [trial.step * by for by in SERVED if trial.step * by > LENGTHS[0]]
    lengths = served + list(LENGTHS)
    for _ in range(directions):
        direction = gaussian(trial.point.shape, trial.rng) * trial.size()
        look = _along(trial, direction, claimed, lengths, (budget - trial.evaluations) // (COUNT - 1))
        found += [] if look is None else [look]
    return found


def blind(found: Sequence[Look]) -> float:
    """Share of the outputs that no look saw."""
    return float(np.all([look.masked for look in found], axis=0).mean())


def outvoted(trial: Trial, found: Sequence[Look]) -> bool:
    """Whether what one direction saw would have been seen by these, were it an error of the gradient."""
    seen = max(
        (abs(c.difference) / c.scale for r in trial.rounds for c in r if c.differs and c.scale > 0),
        default=0.0,
    )
    return seen > 0 and math.prod(look.comparisons[0].escapes(seen) for look in found) <= UNLIKELY


def _along(trial: Trial, direction: Array, claimed: Claimed, lengths: list[float], tries: int) -> Look | None:
    """One look at the first length that serves; longer ones are struck off for the directions to come."""
    line = FieldLine(trial.function, trial.point, direction, trial.cotangents[:1], centre=trial.centre)
    nodes = chebyshev(COUNT, line.grid)
    while lengths and tries > 0:
        tries -= 1
        exponent = max(round(math.log2(lengths[0] / line.grid)), line.limits[0])
        changes = _changes(line, nodes, exponent)
        masked = _bending(changes, trial.centre, nodes)
        if masked.mean() <= MOST:
            trial.evaluations += line.evaluations
            return _compared(trial, line, nodes, exponent, changes, masked, claimed)
        lengths.pop(0)
    trial.evaluations += line.evaluations
    return None


def _changes(line: FieldLine, nodes: Nodes, exponent: int) -> Array:
    """F at every node less f at the centre, shape (nodes, outputs)."""
    known = {p: _apart(y, centre) for p, y, centre in line.together(nodes.positions, exponent)}
    line.evaluations += len(known)
    return np.array([known[p] if p in known else _change(line, p, exponent) for p in nodes.positions])


def _change(line: FieldLine, position: int, exponent: int) -> Array:
    """F at a node less f at the centre, flat."""
    if position == 0:
        return np.zeros(line.start().size)
    moved = line.point + line.point.dtype.type(position) * line.steps.quantum(exponent)
    return _apart(line.call(moved), line.start())


def _apart(output: Array, centre: Array) -> Array:
    return difference(output, centre).ravel()


def _unit(output: Array) -> float:
    """Rounding of outputs and of their changes, which are float64."""
    return max(unit_of(output.dtype), carried(output.dtype))


def _bending(changes: Array, centre: Array, nodes: Nodes) -> Array:
    """Which outputs do not end their coefficients as smooth ones do."""
    with np.errstate(all="ignore"):
        coefficients = np.abs(nodes.coefficients @ changes) / nodes.scale[:, None]
        sizes = np.abs(centre.astype(np.float64)).ravel() + np.abs(changes).max(axis=0)
        allowed = np.maximum(ROUNDINGS * _unit(centre) * sizes, NOISE * coefficients[1:].max(axis=0))
        allowed = np.maximum(allowed, FALL * coefficients[BEFORE].max(axis=0))
        allowed = np.maximum(allowed, NEGLIGIBLE * np.sqrt(np.mean(np.square(coefficients[1]))))
        return np.asarray(~(coefficients[TAIL:].max(axis=0) <= allowed))


def _compared(
    trial: Trial,
    line: FieldLine,
    nodes: Nodes,
    exponent: int,
    changes: Array,
    masked: Array,
    claimed: Claimed,
) -> Look | None:
    """Claims beside samples: under every cotangent where nothing bends, else under the dense one that is 0 there."""
    cotangents, claim = trial.cotangents, trial.claim
    told: Claim | None = claim
    if masked.any():
        cotangents = np.where(masked.reshape(trial.centre.shape), 0, cotangents[:1]).astype(cotangents.dtype)
        told = claimed(cotangents[0])
    kept = np.where(masked, 0.0, changes)  # where an output bends it may be infinite
    readings = [_read(trial, line, nodes, exponent, kept, c.astype(np.float64).ravel()) for c in cotangents]
    first = readings[0]
    if told is None or not first.resolved or first.top < SEEN * first.floor:
        return None
    taken = line.steps.taken(exponent)
    length = float(np.linalg.norm(taken.ravel())) / math.sqrt(taken.size)
    comparisons = [
        Comparison(*told.along(taken, m), r.estimate, told.norm(m) * length, trial.labels[m])
        for m, r in enumerate(readings)
        if r.resolved
    ]
    return Look(comparisons, masked, exponent)


def _read(
    trial: Trial, line: FieldLine, nodes: Nodes, exponent: int, changes: Array, weights: Array
) -> Reading:
    """What the samples say under one cotangent."""
    sizes = np.abs(trial.centre.astype(np.float64)).ravel() + np.abs(changes).max(axis=0)
    least = float(finfo(trial.centre.dtype).smallest_subnormal) * float(np.abs(weights).max())
    floor = max(line.unit, _unit(trial.centre)) * float(np.linalg.norm(weights * sizes)) + least
    return read(changes @ weights, floor, line.unit, line.scale(), nodes, line.grid * 2.0**exponent)
