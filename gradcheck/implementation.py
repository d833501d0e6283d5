"""Implementation: the code under test, found in a module, a file or an object, and wrapped."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gradcheck.hosting import Host
from gradcheck.importing import TargetError, imported, in_words
from gradcheck.operation import Convention, Operation, nearest
from gradcheck.program import Program, ProgramLost, is_command
from gradcheck.protocol import ProtocolError, Spoken

_MARK = "__gradcheck_implements__"
_Class = TypeVar("_Class", bound=type)


@dataclass(frozen=True)
class Offer:
    """What a target offers for one operation: a forward, a vjp, a step, an hvp, and how it writes them.

    `step(cotangent, *inputs, learning_rate=η, **options)` returns what the inputs are after p − η ∘ ∂E/∂p: one entry
    for each, None for what is not stepped. η is a number, or one entry for each input as check_step has them.
    `loose`: its outputs may lack axes of length 1, which the way that they came does not carry.
    `hvp(cotangent, tangents, *inputs, **options)` returns the Hessian of ⟨cotangent, forward(*inputs)⟩ times the
    tangents, of which there is one for each input: one entry for each as well, None for what it leaves out.
    """

    operation: str
    forward: Callable[..., Any] | None = None
    vjp: Callable[..., Any] | None = None
    conventions: Mapping[str, str] = field(default_factory=dict)
    step: Callable[..., Any] | None = None
    loose: bool = False
    hvp: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Implementation:
    """The code under test: a name, a version where it has one, and its offers by operation.

    `notes` tell what it did when it was imported, beside being imported; `program` is there where it is a command.
    """

    name: str
    offers: Mapping[str, Offer]
    version: str | None = None
    notes: tuple[str, ...] = ()
    program: Program | None = None


def implements(operation_name: str, **conventions: str | int) -> Callable[[_Class], _Class]:
    """Decorator of a class with static `forward`, `vjp`, `step` and/or `hvp`, for the operation of this name.

    Conventions that differ from the catalogue's are declared, not rewritten: kernel="correlation".
    The names are checked against the catalogue when the target is loaded.

    Raises
    ------
    TypeError
        When the class has neither a callable `forward` nor a callable `vjp` or `step`.

    Examples
    --------
    >>> @implements("dense", weights="DK")
    ... class Mine:
    ...     @staticmethod
    ...     def forward(x, W, b, activation="identity"):
    ...         return x @ W + b
    >>> sorted(offered_by(Mine, ["dense"]))
    ['dense']
    """

    def mark(cls: _Class) -> _Class:
        if not _has_parts(cls):
            raise TypeError(
                f"implements: the class {cls.__name__} offers nothing for {operation_name!r}\n"
                f"  forward = {getattr(cls, 'forward', None)!r}, vjp = {getattr(cls, 'vjp', None)!r}\n"
                "  at least one of the two must be a static method (or step)"
            )
        marks = vars(cls).get(_MARK, ())
        setattr(cls, _MARK, (*marks, (operation_name, {k: str(v) for k, v in conventions.items()})))
        return cls

    return mark


def offered_by(target: Any, names: Any) -> dict[str, Offer]:
    """Offers of an object: classes marked with `implements`, and attributes named after operations.

    Parameters
    ----------
    target : module, class, mapping or any object
    names : iterable of str
        The operations' names.

    Raises
    ------
    TargetError
        When two different classes implement the same operation.
    """
    offers = {
        name: _offer(name, part, {})
        for name in names
        if _has_parts(part := _attribute(target, name)) and not _marks(part)
    }
    for part in _members(target):
        for name, conventions in _marks(part):
            _add_marked(offers, _offer(name, part, conventions))
    return offers


def _add_marked(offers: dict[str, Offer], offer: Offer) -> None:
    if offers.get(offer.operation, offer) != offer:
        raise TargetError(
            f"target: {offer.operation!r} is implemented twice\n"
            f"  one = {_where(offers[offer.operation])}, other = {_where(offer)}\n"
            "  a target may offer each operation once"
        )
    offers[offer.operation] = offer


def _where(offer: Offer) -> str:
    part = offer.vjp or offer.forward or offer.step or offer.hvp
    return str(getattr(part, "__qualname__", part)).partition(".<locals>")[0]


def _offer(name: str, part: Any, conventions: Mapping[str, str]) -> Offer:
    return Offer(
        name,
        _callable(part, "forward"),
        _callable(part, "vjp"),
        dict(conventions),
        _callable(part, "step"),
        hvp=_callable(part, "hvp"),
    )


def _attribute(target: Any, name: str) -> Any:
    return target.get(name) if isinstance(target, Mapping) else getattr(target, name, None)


def _callable(part: Any, name: str) -> Callable[..., Any] | None:
    found = _attribute(part, name)
    return found if callable(found) else None


def _has_parts(part: Any) -> bool:
    return any(_callable(part, name) is not None for name in ("forward", "vjp", "step", "hvp"))


def _marks(part: Any) -> tuple[tuple[str, dict[str, str]], ...]:
    """The class's own marks: a subclass of a marked class is a part of it, not a second target."""
    return tuple(vars(part).get(_MARK, ())) if inspect.isclass(part) else ()


