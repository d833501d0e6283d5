"""Finite differences, central or forward: the classic, knowing its own error.

D(h) = (φ(h) − φ(−h)) / 2h is off by a₁h² + a₂h⁴ + … (forward, (φ(h) − φ(0)) / h: by all powers) and by
rounding over h. Richardson's table (`richardson`) removes the powers one by one. How far neighbours in it lie
apart says what truncation is left, and how far those at the smallest steps do, times h, what noise; the entry
with the smallest sum of the two is the answer, if those at smaller steps do not contradict it, and if it foretells
φ closer to the point. Only steps below which the differences settle as they ought to are used: longer ones may skip
whole oscillations.

Measured on 20,000 random functions a dtype (`benchmarks.calibration`): central differences exceed their bound in 1 of
1,000 (in few digits 5), forward ones in 1 to 3; some by many orders: what no sample shows is in no bound. In few digits
forward differences claim nothing: they lose half of the digits that there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.estimate import Array, Estimate, Finding
from gradcheck.probes import spectral
from gradcheck.probes.levels import coarse
from gradcheck.probes.line import Line, Sample, ScalarLine
from gradcheck.probes.richardson import LEAST_ROWS, Entry, nothing, read

#: Sides on which each kind of difference samples.
SIDES = {"central": (1, -1), "forward": (1,)}

#: Rows of a table whose largest step is given.
GIVEN_ROWS = 5

#: Bits by which the steps grow where φ does not change. They do not where noise rules: three times as many bounds were
#: exceeded when they did.
GROW = 6

#: Places, in shares of the smallest step of an entry, at which it has to foretell φ, by the number of sides that it has
#: samples on (forward differences look at the other one as well); and how often its bound and noise it may miss.
BETWEEN, MISSES = {2: (0.77, 0.125), 1: (0.77, 0.125, -0.3)}, 2.0

#: Rows of a table whose steps are sought, by the number of sides.
ROWS = {2: 7, 1: 9}

#: Tables on which φ is constant that are followed by one of longer steps: a staircase is, between its steps.
FLATS = 4

#: Bits by which a constant is looked at further out, to tell whether it is one.
FAR = (15, 33, 45)

#: The multiple of noise that is claimed where digits are few: there are fewer steps.
CAUTION = 1.8

#: Bits below a table's exponent at which noise that is more than rounding has to show itself too, and by what
#: share of its size it may fall short there: a finer structure is smooth from close by.
RUNGS, QUIET = (6, 12, 18), 256.0


def probe(
    line: Line,
    *,
    kind: str = "central",
    step: float | None = None,
    start: float = 0.125,
    goal: Array | float = 0.0,
    budget: int = 90,
) -> list[tuple[Estimate, int]]:
    """For every channel of `line` the derivative at its centre, and the exponent of the steps that gave it.

    Parameters
    ----------
    line : Line
        The function along the line.
    kind : str
        "central" or "forward".
    step : float, optional
        The largest step of a table of five, halved each time; taken to a part in a thousand. What lies
        between these samples is then not looked at. By default steps are sought at which round-off and
        truncation balance.
    start : float
        Largest step of the first table, where steps are sought.
    goal : float or ndarray, shape (channels,)
        Taken so that `spectral.probe` can be replaced by this one; it decides nothing, since the search ends
        at the first table that has a bound.
    budget : int
        Calls of the function that may be spent.

    Raises
    ------
    ValueError
        For an unknown kind, and for a step that is not a finite number above 0.

    Examples
    --------
    >>> ((estimate, _),) = probe(ScalarLine(lambda t: math.sin(1 + t)))
    >>> abs(estimate.value - math.cos(1)) <= estimate.bound <= 1e-10
    True
    """
    del goal
    if kind not in SIDES:
        raise ValueError(f"differences: no such kind\n  kind = {kind!r}, wanted one of {', '.join(SIDES)}")
    _check_length("start", start)
    search = _Search(line, SIDES[kind], budget)
    if step is None:
        search.run(round(math.log2(start / line.grid)))
    else:
        search.confirming = False
        exponent = math.ceil(math.log2(_check_length("step", step) / line.grid))
        search.take(exponent, _halved(round(step / 2.0**exponent), GIVEN_ROWS))
    return search.best()


def _check_length(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(
            f"differences: {name} is not a length\n  {name} = {value!r}, wanted a finite number above 0"
        )
    return value


def _halved(position: int, rows: int) -> list[int]:
    """Whole numbers falling by halves from `position`, without repetition."""
    halves = [round(position / 2.0**k) for k in range(rows)]
    return list(dict.fromkeys(p for p in halves if p > 0))


@dataclass
class _Search:
    """Tables at growing and shrinking steps; `found` keeps, by exponent, an entry for each channel."""

    line: Line
    sides: tuple[int, ...]
    budget: int
    confirming: bool = True
    found: dict[int, list[Entry]] = field(default_factory=dict)
    rungs: dict[int, list[Sample]] = field(default_factory=dict)
    channels: int = 1

    def run(self, exponent: int) -> None:
        low, high = self.line.limits
        exponent = min(max(exponent, low), high)
        positions = _halved(self.line.grid, min(self.line.grid.bit_length(), ROWS[len(self.sides)]))
        while exponent not in self.found:
            move = self.take(exponent, positions)
            exponent = min(max(exponent + move, low), high)
            left = self.budget - self.line.evaluations
            if move == 0 or left < len(self.sides) * len(positions):
                break
        self.doubt_constants()

    def doubt_constants(self) -> None:
        """Leave no bound to what is constant wherever it was looked at, and moves further out."""
        for c in range(self.channels):
            entries = [found[c] for found in self.found.values()]
            if not all(entry.estimate.finding is Finding.CONSTANT for entry in entries):
                continue
            places = [min(max(self.found) + bits, self.line.limits[1]) for bits in FAR]
            beside = [
                self.line.sample(side * self.line.grid, e) for e in (*self.found, *places) for side in (1, -1)
            ]
            if any(float(sample.values[c]) != 0 for sample in beside):
                for exponent in self.found:
                    self.found[exponent][c] = Entry(nothing(Finding.UNRESOLVED, 0.0), 0)

    def take(self, exponent: int, positions: Sequence[int]) -> int:
        """Sample and read the table at `exponent`; the bits by which another one may be better."""
        rows: list[tuple[int, list[Sample]]] = []
        for position in positions:
            row = self.samples(position, exponent)
            if all(sample.finite for sample in row):
                rows.append((position, row))
            else:
                rows.clear()  # what lies beyond a step that leaves the domain is another function
        if len(rows) < LEAST_ROWS:
            self.found[exponent] = [Entry(nothing(Finding.NOT_FINITE), 0)] * self.channels
            return 1 - ROWS[len(self.sides)]
        steps = np.array([position * 2.0**exponent for position, _ in rows])
        self.found[exponent] = [self.entry(c, exponent, steps, rows) for c in range(self.channels)]
        if self.confirming:
            self.verify(exponent, steps)
        return self.move(self.found[exponent][0], len(steps))

    def samples(self, position: int, exponent: int) -> list[Sample]:
        """φ(h) − φ(0) and, for central differences, φ(−h) − φ(0)."""
        row = [self.line.sample(side * position, exponent) for side in self.sides]
        self.channels = len(row[0].values)
        return row

    def entry(
        self, channel: int, exponent: int, steps: Array, rows: Sequence[tuple[int, list[Sample]]]
    ) -> Entry:
        """One channel's entry, without a bound if the noise in it is none from close by."""
        samples = np.array([[float(s.values[channel]) for s in row] for _, row in rows])
        floor = max(float(s.floor[channel]) for _, row in rows for s in row)
        few = coarse(self.line.unit)
        entry = read(steps, samples, floor, self.line.unit * self.line.scale(), CAUTION if few else 1.0)
        if few and len(self.sides) == 1:  # which lose half of the digits that there are
            return Entry(nothing(Finding.UNRESOLVED, entry.estimate.value), len(steps))
        doubted = self.confirming and entry.suspicious > 0 and math.isfinite(entry.estimate.bound)
        if doubted and self.smooth(channel, entry, exponent):
            refused = nothing(Finding.UNRESOLVED, entry.estimate.value)
            return replace(entry, estimate=refused, last=len(steps))
        return entry

    def verify(self, exponent: int, steps: Array) -> None:
        """Leave no entry a bound that does not foretell φ closer to the point, forward ones beside it as well."""
        leader = self.found[exponent][0]
        if not math.isfinite(leader.estimate.bound) or not leader.slopes.size:
            return
        # at larger steps an extrapolation is worth less
        least = float(steps[leader.last]) / 2.0**exponent
        shares = BETWEEN[len(self.sides)]
        for position in dict.fromkeys(round(math.copysign(max(abs(s) * least, 1), s)) for s in shares):
            row = self.samples(position, exponent) if position > 0 else [self.line.sample(position, exponent)]
            for c, entry in enumerate(self.found[exponent]):
                if math.isfinite(entry.estimate.bound) and entry.slopes.size:
                    values = [float(s.values[c]) for s in row]
                    odd = (values[0] - values[1]) / 2 if len(values) == 2 else values[0]
                    if not entry.foretells(odd, position * 2.0**exponent, steps, MISSES):
                        refused = nothing(Finding.UNRESOLVED, entry.estimate.value)
                        self.found[exponent][c] = replace(entry, estimate=refused, last=len(steps))

    def smooth(self, channel: int, entry: Entry, exponent: int) -> bool:
        """Whether φ is straighter, close to the centre, than noise lets it be; a staircase is constant."""
        for bits in RUNGS:
            low = exponent - bits
            if low < self.line.limits[0]:
                return bits == RUNGS[0]  # nothing shows that it is noise
            if low not in self.rungs:
                self.rungs[low] = self.samples(1, low)
            values = np.array([float(sample.values[channel]) for sample in self.rungs[low]])
            bent = np.abs(values - np.array(self.sides) * entry.estimate.value * 2.0**low).max()
            if values.any() and bent < entry.suspicious / QUIET:
                return True
        return False

    def move(self, leader: Entry, rows: int) -> int:
        """Bits: shorter where truncation rules or nothing is resolved, longer where φ does not change."""
        if leader.estimate.finding in (Finding.CONSTANT, Finding.JUMP):
            return GROW if len(self.found) <= FLATS else 0
        if leader.last >= rows - 2 or math.isinf(leader.estimate.bound):
            return 1 - ROWS[len(self.sides)]
        return 0

    def best(self) -> list[tuple[Estimate, int]]:
        return [self.choose(channel) for channel in range(self.channels)]

    def choose(self, channel: int) -> tuple[Estimate, int]:
        """The smallest bound; where two tables contradict each other, the one with the shorter steps."""
        found = [(exponent, entries[channel].estimate) for exponent, entries in sorted(self.found.items())]
        moving = [pair for pair in found if pair[1].finding is not Finding.CONSTANT] or found
        exponent, estimate = min(moving, key=lambda pair: float(pair[1].bound))
        for shorter, other in moving:
            if shorter < exponent and math.isfinite(other.bound) and not other.agrees(estimate):
                exponent, estimate = shorter, other
                break
        if math.isinf(estimate.bound):
            exponent, estimate = moving[0]
        return replace(estimate, evaluations=self.line.evaluations), exponent


