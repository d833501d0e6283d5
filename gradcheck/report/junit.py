"""JUnit: a certificate as the XML that CI servers read, a test case for each row."""

from __future__ import annotations

from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gradcheck.certificate import NOT_OFFERED, Certificate, Missing, Result
from gradcheck.report import words
from gradcheck.verdict import Verdict

_KINDS = {Verdict.FAIL: "failure", Verdict.ERROR: "error", Verdict.INCONCLUSIVE: "error"}


def junit(certificate: Certificate) -> str:
    """The XML: a suite for each operation, a case for each input.

    What is not offered is skipped. What is inconclusive is an error and not skipped, since a server shows
    skipped cases in a green build; so is a run that was cut short.

    Examples
    --------
    >>> print(junit(Certificate("mine", 0, 5, ())).splitlines()[1])
    <testsuites name="mine" tests="0" failures="0" errors="0" skipped="0" time="0.000" />
    """
    root = Element("testsuites", name=words.line(certificate.target))
    rows: list[Result | Missing] = [*certificate.results, *certificate.not_offered]
    order = dict.fromkeys(row.operation for row in rows)
    rows.sort(key=lambda row: list(order).index(row.operation))
    for operation, group in groupby(rows, key=lambda row: row.operation):
        _suite(root, certificate, operation, list(group))
    if not certificate.complete:
        suite = _begun(root, certificate, "run")
        case = SubElement(suite, "testcase", classname="gradcheck", name="complete", time="0")
        SubElement(case, "error", message="the run was cut short", type="inconclusive")
        _count(suite)
    _count(root)
    root.set("time", f"{certificate.seconds:.3f}")
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, certificate: Certificate, operation: str, rows: list[Result | Missing]) -> None:
    suite = _begun(root, certificate, operation)
    for row in rows:
        name = {"classname": _class(certificate, operation), "name": words.line(row.input), "time": "0"}
        case = SubElement(suite, "testcase", name)
        if isinstance(row, Missing):
            SubElement(case, "skipped", message=NOT_OFFERED)
        elif row.verdict is Verdict.PASS:
            SubElement(case, "system-out").text = _passed(row)
        else:
            reason = words.line(str(row.reason))
            fault = SubElement(case, _KINDS[row.verdict], message=reason, type=str(row.verdict))
            fault.text = words.account(row)
    _count(suite)


def _begun(root: Element, certificate: Certificate, name: str) -> Element:
    suite = SubElement(root, "testsuite", name=words.line(name))
    if certificate.created:
        suite.set("timestamp", words.line(certificate.created.removesuffix("+00:00")))
    properties = SubElement(suite, "properties")
    known = {"seed": str(certificate.seed), "examples": str(certificate.examples), **certificate.environment}
    known |= {"kinks": certificate.kinks} if certificate.kinks else {}
    for each, value in known.items():
        SubElement(properties, "property", name=words.line(each), value=words.line(value))
    return suite


def _class(certificate: Certificate, operation: str) -> str:
    """Dotted as servers group by it: what the target's own dots and slashes would break."""
    plain = "".join(sign if sign.isalnum() or sign in "_-" else "_" for sign in certificate.target)
    return words.line(f"{plain}.{operation}")


def _passed(row: Result) -> str:
    numeric, analytic = words.budget(row)
    return (
        f"{words.verdict(row)}, evidence {words.evidence(row)}, {words.cases(row)} cases, "
        f"resolution {words.small(row.resolution)} (numeric {numeric}, analytic {analytic}), "
        f"miss probability {words.small(row.miss_probability)}"
    )


def _count(element: Element) -> None:
    """Attributes that count the cases below, as every reader of the format wants them."""
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    element.set("time", "0")
