"""Trials: one input of a function, probed along seeded directions and compared with its claimed gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from gradcheck.directions import Steps, gaussian
from gradcheck.estimate import Array, Estimate
from gradcheck.number import coarsest, finfo
from gradcheck.probes import complex_step, differences, spectral
from gradcheck.probes.brief import Agrees, Look
from gradcheck.probes.field import FieldLine
from gradcheck.probes.segment import GLIMPSE
from gradcheck.verdict import BLATANT, Comparison

#: Bound, relative to the gradient, at which a probe stops: what the verdicts need, with room to spare.
GOAL = {"float64": 4e-11, "float32": 3e-5, "float16": 1e-2, "bfloat16": 5e-2}

#: Error of interest, relative to the gradient's norm, that a pass must be able to see.
WANTED = {"float64": 1e-6, "float32": 1e-4, "float16": 0.1, "bfloat16": 0.5}

#: Roundings of a gradient's natural size below which it is zero but for rounding.
VANISHING = 64.0

#: Chance to miss an error of interest up to which one direction, or whole numbers, are evidence enough; and the bound,
#: beside that error, at which a search is told to stop for it: √(π/2) · 2 · 16 times as much, as it plans for a 16th.
RARE, SINGLE = 1e-6, 4e-5

#: Bound, beside an error of interest, of which two directions together miss it as rarely.
ONE_OF_TWO = math.sqrt(math.pi / 2 * RARE)

#: Calls kept back, of an input's budget, for finding out where a gradient is wrong.
RESERVE = 40

#: Half length, beside the size of the point, at which the first direction starts: where there are many digits, so near
#: that the first nine points resolve most functions. At a quarter a layer of a hundred inputs took two segments more;
#: the battery's resolution is the same from there to 1/64.
START, NEAR = 0.25, {"float64": 2.0**-4}

#: Half length, beside the size of the point, of a brief look along a line of float64, by the coarsest dtype: as long as
#: leaves the digits that are asked for. From an eighth to four times of it layers and elementary functions are seen as
#: well; a shorter one would leave less to see of a claim that knows the point.
BRIEF = {"float64": 2.0**-10, "float32": 2.0**-7}

#: How much shorter further directions start, that need fewer digits: 9 points then do what 17 did.
NEARER = 4.0

#: Resolution, beside what a pass has to see, up to which digits are spared: a step NEARER times shorter still sees it.
SPARE = 10.0

#: What a pass has to see, beside the bound of a measurement that leaves room for rounding and a small difference.
ROOM = 1.5

#: Length, beside the expected one, below which a direction is stretched to it.
SHORT = 0.5

#: Difference, in units of what is allowed, from which on no more digits are asked for: ten times what needs no second
#: opinion, as the samples that confirm a segment may yet show noise.
PLAIN = 10 * BLATANT

#: Calls that the shortest look along a direction takes, beside the centre.
LEAST = 8

#: Error of interest beside the relative error of f, where that is declared: three of its digits go into differences,
#: as about as many of float32's do.
LOST = 1000.0

#: Unit below which a dtype has so many digits that another direction may be read where one was not.
FINE = 1e-10

#: Evaluations that the first direction may use of what is not kept back.
FIRST_SHARE = 0.7


@dataclass(frozen=True)
class Claim:
    """What a vjp claims of one input: a gradient for each cotangent, with its rounding.

    Parameters
    ----------
    gradients : ndarray, shape (cotangents, *shape of the input)
    rounding : ndarray, the same shape
        How much of each element may be rounding.
    """

    gradients: Array
    rounding: Array

    def along(self, direction: Array, channel: int) -> tuple[float, float]:
        """⟨g, v⟩ and the rounding in it: of the elements (independent), of the products, and of their sum."""
        products = (self.gradients[channel] * direction).ravel()
        total = float(np.sum(products))
        own = 3.0 * float(np.linalg.norm((self.rounding[channel] * direction).ravel()))
        size = float(np.abs(products).sum())
        return total, own + np.finfo(float).eps * (math.log2(products.size) + 2) * size

    def norm(self, channel: int) -> float:
        """‖g‖ in the 2-norm."""
        return self._norms[channel]

    @cached_property
    def _norms(self) -> tuple[float, ...]:
        return tuple(float(np.linalg.norm(g.astype(np.float64, copy=False).ravel())) for g in self.gradients)

    def is_rounding(self, channel: int, natural: float, eps: float) -> bool:
        """Whether nothing but rounding is left of the gradient, by its own measure and its natural size.

        `eps` is that of the numbers that it was made of: a float32 gradient is kept as float64 here.
        """
        own = float(np.linalg.norm(self.rounding[channel].ravel()))
        least = VANISHING * eps * natural
        return bool(self.norm(channel) <= (min(own, least) if natural > 0 else own))


@dataclass
class Trial:
    """One input: its function (the others fixed), where it stands, and what is claimed.

    `rounds` grows with every direction, `aim` is the resolution that was asked for, `step` is the half length
    that served last, `refusal` says why there is no complex step, `claimed_in` is the dtype of a claim that is
    coarser than the function, `looked` where the first direction's samples lie and what they said,
    `asked` the last direction, `accuracy` the relative error of f where that is more than rounding,
    `aside` the calls that count towards no budget,
    `sparing` whether one direction may do.
    """

    function: Callable[[Array], Array]
    point: Array
    cotangents: Array
    labels: Sequence[str]
    claim: Claim
    centre: Array
    rng: np.random.Generator
    rounds: list[list[Comparison]] = field(default_factory=list)
    taken: list[list[Array]] = field(default_factory=list)
    aim: float | None = None
    evaluations: int = 0
    step: float = 0.0
    exponent: int = 0
    method: str = "auto"
    refusal: str = ""
    claimed_in: np.dtype[Any] | None = None
    looked: tuple[Steps, tuple[Estimate, int]] | None = None
    asked: Array = field(default_factory=lambda: np.zeros(0))
    accuracy: float = 0.0
    aside: int = 0
    interest: float = 0.0
    sparing: bool = False

    def __post_init__(self) -> None:
        self.step = self.step or NEAR.get(self.evaluated().name, START)

    def run(self, directions: int | None, budget: int, wanted: float | None = None) -> None:
        """Probe along `directions` directions; one more where a small difference wants a second opinion.

        By default two, or one where that all but certainly shows an error of interest, `wanted`.
        """
        left, count = max(budget - RESERVE, 20), directions or 2
        self.interest, self.sparing = wanted or self.wanted(), directions is None
        for k in range(count):
            share = left * FIRST_SHARE if k == 0 and count > 1 else left
            aside = GLIMPSE - 1 if self.brief else 0  # out of what is kept back, where they do not settle it
            left -= self.probe(int(share) + aside) - aside
            if self.settled or left < LEAST or (self.sparing and self.tells(self.interest)):
                break
        if self.differing == 1 and not self.settled:
            self.probe(max(left, LEAST))

    @property
    def settled(self) -> bool:
        """Whether a further direction would tell no more."""
        return self.blatant or self.lost

    def tells(self, wanted: float) -> bool:
        """Whether the directions so far all but certainly show an error of twice what is wanted."""
        shown = [self.shares(r[0], t[0]) for r, t in zip(self.rounds, self.taken, strict=True)]
        return all(
            math.prod(c.escapes(2 * wanted) for c in each) <= RARE for each in zip(*shown, strict=True)
        )

    def shares(self, comparison: Comparison, taken: Array) -> list[Comparison]:
        """What a direction shows of the dense cotangent, for each input that moves along it."""
        return [comparison]

    @property
    def blatant(self) -> bool:
        """Whether a difference needs no second opinion."""
        return any(c.excess > BLATANT for comparisons in self.rounds for c in comparisons)

    @property
    def lost(self) -> bool:
        """Whether nothing was found along the first direction, in few digits: more of the kind would cost as much."""
        first = self.rounds[0][0].estimate if len(self.rounds) == 1 else None
        return first is not None and math.isinf(first.bound) and float(finfo(self.evaluated()).eps) > FINE

    @property
    def differing(self) -> int:
        """Directions along which claim and measurement differ."""
        return sum(any(c.differs for c in comparisons) for comparisons in self.rounds)

    def probe(self, budget: int) -> int:
        """Compare along one more Gaussian direction; the calls that it cost."""
        line = self.line(self.direction())
        self.asked = line.direction
        answers = self.sampled(line, budget)
        self.looked = self.looked or (line.steps, answers[0])
        steps = {
            e: line.steps.taken(e) for e in {e for _, e in answers}
        }  # one array where channels share a segment
        taken = [steps[e] for _, e in answers]
        comparisons = [self.compare(m, e, taken[m]) for m, (e, _) in enumerate(answers)]
        if self.wants_complex(comparisons, budget - line.evaluations):
            taken, comparisons = self.by_complex_step(line, answers, taken, comparisons)
        self.taken.append(taken)
        self.rounds.append(comparisons)
        main, self.exponent = answers[0]
        self.step = main.step if main.step > 0 else self.step
        self.evaluations += line.evaluations
        return line.evaluations

    def line(self, direction: Array) -> FieldLine:
        """The line along a direction."""
        return FieldLine(
            self.function,
            self.point,
            direction,
            self.cotangents,
            centre=self.centre,
            accuracy=self.accuracy,
        )

    def sampled(self, line: FieldLine, budget: int) -> list[tuple[Estimate, int]]:
        """Estimates from samples at real points, and the exponents of their segments."""
        length = float(np.linalg.norm(line.direction.ravel())) / math.sqrt(line.direction.size)
        start = self.start()
        goal = self.goals(length)
        if self.method == "differences":
            return differences.probe(line, start=start, goal=goal, budget=budget)

        def contradicts(estimate: Estimate, exponent: int) -> bool:
            analytic, rounding = self.claim.along(line.steps.taken(exponent), 0)
            return bool(abs(analytic - estimate.value) > PLAIN * (estimate.bound + rounding))

        def agrees(estimates: Sequence[Estimate], exponent: int, slack: float) -> bool:
            tangent = line.steps.taken(exponent)
            # the dense cotangent first: where it does not agree the others need not be asked
            return all(
                self.bears_out(self.compare(m, e, tangent), tangent, slack, m)
                for m, e in enumerate(estimates)
            )

        need = float(goal[0]) / self.share() * (self.interest or self.wanted()) / ROOM
        return spectral.probe(
            line,
            start=start,
            goal=goal,
            budget=budget,
            contradicts=contradicts,
            need=need,
            look=self.look(line, agrees, ROOM * ONE_OF_TWO * need),
        )

    def look(self, line: FieldLine, agrees: Agrees, bound: float) -> Look | None:
        """A brief look first; none where the claim's own rounding alone hides as much as that may leave open."""
        if not self.brief or self.claim.along(line.direction, 0)[1] > bound:
            return None
        return Look(self.brief, agrees, bound)

    @property
    def brief(self) -> float:
        """Half length of a brief look along a further direction; 0 where none is worth its calls."""
        if not self.sparing or (self.rounds and self.rounds[-1][0].estimate.points > GLIMPSE):
            return 0.0
        return BRIEF.get(self.coarsest().name, 0.0) if self.evaluated() == np.float64 else 0.0

    def bears_out(self, comparison: Comparison, taken: Array, slack: float, channel: int) -> bool:
        """Whether the claim agrees, and two such directions would all but certainly show an error of interest.

        The latter of the dense cotangent, which every input is judged by.
        """
        agrees = math.isfinite(comparison.allowed) and comparison.excess <= slack
        return agrees and all(
            c.hiding <= 2 * ONE_OF_TWO * self.interest and c.resolution <= (self.aim or math.inf)
            for c in (self.shares(comparison, taken) if channel == 0 else [])
        )

    def start(self) -> float:
        """Half length at which a further direction starts.

        With digits to spare a shorter one; where noise leaves too few, that would have fewer still.
        """
        if not self.rounds or self.aim is not None:
            return self.step
        return self.step / (NEARER if self.rounds[-1][0].resolution <= self.wanted() / SPARE else 1.0)

    def wants_complex(self, comparisons: list[Comparison], left: int) -> bool:
        """Whether a complex step is asked for, or could make a pass of what samples leave undecided."""
        if self.method == "complex_step":
            return True
        decided = self.differing or any(c.excess > BLATANT for c in comparisons)
        short = comparisons[0].resolution > (self.aim or self.wanted())
        return self.method == "auto" and short and left > complex_step.MOVES and not decided

    def by_complex_step(
        self,
        line: FieldLine,
        answers: list[tuple[Estimate, int]],
        taken: list[Array],
        comparisons: list[Comparison],
    ) -> tuple[list[Array], list[Comparison]]:
        """The comparisons by the complex step, where it applies and bears out the claim.

        Unless it was asked for it never fails a claim that samples do not fail: code that divides complex
        numbers may lose digits that it keeps for real ones.
        """
        found = complex_step.probe(line, reference=answers)
        if not found.applies:
            self.refusal = found.reason
            return taken, comparisons
        tangent = complex_step.taken(line)
        better = [self.compare(m, e, tangent) for m, e in enumerate(found.estimates)]
        if self.method == "auto" and any(c.differs for c in better):
            return taken, comparisons
        return [tangent] * len(better), better

    def direction(self) -> Array:
        """A Gaussian direction of the size of the point; a short one (of few elements) is stretched.

        Stretched, so that a short one does not cost digits; for one element only its sign is random then.
        """
        drawn = gaussian(self.point.shape, self.rng)
        length = float(np.sqrt(np.mean(np.square(drawn))))
        return drawn * (self.size() / length if length < SHORT else self.size())

    def evidence(self) -> str:
        """The kinds of evidence of the dense cotangent, the strongest last."""
        return "+".join(sorted({r[0].estimate.method for r in self.rounds}, reverse=True))

    def measured(self, channel: int) -> Iterator[tuple[Array, float, float]]:
        """Direction, derivative and bound of every round in which a cotangent's derivative was found."""
        for taken, comparisons in zip(self.taken, self.rounds, strict=True):
            found = comparisons[channel]
            if math.isfinite(found.allowed):
                yield taken[channel], found.estimate.value, found.allowed

    def compare(self, channel: int, estimate: Estimate, taken: Array) -> Comparison:
        """The claim along the direction that was really taken, beside what was measured."""
        analytic, rounding = self.claim.along(taken, channel)
        length = float(np.linalg.norm(taken.ravel())) / math.sqrt(taken.size)
        scale = self.scale_along(channel, taken)
        if self.vanishes(channel):
            # nothing is no scale: the gradient of a function that varies by its own size is one
            scale = max(scale, self.natural(channel) * length)
            if estimate.step > 0:
                # and so is what the function does along this very direction
                scale = max(scale, sum(abs(c) for c in estimate.coefficients[1:]) / estimate.step)
        return Comparison(analytic, rounding, estimate, scale, self.labels[channel])

    def scale_along(self, channel: int, taken: Array) -> float:
        """What an error as large as the gradient would show along the direction taken."""
        return self.claim.norm(channel) * float(np.linalg.norm(taken.ravel())) / math.sqrt(taken.size)

    def size(self) -> float:
        """Typical size of the point's elements, to which a step is measured; 1 at the origin."""
        return self._size

    @cached_property
    def _size(self) -> float:
        size = float(np.sqrt(np.mean(np.square(self.point, dtype=np.float64))))
        return size if size > 0 else 1.0

    def natural(self, channel: int = 0) -> float:
        """The gradient of a function that changes by its own size when the point does."""
        return self._naturals[channel]

    @cached_property
    def _naturals(self) -> tuple[float, ...]:
        centre = self.centre.astype(np.float64, copy=False)
        sizes = (
            float(np.linalg.norm((c.astype(np.float64, copy=False) * centre).ravel()))
            for c in self.cotangents
        )
        return tuple(size / self.size() / math.sqrt(self.point.size) for size in sizes)

    def vanishes(self, channel: int = 0) -> bool:
        """Whether the claim is zero but for rounding."""
        return self.claim.is_rounding(channel, self.natural(channel), float(finfo(self.coarsest()).eps))

    def goals(self, length: float) -> Array:
        """Bounds to stop at: a share of what is claimed, or of the natural size where that is zero.

        Only the dense cotangent drives the search: the others are read off the same samples.
        """
        norm = max(self.claim.norm(0), self.natural()) if self.vanishes() else self.claim.norm(0)
        return np.array([self.share() * norm * length] + [math.inf] * (len(self.cotangents) - 1))

    def share(self) -> float:
        """Bound, relative to the gradient, at which a probe may stop.

        Further directions than the first are there for what one may miss, and need no more digits than a pass
        does; unless more were asked for.
        """
        goal = max(GOAL.get(self.coarsest().name, 1e-11), self.accuracy)
        if self.aim is not None:
            alone = max(goal, SINGLE * self.interest) if self.sparing and not self.rounds else math.inf
            return min(self.aim / 10, alone)
        return goal if not self.rounds else self.wanted() / 100

    def evaluated(self) -> np.dtype[np.floating]:
        """The coarser dtype of input and output."""
        return coarsest(self.point.dtype, self.centre.dtype)

    def coarsest(self) -> np.dtype[np.floating]:
        """The coarsest dtype of input, output and claim."""
        claimed = [] if self.claimed_in is None else [self.claimed_in]
        return coarsest(self.point.dtype, self.centre.dtype, *claimed)

    def wanted(self) -> float:
        """Error of interest by default."""
        return max(WANTED.get(self.coarsest().name, 1e-6), LOST * self.accuracy)
