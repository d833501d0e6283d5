"""The kernels: every form equals the naive loops to the bit on integers, and other libraries beside."""

from __future__ import annotations

import tracemalloc
from typing import NamedTuple

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d
from scipy.special import expit

from reference._validate import are_blocks
from reference.kernels import (
    FAST,
    NAIVE,
    NOTES,
    Form,
    _shifted,
    convolve,
    downsample,
    sigmoid,
    upsample,
)
from tests.test_reference_numerics import draw, gap, integers

EXACT = settings(deadline=None, max_examples=150)
SIZES = st.integers(1, 4)


class Maps(NamedTuple):
    """Shapes of a convolution that fit together."""

    batch: int
    in_maps: int
    out_maps: int
    kernel: tuple[int, int]
    output: tuple[int, int]
    seed: int
    tabled: bool
    dtype: str

    @property
    def arrays(self):
        side = [k + o - 1 for k, o in zip(self.kernel, self.output, strict=True)]
        x = (self.batch, self.in_maps, *side)
        k, d = (self.in_maps, self.out_maps, *self.kernel), (self.batch, self.out_maps, *self.output)
        return integers(x, k, d, seed=self.seed, dtype=self.dtype)

    @property
    def table(self):
        rng = np.random.default_rng(self.seed)
        return rng.random((self.in_maps, self.out_maps)) < 0.5 if self.tabled else None


MAPS = st.builds(
    Maps,
    *[SIZES] * 3,
    *[st.tuples(SIZES, SIZES)] * 2,
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.sampled_from(["float32", "float64"]),
)


def same(actual, wanted):
    assert actual.dtype == wanted.dtype
    assert np.array_equal(actual, wanted)


@EXACT
@given(MAPS)
def test_every_form_of_convolution_is_the_naive_one(maps):
    (x, k, d), table = maps.arrays, maps.table
    for form in (convolve.valid_notes, convolve.valid_fast):
        same(form(x, k, table), convolve.valid_naive(x, k, table))
    for form in (convolve.full_notes, convolve.full_fast):
        same(form(d, k, table), convolve.full_naive(d, k, table))
    for form in (convolve.kernel_gradient_notes, convolve.kernel_gradient_fast):
        same(form(x, d, table), convolve.kernel_gradient_naive(x, d, table))


@EXACT
@given(MAPS)
def test_a_large_map_s_input_gradient_is_the_naive_one(maps):
    (_, k, d), table = maps.arrays, maps.table
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_shifted, "SHARES", 0)  # no map is small
        same(convolve.full_fast(d, k, table), convolve.full_naive(d, k, table))


@EXACT
@given(MAPS)
def test_both_gradients_are_those_that_are_asked_for_one_by_one(maps):
    x, k, d = maps.arrays
    one_by_one = convolve.full_fast(d, convolve.rot180(k)), convolve.kernel_gradient_fast(x, d)
    for found, wanted in zip(convolve.valid_gradients_fast(d, x, k), one_by_one, strict=True):
        same(found, wanted)


@pytest.mark.parametrize("wild", [np.nan, np.inf])
def test_a_kernel_that_is_not_finite_meets_no_zeros_in_either_gradient(wild):
    x, k, d = integers((1, 2, 6, 5), (2, 3, 3, 2), (1, 3, 4, 4))
    k[0, 0, 1, 0] = wild
    with np.errstate(invalid="ignore"):
        dx, _ = FAST.convolve_valid.vjp(d, x, k)
        wanted, _ = NAIVE.convolve_valid.vjp(d, x, k)
    np.testing.assert_array_equal(dx, wanted)


@pytest.mark.filterwarnings("error")
def test_a_kernel_whose_squares_overflow_is_finite_all_the_same(monkeypatch):
    x, k, d = integers((1, 2, 6, 5), (2, 3, 3, 2), (1, 3, 4, 4))
    k[0, 0, 1, 0] = 1e200
    monkeypatch.setattr(convolve, "_full_scattered", None)
    dx, _ = FAST.convolve_valid.vjp(d, x, k)
    wanted, _ = NAIVE.convolve_valid.vjp(d, x, k)
    # 18 products a sum, half a unit in the last place each
    np.testing.assert_allclose(dx, wanted, rtol=18 * 2**-53)


