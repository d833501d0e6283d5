"""Settings of a target: device, dtype, TF32 and deterministic algorithms, on the CPU, with the dtypes of a GPU."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import reference
from gradcheck import variant
from gradcheck.certificate import Certificate, read
from gradcheck.certify import certify
from gradcheck.cli import main
from gradcheck.coarse import cast, in_float64, keeps_exact
from gradcheck.importing import TargetError
from gradcheck.replay import replay
from gradcheck.verdict import Verdict

MINE = """
import numpy as np
import reference
{extra}

class dense:
    @staticmethod
    def forward(x, W, b, activation):
        assert x.dtype.name == "{dtype}", x.dtype
        return reference.dense.forward(x, W, b, activation)

    @staticmethod
    def vjp(c, x, W, b, activation):
        assert {{c.dtype.name, x.dtype.name, b.dtype.name}} == {{"{dtype}"}}
        dx, dW, db = reference.dense.vjp(c, x, W, b, activation)
        return dx, dW{wrong}, db
"""


def written(folder, dtype, wrong="", extra=""):
    (folder / "mine.py").write_text(MINE.format(dtype=dtype, wrong=wrong, extra=extra))
    return f"mine.py[dtype={dtype}]"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_target_is_called_and_judged_in_its_dtype(folder, dtype):
    found = certify(written(folder, dtype), ["dense"], examples=10)
    # in half precision a small case may leave too few digits, which is no pass
    assert {each.verdict for each in found.results} <= {Verdict.PASS, Verdict.INCONCLUSIVE}
    assert found.results[0].verdict is Verdict.PASS
    assert any("exact" in each.evidence for each in found.results)


@pytest.mark.parametrize(
    ("dtype", "wrong"),
    [("float32", " * np.float32(1.001)"), ("float16", " * np.float16(1.5)"), ("float16", ".T.T * -1")],
)
def test_a_wrong_gradient_fails_in_its_dtype(folder, dtype, wrong):
    found = certify(written(folder, dtype, wrong), ["dense"], examples=8)
    verdicts = {each.input: each.verdict for each in found.results}
    assert verdicts["W"] is Verdict.FAIL
    assert Verdict.FAIL not in {verdicts["forward"], verdicts["x"], verdicts["b"]}


def test_what_fails_in_float32_is_replayed_in_float32(folder):
    found = Certificate.from_json(
        certify(written(folder, "float32", " * 2"), ["dense"], examples=3).to_json()
    )
    assert replay(found, "dense.W").check.verdict is Verdict.FAIL
    assert found.target == "mine.py[dtype=float32]"


def test_the_reference_passes_in_float32():
    found = certify("reference[dtype=float32]", ["convolution", "upsample"], examples=6)
    assert {each.verdict for each in found.results} == {Verdict.PASS}, found.results
    assert next(each for each in found.results if each.input == "forward").evidence.startswith("exact")


# The command line, with torch on the CPU


FEW = ("--operation", "convolve_valid", "--operation", "dense", "--examples", "6", "--no-isolate")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_torch_in_every_dtype_of_a_gpu_on_the_cpu(folder, dtype):
    pytest.importorskip("torch")
    call = ("certify", "torch", "--dtype", dtype, "--device", "cpu", "--deterministic", "--no-tf32", *FEW)
    done = CliRunner().invoke(main, [*call, "--json", "c.json"])
    found = read(folder / "c.json")
    assert found.target == f"torch[deterministic=on,device=cpu,dtype={dtype},tf32=off]"
    verdicts = {each.verdict for each in found.results}
    assert verdicts <= {Verdict.PASS, Verdict.INCONCLUSIVE}, done.output
    if dtype == "float32":
        assert verdicts == {Verdict.PASS}
    whole = next(
        each for each in found.results if (each.operation, each.input) == ("convolve_valid", "forward")
    )
    assert (whole.evidence, whole.resolution) == ("exact", 0.0)  # small whole numbers, to the bit


@pytest.mark.parametrize("words", [("--tf32",), ("--deterministic",), ()])
def test_switches_reach_torch_and_go_back_with_the_next_target(words):
    torch = pytest.importorskip("torch")
    call = ("certify", "torch", *words, "--operation", "softmax", "--examples", "1", "--no-isolate")
    assert CliRunner().invoke(main, call).exit_code == 0
    assert torch.backends.cuda.matmul.allow_tf32 is ("--tf32" in words)
    assert torch.backends.cudnn.allow_tf32 is ("--tf32" in words)
    assert torch.are_deterministic_algorithms_enabled() is ("--deterministic" in words)
    CliRunner().invoke(
        main, ["certify", "torch", "--operation", "softmax", "--examples", "1", "--no-isolate"]
    )
    assert not torch.are_deterministic_algorithms_enabled()


def test_without_a_cuda_device_it_is_said():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    done = CliRunner().invoke(main, ["certify", "torch", "--device", "cuda", *FEW])
    assert done.exit_code == 2
    assert "finds no CUDA device here: device = cuda, wanted cpu" in done.output


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["reference", "--device", "cuda"], "takes no settings\n  settings = device"),
        (
            ["--command", "true", "--dtype", "float32"],
            "a program takes no settings\n  target = $ true, settings = dtype",
        ),
        (["reference[dtype=float8]"], "there is no such dtype\n  dtype = float8"),
    ],
)
def test_wrong_settings_are_refused(call, said):
    done = CliRunner().invoke(main, ["certify", *call, "--operation", "dense", "--no-isolate"])
    assert done.exit_code == 2, done.output
    assert said in done.output


def test_settings_of_what_takes_none_are_refused_in_python():
    with pytest.raises(TargetError, match="takes no settings"):
        certify("reference[rate=2]", ["dense"])
    assert variant.split("$ prog a[i=1]") == ("$ prog a[i=1]", {})
    assert variant.dtype_of(reference) == np.float64


# Coarse cases


def test_whole_numbers_are_small_enough_for_exact_sums():
    x = np.array([-1024.0, 0.0, 1.0, 700.0])
    (small,) = cast((x,), np.dtype(np.float16), "integers")
    assert small.dtype == np.float16
    assert (np.sign(small) == np.sign(x)).all()
    assert np.abs(small).max() <= np.cbrt(2**11 / 16)
    assert keeps_exact(lambda x: np.sum(x), (small,), np.dtype(np.float16))
    assert not keeps_exact(lambda x: 3000 * np.sum(x), (small,), np.dtype(np.float16))
    assert not keeps_exact(lambda x: x / 3, (small,), np.dtype(np.float16))
    assert cast((x,), np.dtype(np.float64), "integers")[0] is x


def test_values_stay_in_the_range_of_the_dtype_and_the_naive_forward_in_float64():
    (held,) = cast((np.array([1e300, -2.0]),), np.dtype(np.float16), "extreme")
    assert np.isfinite(held).all()
    naive = in_float64(lambda x: x * 1e10 / 1e10)
    assert naive(np.array([2.0], np.float16)) == np.array([2.0], np.float16)
    assert naive(np.array([2.0], np.float16)).dtype == np.float16
