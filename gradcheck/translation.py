"""Translation: an offer in the catalogue's conventions, with what it raises in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gradcheck.implementation import Offer
from gradcheck.importing import in_words
from gradcheck.operation import Convention, Operation


class NotOffered(Exception):  # noqa: N818 - it is an answer of the target's, not a fault
    """Raised by a target for options that it does not implement; the case is counted as not offered."""


class TargetRaised(Exception):  # noqa: N818 - names what happened, and to whom
    """The code under test raised; carries the words for the certificate."""


def guarded(call: Callable[..., Any] | None, label: str) -> Callable[..., Any] | None:
    """The call with whatever it raises turned into `TargetRaised`, in words; `NotOffered` goes through.

    NotImplementedError counts as `NotOffered`: it is how Python says so.
    """
    if call is None:
        return None

    def guard(*arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except (NotOffered, NotImplementedError) as error:
            raise NotOffered(f"{label}: {error}") from error
        except (Exception, SystemExit) as error:
            raise TargetRaised(f"{label} raised {in_words(error)}") from error

    return guard


def translated(offer: Offer, operation: Operation) -> Offer:
    """The offer in the catalogue's conventions: inputs turned before the call, gradients after it."""
    for name, value in offer.conventions.items():
        offer = _turned(offer, operation, operation.conventions[name][value])
    return offer


def is_exact(offer: Offer, operation: Operation) -> bool:
    """Whether all conventions of the offer are free of rounding."""
    return all(operation.conventions[name][value].exact for name, value in offer.conventions.items())


def _turned(offer: Offer, operation: Operation, convention: Convention) -> Offer:
    names = [each.name for each in operation.inputs]
    forward, vjp, out = offer.forward, offer.vjp, convention.output

    def there(inputs: tuple[Any, ...], options: Mapping[str, Any]) -> list[Any]:
        turns = [convention.inputs.get(name) for name in names]
        return [turn.apply(x, options) if turn else x for turn, x in zip(turns, inputs, strict=True)]

    def their_forward(*inputs: Any, **options: Any) -> Any:
        assert forward is not None
        output = forward(*there(inputs, options), **options)
        return out.apply(output, options) if out else output

    def their_vjp(cotangent: Any, *inputs: Any, **options: Any) -> Any:
        assert vjp is not None
        given = out.adjoint(cotangent, options) if out else cotangent
        gradients = as_tuple(vjp(given, *there(inputs, options), **options))
        turns = [convention.inputs.get(name) for name in names]
        return tuple(
            turn.adjoint(g, options) if turn and g is not None else g
            for turn, g in zip(turns, gradients, strict=True)
        )

    return replace(offer, forward=forward and their_forward, vjp=vjp and their_vjp)


def as_tuple(gradients: Any) -> tuple[Any, ...]:
    """Gradients as a tuple; a bare array is the gradient of a single input."""
    return tuple(gradients) if isinstance(gradients, (tuple, list)) else (gradients,)
