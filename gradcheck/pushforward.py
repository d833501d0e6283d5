"""Checks of a gradient, of a pushforward (jvp), and of the product of a Hessian with a vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.answer import same_bits
from gradcheck.arguments import (
    names_of,
    not_negative,
    one_of,
    positive,
    real_array,
    real_arrays,
    share,
)
from gradcheck.avoid import avoided
from gradcheck.batches import counted
from gradcheck.check import check_vjp
from gradcheck.estimate import Array
from gradcheck.kinks import POLICIES
from gradcheck.pushed import Task
from gradcheck.rounding import ulps
from gradcheck.verdict import Check, Verdict

Function = Callable[..., Any]


def check_gradient(
    f: Function,
    grad: Function,
    x: Any,
    *,
    seed: int = 0,
    method: str = "auto",
    wanted: float | None = None,
    budget: int = 120,
    directions: int | None = None,
    conduct: bool = True,
    kinks: str = "refuse",
    noise: float = 0.0,
    batched: Function | bool | None = None,
) -> Check:
    """Whether `grad` is the gradient of the scalar `f` at `x`, as SciPy has them.

    Parameters
    ----------
    f : callable
        f(x) -> float, or an array of one element.
    grad : callable
        grad(x) -> ndarray of the shape of x.
    x : ndarray
        The point.
    seed, method, wanted, budget, directions, conduct, kinks, noise, batched
        As for `check_vjp`.

    Raises
    ------
    TypeError, ValueError
        As `check_vjp`; and if f returns more than one number.

    Examples
    --------
    >>> x = np.array([1.0, -2.0])
    >>> check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, x).verdict.value
    'pass'
    >>> check_gradient(lambda x: np.sum(x**3), lambda x: x**2, x).verdict.value
    'fail'
    """
    point, function = real_array(x, "check_gradient", "x"), counted(f, batched, "check_gradient")
    _options("check_gradient", seed, wanted, budget, directions)
    centre = function(point)
    if centre.size != 1:
        raise ValueError(
            "check_gradient: f does not return one number\n"
            f"  f(x).shape = {centre.shape}, wanted () or one element\n"
            "  an array has a vjp: check_vjp(f, vjp, (x,))"
        )

    def vjp(cotangent: Array, x: Array) -> Any:
        # the very answer for a cotangent of 1, so that what shares or reuses memory is seen to
        answer, weight = grad(x), float(cotangent.item())
        return answer if weight == 1 else np.asarray(answer) * weight

    found = check_vjp(
        function,
        vjp,
        (point,),
        seed=seed,
        cotangent=np.ones(centre.shape),
        method=method,
        wanted=wanted,
        budget=budget,
        directions=directions,
        conduct=conduct,
        kinks=kinks,
        noise=noise,
    )
    fault = _reused(grad, point, seed) if conduct else ""
    if fault and found.verdict is not Verdict.FAIL:
        found = replace(found, verdict=Verdict.FAIL, reason=fault)
    return _renamed(found)


def _reused(grad: Function, x: Array, seed: int) -> str:
    """What is wrong if a later call, next to x, changes an earlier answer; empty if nothing is.

    The calls that a vjp is examined with end at x itself, where one buffer holds the right numbers again.
    """
    try:
        with np.errstate(all="ignore"):
            kept = np.asarray(grad(x.copy()))
            was = kept.copy()
            grad(x + ulps(x, np.random.default_rng(seed)))
    except Exception:  # next to x the domain may end; what grad raises at x, the check has met before
        return ""
    changed = int((~same_bits(kept, was)).sum())
    rule = "a result belongs to its caller: return a new array at each call"
    seen = f"{changed} of {was.size} elements"
    return f"gradient of x changes at later calls\n  {seen}\n  {rule}" if changed else ""


def _renamed(check: Check) -> Check:
    """The same check, told of the user's `grad`, not of the vjp made from it."""
    return replace(
        check,
        reason=check.reason.replace("vjp", "grad"),
        notes=tuple(note.replace("vjp", "grad") for note in check.notes),
        parts=tuple(_renamed(part) for part in check.parts),
    )


