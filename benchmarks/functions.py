"""Randomly composed smooth functions of one real variable, each with its exact derivative at one point.

`draw(seed)` gives a problem: a function that computes in one dtype alone, a point, and the derivative there
of the function that the formula names (its constants as rounded to that dtype), from mpmath. A family is a
way of being difficult; `FAMILIES` lists them. Nothing here knows the probes that it is for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.expressions import (
    Expression,
    Tape,
    X,
    arcsin,
    arctan,
    chebyshev,
    cos,
    erf,
    exp,
    expm1,
    log,
    log1p,
    nearest,
    power,
    rounded,
    sigmoid,
    sin,
    softplus,
    sqrt,
    tanh,
)

Rng = np.random.Generator


@dataclass(frozen=True)
class Problem:
    """A function, a point, and the derivative there.

    Parameters
    ----------
    name : str
        The formula, with its constants.
    f : Tape
        f(x) for a scalar or an array of the dtype, evaluated in the dtype throughout.
    x : scalar of the dtype
        The point.
    derivative : float
        f'(x), rounded once to float64.
    scale : float
        Distance over which f is seen, through its own rounding, to change (an order of magnitude).
    noise : float
        First-order bound of the rounding of f(x) and of x itself, in the units of f.
    domain : tuple of float
        An open interval round x on which f is finite, as far as a geometric grid can tell.
    family, dtype, seed : str, str, int
        How to draw it again.
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


@dataclass
class Sketch:
    """A formula in a natural variable u of size about 1, and the point u; `draw` puts scales round it.

    `fixed`: u is already x, and `plain`: the value is to stay as it is.
    """

    formula: Callable[[Expression], Expression]
    u: float
    fixed: bool = False
    plain: bool = False


@dataclass(frozen=True)
class Family:
    """A named way to be difficult: `sketch(rng, reach)`, the reach in decades of scale that the dtype allows."""

    name: str
    sketch: Callable[[Rng, float], Sketch]


FAMILIES: dict[str, Family] = {}
# decades between the scale of x and that of f for which the dtype still resolves f
REACH = {"float64": 8.0, "longdouble": 8.0, "float32": 4.0, "float16": 1.0, "bfloat16": 0.6}
# f hidden beneath less than this many times its own rounding is no problem that samples of f could decide
RESOLVED = 16.0


def family(name: str) -> Family:
    """The family of that name."""
    if name not in FAMILIES:
        raise ValueError(f"family: no such family\n  name = {name!r}\n  wanted one of {', '.join(FAMILIES)}")
    return FAMILIES[name]


def register(sketch: Callable[[Rng, float], Sketch]) -> Callable[[Rng, float], Sketch]:
    """Enter a sketch among the families under its own name."""
    name = sketch.__name__.strip("_").replace("_", " ")
    FAMILIES[name] = Family(name, sketch)
    return sketch


def dtype_of(name: str) -> np.dtype[Any]:
    """The NumPy dtype of that name; bfloat16 needs ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def epsilon(dtype: np.dtype[Any]) -> float:
    """Spacing of the dtype's numbers at 1."""
    one = dtype.type(1)
    e = one
    while one + e / dtype.type(2) > one:
        e = e / dtype.type(2)
    return float(e)


def tiniest(dtype: np.dtype[Any]) -> float:
    """The dtype's smallest positive number that float64 holds too."""
    if dtype.name == "bfloat16":
        return 2.0**-133
    return max(float(np.finfo(dtype).smallest_subnormal), 5e-324)


def draw(seed: int, family: str | None = None, dtype: str = "float64") -> Problem:
    """The problem of that seed; without a family, the seed chooses one."""
    chosen = list(FAMILIES)[seed % len(FAMILIES)] if family is None else family
    if chosen not in FAMILIES:
        raise ValueError(
            f"draw: no such family\n  family = {chosen!r}\n  wanted one of {', '.join(FAMILIES)}"
        )
    rng = np.random.default_rng([seed, zlib.crc32(f"{chosen}/{dtype}".encode())])
    for _ in range(1000):
        try:
            problem = _attempt(rng, chosen, dtype, seed)
        except (ValueError, ZeroDivisionError, OverflowError, FloatingPointError):
            continue  # outside the domain: draw again
        if problem is not None:
            return problem
    raise RuntimeError(f"draw: family {chosen!r} gives no problem in {dtype} (seed {seed})")


