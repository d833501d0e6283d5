"""A whole network in the style of the notes: its loss, every gradient and every delta by the recursion alone,
training.

An *architecture* is a tuple of layers, plain enough to be hashed or written as JSON (lists will do):

    ("convolution", maps, (kernel height, kernel width), activation[, connections])    C1 to C7
    ("subsampling", n, activation)                                                     S1 to S5
    ("combination", maps, (kernel height, kernel width), activation, lam)              M1 to M6, P1 to P4
    ("dense", units, activation)                                                       D1 to D5

`connections` is a tuple of rows (input maps) of bool (output maps), or None; `activation` is a name of
`reference.activation.ACTIVATIONS`, "sigmoid" when left out; `lam` may be left out, or 0. Maps are flattened
before the first dense layer, after which only dense layers come. Layers and their arrays are named by their
place: "layer1.k", "layer1.b", "layer2.beta", ...

The loss is E of L1 on the last layer's output, plus Omega of P1 for every combination layer (P4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reference import _tangent, update
from reference._architecture import layers_of, plan
from reference._layers import Combination, Convolution, Dense, Layer, Parameters, Shape, Subsampling
from reference._validate import Array, Axes
from reference.activation import named
from reference.dense import output_delta
from reference.loss import SquaredError, squared_error_gradient

__all__ = [
    "Combination",
    "Convolution",
    "Dense",
    "Record",
    "Sensitivities",
    "Subsampling",
    "backward",
    "forward",
    "hvp",
    "initialise",
    "loss",
    "parameter_shapes",
    "perturbation_shapes",
    "predict",
    "run",
    "step",
    "train",
    "vjp",
]


@dataclass(frozen=True)
class Record:
    """What one layer keeps of the forward pass for the way back.

    Parameters
    ----------
    x, u, y : ndarray, batch first
        Input, pre-activation (any perturbation included) and output.
    kept : ndarray
        d = down(x) of a sub-sampling layer, the filtered maps of a combination; else x.
    """

    x: Array
    u: Array
    y: Array
    kept: Array


@dataclass(frozen=True)
class Sensitivities:
    """Derivatives of the loss.

    Parameters
    ----------
    x, t : ndarray
        With respect to the inputs and the targets, in their shapes.
    parameters : dict of name to ndarray
        In the order and the shapes of `parameter_shapes`.
    deltas : dict of layer to ndarray
        dE/du of every layer, in the order and the shapes of `perturbation_shapes`.
    """

    x: Array
    t: Array
    parameters: dict[str, Array]
    deltas: dict[str, Array]


def parameter_shapes(architecture: Sequence[Any], input_shape: Shape) -> dict[str, Shape]:
    """Shapes of all parameters, by name, from the first layer to the last.

    Parameters
    ----------
    architecture : tuple of layers
        See the module.
    input_shape : (in_maps, height, width)
        Of one sample.

    Raises
    ------
    ValueError
        Where the architecture is not one or does not fit the input.

    Examples
    --------
    >>> net = (("convolution", 2, (3, 2), "tanh"), ("subsampling", 2, "tanh"), ("dense", 3, "tanh"))
    >>> parameter_shapes(net, (1, 6, 7))["layer3.W"], list(parameter_shapes(net, (1, 6, 7)))
    ((3, 12), ['layer1.k', 'layer1.b', 'layer2.beta', 'layer2.b', 'layer3.W', 'layer3.b'])
    """
    shapes: dict[str, Shape] = {}
    for name, layer, shape, _ in plan(architecture, input_shape):
        shapes |= {f"{name}.{letter}": size for letter, size in layer.parameter_shapes(shape).items()}
    return shapes


def perturbation_shapes(architecture: Sequence[Any], x_shape: Shape) -> dict[str, Shape]:
    """Shapes of every layer's u, by layer; `x_shape` is that of a batch, (batch, in_maps, height, width).

    Examples
    --------
    >>> perturbation_shapes((("subsampling", 2, "tanh"), ("dense", 3, "tanh")), (5, 1, 4, 6))
    {'layer1': (5, 1, 2, 3), 'layer2': (5, 3)}
    """
    return {name: (x_shape[0], *out) for name, _, _, out in plan(architecture, tuple(x_shape[1:]))}


def initialise(
    architecture: Sequence[Any],
    input_shape: Shape,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float64,
) -> dict[str, Array]:
    """Random parameters to start from, by name, that leave the size of the signals about as it is.

    Weights and kernels are normal with a variance of one over the fan-in (a combination: its map alone); c
    is standard normal; beta is 1 / n², which makes sums into means; biases are zero.

    Parameters
    ----------
    architecture, input_shape
        As for `parameter_shapes`.
    rng : numpy.random.Generator
        Source of the weights.
    dtype : dtype
        Of all parameters.
    """
    parameters = {}
    for name, layer, shape, _ in plan(architecture, input_shape):
        for letter, size in layer.parameter_shapes(shape).items():
            parameters[f"{name}.{letter}"] = _initial(layer, letter, size, rng).astype(dtype)
    return parameters


def _initial(layer: Layer, letter: str, size: Shape, rng: np.random.Generator) -> Array:
    if letter == "b":
        return np.zeros(size)
    if isinstance(layer, Subsampling):
        return np.full(size, 1 / layer.n**2)
    if letter == "c":
        return rng.standard_normal(size)
    own = letter == "W" or isinstance(layer, Combination)
    fan_in = np.prod(size[1:]) if own else np.prod(size) / size[1]
    return np.asarray(rng.standard_normal(size) / np.sqrt(fan_in))


def run(
    architecture: Sequence[Any],
    parameters: Parameters,
    x: Array,
    perturbations: Mapping[str, Array] | None = None,
) -> tuple[Record, ...]:
    """The forward pass, with all that the way back needs: one record a layer, the last one's `y` the output.

    Parameters
    ----------
    architecture : tuple of layers
        See the module.
    parameters : mapping of name to ndarray
        In the shapes of `parameter_shapes`.
    x : ndarray, shape (batch, in_maps, height, width)
        Inputs. NaN in a sample stays in that sample.
    perturbations : mapping of layer to ndarray, optional
        Added to that layer's u, in the shapes of `perturbation_shapes`.

    Raises
    ------
    TypeError, ValueError
        Where an array is not floating, a shape does not fit or the architecture is not one.
    KeyError
        Where a parameter is missing.
    """
    axes = Axes("network")
    x = axes.take("x", x, "batch in_maps height width")
    records = []
    for name, layer, shape, out in plan(architecture, x.shape[1:]):
        p = _own(name, layer, shape, parameters)
        u, kept = layer.preactivation(x, p)
        if perturbations is not None and name in perturbations:
            u = u + _shaped(f"{name}.u", perturbations[name], (len(x), *out))
        y = named(layer.activation).value(u)
        records.append(Record(x, u, y, kept))
        x = y
    return tuple(records)


def predict(architecture: Sequence[Any], parameters: Parameters, x: Array) -> Array:
    """The network's outputs, shape (batch, classes); arguments and errors as for `run`."""
    return _flat(run(architecture, parameters, x)[-1].y)


