import json
import types
from dataclasses import replace

import numpy as np
import pytest

import gradcheck.strategies.drawing
from gradcheck.case import Case
from gradcheck.certificate import Certificate, gravest
from gradcheck.certify import certify, prepare, settled
from gradcheck.implementation import implements
from gradcheck.importing import TargetError
from gradcheck.operation import Convention, Input, Operation, Turn, UnknownOperation
from gradcheck.strategies import cases, sizes
from gradcheck.translation import NotOffered
from gradcheck.verdict import Check, Verdict

WRONG = 1e-4


def naive_scale(x, a, *, power):
    return a * x**power


def draw_case(draw):
    return scale_case(draw(sizes(1, 6)), draw(sizes(1, 2)))


def scale_case(size, power):
    kind = "integers" if power == 1 else "gaussian"
    return Case({"x": (size,), "a": ()}, {"power": power}, kind, regimes=frozenset({f"power {power}"}))


SWAPPED = Turn(lambda array, options: -array, lambda array, options: -array)
SCALE = Operation(
    "scale",
    "",
    (Input("x", ("N",), ""), Input("a", (), "")),
    naive_scale,
    cases(draw_case),
    edges=(scale_case(1, 1), scale_case(5, 2)),
    linear_in=lambda options: ("x", "a") if options["power"] == 1 else (),
    conventions={"sign": {"plus": Convention(""), "minus": Convention("", {"a": SWAPPED})}},
)
NEGATE = Operation(
    "negate",
    "",
    (Input("x", ("N",), ""),),
    np.negative,
    cases(lambda draw: Case({"x": (draw(sizes(1, 4)),)})),
)
CATALOGUE = {"scale": SCALE, "negate": NEGATE}


class Scale:
    @staticmethod
    def forward(x, a, *, power):
        return a * x**power

    @staticmethod
    def vjp(cotangent, x, a, *, power):
        return power * cotangent * a * x ** (power - 1), np.sum(cotangent * x**power)


def stand_in(f, vjp, inputs, *, seed, linear_in, names, only=None):
    """A judge for these polynomials: the central difference is right but for rounding, taken large."""
    rng = np.random.default_rng(seed)
    cotangent = rng.standard_normal(np.shape(f(*inputs)))
    gradients = vjp(cotangent, *inputs)
    parts = [
        part(f, inputs, i, gradient, cotangent, rng, i in linear_in, names[i])
        for i, gradient in enumerate(gradients)
        if only is None or i in only
    ]
    return Check(gravest(each.verdict for each in parts), "", "", 0.0, 0.0, "", parts=tuple(parts))


def part(f, inputs, i, gradient, cotangent, rng, linear, name):
    evidence, resolution = ("exact", 0.0) if linear else ("spectral", WRONG)
    if gradient is None:
        return Check(Verdict.INCONCLUSIVE, name, "", np.inf, 1.0, "not offered")
    direction = rng.standard_normal(inputs[i].shape)

    def moved(t):
        return np.sum(cotangent * f(*[x + t * direction * (j == i) for j, x in enumerate(inputs)]))

    numeric, analytic = (moved(0.5) - moved(-0.5)), np.sum(gradient * direction)
    right = abs(numeric - analytic) <= WRONG * (abs(numeric) + abs(analytic)) + 1e-9
    zero = not np.any(gradient)
    verdict = Verdict.PASS if right else Verdict.FAIL
    return Check(
        verdict, name, evidence, resolution, 1e-3, "" if right else "they differ", zero_everywhere=zero
    )


def run(target=None, operations=("scale",), **options):
    given = types.SimpleNamespace(scale=Scale) if target is None else target
    return certify(given, operations, catalogue=CATALOGUE, judge=stand_in, **({"examples": 12} | options))


def changed(**parts):
    right = {"forward": Scale.forward, "vjp": Scale.vjp}
    return types.SimpleNamespace(scale=types.SimpleNamespace(**(right | parts)))


def rows(certificate):
    return {result.input: result for result in certificate.results}


