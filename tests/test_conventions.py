"""Conventions: what is right under one of them passes when it is declared, and is known when it is not."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis.strategies import just

import reference
from gradcheck.certify import certify
from gradcheck.check import check_vjp
from gradcheck.implementation import implements
from gradcheck.operation import operations
from gradcheck.verdict import Verdict

CATALOGUE = operations()
Turn = Callable[[Any], Any]


class Layout(NamedTuple):
    """How a target's array is read into the catalogue's, and back; written by hand, not with the turns on trial."""

    read: Turn
    write: Turn


def same(array):
    return array


def axes(target, catalogue):
    """A layout by the letters of its axes."""
    letters = catalogue.lower()
    return Layout(
        lambda a: np.einsum(f"{target.lower()}->{letters}", a),
        lambda a: np.einsum(f"{letters}->{target.lower()}", a),
    )


FLIP = Layout(lambda k: k[..., ::-1, ::-1], lambda k: k[..., ::-1, ::-1])


def target(name, inputs=None, out=None, part=None):
    """The reference's operation as somebody would write it whose arrays lie differently.

    The reference's own gradient is carried over by the same reading and writing, which are permutations.
    """
    part = part or getattr(reference, name)
    turned, out = inputs or {}, out or Layout(same, same)
    names = [each.name for each in CATALOGUE[name].inputs]

    def read(arrays):
        return [turned[n].read(a) if n in turned else a for n, a in zip(names, arrays, strict=True)]

    def forward(*arrays, **options):
        return out.write(part.forward(*read(arrays), **options))

    def vjp(cotangent, *arrays, **options):
        gradients = part.vjp(out.read(cotangent), *read(arrays), **options)
        return tuple(
            np.array(turned[n].write(g)) if n in turned else g for n, g in zip(names, gradients, strict=True)
        )

    return types.SimpleNamespace(forward=forward, vjp=vjp)


def separate(name):
    """The layer that ends at u: no option activation, and the cotangent is δ."""
    part = getattr(reference, name)

    def forward(*arrays, **options):
        return part.forward(*arrays, activation="identity", **options)

    def vjp(cotangent, *arrays, **options):
        return part.vjp(cotangent, *arrays, activation="identity", **options)

    return types.SimpleNamespace(forward=forward, vjp=vjp)


def means(name):
    """Pooling by means: each block's sum over its number of pixels."""
    part = getattr(reference, name)

    def forward(x, *rest, n, **options):
        return part.forward(x / n**2, *rest, n=n, **options)

    def vjp(cotangent, x, *rest, n, **options):
        dx, *others = part.vjp(cotangent, x / n**2, *rest, n=n, **options)
        return (dx / n**2, *others)

    return types.SimpleNamespace(forward=forward, vjp=vjp)


class MixedByAlpha:
    """A combination whose weights are given as they are: one convolution with the kernels α_ij k_i."""

    @staticmethod
    def forward(x, k, alpha, b, activation):
        kernels = alpha[:, :, None, None] * k[:, None]
        return reference.convolution.forward(x, kernels, b, activation=activation)

    @staticmethod
    def vjp(cotangent, x, k, alpha, b, activation):
        kernels = alpha[:, :, None, None] * k[:, None]
        dx, dkernels, db = reference.convolution.vjp(cotangent, x, kernels, b, activation=activation)
        dk = (dkernels * alpha[:, :, None, None]).sum(axis=1)
        return dx, dk, (dkernels * k[:, None]).sum(axis=(2, 3)), db


class PenaltyOfAlpha:
    @staticmethod
    def forward(alpha, lam):
        return lam * np.abs(alpha).sum()

    @staticmethod
    def vjp(cotangent, alpha, lam):
        return (cotangent * lam * np.sign(alpha),)


class WholeError:
    """The error without its ½."""

    @staticmethod
    def forward(y, t):
        return ((t - y) ** 2).sum()

    @staticmethod
    def vjp(cotangent, y, t):
        return 2 * cotangent * (y - t), 2 * cotangent * (t - y)


