"""Replay: one row of a certificate again, in the case that it shows, with the arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.arguments import one_of
from gradcheck.book import ASIDE
from gradcheck.case import Case
from gradcheck.certificate import VECTORS, Certificate, Result
from gradcheck.environment import environment
from gradcheck.estimate import Array
from gradcheck.execution import hands
from gradcheck.kinks import POLICIES
from gradcheck.ledger import lost
from gradcheck.operation import find, nearest, operations
from gradcheck.plain import NotPlain, from_plain
from gradcheck.plan import Plan
from gradcheck.session import Job, Outline, Setting
from gradcheck.verdict import Check, Verdict


class ReplayError(ValueError):
    """A row that cannot be replayed from this certificate, here."""


@dataclass(frozen=True)
class Replay:
    """A row judged once more in one case, and the arrays of that case by name."""

    result: Result
    case: Case
    check: Check
    arrays: Mapping[str, Array]

    @property
    def exit_status(self) -> int:
        """As a certificate's of this row alone."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1}.get(self.check.verdict, 3)

    def __str__(self) -> str:
        head = (
            f"{self.result.operation}, {self.result.input}: number {self.case.seed}, {self.case.kind} values"
        )
        options = [f"{name} = {value!r}" for name, value in self.case.options.items()]
        shown = [_array(name, value) for name, value in self.arrays.items()]
        if self.result.kinks != "refuse":
            options.append(f"kinks = {self.result.kinks!r}")
        return "\n".join([head, *options, *shown, "", str(self.check)])


def _array(name: str, value: Array) -> str:
    text = np.array2string(value, prefix="  ", max_line_width=110, threshold=1024)
    return f"{name} {value.shape}\n  {text}"


def replay(
    certificate: Certificate,
    which: str | int,
    *,
    isolate: bool = False,
    timeout: float | None = None,
    memory: int | None = None,
) -> Replay:
    """The row again: the same values, cotangents and directions, since one seed decides them all.

    Under the policy for kinks of the certificate.

    Parameters
    ----------
    certificate : Certificate
    which : int or str
        The row: its place in `results`, from 0, or "operation.input".
    isolate, timeout, memory
        As for `certify`.

    Raises
    ------
    ReplayError
        When there is no such row, or policy for kinks, it shows no case, it is of answers to vectors, or gradcheck or
        the target are of another version here.
    TargetError
        When the target cannot be loaded.

    Examples
    --------
    >>> from gradcheck.certify import certify
    >>> found = replay(certify("reference", ["upsample"], examples=2), "upsample.x")
    >>> str(found.check.verdict), list(found.arrays)
    ('pass', ['x', 'cotangent', 'analytic', 'numeric', 'numeric bound'])
    """
    if certificate.target.startswith(VECTORS):
        raise ReplayError(
            "replay: the certificate is of answers in files, which cannot be asked again\n"
            f"  target = {certificate.target}\n  wanted a target that can be loaded"
        )
    result = row_of(certificate, which)
    case = _case(result)
    find(result.operation, operations())
    setting = Setting(certificate.target, certificate.seed, kinks=_kinks(certificate))
    given = hands(setting, isolate=isolate, timeout=timeout, memory=memory)
    try:
        target = given.outline()
        _check_versions(certificate, target)
        job = Job("replay", result.operation, case, row=result.input)
        return _read(result, case, target, certificate, given.executor.submit(given.perform, job).result())
    finally:
        given.close()


def row_of(certificate: Certificate, which: str | int) -> Result:
    """The row that a number, or "operation.input", stands for."""
    names = {f"{each.operation}.{each.input}": each for each in certificate.results}
    if str(which) in names:
        return names[str(which)]
    count = len(certificate.results)
    if str(which).isdecimal():
        if int(which) < count:
            return certificate.results[int(which)]
        raise ReplayError(
            f"replay: the certificate has no such row\n  result = {which}, rows = {count}\n"
            f"  wanted a number from 0 to {count - 1}, or operation.input"
        )
    raise ReplayError(
        f"replay: the certificate has no such row\n  result = {which!r}, nearest = {nearest(str(which), names)}\n"
        f"  wanted a number from 0 to {count - 1}, or operation.input"
    )


def _kinks(certificate: Certificate) -> str | None:
    try:
        return certificate.kinks and one_of(certificate.kinks, POLICIES, "replay", "kinks")
    except ValueError as error:
        raise ReplayError(str(error)) from error


def _case(result: Result) -> Case:
    try:
        return Case.from_description((result.worst or {})["case"])
    except (KeyError, NotPlain) as error:
        raise ReplayError(
            f"replay: the row holds no case\n  row = {result.operation}.{result.input}, "
            f"cases = {result.cases}\n  wanted one that was judged, by this version of gradcheck"
        ) from error


def _check_versions(certificate: Certificate, target: Outline) -> None:
    here = environment(target.version)
    for name in ("gradcheck", "target"):
        was, now = certificate.environment.get(name), here.get(name)
        if was != now and name not in ASIDE:
            raise ReplayError(
                f"replay: the certificate is of another version\n  its {name} = {was}, here = {now}\n"
                "  wanted the same, with which the row comes about again to the bit"
            )


def _read(
    result: Result, case: Case, target: Outline, certificate: Certificate, came: Mapping[str, Any]
) -> Replay:
    if "replayed" not in came:
        reason = str(came.get("crashed") or came.get("raised"))
        plan = Plan((find(result.operation, operations()),), target.offers, 1, certificate.seed)
        check = lost(plan, result.operation, case, {}, reason).get(result.input)
        if check is None:
            raise ReplayError(
                f"replay: {reason}\n  row = {result.operation}.{result.input}\n  wanted an answer"
            )
        return Replay(result, case, check, {})
    if came["replayed"] is None:
        raise ReplayError(
            "replay: the target does not offer the row in this case\n"
            f"  row = {result.operation}.{result.input}\n  wanted the target of the certificate"
        )
    arrays = {
        name: np.array(from_plain(tuple[float, ...], each["values"])).reshape(each["shape"])
        for name, each in came["arrays"].items()
    }
    return Replay(result, case, from_plain(Check, came["replayed"]), arrays)
