"""Do errors of exactly the size that a check states pass as seldom as it says?

    python -m benchmarks.power

takes the power of a passing check, an error e with a chance to miss it, seeds a mutant that is wrong by exactly e, in
norm or in a single element, through the same check with the same directions, and counts the mutants that pass. At the
chance of 1e-9 that a certificate states none is to be expected; at larger ones some must, or it says too little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from gradcheck import Verdict, check_vjp
from gradcheck.power import CHANCE, power_of

#: Chances at which mutants are seeded: the one of certificates, and two that can be counted.
CHANCES = (CHANCE, 0.01, 0.2)

#: Chance that a right statement is called broken.
RISK = 1e-3

#: Seeds that a process takes at a time, and elements of the gradient.
CHUNK, SIZE = 50, 60

Array = np.ndarray[Any, Any]


def f(x: Array) -> Any:
    """Σ sin(x) ∘ cumsum(x), and its gradient."""
    return np.sum(np.sin(x) * np.cumsum(x))


def gradient(x: Array) -> Array:
    return np.asarray(np.cos(x) * np.cumsum(x) + np.cumsum(np.sin(x)[::-1])[::-1])


@dataclass(frozen=True)
class Row:
    """Mutants of one kind: `passed` of `count`, where `chance` of them may."""

    kind: str
    chance: float
    count: int
    passed: int
    size: float

    @property
    def broken(self) -> bool:
        """Whether more pass than the chance explains."""
        return bool(binomtest(self.passed, self.count, self.chance, alternative="greater").pvalue < RISK)

    @property
    def empty(self) -> bool:
        """Whether none passes where some should: then errors of that size are caught better than is said."""
        return self.passed == 0 and self.count * self.chance > 10


def passes(seed: int, kind: str, chance: float) -> tuple[bool, float]:
    """Whether a mutant of the very size passes, and that size beside the norm of the gradient."""
    x = np.random.default_rng([seed, 1001]).standard_normal(SIZE)
    # one direction where many are to pass: of two, a small difference needs both
    settings: dict[str, Any] = {"seed": seed, "directions": 2 if chance == CHANCE else 1, "explain": False}
    right = check_vjp(f, lambda c, x: (c * gradient(x),), (x,), conduct=False, **settings)
    power = power_of(right.thresholds, SIZE, chance=chance)
    if kind == "one element":
        error, size = np.eye(SIZE)[seed % SIZE], power.element / math.sqrt(SIZE)
    else:
        error, size = np.random.default_rng([seed, 1000]).standard_normal(SIZE), power.norm
    error = error / np.linalg.norm(error)

    def mutant(c: Array, x: Array) -> tuple[Array]:
        g = gradient(x)
        return (c * (g + size * np.linalg.norm(g) * error),)

    check = check_vjp(f, mutant, (x,), conduct=False, **settings)
    return check.verdict is Verdict.PASS, size


def chunk(seeds: range, kind: str, chance: float) -> list[tuple[bool, float]]:
    """Several seeds."""
    return [passes(seed, kind, chance) for seed in seeds]


def count_all(trials: int, seed: int, jobs: int) -> list[Row]:
    """A row for each kind of error and each chance."""
    kinds = [(kind, chance) for kind in ("norm", "one element") for chance in CHANCES]
    parts = [
        (range(start, min(start + CHUNK, seed + trials)), *kind)
        for kind in kinds
        for start in range(seed, seed + trials, CHUNK)
    ]
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        answers = pool.map(chunk, *zip(*parts, strict=True))
        found = list(track(answers, "seeding mutants", len(parts), console=Console(stderr=True)))
    return [_row(kind, chance, parts, found) for kind, chance in kinds]


def _row(kind: str, chance: float, parts: Sequence[Any], found: Sequence[list[tuple[bool, float]]]) -> Row:
    mine = [
        one
        for part, several in zip(parts, found, strict=True)
        if part[1:] == (kind, chance)
        for one in several
    ]
    return Row(
        kind, chance, len(mine), sum(passed for passed, _ in mine), float(np.median([s for _, s in mine]))
    )


@click.command(context_settings={"show_default": True})
@click.option("--trials", default=2000, type=click.IntRange(1), help="Mutants of each kind and chance.")
@click.option("--seed", default=0, type=click.IntRange(0))
@click.option("--jobs", default=2, type=click.IntRange(1), help="Processes.")
def main(trials: int, seed: int, jobs: int) -> None:
    """Count mutants of the stated size that pass; exit status 1 if they are more than is stated, or too few."""
    result = Table(title="Mutants of exactly the size that a check states", box=box.SIMPLE_HEAD)
    for name in ("error in", "stated chance to pass", "mutants", "passed", "share", "median size"):
        result.add_column(name, justify="left" if name == "error in" else "right")
    rows = count_all(trials, seed, jobs)
    for row in rows:
        cells = (
            row.kind,
            f"{row.chance:g}",
            row.count,
            row.passed,
            f"{row.passed / row.count:.2%}",
            f"{row.size:.1e}",
        )
        result.add_row(*map(str, cells), style="red" if row.broken or row.empty else "")
    Console(width=None if Console().is_terminal else 100).print(result)
    raise SystemExit(any(row.broken or row.empty for row in rows))


if __name__ == "__main__":
    main()
