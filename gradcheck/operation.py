"""Operation: a named differentiable function, its cases, and the conventions in which others write it."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from gradcheck.case import Case
from gradcheck.estimate import Array
from gradcheck.turns import Suspect

CATALOGUES = "gradcheck.catalogues"
"""The entry point group: each entry is a function that returns a mapping of name to `Operation`."""


class UnknownOperation(LookupError):  # noqa: N818 - read as a sentence: raise UnknownOperation
    """No catalogue has an operation of this name."""


@dataclass(frozen=True)
class Input:
    """One argument of an operation.

    Parameters
    ----------
    name : str
        The pinned name; where an operation repeats it (a network), copies carry a number: k1, k3.
    axes : tuple of str
        The names of its axes; ("...",) for any shape.
    meaning : str
        What it is, with the notes' letter.
    """

    name: str
    axes: tuple[str, ...]
    meaning: str

    @property
    def shape(self) -> str:
        """The axes as a reader writes them: "(N, D)", "()" for a number, "any shape".

        Examples
        --------
        >>> Input("b", ("K",), "biases").shape
        '(K,)'
        """
        if self.axes == ("...",):
            return "any shape"
        return f"({', '.join(self.axes)}{',' if len(self.axes) == 1 else ''})"


Map = Callable[[Array, Mapping[str, Any]], Array]
"""A linear map of an array, given the options of the call."""


@dataclass(frozen=True)
class Turn:
    """A linear map between the catalogue's array and the target's, with its adjoint.

    Parameters
    ----------
    apply : callable (array, options) -> array
        For an input: the catalogue's array to the target's. For the output: the target's to the catalogue's.
    adjoint : callable (array, options) -> array
        The transposed map, which carries gradients (inputs) and cotangents (output) the other way.
    """

    apply: Map
    adjoint: Map


@dataclass(frozen=True)
class Curve:
    """A smooth map between the catalogue's array and the target's, with its pullback.

    Parameters
    ----------
    apply : callable (array, options) -> array
        As a `Turn` has it.
    pullback : callable (gradient, at, options) -> array
        The gradient at the result of `apply` carried to its argument, which is `at`.
    """

    apply: Map
    pullback: Callable[[Array, Array, Mapping[str, Any]], Array]


@dataclass(frozen=True)
class Convention:
    """One way in which an operation is written elsewhere, as maps of its inputs and its output.

    Parameters
    ----------
    meaning : str
        For a reader of the catalogue.
    inputs : mapping of str to Turn or Curve
        By the input's row.
    output : Turn or Curve, optional
    exact : bool
        False where a map rounds (a mean over 3×3), which leaves no bit-for-bit evidence.
    held : mapping of str to value
        Options that the target is not given, with the value at which the naive forward computes what the
        target does: {"activation": "identity"} for one that ends at u.
    naive : callable (*inputs, **options) -> array, optional
        Stands in for the operation's forward, where this convention leaves another function to judge.
    """

    meaning: str
    inputs: Mapping[str, Turn | Curve] = field(default_factory=dict)
    output: Turn | Curve | None = None
    exact: bool = True
    held: Mapping[str, Any] = field(default_factory=dict)
    naive: Callable[..., Any] | None = None

    @property
    def curved(self) -> bool:
        """Whether a map is not linear."""
        return any(isinstance(each, Curve) for each in (*self.inputs.values(), self.output))


def _never_linear(options: Mapping[str, Any]) -> tuple[str, ...]:
    return ()


def _no_sizes(options: Mapping[str, Any]) -> Mapping[str, int]:
    return {}


Suspects = Callable[[str, Array, Mapping[str, Array], Mapping[str, Any]], Iterable[Suspect]]
"""suspects(input, cotangent, inputs, options): in what ways the gradient of one input is got wrong."""


@dataclass(frozen=True)
class Operation:
    """A named differentiable function: what it computes, where it stands in the notes, and cases for it.

    Parameters
    ----------
    name : str
    summary : str
        One line: what comes out.
    inputs : tuple of Input
    forward : callable (*inputs, **options) -> array
        The judge's own: independent, obviously right, slow.
    cases : Hypothesis strategy of Case
    edges : tuple of Case
        Cases that are always judged, before any that is drawn.
    equations, errata : tuple of str
        Ids of DERIVATIONS.md.
    guards : mapping of str to callable (case) -> bool
        Of an erratum, whether a case can tell the two readings apart; every case can, where nothing is said.
    statements : mapping of str to str
        The text of each of those ids.
    mathml : mapping of str to str
        MathML of the equations, for pages; without it they show the text.
    options : mapping of str to str
        What each keyword argument means.
    conventions : mapping of str to mapping of str to Convention
        For each convention that a target may declare, its possible values; the first is the catalogue's.
    linear_in : callable (options) -> tuple of str
        Inputs in which it is affine with the others fixed, and integers give integers: exact evidence.
    suspects : callable (input, cotangent, inputs, options) -> iterable of Suspect, optional
        What the gradient of an input becomes by the mistakes that this operation invites.
    sizes : callable (options) -> mapping of name to int
        By which, squared or not, a gradient may be off: the n of a pooling.
    batched : tuple of str
        Rows of inputs with independent patterns along their first axis; so has the output, or it is their sum.
    parameters : tuple of str
        Rows of the inputs that training steps; the others are data.
    kinks : str
        What a check does where the operation has no derivative, as `check_vjp` has it: "refuse", "avoid",
        "one_sided" or "subgradient".

    Examples
    --------
    >>> square = Operation("square", "x², element by element", (Input("x", ("...",), "numbers"),), abs, None)
    >>> square.name, [each.name for each in square.inputs]
    ('square', ['x'])
    """

    name: str
    summary: str
    inputs: tuple[Input, ...]
    forward: Callable[..., Any] = field(repr=False)
    cases: Any = field(repr=False)
    edges: tuple[Case, ...] = field(default=(), repr=False)
    equations: tuple[str, ...] = ()
    errata: tuple[str, ...] = ()
    guards: Mapping[str, Callable[[Case], bool]] = field(default_factory=dict, repr=False)
    statements: Mapping[str, str] = field(default_factory=dict, repr=False)
    mathml: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    conventions: Mapping[str, Mapping[str, Convention]] = field(default_factory=dict, repr=False)
    linear_in: Callable[[Mapping[str, Any]], tuple[str, ...]] = field(default=_never_linear, repr=False)
    suspects: Suspects | None = field(default=None, repr=False)
    sizes: Callable[[Mapping[str, Any]], Mapping[str, int]] = field(default=_no_sizes, repr=False)
    batched: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    kinks: str = "refuse"

    def guarded(self, case: Case) -> tuple[str, ...]:
        """The errata that a case guards: read to the letter, they give another answer in it."""
        return tuple(each for each in self.errata if each not in self.guards or self.guards[each](case))

    def row(self, name: str) -> str:
        """The row of the certificate in which an input is counted: its name without the number of its copy.

        Examples
        --------
        >>> Operation("net", "", (Input("k", ("I", "J"), "kernels"),), abs, None).row("k3")
        'k'
        """
        known = {each.name for each in self.inputs}
        return name if name in known else name.rstrip("0123456789")


@functools.cache
def operations() -> Mapping[str, Operation]:
    """Every operation of every installed catalogue, by name, in the catalogues' order.

    Raises
    ------
    RuntimeError
        When no catalogue is installed, or two of them offer the same name.

    Examples
    --------
    >>> "convolution" in operations()
    True
    """
    return collect(entry_points(group=CATALOGUES))


def collect(entries: Iterable[EntryPoint]) -> Mapping[str, Operation]:
    """The operations of these entry points; raises as `operations` does."""
    found: dict[str, Operation] = {}
    for entry in sorted(entries):
        merge(found, entry.load()(), entry.value)
    if not found:
        raise RuntimeError(
            f"operations: no catalogue is installed\n  entry points of {CATALOGUES} = none, wanted one\n"
            "  install the project (pip install -e .), which registers its own"
        )
    return MappingProxyType(found)


def merge(found: dict[str, Operation], catalogue: Mapping[str, Operation], source: str) -> None:
    """Add a catalogue to those found before; raises RuntimeError where a name is taken."""
    twice = sorted(set(found) & set(catalogue))
    if twice:
        raise RuntimeError(
            "operations: two catalogues offer the same name\n"
            f"  names = {', '.join(twice)}, second from {source}\n"
            "  each operation must come from exactly one catalogue"
        )
    found.update(catalogue)


def operation(name: str) -> Operation:
    """The operation of this name.

    Raises
    ------
    UnknownOperation
        With the names that come near.

    Examples
    --------
    >>> [each.name for each in operation("dense").inputs]
    ['x', 'W', 'b']
    """
    return find(name, operations())


def find(name: str, catalogue: Mapping[str, Operation]) -> Operation:
    """The operation of this name in a catalogue; raises `UnknownOperation` as `operation` does."""
    try:
        return catalogue[name]
    except KeyError:
        raise UnknownOperation(
            f"operation: no operation is called {name!r}\n  nearest = {nearest(name, catalogue)}\n"
            f"  the catalogue has: {', '.join(catalogue)}"
        ) from None


def nearest(name: str, names: Mapping[str, Any]) -> str:
    """Up to three names that come near, for a message; "none" where nothing does.

    Examples
    --------
    >>> nearest("convolve", {"convolve_full": 0, "dense": 0})
    'convolve_full'
    """
    return ", ".join(difflib.get_close_matches(name, names, n=3)) or "none"