def check_jvp(
    f: Function,
    jvp: Function,
    inputs: Sequence[Any],
    *,
    seed: int = 0,
    names: Sequence[str] | None = None,
    wanted: float | None = None,
    budget: int = 120,
    directions: int = 2,
    conduct: bool = True,
    kinks: str = "refuse",
    noise: float = 0.0,
    batched: Function | bool | None = None,
) -> Check:
    """Whether `jvp` is the pushforward of `f` at `inputs`, along each input by itself and along all at once.

    Parameters
    ----------
    f : callable
        f(*inputs) -> ndarray or scalar of real floating numbers.
    jvp : callable
        jvp(tangents, *inputs) -> the tangent of the output; `tangents` is a tuple, one for each input.
    inputs : sequence of ndarray
        The point.
    seed, wanted, budget, directions, kinks, noise, batched
        As for `check_vjp`.
    names : sequence of str, optional
        Of the inputs, for messages.
    conduct : bool
        Whether a jvp that is not linear, not repeatable or not 0 for 0 fails; wrong forms and writing into
        arguments always do.

    Returns
    -------
    Check
        `parts` has one Check for each input; its `wrong` are elements of the output.

    Raises
    ------
    TypeError, ValueError
        For inputs that are not finite real arrays, and options out of range.

    Examples
    --------
    >>> x = np.array([0.5, -1.0])
    >>> check_jvp(np.sin, lambda v, x: np.cos(x) * v[0], (x,)).verdict.value
    'pass'
    >>> check_jvp(np.sin, lambda v, x: -np.cos(x) * v[0], (x,)).verdict.value
    'fail'
    """
    arrays = real_arrays(inputs, "check_jvp")
    _options("check_jvp", seed, wanted, budget, directions)
    one_of(kinks, POLICIES, "check_jvp", "kinks")
    share(noise, "check_jvp", "noise")
    called, function = names_of(names, len(arrays), "check_jvp"), counted(f, batched, "check_jvp")
    options = (called, seed, wanted, budget, directions, conduct)

    def check(inputs: tuple[Array, ...], policy: str = kinks) -> Check:
        return Task(function, jvp, inputs, *options, policy=policy, accuracy=noise).check()

    if kinks != "avoid":
        return check(arrays)
    found = check(arrays, "refuse")
    return found if found.passed else avoided(found, check, function, arrays, seed)


def check_hvp(
    grad: Function,
    hvp: Function,
    x: Any,
    *,
    seed: int = 0,
    wanted: float | None = None,
    budget: int = 120,
    directions: int = 2,
    conduct: bool = True,
    batched: Function | bool | None = None,
) -> Check:
    """Whether `hvp` is the derivative of `grad` at `x`, and symmetric, as that of a gradient is.

    Parameters
    ----------
    grad : callable
        grad(x) -> ndarray of the shape of x; taken to be right.
    hvp : callable
        hvp(x, v) -> H v, of the shape of x, in SciPy's order.
    x : ndarray
        The point.
    seed, wanted, budget, directions, conduct
        As for `check_jvp`.
    batched : callable or True, optional
        The same of `grad`.

    Raises
    ------
    TypeError, ValueError
        As `check_jvp`; and if grad(x) has not the shape of x.

    Examples
    --------
    >>> x = np.array([1.0, -2.0])
    >>> check_hvp(lambda x: x**3, lambda x, v: 3 * x**2 * v, x).verdict.value
    'pass'
    """
    point, function = real_array(x, "check_hvp", "x"), counted(grad, batched, "check_hvp")
    _options("check_hvp", seed, wanted, budget, directions)
    centre = function(point)
    if centre.shape != point.shape:
        raise ValueError(
            "check_hvp: grad does not return a gradient\n"
            f"  grad(x).shape = {centre.shape}, wanted {point.shape}, the shape of x\n"
            "  the Hessian is the derivative of a gradient"
        )

    def jvp(tangents: tuple[Array, ...], x: Array) -> Any:
        return hvp(x, tangents[0])

    task = Task(function, jvp, (point,), ("x",), seed, wanted, budget, directions, conduct, "hvp", "d grad")
    found = task.check()
    return found if found.verdict is Verdict.FAIL else task.symmetric(found)


def _options(who: str, seed: int, wanted: float | None, budget: int, directions: int | None) -> None:
    not_negative(seed, who, "seed")
    for name, value in (("wanted", wanted), ("budget", budget), ("directions", directions)):
        if value is not None:
            positive(value, who, name)
