"""Cases of every operation but the network: shapes with their consequences; and the edges always judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gradcheck.case import Case
from gradcheck.strategies import Draw, one_of, sizes, tables

Table = tuple[tuple[bool, ...], ...]
Pair = tuple[int, int]

KINDS = ("gaussian", "zeros", "ties")
SMOOTH = ("tanh", "sigmoid", "scaled_tanh")
ANY = ("identity", *SMOOTH)
FAR = 2000.0
"""exp(−2000) is exactly 0, so one hidden weight of 0 in a column of −2000 gives α of exactly 1 and 0."""


def _kind(activation: str, kind: str) -> str:
    """Integers where the activation leaves the operation linear: exact evidence needs exact sums."""
    return "integers" if activation == "identity" else kind


def regimes(**found: bool) -> frozenset[str]:
    """The names of those that hold, as words: one_map=True gives "one map".

    Examples
    --------
    >>> sorted(regimes(one_map=True, one_pattern=False))
    ['one map']
    """
    return frozenset(name.replace("_", " ") for name, holds in found.items() if holds)


def batch_regimes(batch: int) -> frozenset[str]:
    """Whether there is one pattern or several."""
    return regimes(one_pattern=batch == 1, several_patterns=batch > 1)


def map_regimes(batch: int, maps: tuple[int, ...], side: Pair) -> frozenset[str]:
    """Which regimes of batch, map counts and map sides a case reaches."""
    return batch_regimes(batch) | regimes(
        one_map=1 in maps,
        several_maps=max(maps) > 1,
        non_square_map=side[0] != side[1],
        square_map=side[0] == side[1],
    )


def kernel_regimes(kernel: Pair, output: Pair) -> frozenset[str]:
    """Which regimes of kernel sides a case reaches; `output` is the side of the 'valid' result."""
    return regimes(
        kernel_of_1x1=kernel == (1, 1),
        kernel_as_large_as_the_map=output == (1, 1),
        non_square_kernel=kernel[0] != kernel[1],
        square_kernel=kernel[0] == kernel[1] > 1,
    )


def table_regimes(table: Table | None) -> frozenset[str]:
    """Which regimes of connection tables a case reaches."""
    if table is None:
        return regimes(all_connected=True)
    columns = list(zip(*table, strict=True))
    return regimes(
        connection_table=True,
        input_map_that_feeds_nothing=not all(any(row) for row in table),
        output_map_that_is_fed_by_nothing=not all(any(column) for column in columns),
    )


def elementwise(shape: tuple[int, ...], kind: str = "gaussian") -> Case:
    """A case of an activation: u of any shape."""
    return Case(
        {"u": shape}, kind=kind, regimes=regimes(**{f"{len(shape)}_axes": True, f"{kind}_values": True})
    )


def draw_elementwise(draw: Draw) -> Case:
    """Any shape of up to three axes."""
    shape = tuple(draw(sizes(1, 5)) for _ in range(draw(sizes(0, 3))))
    return elementwise(shape, draw(one_of("gaussian", "zeros", "ties", "large")))


def extreme(case: Case, scale: float) -> Case:
    """The same shapes with values of about `scale`, all far from 0: where exp overflows (E9)."""
    name = next(iter(case.shapes))
    reached = case.regimes - regimes(gaussian_values=True) | regimes(extreme_values=True)
    return replace(case, kind="bounded", scales={name: scale}, regimes=reached)


ELEMENTWISE = (
    elementwise((1,)),
    elementwise((7,), "zeros"),
    elementwise((3, 4), "ties"),
    elementwise((16,), "large"),
    elementwise(()),
    elementwise((2, 3, 4, 5)),
)
SIGMOID = (*ELEMENTWISE, extreme(elementwise((20,)), 800.0))


def error(batch: int, classes: int, kind: str = "gaussian") -> Case:
    """A case of the squared error: y and t of shape (N, C)."""
    shape = (batch, classes)
    found = batch_regimes(batch) | regimes(one_class=classes == 1, several_classes=classes > 1)
    return Case({"y": shape, "t": shape}, kind=kind, regimes=found)


def draw_error(draw: Draw) -> Case:
    """Up to five patterns of up to seven classes."""
    return error(draw(sizes(1, 5)), draw(sizes(1, 7)), draw(one_of(*KINDS)))


ERROR = (error(1, 1), error(1, 5), error(4, 3), error(3, 1), error(2, 4, "ties"), error(3, 2, "zeros"))


def dense(batch: int, inputs: int, units: int, activation: str = "identity", kind: str = "gaussian") -> Case:
    """A case of a dense layer: x (N, D), W (K, D), b (K,)."""
    found = batch_regimes(batch) | regimes(
        one_input=inputs == 1,
        one_unit=units == 1,
        square_weights=inputs == units,
        non_square_weights=inputs != units,
    )
    return Case(
        {"x": (batch, inputs), "W": (units, inputs), "b": (units,)},
        {"activation": activation},
        _kind(activation, kind),
        {"W": inputs**-0.5},
        regimes=found,
    )


def draw_dense(draw: Draw) -> Case:
    """Up to four patterns, six inputs, five units."""
    return dense(
        draw(sizes(1, 4)), draw(sizes(1, 6)), draw(sizes(1, 5)), draw(one_of(*ANY)), draw(one_of(*KINDS))
    )


DENSE = (
    dense(1, 1, 1),
    dense(1, 1, 1, "tanh"),
    dense(3, 4, 2),
    dense(3, 4, 2, "sigmoid"),
    dense(2, 3, 3, "tanh"),
    dense(1, 5, 3, "scaled_tanh"),
    dense(4, 2, 5, "sigmoid", "zeros"),
)


def resample(name: str, batch: int, maps: int, side: Pair, n: int) -> Case:
    """A case of upsample ("up", side as given) or downsample ("down", side times n)."""
    full = side if name == "up" else (side[0] * n, side[1] * n)
    found = map_regimes(batch, (maps,), side) | regimes(**{f"n_is_{n}": True})
    return Case({"x": (batch, maps, *full)}, {"n": n}, "integers", regimes=found)


def draw_upsample(draw: Draw) -> Case:
    """Factors from 1 to 5."""
    return _draw_resample(draw, "up")


def draw_downsample(draw: Draw) -> Case:
    """Factors from 1 to 5; the sides are multiples of them."""
    return _draw_resample(draw, "down")


def _draw_resample(draw: Draw, name: str) -> Case:
    side = (draw(sizes(1, 4)), draw(sizes(1, 4)))
    return resample(name, draw(sizes(1, 3)), draw(sizes(1, 3)), side, draw(sizes(1, 5)))


def _resample_edges(name: str) -> tuple[Case, ...]:
    factors = tuple(resample(name, 2, 2, (2, 3), n) for n in (1, 2, 3, 4, 5))
    return (
        resample(name, 1, 1, (1, 1), 1),
        resample(name, 1, 1, (1, 1), 3),
        resample(name, 3, 1, (3, 3), 2),
        *factors,
    )


UPSAMPLE, DOWNSAMPLE = _resample_edges("up"), _resample_edges("down")


def convolution(
    batch: int,
    maps: Pair,
    kernel: Pair,
    output: Pair,
    table: Table | None = None,
    activation: str | None = None,
    kind: str = "gaussian",
) -> Case:
    """A case of a convolution: with an activation and b, or (None) of convolve_valid.

    Parameters
    ----------
    maps : (in_maps, out_maps)
    kernel, output : (height, width)
        The side of the maps follows: kernel + output − 1.
    table : nested tuple of bool, shape (in_maps, out_maps), optional
    """
    side = _whole(kernel, output)
    shapes: dict[str, tuple[int, ...]] = {"x": (batch, maps[0], *side), "k": (*maps, *kernel)}
    options: dict[str, Any] = {"connections": table}
    if activation is not None:
        shapes["b"] = (maps[1],)
        options = {"activation": activation, "connections": table}
    found = map_regimes(batch, maps, side) | kernel_regimes(kernel, output) | table_regimes(table)
    scale = (maps[0] * kernel[0] * kernel[1]) ** -0.5
    return Case(shapes, options, _kind(activation or "identity", kind), {"k": scale}, regimes=found)


def full(batch: int, maps: Pair, kernel: Pair, side: Pair, table: Table | None = None) -> Case:
    """A case of convolve_full: d (N, J, h, w), k (I, J, Kh, Kw)."""
    found = map_regimes(batch, maps, side) | kernel_regimes(kernel, side) | table_regimes(table)
    shapes = {"d": (batch, maps[1], *side), "k": (*maps, *kernel)}
    return Case(shapes, {"connections": table}, "integers", regimes=found)


def _whole(kernel: Pair, output: Pair) -> Pair:
    return kernel[0] + output[0] - 1, kernel[1] + output[1] - 1


EMPTY_ROW: Table = ((True, False), (False, False), (True, True))
EMPTY_COLUMN: Table = ((True, False, True), (False, False, True))

_PLACES: tuple[dict[str, Any], ...] = (
    {"batch": 1, "maps": (1, 1), "kernel": (1, 1), "output": (1, 1)},
    {"batch": 1, "maps": (1, 1), "kernel": (3, 2), "output": (2, 3)},
    {"batch": 2, "maps": (2, 3), "kernel": (1, 1), "output": (3, 2)},
    {"batch": 2, "maps": (3, 2), "kernel": (3, 2), "output": (1, 1)},
    {"batch": 3, "maps": (3, 2), "kernel": (2, 3), "output": (3, 2), "table": EMPTY_ROW},
    {"batch": 2, "maps": (2, 3), "kernel": (2, 1), "output": (2, 4), "table": EMPTY_COLUMN},
    {"batch": 2, "maps": (2, 2), "kernel": (3, 3), "output": (3, 3)},
    {"batch": 1, "maps": (2, 1), "kernel": (1, 3), "output": (3, 1)},
)
"""Every edge of a convolution: 1×1 kernels, kernel = map, one map, one pattern, non-square, empty rows."""


def draw_place(draw: Draw) -> dict[str, Any]:
    """Batch, map counts, kernel and output side, and a connection table or none."""
    maps = (draw(sizes(1, 3)), draw(sizes(1, 3)))
    return {
        "batch": draw(sizes(1, 3)),
        "maps": maps,
        "kernel": (draw(sizes(1, 3)), draw(sizes(1, 3))),
        "output": (draw(sizes(1, 3)), draw(sizes(1, 3))),
        "table": draw(tables(*maps)) if draw(one_of(False, True)) else None,
    }


def draw_valid(draw: Draw) -> Case:
    """Any place, without bias and activation."""
    return convolution(**draw_place(draw))


def draw_full(draw: Draw) -> Case:
    """Any place, read as deltas."""
    return _as_full(draw_place(draw))


def draw_convolution(draw: Draw) -> Case:
    """Any place with any activation."""
    return convolution(**draw_place(draw), activation=draw(one_of(*ANY)), kind=draw(one_of(*KINDS)))


def _as_full(place: Mapping[str, Any]) -> Case:
    return full(place["batch"], place["maps"], place["kernel"], place["output"], place.get("table"))


VALID = tuple(convolution(**place) for place in _PLACES)
FULL = tuple(_as_full(place) for place in _PLACES)
CONVOLUTION = tuple(
    convolution(**place, activation=activation)
    for number, place in enumerate(_PLACES)
    for activation in ("identity", SMOOTH[number % 3])
)


def subsampling(
    batch: int, maps: int, output: Pair, n: int, activation: str = "identity", kind: str = "gaussian"
) -> Case:
    """A case of a subsampling layer: x (N, J, output·n), beta (J,), b (J,)."""
    side = (output[0] * n, output[1] * n)
    return Case(
        {"x": (batch, maps, *side), "beta": (maps,), "b": (maps,)},
        {"n": n, "activation": activation},
        _kind(activation, kind),
        {"x": 1.0 / n},
        regimes=map_regimes(batch, (maps,), output) | regimes(**{f"n_is_{n}": True}),
    )


def draw_subsampling(draw: Draw) -> Case:
    """Factors from 1 to 5, any activation."""
    output = (draw(sizes(1, 3)), draw(sizes(1, 3)))
    return subsampling(
        draw(sizes(1, 3)),
        draw(sizes(1, 3)),
        output,
        draw(sizes(1, 5)),
        draw(one_of(*ANY)),
        draw(one_of(*KINDS)),
    )


SUBSAMPLING = (
    subsampling(1, 1, (1, 1), 1),
    subsampling(1, 1, (1, 1), 1, "tanh"),
    *(subsampling(2, 3, (2, 1), n) for n in (2, 3, 4, 5)),
    *(subsampling(2, 2, (1, 2), n, SMOOTH[n % 3]) for n in (1, 2, 3, 4, 5)),
    subsampling(3, 1, (2, 2), 2, "sigmoid", "zeros"),
)


def columns(in_maps: int, out_maps: int, kind: str = "gaussian", **options: Any) -> Case:
    """A case of the softmax or, with `lam`, of the sparsity: c (I, J)."""
    found = regimes(
        one_input_map=in_maps == 1,
        one_output_map=out_maps == 1,
        square_weights=in_maps == out_maps > 1,
        non_square_weights=in_maps != out_maps,
        **{f"{kind}_values": True},
    )
    return Case({"c": (in_maps, out_maps)}, options, kind, regimes=found)


def draw_softmax(draw: Draw) -> Case:
    """Up to five rows and four columns."""
    return columns(draw(sizes(1, 5)), draw(sizes(1, 4)), draw(one_of(*KINDS, "large")))


def draw_sparsity(draw: Draw) -> Case:
    """The same, with a penalty."""
    kind = draw(one_of(*KINDS))
    return columns(draw(sizes(1, 5)), draw(sizes(1, 4)), kind, lam=draw(one_of(1.0, 0.1, 3.0)))


_COLUMNS = ((1, 1), (1, 3), (4, 1), (3, 3), (5, 2))
SOFTMAX = (
    *(columns(*shape) for shape in _COLUMNS),
    columns(3, 2, "ties"),
    columns(4, 3, "large"),
    extreme(columns(1, 20), 1500.0),  # one row: with several the right gradient is nothing but underflow
)
SPARSITY = (*(columns(*shape, lam=0.5) for shape in _COLUMNS), columns(2, 3, "ties", lam=2.0))


def combination(
    batch: int, maps: Pair, kernel: Pair, output: Pair, activation: str = "tanh", kind: str = "gaussian"
) -> Case:
    """A case of a learned combination, x (N, I, H, W), k (I, Kh, Kw), c (I, J), b (J,); all numeric."""
    side = _whole(kernel, output)
    return Case(
        _combination_shapes(batch, maps, kernel, side),
        {"activation": activation},
        kind,
        {"k": (kernel[0] * kernel[1]) ** -0.5},
        regimes=map_regimes(batch, maps, side) | kernel_regimes(kernel, output),
    )


def linear_combination(batch: int, maps: Pair, kernel: Pair, output: Pair) -> Case:
    """The same for exact evidence: no activation, and c fixed so that every α is exactly 0 or 1.

    Output map j takes input map j, modulo their number; the numeric cases have the mixtures.
    """
    side = _whole(kernel, output)
    hidden = [[0.0 if i == j % maps[0] else -FAR for j in range(maps[1])] for i in range(maps[0])]
    found = map_regimes(batch, maps, side) | kernel_regimes(kernel, output) | regimes(exact_weights=True)
    return Case(
        _combination_shapes(batch, maps, kernel, side),
        {"activation": "identity"},
        "integers",
        fixed={"c": tuple(map(tuple, hidden))},
        regimes=found,
    )


def _combination_shapes(batch: int, maps: Pair, kernel: Pair, side: Pair) -> dict[str, tuple[int, ...]]:
    return {"x": (batch, maps[0], *side), "k": (maps[0], *kernel), "c": maps, "b": (maps[1],)}


def draw_combination(draw: Draw) -> Case:
    """Any place; a third of them linear, for exact evidence."""
    place = draw_place(draw)
    place.pop("table")
    activation = draw(one_of("identity", *SMOOTH))
    if activation == "identity" and draw(one_of(True, False)):
        return linear_combination(**place)
    return combination(**place, activation=activation, kind=draw(one_of(*KINDS)))


_UNTABLED = [{name: value for name, value in place.items() if name != "table"} for place in _PLACES]
COMBINATION = (
    *(combination(**place, activation=SMOOTH[number % 3]) for number, place in enumerate(_UNTABLED)),
    *(linear_combination(**place) for place in _UNTABLED),
    combination(2, (3, 2), (2, 2), (2, 2), "identity"),
)
