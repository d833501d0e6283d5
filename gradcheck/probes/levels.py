"""Few digits: what samples in half precision can show, and what they cannot.

With 8 or 11 bits f is no smooth curve under a little noise but a staircase, and a segment may show a few steps of it.
Then neighbours round alike, a spike or a step of f itself is a few roundings high, and what underflows inside f is
large beside what comes out. All of it is too rare to be met in float32, whose readings are none of this concern.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.number import finfo

#: Spacing of a dtype's numbers at 1 from which on it has few digits: between float32's and float16's.
COARSE = 1e-4

#: Coefficients that end below this multiple of the rounding of outputs end in that alone: of the last two of nine it
#: leaves 0.66 in the mean, and more than 2 in one of 4,000. What is higher has to show itself as noise between close
#: neighbours.
ENDED = 2.0

#: Roundings that values must span to show a slope. Of less a spike or a step that is no wider than the gap round the
#: centre is as good an explanation.
SHOWN = 16.0

#: Ratio of levels of noise up to which they tell one size together: seven coefficients of normal noise are four times
#: smaller than it is once in 2,800 times.
LIKE = 4.0


@dataclass(frozen=True)
class Levels:
    """What samples of few digits lie on.

    `few`: they span less than SHOWN roundings; `runs`: at most half of them differ from the one before; `hidden`: what
    may be wrong with each beside its rounding, that no coefficient shows.
    """

    few: bool
    runs: bool
    hidden: float


def levels(values: Array, rounding: float, floor: float) -> Levels:
    """What `values`, in order along the segment, lie on.

    Parameters
    ----------
    values : ndarray, shape (count,)
    rounding : float
        That of a value to its digits.
    floor : float
        The same, and what may underflow inside f. It steps by no more than the distance of two values, and where most
        of them differ it shows in the coefficients as other noise does.

    Examples
    --------
    >>> levels(np.array([-2.0, -2.0, -1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 1.0]), 0.5, 30.0)
    Levels(few=True, runs=True, hidden=8.0)
    >>> levels(np.arange(-40.0, 41.0, 10.0), 0.5, 30.0)
    Levels(few=False, runs=False, hidden=0.0)
    """
    steps = np.diff(np.unique(values))
    few = bool(0 < steps.sum() < SHOWN * rounding)
    runs = bool(1 + np.count_nonzero(np.diff(values)) <= (len(values) + 1) // 2)
    hidden = min(floor, float(steps.min(initial=np.inf))) if runs else 0.0
    return Levels(few, runs, max(hidden, SHOWN * rounding if few else 0.0))


def coarse(unit: float) -> bool:
    """Whether numbers of this unit round-off have few digits."""
    return 2 * unit > COARSE


def digits(rounding: Any, output: Array, weights: Any = 1.0) -> Any:
    """The rounding of an output to its digits, down to its smallest number; None where those are many."""
    about = finfo(output.dtype)
    if not coarse(float(about.eps) / 2):
        return None
    return rounding + weights * float(about.smallest_subnormal)
