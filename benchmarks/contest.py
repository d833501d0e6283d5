"""One contest, several entrants: what is timed, in which group, and that its answer is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

BASELINE = "naive loops"
EVERY_ELEMENT = "every element"
BASELINES = (BASELINE, EVERY_ELEMENT)
"""Of kernels, layers and networks; and of checks: a central difference in every element."""


def slug(words: object) -> str:
    """A name that a test can carry without escapes.

    >>> slug("x 2×3")
    'x 2x3'
    """
    return str(words).replace("×", "x")


def shapes(inputs: Mapping[str, np.ndarray]) -> str:
    """The inputs' names and sizes as a group's name has them.

    >>> shapes({"x": np.ones((2, 3)), "b": np.ones(3)})
    'x 2×3, b 3'
    """
    return ", ".join(f"{name} {'×'.join(map(str, each.shape))}" for name, each in inputs.items())


def whole(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    """Whole numbers from −4 to 4 in float64, so that every form of a sum gives the same bits."""
    rng = np.random.default_rng(seed)
    return {name: rng.integers(-4, 5, shape).astype(np.float64) for name, shape in shapes.items()}


def enter(benchmark: Any, group: str, entrant: str, call: Callable[[], Any], **told: Any) -> Any:
    """The answer of `call`, timed where timing is on and run once where it is off."""
    benchmark.group = group
    benchmark.extra_info |= {"entrant": entrant, **told}
    return benchmark(call)


def arrays(answer: Any) -> tuple[np.ndarray, ...]:
    """An answer as a tuple: one output, or one gradient for each input."""
    return tuple(np.asarray(each) for each in (answer if isinstance(answer, Sequence) else (answer,)))


def assert_same_bits(answer: Any, wanted: Any) -> None:
    """On whole numbers there is nothing to round, so nothing to tolerate."""
    answer, wanted = arrays(answer), arrays(wanted)
    assert len(answer) == len(wanted)
    for found, right in zip(answer, wanted, strict=True):
        assert found.dtype == right.dtype
        np.testing.assert_array_equal(found, right)


def assert_near(answer: Any, wanted: Any, bound: float) -> None:
    """Every element within `bound`, an error that the caller derives and that no size enters."""
    for found, right in zip(arrays(answer), arrays(wanted), strict=True):
        assert found.shape == right.shape
        assert np.max(np.abs(found - right)) <= bound
