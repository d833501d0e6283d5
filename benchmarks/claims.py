"""`python -m benchmarks.claims`: what the notes say is fast (3.4, K1 to K3), against loops and against NumPy itself.

Every way of a claim answers the same, which is checked; times are medians of interleaved rounds with 95 % intervals.
Below stands what NumPy asks for each pass that a fast way is made of, on arrays that are there already.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

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
CLOSE = 32 * 64

Ways = Mapping[str, Callable[[], Any]]


class Claim(NamedTuple):
    """Ways that answer the same, by name, with the one that they are compared with; then what they are made of."""

    title: str
    baseline: str
    ways: Ways
    passes: Ways | None = None


def claims(side: int, maps: int, dtype: str) -> list[Claim]:
    """The notes' own, at one size."""
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (1, maps, side, side)).astype(dtype)
    u = rng.standard_normal((maps, side * side)).astype(dtype)
    big = upsample.fast(x, N)
    return [
        Claim(f"K1, up-sampling {maps} maps of {side}×{side}, n = {N}", "loops", up(x), doublings(x)),
        Claim(f"K2, down-sampling {maps} maps of {N * side}×{N * side}, n = {N}", "loops", down(big)),
        Claim(
            f"K3, a sigmoid and its derivative, {u.size:,} elements",
            "a second exp, by functions",
            slopes(u),
            elementwise(u),
        ),
    ]


def up(x: np.ndarray) -> Ways:
    found = {
        "loops": lambda: upsample.naive(x, N),
        "Kronecker product (the notes)": lambda: upsample.notes(x, N),
        "an image resize: ndimage.zoom": lambda: scipy.ndimage.zoom(
            x, (1, 1, N, N), order=0, mode="grid-constant", grid_mode=True
        ),
        "rows and pixels copied (fast)": lambda: upsample.fast(x, N),
        "limit: a fill of the output": lambda: filled(x),
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


def filled(x: np.ndarray) -> np.ndarray:
    """An array of the output's size, newly made like it."""
    return np.full((*x.shape[:2], N * x.shape[2], N * x.shape[3]), 1.0, x.dtype)


def doublings(x: np.ndarray) -> Ways:
    """What it costs to have every pixel twice in its row, and every row twice: one of each is needed."""
    width = x.shape[3]
    lines, size = x.reshape(-1, width), x.itemsize
    wide, out = np.empty((len(lines), N * width), x.dtype), np.empty((len(lines), N, N * width), x.dtype)
    pixels = np.repeat(np.arange(x.size), N)

    def stored() -> None:
        wide[:, 0::2] = lines
        wide[:, 1::2] = lines

    def broadcast() -> None:
        out[...] = wide[:, None]

    passes: dict[str, Callable[[], Any]] = {
        "limit: a fill of the output": lambda: filled(x),
        "a copy of the output": lambda: np.copyto(out, other),
        "pixels: two strided stores": stored,
        "pixels: np.repeat": lambda: np.repeat(lines, N, axis=1),
        "pixels: np.take": lambda: np.take(x.reshape(-1), pixels, out=wide.reshape(-1), mode="clip"),
        "pixels: neighbours copied, as items of twice the bytes": lambda: upsample._double(lines, size, wide),
        "rows: copied one by one": broadcast,
        "rows: neighbours copied, as items of twice the bytes": lambda: upsample._double(
            wide, N * width * size, out
        ),
    }
    other = out.copy()
    if size in upsample._WORDS:
        single, double = upsample._WORDS[size]
        words, factor = wide.view(double), double(1 + (1 << 8 * size))
        passes["pixels: cast to integers of twice the bytes, and"] = lambda: np.copyto(
            words, lines.view(single)
        )
        passes["pixels: … these multiplied"] = lambda: np.multiply(words, factor, out=words)
    return passes


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
        "each by itself, from u (fast)": lambda: (sigmoid.fast(u), sigmoid.fast_slope(u)),
        "of one exponential, from u (fast)": lambda: sigmoid.fast_both(u),
        "limit: one exp": lambda: np.exp(u),
    }


def elementwise(u: np.ndarray) -> Ways:
    """What each pass over as many elements costs; f and f' need an exponential, a sum, a quotient and a product."""
    out, e = np.empty_like(u), np.exp(u)
    return {
        "limit: one exp": lambda: np.exp(u),
        "exp, into an array that is there": lambda: np.exp(u, out=out),
        "a sum, e + 1": lambda: np.add(e, 1, out=out),
        "a quotient, 1 / e": lambda: np.divide(1, e, out=out),
        "a product, e e": lambda: np.multiply(e, e, out=out),
        "np.tanh, from which f = (1 + tanh(u/2)) / 2": lambda: np.tanh(u, out=out),
    }


def agree(found: Ways) -> None:
    """All ways but the limit answer the same."""
    answers = {name: way() for name, way in found.items() if not name.startswith("limit")}
    wanted = next(iter(answers.values()))
    for name, answer in answers.items():
        pairs = zip(answer, wanted, strict=True) if isinstance(answer, tuple) else [(answer, wanted)]
        for a, w in pairs:
            assert np.max(np.abs(np.asarray(a) - np.asarray(w))) <= CLOSE * np.finfo(w.dtype).eps, name


def table(claim: Claim, rounds: int, clock: str) -> Iterator[str]:
    agree(claim.ways)
    times, _ = rounds_of(claim.ways, rounds, 0, clock)
    limit = limit_of(claim.ways)
    yield f"| {claim.title} | time | of {claim.baseline} | × limit |"
    yield "| --- | ---: | ---: | ---: |"
    for name, sample in times.items():
        against, bound = ratio(sample, times[claim.baseline]), ratio(sample, times[limit])
        yield f"| {name} | {time(median(sample))} | {against.value:.2g} | {bound.value:.2g} |"


def made_of(passes: Ways, rounds: int, clock: str) -> Iterator[str]:
    times, _ = rounds_of(passes, rounds, 0, clock)
    limit = limit_of(passes)
    yield "| one pass of NumPy's | time | × limit |"
    yield "| --- | ---: | ---: |"
    for name, sample in times.items():
        yield f"| {name} | {time(median(sample))} | {ratio(sample, times[limit]).value:.2g} |"


def limit_of(ways: Ways) -> str:
    return next(name for name in ways if name.startswith("limit"))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=__doc__)
    parser.add_argument("--side", type=int, default=128, help="of the maps; default 128")
    parser.add_argument("--maps", type=int, default=16, help="default 16")
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64", help="default float64")
    parser.add_argument("--rounds", type=int, default=11, help="default 11")
    parser.add_argument(
        "--clock", choices=sorted(CLOCKS), default="wall", help="cpu where others want the core"
    )
    given = parser.parse_args(arguments)
    with one_core(), threadpool_limits(limits=1):
        print(f"Measured on {in_words(machine(1))}, {given.dtype}, {given.clock} time.\n")
        for claim in claims(given.side, given.maps, given.dtype):
            print("\n".join(table(claim, given.rounds, given.clock)), end="\n\n")
            if claim.passes:
                print("\n".join(made_of(claim.passes, given.rounds, given.clock)), end="\n\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
