"""What is installed: entry points, types, dependencies, what an import costs, and what is public."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, metadata, packages_distributions
from importlib.resources import files
from pathlib import Path

import pytest

import gradcheck
from gradcheck.built_in import ADAPTERS
from tests.test_imports import OURS, ROOT, imports, sources

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
INSTALLED = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
OPTIONAL = {"torch", "jax", "jaxlib", "matplotlib", "pandas", "tensorflow", "cupy", "numba", "dask"}

TRIED = {"ml_dtypes"}
"""Imported in a try: what needs them is left out where they are missing."""

HOST = {"gradcheck.pytest_plugin": "pytest"}
"""A plugin is imported by its host alone, which then is there."""


def test_the_command_and_the_catalogue_are_found_where_they_are_said_to_be():
    (command,) = entry_points(group="console_scripts", name="gradcheck")
    assert command.load() is importlib.import_module("gradcheck.cli").main
    (catalogue,) = entry_points(group="gradcheck.catalogues", name="notes")
    assert catalogue.load() is importlib.import_module("reference.catalogue").operations


def test_the_metadata_are_those_of_the_project():
    installed = metadata("gradcheck")
    assert installed["Requires-Python"] == PROJECT["project"]["requires-python"] == ">=3.11"
    assert set(installed.get_all("Provides-Extra")) == set(EXTRAS)
    assert installed["Description-Content-Type"] == "text/markdown"


@pytest.mark.parametrize("package", ["gradcheck", "reference"])
def test_both_packages_are_typed(package):
    assert (files(package) / "py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"][package]


def data_files(package):
    """Files of a package that are no source, as paths inside it."""
    places = [each for each in sorted((ROOT / package).rglob("*.*")) if each.is_file()]
    inside = [each.relative_to(ROOT / package) for each in places if "__pycache__" not in each.parts]
    return [each.as_posix() for each in inside if each.suffix != ".py"]


@pytest.mark.parametrize("package", ["gradcheck", "reference"])
def test_files_that_are_no_source_are_installed_too(package):
    patterns = PROJECT["tool"]["setuptools"]["package-data"][package]
    assert "py.typed" in data_files(package)
    for name in data_files(package):
        assert any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns), name


def test_a_wheel_holds_both_packages_whole_and_nothing_else():
    patterns = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    for top in OURS:
        for place in sorted((ROOT / top).rglob("*.py")):
            name = ".".join(place.parent.relative_to(ROOT).parts)
            wanted = top in ("gradcheck", "reference")
            assert any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns) == wanted, name
            assert not wanted or (place.parent / "__init__.py").is_file(), name


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(requirements):
    return {plain(re.split(r"[^\w.-]", each)[0]) for each in requirements}


def undeclared(package, declared, *, only="", but="gradcheck.adapters."):
    """Third-party modules that a package imports when it is loaded, and that nothing declared brings."""
    found = {
        each.name.split(".")[0]
        for module, place in sources(package)
        if module.startswith(only) and not (but and module.startswith(but))
        for each in imports(module, place.read_text(encoding="utf-8"), package=place.name == "__init__.py")
        if each.at_load and each.name.split(".")[0] != HOST.get(module)
    }
    brought = packages_distributions()
    return {
        name
        for name in found - set(OURS) - TRIED - set(sys.stdlib_module_names)
        if not {plain(each) for each in brought.get(name, (name,))}
        & declared  # not installed: of its own name
    }


@pytest.mark.parametrize("package", OURS)
def test_what_is_imported_is_declared(package):
    declared = distributions(INSTALLED)
    if package in ("tests", "benchmarks"):
        declared |= distributions(EXTRAS["test"])
    assert not undeclared(package, declared)


@pytest.mark.parametrize("library", ADAPTERS)
def test_an_adapter_imports_no_more_than_its_extra_brings(library):
    declared = distributions(INSTALLED) | distributions(EXTRAS.get(library, ()))
    assert not undeclared("gradcheck", declared, only=f"gradcheck.adapters.{library}", but=None)


def test_every_adapter_has_an_extra_of_its_name():
    assert set(ADAPTERS) - {"scipy"} <= set(EXTRAS)
    for library in set(ADAPTERS) - {"scipy"}:
        assert library in distributions(EXTRAS[library])


def test_requirements_are_read_to_their_names():
    assert distributions(["scikit_learn>=1.5", "numpy>=2", "a.b[c]; python_version<'4'"]) == {
        "scikit-learn",
        "numpy",
        "a-b",
    }


def test_an_undeclared_import_is_seen():
    declared = distributions(INSTALLED) - {"numpy"}
    assert undeclared("reference", declared) == {"numpy"}


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("gradcheck", {"hypothesis", "pytest", "_pytest", "click", "rich", "reference"} | OPTIONAL),
        ("reference", {"hypothesis", "pytest", "_pytest", "click", "rich", "gradcheck"} | OPTIONAL),
        ("gradcheck.cli", {"pytest", "_pytest", "reference"} | OPTIONAL),
    ],
)
def test_an_import_brings_no_more_than_it_needs(module, unwanted):
    loaded = loaded_by(f"import {module}")
    assert module.split(".")[0] in loaded
    assert not loaded & unwanted


def test_what_an_import_brings_is_seen():
    assert "hypothesis" in loaded_by("import gradcheck.strategies")


def test_public_names_exist_and_are_in_order():
    assert len(set(gradcheck.__all__)) == len(gradcheck.__all__)
    assert sorted(gradcheck.__all__) == gradcheck.__all__
    for name in gradcheck.__all__:
        assert hasattr(gradcheck, name)


@pytest.mark.parametrize("name", gradcheck.__all__)
def test_public_names_are_shown_by_example(name):
    text = inspect.getdoc(getattr(gradcheck, name)) or ""
    assert "Examples\n--------" in text
    assert ">>> " in text
    assert text.splitlines()[0].endswith((".", ":"))


def test_the_licence_is_the_one_that_is_named():
    assert PROJECT["project"]["license"] == "BSD-3-Clause"
    (place,) = PROJECT["project"]["license-files"]
    text = (Path(ROOT) / place).read_text(encoding="utf-8")
    assert "Redistribution and use in source and binary forms" in text
    assert "Neither the name" in text


def test_an_sdist_holds_the_tests_with_all_that_they_need():
    """Of its own accord setuptools takes test_*.py alone: not the mutants and helpers, nor what they compile."""
    asked = [line.split() for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()]
    grafted = {each[1] for each in asked if each[0] == "graft"}
    single = {name for each in asked if each[0] == "include" for name in each[1:]}
    assert {"tests", "benchmarks"} <= grafted
    assert {"conftest.py", "CHANGELOG.md", ".ci/run"} <= single
    assert all((ROOT / name).exists() for name in grafted | single)


def test_what_is_built_is_tried_where_nothing_else_is_installed():
    said = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for needed in (
        "python3 -m build",
        "pip install dist/*.whl",
        "gradcheck certify --operation",
        "tar -xzf dist/",
    ):
        assert needed in said
    copied = said[said.index("cp -R ") : said.index('.ci "$scratch/source"')]
    assert all(
        each in copied
        for each in (*OURS, "conftest.py", "MANIFEST.in", "CHANGELOG.md", "README.md", "LICENSE")
    )
