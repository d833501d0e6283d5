"""Mutants of the whole network: mistakes of the delta recursion, each seen in one row of the certificate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reference.combination import combination_kernel_gradient, softmax_gradient
from reference.combination import combination_weight_gradient as m4
from reference.kernels import upsample
from reference.network import Combination, Convolution, Dense, Subsampling
from tests.mutants.mutant import first, rot180
from tests.mutants.recursion import (
    at_the_top,
    before,
    below,
    doubled,
    each,
    everywhere,
    literal_c5,
    maps_last,
    means,
    mutants,
    of_one_pattern,
    one_kernel_for_each_pair,
    output_for_preactivation,
    overriding,
    own,
    penalised,
    sum_left_out,
    through,
    unchanged,
    unconnected,
    weights_not_transposed,
    with_alpha,
    with_delta,
    with_kernel,
    with_up,
    without_slope,
)
from tests.mutants.sampling import spread, tiled

NO_SLOPE = through(without_slope(everywhere))

DELTAS = {
    "D3: t - y for y - t": (each(np.negative), "opposite sign"),
    "D3 without f'": through(without_slope(at_the_top)),
    "f' nowhere": NO_SLOPE,
    "f' of y for u": through(unchanged, output_for_preactivation),
    "C2 without β": through(
        below(Subsampling, lambda self, slope, delta, kept, p: slope * upsample.fast(delta, self.n))
    ),
    "C2 without f'": through(without_slope(before(Subsampling))),
    "C2 with a further 1/n² (E5)": (
        through(below(Subsampling, lambda self, *given: Subsampling.below(self, *given) / self.n**2)),
        "divided by 4",
    ),
    "C2, δ in one pixel of its block": (
        through(below(Subsampling, with_up(spread))),
        "one pixel of each n×n block in the place of all, layer 2",
    ),
    "C2, tiled for Kronecker": through(below(Subsampling, with_up(tiled))),
    "D4 without f'": through(without_slope(before(Dense))),
    "D4, W not transposed": through(below(Dense, weights_not_transposed)),
    "D4, flattened in another order": through(below(Dense, maps_last)),
    "mean over the batch": (lambda right, c, x, *rest, architecture: [g / len(x) for g in right], "half"),
    "1e-4 too large": (each(lambda g: 1.0001 * g), "times 1.0001"),
}

DEEP_DELTAS = {
    "S2 without f'": through(without_slope(before(Convolution))),
    "S2, one receiving map (E2)": through(below(Convolution, with_delta(lambda d: first(d, 1)))),
    "S2, kernel not turned": through(below(Convolution, with_kernel(rot180))),
    "S2, unconnected maps as well": through(below(Convolution, unconnected)),
    "M6 without α": through(below(Combination, with_alpha(np.ones_like))),
    "M6, α and c confused": through(below(Combination, with_alpha(lambda c: c))),
    "M6 without f'": through(without_slope(before(Combination))),
}

INPUTS = {
    "with the opposite sign": (each(np.negative), "opposite sign"),
    "C7 without f' on the way": NO_SLOPE,
    "E2: one receiving map": through(
        overriding(
            Convolution,
            input_gradient=lambda self, d, kept, p: Convolution.input_gradient(self, first(d, 1), kept, p),
        )
    ),
    "C7, kernel not turned": through(
        overriding(
            Convolution,
            input_gradient=lambda self, d, kept, p: Convolution.input_gradient(
                self, d, kept, p | {"k": rot180(p["k"])}
            ),
        )
    ),
}

TARGETS = {
    "y - t for t - y": (each(np.negative), "opposite sign"),
    "zero": (each(np.zeros_like), "zero everywhere"),
    "½ forgotten": (each(lambda g: 2 * g), "twice"),
    "f' of the output layer inside (D3)": lambda right, c, x, t, *rest, architecture: [
        *right[:1],
        -right[-1].reshape(t.shape),
        *right[2:],
    ],
}

KERNELS = {
    "E4: C5 to the letter": (through(own(Convolution, "k", literal_c5)), "turned by 180 degrees"),
    "E3: one pattern": through(of_one_pattern(Convolution)),
    "unconnected kernels as well": through(
        overriding(
            Convolution,
            gradients=lambda self, *given: Convolution.gradients(replace(self, connections=None), *given),
        )
    ),
    "one element doubled": (
        lambda right, *rest, architecture: [doubled(g) for g in right],
        "but in the element",
    ),
    "1e-4 too large": (each(lambda g: 1.0001 * g), "times 1.0001"),
}

DEEP_KERNELS = {
    "M6 without α": through(
        own(
            Combination,
            "k",
            lambda self, delta, x, kept, p: combination_kernel_gradient(x, delta, np.ones_like(p["c"])),
        )
    ),
    "M6, α and c confused": through(
        own(Combination, "k", lambda self, delta, x, kept, p: combination_kernel_gradient(x, delta, p["c"]))
    ),
    "E8: not summed over the output maps": through(own(Combination, "k", one_kernel_for_each_pair)),
}


BIASES = {
    "E3: one pattern (C4)": through(of_one_pattern(Convolution)),
    "mean over the batch": (through(means(Convolution, "b")), "half"),
    "S3 times β": through(
        own(Subsampling, "b", lambda self, delta, x, kept, p: p["beta"] * delta.sum(axis=(0, 2, 3)))
    ),
    "C2 without β": DELTAS["C2 without β"],
}

SCALES = {
    "S4 with the mean for d (E5)": (
        through(
            own(
                Subsampling,
                "beta",
                lambda self, delta, x, kept, p: (delta * kept).sum(axis=(0, 2, 3)) / self.n**2,
            )
        ),
        "divided by 4, which is n of layer 2²",
    ),
    "S4 with a sample of x for d": through(
        own(
            Subsampling,
            "beta",
            lambda self, delta, x, kept, p: (delta * x[..., :: self.n, :: self.n]).sum(axis=(0, 2, 3)),
        )
    ),
    "E3: one pattern": through(of_one_pattern(Subsampling)),
    "without f'": through(without_slope(lambda place, layers: isinstance(layers[place], Subsampling))),
}

HIDDEN = {
    "M5 without Σ": through(own(Combination, "c", sum_left_out)),
    "M5 left out: ∂E/∂α": through(own(Combination, "c", lambda self, delta, x, kept, p: m4(delta, kept))),
    "M5, α and c confused": through(
        own(Combination, "c", lambda self, delta, x, kept, p: softmax_gradient(m4(delta, kept), p["c"]))
    ),
    "E3: one pattern (M4)": through(of_one_pattern(Combination)),
    "E6, the penalty as a pressure: P2": (
        through(penalised(lambda self, alpha, p: self.lam * np.sign(alpha))),
        "before its mean along axis 0",
    ),
    "P3 without Σ": (
        through(penalised(lambda self, alpha, p: self.lam * (alpha - alpha**2))),
        "before its mean along axis 0",
    ),
}

WEIGHTS = {
    "E1, memory not turned": (
        through(
            own(
                Dense,
                "W",
                lambda self, delta, x, kept, p: (x.reshape(len(x), -1).T @ delta).reshape(p["W"].shape),
            )
        ),
        "C's order of elements taken for Fortran's",
    ),
    "E1 to the letter: x δᵀ": through(
        own(Dense, "W", lambda self, delta, x, kept, p: x.reshape(len(x), -1).T @ delta)
    ),
    "E3: one pattern": through(of_one_pattern(Dense)),
    "flattened in another order": through(
        own(
            Dense,
            "W",
            lambda self, delta, x, kept, p: (
                delta.T @ (x.transpose(0, *range(2, x.ndim), 1).reshape(len(x), -1))
            ),
        )
    ),
    "without f'": through(without_slope(lambda place, layers: isinstance(layers[place], Dense))),
}

SHALLOW, DEEP = 0, 1
"""Places of the two networks among the cases: one with a convolution below a sub-sampling layer, and one with
a sub-sampling layer, a convolution and a combination, each below the next."""

MUTANTS = (
    *mutants("delta", DELTAS, SHALLOW),
    *mutants("delta", DEEP_DELTAS, DEEP),
    *mutants("x", INPUTS, SHALLOW),
    *mutants("t", TARGETS, SHALLOW),
    *mutants("k", KERNELS, SHALLOW),
    *mutants("k", DEEP_KERNELS, DEEP),
    *mutants("b", BIASES, SHALLOW),
    *mutants("beta", SCALES, SHALLOW),
    *mutants("c", HIDDEN, DEEP),
    *mutants("W", WEIGHTS, SHALLOW),
)
