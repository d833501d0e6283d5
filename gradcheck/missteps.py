"""Missteps: the ways in which people get the update of a parameter wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.estimate import Array


@dataclass(frozen=True)
class Misstep:
    """A wrong step of one parameter, and what it could have been made of.

    Parameters
    ----------
    i : int
        Which parameter.
    names : tuple of str
    params, gradients, rates, stepped : tuple of ndarray
        Of all parameters: before the step, ∂E/∂p there (None: not known), η, after it (None: not stepped).
    new : ndarray
        This parameter after the step.
    allowed : ndarray
        By how much a right one may be off, element by element.
    gradients_at : callable (params) -> gradients
        For gradients elsewhere.
    """

    i: int
    names: tuple[str, ...]
    params: tuple[Array, ...]
    gradients: tuple[Array | None, ...]
    rates: tuple[Array, ...]
    new: Array
    allowed: Array
    gradients_at: Callable[[Sequence[Array]], Sequence[Array | None]]
    stepped: tuple[Array | None, ...]

    @property
    def old(self) -> Array:
        """Its value before the step."""
        return self.params[self.i]

    @property
    def rate(self) -> Array:
        """Its η."""
        return self.rates[self.i]

    @property
    def gradient(self) -> Array:
        """Its ∂E/∂p."""
        gradient = self.gradients[self.i]
        assert gradient is not None
        return gradient

    @property
    def name(self) -> str:
        """What it is called."""
        return self.names[self.i]


Guess = tuple[str, Array]


def looks_like(misstep: Misstep) -> str | None:
    """The first known mistake that explains every element of a wrong step; None where none does."""
    with np.errstate(all="ignore"):
        for said, guess in _guesses(misstep):
            # a guess made of other numbers rounds like them: twice what a right step may be off, and its own ulps
            own = 4 * np.finfo(np.float64).eps * (np.abs(guess) + np.abs(misstep.old))
            if guess.shape == misstep.new.shape and np.all(
                np.abs(misstep.new - guess) <= 2 * misstep.allowed + own
            ):
                return said
    return None


def _guesses(m: Misstep) -> Iterator[Guess]:
    p, g, rate = m.old, m.gradient, m.rate
    yield "not stepped at all", np.asarray(p)
    yield "the step with the other sign: p + η ∘ ∂E/∂p", p + rate * g
    yield "the update −η ∘ ∂E/∂p itself, without the parameter", -rate * g
    yield "the update η ∘ ∂E/∂p itself, without the parameter", rate * g
    yield "the gradient itself", g
    yield "a step by the rate squared", p - rate**2 * g
    yield "a step without the rate: p − ∂E/∂p", p - g
    yield from _of_others(m)
    yield from _elsewhere(m)
    yield from _by_other_rates(m)
    if p.ndim == 2 and p.shape[0] == p.shape[1]:
        yield "a step by the transposed gradient", p - rate * g.T
    yield from _scaled(m)
    yield from _decayed(m)


def _of_others(m: Misstep) -> Iterator[Guess]:
    """Stepped by the gradient of another parameter, or by its rate."""
    for j, (other, gradient) in enumerate(zip(m.names, m.gradients, strict=True)):
        if j == m.i or gradient is None:
            continue
        if gradient.shape == m.old.shape:
            yield f"{m.name} stepped by the gradient of {other}", m.old - m.rate * gradient
        if m.rates[j].shape in ((), m.old.shape) and not np.array_equal(m.rates[j], m.rate):
            yield f"{m.name} stepped at the rate of {other}", m.old - m.rates[j] * m.gradient


def _elsewhere(m: Misstep) -> Iterator[Guess]:
    """The gradient through parameters that were updated already: those before it, after it, or all others."""
    count = len(m.params)
    before, after = range(m.i), range(m.i + 1, count)
    for updated in dict.fromkeys((tuple(before), tuple(after), (*before, *after))):
        if not updated or any(m.stepped[j] is None for j in updated):
            continue
        mixed = [np.asarray(m.stepped[j] if j in updated else p, p.dtype) for j, p in enumerate(m.params)]
        gradient = m.gradients_at(mixed)[m.i]
        if gradient is not None:
            names = ", ".join(m.names[j] for j in updated)
            yield f"the gradient taken through already updated {names}", m.old - m.rate * gradient


def _by_other_rates(m: Misstep) -> Iterator[Guess]:
    """One rate for each weight, spread along an axis that it does not belong to."""
    rate = m.rate
    if rate.ndim == 2 and rate.shape[0] == rate.shape[1]:
        yield "the rates transposed", m.old - rate.T * m.gradient
    for axis in range(rate.ndim):
        for how, taken in (("first", rate.take([0], axis)), ("mean", rate.mean(axis, keepdims=True))):
            yield f"the {how} rate along axis {axis} for all of that axis", m.old - taken * m.gradient
        yield f"the rates reversed along axis {axis}", m.old - np.flip(rate, axis) * m.gradient
    for how, one in (("first", rate.reshape(-1)[:1]), ("mean", rate.mean())):
        if rate.ndim:
            yield f"the {how} rate for all weights", m.old - one * m.gradient


def _scaled(m: Misstep) -> Iterator[Guess]:
    """A constant factor: a mean where there ought to be a sum."""
    move = m.rate * m.gradient
    size = float(np.sum(move * move))
    factor = -float(np.sum((m.new - m.old) * move)) / size if size > 0 else 0.0
    if factor and np.isfinite(factor):
        whole = round(1 / factor)
        exact = whole and abs(1 / factor - whole) < 1e-6 * abs(whole)
        said = f"divided by {whole}, as by a mean in place of a sum" if exact else f"times {factor:.6g}"
        yield f"the right step {said}", m.old - (1 / whole if exact else factor) * move


def _decayed(m: Misstep) -> Iterator[Guess]:
    """A term proportional to the parameter: weight decay."""
    rest, size = m.new - m.old + m.rate * m.gradient, float(np.sum(m.old * m.old))
    factor = float(np.sum(rest * m.old)) / size if size > 0 else 0.0
    if m.old.size > 1 and factor and np.isfinite(factor):
        yield (
            f"the right step and {factor:+.6g} times the parameter, as by weight decay",
            m.old * (1 + factor) - m.rate * m.gradient,
        )
