"""Kinks, ties and edges: what is claimed where f has no derivative, beside the derivatives that it has on either side.

Each output is looked at by itself, since the kinks of several cancel or add up in a sum: along a direction it has a
derivative from the right and one from the left, and at points right beside, in other directions, those of the other
pieces that meet there. Under "one_sided" a claim has to be one of them, under "subgradient" it may lie between them.
Under "subgradient" that is asked along single elements of ties as well, and along all of one tie (`gradcheck.ties`).
Both are necessary conditions: nothing is said of what shows along none of the directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.directions import gaussian
from gradcheck.estimate import Array
from gradcheck.pieces import DISTINCT, SHARP, Gap, Look, lonely
from gradcheck.probes.beside import beside
from gradcheck.probes.sides import Sides
from gradcheck.ties import Ties
from gradcheck.trial import LOST, WANTED, Trial
from gradcheck.verdict import BLATANT, Check, Verdict

#: What is done where f bends, jumps or ends at the inputs.
POLICIES = ("refuse", "avoid", "one_sided", "subgradient")

#: Directions, and how many of them are Gaussian, of which every other one moves each element by its own size, as the
#: ends of domains may need; one moves all elements alike, where shares of ties that do not add up to 1 show, and one is
#: almost the claim's own, along which what is too large is largest. By what share "almost" is not.
DIRECTIONS, GAUSSIAN, ALMOST = 7, 5, 0.1

#: Directions along which what is asked of an output has to be known, for a pass.
LEAST = 2

#: Directions along which a claim that is of neither side is compared with points beside, for each output.
MOST = 4

#: Outputs that are looked at one by one; of the others only weighted sums are.
SINGLES = 32

#: Calls of f that one direction may cost, and points beside it that are looked at where a claim is of neither side; and
#: before it is called wrong: of pieces that take a share p of all directions, none of n points is in with (1 - p)**n.
CALLS, BESIDE, BEFORE = 120, 24, 96

#: Error of interest beside a kink over that of a smooth function.
COARSER = 10.0

#: How much steeper than the claim a secant has to be where the derivative is without bound.
STEEPER = 2.0

#: What is said of a function of steps, between two of them.
FLAT = "f is constant on either side of the point, as between two steps: zero, a pass that proves little"

Claimed = Callable[[Array, Array], "tuple[float, float] | None"]
"""claimed(weights of the outputs, direction) -> what is claimed of their sum along it, and its rounding."""


class Fault(str):
    """What stands in the way of a derivative, and of the claim as well."""

    __slots__ = ()


@dataclass(frozen=True)
class Finding:
    """What a policy says of one input: see `gradcheck.verdict.Check`."""

    verdict: Verdict
    reason: str
    resolution: float = math.inf
    miss_probability: float = 1.0
    evaluations: int = 0


@dataclass
class Judge:
    """One input of f at a point where it may have no derivative, and what is claimed of it.

    Parameters
    ----------
    policy : str
    function : callable
        function(point) -> ndarray.
    point, centre : ndarray
        The point, and f there.
    claimed : callable
    rng : Generator
    size : float
        Typical size of the point's elements.
    wanted : float
        Error of interest, relative to the typical derivative of an output.
    accuracy : float
        Relative error of f, where that is more than rounding.
    gradient : ndarray, optional
        What is claimed for some cotangent.
    """

    policy: str
    function: Callable[[Array], Array]
    point: Array
    centre: Array
    claimed: Claimed
    rng: np.random.Generator
    size: float
    wanted: float
    accuracy: float = 0.0
    gradient: Array | None = None
    looks: list[Look] = field(default_factory=list)
    bending: Array = field(default_factory=lambda: np.zeros(0, dtype=bool))
    unknown: Array = field(default_factory=lambda: np.zeros(0, dtype=int))
    names: dict[int, str] = field(default_factory=dict)
    ties: Ties | None = None

    def finding(self) -> Finding | None:
        """What the policy says; None where nothing at all is claimed or measured."""
        self.looks = [self.look(k) for k in range(DIRECTIONS)]
        self.bending = np.any([look.bending() for look in self.looks], axis=0)
        self.unknown = np.sum([look.unknown() for look in self.looks], axis=0)
        tests = list(self.tests())
        found = [[self.gap(look, w, group) for look in self.looks] for w, group in tests]
        scale = self.scale(found)
        if scale == 0:
            return self.flat(found)
        return self.decided(tests, found, scale)

    @property
    def regular(self) -> bool:
        """Whether f has one derivative on all sides of the point, as far as was seen."""
        drawn = min(len(self.looks), DIRECTIONS)
        seen = bool((self.unknown <= drawn - min(LEAST, drawn)).all())
        return (
            seen
            and not self.bending.any()
            and not any(look.near and self.parted(look) for look in self.looks)
        )

    def flat(self, found: list[list[Gap | str]]) -> Finding | None:
        """A pass where f does not move on either side of the point, and nothing else is claimed."""
        if not found or not all(isinstance(g, Gap) for row in found for g in row):
            return None
        return Finding(Verdict.PASS, FLAT, 0.0, 1.0, self.calls)

    def look(self, k: int) -> Look:
        """Sides along direction k."""
        drawn = gaussian(self.point.shape, self.rng)
        own = np.abs(self.point.astype(np.float64))
        sizes = np.where(own > 0, own, self.size) if k < GAUSSIAN and k % 2 else self.size
        if k == GAUSSIAN:
            drawn = np.ones_like(drawn)
        if k > GAUSSIAN and self.gradient is not None and (length := _rms(self.gradient)) > 0:
            drawn = self.gradient / length + ALMOST * drawn
        sides = Sides(self.function, self.point, drawn * sizes, self.centre, self.accuracy)
        sides.search(CALLS, self.wanted / 100)
        return Look(sides, sizes)

    def tests(self) -> Iterator[tuple[Array, bool]]:
        """Weights of the outputs, and whether several that bend are summed: one by one as far as there are few."""
        count = self.centre.size
        bent = np.flatnonzero(self.bending | (self.unknown > 0)) if count > SINGLES else np.arange(count)
        singles = self.rng.permutation(bent)[:SINGLES]
        yield from ((np.eye(1, count, j).ravel(), False) for j in singles)
        rest = np.setdiff1d(bent, singles)
        smooth = np.setdiff1d(np.arange(count), bent)
        for group, several in ((rest, True), (smooth, False)):
            if group.size:
                weights = np.zeros(count)
                weights[group] = self.rng.standard_normal(group.size)
                yield weights, several

    def gap(self, look: Look, weights: Array, several: bool) -> Gap | str:
        """Claim beside the sides; what stands in the way, in words, where they are not known."""
        exponents, sides = look.sides.exponents, look.there(weights)
        if not exponents:
            return "the numbers of the point are too coarse to step along"
        if not sides:
            return "f is not finite on either side of the point"
        exponent = min(exponents, key=lambda e: look.bound(weights, e))
        if not math.isfinite(look.bound(weights, exponent)):
            return self.hindrance(look, weights)
        taken = look.sides.steps.taken(exponent)
        told = self.claimed(weights, taken)
        if told is None:
            return "the claim cannot be had for each output by itself"
        claim, rounding = told
        values = np.array([look.side(exponent, s).value for s in sides])
        bounds = [
            float((np.abs(weights) * np.where(weights, look.side(exponent, s).bound, 0)).sum()) for s in sides
        ]
        parts = np.where(weights, values, 0.0) * weights
        ends = [parts.min(axis=0).sum(), parts.max(axis=0).sum()] if several else parts.sum(axis=1)
        slack = np.full(len(ends), max(bounds)) if several else np.array(bounds)
        return Gap(claim, np.asarray(ends) - claim, slack + rounding, several, len(ends))

    def hindrance(self, look: Look, weights: Array) -> str:
        """Why the sides are not known."""
        on, there = weights != 0, look.there(weights)
        names = {1: "right", -1: "left"}
        if any(look.sides.jumps(s)[on].any() for s in there):
            return "a jump at the point: f is not continuous there, and has no derivative"
        steep = [s for s in there if look.sides.steep(s)[on].any()]
        if steep:
            whose = " and ".join(f"the {names[s]}" for s in steep)
            words = f"a derivative without bound at the point, from {whose}: no number is it"
            return self.outgrown(look, weights, steep[0], words) if steep == list(there) else words
        return "f varies too fast, or too irregularly, on one side of the point, at any distance"

    def outgrown(self, look: Look, weights: Array, side: int, words: str) -> str:
        """The words; a fault where the steepest secant that was seen is steeper than the claim, on each side there is.

        Near such a point, and not at it, the derivative is a number: a larger one than of all secants.
        """
        if np.count_nonzero(weights) > 1 or (self.policy == "subgradient" and len(look.there(weights)) > 1):
            return words
        exponent = look.sides.exponents[-1]
        length = look.sides.grid * 2.0**exponent
        secant = (
            side * float(weights @ np.nan_to_num(look.sides.change(side, look.sides.grid, exponent))) / length
        )
        told = self.claimed(weights, look.sides.steps.taken(exponent))
        if told is None or told[0] * math.copysign(1.0, secant) + told[1] >= abs(secant) / STEEPER:
            return words
        return Fault(
            f"{words}\nthe claim is {told[0]:.6g}, a secant {secant:.6g}, and shorter ones are steeper"
        )

    def scale(self, found: list[list[Gap | str]]) -> float:
        """Typical derivative of a weighted output, claimed or measured."""
        sizes = [
            max(abs(g.claim), float(np.abs(g.rest + g.claim).max()))
            for row in found
            for g in row
            if isinstance(g, Gap)
        ]
        return float(np.sqrt(np.mean(np.square(sizes)))) if sizes else 0.0

    # -- the verdict -----------------------------------------------------------------------------------------

    def decided(self, tests: list[tuple[Array, bool]], found: list[list[Gap | str]], scale: float) -> Finding:
        """Fail, where a claim is none of what is accepted; pass, where all of them are and enough is known."""
        shown: list[tuple[int, Array, Gap]] = []
        unsure: list[tuple[int, Array, Gap]] = []
        for (weights, _), row in zip(tests, found, strict=True):
            outside = [
                (k, g) for k, g in enumerate(row) if isinstance(g, Gap) and g.distance(self.policy) > 0
            ]
            outside.sort(key=lambda pair: -pair[1].distance("subgradient"))  # beyond both sides first
            for k, gap in outside[:MOST]:
                row[k] = wider = self.twice_beside(self.looks[k], weights, gap)
                (unsure if wider.hidden(self.policy) else shown).append((k, weights, wider))
                if self.failed(shown):
                    break
        shown = [each for each in shown if each[2].distance(self.policy) > 0]
        told = self.failed(shown) or self.hindered(found, scale)
        told = told or self.untied(tests)
        if told is None and unsure:
            told = self.open("f has more pieces at the point than could be looked at")
        if told is None and shown:
            told = self.open(f"{self.words(*shown[0])}, along one of {DIRECTIONS} directions")
        return told or self.passed(found, scale)

    # -- ties ------------------------------------------------------------------------------------------------

    def untied(self, tests: list[tuple[Array, bool]]) -> Finding | None:
        """What a claim that passed along random directions is beside the sides of tied elements; None where between.

        Of one tied element a random direction shows as much as that element by itself.
        """
        bent = [w for w, several in tests if not several and self.bending[int(np.argmax(w))]]
        if self.policy != "subgradient" or self.regular or not bent or self.point.size < 2:
            return None
        widths = np.max([np.where(look.bending(), look.apart()[0], 0.0) for look in self.looks], axis=0)
        asked = np.isin(np.arange(widths.size), [int(np.argmax(w)) for w in bent])
        sides = self.looks[0].sides
        self.ties = Ties(
            self.function, self.point, self.centre, widths * asked, self.size, sides.unit, self.rng
        )
        shown = [
            (k, weights, self.twice_beside(self.looks[k], weights, gap))
            for k, weights, gap in self.tied(self.ties, bent)
            if gap.distance(self.policy) > 0
        ]
        outside = [each for each in shown if each[2].distance(self.policy) > 0]
        # of a difference of two convex functions there may be pieces beyond both sides, though few points show them
        sure = [each for each in outside if each[2].within and each[2].lone <= 0 and not each[2].open]
        if any(gap.distance(self.policy) > BLATANT * gap.sharpness for _, _, gap in sure) or len(sure) > 1:
            return Finding(Verdict.FAIL, self.words(*sure[0]), evaluations=self.calls)
        if sure:
            return self.open(f"{self.words(*sure[0])}, and along nothing else")
        return self.open("f has more pieces at the point than could be looked at") if outside else None

    def tied(self, ties: Ties, bent: list[Array]) -> Iterator[tuple[int, Array, Gap]]:
        """The claim of each output beside the sides along each element of a tie, and along each of its ties.

        What bends in one element alone shows as much along any direction.
        """
        ties.elements()
        known = {int(np.argmax(w)): dict[int, float]() for w in bent}
        shared = {j for j in known if np.sum([bends[j] for bends in ties.found.values()]) > 1}
        for place, bends in ties.found.items():
            outputs = [j for j in shared if bends[j]]
            if not outputs:
                continue
            index = [int(i) for i in np.unravel_index(place, self.point.shape)]
            k, look = self.along({place: self.size}, f"element {index}")
            for j in outputs:
                gap = self.gap(look, self.alone(j), False)
                if look.bending()[j] and isinstance(gap, Gap):
                    known[j][place] = float(look.apart()[0][j]) / self.size
                    yield k, self.alone(j), gap
        for j in sorted(shared):
            for group in ties.groups(j, known[j]):
                k, look = self.along(group, f"the {len(group)} elements of a tie")
                gap = self.gap(look, self.alone(j), False)
                if isinstance(gap, Gap):
                    yield k, self.alone(j), gap

    def alone(self, j: int) -> Array:
        """The cotangent of one output."""
        return np.eye(1, self.centre.size, j).ravel()

    def along(self, lengths: dict[int, float], name: str) -> tuple[int, Look]:
        """A look along some elements alone, kept with the others under a name."""
        direction = np.zeros(self.point.size)
        direction[list(lengths)] = list(lengths.values())
        sides = Sides(
            self.function, self.point, direction.reshape(self.point.shape), self.centre, self.accuracy
        )
        sides.search(CALLS, self.wanted / 100)
        self.looks.append(Look(sides, self.size))
        self.names[len(self.looks) - 1] = name
        return len(self.looks) - 1, self.looks[-1]

    def failed(self, shown: list[tuple[int, Array, Gap]]) -> Finding | None:
        """A difference that is blatant, or seen along two directions."""
        shown = [each for each in shown if each[2].distance(self.policy) > 0]
        for k, weights, gap in shown:
            known = gap.lone <= 0 or (gap.spans and self.convex(weights))
            blatant = known and gap.distance(self.policy) > BLATANT * gap.sharpness
            if blatant or len({k for k, _, _ in shown}) > 1:
                return Finding(Verdict.FAIL, self.words(k, weights, gap), evaluations=self.calls)
        return None

    def convex(self, weights: Array) -> bool:
        """Whether nothing beside is beyond either side along the first directions: by chance that is so along one."""
        found = [self.gap(look, weights, False) for look in self.looks[:LEAST]]
        return all(
            isinstance(gap, Gap) and self.beside(look, weights, gap).spans
            for look, gap in zip(self.looks, found, strict=False)
        )

    def hindered(self, found: list[list[Gap | str]], scale: float) -> Finding | None:
        """What leaves an output open, if anything does."""
        for row in found:
            finest = _least(row) / scale
            if finest <= self.wanted:
                continue
            words = next((g for g in row if isinstance(g, str)), None) if math.isinf(finest) else None
            if isinstance(words, Fault):
                return Finding(Verdict.FAIL, f"{words} (kinks: {self.policy})", evaluations=self.calls)
            return self.open(
                words or f"could have seen a relative error of {finest:.0e}, wanted {self.wanted:.0e}"
            )
        return None

    def passed(self, found: list[list[Gap | str]], scale: float) -> Finding:
        """The claim is accepted along all directions."""
        gaps = [g for row in found for g in row if isinstance(g, Gap)]
        resolution = max(_least(row) for row in found) / scale
        reason = self.agreed(resolution)
        missed = 1.0
        if self.policy == "one_sided":
            pieces = max(g.rest.size for g in gaps)
            hides = min(1.0, pieces * math.erf(resolution / self.wanted / math.sqrt(2.0)))
            missed = hides ** min(sum(isinstance(g, Gap) for g in row[:GAUSSIAN]) for row in found)
        return Finding(Verdict.PASS, reason, resolution, missed, self.calls)

    def agreed(self, resolution: float) -> str:
        """What a pass says."""
        along = f"along each of {DIRECTIONS} directions, to a relative {resolution:.0e}"
        if self.regular:
            return f"agrees with the derivative from either side {along}"
        how = {
            "one_sided": "the derivative from one side",
            "subgradient": "between the derivatives from both sides",
        }[self.policy]
        return (
            f"a kink at the point: the claim is {how} {along} (kinks: {self.policy})\n"
            f"{self.told_of_ties()}what shows along none of them passes"
        )

    def told_of_ties(self) -> str:
        """Which elements were looked at by themselves."""
        if self.ties is None or not self.ties.found:
            return ""
        count = sum(name.startswith("element") for name in self.names.values())
        whole = ", and along all elements of each tie" if self.ties.complete else ""
        told = f"so it is along each of {count} tied elements{whole}\n" if count else ""
        rest = f"more than {len(self.ties.found)} elements are tied: shares of the others are seen in sums alone\n"
        return told + ("" if self.ties.complete else rest)

    def open(self, words: str) -> Finding:
        """Neither."""
        return Finding(Verdict.INCONCLUSIVE, f"{words} (kinks: {self.policy})", evaluations=self.calls)

    def words(self, k: int, weights: Array, gap: Gap) -> str:
        """A claim that is none of what is accepted."""
        derivatives = sorted(set(np.round(gap.rest + gap.claim, 12)))
        span = ", ".join(f"{d:.6g}" for d in derivatives[:4]) + (" …" if len(derivatives) > 4 else "")
        rule = {"one_sided": "none of", "subgradient": "not between"}[self.policy]
        on = np.flatnonzero(weights)
        index = [int(i) for i in np.unravel_index(on[0], self.centre.shape)]
        which = f"output {index}" if on.size == 1 else f"{on.size} outputs together"
        along = self.names.get(k, f"direction {k} of {DIRECTIONS}")
        kink = "beside the point" if self.regular else "a kink at the point"
        return (
            f"{kink}: along {along}, {which}, the claim is {gap.claim:.6g}, {rule} the derivatives on its sides\n"
            f"derivatives = {span}, off by {gap.distance(self.policy):.3g}, could have seen "
            f"{gap.sharpness:.0e} (kinks: {self.policy})"
        )

    @property
    def calls(self) -> int:
        """Calls of f so far."""
        near = sum(each.evaluations for look in self.looks for each in look.near or ())
        tied = self.ties.calls if self.ties else 0
        return tied + near + sum(look.sides.evaluations for look in self.looks)

    # -- points beside ---------------------------------------------------------------------------------------

    def twice_beside(self, look: Look, weights: Array, gap: Gap) -> Gap:
        """The same, from more points where fewer leave the claim outside."""
        wider = self.beside(look, weights, gap)
        outside = wider.distance(self.policy) > 0 and not wider.hidden(self.policy)
        return self.beside(look, weights, gap, BEFORE) if outside else wider

    def beside(self, look: Look, weights: Array, gap: Gap, count: int = BESIDE) -> Gap:
        """The gap with the pieces that points right beside show."""
        look.near = look.near or []
        look.near += [
            beside(self.function, self.point, look.sides.direction, self.centre, u, look.sides.unit)
            for u in (
                gaussian(self.point.shape, self.rng) * look.sizes for _ in range(count - len(look.near))
            )
        ]
        rest, slack = [], []
        for each in look.near:
            told = self.claimed(weights, each.taken)
            off = float((np.abs(weights) * np.where(weights, each.bound, 0.0)).sum())
            if told is not None and math.isfinite(off):
                rest.append(float((weights * np.where(weights, each.value, 0.0)).sum()) - told[0])
                slack.append(off + told[1])
        return self.widened(gap, np.array(rest), np.array(slack))

    def widened(self, gap: Gap, rest: Array, slack: Array) -> Gap:
        """The gap with those pieces that are as sharp as is wanted; the others may only leave it open.

        A piece so blurred that anything agrees with it would let anything pass.
        """
        # what the claim itself may be off by is in all of them
        known = slack - gap.sharpness <= max(self.fine(gap), SHARP * gap.distance(self.policy))
        sharp = slack - gap.sharpness <= self.fine(gap)
        found, blurred = (gap.joined(rest[some], slack[some]) for some in (sharp, known))
        explained = blurred.distance(self.policy) == 0 < found.distance(self.policy)
        few = 2 * int(known.sum()) < BESIDE
        sharp_by = DISTINCT * max(blurred.width, gap.distance(self.policy)) + gap.sharpness
        lone = lonely(rest[known], slack[known], sharp_by) / max(int(known.sum()), 1)
        return replace(blurred if blurred.distance(self.policy) else found, lone=lone, open=explained or few)

    def fine(self, gap: Gap) -> float:
        """Tolerance up to which a point beside is taken into account: a coarse one would let anything pass."""
        return SHARP * self.wanted * max(abs(gap.claim), float(np.abs(gap.rest + gap.claim).max()))

    def parted(self, look: Look) -> bool:
        """Whether points beside have several derivatives in some output, however close they are."""
        values = np.array([each.value for each in look.near or ()])
        bounds = np.array([each.bound for each in look.near or ()])
        with np.errstate(invalid="ignore"):
            low, high = np.nanmin(values + bounds, axis=0), np.nanmax(values - bounds, axis=0)
            return bool((high > low).any())


def settled(
    policy: str,
    told: Check,
    trial: Trial,
    claimed: Claimed,
    rng: np.random.Generator,
    wanted: float | None,
    accuracy: float,
) -> Check:
    """The check of one input as the policy decides it; the very check where it stands.

    Parameters
    ----------
    policy : str
        "avoid" is asked of a point that was drawn beside: of what bends there nothing is said.
    told : Check
        No pass.
    trial : Trial
        Whose evaluations are counted up.
    claimed : callable
    rng : Generator
    wanted : float, optional
        By default that of the trial, and a digit less: a side has half of the samples, and is read at its end.
    accuracy : float
    """
    rule, asked = "one_sided" if policy == "avoid" else policy, wanted or _wanted(trial)
    gradient = trial.claim.gradients[0]
    judge = Judge(
        rule,
        trial.function,
        trial.point,
        trial.centre,
        claimed,
        rng,
        trial.size(),
        asked,
        accuracy,
        gradient if gradient.shape == trial.point.shape else None,
    )
    found = judge.finding()
    trial.evaluations += judge.calls
    trial.aside += judge.calls
    # a failure that is one of a smooth f is looked into; and what was to be avoided is not judged
    stands = told.verdict is Verdict.FAIL and (judge.regular or (found and found.verdict is Verdict.FAIL))
    left = policy == "avoid" and (not judge.regular or (found and found.verdict is Verdict.INCONCLUSIVE))
    if found is None or stands or left:
        return told
    return applied(told, found, policy, trial.evaluations)


def _wanted(trial: Trial) -> float:
    """Error of interest by default, by the dtype in which f is evaluated; no more than half of the derivative.

    As a claim in half precision has it, where that is more.
    """
    own = trial.evaluated()
    here = COARSER * max(WANTED.get(own.name, 1e-6), LOST * trial.accuracy)
    return max(min(here, 0.5), trial.wanted())


def applied(told: Check, found: Finding, policy: str, evaluations: int) -> Check:
    """The check as the policy decides it."""
    return replace(
        told,
        verdict=found.verdict,
        reason=found.reason,
        evidence="one-sided",
        resolution=found.resolution,
        miss_probability=found.miss_probability,
        thresholds=(),
        budget=None,
        worst=None if found.verdict is Verdict.PASS else told.worst,
        evaluations=evaluations,
        zero_everywhere=found.reason == FLAT,
        kinks=policy,
    )


def _least(row: list[Gap | str]) -> float:
    """What could have been seen of one output along as many directions as a pass needs."""
    known = sorted(g.sharpness for g in row if isinstance(g, Gap))
    return known[LEAST - 1] if len(known) >= LEAST else math.inf


def _rms(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


def irregular(
    function: Callable[[Array], Array], point: Array, centre: Array, rng: np.random.Generator, size: float
) -> tuple[bool, int]:
    """Whether f has no derivative at the point, as far as one direction and some points beside show; calls of f.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> [irregular(np.abs, x, np.abs(x), rng, 1.0)[0] for x in (np.array([0.0, 1.0]), np.array([2.0, 1.0]))]
    [True, False]
    """
    judge = Judge("subgradient", function, point, centre, lambda w, v: (0.0, 0.0), rng, size, 1.0)
    look = judge.look(1)  # where a direction moves each element by its own size, the ends of a domain are far
    judge.looks = [look]
    if (look.bending() | look.unknown()).any():
        return True, judge.calls
    judge.beside(look, np.ones(centre.size), Gap(0.0, np.zeros(1), np.zeros(1)))
    return judge.parted(look), judge.calls
