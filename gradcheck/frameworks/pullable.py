"""Pullables: a function that a framework differentiates, as NumPy arrays in and out, and the check of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.arguments import Counted
from gradcheck.batches import Batched
from gradcheck.certificate import gravest
from gradcheck.check import check_vjp
from gradcheck.conduct import Fault
from gradcheck.estimate import Array
from gradcheck.frameworks.outputs import Outputs, layout_of
from gradcheck.frameworks.repeats import Unrepeatable, backward_faults, stable_outputs
from gradcheck.importing import in_words
from gradcheck.number import finfo
from gradcheck.trial import WANTED
from gradcheck.verdict import Check, Verdict

Named = tuple[tuple[str, Array], ...]

HALF = ("float16", "bfloat16")
"""Dtypes of so few digits that f shows little of its gradient by its own values: it is evaluated in a finer one, where
it takes one."""


COARSE = (*HALF, "float32")

ROUNDINGS = 16
"""Units ε, relative to the norm, up to which a gradient in half precision passes. Right ones of 27 modules, up to a
transformer's layer, were off by 0.2 to 2.6 of them."""

TRIALS = 3
"""Cotangents along which a gradient is compared with the same one in a finer dtype."""


@dataclass(frozen=True)
class Pullable:
    """A function of named arrays with the pullback that a framework derives of it.

    Parameters
    ----------
    name : str
        Of the function, for messages.
    names, inputs : tuple of str, tuple of ndarray
        What is differentiated by, and where.
    forward : callable (*arrays) -> tuple of (path, ndarray)
        The outputs that have a derivative.
    pullback : callable (cotangents, *arrays) -> tuple of (ndarray or None)
        One cotangent for each output; None for an input that the framework finds no path to.
    finer : tuple of str
        Dtypes, the finest first, in which the forward can be evaluated for inputs in half precision.
    notes : tuple of str
        What was held fixed, and the like.
    several : callable (*stacked) -> tuple of ndarray, optional
        The outputs at several points, each with an axis of points in front, for inputs that have it: of vmap. Whether
        it works, and is the forward, is found out.
    """

    name: str
    names: tuple[str, ...]
    inputs: tuple[Array, ...]
    forward: Callable[..., Named]
    pullback: Callable[..., tuple[Any, ...]]
    finer: tuple[str, ...] = ("float64", "float32")
    notes: tuple[str, ...] = ()
    several: Callable[..., Sequence[Array]] | None = None


@dataclass
class _Wrapped:
    """The pullable as check_vjp takes it, counting the inputs without a gradient."""

    target: Pullable
    outputs: Outputs
    unreached: set[int] = field(default_factory=set)

    def f(self, *arrays: Array) -> Array:
        return self.outputs.joined([value for _, value in self.target.forward(*arrays)])

    def counted(self) -> Counted:
        """The forward, counted, with what answers for several points if there is such a thing."""
        return forward_of(self.target, self.outputs, "check_vjp")

    def vjp(self, cotangent: Array, *arrays: Array) -> tuple[Array, ...]:
        gradients = self.target.pullback(self.outputs.split(cotangent), *arrays)
        self.unreached |= {i for i, g in enumerate(gradients) if g is None}
        # copies: that a gradient is the cotangent itself, or a view of stride 0, is how frameworks do it
        return tuple(
            np.zeros_like(x) if g is None else np.array(g) for g, x in zip(gradients, arrays, strict=True)
        )

    def errors(self, inputs: Sequence[Array], rng: np.random.Generator) -> list[float]:
        """How far each gradient is from the one at finer inputs, relative to its norm; the worst of TRIALS."""
        worst = [0.0] * len(inputs)
        like = self.f(*self.target.inputs)
        for _ in range(TRIALS):
            cotangent = rng.standard_normal(like.shape).astype(like.dtype)
            coarse = self.vjp(cotangent, *[x.copy("K") for x in self.target.inputs])
            fine = self.vjp(cotangent.astype(inputs[0].dtype), *[x.copy("K") for x in inputs])
            for i, (g, right) in enumerate(zip(coarse, fine, strict=True)):
                size = float(np.linalg.norm(right.astype(np.float64).ravel()))
                apart = float(np.linalg.norm((g.astype(np.float64) - right).ravel()))
                worst[i] = max(worst[i], apart / size if size > 0 else float(apart > 0))
        return worst


