"""`python -m benchmarks.growth`: how the time of a kernel grows with its work, and where transforms take over.

Time against pixels, maps, side of a kernel and batch, from 1e2 to 1e7 elements or products, with the exponent of a
straight line through the logarithms: 1 is in proportion. `--crossover` compares matrix products with transforms, which
is where the constants of `reference.kernels._transformed` come from. Seconds are this process's own.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from gradcheck.bench.record import in_words, machine
from gradcheck.frameworks.extras import needed
from reference.kernels import FAST, NAIVE, _shifted, _transformed

FORMS = {"naive loops": NAIVE, "fast": FAST}
PATIENCE = 12.0  # seconds: what would take longer at the next size is not tried
ENOUGH = 0.3  # seconds: a round that is longer is not repeated
FROM, TO = 1e2, 1e7


class Series(NamedTuple):
    """An operation along one axis of growth: shapes from a whole number."""

    operation: str
    axis: str
    fixed: str
    start: int
    inputs: Callable[[int], tuple[tuple[int, ...], ...]]
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed

    @property
    def title(self) -> str:
        return f"{self.operation}, {self.axis}"

    def work(self, n: int) -> int:
        """Elements of the input, or products where there is a kernel."""
        shapes = self.inputs(n)
        if len(shapes) == 1:
            return math.prod(shapes[0])
        x, k = shapes
        return x[0] * math.prod(k) * (x[2] - k[2] + 1) * (x[3] - k[3] + 1)


SERIES = (
    Series("upsample", "pixels", "1 map, n = 2", 10, lambda n: ((1, 1, n, n),), {"n": 2}),
    Series(
        "downsample",
        "pixels",
        "1 map of even sides, n = 2",
        10,
        lambda n: ((1, 1, n - n % 2, n - n % 2),),
        {"n": 2},
    ),
    Series("sigmoid", "elements", "1 axis", 100, lambda n: ((n,),)),
    Series(
        "convolve_valid", "pixels", "2 maps to 2, kernels of 3×3", 6, lambda n: ((1, 2, n, n), (2, 2, 3, 3))
    ),
    Series("convolve_valid", "maps", "of 8×8, kernels of 3×3", 1, lambda n: ((1, n, 8, 8), (n, n, 3, 3))),
    Series(
        "convolve_valid",
        "batch",
        "2 maps of 8×8 to 2, kernels of 3×3",
        1,
        lambda n: ((n, 2, 8, 8), (2, 2, 3, 3)),
    ),
    Series(
        "convolve_valid",
        "side of the kernel",
        "2 maps of twice its side to 2",
        2,
        lambda n: ((1, 2, 2 * n, 2 * n), (2, 2, n, n)),
    ),
)


def seconds(call: Callable[[], Any], rounds: int = 5) -> float:
    """The least of some rounds, each of 2 ms at least: other programs only ever add."""
    count, best = 1, math.inf
    for _ in range(rounds):
        while True:
            started = time.process_time()
            for _ in range(count):
                call()
            spent = time.process_time() - started
            if spent >= 2e-3 or count >= 1 << 20:
                break
            count *= 2
        best = min(best, spent / count)
        if spent > ENOUGH:
            break
    return best


def steps(series: Series) -> Iterator[tuple[int, int]]:
    """Sizes, doubled or nearly so from step to step, and their work, from FROM to the last within TO."""
    n = series.start
    while series.work(n) <= TO:
        if series.work(n) >= FROM:
            yield n, series.work(n)
        last, n = n, max(n + 1, round(n * 1.8))
    most = max(n for n in range(last, n) if series.work(n) <= TO)
    if most > last:
        yield most, series.work(most)


def measured(series: Series, form: Any) -> list[tuple[int, float]]:
    """Work and seconds of a forward, until the next would try one's patience."""
    rng, found = np.random.default_rng(0), []
    for n, work in steps(series):
        if found and found[-1][1] * work / found[-1][0] > PATIENCE:
            break
        inputs = [rng.standard_normal(shape) for shape in series.inputs(n)]
        operation = getattr(form, series.operation)
        found.append((work, seconds(lambda: operation.forward(*inputs, **series.options))))  # noqa: B023
    return found


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """The slope of log seconds over log work, of the upper half: below it the cost of a call is seen.

    >>> round(exponent([(10, 1e-5), (100, 2e-5), (1000, 2e-4), (10000, 2e-3)]), 3)
    1.0
    """
    upper = np.log(np.array(points[len(points) // 2 :]))
    return float(np.polyfit(upper[:, 0], upper[:, 1], 1)[0])


def growth() -> dict[tuple[str, str], list[tuple[int, float]]]:
    return {(s.title, name): measured(s, form) for s in SERIES for name, form in FORMS.items()}


def table(found: dict[tuple[str, str], list[tuple[int, float]]]) -> Iterator[str]:
    yield "| operation, along | form | work from | to | seconds from | to | exponent |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for (title, name), points in found.items():
        (w0, t0), (w1, t1) = points[0], points[-1]
        yield (f"| {title} | {name} | {w0:.0e} | {w1:.0e} | {t0:.1e} | {t1:.1e} | {exponent(points):.2f} |")


def draw(found: dict[tuple[str, str], list[tuple[int, float]]], told: str, place: Path) -> None:
    """Log-log, hollow marks for loops and full ones for the fast form, a panel for each series."""
    matplotlib = needed("matplotlib", "plot", "benchmarks.growth")
    figure = needed("matplotlib.figure", "plot", "benchmarks.growth").Figure(
        figsize=(11, 6), layout="constrained"
    )
    panels = list(figure.subplots(2, 4, sharey=True).flat)
    for series, axes in zip(SERIES, panels, strict=False):
        for name, mark, fill in (("naive loops", "o", "white"), ("fast", "s", "black")):
            points = found[series.title, name]
            label = f"{name}, work^{exponent(points):.2f}"
            axes.loglog(
                *zip(*points, strict=True),
                "k-",
                marker=mark,
                markerfacecolor=fill,
                label=label,
                linewidth=0.8,
            )
        axes.set_title(f"{series.title}\n{series.fixed}", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.set_xlabel(
            "products" if series.operation.startswith("conv") else "elements of the input", fontsize=8
        )
        axes.grid(linewidth=0.3)
        axes.legend(fontsize=7)
    for axes in (panels[0], panels[4]):
        axes.set_ylabel("seconds of a call", fontsize=8)
    panels[-1].set_axis_off()
    figure.suptitle(f"{told}\nfloat64, forward, least of five rounds of CPU time", fontsize=7)
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(place)


CROSSINGS = ((1, 1, 1, 64), (1, 4, 4, 64), (4, 8, 8, 64), (1, 1, 1, 256), (1, 1, 6, 128))
SIDES = (3, 5, 7, 9, 11, 15, 21, 31)


KERNELS = {
    "valid": (_shifted.valid, _transformed.valid),
    "full": (_shifted.full, _transformed.full),
    "kernel gradient": (_shifted.gradient, _transformed.gradient),
}


def crossover() -> Iterator[str]:
    """Ratios for each kernel, number of maps and size, from where transforms are chosen, and what the choice costs."""
    rng, costs = np.random.default_rng(0), []
    for name in KERNELS:
        yield (
            f"| {name}: maps N×I×J, side | dtype | "
            + " | ".join(f"{side}²" for side in SIDES)
            + " | chosen from |"
        )
        yield "| --- | --- | " + " | ".join("---:" for _ in SIDES) + " | ---: |"
        for batch, i, j, size in CROSSINGS:
            for dtype in (np.float64, np.float32):
                ratios = [compared(name, batch, i, j, size, side, dtype, rng) for side in SIDES]
                picked = [picks(name, batch, i, j, size, side) for side in SIDES]
                costs += [cost(*each) for each in zip(ratios, picked, strict=True)]
                chosen = next((f"{side}²" for side, yes in zip(SIDES, picked, strict=True) if yes), "–")
                cells = " | ".join(f"{ratio:.2g}" for ratio in ratios)
                yield f"| {batch}×{i}×{j}, {size}² | {np.dtype(dtype)} | {cells} | {chosen} |"
        yield ""
    dear = sum(each > 1.1 for each in costs)
    yield f"The choice takes {np.mean(costs):.3f} times the better one's time on average, {max(costs):.1f} at worst,"
    yield f"and more than 1.1 in {dear} of {len(costs)}."


def cost(ratio: float, transformed: bool) -> float:
    """Time of what was chosen over the better of both.

    >>> cost(2.0, True), cost(2.0, False), cost(0.5, True)
    (1.0, 2.0, 2.0)
    """
    return max(1 / ratio, 1.0) if transformed else max(ratio, 1.0)


def picks(name: str, batch: int, i: int, j: int, size: int, side: int) -> bool:
    """Whether `convolve` takes the transform; size is that of the larger maps."""
    output = (size - side + 1, size - side + 1)
    rows = {"valid": j, "full": i * side, "kernel gradient": j + 1}[name]
    return _transformed.cheaper(batch, (i, j), (size, size), (side, side), output, rows)


def compared(
    name: str, batch: int, i: int, j: int, size: int, side: int, dtype: Any, rng: np.random.Generator
) -> float:
    """Seconds of matrix products over those of transforms, whose answers are the same whole numbers."""
    x = rng.integers(-4, 5, (batch, i, size, size)).astype(dtype)
    k = rng.integers(-4, 5, (i, j, side, side)).astype(dtype)
    d = rng.integers(-4, 5, (batch, j, size - side + 1, size - side + 1)).astype(dtype)
    given = {"valid": (x, k), "full": (d, k), "kernel gradient": (x, d)}[name]
    direct, transformed = KERNELS[name]
    assert np.array_equal(np.rint(transformed(*given)), direct(*given))
    return seconds(lambda: direct(*given), 3) / seconds(lambda: transformed(*given), 3)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--crossover", action="store_true", help="direct against transformed instead")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw it (needs matplotlib)")
    given = parser.parse_args(arguments)
    with threadpool_limits(limits=1):
        told = in_words(machine(1))
        print(f"Measured on {told}.\n")
        if given.crossover:
            print("Times of matrix products over those of transforms: above 1 the transform wins.\n")
            print("\n".join(crossover()))
            return 0
        found = growth()
        print("\n".join(table(found)))
        if given.plot:
            draw(found, told, given.plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
