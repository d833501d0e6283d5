"""Curvature: the row of a target's own Hessian products, hvp(cotangent, tangents, *inputs) in its own layouts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from gradcheck.case import Case
from gradcheck.directions import gaussian
from gradcheck.estimate import Array
from gradcheck.hosting import Host
from gradcheck.implementation import Offer
from gradcheck.operation import Operation
from gradcheck.pushforward import check_hvp, check_jvp
from gradcheck.training import as_they_have_it
from gradcheck.translation import NotOffered, as_tuple, guarded
from gradcheck.verdict import Check, Verdict

_GRAVEST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)

ROOT = math.sqrt(np.finfo(np.float64).eps)
"""Step, beside the size of the inputs, of the rough derivative that blocks of the Hessian are weighed by: its own error
and what it does not see of a block are then both about as large, ROOT beside the gradient."""


STILL = 3
"""Points, as far away as the inputs are large, at which gradients that are 0 have to be 0 too, to be taken for that."""


class Incomplete(Exception):  # noqa: N818 - says what came back
    """A Hessian product that does not answer with one entry for each input."""


@dataclass(frozen=True)
class Curvature:
    """One case of one operation, and the target's hvp and vjp in the target's own layouts.

    Along the inputs of each row by themselves, against the derivative of all gradients; then along all inputs at once,
    with the symmetry of the whole. Gradients that are small beside others, as those of the lowest layers, are scaled up
    to them, so that no block of the Hessian drowns in another.
    """

    operation: Operation
    offer: Offer
    case: Case
    values: tuple[Array, ...]
    seed: int
    host: Host

    def check(self) -> Check:
        """The gravest of all that is asked; raises NotOffered where the target answers None for everything.

        Raises
        ------
        Incomplete
            Where it does not answer with one entry for each input.
        """
        with np.errstate(all="ignore"):  # what overflows is judged as what it is
            return self._check()

    def _check(self) -> Check:
        found = []
        for row in (None, *dict.fromkeys(self.rows[i] for i in self.places)):
            found.append(self.whole() if row is None else self.along(row))
            if found[-1].verdict is Verdict.FAIL:
                break  # where it is wrong is said: more would cost as much again
        grave = min(found, key=lambda each: _GRAVEST.index(each.verdict))
        seen = [each for each in found if not each.zero_everywhere] or found
        return replace(
            grave,
            resolution=max(each.resolution for each in found),
            miss_probability=max(each.miss_probability for each in seen),
            evidence="+".join(dict.fromkeys(each.evidence for each in found if each.evidence)),
            evaluations=sum(each.evaluations for each in found),
            zero_everywhere=all(each.zero_everywhere for each in found),
            seed=self.seed,
            parts=(),
        )

    @cached_property
    def given(self) -> tuple[Array, list[Array], dict[str, Any]]:
        """A cotangent, the inputs and the options as the target has them."""
        rng = np.random.default_rng([self.seed, 13])
        return as_they_have_it(self.operation, self.offer, self.case, self.values, rng, self.host)

    @cached_property
    def places(self) -> list[int]:
        """Which inputs have both a gradient and a product."""
        names, (_, inputs, _) = tuple(self.case.shapes), self.given
        zeros = self._entries("hvp", self._hvp([np.zeros_like(x) for x in inputs], inputs))
        slopes = self._entries("vjp", self._vjp(inputs))
        found = [
            i
            for i, name in enumerate(names)
            if name in self.case.judged and zeros[i] is not None and slopes[i] is not None
        ]
        if not found:
            raise NotOffered("the hvp answers None for every input")
        for i in found:
            if np.shape(zeros[i]) != inputs[i].shape:
                raise Incomplete(
                    f"the hvp of {names[i]} has another shape\n  shape = {np.shape(zeros[i])}, wanted "
                    f"{inputs[i].shape}\n  a Hessian product has the shapes of the inputs"
                )
        return found

    # The target's functions

    def _hvp(self, tangents: Sequence[Array], inputs: Sequence[Array]) -> Any:
        cotangent, _, options = self.given
        hvp = guarded(self.offer.hvp, "the hvp", self.host)
        assert hvp is not None
        return hvp(cotangent.copy(), tuple(tangents), *inputs, **options)

    def _vjp(self, inputs: Sequence[Array]) -> Any:
        cotangent, _, options = self.given
        vjp = guarded(self.offer.vjp, "the vjp", self.host)
        assert vjp is not None
        return vjp(cotangent.copy(), *inputs, **options)

    def _entries(self, who: str, answer: Any) -> list[Any]:
        count = len(self.values)
        entries = None if answer is None else as_tuple(answer)
        if entries is None or len(entries) != count:
            seen = "None" if entries is None else f"{len(entries)} entries"
            raise Incomplete(
                f"the {who} does not return one array for each input\n  returned {seen}, wanted {count}\n"
                "  None stands for what it leaves out"
            )
        return list(entries)

    def gradients(self, moved: dict[int, Array]) -> list[Array]:
        """The gradients of the judged inputs, where some of these are moved."""
        entries = self._entries("vjp", self._vjp(self._all(moved)))
        return [np.asarray(entries[i]) for i in self.places]

    def products(self, tangents: dict[int, Array], moved: dict[int, Array]) -> list[Array]:
        """Hessian times tangents, those of the other inputs being zero, where some inputs are moved."""
        inputs = self._all(moved)
        full = [tangents.get(i, np.zeros_like(x)) for i, x in enumerate(inputs)]
        entries = self._entries("hvp", self._hvp(full, inputs))
        return [np.asarray(entries[i]) for i in self.places]

    def _all(self, moved: dict[int, Array]) -> list[Array]:
        return [moved.get(i, x.copy()) for i, x in enumerate(self.given[1])]

    # Along some of the inputs, each in units of its own size

    def along(self, row: str) -> Check:
        """The products along the inputs of one row beside the derivative of every gradient in them."""
        places = [i for i in self.places if self.rows[i] == row]
        weights = self.weights(places)

        def grad(z: Array) -> Array:
            return _joined(self.gradients(self.apart(z, places)), weights)

        def jvp(tangents: tuple[Array, ...], z: Array) -> Array:
            return _joined(self.products(self.apart(tangents[0], places), self.apart(z, places)), weights)

        found = check_jvp(grad, jvp, (self.point(places),), names=(row,), seed=self.seed, directions=1)
        return self.named(self.told(found, places), f"along {row}", weights)

    def whole(self) -> Check:
        """`check_hvp` of all inputs as one vector."""
        sizes = [_size(self.given[1][i]) for i in self.places]

        def grad(z: Array) -> Array:
            return _joined(self.gradients(self.apart(z, self.places)), sizes)

        def hvp(z: Array, v: Array) -> Array:
            return _joined(self.products(self.apart(v, self.places), self.apart(z, self.places)), sizes)

        found = check_hvp(grad, hvp, self.point(self.places), seed=self.seed)
        return self.named(self.told(found, self.places), "along all inputs", sizes)

    def told(self, check: Check, places: Sequence[int]) -> Check:
        """The check, passed where there is nothing to see: gradients of 0 next to the point too, and products of 0.

        Such a gradient has no size that an error of the product could be measured by.
        """
        if check.verdict is not Verdict.INCONCLUSIVE:
            return check
        point, rng = self.point(places), np.random.default_rng([self.seed, 15, *places])
        moves = [gaussian(point.shape, rng) for _ in range(STILL)]
        seen = [array for v in moves for array in self.gradients(self.apart(point + v, places))]
        seen += [array for v in moves for array in self.products(self.apart(v, places), {})]
        if any(array.any() for array in (*seen, *self.gradients({}))):
            return check
        reason = "zero everywhere probed: a pass that proves little"
        return replace(
            check,
            verdict=Verdict.PASS,
            reason=reason,
            zero_everywhere=True,
            resolution=0.0,
            miss_probability=0.0,
            worst=None,
        )

    @cached_property
    def rows(self) -> list[str]:
        """The row of every input."""
        return [self.operation.row(name) for name in self.case.shapes]

    def point(self, places: Sequence[int]) -> Array:
        """These inputs as one vector."""
        inputs = [self.given[1][i] for i in places]
        return _joined(inputs, [1 / _size(x) for x in inputs])

    def apart(self, vector: Array, places: Sequence[int]) -> dict[int, Array]:
        """Such a vector as inputs, by their place."""
        inputs = [self.given[1][i] for i in places]
        parts = np.split(vector, np.cumsum([x.size for x in inputs])[:-1])
        return {
            i: (part.reshape(x.shape) * _size(x)).astype(x.dtype)
            for i, part, x in zip(places, parts, inputs, strict=True)
        }

    def weights(self, places: Sequence[int]) -> list[float]:
        """What each gradient is multiplied by: about one over what it changes by when the inputs do by their size.

        By the claim or by a rough difference, whichever is larger: a block that is claimed to be zero is none. Not
        beyond what the noise of the gradient allows.
        """
        point = self.point(places)
        move = gaussian(point.shape, np.random.default_rng([self.seed, 14, *places]))
        here, there = self.gradients({}), self.gradients(self.apart(point + ROOT * move, places))
        claimed = self.products(self.apart(move, places), {})
        return [
            _weight(_norm(p), _norm(b.astype(float) - a) / ROOT, ROOT * _norm(a))
            for a, b, p in zip(here, there, claimed, strict=True)
        ]

    def named(self, check: Check, how: str, weights: Sequence[float]) -> Check:
        """The check in the words of the operation, its worst element in the gradient where it is."""
        check = replace(check, subject=f"{self.operation.name}, hvp {how}", wrong=(), parts=())
        if check.worst is None or check.worst.element is None:
            return check
        place, shapes = check.worst.element[0], [self.given[1][i].shape for i in self.places]
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        k = int(np.searchsorted(ends, place, side="right"))
        inside = np.unravel_index(place - int(ends[k]) + math.prod(shapes[k]), shapes[k])
        worst = replace(
            check.worst,
            element=tuple(int(each) for each in inside),
            analytic=check.worst.analytic / weights[k],
            analytic_bound=check.worst.analytic_bound / weights[k],
            numeric=check.worst.numeric * (1 / weights[k]),
        )
        name = tuple(self.case.shapes)[self.places[k]]
        return replace(
            check, subject=f"{check.subject}, in the gradient of {name}", worst=worst, shape=shapes[k]
        )


def _joined(arrays: Sequence[Array], weights: Sequence[float]) -> Array:
    return np.concatenate([array.ravel() * weight for array, weight in zip(arrays, weights, strict=True)])


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array.astype(np.float64).ravel()))


def _size(x: Array) -> float:
    size = _norm(x) / math.sqrt(x.size)
    return size if size > 0 else 1.0


def _weight(*sizes: float) -> float:
    largest = max(sizes)
    return 1 / largest if math.isfinite(largest) and largest > 0 else 1.0