def loss(architecture: Sequence[Any], parameters: Parameters, records: Sequence[Record], t: Array) -> Any:
    """E of the outputs against the targets (L1) plus Omega of every combination layer (P1): a scalar.

    Parameters
    ----------
    architecture, parameters
        As for `run`.
    records : tuple of Record
        What `run` returned.
    t : ndarray, shape (batch, classes)
        Targets.
    """
    error = SquaredError.forward(_flat(records[-1].y), t)
    for name, layer in layers_of(architecture):
        error = error + layer.penalty(_letters(name, parameters))
    return error


def backward(
    architecture: Sequence[Any],
    parameters: Parameters,
    records: Sequence[Record],
    t: Array,
    cotangent: Any = 1.0,
) -> Sensitivities:
    """Every derivative of the loss, by the delta recursion alone: D3 at the top, then D4, C2, S2 or M6 on the
    way down.

    Parameters
    ----------
    architecture, parameters, records, t
        As for `loss`.
    cotangent : scalar
        Factor of the loss.

    Returns
    -------
    Sensitivities
        Fresh arrays.
    """
    layers, top = layers_of(architecture), records[-1]
    delta = cotangent * output_delta(_flat(_slope(layers[-1][1], top)), _flat(top.y), t).reshape(top.u.shape)
    t_gradient = cotangent * squared_error_gradient(t, _flat(top.y))
    gradients: dict[str, Array] = {}
    deltas: dict[str, Array] = {}
    for place in range(len(layers) - 1, -1, -1):
        (name, layer), record = layers[place], records[place]
        p = _letters(name, parameters)
        deltas[name] = delta
        own = layer.gradients(delta, record.x, record.kept, p)
        for letter, penalty in layer.penalty_gradients(p).items():
            own[letter] = own[letter] + cotangent * penalty
        gradients |= {f"{name}.{letter}": gradient for letter, gradient in own.items()}
        if place:
            delta = layer.below(_slope(layers[place - 1][1], records[place - 1]), delta, record.kept, p)
    x_gradient = layers[0][1].input_gradient(delta, records[0].kept, _letters(layers[0][0], parameters))
    ordered = {name: gradients[name] for name in parameters}
    return Sensitivities(x_gradient, t_gradient, ordered, dict(reversed(deltas.items())))


