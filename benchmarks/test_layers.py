"""The layers, forward and gradients, against the same layers as loops on the naive kernels."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

import reference
from benchmarks.contest import BASELINE, assert_same_bits, enter, shapes, slug, whole
from benchmarks.naive_layers import LAYERS

FORMS = {BASELINE: LAYERS, "reference": vars(reference)}
LINEAR = {"activation": "identity"}  # exact on whole numbers; the activation's own time is among the kernels'


class Case(NamedTuple):
    layer: str
    shapes: dict[str, tuple[int, ...]]
    options: dict[str, Any] = LINEAR

    def inputs(self) -> dict[str, np.ndarray]:
        inputs = whole(self.shapes)
        return inputs | ({"c": dyadic(*self.shapes["c"])} if "c" in inputs else {})

    def __str__(self) -> str:
        return f"{self.layer} {shapes(self.inputs())}"


def dyadic(rows: int, columns: int) -> np.ndarray:
    """Free weights whose softmax has nothing to round: 1/m in m = 2^q rows of a column, else 0."""
    rng = np.random.default_rng(0)
    c = np.full((rows, columns), -2000.0)
    for j in range(columns):
        c[rng.permutation(rows)[: 2 ** rng.integers(rows.bit_length())], j] = 0.0
    return c


CASES = (
    Case("dense", {"x": (16, 96), "W": (10, 96), "b": (10,)}),
    Case("dense", {"x": (16, 192), "W": (64, 192), "b": (64,)}),
    Case("convolution", {"x": (16, 1, 8, 8), "k": (1, 16, 3, 3), "b": (16,)}),
    Case("convolution", {"x": (1, 6, 14, 12), "k": (6, 16, 5, 5), "b": (16,)}),
    Case("subsampling", {"x": (16, 16, 6, 6), "beta": (16,), "b": (16,)}, {"n": 2, **LINEAR}),
    Case("subsampling", {"x": (8, 6, 28, 24), "beta": (6,), "b": (6,)}, {"n": 2, **LINEAR}),
    Case("combination", {"x": (16, 16, 3, 3), "k": (16, 2, 2), "c": (16, 24), "b": (24,)}),
    Case("combination", {"x": (4, 8, 14, 12), "k": (8, 5, 5), "c": (8, 16), "b": (16,)}),
)
DIRECTIONS = ("forward", "gradients")


def call(form: Any, place: int, direction: str) -> Any:
    """A call of one form, its arguments ready."""
    case = CASES[place]
    layer, inputs = form[case.layer], tuple(case.inputs().values())
    if direction == "forward":
        return lambda: layer.forward(*inputs, **case.options)
    (cotangent,) = whole({"cotangent": layer.forward(*inputs, **case.options).shape}, seed=1).values()
    return lambda: layer.vjp(cotangent, *inputs, **case.options)


@cache
def naive(place: int, direction: str) -> Any:
    return call(LAYERS, place, direction)()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("place", range(len(CASES)), ids=map(slug, CASES))
def test_layer(benchmark, place, direction, form):
    case = CASES[place]
    group = f"{case.layer}, {direction}: {shapes(case.inputs())}"
    assert_same_bits(
        enter(benchmark, group, form, call(FORMS[form], place, direction)), naive(place, direction)
    )


def test_the_mixing_weights_round_nothing_and_differ():
    alpha = reference.softmax.forward(dyadic(16, 24))
    assert (alpha.sum(axis=0) == 1).all()
    assert set(np.unique(alpha)) == {0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0}


@pytest.mark.parametrize("place", range(len(CASES)), ids=map(slug, CASES))
def test_a_wrong_element_of_each_gradient_is_seen(place):
    for wrong in range(len(naive(place, "gradients"))):
        answer = [np.array(each) for each in naive(place, "gradients")]
        answer[wrong].flat[-1] = np.nextafter(answer[wrong].flat[-1], np.inf)
        with pytest.raises(AssertionError):
            assert_same_bits(answer, naive(place, "gradients"))
