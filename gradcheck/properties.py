"""Properties: what a vjp owes its caller that only somebody who knows the operation can ask."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.answer import wide
from gradcheck.estimate import Array
from gradcheck.number import finfo
from gradcheck.rounding import apart, cap, largest

Gradients = Sequence[Any]


@dataclass(frozen=True)
class Subject:
    """One point of one operation, and the target's functions there.

    Parameters
    ----------
    forward : callable (*inputs) -> array, or None
    vjp : callable (cotangent, *inputs) -> one gradient for each input, None where not offered
    values : tuple of ndarray
    names : tuple of str
        Of the inputs, for messages.
    batched : tuple of bool
        Which inputs have the patterns along their first axis.
    cotangent : ndarray
        Of the output; with the patterns along its first axis, unless it is a number.
    """

    forward: Callable[..., Any] | None
    vjp: Callable[..., Any]
    values: tuple[Array, ...]
    names: tuple[str, ...]
    batched: tuple[bool, ...]
    cotangent: Array

    def gradients(self, cotangent: Array, values: Sequence[Array]) -> list[Array | None]:
        """One call with fresh arrays; the answer in its own dtype."""
        with np.errstate(all="ignore"):
            answer = self.vjp(np.array(cotangent), *[np.array(x) for x in values])
            return [None if g is None else np.asarray(g) for g in answer]


def faults(subject: Subject, seed: int) -> Iterator[str]:
    """What is wrong, a message for each."""
    rng = np.random.default_rng(seed)
    yield from batch_faults(subject)
    yield from cotangent_faults(subject, rng)
    yield from input_faults(subject, rng)


def batch_faults(subject: Subject) -> Iterator[str]:
    """Gradients of a batch that are not those of its parts: side by side for data, the sum for the rest.

    A mistake of this kind (a mean, statistics of the batch) is as large as the gradient; what sums in another
    order may differ by is taken as `rounding.cap` has it.
    """
    patterns = [len(x) for x, batched in zip(subject.values, subject.batched, strict=True) if batched]
    if not patterns or patterns[0] < 2:
        return
    whole = subject.gradients(subject.cotangent, subject.values)
    parts = [_part(subject, piece) for piece in (slice(0, 1), slice(1, None))]
    for i, (name, batched) in enumerate(zip(subject.names, subject.batched, strict=True)):
        one, rest, both = parts[0][i], parts[1][i], whole[i]
        if one is None or rest is None or both is None:
            continue
        joined = np.concatenate([one, rest]) if batched else wide(one) + wide(rest)
        yield from _unlike(subject, i, name, both, joined, max(map(largest, (both, one, rest))))


def _part(subject: Subject, piece: slice) -> list[Array | None]:
    cotangent = subject.cotangent[piece] if subject.cotangent.ndim else subject.cotangent
    values = [x[piece] if batched else x for x, batched in zip(subject.values, subject.batched, strict=True)]
    return subject.gradients(cotangent, values)


def _unlike(subject: Subject, i: int, name: str, both: Array, joined: Array, size: float) -> Iterator[str]:
    if both.shape != joined.shape:
        yield f"gradient of {name} of a batch has shape {both.shape}, that of its parts {joined.shape}"
        return
    own = largest(subject.values[i])
    eps = float(finfo(both.dtype).eps)
    floor = max([0.0, *(largest(x) * size for x in subject.values)]) / own if own > 0 else 0.0
    most, off = cap(size, eps, floor), apart(both, joined)
    if off.size and off.max() > most:
        how = "beside each other" if subject.batched[i] else "added up"
        count = int(np.sum(off > most))
        yield (
            f"gradient of {name} of a batch is not that of its patterns {how}\n"
            f"  {count} of {off.size} elements differ, by up to {off.max():.1e}; {most:.1e} allowed\n"
            "  a batch of two is two batches of one: sums over patterns, never means, nothing from one to another"
        )


def cotangent_faults(subject: Subject, rng: np.random.Generator) -> Iterator[str]:
    """Gradients that hide a NaN of the cotangent: where an element of it counts, NaN in its place must show."""
    place = tuple(int(rng.integers(side)) for side in subject.cotangent.shape)
    single = np.zeros_like(subject.cotangent)
    single[place] = 1.0
    counts = [None if g is None else g != 0 for g in subject.gradients(single, subject.values)]
    single[place] = np.nan
    yield from _hidden(subject, counts, single, subject.values, f"the cotangent at {list(place)}")


def input_faults(subject: Subject, rng: np.random.Generator) -> Iterator[str]:
    """Gradients, or an output, that hide a NaN of an input: where they depend on the element, NaN must show."""
    i = int(rng.integers(len(subject.values)))
    place = tuple(int(rng.integers(side)) for side in subject.values[i].shape)
    moved, lost = ([np.array(x) for x in subject.values] for _ in range(2))
    moved[i][place] += 0.5 * max(1.0, largest(moved[i]))
    lost[i][place] = np.nan
    where = f"{subject.names[i]} at {list(place)}"
    first, then = (subject.gradients(subject.cotangent, values) for values in (subject.values, moved))
    counts = [None if a is None or b is None else _depends(a, b) for a, b in zip(first, then, strict=True)]
    yield from _hidden(subject, counts, subject.cotangent, lost, where)
    if subject.forward is not None:
        with np.errstate(all="ignore"):
            a, b = (np.asarray(subject.forward(*values)) for values in (subject.values, moved))
            shown = _called(subject.forward, *lost)
        if shown is not None and a.shape == b.shape == np.shape(shown):
            yield from _swallowed("the output", _depends(a, b), np.asarray(shown), where)


def _depends(a: Array, b: Array) -> Array:
    """Where two results differ by more than sums in another order can explain."""
    if a.shape != b.shape:
        return np.zeros(a.shape, dtype=bool)
    most = math.sqrt(max(float(finfo(each.dtype).eps) for each in (a, b))) * max(largest(a), largest(b))
    return np.isfinite(a) & np.isfinite(b) & (apart(b, a) > most)


def _hidden(
    subject: Subject, counts: Sequence[Array | None], cotangent: Array, values: Sequence[Array], where: str
) -> Iterator[str]:
    answer = _called(subject.gradients, cotangent, values)
    if answer is None:  # a clear refusal hides nothing
        return
    for name, count, gradient in zip(subject.names, counts, answer, strict=True):
        if count is not None and gradient is not None and gradient.shape == count.shape:
            yield from _swallowed(f"gradient of {name}", count, gradient, where)


def _swallowed(what: str, counts: Array, found: Array, where: str) -> Iterator[str]:
    hidden = counts & ~np.isnan(found)
    if hidden.any():
        place = tuple(int(k) for k in np.argwhere(hidden)[0])
        yield (
            f"{what} hides a NaN\n"
            f"  with NaN in {where}, {int(hidden.sum())} of {found.size} elements are not NaN, "
            f"as {found[place]} at {list(place)}\n"
            "  NaN in, NaN out: a lost number must not look like a found one"
        )


def _called(call: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, or None where the call raises."""
    try:
        return call(*arguments)
    except Exception:
        return None
