"""Numbers: what a dtype of floating numbers can hold, those included that NumPy itself does not know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Format:
    """The parts of `numpy.finfo` that are used here."""

    eps: float
    nmant: int
    maxexp: int
    tiny: float
    smallest_subnormal: float
    max: float


BFLOAT16 = Format(
    eps=2.0**-7,
    nmant=7,
    maxexp=128,
    tiny=2.0**-126,
    smallest_subnormal=2.0**-133,
    max=(2.0 - 2.0**-7) * 2.0**127,
)
"""float32 cut to its upper 16 bits. By its values and not from ml_dtypes, which brings the dtype to NumPy: whoever
holds an array of it has that package, and nobody else needs it."""


def is_real(dtype: np.dtype[Any]) -> bool:
    """Whether these are real floating numbers: NumPy's own, or bfloat16, which NumPy takes for raw bytes.

    Not the 8-bit formats: their 2 to 4 bits cannot hold 9 points on a line.

    Examples
    --------
    >>> is_real(np.dtype(np.float16)), is_real(np.dtype(np.int8)), is_real(np.dtype(np.complex64))
    (True, False, False)
    """
    return issubclass(dtype.type, np.floating) or dtype.name == "bfloat16"


def is_inexact(dtype: np.dtype[Any]) -> bool:
    """Whether these are floating numbers, real or complex."""
    return dtype.kind == "c" or is_real(dtype)


def coarsest(*dtypes: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that has the fewest digits, the first of several.

    Examples
    --------
    >>> coarsest(np.dtype(np.float64), np.dtype(np.float32)).name
    'float32'
    """
    return max(dtypes, key=lambda dtype: float(finfo(dtype).eps))


@cache  # a check asks some two hundred times, and NumPy makes up a dtype's name at each
def finfo(dtype: Any) -> Any:
    """`numpy.finfo`, of bfloat16 too.

    Examples
    --------
    >>> float(finfo(np.float32).eps), finfo(np.dtype(np.float16)).nmant
    (1.1920928955078125e-07, 10)
    """
    return BFLOAT16 if np.dtype(dtype).name == "bfloat16" else np.finfo(dtype)
