"""The parameter step: whether an update is −η ∘ ∂E/∂p, for each parameter and every weight of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck import conduct
from gradcheck.answer import wide
from gradcheck.arguments import not_negative, positive, real_array
from gradcheck.estimate import Array, Estimate
from gradcheck.missteps import Misstep, looks_like
from gradcheck.rates import WHO, labels, rates_of
from gradcheck.stepped import Attempt, Look, misformed
from gradcheck.trial import WANTED
from gradcheck.verdict import Check, Verdict, Worst

_GRAVEST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)


def check_step(
    step: Callable[..., Any],
    grad: Callable[..., Any],
    params: Sequence[Any] | Mapping[str, Any],
    *,
    learning_rate: Any,
    names: Sequence[str] | None = None,
    seed: int = 0,
    wanted: float | None = None,
) -> Check:
    """Whether `step` takes every parameter to p − η ∘ ∂E/∂p (notes 2.2, D6), for `grad` as it is given.

    Whether the gradient itself is right is another question (`check_gradient`, `check_vjp`). The step is tried
    at the rate and at another multiple of it, at which it moves the parameters by about their own size.

    The two sides may differ by their rounding alone. With unit u of the coarsest dtype each rounds the rate, the
    product and the difference, u (2 |η ∘ g| + |p − η ∘ g|); the gradient's own rounding, which a step may
    compute anew in another order, is measured.

    Parameters
    ----------
    step : callable
        step(*params, learning_rate=η) -> the new parameters, one for each; a bare array for a single one.
    grad : callable
        grad(*params) -> one gradient for each parameter, of its shape.
    params : sequence of ndarray, or mapping of name to ndarray
        Of a mapping, step(params, learning_rate=η) and grad(params) take and return mappings.
    learning_rate : float, or sequence or mapping with an entry for each parameter
        One rate for all, or for each parameter a number or one rate for each of its weights, in its shape.
    names : sequence of str, optional
        Of the parameters of a sequence, for messages.
    seed : int
        Of the moves by which the gradient's rounding is measured.
    wanted : float, optional
        Error of interest relative to the largest η ∘ ∂E/∂p, which a pass must be able to see; by default as
        for `check_vjp`.

    Returns
    -------
    Check
        `parts` has one Check for each parameter.

    Raises
    ------
    TypeError, ValueError
        For parameters or rates that are not finite real arrays or do not fit each other.

    Examples
    --------
    >>> W, b = np.array([[1.0, 2.0]]), np.array([3.0])
    >>> def grad(W, b):
    ...     return 2 * W, 2 * b
    >>> def step(W, b, learning_rate):
    ...     return W - learning_rate * 2 * W, b + learning_rate * 2 * b
    >>> check = check_step(step, grad, (W, b), learning_rate=0.1, names=("W", "b"))
    >>> [str(part.verdict) for part in check.parts]
    ['pass', 'fail']
    >>> check.diagnosis
    'the step with the other sign: p + η ∘ ∂E/∂p'
    """
    not_negative(seed, WHO, "seed")
    if wanted is not None:
        positive(wanted, WHO, "wanted")
    task = _Task.of(step, grad, params, learning_rate, names, seed, wanted)
    return task.check()


@dataclass(frozen=True)
class _Task:
    """One call of check_step, with parameters and rates as tuples whatever form they came in."""

    step: Callable[..., Any]
    grad: Callable[..., Any]
    params: tuple[Array, ...]
    rates: tuple[Array, ...]
    names: tuple[str, ...]
    lone: bool
    mapped: bool
    seed: int
    wanted: float | None

    @classmethod
    def of(
        cls,
        step: Callable[..., Any],
        grad: Callable[..., Any],
        params: Any,
        learning_rate: Any,
        names: Sequence[str] | None,
        seed: int,
        wanted: float | None,
    ) -> _Task:
        mapped = isinstance(params, Mapping)
        if not mapped and (not isinstance(params, Sequence) or isinstance(params, str)):
            raise TypeError(
                f"{WHO}: params are neither a sequence nor a mapping of arrays\n"
                f"  type(params) = {type(params).__name__}, wanted one array for each parameter\n"
                "  for a single parameter p, pass (p,)"
            )
        known = tuple(params) if mapped else labels(names, len(params))
        given = [params[name] for name in known] if mapped else list(params)
        if not given:
            raise ValueError(f"{WHO}: there are no parameters\n  len(params) = 0, wanted one or more")
        arrays = tuple(real_array(p, WHO, name) for name, p in zip(known, given, strict=True))
        rates, lone = rates_of(learning_rate, arrays, known)
        return cls(step, grad, arrays, rates, known, lone, mapped, seed, wanted)

    def check(self) -> Check:
        """All parameters together: the gravest of their verdicts."""
        seen = conduct.examine(
            lambda c, *params: [None if g is None else c * np.asarray(g) for g in self.gradients(params)],
            np.array(1.0),
            self.params,
            seed=self.seed,
            names=self.names,
        )
        parts = tuple(self.parts(seen))
        grave = min(parts, key=lambda part: _GRAVEST.index(part.verdict))
        return replace(
            grave,
            subject="the parameter step"
            if len(parts) > 1 and grave.verdict is Verdict.PASS
            else grave.subject,
            resolution=max(part.resolution for part in parts),
            evaluations=self.calls(),
            parts=parts if len(parts) > 1 else (),
            zero_everywhere=all(part.zero_everywhere for part in parts),
        )

    def calls(self) -> int:
        return len(self.factors()) + 1

    def gradients(self, params: Sequence[Array]) -> list[Any]:
        """The gradients at these parameters, in order; None where there is none."""
        answer = self.grad(self.named(params)) if self.mapped else self.grad(*params)
        return self.ordered(answer, "grad")

    def widened(self, params: Sequence[Array]) -> list[Array | None]:
        """The gradients as float64."""
        return [None if g is None else wide(np.asarray(g)) for g in self.gradients(params)]

    def named(self, values: Sequence[Any]) -> dict[str, Any]:
        """Values by the parameters' names."""
        return dict(zip(self.names, values, strict=True))

    def stepped(self, params: Sequence[Array], factor: float) -> list[Any]:
        """The new parameters, as they came, at so many times the rates."""
        rates = [factor * rate for rate in self.rates]
        each = tuple(float(rate) if rate.ndim == 0 else rate for rate in rates)
        rate: Any = each[0] if self.lone else self.named(each) if self.mapped else each
        if self.mapped:
            return self.ordered(self.step(self.named(params), learning_rate=rate), "step")
        return self.ordered(self.step(*params, learning_rate=rate), "step")

    def ordered(self, answer: Any, who: str) -> list[Any]:
        """An answer as one entry for each parameter."""
        if self.mapped and isinstance(answer, Mapping):
            return [answer.get(name) for name in self.names]
        if isinstance(answer, tuple | list) and len(answer) == len(self.params):
            return list(answer)
        if len(self.params) == 1 and answer is not None and not isinstance(answer, tuple | list | Mapping):
            return [answer]
        seen = f"{type(answer).__name__}" + (f" of {len(answer)}" if isinstance(answer, tuple | list) else "")
        raise ValueError(
            f"{WHO}: {who} does not return one array for each parameter\n"
            f"  returned {seen}, wanted {'a mapping of' if self.mapped else ''} {len(self.params)}\n"
            f"  the parameters are {', '.join(self.names)}"
        )

    def factors(self) -> tuple[float, float]:
        """The rate itself, and a multiple at which a step is about as long as the parameters are large."""
        with np.errstate(all="ignore"):
            moves = [
                float(np.max(np.abs(rate * g)))
                for rate, g in zip(self.rates, self.widened(self.copies()), strict=True)
                if g is not None
            ]
        size = max(float(np.max(np.abs(p))) for p in self.params)
        longest = max(moves, default=0.0)
        if not (math.isfinite(longest) and longest > 0 and size > 0):
            return (1.0, 0.75)
        factor = 2.0 ** round(math.log2(size) - math.log2(longest))
        return (1.0, factor if factor != 1.0 else 0.75)

    def copies(self) -> list[Array]:
        return [p.copy() for p in self.params]

    def parts(self, seen: conduct.Conduct) -> list[Check]:
        """A check for each parameter."""
        wrong = {f.input: f.message for f in seen.faults if f.kind in ("form", "finite")}
        if wrong:
            raise ValueError(f"{WHO}: grad is no gradient\n  {next(iter(wrong.values()))}")
        first, again, other = (self.attempt(factor) for factor in (1.0, *self.factors()))
        return [
            self.judged(i, [self.look(i, attempt, seen) for attempt in (first, other)], first, again)
            for i in range(len(self.params))
        ]

    def attempt(self, factor: float) -> Attempt:
        """One call of the step, on copies of the parameters."""
        given = self.copies()
        new = self.stepped(given, factor)
        changed = [p.tobytes() != was.tobytes() for p, was in zip(given, self.params, strict=True)]
        # what shares the caller's memory would change with it
        return Attempt(factor, [None if p is None else np.array(p) for p in new], changed)

    def look(self, i: int, attempt: Attempt, seen: conduct.Conduct) -> Look | None:
        """One parameter after one step, beside what it should be; None where there is nothing of its form."""
        new, gradient, rounding = attempt.new[i], seen.gradients[i], seen.rounding[i]
        if new is None or gradient is None or rounding is None or misformed(new, self.params[i]):
            return None
        return Look(self.params[i], gradient, rounding, attempt.factor * self.rates[i], new, attempt.factor)

    def judged(self, i: int, looks: list[Look | None], first: Attempt, again: Attempt) -> Check:
        """What all of it says of one parameter."""
        name, old, new = self.names[i], self.params[i], first.new[i]
        blank = Check(
            Verdict.FAIL, f"step of {name}", "update", math.inf, 0.0, "", seed=self.seed,
            dtype=str(old.dtype), shape=old.shape,
        )  # fmt: skip
        if first.changed[i] or again.changed[i]:
            return replace(blank, reason=f"step writes into the caller's {name}: it owes a new array")
        if new is None:
            return replace(
                blank, verdict=Verdict.INCONCLUSIVE, reason=f"{name} is not stepped: None came back"
            )
        if complaint := misformed(new, old):
            return replace(blank, reason=f"the new {name} {complaint}")
        kept = [look for look in looks if look is not None]
        if not kept:
            return replace(blank, verdict=Verdict.INCONCLUSIVE, reason=f"grad has no gradient of {name}")
        if kept[0].wrong.any():
            return self.failed(i, blank, kept[0])
        if again.new[i] is None or not np.array_equal(again.new[i], new):  # type: ignore[arg-type]  # not None here
            return replace(
                blank, reason=f"step of {name} is another at a second call with the same arguments"
            )
        return self.failed(i, blank, kept[-1]) if kept[-1].wrong.any() else self.passed(blank, kept)

    def failed(self, i: int, blank: Check, look: Look) -> Check:
        """A wrong step, with what the mistake looks like."""
        name, off = self.names[i], np.where(look.wrong, np.nan_to_num(np.abs(look.off), nan=np.inf), -1.0)
        at = tuple(int(k) for k in np.unravel_index(int(np.argmax(off)), off.shape))
        times = float(off[at] / look.allowed[at])
        which = (
            ""
            if look.factor == 1.0
            else f" at {look.factor:.6g} times the rate, though it is at the rate itself"
        )
        return replace(
            blank,
            reason=f"{name}_new − {name}_old is not −η ∘ ∂E/∂{name}{which}: "
            f"it differs by {float(off[at]):.3e}, {times:.1e} times what rounding explains",
            resolution=look.resolution,
            worst=Worst(
                at,
                float(look.new[at]),
                0.0,
                Estimate(float(look.right[at]), float(look.allowed[at]), "update"),
            ),
            wrong=tuple(tuple(int(k) for k in place) for place in np.argwhere(look.wrong)),
            diagnosis=looks_like(self.misstep(i, look)),
        )

    def misstep(self, i: int, look: Look) -> Misstep:
        """What a wrong step could have been made of."""
        return Misstep(
            i,
            self.names,
            self.params,
            tuple(self.widened(self.copies())),
            tuple(look.factor * rate for rate in self.rates),
            wide(look.new),
            look.allowed,
            self.widened,
            tuple(None if p is None else wide(p) for p in self.attempt(look.factor).new),
        )

    def passed(self, blank: Check, looks: list[Look]) -> Check:
        """A right step, or one that was too short to be seen."""
        resolution = min(look.resolution for look in looks)
        wanted = self.wanted or WANTED.get(looks[0].coarsest, 1e-6)
        told = replace(blank, resolution=resolution)
        if not any(look.moves for look in looks):
            reason = "the gradient is zero, and nothing moves: a pass that proves little"
            return replace(told, verdict=Verdict.PASS, reason=reason, zero_everywhere=True, resolution=0.0)
        if resolution <= wanted:
            return replace(told, verdict=Verdict.PASS, reason=f"is −η ∘ ∂E/∂p to a relative {resolution:.0e}")
        reason = f"could have seen a relative error of {resolution:.0e}, wanted {wanted:.0e}"
        return replace(told, verdict=Verdict.INCONCLUSIVE, reason=reason)
