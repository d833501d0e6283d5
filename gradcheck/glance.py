"""Glance: whether a vjp of many elements gives cause for a closer look, in two or three calls for several things.

Each call differs from the first in several ways at once: scaled, at moved inputs, in other memory, read-only, a part of
the cotangent. What adds up to the first answer but for rounding has none of the faults that the calls of `Recall`, one
for each, tell apart; what does not is shown to all of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradcheck.answer import backward, fortran, turned
from gradcheck.estimate import Array
from gradcheck.number import finfo, is_inexact
from gradcheck.recall import FEW, Gradients, Recall, plus, times
from gradcheck.rounding import median, ulps

#: Share of what reordered sums may change up to which nothing shows. Two calls that differ by an amount show 1.2
#: times that here where they are drawn anew, and half of it where one scale of the cotangent is answered otherwise.
QUIET = 0.5

#: By which the largest spread of a single element is multiplied, for want of others.
FEWER = 8.0

#: Of the cotangent that is asked for by itself.
SHARE = 0.1


#: Bound of a dtype's ε up to which inputs are moved once, by units: of its digits few have to be spared.
FINE = 1e-10

#: Units in the last place by which they are, at most: the slope of the gradient counts as rounding then.
UNITS = 7


@dataclass(frozen=True)
class Glance:
    """What two or three calls show of a vjp.

    Parameters
    ----------
    spread : list of ndarray
        How far each gradient is from what adds up to it.
    part : list of (ndarray or None), optional
        The answer to the part that was given, if it was taken.
    zero : bool
        Whether a cotangent was among them that stands for one of zeros: so small that its norm is 0.
    """

    spread: list[Array]
    part: Gradients | None
    zero: bool = False

    def typical(self, i: int) -> Array:
        """The spread of one gradient, none far below that of its other elements: a single draw is tiny now and then.

        Half of the median, and of few elements a multiple of the largest: eight times the spread of one alone falls
        short of its error in one of 25 draws, with this in one of 200.
        """
        own = np.where(np.isfinite(self.spread[i]), self.spread[i], 0.0)
        return np.asarray(np.maximum(own, median(own) / 2 + FEWER * own.max() / own.size))


def is_many(inputs: tuple[Array, ...]) -> bool:
    """Whether so many elements that only sums of their rounding are compared, and calls are what a check costs."""
    return sum(x.size for x in inputs) > FEW


def glance(recall: Recall, part: Array | None) -> Glance | None:
    """How far a gradient is from what adds up to it, where p + r = c, of disjoint supports: by `once` or by `twice`.

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
    factor, tiny = 3 * recall.factor(), recall.tiny()
    if factor > 0:
        return None
    given = part
    if part is None or not 0 < 2 * np.count_nonzero(part) <= np.count_nonzero(recall.cotangent):
        part = _some(recall)
    tiny = tiny if part.any() else None  # of a single number: zero, and no other, is what is not seen then
    fine = all(
        float(finfo(a.dtype).eps) <= FINE for a in (recall.cotangent, *recall.inputs) if is_inexact(a.dtype)
    )
    first: Gradients | None
    try:
        if given is part and fine and tiny is not None:
            first, total = once(recall, part, factor, tiny)
        else:
            first, total = twice(recall, part, factor, tiny or 5.0)
    except Exception:  # of which kind, and for which of the differences, the closer look tells
        return None
    return Glance(recall.deviation(total), first if part is given else None, tiny is not None)


def once(recall: Recall, part: Array, factor: float, tiny: float) -> tuple[Gradients, Gradients]:
    """g(p, x), and g(p, x) + g(r, x + d), the one from g(−3·2^k p, x), the other from g(5r/2^l, x + d).

    d is a few units in the last place, so that the slope of g is no more than rounding inside of it may be: in many
    digits a claim can afford that. What is called rounding is coarser by it, never finer.

    A cotangent of zeros needs no call: g(0), of a vjp that is affine, would be seen 2^l times, and a norm that it is
    divided by is 0 for 5r/2^l as well. What treats zeros in another way, in some outputs, meets them in p.
    """
    held = [turned(each) for each in (part, *recall.inputs)]
    held[0] *= factor
    first = times(recall.call(held[0], held[1:]), 1 / factor)
    # in the same objects, read-only by now: an answer that is kept by their ids is seen
    np.multiply(recall.cotangent, tiny, out=held[0])
    held[0][part != 0] = 0
    for x, array in zip(recall.inputs, held[1:], strict=True):
        np.add(x, ulps(x, recall.rng, UNITS), out=array)
    try:
        _lock(held, write=False)
        return first, plus(first, times(recall.call(held[0], held[1:]), 1 / tiny))
    finally:  # what a vjp restores a call later it may write into
        _lock(held, write=True)


def twice(recall: Recall, part: Array, factor: float, small: float) -> tuple[Gradients | None, Gradients]:
    """g(p, x), and g(p, x) + (g(−3·2^k r, x + d)/(−3·2^k) + g(5r/2^l, x − d)·2^l/5)/2, without the slope of g."""
    rest = np.where(part != 0, 0, recall.cotangent).astype(recall.cotangent.dtype)
    steps = [ulps(x, recall.rng) for x in recall.inputs]
    held = [fortran(each) for each in (part, *recall.inputs)]
    first = recall.call(held[0], held[1:]) if part.any() else None
    above = [_locked(x + d) for x, d in zip(recall.inputs, steps, strict=True)]
    total = times(recall.call(_locked(rest * factor), above), 0.5 / factor)
    # in the objects of the call before last: an answer that is kept by their ids is seen
    for array, value in zip(held, (rest * small, *map(np.subtract, recall.inputs, steps)), strict=True):
        array[...] = value
    total = plus(total, times(recall.call(held[0], held[1:]), 0.5 / small))
    return first, total if first is None else plus(total, first)


def _lock(arrays: list[Array], *, write: bool) -> None:
    for array in arrays:
        array.setflags(write=write)


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
