"""Autopsy: of a gradient that failed, which elements are wrong and what the mistake looks like."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gradcheck.diagnose import diagnose, diagnose_by_probes
from gradcheck.directions import gaussian
from gradcheck.estimate import Array, Estimate
from gradcheck.locate import Element, locate, measure_all
from gradcheck.probes.field import FieldLine
from gradcheck.probes.nodes import chebyshev
from gradcheck.probes.reading import NORMAL
from gradcheck.trial import Trial
from gradcheck.turns import Context
from gradcheck.verdict import Check, Worst

#: Calls of the function for one quick probe: five nested points, the centre known.
QUICK = 4

#: Directional derivatives that a diagnosis of a large gradient has to agree with.
PROBES = 2

#: Bits by which a quick probe's segment is shorter than one that 17 points resolved. Its truncation is then
#: below (1/32)^4 of the derivative, for a hundred times the noise: fit to tell errors apart only.
SHORTER = 5

#: Share of the difference between five and three points that bounds the error of five: (1/32)^2, with margin.
SETTLED = 0.05


@dataclass
class Autopsy:
    """What further calls can tell of a failed trial. `channel` is the cotangent that showed it."""

    trial: Trial
    context: Context
    channel: int
    budget: int

    def report(self, check: Check) -> Check:
        """The check with its wrong elements, its worst element and a diagnosis, as far as the budget goes."""
        claimed = self.trial.claim.gradients[self.channel]
        if QUICK * claimed.size <= self.budget:
            return self.in_full(check, claimed)
        known = list(self.trial.measured(self.channel))
        while len(known) < PROBES and self.budget >= QUICK:
            known.append(self.probe(gaussian(claimed.shape, self.trial.rng) * self.trial.size()))
        if len(known) < 2:
            return check
        found = diagnose_by_probes(claimed, _none_left, context=self.context, count=0, known=known)
        if found is not None and found.name is not None:
            return replace(check, diagnosis=str(found))
        return self.in_places(check, claimed, known[-1])

    def in_full(self, check: Check, claimed: Array) -> Check:
        """Every element measured: which are wrong, and what turns the right ones into them."""
        right, bounds = measure_all(claimed, self.probe, size=self.trial.size())
        allowed = bounds + self.trial.claim.rounding[self.channel]
        wrong = ~(np.abs(claimed - right) <= allowed)
        if not wrong.any():
            return check
        excess = np.where(wrong, np.nan_to_num(np.abs(claimed - right), nan=np.inf), -1.0)
        at = tuple(int(k) for k in np.unravel_index(int(np.argmax(excess)), claimed.shape))
        found = diagnose(claimed, right, bound=allowed, context=self.context)
        worst = Element(at, float(claimed[at]), float(right[at]), float(bounds[at]))
        indices = tuple(tuple(int(k) for k in index) for index in np.argwhere(wrong))
        return replace(self.with_worst(check, worst), wrong=indices, diagnosis=str(found) if found else None)

    def in_places(self, check: Check, claimed: Array, known: tuple[Array, float, float]) -> Check:
        """Wrong elements by halving; where they are everywhere, that."""
        direction, value, bound = known
        budget = self.budget // QUICK
        located = locate(
            claimed, self.probe, direction, (value, bound), size=self.trial.size(), budget=budget
        )
        if not located.elements:
            where = "wrong, but in no element by more than can be seen"
            if located.spread:
                found_out = located.probes < budget
                where = "wrong in many elements" if found_out else "wrong, in places that were not found"
            return replace(check, diagnosis=f"no single known mistake explains it; {where}")
        count = len(located.elements)
        said = f"right but for {'one element' if count == 1 else f'{count} elements'}"
        said += ", and more that were not looked for" if located.spread else ""
        check = replace(check, wrong=tuple(e.index for e in located.elements), diagnosis=said)
        return self.with_worst(check, located.elements[0])

    def with_worst(self, check: Check, element: Element) -> Check:
        """The check with its worst element, analytic beside numeric."""
        numeric = Estimate(
            element.value, element.bound, "spectral", points=5, step=self.trial.step / 2**SHORTER
        )
        own = float(self.trial.claim.rounding[self.channel][element.index])
        return replace(
            check, worst=Worst(element.index, element.claimed, own, numeric, self.trial.labels[self.channel])
        )

    def probe(self, direction: Array) -> tuple[Array, float, float]:
        """A quick derivative: the direction taken, its value, and its bound with the claim's rounding."""
        trial = self.trial
        cotangent = trial.cotangents[self.channel : self.channel + 1]
        line = FieldLine(trial.function, trial.point, direction, cotangent, centre=trial.centre)
        exponent = max(trial.exponent - SHORTER, line.limits[0])
        nodes = chebyshev(5, line.grid)
        samples = [line.sample(p, exponent) for p in nodes.positions]
        trial.evaluations += line.evaluations
        self.budget -= line.evaluations
        half = line.grid * 2.0**exponent
        values = np.array([s.values[0] for s in samples])
        slope = float(nodes.slopes[-1] @ values) / half
        coarse = float(values[0] - values[-1]) / (2 * half)
        noise = NORMAL * max(float(s.floor[0]) for s in samples) * float(nodes.slope_norms[-1]) / half
        taken = line.steps.taken(exponent)
        own = trial.claim.along(taken, self.channel)[1]
        return taken, slope, noise + SETTLED * abs(slope - coarse) + own


def _none_left(direction: Array) -> tuple[float, float]:
    raise AssertionError("every probe was paid for beforehand")
