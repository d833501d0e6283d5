"""Blame: whose fault a failure is, the forward's or the gradient's."""

from __future__ import annotations

from dataclasses import replace

from gradcheck.verdict import Check, Verdict

RIGHT = "right gradient of the right function; its forward is wrong"
CONSISTENT = "right gradient of the wrong function"
ALONE = "its gradients are those of the operation: the mistake is in the forward alone"
TOGETHER = "the gradients are those of this forward: both compute another function, consistently"


def blamed(own: Check | None, naive: Check | None) -> Check | None:
    """The check of one gradient whose forward is wrong, from the two derivatives that it could be.

    Parameters
    ----------
    own : Check or None
        Against the derivative of the target's own forward; None where that forward has none.
    naive : Check or None
        Against that of the operation's naive forward; None where the gradient is not offered.

    Returns
    -------
    Check or None
        The verdict is that on the operation: a consistent pair of another function fails.
    """
    if naive is None or naive.verdict is Verdict.ERROR:
        return naive or own
    if naive.passed:
        return naive if own is not None and own.passed else replace(naive, notes=(RIGHT, *naive.notes))
    if own is not None and own.passed and naive.verdict is Verdict.FAIL:
        return replace(naive, reason=f"{CONSISTENT}: of its own forward, which is wrong; {naive.reason}")
    if own is not None and own.verdict is Verdict.FAIL and naive.verdict is Verdict.FAIL:
        return replace(
            naive, notes=("nor is it the gradient of its own forward, which is wrong", *naive.notes)
        )
    return naive


def told(value: Check, gradients: list[Check]) -> Check:
    """The failed forward's check with what its gradients say of the mistake, where they say it with one voice."""
    if value.diagnosis or not gradients:
        return value
    if all(RIGHT in check.notes for check in gradients):
        return replace(value, diagnosis=ALONE)
    if all(check.reason.startswith(CONSISTENT) for check in gradients):
        return replace(value, diagnosis=TOGETHER)
    return value