def test_a_right_implementation_passes_in_every_row():
    found = run()
    assert found.verdict is Verdict.PASS
    assert [result.input for result in found.results] == ["forward", "x", "a"]
    assert found.exit_status == 0
    assert found.complete


def test_a_row_names_its_kinds_of_evidence_and_counts_them():
    row = rows(run())["x"]
    assert row.evidence == "exact+spectral"
    assert sum(row.evidence_cases.values()) == row.cases == 12
    assert row.resolution == WRONG
    assert row.miss_probability == 1e-3


def test_the_same_seed_gives_the_same_certificate_but_for_times_and_another_seed_another():
    def timeless(certificate):
        data = json.loads(certificate.to_json())
        return {
            name: value for name, value in data.items() if name not in ("created", "seconds", "environment")
        }

    wrong = changed(vjp=lambda c, x, a, power: (c * a, np.sum(c * x)))
    assert timeless(run(wrong)) == timeless(run(wrong))
    assert timeless(run(wrong))["results"] != timeless(run(wrong, seed=1))["results"]


def test_the_edges_are_always_judged_and_the_regimes_counted():
    seen = []

    def vjp(cotangent, x, a, *, power):
        seen.append((x.size, power))
        return Scale.vjp(cotangent, x, a, power=power)

    found = run(changed(vjp=vjp), examples=2)
    assert set(seen) >= {(1, 1), (5, 2)}
    assert {size for size, power in seen if power == 1} == {1}
    assert found.coverage == {"scale": {"power 1": 1, "power 2": 1}}


def test_a_wrong_gradient_fails_its_own_row_alone_in_the_smallest_case():
    def vjp(cotangent, x, a, *, power):
        right = Scale.vjp(cotangent, x, a, power=power)
        return (right[0][::-1] if power == 2 and x.size > 2 else right[0]), right[1]

    found = run(changed(vjp=vjp), examples=20)
    assert {name: str(row.verdict) for name, row in rows(found).items()} == {
        "forward": "pass",
        "x": "fail",
        "a": "pass",
    }
    worst = rows(found)["x"].worst
    assert worst["case"]["shapes"] == {"x": [3], "a": []}
    assert worst["case"]["options"] == {"power": 2}
    assert "they differ (fail in " in rows(found)["x"].reason
    assert found.exit_status == 1


def test_a_wrong_forward_fails_first_and_a_gradient_that_fits_it_is_that_of_the_wrong_function():
    wrong = changed(
        forward=lambda x, a, power: a * x**power + a,
        vjp=lambda c, x, a, power: (power * c * a * x ** (power - 1), np.sum(c * (x**power + 1))),
    )
    found = run(wrong)
    assert [str(result.verdict) for result in found.results] == ["fail", "pass", "fail"]
    assert found.results[0].input == "forward"
    assert "differs from the naive one" in found.results[0].reason
    said = "right gradient of the wrong function: of its own forward, which is wrong; they differ (fail in "
    assert rows(found)["a"].reason.startswith(said)
    assert rows(found)["x"].notes == ()  # the same for both functions
    assert rows(found)["forward"].diagnosis is None


def test_a_right_gradient_beside_a_wrong_forward_passes_and_says_whose_fault_it_is():
    found = run(changed(forward=lambda x, a, power: a * x ** (power + 1)))
    assert [str(result.verdict) for result in found.results] == ["fail", "pass", "pass"]
    said = ("right gradient of the right function; its forward is wrong (in 12 of 12 cases)",)
    assert rows(found)["x"].notes == rows(found)["a"].notes == said
    alone = "its gradients are those of the operation: the mistake is in the forward alone"
    assert rows(found)["forward"].diagnosis == alone
    assert found.exit_status == 1


def test_a_consistent_pair_of_another_function_is_told_in_the_forward_s_row_as_well():
    wrong = changed(
        forward=lambda x, a, power: 2 * a * x**power,
        vjp=lambda c, x, a, power: tuple(2 * g for g in Scale.vjp(c, x, a, power=power)),
    )
    found = run(wrong)
    assert [str(result.verdict) for result in found.results] == ["fail", "fail", "fail"]
    assert rows(found)["forward"].diagnosis.startswith(
        "the gradients are those of this forward: both compute"
    )


