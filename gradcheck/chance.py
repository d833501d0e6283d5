"""Chance: whether f answers otherwise to the same inputs; and the check of such an f, which is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.number import finfo
from gradcheck.verdict import Check, Verdict

#: How the reason begins.
RANDOM = "f is random: it answers otherwise to the same inputs"

#: Roundings of its largest output by which f may answer otherwise to the same inputs, as sums in another order do.
REPEATS = 64.0

#: Further calls: of what is dropped out at random, one may by chance be the same again.
AGAIN = 2


def random_by(f: Callable[..., Array], inputs: Sequence[Array], centre: Array, accuracy: float = 0.0) -> str:
    """Why f is no function of its inputs, from further calls of it; empty where it is one.

    Parameters
    ----------
    f : callable
    inputs : sequence of ndarray
    centre : ndarray
        What f answered to them before.
    accuracy : float
        Relative error of f that is declared.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> print(random_by(lambda x: x + rng.random(), (np.ones(2),), np.ones(2)))
    f is random: it answers otherwise to the same inputs
    two answers differ by up to 0.64, their size is 1
    a derivative needs one function: seed it at each call, or pass what it draws
    """
    before = centre.astype(np.float64)
    again = [f(*[x.copy() for x in inputs]).astype(np.float64) for _ in range(AGAIN)]
    size, apart = float(np.abs(before).max()), float(np.max([np.abs(each - before) for each in again]))
    if apart <= max(REPEATS * float(finfo(centre.dtype).eps), 2 * accuracy) * size:
        return ""
    return (
        f"{RANDOM}\n"
        f"two answers differ by up to {apart:.2g}, their size is {size:.2g}\n"
        "a derivative needs one function: seed it at each call, or pass what it draws"
    )


def refused(check: Check, why: str) -> Check:
    """The check, left open for a reason that makes nothing of what was measured."""
    bare: dict[str, Any] = {"reason": why, "diagnosis": None, "mistakes": (), "worst": None, "wrong": ()}
    parts = tuple(replace(part, verdict=Verdict.INCONCLUSIVE, **bare) for part in check.parts)
    subject = check.subject.partition(" / ")[0]
    return replace(check, verdict=Verdict.INCONCLUSIVE, subject=subject, parts=parts, **bare)
