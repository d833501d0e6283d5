"""Wrong elements are found, in as few probes as is promised, and nothing right is called wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradcheck.locate import LOOKS, Element, enough, locate, measure_all


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


class Stub:
    """A linear function with gradient `right`, each answer off by up to `noise` and so bounded."""

    def __init__(self, right, noise=0.0, quantum=0.0):
        self.right, self.noise, self.quantum = right, noise, quantum
        self.rng = np.random.default_rng(1)
        self.asked = []

    def __call__(self, direction):
        self.asked.append(direction.shape)
        taken = np.rint(direction / self.quantum) * self.quantum if self.quantum else direction
        value = float(np.sum(self.right * taken))
        off = self.noise * self.rng.uniform(-1, 1)
        # what the sum itself rounds, for terms of both signs
        own = 1e-15 * float(np.abs(self.right * taken).sum()) if self.noise == 0 else 0.0
        return taken, value + off, self.noise + own


def located(claimed, stub, *, seed=0, **options):
    direction = np.random.default_rng(seed).standard_normal(claimed.shape)
    taken, value, bound = stub(direction)
    if isinstance(stub, Stub):
        stub.asked.clear()
    own = 1e-14 * float(np.abs(claimed * taken).sum())
    return locate(claimed, stub, taken, (value, bound + own), **options)


def wrong_at(right, places, by=1.0):
    claimed = right.copy()
    claimed.flat[places] += by * (1 + np.arange(len(places)) / len(places))
    return claimed


def at(shape, places):
    return {tuple(int(k) for k in np.unravel_index(p, shape)) for p in places}


# Few among many

MANY = [((100_000,), 1), ((100_000,), 3), ((20, 50, 100), 2), ((1000, 1000), 1), ((1000, 1000), 3)]


@pytest.mark.parametrize(("shape", "count"), MANY)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_few_among_many_are_found(shape, count, seed):
    right = normal(*shape)
    places = np.random.default_rng(seed).choice(right.size, count, replace=False)
    stub = Stub(right)
    found = located(wrong_at(right, places), stub, seed=seed, budget=1000)
    assert {e.index for e in found.elements} == at(shape, places)
    assert not found.spread
    assert found.probes == len(stub.asked) <= count * (math.log2(right.size) + 2) + 3


class Sparse:
    """The same for large arrays: only what moves is summed, so that a test can afford many probes."""

    def __init__(self, right):
        self.right, self.probes = right.ravel(), 0

    def __call__(self, direction):
        self.probes += 1
        moving = np.flatnonzero(direction)
        terms = self.right[moving] * direction.ravel()[moving]
        return direction, float(terms.sum()), 1e-12 * float(np.linalg.norm(terms)) + 1e-13


HOW = {
    "twice": lambda g: 2 * g,
    "zeroed": lambda g: 0 * g,
    "a thousandth of a typical element more": lambda g: g + 1e-3,
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("count", [10, 30])
@pytest.mark.parametrize("size", [100, 10_000])
def test_more_are_found_all_of_them(size, count, how):
    found_all_in_the_promised_probes(size, count, how, seed=count)


def test_thirty_of_a_million_are_found():
    found_all_in_the_promised_probes(1_000_000, 30, "twice", seed=0)


def found_all_in_the_promised_probes(size, count, how, seed):
    """k log2(n) of them, and a few to see that the error is not everywhere."""
    right = normal(size)
    places = np.random.default_rng(seed).choice(size, count, replace=False)
    claimed = right.copy()
    claimed[places] = HOW[how](right[places])
    stub = Sparse(right)
    found = located(claimed, stub, budget=5000)
    assert {e.index for e in found.elements} == {(int(p),) for p in places}
    assert (found.spread, found.everywhere, found.faint) == (False, False, 0)
    assert found.probes == stub.probes - 1 <= count * (math.log2(size) + 1) + LOOKS


def test_what_is_too_small_to_be_told_from_noise_is_said():
    """A block that differs, in whose halves nothing does: here because the halves are measured worse."""
    right = np.ones(64)

    def probe(direction):
        return direction, float(np.sum(right * direction)), 10.0 * (np.count_nonzero(direction) < 64)

    found = locate(right + 0.1, probe, np.ones(64), (64.0, 1e-9))
    assert (found.elements, found.faint, found.spread) == ((), 1, False)


def test_the_budget_that_ends_leaves_what_was_found():
    right = normal(10_000)
    places = np.random.default_rng(1).choice(10_000, 10, replace=False)
    claimed = right.copy()
    claimed[places] *= 2
    found = located(claimed, Sparse(right), budget=60)
    assert 0 < len(found.elements) < 10
    assert {e.index[0] for e in found.elements} <= set(places.tolist())
    assert found.spread
    assert not found.everywhere


@pytest.mark.parametrize("place", [0, 1, 511, 512, 998, 999])
def test_any_place_is_reached(place):
    right = normal(1000)
    found = located(wrong_at(right, [place]), Stub(right))
    assert [e.index for e in found.elements] == [(place,)]
    assert found.probes <= enough(1000)


def test_what_is_told_of_an_element():
    right = np.arange(1.0, 9.0).reshape(2, 4)
    claimed = right.copy()
    claimed[1, 2] = -3.0
    found = located(claimed, Stub(right, noise=1e-9))
    assert found.elements == (
        Element((1, 2), -3.0, pytest.approx(7.0, abs=1e-9), pytest.approx(1e-9, rel=1e-6)),
    )


def test_the_worst_comes_first():
    right = normal(10_000)
    found = located(wrong_at(right, [17, 5000, 9999], by=-2.0), Stub(right), budget=200)
    assert [e.index for e in found.elements] == [(9999,), (5000,), (17,)]


def test_steps_that_are_not_quite_the_direction_do_no_harm():
    """As in float32: each element moves by whole quanta, here some hundredth of it."""
    right = normal(10_000)
    stub = Stub(right, noise=1e-9, quantum=0.02)
    found = located(wrong_at(right, [17, 5000]), stub, budget=200)
    assert {e.index for e in found.elements} == {(17,), (5000,)}


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_elements_are_measured_by_steps_of_the_size_given(size):
    right = normal(100)
    moved = []

    def probe(direction):
        moved.append(float(np.abs(direction).max()))
        return direction, float(np.sum(right * direction)), 1e-12 * size

    v = size * normal(100, seed=1)
    claimed = wrong_at(right, [3])
    found = locate(claimed, probe, v, (float(np.sum(right * v)), 1e-12 * size), size=size)
    assert [e.index for e in found.elements] == [(3,)]
    assert moved[-1] == size


# Many, none, and not enough


@pytest.mark.parametrize("shape", [(100_000,), (64, 64)])
@pytest.mark.parametrize(
    "change", [lambda g: -g, lambda g: 1.5 * g, lambda g: g[::-1].copy(), lambda g: g + 1.0]
)
def test_errors_everywhere_stop_it_early(shape, change):
    right = normal(*shape)
    found = located(change(right), Stub(right), budget=1000)
    assert found.spread
    assert found.everywhere
    assert found.probes <= 12
    assert found.elements == ()


def test_a_wrong_row_is_listed_or_said_to_be_more():
    right = normal(500, 20)
    claimed = right.copy()
    claimed[-1] = 0
    found = located(claimed, Stub(right), budget=500)
    assert {e.index[0] for e in found.elements} <= {499}
    assert found.spread or len(found.elements) == 20


def test_nothing_wrong_costs_nothing():
    right = normal(1000)
    stub = Stub(right, noise=1e-6)
    assert located(right, stub) == locate(right, stub, right, (float(right @ right), 1.0))
    assert located(right, stub).elements == ()
    assert located(right, stub).probes == 0
    assert not located(right, stub).spread


def test_nothing_below_the_bound_is_called_wrong():
    right = normal(1000)
    for seed in range(20):
        claimed = right + 1e-8 * normal(1000, seed=seed)
        found = located(claimed, Stub(right, noise=1e-6), seed=seed)
        assert found.elements == ()


@pytest.mark.parametrize("budget", [0, 1, 5, 17])
def test_the_budget_is_kept(budget):
    right = normal(100_000)
    stub = Stub(right)
    found = located(wrong_at(right, [7, 70_000]), stub, budget=budget)
    assert found.probes == len(stub.asked) <= budget
    assert found.spread  # what was not looked for


def test_one_element_is_all_there_is():
    found = located(np.array([2.0]), Stub(np.array([1.0])))
    assert [(e.index, e.claimed, e.value) for e in found.elements] == [((0,), 2.0, pytest.approx(1.0))]


def test_an_element_is_called_wrong_only_by_its_own_measurement():
    """Not by what is left of a block, whose number was taken along another step."""

    def coarse(direction):
        return direction, float(direction.sum()), 5.0

    assert locate(np.array([2.0]), coarse, np.ones(1), (1.0, 0.1)).elements == ()


# All of them


@pytest.mark.parametrize("shape", [(), (1,), (3, 4)])
def test_all_elements_measured(shape):
    right = normal(*shape) if shape else np.asarray(0.7)
    values, bounds = measure_all(0 * right, Stub(right, noise=1e-9), size=0.5)
    assert values.shape == bounds.shape == shape
    assert (np.abs(values - right) <= bounds).all()
    np.testing.assert_allclose(bounds, 2e-9)  # for a step of a half


def test_an_element_that_cannot_be_moved_is_not_known():
    def probe(direction):
        return 0 * direction, 0.0, 1.0

    values, bounds = measure_all(np.ones(2), probe)
    assert np.isnan(values).all()
    assert np.isinf(bounds).all()
    found = locate(np.ones(1), probe, np.ones(1), (5.0, 1.0))
    assert found.elements == ()
