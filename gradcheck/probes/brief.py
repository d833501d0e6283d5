"""Five samples and two between them: enough to bear out what is expected, and never to contradict it.

Five samples may by chance foretell two others and have another slope, so their bound is none to fail a claim by. But a
slope that agrees with a claim in nine digits was not measured wrong in just that way. Where it does not agree nothing
is said, and the search begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.estimate import SMALLEST, Array, Estimate, Finding
from gradcheck.probes.glimpse import SLOWER
from gradcheck.probes.nodes import Nodes
from gradcheck.probes.reading import NORMAL, UNSUSPICIOUS, WORST

#: Bounds by which five samples may miss what is expected while two more might yet show that much noise.
SLACK = 100.0

#: Share of one coefficient, or of the one before last, up to which the next is a fall.
FALL = 0.3

Agrees = Callable[[Sequence[Estimate], int, float], bool]


@dataclass(frozen=True)
class Look:
    """What is expected, and where to look for it in brief.

    Parameters
    ----------
    start : float
        Half length.
    agrees : callable
        agrees(estimates of all channels, exponent, slack) -> whether they bear it out, sharply enough and up to so many
        of their bounds.
    bound : float
        Of the estimate, from which on it would be of no use.
    """

    start: float
    agrees: Agrees
    bound: float


@dataclass(frozen=True)
class Brief:
    """What five samples of one channel say: an estimate whose noise is what is known of it, a number a sample.

    `norm` is the deviation of the derivative for one unit of noise.
    """

    estimate: Estimate
    least: float
    norm: float

    def with_misses(self, misses: list[float]) -> Brief:
        """With noise as large as what samples between the others are off by."""
        noise = self.norm * max(self.least, NORMAL * max(misses))
        bound = noise + self.estimate.truncation
        return replace(self, estimate=replace(self.estimate, noise=noise, bound=bound))

    def at(self, place: float) -> float:
        """φ at `place`, of the half length."""
        return float(np.polynomial.chebyshev.chebval(place, self.estimate.coefficients))


def brief(values: Array, floor: float, argument: float, nodes: Nodes, half: float) -> Brief:
    """The derivative at the centre from `values` at five nodes of a segment of half length `half`, less the one there.

    Parameters
    ----------
    values : ndarray, shape (5,)
    floor : float
        Rounding of a value that cannot be avoided.
    argument : float
        Rounding of a place.
    nodes : Nodes
    half : float

    Examples
    --------
    >>> from gradcheck.probes.nodes import chebyshev
    >>> nodes = chebyshev(5, 1459)
    >>> t = np.array(nodes.positions) / 1459 * 2.0**-8
    >>> found = brief(np.sin(0.5 + t) - np.sin(0.5), 1e-16, 1e-16, nodes, 2.0**-8).with_misses([1e-14])
    >>> abs(found.estimate.value - np.cos(0.5)) <= found.estimate.bound <= 1e-9
    True
    """
    coefficients = nodes.coefficients @ values
    sizes = np.abs(coefficients)
    slope = float(nodes.slopes[-1] @ values) / half
    head, tail = max(float(sizes[1:3].max()), SMALLEST), float(sizes[3:].max())
    fall = SLOWER * float(np.sqrt(max(tail, floor) / head))
    left = head * fall**4 / (1 - fall**2) if fall < FALL else np.inf
    # T₅ has the slope 5 at the centre and is taken for T₃, of slope −3; and as much again for those which follow
    truncation = 16.0 * left / half
    if sizes[4] > max(UNSUSPICIOUS * floor, FALL * sizes[2]):
        truncation = np.inf  # what does not fall is no curve: noise, or what f does at the centre alone
    least, norm = max(WORST * floor, NORMAL * argument * abs(slope)), float(nodes.slope_norms[-1]) / half
    told = Estimate(
        value=slope,
        bound=norm * least + truncation,
        method="spectral",
        points=len(values),
        step=half,
        noise=norm * least,
        truncation=truncation,
        finding=Finding.SMOOTH,
        coefficients=tuple(float(c) for c in coefficients),
    )
    return Brief(told, least, norm)
