"""Judge: what one case says of an implementation's forward and of each of its gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gradcheck.case import Case
from gradcheck.certificate import gravest
from gradcheck.check import check_vjp
from gradcheck.estimate import Array
from gradcheck.forward import check_forward
from gradcheck.implementation import Offer
from gradcheck.importing import in_words
from gradcheck.operation import Operation
from gradcheck.translation import NotOffered, TargetRaised, as_tuple, guarded, is_exact, translated
from gradcheck.verdict import Check, Verdict

FORWARD = "forward"
CONDUCT = "conduct"

Judge = Callable[..., Check]
Found = dict[str, Check | None]
"""What one case says of each row; None where the target does not offer it."""


def judge_case(
    operation: Operation,
    offer: Offer,
    case: Case,
    values: Sequence[Array],
    *,
    seed: int,
    judge: Judge = check_vjp,
) -> Found:
    """What one case says of the forward and of each judged input.

    Parameters
    ----------
    operation, offer : Operation, Offer
    case : Case
    values : sequence of ndarray
        One array for each of the case's inputs.
    seed : int
        Of the directions and cotangents.
    judge : callable
        `check_vjp`.
    """
    ours = replace(
        translated(offer, operation),
        forward=guarded(translated(offer, operation).forward, "the forward"),
        vjp=guarded(translated(offer, operation).vjp, "the vjp"),
    )
    options = case.arguments()
    exact = case.kind == "integers" and is_exact(offer, operation)
    linear = operation.linear_in(options) if exact else ()
    found: Found = {FORWARD: _judge_forward(operation, ours, values, options, bool(linear), seed)}
    gradients = _judge_vjp(operation, ours, case, values, options, linear, seed, judge)
    for name, check in gradients.items():
        _keep(found, operation.row(name), check)
    return found


def _keep(found: Found, row: str, check: Check | None) -> None:
    """Of several copies of an input (a network's kernels) the gravest check stands for the row."""
    before = found.get(row)
    if row not in found or before is None or (check is not None and _graver(check, before)):
        found[row] = check


def _graver(check: Check, than: Check) -> bool:
    if check.verdict is not than.verdict:
        return gravest([check.verdict, than.verdict]) is check.verdict
    return check.resolution > than.resolution


def _judge_forward(
    operation: Operation,
    offer: Offer,
    values: Sequence[Array],
    options: Mapping[str, Any],
    exact: bool,
    seed: int,
) -> Check | None:
    forward = offer.forward
    if forward is None:
        return None
    try:
        return check_forward(
            lambda *inputs: forward(*inputs, **options),
            lambda *inputs: operation.forward(*inputs, **options),
            values,
            seed=seed,
            exact=exact,
            subject=operation.name,
        )
    except NotOffered:
        return None
    except TargetRaised as error:
        return _error(operation.name, str(error))


def _judge_vjp(
    operation: Operation,
    offer: Offer,
    case: Case,
    values: Sequence[Array],
    options: Mapping[str, Any],
    linear: tuple[str, ...],
    seed: int,
    judge: Judge,
) -> Found:
    if offer.vjp is None:
        return dict.fromkeys(case.judged)
    forward = offer.forward or operation.forward
    inner = _Held(forward, offer.vjp, tuple(case.shapes), case.judged, tuple(values), options)
    try:
        check = judge(
            inner.forward,
            inner.vjp,
            inner.free,
            seed=seed,
            linear_in=tuple(i for i, name in enumerate(case.judged) if name in linear),
            names=case.judged,
        )
    except NotOffered:
        return dict.fromkeys(case.judged)
    except (TargetRaised, ValueError, TypeError) as error:
        said = str(error) if isinstance(error, TargetRaised) else in_words(error)
        return {name: _error(f"d {operation.name} / d {name}", said) for name in case.judged}
    return _by_input(check, case.judged, inner.missing)


def _by_input(check: Check, names: tuple[str, ...], missing: frozenset[str]) -> Found:
    """The parts of a check by input, and a row of its own for a fault that belongs to none of them."""
    parts = check.parts or (check,) * len(names)
    found: Found = {name: None if name in missing else part for name, part in zip(names, parts, strict=True)}
    of_parts = gravest(part.verdict for part in parts)
    if check.parts and check.verdict is not Verdict.PASS and of_parts is Verdict.PASS:
        found[CONDUCT] = replace(check, parts=())
    return found


@dataclass(frozen=True)
class _Held:
    """Forward and vjp as functions of the judged inputs alone; the others are held at their values."""

    operation: Callable[..., Any]
    pullback: Callable[..., Any]
    names: tuple[str, ...]
    judged: tuple[str, ...]
    values: tuple[Array, ...]
    options: Mapping[str, Any]
    nones: set[str] = field(default_factory=set)

    @property
    def free(self) -> tuple[Array, ...]:
        """The values of the judged inputs."""
        return tuple(self._pick(self.values))

    @property
    def missing(self) -> frozenset[str]:
        """Judged inputs for which the vjp answered None."""
        return frozenset(self.nones)

    def forward(self, *free: Any) -> Any:
        """The output at these judged inputs."""
        return self.operation(*self._all(free), **self.options)

    def vjp(self, cotangent: Any, *free: Any) -> tuple[Any, ...]:
        """The gradients of the judged inputs alone."""
        given = as_tuple(self.pullback(cotangent, *self._all(free), **self.options))
        if len(given) != len(self.names):
            raise TargetRaised(
                f"the vjp returned {len(given)} gradients, wanted {len(self.names)}: {', '.join(self.names)}"
            )
        picked = self._pick(given)
        self.nones.update(
            name for name, gradient in zip(self.judged, picked, strict=True) if gradient is None
        )
        return tuple(picked)

    def _pick(self, everything: Sequence[Any]) -> list[Any]:
        return [each for name, each in zip(self.names, everything, strict=True) if name in self.judged]

    def _all(self, free: Sequence[Any]) -> list[Any]:
        given = dict(zip(self.judged, free, strict=True))
        return [given.get(name, value) for name, value in zip(self.names, self.values, strict=True)]


def _error(subject: str, reason: str) -> Check:
    return Check(
        verdict=Verdict.ERROR,
        subject=subject,
        evidence="none",
        resolution=float("inf"),
        miss_probability=1.0,
        reason=reason,
    )
