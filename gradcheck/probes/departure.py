"""How f leaves a constant: what is constant close to a point may be so, or only look so between two roundings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradcheck.estimate import Array
from gradcheck.probes.moves import Moves

#: Smallest step of a staircase, beside its height, or beside what f may hide of the same number with the other sign
#: where that is 0; bits by which a constant is followed outwards; places about its end, in shares of twice its length;
#: and how far from a parabola, as a share of their range, f is there if it leaves the constant by a kink, not by steps.
STEP, HIDES = 1 / 4, 1e6
OUTWARDS, FAR = (*range(1, 13), *range(15, 58, 3)), (15, 33, 57)
EVENLY = ((0.5, 0.52, 0.538, 0.56, 0.575, 0.602, 0.625), (0.375, 0.391, 0.41, 0.437, 0.455, 0.48, 0.5))
SMOOTH = 5e-3


def leaving(moves: Moves, side: int, exponent: int, exponents: Sequence[int]) -> tuple[Array, Array]:
    """Outputs that do not move on a segment but do further out, as rounding may; and those that do by larger steps.

    Between two steps of a staircase f is constant, and so it is up to a kink, beyond which it moves evenly.

    Parameters
    ----------
    moves : Moves
    side, exponent : int
        The segment.
    exponents : sequence of int
        Of all segments that were sampled on that side, the longest first.
    """
    still = np.asarray(~moves.segment(side, exponent).any(axis=0))
    doubtful, stepping = np.zeros_like(still), np.zeros_like(still)
    for place, at in _further(moves, side, exponent, exponents, still):
        leaves = still & (np.abs(moves.change(side, place, at)) > 0)
        if leaves.any():
            even, steps = _departure(moves, side, (place, at), exponents)
            doubtful |= leaves & ~even & ~steps
            stepping |= leaves & steps
            still &= ~leaves
        if not still.any():
            break
    return doubtful, stepping


def _further(
    moves: Moves, side: int, exponent: int, exponents: Sequence[int], still: Array
) -> list[tuple[int, int]]:
    """Places further out, the nearest first, at which what is still on a segment may move."""
    if not still.any():
        return []
    places = [(p, e) for e in exponents if e > exponent for p in moves.nodes.positions if p]
    longest = exponents[0]
    lasting = still & (moves.change(side, moves.grid, longest) == 0)
    far = [moves.change(side, moves.grid, longest + bits) != 0 for bits in FAR if lasting.any()]
    if far and (lasting & np.any(far, axis=0)).any():
        places += [(moves.grid, longest + bits) for bits in OUTWARDS]
    return sorted(places, key=lambda place: place[0] * 2.0 ** place[1])


def _departure(
    moves: Moves, side: int, place: tuple[int, int], exponents: Sequence[int]
) -> tuple[Array, Array]:
    """Outputs that leave a constant about there evenly, as beyond a kink; and by steps that no rounding makes."""
    position, exponent = place
    ends = [np.abs(moves.change(side, moves.grid, e)) for e in exponents]
    height = np.fmax(np.abs(moves.flat), np.fmax.reduce(ends))
    least = np.maximum(STEP * height, np.where(moves.flat == 0, HIDES * moves.unit, 0.0))
    even, coarse = np.zeros_like(moves.flat, dtype=bool), np.zeros_like(moves.flat, dtype=bool)
    bits = math.floor(math.log2(2 * moves.grid / position))
    for shares in EVENLY:
        places = sorted({round(position * 2**bits * share) for share in shares})
        with np.errstate(all="ignore"):
            changes = np.array([moves.change(side, p, exponent + 1 - bits) for p in places])
            powers = np.vander(np.array(places) / moves.grid, 3)
            bent = np.abs(changes - powers @ (np.linalg.pinv(powers) @ changes)).max(axis=0)
            spread, apart = np.ptp(changes, axis=0), np.abs(np.diff(changes, axis=0, prepend=0.0))
            steps = np.where(apart > 0, apart, np.inf).min(axis=0)
            if len(places) == len(shares):
                even |= (spread > 0) & (bent <= SMOOTH * spread)
            coarse |= np.isfinite(steps) & (steps >= least)
    return even, coarse & ~even
