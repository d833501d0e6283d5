"""Translation: an offer in the catalogue's conventions, with what it raises in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.hosting import Host
from gradcheck.implementation import Offer
from gradcheck.importing import in_words
from gradcheck.operation import Convention, Curve, Operation, Turn
from gradcheck.protocol import fitted
from gradcheck.surroundings import stands_for


class NotOffered(Exception):  # noqa: N818 - it is an answer of the target's, not a fault
    """Raised by a target for options that it does not implement; the case is counted as not offered."""


class TargetRaised(Exception):  # noqa: N818 - names what happened, and to whom
    """The code under test raised; carries the words for the certificate."""


def guarded(
    call: Callable[..., Any] | None, label: str, host: Host | None = None
) -> Callable[..., Any] | None:
    """The call with whatever it raises turned into `TargetRaised`, in words; `NotOffered` goes through.

    NotImplementedError counts as `NotOffered`: it is how Python says so. What it prints and warns goes to the
    host.
    """
    if call is None:
        return None
    visited = host or Host()

    def guard(*arguments: Any, **options: Any) -> Any:
        try:
            with visited.visit():
                return call(*arguments, **options)
        except (NotOffered, NotImplementedError) as error:
            raise NotOffered(f"{label}: {error}") from error
        except (TargetRaised, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit, and what test frameworks raise beside Exception
            raise TargetRaised(f"{label} raised {in_words(error)}") from error

    return stands_for(call, guard)


def translated(offer: Offer, operation: Operation, names: Sequence[str] | None = None) -> Offer:
    """The offer in the catalogue's conventions: inputs turned before the call, gradients after it.

    Parameters
    ----------
    offer : Offer
    operation : Operation
    names : sequence of str, optional
        Of the inputs of a case, where the operation takes copies of some (a network).
    """
    rows = [operation.row(name) for name in names or [each.name for each in operation.inputs]]
    # what curves stands nearest to the catalogue: its own formula holds for its own layouts
    for convention in sorted(declared(offer, operation), key=lambda each: each.curved):
        offer = _turned(offer, operation, convention, rows)
    return offer


def fitting(offer: Offer, operation: Operation, values: Sequence[Array], options: Mapping[str, Any]) -> Offer:
    """The offer, whose outputs have their axes of length 1 back where they may lack some.

    Parameters
    ----------
    offer : Offer
        In its own conventions.
    operation : Operation
    values, options : sequence of ndarray, mapping
        Of a case, whose naive output says what axes there are.
    """
    forward = offer.forward
    if not offer.loose or forward is None:
        return offer
    shape = np.shape(restated(operation, offer).forward(*values, **options))
    for convention in declared(offer, operation):
        if isinstance(convention.output, Turn):
            shape = np.shape(convention.output.adjoint(np.zeros(shape), options))

    def whole(*inputs: Any, **options: Any) -> Any:
        output = forward(*inputs, **options)
        return output if output is None else fitted(np.asarray(output), shape)

    return replace(offer, forward=stands_for(forward, whole))


def declared(offer: Offer, operation: Operation) -> list[Convention]:
    """The conventions that an offer names, as the operation knows them."""
    return [operation.conventions[name][value] for name, value in offer.conventions.items()]


def restated(operation: Operation, offer: Offer) -> Operation:
    """The operation with the naive forward that the offer's conventions ask for."""
    naive = next((each.naive for each in declared(offer, operation) if each.naive), None)
    return replace(operation, forward=naive, suspects=None) if naive else operation


def is_exact(offer: Offer, operation: Operation) -> bool:
    """Whether all conventions of the offer are free of rounding."""
    return all(each.exact for each in declared(offer, operation))


def _turned(offer: Offer, operation: Operation, convention: Convention, rows: Sequence[str]) -> Offer:
    forward, vjp, out = offer.forward, offer.vjp, convention.output
    turns = [convention.inputs.get(row) for row in rows]

    def there(inputs: tuple[Any, ...], options: Mapping[str, Any]) -> list[Any]:
        return [turn.apply(x, options) if turn else x for turn, x in zip(turns, inputs, strict=True)]

    def left(options: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in options.items() if name not in convention.held}

    def their_forward(*inputs: Any, **options: Any) -> Any:
        assert forward is not None
        output = forward(*there(inputs, options), **left(options))
        return _out(out, output, options) if out else output

    def unturned(inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
        if forward is not None:
            return forward(*there(inputs, options), **left(options))
        return operation.forward(*inputs, **{**options, **convention.held})

    def their_vjp(cotangent: Any, *inputs: Any, **options: Any) -> Any:
        assert vjp is not None
        given = cotangent
        if isinstance(out, Curve):
            given = out.pullback(cotangent, np.asarray(unturned(inputs, options)), options)
        elif out:
            given = out.adjoint(cotangent, options)
        gradients = vjp(given, *there(inputs, options), **left(options))
        if gradients is None or len(as_tuple(gradients)) != len(turns):
            return gradients
        return tuple(
            g if turn is None or g is None else _back(turn, g, x, options)
            for turn, g, x in zip(turns, as_tuple(gradients), inputs, strict=True)
        )

    return replace(
        offer,
        forward=forward and stands_for(forward, their_forward),
        vjp=vjp and stands_for(vjp, their_vjp),
    )


def _out(turn: Turn | Curve, output: Any, options: Mapping[str, Any]) -> Any:
    """An output of the target's in the catalogue's layout; one that has no such layout as it is.

    It has another number of axes than the turn is for, and so than the catalogue's has: the judge says so.
    """
    if output is None:
        return None
    try:
        return turn.apply(np.asarray(output), options)
    except (ValueError, TypeError):
        return output


class _Misshapen:
    """A gradient that does not fit the layout that its target declares; no array, and says why not."""

    def __init__(self, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
        self.reason = f"gradient.shape = {shape}, wanted {wanted} in the layout that it declares"

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise ValueError(self.reason)


def _back(turn: Turn | Curve, gradient: Any, at: Any, options: Mapping[str, Any]) -> Any:
    """A gradient of the target's in the catalogue's layout."""
    shape, wanted = np.shape(gradient), np.shape(turn.apply(at, options))
    if shape != wanted:
        return _Misshapen(shape, wanted)
    if isinstance(turn, Curve):
        return turn.pullback(np.asarray(gradient), at, options)
    return turn.adjoint(np.asarray(gradient), options)


def as_tuple(gradients: Any) -> tuple[Any, ...]:
    """Gradients as a tuple; a bare array is the gradient of a single input."""
    return tuple(gradients) if isinstance(gradients, (tuple, list)) else (gradients,)