def forward_of(target: Pullable, outputs: Outputs, who: str) -> Counted:
    """The outputs as one array, counted, with what answers for several points if there is such a thing.

    Where that raises, or is another function, the forward is called for each: nothing was declared of it.
    """

    def f(*arrays: Array) -> Array:
        return outputs.joined([value for _, value in target.forward(*arrays)])

    def several(*stacked: Array) -> Array:
        assert target.several is not None
        values = target.several(*stacked)
        return np.stack([outputs.joined([v[k] for v in values]) for k in range(len(stacked[0]))])

    return Counted(f, who) if target.several is None else Batched(f, who, several=several, declared=False)


def judged(
    target: Pullable, *, seed: int, linear_in: Sequence[str | int], finer: Any, options: Mapping[str, Any]
) -> Check:
    """The check of every input: is it repeatable, then is it right.

    Raises
    ------
    Unrepeatable
        If the forward gives another output at a second call.
    ValueError, TypeError
        As `check_vjp` does.
    """
    outputs, notes = stable_outputs(target.name, target.forward, target.inputs)
    wrapped = _Wrapped(target, layout_of(outputs))
    notes = (*target.notes, *notes)
    try:
        faults = backward_faults(target, wrapped.outputs, np.random.default_rng([seed, 7]))
    except Exception as error:
        return _raised(target, error, seed, notes)
    dtype, said = _finer(wrapped, finer)
    options = {"seed": seed, "names": target.names, "linear_in": _places(linear_in, target), **options}
    check = check_vjp(wrapped.counted(), wrapped.vjp, target.inputs, finer=dtype, **options)
    if finer == "auto" and dtype is None and check.verdict is Verdict.INCONCLUSIVE:
        dtype, said = _finest(wrapped, f"evaluated in {check.dtype} alone")
    if finer == "auto" and dtype is not None and check.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE):
        check = _by_finer(check, wrapped, np.dtype(dtype), options)
    return _told(check, wrapped, faults, (*notes, *said))


def _by_finer(check: Check, wrapped: _Wrapped, dtype: np.dtype[Any], options: Mapping[str, Any]) -> Check:
    """The check with what it left open, or saw dimly, decided by the gradient in a finer dtype, certified first.

    All that a gradient is off by in its own dtype, its rounding too, is then measured in every element.
    """
    inputs = [x.astype(dtype) for x in wrapped.target.inputs]
    left = [i for i, part in enumerate(check.parts) if _is_dim(part)]
    if not left:
        return check
    fine = check_vjp(wrapped.counted(), wrapped.vjp, inputs, only=left, **options)
    errors = wrapped.errors(inputs, np.random.default_rng([options["seed"], 9]))
    parts = list(check.parts)
    for i, finely in zip(left, fine.parts, strict=True):
        wanted = options.get("wanted") or _explained(parts[i].dtype)
        total = errors[i] + finely.resolution
        if finely.passed and not finely.zero_everywhere:
            within = f"a relative {errors[i]:.0e} of the gradient in {dtype}, which {finely.reason}"
            right = total <= wanted
            parts[i] = replace(
                finely,
                verdict=Verdict.PASS if right else Verdict.INCONCLUSIVE,
                reason=f"within {within}" if right else f"off by {within}: rounding may explain it",
                dtype=parts[i].dtype,
                resolution=total,
                notes=parts[i].notes,
            )
    grave = gravest(part.verdict for part in parts)
    worst = next(part for part in parts if part.verdict is grave)
    return replace(
        check,
        verdict=grave,
        reason=worst.reason,
        worst=worst.worst,
        parts=tuple(parts),
        subject=check.subject if grave is check.verdict or len(parts) == 1 else "d f",
        resolution=max(part.resolution for part in parts),
        evaluations=check.evaluations + fine.evaluations,
    )


def _explained(dtype: str) -> float:
    """Distance of a gradient from its finer self that may be rounding: ROUNDINGS units in half precision."""
    return ROUNDINGS * float(finfo(dtype).eps) if dtype in HALF else WANTED.get(dtype, 1e-6)


def _is_dim(part: Check) -> bool:
    """Whether a finer dtype could tell more: of what is open, and of a pass in half precision."""
    dim = part.passed and part.dtype in HALF and not part.zero_everywhere
    return dim or part.verdict is Verdict.INCONCLUSIVE


def _raised(target: Pullable, error: Exception, seed: int, notes: tuple[str, ...]) -> Check:
    reason = f"the backward raised {in_words(error)}"
    subject = f"d {target.name}"
    dtype = str(target.inputs[0].dtype)
    return Check(Verdict.ERROR, subject, "", float("inf"), 1.0, reason, notes=notes, seed=seed, dtype=dtype)


