"""Conduct: what a vjp owes its caller beside the right numbers, and how much of its answer is rounding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gradcheck.answer import gradient_of, listed, memory_faults, same_bits, wide
from gradcheck.estimate import Array
from gradcheck.glance import QUIET, Glance, glance, is_many
from gradcheck.number import finfo, is_inexact
from gradcheck.recall import Gradients, Recall, brief
from gradcheck.rounding import SAFETY, apart, cap, eps_of, largest, rounding
from gradcheck.surroundings import disturbed, surroundings

Severity = Literal["fail", "note"]


@dataclass(frozen=True)
class Fault:
    """One thing that a vjp owes its caller and does not keep.

    Parameters
    ----------
    kind : str
        "form", "dtype", "mutation", "read-only", "memory", "overwritten", "finite", "repeat", "linear",
        "zero", "layout", "raises", "global" or "rounding".
    severity : str
        "fail", or "note" for what a caller may live with.
    input : int or None
        The input whose gradient it concerns; None where it concerns all of them.
    message : str
        Who and what, observed beside wanted, the rule.
    """

    kind: str
    severity: Severity
    input: int | None
    message: str


@dataclass(frozen=True)
class Conduct:
    """What `examine` saw.

    Parameters
    ----------
    faults : tuple of Fault
    gradients : tuple of (ndarray or None)
        Copies of the first call's answer, one for each input; None where not offered or not usable.
    rounding : tuple of (ndarray or None)
        Element by element, in the gradient's units: how much of it may be rounding (measured, capped).
    calls : int
        Calls of the vjp that it cost: 11, or 3 to 5 with many elements, where nothing had to be told apart.
    part : tuple of (ndarray or None), optional
        The answer to a part of the cotangent, where that was asked for and proved to be as good as any other.
    """

    faults: tuple[Fault, ...]
    gradients: tuple[Array | None, ...]
    rounding: tuple[Array | None, ...]
    calls: int = 0
    part: tuple[Array | None, ...] | None = None

    @property
    def failed(self) -> bool:
        """Whether any fault is more than a note."""
        return any(fault.severity == "fail" for fault in self.faults)


def examine(
    vjp: Callable[..., Any],
    cotangent: npt.ArrayLike,
    inputs: Sequence[npt.ArrayLike],
    *,
    seed: int = 0,
    names: Sequence[str] | None = None,
    finite_output: bool = True,
    magnitude: float = 0.0,
    strict: bool = False,
    part: Array | None = None,
    measured: bool = False,
    interest: float = math.inf,
) -> Conduct:
    """Faults of a vjp's conduct, its first answer, and the measured rounding of that answer.

    Nothing is compared with a numeric derivative: a wrong gradient of good conduct has no faults here. The
    first call gets the caller's own arrays, which are restored where the vjp writes into them; later calls
    get copies. An exception of the first call is left to the caller; one of a later call is a fault.

    Parameters
    ----------
    vjp : callable
        vjp(cotangent, *inputs) -> one gradient for each input (None: not offered), or a bare array for one.
    cotangent : ndarray, shape of the output
    inputs : sequence of ndarray
    seed : int
        Of the moves of the inputs and of the split of the cotangent.
    names : sequence of str, optional
        Of the inputs, for messages.
    finite_output : bool
        Whether the function is finite at the inputs; where it is not, its gradient need not be.
    magnitude : float
        Σ|cotangent ∘ output| where known: the scale of the terms that cancel in a gradient that is zero.
    strict : bool
        Whether shared, stride-0 and read-only results, and changes of global state, are failures (else notes).
    part : ndarray, shape of the output, optional
        What of the cotangent to ask for by itself where there are many elements: equal to it, or 0. By default a
        random tenth.
    measured : bool
        Whether to measure the rounding alone, and to spare the calls that look for faults.
    interest : float
        Error of interest, relative to a gradient's norm. A gradient that differs from itself by more at another scale
        of the cotangent, a power of two, which rounds no number otherwise, is a failure however few digits there are.

    Examples
    --------
    >>> x, c = np.array([1.0, 2.0]), np.array([0.5, -1.0])
    >>> examine(lambda c, x: c * np.cos(x), c, (x,)).faults
    ()
    >>> [fault.kind for fault in examine(lambda c, x: np.abs(c) * np.cos(x), c, (x,)).faults]
    ['linear']
    """
    arrays = tuple(np.asarray(x) for x in inputs)
    labels = tuple(names) if names is not None else tuple(f"input {i}" for i in range(len(arrays)))
    exam = _Exam(vjp, _floating(cotangent), arrays, labels, magnitude, "fail" if strict else "note", interest)
    recall = exam.begin(np.random.default_rng(seed))
    if any(gradient is not None for gradient in exam.first):
        exam.see_memory()
        exam.see_finite(finite_output)
        seen = exam.glanced(recall, part) if is_many(exam.offers()) else None
        if seen is None:
            exam.see_linear(recall, measured=measured)
            if is_many(exam.offers()) and not measured:
                exam.see_refilled(recall)
        if not measured and not (seen and seen.zero):
            exam.see_zero(recall)
        exam.see_refusals(recall)
        exam.see_overwritten()
        exam.restore(late=True)
    kept = None if exam.part is None else tuple(exam.part)
    return Conduct(tuple(exam.faults), tuple(exam.first), tuple(exam.rounding), recall.calls, kept)


@dataclass
class _Exam:
    """One examination: the vjp, its arguments, and what has been seen so far."""

    vjp: Callable[..., Any]
    cotangent: Array
    inputs: tuple[Array, ...]
    names: tuple[str, ...]
    magnitude: float
    manners: Severity = "note"
    interest: float = math.inf
    faults: list[Fault] = field(default_factory=list)
    first: Gradients = field(default_factory=list)
    returned: list[Any] = field(default_factory=list)
    rounding: Gradients = field(default_factory=list)
    before: list[bytes] = field(default_factory=list)
    part: Gradients | None = None

    def add(self, kind: str, severity: Severity, i: int | None, *lines: str) -> None:
        self.faults.append(Fault(kind, severity, i, "\n  ".join(lines)))

    def offered(self) -> Iterator[tuple[int, str, Array]]:
        """Index, name and first gradient of every input that has one."""
        for i, (name, gradient) in enumerate(zip(self.names, self.first, strict=True)):
            if gradient is not None:
                yield i, f"gradient of {name}", gradient

    @cached_property
    def sizes(self) -> list[tuple[float, float]]:
        """The largest element of each first gradient, 0 for none, and of its input."""
        pairs = zip(self.first, self.inputs, strict=True)
        return [(0.0 if g is None else largest(g), largest(x)) for g, x in pairs]

    def offers(self) -> tuple[Array, ...]:
        """The gradients of the first answer."""
        return tuple(gradient for _, _, gradient in self.offered())

    # The first call

    def begin(self, rng: np.random.Generator) -> Recall:
        """Call with the caller's own arrays, which are restored; what gives the further calls."""
        self.before = [a.tobytes() for a in (self.cotangent, *self.inputs)]
        around = surroundings()
        self.returned, complaint = listed(self.vjp(self.cotangent, *self.inputs), self.inputs)
        for name in disturbed(around):
            self.add(
                "global",
                self.manners,
                None,
                f"vjp changes {name}",
                "another after the call than before",
                _OWN,
            )
        if complaint:
            self.add("form", "fail", None, *complaint)
        self.first = [self.usable(i, g) for i, g in enumerate(self.returned)]
        self.rounding = [None] * len(self.inputs)
        self.restore()
        return Recall(self.vjp, self.cotangent, self.inputs, self.first, rng)

    def usable(self, i: int, returned: Any) -> Array | None:
        """A copy of one returned gradient, or None and a fault."""
        if returned is None:
            return None
        name, x = f"gradient of {self.names[i]}", self.inputs[i]
        gradient, complaint = gradient_of(returned, x)
        if complaint:
            self.add("form", "fail", i, f"{name}: {complaint[0]}", *complaint[1:])
            return None
        if is_inexact(x.dtype) and finfo(gradient.dtype).eps > finfo(x.dtype).eps:
            # a note: a caller can use it, and the comparison finds out whether its digits suffice
            seen = f"gradient.dtype = {gradient.dtype}, input.dtype = {x.dtype}"
            self.add("dtype", "note", i, f"{name} is coarser than its input", seen)
        return gradient.copy()

    def restore(self, *, late: bool = False) -> None:
        """Put back, bit by bit, what the vjp has written into the caller's arrays; later calls got copies."""
        when = "later calls, of other arrays" if late else "the call"
        for i, (array, was) in enumerate(
            zip((self.cotangent, *self.inputs), self.before, strict=True), start=-1
        ):
            old = np.frombuffer(was, array.dtype).reshape(array.shape)
            if same_bits(array, old).all():
                continue
            seen = f"{_count(~same_bits(array, old))} differ after {when}, wanted 0; restored"
            array[...] = old
            what = self.names[i] if i >= 0 else "the cotangent"
            self.add("mutation", "fail", i if i >= 0 else None, f"vjp writes into {what}", seen)

    def mutates(self) -> bool:
        return any(fault.kind == "mutation" for fault in self.faults)

    # What one answer shows

    def see_memory(self) -> None:
        """Results that share memory, that repeat one element by stride 0, or that cannot be written to."""
        held = [("the cotangent", self.cotangent), *zip(self.names, self.inputs, strict=True)]
        rule = "adding to it in place fails, or changes more than it: a gradient owns its memory"
        for i, name, _ in self.offered():
            gradient = self.returned[i]
            if isinstance(gradient, np.ndarray):
                for what in memory_faults(gradient, held):
                    self.add("memory", self.manners, i, f"{name} {what}", rule)
                held.append((f"the {name}", gradient))

    def see_finite(self, finite_output: bool) -> None:
        """NaN or infinity where arguments and output are finite; a vertical tangent (sqrt at 0) too."""
        if not finite_output or not all(np.isfinite(a).all() for a in (self.cotangent, *self.inputs)):
            return
        for i, name, gradient in self.offered():
            bad = ~np.isfinite(gradient)
            if bad.any():
                seen, rule = _example(gradient, bad), "inputs, cotangent and output are finite"
                self.add("finite", "fail", i, f"{name} is not finite", seen, rule)

    def see_overwritten(self) -> None:
        """An earlier answer that later calls have changed: one buffer, returned each time."""
        rule = "a result belongs to its caller: return a new array at each call"
        for i, name, gradient in self.offered():
            changed = ~same_bits(np.asarray(self.returned[i]), gradient)
            if changed.any() and not self.mutates():
                self.add("overwritten", "fail", i, f"{name} changes at later calls", _count(changed), rule)

    def see_zero(self, recall: Recall) -> None:
        """Exactly zero for a zero cotangent, 0·NaN included."""
        try:
            answer = recall.plain(np.zeros_like(self.cotangent))
        except Exception as error:
            self.add("zero", "fail", None, "vjp fails for a zero cotangent", f"raised {brief(error)}")
            return
        for i, name, gradient in self.offered():
            now = np.asarray(answer[i])
            bad = np.isfinite(gradient) & (now != 0)
            if bad.any():
                self.add("zero", "fail", i, f"{name} is not 0 for a zero cotangent", _example(now, bad))

    def see_refusals(self, recall: Recall) -> None:
        """Calls that raised; that a vjp which writes into its arguments refuses read-only ones is no news."""
        for kind, lines in recall.refusals:
            if not (kind == "read-only" and self.mutates()):
                self.add(kind, "fail", None, *lines)

    # What further calls show

    def glanced(self, recall: Recall, part: Array | None) -> Glance | None:
        """A glance that shows nothing but rounding, which is then taken from it; None where it shows more."""
        seen = glance(recall, part)
        if seen is None:
            return None
        limits = {i: self.limits(i, gradient, recall) for i, _, gradient in self.offered()}
        if any((seen.spread[i] > QUIET * few).any() for i, (_, _, few) in limits.items()):
            return None
        if any(self.matters(i, seen.spread[i]) for i in limits):
            return None
        for i, _, gradient in self.offered():
            eps, most, _ = limits[i]
            self.rounding[i] = rounding(gradient, (seen.typical(i),), eps, most)
        self.part = seen.part
        return seen

    def see_linear(self, recall: Recall, *, measured: bool) -> None:
        """Judge the deviations of further calls from the first, and take the rounding from them."""
        scaled = [np.zeros(x.shape) for x in self.inputs] if measured else recall.scaled()
        moved, split = recall.moved(), recall.split()
        for i, name, gradient in self.offered():
            eps, most, few = self.limits(i, gradient, recall)
            scaled[i][np.abs(gradient) < float(finfo(gradient.dtype).tiny) / eps] = 0.0  # may underflow
            self.rounding[i] = rounding(gradient, (scaled[i], moved[i], split[i]), eps, most)
            if measured:
                continue
            if scaled[i].any():
                self.tell_repeat(i, scaled[i], most, few, recall)
            elif (split[i] > most).any():
                self.tell_layout(i, split[i], most, recall)
            elif self.matters(i, split[i], [answer[i] for _, _, answer in recall.parts]):
                self.tell_layout(i, split[i], 0.0, recall)
            if (moved[i] > most).any():
                rule = f"a tie or kink decided otherwise, or digits lost; {most:.1e} is called rounding"
                what = f"{name} moves with the last digits of the inputs"
                self.add("rounding", "note", i, what, _size(moved[i], moved[i] > most), rule)

    def see_refilled(self, recall: Recall) -> None:
        """An answer that is kept by the objects that were asked with: by then they hold other numbers."""
        for i, change in enumerate(recall.refilled()):
            if (change > QUIET * self.limits(i, change, recall)[2]).any():
                what = f"gradient of {self.names[i]} is that of what the arrays held before"
                self.add(
                    "repeat",
                    "fail",
                    i,
                    what,
                    _size(change, change > 0),
                    "with twice the cotangent in them, by half",
                )

    def matters(self, i: int, deviation: Array, parts: Sequence[Array | None] = ()) -> bool:
        """Whether a gradient differs from itself by what is an error of interest, beside it and its parts."""
        size = max(_norm(answer) for answer in (self.first[i], *parts) if answer is not None)
        return bool(_norm(deviation) > self.interest * size > 0)

    def limits(self, i: int, gradient: Array, recall: Recall) -> tuple[float, float, float]:
        """Unit ε; the most that may be rounding; what reordered sums may change from call to call.

        What may have cancelled: Σ|c ∘ f|, or another input's |gradient|·|input|, over the size of this input.
        """
        eps, own = eps_of(gradient, self.inputs[i]), self.sizes[i][1]
        others = (math.prod(self.sizes[j]) for j, _, _ in self.offered() if j != i)
        floor = max([self.magnitude, *others]) / own if own > 0 else 0.0
        parts = [answer[i] for _, _, answer in recall.parts]
        size = max([self.sizes[i][0], *(largest(part) for part in parts if part is not None)])
        grain = 8 * float(finfo(gradient.dtype).smallest_subnormal)
        return eps, cap(size, eps, floor) + grain, eps**0.75 * (size + floor) + grain

    def tell_repeat(self, i: int, deviation: Array, most: float, few: float, recall: Recall) -> None:
        """Not the first answer again, for the same arguments: not repeatable; otherwise not linear."""
        change = recall.repeated()[i]
        if change.any():
            severity: Severity = "fail" if change.max() > few else "note"
            rule = f"the same arguments give the same bits, or within {few:.1e} where sums are reordered"
            what = f"gradient of {self.names[i]} is another at a second call"
            self.add("repeat", severity, i, what, _size(change, change > 0), rule)
        elif self.matters(i, deviation):  # a power of two changes no digit
            self.not_linear(i, deviation, 0.0, "scaled by a power of two")
        elif (deviation > most).any() or (deviation > np.asarray(self.rounding[i])).any():
            self.not_linear(i, deviation, most, "scaled by a power of two")

    def tell_layout(self, i: int, deviation: Array, most: float, recall: Recall) -> None:
        """The parts again in plain memory: where they differ, it was the memory; otherwise not linear.

        Or neither, where the vjp loses that many digits on its way: what a part's answer owes to rounding
        shows in a third of the answer to three times it. Nothing but rounding can make them
        differ: a vjp that is not homogeneous has failed already, when scaled by a power of two.
        """
        lost = 0.0
        for how, cotangent, answer in recall.parts:
            plain, thirds = recall.plain(cotangent)[i], recall.plain(np.asarray(3 * cotangent))[i]
            if plain is None or thirds is None or answer[i] is None:
                return
            lost += SAFETY * float(apart(thirds / 3, plain).max())
            change = apart(np.asarray(answer[i]), plain)
            if change.max() > max(most, lost):
                what = f"gradient of {self.names[i]} depends on the memory layout"
                rule = f"with {how} arguments of the same values; {max(most, lost):.1e} allowed"
                self.add("layout", "fail", i, what, _size(change, change > most), rule)
                return
        if deviation.max() > lost:
            self.not_linear(i, deviation, max(most, lost), "split into two that add up to it")

    def not_linear(self, i: int, deviation: Array, most: float, how: str) -> None:
        """A fault beyond the cap, a note below it (an iteration that stops early is linear only so far)."""
        severity: Severity = "fail" if (deviation > most).any() else "note"
        seen = _size(deviation, deviation > (most if severity == "fail" else 0))
        what = f"gradient of {self.names[i]} is not linear in the cotangent"
        self.add("linear", severity, i, what, seen, f"with the cotangent {how}; {most:.1e} allowed")


#: Why the state of a process is nobody's to change.
_OWN = "everything else in the process shares it: draw from a generator of one's own, and restore what is set"


def _norm(array: Array) -> float:
    return float(np.linalg.norm(wide(array).ravel()))


def _floating(cotangent: npt.ArrayLike) -> Array:
    array = np.asarray(cotangent)
    return array if is_inexact(array.dtype) else array.astype(np.float64)


def _count(bad: Array) -> str:
    return f"{int(np.sum(bad))} of {bad.size} elements"


def _example(array: Array, bad: Array) -> str:
    return f"{_count(bad)}, as {array[bad][0]} at {[int(k) for k in np.argwhere(bad)[0]]}"


def _size(deviation: Array, bad: Array) -> str:
    return f"{_count(bad)} by up to {deviation.max():.1e}"
