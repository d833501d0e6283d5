"""Tasks: one vjp at one point, examined for conduct and form and then checked input by input."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck import conduct as conduct_of
from gradcheck import kinks, masked, stopping
from gradcheck.answer import same_bits
from gradcheck.arguments import Counted, real_array
from gradcheck.autopsy import Autopsy
from gradcheck.batches import Section, trust
from gradcheck.chance import AGAIN, random_by, refused
from gradcheck.directions import gaussian
from gradcheck.elsewhere import asked, astray
from gradcheck.estimate import Array
from gradcheck.exhibiting import Exhibition
from gradcheck.glance import is_many
from gradcheck.ground import Ground, finely, lifted
from gradcheck.joint import JointTrial, Shown, agreed, joined, places
from gradcheck.number import coarsest
from gradcheck.probes import exact
from gradcheck.quick import SHORTER
from gradcheck.rounding import counting, median
from gradcheck.surroundings import calls_of, disturbed, settled, surroundings
from gradcheck.trial import LEAST, RARE, RESERVE, WANTED, Claim, Trial
from gradcheck.turns import Context, Suspect
from gradcheck.verdict import Budget, Check, Comparison, Verdict, Worst, budget_of, decide, resolution_of

Suspects = Callable[[str, Array], Iterable[Suspect]]
"""suspects(name of an input, cotangent): ways in which its gradient is got wrong."""

#: Chance up to which a pass may miss an error of twice what is wanted, and short looks that are taken to get there.
MISSED, LOOKS = 1e-3, 4

#: Cotangents read off the same samples, and how they are called in reports.
LABELS = ("dense", "sparse", "one element")

#: Outputs from which on the sparse cotangent is a part of the dense one, where there are many inputs as well; its
#: elements that are not 0: as many neighbours, whose contributions meet, as others that are alone.
NESTED, ALONE = 40, 4


@dataclass
class Task:
    """One call of check_vjp: the functions, the point and the options."""

    f: Counted
    vjp: Callable[..., Any]
    inputs: tuple[Array, ...]
    names: tuple[str, ...]
    seed: int
    wanted: float | None
    budget: int
    directions: int | None
    method: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    aim: float | None = None
    finer: np.dtype[Any] | str | None = None
    claimed: dict[str, Claim] = field(default_factory=dict)
    only: tuple[int, ...] | None = None
    exhibit: int = 0
    factors: Mapping[str, Array | float] = field(default_factory=dict)
    suspects: Suspects | None = None
    locate: int | None = None
    explain: bool = True
    joint: dict[int, Shown] = field(default_factory=dict)
    before: int = 1
    remarks: tuple[str, ...] = ()
    policy: str = "refuse"
    output: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float64))
    accuracy: float = 0.0

    def check(self, cotangent: Any, linear_in: tuple[int, ...], conduct: bool, strict: bool) -> Check:
        """Form and conduct first, then every input by itself; the gravest of their verdicts.

        Leaves the inputs, and what the whole process shares, as they were.
        """
        around = surroundings()
        try:
            return self.examined(cotangent, linear_in, conduct, strict)
        finally:
            settled(around)

    def examined(self, cotangent: Any, linear_in: tuple[int, ...], conduct: bool, strict: bool) -> Check:
        """The same, whatever it leaves behind."""
        kept, around = [x.copy("K") for x in self.inputs], surroundings()
        centre, calls = calls_of(self.vjp, lambda: self.f(*self.inputs))
        if calls:
            why = f"self-referential: f calls the vjp ({calls} times), so each would be judged by itself"
            return self.counted(self.blank(Verdict.INCONCLUSIVE, why))
        own = self.written(kept, "f") + _global(around, strict)
        if not np.isfinite(centre).all():
            why = "f is not finite at the inputs: no derivative to compare with"
            return self.counted(self.blank(Verdict.INCONCLUSIVE, why))
        trust(self.f, self.inputs, centre, self.accuracy)
        before = self.f.points - 1  # what compares a batch with f is no cost of an input
        nested = is_many(self.inputs) and centre.size >= NESTED
        cotangents = _cotangents(centre, cotangent, self.rng(6), nested=nested)
        self.output = centre.dtype
        seen = conduct_of.examine(
            self.vjp,
            cotangents[0].copy(),
            self.inputs,
            seed=self.seed,
            names=self.names,
            magnitude=_magnitude(cotangents[0], centre),
            strict=strict,
            part=cotangents[1] if nested and len(cotangents) > 1 else None,
            measured=not conduct,
            interest=self.interest(centre),
        )
        faults = [f for f in own + list(seen.faults) if conduct or f.kind in ("form", "finite", "mutation")]
        claims = self.claims(seen, cotangents)
        self.claimed = {n: c for n, c in zip(self.names, claims, strict=True) if c is not None}
        chosen = [i for i in range(len(claims)) if self.only is None or i in self.only]
        numeric = [i for i in chosen if not (i in linear_in and self.method == "auto")]
        ground = self.ground(centre, cotangents)
        self.before = self.f.points - before
        if ground.coarse is not None:
            trust(self.f, ground.inputs, ground.centre, self.accuracy, strict=False)
        self.joint = self.jointly([i for i in numeric if claims[i] is not None], claims, ground)
        parts = tuple(
            self.part(i, claims[i], centre, ground, i in linear_in, [f for f in faults if f.input == i])
            for i in chosen
        )
        late = self.written(kept, "f or its vjp, at a later call,")
        told = self.whole(
            parts, [f for f in faults if f.input is None] + [replace(f, input=None) for f in late]
        )
        probed = told.verdict is not Verdict.PASS and any(part.evaluations for part in parts)
        why = random_by(self.f, self.inputs, centre, self.accuracy) if probed else ""
        return self.counted(refused(told, why) if why else told)

    def counted(self, check: Check) -> Check:
        """The check with what all of it cost."""
        return replace(check, evaluations=self.f.points, calls=self.f.calls)

    def written(self, kept: list[Array], who: str) -> list[conduct_of.Fault]:
        """Faults of whoever has written into the inputs, which are put back."""
        faults = []
        for i, (x, was) in enumerate(zip(self.inputs, kept, strict=True)):
            bad = ~same_bits(x, was)
            if bad.any():
                x[...] = was
                lines = (
                    f"{who} writes into {self.names[i]}",
                    f"{int(bad.sum())} of {bad.size} elements; restored",
                )
                faults.append(conduct_of.Fault("mutation", "fail", i, "\n  ".join(lines)))
        return faults

    def claims(self, seen: conduct_of.Conduct, cotangents: Array) -> list[Claim | None]:
        """What is claimed of each input for all cotangents; None where nothing usable is offered."""
        offered = [g is not None and bool(np.isfinite(g).all()) for g in seen.gradients]
        answers = [seen.gradients]
        if any(offered):
            answers += [] if seen.part is None else [seen.part]
            answers += [_answer(self.vjp, c, self.inputs) for c in cotangents[len(answers) :]]
        sizes = np.array([np.linalg.norm(c.astype(np.float64, copy=False).ravel()) for c in cotangents])
        claims: list[Claim | None] = []
        for i, usable in enumerate(offered):
            first, rounding = seen.gradients[i], seen.rounding[i]
            if not usable or first is None or rounding is None:
                claims.append(None)
                continue
            stack = np.stack([np.asarray(a[i], dtype=np.float64) for a in answers])
            claims.append(Claim(stack, _spread_rounding(stack, rounding, sizes)))
        return claims

    @property
    def granted(self) -> int:
        """Calls of an input but for those of all together, before it is probed and after."""
        return self.budget - self.before - AGAIN

    def interest(self, centre: Array) -> float:
        """Error of interest, of the coarsest of the dtypes."""
        dtype = coarsest(*(x.dtype for x in self.inputs), centre.dtype)
        return self.wanted or WANTED.get(dtype.name, 1e-6)

    def ground(self, centre: Array, cotangents: Array) -> Ground:
        """Where f is evaluated: in the dtype of the inputs, or in a finer one in which it is the same function."""
        if isinstance(self.finer, np.dtype):
            return finely(self.f, self.inputs, centre, cotangents, self.finer)
        own = Ground(self.inputs, centre, cotangents, centre.dtype)
        if self.finer is None:
            return own
        return lifted(self.f, self.inputs, centre, cotangents, self.rng(5)) or own

    def jointly(
        self,
        some: list[int],
        claims: list[Claim | None],
        ground: Ground,
        step: float = JointTrial.step,
    ) -> dict[int, Shown]:
        """What one line through several inputs shows of those that agree; the others are probed one by one.

        Where it shows that not all do, those that seem innocent are looked at together once more, from the half length
        that served.
        """
        held = {i: claim for i in some if (claim := claims[i]) is not None and claim.norm(0) > 0}
        dtypes = {ground.inputs[i].dtype for i in held} | {ground.centre.dtype}
        if len(held) < 2 or self.method not in ("auto", "spectral") or dtypes != {np.dtype(np.float64)}:
            return {}  # in fewer digits than float64 has, the shares of several inputs are too coarse

        parts = places([self.inputs[i] for i in held])

        section = Section(self.f, ground.inputs, dict(zip(held, parts, strict=True)))
        trial = JointTrial(
            section,
            np.concatenate([ground.inputs[i].ravel() for i in held]),
            ground.cotangents,
            LABELS,
            joined(list(held.values())),
            ground.centre,
            self.rng(3),
            aim=self.aim,
            method=self.method,
            claimed_in=ground.coarse,
            parts=parts,
            step=step,
            accuracy=self.accuracy,
        )
        found = agreed(trial, self.directions, self.aim or self.wanted or trial.wanted())
        told = {i: shown for i, shown in zip(held, found, strict=True) if shown is not None}
        if trial.differing and len(held) > 2:
            accused = trial.accused()
            rest = [i for k, i in enumerate(held) if k not in accused]
            return self.jointly(rest, claims, ground, trial.step)
        if not told or trial.looked is None:
            return {}

        calls = 0

        def claimed(flat: Array) -> Array | None:
            nonlocal calls
            gradients, calls = calls_of(
                self.f.function,
                lambda: self.asked(trial.cotangents[0], section.at(flat), ground, tuple(held)),
            )
            return gradients

        wrong = astray(claimed, *trial.looked, trial.rounds[0][0].allowed)
        self.remarks += _no_second_opinion(calls)
        return {} if wrong else told

    def part(
        self,
        i: int,
        claim: Claim | None,
        centre: Array,
        ground: Ground,
        linear: bool,
        faults: list[conduct_of.Fault],
    ) -> Check:
        """The check of one input."""
        fatal = [f for f in faults if f.severity == "fail"]
        blank = self.blank(Verdict.FAIL, "", i, tuple(f.message for f in faults if f not in fatal[:1]))
        if claim is None:
            if fatal:
                return replace(blank, reason=fatal[0].message)
            return replace(blank, verdict=Verdict.INCONCLUSIVE, reason="not offered")
        found = self.exactly(i, blank, centre) if linear and self.method in ("auto", "exact") else None
        if found is None or found.verdict is Verdict.FAIL:
            # what differs on whole numbers is measured as well, to tell what the mistake looks like
            numeric = self.numerically(i, claim, ground, blank)
            found = numeric if found is None else _joined(found, numeric)
        else:
            found = self.borne_out(found, i, claim, ground, blank)
        if fatal and found.verdict is not Verdict.FAIL:
            return replace(found, verdict=Verdict.FAIL, reason=fatal[0].message)
        return replace(found, notes=tuple(f.message for f in fatal[:1]) + found.notes)

    def exactly(self, i: int, blank: Check, centre: Array) -> Check | None:
        """Evidence on whole numbers, or None where f is not exact there."""

        def gradient(cotangent: Array, *whole: Array) -> Any:
            return _answer(self.vjp, cotangent, whole)[i]

        found = exact.probe(self.f, gradient, self.inputs, i, centre, self.rng(1, i))
        if not found.applies:
            return None
        told = replace(
            blank,
            evidence="exact",
            resolution=0.0,
            budget=Budget(0.0, 0.0),
            miss_probability=found.miss_probability,
            missed=found.miss_probability,
            evaluations=found.evaluations,
        )
        if found.equal:
            return replace(told, verdict=Verdict.PASS, reason="equal to the bit on whole numbers")
        return replace(
            told,
            reason="differs on whole numbers, where both sides are exact\n"
            f"⟨f(x + d) − f(x), ȳ⟩ = {found.left:.17g}, ⟨d, vjp(ȳ)⟩ = {found.right:.17g}",
        )

    def borne_out(self, exactly: Check, i: int, claim: Claim, ground: Ground, blank: Check) -> Check:
        """A pass on whole numbers after one look at the inputs themselves, where code may do something else.

        Where few whole numbers could be drawn (long sums in few bits), that look is the evidence as well.
        """
        numeric = self.numerically(i, claim, ground, blank, directions=1)
        spent = exactly.evaluations + numeric.evaluations
        if numeric.verdict is Verdict.FAIL:
            return replace(
                numeric, reason=f"right on whole numbers only: {numeric.reason}", evaluations=spent
            )
        if exactly.miss_probability <= RARE:
            return replace(exactly, evaluations=spent, thresholds=numeric.thresholds, notes=numeric.notes)
        both = f"{exactly.evidence}+{numeric.evidence}"
        return replace(numeric, evidence=both, evaluations=spent, missed=exactly.missed)

    def numerically(
        self,
        i: int,
        claim: Claim,
        ground: Ground,
        blank: Check,
        directions: int | None = None,
    ) -> Check:
        """Evidence from a numeric derivative along random directions."""
        if i in self.joint and directions is None:
            shown = self.joint[i]
            agrees = f"agrees to a relative {shown.resolution:.0e}"
            return replace(blank, verdict=Verdict.PASS, reason=agrees, **vars(shown))

        trial = Trial(
            Section(self.f, ground.inputs, {i: None}),
            ground.inputs[i],
            ground.cotangents,
            LABELS,
            claim,
            ground.centre,
            self.rng(2, i),
            aim=self.aim,
            method=self.method,
            claimed_in=ground.coarse,
            accuracy=self.accuracy,
        )
        wanted = self.wanted or trial.wanted()
        trial.run(directions or self.directions, self.budget, wanted)
        again: list[masked.Look] = []
        if self.sees_outputs() and decide(trial.rounds, wanted)[0] is Verdict.INCONCLUSIVE:
            again = self.looks(trial, i, self.granted, ground)
            if not again and trial.lost and self.granted - trial.evaluations > LEAST:
                trial.run(1, self.granted - trial.evaluations + RESERVE)
        verdict, reason = decide(trial.rounds, wanted)
        flat = [c for comparisons in trial.rounds for c in comparisons]
        resolution = resolution_of(trial.rounds)
        worst = _most_telling(flat)
        zero = trial.vanishes() and verdict is Verdict.PASS
        told = replace(
            blank,
            verdict=verdict,
            reason="zero everywhere probed: a pass that proves little" if zero else reason,
            evidence=trial.evidence(),
            resolution=resolution,
            budget=budget_of(trial.rounds),
            thresholds=tuple(r[0].resolution for r in trial.rounds),
            miss_probability=math.prod(c.escapes(2 * wanted) for c in (r[0] for r in trial.rounds)),
            worst=_worst(worst) if verdict is not Verdict.PASS else None,
            evaluations=trial.evaluations,
            zero_everywhere=zero,
            notes=blank.notes + (trial.refusal,) * (self.method == "complex_step" and bool(trial.refusal)),
        )
        if verdict is Verdict.INCONCLUSIVE:
            told = self.seen(trial, again, told, wanted) or told
        if told.verdict is Verdict.FAIL and self.method in ("auto", "spectral"):
            told = stopping.excused(told, trial, self.rng(14, i), self.budget, self.wanted)
            if told.verdict is not Verdict.FAIL:
                return told
        if told.verdict is not Verdict.PASS and self.policy != "refuse":
            judged = self.beside_the_kink(trial, told, i)
            if judged is not told:
                return judged
        if told.verdict is Verdict.PASS:
            return self.elsewhere(trial, told, i, ground)
        channel = LABELS.index(worst.cotangent)
        seen = verdict is Verdict.FAIL or (told.verdict is Verdict.FAIL and _unmasked(trial, again))
        if seen and self.explain:  # what only masked cotangents saw is not looked into
            told = self.opened(trial, told, i, channel)
        return self.shown(trial, told, channel) if self.exhibit else told

    def beside_the_kink(self, trial: Trial, told: Check, i: int) -> Check:
        """What the policy for kinks says instead, if it is anything else."""
        known: dict[bytes, Claim | None] = {}
        relative = _relative(trial.claim)

        def claimed(weights: Array, direction: Array) -> tuple[float, float] | None:
            key = weights.tobytes()
            if key not in known:
                cotangent = weights.reshape(trial.centre.shape).astype(self.output)
                gradient = asked(self.vjp, cotangent, self.inputs, (i,))
                shaped = None if gradient is None else gradient.astype(float).reshape(1, *trial.point.shape)
                known[key] = None if shaped is None else Claim(shaped, relative * np.abs(shaped))
            claim = known[key]
            return None if claim is None else claim.along(direction, 0)

        return kinks.settled(self.policy, told, trial, claimed, self.rng(4, i), self.wanted, self.accuracy)

    def sees_outputs(self) -> bool:
        """Whether outputs may be looked at one by one."""
        return self.method in ("auto", "spectral") and not self.accuracy

    def looks(self, trial: Trial, i: int, budget: int, ground: Ground) -> list[masked.Look]:
        """Further directions, each with a cotangent that leaves out the outputs that bend there."""

        def claimed(cotangent: Array) -> Claim | None:
            gradient = self.asked(cotangent, ground.inputs, ground, (i,))
            if gradient is None:
                return None
            shaped = gradient.astype(np.float64).reshape(1, *trial.point.shape)
            return Claim(shaped, trial.claim.rounding[:1])

        return masked.looks(trial, claimed, LOOKS, budget)

    def seen(self, trial: Trial, found: list[masked.Look], told: Check, wanted: float) -> Check | None:
        """A failure that looks show, or a pass if they left nothing out and can have missed little; or None."""
        rounds = [look.comparisons for look in found]
        if not rounds:
            return None
        verdict, reason = decide(rounds, wanted)
        worst = _most_telling([c for r in rounds for c in r])
        told = replace(told, evaluations=trial.evaluations, budget=budget_of(rounds))
        if verdict is Verdict.FAIL or (worst.differs and trial.differing):
            resolution = min(told.resolution, resolution_of(rounds))
            return replace(
                told, verdict=Verdict.FAIL, reason=reason, worst=_worst(worst), resolution=resolution
            )
        missed = math.prod(r[0].escapes(2 * wanted) for r in rounds)
        # what bent or jumped along one direction is at the point: it is no less there for not showing along others
        smooth = masked.blind(found) == 0 and all(math.isfinite(r[0].estimate.bound) for r in trial.rounds)
        settled_by = not trial.differing or masked.outvoted(trial, found)
        if verdict is not Verdict.PASS or missed > MISSED or not smooth or not settled_by:
            return None
        return replace(
            told,
            verdict=Verdict.PASS,
            reason=f"agrees to a relative {resolution_of(rounds):.0e}",
            evidence="spectral",
            resolution=resolution_of(rounds),
            miss_probability=missed,
            worst=None,
        )

    def elsewhere(self, trial: Trial, passed: Check, i: int, ground: Ground) -> Check:
        """The pass, unless the vjp is wrong beside the inputs; and a note where it differentiates f numerically."""
        if trial.looked is None:
            return passed
        calls = 0

        def claimed(x: Array) -> Array | None:
            nonlocal calls
            inputs = (*ground.inputs[:i], x, *ground.inputs[i + 1 :])
            gradient, calls = calls_of(
                self.f.function, lambda: self.asked(trial.cotangents[0], inputs, ground, (i,))
            )
            return gradient

        wrong = astray(claimed, *trial.looked, trial.rounds[0][0].allowed)
        if wrong:
            return replace(passed, verdict=Verdict.FAIL, reason=wrong)
        return replace(passed, notes=passed.notes + _no_second_opinion(calls))

    def asked(
        self, cotangent: Array, inputs: tuple[Array, ...], ground: Ground, some: tuple[int, ...]
    ) -> Array | None:
        """The gradients of some inputs, flat, from one call in the dtypes that the vjp is checked in."""
        own = tuple(x.astype(was.dtype, copy=False) for x, was in zip(inputs, self.inputs, strict=True))
        return asked(self.vjp, cotangent.astype(ground.output, copy=False), own, some)

    def shown(self, trial: Trial, told: Check, channel: int) -> Check:
        """The check with what plots show of it."""
        failed = told.verdict is Verdict.FAIL
        exhibit = Exhibition(trial, channel, self.exhibit).exhibit(failed=failed)
        return replace(told, exhibit=exhibit, evaluations=trial.evaluations)

    def opened(self, trial: Trial, failed: Check, i: int, channel: int) -> Check:
        """The failed check with where it is wrong and what the mistake looks like."""
        cotangent = trial.cotangents[channel]
        context = Context(
            cotangent,
            trial.point,
            {n: c.gradients[channel] for n, c in self.claimed.items() if c is not trial.claim},
            factors=self.factors,
            sizes=self.sizes,
            suspects=tuple(self.suspects(self.names[i], cotangent) if self.suspects else ()),
            rounding=trial.claim.rounding[channel],
        )
        left = self.granted - (trial.evaluations - trial.aside)
        report = Autopsy(trial, context, channel, left, self.locate or 0).report(failed)
        return replace(report, evaluations=trial.evaluations)

    def whole(self, parts: tuple[Check, ...], faults: list[conduct_of.Fault]) -> Check:
        """All inputs together: the gravest verdict, the coarsest resolution."""
        grave = min(parts, key=lambda p: _GRAVEST.index(p.verdict))
        coarsest = max(parts, key=lambda p: p.resolution)
        fatal = [f for f in faults if f.severity == "fail"]
        whole = self.blank(grave.verdict, grave.reason)
        told = grave.verdict is not Verdict.PASS  # whether it is said of one input
        if fatal and grave.verdict is not Verdict.FAIL:
            whole, told = replace(whole, verdict=Verdict.FAIL, reason=fatal[0].message), False
            faults = [f for f in faults if f is not fatal[0]]
        return replace(
            whole,
            shape=parts[0].shape if len(parts) == 1 else (),
            subject=grave.subject if len(parts) == 1 or told else whole.subject,
            evidence="+".join(dict.fromkeys(p.evidence for p in parts if p.evidence)),
            resolution=coarsest.resolution,
            budget=coarsest.budget,
            thresholds=coarsest.thresholds if len(parts) == 1 else (),
            missed=coarsest.missed if len(parts) == 1 else 1.0,
            miss_probability=max(p.miss_probability for p in parts),
            diagnosis=grave.diagnosis,
            mistakes=grave.mistakes,
            worst=grave.worst,
            wrong=grave.wrong,
            exhibit=grave.exhibit,
            notes=tuple(f.message for f in faults) + self.remarks + (grave.notes if len(parts) == 1 else ()),
            parts=parts,
            evaluations=self.f.points,
            calls=self.f.calls,
            zero_everywhere=all(p.zero_everywhere for p in parts),
            kinks=next((p.kinks for p in parts if p.kinks), ""),
        )

    def blank(
        self, verdict: Verdict, reason: str, i: int | None = None, notes: tuple[str, ...] = ()
    ) -> Check:
        """A check that has seen nothing yet."""
        subject = "d f" if i is None else f"d f / d {self.names[i]}"
        shape = self.inputs[i].shape if i is not None else ()
        dtype = str(self.inputs[i or 0].dtype)
        return Check(
            verdict, subject, "", math.inf, 1.0, reason, notes=notes, seed=self.seed, dtype=dtype, shape=shape
        )

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator of its own for every purpose, so that one probe more or less moves no other.

        None for stream 0: [seed, 0] is seed to NumPy, with which the caller may have drawn the very inputs.
        """
        return np.random.default_rng([self.seed, *stream])