@dataclass(frozen=True)
class Row:
    """Errors of the difference quotients at one step; `extrapolated` is Richardson's, from h and h / 2."""

    step: float
    forward: float
    central: float
    extrapolated: float


def convergence(
    phi: Callable[[float], float], steps: Sequence[float], *, truth: float | None = None
) -> tuple[Row, ...]:
    """Error against step at t = 0, for the classic plot: truncation to the right, round-off to the left.

    Parameters
    ----------
    phi : callable
        phi(t) -> float.
    steps : sequence of float
        The h of φ(±h).
    truth : float, optional
        φ'(0); by default what the spectral probe measures, so that errors below its bound mean nothing.

    Raises
    ------
    ValueError
        For steps that are not finite numbers above 0.

    Examples
    --------
    >>> for row in convergence(math.exp, [1e-1, 1e-3], truth=1.0):
    ...     print(f"{row.step:.0e}  {row.forward:.0e}  {row.central:.0e}  {row.extrapolated:.0e}")
    1e-01  5e-02  2e-03  2e-07
    1e-03  5e-04  2e-07  1e-13
    """
    lengths = [_check_length("step", float(h)) for h in steps]
    if truth is None:
        ((estimate, _),) = spectral.probe(ScalarLine(phi))
        truth = float(estimate.value)
    return tuple(_row(phi, h, truth) for h in lengths)


def _row(phi: Callable[[float], float], h: float, truth: float) -> Row:
    coarse = (phi(h) - phi(-h)) / (2 * h)
    fine = (phi(h / 2) - phi(-h / 2)) / h
    forward = (phi(h) - phi(0.0)) / h
    return Row(h, abs(forward - truth), abs(coarse - truth), abs(fine + (fine - coarse) / 3 - truth))
