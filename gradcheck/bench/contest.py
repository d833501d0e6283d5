"""A contest: contenders for one operation, direction, size and dtype, certified, raced and ranked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.bench.contenders import DIRECTIONS, Call, Contender, call_of
from gradcheck.bench.limits import limits
from gradcheck.bench.sizes import Size, sizes
from gradcheck.bench.statistics import Median, median, ratio
from gradcheck.bench.timing import rounds_of
from gradcheck.certify import certify
from gradcheck.estimate import Array
from gradcheck.operation import Operation

CERTIFIED_ON = 8
"""Cases of each certification: the catalogue's edges, where implementations go wrong, are among them."""

PATIENCE = 1.0
"""Seconds that one call may be expected to take; naive loops at large sizes are told, not waited for."""

NOTICED = 1e-3
"""Seconds at a small size from which on a call is thought to be loops; less is mostly the cost of a call itself."""

NOT_OFFERED = "not offered"

STALLS = 4
"""Calls that would all have to be stalled for a contender to be taken for a slow one."""

ROUNDINGS = 32
"""Of the largest sum that could come out: what a transform of 10⁶ elements, or three functions in a row, may round."""


@dataclass(frozen=True)
class Standing:
    """How one contender did.

    Parameters
    ----------
    name : str
    reason : str
        Why it was not raced; empty where it was.
    times : list of float
        Seconds a call, by round.
    calls : int
        In each round.
    seconds, ratio, multiple : Median, optional
        Of its times, of their ratio to the baseline's, and to the limit's.
    """

    name: str
    reason: str = ""
    times: tuple[float, ...] = ()
    calls: int = 0
    seconds: Median | None = None
    ratio: Median | None = None
    multiple: Median | None = None

    @property
    def compared(self) -> str:
        """Faster or slower than the baseline, or ambiguous where the interval has both."""
        if self.ratio is None:
            return ""
        if self.ratio.low <= 1 <= self.ratio.high:
            return "ambiguous"
        return "faster" if self.ratio.high < 1 else "slower"


@dataclass(frozen=True)
class Contest:
    """One table: what was raced, against which baseline, and how each contender did."""

    operation: str
    direction: str
    size: str
    dtype: str
    baseline: str
    limit: str
    standings: tuple[Standing, ...]

    @property
    def title(self) -> str:
        """The name of the group, as a reader and pytest-benchmark have it."""
        return f"{self.operation}, {self.direction}: {self.size}, {self.dtype}"