def train(
    architecture: Sequence[Any], parameters: Parameters, x: Array, t: Array, learning_rate: Any
) -> tuple[dict[str, Array], Any]:
    """The parameters after one step of gradient descent on a batch (D6), and the loss before it.

    Nothing is changed in place. The loss is a sum over the batch, and so is what the rate multiplies.

    Parameters
    ----------
    architecture, parameters, x, t
        As for `run` and `loss`.
    learning_rate : float, or mapping of name to float or ndarray
        One eta for all, or one for each parameter, or each of its weights.
    """
    records = run(architecture, parameters, x)
    gradients = backward(architecture, parameters, records, t).parameters
    return update.step(parameters, gradients, learning_rate), loss(architecture, parameters, records, t)


def forward(x: Array, t: Array, *arrays: Array, architecture: Sequence[Any]) -> Any:
    """The loss, as a function of everything that it has a derivative in.

    Parameters
    ----------
    x : ndarray, shape (batch, in_maps, height, width)
        Inputs.
    t : ndarray, shape (batch, classes)
        Targets.
    *arrays : ndarray
        All parameters in the order of `parameter_shapes`, then one perturbation for each layer in the order
        of `perturbation_shapes`, added to its u: the loss's derivative in it is that layer's delta.
    architecture : tuple of layers
        See the module.

    Returns
    -------
    scalar of the dtype that NumPy promotes all arrays to

    Raises
    ------
    TypeError
        Where an array is not floating.
    ValueError
        Where the number of arrays or a shape does not fit, or the architecture is not one.

    Examples
    --------
    >>> net = (("dense", 1, "identity"),)
    >>> float(forward(np.ones((1, 1, 1, 2)), np.zeros((1, 1)), np.ones((1, 2)), np.zeros(1), np.ones((1, 1)),
    ...               architecture=net))
    4.5
    """
    x, t, parameters, perturbations = _named_arrays("network", x, t, arrays, architecture)
    return loss(architecture, parameters, run(architecture, parameters, x, perturbations), t)


def vjp(cotangent: Any, x: Array, t: Array, *arrays: Array, architecture: Sequence[Any]) -> tuple[Array, ...]:
    """Gradients of cotangent * loss with respect to x, t, every parameter and every perturbation, in that
    order.

    The perturbations' gradients are the deltas. Arguments and errors as for `forward`; `cotangent` is a
    scalar.
    """
    cotangent = Axes("network.vjp").number("cotangent", cotangent)
    x, t, parameters, perturbations = _named_arrays("network.vjp", x, t, arrays, architecture)
    records = run(architecture, parameters, x, perturbations)
    s = backward(architecture, parameters, records, t, cotangent)
    return s.x, s.t, *s.parameters.values(), *s.deltas.values()


