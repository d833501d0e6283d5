"""`python -m benchmarks.claims`: what the notes say is fast (3.4, K1 to K3), against loops and against NumPy itself.

Every way of a claim answers the same, which is checked; times are medians of interleaved rounds with 95 % intervals.
Below stands what NumPy asks for each pass that a fast way is made of, on arrays that are there already, whether the way
keeps within its bound, and who is faster.
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
from gradcheck.bench.natives import native
from gradcheck.bench.record import in_words, machine
from gradcheck.bench.statistics import Median, median, ratio
from gradcheck.bench.table import time
from gradcheck.bench.timing import CLOCKS, rounds_of
from reference.kernels import downsample, sigmoid, upsample

N = 2

# 32 roundings of numbers up to 64, the largest block sum; the ways of a sigmoid and its slope are of numbers up to 1
CLOSE = 32 * 64

EXP = "exp, into an array that is there"
QUOTIENT, PRODUCT = "a quotient, 1 / e, in place", "a product, e r, in place"

Ways = Mapping[str, Callable[[], Any]]


RIVALS = ("torch", "JAX", "numba")
"""Who is said to be faster, where it is; in the name of a way."""


class Claim(NamedTuple):
    """Ways that answer the same, by name, with the one that they are compared with; then what they are made of.

    Parameters
    ----------
    title, baseline : str
    ways : mapping of str to callable
    ours : str
        The way that has to keep within `bound` times the limit.
    bound : float
    passes : mapping of str to callable
        Of NumPy's, the limit among them.
    least : tuple of tuple of tuple of str
        What no way of NumPy's does without: of each, the quickest. More than one where it can be done otherwise.
    """

    title: str
    baseline: str
    ways: Ways
    ours: str
    bound: float
    passes: Ways | None = None
    least: tuple[tuple[tuple[str, ...], ...], ...] = ()


def claims(side: int, maps: int, dtype: str) -> list[Claim]:
    """The notes' own, at one size."""
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (1, maps, side, side)).astype(dtype)
    u = rng.standard_normal((maps, side * side)).astype(dtype)
    big = upsample.fast(x, N)
    doubled, one_by_one = doublings(x), elementwise(u)
    return [
        Claim(
            f"K1, up-sampling {maps} maps of {side}×{side}, n = {N}",
            "loops",
            up(x),
            "rows and pixels copied (fast)",
            2.0,
            doubled,
            tuple(
                tuple(tuple(name for name in doubled if name.startswith(part)) for part in parts)
                for parts in (("pixels:", "rows:"), ("both:",), ("both, first:", "both, then:"))
            ),
        ),
        Claim(
            f"K2, down-sampling {maps} maps of {N * side}×{N * side}, n = {N}",
            "loops",
            down(big),
            "rows, then strided columns added (fast)",
            3.0,
        ),
        Claim(
            f"K3, a sigmoid and its derivative, {u.size:,} elements",
            "a second exp, by functions",
            slopes(u),
            "of one exponential, from u (fast)",
            1.5,
            one_by_one,
            (tuple((name,) for name in (EXP, "a sum, e + 1", QUOTIENT, PRODUCT, PRODUCT)),),
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
    if find_spec("jax"):
        found["jitted JAX: repeated twice"] = native("jax", "upsample", "forward", (x,), None, N)
    if find_spec("numba"):
        compiled = import_module("gradcheck.adapters.numba")
        found["loops compiled by numba"] = lambda: compiled.copied(x, N)
    return found


def filled(x: np.ndarray) -> np.ndarray:
    """An array of the output's size, newly made like it."""
    return np.full((*x.shape[:2], N * x.shape[2], N * x.shape[3]), 1.0, x.dtype)


def doublings(x: np.ndarray) -> Ways:
    """What it costs to have every pixel twice in its row and every row twice: one of each is needed, or both in one."""
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
        words, factor = wide.view(double), double.type(1 + (1 << 8 * size))
        both, (halves, before, to) = out.view(double), shifted(out, single)

        def multiplied() -> None:
            np.copyto(words, lines.view(single))
            np.multiply(words, factor, out=words)

        passes["pixels: cast to integers of twice the bytes, and these multiplied"] = multiplied
        passes["both, first: cast to integers of twice the bytes, into two rows"] = lambda: np.copyto(
            both, lines.view(single)[:, None]
        )
        passes["both, then: these multiplied"] = lambda: np.multiply(both, factor, out=both)
        passes["both, then: their halves joined"] = lambda: np.bitwise_or(halves, before, out=to)
    else:
        passes["both: neighbours copied into two rows"] = lambda: upsample._write_twice(lines, out)
    return passes


def shifted(out: np.ndarray, half: np.dtype[Any]) -> Iterator[np.ndarray]:
    """As many halves of words three times in one buffer: a vector ahead of the last, one half less, and the last."""
    vector = upsample._AHEAD
    spare = np.zeros(out.nbytes + 2 * vector, np.uint8)
    first = -spare.ctypes.data % vector
    for start in (first + vector, first + vector - half.itemsize, first):
        yield np.ndarray((out.size,), half, spare, start)


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
    if find_spec("jax"):
        found["jitted JAX: reshape and sum"] = native("jax", "downsample", "forward", (x,), None, N)
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

    found = {
        "a second exp, by functions": lambda: (value(u), slope(u)),
        "from the output, by functions": called,
        "from the output, inline (the notes)": inline,
        "each by itself, from u (fast)": lambda: (sigmoid.fast(u), sigmoid.fast_slope(u)),
        "of one exponential, from u (fast)": lambda: sigmoid.fast_both(u),
        "limit: one exp": lambda: np.exp(u),
    }
    if find_spec("torch"):
        torch = import_module("torch")
        tensor = torch.from_numpy(u)

        def by_torch() -> Any:
            y = torch.sigmoid(tensor)
            return y, y * (1 - y)

        found["torch sigmoid, then from the output"] = by_torch
    return found


def elementwise(u: np.ndarray) -> Ways:
    """What each pass over as many elements costs; f and f' need an exponential, a sum, a quotient and a product."""
    out, e, ones = np.empty_like(u), np.exp(u), np.ones_like(u)
    return {
        "limit: one exp": lambda: np.exp(u),
        EXP: lambda: np.exp(u, out=out),
        "a sum, e + 1": lambda: np.add(e, 1, out=out),
        QUOTIENT: lambda: np.divide(1, e, out=e),
        PRODUCT: lambda: np.multiply(e, ones, out=e),
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
    limit = times[limit_of(claim.ways)]
    yield f"| {claim.title} | time | of {claim.baseline} | × limit |"
    yield "| --- | ---: | ---: | ---: |"
    for name, sample in times.items():
        against, bound = ratio(sample, times[claim.baseline]), ratio(sample, limit)
        yield f"| {name} | {time(median(sample))} | {against.value:.2g} | {bound.value:.2g} |"
    yield ""
    least = ""
    if claim.passes:
        apart, _ = rounds_of(claim.passes, rounds, 0, clock)
        yield from made_of(apart, limit_of(claim.passes))
        yield ""
        least = least_of(claim, apart)
    yield f"Fast: {told(ratio(times[claim.ours], limit), claim.bound)}.{least}"
    yield from ahead(times, claim.ours)


def made_of(times: Mapping[str, Sequence[float]], limit: str) -> Iterator[str]:
    yield "| one pass of NumPy's | time | × limit |"
    yield "| --- | ---: | ---: |"
    for name, sample in times.items():
        yield f"| {name} | {time(median(sample))} | {ratio(sample, times[limit]).value:.2g} |"


def least_of(claim: Claim, times: Mapping[str, Sequence[float]]) -> str:
    """The quickest of each pass that is needed, added up in each round; of the ways that there are, the quickest."""
    assert claim.passes is not None
    sums: dict[str, Median] = {}
    for way in (way for way in claim.least if all(way)):
        chosen = [min(names, key=lambda name: median(times[name]).value) for names in way]
        together = np.sum([times[name] for name in chosen], axis=0)
        sums[" + ".join(chosen)] = ratio(together, times[limit_of(claim.passes)])
    passes, least = min(sums.items(), key=lambda found: found[1].value)
    return f" The least that NumPy's passes cost: {passes} = {least} times the limit."


def told(multiple: Median, bound: float) -> str:
    """A bound is kept or missed where the whole interval is on one side.

    >>> told(Median(2.1, 1.9, 2.3), 2.0)
    '2.1 [1.9, 2.3] times the limit, wanted 2 at most: ambiguous'
    """
    word = "met" if multiple.high <= bound else "missed" if multiple.low > bound else "ambiguous"
    return f"{multiple} times the limit, wanted {bound:g} at most: {word}"


def ahead(times: Mapping[str, Sequence[float]], ours: str) -> Iterator[str]:
    """Every rival that takes less of our time than the interval leaves open."""
    for name in (name for name in times if any(rival in name for rival in RIVALS)):
        against = ratio(times[name], times[ours])
        if against.high < 1:
            yield f"Fast loses to {name}, which takes {against} of its time."


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
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
