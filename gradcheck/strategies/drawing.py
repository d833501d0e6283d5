"""Hypothesis: shapes with their consequences, a seed for the values; drawn and shrunk deterministically.

The one importer of Hypothesis. Integers here stay below 100 in magnitude, where Hypothesis does not mix in
constants that it finds in the caller's source: the same seed then draws the same cases everywhere.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from gradcheck.case import Case

Draw = st.DrawFn
Strategy = st.SearchStrategy
_Value = TypeVar("_Value")

ATTEMPTS = 4
"""Drawn examples for each case wanted, since distinct choices often make equal cases."""


def cases(build: Callable[[Draw], Case]) -> Strategy[Case]:
    """The strategy of a function that draws: `build(draw)` returns one Case."""
    return st.composite(build)()


def sizes(low: int, high: int) -> Strategy[int]:
    """Sizes of an axis, small ones first when shrinking.

    Raises
    ------
    ValueError
        Outside of 0 <= low <= high < 100.
    """
    if not 0 <= low <= high < 100:
        raise ValueError(
            f"sizes: the range of sizes is wrong\n  low = {low}, high = {high}\n  0 <= low <= high < 100"
        )
    return st.integers(low, high)


def one_of(*values: _Value) -> Strategy[_Value]:
    """One of these values, the first when shrinking."""
    return st.sampled_from(values)


def tables(rows: int, columns: int) -> Strategy[tuple[tuple[bool, ...], ...]]:
    """Tables of truth values, as nested tuples, all true when shrinking; empty rows come up by themselves."""
    row = st.tuples(*[one_of(True, False)] * columns)
    return st.tuples(*[row] * rows)


def key(case: Case) -> str:
    """What makes two cases equal, as text: everything but the number."""
    return json.dumps([case.describe() | {"number": 0}, sorted(case.fixed.items())], default=str)


def keep_nothing() -> None:
    """Send what Hypothesis caches into the folder for temporary files instead of the working folder."""
    set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "gradcheck-hypothesis")


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """Keep Hypothesis from leaving a folder where the caller works, and its home as it was afterwards."""
    before = vars(hypothesis.configuration).get("__hypothesis_home_directory")
    keep_nothing()
    try:
        yield
    finally:
        set_hypothesis_home_dir(before)


def _quiet(examples: int, *phases: Phase) -> settings:
    return settings(
        max_examples=examples,
        phases=phases,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        derandomize=False,  # a profile of the caller's must not change what a seed draws
        backend="hypothesis",
        report_multiple_bugs=False,
    )


def draw_cases(
    strategy: Strategy[Case], count: int, seed: int, *, edges: Sequence[Case] = ()
) -> tuple[Case, ...]:
    """Up to `count` different cases, the edges first, then drawn; numbered in their order.

    Fewer where the strategy has no more. The same seed gives the same cases.

    Parameters
    ----------
    strategy : Hypothesis strategy of Case
    count, seed : int
    edges : sequence of Case
        Taken first, as many as `count` allows.

    Examples
    --------
    >>> shapes = cases(lambda draw: Case({"x": (draw(sizes(1, 3)),)}))
    >>> sorted(case.shapes["x"] for case in draw_cases(shapes, 10, seed=0))
    [(1,), (2,), (3,)]
    """
    found = {key(case): case for case in edges}
    if len(found) < count:
        for case in _drawn(strategy, count, seed):
            found.setdefault(key(case), case)
    return tuple(_numbered(case, number) for number, case in enumerate(list(found.values())[:count]))


def _numbered(case: Case, number: int) -> Case:
    return replace(case, seed=number)


def _drawn(strategy: Strategy[Case], count: int, seed: int) -> list[Case]:
    drawn: list[Case] = []

    @hypothesis.seed(seed)
    @_quiet(ATTEMPTS * count, Phase.generate)
    @given(strategy)
    def record(case: Case) -> None:
        drawn.append(case)

    with _elsewhere():
        record()
    return drawn


class _Fails(Exception):  # noqa: N818 - it is what the search looks for, not an error
    """The predicate held for a case: what Hypothesis shrinks."""


def smallest(
    strategy: Strategy[Case],
    fails: Callable[[Case], bool],
    known: Case,
    *,
    seed: int,
    budget: int,
) -> Case:
    """The smallest case found for which `fails` holds; `known` where nothing smaller was found.

    Hypothesis draws with the seed and shrinks the first case that fails. The predicate is asked at most
    `budget` times, each case once; a count and not a clock, so that the machine does not change the answer.

    Parameters
    ----------
    strategy : Hypothesis strategy of Case
    fails : callable (Case) -> bool
    known : Case
        One for which it holds.
    seed, budget : int
    """
    asked: dict[str, bool] = {key(known): True}
    best = [known]

    def held(case: Case) -> bool:
        name = key(case)
        if name not in asked:
            asked[name] = len(asked) <= budget and fails(_numbered(case, known.seed))
        return asked[name]

    @hypothesis.seed(seed)
    @_quiet(ATTEMPTS * budget, Phase.generate, Phase.shrink)
    @given(strategy)
    def search(case: Case) -> None:
        if held(case):
            best.append(_numbered(case, known.seed))
            raise _Fails

    with contextlib.suppress(_Fails), _elsewhere():
        search()
    return min(reversed(best), key=lambda case: case.size)
