"""Array API: functions of arrays of any namespace, with a gradient written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.arguments import names_of
from gradcheck.estimate import Array
from gradcheck.frameworks.extras import needed
from gradcheck.frameworks.pullable import Named, Pullable, judged
from gradcheck.tree import leaves
from gradcheck.verdict import Check

ON_CPU = 1
"""DLPack's number of the kind of device whose memory NumPy can read."""


def check(
    function: Callable[..., Any],
    vjp: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    names: Sequence[str] | None = None,
    linear_in: Sequence[str | int] = (),
    finer: Any = "auto",
    seed: int = 0,
    **options: Any,
) -> Check:
    """Whether `vjp` is the pullback of `function`, both of arrays of one array API namespace, on their device.

    As `gradcheck.check_vjp`, for arrays that are not NumPy's: they travel over DLPack, and each function sees arrays
    of its own namespace, dtype and device alone.

    Parameters
    ----------
    function : callable
        function(*inputs) -> array, or a tuple of arrays.
    vjp : callable
        vjp(cotangent, *inputs) -> one gradient for each input (None: not reached); with several outputs a tuple of
        cotangents.
    inputs : sequence of arrays
        The point.
    names : sequence of str, optional
        Of the inputs, for messages.
    linear_in, finer, seed, **options
        As `gradcheck.frameworks.torch.check` has them.

    Raises
    ------
    ModuleNotFoundError
        If array-api-compat is not installed.
    TypeError
        If the inputs are of no one namespace.

    Examples
    --------
    >>> x = np.linspace(0.5, 2.0, 4)
    >>> check(np.log, lambda c, x: (c / x,), (x,)).passed
    True
    """
    compat = needed("array_api_compat", "array-api", "gradcheck.frameworks.array_api")
    xp = compat.array_namespace(*inputs)
    devices = [compat.device(x) for x in inputs]

    def there(arrays: Sequence[Array]) -> list[Any]:
        return [
            xp.asarray(np.array(a), device=device, copy=True)
            for a, device in zip(arrays, devices, strict=True)
        ]

    def back(array: Any) -> Array:
        if not compat.is_numpy_array(array) and array.__dlpack_device__()[0] != ON_CPU:
            array = compat.to_device(array, "cpu")
        return np.array(np.from_dlpack(array))

    def forward(*arrays: Array) -> Named:
        return tuple((path, back(leaf)) for path, leaf in leaves(function(*there(arrays))))

    def pullback(cotangents: Sequence[Array], *arrays: Array) -> tuple[Any, ...]:
        given = [xp.asarray(np.array(c), device=devices[0], copy=True) for c in cotangents]
        answer = vjp(given[0] if len(given) == 1 else tuple(given), *there(arrays))
        gradients = answer if isinstance(answer, tuple | list) else (answer,)
        return tuple(None if g is None else back(g) for g in gradients)

    named = names_of(names, len(inputs), "check")
    own = getattr(function, "__name__", type(function).__name__)
    target = Pullable(own, named, tuple(back(x) for x in inputs), forward, pullback)
    return judged(target, seed=seed, linear_in=linear_in, finer=finer, options=options)
