"""Benchmarks run on one thread and say with what they were measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy
from threadpoolctl import threadpool_info, threadpool_limits

THREADS = pytest.StashKey[int]()


@pytest.fixture(autouse=True, scope="module")
def one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """A form that BLAS spreads over many cores would be compared with loops that use one."""
    with threadpool_limits(limits=1):
        request.config.stash[THREADS] = max(pool["num_threads"] for pool in threadpool_info())
        yield


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    machine_info["numpy"] = np.__version__
    machine_info["scipy"] = scipy.__version__
    machine_info["threads"] = config.stash.get(THREADS, None)
