"""Files of any format, from anybody: read without trust, and refused in words."""

from __future__ import annotations

import io
import json
import tracemalloc
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from gradcheck.formats import FORMATS, VectorError

LIMIT = 2**16


def mat(arrays, **options):
    out = io.BytesIO()
    savemat(out, arrays, **options)
    return out.getvalue()


def element(kind, payload):
    return kind.to_bytes(4, "little") + len(payload).to_bytes(4, "little") + payload


def nested(depth):
    """Cells in cells: a reader that follows them runs out of its stack."""
    inner = b""
    for _ in range(depth):
        flags = element(6, (1).to_bytes(4, "little") + bytes(4))
        inner = element(14, flags + element(5, (1).to_bytes(4, "little") * 2) + element(1, b"") + inner)
    return mat({})[:128] + inner


X = np.arange(6.0).reshape(2, 3)
ZEROS = np.zeros((LIMIT, 4))
HEAD = mat({})[:124]
MAT = {
    "empty": (b"", "is no MAT-file of version 5"),
    "text": (b"# Created by Octave 7.3.0\n# name: x\n" * 9, "is no MAT-file of version 5, as save('-v7', …) writes"),
    "version 4": (mat({"x": X}, format="4"), "is no MAT-file of version 5"),
    "version 7.3": (HEAD + b"\x00\x02IM" + bytes(400), "is a MAT-file of version 0x0200, wanted 0x0100"),
    "cut short": (mat({"x": X})[:-9], "is cut short: "),
    "cut in its compressed part": (mat({"x": X}, do_compression=True)[:-5], "is cut short: "),
    "bomb": (mat({"x": ZEROS}, do_compression=True), f"unpacks to more than {LIMIT} bytes"),
    "bombs, each small": (
        mat({f"x{k}": ZEROS[: LIMIT // 64] for k in range(40)}, do_compression=True),
        f"unpacks to more than {LIMIT} bytes",
    ),
    "cells": (mat({"x": np.array([[X]], dtype=object)}), "holds a cell array, wanted arrays of numbers"),
    "cells in cells in cells": (nested(900), "holds a cell array, wanted arrays of numbers"),
    "struct": (mat({"x": {"y": X}}), "holds a struct, wanted arrays of numbers"),
    "no variable": (mat({})[:128] + element(9, bytes(48)), "holds what is no variable"),
    "nothing, compressed": (mat({})[:128] + element(15, zlib.compress(b"")), "holds a nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", MAT)
def test_a_broken_mat_file_is_refused_before_scipy_reads_it(name):
    data, said = MAT[name]
    with pytest.raises(VectorError) as caught:
        FORMATS["mat"].load(data, LIMIT)
    assert str(caught.value).startswith(said)


def test_a_bomb_is_never_unpacked_further_than_its_limit():
    data = mat({})[:128] + element(15, zlib.compress(bytes(2**25)))
    tracemalloc.start()
    try:
        with pytest.raises(VectorError, match="unpacks to more than"):
            FORMATS["mat"].load(data, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_mat_file_is_read_as_octave_and_matlab_write_it(compressed):
    found, facts = FORMATS["mat"].load(mat({"x": X, "facts": '{"a": 1}'}, do_compression=compressed), LIMIT)
    assert (found["x"] == X).all()
    assert facts == {"a": 1}


def test_a_dimension_that_is_not_there_is_not_allocated():
    whole = bytearray(mat({"x": X}))
    place = whole.index((2).to_bytes(4, "little") + (3).to_bytes(4, "little"))
    whole[place : place + 4] = (2**30).to_bytes(4, "little")
    with pytest.raises((ValueError, TypeError, OSError)):
        FORMATS["mat"].load(bytes(whole), LIMIT)


def of(shape, data):
    return json.dumps({"arrays": {"output": {"shape": shape, "data": data}}}).encode()


JSON = {
    "decimal text": (of([1], ["1.5"]), "output has '1.5' for element 0, wanted hexadecimal text, as '0x1.8p+0'"),
    "truth": (of([2], [1, True]), "output has 'True' for element 1"),
    "null": (of([1], [None]), "output has 'None' for element 0"),
    "too few": (of([2, 2], [1, 2, 3]), "output has 3 elements, wanted 4 for shape (2, 2)"),
    "too many": (of([], [1, 2]), "output has 2 elements, wanted 1 for shape ()"),
    "negative": (of([-1], [1]), "output has shape [-1], wanted whole numbers from 0"),
    "fraction": (of([1.0], [1]), "output has shape [1.0], wanted whole numbers from 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", JSON)
def test_json_that_could_be_misread_is_refused(name):
    data, said = JSON[name]
    with pytest.raises(VectorError) as caught:
        FORMATS["json"].load(data, LIMIT)
    assert str(caught.value).startswith(said)


def test_every_way_to_write_a_number_in_json_is_read_to_the_bit():
    numbers = [0.1, 5e-324, -0.0, np.inf, -np.inf, np.nan, 1e308]
    data = of([len(numbers)], [float(each).hex() for each in numbers])
    decimal = of([len(numbers)], numbers)  # NaN and Infinity as Python and others write them
    for each in (data, decimal, data.replace(b"0x", b"0X"), data.replace(b'"inf"', b'"Infinity"')):
        found, _ = FORMATS["json"].load(each, LIMIT)
        assert found["output"].tobytes() == np.array(numbers).tobytes()
