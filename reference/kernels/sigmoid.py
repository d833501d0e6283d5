"""The logistic sigmoid and its derivative (notes 2.1, A1; 3.4, K3), finite and silent for every finite u
(E9).

Each form is a pair: the value from u, and the derivative, `naive_slope` and `fast_slope` from u,
`notes_slope` from the output y. The last costs no exponential but cancels: at y near 1 its error is half a
unit of round-off *of one*, so that at u = 30, where f' is 9e-14, three digits are left. The slopes from u
keep every digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from reference._validate import Array, Axes, is_floating

_SIGN: dict[int, np.signedinteger[Any]] = {
    2: np.int16(-(1 << 15)),
    4: np.int32(-(1 << 31)),
    8: np.int64(-(1 << 63)),
}
"""The sign bit alone, as an integer of so many bytes."""

_BLOCK = 1 << 20
"""Bytes of an array taken at once where there is more than one: those of a block stay in the caches, and no
second array of the whole size is got from the system, and given back, at every call."""


def _checked(u: Any) -> Array:
    # the right call costs a quarter of a microsecond here; all that is wrong, or unusual, is told below
    return u if is_floating(u) else Axes("sigmoid").take_any("u", u)


def naive(u: Array) -> Array:
    """1 / (1 + exp(-u)), one element at a time, written so that no exponential overflows (A1, E9).

    Parameters
    ----------
    u : ndarray, any shape
        Pre-activations, real; NaN gives NaN.

    Returns
    -------
    ndarray, shape of u
        In its dtype, within [0, 1].

    Raises
    ------
    TypeError
        Where `u` is not floating.
    ValueError
        Where `u` is empty.

    Examples
    --------
    >>> naive(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    u = _checked(u)
    out = np.empty_like(u)
    for index in np.ndindex(u.shape):
        out[index] = _sigmoid(float(u[index]))
    return out


def naive_slope(u: Array) -> Array:
    """f'(u) = f(u) f(-u), one element at a time: f(-u) is 1 - f(u) without its cancellation (A1)."""
    u = _checked(u)
    out = np.empty_like(u)
    for index in np.ndindex(u.shape):
        out[index] = _sigmoid(float(u[index])) * _sigmoid(-float(u[index]))
    return out


def _sigmoid(u: float) -> float:
    e = math.exp(-abs(u))
    return (e if u < 0 else 1.0) / (1.0 + e)


def notes(u: Array) -> Array:
    """1 / (1 + exp(-u)) written out in place (A1); exp(-u) is cut off short of overflow (E9).

    The cut leaves f at the smallest normal number instead of a smaller one; as `naive` otherwise.
    """
    u = _checked(u)
    limit = -np.log(np.finfo(u.dtype).tiny)
    return np.asarray(1 / (1 + np.exp(np.minimum(-u, limit))))


def notes_slope(output: Array) -> Array:
    """F' = y (1 - y) from the output y, without a second exponential (A1, K3).

    Examples
    --------
    >>> notes_slope(notes(np.array([0.0, 2.0])))
    array([0.25      , 0.10499359])
    """
    output = Axes("sigmoid").take_any("output", output)
    return np.asarray(output * (1 - output))


def fast(u: Array) -> Array:
    """1 / (1 + exp(-u)) in one buffer, infinity being a right exp(-u) here; complex u as well, by exp(-|u|)."""
    u = _checked(u)
    if np.iscomplexobj(u):
        e = np.exp(-_absolute(u))
        return np.asarray(np.where(u.real < 0, e, 1) / (1 + e))
    return _value(u)


@np.errstate(over="ignore")
def _value(u: Array) -> Array:
    # neither np.where nor a cut: choosing between two results costs more than the exponential, a cut half of it;
    # nor np.reciprocal, which takes twice the time of a quotient in float64
    buffer, one = np.negative(u, np.empty_like(u)), _one(u.dtype)
    np.exp(buffer, buffer)
    np.add(buffer, one, buffer)
    return np.divide(one, buffer, buffer)


@cache
def _one(dtype: np.dtype[Any]) -> Array:
    """1 as an array: a number is turned into one at every pass, in the time that a small array's pass takes."""
    return np.ones((), dtype)


def fast_slope(u: Array) -> Array:
    """f'(u) = e / (1 + e)² with e = exp(-|u|): the same single exponential, no cancellation, block by block."""
    u = _checked(u)
    if np.iscomplexobj(u):
        e = np.exp(-_absolute(u))
        return np.asarray(e / (1 + e) ** 2)
    out, one = np.empty_like(u), _one(u.dtype)
    for given, e in _blocks(u, out):
        _minus_size(given, e)
        np.exp(e, e)
        square = np.add(e, one)
        square *= square
        np.divide(e, square, e)
    return out


def fast_both(u: Array) -> tuple[Array, Array]:
    """f(u) = e r and f'(u) = e r² with r = 1 / (1 + e), of one exponential e = exp(u) and one quotient.

    Both to the last digits on either side: r is f(-u), so that nothing cancels. Where e or r would leave the normal
    numbers, as `fast` and `fast_slope`.

    Examples
    --------
    >>> fast_both(np.array([-800.0, 0.0]))
    (array([0. , 0.5]), array([0.  , 0.25]))
    """
    u = _checked(u)
    if np.iscomplexobj(u):
        return fast(u), fast_slope(u)
    # one array: two large ones, given back together, are taken from the system anew at the next call, page by page
    both = np.empty((2, *u.shape), u.dtype)
    values, slopes = both[0, ...], both[1, ...]
    for given, y, slope in _blocks(np.ascontiguousarray(u).reshape(u.shape), values, slopes):
        try:
            _both(given, y, slope)
        except FloatingPointError:
            y[...], slope[...] = fast(given), fast_slope(given)
    return values, slopes


@np.errstate(over="raise", invalid="raise")
def _both(u: Array, y: Array, slope: Array) -> None:
    """`fast_both` where all is normal; the processor's own flags say where not, a look at u would be one more pass."""
    one = _one(u.dtype)
    np.exp(u, y)  # which may be denormal; r may not
    with np.errstate(under="raise"):
        np.add(y, one, slope)
        np.divide(one, slope, slope)
        np.multiply(y, slope, y)
        np.multiply(slope, y, slope)


def _blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """The arrays, of one shape and order, a cacheful of elements at a time; of dense ones as views."""
    if arrays[0].nbytes <= _BLOCK:
        yield arrays
        return
    flat, step = [each.ravel("K") for each in arrays], max(1, _BLOCK // arrays[0].itemsize)
    for start in range(0, arrays[0].size, step):
        yield tuple(each[start : start + step] for each in flat)


def _minus_size(u: Array, out: Array) -> None:
    """-|u| of real u: its sign bit set where an integer has its bytes, one pass over memory instead of two."""
    sign = _SIGN.get(u.itemsize)
    if sign is None or not u.dtype.isnative:
        np.negative(np.abs(u, out=out), out=out)
    else:
        np.bitwise_or(u.view(sign.dtype), sign, out=out.view(sign.dtype))


def _absolute(u: Array) -> Array:
    """|u|; for complex u the analytic continuation from either side, where np.abs would drop the imaginary
    part.
    """
    return np.asarray(np.copysign(1, u.real) * u if np.iscomplexobj(u) else np.abs(u))