def _attempt(rng: Rng, family: str, dtype: str, seed: int) -> Problem | None:
    kind, reach = dtype_of(dtype), REACH[dtype]
    sketch = FAMILIES[family].sketch(rng, reach)
    inner, x = _place(rng, sketch, kind, reach)
    formula = sketch.formula(inner)
    formula = formula if sketch.plain else _dress(rng, formula, Tape(formula, kind)(x), reach)
    f = Tape(formula, kind)
    with np.errstate(all="ignore"):
        if not (np.isfinite(x) and np.isfinite(f(x))):
            return None
    truth = f.derivative(x)
    if not abs(truth) < _largest(kind):
        return None
    noise, scale, domain, resolved = _survey(f, x)
    if not resolved:
        return None
    return Problem(str(formula), f, x, truth, scale, noise, domain, family, dtype, seed)


def _largest(kind: np.dtype[Any]) -> float:
    return 6e4 if kind.name == "float16" else 1e300 if kind.itemsize > 4 else 3e38


def _place(rng: Rng, sketch: Sketch, kind: np.dtype[Any], reach: float) -> tuple[Expression, Any]:
    """The natural variable as an affine function of x, and x in the dtype so that u is about the sketch's."""
    mode = "u" if sketch.fixed else rng.choice(["u", "c x", "c x + d", "c (x - p)"], p=[0.3, 0.3, 0.2, 0.2])
    if mode == "u":
        return X, kind.type(sketch.u)
    c = kind.type(float(rng.choice([-1, 1])) * 10 ** rng.uniform(-reach, reach))
    if mode == "c x" or sketch.u == 0:
        return c * X, kind.type(sketch.u / float(c))
    x = _point(rng, kind, reach)
    if mode == "c x + d":
        return c * X + kind.type(sketch.u - float(c) * float(x)), x
    return c * (X - kind.type(float(x) - sketch.u / float(c))), x


def _point(rng: Rng, kind: np.dtype[Any], reach: float) -> Any:
    """A point: anything, zero, an integer, huge or tiny."""
    return kind.type(
        {
            "any": rng.normal(),
            "zero": 0.0,
            "integer": float(rng.integers(-20, 21)),
            "huge": 10.0 ** rng.uniform(0, reach),
            "tiny": 10.0 ** -rng.uniform(0, 8.0 if reach > 2 else 3.0),
        }[rng.choice(["any", "zero", "integer", "huge", "tiny"])]
    )


def _dress(rng: Rng, formula: Expression, value: Any, reach: float) -> Expression:
    """Output scale and offset."""
    mode = rng.choice(["as it is", "scaled", "offset", "both"], p=[0.4, 0.2, 0.2, 0.2])
    factor = 1.0
    if mode in ("scaled", "both"):
        factor = float(rng.choice([-1, 1])) * 10 ** rng.uniform(-reach, reach)
        formula = factor * formula
    if mode in ("offset", "both"):
        size = max(abs(float(value) * factor), abs(factor) * 1e-3) * 10 ** rng.uniform(-1, reach)
        formula = formula + float(rng.choice([-1, 1])) * min(size, 10.0**reach)
    return formula


def _survey(f: Tape, x: Any) -> tuple[float, float, tuple[float, float], bool]:
    """Noise at x, the distance at which f visibly moves, where f ends, and whether the dtype resolves f.

    Every entry of the tape must show itself: at the distance H at which its part in f first exceeds
    RESOLVED times the noise, (its part in f') H may exceed that by no more than the grid's coarseness explains.
    Otherwise a fast ripple below the rounding would carry a derivative that nobody who sees
    only rounded values could know.
    """
    found = f.dual(x, 30)
    eps, floor = epsilon(f.dtype), tiniest(f.dtype)
    adjoints = np.array([nearest(a) for a in found.adjoints])
    values = np.array([nearest(v) for v in found.values])
    slopes = np.array([nearest(s) for s in found.slopes])
    if not np.all(np.isfinite([adjoints, values, slopes])):
        raise ValueError("an intermediate overflows")
    with np.errstate(all="ignore"):
        noise = float(np.sum(np.abs(adjoints * values)) * eps + np.sum(np.abs(adjoints)) * floor)
        for entry in f.entries:
            noise += 10.0**-entry.parameter if entry.op == "rounded" else 0.0
        distances, grid = _grid(x, f.dtype)
        rows = f.run(grid)
        rows = np.array([np.broadcast_to(row, grid.shape) for row in rows], dtype=np.float64)
        moved = np.abs(adjoints)[:, None] * np.abs(rows - values[:, None])
        seen = ~(moved <= RESOLVED * noise)
        seen = seen[:, : len(distances)] | seen[:, len(distances) :]
        shown = np.where(seen.any(axis=1), distances[seen.argmax(axis=1)], np.inf)
        parts = np.abs(adjoints * slopes)
        resolved = bool(np.all((parts == 0) | (parts * shown <= 8 * RESOLVED * noise)))
    ends = ~np.isfinite(rows[-1])
    left, right = ends[: len(distances)], ends[len(distances) :]
    low = float(x) - distances[left.argmax()] / 4 if left.any() else -np.inf
    high = float(x) + distances[right.argmax()] / 4 if right.any() else np.inf
    return noise, float(shown[-1]), (float(low), float(high)), resolved


