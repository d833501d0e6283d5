"""The kernels: naive loops, the notes' path and the fastest known, forward and gradients.

`python3 -m pytest benchmarks --benchmark-enable --benchmark-only` times them; otherwise each runs once.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from benchmarks.contest import BASELINE, assert_near, assert_same_bits, enter, shapes, slug, whole
from reference.kernels import FAST, NAIVE, NOTES, convolve

FORMS = {BASELINE: NAIVE, "notes": NOTES, "fast": FAST}

# each form rounds exp (one unit in the last place), the sum and the quotient (half a unit each) of numbers up
# to 1, hence 2 units in y; y (1 − y) passes those on and rounds twice itself, hence 4; two forms, hence 8
SIGMOID = 8 * np.finfo(np.float64).eps


class Case(NamedTuple):
    operation: str
    shapes: dict[str, tuple[int, ...]]
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def inputs(self) -> dict[str, np.ndarray]:
        return whole(self.shapes)

    @property
    def size(self) -> str:
        options = "".join(f", {name}={value}" for name, value in self.options.items())
        return shapes(self.inputs()) + options

    def __str__(self) -> str:
        return f"{self.operation} {self.size}"


CASES = (
    Case("upsample", {"x": (16, 16, 3, 4)}, {"n": 2}),
    Case("upsample", {"x": (8, 6, 14, 12)}, {"n": 2}),
    Case("downsample", {"x": (16, 16, 6, 8)}, {"n": 2}),
    Case("downsample", {"x": (8, 6, 28, 24)}, {"n": 2}),
    Case("convolve_valid", {"x": (16, 1, 8, 8), "k": (1, 16, 3, 3)}),
    Case("convolve_valid", {"x": (1, 6, 14, 12), "k": (6, 16, 5, 5)}),
    Case("convolve_full", {"d": (16, 16, 6, 6), "k": (1, 16, 3, 3)}),
    Case("convolve_full", {"d": (1, 16, 10, 8), "k": (6, 16, 5, 5)}),
    Case("sigmoid", {"u": (16, 16, 6, 6)}),
    Case("sigmoid", {"u": (64, 1024)}),
)
LARGE_KERNEL = Case("convolve_valid", {"x": (1, 2, 40, 36), "k": (2, 2, 15, 13)})
DIRECTIONS = ("forward", "gradients")


def call(form: Any, place: int, direction: str) -> Any:
    """A call of one form, its arguments ready."""
    case = CASES[place]
    operation, inputs = getattr(form, case.operation), tuple(case.inputs().values())
    if direction == "forward":
        return lambda: operation.forward(*inputs, **case.options)
    (cotangent,) = whole({"cotangent": operation.forward(*inputs, **case.options).shape}, seed=1).values()
    return lambda: operation.vjp(cotangent, *inputs, **case.options)


@cache
def naive(place: int, direction: str) -> Any:
    return call(NAIVE, place, direction)()


def verify(answer: Any, place: int, direction: str) -> None:
    wanted = naive(place, direction)
    if CASES[place].operation == "sigmoid":
        largest = 1 if direction == "forward" else 4  # the cotangent's
        assert_near(answer, wanted, SIGMOID * largest)
    else:
        assert_same_bits(answer, wanted)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("place", range(len(CASES)), ids=map(slug, CASES))
def test_kernel(benchmark, place, direction, form):
    group = f"{CASES[place].operation}, {direction}: {CASES[place].size}"
    verify(enter(benchmark, group, form, call(FORMS[form], place, direction)), place, direction)


LARGE = {
    BASELINE: convolve.valid_naive,
    "notes": convolve.valid_notes,
    "fast": convolve.valid_fast,
    "fft": convolve.valid_fft,
}


@cache
def naive_large_kernel() -> np.ndarray:
    return convolve.valid_naive(**LARGE_KERNEL.inputs())


@pytest.mark.parametrize("form", LARGE)
def test_large_kernel(benchmark, form):
    inputs = LARGE_KERNEL.inputs()
    answer = enter(
        benchmark, f"convolve_valid, forward: {LARGE_KERNEL.size}", form, lambda: LARGE[form](**inputs)
    )
    # a transform rounds; what it returns for whole numbers is right if the nearest whole number is
    assert_same_bits(np.rint(answer) + 0.0 if form == "fft" else answer, naive_large_kernel())


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("place", range(len(CASES)), ids=map(slug, CASES))
def test_one_wrong_element_is_seen(place, direction):
    answer = [np.array(each) for each in naive(place, direction)] if direction == "gradients" else None
    wrong = answer[-1] if answer else np.array(naive(place, direction))
    wrong[(-1,) * wrong.ndim] += 1e-6
    with pytest.raises(AssertionError):
        verify(tuple(answer) if answer else wrong, place, direction)


def test_a_missing_gradient_is_seen():
    place = next(p for p, case in enumerate(CASES) if case.operation == "convolve_valid")
    with pytest.raises(AssertionError):
        verify(naive(place, "gradients")[:1], place, "gradients")
