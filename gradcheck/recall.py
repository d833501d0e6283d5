"""Further calls of a vjp: the answers that ought to be its first one again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.answer import backward, fortran, gradient_of, listed, locked, wide
from gradcheck.estimate import Array
from gradcheck.number import finfo
from gradcheck.rounding import apart, largest, ulps

Gradients = list[Array | None]

FEW = 1024
"""Elements of all gradients together up to which each counts by itself, and more calls cost little."""


@dataclass
class Recall:
    """A vjp with its arguments and its first answer; arguments are copied for each call.

    Parameters
    ----------
    vjp : callable
    cotangent : ndarray, floating
    inputs : tuple of ndarray
    first : list of (ndarray or None)
        The first answer; None where there is none to compare with.
    rng : Generator
    calls : int
        Counts up.
    refusals : list of (kind, lines)
        Calls that raised though the first did not.
    parts : list of (layout, cotangent, answer)
        The two calls of `split`.
    """

    vjp: Callable[..., Any]
    cotangent: Array
    inputs: tuple[Array, ...]
    first: Gradients
    rng: np.random.Generator
    calls: int = 1
    refusals: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    parts: list[tuple[str, Array, Gradients]] = field(default_factory=list)
    _again: list[Array] | None = None

    def call(self, cotangent: Array, inputs: Sequence[Array]) -> Gradients:
        """Gradients as float64 or wider; None where the first call had none, NaN where no longer usable."""
        self.calls += 1
        with np.errstate(all="ignore"):
            returned, _ = listed(self.vjp(cotangent, *inputs), self.inputs)
        answer: Gradients = []
        for was, now, x in zip(self.first, returned, self.inputs, strict=True):
            gradient, complaint = gradient_of(now, x)
            answer.append(
                None if was is None else np.full(x.shape, np.nan) if complaint else wide(gradient.copy())
            )
        return answer

    def plain(self, cotangent: Array) -> Gradients:
        """A call with fresh copies in the caller's memory order, which may be written into."""
        return self.call(cotangent.copy("K"), [x.copy("K") for x in self.inputs])

    def viewed(self, cotangent: Array, view: Callable[[Array], Array], kind: str, how: str) -> Gradients:
        """A call with arguments in other memory; where only that raises, the answer to a plain call."""
        try:
            return self.call(view(cotangent), [view(x) for x in self.inputs])
        except Exception as error:
            seen = f"raised {brief(error)}"
        try:
            answer = self.plain(cotangent)
        except Exception:
            wanted = "wanted gradients, as for the first cotangent"
            self.refusals.append(("raises", ("vjp fails for another cotangent", seen, wanted)))
            return [None] * len(self.inputs)
        self.refusals.append(
            (kind, (f"vjp fails for {how} arguments", seen, "with plain copies it does not"))
        )
        return answer

    def deviation(self, answer: Gradients) -> list[Array]:
        """Zero where there is nothing to compare."""
        return [
            np.zeros(x.shape) if was is None or now is None else apart(now, was)
            for was, now, x in zip(self.first, answer, self.inputs, strict=True)
        ]

    def repeated(self) -> list[Array]:
        """|g(c) − g(c)|, with fresh copies."""
        if self._again is None:
            self._again = self.deviation(self.plain(self.cotangent))
        return self._again

    def refilled(self) -> list[Array]:
        """|g(2c)/2 − g(c)|, where 2c is in the very objects that held c at the call before; 0 for numbers too large."""
        held = [self.cotangent.copy("K"), *(x.copy("K") for x in self.inputs)]
        if self.factor() > 0:
            return [np.zeros(x.shape) for x in self.inputs]
        try:
            self.call(held[0], held[1:])
            for array, value in zip(held, (2 * self.cotangent, *self.inputs), strict=True):
                array[...] = value
            return self.deviation(times(self.call(held[0], held[1:]), 0.5))
        except Exception:  # what raises for other cotangents has been told
            return [np.zeros(x.shape) for x in self.inputs]

    def scaled(self) -> list[Array]:
        """|g(s c)/s − g(c)| for s = −2^k: zero to the bit where g is linear in c, whatever its rounding.

        Multiplying by a power of two commutes with every rounding, so rounding is no excuse here. Upwards,
        away from underflow, and by more than 2, so that a clipped gradient is seen; negative, so that |c| is.
        """
        factor = self.factor()
        cotangent = (self.cotangent * factor).astype(self.cotangent.dtype)
        return self.deviation(times(self.viewed(cotangent, locked, "read-only", "read-only"), 1 / factor))

    def factor(self) -> float:
        """−2^k, or 1 where the exponent cannot hold that: then only the same answer twice can be asked for."""
        info = finfo(self.cotangent.dtype)
        factor = -(2.0 ** min(16, info.maxexp // 4))
        sizes = [largest(self.cotangent), *(largest(g) for g in self.first if g is not None)]
        too_large = max(sizes) > float(info.max) / 16 / abs(factor)
        return 1.0 if too_large or sizes[0] < np.sqrt(float(info.tiny)) else factor

    def tiny(self) -> float | None:
        """5/2^k, so small that the square of no element of the cotangent is above 0, and a sum of them is 0 as well.

        None where gradients would lose digits that small (in float16), or such a square is not 0 (in long double, or
        where the vjp may compute in other numbers than the cotangent has).
        """
        info, most = finfo(self.cotangent.dtype), largest(self.cotangent)
        least = float(info.smallest_subnormal)
        others = {float(finfo(g.dtype).eps) for g in self.first if g is not None}
        if not (least > 0 < most) or others != {float(info.eps)}:
            return None
        factor = 5.0 * 2.0 ** -math.ceil(math.log2(most) - math.log2(least) / 2 + math.log2(10.0))
        biggest = max(largest(g) for g in self.first if g is not None)
        return factor if factor * biggest * float(info.eps) > float(info.tiny) else None

    def moved(self) -> list[Array]:
        """|(g(3c, x + d)/3 + g(5c, x − d)/5)/2 − g(c, x)|, to which the slope of g contributes nothing.

        d is ±k ulps, k up to ε^(−1/4): 8192 in float64, 54 in float32. By single ulps and first differences,
        a function of condition κ would show its own slope, κε; here it shows its curvature, (κkε)²/2, which
        is below ε up to κ = ε^(−1/4). Errors that the move leaves as they are (1 − tanh² at 10) are not seen.

        The largest of three draws where there are few elements, of which each may be compared: in one draw
        the errors of x ± d cancel that of x in every fourth element. In many, only their sums are compared.
        """
        elements = sum(g.size for g in self.first if g is not None)
        draws = [self.deviation(self.moved_once()) for _ in range(3 if elements <= FEW else 1)]
        return [np.max(found, axis=0) for found in zip(*draws, strict=True)]

    def moved_once(self) -> Gradients:
        """(g(3c, x + d)/3 + g(5c, x − d)/5)/2 for one random d; nothing where the vjp raises there."""
        steps = [ulps(x, self.rng) for x in self.inputs]
        total: Gradients = [None] * len(self.inputs)
        for odd, sign in ((3, 1), (5, -1)):
            cotangent = (self.cotangent * odd).astype(self.cotangent.dtype)
            inputs = [x + sign * d for x, d in zip(self.inputs, steps, strict=True)]
            try:
                total = plus(total, times(self.call(cotangent, inputs), 0.5 / odd))
            except Exception:  # the move may leave the domain: rounding is then unmeasured, not excused
                return [None] * len(self.inputs)
        return total

    def split(self) -> list[Array]:
        """|g(c₁) + g(c₂) − g(c)| for c₁ + c₂ = c of disjoint supports (so exactly), in two memory layouts."""
        mask = (self.rng.permutation(self.cotangent.size) % 2 == 0).reshape(self.cotangent.shape)
        total: Gradients = [None] * len(self.inputs)
        for part, view, how in ((mask, fortran, "Fortran-ordered"), (~mask, backward, "reversed")):
            cotangent = np.where(part, self.cotangent, 0).astype(self.cotangent.dtype)
            self.parts.append((how, cotangent, self.viewed(cotangent, view, "layout", how)))
            total = plus(total, self.parts[-1][2])
        return self.deviation(total)


def times(answer: Gradients, factor: float) -> Gradients:
    """Every gradient times a number."""
    return [None if g is None else g * factor for g in answer]


def plus(total: Gradients, answer: Gradients) -> Gradients:
    """The sum of two answers, the second alone where the first is None."""
    return [g if t is None else None if g is None else t + g for t, g in zip(total, answer, strict=True)]


def brief(error: Exception) -> str:
    """The kind of an exception and the first line of what it says."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
