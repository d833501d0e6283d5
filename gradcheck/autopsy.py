"""Autopsy: of a gradient that failed, which elements are wrong and what the mistake looks like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gradcheck.diagnose import UNKNOWN, diagnose, diagnose_by_probes
from gradcheck.directions import gaussian
from gradcheck.estimate import Array, Estimate
from gradcheck.locate import Element, enough, locate, measure_all
from gradcheck.quick import QUICK, SHORTER, choices, look
from gradcheck.trial import Trial
from gradcheck.turns import Context
from gradcheck.verdict import Check, Worst

#: Names of what was located: as the table has it of a gradient measured in full, and for several.
ONE, FEW = "one element", "few elements"

#: Calls up to which every element is measured, unless more were granted; of more, the wrong ones are looked for.
FULL = 80

#: Calls up to which all elements together are measured finer than quickly, then: for gradients of a few elements.
FINE = 128

#: Probes beside those that one wrong element takes, unless more were granted: a few more elements of a small gradient.
SPARE = 4

#: Directional derivatives that a diagnosis of a large gradient has to agree with.
PROBES = 2


@dataclass
class Autopsy:
    """What further calls can tell of a failed trial.

    Parameters
    ----------
    trial : Trial
    context : Context
    channel : int
        The cotangent that showed it.
    budget : int
        Calls that it may cost in any case.
    more : int
        Calls that it may cost where nothing explains the failure for so many.
    """

    trial: Trial
    context: Context
    channel: int
    budget: int
    more: int = 0

    def report(self, check: Check) -> Check:
        """The check with its wrong elements, its worst element and a diagnosis, as far as the budget goes."""
        claimed = self.trial.claim.gradients[self.channel]
        granted = self.budget if self.more else min(self.budget, FULL)
        if QUICK * claimed.size <= granted:
            return self.in_full(check, claimed, granted)
        if self.more:  # to find where it is wrong takes directions, which the trial may have spent in vain
            self.budget = max(self.budget, PROBES * QUICK)
        known = list(self.trial.measured(self.channel))
        while len(known) < PROBES and self.budget >= QUICK:
            known.append(self.probe(gaussian(claimed.shape, self.trial.rng) * self.trial.size()))
        if len(known) < 2:
            return check
        found = diagnose_by_probes(claimed, _none_left, context=self.context, count=0, known=known)
        if found is not None and found.name is not None:
            return replace(check, diagnosis=str(found), mistakes=found.mistakes)
        self.budget = max(self.budget, self.more)
        if self.more and QUICK * claimed.size <= self.budget:
            return self.in_full(check, claimed, self.budget)
        return self.in_places(check, claimed, known[-1])

    def in_full(self, check: Check, claimed: Array, granted: int) -> Check:
        """Every element measured: which are wrong, and what turns the right ones into them."""
        some = choices(self.trial.point.dtype)
        points = max(p for p in some if p == 5 or (p - 1) * claimed.size <= min(granted, FINE))
        right, bounds = measure_all(claimed, partial(self.probe, points=points), size=self.trial.size())
        allowed = bounds + self.trial.claim.rounding[self.channel]
        unknown = np.isnan(right) | np.isnan(bounds)  # f ends too close by to be measured there
        right, allowed = np.where(unknown, claimed, right), np.where(unknown, np.inf, allowed)
        wrong = ~(np.abs(claimed - right) <= allowed)
        if not wrong.any():
            return check
        excess = np.where(wrong, np.nan_to_num(np.abs(claimed - right), nan=np.inf), -1.0)
        at = tuple(int(k) for k in np.unravel_index(int(np.argmax(excess)), claimed.shape))
        found = diagnose(claimed, right, bound=allowed, context=self.context)
        worst = Element(at, float(claimed[at]), float(right[at]), float(bounds[at]))
        indices = tuple(tuple(int(k) for k in index) for index in np.argwhere(wrong))
        check = replace(self.with_worst(check, worst, points), wrong=indices)
        return replace(check, diagnosis=str(found), mistakes=found.mistakes) if found else check

    def in_places(self, check: Check, claimed: Array, known: tuple[Array, float, float]) -> Check:
        """Wrong elements by halving; where they are everywhere, that."""
        direction, value, bound = known
        budget = self.budget // QUICK
        if not self.more:
            budget = min(budget, enough(claimed.size) + SPARE)
        located = locate(
            claimed, self.probe, direction, (value, bound), size=self.trial.size(), budget=budget
        )
        if not located.elements:
            where = "wrong, but in no element by more than can be seen"
            if located.spread:
                where = (
                    "wrong in many elements" if located.everywhere else "wrong, in places that were not found"
                )
            return replace(check, diagnosis=f"{UNKNOWN}; {where}")
        count = len(located.elements)
        said = f"right but for {'one element' if count == 1 else f'{count} elements'}"
        said += ", and more that were not looked for" if located.spread else ""
        said += ", and what is too small to be told from noise" if located.faint else ""
        whole = not (located.spread or located.faint)
        check = replace(
            check,
            wrong=tuple(e.index for e in located.elements),
            diagnosis=said,
            mistakes=((ONE if count == 1 else FEW, said),) * whole,
        )
        return self.with_worst(check, located.elements[0])

    def with_worst(self, check: Check, element: Element, points: int = 5) -> Check:
        """The check with its worst element, analytic beside numeric."""
        step = self.trial.step / 2 ** SHORTER[points]
        numeric = Estimate(element.value, element.bound, "spectral", points=points, step=step)
        own = float(self.trial.claim.rounding[self.channel][element.index])
        return replace(
            check, worst=Worst(element.index, element.claimed, own, numeric, self.trial.labels[self.channel])
        )

    def probe(self, direction: Array, points: int = 5) -> tuple[Array, float, float]:
        """A quick look on the budget: the direction taken, its derivative, and its bound with the claim's rounding."""
        before = self.trial.evaluations
        found = look(self.trial, self.channel, direction, points)
        self.budget -= self.trial.evaluations - before
        return found


def _none_left(direction: Array) -> tuple[float, float]:
    raise AssertionError("every probe was paid for beforehand")