def test_a_gradient_of_neither_function_says_so():
    wrong = changed(
        forward=lambda x, a, power: 2 * a * x**power, vjp=lambda c, x, a, power: (3 * c, np.sum(c) * 5)
    )
    row = rows(run(wrong))["x"]
    assert row.verdict is Verdict.FAIL
    assert row.notes[0].startswith("nor is it the gradient of its own forward, which is wrong (in ")


@pytest.mark.parametrize(
    ("forward", "verdict", "reason"),
    [
        (lambda x, a, power: None, "fail", "the forward returned None, wanted real floating numbers"),
        (lambda x, a, power: 1j * x, "fail", "the forward returned dtype complex128, wanted real"),
        (lambda x, a, power: (a * x**power)[None], "fail", "the forward has shape (1, "),
        (lambda x, a, power: "no", "fail", "the forward returned dtype <U2, wanted real floating numbers"),
        (lambda x, a, power: 1 / 0, "error", "the forward raised ZeroDivisionError: division by zero"),
    ],
    ids=["None", "complex", "shape", "text", "raises"],
)
def test_a_forward_without_a_usable_output_leaves_the_gradient_to_the_naive_one(forward, verdict, reason):
    found = run(changed(forward=forward))
    assert [str(result.verdict) for result in found.results] == [verdict, "pass", "pass"]
    assert reason in rows(found)["forward"].reason
    assert rows(found)["x"].notes[0].startswith("right gradient of the right function; its forward is wrong")


def test_a_vjp_without_a_forward_is_judged_against_the_naive_one():
    found = run(types.SimpleNamespace(scale=types.SimpleNamespace(vjp=Scale.vjp)))
    assert [result.input for result in found.results] == ["x", "a"]
    assert [(each.operation, each.input) for each in found.not_offered] == [("scale", "forward")]
    assert found.verdict is Verdict.PASS
    wrong = types.SimpleNamespace(scale=types.SimpleNamespace(vjp=lambda c, x, a, power: (c, np.sum(c))))
    assert run(wrong).verdict is Verdict.FAIL


def test_what_is_not_offered_is_listed_and_counted_and_has_no_row():
    found = run(types.SimpleNamespace(scale=types.SimpleNamespace(forward=Scale.forward)), None)
    missing = [(each.operation, each.input) for each in found.not_offered]
    assert missing == [("scale", "x"), ("scale", "a"), ("negate", "forward"), ("negate", "x")]
    assert found.counts["not_offered"] == 4
    assert [result.input for result in found.results] == ["forward"]


def test_a_gradient_of_none_is_not_offered():
    found = run(changed(vjp=lambda c, x, a, power: (Scale.vjp(c, x, a, power=power)[0], None)))
    assert [each.input for each in found.not_offered] == ["a"]
    assert [result.input for result in found.results] == ["forward", "x"]


def test_options_that_the_target_declines_are_counted_as_not_offered():
    def declines(cotangent, x, a, *, power):
        if power == 2:
            raise NotOffered("only straight lines")
        return Scale.vjp(cotangent, x, a, power=power)

    row = rows(run(changed(vjp=declines)))["x"]
    assert row.verdict is Verdict.PASS
    assert row.evidence == "exact"
    assert row.not_offered_cases == 12 - row.cases > 0


def test_a_target_that_raises_is_an_error_and_the_rest_goes_on():
    def raises(cotangent, x, a, *, power):
        raise ZeroDivisionError("by nothing")

    target = types.SimpleNamespace(
        scale=types.SimpleNamespace(forward=Scale.forward, vjp=raises),
        negate=types.SimpleNamespace(forward=np.negative, vjp=lambda c, x: -c),
    )
    found = run(target, None)
    verdicts = {(result.operation, result.input): str(result.verdict) for result in found.results}
    assert verdicts["scale", "x"] == verdicts["scale", "a"] == "error"
    assert verdicts["scale", "forward"] == verdicts["negate", "forward"] == "pass"
    assert "the vjp raised ZeroDivisionError: by nothing (error in 12 of 12 cases)" in rows(found)["a"].reason
    assert found.exit_status == 3