def hvp(
    cotangent: Any,
    tangents: Sequence[Array],
    x: Array,
    t: Array,
    *arrays: Array,
    architecture: Sequence[Any],
) -> tuple[Array, ...]:
    """The Hessian of cotangent * loss times a vector, in every array of `vjp`'s and in its order.

    By differentiating the delta recursion: one forward and one backward pass beside those of the gradient, at about
    twice its cost, exact but for rounding; no difference is taken and no matrix is made. With f'' inside: not the
    Gauss-Newton product.

    Parameters
    ----------
    cotangent : scalar
        Factor of the loss.
    tangents : sequence of ndarray
        The vector: one array for each of x, t and arrays, in its shape.
    x, t, *arrays, architecture
        As for `forward`.

    Raises
    ------
    TypeError, ValueError
        As `forward`, for the tangents too.

    Examples
    --------
    >>> net, ones = (("dense", 1, "identity"),), (np.ones((1, 1, 1, 1)), np.ones((1, 1)))
    >>> point = (*ones, np.full((1, 1), 3.0), np.zeros(1), np.zeros((1, 1)))  # E = (W x + b + u - t)² / 2
    >>> only_W = [np.zeros_like(a) for a in point[:2]] + [np.ones((1, 1)), np.zeros(1), np.zeros((1, 1))]
    >>> [part.item() for part in hvp(1.0, only_W, *point, architecture=net)]
    [5.0, -1.0, 1.0, 1.0, 1.0]
    """
    cotangent = Axes("network.hvp").number("cotangent", cotangent)
    if len(tangents) != 2 + len(arrays):
        raise ValueError(
            f"network.hvp: the tangents do not fit the arrays\n"
            f"  tangents = {len(tangents)}, wanted one for each of x, t and the arrays\n"
            f"  tangents = {2 + len(arrays)}, but are {len(tangents)}"
        )
    x, t, parameters, perturbations = _named_arrays("network.hvp", x, t, arrays, architecture)
    dx, dt, moves, shifts = _named_arrays("network.hvp", tangents[0], tangents[1], tangents[2:], architecture)
    records = run(architecture, parameters, x, perturbations)
    moved = _moved(
        architecture, parameters, records, Axes("network.hvp").like("tangents[0]", dx, "x", x), moves, shifts
    )
    s = backward(architecture, parameters, records, t, cotangent)
    return _backward_moved(architecture, parameters, moves, records, moved, s, t, dt, cotangent)


def _moved(
    architecture: Sequence[Any],
    parameters: Parameters,
    records: Sequence[Record],
    dx: Array,
    moves: Parameters,
    shifts: Mapping[str, Array],
) -> tuple[Record, ...]:
    """The forward pass along a tangent: of every number that `run` keeps, its derivative."""
    moved = []
    for (name, layer), record in zip(layers_of(architecture), records, strict=True):
        p, dp = _letters(name, parameters), _letters(name, moves)
        du, dkept = _tangent.preactivation(layer, record.x, record.kept, p, dx, dp)
        du = du + shifts[name]
        dy = _slope(layer, record) * du
        moved.append(Record(dx, du, dy, dkept))
        dx = dy
    return tuple(moved)


def _backward_moved(
    architecture: Sequence[Any],
    parameters: Parameters,
    moves: Parameters,
    records: Sequence[Record],
    moved: Sequence[Record],
    s: Sensitivities,
    t: Array,
    dt: Array,
    cotangent: Any,
) -> tuple[Array, ...]:
    """The delta recursion along a tangent: D3 at the top, then whatever comes below, each by the product rule."""
    layers, top, dtop = layers_of(architecture), records[-1], moved[-1]
    apart, dapart = _flat(top.y) - t, _flat(dtop.y) - dt
    bend, slope = _flat(_bend(layers[-1][1], top, dtop)), _flat(_slope(layers[-1][1], top))
    ddelta = (cotangent * (bend * apart + slope * dapart)).reshape(top.u.shape)
    gradients: dict[str, Array] = {}
    deltas: dict[str, Array] = {}
    for place in range(len(layers) - 1, -1, -1):
        (name, layer), record, move = layers[place], records[place], moved[place]
        p, dp, delta = _letters(name, parameters), _letters(name, moves), s.deltas[name]
        deltas[name] = ddelta
        point, tangent = (delta, record.x, record.kept), (ddelta, move.x, move.kept)
        own = _tangent.gradients(layer, point, tangent, p, dp)
        for letter, penalty in _tangent.penalty_gradients(layer, p, dp).items():
            own[letter] = own[letter] + cotangent * penalty
        gradients |= {f"{name}.{letter}": gradient for letter, gradient in own.items()}
        ddelta = _tangent.input_gradient(layer, delta, ddelta, record.kept, p, dp)
        if place:
            above, (_, lower) = layer.input_gradient(delta, record.kept, p), layers[place - 1]
            ddelta = _bend(lower, records[place - 1], moved[place - 1]) * above + (
                _slope(lower, records[place - 1]) * ddelta
            )
    return (
        ddelta,
        -cotangent * dapart,
        *(gradients[name] for name in parameters),
        *(deltas[name] for name in s.deltas),
    )


