"""`python -m benchmarks.memory`: how much memory a convolution takes at its peak, in the reference and in torch.

Each is called once, in a process of its own, after the library and its arrays are there and a small call is made: what
the resident set grows by until its peak, results included. Linux alone tells of a peak that can be set back.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.bench.contenders import Contender, call_of
from gradcheck.bench.sizes import Size, sizes
from gradcheck.implementation import load
from gradcheck.operation import operations

ROOT = Path(__file__).parents[1]
PEAK = Path("/proc/self/clear_refs")
"""Where a 5 sets the peak of the resident set back."""
OPERATION = "convolve_valid"
CONTENDERS = ("torch", "reference")
SIZES = ("50,1,6,28,28,5", "50,6,12,12,12,5", "1,16,32,64,64,5", "8,16,32,64,64,5")
DIRECTIONS = ("forward", "gradients")
RUNS = 3


def status(field: str) -> int:
    """Bytes of this process: VmRSS as they are, VmHWM at the peak."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def peak(call: Callable[[], Any]) -> int:
    """Bytes by which the resident set grows until its peak while `call` runs."""
    PEAK.write_text("5", encoding="utf-8")
    before = status("VmRSS")
    kept = call()
    found = status("VmHWM") - before
    del kept
    return found


def ready(contender: str, size: Size, direction: str, dtype: str) -> Callable[[], Any]:
    """The call, its arrays in place."""
    known = operations()
    entrant = Contender(contender, load(contender, known))
    x, k = size.shapes["x"], size.shapes["k"]
    output = (x[0], k[1], x[2] - k[2] + 1, x[3] - k[3] + 1)
    return entrant.ready(known[OPERATION], direction, call_of(size, dtype, 0, output))


def measured(contender: str, text: str, direction: str, dtype: str) -> int:
    """In this process, which should be a fresh one."""
    small, size = sizes(OPERATION, "small")[0], sizes(OPERATION, text)[0]
    ready(contender, small, direction, dtype)()
    return peak(ready(contender, size, direction, dtype))


def apart(*words: str) -> int:
    """`measured` in processes of their own, the median."""
    command = [sys.executable, "-m", "benchmarks.memory", "--one", *words]
    call = partial(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=True)
    runs = [call() for _ in range(RUNS)]
    return int(statistics.median(int(run.stdout) for run in runs))


def table(texts: Sequence[str], dtypes: Sequence[str]) -> Iterator[str]:
    yield f"| {OPERATION} | torch (baseline) | reference | of torch's memory | arrays in and out |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for text in texts:
        for direction in DIRECTIONS:
            for dtype in dtypes:
                torch, own = (apart(contender, text, direction, dtype) for contender in CONTENDERS)
                (size,) = sizes(OPERATION, text)
                cells = f"{torch / 1e6:.1f} MB | {own / 1e6:.1f} MB | {own / torch:.2g}"
                yield f"| {direction}: {size}, {dtype} | {cells} | {held(size, dtype) / 1e6:.1f} MB |"


def held(size: Size, dtype: str) -> int:
    """Bytes of the maps, the kernels and the output, which no way of computing it avoids."""
    x, k = size.shapes["x"], size.shapes["k"]
    output = x[0] * k[1] * (x[2] - k[2] + 1) * (x[3] - k[3] + 1)
    return int((np.prod(x) + np.prod(k) + output) * np.dtype(dtype).itemsize)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument(
        "--one", nargs=4, metavar="WORD", help="contender, sizes, direction and dtype: bytes alone"
    )
    parser.add_argument("--sizes", action="append", metavar="N,I,J,H,W,K", help="repeatable")
    given = parser.parse_args(arguments)
    if not PEAK.exists():
        parser.error(f"there is no {PEAK} here: wanted Linux")
    if given.one:
        print(measured(*given.one))
        return 0
    for line in table(given.sizes or SIZES, ("float64", "float32")):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
