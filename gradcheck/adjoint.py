"""The dot test: whether two linear maps are each other's adjoint, to the bit where whole numbers allow it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.arguments import not_negative, positive, real_array
from gradcheck.directions import gaussian
from gradcheck.estimate import Array, Estimate
from gradcheck.linear import Answer, examine
from gradcheck.number import coarsest
from gradcheck.probes import exact
from gradcheck.pushed import weighed, worst_of
from gradcheck.trial import WANTED
from gradcheck.verdict import Check, Comparison, Verdict, decide, resolution_of

Function = Callable[[Array], Any]

#: Pairs of Gaussian arguments where the dot test is not exact.
PAIRS = 2


def check_adjoint(
    A: Function,
    At: Function,
    x: Any,
    y: Any,
    *,
    seed: int = 0,
    wanted: float | None = None,
    conduct: bool = True,
) -> Check:
    """Whether ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for linear maps `A` and `At`, and whether they are linear.

    Equality to the bit on whole numbers where both maps give whole numbers there, else within the rounding
    that was measured.

    Parameters
    ----------
    A, At : callable
        A(x) -> ndarray of the shape of y, At(y) -> ndarray of the shape of x.
    x, y : ndarray
        Shapes, dtypes and sizes of arguments; their values are not used.
    seed : int
        Decides every argument.
    wanted : float, optional
        Error of interest relative to the norm of Aᵀ y; by default as for `check_vjp`.
    conduct : bool
        Whether maps that are not linear, not repeatable or not 0 for 0 fail; wrong forms and writing into
        arguments always do.

    Raises
    ------
    TypeError, ValueError
        For x and y that are not finite real arrays, and options out of range.

    Examples
    --------
    >>> a = np.arange(6.0).reshape(2, 3)
    >>> check_adjoint(lambda x: a @ x, lambda y: a.T @ y, np.ones(3), np.ones(2)).evidence
    'exact'
    >>> check_adjoint(lambda x: a @ x, lambda y: -a.T @ y, np.ones(3), np.ones(2)).verdict.value
    'fail'
    """
    domain, codomain = real_array(x, "check_adjoint", "x"), real_array(y, "check_adjoint", "y")
    not_negative(seed, "check_adjoint", "seed")
    if wanted is not None:
        positive(wanted, "check_adjoint", "wanted")
    rng = np.random.default_rng([seed, 7])
    pairs = [(_drawn(domain, rng), _drawn(codomain, rng)) for _ in range(PAIRS)]
    forward = [examine(A, u, codomain.shape, rng, who="A", of="x") for u, _ in pairs]
    backward = [examine(At, v, domain.shape, rng, who="At", of="y") for _, v in pairs]
    blank = Check(
        Verdict.FAIL,
        "A and its adjoint",
        "",
        math.inf,
        1.0,
        "",
        seed=seed,
        dtype=str(domain.dtype),
        shape=domain.shape,
    )
    faults = list(dict.fromkeys(f for a in (forward[0], backward[0]) for f in a.faults))
    fatal = [f for f in faults if conduct or f.kind in ("form", "finite", "mutation")]
    blank = replace(blank, notes=tuple(f.message for f in faults if f not in fatal[:1]))
    if fatal:
        return replace(blank, reason=fatal[0].message)
    coarser = coarsest(domain.dtype, codomain.dtype)
    found = _exactly(A, At, domain, codomain, np.random.default_rng([seed, 1]), blank)
    return found or _numerically(pairs, forward, backward, wanted or WANTED.get(coarser.name, 1e-6), blank)


def _drawn(like: Array, rng: np.random.Generator) -> Array:
    """Gaussian numbers of the shape, dtype and size of an array."""
    size = float(np.sqrt(np.mean(np.square(like, dtype=np.float64)))) or 1.0
    return np.asarray((gaussian(like.shape, rng) * size).astype(like.dtype))


def _exactly(
    A: Function, At: Function, x: Array, y: Array, rng: np.random.Generator, blank: Check
) -> Check | None:
    """Evidence on whole numbers, or None where a map does not give whole numbers there."""

    def back(cotangent: Array, _: Array) -> Any:
        return At(cotangent)

    found = exact.probe(A, back, (x,), 0, y, rng)
    if not found.applies:
        return None
    told = replace(
        blank,
        evidence="exact",
        resolution=0.0,
        miss_probability=found.miss_probability,
        evaluations=found.evaluations,
    )
    if found.equal:
        return replace(told, verdict=Verdict.PASS, reason="⟨A x, y⟩ = ⟨x, At y⟩ to the bit on whole numbers")
    return replace(
        told, reason=f"on whole numbers ⟨A x, y⟩ = {found.left:.17g}, but ⟨x, At y⟩ = {found.right:.17g}"
    )


def _numerically(
    pairs: list[tuple[Array, Array]],
    forward: list[Answer],
    backward: list[Answer],
    wanted: float,
    blank: Check,
) -> Check:
    """Evidence on Gaussian numbers, within the rounding of both maps."""
    rounds = [[_dot(*pair, a, b)] for pair, a, b in zip(pairs, forward, backward, strict=True)]
    verdict, reason = decide(rounds, wanted)
    worst = max((r[0] for r in rounds), key=lambda c: c.excess)
    if verdict is Verdict.FAIL:
        reason = (
            f"⟨A x, y⟩ = {float(worst.estimate.value):.6g}, but ⟨x, At y⟩ = {worst.analytic:.6g}: "
            f"they differ by {worst.excess:.1e} times what rounding explains"
        )
    return replace(
        blank,
        verdict=verdict,
        reason=reason,
        evidence="dot test",
        resolution=resolution_of(rounds),
        miss_probability=math.prod(r[0].escapes(2 * wanted) for r in rounds),
        worst=None if verdict is Verdict.PASS else worst_of(worst),
        evaluations=sum(a.calls for a in (*forward, *backward)),
    )


def _dot(u: Array, v: Array, forward: Answer, backward: Answer) -> Comparison:
    """⟨x, At y⟩ beside ⟨A x, y⟩, each with its measured rounding."""
    x, y = u.astype(np.float64), v.astype(np.float64)
    left, rough = weighed(y, np.asarray(forward.value), np.asarray(forward.rounding))
    right, roughness = weighed(x, np.asarray(backward.value), np.asarray(backward.rounding))
    size = float(np.linalg.norm((x * np.asarray(backward.value)).ravel()))
    return Comparison(right, roughness, Estimate(left, rough, "dot test"), size)
