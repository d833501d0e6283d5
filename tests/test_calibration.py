"""The calibration study's own tests: its derivatives are right, and it sees a bound that fails."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from mpmath import mp
from rich.console import Console

from benchmarks import calibration, expressions
from benchmarks.calibration import chunk, complaints, examine, main, study, summarise, table, totals_of
from benchmarks.differentiators import DIFFERENTIATORS, Answer, Differentiator, jax_default, torch_default
from benchmarks.expressions import (
    IN_NUMPY,
    Tape,
    X,
    arcsin,
    arctan,
    chebyshev,
    cos,
    erf,
    exp,
    expm1,
    log,
    log1p,
    nearest,
    power,
    rounded,
    sigmoid,
    sin,
    softplus,
    sqrt,
    tanh,
)
from benchmarks.families import FAMILIES, WITHOUT, family
from benchmarks.functions import REACH, draw, dtype_of, epsilon
from benchmarks.keeping import Kept

try:
    import ml_dtypes  # noqa: F401
except ImportError:
    DTYPES = [name for name in REACH if name != "bfloat16"]
else:
    DTYPES = list(REACH)

# an expression, its derivative by hand, and points
BY_HAND = {
    "add": (X + X * 3.0, lambda x: 4, [0.3, -1e8]),
    "subtract": (2.0 - X, lambda x: -1, [0.3]),
    "multiply": (X * sin(X), lambda x: mp.sin(x) + x * mp.cos(x), [0.3, 1e3]),
    "divide": (1.0 / (X - 0.5), lambda x: -1 / (x - mp.mpf("0.5")) ** 2, [0.3, 0.5000001]),
    "negative": (-exp(X), lambda x: -mp.exp(x), [0.3, -700.0]),
    "integer power": (X**5, lambda x: 5 * x**4, [0.3, 0.0, -2.0]),
    "power": (power(X, 0.25), lambda x: 1 / (4 * mp.root(x, 4) ** 3), [0.3, 1e-8]),
    "exp": (exp(2.0 * X), lambda x: 2 * mp.exp(2 * x), [0.3, 300.0]),
    "expm1": (expm1(X), mp.exp, [0.3, 1e-8]),
    "log": (log(X), lambda x: 1 / x, [0.3, 1e-8]),
    "log1p": (log1p(X), lambda x: 1 / (1 + x), [0.3, -0.9999999]),
    "sqrt": (sqrt(X), lambda x: 1 / (2 * mp.sqrt(x)), [0.3, 1e-8]),
    "sin": (sin(1000.0 * X), lambda x: 1000 * mp.cos(1000 * x), [0.3, 0.0]),
    "cos": (cos(X), lambda x: -mp.sin(x), [0.3, 0.0]),
    "tanh": (tanh(X), lambda x: mp.sech(x) ** 2, [0.3, -300.0]),
    "arctan": (arctan(X), lambda x: 1 / (1 + x**2), [0.3, 1e8]),
    "arcsin": (arcsin(X), lambda x: 1 / mp.sqrt((1 - x) * (1 + x)), [0.3, 0.99999999]),
    "sigmoid": (sigmoid(X), lambda x: 1 / (4 * mp.cosh(x / 2) ** 2), [0.3, 40.0, -40.0]),
    "softplus": (softplus(X), lambda x: (1 + mp.tanh(x / 2)) / 2, [0.3, 40.0, -2.0]),
    "erf": (erf(X), lambda x: 2 * mp.exp(-(x**2)) / mp.sqrt(mp.pi), [0.3, 5.0]),
    "chebyshev": (chebyshev(X, 7), lambda x: 7 * mp.chebyu(6, x), [0.3, 1.0, 1.5]),
    "rounded": (rounded(sin(X), 3), mp.cos, [0.3]),
}


def test_every_operation_is_differentiated_by_hand():
    assert set(BY_HAND) == set(IN_NUMPY)


@pytest.mark.parametrize("op", BY_HAND)
def test_derivative_is_the_closed_form_rounded_once(op):
    expression, closed, points = BY_HAND[op]
    for x in points:
        with mp.workdps(200):
            wanted = nearest(mp.mpf(closed(mp.mpf(x))))
        assert Tape(expression, np.float64).derivative(np.float64(x)) == wanted


@pytest.mark.parametrize("op", BY_HAND)
def test_dtype_value_is_the_exact_value_rounded(op):
    expression, _, points = BY_HAND[op]
    for dtype in (np.float64, np.float32, np.longdouble):
        tape, x = Tape(expression, dtype), dtype(points[0])
        exact = tape.dual(x, 60).values[-1]
        slack = 1e-3 if op == "rounded" else 8 * float(np.finfo(dtype).eps) * max(abs(float(exact)), 1)
        assert abs(expressions.exact(tape(x)) - exact) <= slack


def test_an_error_function_of_long_doubles_saturates_as_others_do():
    function = expressions.IN_NUMPY["erf"]
    np.testing.assert_array_equal(
        function(np.array([-np.inf, np.inf, np.nan], np.longdouble)), [-1, 1, np.nan]
    )
    assert function(np.longdouble(0.5)).dtype == np.longdouble


@pytest.mark.parametrize("name", FAMILIES)
def test_derivative_is_that_of_mpmath_diff(name):
    # carried with 120 digits: mp.diff halves them, and 40 are left after the worst scales (1e-8 ... 1e8)
    for seed in range(5):
        problem = draw(seed, name)
        with mp.workdps(120):
            difference = mp.diff(lambda t, f=problem.f: f.forward(t)[0][-1], expressions.exact(problem.x))
            unit = mp.mpf(float(np.spacing(abs(problem.derivative))))
            assert (
                abs(difference - mp.mpf(problem.derivative)) <= unit / 2 + abs(difference) * mp.mpf(10) ** -25
            )


@pytest.mark.parametrize("dtype", DTYPES)
def test_value_is_within_the_noise_that_the_problem_states(dtype):
    # noise counts one unit in the last place an operation; libraries may take four for a transcendental one
    for seed in range(3 * len(FAMILIES)):
        problem = draw(seed, dtype=dtype)
        exact = problem.f.dual(problem.x, 60).values[-1]
        assert abs(expressions.exact(problem.f(problem.x)) - exact) <= 4 * problem.noise, problem


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_arithmetic_stays_in_the_dtype(dtype):
    kind = dtype_of(dtype)
    for seed in range(3 * len(FAMILIES)):
        problem = draw(seed, dtype=dtype)
        assert problem.x.dtype == kind
        with np.errstate(all="ignore"):
            assert {np.asarray(v).dtype for v in problem.f.run(problem.x)} == {kind}
            array = problem.f(np.full((2, 3), problem.x))
        assert array.dtype == kind
        assert array.shape == (2, 3)


def test_float32_is_rounded_after_every_operation():
    x = np.float32(0.3)
    tape = Tape((X + 1e4) - 1e4, np.float32)
    assert tape(x) == (x + np.float32(1e4)) - np.float32(1e4) != x
    assert Tape(0.1 * X, np.float32).derivative(x) == float(np.float32(0.1))


def test_complex_argument_gives_the_complex_step():
    problem = draw(0, "composition")
    step = problem.f(problem.x + 1e-30j).imag / 1e-30
    assert step == pytest.approx(problem.derivative, rel=1e-10)
    assert problem.f(problem.x + 0j).dtype == np.complex128


def test_same_seed_gives_the_same_problem_and_another_seed_another():
    for name in FAMILIES:
        first, again, other = draw(7, name), draw(7, name), draw(8, name)
        assert (first.name, first.x, first.derivative) == (again.name, again.x, again.derivative)
        assert name == "constant" or (first.name, first.x) != (other.name, other.x)


def test_seeds_take_the_families_in_turn():
    assert [draw(seed).family for seed in range(len(FAMILIES))] == list(FAMILIES)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_drawn_in_every_dtype(name, dtype):
    problem = draw(1, name, dtype)
    assert (problem.family, problem.dtype) == (name, dtype)
    assert np.isfinite(float(problem.f(problem.x)))
    assert np.isfinite(problem.derivative)
    assert problem.domain[0] < float(problem.x) < problem.domain[1]


def drawn(name, count=60):
    return [draw(seed, name) for seed in range(count)]


def test_families_are_what_they_are_called():
    assert all(p.derivative == 0 for p in drawn("constant") + drawn("even"))
    assert max(abs(p.derivative) for p in drawn("aliasing")) > 100
    assert all(p.x == 0 or "x" in p.name for p in drawn("at zero"))
    assert min(abs(float(p.x)) for p in drawn("huge")) > 1e7
    assert any(abs(p.x) == 1e-8 for p in drawn("tiny"))
    assert all(float(p.x).is_integer() for p in drawn("integer point"))
    assert all("rounded" in p.name for p in drawn("noisy"))
    assert any(min(p.x - p.domain[0], p.domain[1] - p.x) < 1e-6 for p in drawn("domain end"))


def inner_scales(f):
    """The constants that multiply x, or x less a constant."""
    entries = f.entries
    for entry in entries:
        if entry.op == "multiply" and entries[entry.operands[0]].op == "constant":
            inside = entries[entry.operands[1]]
            if inside.op == "x" or (inside.op == "subtract" and entries[inside.operands[0]].op == "x"):
                yield abs(float(entries[entry.operands[0]].parameter))


def test_scales_reach_eight_decades_either_way():
    problems = [draw(seed) for seed in range(600)]
    scales = [c for p in problems for c in inner_scales(p.f)]
    slopes = [abs(p.derivative) for p in problems if p.derivative]
    values = [abs(float(p.f(p.x))) for p in problems if p.f(p.x)]
    for found in (scales, slopes, values):
        assert min(found) < 1e-7
        assert max(found) > 1e7


# f, x, whether the dtype resolves f at x
HIDDEN = {
    "offset of 1e8 in float64": (sin(X) + 1e8, np.float64(1), True),
    "offset of 1e8 in float32": (sin(X) + 1e8, np.float32(1), False),
    "ripple above the rounding": (sin(X) + 1e-6 * sin(1000.0 * X), np.float64(1), True),
    "ripple below the rounding": (sin(X) + 1e-16 * sin(1e6 * X), np.float64(1), False),
    "fast beside huge": (1e8 * tanh(X) + 1e-8 * sin(1000.0 * X), np.float64(1), False),
    "wave shorter than a unit of x": (sin(1000.0 * X), np.float32(1e8), False),
    "saturated": (tanh(X), np.float64(30), True),
    "constant": (X * 0.0 + 3.0, np.float32(1), True),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_what_rounding_hides_is_not_drawn(case):
    from benchmarks.functions import _View

    expression, x, resolved = HIDDEN[case]
    tape = Tape(expression, x.dtype)
    if resolved:
        _View(tape, x)
    else:
        with pytest.raises(ValueError, match="not resolved"):
            _View(tape, x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: family("wavelet"),
            r"no family of functions has this name\n  name = 'wavelet'\n  wanted one of poly",
        ),
        (lambda: draw(0, "wavelet"), r"no family of functions"),
        (
            lambda: draw(0, dtype="int8"),
            r"not drawn in this dtype\n  dtype = 'int8'\n  wanted one of float64",
        ),
        (lambda: Tape(X + 1e39, np.float32), r"the constant 1e\+39 overflows float32"),
        (lambda: expressions.exact(np.inf), r"inf is not finite"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_epsilon_is_the_spacing_at_one():
    for dtype in (np.float16, np.float32, np.float64, np.longdouble):
        assert epsilon(np.dtype(dtype)) == float(np.finfo(dtype).eps)


def test_nearest_rounds_where_truncation_would_not():
    with mp.workdps(60):
        assert nearest(mp.mpf(1) - mp.mpf(10) ** -40) == 1.0
        assert nearest(mp.mpf(2) ** -53 * mp.mpf("1.5") + 1) == 1.0 + 2.0**-52


# ---- the study


def honest(f, x):
    """The truth, which the function carries, give or take a millionth."""
    truth = f.function.derivative(x)
    return Answer(truth * (1 + 1e-7), abs(truth) * 1e-6)


def liar(f, x):
    """The same, with a bound a thousand times too small for every third point."""
    answer = honest(f, x)
    return replace(answer, bound=answer.bound / 1000) if int(abs(answer.value) * 1e6) % 3 == 0 else answer


def silent(f, x):
    return Answer(np.nan, np.inf)


def broken(f, x):
    f(x)
    raise FloatingPointError("two\nlines")


STAND_INS = {"honest": honest, "liar": liar, "silent": silent, "broken": broken}


@pytest.fixture
def stand_ins(monkeypatch):
    for name, answer in STAND_INS.items():
        monkeypatch.setitem(DIFFERENTIATORS, name, Differentiator(name, answer, "bound", own=True))
    (option,) = (option for option in main.params if option.name == "probes")
    monkeypatch.setattr(option.type, "choices", list(DIFFERENTIATORS))


def outcomes_of(*probes, count=150, jobs=1, **options):
    return [o for part in study(count, probes=probes, jobs=jobs, **options) for o in part]


def row_of(probe):
    (row,) = summarise(outcomes_of(probe), total="all")
    return row


@pytest.mark.usefixtures("stand_ins")
def test_honest_bounds_cover_everything_and_lies_are_counted():
    assert row_of("honest").coverage == 1.0
    assert row_of("honest").tightness == pytest.approx(10, rel=0.5)
    assert row_of("honest").relative_bound == pytest.approx(1e-6, rel=1e-3)
    lies = row_of("liar")
    assert 0.5 < lies.coverage < 0.9
    assert lies.violations == round((1 - lies.coverage) * lies.count) > 0


@pytest.mark.usefixtures("stand_ins")
def test_silence_is_no_lie_but_of_no_use_and_an_error_is_counted():
    assert (row_of("silent").coverage, row_of("silent").useless) == (1.0, 1.0)
    assert (row_of("broken").errors, row_of("broken").useless) == (150, 1.0)
    assert row_of("broken").evaluations == 1


@pytest.mark.usefixtures("stand_ins")
def test_a_violation_is_listed_with_the_call_that_draws_it():
    lies = [o for o in outcomes_of("liar") if not o.holds]
    lines = complaints(lies)
    assert len(lines) == len(lies) > 0
    for line, lie in zip(lines, lies, strict=True):
        again = draw(lie.seed, lie.family, lie.dtype)
        assert line.startswith(
            f'draw({lie.seed}, "{lie.family}", "float64")  liar: truth {again.derivative:.17g}'
        )
        assert f"> bound {lie.bound:.2e}" in line
        assert line.endswith(f"f = {again.name}")
    assert "FloatingPointError: two lines" in complaints(outcomes_of("broken", count=1))[0]


@pytest.mark.usefixtures("stand_ins")
def test_what_has_a_slope_to_find_has_a_total_of_its_own():
    outcomes = outcomes_of("honest", count=2 * len(FAMILIES))
    every, smooth = totals_of(outcomes)
    assert (every.family, every.count) == ("all", 2 * len(FAMILIES))
    assert (smooth.family, smooth.count) == ("smooth", 2 * (len(FAMILIES) - len(WITHOUT)))
    assert set(WITHOUT) < set(FAMILIES)
    assert [r.family for r in totals_of([o for o in outcomes if o.family not in WITHOUT])] == ["all"]


@pytest.mark.usefixtures("stand_ins")
def test_a_row_for_every_family_and_dtype_and_the_true_error_is_at_least_a_unit():
    rows = summarise(outcomes_of("honest", "silent", dtypes=("float64", "float32"), count=2 * len(FAMILIES)))
    assert len(rows) == 2 * 2 * len(FAMILIES)
    assert [r.family for r in rows[:4]] == ["polynomial", "polynomial", "rational", "rational"]
    assert {r.count for r in rows} == {2}
    exact = replace(outcomes_of("honest", count=1)[0], value=2.0, truth=2.0, bound=1e-12)
    assert exact.looseness == 1e-12 / np.spacing(2.0)


@pytest.mark.usefixtures("stand_ins")
def test_table_never_rounds_coverage_up_to_all():
    row = replace(row_of("honest"), coverage=1 - 1e-7, violations=1)
    console = Console(width=calibration.WIDTH, file=io.StringIO())
    console.print(table([row, row_of("honest")], "title"))
    text = console.file.getvalue()
    assert "99.999 %" in text
    assert "100 %" in text
    assert all(column in text for column in calibration.COLUMNS)


def test_processes_do_not_change_the_outcomes():
    probe = "central, torch"
    two, one = outcomes_of(probe, count=250, jobs=2), outcomes_of(probe, count=250)
    assert list(map(repr, two)) == list(map(repr, one))  # nan is not equal to itself


def test_evaluations_count_points():
    problem = draw(0, "saturation")
    assert examine(problem, "central, torch").evaluations == 2
    assert examine(problem, "scipy.differentiate").evaluations >= 9


def test_central_differences_are_those_of_the_checkers():
    x = np.float64(1.0)
    torch, jax = torch_default(np.exp, x), jax_default(np.exp, x)
    e = np.exp(1.0)
    # h**2 / 6 of truncation, and the rounding of two values over 2h
    assert torch.value == pytest.approx(e, abs=e * (1e-12 / 6 + 2.0**-52 / 1e-6))
    assert jax.value == pytest.approx(e * (1 + 1e-8 / 6), rel=2.0**-52 / 1e-4)
    assert torch.bound == pytest.approx(1e-5 + 1e-3 * e)
    assert jax.bound == pytest.approx(1e-5 + 1e-5 * e)
    assert jax_default(np.exp, np.float32(1)).bound == pytest.approx(2e-3 * (1 + e), rel=1e-2)


@pytest.mark.usefixtures("stand_ins")
def test_command_writes_json_and_fails_where_a_bound_of_ours_does(tmp_path):
    def call(*probes):
        asked = [part for probe in probes for part in ("--probe", probe)]
        wanted = [
            "--count",
            "60",
            "--jobs",
            "1",
            "--dtype",
            "float64",
            "--json",
            str(tmp_path / "report.json"),
        ]
        return CliRunner().invoke(main, [*wanted, *asked])

    good, bad = call("honest", "central, torch"), call("honest", "liar")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (good.exit_code, bad.exit_code) == (0, 1), good.output + bad.output
    assert "draw(" in bad.output
    assert "draw(" not in good.output
    assert report["schema"] == "gradcheck/calibration/1"
    assert {v["probe"] for v in report["violations"]} == {"liar"}
    assert [(t["family"], t["count"]) for t in report["totals"]][::2] == [("all", 60), ("smooth", 52)]


# ---- the judgement


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_bounds_of_the_spectral_probe_hold(dtype):
    outcomes = outcomes_of("spectral", count=12 * len(FAMILIES), dtypes=(dtype,))
    assert complaints(outcomes) == []


def test_bounds_a_hundredth_as_large_would_not_hold():
    outcomes = outcomes_of("spectral", count=12 * len(FAMILIES))
    assert complaints(replace(o, bound=o.bound / 100) for o in outcomes)


# ---- in several sittings


SETTINGS = {"seed": 0, "probes": ["central, torch"], "families": [], "chunk": calibration.CHUNK}


def test_what_is_kept_is_not_asked_again(tmp_path, monkeypatch):
    probe, path = "central, torch", tmp_path / "study.db"
    once = outcomes_of(probe, count=250)
    kept = Kept(path, SETTINGS)
    chunks = study(250, probes=[probe], kept=kept)
    next(chunks)
    chunks.close()
    kept.close()
    asked = []
    monkeypatch.setattr(calibration, "chunk", lambda seeds, *rest: asked.append(seeds) or chunk(seeds, *rest))
    kept = Kept(path, SETTINGS)
    again = outcomes_of(probe, count=250, kept=kept)
    assert list(map(repr, again)) == list(map(repr, once))
    assert asked == [range(200, 250)]
    assert outcomes_of(probe, count=250, kept=kept, jobs=2)[-1].seed == 249  # nothing is left to be asked
    kept.close()


def test_a_file_of_another_study_is_refused(tmp_path):
    Kept(tmp_path / "study.db", SETTINGS).close()
    with pytest.raises(
        ValueError, match=r"the file holds another study\n  seed = 0, now 7\n  go on with the same"
    ):
        Kept(tmp_path / "study.db", SETTINGS | {"seed": 7})
    (tmp_path / "note.txt").write_text("no database" * 100)
    found = CliRunner().invoke(main, ["--count", "1", "--keep", str(tmp_path / "note.txt")])
    assert found.exit_code == 2
    assert "the file is none that a study was kept in" in found.output


@pytest.mark.usefixtures("stand_ins")
def test_a_study_that_is_cut_short_says_so_and_goes_on(tmp_path, monkeypatch):
    call = [
        *("--count", "450", "--jobs", "1", "--dtype", "float64", "--probe", "honest", "--totals"),
        *("--keep", str(tmp_path / "study.db")),
    ]
    asked = []

    def twice(seeds, *rest):
        asked.append(seeds)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return chunk(seeds, *rest)

    monkeypatch.setattr(calibration, "chunk", twice)
    first, second = CliRunner().invoke(main, call), CliRunner().invoke(main, call)
    assert (first.exit_code, second.exit_code) == (3, 0), first.output + second.output
    assert "cut short after 400 answers, kept in" in first.output
    assert "cut short" not in second.output
    assert asked[3:] == [range(400, 450)]


def test_what_is_not_asked_is_said(monkeypatch):
    outcomes = outcomes_of(
        "central, torch", count=60, dtypes=("bfloat16",) if "bfloat16" in DTYPES else ("float16",)
    )
    (line,) = calibration.unasked(outcomes)
    count = sum(len(draw(seed, dtype=outcomes[0].dtype).redrawn) for seed in range(60))
    assert count > 0
    assert f"60 functions asked, {count} drawn and not asked: " in line
    assert "not resolved by the dtype" in line
    monkeypatch.setattr(calibration.importlib.util, "find_spec", lambda name: None)
    told = calibration.absent()
    assert "left out: numdifftools, which needs numdifftools (pip install 'gradcheck[calibration]')" in told
    assert any(line.startswith("left out: bfloat16, which needs ml_dtypes") for line in told)
    assert "bfloat16" not in calibration.here()


@pytest.mark.parametrize("probe", ["complex step", "differences", "one-sided"])
def test_the_other_probes_hold_what_they_say_but_for_few(probe):
    outcomes = outcomes_of(probe, count=5 * len(FAMILIES))
    assert sum(not o.holds for o in outcomes) <= len(outcomes) // 50
    assert sum(o.useful for o in outcomes) > len(outcomes) // 2
    assert not [o for o in outcomes if o.error]
