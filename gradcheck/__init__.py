"""gradcheck: certifies derivatives.

Somebody wrote a function and a gradient for it; we say whether the gradient is right, to what precision and with
what certainty, and if it is wrong: where, by how much, and what the mistake looks like.
"""

from gradcheck.adjoint import check_adjoint
from gradcheck.assertions import assert_adjoint, assert_gradient, assert_hvp, assert_jvp, assert_vjp
from gradcheck.certificate import Certificate
from gradcheck.certify import certify
from gradcheck.check import check_vjp
from gradcheck.estimate import Estimate
from gradcheck.implementation import implements
from gradcheck.objective import check_objective
from gradcheck.operation import Operation, operation, operations
from gradcheck.operator import check_operator
from gradcheck.oracle import derivative, gradient, jacobian
from gradcheck.pushforward import check_gradient, check_hvp, check_jvp
from gradcheck.step import check_step
from gradcheck.verdict import Check, GradientMismatch, InconclusiveCheck, Verdict

__all__ = [
    "Certificate",
    "Check",
    "Estimate",
    "GradientMismatch",
    "InconclusiveCheck",
    "Operation",
    "Verdict",
    "assert_adjoint",
    "assert_gradient",
    "assert_hvp",
    "assert_jvp",
    "assert_vjp",
    "certify",
    "check_adjoint",
    "check_gradient",
    "check_hvp",
    "check_jvp",
    "check_objective",
    "check_operator",
    "check_step",
    "check_vjp",
    "derivative",
    "gradient",
    "implements",
    "jacobian",
    "operation",
    "operations",
]
