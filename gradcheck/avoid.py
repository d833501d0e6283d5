"""Avoid: a check at a point drawn beside the inputs, where f has no derivative at the inputs themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gradcheck.arguments import Counted
from gradcheck.batches import Section
from gradcheck.chance import RANDOM
from gradcheck.directions import gaussian
from gradcheck.estimate import Array
from gradcheck.kinks import irregular
from gradcheck.number import finfo
from gradcheck.verdict import Check, Verdict

#: Points that are drawn before the check gives up, and how far from the inputs the first is, beside their size; each
#: further one is twice as far, up to half of it.
DRAWS, FIRST = 8, 2.0**-4

#: Stream of the generator that draws them: no other purpose has it.
STREAM = 11


def avoided(
    found: Check,
    again: Callable[[tuple[Array, ...]], Check],
    f: Counted,
    inputs: Sequence[Array],
    seed: int,
    finely: Callable[[tuple[Array, ...]], Sequence[Array]] = tuple,
) -> Check:
    """The check at the first point drawn where f has a derivative; the one given where it has one at the inputs.

    Parameters
    ----------
    found : Check
        At the inputs; no pass.
    again : callable
        again(inputs) -> Check.
    f : Counted
        The function.
    inputs : sequence of ndarray
    seed : int
    finely : callable, optional
        finely(inputs) -> the same in the dtype in which f is looked at.
    """
    if found.reason.startswith(RANDOM):
        return found
    points = f.points
    if _regular(f, finely(tuple(inputs)), seed):
        if found.verdict is Verdict.INCONCLUSIVE:
            found = again(tuple(inputs))
    else:
        for k in range(DRAWS):
            moved = tuple(
                _beside(x, k, np.random.default_rng([seed, STREAM, i, k])) for i, x in enumerate(inputs)
            )
            with np.errstate(all="ignore"):
                finite = bool(np.isfinite(f(*moved)).all())
            if not finite or not _regular(f, finely(moved), seed):
                continue
            check = again(moved)
            if check.verdict is not Verdict.INCONCLUSIVE:
                return _told(check, k + 1, f, moved, inputs)
        why = f"none of {DRAWS} points drawn beside the inputs is far enough from kinks, jumps and edges (kinks: avoid)"
        if found.verdict is Verdict.INCONCLUSIVE:
            return replace(
                found, reason=why, kinks="avoid", resampled=DRAWS, evaluations=f.points, calls=f.calls
            )
    return replace(found, evaluations=found.evaluations + f.points - points, calls=f.calls)


def _told(check: Check, draws: int, f: Counted, moved: Sequence[Array], inputs: Sequence[Array]) -> Check:
    """The check with what was avoided, in the whole and in its parts."""
    away = max(
        float(np.abs(m.astype(float) - x.astype(float)).max()) for m, x in zip(moved, inputs, strict=True)
    )
    note = (
        f"f has no derivative at the inputs: judged at a point up to {away:.2g} beside them instead (kinks: avoid)\n"
        f"{draws} drawn; what is claimed at the inputs themselves is not judged"
    )
    parts = tuple(
        replace(
            part,
            kinks="avoid",
            resampled=draws,
            notes=(note, *part.notes) if len(check.parts) == 1 else part.notes,
        )
        for part in check.parts
    )
    return replace(
        check,
        kinks="avoid",
        resampled=draws,
        notes=(note, *check.notes),
        parts=parts,
        evaluations=f.points,
        calls=f.calls,
    )


def _regular(f: Counted, inputs: Sequence[Array], seed: int) -> bool:
    """Whether f has a derivative in each of its inputs, as far as one direction in each shows."""
    with np.errstate(all="ignore"):
        centre = f(*[x.copy() for x in inputs])
    for i, x in enumerate(inputs):
        rng = np.random.default_rng([seed, STREAM, i])
        if irregular(Section(f, tuple(inputs), {i: None}), x, centre, rng, _size(x))[0]:
            return False
    return True


def _beside(x: Array, k: int, rng: np.random.Generator) -> Array:
    """A point beside: every element moved by a Gaussian share of its own size, or of the typical one if it is 0."""
    own = np.abs(x.astype(np.float64))
    far = min(FIRST * 2.0**k, 0.5)
    moved = (x + far * np.where(own > 0, own, _size(x)) * gaussian(x.shape, rng)).astype(x.dtype)
    # in few digits a small step may be none
    return np.where(
        moved == x, x + x.dtype.type(math.sqrt(float(finfo(x.dtype).eps)) * _size(x)), moved
    ).astype(x.dtype)


def _size(x: Array) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) or 1.0
