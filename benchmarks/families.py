"""The families: ways in which a smooth function of one variable is difficult to differentiate numerically.

A family draws a sketch: a formula in a natural variable u of size about 1, and the point u. The scales,
shifts and offsets round it are laid on by `benchmarks.functions`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.expressions import (
    Expression,
    arcsin,
    arctan,
    chebyshev,
    cos,
    erf,
    exp,
    expm1,
    log,
    log1p,
    power,
    rounded,
    sigmoid,
    sin,
    softplus,
    sqrt,
    tanh,
)

Rng = np.random.Generator
Formula = Callable[[Expression], Expression]


@dataclass(frozen=True)
class Sketch:
    """A formula and a point; `fixed`: u is already x, and `plain`: the value stays as it is."""

    formula: Formula
    u: float
    fixed: bool = False
    plain: bool = False


@dataclass(frozen=True)
class Family:
    """A named way to be difficult: `sketch(rng, reach)`, reach in decades of scale that the dtype allows."""

    name: str
    sketch: Callable[[Rng, float], Sketch]


FAMILIES: dict[str, Family] = {}

#: Families without what a probe looks for: rounded to a few decimals, or with a slope of zero (to rounding, at least).
WITHOUT = ("noisy", "constant", "even", "extremum")


def family(name: str) -> Family:
    """The family of that name.

    Raises
    ------
    ValueError
        There is none.
    """
    if name not in FAMILIES:
        raise ValueError(
            "family: no family of functions has this name\n"
            f"  name = {name!r}\n"
            f"  wanted one of {', '.join(FAMILIES)}"
        )
    return FAMILIES[name]


def register(sketch: Callable[[Rng, float], Sketch]) -> Callable[[Rng, float], Sketch]:
    """Enter a sketch among the families under its own name."""
    name = sketch.__name__.strip("_").replace("_", " ")
    FAMILIES[name] = Family(name, sketch)
    return sketch


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
    p = u * (1 + _sign(rng) * _between(rng, 10 ** -(reach * 0.75), 10 ** -(reach / 8)))
    return Sketch(lambda v: 1.0 / (v - p) ** order, u)


@register
def _domain_end(rng: Rng, reach: float) -> Sketch:
    gap, kind = _between(rng, 10**-reach, 10 ** -(reach / 8)), rng.integers(5)
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
    small = _between(rng, 10**-reach, 10 ** -(reach / 4)) * rng.integers(2)
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
    w, small = (
        _between(rng, 10, 10 ** min(3, 1 + reach / 2)),
        _between(rng, 10 ** -(reach * 0.9), 10 ** -(reach / 8)),
    )
    return Sketch(lambda u: sin(u) + small * sin(w * u), rng.normal())


@register
def _cancellation(rng: Rng, reach: float) -> Sketch:
    big, inside = _between(rng, 1, 10**reach), _compose(rng, 1)
    kind = rng.integers(4)
    return [
        Sketch(lambda u: (big + inside(u)) - big, rng.normal()),
        Sketch(lambda u: log(1.0 + u), _between(rng, 10**-reach, 10 ** -(reach / 8))),
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


def _compose(rng: Rng, depth: int) -> Formula:
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


_SMOOTH: tuple[Formula, ...] = (
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