def step(
    cotangent: Any, x: Array, t: Array, *arrays: Array, architecture: Sequence[Any], learning_rate: Any
) -> tuple[Array | None, ...]:
    """Every parameter after one step of gradient descent (D6); None for x, t and the perturbations.

    Parameters
    ----------
    cotangent, x, t, *arrays, architecture
        As for `vjp`.
    learning_rate : float, or tuple with an entry for each array
        One eta for all, or for each parameter a number or one for each of its weights.
    """
    inputs = (x, t, *arrays)
    gradients = vjp(cotangent, *inputs, architecture=architecture)
    rates = learning_rate if isinstance(learning_rate, tuple) else (learning_rate,) * len(inputs)
    last = len(inputs) - len(layers_of(architecture))
    return tuple(
        update.updated(p, g, rate) if 2 <= i < last else None
        for i, (p, g, rate) in enumerate(zip(inputs, gradients, rates, strict=True))
    )


def _named_arrays(
    who: str, x: Any, t: Any, arrays: Sequence[Any], architecture: Sequence[Any]
) -> tuple[Array, Array, dict[str, Array], dict[str, Array]]:
    x = Axes(who).take("x", x, "batch in_maps height width")
    shapes = parameter_shapes(architecture, x.shape[1:])
    layers = perturbation_shapes(architecture, x.shape)
    wanted = [*shapes, *(f"{layer}.u" for layer in layers)]
    if len(arrays) != len(wanted):
        raise ValueError(
            f"{who}: the arrays after x and t do not fit the architecture\n"
            f"  arrays = {len(arrays)}, wanted {', '.join(wanted)}\n"
            f"  arrays = parameters + layers = {len(shapes)} + {len(layers)} = {len(wanted)}, "
            f"but are {len(arrays)}"
        )
    t = _shaped("t", t, (len(x), int(np.prod(list(layers.values())[-1][1:]))))
    return (
        x,
        t,
        dict(zip(shapes, arrays, strict=False)),
        dict(zip(layers, arrays[len(shapes) :], strict=True)),
    )


def _own(name: str, layer: Layer, shape: Shape, parameters: Parameters) -> dict[str, Array]:
    wanted = layer.parameter_shapes(shape)
    return {
        letter: _shaped(f"{name}.{letter}", parameters[f"{name}.{letter}"], size)
        for letter, size in wanted.items()
    }


def _letters(name: str, parameters: Parameters) -> dict[str, Array]:
    start = f"{name}."
    return {key[len(start) :]: value for key, value in parameters.items() if key.startswith(start)}


def _shaped(name: str, value: Any, shape: Shape) -> Array:
    array = Axes("network").floating(name, value)
    if array.shape != shape:
        raise ValueError(
            f"network: {name} does not fit the architecture\n"
            f"  {name}.shape = {array.shape}, wanted {shape}\n"
            f"  {name}.shape follows from the layers and x, and is {array.shape} instead of {shape}"
        )
    return array


def _slope(layer: Layer, record: Record) -> Array:
    return named(layer.activation).slope(record.u)


def _bend(layer: Layer, record: Record, moved: Record) -> Array:
    """What f'(u) changes by along the tangent: f''(u) ∘ du."""
    return named(layer.activation).curvature(record.u) * moved.u


def _flat(maps: Array) -> Array:
    return maps.reshape(len(maps), -1)
