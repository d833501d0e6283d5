"""Verdicts, and the checks that carry them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from gradcheck.estimate import Estimate


class Verdict(StrEnum):
    """What a check says; only PASS is green."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class GradientMismatch(AssertionError):
    """Raised by `Check.assert_passed` for a gradient that is wrong."""


class InconclusiveCheck(AssertionError):
    """Raised by `Check.assert_passed` where the check could not have seen an error of interest."""


@dataclass(frozen=True)
class Worst:
    """The element, or the direction, in which a gradient was seen to be most wrong."""

    element: tuple[int, ...] | None
    analytic: float
    analytic_bound: float
    numeric: Estimate
    cotangent: str = "dense"

    @property
    def difference(self) -> float:
        """The analytic number less the numeric one."""
        return float(self.analytic - self.numeric.value)


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    `resolution` is the smallest error that would have been seen, relative to the norm of the gradient that
    was checked (0 where the evidence is exact); `miss_probability` is the chance that an error of twice the
    wanted resolution escapes the random directions. `parts` holds one Check for each input (check_vjp).
    """

    verdict: Verdict
    subject: str
    evidence: str
    resolution: float
    miss_probability: float
    reason: str
    diagnosis: str | None = None
    worst: Worst | None = None
    wrong: tuple[tuple[int, ...], ...] = ()
    notes: tuple[str, ...] = ()
    parts: tuple[Check, ...] = ()
    evaluations: int = 0
    seed: int = 0
    dtype: str = ""
    shape: tuple[int, ...] = ()
    zero_everywhere: bool = field(default=False)

    @property
    def passed(self) -> bool:
        """Whether the verdict is PASS."""
        return self.verdict is Verdict.PASS