def _grid(x: Any, dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Distances by powers of 4, and the points on both sides of x, in the wider of the dtype and float64."""
    distances = 4.0 ** np.arange(-45, 46)
    wide = dtype if dtype.itemsize > 8 else np.dtype(np.float64)
    return distances, np.concatenate([wide.type(x) - distances, wide.type(x) + distances]).astype(wide)


# ---- families


def _between(rng: Rng, low: float, high: float) -> float:
    """Log-uniform."""
    return float(10 ** rng.uniform(np.log10(low), np.log10(high)))


def _sign(rng: Rng) -> float:
    return float(rng.choice([-1.0, 1.0]))


@register
def _polynomial(rng: Rng, reach: float) -> Sketch:
    coefficients = rng.normal(size=rng.integers(2, 9))

    def horner(u: Expression) -> Expression:
        result = u * coefficients[0] + coefficients[1]
        for c in coefficients[2:]:
            result = result * u + c
        return result

    return Sketch(horner, rng.normal())


@register
def _rational(rng: Rng, reach: float) -> Sketch:
    a, b, c, d = rng.normal(size=4)
    return Sketch(lambda u: (a + u * (b + u * c)) / (1.0 + d * d * u**2 + u**4), rng.normal() * 2)


@register
def _exponential(rng: Rng, reach: float) -> Sketch:
    a = rng.normal() * 2
    return Sketch(lambda u: exp(a * u), rng.normal() * 3)


@register
def _logarithm(rng: Rng, reach: float) -> Sketch:
    a = _between(rng, 0.1, 10)
    return Sketch(lambda u: log(a * u), _between(rng, 1e-2, 1e2))


@register
def _root(rng: Rng, reach: float) -> Sketch:
    a = rng.uniform(0, 2)
    return Sketch(lambda u: sqrt(u * u + a) if a > 1 else sqrt(u + a), _between(rng, 1e-2, 1e2))


@register
def _power(rng: Rng, reach: float) -> Sketch:
    a = rng.uniform(-3, 4)
    return Sketch(lambda u: power(u, a), _between(rng, 1e-2, 1e2))


@register
def _trigonometric(rng: Rng, reach: float) -> Sketch:
    w, shift, wave = _between(rng, 0.1, 1e3), rng.uniform(0, 6), rng.choice([sin, cos])
    return Sketch(lambda u: wave(w * u + shift), rng.normal())


@register
def _chirp(rng: Rng, reach: float) -> Sketch:
    a, kind = _between(rng, 1, 100), rng.integers(3)
    if kind == 0:
        return Sketch(lambda u: sin(a * u**2), rng.normal() * 2)
    if kind == 1:
        return Sketch(lambda u: cos(exp(u)), rng.uniform(-1, 5))
    return Sketch(lambda u: sin(1.0 / u), _sign(rng) * _between(rng, 1e-2, 3))


SATURATIONS = (tanh, sigmoid, softplus, erf, arctan, lambda u: u / sqrt(1.0 + u**2))


@register
def _saturation(rng: Rng, reach: float) -> Sketch:
    step = SATURATIONS[rng.integers(len(SATURATIONS))]
    return Sketch(step, rng.normal() * 2)


@register
def _steep(rng: Rng, reach: float) -> Sketch:
    step, a, p = SATURATIONS[rng.integers(len(SATURATIONS))], _between(rng, 10, 10**reach * 10), rng.normal()
    return Sketch(lambda u: step(a * (u - p)), p + rng.normal() / a)


@register
def _saturated(rng: Rng, reach: float) -> Sketch:
    step = SATURATIONS[rng.integers(len(SATURATIONS))]
    return Sketch(step, _sign(rng) * _between(rng, 3, 300))


@register
def _gaussian(rng: Rng, reach: float) -> Sketch:
    width, p = _between(rng, 10 ** -(reach * 0.75), 1e2), rng.normal()
    return Sketch(lambda u: exp(-(((u - p) / width) ** 2)), p + width * rng.normal())


@register
def _pole(rng: Rng, reach: float) -> Sketch:
    u, order = rng.normal(), int(rng.integers(1, 4))
    p = u * (1 + _sign(rng) * _between(rng, 10 ** -(reach * 0.75), 1e-1))
    return Sketch(lambda v: 1.0 / (v - p) ** order, u)


@register
def _domain_end(rng: Rng, reach: float) -> Sketch:
    gap, kind = _between(rng, 10**-reach, 1e-1), rng.integers(5)
    a = rng.uniform(0.1, 0.9)
    return [
        Sketch(log, gap),
        Sketch(sqrt, gap),
        Sketch(arcsin, _sign(rng) * (1 - gap)),
        Sketch(lambda u: power(1.0 - u, a), 1 - gap),
        Sketch(lambda u: log(1.0 - u * u), _sign(rng) * (1 - gap)),
    ][kind]


@register
def _at_zero(rng: Rng, reach: float) -> Sketch:
    a, b, step = rng.normal(), rng.normal(), SATURATIONS[rng.integers(len(SATURATIONS))]
    kind = rng.integers(3)
    if kind == 0:
        return Sketch(lambda u: sin(a * u + b) * exp(b * u), 0.0)
    if kind == 1:
        return Sketch(lambda u: step(a * u) + b * u, 0.0)
    return Sketch(lambda u: log1p(u * u + a * a) - b * u**3 + u, 0.0)


@register
def _integer_point(rng: Rng, reach: float) -> Sketch:
    return Sketch(_compose(rng, int(rng.integers(1, 3))), float(rng.integers(-9, 10)), fixed=True)


@register
def _huge(rng: Rng, reach: float) -> Sketch:
    c, inside = 10.0**-reach, _compose(rng, int(rng.integers(1, 3)))
    return Sketch(lambda u: inside(c * u), rng.uniform(0.2, 5) / c, fixed=True)


@register
def _tiny(rng: Rng, reach: float) -> Sketch:
    u = 10.0 ** -(8 if reach > 2 else 3)
    kind, a = rng.integers(4), rng.normal()
    return [
        Sketch(lambda u: expm1(a * u) / a, u, fixed=True),
        Sketch(lambda u: log(1.0 + u), u, fixed=True),
        Sketch(lambda u: sin(a / (u + 1.0)), u, fixed=True),
        Sketch(lambda v: tanh(v / u), u * rng.normal(), fixed=True),
    ][kind]


@register
def _even(rng: Rng, reach: float) -> Sketch:
    inside = _compose(rng, int(rng.integers(1, 3)))
    return Sketch(lambda u: inside(u * u) + cos(u), 0.0)


@register
def _constant(rng: Rng, reach: float) -> Sketch:
    a = float(rng.choice([0.0, 1.0, rng.normal() * 10**reach]))
    kind = rng.integers(3)
    formula = [lambda u: Expression("constant", (), a), lambda u: a + 0.0 * u, lambda u: a + (u - u)][kind]
    return Sketch(formula, rng.normal(), plain=True)


@register
def _linear(rng: Rng, reach: float) -> Sketch:
    a, b = rng.normal(size=2)
    small = _between(rng, 10**-reach, 1e-2) * rng.integers(2)
    return Sketch(lambda u: a * u + b + small * u * u, rng.normal())


@register
def _extremum(rng: Rng, reach: float) -> Sketch:
    k, w = int(rng.integers(-3, 4)), _between(rng, 0.1, 10)
    inside = _compose(rng, int(rng.integers(0, 2)))
    return Sketch(lambda u: inside(sin(w * u)), (k + 0.5) * np.pi / w)


@register
def _runge(rng: Rng, reach: float) -> Sketch:
    a = float(rng.choice([25.0, 100.0, 1e4]))
    return Sketch(lambda u: 1.0 / (1.0 + a * u * u), rng.uniform(-1, 1))


@register
def _two_scales(rng: Rng, reach: float) -> Sketch:
    w, small = _between(rng, 10, 1e3), _between(rng, 10 ** -(reach * 0.9), 1e-1)
    return Sketch(lambda u: sin(u) + small * sin(w * u), rng.normal())


@register
def _cancellation(rng: Rng, reach: float) -> Sketch:
    big, inside = _between(rng, 1, 10**reach), _compose(rng, 1)
    kind = rng.integers(4)
    return [
        Sketch(lambda u: (big + inside(u)) - big, rng.normal()),
        Sketch(lambda u: log(1.0 + u), _between(rng, 10**-reach, 1e-1)),
        Sketch(lambda u: (1.0 - cos(u)) / (u * u), _between(rng, 10 ** -(reach / 4), 1)),
        Sketch(lambda u: sqrt(u * u + 1.0) - u, _between(rng, 1, 10 ** (reach / 4))),
    ][kind]


@register
def _plateau(rng: Rng, reach: float) -> Sketch:
    a, far = _between(rng, 5, 50), rng.uniform(1, 5)
    kind = rng.integers(3)
    return [
        Sketch(lambda u: exp(a * (u - far)), rng.normal()),
        Sketch(lambda u: sigmoid(a * (u - far)) + sigmoid(a * (u + far)), rng.normal()),
        Sketch(lambda u: u ** int(a // 2) / far ** int(a // 2), rng.uniform(-1, 1) * far),
    ][kind]


@register
def _noisy(rng: Rng, reach: float) -> Sketch:
    decimals = 6 if reach > 5 else 3 if reach > 2 else 1
    inside = _compose(rng, int(rng.integers(1, 3)))
    return Sketch(lambda u: rounded(inside(u), decimals), rng.normal(), plain=True)


@register
def _aliasing(rng: Rng, reach: float) -> Sketch:
    k, kind = int(rng.integers(0, 8)), rng.integers(4)
    h, degree, small = (
        2.0 ** rng.integers(-3, 4),
        int(rng.choice([4, 8, 15, 16, 17, 31, 32, 33])),
        rng.normal(),
    )
    return [
        Sketch(lambda u: sin(2.0**k * np.pi * u), float(rng.choice([0.0, 0.5, 1.0, rng.normal()]))),
        Sketch(lambda u: chebyshev(u / h, degree), 0.0, fixed=True),
        Sketch(lambda u: u + small * sin(2.0**k * np.pi * u), float(rng.integers(-2, 3)), fixed=True),
        Sketch(lambda u: cos(2.0**k * np.pi * u) + small * u, float(rng.integers(-2, 3)), fixed=True),
    ][kind]


@register
def _composition(rng: Rng, reach: float) -> Sketch:
    return Sketch(_compose(rng, int(rng.integers(1, 5))), rng.normal())


def _compose(rng: Rng, depth: int) -> Callable[[Expression], Expression]:
    """A random smooth formula of that depth: compositions, sums, products and quotients."""
    if depth == 0:
        return lambda u: u
    a, b, inner = rng.normal(), rng.normal(), _compose(rng, depth - 1)
    how = rng.choice(["unary", "sum", "product", "quotient"], p=[0.55, 0.15, 0.15, 0.15])
    outer = _SMOOTH[rng.integers(len(_SMOOTH))]
    if how == "unary":
        return lambda u: outer(a * inner(u) + b)
    other = _compose(rng, int(rng.integers(0, depth)))
    if how == "sum":
        return lambda u: outer(inner(u)) + a * other(u)
    if how == "product":
        return lambda u: outer(inner(u)) * (other(u) + b)
    return lambda u: outer(inner(u)) / (other(u) ** 2 + (0.1 + abs(b)))


_SMOOTH: tuple[Callable[[Expression], Expression], ...] = (
    exp,
    sin,
    cos,
    tanh,
    sigmoid,
    softplus,
    erf,
    arctan,
    expm1,
    lambda u: log(1.0 + u * u),
    lambda u: sqrt(1.0 + u * u),
    lambda u: exp(-(u**2)),
    lambda u: u**2,
    lambda u: u**3,
    lambda u: 1.0 / (1.0 + u * u),
    lambda u: sin(30.0 * u),
    lambda u: log(u + 2.0),
    lambda u: 1.0 / u,
)