def _members(target: Any) -> Iterator[Any]:
    yield target
    values = target if isinstance(target, Mapping) else getattr(target, "__dict__", {})
    yield from list(values.values())


def load(target: Any, catalogue: Mapping[str, Operation]) -> Implementation:
    """The implementation that a target names or is.

    Parameters
    ----------
    target : str or object
        "package.module", "path/to/file.py", either with ":object" behind it; "$ command", which speaks
        `gradcheck.protocol`; or the object itself.
    catalogue : mapping of str to Operation

    Raises
    ------
    TargetError
        When it cannot be found or imported, offers nothing, or declares an unknown operation or convention.
    """
    if isinstance(target, Implementation):
        return target
    if is_command(target):
        return _commanded(target, catalogue)
    host = Host()
    thing = imported(target, host) if isinstance(target, str) else target
    name = target if isinstance(target, str) else getattr(thing, "__name__", type(thing).__name__)
    offers = _asked(thing, name, catalogue, host)
    if not offers:
        raise TargetError(
            f"target: {name} offers none of the catalogue's operations\n"
            f"  its names = {_public(thing)}, wanted one of: {', '.join(catalogue)}\n"
            "  an operation is an attribute of its name with forward and/or vjp, or a class under @implements"
        )
    for offer in offers.values():
        _check_declared(offer, catalogue)
    return Implementation(name, offers, _version(thing), host.notes)


def _commanded(target: str, catalogue: Mapping[str, Operation]) -> Implementation:
    """What a program offers, which says so itself."""
    try:
        spoken = Spoken(target)
    except (ProgramLost, ProtocolError, NotImplementedError, ValueError) as error:
        raise TargetError(
            f"target: {target} cannot be asked what it offers\n  {error}\n"
            "  wanted a program that answers in lines of JSON, as `gradcheck protocol` has it"
        ) from error
    said = spoken.described
    offers = {}
    for name in said.offers:
        names = _names(catalogue.get(name))
        marks = {each: str(value) for each, value in said.conventions.get(name, {}).items()}
        parts = spoken.forward(name, names), spoken.vjp(name, names)
        offers[name] = Offer(name, *parts, marks, loose=spoken.loose)
        _check_declared(offers[name], catalogue)
    return Implementation(target, offers, said.version, program=spoken.program)


def _names(operation: Operation | None) -> tuple[str, ...] | None:
    """The names of an operation's inputs, the same in each case; None where it takes copies of some."""
    if operation is None:
        return None
    names = tuple(each.name for each in operation.inputs)
    return names if all(tuple(case.shapes) == names for case in operation.edges) else None


def _asked(thing: Any, name: str, catalogue: Mapping[str, Operation], host: Host) -> dict[str, Offer]:
    """What the target offers; asking runs its code too, where attributes are made when they are looked at."""
    try:
        with host.visit():
            return offered_by(thing, catalogue)
    except (TargetError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise TargetError(
            f"target: {name} cannot be asked what it offers\n  looking at its names raised {in_words(error)}\n"
            f"  wanted an object with attributes named after operations: {', '.join(catalogue)}"
        ) from error


def _public(thing: Any) -> str:
    values = thing if isinstance(thing, Mapping) else getattr(thing, "__dict__", {})
    names = [str(name) for name in values if not str(name).startswith("_")]
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") or "none"


def _version(thing: Any) -> str | None:
    version = getattr(thing, "__version__", None)
    return version if isinstance(version, str) else None


def _check_declared(offer: Offer, catalogue: Mapping[str, Operation]) -> None:
    if offer.operation not in catalogue:
        raise TargetError(
            f"target: {_where(offer)} implements {offer.operation!r}, which is no operation\n"
            f"  nearest = {nearest(offer.operation, catalogue)}\n  the catalogue has: {', '.join(catalogue)}"
        )
    if offer.step is not None and not catalogue[offer.operation].parameters:
        raise TargetError(
            f"target: {_where(offer)} offers a step for {offer.operation}, which has no parameters\n"
            f"  those that have: {', '.join(n for n, each in catalogue.items() if each.parameters) or 'none'}"
        )
    known = catalogue[offer.operation].conventions
    for name, value in offer.conventions.items():
        if value not in known.get(name, {}):
            raise TargetError(
                f"target: {_where(offer)} declares a convention that {offer.operation} does not have\n"
                f"  declared = {name}={value!r}\n  known: {_known(known)}"
            )


def _known(known: Mapping[str, Mapping[str, Convention]]) -> str:
    return "; ".join(f"{name} = {' | '.join(values)}" for name, values in known.items()) or "none"
