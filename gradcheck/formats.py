"""Formats: named arrays and a text of facts as bytes and back; the same arrays give the same bytes.

Reading runs no code and allocates no more than the bytes that are there: files come from anybody.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gradcheck.estimate import Array

Arrays = Mapping[str, Array]
Facts = dict[str, Any]

SCHEMA = "gradcheck/vector/1"
"""What the JSON form says that it is."""

_THEN = (1980, 1, 1, 0, 0, 0)
"""The time of every member of an archive: the first that the format knows."""

_HEAD = 116
"""Bytes of description at the start of a MATLAB file, where the time is written."""

_MATRIX, _COMPRESSED = 14, 15
"""Kinds of the elements of a MATLAB file that hold a variable."""

_CLASSES = {1: "cell array", 2: "struct", 3: "object", 5: "sparse matrix", 16: "function", 17: "object"}
"""Classes of variables in a MATLAB file that are no array of numbers, nor text."""

_FLOAT = re.compile(r"[-+]?0x[01]\.?[0-9a-fA-F]*p[-+]?[0-9]+|[-+]?inf(inity)?|[-+]?nan", re.IGNORECASE)


class VectorError(ValueError):
    """Vectors or answers that cannot be written or read, in words."""


class Format(NamedTuple):
    """How arrays and facts become bytes, and come back."""

    dump: Callable[[Arrays, Facts], bytes]
    load: Callable[[bytes, int], tuple[dict[str, Array], Facts]]


def _dump_npz(arrays: Arrays, facts: Facts) -> bytes:
    out = io.BytesIO()
    text = np.frombuffer(_text(facts).encode(), dtype=np.uint8)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in (*sorted(arrays.items()), ("facts", text)):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _THEN), member.getvalue(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _load_npz(data: bytes, limit: int) -> tuple[dict[str, Array], Facts]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if (size := sum(each.file_size for each in archive.infolist())) > limit:
            raise VectorError(f"unpacks to {size} bytes, wanted at most {limit}")
        found = {each.filename.removesuffix(".npy"): _npy(archive.read(each)) for each in archive.infolist()}
    facts = found.pop("facts", None)
    return found, {} if facts is None else json.loads(facts.tobytes())


def _npy(raw: bytes) -> Array:
    """One array; its size is compared with the bytes that are there before anything is allocated for it."""
    stream = io.BytesIO(raw)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[np.lib.format.read_magic(stream)]
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise VectorError("holds pickled objects, which are not read: they would run code")
    count = math.prod(shape)
    if count * dtype.itemsize > len(raw) - stream.tell():
        raise VectorError(f"is cut short: {len(raw) - stream.tell()} bytes for {count} of {dtype}")
    flat = np.frombuffer(raw, dtype, count, stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C").copy()


def _dump_mat(arrays: Arrays, facts: Facts) -> bytes:
    from scipy.io import savemat

    out = io.BytesIO()
    savemat(out, {**dict(sorted(arrays.items())), "facts": _text(facts)}, oned_as="column")
    return b"MATLAB 5.0 MAT-file, written by gradcheck".ljust(_HEAD) + out.getvalue()[_HEAD:]


def _load_mat(data: bytes, limit: int) -> tuple[dict[str, Array], Facts]:
    from scipy.io import loadmat

    plain = io.BytesIO(data[:128] + b"".join(_variables(data, limit)))
    found = {name: np.asarray(each) for name, each in loadmat(plain).items() if name[:2] != "__"}
    facts = found.pop("facts", None)
    return found, {} if facts is None or not facts.size else json.loads(str(facts.reshape(-1)[0]))


def _variables(data: bytes, limit: int) -> Iterator[bytes]:
    """The variables of a MATLAB file, unpacked, each looked at before SciPy is: cells in cells crash it."""
    order: Any = {b"IM": "little", b"MI": "big"}.get(data[126:128])
    if order is None or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise VectorError("is no MAT-file of version 5, as save('-v7', …) writes it")
    if (version := int.from_bytes(data[124:126], order)) != 0x0100:
        raise VectorError(
            f"is a MAT-file of version {version:#06x}, wanted 0x0100, as save('-v7', …) writes it"
        )
    place, left = 128, limit
    while place < len(data):
        kind, size = (int.from_bytes(data[place + k : place + k + 4], order) for k in (0, 4))
        if place + 8 + size > len(data):
            raise VectorError(f"is cut short: {len(data)} bytes, {place + 8 + size} wanted")
        whole = data[place : place + 8 + size]
        if kind == _COMPRESSED:
            inflating = zlib.decompressobj()
            whole = inflating.decompress(whole[8:], left + 1)
        if len(whole) > left:
            raise VectorError(f"unpacks to more than {limit} bytes")
        name = _CLASSES.get(int.from_bytes(whole[16:20], order) & 0xFF, "") if len(whole) > 20 else "nothing"
        if name or int.from_bytes(whole[:4], order) != _MATRIX:
            raise VectorError(
                f"holds {f'a {name}' if name else 'what is no variable'}, wanted arrays of numbers"
            )
        yield whole
        place, left = place + 8 + size, left - len(whole)


def _dump_json(arrays: Arrays, facts: Facts) -> bytes:
    whole = {
        "schema": SCHEMA,
        **facts,
        "arrays": {name: written(each) for name, each in sorted(arrays.items())},
    }
    return (json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def written(array: Array) -> dict[str, Any]:
    """Shape and elements in C order, as hexadecimal text: no reader rounds it."""
    return {"shape": list(array.shape), "data": [float(each).hex() for each in array.ravel()]}


def _load_json(data: bytes, limit: int) -> tuple[dict[str, Array], Facts]:
    facts = json.loads(data)
    arrays = unwritten(facts.pop("arrays", None) if isinstance(facts, dict) else None)
    return arrays, facts


def unwritten(arrays: Any) -> dict[str, Array]:
    """The arrays of a JSON object, each as `written` has it; raises `VectorError` for anything else."""
    if not isinstance(arrays, dict):
        raise VectorError('has no "arrays"')
    try:
        return {str(name): _unhexed(name, each) for name, each in arrays.items()}
    except (KeyError, TypeError, OverflowError) as error:
        raise VectorError(f"has an array that cannot be read: {type(error).__name__}: {error}") from error


def _unhexed(name: str, given: Any) -> Array:
    shape, data = given["shape"], given["data"]
    if not all(type(side) is int and side >= 0 for side in shape):
        raise VectorError(f"{name} has shape {str(shape)[:60]}, wanted whole numbers from 0")
    if len(data) != math.prod(shape):
        raise VectorError(
            f"{name} has {len(data)} elements, wanted {math.prod(shape)} for shape {tuple(shape)}"
        )
    flat = [_number(name, k, each) for k, each in enumerate(data)]
    return np.array(flat, dtype=np.float64).reshape(shape)


def _number(name: str, place: int, given: Any) -> float:
    """An element; text without 0x is refused, since a reader of hexadecimals would take 1.5 for 1.3125."""
    if isinstance(given, str) and _FLOAT.fullmatch(given):
        return float.fromhex(given)
    if type(given) in (int, float):
        return float(given)
    raise VectorError(
        f"{name} has {str(given)[:40]!r} for element {place}, wanted hexadecimal text, as '0x1.8p+0', or a number"
    )


def _dump_safetensors(arrays: Arrays, facts: Facts) -> bytes:
    plain = {name: np.ascontiguousarray(each).reshape(each.shape) for name, each in sorted(arrays.items())}
    return bytes(_safetensors().save(plain, {"facts": _text(facts)}))


def _load_safetensors(data: bytes, limit: int) -> tuple[dict[str, Array], Facts]:
    head = json.loads(data[8 : 8 + min(int.from_bytes(data[:8], "little"), len(data))])
    return dict(_safetensors().load(data)), json.loads(head.get("__metadata__", {}).get("facts", "{}"))


def _safetensors() -> Any:
    try:
        from safetensors import numpy
    except ImportError as error:
        raise VectorError(
            "vectors: the format safetensors needs a package that is not installed\n"
            "  missing = safetensors\n  pip install 'gradcheck[safetensors]'"
        ) from error
    return numpy


def _text(facts: Facts) -> str:
    return json.dumps(facts, ensure_ascii=True)  # in the order of the call, which a reader needs


FORMATS = {
    "npz": Format(_dump_npz, _load_npz),
    "mat": Format(_dump_mat, _load_mat),
    "json": Format(_dump_json, _load_json),
    "safetensors": Format(_dump_safetensors, _load_safetensors),
}
"""How vectors are written, by name."""


def read(place: Path, form: Format, limit: int) -> dict[str, Array]:
    """The arrays of a file from anybody; raises `VectorError` in words for whatever is wrong with it.

    Parameters
    ----------
    place : Path
    form : Format
    limit : int
        Bytes that it may have, and unpack to.
    """
    try:
        if (size := place.stat().st_size) > limit:
            raise VectorError(f"has {size} bytes, wanted at most {limit}")
        found, _ = form.load(place.read_bytes(), limit)
    except VectorError:
        raise
    except (Exception, RecursionError) as error:  # whatever a reader of files makes of bytes from anybody
        raise VectorError(f"cannot be read: {_in_words(error)}") from error
    for name, array in found.items():
        if array.dtype.kind not in "fiu":
            raise VectorError(f"{name} has dtype {array.dtype}, wanted real numbers")
    return found


def _in_words(error: BaseException) -> str:
    line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {line}"
