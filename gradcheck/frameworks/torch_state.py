"""What a check must leave as it found it: torch's modes and generators, and the module's own attributes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

States = tuple[Any, Any, Any, list[Any]]


def states(torch: Any) -> States:
    """The states of the random generators of torch (CPU and CUDA), NumPy and Python."""
    cuda = [torch.cuda.get_rng_state(i) for i in range(_devices(torch))]
    return torch.get_rng_state(), np.random.get_state(), random.getstate(), cuda  # noqa: NPY002 - the user's


def restarted(torch: Any, found: States) -> None:
    """Put them back."""
    torch.set_rng_state(found[0])
    np.random.set_state(found[1])  # noqa: NPY002 - the user's
    random.setstate(found[2])
    for i, state in enumerate(found[3]):
        torch.cuda.set_rng_state(state, i)


def drew(torch: Any, before: States) -> bool:
    """Whether a generator has moved since."""
    now = states(torch)
    # not strict: a device that was first used in between has no state from before
    pairs = zip((before[0], *before[3]), (now[0], *now[3]), strict=False)
    moved = any(not bool((a == b).all()) for a, b in pairs)
    keys = not np.array_equal(before[1][1], now[1][1]) or before[1][2:] != now[1][2:]
    return moved or keys or before[2] != now[2]


def _devices(torch: Any) -> int:
    """CUDA devices in use: asking for a generator's state would start an unused one."""
    return int(torch.cuda.device_count()) if torch.cuda.is_available() and torch.cuda.is_initialized() else 0


@contextmanager
def left_as_found(torch: Any, function: Any) -> Iterator[None]:
    """Generators, grad mode, default dtype and the modules' plain attributes as they were, whatever happens inside."""
    found, grad, dtype = states(torch), torch.is_grad_enabled(), torch.get_default_dtype()
    modules = list(function.modules()) if isinstance(function, torch.nn.Module) else []
    attributes = [dict(vars(module)) for module in modules]
    try:
        yield
    finally:
        restarted(torch, found)
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        for module, was in zip(modules, attributes, strict=True):
            vars(module).clear()
            vars(module).update(was)
