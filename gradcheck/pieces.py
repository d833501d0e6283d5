"""Pieces: the derivatives of a function where several of its pieces meet, beside what is claimed there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.estimate import Array
from gradcheck.probes.beside import Beside
from gradcheck.probes.sides import Side, Sides

#: Share of the points beside whose derivatives too few others have, above which there may be more than were seen (as
#: Good and Turing have it, it is the chance of meeting a new one); how far beyond those that were seen they may reach,
#: in their widths; and how blurred, beside the distance of a claim, a derivative may be that is to tell.
UNSEEN, FAR, SHARP = 0.25, 4.0, 0.25

#: Slack of two derivatives, beside the width of all or the claim's distance, up to which it is seen that they are one.
DISTINCT = 0.01

#: Points beside that have to share a derivative for it to be one of few: blurred ones agree in pairs by accident.
SHARED = 4


@dataclass(frozen=True)
class Gap:
    """One weighted output along one direction: pieces' derivatives less the claim, each up to its tolerance.

    Parameters
    ----------
    claim : float
    rest, slack : ndarray, shape (pieces,)
        Derivatives less the claim, and how far off they may be. The first two are those from the right and the left,
        or one that stands for both.
    between : bool
        Whether the pieces are those of several outputs, of which any combination may be right.
    own : int
        How many are of the direction itself; the others are of points beside.
    lone : float
        Share of the points beside whose derivative is that of too few others.
    open : bool
        Whether there may be pieces, not seen or not sharply, that explain the claim.
    """

    claim: float
    rest: Array
    slack: Array
    between: bool = False
    own: int = 2
    lone: float = 0.0
    open: bool = False

    def distance(self, policy: str) -> float:
        """How far the claim is from what the policy accepts; 0 where it is not."""
        if policy == "one_sided" and not self.between:
            return float(np.maximum(np.abs(self.rest) - self.slack, 0.0).min())
        low, high = float((self.rest - self.slack).min()), float((self.rest + self.slack).max())
        return max(low, -high, 0.0)

    def joined(self, rest: Array, slack: Array) -> Gap:
        """With more pieces."""
        return replace(self, rest=np.append(self.rest, rest), slack=np.append(self.slack, slack))

    @property
    def sharpness(self) -> float:
        """What could have been seen along the direction itself."""
        return float(self.slack[: self.own].max())

    def hidden(self, policy: str) -> bool:
        """Whether pieces that were not seen may explain a claim that none of those explains that were.

        Beyond the outermost there may be others if it was met but once, at a point beside; between them, if many were.
        """
        away = self.distance(policy)
        if away == 0 or self.open:
            return self.open
        low, high = self.rest - self.slack, self.rest + self.slack
        if low.min() <= 0 <= high.max():
            return self.lone > UNSEEN
        out = self.rest if self.rest.min() > 0 else -self.rest
        end = int(np.argmin(out))
        alike = np.abs(out - out[end]) <= self.slack + self.slack[end]
        # blurred ones agree with anything
        own = np.maximum(self.slack, self.slack[end]) - self.sharpness
        distinct = own <= DISTINCT * max(self.width, away)
        ended = end < self.own and (self.spans or self.lone <= UNSEEN)
        return not ended and int((alike & distinct).sum()) < SHARED and away <= FAR * self.width

    @property
    def spans(self) -> bool:
        """Whether nothing beside is beyond either side of the direction, as of an f that is convex along it.

        Of pieces without order, one of n (n + 1) / 2 pairs is that by chance, for n points beside.
        """
        return max(int(np.argmin(self.rest)), int(np.argmax(self.rest))) < self.own

    @property
    def within(self) -> bool:
        """Whether no derivative beside is beyond both sides of the direction, by more than it may be off."""
        low, high = self.rest - self.slack, self.rest + self.slack
        own = slice(0, self.own)
        return bool((high >= self.rest[own].min()).all() and (low <= self.rest[own].max()).all())

    @property
    def width(self) -> float:
        """Between the outermost pieces."""
        return float(np.ptp(self.rest))

    @property
    def bends(self) -> bool:
        """Whether there is more than one piece."""
        return self.width > 2 * float(self.slack.max())


@dataclass
class Look:
    """f along one direction, and the bests of both sides for every output and segment."""

    sides: Sides
    sizes: Array | float
    known: dict[tuple[int, int], Side] = field(default_factory=dict)
    near: list[Beside] | None = None

    def side(self, exponent: int, side: int) -> Side:
        """What one segment says, read once."""
        if (exponent, side) not in self.known:
            self.known[exponent, side] = self.sides.known(exponent, side)
        return self.known[exponent, side]

    def bound(self, weights: Array, exponent: int) -> float:
        """Of a weighted sum of outputs, from both sides, or the only one on which f is."""
        bounds = [self.side(exponent, side).bound for side in self.there(weights)]
        with np.errstate(invalid="ignore"):
            return float(sum((np.abs(weights) * np.where(weights, b, 0.0)).sum() for b in bounds))

    def there(self, weights: Array) -> tuple[int, ...]:
        """Sides on which all of these outputs are finite somewhere."""
        on = weights != 0
        return tuple(s for s in (1, -1) if not self.sides.ends(s)[on].any())

    def bending(self) -> Array:
        """Outputs whose derivatives from both sides are known and are not one."""
        apart, allowed = self.apart()
        with np.errstate(invalid="ignore"):
            return np.asarray(apart > allowed)

    def unknown(self) -> Array:
        """Outputs whose derivatives are not known from both sides."""
        return ~np.isfinite(self.apart()[1])

    def apart(self) -> tuple[Array, Array]:
        """How far the derivatives from both sides are apart, and what they may be off by together.

        On one segment: the steps of another are another direction.
        """
        size = self.sides.flat.size
        if not self.sides.exponents:
            return np.zeros(size), np.full(size, np.inf)
        pairs = [(self.side(e, 1), self.side(e, -1)) for e in self.sides.exponents]
        bounds = np.array([right.bound + left.bound for right, left in pairs])
        apart = np.array([np.abs(right.value - left.value) for right, left in pairs])
        best, all_ = np.argmin(bounds, axis=0), np.arange(size)
        return apart[best, all_], bounds[best, all_]


def lonely(rest: Array, slack: Array, sharp: float) -> int:
    """How many are those of too few others, within what both may be off by and if that is sharp enough to tell."""
    if not rest.size:
        return 0
    both = slack[:, None] + slack[None, :]
    alike = (np.abs(rest[:, None] - rest[None, :]) <= both) & (both <= 2 * sharp)
    np.fill_diagonal(alike, True)
    return int((alike.sum(axis=1) < SHARED).sum())
