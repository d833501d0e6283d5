"""Which cases guard which erratum: those in which the notes, read to the letter, give another answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gradcheck.case import Case


def _several_patterns(case: Case) -> bool:
    """E3: over one pattern there is nothing to sum."""
    return "several patterns" in case.regimes


def _kernel_turns(case: Case) -> bool:
    """E4: a kernel of one element is its own half turn."""
    return "kernel of 1x1" not in case.regimes


def _blocks(case: Case) -> bool:
    """E5, E7: a block of one pixel is its own mean, and needs no border."""
    return bool(case.options["n"] > 1)


def _weights_turn(case: Case) -> bool:
    """E1: a matrix of one element is its own transpose."""
    return case.shapes["W"] != (1, 1)


def _several_receive(case: Case) -> bool:
    """E2: some map feeds more than one."""
    if "architecture" not in case.options:
        outputs = case.shapes["k"][1]
        return _feeds_several(outputs, case.options["connections"])
    layers = case.options["architecture"][1:]  # nothing is handed on below the first
    return any(
        _feeds_several(layer[1], layer[4] if layer[0] == "convolution" else None)
        for layer in layers
        if layer[0] in ("convolution", "combination")
    )


def _feeds_several(outputs: int, table: Sequence[Sequence[Any]] | None) -> bool:
    return outputs > 1 if table is None else any(sum(row) > 1 for row in table)


def _several_outputs(case: Case) -> bool:
    """E8: with one output map k_i and k_ij are the same."""
    return case.shapes["c"][1] > 1


def _overflows(case: Case) -> bool:
    """E9: exp of the values as they are is infinite, or all zero."""
    return "extreme values" in case.regimes


def _penalised(case: Case) -> bool:
    """E6: there is a penalty at all."""
    return "architecture" not in case.options or "sparsity term" in case.regimes


GUARDS: Mapping[str, Callable[[Case], bool]] = MappingProxyType(
    {
        "E1": _weights_turn,
        "E2": _several_receive,
        "E3": _several_patterns,
        "E4": _kernel_turns,
        "E5": _blocks,
        "E6": _penalised,
        "E7": _blocks,
        "E8": _several_outputs,
        "E9": _overflows,
    }
)
"""Of each erratum, whether a case of an operation that has it can tell the two readings apart."""