@EXACT
@given(MAPS)
def test_fft_is_the_naive_one_but_for_rounding(maps):
    (x, k, d), table = maps.arrays, maps.table
    pairs = [
        (convolve.valid_fft, convolve.valid_naive, x, k, (1, 2, 3), k),
        (convolve.full_fft, convolve.full_naive, d, k, (1, 2, 3), k),
        (convolve.kernel_gradient_fft, convolve.kernel_gradient_naive, x, d, (0, 2, 3), d),
    ]
    for fft, naive, a, b, summed, other in pairs:
        given = (a, b, table)
        actual, wanted = fft(*given), naive(*given)
        assert actual.dtype == wanted.dtype
        # each transform loses a few units of round-off of the largest sum possible, not of the sum that came
        size = np.abs(a).sum(axis=summed).max() * np.abs(other).max()
        assert np.max(np.abs(actual - wanted)) <= 16 * np.finfo(x.dtype).eps * size


def test_fft_takes_complex_maps():
    x, k = integers((2, 3, 5, 4), (3, 2, 2, 3))
    assert gap(convolve.valid_fft(1j * x, k), 1j * convolve.valid_naive(x, k)) < 1e-14


@EXACT
@given(MAPS, st.integers(1, 4))
def test_every_form_of_sampling_is_the_naive_one(maps, n):
    x = maps.arrays[0]
    up = upsample.naive(x, n)
    for form in (upsample.notes, upsample.fast):
        same(form(x, n), up)
    for form in (downsample.notes, downsample.fast):
        same(form(up + 1, n), downsample.naive(up + 1, n))
    same(downsample.naive(up, n), n * n * x)


def test_naive_convolution_is_scipys():
    x, k, d = integers((1, 1, 7, 6), (1, 1, 3, 2), (1, 1, 5, 5))
    same(convolve.valid_naive(x, k)[0, 0], convolve2d(x[0, 0], k[0, 0], "valid"))
    same(convolve.full_naive(d, k)[0, 0], convolve2d(d[0, 0], k[0, 0], "full"))


@pytest.mark.parametrize("limit", [1, 40, 300])
def test_large_maps_and_batches_are_taken_in_pieces(monkeypatch, limit):
    x, k, d = integers((5, 2, 9, 8), (2, 3, 4, 3), (5, 3, 6, 6))
    whole = FAST.convolve_valid.forward(x, k), *FAST.convolve_valid.vjp(d, x, k)
    monkeypatch.setattr(_shifted, "SHARES", 0)
    monkeypatch.setattr(_shifted, "COPIES", limit)
    monkeypatch.setattr(_shifted, "PRODUCTS", limit)
    pieces = list(_shifted._pieces(5, 6, 4, 2 * 3 * 6, 2 * 3 * 4 * 3 * 6))
    assert len(pieces) > 5
    covered = np.zeros((5, 6), int)
    for some, top, bottom in pieces:
        covered[some, top:bottom] += 1
    assert (covered == 1).all()
    same(convolve.valid_fast(x, k), whole[0])
    same(convolve.kernel_gradient_fast(x, d), whole[2])
    same(convolve.full_fast(d, convolve.rot180(k)), whole[1])


@pytest.mark.parametrize("limit", [1, 30, 100])
@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4", "float64", "complex64", "longdouble"])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_samples_are_taken_in_pieces(monkeypatch, limit, dtype, n):
    (x,) = integers((3, 2, 12, 24), dtype=dtype)
    x[0, 0, 0] *= -0.0
    wanted, summed = upsample.naive(x, n), downsample.naive(x, n)
    for few, long in ((x.size, 0), (0, 0), (0, 1 << 10)):  # all of it small, or nothing; rows long, or short
        monkeypatch.setattr(upsample, "_FEW", few)
        monkeypatch.setattr(upsample, "_LONG", long)
        monkeypatch.setattr(downsample, "_FEW", few)
        monkeypatch.setattr(upsample, "_HELD", limit * x.itemsize)
        monkeypatch.setattr(upsample, "_WRITTEN", 20 * limit * x.itemsize)
        monkeypatch.setattr(downsample, "_CHUNK", limit)
        up = upsample.fast(x, n)
        same(up, wanted)
        assert np.array_equal(np.signbit(up.real), np.signbit(wanted.real))
        same(downsample.fast(x, n), summed)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8", "complex64", "complex128"])
