"""How the gradients of single layers are got wrong: what each becomes by a mistake, for the judge's diagnosis.

A mistake stands here as a function whose right gradient the wrong one is: no f' is the layer without its f, a sum
over the batch left out is a cotangent of one pattern, a dropped β is a forward without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from gradcheck.turns import Suspect
from reference.catalogue import plain
from reference.catalogue.dual import Array, bent, beside, derivative, only, slope_of

Inputs = Mapping[str, Array]
Options = Mapping[str, Any]
Wrong = tuple[str, str, Callable[..., Any]]
"""Name, sentence, and u of the layer under the mistake, as a function of its inputs."""

A, B = 1.7159, 2 / 3


def fixed(name: str, sentence: str, array: Any) -> Suspect:
    """A mistake known by the gradient that it makes."""
    return Suspect(name, sentence, lambda direction: float(np.sum(np.asarray(array) * direction)))


# f'


def slopes(activation: str) -> Iterator[tuple[str, str, Callable[[Array], Array]]]:
    """What stands in the place of f'(u) by mistake; nothing for the identity, whose f' is 1."""
    if activation == "identity":
        return
    f = plain.ACTIVATIONS[activation]
    yield "missing slope", "the right gradient without f'", np.ones_like
    yield ("slope of the output", "the right gradient with f'(y) in the place of f'(u)",
           lambda u: derivative(activation, f(u)))  # fmt: skip
    yield ("slope twice", "the right gradient multiplied by f' once too often",
           lambda u: derivative(activation, u) ** 2)  # fmt: skip
    yield "value for slope", "the right gradient with f in the place of f'", f
    yield ("slope of y, given u", "the right gradient with f' by its formula in y, given u",
           _OF_OUTPUT[activation])  # fmt: skip
    for said, slope in _SLIPS[activation]:
        yield "slope written wrong", f"the right gradient with {said} for f'", slope


_OF_OUTPUT: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda y: y * (1 - y),
    "tanh": lambda y: 1 - y**2,
    "scaled_tanh": lambda y: B / A * (A - y) * (A + y),
}
_SLIPS: dict[str, tuple[tuple[str, Callable[[Array], Array]], ...]] = {
    "sigmoid": (
        ("y(1 + y)", lambda u: plain.sigmoid(u) * (1 + plain.sigmoid(u))),
        ("1 - y", lambda u: 1 - plain.sigmoid(u)),
        ("1 - y²", lambda u: 1 - plain.sigmoid(u) ** 2),
    ),
    "tanh": (
        ("1 + y²", lambda u: 1 + np.tanh(u) ** 2),
        ("1 - y", lambda u: 1 - np.tanh(u)),
        ("y(1 - y)", lambda u: np.tanh(u) * (1 - np.tanh(u))),
    ),
    "scaled_tanh": (
        ("a b (1 - tanh²(u))", lambda u: A * B * (1 - np.tanh(u) ** 2)),
        ("1 - y²", lambda u: 1 - plain.scaled_tanh(u) ** 2),
        ("1 - tanh²(b u)", lambda u: 1 - np.tanh(B * u) ** 2),
    ),
}


# The cotangent


def weighings(cotangent: Array) -> Iterator[tuple[str, str, Array]]:
    """Cotangents that leave out a part of the sums: over patterns, maps or units, and pixels."""
    yield "cotangent left out", "the gradient of the sum of the outputs, the cotangent left out", \
        np.ones_like(cotangent)  # fmt: skip
    if cotangent.ndim < 2:
        return
    where = (("one pattern", "pattern", 0), ("one map", "output map or unit", 1))
    for name, what, axis in where:
        if cotangent.shape[axis] > 1:
            for which, place in (("first", 0), ("last", -1)):
                said = f"the right gradient of the {which} {what} alone, the sum over them left out"
                yield name, said, only(cotangent, axis, place)
    if cotangent.ndim == 4 and cotangent[0, 0].size > 1:
        for which, place in (("first", 0), ("last", -1)):
            pixel = only(only(cotangent, 2, place), 3, place)
            yield (
                "one pixel",
                f"the right gradient of the {which} pixel alone, the sum over them left out",
                pixel,
            )


# A layer: u, then f


def layer(name: str, cotangent: Array, inputs: Inputs, activation: str, right: Callable[..., Any],
          wrong: Iterator[Wrong]) -> Iterator[Suspect]:  # fmt: skip
    """Suspects of f(u), u a function of the inputs: of f', of the cotangent, and of u itself."""
    f = plain.ACTIVATIONS[activation]

    def suspect(kind: str, said: str, y: Callable[..., Array], weights: Array = cotangent) -> Suspect:
        return Suspect(kind, said, slope_of(lambda *a: np.sum(weights * y(*a)), inputs, name))

    for kind, said, slope in slopes(activation):
        yield suspect(kind, said, lambda *a, s=slope: bent(right(*a), activation, s))
    for kind, said, other in wrong:
        yield suspect(kind, said, lambda *a, o=other: f(beside(right(*a), o(*a))))
    for kind, said, weights in weighings(cotangent):
        yield suspect(kind, said, lambda *a: f(right(*a)), weights)
    if cotangent.ndim > 1 and cotangent.shape[1] > 1:
        delta = cotangent * derivative(activation, right(*inputs.values()))
        spread = np.broadcast_to(delta[:, :1], delta.shape)
        yield suspect("one map for all", "the right gradient with the δ of the first map in the place of all",
                      right, spread)  # fmt: skip


