"""Plan: what a run judges, in its order: operations, their rows, their cases, and the seeds of each."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.case import Case, draw_values
from gradcheck.estimate import Array
from gradcheck.judge import CONDUCT, FORWARD, HVP, STEP
from gradcheck.operation import Operation, nearest

EXAMPLES = 25
"""Cases for each operation by default: every edge of the catalogue (at most 16) and some that are drawn."""


def rows(operation: Operation) -> tuple[str, ...]:
    """The rows of a certificate that an operation fills: "forward", then its inputs."""
    return (FORWARD, *(each.name for each in operation.inputs))


def known_rows(inputs: Iterable[str], asked: Sequence[Operation]) -> frozenset[str]:
    """The names, each of which one of the operations has: of a misspelt one nothing would be judged."""
    known = dict.fromkeys([*(name for each in asked for name in rows(each)), CONDUCT, STEP, HVP])
    found = dict.fromkeys(inputs)
    unknown = [name for name in found if name not in known]
    if unknown or not found:
        raise ValueError(
            f"certify: inputs name none of the operations' inputs\n  unknown = {', '.join(unknown) or 'all'}"
            f", nearest = {nearest(unknown[0], known) if unknown else 'none'}\n  wanted some of {', '.join(known)}"
        )
    return frozenset(found)


def check_numbers(examples: int, seed: int) -> None:
    """Raise `ValueError` for numbers of a run that are out of range."""
    if examples < 1 or seed < 0:
        raise ValueError(
            f"certify: the numbers of the run are out of range\n  examples = {examples}, seed = {seed}\n"
            "  wanted examples >= 1 and seed >= 0"
        )


def bound_by(operation: Operation, kinks: str | None) -> Operation:
    """The operation under the policy for kinks of the run, which goes before its own; None leaves it its own.

    Examples
    --------
    >>> from gradcheck.operation import Input
    >>> relu = Operation("relu", "", (Input("u", ("...",), "numbers"),), abs, None, kinks="subgradient")
    >>> bound_by(relu, "avoid").kinks, bound_by(relu, None).kinks
    ('avoid', 'subgradient')
    """
    return operation if kinks is None else replace(operation, kinks=kinks)


def seed_of(seed: int, operation: Operation, *more: int) -> int:
    """The run's seed for one operation, or (`more`) for one case of it: no two purposes share a stream."""
    words = [seed, zlib.crc32(operation.name.encode()), *more]
    return int(np.random.SeedSequence(words).generate_state(1)[0])


def values_of(seed: int, operation: Operation, case: Case) -> tuple[Array, ...]:
    """The arguments of one case, the same wherever it is judged."""
    return draw_values(case, np.random.default_rng([seed, zlib.crc32(operation.name.encode()), case.seed]))


def cases_of(operation: Operation, examples: int, seed: int) -> tuple[Case, ...]:
    """The cases of an operation: its edges, then drawn ones, numbered from 0."""
    from gradcheck.strategies import draw_cases  # Hypothesis only where cases are drawn

    return draw_cases(operation.cases, examples, seed_of(seed, operation), edges=operation.edges)


@dataclass(frozen=True)
class Plan:
    """What a run is to judge.

    Parameters
    ----------
    asked : tuple of Operation
        In the order of the certificate.
    offers : mapping of str to (bool, bool)
        Operations that the target offers, and whether with a forward and with a vjp; of the others nothing is
        judged.
    examples, seed : int
    only : frozenset of str, optional
        Rows to judge; all by default.
    order : int
        2 adds the row "hvp" to every operation.
    bent : frozenset of str
        Operations for which the target offers an hvp.
    kinks : str, optional
        The policy for kinks that was asked for; each operation's own by default.
    """

    asked: tuple[Operation, ...]
    offers: Mapping[str, tuple[bool, bool]]
    examples: int
    seed: int
    only: frozenset[str] | None = None
    order: int = 1
    bent: frozenset[str] = frozenset()
    drawn: dict[str, tuple[Case, ...]] = field(default_factory=dict)
    kinks: str | None = None

    @property
    def operations(self) -> dict[str, Operation]:
        """The operations that are judged, by name."""
        return {each.name: bound_by(each, self.kinks) for each in self.asked if each.name in self.offers}

    def cases(self, name: str) -> tuple[Case, ...]:
        """The cases of one operation, drawn once."""
        if name not in self.drawn:
            self.drawn[name] = cases_of(self.operations[name], self.examples, self.seed)
        return self.drawn[name]

    def rows(self, operation: Operation) -> tuple[str, ...]:
        """The rows of an operation that are asked for."""
        if self.only is None:
            return (*rows(operation), *([HVP] if self.order > 1 else []))
        return tuple(name for name in (*rows(operation), HVP) if name in self.only)
