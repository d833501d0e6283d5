"""Timing: interleaved rounds on one thread, with warm-up, set-up outside, and no garbage collection inside."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from gradcheck.frameworks.extras import needed

ROUND = 2e-3
"""Seconds that a round of one contender takes at least: a thousand times what reading the clock costs."""

SETTLED = 31 << 20
"""Bytes of an array after which glibc keeps what is freed: just below the 32 MiB from where on it never does."""

Calls = Mapping[str, Callable[[], Any]]


CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
"""Seconds as they pass, or as this process has them: the latter where other programs want the core as well."""


def rounds_of(
    calls: Calls, rounds: int, seed: int, clock: str = "wall"
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds a call, for each contender and round; and how many calls were in each round.

    Every round runs each contender once, in an order drawn anew, so that none is always second; its first call, which
    finds the caches as another left them and would weigh the more the fewer calls it makes, is not timed. Memory is
    settled before.
    """
    now = CLOCKS[clock]
    _settle()
    repeats = {name: _repeats(call, now) for name, call in calls.items()}
    found: dict[str, list[float]] = {name: [] for name in calls}
    rng, names = np.random.default_rng([seed, 3]), list(calls)
    with _uncollected():
        for _ in range(rounds):
            for place in rng.permutation(len(names)):
                name = names[place]
                calls[name]()
                found[name].append(_timed(calls[name], repeats[name], now))
    return found, repeats


def _settle() -> None:
    """Make and free one large array, as any process has that once had much to do.

    Until then glibc gives the top of the heap back whenever more is free there than twice the largest array so far, and
    takes it anew, page by page, at the next call: from process to process another contender, at up to twice its time.
    """
    np.empty(SETTLED, np.uint8)


def _repeats(call: Callable[[], Any], now: Callable[[], float]) -> int:
    """How many calls make a round long enough; warms up meanwhile."""
    call()
    count = 1
    while (seconds := _timed(call, count, now)) * count < ROUND:
        count = max(2 * count, min(int(ROUND / max(seconds, 1e-9)) + 1, 1000 * count))
    return count


def _timed(call: Callable[[], Any], count: int, now: Callable[[], float]) -> float:
    started = now()
    for _ in range(count):
        call()
    return (now() - started) / count


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection inside the rounds, as pytest-benchmark has it under --benchmark-disable-gc."""
    gc.collect()
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def one_thread() -> Iterator[int]:
    """All thread pools at one thread, and how many threads that leaves: what is stated beside the times."""
    threadpoolctl = needed("threadpoolctl", "bench", "gradcheck bench")
    numexpr = sys.modules.get("numexpr")  # whose threads are its own, and known to no other
    before = numexpr.set_num_threads(1) if numexpr else 1
    try:
        with threadpoolctl.threadpool_limits(limits=1):
            yield max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=1)
    finally:
        if numexpr:
            numexpr.set_num_threads(before)
