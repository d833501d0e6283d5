"""The strategies for anybody's tests: their consequences hold, they reach what they promise, and they shrink."""

from __future__ import annotations

from collections import Counter

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import NoSuchExample

from gradcheck import GradientMismatch, assert_vjp
from gradcheck.strategies import (
    COTANGENTS,
    LAYOUTS,
    VALUES,
    ConvolutionShape,
    DenseShape,
    PoolingShape,
    arrays,
    away_from,
    convolution_shapes,
    cotangents,
    dense_shapes,
    layouts,
    pooling_shapes,
    untied,
)

QUIET = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
EVERYTHING = convolution_shapes(strides=(1, 2, 3), dilations=(1, 2), padded=True)
FLOATS = [np.float64, np.float32, np.float16]


def drawn(strategy, count=100):
    """So many examples, the same at each run."""
    found = []

    @hypothesis.seed(1)
    @settings(QUIET, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def keep(example):
        found.append(example)

    keep()
    return found


def least(strategy, condition=lambda example: True):
    return hypothesis.find(strategy, condition, settings=settings(QUIET, max_examples=300))


def places(side, kernel, stride, padding, dilation):
    """First row of every position of a kernel that lies inside the padded map, by trying each row."""
    whole, reach = side + 2 * padding, dilation * (kernel - 1)
    return [r for r in range(whole) if r % stride == 0 and r + reach < whole]


def along(shape, axis):
    return (
        shape.side[axis],
        shape.kernel[axis],
        shape.stride[axis],
        shape.padding[axis],
        shape.dilation[axis],
    )


def test_the_output_of_a_convolution_has_the_size_that_follows():
    for shape in drawn(EVERYTHING, 200):
        assert min(shape.side) >= 1
        for axis in (0, 1):
            steps = places(*along(shape, axis))
            assert shape.output_side[axis] == len(steps) >= 1
            end = steps[-1] + shape.dilation[axis] * (shape.kernel[axis] - 1)
            assert shape.unread[axis] == shape.side[axis] + 2 * shape.padding[axis] - 1 - end


def test_the_arrays_of_a_convolution_are_made_of_its_sizes():
    shape = ConvolutionShape(2, 3, 4, side=(7, 6), kernel=(3, 2), padding=(1, 0))
    assert (shape.maps, shape.kernels, shape.kernels_out_first) == ((2, 3, 7, 6), (3, 4, 3, 2), (4, 3, 3, 2))
    assert (shape.biases, shape.output) == ((4,), (2, 4, 7, 5))


def regimes(shape):
    yield from {
        "one pattern": shape.patterns == 1,
        "several patterns": shape.patterns > 1,
        "one map in": shape.in_maps == 1,
        "one map out": shape.out_maps == 1,
        "several maps": shape.in_maps > 1 and shape.out_maps > 1,
        "different numbers of maps": shape.in_maps != shape.out_maps,
        "kernel of 1×1": shape.kernel == (1, 1),
        "kernel as large as the map": shape.kernel == shape.side,
        "kernel that is not square": shape.kernel[0] != shape.kernel[1],
        "map that is not square": shape.side[0] != shape.side[1],
        "square map": shape.side[0] == shape.side[1],
        "rows that are not read": max(shape.unread) > 0,
        "different strides": shape.stride[0] != shape.stride[1],
        "padding": max(shape.padding) > 0,
        "padding on one axis": 0 in shape.padding and max(shape.padding) > 0,
        "dilation": max(shape.dilation) > 1 and max(shape.kernel) > 1,
    }.items()


def test_convolutions_reach_what_hides_mistakes():
    reached = Counter(name for shape in drawn(EVERYTHING, 300) for name, holds in regimes(shape) if holds)
    assert set(reached) == {name for name, _ in regimes(ConvolutionShape(1, 1, 1, (1, 1), (1, 1)))}
    assert min(reached.values()) >= 10, reached


def test_convolutions_are_plain_where_nothing_else_is_asked():
    for shape in drawn(convolution_shapes()):
        assert (shape.stride, shape.padding, shape.dilation, shape.unread) == ((1, 1), (0, 0), (1, 1), (0, 0))


def test_convolutions_shrink_to_small_ones():
    assert least(EVERYTHING) == ConvolutionShape(1, 1, 1, (1, 1), (1, 1))
    found = least(EVERYTHING, lambda shape: shape.kernel[0] > shape.kernel[1] and shape.out_maps > 1)
    assert found == ConvolutionShape(1, 1, 2, (2, 1), (2, 1))
    assert least(EVERYTHING, lambda shape: shape.unread[1] > 0).side == (1, 2)


def test_windows_divide_the_maps_and_reach_what_hides_mistakes():
    found = drawn(pooling_shapes(), 200)
    for shape in found:
        assert np.zeros(shape.maps).reshape(shape.windows).max(axis=(3, 5)).shape == shape.output
    reached = Counter()
    for shape in found:
        reached.update(
            {
                "window of 1×1": shape.window == (1, 1),
                "window as large as the map": shape.output_side == (1, 1),
                "window that is not square": shape.window[0] != shape.window[1],
                "map that is not square": shape.side[0] != shape.side[1],
                "one map": shape.maps_count == 1,
                "one pattern": shape.patterns == 1,
            }
        )
    assert len(reached) == 6
    assert min(reached.values()) >= 10, reached
    assert least(pooling_shapes()) == PoolingShape(1, 1, (1, 1), (1, 1))


def test_square_windows_are_square():
    assert {shape.window for shape in drawn(pooling_shapes(square=True))} == {(n, n) for n in (1, 2, 3, 4)}


def test_dense_layers_reach_what_hides_mistakes():
    found = drawn(dense_shapes(), 200)
    assert any(s.inputs == s.units for s in found)
    assert any(s.inputs < s.units for s in found)
    assert any(s.inputs > s.units > 1 for s in found)
    for name in ("patterns_count", "inputs", "units"):
        assert {1, 2, 3, 4} <= {getattr(shape, name) for shape in found}
    assert least(dense_shapes()) == DenseShape(1, 1, 1)


@pytest.mark.parametrize("strategy", [convolution_shapes, pooling_shapes, dense_shapes])
def test_sizes_out_of_range_are_refused(strategy):
    with pytest.raises(ValueError, match="the range of sizes is wrong"):
        drawn(strategy(patterns=0), 1)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_arrays_have_their_shape_dtype_and_kind(kind, dtype):
    found = drawn(arrays((4, 5), dtype=dtype, kind=kind), 20)
    assert {(x.shape, x.dtype) for x in found} == {((4, 5), np.dtype(dtype))}
    assert len({x.tobytes() for x in found}) > 10
    together = np.concatenate([x.ravel() for x in found]).astype(float)
    assert {
        "gaussian": np.unique(together).size > together.size / 2,
        "integers": (together == together.round()).all(),
        "bounded": (np.abs(together) >= 0.5).all() and (np.abs(together) <= 1.5).all(),
        "zeros": 0.2 < np.mean(together == 0) < 0.5,
        "ties": (2 * together == (2 * together).round()).all() and np.unique(together).size < 20,
        "large": np.abs(together).max() > 40,
    }[kind]


@pytest.mark.parametrize(("dtype", "most"), [(np.float64, 1024), (np.float32, 4), (np.float16, 1)])
def test_sums_of_products_of_integers_are_exact(dtype, most):
    found = np.concatenate(drawn(arrays((4000,), dtype=dtype, kind="integers"), 20))
    assert np.abs(found).max() == most
    # the worst that four factors of 8192 terms can do still lies on the grid of whole numbers
    if dtype != np.float16:
        assert 8192 * most**4 <= 2 ** (np.finfo(dtype).nmant + 1)


def test_a_gaussian_array_is_rich_in_values_and_scaled():
    (x,) = drawn(arrays((4, 4, 4), scale=100.0), 1)[:1]
    assert np.unique(x).size == 64
    assert 50 < x.std() < 200


def test_shapes_may_be_drawn_as_well():
    shapes = convolution_shapes()
    found = drawn(arrays(shapes.map(lambda shape: shape.maps)), 50)
    assert len({x.shape for x in found}) > 20
    assert least(arrays(shapes.map(lambda shape: shape.maps))).shape == (1, 1, 1, 1)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("kinks", "pieces"), [((0.0,), 2), ((0.0, 6.0), 3), ((-1.0, -0.95, 3.3), 3)])
