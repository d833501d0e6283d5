"""What pytest leaves out where an extra is missing: adapters, and examples of frameworks, need their library."""

from importlib.util import find_spec

LIBRARIES = {
    "torch": "torch",
    "jax": "jax",
    "autograd": "autograd",
    "mygrad": "mygrad",
    "numba": "numba",
    "numexpr": "numexpr",
    "array_api": "array_api_compat",
}

collect_ignore = [
    f"gradcheck/{folder}/{name}.py"
    for name, library in LIBRARIES.items()
    if find_spec(library) is None
    for folder in ("adapters", "frameworks")
] + ["tests/c/convolve.py"]  # a target beside a library that a test compiles elsewhere
