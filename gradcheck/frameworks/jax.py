"""JAX: functions, custom_vjp, custom_jvp and callable pytrees, with the leaves of their arguments by path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.frameworks.extras import needed
from gradcheck.frameworks.pullable import Named, Pullable, forward_of, judged
from gradcheck.pushforward import check_jvp
from gradcheck.tree import argument_names
from gradcheck.verdict import Check

WHO = "gradcheck.frameworks.jax"


def check(
    function: Callable[..., Any],
    inputs: Any,
    *,
    kwargs: Mapping[str, Any] | None = None,
    wrt: Sequence[str] | None = None,
    dtype: Any = None,
    mode: str = "reverse",
    order: int = 1,
    linear_in: Sequence[str] = (),
    finer: Any = "auto",
    batched: bool = False,
    seed: int = 0,
    **options: Any,
) -> Check:
    """Whether JAX's derivative of a function is right, for every floating array among its arguments.

    Arguments may be pytrees, and so may the function itself (an Equinox module): leaves are named by their path. What
    is no floating array is held fixed: whole numbers, keys, Python's numbers, strings; they are named in a note.

    Parameters
    ----------
    function : callable
        function(*inputs, **kwargs) -> pytree; jax.custom_vjp and jax.custom_jvp are functions too.
    inputs : array, or sequence of arguments
        The point.
    kwargs : mapping, optional
        Further arguments by name.
    wrt : sequence of str, optional
        Names of the leaves to judge, all by default: ("params['w']", "x").
    dtype : str or dtype, optional
        What to carry floating arrays to; "float64" switches 64-bit numbers on for the check.
    mode : str
        "reverse" judges jax.vjp, "forward" jax.jvp.
    order : int
        2 judges the gradient of the gradient as well, where the first one is right.
    linear_in : sequence of str
        Leaves in which the function is affine: checked on whole numbers, to the bit.
    finer : dtype, optional
        In which the numeric derivative is taken; "auto" for the finest that works, in half precision.
    batched : bool
        Whether samples that are needed together are to come from jax.vmap, where that works and agrees with the
        function, which is called for each of them otherwise. Not by itself: jax.vmap is traced at each call and, of
        what is compiled, compiled for each number of points. On a CPU a check of a small function takes 0.9 to 1.2 of
        its time, one of a compiled scan of 20,000 steps 1.3.
    seed : int
        Decides every direction and cotangent.
    **options
        Of `gradcheck.check_vjp` (or `check_jvp`): wanted, aim, budget, directions, method, conduct.

    Returns
    -------
    Check
        `parts` has one Check for each leaf; verdict `error` where the backward raises.

    Raises
    ------
    ModuleNotFoundError
        If JAX is not installed.
    ValueError
        If nothing can be judged, or the function is stochastic (`Unrepeatable`).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> check(jnp.sin, jnp.ones(3)).passed
    True
    """
    jax = needed("jax", "jax", WHO)
    if mode not in ("reverse", "forward") or order not in (1, 2):
        raise ValueError(
            f"check: no such mode or order\n  mode = {mode!r}, order = {order!r}\n"
            "  wanted 'reverse' or 'forward', and 1 or 2"
        )
    args = tuple(inputs) if isinstance(inputs, Sequence) and not isinstance(inputs, str) else (inputs,)
    with _in_64_bits(jax, dtype):
        call = replace(_call(jax, function, args, dict(kwargs or {}), wrt, dtype), batched=batched)
        target = call.pullable()
        if mode == "forward":
            return _pushed(target, call, seed, options)
        found = judged(target, seed=seed, linear_in=linear_in, finer=finer, options=options)
        if order == 1 or not found.passed:
            return found
        second = call.differentiated(seed).pullable()
        return judged(second, seed=seed, linear_in=(), finer=finer, options=options)


@contextmanager
def _in_64_bits(jax: Any, dtype: Any) -> Iterator[None]:
    """JAX with 64-bit numbers where these are asked for, and as it was afterwards."""
    if dtype is None or np.dtype(dtype) not in (np.float64, np.complex128):
        yield
        return
    with jax.enable_x64(True):
        yield


def _pushed(target: Pullable, call: _Call, seed: int, options: Mapping[str, Any]) -> Check:
    """The check of jax.jvp, its outputs as one array."""
    from gradcheck.frameworks.outputs import layout_of
    from gradcheck.frameworks.repeats import stable_outputs

    values, _ = stable_outputs(target.name, target.forward, target.inputs)
    outputs = layout_of(values)
    f = forward_of(target, outputs, "check_jvp")

    def jvp(tangents: Sequence[Array], *arrays: Array) -> Array:
        return outputs.joined(call.pushed(tangents, arrays))

    return check_jvp(f, jvp, target.inputs, seed=seed, names=target.names, **options)


def _call(
    jax: Any,
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    wrt: Sequence[str] | None,
    dtype: Any,
) -> _Call:
    """The function and its arguments as one tree, its leaves by name."""
    found, build = jax.tree_util.tree_flatten_with_path((function, args, kwargs))
    names = [_name(jax, path, argument_names(function, args, kwargs)) for path, _ in found]
    leaves = [_carried(jax, leaf, dtype) for _, leaf in found]
    floating = [n for n, leaf in zip(names, leaves, strict=True) if _is_floating(jax, leaf)]
    chosen = tuple(floating if wrt is None else wrt)
    unknown = [n for n in chosen if n not in floating]
    if unknown or not chosen:
        raise ValueError(
            f"check: {'there is no such leaf' if unknown else 'nothing can be judged'}\n"
            f"  {f'wrt = {chosen!r}, ' if unknown else ''}floating arrays = {', '.join(floating) or 'none'}\n"
            "  wanted arrays of float16, bfloat16, float32 or float64 among the arguments"
        )
    places = tuple(names.index(n) for n in chosen)
    own = getattr(function, "__name__", type(function).__name__)
    return _Call(jax, own, build, tuple(leaves), tuple(names), places)


def _name(jax: Any, path: Sequence[Any], arguments: Sequence[str]) -> str:
    """The path of a leaf as a reader writes it: of the function's own leaves without a name in front."""
    part, rest = path[0].idx, path[1:]
    if part == 0:
        return str(jax.tree_util.keystr(tuple(rest))).removeprefix(".") or "function"
    if part == 1:
        return str(arguments[rest[0].idx]) + str(jax.tree_util.keystr(tuple(rest[1:])))
    return str(rest[0].key) + str(jax.tree_util.keystr(tuple(rest[1:])))


