"""Answers: files that anybody's program wrote, read without trust and judged case by case."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.case import Case
from gradcheck.certificate import Certificate, Missing
from gradcheck.environment import environment
from gradcheck.estimate import Array, Estimate
from gradcheck.importing import in_words
from gradcheck.judge import FORWARD
from gradcheck.tally import summed_up
from gradcheck.trial import WANTED
from gradcheck.vectors.export import LIST
from gradcheck.vectors.formats import FORMATS, SCHEMA, Format
from gradcheck.vectors.vector import VectorError
from gradcheck.verdict import Check, Verdict, Worst

ANSWERS = "answers"
"""The folder, inside that of the vectors, where answers are looked for by default."""

LARGEST = 2**20
"""Bytes that a file of answers may always have; and SPREAD times what its arrays need."""

SPREAD = 64
"""A float64 is 8 bytes; as hexadecimal text on a line of its own some 30, as a decimal with spaces more."""

Row = tuple[str, str]


def judge_answers(folder: Path, answers: Path | None = None) -> Certificate:
    """The certificate of the answers to a folder of vectors; each file that is wrong is one case in error.

    An answer to `convolution-003.npz` is a file of the same name in `answers`, with any of the arrays `output`
    and `gradient_x` …; what is in none of an operation's answers is not offered.

    Parameters
    ----------
    folder : Path
        As `export` filled it.
    answers : Path, optional
        `folder` / "answers" by default.

    Raises
    ------
    VectorError
        When there are no vectors, they were changed since, or there are no answers at all.
    """
    started, place = time.perf_counter(), answers or folder / ANSWERS
    listed = _listed(folder)
    form = FORMATS[listed["format"]]
    given = {each.name for each in place.iterdir()} if place.is_dir() else set()
    wanted = {row["file"]: row for row in listed["vectors"]}
    if not given & set(wanted):
        raise VectorError(
            f"vectors: there are no answers\n  looked in {place}, for {', '.join(list(wanted)[:3])} …\n"
            "  wanted a file of the same name for each vector"
        )
    judged: dict[Row, list[tuple[Case, Check | None]]] = {}
    answered = {wanted[name]["operation"] for name in given & set(wanted)}
    for name, row in wanted.items():
        case, checks = _case(row, place / name, folder / name, form, row["operation"] in answered)
        for key, check in checks.items():
            judged.setdefault((row["operation"], key), []).append((case, check))
    return _certificate(
        str(folder), listed, judged, sorted(given - set(wanted)), time.perf_counter() - started
    )


def _listed(folder: Path) -> dict[str, Any]:
    try:
        listed = json.loads((folder / LIST).read_text(encoding="utf-8"))
        if listed["schema"] != SCHEMA or listed["format"] not in FORMATS or not listed["vectors"]:
            raise ValueError(f"schema = {listed['schema']!r}, format = {listed['format']!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VectorError(
            f"vectors: {folder} holds no list of vectors\n  {in_words(error)}\n"
            f"  wanted a folder that `gradcheck vectors export` filled, with its {LIST} of {SCHEMA}"
        ) from error
    return dict(listed)


def _case(
    row: Mapping[str, Any], answer: Path, vector: Path, form: Format, answered: bool
) -> tuple[Case, dict[str, Check | None]]:
    """The case, and what is said of each of its rows; None where nothing is answered."""
    right = _right(row, vector, form)
    told = row["case"]
    shapes = {name: tuple(shape) for name, shape in told["shapes"].items()}
    case = Case(shapes, told["options"], told["values"], seed=told["number"])
    rows = {key: name for name, key in _rows(right).items()}
    if not answer.is_file():
        lost = (
            _broken("there is no answer to this case, though to others of the operation")
            if answered
            else None
        )
        return case, dict.fromkeys(rows, lost)
    try:
        found = _read(answer, form, LARGEST + SPREAD * sum(each.nbytes for each in right.values()))
        # the gradient of an input that this case holds fixed may be answered, and is not looked at
        unknown = sorted(set(found) - set(right) - {f"gradient_{name}" for name in shapes})
        if unknown:
            raise VectorError(f"has arrays that nobody asked for: {', '.join(unknown)[:200]}")
    except VectorError as error:
        return case, dict.fromkeys(rows, _broken(f"{answer.name}: {error}"))
    checks = {
        key: _compared(found[name], right[name], right[f"{name}_bound"], form) if name in found else None
        for key, name in rows.items()
    }
    return case, {key: check and replace(check, subject=_subject(row, key)) for key, check in checks.items()}


def _subject(row: Mapping[str, Any], key: str) -> str:
    return str(row["operation"]) if key == FORWARD else f"d {row['operation']} / d {key}"


def _right(row: Mapping[str, Any], vector: Path, form: Format) -> dict[str, Array]:
    """The arrays of a vector, if its bytes are those that were exported."""
    try:
        data = vector.read_bytes()
    except OSError as error:
        raise VectorError(
            f"vectors: {vector} is missing\n  {error}\n  wanted every file of {LIST}"
        ) from error
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise VectorError(
            f"vectors: {vector} is not as it was exported\n  its SHA-256 is another, wanted {row['sha256']}\n"
            "  export again, with the same seed"
        )
    return form.load(data, 2**62)[0]


def _rows(right: Mapping[str, Array]) -> dict[str, str]:
    """Names of the arrays that are answered, with the row of the certificate of each."""
    names = [name for name in right if name.startswith("gradient_") and not name.endswith("_bound")]
    return {"output": FORWARD, **{name: name.removeprefix("gradient_") for name in names}}


def _read(place: Path, form: Format, limit: int) -> dict[str, Array]:
    """The arrays of a file of answers; raises VectorError in words for whatever is wrong with it."""
    try:
        if (size := place.stat().st_size) > limit:
            raise VectorError(f"has {size} bytes, wanted at most {limit}")
        found, _ = form.load(place.read_bytes(), limit)
    except VectorError:
        raise
    except (Exception, RecursionError) as error:  # whatever a reader of files makes of bytes from anybody
        raise VectorError(f"cannot be read: {in_words(error)}") from error
    for name, array in found.items():
        if array.dtype.kind not in "fiu":
            raise VectorError(f"{name} has dtype {array.dtype}, wanted real numbers")
    return found


def _compared(given: Array, right: Array, bound: Array, form: Format) -> Check:
    """An answer beside what is right of it."""
    if form is FORMATS["mat"]:  # where every array has two axes or more, and none of length 1 at the end
        right, bound = np.squeeze(right), np.squeeze(bound)
        given = np.squeeze(given)
    if given.shape != right.shape:
        return _said(Verdict.FAIL, f"has shape {given.shape}, wanted {right.shape}", math.inf)
    error = np.abs(given.astype(np.float64) - right)
    wrong = ~((error <= bound) | (given == right))
    largest = float(np.abs(right).max(initial=0.0))
    resolution = float(bound.max(initial=0.0)) / largest if largest > 0 else 0.0
    zero = bool((np.abs(right) <= bound).all())
    if wrong.any():
        excess = np.nan_to_num(error / (bound + np.finfo(float).tiny), nan=np.inf, posinf=np.inf)
        place = np.unravel_index(int(np.argmax(np.where(wrong, excess, -1.0))), right.shape)
        at = tuple(int(k) for k in place)
        worst = Worst(at, float(given[at]), 0.0, Estimate(float(right[at]), float(bound[at]), "vector"))
        said = f"differs from the vector in {int(wrong.sum())} of {right.size} elements"
        places = tuple(tuple(int(k) for k in each) for each in np.argwhere(wrong))
        return replace(_said(Verdict.FAIL, said, resolution), worst=worst, wrong=places, shape=right.shape)
    if resolution > WANTED["float64"] and not zero:
        said = f"could have seen a relative error of {resolution:.0e}"
        return _said(Verdict.INCONCLUSIVE, said, resolution)
    exact = not bound.any()
    found = _said(Verdict.PASS, "equal to the bit" if exact else "agrees within the bound", resolution)
    return replace(found, zero_everywhere=zero, evidence="exact" if exact else "vector")


def _said(verdict: Verdict, reason: str, resolution: float) -> Check:
    return Check(verdict, "", "vector", resolution, 0.0, reason, dtype="float64")


def _broken(reason: str) -> Check:
    return Check(Verdict.ERROR, "", "none", math.inf, 1.0, reason)


def _certificate(
    name: str,
    listed: Mapping[str, Any],
    judged: Mapping[Row, list[tuple[Case, Check | None]]],
    extra: list[str],
    seconds: float,
) -> Certificate:
    results, missing = [], []
    for (operation, row), found in judged.items():
        said = [(case, check) for case, check in found if check is not None]
        if said:
            results.append(summed_up(operation, row, said, len(found) - len(said)))
        else:
            missing.append(Missing(operation, row))
    notes = (f"files that answer no vector: {', '.join(extra)[:200]}",) if extra else ()
    return Certificate(
        target=name,
        seed=int(listed["seed"]),
        examples=int(listed["examples"]),
        results=tuple(results),
        not_offered=tuple(missing),
        environment=environment(),
        seconds=seconds,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=notes,
    )