@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize(("few", "long"), [(4096, 0), (0, 0), (0, 1 << 10)])
def test_pixels_are_copied_to_the_bit_whatever_they_mean(monkeypatch, dtype, n, width, few, long):
    monkeypatch.setattr(upsample, "_FEW", few)
    monkeypatch.setattr(upsample, "_LONG", long)
    count = 2 * 3 * width * np.dtype(dtype).itemsize
    bits = np.random.default_rng(0).integers(
        0, 256, count, dtype=np.uint8
    )  # NaN with and without payload among them
    bits[-np.dtype(dtype).itemsize :] = 0xFF
    x = bits.view(dtype).reshape(1, 2, 3, width)
    items = [np.frombuffer(bits.tobytes(), f"V{x.itemsize}").reshape(x.shape), upsample.fast(x, n)]
    wanted = np.repeat(np.repeat(items[0], n, axis=2), n, axis=3)
    assert items[1].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("items", range(5))
@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex128"])
def test_where_the_buffer_lies_changes_no_value(monkeypatch, items, n, dtype):
    def somewhere(rows, columns, out):
        return np.full(rows * columns + items, np.nan, out.dtype)[items:].reshape(rows, columns)

    (x,) = integers((2, 3, 4, 5), dtype=dtype)
    monkeypatch.setattr(upsample, "_FEW", 0)
    monkeypatch.setattr(upsample, "_buffer", somewhere)
    same(upsample.fast(x, n), upsample.naive(x, n))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_the_buffer_lies_where_nothing_stalls(dtype):
    for words in range(8):  # as many places within 128 bytes, where an allocator may put the output
        out = np.empty(8192, np.uint8)[16 * words :][:4096].view(dtype)
        short, long = upsample._buffer(3, 8, out), upsample._buffer(3, upsample._MOVED // out.itemsize, out)
        assert [each.shape for each in (short, long)] == [(3, 8), (3, upsample._MOVED // out.itemsize)]
        assert all(each.flags.c_contiguous and each.flags.aligned for each in (short, long))
        assert short.ctypes.data % 16 == (8 if out.itemsize == 8 else 0)
        assert (long.ctypes.data - out.ctypes.data) % upsample._PAGE == upsample._PAGE // 2


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex128"])
def test_long_rows_take_no_second_array_of_the_output_s_size(dtype, n):
    (x,) = integers((1, 2, 16, 512), dtype=dtype)
    assert x[0, 0, 0].nbytes >= upsample._LONG
    wanted = np.repeat(np.repeat(x, n, axis=2), n, axis=3)
    tracemalloc.start()
    try:
        out = upsample.fast(x, n)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    same(out, wanted)
    assert out.flags.writeable
    assert out.flags.c_contiguous
    assert out.flags.aligned
    # by four, every row once in a buffer at most, a quarter of the output; 8 KiB for a page and what describes arrays
    assert peak <= out.nbytes * (1 + (n == 4) / 4) + 8192


FORMS = {"valid": "x k", "full": "d k", "kernel_gradient": "x d"}


def arguments(name, **changed):
    x, k, d = integers((3, 2, 6, 5), (2, 3, 3, 2), (3, 3, 4, 4))
    found = {"x": x, "k": k, "d": d} | changed
    return [found[letter] for letter in FORMS[name].split()]


LAYOUTS = {
    "reversed": lambda a: a[..., ::-1].copy()[..., ::-1],
    "Fortran order": np.asfortranarray,
    "every other": lambda a: np.repeat(a, 2, axis=2)[:, :, ::2],
    "batch last": lambda a: np.ascontiguousarray(a.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("batch", [1, 3])
def test_inputs_may_lie_as_they_like_and_may_not_be_written(name, layout, batch):
    fast, naive = getattr(convolve, f"{name}_fast"), getattr(convolve, f"{name}_naive")
    plain = [a if len(a) != 3 else a[:batch] for a in arguments(name)]
    given = [LAYOUTS[layout](a) for a in plain]
    for each in given:
        each.flags.writeable = False
    out = fast(*given)
    same(out, naive(*plain))
    assert out.flags.writeable
    assert not any(np.shares_memory(out, each) for each in given)
    for form, n in ((upsample.fast, 2), (upsample.fast, 1), (downsample.fast, 1)):
        sampled = form(given[0], n)
        assert not np.shares_memory(sampled, given[0])
        assert sampled.flags.writeable


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("wild", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("tabled", [False, True])
def test_what_is_not_finite_spreads_as_far_as_in_the_loops(name, wild, place, tabled):
    given = arguments(name)
    given[place][0, 0, 1, 0] = wild
    table = np.array([[True, False, True], [False, True, True]]) if tabled else None
    fast, naive = getattr(convolve, f"{name}_fast"), getattr(convolve, f"{name}_naive")
    with np.errstate(invalid="ignore"):
        actual, wanted = fast(*given, table), naive(*given, table)
        np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(wanted))
        chosen = getattr(convolve, name)(*given, table)
    np.testing.assert_array_equal(actual[np.isfinite(wanted)], wanted[np.isfinite(wanted)])
    np.testing.assert_array_equal(chosen, actual)


def test_an_unconnected_map_is_not_even_seen():
    x, k, _ = integers((2, 2, 5, 4), (2, 2, 2, 3), (2, 2, 4, 2))
    x[:, 1] = np.nan
    table = np.array([[True, True], [False, False]])
    same(convolve.valid_fast(x, k, table), convolve.valid_naive(x[:, :1], k[:1]))


@pytest.mark.parametrize("name", FORMS)
def test_transforms_are_taken_for_large_kernels_of_real_maps_alone(name, monkeypatch):
    small = arguments(name)
    large = [np.pad(a, [(0, 0), (0, 0), (0, 40), (0, 40)]) for a in small]
    if name == "valid":
        large[0] = np.pad(large[0], [(0, 0), (0, 0), (0, 40), (0, 40)])
    if name == "kernel_gradient":
        large[0] = np.pad(large[0], [(0, 0), (0, 0), (0, 40), (0, 40)])
    taken = []
    transform = getattr(convolve, f"{name}_fft")
    monkeypatch.setattr(convolve, f"{name}_fft", lambda *a: taken.append(1) or transform(*a))
    form = getattr(convolve, name)
    form(*small)
    form(*[a.astype(complex) for a in large])
    assert not taken
    actual, wanted = form(*large), getattr(convolve, f"{name}_fast")(*large)
    assert taken
    # 16 roundings of the largest sum possible, as above: whole numbers up to 8, at most 3 maps of 30 pixels
    assert np.max(np.abs(actual - wanted)) <= 16 * np.finfo(float).eps * 3 * 30 * 8 * 8


def test_what_fits_is_told_from_what_does_not():
    x, k, d = integers((2, 3, 5, 6), (3, 4, 2, 3), (2, 4, 4, 4))
    assert convolve.fit(x, k, d)
    for wrong in [(x[:1], k, d), (x[:, :2], k, d), (x, k[:, :3], d), (x, k, d[:, :, :3]), (x, k, d[..., :3])]:
        assert not convolve.fit(*wrong)
        with pytest.raises(ValueError, match=r"convolve_valid\.vjp"):
            FAST.convolve_valid.vjp(wrong[2], *wrong[:2])
    assert not convolve.fit(x.astype(int), k, d)
    assert not convolve.fit(x.tolist(), k, d)


def test_what_divides_into_blocks_is_told_from_what_does_not():
    x, up = integers((2, 3, 4, 6), (2, 3, 8, 12))
    assert are_blocks(up, 2, x)
    for n, wrong in [(2, x), (2, up[:1]), (2, up[:, :2]), (2, up[..., :11]), (3, up), (0, up), (2.0, up)]:
        assert not are_blocks(wrong, n, x)
        with pytest.raises((ValueError, TypeError), match=r"upsample\.vjp"):
            FAST.upsample.vjp(wrong, x, n)
        with pytest.raises((ValueError, TypeError), match=r"downsample\.vjp"):
            FAST.downsample.vjp(x, wrong, n)
    assert not are_blocks(up.astype(int), 2, x)
    assert not are_blocks(up, np.int64(2), x)  # as right, and taken the other way
    same(FAST.upsample.vjp(up, x, np.int64(2))[0], NAIVE.upsample.vjp(up, x, 2)[0])


SIGMOIDS = [sigmoid.naive, sigmoid.notes, sigmoid.fast]
SLOPES = [sigmoid.naive_slope, sigmoid.fast_slope]
WIDE = np.concatenate([np.linspace(-40, 40, 81), [-1e308, -1e4, -745.2, -709, 709, 1e4, 1e308]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", SIGMOIDS)
def test_every_sigmoid_is_scipys_to_the_last_digits(form, dtype):
    u = np.linspace(-40, 40, 81).astype(dtype)
    y = form(u)
    assert y.dtype == dtype
    # four roundings (exp, two sums, a quotient), and as much again for scipy's own
    assert np.max(np.abs(y / expit(u.astype(float)) - 1)) <= 8 * np.finfo(dtype).eps


@pytest.mark.parametrize("form", SIGMOIDS + SLOPES)
def test_every_sigmoid_is_finite_and_silent_far_out(form):
    for u in (WIDE, np.clip(WIDE, -3e38, 3e38).astype(np.float32)):
        y = form(u)
        assert np.isfinite(y).all()
        assert ((y >= 0) & (y <= 1)).all()
        assert y[-1] == (form in SIGMOIDS)
        assert y[81] < 1e-30


@pytest.mark.parametrize("dtype", ["float16", ">f8", "longdouble"])
def test_a_slope_is_right_in_dtypes_that_have_no_integer_of_their_own(dtype):
    u = np.array([-3.0, -0.0, 0.5, 9.0], dtype)
    wanted = sigmoid.naive_slope(u.astype(float))
    # four roundings in the dtype, and the naive one's in float64
    gap = np.abs(sigmoid.fast_slope(u).astype(float) / wanted - 1)
    assert np.max(gap) <= 4 * max(np.finfo(dtype).eps, np.finfo(float).eps)


def sure(u):
    """f and f' from 50 digits."""
    with mpmath.workdps(50):
        values, mirrored = [
            [1 / (1 + mpmath.exp(-mpmath.mpf(float(each)))) for each in side] for side in (u, -u)
        ]
        return np.array(values, float), np.array(
            [float(y * z) for y, z in zip(values, mirrored, strict=True)]
        )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_value_and_slope_of_one_exponential_keep_their_digits_on_either_side(dtype):
    info = np.finfo(dtype)
    edge = -0.999 * np.log(float(info.tiny))  # a little further out e or 1 / (1 + e) is no normal number
    u = np.concatenate([np.linspace(-edge, edge, 401), np.linspace(-4, 4, 100)]).astype(dtype)
    values, slopes = sigmoid.fast_both(u)
    assert values.dtype == slopes.dtype == dtype
    # six roundings (exp two), of which the quotient's and before count twice in the slope; where the result is normal
    for found, wanted in zip((values, slopes), sure(u), strict=True):
        wide = wanted >= 2 * float(info.tiny)
        assert np.max(np.abs(found[wide].astype(float) / wanted[wide] - 1)) <= 9 * float(info.eps) / 2
    np.testing.assert_array_equal(sigmoid.fast_both(u[::3])[0], values[::3])


@pytest.mark.parametrize("place", [0, 7])
def test_value_and_slope_far_out_and_denormal_are_those_of_each_alone(place):
    u = np.linspace(-3, 3, 2 * (sigmoid._BLOCK // 24)).reshape(2, -1)  # two thirds of a block
    for wild in (800.0, -800.0, 720.0, -720.0, -745.1, 1e308, -1e308, np.inf, -np.inf, np.nan):
        u[1, place] = wild
        values, slopes = sigmoid.fast_both(u)
        np.testing.assert_array_equal(slopes[1, place], sigmoid.fast_slope(u)[1, place])
        # exp(-u) overflows where exp(u) is denormal yet: the value alone is zero there
        below = sigmoid.naive(u[1, place : place + 1])[0] if -750 < wild < 0 else sigmoid.fast(u)[1, place]
        np.testing.assert_array_equal(values[1, place], below)


@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda u: u[::-1, ::2], lambda u: u[0, 0, ...], np.array]
)
def test_blocks_are_those_of_the_whole_in_any_layout(monkeypatch, layout):
    u = layout(draw([(12, 40)])[0])
    wanted = [form(u) for form in (sigmoid.naive, sigmoid.naive_slope)]
    for size in (1, 7, 1000):
        monkeypatch.setattr(sigmoid, "_BLOCK", 8 * size)
        for found, right in zip(
            (*sigmoid.fast_both(u), sigmoid.fast_slope(u)), (*wanted, wanted[1]), strict=True
        ):
            assert found.shape == u.shape
            assert gap(found, right) < 2e-15
    same(np.isnan(sigmoid.fast_both(np.full(9, np.nan))), np.ones((2, 9), bool))
    complex_step = sigmoid.fast_both(u + 1e-30j)
    assert gap(complex_step[0].imag / 1e-30, wanted[1]) < 2e-15


@pytest.mark.parametrize("form", SIGMOIDS + SLOPES)
def test_nan_gives_nan(form):
    assert np.isnan(form(np.array([0.0, np.nan, 1.0]))).tolist() == [False, True, False]


def test_slope_from_u_keeps_the_digits_that_the_slope_from_y_loses():
    with mpmath.workdps(40):
        e = mpmath.exp(-30)
        u, truth = np.array([30.0]), float(e / (1 + e) ** 2)
    for form in SLOPES:
        assert abs(form(u)[0] / truth - 1) < 1e-15
    lost = abs(sigmoid.notes_slope(sigmoid.notes(u))[0] / truth - 1)
    assert 1e-6 < lost < 1e-2


def test_slope_from_output_is_right_beside_one():
    (u,) = draw([(50,)])
    # an error of half a unit of round-off in y, times at most one, against slopes of at most a quarter
    assert np.max(np.abs(sigmoid.notes_slope(sigmoid.notes(u)) - sigmoid.fast_slope(u))) < 4e-16


@pytest.mark.parametrize("form", [NAIVE, NOTES, FAST])
def test_every_form_offers_the_operations(form: Form):
    x, k, d = integers((2, 3, 4, 6), (3, 2, 2, 3), (2, 2, 3, 4))
    calls = {
        "upsample": (form.upsample, upsample.naive(x, 2), (x,), {"n": 2}),
        "downsample": (form.downsample, downsample.naive(x, 2), (x,), {"n": 2}),
        "convolve_valid": (form.convolve_valid, d, (x, k), {}),
        "convolve_full": (form.convolve_full, x, (d, k), {}),
        "sigmoid": (form.sigmoid, x, (x / 8,), {}),
    }
    for name, (operation, cotangent, inputs, options) in calls.items():
        naive = getattr(NAIVE, name)
        assert gap(operation.forward(*inputs, **options), naive.forward(*inputs, **options)) < 1e-15
        actual = operation.vjp(cotangent, *inputs, **options)
        for a, w in zip(actual, naive.vjp(cotangent, *inputs, **options), strict=True):
            assert gap(a, w) < 1e-15
