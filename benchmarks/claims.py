"""`python -m benchmarks.claims`: what the notes say is fast (3.4, K1 to K3), against loops and against NumPy itself.

Every way of a claim answers the same, which is checked; times are medians of interleaved rounds with 95 % intervals.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.ndimage
from scipy.signal import convolve2d
from threadpoolctl import threadpool_limits

from gradcheck.bench.command import one_core
from gradcheck.bench.record import in_words, machine
from gradcheck.bench.statistics import median, ratio
from gradcheck.bench.table import time
from gradcheck.bench.timing import CLOCKS, rounds_of
from reference.kernels import downsample, sigmoid, upsample

N = 2

# 32 roundings of numbers up to 64, the largest block sum; the ways of a sigmoid and its slope are of numbers up to 1
CLOSE = 32 * 64 * np.finfo(np.float64).eps

Ways = Mapping[str, Callable[[], Any]]


def ways(side: int, maps: int) -> dict[str, tuple[str, Ways]]:
    """Of each claim the baseline, and the ways by name."""
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (1, maps, side, side)).astype(np.float64)
    u = rng.standard_normal((maps, side * side))
    big = upsample.fast(x, N)
    return {
        f"K1, up-sampling {maps} maps of {side}×{side}, n = {N}": ("loops", up(x)),
        f"K2, down-sampling {maps} maps of {N * side}×{N * side}, n = {N}": ("loops", down(big)),
        f"K3, a sigmoid and its derivative, {u.size:,} elements": ("a second exp, by functions", slopes(u)),
    }


def up(x: np.ndarray) -> Ways:
    found = {
        "loops": lambda: upsample.naive(x, N),
        "Kronecker product (the notes)": lambda: upsample.notes(x, N),
        "an image resize: ndimage.zoom": lambda: scipy.ndimage.zoom(
            x, (1, 1, N, N), order=0, mode="grid-constant", grid_mode=True
        ),
        "rows and pixels copied (fast)": lambda: upsample.fast(x, N),
        "limit: a fill of the output": lambda: np.full((*x.shape[:2], N * x.shape[2], N * x.shape[3]), 1.0),
        "limit of NumPy: pixels stored one by one, and a fill": lambda: stored_and_filled(x),
    }
    if find_spec("torch"):
        torch = import_module("torch")
        tensor = torch.from_numpy(x)
        found["an image resize: torch interpolate"] = lambda: torch.nn.functional.interpolate(
            tensor, scale_factor=N
        )
    if find_spec("numba"):
        compiled = import_module("gradcheck.adapters.numba")
        found["loops compiled by numba"] = lambda: compiled.copied(x, N)
    return found


def stored_and_filled(x: np.ndarray) -> None:
    """What is left where rows cost no more than a fill: a strided store of each pixel, N times over."""
    wide = np.empty((*x.shape[:3], N * x.shape[3]))
    for b in range(N):
        wide[..., b::N] = x
    np.full((*x.shape[:2], N * x.shape[2], N * x.shape[3]), 1.0)


def down(x: np.ndarray) -> Ways:
    ones = np.ones((N, N))
    batch, maps, height, width = x.shape
    found = {
        "loops": lambda: downsample.naive(x, N),
        "convolution with ones, then every n-th (the notes)": lambda: np.stack(
            [convolve2d(plane, ones, "valid")[::N, ::N] for plane in x[0]]
        )[None],
        "block sums: reshape and sum": lambda: x.reshape(batch, maps, height // N, N, width // N, N).sum(
            axis=(3, 5)
        ),
        "rows, then strided columns added (fast)": lambda: downsample.fast(x, N),
        "limit: a plain sum of the input": lambda: x.sum(),
    }
    if find_spec("torch"):
        torch = import_module("torch")
        tensor = torch.from_numpy(x)
        found["torch avg_pool2d"] = lambda: torch.nn.functional.avg_pool2d(tensor, N, divisor_override=1)
    if find_spec("numba"):
        compiled = import_module("gradcheck.adapters.numba")
        found["loops compiled by numba"] = lambda: compiled.summed(x, N)
    return found


def slopes(u: np.ndarray) -> Ways:
    def value(u: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-u))

    def slope(u: np.ndarray) -> np.ndarray:
        return value(u) * (1 - value(u))

    def inline() -> tuple[np.ndarray, np.ndarray]:
        y = 1 / (1 + np.exp(-u))
        return y, y * (1 - y)

    def called() -> tuple[np.ndarray, np.ndarray]:
        y = value(u)
        return y, sigmoid.notes_slope(y)

    return {
        "a second exp, by functions": lambda: (value(u), slope(u)),
        "from the output, by functions": called,
        "from the output, inline (the notes)": inline,
        "in one buffer, and from u (fast)": lambda: (sigmoid.fast(u), sigmoid.fast_slope(u)),
        "limit: one exp": lambda: np.exp(u),
        "limit of NumPy: exp, sum, quotient, difference and product": lambda: passes(u),
    }


def passes(u: np.ndarray) -> None:
    """Every pass that a sigmoid and its derivative cannot do without, in place but for one."""
    e = np.exp(u)
    e += 1
    np.divide(1, e, out=e)
    slope = np.subtract(1, e)
    slope *= e


def agree(found: Ways) -> None:
    """All ways but the limit answer the same."""
    answers = {name: way() for name, way in found.items() if not name.startswith("limit")}
    wanted = next(iter(answers.values()))
    for name, answer in answers.items():
        pairs = zip(answer, wanted, strict=True) if isinstance(answer, tuple) else [(answer, wanted)]
        for a, w in pairs:
            assert np.max(np.abs(np.asarray(a) - np.asarray(w))) <= CLOSE, name


def table(title: str, baseline: str, found: Ways, rounds: int, clock: str) -> Iterator[str]:
    agree(found)
    times, _ = rounds_of(found, rounds, 0, clock)
    limit = next(name for name in found if name.startswith("limit"))
    yield f"| {title} | time | of {baseline} | × limit |"
    yield "| --- | ---: | ---: | ---: |"
    for name, sample in times.items():
        against, bound = ratio(sample, times[baseline]), ratio(sample, times[limit])
        yield f"| {name} | {time(median(sample))} | {against.value:.2g} | {bound.value:.2g} |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=__doc__)
    parser.add_argument("--side", type=int, default=128, help="of the maps; default 128")
    parser.add_argument("--maps", type=int, default=16, help="default 16")
    parser.add_argument("--rounds", type=int, default=11, help="default 11")
    parser.add_argument(
        "--clock", choices=sorted(CLOCKS), default="wall", help="cpu where others want the core"
    )
    given = parser.parse_args(arguments)
    with one_core(), threadpool_limits(limits=1):
        print(f"Measured on {in_words(machine(1))}, {given.clock} time.\n")
        for title, (baseline, found) in ways(given.side, given.maps).items():
            print("\n".join(table(title, baseline, found, given.rounds, given.clock)), end="\n\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
