"""Are all wrong elements of a large gradient found, and in how many probes?

    python -m benchmarks.locating

checks a gradient of a million elements of which 1, 3 or 30 are wrong, end to end through `check_vjp`, and counts what
is found and the calls of f that it took. A probe is one derivative along one direction: four calls of f.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from gradcheck import Verdict, check_vjp
from gradcheck.quick import QUICK

#: How an element is wrong.
MISTAKES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "twice": lambda g: 2 * g,
    "zero": lambda g: 0 * g,
    "sign": lambda g: -g,
    "1 % off": lambda g: 1.01 * g,
}

#: Probes beside k log2(n) up to which it is O(k log n). Each element is measured once more by itself, two directions
#: and four blocks show that not all is wrong, and where a sum of a million products is noisier than one rounding,
#: blocks are split in vain. Measured at a million elements: 0.8 to 2.1.
TIMES = 3.0

#: Columns of a report that is not read in a terminal.
WIDTH = 120


@dataclass(frozen=True)
class Hunt:
    """One gradient: `found` of its `count` wrong elements, `false` others.

    `calls` of f showed that it is wrong, `probes` more where; `ideal` is k log2(n).
    """

    mistake: str
    count: int
    found: int
    false: int
    calls: int
    probes: int
    ideal: float
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether all were found and nothing else, in the probes that were promised."""
        return self.found == self.count and not self.false and self.probes <= TIMES * self.ideal


def hunt(size: int, count: int, mistake: str, seed: int) -> Hunt:
    """A wrong gradient of ⟨w, x + x²/2⟩, at a point of `size` elements, examined by `check_vjp`."""
    rng = np.random.default_rng([seed, size, count])
    w, x = rng.standard_normal(size), rng.standard_normal(size)
    places = rng.choice(size, count, replace=False)

    def vjp(c: np.ndarray, x: np.ndarray) -> np.ndarray:
        gradient = c * w * (1 + x)
        gradient[places] = MISTAKES[mistake](gradient[places])
        return gradient

    def f(x: np.ndarray) -> float:
        return w @ (x + x * x / 2)

    seen = check_vjp(f, vjp, (x,), seed=seed, explain=False)  # the same, but for where it is wrong
    start = time.perf_counter()
    check = check_vjp(f, vjp, (x,), seed=seed, locate=min(100_000, QUICK * size - 1))
    seconds = time.perf_counter() - start
    wrong = {index[0] for index in check.wrong} if check.verdict is Verdict.FAIL else set()
    found = len(wrong & set(places.tolist()))
    probes = math.ceil((check.evaluations - seen.evaluations) / QUICK)
    return Hunt(
        mistake, count, found, len(wrong) - found, seen.evaluations, probes, count * math.log2(size), seconds
    )


def table(hunts: list[Hunt], size: int) -> Table:
    """One row a gradient; incomplete ones are red."""
    result = Table(title=f"Wrong elements among {size:,}", box=box.SIMPLE_HEAD)
    for name in (
        "mistake",
        "wrong",
        "found",
        "false",
        "calls to fail",
        "probes to locate",
        "k log₂ n",
        "seconds",
    ):
        result.add_column(name, justify="left" if name == "mistake" else "right")
    for h in hunts:
        cells = (
            h.mistake,
            h.count,
            h.found,
            h.false,
            h.calls,
            h.probes,
            f"{h.ideal:.0f}",
            f"{h.seconds:.1f}",
        )
        result.add_row(*map(str, cells), style="" if h.complete else "red")
    return result


@click.command(context_settings={"show_default": True})
@click.option("--size", default=1_000_000, type=click.IntRange(1000), help="Elements of the gradient.")
@click.option("--wrong", "counts", multiple=True, default=[1, 3, 30], type=click.IntRange(1, 100))
@click.option("--mistake", "mistakes", multiple=True, type=click.Choice(list(MISTAKES)), help="All of them.")
@click.option("--seed", default=0, type=click.IntRange(0))
def main(size: int, counts: tuple[int, ...], mistakes: tuple[str, ...], seed: int) -> None:
    """Find the wrong elements of a gradient; exit status 1 if one is missed or costs more than is promised."""
    hunts = [hunt(size, count, mistake, seed) for mistake in mistakes or MISTAKES for count in counts]
    console = Console() if Console().is_terminal else Console(width=WIDTH)
    console.print(table(hunts, size))
    raise SystemExit(not all(h.complete for h in hunts))


if __name__ == "__main__":
    main()
