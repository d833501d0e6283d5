"""A check beside torch's fast mode: the same layer, run by torch for both, in float64 on one thread."""

from __future__ import annotations

import json
import math
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.arena.memory import peak, restarted

#: Patterns, maps in, maps out, side and kernel of tanh(conv2d(x, k) + b), and the repetitions that are timed.
SIZES = {"1,840": (1, 4, 3, 19, 6, 15), "18,000": (2, 3, 4, 54, 5, 7), "275,000": (4, 4, 8, 131, 5, 3)}

#: A layer to warm up with.
SMALL = (1, 1, 1, 8, 3, 1)

#: Address space of one check in GiB, seconds that it may take with its repetitions, and after which no more are made.
ROOM, PATIENCE, ENOUGH = 8, 60, 10.0

#: Its own tolerances are rtol = 1e-3 and atol = 1e-5: an error of a thousandth is what it may see at best.
AS_STRICT = 1e-3
CHECKERS = ("torch, fast", "gradcheck", f"gradcheck, wanted={AS_STRICT:g}")

HEADS = ("inputs", "gradient", "checker", "verdict", "calls of f", "of its vjp", "seconds", "beside torch", "memory",
         "beside torch")  # fmt: skip

FAULTS = ("right", "transposed kernel gradient")


@dataclass(frozen=True)
class Time:
    """What one check of one layer took: median seconds of processor time, which on one thread are those of the clock
    where nothing else runs; calls of f and of its backward pass, peak memory in MiB."""

    checker: str
    size: str
    fault: str
    verdict: str
    seconds: float
    forward: int
    backward: int
    memory: float


@dataclass
class Layer:
    """tanh(conv2d(x, k) + b) with its pullback by torch's own backward pass, spoilt if asked."""

    size: tuple[int, ...]
    fault: str
    forward: int = 0
    backward: int = 0

    def __post_init__(self) -> None:
        import torch

        torch.set_num_threads(1)
        patterns, ins, outs, side, kernel, _ = self.size
        draw = torch.Generator().manual_seed(0)
        shapes = (patterns, ins, side, side), (outs, ins, kernel, kernel), (outs,)
        self.inputs = tuple(torch.randn(shape, dtype=torch.float64, generator=draw) for shape in shapes)

    def output(self, x: Any, k: Any, b: Any) -> Any:
        import torch

        self.forward += 1
        return torch.tanh(torch.nn.functional.conv2d(x, k, b))

    def gradients(self, cotangent: Any, x: Any, k: Any, b: Any, y: Any) -> tuple[Any, ...]:
        import torch

        self.backward += 1
        d = cotangent * (1 - y * y)
        dx = torch.nn.grad.conv2d_input(x.shape, k, d)
        dk = torch.nn.grad.conv2d_weight(x, k.shape, d)
        if self.fault != "right":
            dk = dk.transpose(-1, -2).contiguous()
        return dx, dk, d.sum(dim=(0, 2, 3))


def by_torch(layer: Layer) -> Callable[[], str]:
    import torch
    from torch.autograd.gradcheck import gradcheck

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            output = layer.output(*inputs)
            ctx.save_for_backward(*inputs, output)
            return output

        @staticmethod
        def backward(ctx: Any, cotangent: Any) -> Any:
            return layer.gradients(cotangent, *ctx.saved_tensors)

    inputs = tuple(x.requires_grad_() for x in layer.inputs)
    return lambda: (
        "pass" if gradcheck(Wrapped.apply, inputs, fast_mode=True, raise_exception=False) else "fail"
    )


def by_gradcheck(layer: Layer, **options: Any) -> Callable[[], str]:
    import torch

    from gradcheck import check_vjp

    def f(*inputs: Any) -> Any:
        with torch.no_grad():
            return layer.output(*map(torch.from_numpy, inputs)).numpy()

    def tensor(array: Any) -> Any:
        # torch takes no negative strides, nor read-only memory without a warning
        plain = array.flags.writeable and min(array.strides, default=0) >= 0
        return torch.from_numpy(array if plain else array.copy())

    def vjp(cotangent: Any, *inputs: Any) -> Any:
        c, *given = (tensor(each) for each in (cotangent, *inputs))
        with torch.no_grad():
            y = torch.tanh(torch.nn.functional.conv2d(*given))
            return tuple(g.numpy() for g in layer.gradients(c, *given, y))

    inputs = tuple(x.numpy() for x in layer.inputs)
    return lambda: str(check_vjp(f, vjp, inputs, **options).verdict)


def made(checker: str, layer: Layer) -> Callable[[], str]:
    """The check of a layer, ready to run."""
    if checker.startswith("torch"):
        return by_torch(layer)
    return by_gradcheck(layer, **({"wanted": AS_STRICT} if "wanted" in checker else {}))


def measured(checker: str, size: str, fault: str) -> Time:
    """One check, timed; of the first run the memory counts, and not the time.

    A check of a small layer comes before it, since what is imported at the first call is no cost of a size.
    """
    made(checker, Layer(SMALL, "right"))()
    layer = Layer(SIZES[size], fault)
    check = made(checker, layer)
    layer.output(*[x.detach() for x in layer.inputs])
    resource.setrlimit(resource.RLIMIT_AS, (ROOM << 30, ROOM << 30))
    layer.forward = layer.backward = 0
    before = restarted()
    verdict = check()
    memory, forward, backward = peak() - before, layer.forward, layer.backward
    seconds: list[float] = []
    while len(seconds) < SIZES[size][-1] and sum(seconds) < ENOUGH:
        start = time.process_time()
        check()
        seconds.append(time.process_time() - start)
    return Time(checker, size, fault, verdict, statistics.median(seconds), forward, backward, memory)


def report() -> str:
    """The table: each checker in a process of its own, one after another."""
    lines = ["| " + " | ".join(HEADS) + " |", "| ---: | --- | --- | --- |" + " ---: |" * (len(HEADS) - 4)]
    for size in SIZES:
        for fault in FAULTS:
            times = [apart(checker, size, fault) for checker in CHECKERS]
            lines += [line(each, times[0]) for each in times]
    return "\n".join(lines)


def line(each: Time, base: Time) -> str:
    cells = (
        each.size,
        each.fault,
        each.checker,
        each.verdict,
        f"{each.forward}",
        f"{each.backward}",
        f"{each.seconds:.4f}",
        beside(each.seconds, base.seconds, 0.0),
        f"{each.memory:.0f} MiB",
        beside(each.memory, base.memory, 1.0),
    )
    return "| " + " | ".join(cells) + " |"


def beside(amount: float, base: float, least: float) -> str:
    """A ratio, where both were measured and not nothing."""
    return f"{amount / base:.2g}×" if math.isfinite(amount) and base > least and math.isfinite(base) else "–"


def apart(checker: str, size: str, fault: str) -> Time:
    """One check in a process of its own; one that takes too much is told as such."""
    command = [sys.executable, "-m", "benchmarks.arena.speed", checker, size, fault]
    nothing = Time(checker, size, fault, "", math.nan, 0, 0, math.nan)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return replace(nothing, verdict=f"not done in {PATIENCE} s")
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["killed"]
        full = any(word in said[0].lower() for word in ("memory", "alloc"))
        return replace(nothing, verdict=f"out of {ROOM} GiB" if full else said[0][:60])
    return Time(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(asdict(measured(*sys.argv[1:]))))
