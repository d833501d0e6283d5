"""Tensors of torch as NumPy arrays and back, bfloat16 included, in one memory where that can be."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.frameworks.extras import needed


def to_numpy(torch: Any, tensor: Any) -> Array:
    """The values of a tensor; the memory is the tensor's own where it is on the CPU."""
    tensor = tensor.detach()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    if tensor.dtype == torch.bfloat16:
        array: Array = tensor.view(torch.int16).numpy().view(_bfloat16())
        return array
    made: Array = tensor.numpy()
    return made


def from_numpy(torch: Any, array: Array) -> Any:
    """A tensor of the same dtype and strides; in the array's memory where torch can hold that."""
    if any(stride < 0 for stride in array.strides) or not array.flags.writeable:
        array = array.copy()  # torch has no negative strides, and no tensor that is read-only
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _bfloat16() -> Any:
    return np.dtype(needed("ml_dtypes", "torch", "gradcheck.frameworks.torch, for bfloat16").bfloat16)


def refuse_odd(torch: Any, tensor: Any, name: str) -> None:
    """Refuse tensors that have no values yet, or none that NumPy could hold.

    Raises
    ------
    TypeError
        With what is wrong.
    """
    lazy = isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin)
    if lazy or tensor.is_quantized or tensor.device.type == "meta":
        kind = "uninitialised" if lazy else "quantized" if tensor.is_quantized else "without values (meta)"
        raise TypeError(
            f"check: a tensor of {name} has no values to move\n"
            f"  it is {kind}, wanted floating numbers\n"
            "  call a lazy module once before it is checked"
        )
