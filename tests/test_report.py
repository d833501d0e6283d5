import io
import re

import pytest
from rich.console import Console

from gradcheck.case import Case
from gradcheck.certificate import Certificate, Missing, Result
from gradcheck.estimate import Estimate
from gradcheck.operation import Convention, Input, Operation
from gradcheck.report import terminal, words
from gradcheck.report.markdown import markdown
from gradcheck.tally import summed_up
from gradcheck.verdict import Budget, Check, Verdict, Worst

FAILING = summed_up(
    "dense",
    "W",
    [
        (
            Case({"x": (2, 3), "W": (1, 3)}, {"activation": "tanh"}, seed=4),
            Check(
                Verdict.FAIL,
                "d dense / d W",
                "spectral",
                4e-14,
                1e-3,
                "they differ",
                diagnosis="the right gradient, negated",
                worst=Worst((0, 1), 0.18731, 2e-16, Estimate(-0.40022, 3e-15, "spectral")),
            ),
        )
    ],
)
CERTIFICATE = Certificate(
    target="mine[bold]",
    seed=7,
    examples=5,
    results=(
        Result(
            "dense",
            "x",
            Verdict.PASS,
            "exact+spectral",
            5,
            1e-13,
            1e-9,
            None,
            None,
            None,
            {"exact": 2, "spectral": 3},
            not_offered_cases=2,
            budget=Budget(8e-14, 2e-14),
        ),
        FAILING,
        Result("sparsity", "c", Verdict.PASS, "spectral", 5, 1e-16, 0.0, zero_everywhere=True),
    ),
    not_offered=(Missing("network", "x"),),
    coverage={"dense": {"one unit": 2, "several units": 3}},
    seconds=2.0,
)


def shown(renderable, width=110):
    out = io.StringIO()
    Console(file=out, width=width).print(renderable)
    return out.getvalue()


def test_the_table_has_a_line_for_each_row_and_plain_text_where_there_is_no_terminal():
    lines = [line.rstrip() for line in shown(terminal.certificate_report(CERTIFICATE, 130), 130).splitlines()]
    assert lines[0].split() == [
        "operation",
        "input",
        "verdict",
        "evidence",
        "cases",
        *("resolution", "numeric", "+", "analytic"),
        *("miss", "prob.", "power"),
    ]
    assert lines[2].split() == [
        "dense",
        "x",
        "pass",
        "exact",
        "2",
        "+",
        "spectral",
        "3",
        *("5", "of", "7"),
        *("1.0e-13", "8.0e-14", "+", "2.0e-14"),
        *("1.0e-09", "-"),
    ]
    assert lines[3].split() == ["W", "fail", "spectral", "1", "4.0e-14", "-", "1.0e-03", "-"]
    assert lines[4].split() == [
        "sparsity",
        "c",
        "pass",
        "(zero",
        "everywhere)",
        "spectral",
        *("5", "1.0e-16", "-", "0", "-"),
    ]
    assert lines[6:8] == ["not offered", "  network    x"]
    assert "\x1b" not in "".join(lines)


def test_a_terminal_of_ordinary_width_leaves_out_the_parts_of_a_resolution():
    text = shown(terminal.certificate_report(CERTIFICATE, 100), 100)
    assert "resolution" in text.splitlines()[0]
    assert "numeric" not in text.splitlines()[0]
    assert max(map(len, text.splitlines())) <= 100


def test_the_regimes_that_were_reached_are_counted_but_not_where_it_is_narrow():
    wide, narrow = (shown(terminal.certificate_report(CERTIFICATE, n), n) for n in (80, 60))
    assert "dense    several units (3), one unit (2)" in wide
    assert "several units" not in narrow


HOSTILE = "\x1b[2J<script>alert(1)</script>\u202e]]>\x00\ud800\"'&\n::error::x"


def hostile():
    """A certificate whose every text is chosen by somebody who means ill."""
    case = {"shapes": {HOSTILE: [1]}, "options": {HOSTILE: HOSTILE}, "values": HOSTILE, "number": 0}
    row = Result(
        HOSTILE, HOSTILE, Verdict.FAIL, HOSTILE, 1, 0.0, 0.0, {"case": case}, HOSTILE, HOSTILE, {HOSTILE: 1, "b": 2},
        notes=(HOSTILE,),
    )  # fmt: skip
    missing = (Missing(HOSTILE, HOSTILE),)
    return Certificate(
        HOSTILE, 0, 1, (row,), missing, {HOSTILE: {HOSTILE: 1}}, {HOSTILE: HOSTILE}, False, 0.0, HOSTILE
    )


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_terminal_gets_no_sign_that_a_reader_would_not_see(width):
    for sign in shown(terminal.certificate_report(hostile(), width), width):
        assert sign.isprintable() or sign == "\n"


