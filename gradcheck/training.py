"""Training: the row of a target's own step, whose words for a layer are step(cotangent, *inputs, learning_rate=η)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.case import Case
from gradcheck.estimate import Array
from gradcheck.hosting import Host
from gradcheck.implementation import Offer
from gradcheck.operation import Operation
from gradcheck.step import check_step
from gradcheck.translation import NotOffered, TargetRaised, as_tuple, guarded, translated
from gradcheck.verdict import Check, Verdict


class Malformed(Exception):  # noqa: N818 - says what came back
    """A step that does not answer with one entry for each input."""


def as_they_have_it(
    operation: Operation,
    offer: Offer,
    case: Case,
    values: Sequence[Array],
    rng: np.random.Generator,
    host: Host,
) -> tuple[Array, list[Array], dict[str, Any]]:
    """A Gaussian cotangent, the inputs and the options of a case as the target's own vjp gets them."""
    kept: list[Any] = []

    def keep(cotangent: Any, *inputs: Any, **options: Any) -> list[None]:
        kept.extend((np.array(cotangent), [np.array(x) for x in inputs], options))
        return [None] * len(inputs)

    options = case.arguments()
    output = np.asarray(operation.forward(*values, **options))
    cotangent = np.asarray(rng.standard_normal(output.shape)).astype(values[0].dtype)
    forward = guarded(offer.forward, "the forward", host)
    vjp = translated(replace(offer, forward=forward, vjp=keep), operation, tuple(case.shapes)).vjp
    assert vjp is not None
    vjp(cotangent, *values, **options)
    return kept[0], kept[1], kept[2]


@dataclass(frozen=True)
class Training:
    """One case of one operation, and the target's step and vjp in the target's own layouts.

    A step is compared where it is made: a parameter that is n² times ours has a step that is not n² times ours.
    """

    operation: Operation
    offer: Offer
    case: Case
    values: tuple[Array, ...]
    seed: int
    host: Host

    @property
    def names(self) -> tuple[str, ...]:
        """Of the inputs of the case."""
        return tuple(self.case.shapes)

    @property
    def places(self) -> list[int]:
        """Which inputs are parameters."""
        rows = [self.operation.row(name) for name in self.names]
        return [i for i, row in enumerate(rows) if row in self.operation.parameters]

    def check(self) -> Check | None:
        """The step against the target's own gradients, at one rate and at one a weight; None where it has none."""
        cotangent, inputs, options = self.theirs()
        rng = np.random.default_rng([self.seed, 11])
        rate = float(rng.uniform(0.05, 0.5))
        here = _Here(self, cotangent, inputs, options)
        offered = here.offered(rate)
        if not offered:
            return None
        found = self.named(here.checked(offered, rate))
        if not found.passed:
            return found
        rates = tuple(rate * rng.uniform(0.5, 1.5, inputs[i].shape) for i in offered)
        try:
            each = self.named(here.checked(offered, rates))
        except (TargetRaised, Malformed, NotOffered):  # one rate for all is all that it knows
            return found
        return found if each.passed else replace(each, reason=f"with one rate for each weight: {each.reason}")

    def implied(self) -> Callable[..., Any]:
        """The gradient that a step follows, p − step(p) at η = 1, in the catalogue's conventions."""
        step = self.stepper()

        def vjp(cotangent: Any, *inputs: Any, **options: Any) -> list[Any]:
            new = _entries(step(cotangent, *inputs, learning_rate=1.0, **options), len(inputs))
            return [
                np.asarray(x) - np.asarray(p) if i in self.places and p is not None else None
                for i, (x, p) in enumerate(zip(inputs, new, strict=True))
            ]

        turned = translated(replace(self.offer, vjp=vjp), self.operation, self.names).vjp
        assert turned is not None
        return turned

    def stepper(self) -> Callable[..., Any]:
        """The target's step, guarded."""
        step = guarded(self.offer.step, "the step", self.host)
        assert step is not None
        return step

    def theirs(self) -> tuple[Array, list[Array], dict[str, Any]]:
        """A cotangent, the inputs and the options as the target's own vjp gets them."""
        rng = np.random.default_rng([self.seed, 12])
        return as_they_have_it(self.operation, self.offer, self.case, self.values, rng, self.host)

    def named(self, check: Check) -> Check:
        """The check under the operation's name."""
        return replace(check, subject=f"{self.operation.name}, {check.subject}", parts=())


@dataclass(frozen=True)
class _Here:
    """A step and a vjp as functions of the parameters alone, in the target's layouts."""

    training: Training
    cotangent: Array
    inputs: list[Array]
    options: dict[str, Any]

    def offered(self, rate: float) -> list[int]:
        """Parameters that the step steps; raises Malformed where it steps the data."""
        new = self.stepped(self.inputs, rate)
        places = self.training.places
        for i, (name, x, p) in enumerate(zip(self.training.names, self.inputs, new, strict=True)):
            if i not in places and p is not None and not np.array_equal(np.asarray(p), x):
                raise Malformed(
                    f"the step changes {name}, which is no parameter; None says that it is left alone"
                )
        return [i for i in places if new[i] is not None]

    def stepped(self, inputs: Sequence[Array], rate: Any) -> list[Any]:
        step = self.training.stepper()
        new = step(self.cotangent.copy(), *inputs, learning_rate=rate, **self.options)
        return _entries(new, len(inputs))

    def all_of(self, offered: list[int], params: Sequence[Array]) -> list[Array]:
        """All inputs, with these parameters."""
        given = dict(zip(offered, params, strict=True))
        return [given.get(i, x.copy()) for i, x in enumerate(self.inputs)]

    def checked(self, offered: list[int], rate: Any) -> Check:
        """`check_step` of these parameters."""
        vjp = guarded(self.training.offer.vjp, "the vjp", self.training.host)
        assert vjp is not None

        def grad(*params: Array) -> list[Any]:
            given = as_tuple(vjp(self.cotangent.copy(), *self.all_of(offered, params), **self.options))
            return [given[i] for i in offered]

        def step(*params: Array, learning_rate: Any) -> list[Any]:
            if isinstance(learning_rate, tuple):
                each = dict(zip(offered, learning_rate, strict=True))
                learning_rate = tuple(each.get(i) for i in range(len(self.inputs)))
            new = self.stepped(self.all_of(offered, params), learning_rate)
            return [new[i] for i in offered]

        params = [self.inputs[i] for i in offered]
        names = [self.training.names[i] for i in offered]
        return check_step(step, grad, params, learning_rate=rate, names=names, seed=self.training.seed)


def _entries(new: Any, count: int) -> list[Any]:
    given = None if new is None else list(as_tuple(new))
    if given is None or len(given) != count:
        seen = "None" if given is None else f"{len(given)} entries"
        raise Malformed(
            f"the step does not return one new array for each input\n  returned {seen}, wanted {count}\n"
            "  None stands for what is not stepped, the data among them"
        )
    return given


def malformed(operation: str, error: Malformed) -> Check:
    """The failure of a step that has no usable answer."""
    return Check(Verdict.FAIL, f"{operation}, step", "update", 0.0, 0.0, str(error))
