"""Who imports whom: read from the sources, so that a judge never comes to share code with the accused."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

HOUSE = (
    "foreign", "estimate", "number", "answer", "rounding", "arguments", "directions", "batches", "probes",
    "tree", "packed", "oracle",
    "exhibit", "power", "verdict", "turns", "mistakes", "diagnose", "locate", "recall", "glance", "surroundings",
    "conduct", "elsewhere", "properties", "blame", "trial", "ground", "quick", "joint", "masked", "chance",
    "pieces", "ties", "kinks", "avoid", "stopping",
    "autopsy", "exhibiting", "task", "check", "linear", "pushed", "pushforward", "adjoint", "operator",
    "objective", "assertions",
    "rates", "stepped", "missteps", "step",
    "variant", "plain", "formats", "program", "protocol", "case", "operation", "coarse", "forward",
    "built_in", "hosting", "importing",
    "implementation", "translation",
    "environment",
    "schemas", "writing", "certificate", "tally", "training", "curvature", "judge", "required",
    "misdeclared", "strategies", "plan", "witness", "session", "ledger",
    "worker", "warden", "execution", "run", "book", "certify", "replay", "report",
    "vectors", "frameworks", "adapters", "bench", "options", "cli", "pytest_plugin", "__init__", "__main__",
)  # fmt: skip
"""A module of gradcheck imports only what stands before it; a folder stands as one, free inside.

The verdict, the place, the diagnosis and the conduct stand before the check that calls them.
"""

HEAVY = {
    "torch",
    "jax",
    "jaxlib",
    "matplotlib",
    "dask",
    "distributed",
    "numba",
    "autograd",
    "sklearn",
    "pandas",
    "tensorflow",
    "cupy",
}
OURS = ("gradcheck", "reference", "tests", "benchmarks")


class Import(NamedTuple):
    name: str  # dotted; of `from a import b` it is a.b, which may be a module or a name in one
    line: int
    at_load: bool  # outside every function, and not for type checkers alone


def imports(module: str, source: str, *, package: bool = False) -> Iterator[Import]:
    tree = ast.parse(source)
    late = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or for_type_checkers(node)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node, package)
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            names = list(called(node))
        for name in names:
            yield Import(name, node.lineno, node not in late)


def for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def absolute(module: str, node: ast.ImportFrom, package: bool) -> str:
    if not node.level:
        return node.module or ""
    up = node.level - (1 if package else 0)
    base = module.split(".")[: len(module.split(".")) - up]
    return ".".join([*base, *([node.module] if node.module else [])])


def called(node: ast.AST) -> Iterator[str]:
    """importlib.import_module("name") and __import__("name")."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in (
        "import_module",
        "__import__",
    ):
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def complaints(module: str, source: str, *, package: bool = False) -> list[str]:
    """What one source file imports against the rules, each as "module:line imports name: rule"."""
    return [
        f"{module}:{found.line} imports {found.name}: {rule}"
        for found in imports(module, source, package=package)
        for rule in broken(module, found)
    ]


def broken(module: str, found: Import) -> Iterator[str]:
    importer, imported = module.split("."), found.name.split(".")
    here, there = importer[0], imported[0]
    if here in ("gradcheck", "reference"):
        # an adapter is the library's face: it is itself imported only when used
        if there in HEAVY and found.at_load and not module.startswith("gradcheck.adapters."):
            yield "heavy packages are imported only when used"
        if there == "hypothesis" and not module.startswith(("gradcheck.strategies", "reference.catalogue")):
            yield "only gradcheck.strategies and the reference's catalogue import hypothesis"
        if (
            there in OURS
            and there != here
            and not (there == "gradcheck" and module.startswith("reference.catalogue"))
        ):
            yield "gradcheck and reference share no code; only reference.catalogue imports gradcheck"
    if there == "tests" and here not in ("tests", "gradcheck", "reference"):
        yield "only tests imports tests"
    if here == there == "gradcheck":
        yield from out_of_order(importer[1] if importer[1:] else "__init__", house_name(imported))


def house_name(dotted: list[str]) -> str:
    """The place of a module; of `gradcheck` itself, and of what is a name in it and no module, "__init__"."""
    if len(dotted) == 1 or (len(dotted) == 2 and dotted[1] not in HOUSE and not is_file(dotted)):
        return "__init__"
    return dotted[1]


def is_file(dotted: list[str]) -> bool:
    stem = ROOT.joinpath(*dotted)
    return stem.is_dir() or stem.with_suffix(".py").exists()


def out_of_order(importer: str, imported: str) -> Iterator[str]:
    for name in (importer, imported):
        if name not in HOUSE:
            yield f"{name} has no place in the house; give it one in HOUSE"
            return
    if importer != imported and HOUSE.index(imported) > HOUSE.index(importer):
        yield f"{imported} stands below {importer}"


