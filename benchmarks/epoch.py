"""`python -m benchmarks.epoch`: an epoch of training the digits, in the reference and in torch, on one thread.

The same network from the same parameters, on the same batches in the same order, by plain descent; that both end at
the same parameters is checked. torch is used as its users use it: its own layers, autograd and `torch.optim.SGD`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from benchmarks.test_network import BATCH, CLASSES, DIGITS, RATE
from gradcheck.bench.command import one_core
from gradcheck.bench.record import in_words, machine
from gradcheck.bench.statistics import median, ratio
from gradcheck.bench.table import time
from gradcheck.bench.timing import CLOCKS, rounds_of
from gradcheck.frameworks.extras import needed
from reference import network
from reference.loss import one_of_c

POOL, LAM = DIGITS[1][1], DIGITS[2][4]
AMPLITUDE, STEEPNESS = 1.7159, 2 / 3

# of a parameter's largest element, after an epoch of steps in which the two round differently: measured 2e-15 and 1e-6
# at batches of 8 to 256, times ten
CLOSE = {"float64": 2e-14, "float32": 1e-5}

Parameters = dict[str, np.ndarray]


class Epoch(NamedTuple):
    """What an epoch starts from: parameters by name, images and targets in batches, and the rate.

    The loss is a sum over the batch, so that the rate is divided by its size.
    """

    parameters: Parameters
    rate: float
    batches: list[tuple[np.ndarray, np.ndarray]]

    @property
    def images(self) -> int:
        return sum(len(x) for x, _ in self.batches)


def epoch_of(batch: int, dtype: str, images: int | None = None) -> Epoch:
    pixels, labels = load_digits(return_X_y=True)
    x = (pixels.reshape(-1, 1, 8, 8) / 8 - 1).astype(dtype)[:images]
    t = one_of_c(labels[:images], CLASSES, DIGITS[-1][2]).astype(dtype)
    parameters = network.initialise(DIGITS, (1, 8, 8), np.random.default_rng(0), dtype)
    starts = range(0, len(x), batch)
    batches = [(x[start : start + batch], t[start : start + batch]) for start in starts]
    return Epoch(parameters, RATE * BATCH / batch, batches)


def by_reference(epoch: Epoch) -> Callable[[], Parameters]:
    def run() -> Parameters:
        parameters = epoch.parameters
        for x, t in epoch.batches:
            parameters, _ = network.train(DIGITS, parameters, x, t, epoch.rate)
        return dict(parameters)

    return run


def by_torch(epoch: Epoch) -> Callable[[], Parameters]:
    torch = needed("torch", "torch", "benchmarks.epoch")
    batches = [(torch.from_numpy(x), torch.from_numpy(t)) for x, t in epoch.batches]

    def run() -> Parameters:
        leaves = {
            name: torch.tensor(_turned(name, array), requires_grad=True)
            for name, array in epoch.parameters.items()
        }
        descent = torch.optim.SGD(leaves.values(), lr=epoch.rate)
        for x, t in batches:
            descent.zero_grad()
            loss(torch, leaves, x, t).backward()
            descent.step()
        return {name: _turned(name, leaf.detach().numpy()) for name, leaf in leaves.items()}

    return run


def loss(torch: Any, p: Mapping[str, Any], x: Any, t: Any) -> Any:
    """½ Σ (y − t)² + λ Σ |α|, of the layers of `DIGITS`."""
    functional = torch.nn.functional

    def scaled_tanh(u: Any) -> Any:
        return AMPLITUDE * torch.tanh(STEEPNESS * u)

    y = scaled_tanh(functional.conv2d(x, p["layer1.k"], p["layer1.b"]))
    down = functional.avg_pool2d(y, POOL, divisor_override=1)
    y = torch.tanh(p["layer2.beta"][:, None, None] * down + p["layer2.b"][:, None, None])
    alpha = torch.softmax(p["layer3.c"], 0)
    kernels = alpha.T[:, :, None, None] * p["layer3.k"]
    y = scaled_tanh(functional.conv2d(y, kernels, p["layer3.b"])).flatten(1)
    y = scaled_tanh(functional.linear(y, p["layer4.W"], p["layer4.b"]))
    return 0.5 * ((y - t) ** 2).sum() + LAM * alpha.abs().sum()


def _turned(name: str, array: np.ndarray) -> np.ndarray:
    """A kernel as torch has it, which correlates, or back: turned, and its two axes of maps changed."""
    if not name.endswith(".k"):
        return array.copy()
    turned = array[..., ::-1, ::-1]
    return np.ascontiguousarray(turned.swapaxes(0, 1) if array.ndim == 4 else turned)


def assert_same(found: Parameters, wanted: Parameters, close: float) -> None:
    """Every parameter ends where the other's does, to within `close` of its largest element."""
    assert list(found) == list(wanted)
    for name in wanted:
        gap = float(np.max(np.abs(found[name] - wanted[name])))
        assert gap <= close * float(np.max(np.abs(wanted[name]))), f"{name} differs by {gap:.1g}"


def table(batches: Sequence[int], dtypes: Sequence[str], rounds: int, clock: str) -> Iterator[str]:
    yield "| an epoch | torch (baseline) | reference | of torch's time |"
    yield "| --- | ---: | ---: | ---: |"
    for batch in batches:
        for dtype in dtypes:
            epoch = epoch_of(batch, dtype)
            runs = {"torch": by_torch(epoch), "reference": by_reference(epoch)}
            assert_same(runs["reference"](), runs["torch"](), CLOSE[dtype])
            times, _ = rounds_of(runs, rounds, 0, clock)
            cells = " | ".join(time(median(times[name])) for name in runs)
            against = ratio(times["reference"], times["torch"])
            yield f"| {epoch.images:,} digits, batch {batch}, {dtype} | {cells} | {against} |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.epoch", description=__doc__)
    parser.add_argument("--batch", type=int, action="append", help="repeatable; default 16 and 128")
    parser.add_argument("--dtype", choices=["float64", "float32"], action="append", help="default both")
    parser.add_argument("--rounds", type=int, default=9, help="default 9")
    parser.add_argument(
        "--clock", choices=sorted(CLOCKS), default="wall", help="cpu where others want the core"
    )
    given = parser.parse_args(arguments)
    with one_core(), threadpool_limits(limits=1):
        needed("torch", "torch", "benchmarks.epoch").set_num_threads(1)
        lines = table(
            given.batch or (16, 128), given.dtype or ("float64", "float32"), given.rounds, given.clock
        )
        print(f"Measured on {in_words(machine(1))}, {given.clock} time.\n")
        for line in lines:
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
