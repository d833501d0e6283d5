"""Randomly composed smooth functions of one real variable, each with its exact derivative at one point.

`draw(seed)` gives a problem: a function that computes in one dtype alone, a point, and the derivative there
of the function that the formula names (its constants as rounded to that dtype), from mpmath. A family is a
way of being difficult; `FAMILIES` lists them. Nothing here knows the probes that it is for.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.expressions import Expression, Tape, X, nearest
from benchmarks.families import FAMILIES, Family, Rng, Sketch, family

__all__ = ["FAMILIES", "REACH", "Family", "Problem", "draw", "dtype_of", "epsilon", "family"]

#: Decades between the scale of x and that of f for which the dtype still resolves f.
REACH = {"float64": 8.0, "longdouble": 8.0, "float32": 4.0, "float16": 1.0, "bfloat16": 0.6}

#: Less than this many times its own rounding is hidden: no samples of f could decide it.
RESOLVED = 16.0

#: Ratio of neighbouring distances at which a function is looked at for being resolved.
COARSENESS = 4.0


@dataclass(frozen=True)
class Problem:
    """A function, a point, and the derivative there.

    Parameters
    ----------
    name : str
        The formula, its constants shortened.
    f : Tape
        f(x) for a scalar or an array of the dtype, evaluated in the dtype throughout.
    x : scalar of the dtype
        The point.
    derivative : float
        f'(x), rounded once to float64.
    scale : float
        Distance from x at which f is first seen, through its own rounding, to move (within a factor of 4).
    noise : float
        First-order bound of the rounding of f(x) and of x itself, in the units of f.
    domain : tuple of float
        An open interval round x on which f is finite, as far as a geometric grid can tell.
    family, dtype : str
        What `seed` was drawn with.
    seed : int
        `draw(seed, family, dtype)` draws this problem again.
    redrawn : tuple of str
        Why each of those was not asked that the same generator drew before.
    """

    name: str
    f: Tape = field(repr=False)
    x: Any
    derivative: float
    scale: float
    noise: float
    domain: tuple[float, float]
    family: str
    dtype: str
    seed: int
    redrawn: tuple[str, ...] = ()


def draw(seed: int, family: str | None = None, dtype: str = "float64") -> Problem:
    """The problem of that seed; without a family, the seeds take the families in turn.

    What comes out of the random formulas is drawn again where f or f' is not finite, and where the dtype
    hides f beneath f's own rounding.

    Raises
    ------
    ValueError
        There is no such family, or dtype.

    Examples
    --------
    >>> problem = draw(3, "trigonometric", "float32")
    >>> problem.f(problem.x).dtype
    dtype('float32')
    >>> abs(problem.derivative) > 0
    True
    """
    chosen = _family(family) if family is not None else list(FAMILIES.values())[seed % len(FAMILIES)]
    kind = dtype_of(dtype)
    rng = np.random.default_rng([seed, zlib.crc32(f"{chosen.name}/{dtype}".encode())])
    redrawn: list[str] = []
    for _ in range(1000):
        try:
            return replace(_attempt(rng, chosen, kind, seed), redrawn=tuple(redrawn))
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            redrawn.append(_why(error))
    raise RuntimeError(f"draw: family {chosen.name!r} gave no problem in {dtype} in 1000 tries (seed {seed})")


def _why(error: Exception) -> str:
    """Why a problem is not asked, in a few words."""
    said = str(error)
    for words in ("not resolved: a needle", "not resolved", "overflows"):
        if words in said:
            return {"overflows": "overflows"}.get(
                words, f"{words} by the dtype" if words == "not resolved" else words
            )
    return "outside of its domain"


_family = family  # the parameter of `draw` has the same name


def dtype_of(name: str) -> np.dtype[Any]:
    """The NumPy dtype of that name; bfloat16 needs ml_dtypes."""
    if name not in REACH:
        raise ValueError(
            "dtype_of: functions are not drawn in this dtype\n"
            f"  dtype = {name!r}\n"
            f"  wanted one of {', '.join(REACH)}"
        )
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def epsilon(kind: np.dtype[Any]) -> float:
    """Spacing of the dtype's numbers at 1 (np.finfo does not know bfloat16)."""
    half, step = kind.type(0.5), kind.type(1)
    while kind.type(1) + step * half > kind.type(1):
        step = step * half
    return float(step)


