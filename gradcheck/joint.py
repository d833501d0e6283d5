"""All inputs along one line: as many calls for them together as for one of them by itself.

A direction through every input at once shows the sum of what they contribute, ⟨g₁, v₁⟩ + ⟨g₂, v₂⟩ + …. Where that
sum agrees, each of them does, up to what its own share could have shown; so steps are made such that the shares are
equal, and an input whose share is too small to tell is looked at by itself. Where the sum differs, each of them is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from gradcheck.directions import gaussian
from gradcheck.estimate import Array
from gradcheck.probes.field import FieldLine
from gradcheck.quick import look
from gradcheck.trial import RESERVE, Claim, Trial
from gradcheck.verdict import Budget, Comparison, Verdict, budget_of, decide

#: Calls that the inputs may cost together before each is looked at by itself: two directions of a smooth function.
CALLS = 56

#: Least contribution, beside the largest, that the others are made as small as: below it an input is not in reach.
LEAST_SHARE = 2.0**-10


@dataclass
class JointLine(FieldLine):
    """A line through several inputs, stored one after another; `parts` are their places."""

    parts: Sequence[slice] = ()

    @cached_property
    def length(self) -> float:
        """Length of t over which the slowest of the inputs moves by its own size: it bounds what rounding hides."""
        lengths = [_rms(self.point[p]) / v for p in self.parts if (v := _rms(self.direction[p])) > 0]
        return max((length for length in lengths if length > 0), default=1.0)


@dataclass
class JointTrial(Trial):
    """A trial of several inputs; `point` and claims hold them one after another, flat."""

    parts: Sequence[slice] = ()
    _norms: dict[int, Array] = field(default_factory=dict, init=False)
    _lengths: tuple[Array, Array] | None = field(default=None, init=False)

    def line(self, direction: Array) -> FieldLine:
        """The line through all of them."""
        return JointLine(
            self.function,
            self.point,
            direction,
            self.cotangents,
            centre=self.centre,
            accuracy=self.accuracy,
            parts=self.parts,
        )

    def direction(self) -> Array:
        """Gaussian; for each input so long that none contributes more than the least, nor moves by more than itself."""
        drawn = gaussian(self.point.shape, self.rng)
        sizes = [_rms(self.point[p]) or 1.0 for p in self.parts]
        would = self.norms(0) * np.array(sizes)
        least = max(would.min(), LEAST_SHARE * would.max())
        for p, size, contributes in zip(self.parts, sizes, would, strict=True):
            drawn[p] *= size * min(least / contributes, 1.0)
        return drawn

    def norms(self, channel: int) -> Array:
        """‖g‖ of each input."""
        if channel not in self._norms:
            gradient = self.claim.gradients[channel]
            self._norms[channel] = np.array([float(np.linalg.norm(gradient[p])) for p in self.parts])
        return self._norms[channel]

    def scales(self, channel: int, taken: Array) -> Array:
        """What an error as large as each input's gradient would show along the direction taken."""
        if self._lengths is None or self._lengths[0] is not taken:
            self._lengths = taken, np.array([_rms(taken[p]) for p in self.parts])
        return self.norms(channel) * self._lengths[1]

    def scale_along(self, channel: int, taken: Array) -> float:
        """The largest of the inputs'; each has its own in `shares`."""
        return float(self.scales(channel, taken).max())

    def goals(self, length: float) -> Array:
        """A share of what the least of them contributes, of those that are in reach."""
        contributed = self.scales(0, self.asked)
        least = max(float(contributed.min()), LEAST_SHARE * float(contributed.max()))
        return np.array([self.share() * least] + [math.inf] * (len(self.cotangents) - 1))

    def shares(self, comparison: Comparison, taken: Array) -> list[Comparison]:
        """What a direction shows of each input under the dense cotangent, on the scale of that input."""
        return [replace(comparison, scale=float(scale)) for scale in self.scales(0, taken)]

    @property
    def settled(self) -> bool:
        """Whether a further direction would tell no more: where claims differ each is looked at by itself."""
        return self.differing > 0 or self.lost

    def accused(self) -> list[int]:
        """Inputs that seem to make the difference, by a quick look at what each contributes along the last direction.

        The last one is spared the look: it is what is left where none of the others shows anything.
        """
        found = []
        for k, part in enumerate(self.parts[:-1]):
            alone = np.zeros_like(self.asked)
            alone[part] = self.asked[part]
            taken, value, bound = look(self, 0, alone)
            if not abs(self.claim.along(taken, 0)[0] - value) <= bound:
                found.append(k)
        return found or [len(self.parts) - 1]


@dataclass(frozen=True)
class Shown:
    """What a joint trial shows of one input: see `gradcheck.verdict.Check`."""

    resolution: float
    miss_probability: float
    evidence: str
    budget: Budget
    evaluations: int
    thresholds: tuple[float, ...] = ()


def agreed(trial: JointTrial, directions: int | None, wanted: float) -> list[Shown | None]:
    """For each input what the trial shows of it; None for one that has to be looked at by itself."""
    trial.run(directions, CALLS + RESERVE, wanted)
    if trial.differing or decide(trial.rounds, wanted)[0] is not Verdict.PASS:
        return [None] * len(trial.parts)
    calls = -(-trial.evaluations // len(trial.parts))
    shown: list[Shown | None] = []
    shares = [trial.shares(c[0], t[0]) for t, c in zip(trial.taken, trial.rounds, strict=True)]
    for own in zip(*shares, strict=True):
        resolution = min(c.resolution for c in own)
        missed = math.prod(c.escapes(2 * wanted) for c in own)
        budget, thresholds = budget_of([[c] for c in own]), tuple(c.resolution for c in own)
        told = Shown(resolution, missed, trial.evidence(), budget, calls, thresholds)
        shown.append(told if resolution <= wanted else None)
    return shown


def joined(claims: Sequence[Claim]) -> Claim:
    """Several claims as one, flat."""
    count = len(claims[0].gradients)
    return Claim(
        np.concatenate([c.gradients.reshape(count, -1) for c in claims], axis=1),
        np.concatenate([c.rounding.reshape(count, -1) for c in claims], axis=1),
    )


def places(inputs: Sequence[Array]) -> list[slice]:
    """Where each input lies when they are stored one after another."""
    ends = np.cumsum([x.size for x in inputs])
    return [slice(int(end - x.size), int(end)) for end, x in zip(ends, inputs, strict=True)]


def _rms(array: Array) -> float:
    flat = array.astype(np.float64, copy=False).ravel()
    return math.sqrt(float(flat @ flat) / flat.size)
