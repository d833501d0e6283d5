"""The checks themselves: seconds and calls of f, against a central difference in every element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

import reference
from benchmarks.contest import EVERY_ELEMENT, enter
from gradcheck import Check, check_vjp
from reference import network

WANTED = 1e-6  # the relative error that check_vjp wants to see in float64 where nothing else is said
STEP = np.finfo(np.float64).eps ** (1 / 3)  # balances a central difference's truncation against its rounding
TINY = (("convolution", 4, (3, 3), "scaled_tanh"), ("subsampling", 2, "tanh"), ("dense", 10, "scaled_tanh"))


class Subject(NamedTuple):
    """A function with its vjp at a point; `linear` are the places of the inputs in which it is affine."""

    name: str
    f: Callable[..., Any]
    vjp: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]
    linear: tuple[int, ...] = ()

    @property
    def elements(self) -> int:
        return sum(each.size for each in self.inputs)

    @property
    def group(self) -> str:
        return f"check: {self.name}, {len(self.inputs)} inputs of {self.elements:,} elements"


def drawn(*shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal(shape) for shape in shapes)


def convolution(*shapes: tuple[int, ...]) -> Subject:
    layer = reference.convolve_valid
    return Subject("convolve_valid", layer.forward, layer.vjp, drawn(*shapes), (0, 1))


def layer() -> Subject:
    return Subject(
        "convolution with sigmoid",
        reference.convolution.forward,
        reference.convolution.vjp,
        drawn((16, 1, 8, 8), (1, 16, 3, 3), (16,)),
    )


def whole_network() -> Subject:
    x_shape = (2, 1, 8, 8)
    shapes = [*network.parameter_shapes(TINY, x_shape[1:]).values()]
    shapes += network.perturbation_shapes(TINY, x_shape).values()
    return Subject(
        "network",
        lambda *inputs: network.forward(*inputs, architecture=TINY),
        lambda cotangent, *inputs: network.vjp(cotangent, *inputs, architecture=TINY),
        drawn(x_shape, (2, 10), *shapes),
    )


SUBJECTS = {
    "small": lambda: convolution((16, 1, 8, 8), (1, 16, 3, 3)),
    "layer": layer,
    "network": whole_network,
    "large": lambda: convolution((4, 16, 64, 64), (16, 2, 5, 5)),
}
subject = cache(lambda name: SUBJECTS[name]())


def turned(cotangent: np.ndarray, x: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last gradient lacks its half turn."""
    dx, dk = reference.convolve_valid.vjp(cotangent, x, k)
    return dx, np.ascontiguousarray(dk[..., ::-1, ::-1])


class Counted:
    """f with its calls counted, from nought at every check."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f, self.calls = f, 0

    def __call__(self, *inputs: Any) -> Any:
        self.calls += 1
        return self.f(*inputs)


def every_element(f: Callable[..., Any], vjp: Callable[..., Any], inputs: Sequence[np.ndarray]) -> bool:
    """Whether vjp agrees with central differences, element by element, to the same relative error."""
    cotangent = np.random.default_rng(1).standard_normal(np.shape(f(*inputs)))
    claimed = vjp(cotangent, *inputs)
    measured = [np.empty_like(each) for each in inputs]
    for place, each in enumerate(inputs):
        for index in np.ndindex(each.shape):
            low, high = each.copy(), each.copy()
            low[index], high[index] = low[index] - STEP, high[index] + STEP
            above = f(*inputs[:place], high, *inputs[place + 1 :])
            below = f(*inputs[:place], low, *inputs[place + 1 :])
            measured[place][index] = np.sum(cotangent * (above - below)) / (high[index] - low[index])
    return all(
        np.linalg.norm(c - m) <= WANTED * np.linalg.norm(m) for c, m in zip(claimed, measured, strict=True)
    )


def verdict(check: Check) -> str:
    return str(check.verdict)


ENTRANTS: dict[str, Callable[[Subject, Counted], str]] = {
    EVERY_ELEMENT: lambda s, f: "pass" if every_element(f, s.vjp, s.inputs) else "fail",
    "check_vjp": lambda s, f: verdict(check_vjp(f, s.vjp, s.inputs)),
    "check_vjp, exact": lambda s, f: verdict(check_vjp(f, s.vjp, s.inputs, linear_in=s.linear)),
    "check_vjp, a wrong one": lambda s, f: verdict(check_vjp(f, turned, s.inputs)),
}
CONTESTS = [
    *[("small", entrant) for entrant in ENTRANTS],
    *[("layer", entrant) for entrant in (EVERY_ELEMENT, "check_vjp")],
    *[("network", entrant) for entrant in (EVERY_ELEMENT, "check_vjp")],
    *[("large", entrant) for entrant in ENTRANTS if entrant != EVERY_ELEMENT],
]


@pytest.mark.parametrize(("name", "entrant"), CONTESTS)
def test_check(benchmark, name, entrant):
    counted = Counted(subject(name).f)

    def judge() -> str:
        counted.calls = 0
        return ENTRANTS[entrant](subject(name), counted)

    answer = enter(benchmark, subject(name).group, entrant, judge)
    benchmark.extra_info["calls"] = counted.calls
    assert answer == ("fail" if "wrong" in entrant else "pass")
    if entrant == EVERY_ELEMENT:
        assert counted.calls == 1 + 2 * subject(name).elements
    elif "wrong" not in entrant:
        assert counted.calls <= 120 * len(subject(name).inputs)


def test_every_element_sees_a_wrong_one():
    small = subject("small")
    assert not every_element(small.f, turned, small.inputs)


def test_the_large_one_is_large():
    assert subject("large").inputs[0].size == 262_144
