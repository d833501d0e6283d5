"""Export: the vectors of a run as files, with a list of them; the same seed gives the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from gradcheck.operation import Operation, find
from gradcheck.operation import operations as installed
from gradcheck.plan import cases_of, check_numbers
from gradcheck.vectors.formats import FORMATS, SCHEMA, Arrays
from gradcheck.vectors.vector import Known, Vector, VectorError, vector_of

LIST = "vectors.json"
"""The list of what was written."""

EXAMPLES = 8
"""Cases for each operation by default: the catalogue's edges come first."""


def export(
    folder: Path,
    operations: Iterable[str] | None = None,
    *,
    format: str = "npz",
    examples: int = EXAMPLES,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
    catalogue: Mapping[str, Operation] | None = None,
) -> list[str]:
    """Names of the files written: one for each case of each operation, and their list.

    Parameters
    ----------
    folder : Path
        Made where it is not there; files of the same names are replaced.
    operations : iterable of str, optional
        All of the catalogue by default.
    format : str
        One of `FORMATS`.
    examples, seed : int
        As for `certify`: the same cases are drawn.
    progress : callable (done, total, operation), optional
        Called before each case.
    catalogue : mapping of str to Operation, optional

    Raises
    ------
    UnknownOperation, ValueError
        As `certify` does.
    VectorError
        For an unknown format, one whose package is missing, and a folder that cannot be written.
    """
    check_numbers(examples, seed)
    if format not in FORMATS:
        raise VectorError(
            f"vectors: no such format\n  format = {format!r}, wanted one of {', '.join(FORMATS)}"
        )
    known = installed() if catalogue is None else catalogue
    asked = [find(name, known) for name in dict.fromkeys(known if operations is None else operations)]
    rows: list[dict[str, Any]] = []
    plan = [(operation, case) for operation in asked for case in cases_of(operation, examples, seed)]
    for done, (operation, case) in enumerate(plan):
        if progress is not None:
            progress(done, len(plan), operation.name)
        vector = vector_of(operation, case, seed)
        data = FORMATS[format].dump(arrays_of(vector), facts_of(vector))
        name = f"{vector.name}.{format}"
        _write(folder / name, data)
        rows.append({"file": name, **facts_of(vector), "sha256": hashlib.sha256(data).hexdigest()})
    listed = {"schema": SCHEMA, "format": format, "seed": seed, "examples": examples, "vectors": rows}
    text = json.dumps(listed, indent=1, ensure_ascii=False) + "\n"
    _write(folder / LIST, text.encode())
    return [*(row["file"] for row in rows), LIST]


def _write(place: Path, data: bytes) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    except OSError as error:
        raise VectorError(
            f"vectors: {place} cannot be written\n  {error}\n  wanted a folder to write to"
        ) from error


def arrays_of(vector: Vector) -> Arrays:
    """Every array of a vector by its name in a file."""
    known = {"output": vector.output, **{f"gradient_{name}": each for name, each in vector.gradients.items()}}
    return {
        **{f"input_{name}": each for name, each in vector.inputs.items()},
        "cotangent": vector.cotangent,
        **{name: each.value for name, each in known.items()},
        **{f"{name}_bound": each.bound for name, each in known.items()},
    }


def facts_of(vector: Vector) -> dict[str, Any]:
    """Everything of a vector that is no array, as plain data."""
    return {
        "operation": vector.operation,
        "case": vector.case.describe(),
        "flags": list(vector.flags),
        "evidence": {
            "output": _told(vector.output),
            **{n: _told(each) for n, each in vector.gradients.items()},
        },
        "equations": dict(vector.equations),
        "errata": dict(vector.errata),
    }


def _told(known: Known) -> dict[str, Any]:
    return {"method": known.method, "exact": known.exact}
