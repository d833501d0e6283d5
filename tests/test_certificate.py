import json
import os
import stat

import numpy as np
import pytest

from gradcheck.case import Case
from gradcheck.certificate import Certificate, CertificateError, Missing, Result, gravest, write
from gradcheck.estimate import Estimate
from gradcheck.tally import number, summed_up, unreached, worst_of
from gradcheck.verdict import Check, Verdict, Worst

PASS, FAIL, INCONCLUSIVE, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR


def check(verdict=PASS, evidence="spectral", resolution=1e-12, **more):
    return Check(verdict, "d f / d x", evidence, resolution, 1e-3, "because", **more)


def row(verdict=PASS, **more):
    return Result("f", "x", verdict, "spectral", 5, 1e-12, 1e-3, **more)


def certificate(*verdicts, **more):
    return Certificate("mine", 3, 5, tuple(map(row, verdicts)), **more)


WHOLE = Certificate(
    target="mine",
    seed=3,
    examples=5,
    results=(
        summed_up(
            "f",
            "x",
            [
                (
                    Case({"x": (2, 3)}, {"table": ((True,),)}),
                    check(
                        FAIL,
                        worst=Worst((1, 2), 1.0, 1e-16, Estimate(float("nan"), np.inf, "spectral")),
                        wrong=tuple((i, 0) for i in range(11)),
                        diagnosis="the right gradient ∘ f'",
                    ),
                )
            ],
        ),
        unreached("f", "y"),
    ),
    not_offered=(Missing("g", "forward"),),
    coverage={"f": {"one map": 2}},
    environment={"python": "3.12"},
    complete=False,
    seconds=1.25,
    created="2030-01-01T00:00:00+00:00",
)


@pytest.mark.parametrize(
    ("verdicts", "wanted", "status"),
    [
        ((PASS, PASS), PASS, 0),
        ((PASS, FAIL, ERROR), FAIL, 1),
        ((PASS, INCONCLUSIVE), INCONCLUSIVE, 3),
        ((INCONCLUSIVE, ERROR), ERROR, 3),
        ((), INCONCLUSIVE, 3),
    ],
)
def test_the_gravest_verdict_is_the_whole_one_and_decides_the_exit_status(verdicts, wanted, status):
    assert gravest(verdicts) is wanted
    assert (certificate(*verdicts).verdict, certificate(*verdicts).exit_status) == (wanted, status)


def test_a_run_cut_short_never_passes_but_can_fail():
    assert certificate(PASS, complete=False).exit_status == 3
    assert certificate(PASS, FAIL, complete=False).exit_status == 1


def test_counts_are_of_rows_of_what_is_not_offered_and_of_cases():
    found = certificate(PASS, PASS, FAIL, not_offered=(Missing("g", "x"),))
    assert found.counts == {
        "pass": 2,
        "fail": 1,
        "inconclusive": 0,
        "error": 0,
        "not_offered": 1,
        "cases": 15,
    }


def test_the_file_has_the_pinned_parts_and_only_valid_json():
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    data = json.loads(WHOLE.to_json(), parse_constant=refuse)
    assert data["schema"] == "gradcheck/certificate/1"
    assert set(data) >= {"target", "verdict", "seed", "examples", "environment", "counts", "results"}
    assert set(data["results"][0]) >= {
        "operation",
        "input",
        "verdict",
        "evidence",
        "cases",
        "resolution",
        "miss_probability",
        "worst",
        "diagnosis",
    }
    assert data["results"][1]["resolution"] is None
    assert data["results"][0]["worst"]["numeric"] == "nan"
    assert data["results"][0]["worst"]["numeric_bound"] == "inf"


def test_a_file_read_back_is_the_certificate():
    assert Certificate.from_json(WHOLE.to_json()) == WHOLE
    assert Certificate.from_json(WHOLE.to_json()).to_json() == WHOLE.to_json()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "certificate: the file is no JSON"),
        ("[]", "certificate: the file has another schema"),
        ('{"schema": "other/1"}', "  schema = 'other/1'"),
        ('{"schema": "gradcheck/certificate/1"}', "  observed = KeyError: 'target'"),
        (WHOLE.to_json().replace('"fail"', '"good"'), "  wanted all parts of gradcheck/certificate/1"),
        (
            WHOLE.to_json().replace('"results": [', '"results": [7, '),
            "certificate: a part of the file is missing",
        ),
    ],
)
def test_a_file_that_is_no_certificate_is_refused(text, said):
    with pytest.raises(CertificateError) as caught:
        Certificate.from_json(text)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


