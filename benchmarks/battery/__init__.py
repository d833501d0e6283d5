"""A battery of right and wrong gradients, to judge a checker of gradients with.

A checker is good when it fails every wrong one, fails no right one, and says so in few forward calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from benchmarks.battery.case import Array, Case, Subject, cotangents, relative_difference
from benchmarks.battery.mutations import mutations
from benchmarks.battery.subjects import subjects

__all__ = ["SMALLEST", "Array", "Case", "Subject", "cases", "right_cases"]

SMALLEST = {"float64": 2e-6, "float32": 2e-4}
"""Relative size of the least wrong gradient."""

GENERIC = 7
"""Mutations of the general list that a subject gets, besides its own slips."""

COTANGENTS = 4
"""A mutant counts by its least error over so many, so that it is wrong under any that a checker may draw."""

SLACK = 0.99
"""A mutant of exactly the smallest size is that size only up to the rounding of its own arithmetic."""


def cases(dtype: str = "float64", seed: int = 0, most: float = math.inf) -> Iterator[Case]:
    """Every case of up to `most` elements an input: each subject's right gradient, then its wrong ones."""
    for place, subject in enumerate(subjects(dtype, seed)):
        if max(x.size for x in subject.inputs) <= most:
            yield _right(subject)
            yield from _wrong(subject, place, SMALLEST[dtype], seed)


def right_cases(dtype: str = "float64", seed: int = 0) -> Iterator[Case]:
    """The right ones alone."""
    return map(_right, subjects(dtype, seed))


def _right(subject: Subject) -> Case:
    return Case(subject.name, subject.f, subject.vjp, subject.inputs, False, "none", 0.0)


def _wrong(subject: Subject, place: int, small: float, seed: int) -> Iterator[Case]:
    given = cotangents(subject, COTANGENTS, seed + place)
    right = [subject.vjp(cotangent, *subject.inputs) for cotangent in given]
    own = ((name, hit, slip) for name, (hit, slip) in subject.slips.items())
    for name, hit, slip in chain(own, _generic(subject, right[0], place, small, seed)):
        wrongs = (slip(cotangent, *subject.inputs) for cotangent in given)
        error = min(
            relative_difference(wrong, gradients[hit]) for wrong, gradients in zip(wrongs, right, strict=True)
        )
        if error >= max(SLACK * small, subject.finest):
            yield replace(
                _right(subject),
                name=f"{subject.name}: input {hit}: {name}",
                vjp=_replacing(subject.vjp, hit, slip),
                wrong=True,
                mutation=name,
                relative_error=error,
                hit=hit,
            )


def _generic(
    subject: Subject, right: tuple[Array, ...], place: int, small: float, seed: int
) -> Iterator[tuple[str, int, Callable[..., Array]]]:
    """A few mutations of the general list, in turn over the subjects and over the inputs of each."""
    offered = [list(mutations(gradient, small, seed + place)) for gradient in right]
    for turn in range(GENERIC):
        hit = (place + turn) % len(right)
        name, spoil = offered[hit].pop((GENERIC * place + turn) * STRIDE % len(offered[hit]))
        yield name, hit, _spoiling(subject.vjp, hit, spoil)


STRIDE = 5
"""Neighbours in the general list are alike; steps of 5 give one subject a mixture."""


def _spoiling(
    vjp: Callable[..., tuple[Array, ...]], hit: int, spoil: Callable[..., Array]
) -> Callable[..., Array]:
    return lambda cotangent, *inputs: spoil(vjp(cotangent, *inputs)[hit], inputs[hit])


def _replacing(
    vjp: Callable[..., tuple[Array, ...]], hit: int, slip: Callable[..., Array]
) -> Callable[..., tuple[Array, ...]]:
    def wrong(cotangent: Array, *inputs: Array) -> tuple[Array, ...]:
        gradients = list(vjp(cotangent, *inputs))
        gradients[hit] = np.asarray(slip(cotangent, *inputs))
        return tuple(gradients)

    return wrong