def flat_kernels(name, *layouts, catalogue):
    return [(name, "kernel_layout", each, target(name, {"k": axes(each, catalogue)})) for each in layouts]


def maps(name, first="x"):
    return [
        (name, "maps_layout", each, target(name, {first: axes(each, "NCHW")}, axes(each, "NCHW")))
        for each in ("NHWC", "CHWN", "HWCN")
    ]


LAYERS = ("dense", "convolution", "subsampling", "combination")
CONVOLUTIONS = ("convolve_valid", "convolve_full", "convolution")
TARGETS = [
    *[(name, "activation", "separate", separate(name)) for name in LAYERS],
    *[(name, "kernel", "correlation", target(name, {"k": FLIP})) for name in (*CONVOLUTIONS, "combination")],
    *[
        row
        for name in CONVOLUTIONS
        for row in flat_kernels(name, "OIHW", "HWIO", "HWOI", "OHWI", catalogue="IOHW")
    ],
    *flat_kernels("combination", "HWI", catalogue="IHW"),
    (
        "combination",
        "kernel_layout",
        "I1HW",
        target("combination", {"k": Layout(lambda k: k[:, 0], lambda k: k[:, None])}),
    ),
    *[row for name in ("upsample", "downsample", "convolve_valid", "convolution") for row in maps(name)],
    *[row for name in ("subsampling", "combination") for row in maps(name)],
    *maps("convolve_full", "d"),
    *[(name, "pooling", "mean", means(name)) for name in ("downsample", "subsampling")],
    ("dense", "weights", "DK", target("dense", {"W": axes("DK", "KD")})),
    ("softmax", "axis", "1", target("softmax", {"c": axes("JI", "IJ")}, axes("JI", "IJ"))),
    ("combination", "weights", "alpha", MixedByAlpha),
    ("combination", "weights_layout", "JI", target("combination", {"c": axes("JI", "IJ")})),
    ("sparsity", "weights", "alpha", PenaltyOfAlpha),
    ("sparsity", "weights_layout", "JI", target("sparsity", {"c": axes("JI", "IJ")})),
    ("squared_error", "error", "sum", WholeError),
]
ALIKE = {("NHWC", "CHWN"): ("upsample", "downsample")}
"""Layouts that are the same where neither patterns nor maps meet."""


def telling(name):
    """The operation with one or two of its edges that have several of everything, and nothing to shrink to."""
    known = [
        case for case in CATALOGUE[name].edges if case.kind in ("gaussian", "integers") and not case.fixed
    ]
    edges = [max(known, key=lambda case: (len(set(case.shapes[first(name)])), case.size))]
    if "activation" in edges[0].options:
        whole = "gaussian" if name == "combination" else "integers"
        edges = [
            replace(edges[0], options={**edges[0].options, "activation": activation}, kind=kind)
            for activation, kind in (("identity", whole), ("tanh", "gaussian"))
        ]
    return replace(CATALOGUE[name], edges=tuple(edges), cases=just(edges[0]))


def first(name):
    return CATALOGUE[name].inputs[0].name


QUICK = partial(check_vjp, budget=50, directions=1)
"""Right from wrong, and little to say of it."""


def certified(name, part, **declared):
    members = {k: staticmethod(getattr(part, k)) for k in ("forward", "vjp") if getattr(part, k, None)}
    marked = implements(name, **declared)(type("Target", (), members))
    told = telling(name)
    return certify(marked, [name], examples=len(told.edges), catalogue={name: told}, judge=QUICK)


def ids(row):
    return f"{row[0]}-{row[1]}={row[2]}"


def test_every_value_of_every_convention_is_tried():
    tried = {(name, convention, value) for name, convention, value, _ in TARGETS}
    wanted = {
        (name, convention, value)
        for name, operation in CATALOGUE.items()
        for convention, values in operation.conventions.items()
        for value in list(values)[1:]
        if name != "network"
    }
    assert tried == wanted