def _is_array(jax: Any, leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | np.generic | jax.Array)


def _is_floating(jax: Any, leaf: Any) -> bool:
    return _is_array(jax, leaf) and bool(jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact))


def _carried(jax: Any, leaf: Any, dtype: Any) -> Any:
    if not _is_floating(jax, leaf):
        return leaf
    # without 64-bit numbers JAX makes float32 of a float64 array with a warning; it is a note here
    kept = leaf.dtype if dtype is None else np.dtype(dtype)
    return jax.numpy.asarray(leaf, dtype=jax.dtypes.canonicalize_dtype(kept))


@dataclass(frozen=True)
class _Call:
    """One function at one point: the leaves of function and arguments, of which some are moved."""

    jax: Any
    name: str
    build: Any
    leaves: tuple[Any, ...]
    names: tuple[str, ...]
    places: tuple[int, ...]
    batched: bool = False

    def pullable(self) -> Pullable:
        """The function of what is judged alone."""
        points = tuple(np.array(self.leaves[i]) for i in self.places)
        names = tuple(self.names[i] for i in self.places)
        several = self.several if self.batched else None
        return Pullable(
            self.name, names, points, self.forward, self.pullback, notes=self._held(), several=several
        )

    def _held(self) -> tuple[str, ...]:
        """Arrays that are held fixed; what is no array is none of the arguments that one would derive by."""
        rest = [
            f"{name} ({leaf.dtype})"
            for i, (name, leaf) in enumerate(zip(self.names, self.leaves, strict=True))
            if i not in self.places and _is_array(self.jax, leaf)
        ]
        return (f"held fixed: {', '.join(rest)}",) if rest else ()

    def outputs(self, *moved: Any) -> list[Any]:
        """The floating leaves of the answer."""
        return [leaf for _, leaf in self.answered(*moved) if _is_floating(self.jax, leaf)]

    def answered(self, *moved: Any) -> list[tuple[Any, Any]]:
        own = [self.leaves[i].dtype for i in self.places]
        finer = moved[0].dtype if moved[0].dtype not in own else None
        leaves = [self._as(leaf, finer) for leaf in self.leaves]
        for i, value in zip(self.places, moved, strict=True):
            leaves[i] = value
        function, args, kwargs = self.jax.tree_util.tree_unflatten(self.build, leaves)
        answer = function(*args, **kwargs)
        return list(self.jax.tree_util.tree_flatten_with_path(answer)[0])

    def _as(self, leaf: Any, finer: Any) -> Any:
        """What is held, in the finer dtype where the function is evaluated in that."""
        real = finer is not None and np.dtype(finer).kind != "c" and _is_floating(self.jax, leaf)
        return leaf.astype(finer) if real else leaf

    def given(self, arrays: Sequence[Array]) -> list[Any]:
        """As JAX arrays, which share no memory with what NumPy may write to."""
        return [self.jax.numpy.array(a) for a in arrays]

    def forward(self, *arrays: Array) -> Named:
        """The values of the floating outputs, by path."""
        keystr = self.jax.tree_util.keystr
        with _in_64_bits(self.jax, arrays[0].dtype):
            found = self.answered(*self.given(arrays))
        return tuple((keystr(path), np.asarray(leaf)) for path, leaf in found if _is_floating(self.jax, leaf))

    def several(self, *stacked: Array) -> list[Array]:
        """The values of the same outputs at several points, by jax.vmap."""
        with _in_64_bits(self.jax, stacked[0].dtype):
            return [np.asarray(leaf) for leaf in self.jax.vmap(self.outputs)(*self.given(stacked))]

    def pullback(self, cotangents: Sequence[Array], *arrays: Array) -> tuple[Any, ...]:
        """The gradients of jax.vjp."""
        with _in_64_bits(self.jax, arrays[0].dtype):
            _, pull = self.jax.vjp(self.outputs, *self.given(arrays))
            return tuple(np.asarray(g) for g in pull(self.given(cotangents)))

    def pushed(self, tangents: Sequence[Array], arrays: Sequence[Array]) -> list[Array]:
        """The tangents of jax.jvp."""
        return [
            np.asarray(t)
            for t in self.jax.jvp(self.outputs, tuple(self.given(arrays)), tuple(self.given(tangents)))[1]
        ]

    def differentiated(self, seed: int) -> _Second:
        """The gradient along one cotangent, as a function of the same leaves."""
        rng = np.random.default_rng([seed, 8])
        values = [value for _, value in self.forward(*[np.array(self.leaves[i]) for i in self.places])]
        return _Second(self, [np.asarray(rng.standard_normal(v.shape)).astype(v.dtype) for v in values])