_GRAVEST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)


def _joined(exactly: Check, numeric: Check) -> Check:
    """A failure on whole numbers with what the numeric probe tells of it."""
    return replace(
        exactly,
        diagnosis=numeric.diagnosis,
        mistakes=numeric.mistakes,
        worst=numeric.worst,
        wrong=numeric.wrong,
        exhibit=numeric.exhibit,
        evaluations=exactly.evaluations + numeric.evaluations,
    )


def _no_second_opinion(calls: int) -> tuple[str, ...]:
    """A note on a vjp that differentiates f numerically; one call, for an intermediate value, is honest work."""
    noted = f"vjp calls f itself {calls} times: a numeric derivative of f is no second opinion on it"
    return (noted,) * (calls > 1)


def _global(around: dict[str, Any], strict: bool) -> list[conduct_of.Fault]:
    """Faults of an f that changes what the whole process shares."""
    severity: conduct_of.Severity = "fail" if strict else "note"
    return [
        conduct_of.Fault("global", severity, None, f"f changes {name}\n  another after the call than before")
        for name in disturbed(around)
    ]


def _cotangents(centre: Array, given: Any, rng: np.random.Generator, *, nested: bool = False) -> Array:
    """Cotangents in the dtype of the output: the given one, else a dense, a sparse and a one-element one.

    Shape (cotangents, *shape of the output). A dense one alone lets pass what is wrong for single elements. Where
    `nested` the sparse one is a part of the dense one, of few elements: one call shows its claim, and whether claims
    add up. A third one would have of so many outputs one, and show no more than the second.
    """
    if given is not None:
        cotangent = real_array(given, "check_vjp", "cotangent")
        if cotangent.shape != centre.shape:
            raise ValueError(
                "check_vjp: the cotangent does not fit the output\n"
                f"  cotangent.shape = {cotangent.shape}, wanted {centre.shape}, the shape of f(*inputs)\n"
                "  a cotangent weighs every element of the output"
            )
        return cotangent[None].astype(centre.dtype)
    if centre.size == 1:
        return np.full((1, *centre.shape), rng.uniform(0.5, 2.0)).astype(centre.dtype)
    dense = gaussian(centre.shape, rng)
    if nested:
        few = _few(centre.size, rng)
        both = np.zeros((2, *centre.shape), centre.dtype)
        both[0] = dense
        both.reshape(2, -1)[1, few] = both[0].ravel()[few]
        return both
    single = np.zeros(centre.size)
    single[rng.integers(centre.size)] = 1.0
    sparse = gaussian(centre.shape, rng) * (rng.random(centre.shape) < max(0.1, 4 / centre.size))
    return np.stack([dense, sparse, single.reshape(centre.shape)]).astype(centre.dtype)