def _tiniest(kind: np.dtype[Any]) -> float:
    """The smallest positive number of the dtype that a float64 holds too."""
    return 2.0**-133 if kind.name == "bfloat16" else max(float(np.finfo(kind).smallest_subnormal), 5e-324)


def _name(kind: np.dtype[Any]) -> str:
    return "longdouble" if kind == np.longdouble and kind.itemsize > 8 else kind.name


def _attempt(rng: Rng, family: Family, kind: np.dtype[Any], seed: int) -> Problem:
    reach = REACH[_name(kind)]
    sketch = family.sketch(rng, reach)
    inner, x = _place(rng, sketch, kind, reach)
    formula = sketch.formula(inner)
    if not sketch.plain:
        formula = _dress(rng, formula, float(Tape(formula, kind)(x)), reach)
    f = Tape(formula, kind)
    view = _View(f, x)
    return Problem(
        name=str(formula),
        f=f,
        x=x,
        derivative=_within_reach(f.derivative(x), kind),
        scale=view.scale(),
        noise=view.noise,
        domain=view.domain(),
        family=family.name,
        dtype=_name(kind),
        seed=seed,
    )


def _within_reach(derivative: float, kind: np.dtype[Any]) -> float:
    """The derivative, if the dtype of f could hold it."""
    largest = {"float16": 6e4, "float32": 3e38, "bfloat16": 3e38}.get(_name(kind), 1e300)
    if not abs(derivative) < largest:
        raise ValueError("the derivative overflows")
    return derivative


# ---- where x lies, and what stands round the formula


def _place(rng: Rng, sketch: Sketch, kind: np.dtype[Any], reach: float) -> tuple[Expression, Any]:
    """The natural variable as an affine function of x, and x in the dtype so that u is about the sketch's."""
    mode = (
        "u" if sketch.fixed else str(rng.choice(["u", "c x", "c x + d", "c (x - p)"], p=[0.3, 0.3, 0.2, 0.2]))
    )
    c = float(rng.choice([-1, 1])) * 10 ** rng.uniform(-reach, reach)
    if mode == "u":
        return X, kind.type(sketch.u)
    if mode == "c x" or sketch.u == 0:
        return c * X, kind.type(sketch.u / c)
    x = kind.type(_point(rng, reach))
    if mode == "c x + d":
        return c * X + (sketch.u - c * float(x)), x
    return c * (X - (float(x) - sketch.u / c)), x


def _point(rng: Rng, reach: float) -> float:
    """A point: anything, zero, an integer, huge or tiny."""
    kind = str(rng.choice(["any", "zero", "integer", "huge", "tiny"]))
    points = {
        "any": rng.normal(),
        "zero": 0.0,
        "integer": rng.integers(-20, 21),
        "huge": 10.0 ** rng.uniform(0, reach),
        "tiny": 10.0 ** -rng.uniform(0, 8 if reach > 2 else 3),
    }
    return float(points[kind])


def _dress(rng: Rng, formula: Expression, value: float, reach: float) -> Expression:
    """Output scale and offset."""
    scaled, offset = rng.random(2) < 0.4
    factor = float(rng.choice([-1, 1])) * 10 ** rng.uniform(-reach, reach) if scaled else 1.0
    formula = factor * formula if scaled else formula
    if not offset:
        return formula
    size = max(abs(value), 1e-3) * abs(factor) * 10 ** rng.uniform(-1, reach)
    return formula + float(rng.choice([-1, 1])) * min(size, 10.0**reach)


