"""Built-in adapters: targets that are named after the library that they certify."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

ADAPTERS: Mapping[str, str] = MappingProxyType(
    {
        name: f"gradcheck.adapters.{name}"
        for name in ("torch", "jax", "autograd", "mygrad", "numba", "numexpr", "scipy")
    }
)
"""The module of each adapter by the library's name, which is that of its extra as well."""


class Unavailable(Exception):  # noqa: N818 - read as a sentence: raise Unavailable
    """A built-in adapter that cannot be had, and why."""


def module_of(target: str) -> str:
    """The adapter's module where a target is a library's bare name; any other target as it is.

    The bare name means the adapter though the library is a module of that name: the library itself offers no
    operation. "torch:object" and "./torch.py" reach a module.

    Raises
    ------
    Unavailable
        If the library is not installed, or something in the working folder has its name and may be meant.

    Examples
    --------
    >>> module_of("scipy"), module_of("scipy:stats"), module_of("./scipy.py")
    ('gradcheck.adapters.scipy', 'scipy:stats', './scipy.py')
    """
    if target not in ADAPTERS:
        return target
    local = next((p for p in (Path(f"{target}.py"), Path(target, "__init__.py")) if p.is_file()), None)
    if local is not None:
        raise Unavailable(
            f"target: {target} is a built-in adapter, and there is a {local} here\n"
            f"  the file would be imported in the library's place, so that neither is certified for certain\n"
            f"  wanted ./{local} for the file, or another working folder for the adapter"
        )
    if find_spec(target) is None:  # SciPy alone is never missing
        raise Unavailable(f"target: {target} is not installed: pip install 'gradcheck[{target}]'")
    return ADAPTERS[target]
