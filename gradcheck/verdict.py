"""Verdicts: an analytic number ± its rounding against an estimate ± its bound; the checks that carry them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gradcheck.estimate import Estimate, Finding
from gradcheck.exhibit import Exhibit
from gradcheck.power import Power, power_of


class Verdict(StrEnum):
    """What a check says; only PASS is green.

    Examples
    --------
    >>> Verdict("pass") is Verdict.PASS, f"{Verdict.FAIL}"
    (True, 'fail')
    """

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class GradientMismatch(AssertionError):  # noqa: N818  the name that other programs catch
    """Raised by `Check.assert_passed` for a gradient that is wrong, and for code that raised.

    Examples
    --------
    >>> Check(Verdict.FAIL, "d f / d x", "spectral", 1e-12, 0.0, "differs").assert_passed()
    Traceback (most recent call last):
        ...
    gradcheck.verdict.GradientMismatch: d f / d x: fail (seed 0, spectral)
      differs
    """


class InconclusiveCheck(AssertionError):  # noqa: N818  the name that other programs catch
    """Raised by `Check.assert_passed` where the check could not have seen an error of interest.

    Examples
    --------
    >>> Check(Verdict.INCONCLUSIVE, "d f / d x", "spectral", 0.1, 1.0, "too noisy").assert_passed()
    Traceback (most recent call last):
        ...
    gradcheck.verdict.InconclusiveCheck: d f / d x: inconclusive (seed 0, spectral)
      too noisy
    """


@dataclass(frozen=True)
class Comparison:
    """One directional derivative, claimed and measured.

    Parameters
    ----------
    analytic, rounding : float
        The claimed number and what it may have lost to its own rounding.
    estimate : Estimate
        The measured one.
    scale : float
        What the number would be for an error as large as the gradient: ‖g‖ · ‖v‖ / √n.
    cotangent : str
        Which cotangent it was ("dense", "sparse", "one element").

    Examples
    --------
    >>> c = Comparison(1.0, 1e-16, Estimate(1.5, 1e-9), scale=1.0)
    >>> c.differs, c.excess > 1e8
    (True, True)
    """

    analytic: float
    rounding: float
    estimate: Estimate
    scale: float
    cotangent: str = "dense"

    @property
    def difference(self) -> float:
        """The claimed number less the measured one."""
        return float(self.analytic - self.estimate.value)

    @property
    def allowed(self) -> float:
        """The largest difference that two right numbers can show."""
        return float(self.estimate.bound + self.rounding)

    @property
    def excess(self) -> float:
        """Size of the difference over what is allowed; NaN counts as beyond any allowance."""
        if not math.isfinite(self.estimate.bound):
            return 0.0
        if math.isnan(self.difference):
            return math.inf
        if self.difference == 0:
            return 0.0
        return abs(self.difference) / self.allowed if self.allowed > 0 else math.inf

    @property
    def differs(self) -> bool:
        """Whether the two cannot both be right."""
        return self.excess > 1.0

    @property
    def resolution(self) -> float:
        """Error that would have been seen, relative to the gradient: what is allowed, and what they differ by.

        A larger one would put the right number further from the measured one than its bound. What differs by more
        than is allowed had no room left: that would have been seen from twice as much.
        """
        if self.scale <= 0:
            return math.inf
        # NaN is beyond any allowance, and so is a difference from what has no bound
        apart = (
            min(abs(self.difference), self.allowed) if self.difference == self.difference else self.allowed
        )
        return (self.allowed + apart) / self.scale

    @property
    def budget(self) -> Budget:
        """What is allowed, in its two parts."""
        if self.scale <= 0:
            return Budget(math.inf, math.inf)
        return Budget(float(self.estimate.bound) / self.scale, self.rounding / self.scale)

    @property
    def hiding(self) -> float:
        """Error that a measurement which is off by its whole bound can hide, relative to the gradient."""
        return 2.0 * self.allowed / self.scale if self.scale > 0 else math.inf

    def escapes(self, error: float) -> float:
        """Chance that a wrong gradient, off by `error` relative to its norm, hides in this direction.

        The error's share of a Gaussian direction is normal with deviation error · scale.
        """
        if error <= 0 or self.scale <= 0 or math.isinf(self.allowed):
            return 1.0
        return math.erf(self.hiding / error / math.sqrt(2.0))


@dataclass(frozen=True)
class Budget:
    """What two right numbers may differ by, relative to the gradient's norm, in its two parts.

    With the difference that was seen they add up to the resolution.

    Parameters
    ----------
    numeric : float
        From the bound of the measured number.
    analytic : float
        From the rounding of the claimed one.
    """

    numeric: float
    analytic: float


@dataclass(frozen=True)
class Worst:
    """The element, or the direction (element None), in which a gradient was seen to be most wrong."""

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
    wanted resolution escapes the random directions. `wrong` lists the elements that were found to be wrong,
    `mistakes` the (name, sentence) of every known mistake that explains it, the likeliest first, `parts` holds
    one Check for each input (check_vjp), `budget` what is allowed in its two parts, `exhibit` what plots show,
    where that was asked for. `kinks` is the policy that decided, if f has no derivative at the inputs, and `resampled`
    how many other points were drawn instead of them. `evaluations` counts points at which f was evaluated, `calls` the
    calls for all inputs together, which are fewer where f takes several points at once.

    Examples
    --------
    >>> check = Check(Verdict.PASS, "d f / d x", "spectral", 1e-12, 1e-9, "agrees to a relative 1e-12")
    >>> check.passed
    True
    >>> print(check)
    d f / d x: pass (seed 0, spectral)
      agrees to a relative 1e-12
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
    budget: Budget | None = None
    thresholds: tuple[float, ...] = ()
    missed: float = 1.0
    exhibit: Exhibit | None = field(default=None, repr=False)
    mistakes: tuple[tuple[str, str], ...] = ()
    kinks: str = ""
    resampled: int = 0
    calls: int = 0

    @property
    def power(self) -> Power:
        """The smallest error that all directions together would not have let pass, all but certainly.

        Of several inputs that with the least power.
        """
        if len(self.parts) > 1:
            return max((part.power for part in self.parts), key=lambda power: power.norm)
        return power_of(self.thresholds, math.prod(self.shape), missed=self.missed)

    @property
    def passed(self) -> bool:
        """Whether the verdict is PASS."""
        return self.verdict is Verdict.PASS

    def assert_passed(self) -> None:
        """Return if the verdict is PASS.

        Raises
        ------
        InconclusiveCheck
            If an error of interest could not have been seen.
        GradientMismatch
            For the verdicts FAIL and ERROR.
        """
        __tracebackhide__ = True
        if self.verdict is Verdict.INCONCLUSIVE:
            raise InconclusiveCheck(str(self))
        if not self.passed:
            raise GradientMismatch(str(self))

    def __str__(self) -> str:
        if len(self.parts) > 1:
            lines = [f"{self.subject}: {self.verdict} ({self._setting()})"]
            if self.verdict not in {part.verdict for part in self.parts}:
                lines.append(f"  {_hanging(self.reason, 2)}")
            lines += [_note(note) for note in self.notes]
            return "\n".join(lines + [_indented(part) for part in self.parts])
        lines = [self._headline(), f"  {_hanging(self.reason, 2)}"]
        if self.worst is not None:
            lines += _worst_lines(self.worst)
        if self.wrong and len(self.wrong) < math.prod(self.shape):
            shown = ", ".join(str(list(index)) for index in self.wrong[:5])
            lines.append(f"  wrong elements  {shown}{' …' if len(self.wrong) > 5 else ''}")
        if self.diagnosis:
            lines.append(f"  looks like      {self.diagnosis}")
        return "\n".join(lines + [_note(note) for note in self.notes])

    def _headline(self) -> str:
        if self.verdict is Verdict.FAIL and self.wrong:
            count = f"{len(self.wrong)} of {math.prod(self.shape)} elements"
            return f"{self.subject} is wrong in {count} ({self._setting()})"
        return f"{self.subject}: {self.verdict} ({self._setting()})"

    def _setting(self) -> str:
        return ", ".join(each for each in (f"seed {self.seed}", self.dtype, self.evidence) if each)


def _note(note: str) -> str:
    return f"  note            {_hanging(note, 18)}"


def _hanging(text: str, width: int) -> str:
    """Further lines of a text that starts at column `width`, below its first."""
    return text.replace("\n", "\n" + " " * width)


def _indented(part: Check) -> str:
    return "\n".join("  " + line for line in str(part).splitlines())


def _worst_lines(worst: Worst) -> list[str]:
    """Analytic beside numeric, each with its error, in columns."""
    e = worst.numeric
    how = f"({e.method}, {e.points} points, h = {e.step:.2g})" if e.points else f"({e.method})"
    place = (
        f"  along           a random direction, {worst.cotangent} cotangent"
        if worst.element is None
        else f"  worst element   {list(worst.element)}"
    )
    seen = worst.analytic_bound + float(e.bound)
    return [
        place,
        f"  analytic        {worst.analytic:+.4e}  ± {worst.analytic_bound:.0e}",
        f"  numeric         {float(e.value):+.4e}  ± {float(e.bound):.0e}   {how}",
        f"  difference      {abs(worst.difference):.3e}, could have seen {seen:.0e}",
    ]


#: A difference of so many times what is allowed needs no second opinion: no bound was ever seen so wrong.
BLATANT = 1000.0


def decide(rounds: Sequence[Sequence[Comparison]], wanted: float) -> tuple[Verdict, str]:
    """Verdict on one gradient from all that was compared, and the reason in a line.

    A small difference, of up to 1000 times what is allowed, fails only if two directions show it.

    Parameters
    ----------
    rounds : sequence of sequences of Comparison
        For each independent direction, one comparison a cotangent. Any can fail; a pass is the first's.
    wanted : float
        Error of interest, relative to the norm of the gradient: what a pass has to be able to see.

    Examples
    --------
    >>> decide([[Comparison(1.0, 0.0, Estimate(1.0, 1e-3), 1.0)]], wanted=1e-6)
    (<Verdict.INCONCLUSIVE: 'inconclusive'>, 'could have seen a relative error of 1e-03, wanted 1e-06')
    """
    flat = [c for comparisons in rounds for c in comparisons]
    worst = max(flat, key=lambda c: c.excess)
    differing = sum(any(c.differs for c in comparisons) for comparisons in rounds)
    explained = (
        f"differs from the numeric derivative by {abs(worst.difference):.3e}, "
        f"{worst.excess:.1e} times what rounding and truncation explain"
    )
    if worst.excess > BLATANT or differing > 1:
        return Verdict.FAIL, explained
    if differing:
        return Verdict.INCONCLUSIVE, f"{explained}, along one of {len(rounds)} directions"
    resolution = resolution_of(rounds)
    # along some directions the jumps of several outputs cancel: what agrees there is no derivative
    jumps = any(c[0].estimate.finding is Finding.JUMP and math.isinf(c[0].estimate.bound) for c in rounds)
    if resolution <= wanted and not jumps:
        return Verdict.PASS, f"agrees to a relative {resolution:.0e}"
    return Verdict.INCONCLUSIVE, _why(flat, resolution, wanted)


def resolution_of(rounds: Sequence[Sequence[Comparison]]) -> float:
    """Error, relative to the gradient, that the dense cotangent would have shown along its best direction."""
    return min((comparisons[0].resolution for comparisons in rounds), default=math.inf)


def budget_of(rounds: Sequence[Sequence[Comparison]]) -> Budget:
    """The two parts of what is allowed along that direction.

    Examples
    --------
    >>> budget_of([[Comparison(1.0, 0.125, Estimate(1.0, 0.5), scale=2.0)]])
    Budget(numeric=0.25, analytic=0.0625)
    """
    best = min((comparisons[0] for comparisons in rounds), key=lambda c: c.resolution, default=None)
    return best.budget if best else Budget(math.inf, math.inf)


def _why(comparisons: Sequence[Comparison], resolution: float, wanted: float) -> str:
    """Reason for an inconclusive verdict: what the probe met, else the resolution."""
    findings = {c.estimate.finding for c in comparisons if math.isinf(c.estimate.bound)}
    for finding, words in _WORDS.items():
        if finding in findings:
            return words
    return f"could have seen a relative error of {resolution:.0e}, wanted {wanted:.0e}"


_WORDS = {
    Finding.KINK: "a kink at the point: the derivative from one side is not the one from the other",
    Finding.JUMP: "a jump at the point: the function is not continuous there",
    Finding.NOT_FINITE: "the function is not finite round the point, at any distance",
    Finding.UNRESOLVED: "the function varies too fast, or too irregularly, for its samples at any distance",
}
