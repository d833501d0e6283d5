"""`python3 -m benchmarks.arena.oracle`: a whole gradient of 1,000 elements, beside SciPy's differences.

What one pays for digits, and for knowing them: calls of f, seconds, the error and what is said of it. A step that is
fixed beforehand has one accuracy, and no budget buys more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import approx_fprime
from scipy.optimize._numdiff import approx_derivative

from gradcheck import gradient

#: Elements, and terms of the sum.
SIZE, TERMS = 1000, 200

HEADS = (
    "f",
    "differentiator",
    "calls of f",
    "seconds",
    "error",
    "bound",
    "beside 3-point: calls",
    "seconds",
    "error",
)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Measured:
    """One gradient: calls of f, seconds, its error and its bound in the 2-norm, beside that of the gradient."""

    name: str
    calls: int
    seconds: float
    error: float
    bound: float | None = None


@dataclass
class Softplus:
    """Σ log(1 + exp(A x)), with its calls counted; `idle` seconds a call stand for a dearer function."""

    idle: float
    calls: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        self.a = rng.standard_normal((TERMS, SIZE)) / np.sqrt(SIZE)
        self.x = rng.standard_normal(SIZE)

    def __call__(self, x: Array) -> float:
        self.calls += 1
        if self.idle:
            time.sleep(self.idle)
        return float(np.sum(np.logaddexp(0.0, self.a @ x)))

    def gradient(self) -> Array:
        return np.asarray(self.a.T @ (1 / (1 + np.exp(-(self.a @ self.x)))))


def ways(f: Softplus) -> dict[str, Callable[[], Any]]:
    """The differentiators, by name."""
    return {
        "SciPy, approx_fprime": lambda: approx_fprime(f.x, f),
        "SciPy, 3-point": lambda: approx_derivative(f, f.x, method="3-point"),
        "gradcheck.gradient": lambda: gradient(f, f.x),
    }


def measured(f: Softplus, name: str) -> Measured:
    """One gradient of f."""
    f.calls, right = 0, f.gradient()
    start = time.perf_counter()
    found = ways(f)[name]()
    seconds, size = time.perf_counter() - start, float(np.linalg.norm(right))
    value, bound = getattr(found, "value", found), getattr(found, "bound", None)
    error = float(np.linalg.norm(np.ravel(value) - right)) / size
    return Measured(
        name, f.calls, seconds, error, None if bound is None else float(np.linalg.norm(bound)) / size
    )


def line(label: str, each: Measured, base: Measured) -> str:
    """A row of the table."""
    ratios = each.calls / base.calls, each.seconds / base.seconds, each.error / base.error
    cells = (label, each.name, f"{each.calls:,}", f"{each.seconds:.2f}", f"{each.error:.0e}",
             "–" if each.bound is None else f"{each.bound:.0e}", *(f"{r:.2g}×" for r in ratios))  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def report(idle: Sequence[float] = (0.0, 1e-3)) -> str:
    """The table, for a function that costs next to nothing and for one that costs a millisecond."""
    lines = ["| " + " | ".join(HEADS) + " |", "| --- | --- |" + " ---: |" * (len(HEADS) - 2)]
    for each in idle:
        f = Softplus(each)
        found = [measured(f, name) for name in ways(f)]
        label = f"{each * 1e3:g} ms a call more" if each else f"{SIZE:,} inputs, {TERMS} terms"
        lines += [line(label, row, found[1]) for row in found]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
