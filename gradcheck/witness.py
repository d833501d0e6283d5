"""Witness: a judge that also keeps what it was shown, so that one case can be printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.judge import Judge
from gradcheck.oracle import gradient
from gradcheck.translation import as_tuple
from gradcheck.verdict import Check

MOST = 4096
"""Elements of an input whose numeric gradient is measured: each costs some 20 calls of the forward."""


@dataclass
class Witness:
    """A judge's stand-in, which passes everything on and keeps the first cotangent that the vjp is called with.

    Of several forwards (the target's own, the naive one) that it is asked about the last counts.
    """

    judge: Judge
    forward: Callable[..., Any] | None = None
    vjp: Callable[..., Any] | None = None
    free: Sequence[Array] = ()
    names: Sequence[str] = ()
    cotangents: list[Array] = field(default_factory=list)

    def __call__(self, forward: Any, vjp: Any, free: Sequence[Array], **options: Any) -> Check:
        """What the judge says."""
        self.forward, self.vjp, self.names = forward, vjp, options["names"]
        self.free = [np.array(each) for each in free]
        self.cotangents = []

        def watched(cotangent: Array, *inputs: Array) -> Any:
            self.cotangents = self.cotangents or [np.array(cotangent)]
            return vjp(cotangent, *inputs)

        return self.judge(forward, watched, free, **options)

    def arrays(self, wanted: Callable[[str], bool]) -> dict[str, Array]:
        """The first cotangent, and of each wanted input its gradient as the vjp has it and as it is measured."""
        if not self.cotangents or self.vjp is None:
            return {}
        cotangent = self.cotangents[0]
        answers = as_tuple(self.vjp(cotangent.copy(), *[each.copy() for each in self.free]))
        found = {"cotangent": cotangent}
        many = sum(map(wanted, self.names)) > 1
        for place, (name, answer) in enumerate(zip(self.names, answers, strict=True)):
            if wanted(name):
                suffix = f" of {name}" if many else ""
                found[f"analytic{suffix}"] = np.asarray(answer)
                found |= self._measured(place, cotangent, suffix)
        return found

    def _measured(self, place: int, cotangent: Array, suffix: str) -> dict[str, Array]:
        point, forward = self.free[place], self.forward
        if point.size > MOST or forward is None:
            return {}

        def weighed(x: Array) -> Any:
            return np.sum(cotangent * forward(*self.free[:place], x, *self.free[place + 1 :]))

        estimate = gradient(weighed, point)
        return {f"numeric{suffix}": estimate.value, f"numeric bound{suffix}": estimate.bound}
