"""Exhibit: of one gradient, what plots need beside the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gradcheck.estimate import Array, Estimate
from gradcheck.probes.differences import Row

MOST = 4096
"""Elements that are kept; a file with more would hold little else."""


@dataclass(frozen=True)
class Exhibit:
    """A claimed gradient beside the measured one, and what was seen along one direction.

    Plain tuples rather than arrays, so that checks which carry it can be compared and sent to another process.

    Parameters
    ----------
    shape : tuple of int
        Of the gradient.
    claimed, measured : tuple of float
        Element by element in C order; empty where `left_out` says why.
    bounds, rounding : tuple of float
        Of the measured elements, and of the claimed ones.
    left_out : str
        Why there are no elements, in words; empty where there are.
    probe : Estimate or None
        The derivative along the direction that decided, with the coefficients of its last segment.
    steps : tuple of Row
        Errors of difference quotients along that direction against their step, longest first.
    case : mapping
        Describes the case, where that is another than the one that the row shows.
    diagnosis : str
        What the mistake looks like there.

    Examples
    --------
    >>> shown = Exhibit((2,), (1.0, 2.0), (1.0, 2.5), (1e-9, 1e-9), (0.0, 0.0))
    >>> shown.wrong
    (False, True)
    """

    shape: tuple[int, ...] = ()
    claimed: tuple[float, ...] = ()
    measured: tuple[float, ...] = ()
    bounds: tuple[float, ...] = ()
    rounding: tuple[float, ...] = ()
    left_out: str = ""
    probe: Estimate | None = None
    steps: tuple[Row, ...] = ()
    case: Mapping[str, Any] = field(default_factory=dict)
    diagnosis: str = ""

    @classmethod
    def of(
        cls,
        claimed: Array,
        measured: Array,
        bounds: Array,
        rounding: Array,
        probe: Estimate | None = None,
        steps: tuple[Row, ...] = (),
    ) -> Exhibit:
        """The exhibit of arrays of one shape."""
        return cls(
            claimed.shape,
            *(_flat(claimed), _flat(measured), _flat(bounds), _flat(rounding)),
            probe=probe,
            steps=steps,
        )

    @property
    def wrong(self) -> tuple[bool, ...]:
        """For each element whether claim and measurement cannot both be right."""
        parts = zip(self.claimed, self.measured, self.bounds, self.rounding, strict=True)
        return tuple(not (a == b or abs(a - b) <= numeric + own) for a, b, numeric, own in parts)


def too_many(size: int) -> str:
    """Why so many elements are not kept, in words; empty where they are few enough.

    Examples
    --------
    >>> too_many(4097), too_many(4096)
    ('4,097 elements, more than the 4,096 that a certificate keeps', '')
    """
    return f"{size:,} elements, more than the {MOST:,} that a certificate keeps" if size > MOST else ""


def _flat(array: Array) -> tuple[float, ...]:
    return tuple(map(float, array.ravel()))
