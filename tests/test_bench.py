"""Bench: what is raced and what is not, how it is compared, and what is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import binom

from gradcheck.bench import command, contest, limits, record, sizes, statistics, table, timing
from gradcheck.bench.contenders import Contender, call_of, contenders
from gradcheck.bench.contest import Certified, Standing, race
from gradcheck.bench.statistics import Median, median
from gradcheck.cli import main
from gradcheck.implementation import load
from gradcheck.importing import TargetError
from gradcheck.operation import operation, operations
from reference.kernels import FAST, FFT, NAIVE

CERTIFIED = Certified(0)
"""Each operation of a contender is certified once for all tests."""

LARGE = 5 * 4 * 16 * 16
"""Elements of the maps that are raced; certificates look at smaller ones."""


class Mine:
    """A downsample that can be made wrong where certificates do not look, or slow."""

    def __init__(self, wrong_from=np.inf, wrong_after=np.inf, factor=1.0):
        self.wrong_from, self.wrong_after, self.factor, self.calls = wrong_from, wrong_after, factor, 0

    def forward(self, x, n):
        self.calls += x.size >= LARGE
        out = self.factor * FAST.downsample.forward(x, n)
        if x.size >= self.wrong_from or self.calls > self.wrong_after:
            out[..., -1] += 1
        return out

    def vjp(self, cotangent, x, n):
        return (self.factor * FAST.downsample.vjp(cotangent, x, n)[0],)


def entrants(**named):
    return [
        Contender(name, load({"downsample": part}, {"downsample": operation("downsample")}))
        for name, part in named.items()
    ]


def raced(direction="forward", rounds=7, text="5,4,1,16,16,1", baseline=None, **named):
    (size,) = sizes.sizes("downsample", text)
    return race(
        operation("downsample"),
        size,
        entrants(**named),
        Certified(0),
        direction=direction,
        rounds=rounds,
        baseline=baseline,
        clock="cpu",  # the tests run beside each other
    )


def test_right_contenders_are_raced_and_compared_with_the_first():
    found = raced(naive=NAIVE.downsample, fast=FAST.downsample)
    naive, fast = found.standings
    assert found.baseline == "naive"
    assert naive.ratio == Median(1, 1, 1)
    assert fast.compared == "faster"
    assert len(fast.times) == 7
    assert fast.seconds.low <= fast.seconds.value <= fast.seconds.high
    assert fast.multiple.value > 1  # no implementation beats a copy of its bytes


def test_a_named_baseline_is_what_ratios_are_of():
    found = raced(naive=NAIVE.downsample, fast=FAST.downsample, baseline="fast")
    assert found.baseline == "fast"
    assert found.standings[0].compared == "slower"


@pytest.mark.parametrize(
    ("part", "direction", "reason"),
    [
        (Mine(factor=0.5), "forward", "not certified (forward: fail"),
        (Mine(wrong_from=LARGE), "forward", "differs from the baseline by 1, more than"),
        (Mine(wrong_after=3), "forward", "after its rounds, differs from the baseline by 1"),
    ],
)
def test_a_wrong_one_is_not_raced(part, direction, reason):
    found = raced(direction, fast=FAST.downsample, mine=part)
    assert found.standings[1].reason.startswith(reason)
    assert found.standings[1].seconds is None
    assert found.standings[0].seconds is not None


class WrongTransform:
    """A form by transforms, an image of which is taken for the one beside it."""

    @staticmethod
    def forward(x, k, connections=None):
        return np.roll(FFT["convolve_valid"].forward(x, k, connections), 1, axis=-1)


def test_transforms_are_certified_and_raced_and_wrong_ones_are_not():
    known = {"convolve_valid": operation("convolve_valid")}
    parts = {"fast": FAST.convolve_valid, "fft": FFT["convolve_valid"], "wrong": WrongTransform}
    (size,) = sizes.sizes("convolve_valid", "1,2,2,24,24,9")
    found = race(
        operation("convolve_valid"),
        size,
        [Contender(name, load({"convolve_valid": part}, known)) for name, part in parts.items()],
        Certified(0),
        direction="forward",
        rounds=6,
        clock="cpu",
    )
    fast, fft, wrong = found.standings
    assert fast.seconds is not None
    assert fft.seconds is not None
    assert wrong.reason == "not certified (forward: fail)"


def test_what_is_not_offered_or_raises_is_said():
    class NoGradient:
        forward = staticmethod(FAST.downsample.forward)

    class Raises(Mine):
        def forward(self, x, n):
            if x.size >= LARGE:
                raise MemoryError
            return super().forward(x, n)

    assert raced("gradients", fast=FAST.downsample, mine=NoGradient).standings[1].reason == "not offered"
    assert raced(fast=FAST.downsample, mine=Raises()).standings[1].reason == "raised MemoryError"
    nobody = raced("gradients", mine=NoGradient)
    assert (nobody.baseline, [each.reason for each in nobody.standings]) == ("", ["not offered"])


def test_loops_are_told_and_not_waited_for(monkeypatch):
    monkeypatch.setattr(contest, "PATIENCE", 1e-3)
    monkeypatch.setattr(contest, "NOTICED", 0.0)
    slow = raced(naive=NAIVE.downsample, text="20,20,1,32,32,1")
    assert slow.standings[0].reason.startswith("would take about")
    monkeypatch.setattr(contest, "NOTICED", 10.0)
    assert not raced(naive=NAIVE.downsample, text="1,2,1,8,8,1").standings[0].reason


def test_one_stalled_call_makes_no_loops_of_a_contender(monkeypatch):
    stalls = iter([0.5, 1e-6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])  # seconds of the calls of each contender
    monkeypatch.setattr(contest, "_spent", lambda call: next(stalls))
    found = raced(fast=FAST.downsample, naive=NAIVE.downsample, text="20,20,1,32,32,1")
    assert not found.standings[0].reason
    assert found.standings[1].reason.startswith("would take about")


@pytest.mark.parametrize("library", ["numba", "numexpr"])
def test_compiled_contenders_are_raced_where_they_are_installed(library):
    pytest.importorskip(library)
    name = {"numba": "upsample", "numexpr": "sigmoid"}[library]
    entrants = contenders((), operations(), {"fast", library}.__contains__)
    (size,) = sizes.sizes(name, "small")
    for direction in ("forward", "gradients"):
        found = race(operation(name), size, entrants, CERTIFIED, direction=direction, rounds=6, clock="cpu")
        assert all(each.seconds is not None for each in found.standings), found.standings


def test_numexpr_too_has_one_thread_in_a_race():
    numexpr = pytest.importorskip("numexpr")
    before = numexpr.set_num_threads(2)
    try:
        with timing.one_thread():
            assert numexpr.get_num_threads() == 1
        assert numexpr.get_num_threads() == 2
    finally:
        numexpr.set_num_threads(before)


def test_the_interval_of_a_median_has_its_confidence():
    for n in (7, 15, 40):
        found = median(np.arange(n))
        below = int(found.low)  # observations below the interval
        assert found.high == n - 1 - below
        assert 1 - 2 * binom.cdf(below, n, 0.5) >= 0.95 or below == 0
        assert 1 - 2 * binom.cdf(below + 1, n, 0.5) < 0.95
    rng = np.random.default_rng(0)
    held = [m.low <= 0 <= m.high for m in (median(rng.standard_cauchy(15)) for _ in range(400))]
    assert np.mean(held) > 0.92  # 0.965 is due; four standard deviations of 400 draws below 0.95


def test_ratios_are_of_the_same_round():
    assert statistics.ratio([2.0, 20.0, 200.0], [1.0, 10.0, 100.0]) == Median(2, 2, 2)


@pytest.mark.parametrize(
    ("ratio", "word"),
    [(Median(0.9, 0.8, 1.1), "ambiguous"), (Median(2, 1.5, 3), "slower"), (Median(0.5, 0.4, 0.6), "faster")],
)
def test_an_interval_with_one_in_it_is_ambiguous(ratio, word):
    assert Standing("a", ratio=ratio).compared == word


def test_rounds_are_interleaved_and_long_enough_and_not_collected_in(monkeypatch):
    order, collected = [], []
    monkeypatch.setattr(timing.gc, "disable", lambda: collected.append("off"))
    monkeypatch.setattr(timing.gc, "enable", lambda: collected.append("on"))
    times, counts = timing.rounds_of({n: lambda n=n: order.append(n) for n in "ab"}, 9, seed=1)
    tail = order[-9 * sum(counts.values()) :]
    blocks = [n for i, n in enumerate(tail) if i == 0 or tail[i - 1] != n]
    assert set(blocks) == {"a", "b"}
    assert len(blocks) > 9  # not all of a, then all of b
    assert {len(each) for each in times.values()} == {9}
    assert min(counts.values()) > 100
    assert collected == ["off", "on"]


FAULTS = """
import resource
import numpy as np
from gradcheck.bench.timing import rounds_of

