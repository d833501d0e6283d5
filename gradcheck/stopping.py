"""Stopping: whether f jumps beside the inputs by little, as a solver does that stops at a tolerance.

Where the number of its iterations is the same, such an f is as smooth as any, and its derivative is another one than
that of what it solves for: both sides of a comparison are right, and they differ. A few steps away one iteration more
is taken, and f jumps. With an error of the size of these jumps in each value, f has both derivatives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.directions import gaussian
from gradcheck.estimate import Array
from gradcheck.probes.field import FieldLine
from gradcheck.probes.nodes import chebyshev
from gradcheck.trial import Trial
from gradcheck.verdict import Check, Comparison, Verdict, budget_of, decide, resolution_of

#: How far from the point jumps are looked for, in its sizes, on so many stretches of the line on each side; and calls
#: that this may cost, beyond the budget.
REACH, STRETCHES, SEARCH = 4.0, 8, 400

#: Samples on a stretch, which is half as long as the point; coefficients that describe what is smooth of it, and from
#: which on those that are left tell a jump: where f has the point's scale they fall by 8 from one to the next, to 1e-9,
#: and those of a jump are some 0.05 of it.
COUNT, KEPT, TAIL = 17, 11, 12

#: Difference, beside the gradient, up to which jumps are looked for: few mistakes are as small, and the error of a
#: solver is. A larger one only where nothing could be read under the dense cotangent.
FAINT = 1e-4

#: Grid from which on a stretch holds its samples.
SHORT = 2 * STRETCHES * COUNT**2 // 4

#: Roundings above which the last coefficients, and jumps, are more than those.
SEEN = 64.0

#: Halvings of an interval; the share of a change that the last eight of them leave of a jump at least (of a square root
#: 2**-4); and the share that four leave of what is smooth at most (2**-4).
HALVINGS, LEFT, FADED = 30, (8, 0.5), (4, 2.0**-3)

#: Intervals of a stretch that are looked into: the smooth part, which is fitted, hides a jump close to an end.
TRIED = 3

#: Jumps that are looked for; and by how much the error of a value, which is what is left to solve for, may be larger
#: than what one iteration more changes: 4 times where an iteration leaves three quarters of it.
JUMPS, LARGER = 3, 4.0

#: Relative size of jumps above which they are none of a tolerance's, but f's own.
MOST = 1e-4

#: Difference, times the size of the point, that jumps of size 1 may explain on a stretch as long as the point: a bound
#: is 8 deviations, times 30 for a derivative from 17 samples. Share of a jump that the last coefficients have at least.
EXPLAINED, TOLD = 8 * 30 * LARGER, 0.01


@dataclass(frozen=True)
class Noise:
    """Jumps beside the point: the largest, relative to the values of f.

    Examples
    --------
    >>> Noise(3e-7).declared
    2e-06
    """

    jump: float

    @property
    def declared(self) -> float:
        """The noise to declare for them: LARGER times as much, in one digit."""
        wanted = LARGER * self.jump
        power = math.floor(math.log10(wanted))
        return float(f"{math.ceil(wanted / 10.0**power)}e{power}")


def excused(told: Check, trial: Trial, rng: np.random.Generator, budget: int, wanted: float | None) -> Check:
    """The failure left open, where jumps beside the inputs explain it; else the very check.

    They do where the claim does not fail with as much noise declared.

    Parameters
    ----------
    told : Check
        A failure.
    trial : Trial
        That showed it; its evaluations are counted up.
    rng : Generator
    budget : int
        Calls that the comparison may cost with noise allowed for.
    wanted : float, optional
        Error of interest that was asked for.
    """
    worst = max((c for r in trial.rounds for c in r), key=lambda c: c.excess)
    line = trial.line(trial.asked)
    if line.grid < SHORT or SEEN * line.unit > MOST:  # its own digits hide what could be seen
        return told
    least = _least(worst, line) if told.resolution < 1 else 0.0
    dense = [r[0] for r in trial.rounds if r[0].differs]
    if not (all(map(_faint, (worst, *dense))) or told.resolution >= 1) or least > MOST:
        return told
    noise, cost = _noise(trial, rng, least)
    again = None
    if noise is not None and noise.declared > trial.accuracy:
        again = _allowing(trial, noise, rng)
        again.run(None, budget)
        cost += again.evaluations
    trial.evaluations += cost
    trial.aside += cost
    told = replace(told, evaluations=told.evaluations + cost)
    if noise is None or again is None:
        hinted = noise is None and worst.difference and _faint(worst)
        return replace(told, notes=(*told.notes, _hint(worst))) if hinted else told
    verdict, reason = decide(again.rounds, max(wanted or 0.0, again.wanted()))
    if verdict is Verdict.FAIL:
        return told
    return replace(
        told,
        verdict=Verdict.INCONCLUSIVE,
        reason=_words(noise, worst, verdict, reason),
        resolution=resolution_of(again.rounds),
        budget=budget_of(again.rounds),
        thresholds=(),
    )


def _least(worst: Comparison, line: FieldLine) -> float:
    """Jumps, relative to the values of f, that may explain a difference; where f stands still, as between two, any."""
    size = float(line.less_centre(line.start()).floor.max()) / line.unit
    if worst.estimate.value == 0 or size == 0:
        return 0.0
    return abs(worst.difference) * line.scale() / (EXPLAINED * size)


def _noise(trial: Trial, rng: np.random.Generator, least: float) -> tuple[Noise | None, int]:
    """What f jumps by, along the direction that was asked for or else along another one; and the calls."""
    calls = SEARCH
    for direction in (trial.asked, gaussian(trial.point.shape, rng) * trial.size()):
        line = trial.line(direction)
        found = jumps(line, calls, least)
        calls -= line.evaluations
        if found is not None:
            break
    return found, SEARCH - calls


def _faint(worst: Comparison) -> bool:
    return abs(worst.difference) <= FAINT * worst.scale


def _hint(worst: Comparison) -> str:
    """What else may be the matter where f is smooth as far as was seen."""
    off = abs(worst.difference) / worst.scale
    return (
        f"if f is solved to a tolerance, in as many steps everywhere near: its error may be this relative {off:.0e},\n"
        f"though it jumps nowhere up to {REACH:g} times as far as the inputs are large; noise={off:.0e} declares it"
    )


def _allowing(trial: Trial, noise: Noise, rng: np.random.Generator) -> Trial:
    """The same trial before its first direction, with noise declared and nothing finer aimed at."""
    return replace(
        trial,
        rounds=[],
        taken=[],
        aim=None,
        evaluations=0,
        aside=0,
        step=0.0,
        looked=None,
        accuracy=noise.declared,
        rng=rng,
    )


def _words(noise: Noise, worst: Comparison, verdict: Verdict, reason: str) -> str:
    off = abs(worst.difference) / worst.scale if worst.scale > 0 else math.inf
    then = "passes" if verdict is Verdict.PASS else "is inconclusive"
    return (
        f"f jumps beside the inputs by a relative {noise.jump:.0e}, as a solver does that stops at a tolerance\n"
        f"the claim is a relative {off:.0e} off what f does between two jumps, which errors of that size explain\n"
        f"noise={noise.declared:.0e} declares them, and {then}: {reason}"
    )


# -- jumps along a line --------------------------------------------------------------------------------------


def jumps(line: FieldLine, calls: int = SEARCH, least: float = 0.0) -> Noise | None:
    """What f jumps by along a line, up to REACH sizes of the point; None where none of `least` is seen, or a large one.

    Examples
    --------
    >>> x = np.array([1.0, 2.0])
    >>> def along(step):
    ...     return jumps(FieldLine(lambda x: np.sin(x) + step(x.sum()), x, x, np.ones((1, 2))))
    >>> f"{along(lambda t: 1e-6 * (t > 3.3)).jump:.0e}", along(lambda t: 1e-6 * abs(t - 3.3))
    ('2e-06', None)
    """
    found: list[float] = []
    for middle in range(1, 2 * STRETCHES, 2):
        for side in (1, -1):
            if len(found) == JUMPS or calls - line.evaluations < COUNT + HALVINGS:
                return _noise_of(found)
            jump = Stretch(line, side * middle).jump(least)
            found += [jump] if jump > 0 else []
    return _noise_of(found)


def _noise_of(found: list[float]) -> Noise | None:
    return Noise(max(found)) if found and max(found) <= MOST else None


@dataclass
class Stretch:
    """Samples round a place of a line, in half lengths of a stretch; and what of them is not smooth."""

    line: FieldLine
    middle: int
    values: Array = field(init=False)
    floors: Array = field(init=False)
    coefficients: Array = field(init=False)

    def __post_init__(self) -> None:
        self.grid = self.line.grid // (2 * STRETCHES)
        self.exponent = round(math.log2(REACH * self.line.scale() / self.line.grid))
        self.nodes = chebyshev(COUNT, self.grid)
        self.places = np.array(self.nodes.positions) / self.grid
        wanted = [self.middle * self.grid + position for position in self.nodes.positions]
        taken = self.line.samples(wanted, self.exponent)
        samples = [taken[p] for p in wanted if p in taken]
        self.values = np.full((COUNT, len(samples[0].values)), np.nan)
        self.values[: len(samples)] = [sample.values for sample in samples]
        # all are differences from the value at the centre, whose rounding they have even where f is small
        centre = self.line.less_centre(self.line.start())
        self.floors = np.max([sample.floor for sample in (centre, *samples)], axis=0)
        with np.errstate(all="ignore"):
            self.coefficients = self.nodes.coefficients @ self.values

    def at(self, place: float) -> Array:
        """Values at a place of the stretch, less their smooth part."""
        share = (self.middle + place) * self.grid / self.line.grid
        return self.rest(place, self.line.between(share, self.exponent)[0].values)

    def jump(self, least: float = 0.0) -> float:
        """The largest jump of a channel, relative to the size of f there; 0 where none of `least` is seen."""
        floors = np.maximum(self.floors, np.finfo(float).tiny)
        level = np.abs(self.coefficients[TAIL:]).max(axis=0) / self.nodes.scale[TAIL:].max()
        seen = np.where(self.floors > 0, level / floors, 0.0)
        share = least / self.line.unit
        if not np.isfinite(self.values).all() or seen.max() <= max(SEEN, TOLD * share):
            return 0.0
        channel = int(np.argmax(seen))
        rests = np.array([self.rest(p, v) for p, v in zip(self.places, self.values, strict=True)])
        for k in np.argsort(-np.abs(np.diff(rests[:, channel])))[:TRIED]:
            found = float((self.inwards(channel, *self.places[k : k + 2], *rests[k : k + 2]) / floors).max())
            if found > max(SEEN, share):
                return found * self.line.unit
        return 0.0

    def rest(self, place: float, values: Array) -> Array:
        """Values less their smooth part, at a place of the stretch in half lengths."""
        return np.asarray(values - np.polynomial.chebyshev.chebval(place, self.coefficients[:KEPT]))

    def inwards(self, channel: int, a: float, b: float, at_a: Array, at_b: Array) -> Array:
        """What is left of the change between two neighbours as they come closer; 0 where it fades."""
        changes = [np.abs(at_b - at_a)]
        for _ in range(HALVINGS):
            m = (a + b) / 2
            at_m = self.at(m)
            if abs((at_m - at_a)[channel]) >= abs((at_b - at_m)[channel]):
                b, at_b = m, at_m
            else:
                a, at_a = m, at_m
            changes.append(np.abs(at_b - at_a))
            if _kept(changes, channel, FADED[0]) <= FADED[1]:
                return np.zeros_like(at_a)
        return changes[-1] if _kept(changes, channel, LEFT[0]) > LEFT[1] else np.zeros_like(changes[-1])


def _kept(changes: list[Array], channel: int, last: int) -> float:
    """Share of a change that the last halvings left; 1 where there are not yet so many."""
    if len(changes) <= last:
        return 1.0
    before = float(changes[-1 - last][channel])
    return float(changes[-1][channel]) / before if before > 0 else 0.0
