"""How a claimed gradient may have come from the right one: what the table of mistakes is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np

from gradcheck.estimate import Array

Map = Callable[[Array], Array]


class Suspect(NamedTuple):
    """A mistake of one operation, known by what the gradient becomes under it.

    Parameters
    ----------
    name : str
        Of the mistake, the same for every way of making it.
    sentence : str
        What was claimed then, in words.
    slope : callable
        slope(direction) -> ⟨the mistaken gradient, direction⟩, to the last digits of float64.

    Examples
    --------
    >>> Suspect("offset", "the inputs plus one", lambda v: float(np.sum(v))).slope(np.ones(3))
    3.0
    """

    name: str
    sentence: str
    slope: Callable[[Array], float]


@dataclass(frozen=True)
class Context:
    """What is known beside the gradient, for mistakes that confuse it with something else; all optional.

    Parameters
    ----------
    cotangent : ndarray, shape of the output
        Its first axis is taken for the batch.
    input : ndarray, shape of the gradient
        The input whose gradient is looked at.
    gradients : mapping of name to ndarray
        The claimed gradients of the other inputs.
    factors : mapping of name to ndarray or float
        What the right gradient may lack or have once too often: f', β.
    sizes : mapping of name to int
        What it may be multiplied or divided by, squared or not: the n of a pooling.
    suspects : sequence of Suspect
        What else may have gone wrong, in the terms of the operation.
    rounding : ndarray, shape of the gradient, or 0
        How much of each element of the claim may be rounding.
    """

    cotangent: Array | None = None
    input: Array | None = None
    gradients: Mapping[str, Array] = field(default_factory=dict)
    factors: Mapping[str, Array | float] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    suspects: Sequence[Suspect] = ()
    rounding: Array | float = 0.0


class Clues(NamedTuple):
    """All that a mistake is recognised by; `right`, and `wrong` (where they differ), None if only probed."""

    claimed: Array
    context: Context
    right: Array | None = None
    wrong: Array | None = None


class Turn(NamedTuple):
    """One way in which a mistake may have been made: exactly one of the four relations.

    Parameters
    ----------
    detail : str
        Fills the braces of the mistake's sentence.
    inverse : callable
        right = inverse(claimed).
    forward : callable
        claimed = forward(right), where there is no inverse: such mistakes are not seen by probes.
    known : ndarray
        claimed = known, whatever is right.
    basis : ndarray
        right = claimed + μ·basis for some number μ, which becomes the detail.
    copied : ndarray of bool
        Elements that `forward` takes from the claim: that they agree is no evidence.
    """

    detail: str = ""
    inverse: Map | None = None
    forward: Map | None = None
    known: Array | None = None
    basis: Array | None = None
    copied: Array | None = None


Turns = Callable[[Clues], Iterator[Turn]]


# Factors


def times(factor: float) -> Turns:
    """A factor that needs no context."""
    return lambda clues: iter([_scaled("", factor)])


def batch(power: int) -> Turns:
    """The number of patterns, or one over it."""

    def turns(clues: Clues) -> Iterator[Turn]:
        if _batch(clues) > 1:
            yield _scaled(str(_batch(clues)), float(_batch(clues)) ** power)

    return turns


def squares(power: int) -> Turns:
    """The square of a named size, or one over it."""

    def turns(clues: Clues) -> Iterator[Turn]:
        for name, size in clues.context.sizes.items():
            if size > 1:
                yield _scaled(f"{size**2}, which is {name}²", float(size) ** (2 * power))

    return turns


def sizes(power: int) -> Turns:
    """A named size, a side or a product of sides of the gradient or the output, or one over it."""

    def turns(clues: Clues) -> Iterator[Turn]:
        for words, size in _lengths(clues):
            yield _scaled(f"{size}, {words}", float(size) ** power)

    return turns


def _scaled(detail: str, factor: float) -> Turn:
    return Turn(detail, inverse=partial(np.multiply, 1 / factor))


def _batch(clues: Clues) -> int:
    cotangent = clues.context.cotangent
    return 0 if cotangent is None or cotangent.ndim == 0 else len(cotangent)


def _lengths(clues: Clues) -> Iterator[tuple[str, int]]:
    """Sizes that could be a factor, each value once, the plainest first."""
    shapes = {"the gradient": clues.claimed.shape}
    if clues.context.cotangent is not None:
        shapes["the output"] = clues.context.cotangent.shape
    found = list(clues.context.sizes.items())
    for whose, shape in shapes.items():
        found += [(f"the length of axis {a} of {whose}", side) for a, side in enumerate(shape)]
    for whose, shape in shapes.items():
        pairs = combinations(range(len(shape)), 2)
        found += [(f"the sides of axes {a} and {b} of {whose}", shape[a] * shape[b]) for a, b in pairs]
        found.append((f"the number of elements of {whose}", int(np.prod(shape))))
    seen = {0, 1}
    for words, size in found:
        if size not in seen:
            seen.add(size)
            yield words, size


# Axes


def last_two(inverse: Map, *, square: bool = False) -> Turns:
    """A turn of the last two axes, where there are two (square: of one length)."""

    def turns(clues: Clues) -> Iterator[Turn]:
        shape = clues.claimed.shape
        if len(shape) > 1 and (not square or shape[-1] == shape[-2]):
            yield Turn(inverse=inverse)

    return turns


def all_reversed(clues: Clues) -> Iterator[Turn]:
    """Every axis backwards; of one or two axes other rows say it."""
    if clues.claimed.ndim > 2:
        yield Turn(inverse=np.flip)


def axes_in_reverse_order(clues: Clues) -> Iterator[Turn]:
    """The transpose as NumPy has it; of two axes another row says it."""
    if clues.claimed.ndim > 2 and clues.claimed.shape == clues.claimed.shape[::-1]:
        yield Turn(inverse=np.transpose)


def axes_swapped(clues: Clues) -> Iterator[Turn]:
    """Any two axes but the last two, which another row has."""
    shape, last = clues.claimed.shape, clues.claimed.ndim - 1
    for a, b in combinations(range(len(shape)), 2):
        if shape[a] == shape[b] and (a, b) != (last - 1, last):
            yield Turn(f"{a} and {b}", inverse=partial(np.swapaxes, axis1=a, axis2=b))


def memory_order(clues: Clues) -> Iterator[Turn]:
    """Fortran's order read as C's, or C's as Fortran's."""
    shape = clues.claimed.shape
    if shape != shape[::-1]:  # else it is a transposition
        yield Turn(inverse=lambda g: np.reshape(np.ravel(g), shape, order="F"))
        yield Turn(inverse=lambda g: np.reshape(np.ravel(g, order="F"), shape))


def each_axis(
    *,
    inverse: Callable[..., Array] | None = None,
    forward: Callable[..., Array] | None = None,
    least: int = 2,
) -> Turns:
    """A map with a keyword `axis`, for every axis of at least that length."""

    def turns(clues: Clues) -> Iterator[Turn]:
        for axis, side in enumerate(clues.claimed.shape):
            if side >= least:
                back = partial(inverse, axis=axis) if inverse else None
                yield Turn(f"axis {axis}", back, partial(forward, axis=axis) if forward else None)

    return turns


def shift(g: Array, axis: int, step: int) -> Array:
    """Moved by one step along an axis, what falls off lost and zero coming in."""
    moved = np.roll(g, step, axis)
    np.moveaxis(moved, axis, 0)[0 if step > 0 else -1] = 0
    return moved


def spread_sum(g: Array, axis: int) -> Array:
    """The sum along an axis, in every entry."""
    return np.broadcast_to(g.sum(axis, keepdims=True), g.shape)


def centre(g: Array, axis: int) -> Array:
    """Less the mean along an axis."""
    centred: Array = g - g.mean(axis, keepdims=True)
    return centred


def spread_mean(g: Array, axis: int) -> Array:
    """The mean along an axis, in every entry."""
    return np.broadcast_to(g.mean(axis, keepdims=True), g.shape)


def first_only(g: Array, axis: int) -> Array:
    """The first entry along an axis, zero in the others."""
    kept = np.zeros_like(g)
    np.moveaxis(kept, axis, 0)[0] = np.moveaxis(g, axis, 0)[0]
    return kept


def transposed(g: Array) -> Array:
    """The last two axes swapped."""
    return np.swapaxes(g, -1, -2)


def turned(quarters: int) -> Map:
    """Quarter turns of the last two axes."""
    return partial(np.rot90, k=quarters, axes=(-2, -1))


def turned_and_transposed(g: Array) -> Array:
    """Mirrored at the other diagonal of the last two axes."""
    return transposed(np.flip(g, (-2, -1)))


# Other arrays


def factor_missing(clues: Clues) -> Iterator[Turn]:
    """Right = claimed·factor needs no division, so that zeros in the factor do no harm."""
    for name, factor in _factors(clues):
        yield Turn(name, inverse=partial(np.multiply, factor))


def factor_extra(clues: Clues) -> Iterator[Turn]:
    """Claimed = right·factor, for the same reason."""
    for name, factor in _factors(clues):
        yield Turn(name, forward=partial(np.multiply, factor))


def factor_replaced(clues: Clues) -> Iterator[Turn]:
    """One named factor in the place of another."""
    for (name, used), (other, wanted) in permutations(_factors(clues), 2):
        if np.all(used != 0):
            yield Turn(f"{name} in place of {other}", inverse=partial(np.multiply, wanted / used))


def _factors(clues: Clues) -> Iterator[tuple[str, Array]]:
    shape = clues.claimed.shape
    for name, factor in clues.context.factors.items():
        sides = zip(np.shape(factor)[::-1], shape[::-1], strict=False)
        if np.ndim(factor) <= len(shape) and all(side in (1, full) for side, full in sides):
            yield name, np.asarray(factor, dtype=float)


def mask_missing(clues: Clues) -> Iterator[Turn]:
    """Not set to zero where the input is not positive."""
    if (x := clues.context.input) is not None:
        yield Turn(inverse=partial(np.multiply, x > 0))


def mask_extra(clues: Clues) -> Iterator[Turn]:
    """Set to zero where the input is not positive."""
    if (x := clues.context.input) is not None:
        yield Turn(forward=partial(np.multiply, x > 0))


def known(pick: Callable[[Clues], Array | None]) -> Turns:
    """Another array, handed back as the gradient."""

    def turns(clues: Clues) -> Iterator[Turn]:
        array = pick(clues)
        if array is not None and array.shape == clues.claimed.shape:
            yield Turn(known=array)

    return turns


def other_gradients(clues: Clues) -> Iterator[Turn]:
    """What was claimed for another input."""
    for name, gradient in clues.context.gradients.items():
        if gradient.shape == clues.claimed.shape:
            yield Turn(name, known=gradient)


# The values themselves


def values(forward: Map, *, square: bool = False) -> Turns:
    """A map that loses something (square: of last two axes of one length)."""

    def turns(clues: Clues) -> Iterator[Turn]:
        shape = clues.claimed.shape
        if not square or (len(shape) > 1 and shape[-1] == shape[-2] > 1):
            yield Turn(forward=forward)

    return turns


def clipped(clues: Clues) -> Iterator[Turn]:
    """At the largest modulus claimed, if two elements have it: one would be explained by any gradient."""
    top = float(np.max(np.abs(clues.claimed), initial=0.0))
    if top > 0 and np.sum(np.abs(clues.claimed) == top) > 1:
        yield Turn(f"{top:.4g}", forward=partial(np.clip, a_min=-top, a_max=top))


# Some elements only

MOST = 0.5
"""Share of a line, map or border that is wrong where the mistake is one of that line, map or border: two wrong
elements that happen to lie in one map are two wrong elements."""


def region(free: int) -> Turns:
    """Wrong only where all axes but `free` have one index (−1: where at least one axis has)."""

    def turns(clues: Clues) -> Iterator[Turn]:
        if clues.wrong is None or clues.wrong.ndim == 0:
            return
        touched = [len(np.unique(indices)) for indices in np.nonzero(clues.wrong)]
        # an axis of length 1 says nothing of where
        fixed = sum(t == 1 < length for t, length in zip(touched, clues.wrong.shape, strict=True))
        inside = np.prod([n for t, n in zip(touched, clues.wrong.shape, strict=True) if t > 1])
        if fixed and (sum(t > 1 for t in touched) == free or free < 0) and clues.wrong.sum() >= MOST * inside:
            yield _right_but(clues, box(clues.wrong))

    return turns


def box(wrong: Array) -> str:
    """Where all the wrong elements lie, as an index with a colon for every axis along which they vary."""
    touched = [np.unique(indices) for indices in np.nonzero(wrong)]
    return "[" + ", ".join(str(i[0]) if len(i) == 1 else ":" for i in touched) + "]"


def border(clues: Clues) -> Iterator[Turn]:
    """Wrong only in the first and last rows and columns of the last two axes."""
    if clues.wrong is not None and on_border(clues.wrong):
        yield _right_but(clues, "")


def on_border(wrong: Array) -> bool:
    """Whether all wrong elements lie on the border of the last two axes, which have an interior.

    And most of one side of it does: two corners are no border.
    """
    if wrong.ndim < 2 or min(wrong.shape[-2:]) < 3 or wrong[..., 1:-1, 1:-1].any():
        return False
    sides = [wrong[..., :1, :], wrong[..., -1:, :], wrong[..., :, :1], wrong[..., :, -1:]]
    return any(float(np.mean(side)) >= MOST for side in sides)


def _right_but(clues: Clues, place: str) -> Turn:
    wrong, claimed, right = clues.wrong, clues.claimed, clues.right
    assert wrong is not None
    assert right is not None
    detail = place + _there(claimed[wrong], right[wrong])
    return Turn(detail, forward=lambda g: np.where(wrong, claimed, g), copied=wrong)


def _there(claimed: Array, right: Array) -> str:
    """What the wrong elements are, where that is simply said."""
    if not claimed.any():
        return ", where it is zero"
    with np.errstate(all="ignore"):
        factor = claimed / right
    if np.isfinite(factor).all() and np.ptp(factor) <= 1e-6 * np.max(np.abs(factor)):
        return f", where it is {float(np.median(factor)):.7g} times the right one"
    return ""


def some_zero(clues: Clues) -> Iterator[Turn]:
    """Wrong only in elements that are zero."""
    zero = clues.claimed == 0
    if clues.wrong is not None and zero.any():
        detail = f"{int(np.sum(zero & clues.wrong))} of {zero.size}"
        yield Turn(detail, forward=lambda g: np.where(zero, 0, g), copied=zero)


def some_signs(clues: Clues) -> Iterator[Turn]:
    """Right in modulus."""
    if clues.wrong is not None:
        detail = f"{int(np.sum(clues.wrong))} of {clues.wrong.size}"
        yield Turn(detail, forward=lambda g: np.abs(g) * np.sign(clues.claimed))


# One number unknown


def plus(pick: Callable[[Clues], Array | None]) -> Turns:
    """A multiple of another array too much; of itself: a factor."""

    def turns(clues: Clues) -> Iterator[Turn]:
        basis = pick(clues)
        if basis is not None and basis.shape == clues.claimed.shape and np.any(basis):
            yield Turn(basis=basis)

    return turns
