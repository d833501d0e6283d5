"""Each known mistake is named right, right gradients are not, and garbage hardly ever."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.diagnose import DIGITS, diagnose, diagnose_by_probes
from gradcheck.mistakes import LOOSE, MISTAKES
from gradcheck.turns import Context

BOUND = 1e-11
CUBE, MAPS, SQUARE, LINE = (5, 5, 5), (3, 4, 5, 6), (6, 6), (30,)


def normal(shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def context_for(shape, seed=1):
    return Context(
        cotangent=normal((7, 3), seed + 1),
        input=normal(shape, seed + 2),
        gradients={"beta": normal(shape, seed + 3)},
        factors={
            "f'": 1 - np.tanh(normal(shape, seed + 4)) ** 2,
            "beta": np.asarray(0.37),
            "f'(y)": normal(shape[-1:]),
        },
        sizes={"n": 13},
    )


def loops(shape, pick):
    """The array whose element at `index` is pick(index): the mistakes are made here by hand."""
    made = np.empty(shape)
    for index in np.ndindex(*shape):
        made[index] = pick(*index)
    return made


def changed(g, where, value):
    made = g.copy()
    made[where] = value
    return made


# name of the mistake, shape, what it makes of the right gradient g (context k), words of the sentence
MADE = [
    ("zero", MAPS, lambda g, k: 0 * g, "zero everywhere"),
    ("sign", MAPS, lambda g, k: -g, "the right gradient with the opposite sign"),
    ("double", MAPS, lambda g, k: g + g, "twice the right gradient"),
    ("half", MAPS, lambda g, k: g / 2, "half the right gradient"),
    ("mean for sum", MAPS, lambda g, k: g / 7, "divided by the batch of 7, a mean for a sum"),
    ("sum for mean", MAPS, lambda g, k: g * 7, "multiplied by the batch of 7, a sum for a mean"),
    ("divided by square", MAPS, lambda g, k: g / 169, "divided by 169, which is n²"),
    ("times square", MAPS, lambda g, k: g * 169, "multiplied by 169, which is n²"),
    ("divided by size", MAPS, lambda g, k: g / 13, "divided by 13, n"),
    ("divided by size", MAPS, lambda g, k: g / 5, "divided by 5, the length of axis 2 of the gradient"),
    ("divided by size", MAPS, lambda g, k: g / 30,
     "divided by 30, the sides of axes 2 and 3 of the gradient"),
    ("times size", MAPS, lambda g, k: g * 21, "multiplied by 21, the sides of axes 0 and 1 of the output"),
    ("times size", LINE, lambda g, k: g * 30, "multiplied by 30, the length of axis 0 of the gradient"),
    ("transposed", SQUARE, lambda g, k: loops(SQUARE, lambda i, j: g[j, i]),
     "transposed in its last two axes"),
    ("rot180", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: g[n, j, 4 - a, 5 - b]),
     "the right gradient turned by 180 degrees in its last two axes"),
    ("flipped", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: g[n, j, 4 - a, b]),
     "reversed along axis 2"),
    ("flipped", LINE, lambda g, k: g[::-1], "reversed along axis 0"),
    ("reversed", CUBE, lambda g, k: g[::-1, ::-1, ::-1], "reversed along all axes"),
    ("axes swapped", CUBE, lambda g, k: loops(CUBE, lambda i, j, a: g[j, i, a]), "with axes 0 and 1 swapped"),
    ("axes reversed", (2, 2, 3, 3, 2, 2), lambda g, k: g.T, "with its axes in reverse order"),
    ("memory order", MAPS, lambda g, k: g.ravel().reshape(MAPS, order="F"),
     "C's order of elements taken for"),
    ("memory order", MAPS, lambda g, k: g.ravel("F").reshape(MAPS), "C's order of elements taken for"),
    ("rot90", CUBE, lambda g, k: loops(CUBE, lambda n, a, b: g[n, b, 4 - a]), "turned by 90 degrees"),
    ("rot270", CUBE, lambda g, k: loops(CUBE, lambda n, a, b: g[n, 4 - b, a]), "turned by 270 degrees"),
    ("antitransposed", CUBE, lambda g, k: loops(CUBE, lambda n, a, b: g[n, 4 - b, 4 - a]),
     "transposed and turned by"),
    ("rolled on", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: g[n, j, a, b - 1]),
     "rolled by +1 along axis 3"),
    ("rolled back", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: g[n, (j + 1) % 4, a, b]),
     "rolled by -1 along axis 1"),
    ("shifted on", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: g[n, j, a - 1, b] if a else 0),
     "shifted by +1 along axis 2, zero coming in"),
    ("shifted back", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: g[n, j, a, b + 1] if b < 5 else 0),
     "shifted by -1 along axis 3, zero coming in"),
    ("missing factor", MAPS, lambda g, k: g / k.factors["f'"], "the right gradient without its factor f'"),
    ("missing factor", MAPS, lambda g, k: g / 0.37, "the right gradient without its factor beta"),
    ("extra factor", MAPS, lambda g, k: g * k.factors["f'"], "multiplied by f' once too often"),
    ("replaced factor", MAPS, lambda g, k: g / k.factors["f'"] * k.factors["f'(y)"],
     "the right gradient with f'(y) in place of f'"),
    ("extra mask", MAPS, lambda g, k: np.where(k.input > 0, g, 0),
     "set to zero where the input is not positive"),
    ("cotangent", (7, 3), lambda g, k: k.cotangent, "the cotangent, passed through unchanged"),
    ("input", MAPS, lambda g, k: k.input, "the input itself"),
    ("ones", MAPS, lambda g, k: 0 * g + 1, "one everywhere"),
    ("other input", MAPS, lambda g, k: k.gradients["beta"], "the gradient of beta"),
    ("absolute", MAPS, lambda g, k: np.sqrt(g * g), "the absolute values of the right gradient"),
    ("signs alone", MAPS, lambda g, k: np.where(g > 0, 1.0, -1.0), "the signs of the right gradient alone"),
    ("positive part", MAPS, lambda g, k: np.where(g > 0, g, 0), "with its negative elements set to zero"),
    ("negative part", MAPS, lambda g, k: np.where(g < 0, g, 0), "with its positive elements set to zero"),
    ("squared", MAPS, lambda g, k: g * g, "the squares of the right gradient"),
    ("symmetrised", SQUARE, lambda g, k: (g + g.T) / 2, "the mean of the right gradient and its transpose"),
    ("plus transpose", SQUARE, lambda g, k: g + g.T, "the right gradient plus its transpose"),
    ("lower triangle", SQUARE, lambda g, k: loops(SQUARE, lambda i, j: g[i, j] * (i >= j)),
     "the lower triangle"),
    ("upper triangle", SQUARE, lambda g, k: loops(SQUARE, lambda i, j: g[i, j] * (i <= j)),
     "the upper triangle"),
    ("diagonal", SQUARE, lambda g, k: loops(SQUARE, lambda i, j: g[i, j] * (i == j)),
     "the diagonal of the right"),
    ("summed", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: sum(g[m, j, a, b] for m in range(3))),
     "summed along axis 0, and spread over it"),
    ("averaged", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: sum(g[n, m, a, b] for m in range(4)) / 4),
     "averaged along axis 1, and spread over it"),
    ("cumulated", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: sum(g[n, j, a, m] for m in range(b + 1))),
     "summed up along axis 3"),
    ("centred", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: g[n, j, a, b] - sum(g[n, j, :, b]) / 5),
     "less its mean along axis 2"),
    ("first only", MAPS, lambda g, k: loops(MAPS, lambda n, j, a, b: 0 if n else g[n, j, a, b]),
     "in the first entry along axis 0, zero beyond"),
    ("clipped", MAPS, lambda g, k: np.where(np.abs(g) > 0.5, 0.5 * np.sign(g), g), "clipped at 0.5"),
    ("one element", MAPS, lambda g, k: changed(g, (1, 2, 3, 4), 9.0), "but in the element [1, 2, 3, 4]"),
    ("one element", LINE, lambda g, k: changed(g, 3, 2 * g[3]),
     "but in the element [3], where it is 2 times the right one"),
    ("one line", MAPS, lambda g, k: changed(g, (1, 2, 3), 0), "row or column [1, 2, 3, :], where it is zero"),
    ("one line", SQUARE, lambda g, k: changed(g, (slice(None), 5), 7), "but in the row or column [:, 5]"),
    ("one map", MAPS, lambda g, k: changed(g, (1, 2), -g[1, 2]),
     "but in the map [1, 2, :, :], where it is -1 times the right one"),
    ("one slice", MAPS, lambda g, k: changed(g, 2, 0), "but in the slice [2, :, :, :], where it is zero"),
    ("border", MAPS, lambda g, k: np.pad(g[..., 1:-1, 1:-1], ((0, 0), (0, 0), (1, 1), (1, 1))),
     "but on the border of its last two axes, where it is zero"),
    ("border", MAPS, lambda g, k: changed(2 * g, (..., slice(1, -1), slice(1, -1)), g[..., 1:-1, 1:-1]),
     "but on the border of its last two axes, where it is 2 times the right one"),
    ("some zero", MAPS, lambda g, k: np.where(normal(MAPS, 8) > 0.5, 0, g), "elements set to zero"),
    ("some signs", MAPS, lambda g, k: np.where(normal(MAPS, 8) > 0.5, -g, g), "but for the signs of"),
    ("factor", MAPS, lambda g, k: 1.5 * g, "the right gradient times 1.5 (3/2)"),
    ("factor", MAPS, lambda g, k: np.pi * g, "the right gradient times 3.1416"),
    ("factor", MAPS, lambda g, k: (1 + 1e-4) * g, "the right gradient times 1.0001"),
    ("plus constant", MAPS, lambda g, k: g + 0.25, "the right gradient plus 0.25 in every element"),
    ("plus input", MAPS, lambda g, k: g + 0.01 * k.input, "the right gradient plus 0.01 times the input"),
    ("plus cotangent", (7, 3), lambda g, k: g - 0.5 * k.cotangent, "plus -0.5 times the cotangent"),
]  # fmt: skip


def made_right_centred(g, k):
    return g - g.mean(2, keepdims=True)


# the right gradient is made from a random one, and the claim is that one
LEFT_OUT = [
    (
        "missing mask",
        lambda g, k: np.where(k.input > 0, g, 0),
        "not set to zero where the input is not positive",
    ),
    ("not centred", made_right_centred, "before its mean along axis 2 is subtracted"),
]


def right_at(shape, seed):
    return normal(shape, 100 + seed)


@pytest.mark.parametrize(
    ("name", "shape", "make", "words"), MADE, ids=[f"{m[0]}: {m[3][-40:]}" for m in MADE]
)
def test_named_right(name, shape, make, words):
    for seed in range(10):
        right, context = right_at(shape, seed), context_for(shape, seed)
        measured = right + BOUND / 2 * np.random.default_rng(seed).uniform(-1, 1, shape)
        found = diagnose(make(right, context), measured, bound=BOUND, context=context)
        assert (found.name, words in found.sentence) == (name, True), found
        assert found.ties == ()


@pytest.mark.parametrize(("name", "make", "words"), LEFT_OUT)
def test_named_right_when_something_is_left_out(name, make, words):
    for seed in range(10):
        claimed, context = right_at(MAPS, seed), context_for(MAPS, seed)
        found = diagnose(claimed, make(claimed, context), bound=BOUND, context=context)
        assert (found.name, words in found.sentence) == (name, True), found


def test_every_row_of_the_table_is_tried_above():
    tried = {row[0] for row in (*MADE, *LEFT_OUT)}
    assert tried == {mistake.name for mistake in (*MISTAKES, *LOOSE)}
    assert len(tried) == len(MISTAKES) + len(LOOSE) >= 25


LOST = {"zero", "cotangent", "input", "ones", "other input"}
NOT_UNDONE = LOST | {
    "shifted on", "shifted back", "extra factor", "extra mask", "absolute", "signs alone",
    "positive part",
    "negative part", "squared", "symmetrised", "plus transpose", "lower triangle", "upper triangle",
    "diagonal", "summed", "averaged", "centred", "first only", "clipped", "one element", "one line",
    "one map", "one slice", "border", "some zero", "some signs",
}  # fmt: skip


def probe_of(right, seed):
    rng = np.random.default_rng(seed)
    return lambda v: (float(np.vdot(right, v)) + rng.uniform(-1, 1) * 1e-12, 2e-12)


@pytest.mark.parametrize(
    ("name", "shape", "make", "words"), MADE, ids=[f"{m[0]}: {m[3][-40:]}" for m in MADE]
)
def test_named_right_by_probes(name, shape, make, words):
    for seed in range(10):
        right, context = right_at(shape, seed), context_for(shape, seed)
        found = diagnose_by_probes(make(right, context), probe_of(right, seed), context=context, seed=seed)
        if name in NOT_UNDONE - LOST:
            assert found.name is None, found
            assert found.sentence == "no single known mistake that can be undone explains it"
        else:
            assert (found.name, words in found.sentence) == (name, True), found


def test_probes_that_are_paid_for_are_used():
    right = normal(MAPS)
    directions = [normal(MAPS, seed) for seed in (5, 6, 7)]
    known = [(v, float(np.vdot(right, v)), 1e-11) for v in directions]

    def probe(v):
        raise AssertionError("not wanted")

    assert diagnose_by_probes(-right, probe, count=0, known=known).name == "sign"


def test_undoing_a_division_multiplies_the_rounding_of_the_claim():
    right = normal(MAPS)
    claimed = right / 169 * (1 + 1e-12 * normal(MAPS, 1))
    exact = lambda v: (float(np.vdot(right, v)), 1e-12)  # noqa: E731
    found = diagnose_by_probes(claimed, exact, context=Context(sizes={"n": 13}))
    assert found.name == "divided by square"


def test_one_probe_cannot_tell_a_factor():
    right = normal(MAPS)
    assert diagnose_by_probes(1.7 * right, probe_of(right, 0), count=1).name is None
    assert diagnose_by_probes(1.7 * right, probe_of(right, 0), count=2).name == "factor"


@pytest.mark.parametrize("shape", [(), (1,), LINE, SQUARE, CUBE, MAPS])
def test_right_gradients_have_no_diagnosis(shape):
    for seed in range(50):
        right = right_at(shape, seed)
        claimed = right + BOUND * np.random.default_rng(seed).uniform(-1, 1, shape)
        assert diagnose(claimed, right, bound=BOUND, context=context_for(shape or (1,), seed)) is None
        assert diagnose_by_probes(right, probe_of(right, seed), seed=seed) is None


@pytest.mark.parametrize("bound", [1e-11, 1e-3, 0.1])
def test_garbage_is_hardly_ever_named(bound):
    shapes = [(1,), (2,), (3,), (1, 1), (2, 2), (3, 3), (2, 2, 3, 3), LINE, SQUARE, MAPS]
    draws = [(shape, seed) for shape in shapes for seed in range(60)]
    named = []
    for shape, seed in draws:
        found = diagnose(
            right_at(shape, seed), normal(shape, 999 + seed), bound=bound, context=context_for(shape, seed)
        )
        if found is not None and found.name is not None and found.name not in ("one element", "one line"):
            named.append(found)
    assert len(named) < len(draws) / 100, named


def test_garbage_is_hardly_ever_named_by_probes():
    named = []
    for seed in range(300):
        shape = [(3,), (3, 3), MAPS][seed % 3]
        right = normal(shape, 999 + seed)
        found = diagnose_by_probes(
            right_at(shape, seed), probe_of(right, seed), context=context_for(shape, seed)
        )
        named += [] if found.name is None else [found]
    assert len(named) < 3, named


# What cannot be told


def test_of_one_element_only_named_constants_are_told():
    right = np.array([0.7])
    assert diagnose(-right, right, bound=1e-12).name == "sign"
    assert diagnose(2 * right, right, bound=1e-12).name == "double"
    assert diagnose(0 * right, right, bound=1e-12).name == "zero"
    found = diagnose(1.5 * right, right, bound=1e-12)
    assert (found.name, found.sentence) == (
        None,
        "no single known mistake explains it; wrong in its one element",
    )


def test_a_tie_is_mentioned():
    row = np.array([1.0, 2.0, 5.0, -3.0, 0.3]) - 0.2
    symmetric = np.outer(row, row)
    found = diagnose(symmetric[::-1, ::-1], symmetric, bound=1e-12)
    assert found.name == "rot180"
    assert "the right gradient transposed and turned by 180 degrees in its last two axes" in found.ties
    assert str(found).startswith(
        "the right gradient turned by 180 degrees in its last two axes; or the right"
    )


def test_a_coarse_measurement_names_nothing():
    right = np.array([1.0, 2.0])
    assert diagnose(-right, right, bound=0.5).name is None
    assert diagnose(-right, right, bound=10.0 ** -(DIGITS / 2 + 1)).name == "sign"


def test_a_zero_gradient_leaves_one_thing_to_say():
    found = diagnose(normal(MAPS), np.zeros(MAPS), bound=BOUND)
    assert found.sentence == "not zero, where the right gradient is zero everywhere"


def test_nan_is_wrong_and_named_nothing():
    claimed = changed(normal(MAPS), (0, 1, 2, 3), np.nan)
    found = diagnose(claimed, normal(MAPS), bound=BOUND)
    assert (
        found.sentence
        == "no single known mistake explains it; wrong in 1 of 360 elements, all in [0, 1, 2, 3]"
    )


def test_an_element_that_was_not_measured_names_nothing():
    right = changed(normal(MAPS), (0, 1, 2, 3), np.nan)
    bound = changed(np.full(MAPS, BOUND), (0, 1, 2, 3), 1e-6 * BOUND)  # that would tell a factor best
    found = diagnose(2 * normal(MAPS), right, bound=bound)
    assert found.sentence.startswith("no single known mistake explains it")


def test_a_basis_that_no_probe_tells_names_nothing():
    known = [(np.zeros(MAPS), 0.0, 1e-9), (np.zeros(MAPS), 1.0, 1e-9)]
    found = diagnose_by_probes(normal(MAPS), None, context=Context(), count=0, known=known)
    assert found is None or found.name is None


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (slice(None), "wrong in all of its 360 elements"),
        ((slice(0, 2), slice(0, 2), slice(1, 4), slice(1, 5)), "wrong in 48 of 360 elements, scattered"),
    ],
)
def test_where_it_is_wrong_is_said_when_no_mistake_explains_it(where, words):
    right = normal(MAPS)
    found = diagnose(changed(right, where, normal(MAPS, 5)[where]), right, bound=BOUND)
    assert (found.name, found.sentence) == (None, f"no single known mistake explains it; {words}")


def test_bounds_that_differ_from_element_to_element_move_with_their_elements():
    scale = 10.0 ** np.random.default_rng(0).integers(-8, 8, SQUARE)
    right = normal(SQUARE) * scale
    noisy = right * (1 + 1e-9 * normal(SQUARE, 1))
    found = diagnose(
        noisy[::-1, ::-1], right, bound=1e-8 * np.maximum(np.abs(right), np.abs(right[::-1, ::-1]))
    )
    assert found.name == "rot180"
