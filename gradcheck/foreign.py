"""Foreign arrays: those of torch, JAX and any array API namespace as NumPy's, and back as what they were."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ON_CPU = 1
"""DLPack's number of the kind of device whose memory NumPy can read."""


def is_array(value: Any) -> bool:
    """Whether a value is an array of whatever library; a lone number of NumPy's is a number.

    Examples
    --------
    >>> is_array(np.zeros(2)), is_array(np.float64(0)), is_array([0.0])
    (True, False, False)
    """
    return isinstance(value, np.ndarray) or is_foreign(value)


def is_foreign(value: Any) -> bool:
    """Whether it is an array that is not NumPy's."""
    if isinstance(value, np.ndarray | np.generic):
        return False
    return _is_tensor(value) or hasattr(value, "__array_namespace__") or hasattr(value, "__dlpack__")


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")  # whoever holds a tensor has imported it
    return torch is not None and isinstance(value, torch.Tensor)


def to_numpy(value: Any) -> Array:
    """The values of an array of any library, on any device, as NumPy's; anything else as NumPy makes an array of it."""
    if _is_tensor(value):
        return _of_tensor(value)
    if not is_foreign(value) or type(value).__module__.partition(".")[0] in ("jax", "jaxlib"):
        return np.asarray(value)
    if hasattr(value, "__dlpack_device__") and value.__dlpack_device__()[0] != ON_CPU:
        value = value.to_device("cpu")
    return np.array(np.from_dlpack(value)) if hasattr(value, "__dlpack__") else np.asarray(value)


def _of_tensor(value: Any) -> Array:
    torch = sys.modules["torch"]
    tensor = value.detach().cpu().resolve_conj().resolve_neg()
    if tensor.dtype == torch.bfloat16:
        bfloat16 = importlib.import_module("ml_dtypes").bfloat16
        return np.asarray(tensor.view(torch.int16).numpy().view(bfloat16))
    return np.asarray(tensor.numpy())


def like(array: Array, value: Any) -> Any:
    """An array of NumPy's as one of the library, and on the device, of `value`; fresh memory."""
    if _is_tensor(value):
        torch, fresh = sys.modules["torch"], np.array(array)
        if fresh.dtype.name == "bfloat16":
            return torch.from_numpy(fresh.view(np.int16)).view(torch.bfloat16).to(value.device)
        return torch.from_numpy(fresh).to(value.device)
    if not is_foreign(value):
        return np.array(array)
    xp = value.__array_namespace__()
    return xp.asarray(np.array(array), device=value.device)
