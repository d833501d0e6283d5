"""Vectors are right, the same for a seed, and judged without trust in what comes back."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from gradcheck.case import Case
from gradcheck.cli import main
from gradcheck.formats import SCHEMA
from gradcheck.implementation import load
from gradcheck.operation import Input, Operation, operations
from gradcheck.oracle import gradient
from gradcheck.report.words import again
from gradcheck.schemas import vector_schema
from gradcheck.vectors import FORMATS, VectorError, export, judge_answers, vector_of

OFFERS = load("reference", operations()).offers
FEW = ["dense", "upsample", "softmax"]
ANY = ["npz", "mat", "json", "safetensors"]


def with_format(kind):
    return pytest.importorskip("safetensors") if kind == "safetensors" else None


def answered(folder, change=lambda name, arrays: arrays, kind="npz"):
    """Answers by the reference, as another program would write them from the files alone."""
    form = FORMATS[kind]
    (folder / "answers").mkdir(exist_ok=True)
    for place in sorted(folder.glob(f"*-*.{kind}")):
        arrays, facts = form.load(place.read_bytes(), 2**30)
        shapes = facts["case"]["shapes"]
        options = Case({}, frozen(facts["case"]["options"])).arguments()
        inputs = [arrays[f"input_{name}"].reshape(shape) for name, shape in shapes.items()]
        offer = OFFERS[facts["operation"]]
        output = np.asarray(offer.forward(*inputs, **options))
        found = offer.vjp(arrays["cotangent"].reshape(output.shape), *inputs, **options)
        found = found if isinstance(found, tuple) else (found,)
        mine = {f"gradient_{name}": np.asarray(g) for name, g in zip(shapes, found, strict=True)}
        written = change(place.stem, {"output": output} | mine)
        (folder / "answers" / place.name).write_bytes(form.dump(written, {}))


def frozen(value):
    if isinstance(value, dict):
        return {name: frozen(each) for name, each in value.items()}
    return tuple(map(frozen, value)) if isinstance(value, list) else value


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    export(folder, FEW, examples=3)
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    for place in exported.iterdir():
        (tmp_path / place.name).write_bytes(place.read_bytes())
    return tmp_path


def rows(certificate):
    return {(each.operation, each.input): each for each in certificate.results}


@pytest.mark.parametrize("name", [name for name in operations() if name != "network"])
def test_a_right_answer_to_any_operation_passes(name, tmp_path):
    export(tmp_path, [name], examples=2)
    answered(tmp_path)
    found = judge_answers(tmp_path)
    assert found.exit_status == 0, [each.reason for each in found.results]
    assert {each.input for each in found.results} == {
        "forward",
        *(each.name for each in operations()[name].inputs),
    }


@pytest.mark.parametrize("kind", ANY)
def test_every_format_carries_the_same(kind, tmp_path):
    with_format(kind)
    export(tmp_path, FEW, examples=3, format=kind)
    answered(tmp_path, kind=kind)
    found = judge_answers(tmp_path)
    assert found.exit_status == 0, [each.reason for each in found.results]
    assert rows(found)["upsample", "x"].evidence == "exact"
    assert rows(found)["upsample", "x"].resolution == 0


@pytest.mark.parametrize("kind", ANY)
def test_the_same_seed_gives_the_same_bytes_and_another_others(kind, tmp_path):
    with_format(kind)
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        export(tmp_path / name, ["upsample", "softmax"], examples=2, format=kind, seed=seed)
    one, two, other = (sorted((tmp_path / name).iterdir()) for name in ("one", "two", "other"))
    assert [each.read_bytes() for each in one] == [each.read_bytes() for each in two]
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(one, other, strict=True))


def test_the_bytes_do_not_depend_on_the_process(tmp_path):
    wanted = export(tmp_path / "here", ["convolve_valid"], examples=2, format="json")
    command = [
        "vectors",
        "export",
        str(tmp_path / "there"),
        "--operation",
        "convolve_valid",
        "--examples",
        "2",
    ]
    subprocess.run(
        [sys.executable, "-m", "gradcheck", *command, "--format", "json"],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    for name in wanted:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_a_vector_says_what_it_is_of(exported):
    arrays, facts = FORMATS["npz"].load((exported / "dense-001.npz").read_bytes(), 2**20)
    assert facts["operation"] == "dense"
    assert facts["case"]["options"] == {"activation": "tanh"}
    assert {"one unit", "gaussian values"} <= set(facts["flags"])
    assert facts["errata"] == {}  # with one weight x δᵀ is δ xᵀ
    assert "E1" in FORMATS["npz"].load((exported / "dense-002.npz").read_bytes(), 2**20)[1]["errata"]
    assert "δ xᵀ" in facts["equations"]["D5"]
    assert facts["evidence"]["W"] == {"method": "complex step", "exact": False}
    assert set(arrays) >= {"input_x", "cotangent", "output", "output_bound", "gradient_W", "gradient_W_bound"}
    listed = json.loads((exported / "vectors.json").read_text(encoding="utf-8"))
    assert listed["vectors"][0]["file"] == "dense-000.npz"


def test_a_gradient_of_zero_is_flagged_and_its_rounding_allowed(tmp_path):
    export(tmp_path, ["sparsity"], examples=3)
    answered(tmp_path)
    found = judge_answers(tmp_path)
    assert rows(found)["sparsity", "c"].zero_everywhere
    listed = json.loads((tmp_path / "vectors.json").read_text(encoding="utf-8"))
    assert all("zero gradient of c" in row["flags"] for row in listed["vectors"])


@pytest.mark.parametrize("name", ["dense", "subsampling", "combination"])
def test_numeric_gradients_agree_with_the_spectral_probe(name):
    operation = operations()[name]
    case = next(each for each in operation.edges if each.kind == "gaussian")
    vector = vector_of(operation, case, 5)
    values = dict(vector.inputs)
    for each, known in vector.gradients.items():
        seen = gradient(
            lambda x, each=each: np.sum(
                vector.cotangent * operation.forward(*(values | {each: x}).values(), **case.arguments())
            ),
            values[each],
        )
        assert (np.abs(seen.value - known.value) <= seen.bound + known.bound).all()
        assert known.method == "complex step"


def test_code_that_drops_imaginary_parts_is_measured_at_real_points():
    bent = Operation("bent", "", (Input("x", ("N",), ""),), lambda x: np.abs(x) ** 3, None)
    vector = vector_of(bent, Case({"x": (4,)}), 0)
    known, x = vector.gradients["x"], vector.inputs["x"]
    assert known.method == "spectral"
    assert (np.abs(known.value - vector.cotangent * 3 * x * np.abs(x)) <= known.bound).all()


def test_an_exact_vector_is_missed_by_the_smallest_difference(folder):
    answered(
        folder,
        lambda name, a: a | {"gradient_x": np.nextafter(a["gradient_x"], np.inf)} if "up" in name else a,
    )
    row = rows(judge_answers(folder))["upsample", "x"]
    assert (str(row.verdict), row.cases) == ("fail", 3)
    assert row.reason.startswith("differs from the vector in ")


def test_a_small_mistake_fails_where_it_is(folder):
    def change(name, arrays):
        if name == "dense-001":
            arrays["gradient_W"] = arrays["gradient_W"] * (1 + 1e-9)
        return arrays

    answered(folder, change)
    found = judge_answers(folder)
    assert found.exit_status == 1
    assert [key for key, row in rows(found).items() if row.verdict == "fail"] == [("dense", "W")]
    assert rows(found)["dense", "W"].worst["case"]["number"] == 1


ARRAYS = [
    (
        lambda a: a | {"gradient_x": a["gradient_x"] * np.nan},
        "fail",
        "in 27 of 27 elements, of which 27 are NaN or infinite",
    ),
    (lambda a: a | {"gradient_x": a["gradient_x"].T[..., None]}, "fail", "has shape "),
    (
        lambda a: a | {"gradient_x": a["gradient_x"] * 1j},
        "error",
        "gradient_x has dtype complex128, wanted real",
    ),
    (lambda a: a | {"gradient_z": a["gradient_x"]}, "error", "has arrays that nobody asked for: gradient_z"),
]


@pytest.mark.parametrize(("change", "verdict", "reason"), ARRAYS)
def test_a_wrong_array_is_one_case_of_one_operation(folder, change, verdict, reason):
    answered(folder, lambda name, arrays: change(arrays) if name == "upsample-002" else arrays)
    found = judge_answers(folder)
    row = rows(found)["upsample", "x"]
    assert (str(row.verdict), row.cases) == (verdict, 3)
    assert reason in row.reason
    assert f"({verdict} in 1 of 3 cases)" in row.reason
    assert all(str(each.verdict) == "pass" for each in found.results if each.operation != "upsample")


def test_what_is_left_out_is_not_offered_and_never_green(folder):
    answered(
        folder, lambda name, arrays: {n: a for n, a in arrays.items() if n not in ("gradient_b", "output")}
    )
    found = judge_answers(folder)
    missing = [(each.operation, each.input) for each in found.not_offered]
    assert missing == [("dense", "forward"), ("dense", "b"), ("upsample", "forward"), ("softmax", "forward")]


def test_a_case_without_an_answer_is_in_error_and_an_operation_without_any_not_offered(folder):
    answered(folder)
    (folder / "answers" / "dense-001.npz").unlink()
    for place in (folder / "answers").glob("softmax-*"):
        place.unlink()
    (folder / "answers" / "surplus.npz").write_bytes(b"")
    found = judge_answers(folder)
    assert "there is no answer to this case" in rows(found)["dense", "x"].reason
    assert {each.operation for each in found.not_offered} == {"softmax"}
    assert found.exit_status == 3
    assert found.notes == ("files that answer no vector: surplus.npz",)


class Evil:
    def __reduce__(self):
        return (os.system, ("touch executed",))


def pickled():
    out = io.BytesIO()
    np.savez(out, gradient_x=np.array([Evil()], dtype=object))
    return out.getvalue()


def claiming(shape):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return archive(head.getvalue())


def archive(member, name="gradient_x.npy"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, member)
    return out.getvalue()


BROKEN = {
    "pickled": (pickled(), "holds pickled objects, which are not read"),
    "a plain pickle": (pickle.dumps([1]), "cannot be read: BadZipFile"),
    "empty": (b"", "cannot be read: BadZipFile"),
    "too large": (b"0" * (2**20 + 2**16), "has 1114112 bytes, wanted at most "),
    "bomb": (archive(b"0" * 2**24), "unpacks to 16777216 bytes, wanted at most "),
    "claims what is not there": (
        claiming((10**15,)),
        "is cut short: 0 bytes for 1000000000000000 of float64",
    ),
    "no array": (archive(b"nothing"), "cannot be read: "),
    "a path": (archive(b"x", "../../evil.npy"), "cannot be read: "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_case_in_error_and_runs_nothing(folder, name, monkeypatch):
    monkeypatch.chdir(folder)
    data, reason = BROKEN[name]
    answered(folder)
    (folder / "answers" / "upsample-001.npz").write_bytes(data)
    found = judge_answers(folder)
    row = rows(found)["upsample", "x"]
    assert (str(row.verdict), row.cases) == ("error", 3)
    assert f"upsample-001.npz: {reason}" in row.reason
    assert rows(found)["dense", "x"].verdict == "pass"
    assert not (folder / "executed").exists()


def test_a_file_cut_anywhere_is_in_error(folder):
    answered(folder)
    place = folder / "answers" / "upsample-001.npz"
    whole = place.read_bytes()
    for size in range(0, len(whole), 97):
        place.write_bytes(whole[:size])
        assert rows(judge_answers(folder))["upsample", "x"].verdict == "error"


@pytest.mark.parametrize("kind", ANY)
def test_garbage_in_any_format_is_one_case_in_error(kind, tmp_path):
    with_format(kind)
    export(tmp_path, ["upsample", "softmax"], examples=2, format=kind)
    answered(tmp_path, kind=kind)
    place = tmp_path / "answers" / f"upsample-001.{kind}"
    whole = place.read_bytes()
    huge = (2**40).to_bytes(8, "little") + b"{}"
    for data in (b"", bytes(8), huge, b"\xff" * 200, whole[: len(whole) // 2], whole[:-1], pickle.dumps([1])):
        if data.strip() == whole.strip():  # JSON ends with a line break that nobody needs
            continue
        place.write_bytes(data)
        found = rows(judge_answers(tmp_path))
        assert str(found["upsample", "x"].verdict) == "error", data
        assert f"upsample-001.{kind}: " in found["upsample", "x"].reason
        assert found["upsample", "x"].evidence_cases == {"exact": 1, "none": 1}
        assert str(found["softmax", "c"].verdict) == "pass"


JSON = [
    ("[]", 'has no "arrays"'),
    ('{"arrays": {"gradient_x": 3}}', "cannot be read: TypeError"),
    ('{"arrays": {"gradient_x": {"shape": [2], "data": ["0x1p0"]}}}', "gradient_x has 1 elements, wanted 2"),
    ('{"arrays": {"gradient_x": {"shape": [1], "data": ["one"]}}}', "gradient_x has 'one' for element 0"),
    ("[" * 100000, "cannot be read: RecursionError"),
]


def test_malformed_json_is_in_error(tmp_path):
    export(tmp_path, ["upsample"], examples=2, format="json")
    answered(tmp_path, kind="json")
    for text, reason in JSON:
        (tmp_path / "answers" / "upsample-001.json").write_text(text, encoding="utf-8")
        assert reason in rows(judge_answers(tmp_path))["upsample", "x"].reason


def test_json_vectors_fit_their_schema_and_lose_no_bit(tmp_path):
    export(tmp_path, FEW, examples=2, format="json")
    schema = json.loads(vector_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    for place in tmp_path.glob("*-*.json"):
        data = json.loads(place.read_text(encoding="utf-8"))
        jsonschema.validate(data, schema)
        assert data["schema"] == SCHEMA
    listed = json.loads((tmp_path / "vectors.json").read_text(encoding="utf-8"))
    jsonschema.validate(
        listed, {"$ref": "#/$defs/list", **{each: schema[each] for each in ("$defs", "properties")}}
    )
    found = data["arrays"]["cotangent"]["data"]
    assert [float.fromhex(each).hex() for each in found] == found
    del data["arrays"]["cotangent"]["shape"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: None, "vectors: there are no answers"),
        (lambda folder: (folder / "vectors.json").unlink(), "holds no list of vectors"),
        (lambda folder: (folder / "vectors.json").write_text("{}"), "holds no list of vectors"),
        (lambda folder: (answered(folder), (folder / "dense-000.npz").unlink()), "dense-000.npz is missing"),
        (
            lambda folder: (answered(folder), (folder / "dense-000.npz").write_bytes(b"")),
            "is not as it was exported",
        ),
    ],
)
def test_vectors_that_are_not_what_was_exported_are_refused(folder, spoil, said):
    spoil(folder)
    done = CliRunner().invoke(main, ["vectors", "judge", str(folder)])
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_the_command_exports_and_judges(tmp_path):
    run = CliRunner().invoke
    done = run(main, ["vectors", "export", str(tmp_path), "--operation", "upsample", "--examples", "2"])
    assert (done.exit_code, done.output) == (0, f"{tmp_path}: 2 vectors and their list, vectors.json\n")
    answered(tmp_path)
    done = run(main, ["vectors", "judge", str(tmp_path), "--json", str(tmp_path / "certificate.json")])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "certificate.json").read_text(encoding="utf-8"))["verdict"] == "pass"
    done = run(main, ["replay", str(tmp_path / "certificate.json"), "--result", "0"])
    assert done.exit_code == 2
    assert "replay: the certificate is of answers in files, which cannot be asked again" in done.output
    answered(tmp_path, lambda name, a: a | {"output": a["output"] + 1})
    done = run(main, ["vectors", "judge", str(tmp_path)])
    assert done.exit_code == 1
    assert "differs from the vector" in done.output
    found = judge_answers(tmp_path)
    assert again(found, found.results[0]) == [("every answer", f"gradcheck vectors judge {tmp_path}")]
    assert run(main, ["vectors", "schema"]).output == vector_schema()


def test_wrong_calls_are_refused(tmp_path):
    with pytest.raises(VectorError, match="no such format"):
        export(tmp_path, format="xml")
    (tmp_path / "file").write_text("")
    with pytest.raises(VectorError, match="cannot be written"):
        export(tmp_path / "file", ["upsample"], examples=1)
    done = CliRunner().invoke(main, ["vectors", "export", str(tmp_path), "--operation", "upsampled"])
    assert done.exit_code == 2
    assert "no operation is called 'upsampled'" in done.output


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    with pytest.raises(VectorError, match="pip install 'gradcheck\\[safetensors\\]'"):
        export(tmp_path, ["upsample"], examples=1, format="safetensors")


def test_the_gradient_of_what_a_case_holds_fixed_may_be_answered(tmp_path):
    combination = operations()["combination"]
    (fixed,) = [each for each in combination.edges if each.fixed][:1]
    only = replace(combination, edges=(fixed,))
    export(tmp_path, ["combination"], examples=1, catalogue={"combination": only})
    answered(tmp_path)
    found = judge_answers(tmp_path)
    assert found.exit_status == 0
    assert {each.input: each.evidence for each in found.results} == dict.fromkeys(
        ["forward", "x", "k", "b"], "exact"
    )


def test_by_default_every_edge_is_there_and_flagged(tmp_path):
    names = ["sigmoid", "downsample", "convolve_valid", "sparsity"]
    export(tmp_path, names)
    listed = json.loads((tmp_path / "vectors.json").read_text(encoding="utf-8"))["vectors"]
    for name in names:
        cases = [row["case"]["shapes"] for row in listed if row["operation"] == name]
        edges = [Case.describe(each)["shapes"] for each in operations()[name].edges]
        assert cases[: len(edges)] == edges
        assert len(cases) >= 8
    flags = {flag for row in listed for flag in row["flags"]}
    assert flags >= {
        "kernel as large as the map", "n is 1", "one map", "one pattern", "large values", "extreme values",
        "zero gradient of c", "input map that feeds nothing", "zeros values", "integers values",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ANY)
def test_blind_vectors_hold_no_answer_and_are_judged_as_the_others(kind, tmp_path):
    with_format(kind)
    names = ["dense", "upsample", "sparsity"]
    for name, blind in (("seeing", False), ("blind", True)):
        export(tmp_path / name, names, examples=3, format=kind, blind=blind)
        answered(tmp_path / name, kind=kind)
    for place in (tmp_path / "blind").glob(f"*-*.{kind}"):
        arrays, facts = FORMATS[kind].load(place.read_bytes(), 2**30)
        assert {each.partition("_")[0] for each in arrays} == {"input", "cotangent"}
        assert "evidence" not in facts
        assert not any("zero gradient" in flag for flag in facts["flags"])
    assert "gradient" not in (tmp_path / "blind" / "vectors.json").read_text(encoding="utf-8").replace(
        "the gradient", ""
    )
    seeing, blind = (judge_answers(tmp_path / name) for name in ("seeing", "blind"))
    assert blind.exit_status == 0
    assert blind.results == seeing.results


def test_blind_answers_are_failed_for_what_they_are(tmp_path):
    export(tmp_path, ["upsample"], examples=3, blind=True)
    answered(tmp_path, lambda name, a: a | {"gradient_x": np.nextafter(a["gradient_x"], np.inf)})
    assert rows(judge_answers(tmp_path))["upsample", "x"].verdict == "fail"


def test_blind_vectors_of_another_catalogue_are_refused(tmp_path):
    export(tmp_path, ["upsample"], examples=1, blind=True)
    answered(tmp_path)
    listed = json.loads((tmp_path / "vectors.json").read_text(encoding="utf-8"))
    (tmp_path / "vectors.json").write_text(json.dumps(listed | {"seed": 1}), encoding="utf-8")
    with pytest.raises(VectorError, match="asks something else than this version does"):
        judge_answers(tmp_path)
    listed["vectors"][0]["case"]["shapes"] = 3
    (tmp_path / "vectors.json").write_text(json.dumps(listed), encoding="utf-8")
    with pytest.raises(VectorError, match="the list says nothing useful of"):
        judge_answers(tmp_path)
