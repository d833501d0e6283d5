"""PyTorch: modules, functions and torch.autograd.Function, with their parameters by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.frameworks import torch_arrays as arrays_of
from gradcheck.frameworks.extras import needed
from gradcheck.frameworks.pullable import Named, Pullable, judged
from gradcheck.frameworks.repeats import Unrepeatable
from gradcheck.frameworks.torch_state import drew, left_as_found, restarted, states
from gradcheck.tree import argument_names, leaves, mapped
from gradcheck.verdict import Check

Tensors = dict[str, Any]

SMALL = 2**15
"""Bytes of what is judged up to which samples are taken together by torch.func.vmap where that pays: in few digits.
On a CPU a check in float32 takes 0.68 to 0.98 of its time (an encoder layer, an MLP, a small CNN, a recurrent layer, an
elementwise function), and 1.01 to 1.07 in float64, where a brief look needs few samples. Beyond, a convolution, which
becomes one in groups, takes 1.2 to 1.4; the others gain down to 0.8."""

WRITES = "leaf Variable"
"""In what torch says of code that writes into a tensor of which the gradient is asked."""


def check(
    function: Callable[..., Any],
    inputs: Any,
    *,
    kwargs: Mapping[str, Any] | None = None,
    wrt: Sequence[str] | None = None,
    dtype: Any = None,
    device: Any = None,
    order: int = 1,
    fixed_rng: bool = False,
    linear_in: Sequence[str] = (),
    finer: Any = "auto",
    batched: bool | str = "auto",
    seed: int = 0,
    **options: Any,
) -> Check:
    """Whether torch's gradient of a function or module is right, for every input and parameter that requires one.

    Nothing of the user's changes: parameters, buffers, .grad, generators, grad mode and default dtype are as before.
    Tensors that do not require grad, and those of whole numbers, are held fixed and named in a note.

    Parameters
    ----------
    function : callable, torch.nn.Module or torch.autograd.Function
        function(*inputs, **kwargs) -> tensors, in tuples, lists, dictionaries or dataclasses. Of an autograd.Function
        the class or its apply.
    inputs : tensor, or sequence of arguments
        The point; tensors may be nested in the same way.
    kwargs : mapping, optional
        Further arguments by name.
    wrt : sequence of str, optional
        Names of the inputs and parameters to judge, whatever they require: ("input", "0.weight").
    dtype, device : torch.dtype, torch.device or str, optional
        What to carry inputs, parameters and buffers to, as Module.to does.
    order : int
        2 judges the gradient of the gradient as well (double backward), where the first one is right.
    fixed_rng : bool
        Restart the random generators before every call: a dropout mask is then the same in all of them.
    linear_in : sequence of str
        Inputs and parameters in which the function is affine: checked on whole numbers, to the bit.
    finer : dtype, optional
        In which the numeric derivative is taken, as `check_vjp` has it; "auto" for the finest that works, in half
        precision; None for the function as it is.
    batched : bool or "auto"
        Whether samples that are needed together are to come from torch.func.vmap, where that works and agrees with the
        function, which is called for each of them otherwise. "auto": where that pays, see `SMALL`.
    seed : int
        Decides every direction and cotangent.
    **options
        Of `gradcheck.check_vjp`: wanted, aim, budget, directions, method, conduct.

    Returns
    -------
    Check
        `parts` has one Check for each input and parameter, "d Linear / d weight". Verdict `error` where the backward
        raises.

    Raises
    ------
    ModuleNotFoundError
        If torch is not installed.
    ValueError
        If nothing requires grad, or the function is stochastic (`Unrepeatable`).
    TypeError
        If an input or no output is of real floating numbers.

    Examples
    --------
    >>> import torch
    >>> x = torch.linspace(-1.0, 1.0, 6, dtype=torch.float64).reshape(3, 2)
    >>> found = check(torch.nn.Linear(2, 2), (x,), dtype=torch.float64)
    >>> [(part.subject, str(part.verdict)) for part in found.parts]
    [('d Linear / d weight', 'pass'), ('d Linear / d bias', 'pass')]
    >>> found.notes
    ('held fixed: input (float64)',)
    """
    torch = needed("torch", "torch", "gradcheck.frameworks.torch")
    if order not in (1, 2):
        raise ValueError(f"check: no such order\n  order = {order!r}, wanted 1 or 2")
    if batched not in (True, False, "auto"):
        raise ValueError(f"check: no such batched\n  batched = {batched!r}, wanted True, False or 'auto'")
    args = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
    class_given = isinstance(function, type) and issubclass(function, torch.autograd.Function)
    called: Any = getattr(function, "apply", None) if class_given else function
    with left_as_found(torch, called), torch.inference_mode(False):
        call = _Call(torch, called, args, dict(kwargs or {}), fixed_rng, batched)
        call.place(dtype, device)
        target = call.pullable(wrt)
        call.refuse_chance()
        found = call.noted(judged(target, seed=seed, linear_in=linear_in, finer=finer, options=options))
        if order == 1 or not found.passed:
            return found
        second = call.differentiated(target, seed)
        return judged(second, seed=seed, linear_in=(), finer=None, options=options)


@dataclass
class _Call:
    """One function at one point: its tensors by name, of which some are moved and the others held."""

    torch: Any
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    fixed_rng: bool
    batched: bool | str = False
    tensors: Tensors = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    buffers: Tensors = field(default_factory=dict)
    judged: tuple[str, ...] = ()
    dtypes: tuple[Any, ...] = ()
    points: tuple[Array, ...] = ()
    cloned: bool = False
    detached: set[str] = field(default_factory=set)
    paths: tuple[str, ...] = ()
    started: Any = None

    @property
    def module(self) -> bool:
        return isinstance(self.function, self.torch.nn.Module)

    @property
    def custom(self) -> Any:
        """The torch.autograd.Function whose apply this is, or None."""
        owner = getattr(self.function, "__self__", None)
        return owner if isinstance(owner, type) and issubclass(owner, self.torch.autograd.Function) else None

    @property
    def name(self) -> str:
        own = getattr(self.custom or self.function, "__name__", None)
        return own if isinstance(own, str) and not self.module else type(self.function).__name__

    def signature(self) -> Any:
        """What names the arguments: of a Function its forward, after the context where it takes one."""
        if self.module:
            return self.function.forward
        if self.custom is None:
            return self.function
        apart = self.custom.setup_context is not self.torch.autograd.Function.setup_context
        return self.custom.forward if apart else partial(self.custom.forward, None)

    # The point

    def place(self, dtype: Any, device: Any) -> None:
        """Gather parameters, buffers and input tensors by name, on the device and in the dtype asked for."""
        if self.module:
            found = dict(self.function.named_parameters())
            self.parameters = tuple(found)
            self.tensors = {name: self._carried(p, dtype, device) for name, p in found.items()}
            self.buffers = {n: self._carried(b, dtype, device) for n, b in self.function.named_buffers()}
        names = argument_names(self.signature(), self.args, self.kwargs)
        self.args = tuple(self._kept(a, n, dtype, device) for a, n in zip(self.args, names, strict=True))
        self.kwargs = {n: self._kept(a, n, dtype, device) for n, a in self.kwargs.items()}
        self.started = states(self.torch)  # last: moving to a device may start its generator

    def _carried(self, tensor: Any, dtype: Any, device: Any) -> Any:
        arrays_of.refuse_odd(self.torch, tensor, self.name)
        cast = dtype if tensor.is_floating_point() else None
        moved = tensor.detach().to(device=device, dtype=cast)
        moved = moved.clone() if moved.data_ptr() == tensor.data_ptr() else moved
        return moved.requires_grad_(tensor.requires_grad)

    def _kept(self, tree: Any, path: str, dtype: Any, device: Any) -> Any:
        """The argument with a mark of its name in place of each tensor, which is kept under that name."""

        def keep(where: str, leaf: Any) -> Any:
            if not isinstance(leaf, self.torch.Tensor):
                return leaf
            name = f"{where} (input)" if where in self.tensors else where
            self.tensors[name] = self._carried(leaf, dtype, device)
            return _Mark(name)

        return mapped(tree, keep, path)

    def pullable(self, wrt: Sequence[str] | None) -> Pullable:
        """The function of what is judged alone.

        Raises
        ------
        ValueError
            If that is nothing, or has a name that there is not.
        """
        floating = {n: t for n, t in self.tensors.items() if t.is_floating_point() or t.is_complex()}
        self.judged = tuple(n for n, t in floating.items() if t.requires_grad) if wrt is None else tuple(wrt)
        unknown = [n for n in self.judged if n not in floating]
        if unknown or not self.judged:
            raise ValueError(
                f"check: {'there is no such input or parameter' if unknown else 'nothing requires grad'}\n"
                f"  {f'wrt = {tuple(wrt or ())!r}' if unknown else 'tensors that require grad = none'}, {self.name} "
                f"has {', '.join(floating) or 'no floating tensors'}\n"
                "  wanted names of these in wrt, or .requires_grad_() on what is to be judged"
            )
        self.dtypes = tuple(self.tensors[n].dtype for n in self.judged)
        self.points = tuple(arrays_of.to_numpy(self.torch, self.tensors[n]).copy("K") for n in self.judged)
        pays = sum(x.nbytes for x in self.points) <= SMALL and any(x.dtype.itemsize < 8 for x in self.points)
        several = self.several if self.batched is True or (self.batched and pays) else None
        return Pullable(
            self.name,
            self.judged,
            self.points,
            self.forward,
            self.pullback,
            notes=self._held(),
            several=several,
        )

    def _held(self) -> tuple[str, ...]:
        rest = [f"{n} ({t.dtype})" for n, t in self.tensors.items() if n not in self.judged]
        return (f"held fixed: {', '.join(rest)}".replace("torch.", ""),) if rest else ()

    def refuse_chance(self) -> None:
        """Refuse a function that draws random numbers, even where they showed in no output.

        Raises
        ------
        Unrepeatable
            Unless the generators are restarted before every call.
        """
        if self.fixed_rng:
            return
        before = states(self.torch)
        self.outputs([t.detach() for t in self._given()])
        if drew(self.torch, before):
            raise Unrepeatable(
                f"check: {self.name} draws random numbers in its forward\n"
                "  the state of a random generator is another after a call; wanted a function of its arguments alone\n"
                "  call .eval() first, or pass fixed_rng=True to restart the generators before every call"
            )

    def _given(self) -> list[Any]:
        return [self.tensors[n] for n in self.judged]

    # Calls

    def outputs(self, given: Sequence[Any]) -> list[tuple[str, Any]]:
        """The output tensors of real floating numbers that depend on what is given."""
        fixed = self._fixed(given[0].dtype)
        tensors = fixed | dict(zip(self.judged, given, strict=True))
        args = mapped(self.args, lambda _, leaf: tensors[leaf.name] if isinstance(leaf, _Mark) else leaf)
        kwargs = mapped(self.kwargs, lambda _, leaf: tensors[leaf.name] if isinstance(leaf, _Mark) else leaf)
        if self.fixed_rng:
            restarted(self.torch, self.started)
        if self.module:
            state = {n: tensors[n] for n in self.parameters} | self._buffers(given[0].dtype)
            answer = self.torch.func.functional_call(self.function, state, args, kwargs)
        else:
            answer = self.function(*args, **kwargs)
        return [(path, leaf) for path, leaf in leaves(answer) if isinstance(leaf, self.torch.Tensor)]

    def _fixed(self, dtype: Any) -> Tensors:
        return {n: self._as(t, dtype) for n, t in self.tensors.items() if n not in self.judged}

    def _buffers(self, dtype: Any) -> Tensors:
        """Copies for each call: that of a batch normalisation is written into."""
        return {n: self._as(b, dtype) for n, b in self.buffers.items()}

    def _as(self, tensor: Any, dtype: Any) -> Any:
        """A copy of what is held; in the finer dtype where the function is evaluated in that."""
        finer = dtype not in self.dtypes and tensor.is_floating_point() and dtype.is_floating_point
        return tensor.detach().to(dtype if finer else tensor.dtype).clone()

    def leaf(self, array: Array, name: str) -> Any:
        """A tensor of its own graph, in the memory of the array where that can be shared."""
        made = arrays_of.from_numpy(self.torch, array).to(self.tensors[name].device)
        return made.requires_grad_()

    def laid(self, array: Array, i: int) -> Array:
        """The array as it is, or in the memory order of the point where a random mask is drawn in that order."""
        if not self.fixed_rng:
            return np.asarray(array)
        made = np.empty_like(self.points[i], dtype=np.asarray(array).dtype)
        made[...] = array
        return made

    def run(self, arrays: Sequence[Array]) -> tuple[list[Any], list[tuple[str, Any]]]:
        """Leaves and the outputs that have a derivative by them, in the graph that torch differentiates.

        With grad mode on for the values too: some modules take another way without.
        """
        with self.torch.enable_grad():
            made = [
                self.leaf(self.laid(a, i), n)
                for i, (a, n) in enumerate(zip(arrays, self.judged, strict=True))
            ]
            try:
                answer = self.outputs([t.clone() for t in made] if self.cloned else made)
            except RuntimeError as error:
                if self.cloned or WRITES not in str(error):
                    raise
                self.cloned = True
                return self.run(arrays)
        self.detached |= {path for path, out in answer if out.is_floating_point() and not out.requires_grad}
        return made, [(path, out) for path, out in answer if out.requires_grad]

    def noted(self, found: Check) -> Check:
        """The check with the outputs that are cut off from all that is judged, of which it says nothing."""
        if not self.detached:
            return found
        said = f"not judged, since no gradient flows from it: output {', '.join(sorted(self.detached))}"
        return replace(found, notes=(*found.notes, said))

    def forward(self, *arrays: Array) -> Named:
        """The values of the outputs that have a derivative."""
        _, answer = self.run([np.array(a, order="K") for a in arrays])
        self.paths = tuple(path for path, _ in answer)
        return tuple((path, arrays_of.to_numpy(self.torch, out)) for path, out in answer)

    def several(self, *stacked: Array) -> list[Array]:
        """The values of the same outputs at several points, by torch.func.vmap, which refuses what it cannot do."""

        def kept(*given: Any) -> tuple[Any, ...]:
            found = dict(self.outputs([t.clone() for t in given] if self.cloned else given))
            return tuple(found[path] for path in self.paths)

        with self.torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what has no rule for batches is said to be slow
            made = [self.leaf(a, n) for a, n in zip(stacked, self.judged, strict=True)]
            return [arrays_of.to_numpy(self.torch, out) for out in self.torch.func.vmap(kept)(*made)]

    def pullback(self, cotangents: Sequence[Array], *arrays: Array) -> tuple[Any, ...]:
        """The gradients that torch derives."""
        made, answer = self.run(arrays)
        given = [
            arrays_of.from_numpy(self.torch, np.asarray(c)).to(out.device)
            for c, (_, out) in zip(cotangents, answer, strict=True)
        ]
        gradients = self.torch.autograd.grad([out for _, out in answer], made, given, allow_unused=True)
        return tuple(None if g is None else arrays_of.to_numpy(self.torch, g) for g in gradients)

    # Second order

    def differentiated(self, target: Pullable, seed: int) -> Pullable:
        """The gradient along one cotangent as a function with a pullback of its own."""
        second = _Second(self, np.random.default_rng([seed, 8]))
        names = target.names
        return Pullable(
            f"(d {target.name})", names, target.inputs, second.forward, second.pullback, notes=target.notes
        )


@dataclass
class _Second:
    """Gradients of a call as outputs, for double backward."""

    call: _Call
    rng: np.random.Generator
    cotangents: list[Any] | None = None

    def run(self, arrays: Sequence[Array]) -> tuple[list[Any], list[tuple[str, Any]]]:
        made, answer = self.call.run(arrays)
        if self.cotangents is None:
            draw = [self.rng.standard_normal(tuple(out.shape)) for _, out in answer]
            self.cotangents = [
                self.call.torch.as_tensor(c, dtype=out.dtype, device=out.device)
                for c, (_, out) in zip(draw, answer, strict=True)
            ]
        grads = self.call.torch.autograd.grad(
            [out for _, out in answer], made, self.cotangents, allow_unused=True, create_graph=True
        )
        named = zip(self.call.judged, grads, strict=True)
        return made, [(f" / d {n}", g) for n, g in named if g is not None and g.requires_grad]

    def forward(self, *arrays: Array) -> Named:
        _, answer = self.run([np.array(a, order="K") for a in arrays])
        return tuple((path, arrays_of.to_numpy(self.call.torch, out)) for path, out in answer)

    def pullback(self, cotangents: Sequence[Array], *arrays: Array) -> tuple[Any, ...]:
        torch = self.call.torch
        made, answer = self.run(arrays)
        given = [
            arrays_of.from_numpy(torch, np.asarray(c)).to(out.device)
            for c, (_, out) in zip(cotangents, answer, strict=True)
        ]
        gradients = torch.autograd.grad([out for _, out in answer], made, given, allow_unused=True)
        return tuple(None if g is None else arrays_of.to_numpy(torch, g) for g in gradients)


class _Mark:
    """The place of a tensor in the arguments."""

    def __init__(self, name: str) -> None:
        self.name = name