def test_values_keep_away_from_kinks_and_lie_on_all_sides(dtype, kinks, pieces):
    found = np.concatenate(drawn(away_from((40,), kinks, margin=0.1, dtype=dtype), 20))
    assert found.dtype == dtype
    distances = np.abs(found.astype(float)[:, None] - np.array(kinks))
    assert distances.min() >= 0.1
    counts = Counter(np.searchsorted(kinks, found).tolist())
    assert len(counts) == pieces
    assert min(counts.values()) > found.size / 6
    assert np.unique(found).size > found.size / 2


def test_rounding_brings_no_value_too_near():
    edge = least(away_from((1,), (1 / 3,), dtype=np.float16, scale=0.0), lambda x: x[0] > 1 / 3)
    assert float(edge[0]) - 1 / 3 >= 1 / 16


@pytest.mark.parametrize(
    ("axis", "dtype"), [(None, np.float64), (1, np.float32), (-1, np.float16), ((0, 2), np.float64)]
)
def test_no_two_values_are_tied(axis, dtype):
    axes = {None: (0, 1, 2), 1: (1,), -1: (2,)}.get(axis, axis)
    first = Counter()
    for x in drawn(untied((3, 4, 5), axis=axis, margin=0.5, dtype=dtype), 30):
        assert (x.shape, x.dtype) == ((3, 4, 5), dtype)
        rows = np.moveaxis(x.astype(float), axes, range(-len(axes), 0))
        rows = rows.reshape(*rows.shape[: 3 - len(axes)], -1)
        assert np.diff(np.sort(rows, axis=-1), axis=-1).min() >= 0.5
        first.update(np.argmax(rows, axis=-1).ravel().tolist())
    assert len(first) > rows.shape[-1] / 3  # the largest is anywhere


