"""HIPS autograd: functions written in its NumPy, with the arrays in their arguments by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.frameworks.extras import needed
from gradcheck.frameworks.pullable import Named, Pullable, judged
from gradcheck.number import is_real
from gradcheck.tree import argument_names, leaves, mapped
from gradcheck.verdict import Check


def check(
    function: Callable[..., Any],
    inputs: Any,
    *,
    kwargs: Mapping[str, Any] | None = None,
    wrt: Sequence[str] | None = None,
    linear_in: Sequence[str] = (),
    finer: Any = "auto",
    seed: int = 0,
    **options: Any,
) -> Check:
    """Whether autograd's gradient of a function is right, for every floating array among its arguments.

    Parameters
    ----------
    function : callable
        function(*inputs, **kwargs) -> arrays, in tuples, lists or dictionaries; primitives with a defvjp too.
    inputs : ndarray, or sequence of arguments
        The point; arrays may be nested in the same way. Python's numbers and whole numbers are held fixed.
    kwargs : mapping, optional
        Further arguments by name.
    wrt : sequence of str, optional
        Names of the arrays to judge, all by default.
    linear_in, finer, seed, **options
        As `gradcheck.frameworks.torch.check` has them.

    Raises
    ------
    ModuleNotFoundError
        If autograd is not installed.
    ValueError
        If nothing can be judged, or the function is stochastic (`Unrepeatable`).

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> check(anp.sin, anp.ones(3)).passed
    True
    """
    needed("autograd", "autograd", "gradcheck.frameworks.autograd")
    args = (inputs,) if isinstance(inputs, np.ndarray) else tuple(inputs)
    call = _call(function, args, dict(kwargs or {}), wrt)
    return judged(call.pullable(), seed=seed, linear_in=linear_in, finer=finer, options=options)


def _call(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], wrt: Sequence[str] | None
) -> _Call:
    named = dict(zip(argument_names(function, args, kwargs), args, strict=True))
    arrays = {
        path: leaf
        for name, tree in (named | kwargs).items()
        for path, leaf in leaves(tree, name)
        if isinstance(leaf, np.ndarray) and is_real(leaf.dtype)
    }
    chosen = tuple(arrays if wrt is None else wrt)
    unknown = [n for n in chosen if n not in arrays]
    if unknown or not chosen:
        raise ValueError(
            f"check: {'there is no such array' if unknown else 'nothing can be judged'}\n"
            f"  {f'wrt = {chosen!r}, ' if unknown else ''}floating arrays = {', '.join(arrays) or 'none'}\n"
            "  wanted arrays of floating numbers among the arguments"
        )
    return _Call(function, named, kwargs, {n: arrays[n] for n in chosen})


@dataclass(frozen=True)
class _Call:
    """One function at one point, of whose arrays some are moved."""

    function: Callable[..., Any]
    named: Mapping[str, Any]
    kwargs: Mapping[str, Any]
    judged: Mapping[str, Array]

    def pullable(self) -> Pullable:
        """The function of what is judged alone."""
        name = getattr(self.function, "__name__", type(self.function).__name__)
        points = tuple(np.array(a, order="K") for a in self.judged.values())
        return Pullable(name, tuple(self.judged), points, self.forward, self.pullback)

    def outputs(self, *moved: Any) -> list[tuple[str, Any]]:
        """The floating leaves of the answer, boxed or not."""
        given = dict(zip(self.judged, moved, strict=True))

        def put(path: str, leaf: Any) -> Any:
            return given.get(path, leaf)

        args = [mapped(tree, put, name) for name, tree in self.named.items()]
        kwargs = {name: mapped(tree, put, name) for name, tree in self.kwargs.items()}
        answer = leaves(self.function(*args, **kwargs))
        return [
            (path, leaf) for path, leaf in answer if is_real(np.dtype(getattr(leaf, "dtype", type(leaf))))
        ]

    def forward(self, *arrays: Array) -> Named:
        """The values of the floating outputs."""
        return tuple((path, np.asarray(leaf)) for path, leaf in self.outputs(*[np.array(a) for a in arrays]))

    def pullback(self, cotangents: Sequence[Array], *arrays: Array) -> tuple[Any, ...]:
        """The gradients of autograd.make_vjp."""
        library = needed("autograd", "autograd", "gradcheck.frameworks.autograd")
        anp = library.numpy

        def flat(*moved: Any) -> Any:
            found = [leaf for _, leaf in self.outputs(*moved)]
            # one output as it is: what its gradient does with the cotangent's memory is on trial as well
            return found[0] if len(found) == 1 else anp.concatenate([anp.ravel(leaf) for leaf in found])

        pull, _ = library.make_vjp(flat, tuple(range(len(arrays))))(*arrays)
        whole = cotangents[0] if len(cotangents) == 1 else np.concatenate([c.ravel() for c in cotangents])
        return tuple(pull(whole))
