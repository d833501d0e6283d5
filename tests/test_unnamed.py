"""What nobody's mistake is gets no name: noise, shuffles and two wrong elements, of every layer of the catalogue."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from gradcheck.case import draw_values
from gradcheck.check import check_vjp
from reference.catalogue import cases, operations

OPERATIONS = operations()

CASES = {
    "dense": cases.dense(4, 5, 6, "sigmoid"),
    "convolution": cases.convolution(3, (2, 3), (3, 2), (2, 3), activation="tanh"),
    "subsampling": cases.subsampling(3, 4, (2, 3), 2, "tanh"),
    "combination": cases.combination(3, (4, 5), (3, 2), (2, 3)),
    "softmax": cases.columns(5, 4),
}


def noise(g, rng):
    """Every element off by a number of its own."""
    return g * (1 + 0.1 * rng.standard_normal(g.shape))


def noise_added(g, rng):
    return g + 0.01 * float(np.abs(g).max()) * rng.standard_normal(g.shape)


def shuffled(g, rng):
    return rng.permutation(g.ravel()).reshape(g.shape)


def two_elements(g, rng):
    """In no row, column or map in common."""
    changed = g.copy()
    changed[(0,) * g.ndim] += 1.7 * np.abs(g).max()
    changed[(-1,) * g.ndim] -= 1.3 * np.abs(g).max()
    return changed


LEAST = 8
"""Elements below which a shuffle is often a reversal, and two elements are most of a row."""

ERRORS = (noise, noise_added, shuffled, two_elements)


def checked(operation, case, name, wrong, seed):
    """The check of a gradient that is wrong in one input, with all that the operation knows of its mistakes."""
    rng = np.random.default_rng(seed)
    values, options = draw_values(case, rng), case.arguments()
    inputs = dict(zip(case.shapes, values, strict=True))
    layer, place = getattr(reference, operation.name), list(inputs).index(name)

    def vjp(cotangent, *arrays):
        gradients = list(layer.vjp(cotangent, *arrays, **options))
        gradients[place] = wrong(gradients[place], np.random.default_rng(seed + 1))
        return tuple(gradients)

    found = check_vjp(
        lambda *arrays: layer.forward(*arrays, **options),
        vjp,
        values,
        names=tuple(inputs),
        only=(place,),
        sizes=operation.sizes(options),
        suspects=lambda which, c: operation.suspects(which, c, inputs, options),
        seed=seed,
        budget=300,
        locate=1200,
        conduct=False,  # a shuffle of its own for each call is not linear; here it is the same one
    )
    return found.parts[0] if found.parts else found


@pytest.mark.parametrize("wrong", ERRORS, ids=lambda w: w.__name__)
@pytest.mark.parametrize("name", CASES)
def test_no_mistake_is_named_that_was_not_made(name, wrong):
    operation, case = OPERATIONS[name], CASES[name]
    large = [each for each in case.judged if np.prod(case.shapes[each]) >= LEAST]
    for seed, which in enumerate(large):
        check = checked(operation, case, which, wrong, seed)
        assert check.verdict.value == "fail"
        assert check.mistakes == ()
        assert check.diagnosis.startswith(("no single known mistake explains it", "right but for 2 elements"))