def call():
    return [np.ones(size) for size in (200_000, 150_000, 250_000, 40_000)]

rounds_of({"arrays": call}, 6, 0, "cpu")
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    call()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the heap of glibc")
def test_memory_that_was_freed_is_not_taken_from_the_system_anew_in_the_rounds():
    found = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 100  # of 1,250 pages a call


def test_limits_copy_half_the_bytes_and_multiply_as_much():
    arrays, outputs = [np.ones(300)], [np.ones(700)]
    assert list(limits.limits(arrays, outputs, 0)) == [limits.MOVED]
    calls = limits.limits(arrays, outputs, 1000)
    assert calls[limits.MULTIPLIED]().shape == (10, 10)
    assert calls[limits.MOVED].__closure__[1].cell_contents.nbytes == 4000


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("upsample", "huge", "sizes = 'huge', wanted one of small, lenet, large, or N,I,J,H,W,K"),
        ("upsample", "1,2,3", "six whole numbers of at least 1"),
        ("upsample", "1,2,3,0,4,1", "six whole numbers of at least 1"),
        ("downsample", "1,1,1,3,4,1", "height mod 2 = 1, width mod 2 = 0, but must be 0"),
        ("convolve_valid", "1,1,1,3,4,5", "height - kernel + 1 = -1, width - kernel + 1 = 0"),
        ("subsampling", "1,1,1,3,4,1", "height mod 2 = 1, width mod 2 = 0, but must be 0"),
        ("combination", "1,1,1,3,4,5", "height - kernel + 1 = -1, width - kernel + 1 = 0"),
        ("network", "1,1,1,8,8,4", "after a kernel of 4: height, width = 5, 5, wanted multiples of 2"),
        ("network", "1,1,1,4,8,5", "height - kernel + 1 = 0"),
        ("nothing", "small", "bench: nothing has no sizes to be raced at"),
    ],
)
def test_sizes_that_cannot_be_are_explained(name, text, said):
    with pytest.raises(sizes.SizeError) as caught:
        sizes.sizes(name, text)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", sizes.OPERATIONS)
