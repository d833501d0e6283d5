"""Checks: a claimed gradient, vjp, jvp or Hessian product against evidence that knows its own error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.arguments import (
    METHODS,
    finer_than,
    names_of,
    not_negative,
    one_of,
    places,
    positive,
    real_arrays,
    share,
)
from gradcheck.avoid import avoided
from gradcheck.batches import counted
from gradcheck.estimate import Array
from gradcheck.kinks import POLICIES
from gradcheck.task import Suspects, Task
from gradcheck.verdict import Check

Function = Callable[..., Any]


def check_vjp(
    f: Function,
    vjp: Function,
    inputs: Sequence[Any],
    *,
    seed: int = 0,
    cotangent: Any = None,
    method: str = "auto",
    linear_in: Sequence[int] = (),
    names: Sequence[str] | None = None,
    wanted: float | None = None,
    aim: float | None = None,
    budget: int = 120,
    directions: int | None = None,
    conduct: bool = True,
    strict: bool = False,
    sizes: Mapping[str, int] | None = None,
    only: Sequence[int] | None = None,
    finer: Any = "auto",
    exhibit: int = 0,
    factors: Mapping[str, Array | float] | None = None,
    suspects: Suspects | None = None,
    locate: int | None = None,
    explain: bool = True,
    kinks: str = "refuse",
    noise: float = 0.0,
    batched: Function | bool | None = None,
) -> Check:
    """Whether `vjp` is the pullback of `f` at `inputs`, for each input by itself.

    Parameters
    ----------
    f : callable
        f(*inputs) -> ndarray or scalar of real floating numbers.
    vjp : callable
        vjp(cotangent, *inputs) -> one gradient for each input, of its shape (None: not offered).
    inputs : sequence of ndarray
        The point.
    seed : int
        Decides every direction and cotangent.
    cotangent : ndarray of the shape of f(*inputs), optional
        Instead of a Gaussian one.
    method : str
        "auto", "exact", "complex_step", "spectral" or "differences".
    linear_in : sequence of int
        Inputs in which f is affine with the others fixed: checked on whole numbers, to the bit.
    names : sequence of str, optional
        Of the inputs, for messages.
    wanted : float, optional
        Error of interest relative to the norm of a gradient: what a pass must be able to see. By default
        1e-6 in float64, 1e-4 in float32, 0.1 in float16, 0.5 in bfloat16.
    aim : float, optional
        Resolution at which the search for a better one may stop. By default a tenth of `wanted`, or finer
        where that is cheap.
    budget : int
        Calls of f that an input may cost. A failure by less than 1e-4 of the gradient costs up to 400 more, to see
        whether f jumps beside the inputs, as a solver does that stops at a tolerance; and as many again where it does.
    directions : int, optional
        Independent directions for each input. By default as many as are all but certain to show an error of twice
        `wanted`, which together miss it with a chance of less than one in a million: one search for many digits, or
        two looks in brief, of seven samples each, that bear the claim out. None is in brief where this is given.
    conduct : bool
        Whether to examine what else a vjp owes its caller (`gradcheck.conduct`).
    sizes : mapping of name to int, optional
        Numbers by which a mistaken gradient may be off (the n of a pooling), for the diagnosis.
    only : sequence of int, optional
        Inputs to probe, all by default. Those that agree may be told by one line through all of them, which costs
        less than a line for each; its numbers are not those of an input by itself, its verdict is.
    factors : mapping of name to ndarray or float, optional
        What a mistaken gradient may lack or have once too often (f', β), for the diagnosis.
    suspects : callable, optional
        suspects(name of an input, cotangent) -> iterable of `gradcheck.turns.Suspect`: other ways in which
        its gradient is got wrong, for the diagnosis.
    locate : int, optional
        Calls of f that a failing input may cost beyond, to find out where it is wrong; by default what is left
        of `budget`, up to what measures 20 elements or finds one among many. Passing costs none of them.
    explain : bool
        Whether a failure is looked into, for where it is wrong and what the mistake looks like.
    kinks : str
        What to do where f bends, jumps or ends at the inputs, and so has no derivative: "refuse" leaves it open,
        "avoid" judges at a point drawn beside (`Check.resampled` counts them), "one_sided" takes the derivative
        from either side, "subgradient" what lies between them. The last two look at each output by itself, along
        7 directions at up to 120 calls each, and say nothing of what shows along none of them. "subgradient" also looks
        along up to 24 single elements of ties, found in some 4 log₂ n calls each, and along each tie.
    noise : float
        Relative error of the values of f, where that is more than rounding: 1e-6 for a solver that stops there.
        Every bound allows for it, and `wanted` is no less than 1000 times as much by default. Where a failure may come
        of such an error that is not declared, the check is left open and says which noise to declare.
    batched : callable or True, optional
        f at several points in one call: batched(*stacked), where each input has one more axis in front, of points, has
        that axis in its output as well; `jax.vmap(f)`, `torch.func.vmap(f)`, or code that broadcasts; True says that f
        itself does so. Compared with f first. Samples that are needed together come from it, up to 8 MiB of inputs and
        outputs a call; `Check.calls` counts calls, `Check.evaluations` and `budget` points.
    strict : bool
        Whether sharing memory with an argument is a failure rather than a note.
    finer : "auto", dtype or None
        In which f, a function of coarser inputs, is to be evaluated for the numeric derivative: in few digits f shows
        little of its gradient. The vjp is called, and judged, in the dtype of the inputs. "auto": in float64 where f
        computes in that when given it and agrees with itself to half of the coarser digits, at the inputs and beside
        them; None: in the dtype of the inputs.
    exhibit : int
        Further calls of f that an input may cost which does not pass, to keep what plots show
        (`Check.exhibit`): every element measured, and the errors of difference quotients against their step.

    Returns
    -------
    Check
        `parts` has one Check for each input that was probed.

    Raises
    ------
    TypeError, ValueError
        For inputs that are not finite real arrays, unknown options, and a `batched` that is another function than f.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-2.0, 2.0, 6).reshape(2, 3)
    >>> check_vjp(np.sin, lambda c, x: c * np.cos(x), (x,)).verdict.value
    'pass'
    >>> check_vjp(np.sin, lambda c, x: c * np.sin(x), (x,)).verdict.value
    'fail'
    >>> one = check_vjp(np.sin, lambda c, x: c * np.cos(x), (x,))
    >>> many = check_vjp(np.sin, lambda c, x: c * np.cos(x), (x,), batched=True)
    >>> many.passed, many.calls < one.calls == one.evaluations
    (True, True)
    """
    arrays = real_arrays(inputs, "check_vjp")
    linear = places(linear_in, len(arrays), "check_vjp", "linear_in")
    one_of(method, METHODS, "check_vjp", "method")
    not_negative(seed, "check_vjp", "seed")
    not_negative(exhibit, "check_vjp", "exhibit")
    one_of(kinks, POLICIES, "check_vjp", "kinks")
    share(noise, "check_vjp", "noise")
    if cotangent is not None and np.size(cotangent) > 1 and kinks in ("one_sided", "subgradient"):
        raise ValueError(
            "check_vjp: a cotangent is given, where outputs are looked at one by one\n"
            f"  kinks = {kinks!r}, cotangent.shape = {np.shape(cotangent)}, wanted None\n"
            "  in a sum, kinks of several outputs cancel or add up"
        )
    for name, value in (
        ("wanted", wanted),
        ("aim", aim),
        ("budget", budget),
        ("directions", directions),
        ("locate", locate),
    ):
        if value is not None:
            positive(value, "check_vjp", name)
    function = counted(f, batched, "check_vjp")
    task = Task(
        function,
        vjp,
        arrays,
        names_of(names, len(arrays), "check_vjp"),
        seed,
        wanted,
        budget,
        directions,
        method,
        sizes or {},
        aim or wanted,
        only=_probed(only, len(arrays)),
        finer=finer_than(finer, arrays, "check_vjp"),
        exhibit=exhibit,
        factors=factors or {},
        suspects=suspects,
        locate=locate,
        explain=explain,
        policy=kinks,
        accuracy=noise,
    )
    with np.errstate(all="ignore"):  # a caller who makes errors of warnings gets the same verdict
        if kinks != "avoid":
            return task.check(cotangent, linear, conduct, strict)
        found = replace(task, policy="refuse").check(cotangent, linear, conduct, strict)

        def again(inputs: tuple[Array, ...]) -> Check:
            return replace(task, inputs=inputs, joint={}).check(cotangent, linear, conduct, strict)

        def finely(inputs: tuple[Array, ...]) -> Sequence[Array]:
            centre = function(*inputs)
            return (
                replace(task, inputs=inputs).ground(centre, np.ones((1, *centre.shape), centre.dtype)).inputs
            )

        return found if found.passed else avoided(found, again, function, arrays, seed, finely)


def _probed(only: Any, count: int) -> tuple[int, ...] | None:
    if only is None:
        return None
    if not (found := places(only, count, "check_vjp", "only")):
        raise ValueError(
            f"check_vjp: only names no input\n  only = {only!r}, wanted whole numbers in 0..{count - 1}\n"
            "  a check of nothing would pass"
        )
    return found