def test_windows_without_ties_have_one_maximum_that_a_derivative_sees():
    shape = PoolingShape(1, 2, (2, 3), (2, 1))

    def pooled(x):
        return x.max(axis=(3, 5))

    def vjp(c, x):
        return (c[:, :, :, None, :, None] * (x == x.max(axis=(3, 5), keepdims=True)),)

    for x in drawn(untied(shape.windows, axis=(3, 5)), 5):
        assert_vjp(pooled, vjp, (x,))


def test_too_many_values_for_a_dtype_are_refused():
    with pytest.raises(ValueError, match="no room for so many") as caught:
        drawn(untied((300,), dtype=np.float16), 1)
    assert str(caught.value).splitlines()[1] == "  elements compared = 300, wanted at most 256"
    assert drawn(untied((256,), dtype=np.float16), 1)


KINDS = {
    "gaussian": lambda c: np.unique(c).size == c.size and c.flags.c_contiguous,
    "one-hot": lambda c: sorted(c.ravel()) == [0] * (c.size - 1) + [1],
    "zero": lambda c: not c.any(),
    "sparse": lambda c: np.count_nonzero(c) == 4,
    "strided": lambda c: c.strides[-1] == 2 * c.itemsize and np.unique(c).size == c.size,
    "read-only": lambda c: not c.flags.writeable and c.flags.c_contiguous,
    "stride zero": lambda c: set(c.strides) == {0} and np.unique(c).size == 1,
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", COTANGENTS)
def test_each_kind_of_cotangent_is_what_it_is_called(kind, dtype):
    for c in drawn(cotangents((4, 6), dtype=dtype, kinds=[kind]), 10):
        assert (c.shape, c.dtype) == ((4, 6), dtype)
        assert KINDS[kind](c.astype(dtype, copy=False))


def test_all_kinds_of_cotangents_come_up_and_shrink_to_a_plain_one():
    found = drawn(cotangents((4, 6)), 200)
    assert all(sum(holds(c) for c in found) >= 10 for holds in KINDS.values())
    assert KINDS["gaussian"](least(cotangents((4, 6))))


@pytest.mark.parametrize("kind", COTANGENTS)
def test_cotangents_of_numbers_are_numbers(kind):
    assert {c.shape for c in drawn(cotangents((), kinds=[kind]), 3)} == {()}


LAID = {
    "C": lambda x: x.flags.c_contiguous and x.flags.writeable,
    "Fortran": lambda x: x.flags.f_contiguous,
    "reversed": lambda x: max(x.strides) < 0,
    "strided": lambda x: x.strides[-1] == 2 * x.itemsize,
    "read-only": lambda x: not x.flags.writeable,
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_layout_changes_memory_and_no_value(kind):
    plain = drawn(arrays((3, 2)), 5)
    laid = drawn(layouts(arrays((3, 2)), kinds=[kind]), 5)
    assert all(LAID[kind](x) for x in laid)
    assert all((LAYOUTS[kind](x) == x).all() for x in plain)
    assert LAYOUTS[kind](np.array(2.0)).shape == ()


def test_all_layouts_come_up():
    found = drawn(layouts(arrays((3, 2))), 100)
    assert all(sum(holds(x) for x in found) >= 10 for holds in LAID.values())


@pytest.mark.parametrize(
    ("wrong", "lines"),
    [
        (
            lambda: arrays((2,), kind="wild"),
            ["arrays: there is no such kind", "  kind = 'wild', wanted one of gaussian,"],
        ),
        (
            lambda: arrays((2,), dtype=int),
            ["arrays: the dtype is not floating", "  dtype = int64, wanted float16,"],
        ),
        (
            lambda: away_from((2,), ()),
            ["away_from: there is nothing to keep", "  kinks = (), margin = 0.0625"],
        ),
        (
            lambda: away_from((2,), (0,), margin=0),
            ["away_from: there is nothing", "  kinks = (0,), margin = 0"],
        ),
        (
            lambda: untied((2,), margin=-1),
            ["untied: the margin is not positive", "  margin = -1, wanted a number"],
        ),
        (lambda: cotangents((2,), kinds=["loud"]), ["cotangents: there is no such kind", "  kind = 'loud'"]),
        (
            lambda: layouts(arrays((2,)), kinds=["D"]),
            ["layouts: there is no such kind", "  kind = 'D', wanted one of C"],
        ),
    ],
)
def test_a_wrong_call_is_refused(wrong, lines):
    with pytest.raises(ValueError, match=r"^\w+: ") as caught:
        wrong()
    for said, line in zip(str(caught.value).splitlines(), lines, strict=False):
        assert said.startswith(line)


def test_a_failure_is_replayed_from_the_database(tmp_path):
    tried = []

    def claim(x):
        tried.append(x)
        assert_vjp(np.sin, lambda c, x: c * np.cos(x) * (1 + (x.size > 2)), (x,))

    def run(*phases):
        kept = DirectoryBasedExampleDatabase(tmp_path)
        test = given(arrays(dense_shapes().map(lambda shape: shape.patterns)))(claim)
        settings(QUIET, database=kept, phases=phases, max_examples=60)(test)()

    with pytest.raises(GradientMismatch):
        run(Phase.generate, Phase.shrink)
    smallest = tried[-1]
    assert smallest.shape in [(1, 3), (3, 1)]
    assert list(tmp_path.rglob("*"))
    tried.clear()
    with pytest.raises(GradientMismatch):
        run(Phase.reuse)
    np.testing.assert_array_equal(tried[0], smallest)


def test_a_search_that_finds_nothing_says_so():
    with pytest.raises(NoSuchExample):
        least(dense_shapes(), lambda shape: shape.units > 99)