def _few(count: int, rng: np.random.Generator) -> Array:
    """Places of a few of so many elements: neighbours, and as many anywhere, of which one may be met twice."""
    first = int(rng.integers(count - ALONE + 1))
    return np.concatenate([np.arange(first, first + ALONE), rng.integers(count, size=ALONE)])


def _magnitude(cotangent: Array, centre: Array) -> float:
    """Σ|ȳ ∘ (y − mean y)|, the scale of what cancels in a gradient of zero; an offset is no part of it."""
    offset = float(np.mean(centre, dtype=np.float64)) if centre.size > 1 else 0.0
    return float(np.abs(cotangent * (centre.astype(np.float64) - offset)).sum())


def _answer(vjp: Callable[..., Any], cotangent: Array, inputs: Sequence[Array]) -> tuple[Any, ...]:
    """One more call of a vjp, as a tuple."""
    with np.errstate(all="ignore"):
        answer = vjp(cotangent.copy(), *[x.copy() for x in inputs])
    return tuple(answer) if isinstance(answer, tuple | list) and len(inputs) == len(answer) else (answer,)


def _spread_rounding(stack: Array, rounding: Array, sizes: Array) -> Array:
    """Rounding for every cotangent, of these sizes, from that measured for the first, in proportion."""
    shares = (sizes / sizes[0] if sizes[0] > 0 else np.ones(len(sizes))).reshape(-1, *[1] * rounding.ndim)
    first = np.abs(stack[0])
    counts = counting(first)
    relative = median(rounding[counts] / first[counts]) if counts.any() else 0.0
    return np.maximum(rounding * shares, relative * np.abs(stack))


def _unmasked(trial: Trial, found: list[masked.Look]) -> bool:
    """Whether a further direction left nothing out; if so the trial goes on at its length."""
    whole = [look for look in found if not look.masked.any()]
    if whole:
        trial.exponent = whole[-1].exponent + SHORTER[masked.COUNT]
    return bool(whole)


def _relative(claim: Claim) -> float:
    """Rounding of the typical element beside it, of no less than 4 units."""
    first = np.abs(claim.gradients[0])
    own = claim.rounding[0][first > 0] / first[first > 0]
    return max(float(np.median(own)) if own.size else 0.0, 4 * float(np.finfo(float).eps))


def _most_telling(comparisons: list[Comparison]) -> Comparison:
    """The comparison to report: of the dense cotangent where that differs, else the most excessive."""
    dense = [c for c in comparisons if c.cotangent == LABELS[0]]
    different = [c for c in dense if c.differs]
    return max(different or comparisons, key=lambda c: c.excess)


def _worst(comparison: Comparison) -> Worst:
    return Worst(None, comparison.analytic, comparison.rounding, comparison.estimate, comparison.cotangent)
