"""The peak of this process's memory, counted from a point of one's own where the system can do it."""

from __future__ import annotations

import resource
from pathlib import Path


def restarted() -> float:
    """What the process holds now, in MiB; on Linux the peak is counted from here."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # elsewhere the peak so far stands
        return peak()
    return _status("VmRSS")


def peak() -> float:
    """The most that the process held since, in MiB."""
    try:
        return _status("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _status(name: str) -> float:
    """A line of Linux's account of this process, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
