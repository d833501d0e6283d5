"""Judge: what one case says of an implementation's forward and of each of its gradients."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from gradcheck.blame import blamed, told
from gradcheck.case import Case
from gradcheck.certificate import gravest
from gradcheck.check import check_vjp
from gradcheck.coarse import FLOAT64, in_float64
from gradcheck.curvature import Curvature, Incomplete
from gradcheck.estimate import Array
from gradcheck.forward import check_forward
from gradcheck.hosting import Host
from gradcheck.implementation import Offer
from gradcheck.importing import in_words
from gradcheck.operation import Operation
from gradcheck.properties import Subject, faults
from gradcheck.surroundings import stands_for
from gradcheck.training import Malformed, Training, malformed
from gradcheck.translation import (
    NotOffered,
    TargetRaised,
    as_tuple,
    fitting,
    guarded,
    is_exact,
    restated,
    translated,
)
from gradcheck.verdict import Check, Verdict

FORWARD = "forward"
CONDUCT = "conduct"
STEP = "step"
HVP = "hvp"

Judge = Callable[..., Check]

CERTIFYING: Judge = partial(check_vjp, aim=1e-11, budget=300, strict=True, locate=1200)
"""A certificate looks further than a single check: finer, at more calls an input, and a gradient that shares
memory with an argument fails. Of a failing one 300 elements are measured, at 4 calls each."""

SHRINKING: Judge = partial(CERTIFYING, explain=False)
"""The same, for the verdict alone: what the mistake looks like is asked of the smallest case at the end."""

EXHIBITING: Judge = partial(CERTIFYING, exhibit=4608)
"""The same once more for a row that did not pass, with what plots show: 1024 elements at 4 calls each, and some."""

_BLAME = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)

Found = dict[str, Check | None]
"""What one case says of each row; None where the target does not offer it."""


def judge_case(
    operation: Operation,
    offer: Offer,
    case: Case,
    values: Sequence[Array],
    *,
    seed: int,
    judge: Judge = CERTIFYING,
    only: Container[str] | None = None,
    explain: bool = True,
    tell: Callable[[Check | None], None] | None = None,
    order: int = 1,
) -> Found:
    """What one case says of the forward and of each judged input.

    Blame in order: the forward against the naive one; each gradient against the derivative of its own
    forward and, where the values of the two differ, of the naive one as well (where they agree to the last
    digits, at random points, so do their derivatives); then what needs all of these to be right.

    Parameters
    ----------
    operation, offer : Operation, Offer
    case : Case
    values : sequence of ndarray
        One array for each of the case's inputs.
    seed : int
        Of the directions and cotangents.
    judge : callable
        `check_vjp`, as strict as certificates are.
    only : container of str, optional
        Rows to judge, all by default; the verdict on one does not depend on the others. "conduct" beside inputs is
        what these owe together; alone, what all do.
    explain : bool
        Whether a wrong forward's check is to say what the gradients tell of it.
    tell : callable, optional
        Told what the forward's check says before the vjp is called, which may end the process.
    order : int
        2 judges the row "hvp" as well, where `only` does not say what is to be judged.
    """
    host = Host()
    with host.stay():
        trial = _trial(operation, offer, case, values, seed, host, order)
        found = trial.found(judge, only, explain, tell)
    return {row: check and replace(check, notes=(*check.notes, *host.notes)) for row, check in found.items()}


def _trial(
    operation: Operation,
    offer: Offer,
    case: Case,
    values: Sequence[Array],
    seed: int,
    host: Host,
    order: int,
) -> _Trial:
    offer = fitting(offer, operation, values, case.arguments())
    theirs = translated(offer, operation, tuple(case.shapes))
    known = restated(operation, offer)
    if values[0].dtype != FLOAT64:
        known = replace(known, forward=in_float64(known.forward))
    return _Trial(
        known,
        guarded(theirs.forward, "the forward", host),
        guarded(theirs.vjp, "the vjp", host),
        case,
        tuple(values),
        exact=case.kind == "integers" and is_exact(offer, operation),
        seed=seed,
        training=offer.step and Training(operation, offer, case, tuple(values), seed, host),
        curvature=offer.hvp and Curvature(operation, offer, case, tuple(values), seed, host),
        order=order,
    )


def _keep(found: Found, row: str, check: Check | None) -> None:
    """Of several copies of an input (a network's kernels) the gravest check stands for the row."""
    before = found.get(row)
    if row not in found or before is None or (check is not None and _graver(check, before)):
        found[row] = check


def _graver(check: Check, than: Check) -> bool:
    if check.verdict is not than.verdict:
        return gravest([check.verdict, than.verdict]) is check.verdict
    return check.resolution > than.resolution


@dataclass(frozen=True)
class _Trial:
    """One case of one operation, with the code under test guarded and in the catalogue's conventions."""

    operation: Operation
    forward: Callable[..., Any] | None
    vjp: Callable[..., Any] | None
    case: Case
    values: tuple[Array, ...]
    exact: bool
    seed: int
    training: Training | None
    curvature: Curvature | None
    order: int

    @property
    def linear(self) -> tuple[str, ...]:
        """Inputs for exact evidence; none where the values or a convention are not exact."""
        return self.operation.linear_in(self.case.arguments()) if self.exact else ()

    def forward_check(self) -> Check | None:
        """The forward against the naive one; None where it is not offered."""
        if self.forward is None:
            return None
        options = self.case.arguments()
        try:
            return check_forward(
                self.in_its_dtype(partial(self.forward, **options)),
                partial(self.operation.forward, **options),
                [np.asarray(x, np.float64) for x in self.values],
                dtype=self.dtype,
                seed=self.seed,
                exact=bool(self.linear),
                subject=self.operation.name,
            )
        except NotOffered:
            return None
        except TargetRaised as error:
            return _error(self.operation.name, str(error))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self.values[0].dtype

    def in_its_dtype(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """A forward that is handed the values in the dtype of the case."""
        return lambda *inputs: forward(*(x.astype(self.dtype) for x in inputs))

    def found(
        self,
        judge: Judge,
        only: Container[str] | None,
        explain: bool,
        tell: Callable[[Check | None], None] | None = None,
    ) -> Found:
        """Every row that is asked for, in the order of blame."""
        value = self.forward_check()
        if tell is not None:
            tell(value)
        wrong = value is not None and not value.passed
        conduct = only is None or CONDUCT in only
        steps = self.operation.parameters if self.training and (only is None or STEP in only) else ()
        bends = self.order > 1 if only is None else HVP in only
        rows = {name: self.operation.row(name) for name in self.case.judged}
        named = only is not None and any(row in only for row in rows.values())
        everything = (
            (conduct and not named)
            or (wrong and explain and FORWARD in (only or ()))
            or (bends and self.curvature is not None)
        )
        asked = tuple(name for name, row in rows.items() if everything or row in steps or row in (only or ()))
        gradients: Found = {}
        for name, check in self.vjp_checks(asked, judge, value).items():
            _keep(gradients, rows.get(name, name), check)
        if value is not None and wrong and explain:
            value = told(value, [check for row, check in gradients.items() if check and row != CONDUCT])
        if conduct and (value is None or not wrong):
            gradients |= self.conduct(gradients, asked)
        if steps:
            gradients |= {STEP: self.step_check([gradients[row] for row in steps if row in gradients], judge)}
        if bends:
            gradients |= {
                HVP: self.hvp_check([check for row, check in gradients.items() if row in rows.values()])
            }
        return {
            row: check
            for row, check in ({FORWARD: value} | gradients).items()
            if only is None or row in only or row == CONDUCT  # which belongs to every row
        }

    def vjp_checks(self, names: tuple[str, ...], judge: Judge, value: Check | None) -> Found:
        """The gradients of these inputs against the derivatives of the target's forward and the naive one.

        Parameters
        ----------
        names : tuple of str
        judge : callable
        value : Check or None
            What was said of the target's forward; None where it has none for this case.
        """
        if self.vjp is None or not names:
            return dict.fromkeys(names)
        if value is None:
            return self.against(self.operation.forward, names, judge)
        if self.forward is not None and value.passed:
            return self.against(self.forward, names, judge)
        naive = self.against(self.operation.forward, names, judge)
        own: Found = {}
        if self.forward is not None and value.worst is not None:  # it has the form of an output
            own = self.against(self.forward, names, judge)
        rows = dict.fromkeys((*naive, *(CONDUCT for found in (own,) if CONDUCT in found)))
        return {name: blamed(own.get(name), naive.get(name)) for name in rows}

    def step_check(self, gradients: list[Check | None], judge: Judge) -> Check | None:
        """The step beside the target's own gradients where they are right, else beside the naive derivative."""
        assert self.training is not None
        try:
            if all(check is not None and check.passed for check in gradients):
                return self.training.check()
            followed = replace(self, vjp=guarded(self.training.implied(), "the step"))
            names = tuple(n for n in self.case.judged if self.operation.row(n) in self.operation.parameters)
            found = followed.against(self.operation.forward, names, partial(judge, conduct=False))
        except NotOffered:
            return None
        except Malformed as error:
            return malformed(self.operation.name, error)
        except Exception as error:  # the judge's own as well: one row in error, and the rest goes on
            said = str(error) if isinstance(error, TargetRaised) else f"the judge raised {in_words(error)}"
            return _error(f"{self.operation.name}, {STEP}", said)
        checks = [(name, check) for name, check in found.items() if check is not None and name != CONDUCT]
        if not checks:
            return None
        name, grave = min(checks, key=lambda pair: _BLAME.index(pair[1].verdict))
        subject = f"{self.operation.name}, step of {name}"
        return replace(grave, subject=subject, reason=f"p − step(p) at η = 1 is not ∂E/∂{name}: {grave.reason}"
                       if grave.verdict is Verdict.FAIL else grave.reason)  # fmt: skip

    def hvp_check(self, gradients: list[Check | None]) -> Check | None:
        """The Hessian product beside the derivative of the target's own gradients, which must be right themselves."""
        if self.curvature is None:
            return None
        subject = f"{self.operation.name}, {HVP}"
        if not gradients or not all(check is not None and check.passed for check in gradients):
            reason = "there is no right gradient of the target's own to derive once more"
            return replace(_failed(subject, reason), verdict=Verdict.INCONCLUSIVE)
        try:
            return self.curvature.check()
        except NotOffered:
            return None
        except Incomplete as error:
            return _failed(subject, str(error))
        except Exception as error:  # the judge's own as well: one row in error, and the rest goes on
            said = str(error) if isinstance(error, TargetRaised) else f"the judge raised {in_words(error)}"
            return _error(subject, said)

    def against(self, forward: Callable[..., Any], names: tuple[str, ...], judge: Judge) -> Found:
        """The gradients of these inputs against the derivative of this forward."""
        assert self.vjp is not None
        judged = self.case.judged
        held = _Held(forward, self.vjp, tuple(self.case.shapes), judged, self.values, self.case.arguments())
        linear = tuple(i for i, name in enumerate(judged) if name in self.linear)
        only = None if names == judged else tuple(judged.index(name) for name in names)
        options: dict[str, Any] = {"linear_in": linear, "names": judged} | (
            {} if only is None else {"only": only}
        )
        if self.operation.kinks != "refuse":
            options["kinks"] = self.operation.kinks
        try:
            f, vjp = stands_for(forward, held.forward), stands_for(self.vjp, held.vjp)
            check = judge(f, vjp, held.free, seed=self.seed, **options, **self.clues())
        except NotOffered:
            return dict.fromkeys(names)
        except Exception as error:  # the judge's own as well: one row in error, and the rest goes on
            said = str(error) if isinstance(error, TargetRaised) else f"the judge raised {in_words(error)}"
            return {name: _error(self.subject(name), said) for name in names}
        return self._by_input(check, names, held.missing)

    def clues(self) -> dict[str, Any]:
        """What the operation knows of its mistakes, for the diagnosis of a failure."""
        options, found = self.case.arguments(), dict[str, Any]()
        values = dict(zip(self.case.shapes, self.values, strict=True))
        if sizes := self.operation.sizes(options):
            found["sizes"] = sizes
        if (suspects := self.operation.suspects) is not None:
            found["suspects"] = lambda name, cotangent: suspects(name, cotangent, values, options)
        return found

    def conduct(self, gradients: Found, asked: tuple[str, ...]) -> Found:
        """A row for what gradients together owe their caller; asked only where each by itself is right."""
        judged = [check for check in gradients.values() if check is not None]
        if self.vjp is None or not judged or not all(check.passed for check in judged):
            return {}
        try:
            wrong = tuple(faults(self._properties(asked), self.seed))
        except (NotOffered, TargetRaised):  # where only a part of the case is asked for
            return {}
        if not wrong:
            return {}
        first, *rest = wrong
        check = _failed(f"{self.operation.name}, {CONDUCT}", first)
        seen = replace(check, resolution=0.0, miss_probability=0.0, notes=tuple(rest), seed=self.seed)
        return {CONDUCT: seen}

    def _properties(self, asked: tuple[str, ...]) -> Subject:
        names, options = tuple(self.case.shapes), self.case.arguments()
        output = np.asarray(self.operation.forward(*self.values, **options))
        pullback = self.vjp

        def vjp(cotangent: Any, *inputs: Any) -> list[Any]:
            assert pullback is not None
            given = as_tuple(pullback(cotangent, *inputs, **options))
            return [g if name in asked else None for name, g in zip(names, given, strict=True)]

        return Subject(
            self.forward and partial(self.forward, **options),
            vjp,
            self.values,
            names,
            tuple(self.operation.row(name) in self.operation.batched for name in names),
            np.asarray(np.random.default_rng(self.seed).standard_normal(output.shape)).astype(output.dtype),
        )

    def subject(self, name: str) -> str:
        """What is derived by what, for a report."""
        return f"d {self.operation.name} / d {name}"

    def _by_input(self, check: Check, names: tuple[str, ...], missing: frozenset[str]) -> Found:
        """The parts of a check by input, and a row of its own for a fault that belongs to none of them."""
        parts = check.parts or (check,) * len(names)
        found: Found = {
            name: None if name in missing else replace(part, subject=self.subject(name))
            for name, part in zip(names, parts, strict=True)
        }
        if check.verdict is not Verdict.PASS and check.verdict not in {part.verdict for part in parts}:
            found[CONDUCT] = replace(check, subject=f"{self.operation.name}, {CONDUCT}", parts=())
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

    def vjp(self, cotangent: Any, *free: Any) -> Any:
        """The gradients of the judged inputs alone; what came where it is none for each, None included."""
        answer = self.pullback(cotangent, *self._all(free), **self.options)
        given = as_tuple(answer)
        if answer is None or len(given) != len(self.names):
            return answer
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
    return replace(_failed(subject, reason), verdict=Verdict.ERROR)


def _failed(subject: str, reason: str) -> Check:
    return Check(
        verdict=Verdict.FAIL,
        subject=subject,
        evidence="none",
        resolution=float("inf"),
        miss_probability=1.0,
        reason=reason,
    )
