"""Elsewhere: the claim at a point where f was sampled, beside the slope of what was sampled there.

A vjp that answers from what an earlier call left behind, or that knows the point, is right at the inputs alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gradcheck.directions import Steps
from gradcheck.estimate import Array, Estimate
from gradcheck.number import finfo

#: Where to look, in half lengths of the segment: inside, off its nodes and off what halves it.
PLACE = 0.2871

#: How far claim and slope may be apart there, in units of what is allowed at the centre and of rounding. A bound of the
#: slope at the centre is none elsewhere; what this look is there for is wrong by the size of the gradient.
GENEROUS = 1000.0


def astray(
    claimed: Callable[[Array], Array | None], steps: Steps, found: tuple[Estimate, int], allowed: float
) -> str:
    """What is wrong with the claim beside the centre; empty where nothing is, or nothing can be said.

    Parameters
    ----------
    claimed : callable
        claimed(point) -> the gradient that is claimed there, flat; None for none.
    steps : Steps
        Of the line that was sampled.
    found : (Estimate, int)
        What was found at its centre, and the exponent of the segment that gave it.
    allowed : float
        Largest difference that two right numbers show at the centre.
    """
    estimate, exponent = found
    allowed = max(allowed, float(estimate.bound))  # that of a complex step is finer than the samples are
    if not math.isfinite(allowed) or not estimate.coefficients or estimate.step <= 0:
        return ""
    point, place = steps.nearest(PLACE, exponent)
    gradient = claimed(point)
    if gradient is None:
        return ""
    slope = np.polynomial.chebyshev.chebder(np.array(estimate.coefficients))
    measured = float(np.polynomial.chebyshev.chebval(place, slope)) / estimate.step
    products = gradient.astype(np.float64) * steps.taken(exponent).ravel()
    rounding = float(finfo(gradient.dtype).eps) * float(np.abs(products).sum())
    apart = abs(float(products.sum()) - measured)
    if apart <= GENEROUS * (allowed + rounding):
        return ""
    return (
        "right at the inputs, wrong at a point beside them\n"
        f"there ⟨g, v⟩ = {float(products.sum()):.6g}, but f has the slope {measured:.6g}\n"
        "a vjp computes from its arguments, not from what an earlier call left behind"
    )


def asked(
    vjp: Callable[..., Any], cotangent: Array, inputs: tuple[Array, ...], some: Iterable[int]
) -> Array | None:
    """The gradients of some inputs, flat, from one call with copies; None where it raises or one is none."""
    try:
        with np.errstate(all="ignore"):
            answer = vjp(cotangent.copy(), *[x.copy() for x in inputs])
        listed = answer if isinstance(answer, tuple | list) and len(inputs) == len(answer) else (answer,)
        gradients = [np.asarray(listed[i]) for i in some]
    except Exception:  # beside the inputs there may be no gradient
        return None
    if any(g.shape != inputs[i].shape for g, i in zip(gradients, some, strict=True)):
        return None
    flat = np.concatenate([g.ravel() for g in gradients])
    return flat if np.isfinite(flat).all() else None
