"""Conduct and rounding of a map that ought to be linear: a pushforward, a Hessian product, an operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.answer import same_bits, wide
from gradcheck.conduct import Fault
from gradcheck.estimate import Array
from gradcheck.number import finfo, is_real
from gradcheck.recall import brief
from gradcheck.rounding import apart, cap, eps_of, largest, rounding, ulps

#: Draws of moved arguments, the largest of whose deviations counts.
DRAWS = 3


@dataclass(frozen=True)
class Answer:
    """What `examine` saw.

    Parameters
    ----------
    faults : tuple of Fault
    value : ndarray or None
        The first answer as float64, shape `shape`; None where it was not usable.
    rounding : ndarray or None
        Element by element how much of it may be rounding.
    calls : int
    """

    faults: tuple[Fault, ...]
    value: Array | None
    rounding: Array | None
    calls: int


def examine(
    function: Callable[..., Any],
    argument: Array,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    *,
    inputs: Sequence[Array] = (),
    who: str = "the map",
    of: str = "its argument",
    index: int | None = None,
) -> Answer:
    """Faults of `function(argument, *inputs)` as a map linear in `argument`, its value, and its rounding.

    Parameters
    ----------
    function : callable
        function(argument, *inputs) -> ndarray of `shape`. An exception of its first call is the caller's.
    argument : ndarray
    shape : tuple of int
        Wanted of the answer.
    rng : Generator
        Of the moves of the arguments and the split of `argument`.
    inputs : sequence of ndarray
        In which the map need not be linear.
    who, of, index : str, str, int or None
        The function, its argument, and the input that faults concern, for messages.

    Examples
    --------
    >>> v, rng = np.array([1.0, -2.0]), np.random.default_rng(0)
    >>> examine(lambda v: 3 * v, v, (2,), rng).faults
    ()
    >>> [fault.kind for fault in examine(np.abs, v, (2,), rng).faults]
    ['linear']
    """
    exam = _Exam(function, argument, tuple(inputs), shape, who, of, index)
    first = exam.first()
    if first is None:
        return Answer(tuple(exam.faults), None, None, exam.calls)
    measured = exam.measure(first, rng)
    exam.see_zero()
    return Answer(tuple(exam.faults), first, measured, exam.calls)


@dataclass
class _Exam:
    function: Callable[..., Any]
    argument: Array
    inputs: tuple[Array, ...]
    shape: tuple[int, ...]
    who: str
    of: str
    index: int | None
    faults: list[Fault] = field(default_factory=list)
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float64))
    calls: int = 0

    def fail(self, kind: str, *lines: str) -> None:
        self.faults.append(Fault(kind, "fail", self.index, "\n  ".join(lines)))

    def call(self, argument: Array, inputs: Sequence[Array]) -> Array:
        """A further answer; NaN where it is not of the wanted shape."""
        self.calls += 1
        with np.errstate(all="ignore"):
            answer = np.asarray(self.function(argument.copy("K"), *[x.copy("K") for x in inputs]))
        return wide(answer.copy()) if answer.shape == self.shape else np.full(self.shape, np.nan)

    def first(self) -> Array | None:
        """The first answer, if it is of the right form and finite; what it wrote into is noticed."""
        self.calls += 1
        given = [self.argument.copy("K"), *(x.copy("K") for x in self.inputs)]
        with np.errstate(all="ignore"):
            answer = np.asarray(self.function(*given))
        names = [self.of, *(f"input {i}" for i in range(len(self.inputs)))]
        for name, now, was in zip(names, given, (self.argument, *self.inputs), strict=True):
            changed = ~same_bits(now, was)
            if changed.any():
                seen = f"{int(changed.sum())} of {was.size} elements differ after the call, wanted 0"
                self.fail("mutation", f"{self.who} writes into {name}", seen)
        if answer.shape != self.shape:
            seen = f"shape {answer.shape}, wanted {self.shape}"
            self.fail("form", f"{self.who} of {self.of} has the wrong shape", seen)
            return None
        if not is_real(answer.dtype):
            seen = f"dtype {answer.dtype}, wanted real floating numbers"
            self.fail("form", f"{self.who} of {self.of} has the wrong dtype", seen)
            return None
        if not np.isfinite(answer).all():
            bad = int((~np.isfinite(answer)).sum())
            seen = f"{bad} of {answer.size} elements are NaN or infinite; all arguments are finite"
            self.fail("finite", f"{self.who} of {self.of} is not finite", seen)
            return None
        self.dtype = answer.dtype
        return wide(answer.copy())

    def measure(self, first: Array, rng: np.random.Generator) -> Array:
        """The rounding, from answers that ought to be the first again; those that cannot be are faults."""
        scaled = apart(self.scaled(), first)
        parts = self.parts(rng)
        split = apart(parts[0] + parts[1], first)
        moved = np.max([apart(self.moved(rng), first) for _ in range(DRAWS)], axis=0)
        eps = eps_of(np.empty(0, self.dtype), self.argument)
        most = cap(max(largest(a) for a in (first, *parts)), eps, 0.0)
        grain = 8 * float(finfo(self.dtype).smallest_subnormal)
        if (scaled > grain / eps).any() and (scaled > eps * np.abs(first)).any():
            self.not_again(first, scaled)
        elif (split > most + grain).any():
            self.not_linear(split, "split into two that add up to it", f"{most:.1e} allowed for rounding")
        measured = rounding(first.astype(self.dtype), (moved, np.minimum(split, most)), eps, most)
        return np.asarray(measured)

    def scaled(self) -> Array:
        """The map of −16 times the argument, over −16: the same bits, whatever its rounding."""
        return self.call((self.argument * -16).astype(self.argument.dtype), self.inputs) / -16

    def parts(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """The map of two arguments of disjoint support, that add up exactly."""
        mask = (rng.permutation(self.argument.size) % 2 == 0).reshape(self.argument.shape)
        halves = [np.where(m, self.argument, 0).astype(self.argument.dtype) for m in (mask, ~mask)]
        return self.call(halves[0], self.inputs), self.call(halves[1], self.inputs)

    def moved(self, rng: np.random.Generator) -> Array:
        """(m(3v, x + d)/3 + m(5v, x − d)/5)/2, to which the slope in x contributes nothing."""
        steps = [ulps(x, rng) for x in self.inputs]
        total = np.zeros(self.shape)
        for odd, sign in ((3, 1), (5, -1)):
            inputs = [x + sign * d for x, d in zip(self.inputs, steps, strict=True)]
            total = total + self.call((self.argument * odd).astype(self.argument.dtype), inputs) * (0.5 / odd)
        return total

    def not_again(self, first: Array, deviation: Array) -> None:
        """Another answer to the same arguments is not repeatable; otherwise it was the scale."""
        change = apart(self.call(self.argument, self.inputs), first)
        if change.any():
            seen = f"{int((change > 0).sum())} of {change.size} elements change, by up to {change.max():.1e}"
            self.fail("repeat", f"{self.who} of {self.of} is another at a second call", seen)
        else:
            self.not_linear(deviation, "scaled by −16", "a power of two changes no bit")

    def not_linear(self, deviation: Array, how: str, rule: str) -> None:
        seen = f"off by up to {deviation.max():.1e} with {self.of} {how}"
        self.fail("linear", f"{self.who} is not linear in {self.of}", seen, rule)

    def see_zero(self) -> None:
        """Exactly zero for zero."""
        try:
            answer = self.call(np.zeros_like(self.argument), self.inputs)
        except Exception as error:
            self.fail("zero", f"{self.who} fails for zero {self.of}", f"raised {brief(error)}")
            return
        if (answer != 0).any() and not any(fault.kind == "linear" for fault in self.faults):
            self.fail("zero", f"{self.who} of zero {self.of} is not 0", f"{answer[answer != 0][0]:.3g} seen")
