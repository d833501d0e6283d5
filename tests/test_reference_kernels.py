"""The kernels: every form equals the naive loops to the bit on integers, and other libraries beside."""

from __future__ import annotations

from typing import NamedTuple

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d
from scipy.special import expit

from reference.kernels import FAST, NAIVE, NOTES, Form, convolve, downsample, sigmoid, upsample
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
def test_fft_is_the_naive_one_but_for_rounding(maps):
    (x, k, _), table = maps.arrays, maps.table
    actual, wanted = convolve.valid_fft(x, k, table), convolve.valid_naive(x, k, table)
    assert actual.dtype == wanted.dtype
    # each transform loses a few units of round-off of the largest sum possible, not of the sum that came out
    size = np.abs(x).sum(axis=(1, 2, 3)).max() * np.abs(k).max()
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


def test_large_batches_are_taken_in_pieces():
    x, k, d = integers((9, 2, 30, 31), (2, 3, 5, 4), (9, 3, 26, 28))
    assert 9 * 2 * 26 * 28 * 20 > convolve._CHUNK > 2 * 26 * 28 * 20
    same(convolve.valid_fast(x, k), convolve.valid_notes(x, k))
    same(convolve.full_fast(d, k), convolve.full_notes(d, k))
    same(convolve.kernel_gradient_fast(x, d), convolve.kernel_gradient_notes(x, d))


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