def sources(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@pytest.mark.parametrize("package", OURS)
def test_imports_keep_the_rules(package):
    found = list(sources(package))
    assert found
    wrong = [
        complaint
        for module, path in found
        for complaint in complaints(
            module, path.read_text(encoding="utf-8"), package=path.name == "__init__.py"
        )
    ]
    assert not wrong, "\n".join(wrong)


def test_every_module_has_a_place():
    placed = {house_name(module.split(".")) for module, _ in sources("gradcheck")}
    assert placed <= set(HOUSE), placed - set(HOUSE)


WRONG = [
    ("gradcheck.verdict", "from gradcheck.check import check_vjp", "check stands below verdict"),
    ("gradcheck.verdict", "from gradcheck import check", "check stands below verdict"),
    ("gradcheck.verdict", "import gradcheck.check", "check stands below verdict"),
    ("gradcheck.verdict", "from .check import check_vjp", "check stands below verdict"),
    ("gradcheck.verdict", "from . import check", "check stands below verdict"),
    (
        "gradcheck.verdict",
        "def f():\n    from gradcheck.check import check_vjp",
        "check stands below verdict",
    ),
    (
        "gradcheck.verdict",
        "import importlib\nimportlib.import_module('gradcheck.check')",
        "check stands below verdict",
    ),
    ("gradcheck.verdict", "from gradcheck import check_vjp", "__init__ stands below verdict"),
    ("gradcheck.verdict", "import gradcheck", "__init__ stands below verdict"),
    ("gradcheck.probes.spectral", "from ..check import check_vjp", "check stands below probes"),
    ("gradcheck.probes", "from ..check import check_vjp", "check stands below probes"),
    ("gradcheck.conduct", "from gradcheck.report.html import page", "report stands below conduct"),
    ("gradcheck.novelty", "from gradcheck.estimate import Array", "novelty has no place in the house"),
    ("gradcheck.check", "import reference", "share no code"),
    ("gradcheck.check", "def f():\n    from reference.loss import squared_error", "share no code"),
    ("reference.loss", "from gradcheck.estimate import Array", "share no code"),
    ("reference.kernels.convolve", "import gradcheck", "share no code"),
    ("gradcheck.check", "from tests.test_imports import HOUSE", "share no code"),
    ("reference.loss", "from benchmarks import battery", "share no code"),
    ("benchmarks.battery", "from tests.test_imports import HOUSE", "only tests imports tests"),
    ("gradcheck.check", "import hypothesis", "import hypothesis"),
    ("gradcheck.report.html", "from hypothesis import strategies", "import hypothesis"),
    ("reference.loss", "import hypothesis.strategies", "import hypothesis"),
    ("gradcheck.frameworks.torch", "import torch", "heavy packages"),
    ("gradcheck.report.html", "import matplotlib.pyplot as plt", "heavy packages"),
    (
        "reference.kernels.convolve",
        "try:\n    import numba\nexcept ImportError:\n    numba = None",
        "heavy packages",
    ),
    ("gradcheck.bench", "class A:\n    from jax import numpy", "heavy packages"),
]


@pytest.mark.parametrize(("module", "source", "rule"), WRONG)
def test_a_forbidden_import_is_seen(module, source, rule):
    found = complaints(module, source, package=module == "gradcheck.probes")
    assert len(found) == 1, found
    assert rule in found[0]
    assert found[0].startswith(
        f"{module}:{len(source.splitlines()) - (2 if 'try' in source else 0)} imports "
    )


RIGHT = [
    ("gradcheck.check", "from gradcheck.verdict import Check\nfrom . import conduct\nimport numpy as np"),
    ("gradcheck.probes.spectral", "from gradcheck.probes.line import Line\nfrom .nodes import Nodes"),
    ("gradcheck.frameworks.torch", "def f():\n    import torch"),
    ("gradcheck.adapters.torch", "import torch"),
    (
        "gradcheck.report.html",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import matplotlib.pyplot",
    ),
    ("gradcheck.strategies", "import hypothesis"),
    ("reference.catalogue.cases", "from hypothesis import strategies\nfrom gradcheck.case import Case"),
    ("reference.network", "from reference._layers import Layer\nimport scipy.signal"),
    (
        "tests.test_check",
        "import autograd\nimport hypothesis\nimport reference",
    ),
    ("benchmarks.battery", "import gradcheck\nfrom reference import loss"),
]


@pytest.mark.parametrize(("module", "source"), RIGHT)
def test_an_allowed_import_is_not_complained_of(module, source):
    assert complaints(module, source) == []