@pytest.mark.parametrize("row", TARGETS, ids=ids)
def test_a_target_passes_under_the_convention_that_it_declares(row):
    name, convention, value, part = row
    found = certified(name, part, **{convention: value})
    assert {
        (each.input, str(each.verdict), each.reason) for each in found.results if not each.zero_everywhere
    } <= {(each.input, "pass", None) for each in found.results}
    assert found.not_offered == ()


@pytest.mark.parametrize(
    "row", [row for row in TARGETS if row[1] in ("activation", "maps_layout", "pooling")], ids=ids
)
def test_a_gradient_alone_passes_too_though_there_is_no_forward_to_tell_u_or_the_layout(row):
    name, convention, value, part = row
    found = certified(name, types.SimpleNamespace(vjp=part.vjp), **{convention: value})
    assert found.verdict is Verdict.PASS


@pytest.mark.parametrize("row", TARGETS, ids=ids)
def test_a_target_that_declares_nothing_is_known_for_what_it_is(row):
    name, convention, value, part = row
    found = certified(name, part)
    own = next(iter(CATALOGUE[name].conventions[convention]))
    failed = [each for each in found.results if each.verdict is not Verdict.PASS]
    assert failed[0].input == "forward"
    looks = " or ".join(
        *[pair for pair, names in ALIKE.items() if value in pair and name in names] or [[value]]
    )
    said = f"this looks like {looks}; declared: {own} ({convention}= by default)"
    assert {each.diagnosis for each in failed} == {said}


@pytest.mark.parametrize("row", TARGETS, ids=ids)
def test_a_right_target_under_a_wrong_declaration_is_known_for_what_it_is(row):
    name, convention, value, _ = row
    own = next(iter(CATALOGUE[name].conventions[convention]))
    found = certified(name, getattr(reference, name), **{convention: value})
    failed = [each for each in found.results if each.verdict is not Verdict.PASS]
    assert found.exit_status in (1, 3)
    assert {each.diagnosis for each in failed} == {
        f"this looks like {own}; declared: {value} ({convention}=)"
    }


def torch_like(name):
    """Kernels (out, in, height, width), not flipped: two conventions at once."""
    flipped = axes("OIHW", "IOHW")
    return target(
        name,
        {"k": Layout(lambda k: FLIP.read(flipped.read(k)), lambda k: flipped.write(FLIP.write(k)))},
    )


def test_two_conventions_are_known_together_or_one_beside_a_declared_one():
    part = torch_like("convolve_valid")
    assert certified("convolve_valid", part, kernel="correlation", kernel_layout="OIHW").exit_status == 0
    found = certified("convolve_valid", part)
    said = "this looks like correlation, OIHW; declared: convolution, IOHW "
    said += "(kernel= by default, kernel_layout= by default)"
    assert {each.diagnosis for each in found.results} == {said}
    found = certified("convolve_valid", part, kernel_layout="OIHW")
    said = "this looks like correlation; declared: convolution (kernel= by default)"
    assert {each.diagnosis for each in found.results if each.verdict is not Verdict.PASS} == {said}


def test_a_mistake_that_no_convention_makes_right_keeps_its_own_diagnosis():
    wrong = types.SimpleNamespace(
        forward=lambda *arrays, **options: 2 * reference.convolve_valid.forward(*arrays, **options),
        vjp=reference.convolve_valid.vjp,
    )
    found = certified("convolve_valid", wrong)
    assert "looks like" not in str([each.diagnosis for each in found.results])
    assert found.results[0].diagnosis.endswith("the mistake is in the forward alone")


def test_a_gradient_turned_though_its_forward_is_not_is_no_wrong_declaration():
    wrong = types.SimpleNamespace(
        forward=reference.convolve_valid.forward,
        vjp=lambda c, x, k, **options: (
            reference.convolve_valid.vjp(c, x, k, **options)[0],
            reference.convolve_valid.vjp(c, x, k, **options)[1][..., ::-1, ::-1].copy(),
        ),
    )
    found = {each.input: each for each in certified("convolve_valid", wrong).results}
    assert found["k"].diagnosis.startswith("the right gradient turned by 180 degrees")
    assert found["x"].diagnosis is None


