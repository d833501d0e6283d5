import sys
from importlib.metadata import version

import numpy as np
import pytest
import scipy.ndimage
from autograd.scipy.signal import convolve

from gradcheck.built_in import ADAPTERS, Unavailable, module_of
from gradcheck.certify import certify
from gradcheck.importing import TargetError, imported
from gradcheck.operation import operations
from gradcheck.verdict import Verdict


@pytest.fixture(scope="module")
def scipy_certificate():
    return certify("scipy")


@pytest.fixture(scope="module")
def autograd_certificate():
    # without combinations, whose convolutions recurse alike and take long to be made smaller
    return certify("autograd", set(operations()) - {"combination"}, examples=8)


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
    assert stuck == {"convolve_valid", "convolve_full", "convolution"}
    with pytest.raises(RecursionError):
        convolve(np.ones((2, 1)), np.ones((1, 2)), mode="full")


OFFERED = set(operations()) - {"sparsity", "network"}


@pytest.mark.parametrize(
    ("library", "left_out"), [("torch", set()), ("jax", set()), ("mygrad", {"convolve_full"})]
)
def test_frameworks_pass_in_all_that_they_offer(library, left_out):
    pytest.importorskip(library)
    certificate = certify(library, examples=2)
    assert {result.operation for result in certificate.results} == OFFERED - left_out
    assert {str(result.verdict) for result in certificate.results} == {"pass"}
    assert certificate.target == library
    assert certificate.environment["target"] == version(library)


COMPILED = {"numba": {"upsample", "downsample"}, "numexpr": {"sigmoid", "tanh", "scaled_tanh"}}


@pytest.mark.parametrize("library", COMPILED)
def test_compilers_pass_in_the_operations_that_they_are_good_at(library):
    pytest.importorskip(library)
    certificate = certify(library, examples=6)
    assert {result.operation for result in certificate.results} == COMPILED[library]
    assert {str(result.verdict) for result in certificate.results} == {"pass"}


@pytest.mark.parametrize("library", COMPILED)
def test_a_compiler_that_is_not_installed_is_named_by_its_extra(library, monkeypatch):
    monkeypatch.setattr("gradcheck.built_in.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=rf"pip install 'gradcheck\[{library}\]'"):
        module_of(library)


@pytest.mark.parametrize("library", ["torch", "jax", "mygrad"])
def test_a_convention_that_a_framework_does_not_have_fails(library):
    pytest.importorskip(library)
    adapter = imported(library)

    class Undeclared:
        """The framework's correlation, taken for a convolution in the catalogue's layout."""

        convolve_valid = adapter.convolve_valid

    adapter.convolve_valid.__gradcheck_implements__, declared = (
        (("convolve_valid", {"kernel_layout": "OIHW"}),),
        adapter.convolve_valid.__gradcheck_implements__,
    )
    try:
        assert certify(Undeclared, examples=4).verdict is Verdict.FAIL
    finally:
        adapter.convolve_valid.__gradcheck_implements__ = declared


def test_the_bare_name_is_the_adapter_and_anything_more_is_not():
    assert imported("scipy").__name__ == "gradcheck.adapters.scipy"
    assert imported("scipy:special").__name__ == "scipy.special"
    assert module_of("torch.nn") == "torch.nn"


@pytest.mark.parametrize("local", ["scipy.py", "scipy/__init__.py"])
def test_a_file_of_the_name_in_the_working_folder_is_reached_by_its_path_alone(tmp_path, monkeypatch, local):
    place = tmp_path / local
    place.parent.mkdir(exist_ok=True)
    place.write_text("MINE = 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetError) as refusal:
        imported("scipy")
    assert str(refusal.value).splitlines() == [
        f"target: scipy is a built-in adapter, and there is a {local} here",
        "  the file would be imported in the library's place, so that neither is certified for certain",
        f"  wanted ./{local} for the file, or another working folder for the adapter",
    ]
    if local == "scipy.py":
        monkeypatch.setattr(sys, "path", list(sys.path))
        assert imported("./scipy.py").MINE == 1


@pytest.mark.parametrize("library", sorted(set(ADAPTERS) - {"scipy"}))
def test_a_missing_library_is_one_line_with_the_extra_that_brings_it(library, monkeypatch):
    monkeypatch.setattr("gradcheck.built_in.find_spec", lambda name: None)
    with pytest.raises(Unavailable) as refusal:
        module_of(library)
    assert str(refusal.value) == f"target: {library} is not installed: pip install 'gradcheck[{library}]'"


def test_what_pytest_leaves_out_knows_every_adapter():
    assert set(ADAPTERS) - {"scipy"} <= set(sys.modules["conftest"].LIBRARIES)
