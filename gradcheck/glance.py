"""Glance: whether a vjp of many elements gives cause for a closer look, in three calls that ask for several things.

Each call differs from the first in several ways at once: scaled, at moved inputs, in other memory, read-only, a part of
the cotangent. What adds up to the first answer but for rounding has none of the faults that the calls of `Recall`, one
for each, tell apart; what does not is shown to all of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradcheck.answer import backward, fortran
from gradcheck.estimate import Array
from gradcheck.recall import FEW, Gradients, Recall, plus, times
from gradcheck.rounding import ulps

#: Share of what reordered sums may change up to which nothing shows. Two calls that differ by an amount show 1.2
#: times that here where they are drawn anew, and half of it where one scale of the cotangent is answered otherwise.
QUIET = 0.5

#: By which the largest spread of a single element is multiplied, for want of others.
FEWER = 8.0

#: Of the cotangent that is asked for by itself.
SHARE = 0.1


@dataclass(frozen=True)
class Glance:
    """How far each gradient is from what adds up to it, and the answer to the part that was given, if it was taken."""

    spread: list[Array]
    part: Gradients | None

    def typical(self, i: int) -> Array:
        """The spread of one gradient, none far below that of its other elements: a single draw is tiny now and then.

        Half of the median, and of few elements a multiple of the largest: eight times the spread of one alone falls
        short of its error in one of 25 draws, with this in one of 200.
        """
        own = np.where(np.isfinite(self.spread[i]), self.spread[i], 0.0)
        return np.asarray(np.maximum(own, np.median(own) / 2 + FEWER * own.max() / own.size))


def is_many(inputs: tuple[Array, ...]) -> bool:
    """Whether so many elements that only sums of their rounding are compared, and calls are what a check costs."""
    return sum(x.size for x in inputs) > FEW


def glance(recall: Recall, part: Array | None) -> Glance | None:
    """|g(p, x) + (g(−3·2^k r, x + d)/(−3·2^k) + g(5r, x − d)/5)/2 − g(c, x)| where p + r = c, of disjoint supports.

    Parameters
    ----------
    recall : Recall
        The vjp with its first answer.
    part : ndarray, optional
        p, which is c or 0 in every element. A random tenth of c by default, and in place of none or most of it.

    Returns
    -------
    Glance or None
        None where a call raises, or numbers are too large to be scaled: nothing is known then.
    """
    factor = 3 * recall.factor()
    if factor > 0:
        return None
    given = part
    if part is None or not 0 < 2 * np.count_nonzero(part) <= np.count_nonzero(recall.cotangent):
        part = _some(recall)
    rest = np.where(part != 0, 0, recall.cotangent).astype(recall.cotangent.dtype)
    steps = [ulps(x, recall.rng) for x in recall.inputs]
    held = [fortran(each) for each in (part, *recall.inputs)]
    try:
        first = recall.call(held[0], held[1:]) if part.any() else None
        above = [_locked(x + d) for x, d in zip(recall.inputs, steps, strict=True)]
        total = times(recall.call(_locked(rest * factor), above), 0.5 / factor)
        # in the objects of the call before last: an answer that is kept by their ids is seen
        for array, value in zip(held, (rest * 5, *map(np.subtract, recall.inputs, steps)), strict=True):
            array[...] = value
        total = plus(total, times(recall.call(held[0], held[1:]), 0.5 / 5))
    except Exception:  # of which kind, and for which of the differences, the closer look tells
        return None
    total = total if first is None else plus(total, first)
    return Glance(recall.deviation(total), first if part is given else None)


def _locked(array: Array) -> Array:
    """The same values in the same dtype, from the last to the first in memory that is read-only."""
    turned = backward(array)
    turned.setflags(write=False)
    return turned


def _some(recall: Recall) -> Array:
    """A random tenth of the cotangent; nothing of a single number.

    Not half of it: the inputs stay where they are for the part, and with them the rounding of what is made of these.
    """
    c = recall.cotangent
    taken = recall.rng.permutation(c.size)[: math.ceil(SHARE * c.size) if c.size > 1 else 0]
    part = np.zeros(c.size, c.dtype)
    part[taken] = c.ravel()[taken]
    return part.reshape(c.shape)