@pytest.mark.parametrize("text", list(sizes.NAMED))
def test_every_size_is_one_of_its_operation(name, text):
    for size in sizes.sizes(name, text):
        found = [each.rstrip("0123456789") for each in size.shapes]
        assert set(found) <= {each.name for each in operation(name).inputs}
        assert name == "network" or found == [each.name for each in operation(name).inputs]
        assert size.work > 0


def test_every_operation_has_sizes():
    assert set(sizes.OPERATIONS) == set(operations())


def test_a_network_is_built_as_lenet_is():
    lenet = sizes.sizes("network", "lenet")[0]
    assert str(lenet) == "x 1×1×28×28, architecture=c6-s2-c12-s2-d10"
    # 6 maps of 24², 12 maps of 8² from 6, 10 units from 12 maps of 4²
    assert lenet.products == 6 * 25 * 24**2 + 6 * 12 * 25 * 8**2 + 12 * 4**2 * 10
    assert lenet.shapes["k3"] == (6, 12, 5, 5)
    assert lenet.shapes["delta4"] == (1, 12, 4, 4)
    assert not lenet.inputs("float64", 0)[-1].any()  # no perturbation


NETWORK = contenders((), operations(), "reference".__eq__)[0].implementation.offers["network"]


class Network:
    """The reference's in numbers of more digits, which may be made wrong in one element of one gradient."""

    def __init__(self, wrong=0.0):
        self.wrong = wrong

    def forward(self, *inputs, architecture):
        return np.asarray(self.wider(NETWORK.forward, inputs, architecture), inputs[0].dtype)

    def vjp(self, cotangent, *inputs, architecture):
        found = self.wider(NETWORK.vjp, (cotangent, *inputs), architecture)
        found = [np.array(each, inputs[0].dtype) for each in found]
        if inputs[0].size >= LARGE:
            found[2].flat[0] *= 1 + self.wrong
        return tuple(found)

    @staticmethod
    def wider(function, inputs, architecture):
        return function(*(np.asarray(x, np.longdouble) for x in inputs), architecture=architecture)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("wrong", [0.0, 1e-2])
