"""Repeats: whether a forward and its backward answer alike when asked again, apart from whether they are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.answer import same_bits
from gradcheck.conduct import Fault
from gradcheck.estimate import Array
from gradcheck.frameworks.outputs import Outputs
from gradcheck.number import finfo, is_real
from gradcheck.rounding import apart, largest

CALLS = 4
"""Calls of the same arguments. Chance decides of most outputs: dropout at 0.5 leaves 4 elements alike in 1 of 4000."""


class Unrepeatable(ValueError):  # noqa: N818 - read as a sentence: raise Unrepeatable
    """A function whose output is drawn at random has no derivative to compare with."""


def stable_outputs(
    name: str, forward: Callable[..., Any], inputs: Sequence[Array]
) -> tuple[list[Array], tuple[str, ...]]:
    """The outputs of a forward, and a note where they differ from call to call by no more than rounding.

    Raises
    ------
    Unrepeatable
        If they differ by more than half of their digits.
    TypeError
        If none is of real floating numbers.
    """
    named = [forward(*inputs) for _ in range(CALLS)]
    outputs = [value for _, value in named[0]]
    if not outputs or not all(is_real(v.dtype) for v in outputs):
        raise TypeError(
            f"check: {name} has no output that can be differentiated\n"
            f"  outputs = {', '.join(str(v.dtype) for v in outputs) or 'none with a derivative'}\n"
            "  wanted at least one of real floating numbers that depends on what is judged"
        )
    changes = [0.0] * len(outputs)
    for again in named[1:]:
        for i, ((path, value), first) in enumerate(zip(again, outputs, strict=True)):
            _check_same_shape(name, path, value, first)
            changes[i] = max(changes[i], float(apart(value, first).max(initial=0.0)))
            if changes[i] > np.sqrt(finfo(first.dtype).eps) * largest(first):
                raise Unrepeatable(stochastic(name, value, first))
    if not any(changes):
        return outputs, ()
    return outputs, (
        f"the forward is another at a second call, by up to {max(changes):.1e}: taken for noise",
    )


def _check_same_shape(name: str, path: str, value: Array, first: Array) -> None:
    if value.shape != first.shape:
        raise Unrepeatable(
            f"check: {name}{path} has another shape at a second call\n"
            f"  shape = {value.shape}, before it was {first.shape}\n  a derivative needs one output space"
        )


def stochastic(name: str, value: Array, first: Array) -> str:
    """What to say of a forward that is another function at each call."""
    differ = int((apart(value, first) > 0).sum())
    return (
        f"check: {name} gives another output at a second call of the same arguments\n"
        f"  {differ} of {first.size} elements differ, by up to {apart(value, first).max():.1e}\n"
        "  a stochastic function has no derivative to compare with: fix its randomness (eval mode, a key, fixed_rng)"
    )


def backward_faults(target: Any, outputs: Outputs, rng: np.random.Generator) -> list[Fault]:
    """What repeated calls of a pullback with one cotangent show: other numbers, or answers written over."""
    cotangents = [
        rng.standard_normal(s).astype(d) for s, d in zip(outputs.shapes, outputs.dtypes, strict=True)
    ]
    answers = [target.pullback([c.copy() for c in cotangents], *_copies(target)) for _ in range(CALLS - 1)]
    kept = [None if g is None else np.array(g) for g in answers[0]]
    target.pullback([c * 2 for c in cotangents], *_copies(target))  # writes over a buffer that is kept
    faults = []
    for i, first in enumerate(kept):
        if first is None:
            continue
        now = np.asarray(answers[0][i])
        if not same_bits(now, first).all():
            faults.append(_overwritten(i, target.names[i]))
            continue
        change = max((largest_change(a[i], first) for a in answers[1:]), default=0.0)
        if change > 0:
            faults.append(_unlike(i, target.names[i], change, first))
    return faults


def _copies(target: Any) -> list[Array]:
    return [x.copy("K") for x in target.inputs]


def largest_change(again: Any, first: Array) -> float:
    """The largest difference, infinite where there is no answer any more."""
    return float("inf") if again is None else float(apart(np.asarray(again), first).max(initial=0.0))


def _unlike(i: int, name: str, change: float, first: Array) -> Fault:
    """Another answer: a note where sums may have been taken in another order, else a failure."""
    allowed = float(finfo(first.dtype).eps) ** 0.75 * largest(first)
    rule = f"the same arguments give the same bits, or within {allowed:.1e} where sums are reordered"
    what = f"gradient of {name} is another at a second call\nby up to {change:.1e}; {rule}"
    return Fault("repeat", "fail" if change > allowed else "note", i, what)


def _overwritten(i: int, name: str) -> Fault:
    rule = "a result belongs to its caller: return a new array at each call"
    return Fault("overwritten", "fail", i, f"gradient of {name} changes at later calls\n{rule}")