def _places(linear_in: Sequence[str | int], target: Pullable) -> tuple[int, ...]:
    """Indices of inputs named, or numbered, as linear."""
    unknown = [n for n in linear_in if isinstance(n, str) and n not in target.names]
    if unknown:
        raise ValueError(
            f"check: linear_in names no input of {target.name}\n"
            f"  linear_in = {tuple(linear_in)!r}, unknown: {', '.join(unknown)}\n"
            f"  its inputs are {', '.join(target.names)}"
        )
    return tuple(target.names.index(n) if isinstance(n, str) else n for n in linear_in)


def _finer(wrapped: _Wrapped, asked: Any) -> tuple[Any, tuple[str, ...]]:
    """The dtype in which to evaluate the forward, and what to note; "auto" is one for half precision alone."""
    inputs = wrapped.target.inputs
    if asked != "auto":
        return asked, (() if asked is None else (f"numeric derivative of the function in {np.dtype(asked)}",))
    half = [x.dtype.name for x in inputs if x.dtype.name in HALF]
    return _finest(wrapped, f"evaluated in {half[0]} alone") if half else (None, ())


def _finest(wrapped: _Wrapped, why: str) -> tuple[Any, tuple[str, ...]]:
    """The finest dtype in which the forward is the same function, and what to note."""
    if not any(x.dtype.name in COARSE for x in wrapped.target.inputs):
        return None, ()
    own = wrapped.f(*wrapped.target.inputs)
    given = "/".join(dict.fromkeys(x.dtype.name for x in wrapped.target.inputs))
    for name in wrapped.target.finer:
        if _same_function(wrapped, own, np.dtype(name)):
            return name, (f"numeric derivative of the function in {name}, gradient in {given}",)
    return None, (f"the function is {why}, which shows little of its gradient",)


def _same_function(wrapped: _Wrapped, own: Array, dtype: np.dtype[Any]) -> bool:
    """Whether the forward takes the finer dtype, keeps it, and agrees with its coarser self to half of the digits."""
    inputs = wrapped.target.inputs
    coarser = any(finfo(x.dtype).eps > finfo(dtype).eps for x in inputs)
    if not coarser or not all(np.can_cast(x.dtype, dtype, "safe") for x in inputs):
        return False
    try:
        fine = wrapped.f(*[x.astype(dtype) for x in inputs])
    except Exception:  # code for one precision only, which is no fault
        return False
    if fine.shape != own.shape or finfo(fine.dtype).eps > finfo(dtype).eps:
        return False
    apart, size = (np.abs(a).max() for a in (fine - own.astype(fine.dtype), fine))
    return bool(apart <= np.sqrt(finfo(own.dtype).eps) * size)


def _told(check: Check, wrapped: _Wrapped, faults: Sequence[Fault], notes: tuple[str, ...]) -> Check:
    """The check in the words of the framework, with what is not repeatable told beside what is not accurate."""
    target = wrapped.target
    parts = tuple(
        _part(part, target, i, i in wrapped.unreached, [f for f in faults if f.input == i])
        for i, part in enumerate(check.parts)
    )
    whole = replace(_renamed(check, target), notes=(*check.notes, *notes), parts=parts)
    worse = next((p for p in parts if p.verdict is Verdict.FAIL), None)
    if worse is not None and check.verdict is not Verdict.FAIL:
        whole = replace(whole, verdict=Verdict.FAIL, reason=worse.reason, subject=worse.subject)
    if len(parts) == 1:
        whole = replace(whole, notes=tuple(dict.fromkeys((*parts[0].notes, *whole.notes))))
    return whole


def _part(part: Check, target: Pullable, i: int, unreached: bool, faults: Sequence[Fault]) -> Check:
    part = _renamed(part, target)
    if unreached:
        part = replace(
            part, notes=(*part.notes, f"{target.names[i]} is not reached: no gradient, which counts as zero")
        )
    for fault in faults:
        known = any("at a second call" in text for text in (part.reason, *part.notes))
        if fault.severity == "fail" and part.verdict is not Verdict.FAIL:
            rest = f"apart from that: {part.verdict}, {part.reason}"
            part = replace(part, verdict=Verdict.FAIL, reason=fault.message, notes=(*part.notes, rest))
        elif not known:
            part = replace(part, notes=(*part.notes, fault.message))
    return part


def _renamed(check: Check, target: Pullable) -> Check:
    """`d f` as the derivative of the function's own name."""
    return replace(check, subject=f"d {target.name}{check.subject.removeprefix('d f')}")


__all__ = ["Pullable", "Unrepeatable", "judged"]