def test_networks_are_raced_and_one_that_is_wrong_in_an_element_is_not(dtype, wrong):
    known = {"network": operation("network")}
    parts = {"reference": NETWORK, "mine": Network(wrong)}
    found = race(
        known["network"],
        sizes.network(43, 1, 2, 10, 12, 3),
        [Contender(name, load({"network": part}, known)) for name, part in parts.items()],
        CERTIFIED,
        direction="gradients",
        dtype=dtype,
        rounds=6,
        clock="cpu",
    )
    reference, mine = found.standings
    assert reference.seconds is not None
    assert mine.reason[:28] == ("differs from the baseline by" if wrong else "")


def test_a_network_s_rounding_is_weighed_by_what_its_inputs_rounding_does():
    known = operations()
    entrant = contenders((), known, "reference".__eq__)[0]
    size = sizes.network(4, 1, 2, 10, 12, 3)
    call = call_of(size, "float64", 0, ())
    wanted, scales = contest._wanted(entrant, known["network"], "gradients", call)
    for each, scale in zip(wanted, scales, strict=True):
        assert np.max(np.abs(each)) <= scale < 100 * np.max(np.abs(each))


LAYERS = ["squared_error", "dense", "convolution", "subsampling", "softmax", "combination", "sparsity"]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("direction", ["forward", "gradients"])
def test_layers_are_raced_by_the_catalogue_s_own(name, direction):
    entrants = contenders((), operations(), "reference".__eq__)
    size = sizes.sizes(name, "small")[0]
    found = race(operation(name), size, entrants, CERTIFIED, direction=direction, rounds=6, clock="cpu")
    (standing,) = found.standings
    assert (standing.name, standing.reason) == ("reference", "")
    assert standing.seconds is not None


def test_a_library_that_is_known_by_its_adapter_alone_is_not_raced():
    pytest.importorskip("torch")
    entrants = contenders((), operations(), {"reference", "torch"}.__contains__)
    size = sizes.sizes("softmax", "small")[0]
    found = race(operation("softmax"), size, entrants, CERTIFIED, direction="forward", rounds=6, clock="cpu")
    assert found.standings[1].reason == "only its adapter is known, with NumPy's arrays on either side"


def test_only_what_is_wanted_is_imported(monkeypatch):
    loaded = []
    monkeypatch.setattr("gradcheck.bench.contenders.load", lambda thing, known: loaded.append(thing))
    contenders((), operations(), {"fast"}.__contains__)
    assert loaded == [FAST]


