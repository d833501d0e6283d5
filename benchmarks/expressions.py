"""Expressions in one real variable: evaluated in a NumPy dtype, and differentiated in mpmath.

An expression is written with the ordinary operators, and compiled to a tape: one entry an operation,
operands before results. NumPy runs the tape in the dtype, rounding after every operation; mpmath
runs the same tape with the same constants, carrying forward derivatives (dual numbers), and once backwards
for what each rounding contributes to the value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from mpmath import mp
from scipy import special


@dataclass(frozen=True, eq=False)
class Expression:
    """One operation on earlier ones; `parameter` is its constant, exponent, degree or decimals."""

    op: str
    operands: tuple[Expression, ...] = ()
    parameter: Any = None

    def __add__(self, other: Any) -> Expression:
        return Expression("add", (self, lift(other)))

    def __radd__(self, other: Any) -> Expression:
        return Expression("add", (lift(other), self))

    def __sub__(self, other: Any) -> Expression:
        return Expression("subtract", (self, lift(other)))

    def __rsub__(self, other: Any) -> Expression:
        return Expression("subtract", (lift(other), self))

    def __mul__(self, other: Any) -> Expression:
        return Expression("multiply", (self, lift(other)))

    def __rmul__(self, other: Any) -> Expression:
        return Expression("multiply", (lift(other), self))

    def __truediv__(self, other: Any) -> Expression:
        return Expression("divide", (self, lift(other)))

    def __rtruediv__(self, other: Any) -> Expression:
        return Expression("divide", (lift(other), self))

    def __pow__(self, exponent: int) -> Expression:
        return Expression("integer power", (self,), int(exponent))

    def __neg__(self) -> Expression:
        return Expression("negative", (self,))

    def __str__(self) -> str:
        if self.op == "x":
            return "x"
        if self.op == "constant":
            return f"{float(self.parameter):.6g}"
        inside = [str(operand) for operand in self.operands]
        if self.op in SIGNS:
            return "(" + f" {SIGNS[self.op]} ".join(inside) + ")"
        return f"{self.op}({', '.join(inside + ([] if self.parameter is None else [f'{self.parameter:g}']))})"


SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
X = Expression("x")


def lift(value: Any) -> Expression:
    """The expression itself, or a number as a constant (rounded to the dtype when the tape is compiled)."""
    return value if isinstance(value, Expression) else Expression("constant", (), value)


def unary(op: str) -> Callable[..., Expression]:
    """The function that applies the named operation to an expression."""
    return lambda operand, parameter=None: Expression(op, (operand,), parameter)


exp, log, sqrt, sin, cos = unary("exp"), unary("log"), unary("sqrt"), unary("sin"), unary("cos")
tanh, sigmoid, softplus, erf = unary("tanh"), unary("sigmoid"), unary("softplus"), unary("erf")
arctan, arcsin, log1p, expm1 = unary("arctan"), unary("arcsin"), unary("log1p"), unary("expm1")
power, chebyshev, rounded = unary("power"), unary("chebyshev"), unary("rounded")


def _chebyshev(u: Any, degree: int) -> Any:
    """T_degree(u) by its three-term recurrence, which (unlike cos(n arccos u)) also holds outside [-1, 1]."""
    before, now = u * 0 + 1, u
    for _ in range(degree - 1):
        before, now = now, 2 * u * now - before
    return now


def _sigmoid(u: Any) -> Any:
    return 1 / (1 + np.exp(-u))


def _softplus(u: Any) -> Any:
    if u.dtype.kind == "c":  # logaddexp takes no complex numbers
        return np.log1p(np.exp(u))
    return np.logaddexp(u.dtype.type(0), u)


def _erf(u: Any) -> Any:
    if u.dtype == np.longdouble and u.dtype.itemsize > 8:
        return _erf_of_long(u)[()]
    return special.erf(u if u.dtype.kind == "c" or u.dtype.itemsize in (4, 8) else u.astype(np.float64))


@np.vectorize(otypes=[np.longdouble])
def _erf_of_long(u: Any) -> Any:
    """One by one, of which SciPy has none with so many digits."""
    if not np.isfinite(u):
        return np.sign(u)
    with mp.workprec(120):
        value = mp.erf(exact(u))
        high = float(value)
        return np.longdouble(high) + np.longdouble(float(value - high))


# op -> the NumPy function of (operands..., parameter if there is one)
IN_NUMPY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "negative": np.negative,
    "integer power": lambda u, n: np.power(u, u.dtype.type(n)),
    "power": lambda u, a: np.power(u, u.dtype.type(a)),
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "arctan": np.arctan,
    "arcsin": np.arcsin,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "erf": _erf,
    "chebyshev": _chebyshev,
    "rounded": lambda u, decimals: np.rint(u * 10**decimals) / 10**decimals,
}


def _chebyshev_dual(u: Any, degree: int) -> tuple[Any, Any]:
    before, now, slope_before, slope = mp.mpf(1), u, mp.mpf(0), mp.mpf(1)
    for _ in range(degree - 1):
        slope_before, slope = slope, 2 * now + 2 * u * slope - slope_before
        before, now = now, 2 * u * now - before
    return now, slope


def _sigmoid_dual(u: Any) -> tuple[Any, Any]:
    # s(1 - s) would cancel to nothing where s rounds to 1, whatever the precision
    small = mp.exp(-abs(u))
    value = 1 / (1 + small) if u >= 0 else small / (1 + small)
    return value, small / (1 + small) ** 2


def _tanh_dual(u: Any) -> tuple[Any, Any]:
    small = mp.exp(-2 * abs(u))
    return mp.sign(u) * (1 - small) / (1 + small), 4 * small / (1 + small) ** 2


def _power_dual(u: Any, exponent: Any) -> tuple[Any, Any]:
    if u <= 0:
        raise ValueError("power: base outside its domain")
    value = u**exponent
    return value, exponent * value / u


def _integer_power_dual(u: Any, n: int) -> tuple[Any, Any]:
    return (mp.mpf(1), mp.mpf(0)) if n == 0 else (u**n, n * u ** (n - 1))


def _same(u: Any, slope: Callable[[Any], Any], value: Any) -> tuple[Any, Any]:
    return value, slope(value)


def _positive(u: Any) -> Any:
    if u <= 0:
        raise ValueError("argument outside the domain")
    return u


# op -> (value, derivative) in mpmath of (operand, parameter if any); the arithmetic stands in `_dual`
IN_MPMATH: dict[str, Callable[..., tuple[Any, Any]]] = {
    "negative": lambda u: (-u, mp.mpf(-1)),
    "integer power": _integer_power_dual,
    "power": _power_dual,
    "exp": lambda u: _same(u, lambda v: v, mp.exp(u)),
    "expm1": lambda u: (mp.expm1(u), mp.exp(u)),
    "log": lambda u: (mp.log(_positive(u)), 1 / u),
    "log1p": lambda u: (mp.log(_positive(1 + u)), 1 / (1 + u)),
    "sqrt": lambda u: _same(u, lambda v: 1 / (2 * v), mp.sqrt(_positive(u))),
    "sin": lambda u: mp.cos_sin(u)[::-1],
    "cos": lambda u: (mp.cos(u), -mp.sin(u)),
    "tanh": _tanh_dual,
    "arctan": lambda u: (mp.atan(u), 1 / (1 + u * u)),
    "arcsin": lambda u: (mp.asin(u), 1 / mp.sqrt(_positive(1 - u * u))),
    "sigmoid": _sigmoid_dual,
    "softplus": lambda u: (max(u, mp.mpf(0)) + mp.log1p(mp.exp(-abs(u))), _sigmoid_dual(u)[0]),
    "erf": lambda u: (mp.erf(u), 2 / mp.sqrt(mp.pi) * mp.exp(-u * u)),
    "chebyshev": _chebyshev_dual,
    "rounded": lambda u, decimals: (u, mp.mpf(1)),
}


def exact(value: Any) -> Any:
    """The mpf equal to a NumPy scalar or a float, long doubles included."""
    high = float(value)
    if not np.isfinite(high):
        raise ValueError(f"exact: {value} is not finite")
    low = value - type(value)(high) if isinstance(value, np.longdouble) else 0.0
    return mp.fadd(high, float(low), exact=True)


def _complex(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The complex dtype whose parts are of this one, or complex64 where there is none."""
    return np.result_type(dtype, np.complex64) if dtype.itemsize >= 4 else np.dtype(np.complex64)


