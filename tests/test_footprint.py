"""What a check holds and calls: so many arrays of the size of the inputs, and so many calls, whatever that size is."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from gradcheck import check_vjp

#: Arrays of the size of the input that a check of a function of as many outputs holds at once. Measured: 24, of which
#: three are cotangents, six what is claimed for these and its rounding, five the calls of the conduct.
ARRAYS = 30


def right(c, x):
    return c * (1 - np.tanh(x) ** 2)


def one_wrong(c, x):
    gradient = right(c, x)
    gradient[len(gradient) // 3] *= 2
    return gradient


@pytest.mark.parametrize(
    ("vjp", "verdict"), [(right, "pass"), (one_wrong, "fail"), (lambda c, x: 1.5 * right(c, x), "fail")]
)
@pytest.mark.parametrize("size", [20_000, 80_000])
def test_memory_is_so_many_arrays_whether_it_passes_or_fails(vjp, verdict, size):
    x = np.random.default_rng(0).standard_normal(size)
    tracemalloc.start()
    try:
        check = check_vjp(np.tanh, vjp, (x,))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert check.verdict == verdict
    assert peak / x.nbytes <= ARRAYS


@pytest.mark.parametrize("conduct", [True, False])
def test_a_vjp_of_many_elements_is_called_four_times(conduct):
    asked = []

    def counted(c, x):
        asked.append(c.shape)
        return right(c, x)

    for size in (2_000, 20_000):
        asked.clear()
        check = check_vjp(
            np.tanh, counted, (np.random.default_rng(0).standard_normal(size),), conduct=conduct
        )
        assert check.passed
        assert len(asked) == 4
        assert check.evaluations <= 30