def kernel_turns(k: Array, maps: bool) -> Iterator[tuple[str, str, Array]]:
    """Kernels in another position; with `maps`, of other maps as well."""
    yield "kernel not turned", "the right gradient with the kernel turned by 180 degrees", k[..., ::-1, ::-1]
    yield "kernel flipped", "the right gradient with the kernel reversed down alone", k[..., ::-1, :]
    yield "kernel flipped", "the right gradient with the kernel reversed across alone", k[..., ::-1]
    if k.shape[-1] == k.shape[-2]:
        turned = np.swapaxes(k, -1, -2)
        yield "kernel transposed", "the right gradient with the kernel transposed", turned
        yield ("kernel transposed", "the right gradient with the kernel transposed and turned",
               turned[..., ::-1, ::-1])  # fmt: skip
    if maps and k.shape[0] == k.shape[1]:
        yield ("i and j swapped", "the right gradient with i and j of the kernel swapped",
               np.swapaxes(k, 0, 1))  # fmt: skip


def elementwise(name: str, cotangent: Array, inputs: Inputs, activation: str) -> Iterator[Suspect]:
    """Suspects of an activation by itself."""
    yield from layer(name, cotangent, inputs, activation, lambda u: u, iter(()))


def squared_error(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of ½ Σ (t − y)²."""
    y, t = inputs["y"], inputs["t"]
    here, other = (y, t) if name == "y" else (t, y)
    yield fixed("cotangent left out", "the gradient itself, the cotangent left out", here - other)
    yield fixed("term left out", "the right gradient with one of y and t left out", cotangent * here)
    yield fixed("term left out", "the right gradient with one of y and t left out", -cotangent * other)
    yield fixed("plus for minus", "the right gradient with y + t for the difference", cotangent * (y + t))


def dense(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of a fully connected layer."""

    def wrong() -> Iterator[Wrong]:
        if name == "x":
            yield ("not transposed", "the right gradient with W read as if it were transposed",
                   lambda x, W, b: plain.dense(x, _reread(W), b))  # fmt: skip
            if len(inputs["W"]) == inputs["W"].shape[1]:
                yield ("not transposed", "the right gradient with W transposed",
                       lambda x, W, b: plain.dense(x, W.T, b))  # fmt: skip

    yield from layer(name, cotangent, inputs, options.get("activation", "identity"), plain.dense, wrong())


def _reread(matrix: Array) -> Array:
    return matrix.reshape(matrix.shape[::-1]).T


# Convolutions


def convolve_valid(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of conv2(…, 'valid')."""
    yield from _convolved(name, cotangent, inputs, options, plain.convolve_valid)


def convolve_full(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of conv2(…, 'full')."""
    yield from _convolved(name, cotangent, inputs, options, plain.convolve_full)


def convolution(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of a convolution layer."""
    yield from _convolved(name, cotangent, inputs, options, plain.convolve_valid)


def _convolved(
    name: str, cotangent: Array, inputs: Inputs, options: Options, convolve: Callable[..., Array]
) -> Iterator[Suspect]:
    table = options.get("connections")

    def u(x: Array, k: Array, b: Array | None = None) -> Array:
        sums = convolve(x, k, connections=table)
        return sums if b is None else plain.add_bias(sums, b)

    wrong = convolution_mistakes(name in ("x", "d"), inputs["k"], table, convolve)
    yield from layer(
        name, cotangent, inputs, options.get("activation", "identity"), u, wrong if name != "b" else iter(())
    )


def convolution_mistakes(
    of_maps: bool, kernels: Array, table: Array | None, convolve: Callable[..., Array]
) -> Iterator[Wrong]:
    """Of the gradient by the maps, or by the kernels."""
    if of_maps:
        for kind, said, turned in kernel_turns(kernels, maps=True):
            yield kind, said, lambda x, k, b=None, t=turned: convolve(x, t, connections=table)
    if table is not None:
        yield ("connections ignored", "the right gradient with every map connected",
               lambda x, k, b=None: convolve(x, k))  # fmt: skip
        if table.shape[0] == table.shape[1]:
            yield ("connections transposed", "the right gradient with the table of connections transposed",
                   lambda x, k, b=None: convolve(x, k, connections=table.T))  # fmt: skip
        yield ("connections inverted", "the right gradient of the unconnected maps",
               lambda x, k, b=None: convolve(x, k, connections=~table))  # fmt: skip
    if not of_maps and convolve is plain.convolve_valid:
        yield ("i for j", "the right gradient with δ_i in the place of δ_j",
               lambda x, k, b=None: _crossed(x, k))  # fmt: skip


def _crossed(x: Array, k: Array) -> Array:
    """Every kernel of input map i handed on to output map i."""
    to_one = np.zeros_like(k)
    for i in range(k.shape[0]):
        to_one[i, min(i, k.shape[1] - 1)] = k[i].sum(axis=0)
    return plain.convolve_valid(x, to_one)


# Sub-sampling


def corners(x: Array, n: int) -> Array:
    """The first pixel of every block."""
    return x[..., ::n, ::n]


def tiles(x: Array, n: int) -> Array:
    """Pixels r, s of n×n tiles summed: the adjoint of a map repeated as a whole."""
    batch, maps, height, width = x.shape
    return np.asarray(x.reshape(batch, maps, n, height // n, n, width // n).sum(axis=(2, 4)))


def same(x: Array, n: int, offset: int) -> Array:
    """K2 with 'same' padding whose central part begins at `offset` of the full convolution."""
    batch, maps, height, width = x.shape
    out = np.zeros((batch, maps, -(-height // n), -(-width // n)), x.dtype)
    for r, s in np.ndindex(out.shape[2:]):
        rows = slice(max(r * n + offset - n + 1, 0), max(r * n + offset + 1, 0))
        columns = slice(max(s * n + offset - n + 1, 0), max(s * n + offset + 1, 0))
        out[:, :, r, s] = x[:, :, rows, columns].sum(axis=(2, 3))
    return out


def downs(n: int) -> Iterator[tuple[str, str, Callable[[Array], Array]]]:
    """What is taken for down by mistake."""
    yield "one pixel of a block", "the right gradient with one pixel of each n×n block in the place of all", \
        lambda x: corners(x, n)  # fmt: skip
    yield "tiled", "the right gradient with the whole map repeated in the place of every pixel", \
        lambda x: tiles(x, n)  # fmt: skip
    yield "same for valid", "the right gradient with K2 'same' as MATLAB cuts it", \
        lambda x: same(x, n, n // 2)  # fmt: skip
    yield "same for valid", "the right gradient with K2 'same' as SciPy cuts it", \
        lambda x: same(x, n, (n - 1) // 2)  # fmt: skip
    yield "one axis of a block", "the right gradient with the blocks down, but not across", \
        lambda x: plain.downsample(np.repeat(x[..., ::n], n, axis=-1), n=n) / n  # fmt: skip
    yield "one axis of a block", "the right gradient with the blocks across, but not down", \
        lambda x: plain.downsample(np.repeat(x[..., ::n, :], n, axis=-2), n=n) / n  # fmt: skip


def downsample(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of the sums over blocks: up is got wrong."""
    n = options["n"]
    for kind, said, down in downs(n):
        yield Suspect(kind, said, slope_of(lambda x, d=down: np.sum(cotangent * d(x)), inputs, "x"))
    for kind, said, weights in weighings(cotangent):
        yield Suspect(
            kind, said, slope_of(lambda x, w=weights: np.sum(w * plain.downsample(x, n=n)), inputs, "x")
        )


def upsample(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of the blocks: down is got wrong."""
    n = options["n"]
    for kind, said, down in downs(n):
        yield fixed(kind, said, down(cotangent))
    rows = cotangent.reshape(*cotangent.shape[:2], cotangent.shape[2] // n, n, -1).sum(axis=3)
    columns = cotangent.reshape(*cotangent.shape[:3], cotangent.shape[3] // n, n).sum(axis=4)
    yield fixed(
        "one axis of a block",
        "the right gradient with the blocks summed down, but not across",
        rows[..., ::n],
    )
    yield fixed("one axis of a block", "the right gradient with the blocks summed across, but not down",
                columns[..., ::n, :])  # fmt: skip
    for kind, said, weights in weighings(cotangent):
        yield fixed(kind, said, plain.downsample(weights, n=n))


def subsampling(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of a subsampling layer."""
    n, activation = options["n"], options.get("activation", "identity")

    def u(x: Array, beta: Array, b: Array) -> Array:
        return plain.add_bias(plain.scale_maps(plain.downsample(x, n=n), beta), b)

    yield from layer(name, cotangent, inputs, activation, u, subsampling_mistakes(name, n, activation, u))


def subsampling_mistakes(name: str, n: int, activation: str, u: Callable[..., Array]) -> Iterator[Wrong]:
    """Of β, and of what it multiplies."""
    scaled, f = plain.scale_maps, plain.ACTIVATIONS[activation]
    if name == "x":
        yield "β dropped", "the right gradient without β", lambda x, beta, b: plain.downsample(x, n=n)
        yield ("β twice", "the right gradient multiplied by β once too often",
               lambda x, beta, b: scaled(plain.downsample(x, n=n), beta**2))  # fmt: skip
        yield ("b for β", "the right gradient with b in the place of β",
               lambda x, beta, b: scaled(plain.downsample(x, n=n), b))  # fmt: skip
        for shift in (1, -1):
            yield ("of another map", "the right gradient with β of the next map",
                   lambda x, beta, b, s=shift: scaled(plain.downsample(x, n=n), np.roll(beta, s)))  # fmt: skip
        for kind, said, down in downs(n):
            yield kind, said, lambda x, beta, b, d=down: scaled(d(x), beta)
    if name == "beta":
        for kind, said, down in downs(n):
            if kind != "one axis of a block":
                yield kind, said.replace("gradient with", "gradient with d from"), \
                    lambda x, beta, b, d=down: scaled(d(x), beta)  # fmt: skip
        yield "u for d", "the right gradient with u in the place of d", \
            lambda x, beta, b: scaled(_frozen(u(x, beta, b)), beta)  # fmt: skip
        yield "y for d", "the right gradient with y in the place of d", \
            lambda x, beta, b: scaled(_frozen(f(u(x, beta, b))), beta)  # fmt: skip
        yield "β twice", "the right gradient multiplied by β", \
            lambda x, beta, b: scaled(scaled(plain.downsample(x, n=n), _frozen(beta)), beta)  # fmt: skip
    if name == "b":
        yield "β twice", "the right gradient multiplied by β", \
            lambda x, beta, b: scaled(plain.add_bias(0 * u(x, beta, b), b), _frozen(beta))  # fmt: skip


def _frozen(array: Array) -> Array:
    """The values without their derivatives."""
    return np.asarray(array.real + 0j)


# The softmax and what it combines


def softmax(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of the softmax over axis 0."""
    for kind, said, gradient in through_softmax(cotangent, inputs["c"]):
        yield fixed(kind, said, gradient)
    yield fixed("cotangent left out", "the diagonal of the softmax alone, the cotangent left out",
                _alpha(inputs) * (1 - _alpha(inputs)))  # fmt: skip


def sparsity(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of Ω, whose right gradient is zero."""
    weighed = float(np.sum(cotangent)) * options["lam"] * np.ones_like(inputs["c"])
    for kind, said, gradient in through_softmax(weighed, inputs["c"]):
        yield fixed(kind, said.replace("the right gradient", "∂Ω/∂α carried to c"), gradient)


def through_softmax(given: Array, c: Array) -> Iterator[tuple[str, str, Array]]:
    """∂E/∂α carried to c (M5), with its mistakes."""
    alpha, right = plain.softmax(c), "the right gradient"
    total = (given * alpha).sum(axis=0)
    yield "softmax left out", "∂E/∂α, not carried through the softmax", given
    yield "softmax's sum left out", f"{right} without Σ, α ∂E/∂α alone", alpha * given
    yield "outer α left out", f"{right} without the α before the bracket", given - total
    yield "plus for minus", f"{right} with plus Σ for minus", alpha * (given + total)
    yield "α left out of the sum", f"{right} with Σ ∂E/∂α for Σ α ∂E/∂α", alpha * (given - given.sum(axis=0))
    yield (
        "sum over the wrong index",
        f"{right} with Σ over j",
        alpha * (given - (given * alpha).sum(axis=1, keepdims=True)),
    )
    yield "sum over the wrong index", f"{right} with Σ over i and j", alpha * (given - (given * alpha).sum())
    yield "α and c confused", f"{right} with c in the place of α", c * (given - (given * c).sum(axis=0))
    yield "α and c confused", f"{right} with c for α in Σ", alpha * (given - (given * c).sum(axis=0))
    yield (
        "softmax's diagonal alone",
        f"{right} with α(1 - α) alone, terms of other i dropped",
        (given * alpha * (1 - alpha)),
    )


def _alpha(inputs: Inputs) -> Array:
    return plain.softmax(inputs["c"])


def combination(name: str, cotangent: Array, inputs: Inputs, options: Options) -> Iterator[Suspect]:
    """Suspects of a layer of learned combinations."""
    activation = options.get("activation", "identity")

    def u(x: Array, k: Array, c: Array, b: Array) -> Array:
        return plain.add_bias(plain.mix(x, k, c), b)

    if name == "c":
        delta = cotangent * derivative(activation, u(*inputs.values()))
        yield from hidden_weights(delta, inputs["x"], inputs["k"], inputs["c"])
    wrong = combination_mistakes(name, inputs)
    yield from layer(name, cotangent, inputs, activation, u, wrong)


def combination_mistakes(name: str, inputs: Inputs) -> Iterator[Wrong]:
    """Of the weights α, and of the kernels."""
    c = inputs["c"]
    if name in ("x", "k"):
        for kind, said, weights in (
            ("α dropped", "the right gradient without α", np.ones_like(c)),
            ("α and c confused", "the right gradient with c in the place of α", c),
            (
                "α over the wrong axis",
                "the right gradient with α from a softmax over j",
                plain.softmax(c.T).T,
            ),
            (
                "of another map",
                "the right gradient with α of the next map",
                np.roll(_alpha(inputs), 1, axis=0),
            ),
            (
                "of another map",
                "the right gradient with α of the next map",
                np.roll(_alpha(inputs), -1, axis=0),
            ),
        ):
            yield kind, said, lambda x, k, c, b, w=weights: mixed(x, k, w)
    if name == "x":
        for kind, said, turned in kernel_turns(inputs["k"], maps=False):
            yield kind, said, lambda x, k, c, b, t=turned: mixed(x, t, _alpha(inputs))


def mixed(x: Array, k: Array, weights: Array) -> Array:
    """Σ_i of weights_ij conv2(x_i, k_i, 'valid')."""
    filtered = [plain.convolve_map(x[:, i], k[i]) for i in range(len(k))]
    return np.stack(
        [sum(w * each for w, each in zip(column, filtered, strict=True)) for column in weights.T], axis=1
    )


def hidden_weights(delta: Array, x: Array, k: Array, c: Array) -> Iterator[Suspect]:
    """Suspects of ∂E/∂c: M5's, on M4's ∂E/∂α; and M4 with x for what the kernel makes of it."""
    filtered = np.stack([plain.convolve_map(x[:, i], k[i]) for i in range(len(k))], axis=1)
    by_alpha = np.einsum("njrs,nirs->ij", delta, filtered)
    for kind, said, gradient in through_softmax(by_alpha, c):
        yield fixed(kind, said, gradient)
    crop = x[..., : delta.shape[2], : delta.shape[3]]
    alpha, unfiltered = plain.softmax(c), np.einsum("njrs,nirs->ij", delta, crop)
    yield fixed("x for the filtered map", "the right gradient with x_i in the place of conv2(x_i, k_i)",
                alpha * (unfiltered - (unfiltered * alpha).sum(axis=0)))  # fmt: skip
