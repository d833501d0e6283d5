"""Tree: HTML, SVG and MathML as elements, so that no text can be forgotten to be escaped."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, fromstring, tostring

from gradcheck.report import words

Child = Element | str | None
Attributes = dict[str, str | float | None]

_MATHML = {
    *("math", "mrow", "mi", "mo", "mn", "mtext", "mspace", "mfrac", "msqrt", "mroot", "mstyle"),
    *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mpadded"),
}
_PLAIN = {
    "stretchy",
    "fence",
    "separator",
    "width",
    "display",
    "displaystyle",
    "mathvariant",
    "accent",
    "form",
}
"""Attributes of MathML that neither run nor load anything."""


def element(tag: str, *children: Child, **attributes: str | float | None) -> Element:
    """An element; texts among its children are made visible, and None stands for nothing.

    In attributes `class_` is class, and other underscores are hyphens.

    Examples
    --------
    >>> text(element("p", "a < b ", element("b", "c"), class_="x"))
    '<p class="x">a &lt; b <b>c</b></p>'
    """
    found = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            told = f"{value:.6g}" if isinstance(value, float) else words.visible(str(value))
            found.set(name.rstrip("_").replace("_", "-"), told)
    append(found, *children)
    return found


def append(parent: Element, *children: Child) -> None:
    """Add children to an element."""
    for child in children:
        if isinstance(child, str):
            said = words.visible(child)
            if len(parent):
                parent[-1].tail = (parent[-1].tail or "") + said
            else:
                parent.text = (parent.text or "") + said
        elif child is not None:
            parent.append(child)


def raw(tag: str, source: str) -> Element:
    """A script or style sheet of our own, as it is."""
    found = Element(tag)
    found.text = source
    return found


def mathml(source: str) -> Element | None:
    """MathML of a catalogue as an element; None for what is none, or does more than show an equation.

    Examples
    --------
    >>> mathml("<math><mi>x</mi></math>").tag, mathml("<math><script/></math>"), mathml("x = 1")
    ('math', None, None)
    """
    try:
        root = fromstring(source)
    except ParseError:
        return None
    if root.tag != "math" or any(
        each.tag not in _MATHML or set(each.attrib) - _PLAIN for each in root.iter()
    ):
        return None
    root.set("displaystyle", "true")  # sums with their limits below; as a block it would be centred
    return root


def text(root: Element) -> str:
    """The HTML of an element."""
    return tostring(root, encoding="unicode", method="html")
