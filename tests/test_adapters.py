from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
from autograd.scipy.signal import convolve

from gradcheck.certify import certify
from gradcheck.operation import operations
from gradcheck.verdict import Verdict

ADAPTERS = Path(__file__).parent / "adapters"


@pytest.fixture(scope="module")
def scipy_certificate():
    return certify(str(ADAPTERS / "scipy_adapter.py"))


@pytest.fixture(scope="module")
def autograd_certificate():
    return certify(str(ADAPTERS / "autograd_adapter.py"))


def test_scipy_passes_in_all_that_it_offers_and_the_rest_is_listed(scipy_certificate):
    judged = {result.operation for result in scipy_certificate.results}
    assert judged == {"sigmoid", "softmax", "upsample", "downsample", "convolve_valid", "convolve_full"}
    failed = {(r.operation, r.input) for r in scipy_certificate.results if r.verdict is not Verdict.PASS}
    assert failed == {("convolve_full", "conduct")}
    missing = {each.operation for each in scipy_certificate.not_offered}
    assert missing == set(operations()) - judged | {"softmax"}


def test_scipy_s_ndimage_takes_a_nan_in_a_kernel_for_zero_which_is_its_own_fault(scipy_certificate):
    row = next(each for each in scipy_certificate.results if each.input == "conduct")
    assert "hides a NaN\n  with NaN in k at [" in row.reason
    assert scipy.ndimage.convolve(np.ones(3), np.array([1.0, np.nan]), mode="constant").tolist() == [1, 1, 0]


def test_scipy_s_linear_operations_have_exact_evidence(scipy_certificate):
    for result in scipy_certificate.results:
        if result.operation not in ("sigmoid", "softmax") and result.input != "conduct":
            assert (result.evidence, result.resolution) == ("exact", 0.0)


def test_autograd_s_gradients_are_right_wherever_it_gives_one(autograd_certificate):
    assert "fail" not in {str(result.verdict) for result in autograd_certificate.results}
    for result in autograd_certificate.results:
        assert result.verdict is Verdict.PASS or "RecursionError" in result.reason


def test_autograd_s_convolution_never_returns_for_some_shapes_which_is_its_own_fault(autograd_certificate):
    stuck = {result.operation for result in autograd_certificate.results if result.verdict is Verdict.ERROR}
    assert stuck == {"convolve_valid", "convolve_full", "convolution", "combination"}
    with pytest.raises(RecursionError):
        convolve(np.ones((2, 1)), np.ones((1, 2)), mode="full")