@dataclass(frozen=True)
class _Second:
    """Gradients of a call as outputs, for the second order."""

    call: _Call
    cotangents: list[Array]

    def pullable(self) -> Pullable:
        first = self.call.pullable()
        return Pullable(
            f"(d {first.name})",
            first.names,
            first.inputs,
            self.forward,
            self.pullback,
            notes=first.notes,
        )

    def gradients(self, *moved: Any) -> list[Any]:
        values, pull = self.call.jax.vjp(self.call.outputs, *moved)
        given = [
            self.call.jax.numpy.asarray(c, v.dtype) for c, v in zip(self.cotangents, values, strict=True)
        ]
        return list(pull(given))

    def forward(self, *arrays: Array) -> Named:
        with _in_64_bits(self.call.jax, arrays[0].dtype):
            found = self.gradients(*self.call.given(arrays))
        names = [self.call.names[i] for i in self.call.places]
        return tuple((f" / d {n}", np.asarray(g)) for n, g in zip(names, found, strict=True))

    def pullback(self, cotangents: Sequence[Array], *arrays: Array) -> tuple[Any, ...]:
        with _in_64_bits(self.call.jax, arrays[0].dtype):
            _, pull = self.call.jax.vjp(self.gradients, *self.call.given(arrays))
            return tuple(np.asarray(g) for g in pull(self.call.given(cotangents)))