def test_a_file_is_written_whole_readable_and_alone(tmp_path):
    place = tmp_path / "c.json"
    place.write_text("before")
    write(WHOLE, place)
    assert place.read_text(encoding="utf-8") == WHOLE.to_json()
    assert os.listdir(tmp_path) == ["c.json"]
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_file_that_cannot_be_finished_leaves_what_was_there(tmp_path):
    place = tmp_path / "c.json"
    place.write_text("before")
    broken = Certificate("mine", 0, 1, (), coverage={"f": {"x": float("nan")}})
    with pytest.raises(ValueError, match="JSON"):
        write(broken, place)
    assert place.read_text() == "before"
    assert os.listdir(tmp_path) == ["c.json"]


def test_a_row_takes_the_gravest_verdict_the_worst_numbers_and_its_evidence():
    small, large = Case({"x": (1,)}), Case({"x": (4,)})
    judged = [
        (small, check(evidence="exact", resolution=0.0)),
        (large, check(resolution=3e-12)),
        (small, check(resolution=1e-13)),
    ]
    found = summed_up("f", "x", judged, 2)
    assert (found.verdict, found.evidence, found.cases) == (PASS, "exact+spectral", 3)
    assert found.evidence_cases == {"exact": 1, "spectral": 2}
    assert (found.resolution, found.not_offered_cases, found.reason) == (3e-12, 2, None)
    assert found.worst["case"]["shapes"] == {"x": [4]}


def test_a_row_shows_the_shrunk_case_of_a_failure_and_how_many_failed():
    case = Case({"x": (9,)})
    found = summed_up(
        "f",
        "x",
        [(case, check()), (case, check(FAIL))],
        0,
        (Case({"x": (2,)}), check(FAIL, diagnosis="sign")),
    )
    assert (found.verdict, found.diagnosis) == (FAIL, "sign")
    assert found.worst["case"]["shapes"] == {"x": [2]}
    assert found.reason == "because (fail in 1 of 2 cases)"


def test_a_row_with_cases_left_untried_is_no_pass_and_says_so():
    case = Case({"x": (1,)})
    left = "; 7 more not tried, since the target ended its process too often"
    passed = summed_up("f", "x", [(case, check())], untried=7)
    assert (passed.verdict, passed.skipped_cases) == (INCONCLUSIVE, 7)
    assert passed.reason == f"passes in 1 cases{left}"
    failed = summed_up("f", "x", [(case, check(FAIL))], untried=7)
    assert (failed.verdict, failed.reason) == (FAIL, f"because (fail in 1 of 1 cases{left})")
    zero = summed_up("f", "x", [(case, check(zero_everywhere=True))], untried=7)
    assert zero.verdict is INCONCLUSIVE
    assert zero.reason == f"zero everywhere probed, in all 1 cases: proves little{left}"


def test_what_an_unfinished_run_has_done_is_kept_and_a_complete_file_has_none_of_it():
    told = {"operations": ["f"], "cases": [{"operation": "f", "number": 0}]}
    cut_short = certificate(PASS, complete=False, unfinished=told)
    assert Certificate.from_json(cut_short.to_json()) == cut_short
    assert "unfinished" not in json.loads(certificate(PASS).to_json())


def test_zero_in_some_cases_only_is_an_ordinary_pass():
    case = Case({"x": (1,)})
    found = summed_up("f", "x", [(case, check(zero_everywhere=True)), (case, check())])
    assert not found.zero_everywhere
    assert found.reason is None


def test_the_worst_element_is_plain_data_with_a_few_places_and_their_number():
    found = worst_of(
        check(FAIL, worst=Worst((0, 1), 2.0, 0.0, Estimate(1.5, 0.0)), wrong=tuple((i,) for i in range(11))),
        {},
    )
    assert found["element"] == [0, 1]
    assert found["difference"] == 0.5
    assert found["wrong"]["count"] == 11
    assert len(found["wrong"]["elements"]) == 8


@pytest.mark.parametrize(
    ("value", "plain"), [(0.5, 0.5), (np.float32(2), 2.0), (np.nan, "nan"), (-np.inf, "-inf")]
)
def test_numbers_are_such_as_json_knows(value, plain):
    assert number(value) == plain


def test_lists_of_numbers_take_a_line_each_and_texts_are_left_alone():
    row = Result("f", "x", FAIL, "exact", 1, 0.0, 0.0, {"case": {}, "a": [1, 2.5, 3e-7], "b": "[\n1,\n2]"})
    text = Certificate("m", 0, 1, (row,)).to_json()
    assert '"a": [1, 2.5, 3e-07]' in text
    assert json.loads(text)["results"][0]["worst"] == {"case": {}, "a": [1, 2.5, 3e-7], "b": "[\n1,\n2]"}
