"""`python3 -m benchmarks.batches`: checks of small functions, where f is asked for one point a call, or for several.

Processor time of whole checks, medians of rounds that take turns; calls of f are those of one check.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from gradcheck import Check, check_vjp

Function = Callable[..., Any]

HEADS = (
    "function",
    "inputs",
    "by",
    "calls one by one",
    "in batches",
    "ms one by one",
    "in batches",
    "of the time",
)


@dataclass(frozen=True)
class Subject:
    """A function with its vjp at a point, and what answers for several points."""

    name: str
    by: str
    f: Function
    vjp: Function
    inputs: tuple[np.ndarray, ...]
    batched: Function | bool

    def check(self, *, batches: bool) -> Check:
        return check_vjp(self.f, self.vjp, self.inputs, batched=self.batched if batches else None)


def drawn(*shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal(shape) / 5 for shape in shapes)


DENSE = drawn((30, 30), (30, 31), (31,))
RECURRENT = drawn((50, 8, 4), (4, 12), (12, 12))


def dense() -> Subject:
    def f(x: Any, w: Any, b: Any) -> Any:
        return np.tanh(x @ w + b[..., None, :])

    def vjp(c: Any, x: Any, w: Any, b: Any) -> Any:
        d = c * (1 - f(x, w, b) ** 2)
        return d @ w.T, x.T @ d, d.sum(axis=0)

    return Subject("tanh(x @ w + b)", "NumPy, broadcast", f, vjp, DENSE, True)


def recurrent() -> Subject:
    def states(x: Any, w: Any, u: Any) -> list[Any]:
        found = [np.zeros((*x.shape[:-3], x.shape[-2], u.shape[-1]))]
        for t in range(x.shape[-3]):
            found.append(np.tanh(x[..., t, :, :] @ w + found[-1] @ u))
        return found

    def vjp(c: Any, x: Any, w: Any, u: Any) -> Any:
        h, dx, dw, du = states(x, w, u), np.zeros_like(x), np.zeros_like(w), np.zeros_like(u)
        for t in reversed(range(len(x))):
            d = c * (1 - h[t + 1] ** 2)
            dx[t], c = d @ w.T, d @ u.T
            dw += x[t].T @ d
            du += h[t].T @ d
        return dx, dw, du

    return Subject("50 steps", "NumPy, broadcast", lambda *inputs: states(*inputs)[-1], vjp, RECURRENT, True)


def solved() -> Subject:
    """An iteration for y + tanh(y)/2 = x: of few numbers, and of many small steps."""

    def f(x: Any) -> Any:
        y = x
        for _ in range(300):
            y = y + 0.5 * (x - y - np.tanh(y) / 2)
        return y

    def vjp(c: Any, x: Any) -> Any:
        return (c / (1 + (1 - np.tanh(f(x)) ** 2) / 2),)

    return Subject("300 iterations", "NumPy, broadcast", f, vjp, drawn((20,)), True)


def convolution() -> Subject:
    import torch

    torch.set_num_threads(1)

    def layer(x: Any, k: Any, b: Any) -> Any:
        return torch.tanh(torch.nn.functional.conv2d(x, k, b))

    def told(function: Function) -> Function:
        def f(*inputs: Any) -> Any:
            with torch.no_grad():
                return function(*map(torch.from_numpy, inputs)).numpy()

        return f

    def vjp(c: Any, *inputs: Any) -> Any:
        c, *given = (torch.from_numpy(np.array(each)) for each in (c, *inputs))
        _, pull = torch.func.vjp(layer, *given)
        return tuple(g.numpy() for g in pull(c))

    inputs = drawn((1, 4, 19, 19), (3, 4, 6, 6), (3,))
    batched = told(torch.func.vmap(layer))
    return Subject("tanh(conv2d(x, k) + b)", "torch.func.vmap", told(layer), vjp, inputs, batched)


def traced(*, compiled: bool) -> Subject:
    import jax

    jax.config.update("jax_enable_x64", True)
    made = jax.jit if compiled else lambda function: function

    def layer(x: Any, w: Any, b: Any) -> Any:
        return jax.numpy.tanh(x @ w + b)

    def pulled(c: Any, *inputs: Any) -> Any:
        return jax.vjp(layer, *inputs)[1](c)

    f, vjp, batched = made(layer), made(pulled), made(jax.vmap(layer))

    def told(function: Function) -> Function:
        return lambda *inputs: np.asarray(function(*map(jax.numpy.asarray, inputs)))

    def gradients(c: Any, *inputs: Any) -> Any:
        return tuple(np.array(g) for g in vjp(*map(jax.numpy.asarray, (c, *inputs))))

    by = "jax.jit(jax.vmap)" if compiled else "jax.vmap"
    return Subject("tanh(x @ w + b)", by, told(f), gradients, DENSE, told(batched))


SUBJECTS: tuple[Callable[[], Subject], ...] = (
    dense,
    recurrent,
    solved,
    convolution,
    lambda: traced(compiled=True),
    lambda: traced(compiled=False),
)


def subjects() -> Iterator[Subject]:
    """Those whose library is installed."""
    for made in SUBJECTS:
        try:
            yield made()
        except ModuleNotFoundError as error:
            click.echo(f"left out: {error}", err=True)


def row(subject: Subject, rounds: int) -> str:
    """One line of the table; the first of each kind of check, which compiles what it needs, is not timed."""
    one, many = (subject.check(batches=batches) for batches in (False, True))
    assert one.verdict is many.verdict
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for batches, taken in times.items():
            start = time.process_time()
            subject.check(batches=batches)
            taken.append(time.process_time() - start)
    single, together = (1e3 * statistics.median(taken) for taken in times.values())
    size = f"{sum(x.size for x in subject.inputs):,}"
    cells = (subject.name, size, subject.by, one.calls, many.calls, f"{single:.1f}", f"{together:.1f}")
    return f"| {' | '.join(map(str, cells))} | {together / single:.2f} |"


@click.command(help=__doc__)
@click.option("--rounds", default=25, show_default=True, type=click.IntRange(1), help="of each check")
def main(rounds: int) -> None:
    click.echo(f"| {' | '.join(HEADS)} |\n| --- | ---: | --- |{' ---: |' * (len(HEADS) - 3)}")
    for subject in subjects():
        click.echo(row(subject, rounds))


if __name__ == "__main__":
    main()
