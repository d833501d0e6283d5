"""gradcheck: certifies derivatives."""

from gradcheck.check import check_vjp
from gradcheck.estimate import Estimate
from gradcheck.oracle import derivative
from gradcheck.verdict import Check, GradientMismatch, InconclusiveCheck, Verdict

__all__ = [
    "Check",
    "Estimate",
    "GradientMismatch",
    "InconclusiveCheck",
    "Verdict",
    "check_vjp",
    "derivative",
]
