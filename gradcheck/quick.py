"""Quick looks: a directional derivative from few samples, at a length that a trial has shown to be short enough."""

from __future__ import annotations

import math

import numpy as np

from gradcheck.estimate import Array
from gradcheck.probes.field import FieldLine, grid
from gradcheck.probes.nodes import chebyshev, fits
from gradcheck.probes.reading import NORMAL
from gradcheck.trial import Trial

#: Points of a probe -> bits by which its segment is shorter than one that 17 points resolved. What 17 points
#: resolve to rounding has coefficients that fall 8-fold or faster; 2 bits shorter 9 points do as well.
SHORTER = {5: 5, 9: 2, 17: 0}

#: Share of what the upper half of the coefficients add to a derivative that bounds what those beyond would:
#: they fall at least 32-fold over 5 points, and 16²-fold over half of 9 or 17; each with a margin.
SETTLED = {5: 0.05, 9: 0.02, 17: 0.02}

#: Calls of the function for one quick look: five nested points, the centre known.
QUICK = 4


def choices(dtype: np.dtype) -> tuple[int, ...]:
    """Points of a probe that the grid of a dtype can hold: in few digits no more than nine.

    Examples
    --------
    >>> choices(np.dtype("float32")), choices(np.dtype("float16"))
    ((5, 9, 17), (5, 9))
    """
    return tuple(points for points in SHORTER if fits(points, grid(dtype)))


def look(trial: Trial, channel: int, direction: Array, points: int = 5) -> tuple[Array, float, float]:
    """The direction taken, the derivative along it, and its bound with the claim's rounding.

    The calls are counted on the trial.
    """
    cotangent = trial.cotangents[channel : channel + 1]
    line = FieldLine(
        trial.function, trial.point, direction, cotangent, centre=trial.centre, accuracy=trial.accuracy
    )
    exponent = max(trial.exponent - SHORTER[points], line.limits[0])
    nodes, half = chebyshev(points, line.grid), line.grid * 2.0**exponent
    found = line.samples(nodes.positions, exponent)
    trial.evaluations += line.evaluations
    if len(found) < points:  # not finite somewhere
        return line.steps.taken(exponent), math.nan, math.nan
    samples = [found[p] for p in nodes.positions]
    values = np.array([s.values[0] for s in samples])
    slope = float(nodes.slopes[-1] @ values) / half
    coarse = float(nodes.slopes[(points + 1) // 2] @ values) / half
    noise = NORMAL * max(float(s.floor[0]) for s in samples) * float(nodes.slope_norms[-1]) / half
    taken = line.steps.taken(exponent)
    own = trial.claim.along(taken, channel)[1]
    return taken, slope, noise + SETTLED[points] * abs(slope - coarse) + own
