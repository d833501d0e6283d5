"""The notes' operations, handed to the judge: the only part of `reference` that imports gradcheck."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import reference
from gradcheck.case import Case
from gradcheck.operation import Convention, Input, Operation, Suspects
from gradcheck.strategies import Draw
from gradcheck.strategies import cases as strategy
from reference import kernels
from reference.catalogue import cases, conventions, networks, plain, recursions, suspects
from reference.catalogue.guards import GUARDS
from reference.catalogue.statements import EQUATIONS, ERRATA, mathml

_MAPS = Input("x", ("N", "I", "H", "W"), "input maps, the notes' x_i^(l−1)")
_POOLED = Input("x", ("N", "J", "H", "W"), "input maps, the notes' x_j^(l−1); n divides H and W")
_KERNELS = Input("k", ("I", "J", "Kh", "Kw"), "kernels, the notes' k_ij")
_BIASES = Input("b", ("J",), "biases, the notes' b_j")
_HIDDEN = Input("c", ("I", "J"), "hidden weights, the notes' c_ij; α = softmax over axis 0")
_ACTIVATION = {"activation": f"f: {', '.join(plain.ACTIVATIONS)}"}
_TABLE = {"connections": "M_j: bool (I, J), whether input map i feeds output map j; None: all do"}
_PARAMETERS = ("W", "k", "beta", "c", "b")
_FACTOR = {"n": "side of a block, from 1"}


def operations() -> Mapping[str, Operation]:
    """Every operation of the notes by name, in the order of the notes."""
    return {each.name: each for each in (*_ACTIVATIONS, *_LAYERS)}


def contenders() -> Mapping[str, object]:
    """The forms of the kernels by name, the baseline first, and the layers, for `gradcheck bench`."""
    layers = {name: getattr(reference, name) for name in operations() if not hasattr(kernels.FAST, name)}
    return kernels.CONTENDERS | {"reference": layers}


def _operation(
    name: str,
    summary: str,
    inputs: tuple[Input, ...],
    ids: str,
    draw: Callable[[Draw], Case],
    edges: tuple[Case, ...],
    *,
    options: Mapping[str, str] | None = None,
    linear: tuple[str, ...] = (),
    turns: Mapping[str, Mapping[str, Convention]] | None = None,
) -> Operation:
    found = ids.split()
    equations = tuple(each for each in found if each in EQUATIONS)
    errata = tuple(each for each in found if each in ERRATA)
    return Operation(
        name=name,
        summary=summary,
        inputs=inputs,
        forward=getattr(plain, name),
        cases=strategy(draw),
        edges=edges,
        equations=equations,
        errata=errata,
        guards={each: GUARDS[each] for each in errata},
        statements={each: (EQUATIONS | ERRATA)[each] for each in found},
        mathml={each: mathml()[each] for each in equations},
        options=options or {},
        conventions=turns or {},
        parameters=tuple(each.name for each in inputs if each.name in _PARAMETERS),
        batched=tuple(each.name for each in inputs if each.axes[0] == "N"),
        linear_in=lambda given: linear if given.get("activation", "identity") == "identity" else (),
        suspects=_suspects(name),
        sizes=_sizes,
    )


def _sizes(options: Mapping[str, Any]) -> Mapping[str, int]:
    """The n of a pooling, or of each in a network."""
    layers = enumerate(options.get("architecture", ()), 1)
    found = {f"n of layer {number}": layer[1] for number, layer in layers if layer[0] == "subsampling"}
    return found | ({"n": options["n"]} if "n" in options else {})


def _suspects(name: str) -> Suspects | None:
    if name in plain.ACTIVATIONS:
        return lambda which, cotangent, inputs, options: suspects.elementwise(which, cotangent, inputs, name)
    return recursions.network if name == "network" else getattr(suspects, name)


def _activation(name: str, summary: str, ids: str) -> Operation:
    return _operation(
        name,
        summary,
        (Input("u", ("...",), "pre-activations"),),
        ids,
        cases.draw_elementwise,
        cases.SIGMOID if name == "sigmoid" else cases.ELEMENTWISE,
    )


_ACTIVATIONS = (
    _activation("sigmoid", "f(u) = 1 / (1 + exp(−u)), element by element", "A1 K3 E9"),
    _activation("tanh", "f(u) = tanh(u), element by element", "A2"),
    _activation("scaled_tanh", "f(u) = 1.7159 tanh(2u/3), element by element", "A2"),
)

_LAYERS = (
    _operation(
        "squared_error",
        "half the squared error, summed over classes and patterns; a number",
        (Input("y", ("N", "C"), "outputs"), Input("t", ("N", "C"), "targets")),
        "L1 L2 L3",
        cases.draw_error,
        cases.ERROR,
        turns={"error": conventions.ERROR},
    ),
    _operation(
        "dense",
        "a fully connected layer, y (N, K)",
        (
            Input("x", ("N", "D"), "inputs, the notes' x^(l−1)"),
            Input("W", ("K", "D"), "weights, the notes' W^l"),
            Input("b", ("K",), "biases, the notes' b^l"),
        ),
        "D1 D2 D4 D5 A1 A2 A3 E1",
        cases.draw_dense,
        cases.DENSE,
        options=_ACTIVATION,
        linear=("x", "W", "b"),
        turns={"weights": conventions.WEIGHTS, "activation": conventions.ACTIVATION},
    ),
    _operation(
        "upsample",
        "every pixel as an n×n block, (N, J, hn, wn)",
        (Input("x", ("N", "J", "h", "w"), "maps"),),
        "C3 K1",
        cases.draw_upsample,
        cases.UPSAMPLE,
        options=_FACTOR,
        linear=("x",),
        turns={"maps_layout": conventions.maps_layout("x")},
    ),
    _operation(
        "downsample",
        "the sum over each n×n block, (N, J, H/n, W/n)",
        (Input("x", ("N", "J", "H", "W"), "maps; n divides H and W"),),
        "S1 K2 E5 E7",
        cases.draw_downsample,
        cases.DOWNSAMPLE,
        options=_FACTOR,
        linear=("x",),
        turns={"maps_layout": conventions.maps_layout("x"), "pooling": conventions.POOLING},
    ),
    _operation(
        "convolve_valid",
        "Σ_{i∈M_j} conv2(x_i, k_ij, 'valid'), (N, J, H−Kh+1, W−Kw+1)",
        (_MAPS, _KERNELS),
        "C1 C5 C6 C7 E3 E4",
        cases.draw_valid,
        cases.VALID,
        options=_TABLE,
        linear=("x", "k"),
        turns={
            "kernel": conventions.KERNEL,
            "kernel_layout": conventions.KERNEL_LAYOUT,
            "maps_layout": conventions.maps_layout("x"),
        },
    ),
    _operation(
        "convolve_full",
        "Σ_{j: i∈M_j} conv2(d_j, k_ij, 'full'), (N, I, h+Kh−1, w+Kw−1); the kernel is not turned beforehand",
        (Input("d", ("N", "J", "h", "w"), "sensitivities, the notes' δ_j"), _KERNELS),
        "C7 S2 E2",
        cases.draw_full,
        cases.FULL,
        options=_TABLE,
        linear=("d", "k"),
        turns={
            "kernel": conventions.KERNEL,
            "kernel_layout": conventions.KERNEL_LAYOUT,
            "maps_layout": conventions.maps_layout("d"),
        },
    ),
    _operation(
        "convolution",
        "a convolution layer, y (N, J, H−Kh+1, W−Kw+1)",
        (_MAPS, _KERNELS, _BIASES),
        "C1 C4 C5 C6 C7 A1 A2 A3 E3 E4",
        cases.draw_convolution,
        cases.CONVOLUTION,
        options=_ACTIVATION | _TABLE,
        linear=("x", "k", "b"),
        turns={
            "kernel": conventions.KERNEL,
            "kernel_layout": conventions.KERNEL_LAYOUT,
            "maps_layout": conventions.maps_layout("x"),
            "activation": conventions.ACTIVATION,
        },
    ),
    _operation(
        "subsampling",
        "a subsampling layer, y (N, J, H/n, W/n)",
        (_POOLED, Input("beta", ("J",), "factors, the notes' β_j"), _BIASES),
        "S1 S3 S4 S5 K1 K2 E3 E5 E7",
        cases.draw_subsampling,
        cases.SUBSAMPLING,
        options=_FACTOR | _ACTIVATION,
        linear=("x", "beta", "b"),
        turns={
            "maps_layout": conventions.maps_layout("x"),
            "pooling": conventions.SCALED_POOLING,
            "activation": conventions.ACTIVATION,
        },
    ),
    _operation(
        "softmax",
        "combination weights α (I, J), each column of which sums to 1",
        (_HIDDEN,),
        "M2 M3 M5 E9",
        cases.draw_softmax,
        cases.SOFTMAX,
        turns={"axis": conventions.AXIS},
    ),
    _operation(
        "combination",
        "a layer of learned combinations, y (N, J, H−Kh+1, W−Kw+1)",
        (
            _MAPS,
            Input("k", ("I", "Kh", "Kw"), "kernels, the notes' k_i, one for each input map"),
            _HIDDEN,
            _BIASES,
        ),
        "M1 M2 M3 M4 M5 M6 E3 E8 E9",
        cases.draw_combination,
        cases.COMBINATION,
        options=_ACTIVATION,
        linear=("x", "k", "b"),
        turns={
            "kernel": conventions.KERNEL,
            "kernel_layout": conventions.SHARED_KERNEL_LAYOUT,
            "maps_layout": conventions.maps_layout("x"),
            "weights": conventions.COMBINED,
            "weights_layout": conventions.WEIGHTS_LAYOUT,
            "activation": conventions.ACTIVATION,
        },
    ),
    _operation(
        "sparsity",
        "the penalty Ω, a number; it is λJ whatever c is",
        (_HIDDEN,),
        "P1 P2 P3 E6",
        cases.draw_sparsity,
        cases.SPARSITY,
        options={"lam": "λ, the weight of the penalty"},
        turns={"weights": conventions.PENALISED, "weights_layout": conventions.WEIGHTS_LAYOUT},
    ),
    _operation(
        "network",
        "E + Σ Ω of a whole network, a number",
        (
            Input("x", ("N", "I", "H", "W"), "input maps"),
            Input("t", ("N", "C"), "targets"),
            Input("k", ("...",), "kernels of convolution and combination layers"),
            Input("b", ("...",), "biases of all layers"),
            Input("beta", ("...",), "factors of subsampling layers"),
            Input("c", ("...",), "hidden weights of combination layers"),
            Input("W", ("...",), "weights of dense layers"),
            Input(
                "delta", ("N", "..."), "perturbations added to each layer's u; their gradient is the notes' δ"
            ),
        ),
        "L1 L3 D3 D4 D6 C2 C4 C5 C6 C7 S2 S3 S4 S5 M4 M5 M6 P1 P3 P4 E2 E6",
        networks.draw_network,
        networks.NETWORK,
        options={"architecture": "one tuple for each layer, see the docstring of the naive forward"},
        turns={"kernel": conventions.KERNEL, "weights": conventions.WEIGHTS},
    ),
)