def test_a_fault_of_the_judge_is_an_error_of_its_row():
    def broken(*arguments, **options):
        raise OverflowError("too far")

    found = certify(
        types.SimpleNamespace(scale=Scale), ["scale"], catalogue=CATALOGUE, judge=broken, examples=3
    )
    assert rows(found)["x"].verdict is Verdict.ERROR
    assert "the judge raised OverflowError: too far" in rows(found)["x"].reason


def test_a_fault_of_no_single_input_has_a_row_of_its_own():
    def conduct(f, vjp, inputs, **options):
        check = stand_in(f, vjp, inputs, **options)
        return Check(Verdict.FAIL, "", "", 0.0, 0.0, "not linear in the cotangent", parts=check.parts)

    found = certify(
        types.SimpleNamespace(scale=Scale), ["scale"], catalogue=CATALOGUE, judge=conduct, examples=3
    )
    assert {name: str(row.verdict) for name, row in rows(found).items()} == {
        "forward": "pass",
        "x": "pass",
        "a": "pass",
        "conduct": "fail",
    }


def test_a_gradient_that_is_zero_everywhere_passes_and_says_so():
    nothing = types.SimpleNamespace(forward=lambda x: np.zeros(x.shape), vjp=lambda c, x: np.zeros(x.shape))
    catalogue = {"negate": replace(NEGATE, forward=nothing.forward)}
    found = certify(types.SimpleNamespace(negate=nothing), catalogue=catalogue, judge=stand_in, examples=4)
    row = rows(found)["x"]
    assert row.verdict is Verdict.PASS
    assert row.zero_everywhere
    assert row.reason == "zero everywhere probed, in all 4 cases: proves little"


def test_an_input_that_no_case_reached_is_inconclusive():
    lonely = Operation(
        "scale", "", (*SCALE.inputs, Input("z", (), "")), naive_scale, SCALE.cases, linear_in=SCALE.linear_in
    )
    found = certify(
        types.SimpleNamespace(scale=Scale), catalogue={"scale": lonely}, judge=stand_in, examples=3
    )
    assert rows(found)["z"].verdict is Verdict.INCONCLUSIVE
    assert rows(found)["z"].reason == "no case reached this input: more examples are needed"
    assert found.exit_status == 3


def test_conventions_are_translated():
    @implements("scale", sign="minus")
    class Mine:
        @staticmethod
        def forward(x, a, *, power):
            return -a * x**power

        @staticmethod
        def vjp(cotangent, x, a, *, power):
            return -power * cotangent * a * x ** (power - 1), -np.sum(cotangent * x**power)

    assert run(Mine).verdict is Verdict.PASS
    assert run(types.SimpleNamespace(scale=Mine)).verdict is Verdict.PASS


def interrupted_after(count):
    calls = []

    def vjp(cotangent, x, a, *, power):
        calls.append(power)
        if len(calls) > count:
            raise KeyboardInterrupt
        return Scale.vjp(cotangent, x, a, power=power)

    return changed(vjp=vjp)


def test_an_interrupted_run_keeps_what_is_done_and_is_no_pass():
    found = run(interrupted_after(20))
    assert not found.complete
    assert 0 < rows(found)["x"].cases < 12
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.exit_status == 3
    assert found.not_offered == ()


def test_an_interruption_before_anything_is_inconclusive():
    found = run(interrupted_after(0))
    assert found.results == ()
    assert found.exit_status == 3


def test_an_interrupted_run_that_failed_before_is_a_fail():
    def vjp(cotangent, x, a, *, power):
        if power == 2:
            raise KeyboardInterrupt
        return cotangent, np.sum(cotangent)

    found = run(changed(vjp=vjp))
    assert (found.verdict, found.exit_status) == (Verdict.FAIL, 1)