def test_products_are_those_of_the_loops():
    (size,) = sizes.sizes("convolve_valid", "2,3,4,6,5,3")
    assert size.products == 2 * 3 * 4 * 3 * 3 * 4 * 3


@pytest.mark.parametrize("library", ["torch", "jax"])
@pytest.mark.parametrize(
    "name",
    [
        "upsample",
        "downsample",
        "convolve_valid",
        "convolve_full",
        "sigmoid",
        "tanh",
        "scaled_tanh",
        "dense",
        "convolution",
    ],
)
@pytest.mark.parametrize("direction", ["forward", "gradients"])
def test_a_library_called_natively_answers_as_its_adapter_does(library, name, direction):
    pytest.importorskip(library)
    known = operations()
    contender = Contender(library, load(library, known))
    if not contender.offers(name, direction):
        pytest.skip("not offered")
    size = sizes.sizes(name, "small")[0]
    output = known[name].forward(*size.inputs("float64", 0), **size.options).shape
    call = call_of(size, "float64", 0, output)
    native = contender.ready(known[name], direction, call)()
    native = native if isinstance(native, (tuple, list)) else (native,)
    sums = [float(np.sum(np.abs(np.asarray(each)))) for each in native if each is not None]
    right = [float(np.sum(np.abs(each))) for each in contender.answer(known[name], direction, call)]
    means = (library, name, direction) == ("torch", "downsample", "forward")
    factor = 4 if means else 1
    # sums of sizes, which no layout changes; 32 roundings, as of answers that are raced
    np.testing.assert_allclose(factor * np.array(sums), right, rtol=32 * np.finfo(float).eps)