class Certified:
    """What each contender's certificate says of an operation, asked once."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._known: dict[tuple[str, str], str] = {}

    def fault(self, contender: Contender, operation: str) -> str:
        """Why it may not be raced; empty where every row passed."""
        key = (contender.name, operation)
        if key not in self._known:
            found = certify(contender.implementation, [operation], examples=CERTIFIED_ON, seed=self.seed)
            bad = [f"{row.input}: {row.verdict}" for row in found.results if row.verdict != "pass"]
            self._known[key] = f"not certified ({', '.join(bad)})" if bad else ""
        return self._known[key]


def race(
    operation: Operation,
    size: Size,
    entrants: Sequence[Contender],
    certified: Certified,
    *,
    direction: str,
    dtype: str = "float64",
    rounds: int = 15,
    seed: int = 0,
    baseline: str | None = None,
    clock: str = "wall",
) -> Contest:
    """The contest: contenders that pass their certificate and agree, timed; the others with the reason why not.

    The baseline is the first that could be raced, or the named one. Answers are compared with its answer before the
    rounds and after them: to the bit where they are whole numbers, as they are of linear operations.
    """
    standings = {
        each.name: Standing(each.name, _refused(each, operation, size, direction, certified))
        for each in entrants
    }
    able = [each for each in entrants if not standings[each.name].reason]
    able.sort(key=lambda each: each.name != baseline)
    if not able:
        return Contest(operation.name, direction, str(size), dtype, "", "", tuple(standings.values()))
    call = call_of(size, dtype, seed, _output_shape(able[0], operation, size, dtype, seed))
    wanted, scales = _wanted(able[0], operation, direction, call)
    for each in able:
        standings[each.name] = Standing(each.name, _differs(each, operation, direction, call, wanted, scales))
    able = [each for each in able if not standings[each.name].reason]
    calls = {each.name: each.ready(operation, direction, call) for each in able}
    inputs = (
        *call.inputs,
        *((call.cotangent,) if direction == "gradients" and call.cotangent is not None else ()),
    )
    products = size.products * (size.factors if direction == "gradients" else 1)
    bounds = limits(inputs, wanted, products)
    times, counts = rounds_of(calls | bounds, rounds, seed, clock)
    limit = max(bounds, key=lambda name: median(times[name]).value)
    for each in able:
        late = _differs(each, operation, direction, call, wanted, scales)
        standings[each.name] = (
            Standing(each.name, f"after its rounds, {late}")
            if late
            else _standing(each.name, times, counts[each.name], able[0].name, limit)
        )
    return Contest(
        operation.name, direction, str(size), dtype, able[0].name, limit, tuple(standings.values())
    )


def _standing(name: str, times: dict[str, list[float]], calls: int, baseline: str, limit: str) -> Standing:
    own = times[name]
    return Standing(
        name, "", tuple(own), calls, median(own), ratio(own, times[baseline]), ratio(own, times[limit])
    )


def _refused(
    contender: Contender, operation: Operation, size: Size, direction: str, certified: Certified
) -> str:
    if not contender.offers(operation.name, direction):
        return NOT_OFFERED
    if not contender.known(operation.name):
        return "only its adapter is known, with NumPy's arrays on either side"
    return certified.fault(contender, operation.name) or _too_slow(contender, operation, size, direction)


def _too_slow(contender: Contender, operation: Operation, size: Size, direction: str) -> str:
    """Its time at a small size, grown with the work, where that is beyond patience.

    The least of some calls: on a busy machine any one of them may be stalled.
    """
    small = sizes(operation.name, "small")[0]
    call = call_of(small, "float64", 0, _output_shape(contender, operation, small, "float64", 0))
    ready = contender.ready(operation, direction, call)
    ready()
    spent = min(_spent(ready) for _ in range(STALLS))
    # what is no loop has its own cost of a call in this, and takes far less than that at large sizes
    expected = spent * size.work / small.work
    if expected <= PATIENCE or spent < NOTICED:
        return ""
    return f"would take about {expected:.0f} s a call"


def _spent(ready: Callable[[], Any]) -> float:
    started = time.perf_counter()
    ready()
    return time.perf_counter() - started


def _output_shape(
    contender: Contender, operation: Operation, size: Size, dtype: str, seed: int
) -> tuple[int, ...]:
    if operation.name == "upsample":  # no need to run what may be slow
        n, (batch, maps, height, width) = size.options["n"], size.shapes["x"]
        return (batch, maps, n * height, n * width)
    if operation.name == "downsample":
        n, (batch, maps, height, width) = size.options["n"], size.shapes["x"]
        return (batch, maps, height // n, width // n)
    call = Call(size.inputs(dtype, seed), dict(size.options))
    return contender.answer(operation, "forward", call)[0].shape


def _wanted(
    contender: Contender, operation: Operation, direction: str, call: Call
) -> tuple[tuple[Array, ...], tuple[float, ...]]:
    """The answer, and for each array the largest sum that could have come out: by the same call on sizes without signs.

    Of a network, whose layers bend, by how much its answer moves for each share by which its inputs do, or its size.
    """
    wanted = contender.answer(operation, direction, call)
    if operation.name == "network":
        return wanted, _moved(contender, operation, direction, call, wanted)
    if not operation.linear_in(call.options):
        return wanted, (4.0,) * len(wanted)  # f and f' are at most 1 here, cotangents at most 4
    cotangent = None if call.cotangent is None else abs(call.cotangent)
    unsigned = Call(tuple(map(np.abs, call.inputs)), call.options, cotangent)
    largest = max(float(np.max(each)) for each in contender.answer(operation, direction, unsigned))
    return wanted, (largest,) * len(wanted)


def _moved(
    contender: Contender, operation: Operation, direction: str, call: Call, wanted: Sequence[Array]
) -> tuple[float, ...]:
    """How far each array of an answer moves for each share by which all that goes in does; its own size at least."""
    rng, move = np.random.default_rng(0), 2.0**-20 if wanted[0].dtype == np.float64 else 2.0**-10
    inputs = tuple(x * (1 + rng.choice([-move, move], x.shape)).astype(x.dtype) for x in call.inputs)
    moved = contender.answer(operation, direction, Call(inputs, call.options, call.cotangent))
    return tuple(
        max(float(np.max(np.abs(a - w))) / move, float(np.max(np.abs(w))))
        for a, w in zip(moved, wanted, strict=True)
    )


def _differs(
    contender: Contender,
    operation: Operation,
    direction: str,
    call: Call,
    wanted: Sequence[Array],
    scales: Sequence[float],
) -> str:
    """How its answer differs from the baseline's; empty where it does not."""
    try:
        answer = contender.answer(operation, direction, call)
    except Exception as error:
        return f"raised {type(error).__name__}"
    if [each.shape for each in answer] != [each.shape for each in wanted]:
        return "answers in another shape"
    eps = ROUNDINGS * float(np.finfo(wanted[0].dtype).eps)
    for a, w, scale in zip(answer, wanted, scales, strict=True):
        gap = float(np.max(np.abs(a - w)))
        if not gap <= eps * scale:
            return f"differs from the baseline by {gap:.2g}, more than {eps * scale:.1g}"
    return ""


def contests(
    operations: Sequence[Operation],
    entrants: Sequence[Contender],
    *,
    text: str,
    dtypes: Sequence[str],
    rounds: int = 15,
    seed: int = 0,
    baseline: str | None = None,
    clock: str = "wall",
) -> list[Contest]:
    """Every contest of these operations at these sizes, in both directions."""
    certified = Certified(seed)
    common: dict[str, Any] = {"rounds": rounds, "seed": seed, "baseline": baseline, "clock": clock}
    return [
        race(operation, size, entrants, certified, direction=direction, dtype=dtype, **common)
        for operation in operations
        for size in sizes(operation.name, text)
        for direction in DIRECTIONS
        for dtype in dtypes
    ]
