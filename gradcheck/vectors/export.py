"""Export: the vectors of a run as files, with a list of them; the same seed gives the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from gradcheck.case import Case
from gradcheck.formats import FORMATS, SCHEMA, Arrays, VectorError
from gradcheck.operation import Operation, find
from gradcheck.operation import operations as installed
from gradcheck.plan import cases_of, check_numbers
from gradcheck.vectors.vector import Known, Vector, vector_of

LIST = "vectors.json"
"""The list of what was written."""

EXAMPLES = 8
"""Cases for each operation by default, at least: of one that has more edges, all of them."""

ZERO = "zero gradient of "
"""A flag that tells what the answer is."""


def export(
    folder: Path,
    operations: Iterable[str] | None = None,
    *,
    format: str = "npz",
    examples: int | None = None,
    seed: int = 0,
    blind: bool = False,
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
    examples : int, optional
        Cases for each operation: its edges, then drawn ones, as `certify` draws them. By default all edges, and
        at least `EXAMPLES`.
    seed : int
        The same seed gives the same bytes.
    blind : bool
        Write the questions alone, so that a program cannot find what is right of them in its input; the judge
        then works it out anew.
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
    check_numbers(EXAMPLES if examples is None else examples, seed)
    if format not in FORMATS:
        raise VectorError(
            f"vectors: no such format\n  format = {format!r}, wanted one of {', '.join(FORMATS)}"
        )
    known = installed() if catalogue is None else catalogue
    asked = [find(name, known) for name in dict.fromkeys(known if operations is None else operations)]
    rows: list[dict[str, Any]] = []
    plan = [(operation, case) for operation in asked for case in _cases(operation, examples, seed)]
    for done, (operation, case) in enumerate(plan):
        if progress is not None:
            progress(done, len(plan), operation.name)
        vector = vector_of(operation, case, seed)
        facts = facts_of(vector, blind)
        data = FORMATS[format].dump(questions_of(vector) if blind else arrays_of(vector), facts)
        name = f"{vector.name}.{format}"
        _write(folder / name, data)
        rows.append({"file": name, **facts, "sha256": hashlib.sha256(data).hexdigest()})
    counts = Counter(operation.name for operation, _ in plan)
    listed = {
        "schema": SCHEMA,
        "format": format,
        "seed": seed,
        "examples": max(counts.values(), default=0),
        "blind": blind,
    }
    text = json.dumps({**listed, "vectors": rows}, indent=1, ensure_ascii=False) + "\n"
    _write(folder / LIST, text.encode())
    return [*(row["file"] for row in rows), LIST]


def _cases(operation: Operation, examples: int | None, seed: int) -> tuple[Case, ...]:
    return cases_of(operation, examples or max(EXAMPLES, len(operation.edges)), seed)


def _write(place: Path, data: bytes) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    except OSError as error:
        raise VectorError(
            f"vectors: {place} cannot be written\n  {error}\n  wanted a folder to write to"
        ) from error


def questions_of(vector: Vector) -> Arrays:
    """What a vector asks: inputs and cotangent, by their names in a file."""
    return {**{f"input_{name}": x for name, x in vector.inputs.items()}, "cotangent": vector.cotangent}


def arrays_of(vector: Vector) -> Arrays:
    """Every array of a vector by its name in a file."""
    known = {"output": vector.output, **{f"gradient_{name}": each for name, each in vector.gradients.items()}}
    return {
        **questions_of(vector),
        **{name: each.value for name, each in known.items()},
        **{f"{name}_bound": each.bound for name, each in known.items()},
    }


def facts_of(vector: Vector, blind: bool = False) -> dict[str, Any]:
    """Everything of a vector that is no array, as plain data; `blind`, without what tells of the answer."""
    known = {"output": vector.output, **vector.gradients}
    evidence = {"evidence": {name: _told(each) for name, each in known.items()}}
    return {
        "operation": vector.operation,
        "case": vector.case.describe(),
        "flags": [each for each in vector.flags if not (blind and each.startswith(ZERO))],
        **({} if blind else evidence),
        "equations": dict(vector.equations),
        "errata": dict(vector.errata),
    }


def _told(known: Known) -> dict[str, Any]:
    return {"method": known.method, "exact": known.exact}