@dataclass(frozen=True)
class Entry:
    """One operation of a tape; `operands` are positions of earlier entries."""

    op: str
    operands: tuple[int, ...]
    parameter: Any


@dataclass(frozen=True)
class Dual:
    """What mpmath found at one point, an item an entry: its value, slope in x, and the last's slope in it."""

    values: list[Any]
    slopes: list[Any]
    adjoints: list[Any]


class Tape:
    """An expression compiled for a dtype, its constants rounded to it; it takes complex numbers too.

    Raises
    ------
    ValueError
        A constant overflows the dtype.

    Examples
    --------
    >>> tape = Tape(X * sin(X), np.float64)
    >>> float(tape(np.float64(2.0))) == 2.0 * float(np.sin(2.0))
    True
    """

    def __init__(self, expression: Expression, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.entries: list[Entry] = []
        self._positions: dict[int, int] = {}
        self._compile(expression)

    def _compile(self, node: Expression) -> int:
        if id(node) in self._positions:
            return self._positions[id(node)]
        operands = tuple(self._compile(operand) for operand in node.operands)
        parameter = self._number(node.parameter) if node.op in ("constant", "power") else node.parameter
        self.entries.append(Entry(node.op, operands, parameter))
        self._positions[id(node)] = len(self.entries) - 1
        return len(self.entries) - 1

    def _number(self, value: Any) -> Any:
        with np.errstate(over="ignore"):
            number = self.dtype.type(value)
        if not np.isfinite(number):
            raise ValueError(f"Tape: the constant {value} overflows {self.dtype}")
        return number

    def run(self, x: Any) -> list[Any]:
        """Every entry's value in the dtype of the array x (its own dtype, or a wider one)."""
        values: list[Any] = []
        for entry in self.entries:
            if entry.op == "x":
                values.append(x)
            elif entry.op == "constant":
                values.append(x.dtype.type(entry.parameter))
            else:
                parameter = () if entry.parameter is None else (entry.parameter,)
                result = IN_NUMPY[entry.op](*(values[i] for i in entry.operands), *parameter)
                values.append(result if result.dtype == x.dtype else result.astype(x.dtype))
        return values

    def __call__(self, x: Any) -> Any:
        wanted = _complex(self.dtype) if np.iscomplexobj(x) else self.dtype
        with np.errstate(all="ignore"):
            x = np.asarray(x, wanted)[()]
            return self.run(x)[-1] + np.zeros(np.shape(x), wanted)[()]  # a constant is as long as x

    def dual(self, x: Any, digits: int) -> Dual:
        """Values, slopes and adjoints at exactly x, carried with so many decimal digits."""
        with mp.workdps(digits):
            values, slopes, partials = self.forward(exact(x))
            return Dual(values, slopes, self._backward(partials))

    def forward(self, x: Any) -> tuple[list[Any], list[Any], list[tuple[Any, ...]]]:
        """Every entry's value, slope in x and partial derivatives at an mpf, in the current precision."""
        values: list[Any] = []
        slopes: list[Any] = []
        partials: list[tuple[Any, ...]] = []
        for entry in self.entries:
            operands = [values[i] for i in entry.operands]
            value, local = _dual(entry, operands, x)
            values.append(value)
            partials.append(local)
            slope = sum((d * slopes[i] for d, i in zip(local, entry.operands, strict=True)), mp.mpf(0))
            slopes.append(mp.mpf(1) if entry.op == "x" else slope)
        return values, slopes, partials

    def _backward(self, partials: list[tuple[Any, ...]]) -> list[Any]:
        adjoints = [mp.mpf(0)] * len(self.entries)
        adjoints[-1] = mp.mpf(1)
        for place in range(len(self.entries) - 1, -1, -1):
            for d, i in zip(partials[place], self.entries[place].operands, strict=True):
                adjoints[i] += adjoints[place] * d
        return adjoints

    def derivative(self, x: Any) -> float:
        """The derivative at exactly x, rounded once: to the float64 on which two precisions agree."""
        digits, earlier = 60, None
        while digits < 4000:
            slope = nearest(self.dual(x, digits).slopes[-1])
            if slope == earlier:
                return slope
            digits, earlier = digits * 3 // 2, slope
        raise ValueError(f"derivative: cancellation at x = {x} eats {digits} digits")


def nearest(value: Any) -> float:
    """The float64 nearest to an mpf (float() alone may truncate)."""
    with mp.workprec(53):
        return float(+value)


def _dual(entry: Entry, operands: list[Any], x: Any) -> tuple[Any, tuple[Any, ...]]:
    """An entry's value and its partial derivatives in its operands."""
    one = mp.mpf(1)
    match entry.op, operands:
        case "x", _:
            return x, ()
        case "constant", _:
            return exact(entry.parameter), ()
        case "add", [a, b]:
            return a + b, (one, one)
        case "subtract", [a, b]:
            return a - b, (one, -one)
        case "multiply", [a, b]:
            return a * b, (b, a)
        case "divide", [a, b]:
            return a / b, (1 / b, -a / (b * b))
    parameter = entry.parameter
    arguments = () if parameter is None else (exact(parameter) if entry.op == "power" else parameter,)
    value, slope = IN_MPMATH[entry.op](operands[0], *arguments)
    if isinstance(value, mpmath.mpc):
        raise ValueError(f"{entry.op}: argument outside the domain")
    return value, (slope,)
