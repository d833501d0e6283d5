"""Exhibiting: of a trial that did not pass, what plots show, for some further calls of the function."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcheck.autopsy import Autopsy
from gradcheck.estimate import Array
from gradcheck.exhibit import Exhibit, too_many
from gradcheck.locate import measure_all
from gradcheck.probes.differences import Row, convergence
from gradcheck.quick import QUICK
from gradcheck.trial import Trial
from gradcheck.turns import Context
from gradcheck.verdict import Comparison

#: Half lengths of the plotted difference quotients, as powers of two in sizes of the point: from beyond what
#: any series reaches down to where nothing but rounding is left.
LONGEST, SHORTEST = 1, {np.dtype(np.float64): -50, np.dtype(np.float32): -21, np.dtype(np.float16): -9}


@dataclass
class Exhibition:
    """What is shown of a trial. `channel` is the cotangent that decided, `calls` what may be spent."""

    trial: Trial
    channel: int
    calls: int

    def exhibit(self, *, failed: bool) -> Exhibit:
        """Coefficients and steps of the direction that decided; of a failure every element beside."""
        shape = self.trial.point.shape
        comparison, taken = self.telling()
        steps = self.steps(comparison, taken)
        why = self.left_out() if failed else "where nothing is decided, single elements were not measured"
        if why:
            return Exhibit(shape, left_out=why, probe=comparison.estimate, steps=steps)
        claimed = self.trial.claim.gradients[self.channel]
        right, bounds = self.elements(claimed)
        own = self.trial.claim.rounding[self.channel]
        return Exhibit.of(claimed, right, bounds, own, comparison.estimate, steps)

    def telling(self) -> tuple[Comparison, Array]:
        """The comparison that differs most, of those with coefficients to show if there are any; its direction."""
        rounds = zip(self.trial.rounds, self.trial.taken, strict=True)
        pairs = [(comparisons[self.channel], taken[self.channel]) for comparisons, taken in rounds]
        return max(pairs, key=lambda pair: (bool(pair[0].estimate.coefficients), pair[0].excess))

    def left_out(self) -> str:
        """Why the elements are not measured, in words; empty where they are."""
        size = self.trial.point.size
        if too_many(size) or QUICK * size <= self.calls:
            return too_many(size)
        return f"{size:,} elements, whose {QUICK * size:,} calls are more than the {self.calls:,} granted"

    def elements(self, claimed: Array) -> tuple[Array, Array]:
        """Every element measured, and its bound."""
        probe = Autopsy(self.trial, Context(), self.channel, self.calls).probe
        return measure_all(claimed, probe, size=self.trial.size())

    def steps(self, comparison: Comparison, taken: Array) -> tuple[Row, ...]:
        """Errors of difference quotients beside the measured derivative; none where that was not found."""
        estimate = comparison.estimate
        if not math.isfinite(estimate.bound) or not np.isfinite(estimate.value):
            return ()
        shortest = SHORTEST.get(self.trial.coarsest(), -50)
        steps = [2.0**power for power in range(LONGEST, shortest - 1, -1)]
        return convergence(self.along(taken), steps, truth=float(estimate.value))

    def along(self, direction: Array) -> Callable[[float], float]:
        """φ(t) as everybody writes it, ⟨ȳ, f(x + t v)⟩, summed before it is subtracted; NaN where f raises.

        Each t is asked for by two steps, and evaluated once.
        """
        trial = self.trial
        cotangent = trial.cotangents[self.channel].astype(np.float64).ravel()

        @functools.cache
        def phi(t: float) -> float:
            trial.evaluations += 1
            with np.errstate(all="ignore"):
                moved = trial.point + (t * direction).astype(trial.point.dtype)
                try:
                    output = np.asarray(trial.function(moved), dtype=np.float64)
                except Exception:  # a plot that goes too far must not turn a verdict into an error
                    return math.nan
                return float(cotangent @ output.ravel())

        return phi
