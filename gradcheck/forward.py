"""Value first: an implementation's forward against the operation's own naive one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.case import INTEGERS
from gradcheck.coarse import FLOAT64, keeps_exact
from gradcheck.estimate import Array, Estimate
from gradcheck.exhibit import Exhibit, too_many
from gradcheck.number import finfo, is_real
from gradcheck.verdict import Budget, Check, Verdict, Worst

PROBES = 8
"""Random perturbations from which the sensitivity of each output element is measured."""

STEP = 2.0**-20
"""Relative size of a perturbation: far above rounding (2^-53), and f is nearly straight over it."""

LEVEL = 21
"""Roundings of each level of a convolution by transforms: 7 at most in each of three of them (`transform_bound`)."""

APART = 0.25
"""What whole numbers may differ by and still be told apart from each other, with room to spare."""

LAMBDA = 8.0
"""Of a sum of n roundings in half precision: one of 10,000 terms is beyond with a probability of 3e-10."""

ULPS = 8
"""Roundings granted to an elementary function (exp, tanh) beyond its argument's; vendors' stay below 4."""


def check_forward(
    forward: Callable[..., Any],
    naive: Callable[..., Any],
    inputs: Sequence[Array],
    *,
    seed: int,
    exact: bool,
    subject: str,
    dtype: np.dtype[Any] = FLOAT64,
) -> Check:
    """Whether a forward has the value of the naive one: to the bit where `exact`, else within rounding.

    Where `exact` and not to the bit, within the rounding of a transform, which is no mistake: the evidence is then
    not "exact", and the resolution says what it could have seen.

    Parameters
    ----------
    forward, naive : callable (*inputs) -> array
    inputs : sequence of ndarray
    seed : int
        Of the perturbations that measure the sensitivity.
    exact : bool
        The operation is a polynomial of the inputs, which are small integers: sums are exact in any order.
    subject : str
        "d" of nothing: the operation's name, for the report.
    dtype : dtype
        In which the forward reckons; the naive one has float64.
    """
    exact = exact and keeps_exact(naive, inputs, dtype)
    wanted = np.asarray(naive(*inputs))
    given = forward(*inputs)
    form = _form(given, wanted)
    if form:
        return _verdict(Verdict.FAIL, subject, exact, inputs, seed, form, resolution=np.inf)
    got = np.asarray(given)
    got = got.astype(np.float64) if dtype != FLOAT64 else got
    if not exact:
        bound = rounding_bound(naive, inputs, wanted, seed, dtype)
        return _compared(got, wanted, bound, subject, exact, inputs, seed)
    to_the_bit = _compared(got, wanted, np.zeros(wanted.shape), subject, exact, inputs, seed)
    if to_the_bit.passed or dtype != FLOAT64:
        return to_the_bit
    bound = np.full(wanted.shape, min(transform_bound(naive, inputs, wanted), APART))
    rounded = _compared(got, wanted, bound, subject, False, inputs, seed)
    return replace(rounded, miss_probability=to_the_bit.miss_probability) if rounded.passed else to_the_bit


def _form(given: Any, wanted: Array) -> str:
    """What is wrong with the form of an output, in words; empty where nothing is."""
    try:
        got = np.asarray(given)
    except Exception:
        return f"the forward returned a {type(given).__name__}, which is no array"
    if got.dtype.kind not in "fiu" and not is_real(got.dtype):
        return f"the forward returned {_kind(given, got)}, wanted real floating numbers"
    if got.shape != wanted.shape:
        return f"the forward has shape {got.shape}, wanted {wanted.shape}"
    return ""


def _kind(given: Any, got: Array) -> str:
    return "None" if given is None else f"dtype {got.dtype}"


def rounding_bound(
    naive: Callable[..., Any],
    inputs: Sequence[Array],
    value: Array,
    seed: int,
    dtype: np.dtype[Any] = FLOAT64,
) -> Array:
    """How far two correct forwards may lie apart, element by element.

    With n terms p_i in a sum, any order of summation errs by at most γ_n Σ|p_i|, γ_n = n u / (1 − n u), and
    Σ|p_i| <= √n (Σ p_i²)^½. The root is measured: it is what a Gaussian relative perturbation of the inputs
    by ε moves the output, over ε; √(π/2) times the mean of its size, since squares could overflow. n is the
    number of input elements, the most that a sum can have; ULPS are added for elementary functions, and both
    sides round, hence the 2.

    Parameters
    ----------
    naive : callable (*inputs) -> array
    inputs : sequence of ndarray
    value : ndarray
        naive(*inputs).
    seed : int
    """
    unit = float(finfo(dtype).eps) / 2
    terms = sum(x.size for x in inputs) + ULPS
    # in half precision γ_n soon says nothing; roundings that are independent add up to λ √n u but with a probability of
    # 2 n exp(−λ²/2) at most (Higham and Mary, 2019)
    gamma = LAMBDA * np.sqrt(terms) * unit if terms * unit > 0.1 else terms * unit / (1 - terms * unit)
    moved = [_moved(naive, inputs, value, rng) for rng in np.random.default_rng(seed).spawn(PROBES)]
    with np.errstate(over="ignore"):
        sensitivity = np.sqrt(np.pi / 2) * np.mean(np.abs(moved), axis=0)
        bound = 2 * gamma * (np.sqrt(terms) * sensitivity + np.abs(value))
    return np.asarray(bound + terms * float(finfo(dtype).tiny))


def transform_bound(naive: Callable[..., Any], inputs: Sequence[Array], value: Array) -> float:
    """How far Fourier transforms may lie from a sum of products of whole numbers, in any element.

    A transform of N numbers errs by up to 7 u, in the 2-norm and relative to it, at each of its log2 N levels
    (Higham, Accuracy and Stability of Numerical Algorithms, theorem 24.2), and knows nothing of which element an
    error falls on. A convolution takes three, of N <= 4 n numbers where n elements go in and out, and the sum over
    maps has n terms at most. The product of the norms that this is relative to is at most √n S, with S the largest
    sum that inputs of these magnitudes could give: the naive forward of constants.

    Parameters
    ----------
    naive : callable (*inputs) -> array
        Linear in each input, or in all of those that a transform is taken of.
    inputs : sequence of ndarray
    value : ndarray
        naive(*inputs).
    """
    elements = sum(x.size for x in inputs) + value.size
    largest = np.max(np.abs(naive(*(np.full_like(x, np.max(np.abs(x), initial=0.0)) for x in inputs))))
    roundings = LEVEL * np.log2(4 * elements) + elements
    return float(np.finfo(np.float64).eps / 2 * roundings * np.sqrt(elements) * largest)


def _moved(
    naive: Callable[..., Any], inputs: Sequence[Array], value: Array, rng: np.random.Generator
) -> Array:
    turned = [x * (1 + STEP * rng.standard_normal(x.shape)) for x in inputs]
    with np.errstate(over="ignore"):
        return np.asarray((np.asarray(naive(*turned)) - value) / STEP)


def _compared(
    got: Array, wanted: Array, bound: Array, subject: str, exact: bool, inputs: Sequence[Array], seed: int
) -> Check:
    with np.errstate(invalid="ignore"):
        error = np.abs(got - wanted)
        right = (error <= bound) | (got == wanted)
    if right.all():
        return _verdict(Verdict.PASS, subject, exact, inputs, seed, "", resolution=_resolution(bound, wanted))
    places = [tuple(int(i) for i in place) for place in np.argwhere(~right)]
    element = max(places, key=lambda place: _badness(error[place]))
    reason = f"the forward differs from the naive one in {len(places)} of {right.size} elements"
    worst = Worst(
        element, float(got[element]), 0.0, Estimate(float(wanted[element]), float(bound[element]), "naive")
    )
    found = _verdict(Verdict.FAIL, subject, exact, inputs, seed, reason, _resolution(bound, wanted))
    return replace(found, worst=worst, wrong=tuple(places), exhibit=_exhibit(got, wanted, bound))


def _exhibit(got: Array, wanted: Array, bound: Array) -> Exhibit:
    """The given output as the claim, the naive one as the measurement."""
    if too_many(got.size):
        return Exhibit(got.shape, left_out=too_many(got.size))
    return Exhibit.of(got, wanted, bound, np.zeros(got.shape))


def _badness(error: Any) -> float:
    """The error as a rank: NaN is worse than any number."""
    return float("inf") if np.isnan(error) else float(error)


def _resolution(bound: Array, wanted: Array) -> float:
    """The smallest error that would have been seen, relative to the largest output."""
    largest = float(np.max(np.abs(wanted), initial=0.0))
    return float(np.max(bound, initial=0.0)) / largest if largest else 0.0


def _verdict(
    verdict: Verdict,
    subject: str,
    exact: bool,
    inputs: Sequence[Array],
    seed: int,
    reason: str,
    resolution: float,
) -> Check:
    return Check(
        verdict=verdict,
        subject=subject,
        evidence="exact" if exact else "naive",
        resolution=resolution,
        # both sides round, and `rounding_bound` takes twice what one may lose
        budget=Budget(resolution / 2, resolution / 2),
        miss_probability=min(1.0, len(inputs) / (2 * INTEGERS + 1)) if exact else 0.0,
        reason=reason,
        seed=seed,
        dtype="float64",
    )