@pytest.mark.parametrize("axis", [1, "1"])
def test_a_convention_may_be_given_as_a_number(axis):
    part = target("softmax", {"c": axes("JI", "IJ")}, axes("JI", "IJ"))
    assert certified("softmax", part, axis=axis).exit_status == 0


def test_the_penalty_of_given_weights_is_judged_where_it_is_not_constant():
    doubled = types.SimpleNamespace(
        forward=PenaltyOfAlpha.forward, vjp=lambda c, alpha, lam: (2 * c * lam * np.sign(alpha),)
    )
    found = certified("sparsity", doubled, weights="alpha")
    assert [str(each.verdict) for each in found.results] == ["pass", "fail"]
    assert not certified("sparsity", PenaltyOfAlpha, weights="alpha").results[1].zero_everywhere


@pytest.mark.parametrize(("name", "wrong"), [("dense", "f' twice"), ("dense", "no f'")])
def test_a_target_that_leaves_f_to_its_caller_but_applies_f_itself_is_failed(name, wrong):
    part = separate(name)

    def vjp(cotangent, x, W, b):
        u = part.forward(x, W, b)
        slope = 1 - np.tanh(u) ** 2
        return part.vjp(cotangent * slope if wrong == "f' twice" else cotangent / slope, x, W, b)

    found = certified(name, types.SimpleNamespace(forward=part.forward, vjp=vjp), activation="separate")
    assert {each.input: str(each.verdict) for each in found.results} == {
        "forward": "pass",
        "x": "fail",
        "W": "fail",
        "b": "fail",
    }


@pytest.mark.parametrize(
    ("convention", "value", "letter"), [("kernel", "correlation", "k"), ("weights", "DK", "W")]
)
def test_a_network_s_copies_of_an_input_are_turned_each(convention, value, letter):
    turned = FLIP if letter == "k" else axes("DK", "KD")
    case = max((each for each in CATALOGUE["network"].edges), key=lambda each: len(each.shapes))
    letters = [name.rstrip("0123456789") == letter for name in case.shapes]

    def read(arrays):
        return [turned.read(a) if mine else a for a, mine in zip(arrays, letters, strict=True)]

    def forward(*arrays, architecture):
        return reference.network.forward(*read(arrays), architecture=architecture)

    def vjp(cotangent, *arrays, architecture):
        given = reference.network.vjp(cotangent, *read(arrays), architecture=architecture)
        return tuple(np.array(turned.write(g)) if mine else g for g, mine in zip(given, letters, strict=True))

    told = replace(CATALOGUE["network"], edges=(case,), cases=just(case))
    members = {"forward": staticmethod(forward), "vjp": staticmethod(vjp)}
    marked = implements("network", **{convention: value})(type("Target", (), members))
    found = certify(marked, ["network"], examples=1, catalogue={"network": told}, judge=QUICK)
    assert {str(each.verdict) for each in found.results if each.cases} == {"pass"}


def test_a_wrong_declaration_is_known_though_some_options_are_declined_by_the_forward_alone():
    part = target("convolve_valid", {"k": FLIP})

    def forward(x, k, connections=None):
        if connections is not None:
            raise NotImplementedError
        return part.forward(x, k, connections=None)

    def vjp(cotangent, x, k, connections=None):
        return part.vjp(cotangent, x, k, connections=None)  # wrong: the table is ignored

    marked = implements("convolve_valid")(
        type("Target", (), {"forward": staticmethod(forward), "vjp": staticmethod(vjp)})
    )
    found = certify(marked, ["convolve_valid"], examples=8, judge=QUICK)
    said = "this looks like correlation; declared: convolution (kernel= by default)"
    assert {each.diagnosis for each in found.results} == {said}
