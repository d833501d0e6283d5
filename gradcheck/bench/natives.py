"""Natives: torch and JAX called as their users call them, on their own arrays and without a detour by NumPy.

Tensors, device arrays and compilation are set-up. Arguments come in the library's conventions, as its adapter
declares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradcheck.estimate import Array
from gradcheck.frameworks.extras import needed
from gradcheck.frameworks.torch_arrays import from_numpy

Thunk = Callable[[], Any]

_KNOWN = (
    "upsample",
    "downsample",
    "convolve_valid",
    "sigmoid",
    "tanh",
    "scaled_tanh",
    "dense",
    "convolution",
)
NATIVE = {"torch": {*_KNOWN, "convolve_full"}, "jax": set(_KNOWN)}
"""Operations of each library that are called so."""

AMPLITUDE, STEEPNESS = 1.7159, 2 / 3
"""Of the scaled tanh."""


def native(
    library: str, operation: str, direction: str, inputs: tuple[Array, ...], cotangent: Any, n: Any
) -> Thunk | None:
    """The call of a library's own function, or None where nothing better than its adapter is known."""
    make = {"torch": _torch, "jax": _jax}.get(library)
    return None if make is None else make(operation, direction, inputs, cotangent, n)


def _torch(operation: str, direction: str, inputs: tuple[Array, ...], cotangent: Any, n: Any) -> Thunk | None:
    torch = needed("torch", "torch", "gradcheck bench")
    calls = _torch_forward(torch, n) if direction == "forward" else _torch_gradients(torch, n)
    if operation not in calls:
        return None
    given = [from_numpy(torch, x) for x in inputs]
    if direction == "gradients":
        given.insert(0, from_numpy(torch, cotangent))
    call = calls[operation]

    def ungraded() -> Any:
        return call(*given)

    return torch.no_grad()(ungraded) if direction == "forward" else ungraded


def _torch_forward(torch: Any, n: Any) -> Mapping[str, Callable[..., Any]]:
    functional = torch.nn.functional
    return {
        "convolve_valid": functional.conv2d,
        "convolve_full": functional.conv_transpose2d,
        "upsample": lambda x: functional.interpolate(x, scale_factor=n, mode="nearest"),
        "downsample": lambda x: functional.avg_pool2d(x, n),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "scaled_tanh": lambda u: AMPLITUDE * torch.tanh(STEEPNESS * u),
        "dense": functional.linear,
        "convolution": functional.conv2d,
    }


def _torch_gradients(torch: Any, n: Any) -> Mapping[str, Callable[..., Any]]:
    """The backward functions that autograd calls, without autograd: its tape is no part of a gradient's cost."""
    aten, block = torch.ops.aten, [n, n]
    ones, zeros = [1, 1], [0, 0]

    def convolution(transposed: bool) -> Callable[..., Any]:
        return lambda c, x, k: aten.convolution_backward(
            c, x, k, None, ones, zeros, ones, transposed, zeros, 1, [True, True, False]
        )

    def layer(c: Any, x: Any, k: Any, b: Any) -> Any:
        every = [True, True, True]
        return aten.convolution_backward(c, x, k, list(b.shape), ones, zeros, ones, False, zeros, 1, every)

    def scaled_tanh(c: Any, u: Any) -> Any:
        return AMPLITUDE * STEEPNESS * aten.tanh_backward(c, torch.tanh(STEEPNESS * u))

    def upsample(c: Any, x: Any) -> Any:
        return aten.upsample_nearest2d_backward(c, list(c.shape[2:]), list(x.shape), None, None)

    def downsample(c: Any, x: Any) -> Any:
        return aten.avg_pool2d_backward(c, x, block, block, zeros, False, True, None)

    return {
        "convolve_valid": convolution(False),
        "convolve_full": convolution(True),
        "upsample": upsample,
        "downsample": downsample,
        "sigmoid": lambda c, u: aten.sigmoid_backward(c, torch.sigmoid(u)),
        "tanh": lambda c, u: aten.tanh_backward(c, torch.tanh(u)),
        "scaled_tanh": scaled_tanh,
        "dense": lambda c, x, W, b: (c @ W, c.T @ x, c.sum(0)),
        "convolution": layer,
    }


def _jax(operation: str, direction: str, inputs: tuple[Array, ...], cotangent: Any, n: Any) -> Thunk | None:
    jax = needed("jax", "jax", "gradcheck bench")
    calls = _jax_forward(jax, n)
    if operation not in calls:
        return None
    forward = calls[operation]
    with jax.enable_x64(True):
        given = [jax.device_put(x) for x in inputs]
        if direction == "gradients":
            given.insert(0, jax.device_put(cotangent))
            compiled = jax.jit(lambda c, *leaves: jax.vjp(forward, *leaves)[1](c))
        else:
            compiled = jax.jit(forward)
        ready = compiled.lower(
            *given
        ).compile()  # so that no dtype is looked up, and none changes, in the rounds
    return lambda: jax.block_until_ready(ready(*given))


def _jax_forward(jax: Any, n: Any) -> Mapping[str, Callable[..., Any]]:
    def valid(x: Any, k: Any) -> Any:
        return jax.lax.conv_general_dilated(x, k, (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))

    def downsample(x: Any) -> Any:
        batch, maps, height, width = x.shape
        return x.reshape(batch, maps, height // n, n, width // n, n).sum(axis=(3, 5))

    return {
        "convolve_valid": valid,
        "upsample": lambda x: jax.numpy.repeat(jax.numpy.repeat(x, n, axis=3), n, axis=2),
        "downsample": downsample,
        "sigmoid": jax.nn.sigmoid,
        "tanh": jax.numpy.tanh,
        "scaled_tanh": lambda u: AMPLITUDE * jax.numpy.tanh(STEEPNESS * u),
        "dense": lambda x, W, b: x @ W.T + b,
        "convolution": lambda x, k, b: valid(x, k) + b[:, None, None],
    }