def test_two_contenders_of_one_name_are_refused():
    with pytest.raises(TargetError, match="two contenders have one name"):
        contenders(["naive"], operations())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What one small race printed and wrote."""
    folder = tmp_path_factory.mktemp("bench")
    words = [
        "bench",
        "--operation",
        "upsample",
        "--sizes",
        "small",
        "--rounds",
        "6",
        "--clock",
        "cpu",
        "--only",
        "naive",
        "--only",
        "fast",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)  # set by shells and by xdist; tables are as wide as it says
        done = CliRunner().invoke(main, [*words, "--json", str(folder / "a.json")])
    return folder, words, done


def test_the_command_prints_tables_and_the_machine(files):
    _, _, done = files
    assert (done.exit_code, done.stderr) == (0, "")
    assert "upsample, forward: x 1×2×8×8, n=2, float64" in done.stdout
    assert "upsample, gradients: x 1×2×8×8, n=2, float64" in done.stdout
    assert "× limit: bytes moved" in done.stdout
    assert "1 thread" in done.stdout
    assert "cpu time, seed 0" in " ".join(done.stdout.split())


def test_those_without_the_operation_are_told_in_a_line_below_the_table():
    words = ["bench", "--operation", "sigmoid", "--sizes", "small", "--rounds", "6", "--clock", "cpu"]
    done = CliRunner().invoke(main, [*words, "--only", "fast", "--only", "fft", "--only", "reference"])
    assert done.stdout.count("not offered: fft, reference") == 2
    assert "–" not in done.stdout


def test_pytest_benchmark_reads_the_file(files):
    folder, _, _ = files
    words = [sys.executable, "-m", "pytest_benchmark", "compare", str(folder / "a.json")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "upsample, forward" in done.stdout


def rewritten(folder, factor, name="b.json"):
    told = json.loads((folder / "a.json").read_text(encoding="utf-8"))
    for each in told["benchmarks"]:
        each["stats"]["data"] = [factor * seconds for seconds in each["stats"]["data"]]
    (folder / name).write_text(json.dumps(told), encoding="utf-8")
    return str(folder / name)


@pytest.mark.parametrize(("factor", "status", "word"), [(1e-3, 1, "slower"), (1e3, 0, "faster")])
def test_a_regression_exits_with_1(files, factor, status, word):
    folder, words, _ = files
    done = CliRunner().invoke(main, [*words, "--compare", rewritten(folder, factor)])
    assert done.exit_code == status
    assert word in done.stdout


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (Median(1, 0.9, 1.1), Median(1.2, 1.05, 1.3), "same"),  # the intervals meet
        (Median(1, 0.99, 1.01), Median(1.04, 1.03, 1.05), "same"),  # apart, but by less than 5 %
        (Median(1, 0.99, 1.01), Median(1.06, 1.05, 1.07), "slower"),
        (Median(1.06, 1.05, 1.07), Median(1, 0.99, 1.01), "faster"),
    ],
)
def test_a_change_needs_intervals_apart_and_more_than_five_percent(before, now, verdict):
    assert record.Change("a", before, now).verdict == verdict


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no_such_target"], "there is no module no_such_target"),
        (["--operation", "upsampel"], "nearest = upsample"),
        (["--operation", "network", "--sizes", "1,1,1,8,8,4"], "--sizes: blocks do not fit\n  after a kernel of 4: "),
        (["--sizes", "huge"], "--sizes: these are no sizes"),
        (["--only", "fsat"], "there is no contender of this name\n  name = 'fsat', nearest = fast"),
        (["--baseline", "slow"], "there is no contender of this name"),
        (["--rounds", "2"], "2 is not in the range x>=6"),
        (["--json", "nowhere/a.json"], "nowhere"),
        (["--compare", "none.json"], "does not exist"),
        (["--compare", "bad.json", "--sizes", "small", "--operation", "upsample", "--only", "fast", "--rounds", "6"],
         "--compare: the file cannot be read as benchmarks"),
        (["--compare", "other.json", "--sizes", "small", "--operation", "upsample", "--only", "fast", "--rounds", "6"],
         "--compare: the file has none of these contests"),
    ],
)  # fmt: skip
def test_a_wrong_call_exits_with_2_and_one_message(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text("[]", encoding="utf-8")
    (tmp_path / "other.json").write_text('{"benchmarks": []}', encoding="utf-8")
    done = CliRunner().invoke(main, ["bench", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest_benchmark", None)
    done = CliRunner().invoke(main, ["bench", "--sizes", "small"])
    assert done.exit_code == 2
    assert "pip install 'gradcheck[bench]'" in done.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_the_race_is_on_one_core_and_gives_the_others_back():
    before = os.sched_getaffinity(0)
    with command.one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_a_plot_is_drawn_with_units_and_the_machine(tmp_path):
    pytest.importorskip("matplotlib")
    from gradcheck.bench.plot import plot

    found = [raced(naive=NAIVE.downsample, fast=FAST.downsample)]
    plot(found, "Z80, 1 thread", tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    for said in ("Z80, 1 thread", "µs", "downsample, forward", "naive", "fast"):
        assert said in text


def test_a_time_has_the_unit_that_suits_it():
    assert table.time(Median(2e-9, 1e-9, 3e-9)) == "2 [1, 3] ns"
    assert table.time(Median(2.0, 1.0, 3.0)) == "2 [1, 3] s"


def test_a_rounding_answer_is_let_race_and_a_wrong_element_is_not():
    down = operation("downsample")
    (each,) = entrants(fast=FAST.downsample)
    (size,) = sizes.sizes("downsample", "2,3,1,8,6,1")
    call = call_of(size, "float64", 0, (2, 3, 4, 3))
    wanted, scales = contest._wanted(each, down, "forward", call)
    rounded = (wanted[0] * (1 + np.finfo(float).eps),)
    assert not contest._differs(each, down, "forward", call, rounded, scales)
    wrong = (wanted[0] + (np.arange(wanted[0].size) == 5).reshape(wanted[0].shape),)
    assert contest._differs(each, down, "forward", call, wrong, scales).startswith(
        "differs from the baseline by 1"
    )
