"""Answers: files that anybody's program wrote, read without trust and judged case by case."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.case import Case
from gradcheck.certificate import VECTORS, Certificate, Missing
from gradcheck.environment import environment
from gradcheck.estimate import Array, Estimate
from gradcheck.formats import FORMATS, SCHEMA, Arrays, Format, VectorError, read
from gradcheck.importing import in_words
from gradcheck.judge import FORWARD
from gradcheck.operation import Operation, find, operations
from gradcheck.plain import NotPlain
from gradcheck.tally import summed_up
from gradcheck.trial import WANTED
from gradcheck.vectors.export import LIST, arrays_of
from gradcheck.vectors.vector import vector_of
from gradcheck.verdict import Check, Verdict, Worst

ANSWERS = "answers"
"""The folder, inside that of the vectors, where answers are looked for by default."""

LARGEST = 2**20
"""Bytes that a file of answers may always have; and SPREAD times what its arrays need."""

SPREAD = 64
"""A float64 is 8 bytes; as hexadecimal text on a line of its own some 30, as a decimal with spaces more."""

Row = tuple[str, str]


@dataclass(frozen=True)
class _Listed:
    """A list of vectors: how they are written, the seed, whether what is right of them is left out, and each one."""

    form: Format
    seed: int
    examples: int
    blind: bool
    vectors: Mapping[str, Mapping[str, Any]]
    catalogue: Mapping[str, Operation]


def judge_answers(
    folder: Path, answers: Path | None = None, *, catalogue: Mapping[str, Operation] | None = None
) -> Certificate:
    """The certificate of the answers to a folder of vectors; each file that is wrong is one case in error.

    An answer to `convolution-003.npz` is a file of the same name in `answers`, with any of the arrays `output`
    and `gradient_x` …; what is in none of an operation's answers is not offered.

    Parameters
    ----------
    folder : Path
        As `export` filled it.
    answers : Path, optional
        `folder` / "answers" by default.
    catalogue : mapping of str to Operation, optional
        Of which vectors without their answers were made; the installed ones by default.

    Raises
    ------
    VectorError
        When there are no vectors, they were changed since, or there are no answers at all.
    """
    started, place = time.perf_counter(), answers or folder / ANSWERS
    listed = _listed(folder, operations() if catalogue is None else catalogue)
    given = {each.name for each in place.iterdir()} if place.is_dir() else set()
    if not given & set(listed.vectors):
        raise VectorError(
            f"vectors: there are no answers\n  looked in {place}, for {', '.join(list(listed.vectors)[:3])} …\n"
            "  wanted a file of the same name for each vector"
        )
    judged: dict[Row, list[tuple[Case, Check | None]]] = {}
    answered = {listed.vectors[name]["operation"] for name in given & set(listed.vectors)}
    for name, row in listed.vectors.items():
        case, arrays = _asked(row, folder / name, listed)
        checks: dict[str, Check | None] = dict.fromkeys((FORWARD, *case.judged))
        if row["operation"] in answered:
            if listed.blind:
                arrays = _worked_out(row["operation"], case, arrays, folder / name, listed)
            checks = _checks(row, place / name, arrays, listed.form)
        for key, check in checks.items():
            judged.setdefault((row["operation"], key), []).append((case, check))
    extra = sorted(given - set(listed.vectors))
    return _certificate(f"{VECTORS}{folder}", listed, judged, extra, time.perf_counter() - started)


def _listed(folder: Path, catalogue: Mapping[str, Operation]) -> _Listed:
    try:
        listed = json.loads((folder / LIST).read_text(encoding="utf-8"))
        if listed["schema"] != SCHEMA or listed["format"] not in FORMATS or not listed["vectors"]:
            raise ValueError(f"schema = {listed['schema']!r}, format = {listed['format']!r}")
        rows = {str(row["file"]): row for row in listed["vectors"]}
        numbers = int(listed["seed"]), int(listed["examples"])
        return _Listed(FORMATS[listed["format"]], *numbers, listed.get("blind") is True, rows, catalogue)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise VectorError(
            f"vectors: {folder} holds no list of vectors\n  {in_words(error)}\n"
            f"  wanted a folder that `gradcheck vectors export` filled, with its {LIST} of {SCHEMA}"
        ) from error


def _checks(row: Mapping[str, Any], answer: Path, right: Arrays, form: Format) -> dict[str, Check | None]:
    """What is said of each row of a case; None for one that is not answered."""
    rows = _rows(row["case"]["shapes"], right)
    if not answer.is_file():
        return dict.fromkeys(
            rows, _broken("there is no answer to this case, though to others of the operation")
        )
    try:
        found = read(answer, form, LARGEST + SPREAD * sum(each.nbytes for each in right.values()))
        # the gradient of an input that this case holds fixed may be answered, and is not looked at
        unknown = sorted(set(found) - set(right) - {f"gradient_{name}" for name in row["case"]["shapes"]})
        if unknown:
            raise VectorError(f"has arrays that nobody asked for: {', '.join(unknown)[:200]}")
    except VectorError as error:
        return dict.fromkeys(rows, _broken(f"{answer.name}: {error}"))
    checks = {
        key: _compared(found[name], right[name], right[f"{name}_bound"], form) if name in found else None
        for key, name in rows.items()
    }
    return {key: check and replace(check, subject=_subject(row, key)) for key, check in checks.items()}


def _subject(row: Mapping[str, Any], key: str) -> str:
    return str(row["operation"]) if key == FORWARD else f"d {row['operation']} / d {key}"


def _asked(row: Mapping[str, Any], vector: Path, listed: _Listed) -> tuple[Case, Arrays]:
    """The case and the arrays of a vector, if its bytes are those that were exported."""
    try:
        data, case = vector.read_bytes(), Case.from_description(row["case"])
        if hashlib.sha256(data).hexdigest() != row["sha256"]:
            raise VectorError(
                f"vectors: {vector} is not as it was exported\n  its SHA-256 is another, wanted "
                f"{row['sha256']}\n  export again, with the same seed"
            )
    except OSError as error:
        raise VectorError(
            f"vectors: {vector} is missing\n  {error}\n  wanted every file of {LIST}"
        ) from error
    except (KeyError, TypeError, NotPlain) as error:
        raise VectorError(
            f"vectors: the list says nothing useful of {vector}\n  {in_words(error)}\n"
            f"  wanted {LIST} as it was exported"
        ) from error
    arrays, _ = listed.form.load(data, 2**62)
    return case, arrays


def _worked_out(name: str, case: Case, asked: Arrays, vector: Path, listed: _Listed) -> Arrays:
    """Every array of a vector that holds its questions alone, made anew from the seed."""
    right = arrays_of(vector_of(find(name, listed.catalogue), case, listed.seed))
    if not all(np.array_equal(np.reshape(asked[each], right[each].shape), right[each]) for each in asked):
        raise VectorError(
            f"vectors: {vector} asks something else than this version does\n"
            f"  seed = {listed.seed}, its arrays are others here\n  export again, with the same seed"
        )
    return right


def _rows(names: Iterable[str], right: Arrays) -> dict[str, str]:
    """Rows of the certificate in the order of the call, with the name of the array that answers each."""
    asked = {name: f"gradient_{name}" for name in names if f"gradient_{name}" in right}
    return {FORWARD: "output", **asked}


def _compared(given: Array, right: Array, bound: Array, form: Format) -> Check:
    """An answer beside what is right of it."""
    if form is FORMATS["mat"]:  # where every array has two axes or more, and none of length 1 at the end
        right, bound = np.squeeze(right), np.squeeze(bound)
        given = np.squeeze(given)
    if given.shape != right.shape:
        return _said(Verdict.FAIL, f"has shape {given.shape}, wanted {right.shape}", math.inf)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(given.astype(np.float64) - right)
    wrong = ~((error <= bound) | (given == right))
    largest = float(np.abs(right).max(initial=0.0))
    zero, exact = bool((np.abs(right) <= bound).all()), not bound.any()
    resolution = 0.0 if zero else float(bound.max(initial=0.0)) / largest  # relative to nothing there is none
    evidence = "exact" if exact else "vector"
    if wrong.any():
        with np.errstate(over="ignore"):  # of an exact one every difference is beyond any bound
            excess = np.nan_to_num(error / (bound + np.finfo(float).tiny), nan=np.inf, posinf=np.inf)
        place = np.unravel_index(int(np.argmax(np.where(wrong, excess, -1.0))), right.shape)
        at = tuple(int(k) for k in place)
        worst = Worst(at, float(given[at]), 0.0, Estimate(float(right[at]), float(bound[at]), "vector"))
        said = f"differs from the vector in {int(wrong.sum())} of {right.size} elements{_unbounded(given)}"
        places = tuple(tuple(int(k) for k in each) for each in np.argwhere(wrong))
        found = _said(Verdict.FAIL, said, resolution)
        return replace(found, worst=worst, wrong=places, shape=right.shape, evidence=evidence)
    if resolution > WANTED["float64"] and not zero:
        said = f"could have seen a relative error of {resolution:.0e}"
        return _said(Verdict.INCONCLUSIVE, said, resolution)
    found = _said(Verdict.PASS, "equal to the bit" if exact else "agrees within the bound", resolution)
    return replace(found, zero_everywhere=zero, evidence=evidence)


def _unbounded(given: Array) -> str:
    count = int((~np.isfinite(given)).sum())
    return f", of which {count} {'are' if count > 1 else 'is'} NaN or infinite" if count else ""


def _said(verdict: Verdict, reason: str, resolution: float) -> Check:
    return Check(verdict, "", "vector", resolution, 0.0, reason, dtype="float64")


def _broken(reason: str) -> Check:
    return Check(Verdict.ERROR, "", "none", math.inf, 1.0, reason)


def _certificate(
    name: str,
    listed: _Listed,
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
        seed=listed.seed,
        examples=listed.examples,
        results=tuple(results),
        not_offered=tuple(missing),
        environment=environment(),
        seconds=seconds,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=notes,
    )
