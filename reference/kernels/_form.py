"""The operations that one form of the kernels makes up: up, down, the two convolutions, the sigmoid.

Each is the others' adjoint: down of up, 'full' with turned kernels of 'valid'. An operation here is a
namespace with `forward` and `vjp`, made of the kernels of one form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reference._validate import Array, Axes, are_blocks, factor, is_floating, rot180
from reference.kernels.convolve import fit

_MAPS = "batch maps height width"


@dataclass(frozen=True)
class Upsample:
    """up(x) = x ⊗ 1_{n×n} (C3), built on two kernels of one form."""

    up: Callable[[Array, int], Array]
    down: Callable[[Array, int], Array]

    def forward(self, x: Array, n: int) -> Array:
        """Maps, (batch, maps, height, width), with every pixel as an n by n block (C3); errors as its
        kernel's.
        """
        return self.up(x, n)

    def vjp(self, cotangent: Array, x: Array, n: int) -> tuple[Array]:
        """The block sums of the cotangent, which has the output's shape; x counts by its shape and dtype
        only.
        """
        if are_blocks(cotangent, n, x):
            return (self.down(cotangent, n),)
        n = factor("upsample.vjp", n)
        axes = Axes("upsample.vjp")
        axes.take("x", x, _MAPS)
        axes.repeats("height", n, "up_height")
        axes.repeats("width", n, "up_width")
        return (self.down(axes.take("cotangent", cotangent, "batch maps up_height up_width"), n),)


@dataclass(frozen=True)
class Downsample:
    """down(x), the sum over each n by n block (S1), built on two kernels of one form."""

    down: Callable[[Array, int], Array]
    up: Callable[[Array, int], Array]

    def forward(self, x: Array, n: int) -> Array:
        """Block sums of maps, (batch, maps, height, width) (S1, K2); errors as its kernel's."""
        return self.down(x, n)

    def vjp(self, cotangent: Array, x: Array, n: int) -> tuple[Array]:
        """The cotangent, which has the output's shape, copied into its blocks (S5); of x the shape counts
        only.
        """
        if are_blocks(x, n, cotangent):
            return (self.up(cotangent, n),)
        n = factor("downsample.vjp", n)
        axes = Axes("downsample.vjp")
        axes.take("x", x, _MAPS)
        axes.blocks("height", n, "out_height")
        axes.blocks("width", n, "out_width")
        return (self.up(axes.take("cotangent", cotangent, "batch maps out_height out_width"), n),)


Sum = Callable[[Array, Array, Array | None], Array]


@dataclass(frozen=True)
class ConvolveValid:
    """sum over i in M_j of conv2(x_i, k_ij, 'valid') (C1, no bias and no f), built on kernels of one form.

    `gradients`, where a form has it, makes both of cotangent, x and k that fit and are all connected.
    """

    valid: Sum
    full: Sum
    kernel_gradient: Sum
    gradients: Callable[[Array, Array, Array], tuple[Array, Array]] | None = None

    def forward(self, x: Array, k: Array, connections: Array | None = None) -> Array:
        """(batch, in_maps, height, width) and (in_maps, out_maps, kernel_height, kernel_width) to out_maps
        (C1).
        """
        return self.valid(x, k, connections)

    def vjp(
        self, cotangent: Array, x: Array, k: Array, connections: Array | None = None
    ) -> tuple[Array, Array]:
        """Gradients in x (C7) and in k (C6); the cotangent has the output's shape."""
        if connections is None and fit(x, k, cotangent):
            if self.gradients is not None:
                return self.gradients(cotangent, x, k)
            return self.full(cotangent, rot180(k), None), self.kernel_gradient(x, cotangent, None)
        axes = Axes("convolve_valid.vjp")
        x = axes.take("x", x, "batch in_maps height width")
        k = axes.take("k", k, "in_maps out_maps kernel_height kernel_width")
        axes.valid("height", "kernel_height", "out_height")
        axes.valid("width", "kernel_width", "out_width")
        table = axes.table(connections)
        cotangent = axes.take("cotangent", cotangent, "batch out_maps out_height out_width")
        return self.full(cotangent, rot180(k), table), self.kernel_gradient(x, cotangent, table)


@dataclass(frozen=True)
class ConvolveFull:
    """sum over j with i in M_j of conv2(d_j, k_ij, 'full'), the kernels **not** turned, on kernels of one
    form.
    """

    full: Sum
    valid: Sum
    kernel_gradient: Sum

    def forward(self, d: Array, k: Array, connections: Array | None = None) -> Array:
        """(batch, out_maps, h, w) and (in_maps, out_maps, Kh, Kw) to (batch, in_maps, h + Kh - 1, w + Kw -
        1).
        """
        return self.full(d, k, connections)

    def vjp(
        self, cotangent: Array, d: Array, k: Array, connections: Array | None = None
    ) -> tuple[Array, Array]:
        """Gradients in d, 'valid' with turned kernels, and in k, the turned kernel gradient of 'valid'."""
        axes = Axes("convolve_full.vjp")
        d = axes.take("d", d, "batch out_maps out_height out_width")
        k = axes.take("k", k, "in_maps out_maps kernel_height kernel_width")
        axes.full("out_height", "kernel_height", "height")
        axes.full("out_width", "kernel_width", "width")
        table = axes.table(connections)
        cotangent = axes.take("cotangent", cotangent, "batch in_maps height width")
        gradient = self.kernel_gradient(cotangent, d, table)
        return self.valid(cotangent, rot180(k), table), rot180(gradient).copy()


@dataclass(frozen=True)
class Sigmoid:
    """The sigmoid of one form (A1), with its slope as a function of u."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]

    def forward(self, u: Array) -> Array:
        """The outputs y = f(u), element by element; errors as its kernel's."""
        return self.value(u)

    def vjp(self, cotangent: Array, u: Array) -> tuple[Array]:
        """f'(u) times the cotangent, which has the shape of u."""
        if is_floating(u) and is_floating(cotangent) and cotangent.shape == u.shape:
            return (np.asarray(cotangent * self.slope(u)),)
        axes = Axes("sigmoid.vjp")
        u = axes.take_any("u", u)
        return (np.asarray(axes.like("cotangent", cotangent, "u", u) * self.slope(u)),)


@dataclass(frozen=True)
class Form:
    """The kernels of one form as an implementation: the five operations by their names.

    Parameters
    ----------
    upsample, downsample, convolve_valid, convolve_full, sigmoid
        Namespaces with `forward` and `vjp`.
    """

    upsample: Upsample
    downsample: Downsample
    convolve_valid: ConvolveValid
    convolve_full: ConvolveFull
    sigmoid: Sigmoid