# ---- what can be seen of f through its own rounding


class _View:
    """f from x outwards, as values rounded to its dtype show it.

    Raises
    ------
    ValueError
        f is not finite at x, or not resolved. Resolved: every entry of the tape shows itself. At the distance
        H at which its part in f first exceeds RESOLVED times the noise, (its part in f')·H may exceed that by
        no more than the coarseness of the distances explains. Otherwise a fast ripple below the rounding
        would carry a derivative that nobody who sees only rounded values could know. Steps to which f is rounded
        have to show themselves before that: where f does not move at all until it does so by many of them at
        once, it is constant to the bit for all who do not know where to look.
    """

    def __init__(self, f: Tape, x: Any) -> None:
        found = f.dual(x, 30)
        self.x, self.kind = float(x), f.dtype
        self.adjoints = np.array([nearest(a) for a in found.adjoints])
        self.values = np.array([nearest(v) for v in found.values])
        if not (np.all(np.isfinite([self.adjoints, self.values])) and np.isfinite(f(x))):
            raise ValueError("an intermediate value overflows")
        self.noise = self._noise(f)
        self.distances = COARSENESS ** np.arange(-45.0, 46.0)
        self.rows = self._rows(f, x)
        with np.errstate(all="ignore"):
            self.shown = self._shown()
            parts = np.abs(self.adjoints * np.array([nearest(s) for s in found.slopes]))
            explained = 2 * COARSENESS * RESOLVED * self.noise
            if not np.all((parts == 0) | (parts * self.shown <= explained)):
                raise ValueError("not resolved")
            stepped = any(entry.op == "rounded" for entry in f.entries)
            if stepped and not self._moves() < self.shown[-1]:
                raise ValueError("not resolved: a needle")

    def _moves(self) -> float:
        """The first distance at which f moves at all."""
        moved = (self.rows[-1] != self.rows[-1][:, :1]).any(axis=0)
        return float(self.distances[moved.argmax()]) if moved.any() else np.inf

    def _noise(self, f: Tape) -> float:
        """What one rounding of every entry, x among them, adds up to in f(x)."""
        rounding = np.abs(self.values) * epsilon(self.kind) + _tiniest(self.kind)
        steps = sum(10.0**-entry.parameter for entry in f.entries if entry.op == "rounded")
        return float(np.abs(self.adjoints) @ rounding + steps)

    def _rows(self, f: Tape, x: Any) -> Any:
        """Values, shape (entries, 2, distances), left and right of x; in float64 at least."""
        wide = self.kind if self.kind.itemsize > 8 else np.dtype(np.float64)
        grid = (wide.type(x) + np.stack([-self.distances, self.distances])).astype(wide)
        with np.errstate(all="ignore"):
            rows = [np.broadcast_to(row, grid.shape) for row in f.run(grid)]
            return np.array(rows, dtype=np.float64)

    def _shown(self) -> Any:
        """For every entry the first distance at which its part in f is above the noise, or undefined.

        Of those that a number of the dtype next to x can be at.
        """
        moved = np.abs(self.adjoints)[:, None, None] * np.abs(self.rows - self.values[:, None, None])
        seen = ~(moved <= RESOLVED * self.noise).all(axis=1) & (self.distances >= self._spacing())
        return np.where(seen.any(axis=1), self.distances[seen.argmax(axis=1)], np.inf)

    def _spacing(self) -> float:
        return epsilon(self.kind) * abs(self.x) / 2

    def scale(self) -> float:
        """The distance at which f itself shows."""
        return float(self.shown[-1])

    def domain(self) -> tuple[float, float]:
        """The last finite points on the grid before f is not finite."""
        ends = ~np.isfinite(self.rows[-1])
        low, high = (self.distances[end.argmax()] / COARSENESS if end.any() else np.inf for end in ends)
        return float(self.x - low), float(self.x + high)
