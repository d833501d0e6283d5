"""Case: shapes, options and a seed, from which one set of arguments is made."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.plain import NotPlain

INTEGERS = 1024
"""Largest magnitude of an "integers" value: x·k·v·ȳ then stays below 2^40, so 2^13 of them sum exactly."""


@dataclass(frozen=True)
class Case:
    """Shapes, options and a seed: everything from which one set of arguments is made.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        The shape of every input, in the order of the call.
    options : mapping
        The keyword arguments of the call; a table of truth values stands as a tuple of tuples.
    kind : str
        What the values are: "gaussian", "zeros" (a third of them exactly zero), "ties" (multiples of ½),
        "large" (about every fourth but the first 40 times as large), "bounded" (from ½ to 1½ in size, so that no
        product of many vanishes) or "integers" (−1024 … 1024, for exact evidence).
    scales : mapping of str to float
        Factors on the values of single inputs, where 1 would saturate; integers take no factor.
    fixed : mapping of str to nested tuple
        Inputs whose values are given, and whose gradient this case does not judge.
    regimes : frozenset of str
        What this case reaches, as the certificate's coverage counts it.
    seed : int
        Number of the case; with the certificate's seed and the operation's name it seeds the values.
    """

    shapes: Mapping[str, tuple[int, ...]]
    options: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "gaussian"
    scales: Mapping[str, float] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    regimes: frozenset[str] = frozenset()
    seed: int = 0

    @property
    def size(self) -> int:
        """Elements in all inputs together."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    @property
    def judged(self) -> tuple[str, ...]:
        """Names of the inputs whose gradients this case judges."""
        return tuple(name for name in self.shapes if name not in self.fixed)

    def arguments(self) -> dict[str, Any]:
        """The options as the call takes them: tables of truth values as arrays."""
        return {name: _thawed(value) for name, value in self.options.items()}

    def describe(self) -> dict[str, Any]:
        """The case as plain lists and dictionaries, from which `from_description` makes it again."""
        parts = {
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "options": {name: _plain(value) for name, value in self.options.items()},
            "values": self.kind,
            "number": self.seed,
        }
        more = {
            "scales": dict(self.scales),
            "fixed": {name: _plain(value) for name, value in self.fixed.items()},
            "regimes": sorted(self.regimes),
        }
        return parts | {name: part for name, part in more.items() if part}

    @staticmethod
    def from_description(told: Mapping[str, Any]) -> Case:
        """The case of a description, in which lists stand for tuples.

        Raises
        ------
        NotPlain
            When a part is missing or of the wrong kind.

        Examples
        --------
        >>> case = Case({"x": (2, 3)}, {"n": 2}, "ties", {"x": 0.5}, seed=4)
        >>> Case.from_description(case.describe()) == case
        True
        """
        try:
            return Case(
                shapes={
                    str(name): tuple(map(operator.index, shape)) for name, shape in told["shapes"].items()
                },
                options={str(name): _frozen(value) for name, value in told["options"].items()},
                kind=_known_kind(told["values"]),
                scales={str(name): float(scale) for name, scale in told.get("scales", {}).items()},
                fixed={str(name): _frozen(value) for name, value in told.get("fixed", {}).items()},
                regimes=frozenset(map(str, told.get("regimes", ()))),
                seed=operator.index(told["number"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotPlain(
                "case: the description of a case cannot be read\n"
                f"  observed = {type(error).__name__}: {error}\n"
                "  wanted shapes, options, values and number, as Case.describe writes them"
            ) from error


def draw_values(case: Case, rng: np.random.Generator) -> tuple[Array, ...]:
    """Arguments for a case, one float64 array for each input, in order.

    Parameters
    ----------
    case : Case
    rng : numpy.random.Generator
        Every input takes from it in turn; fixed inputs take nothing.

    Examples
    --------
    >>> case = Case({"x": (2,), "b": (2,)}, kind="integers", fixed={"b": (0.5, 0.25)})
    >>> x, b = draw_values(case, np.random.default_rng(1))
    >>> bool((x == x.round()).all()), b
    (True, array([0.5 , 0.25]))
    """
    return tuple(
        np.array(case.fixed[name], dtype=np.float64).reshape(shape)
        if name in case.fixed
        else _KINDS[case.kind](rng, shape, case.scales.get(name, 1.0))
        for name, shape in case.shapes.items()
    )


def _gaussian(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    return np.asarray(scale * rng.standard_normal(shape))


def _zeros(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    return np.where(rng.random(shape) < 1 / 3, 0.0, _gaussian(rng, shape, scale))


def _ties(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    return np.asarray(scale * np.round(2 * rng.standard_normal(shape)) / 2)


def _large(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    factors = np.where(rng.random(shape) < 1 / 4, 40.0, 1.0)
    # not the first: where nothing but saturated elements are left, rounding hides all there is to see
    factors.reshape(-1)[:1] = 1.0
    return np.asarray(factors * _gaussian(rng, shape, scale))


def _integers(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    return np.asarray(rng.integers(-INTEGERS, INTEGERS, size=shape, endpoint=True), dtype=np.float64)


def _bounded(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    signs = np.where(rng.random(shape) < 0.5, -scale, scale)
    return np.asarray(signs * rng.uniform(0.5, 1.5, shape))


_KINDS = {
    "bounded": _bounded,
    "gaussian": _gaussian,
    "zeros": _zeros,
    "ties": _ties,
    "large": _large,
    "integers": _integers,
}


def _thawed(value: Any) -> Any:
    """A tuple of tuples of truth values as the array that it stands for; anything else as it is."""
    if isinstance(value, tuple) and value and all(_is_truth_row(row) for row in value):
        return np.array(value, dtype=bool)
    return value


def _is_truth_row(row: Any) -> bool:
    return isinstance(row, tuple) and bool(row) and all(isinstance(entry, bool) for entry in row)


def _known_kind(kind: Any) -> str:
    if kind not in _KINDS:
        raise ValueError(f"values = {kind!r}, wanted one of: {', '.join(_KINDS)}")
    return str(kind)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(entry) for entry in value) if isinstance(value, (tuple, list)) else value


def _plain(value: Any) -> Any:
    return [_plain(entry) for entry in value] if isinstance(value, (tuple, list)) else value
