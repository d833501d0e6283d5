"""A program that is asked in files of any format answers the same, and a file that is no answer is an error."""

from __future__ import annotations

import pytest

from gradcheck.certify import certify
from tests.test_command import command, verdicts

FILED = """
import json, sys
from pathlib import Path
import numpy as np
import reference
from gradcheck.formats import FORMATS

KIND, LAYOUT, SPOIL = sys.argv[1:4]

def told(question, arrays):
    offer = getattr(reference, question["operation"])
    options = {name: np.array(each) if name == "connections" and each else each
               for name, each in question["options"].items()}
    inputs = [each for name, each in arrays.items() if name.startswith("input_")]
    if question["operation"] == "network":
        options["architecture"] = tuple(tuple(tuple(e) if isinstance(e, list) else e for e in layer)
                                        for layer in options["architecture"])
        order = sorted((name for name in arrays if name.startswith("input_")), key=lambda name: int(name[6:]))
        inputs = [arrays[name] for name in order]
    else:
        order = ["input_" + name for name in NAMES[question["operation"]]]
        inputs = [arrays[name].reshape(question["shapes"][name]) for name in order]
    if LAYOUT == "NHWC":
        inputs[0] = np.transpose(inputs[0], (0, 3, 1, 2))
    if question["call"] == "forward":
        output = np.asarray(offer.forward(*inputs, **options))
        return {"output": np.transpose(output, (0, 2, 3, 1)) if LAYOUT == "NHWC" else output}
    shape = np.asarray(offer.forward(*inputs, **options)).shape
    cotangent = arrays["cotangent"]
    if LAYOUT == "NHWC":
        cotangent = np.transpose(cotangent.reshape([shape[k] for k in (0, 2, 3, 1)]), (0, 3, 1, 2))
    found = offer.vjp(cotangent.reshape(shape), *inputs, **options)
    found = list(found) if isinstance(found, tuple) else [found]
    if LAYOUT == "NHWC":
        found[0] = np.transpose(found[0], (0, 2, 3, 1))
    return {name.replace("input", "gradient"): np.asarray(each) for name, each in zip(order, found)}

NAMES = {"dense": "x W b".split(), "upsample": ["x"], "squared_error": ["y", "t"], "tanh": ["u"],
         "convolve_valid": ["x", "k"]}
CONVENTIONS = {"upsample": {"maps_layout": "NHWC"}} if LAYOUT == "NHWC" else {}
for line in sys.stdin:
    question = json.loads(line)
    reply = {"id": question["id"]}
    if question["call"] == "describe":
        names = ["upsample"] if LAYOUT == "NHWC" else [*NAMES, "network"]
        reply |= {"offers": {name: ["forward", "vjp"] for name in names}, "format": KIND, "conventions": CONVENTIONS}
    else:
        arrays, facts = FORMATS[KIND].load(Path(question["question"]).read_bytes(), 2**30)
        assert facts["operation"] == question["operation"]
        squeezed = {name: np.squeeze(each) if KIND == "mat" else each for name, each in told(question, arrays).items()}
        data = FORMATS[KIND].dump(squeezed, {})
        if SPOIL == "pickled":
            import io
            out = io.BytesIO()
            np.savez(out, output=np.array([{}], dtype=object))
            data = out.getvalue()
        data = {"empty": b"", "half": data[: len(data) // 2]}.get(SPOIL, data)
        if SPOIL != "none":
            Path(question["answer"]).write_bytes(data)
    print(json.dumps(reply), flush=True)
"""


@pytest.fixture
def filed(tmp_path):
    def made(kind, layout="-", spoil="-"):
        (tmp_path / "filed.py").write_text(FILED)
        return command(tmp_path / "filed.py", kind, layout, spoil)

    return made


@pytest.mark.parametrize("kind", ["mat", "npz", "safetensors"])
def test_arrays_travel_in_files_of_any_format(kind, filed):
    if kind == "safetensors":
        pytest.importorskip("safetensors")
    names = ["dense", "upsample", "squared_error", "tanh", "convolve_valid"]
    found = certify(filed(kind), names, examples=2)
    assert {each.operation for each in found.results} == set(names)
    assert set(verdicts(found).values()) == {"pass"}


def test_axes_of_length_one_come_back_in_the_layout_that_is_declared(filed):
    found = certify(filed("mat", "NHWC"), ["upsample"], examples=6)
    assert verdicts(found) == {"upsample.forward": "pass", "upsample.x": "pass"}


def test_an_operation_that_takes_copies_gets_them_by_number(filed):
    found = certify(filed("npz"), ["network"], examples=2, inputs=["forward", "W"])
    assert verdicts(found) == {"network.forward": "pass", "network.W": "pass"}


FILES = [
    ("npz", "none", "the program wrote no file of answers"),
    ("npz", "empty", "cannot be read: BadZipFile"),
    ("npz", "pickled", "holds pickled objects, which are not read: they would run code"),
    ("mat", "half", "is cut short: "),
]


@pytest.mark.parametrize(("kind", "spoil", "said"), FILES)
def test_a_file_of_answers_that_is_none_is_an_error(kind, spoil, said, filed):
    found = certify(filed(kind, "-", spoil), ["upsample"], examples=1)
    assert set(verdicts(found).values()) == {"error"}
    assert said in found.results[0].reason
