"""What the mistake looks like: the one known mistake that explains the whole difference, if one does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

import numpy as np

from gradcheck.estimate import Array
from gradcheck.mistakes import LOOSE, MISTAKES, Mistake
from gradcheck.turns import Clues, Context, Map, Suspect, Turn, box, on_border

DIGITS = 6.0
"""Decimal digits in which a mistake's prediction must agree, over all elements or probes together. A wrong
one agrees in d digits by chance with probability 10^−d, and up to a few hundred are tried."""

CLOSE = 1e-10
"""How well two float64 programs of one gradient agree, relative to its size: rounding of thousands of terms
with room to spare. What differs by less is the same."""

DIRECTIONS = 3
"""Directions along which a suspect has to agree; in float16 each tells no more than three digits."""

SHOWN = 2
"""Ties that a sentence mentions."""

COINCIDENT = frozenset({"divided by size", "times size"})
"""Not mentioned as ties: some size or other is nearly always the number that a plainer mistake names."""

EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)

UNKNOWN = "no single known mistake explains it"
NOT_ZERO = ("not zero", "not zero, where the right gradient is zero everywhere")

Probe = tuple[Array, float, float]
"""A direction, the right derivative along it, and its bound."""


@dataclass(frozen=True)
class Diagnosis:
    """What was claimed, in the terms of what would have been right.

    Parameters
    ----------
    sentence : str
        What the claimed gradient looks like, or where it is wrong.
    mistakes : tuple of (name, sentence)
        Every known mistake that explains the numbers (`mistakes.MISTAKES`, `mistakes.LOOSE`, the operation's
        suspects), the simplest first, those of a free place or number last; none where no single one does.
    ties : tuple of str
        The sentences of other mistakes, with nothing free, that explain the same numbers.
    """

    sentence: str
    mistakes: tuple[tuple[str, str], ...] = ()
    ties: tuple[str, ...] = ()

    @property
    def name(self) -> str | None:
        """Of the simplest mistake that explains it; None where none does."""
        return self.mistakes[0][0] if self.mistakes else None

    def __str__(self) -> str:
        return self.sentence + "".join(f"; or {tie}" for tie in self.ties[:SHOWN])


class _Evidence(Protocol):
    """What the right gradient is known by: all its elements, or a few directional derivatives."""

    def digits(self, turn: Turn) -> tuple[float, str]:
        """Digits in which a turn agrees (−1: it does not), and its detail."""


def diagnose(
    claimed: Array, right: Array, *, bound: Array | float, context: Context | None = None
) -> Diagnosis | None:
    """The simplest known mistake that explains every element; None where nothing is wrong.

    Parameters
    ----------
    claimed, right : ndarray of one shape
        The gradient that was claimed, and a numeric one, measured in full.
    bound : float or ndarray of that shape
        On the error of both together.
    context : Context, optional

    Examples
    --------
    >>> right = np.arange(12.0).reshape(3, 4) ** 2
    >>> str(diagnose(right[::-1, ::-1], right, bound=1e-9))
    'the right gradient turned by 180 degrees in its last two axes'
    >>> diagnose(right, right, bound=1e-9) is None
    True
    """
    claimed, right = np.asarray(claimed, dtype=float), np.asarray(right, dtype=float)
    bound = np.broadcast_to(np.asarray(bound, dtype=float), claimed.shape)
    wrong = ~(np.abs(claimed - right) <= bound)
    if not wrong.any():
        return None
    evidence = _Measured(claimed, right, bound)
    if np.all(np.abs(right) <= bound) and evidence.clearly(wrong) >= DIGITS:
        clues = Clues(claimed, context or Context(), right, wrong)
        return _named([NOT_ZERO, *_fitting(MISTAKES, clues, evidence), *_suspected(clues)])
    if np.isfinite(claimed).all():
        found = _explain(Clues(claimed, context or Context(), right, wrong), evidence)
        if found is not None:
            return found
    return Diagnosis(f"{UNKNOWN}; {_place(wrong)}")


def diagnose_by_probes(
    claimed: Array,
    probe: Callable[[Array], tuple[float, float]],
    *,
    context: Context | None = None,
    seed: int = 0,
    count: int = 3,
    known: Sequence[Probe] = (),
) -> Diagnosis | None:
    """The same for a gradient too large to be measured: explained is what every probe agrees with.

    Mistakes that lose something (shifted, masked, one element) cannot be undone, and so are not seen here.

    Parameters
    ----------
    claimed : ndarray
    probe : callable
        probe(direction) -> (right directional derivative, bound on its error and on the claim's rounding).
    context : Context, optional
    seed, count : int
        Of the Gaussian directions probed, and how many.
    known : sequence of (direction, value, bound)
        Probes that have been paid for already.
    """
    claimed = np.asarray(claimed, dtype=float)
    rng = np.random.default_rng(seed)
    directions = [rng.standard_normal(claimed.shape) for _ in range(count)]
    probes = [*known, *((v, *probe(v)) for v in directions)]
    if all(abs(_dot(claimed, v) - value) <= bound for v, value, bound in probes):
        return None
    if np.isfinite(claimed).all():
        found = _explain(Clues(claimed, context or Context()), _Probed(claimed, probes))
        if found is not None:
            return found
    return Diagnosis("no single known mistake that can be undone explains it")


def _named(strict: Sequence[tuple[str, str]], loose: Sequence[tuple[str, str]] = ()) -> Diagnosis:
    (_, first), *_ = mistakes = (*strict, *loose)
    told = (s for name, s in strict if s != first and name not in COINCIDENT)
    return Diagnosis(first, mistakes, tuple(dict.fromkeys(told)))


def _explain(clues: Clues, evidence: _Evidence) -> Diagnosis | None:
    """The plainest first; a looser one, which may fit by its free number, only after all others."""
    strict = [*_fitting(MISTAKES, clues, evidence), *_suspected(clues)]
    loose = list(_fitting(LOOSE, clues, evidence))[:1]
    return _named(strict, loose) if strict or loose else None


def _suspected(clues: Clues) -> Iterator[tuple[str, str]]:
    """Suspects whose gradient is the claimed one along a few directions: no element has to be measured."""
    rng = np.random.default_rng(0)
    directions = [rng.standard_normal(clues.claimed.shape) for _ in range(DIRECTIONS)]
    with np.errstate(all="ignore"):
        for suspect in clues.context.suspects:
            if _digits_along(clues, suspect, directions) >= DIGITS:
                yield suspect.name, suspect.sentence


def _digits_along(clues: Clues, suspect: Suspect, directions: Sequence[Array]) -> float:
    """Digits in which a suspect agrees with the claim; −1 at the first direction along which it does not."""
    digits = 0.0
    for direction in directions:
        terms = clues.claimed * direction
        size = _norm(terms)
        allowed = CLOSE * size + 3 * _norm(clues.context.rounding * direction)
        if not abs(suspect.slope(direction) - float(np.sum(terms))) <= allowed or size == 0:
            return -1.0
        digits += max(0.0, float(np.log10(size / max(allowed, TINY))))
    return digits


def _fitting(table: Iterable[Mistake], clues: Clues, evidence: _Evidence) -> Iterator[tuple[str, str]]:
    for mistake in table:
        for turn in mistake.turns(clues):
            digits, detail = evidence.digits(turn)
            if digits >= DIGITS:
                yield mistake.name, mistake.sentence(detail)


class _Measured(NamedTuple):
    """Every element of the right gradient is known."""

    claimed: Array
    right: Array
    bound: Array

    def digits(self, turn: Turn) -> tuple[float, str]:
        with np.errstate(all="ignore"):
            if turn.basis is not None:
                return self._with_number(turn.basis)
            if turn.inverse is not None:
                undone = turn.inverse(self.claimed)
                spread = self._through(turn.inverse, self.claimed, undone)
                return self._agreement(undone - self.right, spread, undone), turn.detail
            if turn.forward is not None:
                done = turn.forward(self.right)
                spread = self._through(turn.forward, self.right, done)
                return self._agreement(done - self.claimed, spread, done, turn.copied), turn.detail
            assert turn.known is not None
            return self._agreement(turn.known - self.claimed, 0.0, turn.known), turn.detail

    def _through(self, turn: Map, before: Array, after: Array) -> Array:
        """What the bound becomes by a turn, linear or not; and the bound itself, where sums cancel it."""
        up, down = (np.abs(turn(before + sign * self.bound) - after) for sign in (1, -1))
        spread: Array = self.bound + np.maximum(up, down)
        return spread

    def _agreement(
        self,
        difference: Array,
        spread: Array | float,
        size: Array,
        copied: Array | None = None,
        free: int = 0,
    ) -> float:
        """Digits of the agreement but for elements copied from the claim; −1 where it does not agree."""
        allowed = self.bound + spread + 16 * EPS * np.abs(size)
        if not np.all(np.abs(difference) <= allowed):
            return -1.0
        return self.clearly(True if copied is None else ~copied, allowed, free)

    def clearly(self, where: Array | bool, allowed: Array | None = None, free: int = 0) -> float:
        """Σ log10(size of an element / what it may be off by), less the `free` elements that tell most."""
        scale = np.maximum(np.abs(self.right), np.abs(self.claimed))
        ratio = np.maximum(scale, TINY) / np.maximum(self.bound if allowed is None else allowed, TINY)
        each = np.sort(np.where(where, np.log10(ratio), 0).clip(0).ravel())
        return float(np.sum(each[: each.size - free]))

    def _with_number(self, basis: Array) -> tuple[float, str]:
        """μ from the element that tells it best, then asked of all the others."""
        missing = self.right - self.claimed
        best = np.unravel_index(
            np.argmax(np.abs(basis) / np.maximum(self.bound, EPS * np.abs(basis))), basis.shape
        )
        number = float(missing[best] / basis[best])
        error = abs(float(self.bound[best] / basis[best]))
        if not math.isfinite(number + error):  # the element was not measured, or the basis is zero
            return -1.0, ""
        spread = error * np.abs(basis) + 16 * EPS * np.abs(self.claimed)
        left = missing - number * basis
        return self._agreement(left, spread, number * basis, free=1), _name_number(
            basis is self.claimed, number, error
        )


class _Probed(NamedTuple):
    """A few directional derivatives of the right gradient are known."""

    claimed: Array
    probes: Sequence[Probe]

    def digits(self, turn: Turn) -> tuple[float, str]:
        with np.errstate(all="ignore"):
            if turn.basis is not None:
                return self._with_number(turn.basis)
            if turn.inverse is not None:
                undone = turn.inverse(self.claimed)
                gain = max(1.0, _norm(undone) / max(_norm(self.claimed), TINY))
                return self._agreement(self._left(undone, p, gain) for p in self.probes), turn.detail
            if turn.known is not None and np.array_equal(turn.known, self.claimed):
                return np.inf, turn.detail
            return -1.0, ""

    def _left(self, array: Array, probe: Probe, gain: float) -> tuple[float, float, float]:
        """What of a probe's number an array leaves unexplained; what it may; the size of the number."""
        direction, value, bound = probe
        terms = _norm(array) * _norm(direction)  # at least Σ|array||direction|
        return _dot(array, direction) - value, gain * bound + 16 * EPS * terms, abs(value)

    def _agreement(self, each: Iterable[tuple[float, float, float]], free: int = 0) -> float:
        """Digits of the agreement; −1 where it does not agree, at the first probe that says so."""
        digits = []
        for left, allowed, size in each:
            if not abs(left) <= allowed:
                return -1.0
            digits.append(max(0.0, float(np.log10(max(size, TINY) / max(allowed, TINY)))))
        return float(sum(sorted(digits)[: len(digits) - free]))

    def _with_number(self, basis: Array) -> tuple[float, str]:
        """μ from the probe that tells it best, then asked of the others."""
        lefts = [self._left(self.claimed, probe, 1.0) for probe in self.probes]
        along = [_dot(basis, direction) for direction, _, _ in self.probes]
        told = [abs(a) / max(allowed, TINY) for a, (_, allowed, _) in zip(along, lefts, strict=True)]
        best = int(np.argmax(told))
        if not 0 < told[best] < math.inf:  # no probe tells it
            return -1.0, ""
        number, error = -lefts[best][0] / along[best], abs(lefts[best][1] / along[best])
        each = [
            (left + number * a, allowed + error * abs(a) + 16 * EPS * abs(number * a), size)
            for a, (left, allowed, size) in zip(along, lefts, strict=True)
        ]
        return self._agreement(each, free=1), _name_number(basis is self.claimed, number, error)


def _dot(a: Array, b: Array) -> float:
    """Not np.vdot, whose threads cost more than the sum where they are not free."""
    return float(np.sum(a * b))


def _norm(a: Array) -> float:
    return float(np.sqrt(_dot(a, a)))


def _name_number(factor: bool, number: float, error: float) -> str:
    """The number in the sentence: right = claimed + number·basis, so claimed = right − number·basis.

    As a factor, claimed = right/(1 + number): a simple fraction where one lies within the error.
    """
    if not factor:
        return f"{-number:.4g}"
    if number == -1:
        return "infinity: the right one is zero"
    value = 1 / (1 + number)
    simple = Fraction(value).limit_denominator(100)
    exact = abs(float(simple) - value) <= value * value * error + 16 * EPS * abs(value)
    return f"{value:.5g}" + (f" ({simple})" if exact and simple.denominator > 1 else "")


def _place(wrong: Array) -> str:
    """Where it is wrong, in words."""
    count = f"{int(np.sum(wrong))} of {wrong.size} elements"
    if wrong.all():
        return f"wrong in all of its {wrong.size} elements" if wrong.size > 1 else "wrong in its one element"
    if any(np.ptp(indices) == 0 for indices in np.nonzero(wrong)):
        return f"wrong in {count}, all in {box(wrong)}"
    if on_border(wrong):
        return f"wrong in {count}, all on the border of its last two axes"
    return f"wrong in {count}, scattered"
