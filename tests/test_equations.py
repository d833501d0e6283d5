"""The equations that pages show: made from their LaTeX, and the same as the statements beside them."""

import re
from xml.etree import ElementTree

import pytest

from gradcheck.operation import operations
from gradcheck.report import tree
from reference.catalogue.latex import LATEX, converted
from reference.catalogue.statements import EQUATIONS, mathml

FUNCTIONS = {"conv2", "rot180", "up", "down", "exp", "tanh", "sign", "sigmoid", "identity"}

PROSE = {"L3", "K1", "K2", "K3"}
"""Statements in words, which their equations put into signs."""

SAME = {"½": "12", "²": "2", "Σ": "∑", "'valid'": "", "'full'": "", "ᵀ": "^T", "·": "⋅", "Ẽ": "E~", "′": "'"}


def signs(text):
    """What an equation says: its signs but for those that place them, without the prose round it."""
    for ours, theirs in SAME.items():
        text = text.replace(ours, theirs)
    prose = re.compile(r"(?<![\w^{])[A-Za-z]{2,}\d*")
    text = prose.sub(lambda word: word[0] if word[0] in FUNCTIONS else "", text)
    return re.sub(r"[\s/{}_^,;:.()⁠ ]", "", text)


def shown(name):
    """The same of the MathML: prose in mtext left out."""
    root = ElementTree.fromstring(mathml()[name])
    for each in root.iter("mtext"):
        each.text = ""
    return signs(" ".join(root.itertext()))


def test_every_equation_has_its_mathml_and_there_are_no_others():
    assert list(LATEX) == list(EQUATIONS) == list(mathml())


@pytest.mark.parametrize("name", LATEX)
def test_the_file_is_what_the_converter_makes_of_the_latex(name):
    assert mathml()[name] == converted(LATEX[name])


@pytest.mark.parametrize("name", [name for name in LATEX if name not in PROSE])
def test_an_equation_has_the_signs_of_its_statement(name):
    said = signs(EQUATIONS[name])
    # a lone letter between words is prose ("the patch p_i", "η_ij for each weight"), so the order decides
    assert said.replace("a", "") == shown(name).replace("a", "") or sorted(said) == sorted(shown(name))


def test_another_equation_has_other_signs():
    assert signs(EQUATIONS["C7"]) != shown("C6")
    assert signs(EQUATIONS["L2"]) != shown("L1")


def test_every_equation_that_an_operation_lists_can_be_shown():
    for operation in operations().values():
        for name in operation.equations:
            assert tree.mathml(operation.mathml[name]) is not None, (operation.name, name)
