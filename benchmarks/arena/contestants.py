"""The contestants: each a judge of the battery's cases, called with its defaults as its documentation says.

All of them see the same NumPy function and pullback: wrapped as a `torch.autograd.Function`, as a `jax.custom_vjp` over
`jax.pure_callback`, as an autograd primitive, or contracted with a cotangent for SciPy, which knows scalars only.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.battery.case import Array, Case
from benchmarks.battery.judges import Judge, Judgement, by_autograd, by_gradcheck

#: Share of the gradient's norm that SciPy's number may be for a pass. Its documentation names none; forward differences
#: at its step of 1.5e-8 are good to about that in float64, and the norm is over all elements.
SCIPY_SHARE = 1e-5


@dataclass(frozen=True)
class Contestant:
    """A checker: how it is called, the module that it comes in, and how to make a judge of it.

    `per_element`: it takes a number of calls that grows with the inputs, and so long ones are out of its time.
    """

    name: str
    called: str
    module: str
    make: Callable[[], Judge]
    per_element: bool = False

    @property
    def missing(self) -> bool:
        """Whether it is not installed."""
        return importlib.util.find_spec(self.module) is None

    @property
    def version(self) -> str:
        return importlib.metadata.version(self.module)


def by_torch(*, fast: bool) -> Judge:
    """`torch.autograd.gradcheck` of the pullback as an autograd Function."""
    import torch
    from torch.autograd.gradcheck import GradcheckError, gradcheck

    torch.set_num_threads(1)

    def judge(case: Case) -> Judgement:
        class Wrapped(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *inputs: Any) -> Any:
                ctx.save_for_backward(*inputs)
                return torch.from_numpy(np.array(case.f(*[x.detach().numpy() for x in inputs])))

            @staticmethod
            def backward(ctx: Any, cotangent: Any) -> Any:
                given = [x.detach().numpy() for x in ctx.saved_tensors]
                return tuple(torch.from_numpy(np.array(g)) for g in case.vjp(cotangent.numpy(), *given))

        inputs = tuple(torch.tensor(x, requires_grad=True) for x in case.inputs)
        try:
            gradcheck(Wrapped.apply, inputs, fast_mode=fast)
        except GradcheckError as failure:
            return Judgement("fail", str(failure).splitlines()[0])
        return Judgement("pass")

    return judge


def by_jax() -> Judge:
    """`jax.test_util.check_grads` in reverse mode, order 1, of a custom_vjp over a callback."""
    import jax
    from jax.test_util import check_grads

    def judge(case: Case) -> Judgement:
        output = np.asarray(case.f(*case.inputs))
        of_output = jax.ShapeDtypeStruct(output.shape, output.dtype)
        of_inputs = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in case.inputs)

        def forward(*inputs: Any) -> Any:
            return np.asarray(case.f(*map(np.asarray, inputs)))

        def pullback(cotangent: Any, *inputs: Any) -> Any:
            return tuple(map(np.asarray, case.vjp(np.asarray(cotangent), *map(np.asarray, inputs))))

        f = jax.custom_vjp(lambda *inputs: jax.pure_callback(forward, of_output, *inputs))
        f.defvjp(
            lambda *inputs: (f(*inputs), inputs),
            lambda inputs, cotangent: jax.pure_callback(pullback, of_inputs, cotangent, *inputs),
        )
        try:
            with jax.enable_x64(
                True
            ):  # here alone: set for good, it would change what others in the process get
                check_grads(f, tuple(map(jax.numpy.asarray, case.inputs)), order=1, modes=["rev"])
        except AssertionError as failure:
            return Judgement("fail", " ".join(str(failure).split())[:100])
        return Judgement("pass")

    return judge


def by_scipy() -> Judge:
    """`scipy.optimize.check_grad` of ⟨ȳ, f⟩ as a function of all inputs in one vector."""
    from scipy.optimize import check_grad

    def judge(case: Case) -> Judgement:
        weights = np.random.default_rng(0).standard_normal(np.shape(case.f(*case.inputs)))

        def parts(flat: Array) -> Iterator[Array]:
            start = 0
            for x in case.inputs:
                yield flat[start : start + x.size].reshape(x.shape).astype(x.dtype)
                start += x.size

        def phi(flat: Array) -> float:
            return float(np.sum(weights * case.f(*parts(flat))))

        def gradient(flat: Array) -> Array:
            cotangent = weights.astype(case.inputs[0].dtype)
            return np.concatenate([g.ravel() for g in case.vjp(cotangent, *parts(flat))]).astype(np.float64)

        point = np.concatenate([x.ravel() for x in case.inputs])
        error, size = check_grad(phi, gradient, point), float(np.linalg.norm(gradient(point)))
        return Judgement("pass" if error <= SCIPY_SHARE * size else "fail", f"{error:.1e} of {size:.1e}")

    return judge


CONTESTANTS = (
    Contestant("gradcheck", "check_vjp(f, vjp, inputs)", "gradcheck", by_gradcheck),
    Contestant("torch, slow", "gradcheck(f, inputs)", "torch", lambda: by_torch(fast=False), True),
    Contestant("torch, fast", "gradcheck(f, inputs, fast_mode=True)", "torch", lambda: by_torch(fast=True)),
    Contestant("jax", 'check_grads(f, inputs, order=1, modes=["rev"])', "jax", by_jax),
    Contestant(
        "autograd", 'check_grads(f, argnum, modes=["rev"], order=1)(*inputs)', "autograd", by_autograd
    ),
    Contestant("scipy", f"check_grad(⟨ȳ, f⟩, g, x) <= {SCIPY_SHARE:g} ‖g(x)‖", "scipy", by_scipy, True),
)
"""In the order of the table."""