def test_progress_is_told_before_each_case_and_at_the_end():
    told = []
    run(progress=lambda *state: told.append(state), examples=3)
    assert told == [(0, 3, "scale"), (1, 3, "scale"), (2, 3, "scale"), (3, 3, "")]


def test_an_unknown_operation_and_a_useless_target_are_refused():
    with pytest.raises(UnknownOperation, match="'scal'"):
        run(operations=["scal"])
    with pytest.raises(TargetError) as caught:
        run(operations=["negate"])
    assert str(caught.value).splitlines() == [
        "certify: SimpleNamespace offers none of what is asked",
        "  asked = negate",
        "  offered = scale",
    ]


@pytest.mark.parametrize(("examples", "seed"), [(0, 0), (1, -1)])
def test_numbers_out_of_range_are_refused(examples, seed):
    with pytest.raises(ValueError, match="the numbers of the run are out of range") as caught:
        run(examples=examples, seed=seed)
    assert str(caught.value).splitlines()[1:] == [
        f"  examples = {examples}, seed = {seed}",
        "  wanted examples >= 1 and seed >= 0",
    ]


def test_the_certificate_knows_its_environment_and_the_target_its_version():
    target = types.SimpleNamespace(scale=Scale, __version__="9.1")
    found = run(target, examples=1)
    assert found.environment["target"] == "9.1"
    assert found.environment["numpy"] == np.__version__
    assert isinstance(found, Certificate)


def test_a_row_is_judged_alone_as_among_the_others():
    target = changed(vjp=lambda c, x, a, power: (power * c * a * x ** (power - 1), np.sum(c * x) * 2))

    def judged(**options):
        found = certify(target, ["scale"], catalogue=CATALOGUE, examples=4, **options)
        return {result.input: result for result in found.results}

    whole = judged()
    assert {name: str(row.verdict) for name, row in whole.items()} == {
        "forward": "pass",
        "x": "pass",
        "a": "fail",
    }
    for name in whole:
        assert judged(inputs=[name]) == {name: whole[name]}
    assert judged(inputs=["a", "x"]) == {name: whole[name] for name in ("x", "a")}


def test_settled_cases_are_drawn_no_more(monkeypatch):
    whole = run(examples=12).results
    fixed = settled(SCALE, examples=12)
    monkeypatch.setattr(gradcheck.strategies.drawing, "_drawn", None)
    found = certify(
        types.SimpleNamespace(scale=Scale),
        examples=12,
        judge=stand_in,
        catalogue={"scale": fixed},
        inputs=["x"],
    )
    assert found.results == whole[1:2]


def test_a_run_is_prepared_as_certify_does():
    target, asked = prepare(types.SimpleNamespace(scale=Scale), ["scale"], catalogue=CATALOGUE)
    assert (list(target.offers), asked) == (["scale"], (SCALE,))
    with pytest.raises(TargetError, match="offers none of what is asked"):
        prepare(types.SimpleNamespace(scale=Scale), ["negate"], catalogue=CATALOGUE)
    with pytest.raises(ValueError, match="examples = 0"):
        prepare("reference", examples=0)


def test_what_is_left_out_is_not_counted_as_not_offered():
    target = changed(vjp=lambda c, x, a, power: (None, np.sum(c * x**power)))
    found = run(target, ["scale", "negate"], inputs=["x"])
    assert [(each.operation, each.input) for each in found.not_offered] == [("scale", "x"), ("negate", "x")]
    assert not found.results


@pytest.mark.parametrize(
    ("inputs", "unknown", "nearest"), [(["x", "forwards"], "forwards", "forward"), ([], "all", "none")]
)
def test_rows_that_no_operation_has_are_refused(inputs, unknown, nearest):
    with pytest.raises(ValueError, match="certify: inputs name none") as caught:
        run(inputs=inputs)
    assert str(caught.value).splitlines()[1:] == [
        f"  unknown = {unknown}, nearest = {nearest}",
        "  wanted some of forward, x, a, conduct, step, hvp",
    ]
