"""Batches: f at several points in one call, by a function that takes each input with one more axis in front.

That it is f is no more than a word: it is compared with f, at the inputs and beside them in one batch, where one that
mixes what it is given (a mean, a normalisation over the points) shows. What a segment finds by it is then confirmed by
samples of f itself (`gradcheck.probes.spectral`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.arguments import Counted
from gradcheck.directions import gaussian
from gradcheck.estimate import Array
from gradcheck.number import finfo

#: Bytes of the inputs and outputs of one call. More points than that are several calls, and a function of which few
#: points have room is called for each: it has its work to do, beside which a call is nothing.
LIMIT = 8 << 20

#: Points of one call below which it spares too few: one of them is the point itself again.
FEWEST = 4

#: Roundings of its largest output by which a batch may be another than f: of sums in another order.
ROUNDINGS = 64.0

#: Where it is compared beside the inputs, in their sizes: the first at which f is finite somewhere.
FAR = (0.125, -(2.0**-5), 2.0**-10, 2.0**-20)


class Misshapen(ValueError):  # noqa: N818 - read as a sentence: raise Misshapen
    """Answers at several points that are none of f."""


@dataclass
class Batched(Counted):
    """The user's function, beside one that answers for several points at once; calls and points of both are counted.

    `several` is that function, and was `declared` to be f or is to be found so; `known` says for the dtypes of inputs
    whether it was.
    """

    several: Callable[..., Any] | None = None
    declared: bool = True
    known: dict[tuple[np.dtype[Any], ...], bool] = field(default_factory=dict)

    def room(self, inputs: Sequence[Array]) -> int:
        """Points that one call may have; 0 where it is too few, or the function is not known to be f."""
        if not self.known.get(_dtypes(inputs), False):
            return 0
        return self.fitting(inputs)

    def fitting(self, inputs: Sequence[Array]) -> int:
        """The same, whether it is known or not."""
        outputs = math.prod(self.shape or ()) * max(x.itemsize for x in inputs)
        points = LIMIT // (sum(x.nbytes for x in inputs) + outputs)
        return points if points >= FEWEST else 0

    def together(self, stacked: Sequence[Array]) -> Array:
        """The answers at several points, shape (points, *shape of f(*inputs)), from one call.

        Raises
        ------
        ValueError
            If they are not what f answers to as many points.
        """
        assert self.several is not None
        points = len(stacked[0])
        self.calls += 1
        self.further += points - 1
        with np.errstate(all="ignore"):
            output = np.asarray(self.several(*stacked))
        wanted = (points, *(self.shape or ()))
        if output.shape != wanted:
            raise Misshapen(
                f"{self.who}: batched does not answer point by point\n"
                f"  batched(*stacked).shape = {output.shape}, wanted {wanted}, (points, *f(*inputs).shape)\n"
                f"  {NEEDED}"
            )
        return output

    def trust(
        self, inputs: Sequence[Array], centre: Array, accuracy: float = 0.0, *, strict: bool = True
    ) -> None:
        """Find out whether it is f in the dtypes of these inputs.

        Raises
        ------
        ValueError
            If it is not, though it was declared to be; unless not `strict`.
        """
        key = _dtypes(inputs)
        if self.several is None or key in self.known or not self.fitting(inputs):
            return
        why = self.fault(inputs, centre, accuracy)
        self.known[key] = not why
        if why and strict and self.declared and why != UNKNOWN:
            raise ValueError(f"{self.who}: {why}")

    def fault(self, inputs: Sequence[Array], centre: Array, accuracy: float) -> str:
        """Why it is not f, in words; empty where it is, at the inputs and beside them.

        Every input is moved, and what is beside comes first: a function that takes one input from the first point alone
        is seen at the second.
        """
        beside, own = self.beside(inputs)
        if own is None:
            return UNKNOWN
        stacked = [np.stack(pair) for pair in zip(beside, inputs, strict=True)]
        try:
            found = self.together(stacked)
        except Misshapen as error:
            return str(error).removeprefix(f"{self.who}: ")
        except Exception as error:
            shapes = ", ".join(str(x.shape) for x in stacked)
            return (
                "batched fails where f does not\n"
                f"  batched(*stacked) raised {type(error).__name__}: {error}, for inputs of shape {shapes}\n"
                f"  {NEEDED}"
            )
        pairs = ((found[1], centre, "at the inputs"), (found[0], own, "at a point beside them"))
        why = next((why for pair in pairs if (why := _another(*pair, accuracy))), "")
        if why and _another(self(*beside), own, "", accuracy):
            return UNKNOWN  # what f answers is drawn at random: of that the check itself tells
        return why

    def beside(self, inputs: Sequence[Array]) -> tuple[list[Array], Array | None]:
        """A point beside, and what f answers there; None where it raises or is finite nowhere, however close."""
        rng = np.random.default_rng(0)
        drawn = [gaussian(x.shape, rng) for x in inputs]
        for far in FAR:
            moved = [
                np.asarray((x + far * _size(x) * d).astype(x.dtype))
                for x, d in zip(inputs, drawn, strict=True)
            ]
            try:
                own = self(*moved)
            except Exception:  # beside the inputs the domain may end
                continue
            if np.isfinite(own).any():
                return moved, own
        return [], None


#: Why nothing is made of a batched function that is not known to be wrong.
UNKNOWN = "not comparable: f is finite nowhere beside the inputs, or answers otherwise at each call"

#: What is wanted of a batched function.
NEEDED = (
    "it takes each input with one more axis in front, of points, and its output has that axis: jax.vmap(f), "
    "torch.func.vmap(f), or code that broadcasts"
)


def counted(f: Callable[..., Any], batched: Callable[..., Any] | bool | None, who: str) -> Counted:
    """The user's function as it is called, with the one for several points where that was declared; once, of several.

    Raises
    ------
    TypeError
        If that can not be called.

    Examples
    --------
    >>> f = counted(lambda x: x.sum(), lambda x: x.sum(axis=-1), "who")
    >>> x = np.arange(3.0)
    >>> f.trust((x,), f(x))
    >>> f.together([np.stack([x, 2 * x, 3 * x])]), f.calls, f.points
    (array([3., 6., 9.]), 4, 7)
    """
    if isinstance(f, Counted):
        return f
    if batched is None or batched is False:
        return Counted(f, who)
    if batched is not True and not callable(batched):
        raise TypeError(
            f"{who}: batched is no function\n  batched = {batched!r}, wanted a function, or True where f is the one\n"
            f"  {NEEDED}"
        )
    return Batched(f, who, several=f if batched is True else batched)


def trust(
    f: Counted, inputs: Sequence[Array], centre: Array, accuracy: float = 0.0, *, strict: bool = True
) -> None:
    """Find out whether what was declared to be f at several points is f; nothing where nothing was."""
    if isinstance(f, Batched):
        f.trust(inputs, centre, accuracy, strict=strict)


@dataclass(frozen=True)
class Section:
    """f as a function of one array: of one input, or of several that are stored one after another; the rest is held.

    Parameters
    ----------
    f : Counted
    inputs : tuple of ndarray
    moved : mapping of index to slice or None
        The inputs that move, and where each is stored; None for one that is the array.
    """

    f: Counted
    inputs: tuple[Array, ...]
    moved: Mapping[int, slice | None]

    def __call__(self, point: Array) -> Array:
        """The output at a point."""
        return self.f(*self.at(point))

    def at(self, point: Array) -> tuple[Array, ...]:
        """The inputs that a point stands for."""
        inputs = list(self.inputs)
        for i, part in self.moved.items():
            inputs[i] = point if part is None else point[part].reshape(inputs[i].shape)
        return tuple(inputs)

    def outputs(
        self, point: Array, quantum: Array, positions: Sequence[int]
    ) -> Iterator[tuple[int, Array, Array]]:
        """Outputs at point + position · quantum, each beside the one at the point that the same call gave.

        What rounds otherwise in a batch does so in both. Yields nothing more where calls have no room for several, or
        one raises: whether f does so too is seen by calling it.
        """
        room = self.f.room(self.inputs) if isinstance(self.f, Batched) else 0
        for start in range(0, len(positions), max(room - 1, 1)):
            some = positions[start : start + room - 1]
            if not room or len(some) < FEWEST - 1:
                return
            try:
                outputs = self.f.together(self.stacked(point, quantum, some))  # type: ignore[attr-defined]
            except Exception:
                return
            yield from ((position, outputs[k + 1], outputs[0]) for k, position in enumerate(some))

    def stacked(self, point: Array, quantum: Array, positions: Sequence[int]) -> list[Array]:
        """The inputs at the point and at the positions, with an axis of points in front.

        What is held is copied, since some code takes no strides of 0; what moves is written where it stays.
        """
        lengths = np.array((0, *positions)).astype(point.dtype)
        stacked = []
        for i, x in enumerate(self.inputs):
            if i not in self.moved:
                stacked.append(np.repeat(x[None], len(lengths), axis=0))
                continue
            part = self.moved[i]
            start, step = (point, quantum) if part is None else (point[part], quantum[part])
            moved = np.empty((len(lengths), *start.shape), point.dtype)
            np.multiply(lengths.reshape(-1, *[1] * start.ndim), step, out=moved)
            moved += start
            moved[0] = start  # the sum makes 0 of −0
            stacked.append(moved.reshape(len(lengths), *x.shape))
        return stacked


def _dtypes(inputs: Sequence[Array]) -> tuple[np.dtype[Any], ...]:
    return tuple(x.dtype for x in inputs)


def _size(x: Array) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) or 1.0


def _another(found: Array, own: Array, where: str, accuracy: float) -> str:
    """How a batch's answer is another than f's; NaN and infinities belong to what both have."""
    if found.dtype != own.dtype:
        return f"batched answers in another dtype\n  batched(*stacked).dtype = {found.dtype}, wanted {own.dtype}, as f"
    wide, right = found.astype(np.float64), own.astype(np.float64)
    there = np.isfinite(right)
    size = float(np.abs(right[there]).max(initial=0.0))
    allowed = max(ROUNDINGS * float(finfo(own.dtype).eps), 2 * accuracy) * size
    apart = float(np.abs(wide[there] - right[there]).max(initial=0.0))
    if apart <= allowed and (np.isfinite(wide) == there).all():
        return ""
    return (
        f"batched is another function than f {where}\n"
        f"  they differ by up to {apart:.2g}, where the size of f is {size:.2g} and {allowed:.2g} may be rounding\n"
        "  each point is to be answered by itself, with no mean or normalisation over all of them"
    )
