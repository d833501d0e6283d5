"""Environment: the versions and the machine that a certificate was made with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("gradcheck", "numpy", "scipy", "hypothesis")


def environment(target_version: str | None = None) -> dict[str, str]:
    """Versions of Python, of the packages that decide the numbers, and of the target; and the machine.

    Examples
    --------
    >>> environment("1.2")["target"]
    '1.2'
    """
    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
    }
    found |= {name: package_version(name) for name in _PACKAGES}
    return found if target_version is None else found | {"target": target_version}


def package_version(name: str) -> str:
    """The installed version of a package, or "unknown" in a checkout that is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