def test_a_page_for_a_summary_has_no_tag_that_a_target_chose():
    text = markdown(hostile())
    outside = re.sub(r"```text.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"(?<!\\)<[a-z/]+>", outside) == ["<details>", "<summary>", "</summary>", "</details>"]
    for sign in text:
        assert sign.isprintable() or sign == "\n"


def test_a_narrow_terminal_keeps_what_decides():
    text = shown(terminal.certificate_report(CERTIFICATE, 60), 60)
    assert "resolution" not in text.splitlines()[0]
    assert "fail" in text
    assert max(map(len, text.splitlines())) <= 60


def test_a_failure_is_accounted_for_with_both_numbers_and_the_diagnosis():
    assert words.account(FAILING).splitlines() == [
        "fail: d dense / d W: they differ (fail in 1 of 1 cases)",
        "  smallest case   x (2, 3), W (1, 3); activation='tanh' (gaussian values, number 4)",
        "  worst element   [0, 1]",
        "  analytic        +1.873100e-01  ± 2e-16",
        "  numeric         -4.002200e-01  ± 3e-15",
        "  difference      +5.875300e-01, could have seen 4.0e-14",
        "  looks like      the right gradient, negated",
    ]


def test_an_account_of_a_forward_speaks_of_given_and_wanted():
    worst = Worst((0,), float("nan"), 0.0, Estimate(1.0, float("inf"), "naive"))
    check = Check(Verdict.FAIL, "f", "naive", 1e-13, 0.0, "they differ", worst=worst)
    lines = words.account(summed_up("f", "forward", [(Case({"x": ()}), check)])).splitlines()
    assert lines[0].startswith("fail: f, forward: ")
    assert lines[1] == "  smallest case   x () (gaussian values, number 0)"
    assert lines[3] == "  given           nan  ± 0e+00"
    assert lines[4] == "  wanted          +1.000000e+00  ± inf"


@pytest.mark.parametrize(
    ("certificate", "line"),
    [
        (CERTIFICATE, "mine[bold]: fail (2 pass, 1 fail, 1 not offered; 11 cases, seed 7, 2.0 s)"),
        (
            Certificate("mine", 0, 5, (), complete=False),
            "mine: inconclusive (nothing judged; 0 cases, seed 0, 0.0 s; cut short)",
        ),
    ],
)
def test_the_summary_counts_everything_and_is_the_last_line(certificate, line):
    assert words.summary(certificate) == line
    assert shown(terminal.certificate_report(certificate, 110)).splitlines()[-1].rstrip() == line


def test_inputs_in_the_same_error_share_an_account_and_others_do_not():
    def row(name, verdict, reason):
        return Result("f", name, verdict, "none", 2, 0.0, 1.0, reason=reason)

    results = (
        row("forward", Verdict.ERROR, "it raised (error in 2 of 2 cases)"),
        row("x", Verdict.ERROR, "it raised (error in 1 of 2 cases)"),
        row("k", Verdict.ERROR, "it raised (error in 2 of 2 cases)"),
        row("b", Verdict.ERROR, "it sank (error in 2 of 2 cases)"),
        row("c", Verdict.FAIL, "it raised (fail in 2 of 2 cases)"),
        row("d", Verdict.FAIL, "it raised (fail in 2 of 2 cases)"),
    )
    assert words.accounts(Certificate("m", 0, 1, results)) == [
        "fail: d f / d c: it raised (fail in 2 of 2 cases)",
        "fail: d f / d d: it raised (fail in 2 of 2 cases)",
        "error: f, forward: it raised (error in 2 of 2 cases)",
        "error: d f / d x, k: it raised (error in 1 of 2 cases)",
        "error: d f / d b: it sank (error in 2 of 2 cases)",
    ]


def test_faults_come_gravest_first():
    verdicts = [Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.ERROR, Verdict.FAIL]
    results = tuple(Result("f", str(v), v, "", 1, 0.0, 0.0) for v in verdicts)
    found = [str(each.verdict) for each in words.faults(Certificate("m", 0, 1, results))]
    assert found == ["fail", "error", "inconclusive"]


def test_the_catalogue_and_an_operation_are_shown_with_all_they_have():
    operation = Operation(
        "dense",
        "a layer",
        (Input("x", ("N", "D"), "inputs [x]"),),
        abs,
        None,
        equations=("D1",),
        errata=("E1",),
        statements={"D1": "u = W x + b", "E1": "mind the layout"},
        options={"activation": "f"},
        conventions={"weights": {"KD": Convention("W x"), "DK": Convention("x W")}},
    )
    assert shown(terminal.catalogue_report({"dense": operation})).splitlines()[2].split() == [
        "dense",
        "x",
        "(N,",
        "D)",
        "activation",
        "D1",
    ]
    text = shown(terminal.operation_report(operation))
    for said in ("dense: a layer", "x (N, D)", "inputs [x]", "activation", "u = W x + b", "mind the layout"):
        assert said in text
    assert 'weights="KD"    W x, as here' in text
    assert 'weights="DK"    x W' in text


def test_sections_without_content_are_left_out():
    text = shown(terminal.operation_report(Operation("f", "", (), abs, None)))
    assert text.split() == ["f:"]


def test_markdown_has_the_table_the_faults_and_what_is_not_offered():
    lines = markdown(CERTIFICATE).splitlines()
    assert lines[2] == r"❌ mine\[bold\]: fail (2 pass, 1 fail, 1 not offered; 11 cases, seed 7, 2.0 s)"
    assert lines[4] == (
        "| operation | input | verdict | evidence | cases | resolution | of it numeric | of it analytic | "
        "miss probability | power |"
    )
    assert lines[6] == (
        "| dense | x | ✅ pass | exact 2 + spectral 3 | 5 of 7 | 1.0e-13 | 8.0e-14 | 2.0e-14 | 1.0e-09 | - |"
    )
    assert "| dense | several units (3), one unit (2) |" in lines
    assert "## Faults" in lines
    assert "  looks like      the right gradient, negated" in lines
    assert lines[lines.index("## 1 not offered") + 2] == "- network: x"


def test_markdown_escapes_what_a_target_chose():
    nasty = Result("a|b<script>", "x`", Verdict.FAIL, "exact", 1, 0.0, 0.0, reason="```\n# big")
    text = markdown(Certificate("t", 0, 1, (nasty,)))
    assert r"| a\|b&lt;script&gt; | x\` |" in text
    assert "````text" in text


def test_notes_are_told_beside_a_fault_and_for_the_whole_run_before_the_summary():
    noted = Certificate(
        "mine",
        0,
        5,
        (Result("f", "x", Verdict.FAIL, "exact", 5, 0.0, 0.0, reason="no", notes=("one\n  two",)),),
        notes=("the target printed [bold] to standard output",),
    )
    lines = [line.rstrip() for line in shown(terminal.certificate_report(noted, 110)).splitlines()]
    assert "  note            one" in lines
    assert "                    two" in lines
    assert lines[-2] == "note: the target printed [bold] to standard output"
    assert Certificate.from_json(noted.to_json()) == noted


def test_a_row_has_what_its_cases_noted_once_each_with_their_number():
    checks = [
        Check(Verdict.PASS, "", "exact", 0.0, 0.0, "", notes=notes)
        for notes in (("a is coarse\n  by 1e-3",), ("a is coarse\n  by 2e-3", "b"), ())
    ]
    row = summed_up("f", "x", [(Case({"x": (1,)}), check) for check in checks])
    assert row.notes == ("a is coarse\n  by 1e-3 (in 2 of 3 cases)", "b (in 1 of 3 cases)")


def test_markdown_that_would_be_too_long_counts_the_accounts_that_it_leaves_out():
    rows = tuple(
        Result("f", f"x{k}", Verdict.FAIL, "exact", 1, 0.0, 0.0, reason="wrong " * 100) for k in range(9)
    )
    whole, short = markdown(Certificate("m", 0, 1, rows)), markdown(Certificate("m", 0, 1, rows), 5000)
    assert len(whole.encode()) > 5000 >= len(short.encode())
    kept = short.count("```text")
    assert 0 < kept < 9
    assert f"{9 - kept} more faults would make this page too long." in short
    assert markdown(Certificate("m", 0, 1, rows), 10**6) == whole


def test_a_row_tells_how_it_comes_about_again():
    certificate = Certificate("my file.py", 3, 7, (Result("f", "x", Verdict.FAIL, "exact", 1, 0.0, 0.0),))
    assert words.again(certificate, certificate.results[0], "c.json") == [
        ("this case, and its arrays", "gradcheck replay c.json --result 0"),
        (
            "every case of the operation",
            "gradcheck certify 'my file.py' --operation f --seed 3 --examples 7",
        ),
    ]
