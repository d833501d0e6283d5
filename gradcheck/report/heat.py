"""Heat map: the error of a gradient where it lies, panels of its last two axes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from gradcheck.report.axes import picture
from gradcheck.report.plots import ABOVE, BELOW, Elements
from gradcheck.report.tree import Attributes, element

SIDE, GAP, LABEL = 400.0, 12.0, 16.0
"""Room for all panels; between two; and for the index above each."""

TITLED = 1024
"""Wrong cells that tell their numbers when pointed at: a page of more would be slow."""

LINE = 32
"""Elements of one dimension in a line, where there are not enough for a square."""

LEAST, MOST, STRETCH = 2.0, 40.0, 4.0
"""Sides of a cell, and how much longer one may be than the other where an array is very wide or high."""


@dataclass(frozen=True)
class Panels:
    """How an array is laid out: `rows` by `columns` panels of `height` by `width` cells."""

    rows: int
    columns: int
    height: int
    width: int

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Panels:
        """Two axes are a panel, four a table of panels; fewer are one line or several.

        Examples
        --------
        >>> Panels.of((2, 3, 5, 4)), Panels.of((40,))
        (Panels(rows=2, columns=3, height=5, width=4), Panels(rows=1, columns=1, height=2, width=32))
        """
        size = math.prod(shape)
        if len(shape) < 2 or (math.prod(shape[:-1]) == 1 and shape[-1] > LINE):
            width = min(max(size, 1), max(LINE, math.isqrt(size)))
            return cls(1, 1, math.ceil(max(size, 1) / width), width)
        *leading, height, width = shape
        if len(leading) == 2:
            return cls(leading[0], leading[1], height, width)
        count = math.prod(leading)
        columns = math.ceil(math.sqrt(count * height / width)) if count else 1
        columns = min(max(columns, 1), max(count, 1))
        return cls(math.ceil(count / columns), columns, height, width)

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of a cell: square but where an array is much wider than high, or higher than wide."""
        wide = (SIDE - GAP * (self.columns - 1)) / (self.columns * self.width)
        high = (SIDE - (GAP + LABEL) * (self.rows - 1)) / (self.rows * self.height)
        wide, high = (min(max(side, LEAST), MOST) for side in (wide, high))
        least = min(wide, high)
        return (least, least) if least > MOST / 8 else (min(wide, STRETCH * high), min(high, STRETCH * wide))

    def place(self, k: int) -> tuple[float, float]:
        """The corner of the cell of the element at a place in C order."""
        panel, inside = divmod(k, self.height * self.width)
        (row, column), (down, right) = divmod(panel, self.columns), divmod(inside, self.width)
        wide, high = self.cell
        return (
            column * (self.width * wide + GAP) + right * wide,
            LABEL + row * (self.height * high + GAP + LABEL) + down * high,
        )

    @property
    def size(self) -> tuple[float, float]:
        """Of the whole picture."""
        wide, high = self.cell
        return (
            self.columns * self.width * wide + (self.columns - 1) * GAP,
            self.rows * (self.height * high + LABEL + GAP) - GAP,
        )


def heat_map(elements: Elements, key: str) -> Element:
    """Every element a cell: empty where it is right, else the stronger the larger its error."""
    panels = Panels.of(elements.shape)
    width, height = panels.size
    title = "Error of the gradient, by its place"
    svg = picture(key, title, elements.told, max(width, 120.0), height)
    svg.set("class", "heat")
    if width <= 400:
        svg.set("width", f"{max(width, 120.0):.6g}")
    for each in _labels(elements, panels):
        svg.append(each)
    reach, titles = _reach(elements), len(elements.errors) <= TITLED
    for k in range(len(elements.claimed)):
        svg.append(_cell(elements, k, panels, reach, titles))
    return svg


def _labels(elements: Elements, panels: Panels) -> Iterator[Element]:
    """The index of each panel above it, where it has room."""
    inside = panels.height * panels.width
    for k in range(0, len(elements.claimed), inside) if len(elements.shape) > 2 else ():
        x, y = panels.place(k)
        told = f"[{', '.join(map(str, elements.index(k)[:-2]))}, …]"
        if panels.width * panels.cell[0] + GAP >= 6.5 * len(told):
            yield element("text", told, x=x, y=y - 4)


def _reach(elements: Elements) -> tuple[float, float]:
    """The smallest and the largest finite error among the wrong elements."""
    errors = [abs(elements.difference(k)) for k in elements.errors]
    finite = [error for error in errors if 0 < error < math.inf]
    return (min(finite), max(finite)) if finite else (1.0, 1.0)


def _cell(elements: Elements, k: int, panels: Panels, reach: tuple[float, float], titled: bool) -> Element:
    (x, y), (wide, high) = panels.place(k), panels.cell
    box = {"x": x + 0.5, "y": y + 0.5, "width": max(wide - 1, 1.0), "height": max(high - 1, 1.0)}
    if not elements.wrong(k):
        return element("rect", class_="still", fill="none", stroke="currentColor", stroke_opacity=0.25, **box)
    difference = elements.difference(k)
    if math.isfinite(difference):
        strength = 0.35 + 0.65 * _share(abs(difference), reach)
        colour, kind = (ABOVE, "above") if difference > 0 else (BELOW, "below")
        found = element("rect", class_=kind, fill=colour, fill_opacity=strength, **box)
    else:
        right, down = max(wide - 2, 1.0), max(high - 2, 1.0)
        cross = f"M{x + 1:.5g} {y + 1:.5g}l{right:.5g} {down:.5g}m0 {-down:.5g}l{-right:.5g} {down:.5g}"
        found = element("path", class_="none", d=cross, fill="none", stroke="currentColor", stroke_width=1.5)
    if titled:
        told = f"{elements.index(k)}: {elements.claimed[k]:.6g} claimed, {elements.measured[k]:.6g} measured"
        found.append(element("title", told))
    return found


def _share(error: float, reach: tuple[float, float]) -> float:
    low, high = reach
    return math.log(error / low) / math.log(high / low) if high > low * (1 + 1e-9) else 1.0


def heat_key(elements: Elements) -> Element:
    """What the colours mean, with the numbers at their ends."""
    errors = [abs(elements.difference(k)) for k in elements.errors]
    swatches = [
        _swatch("below", BELOW, "too small"),
        _swatch("above", ABOVE, "too large"),
        _swatch("still", "none", "right, within the bound"),
    ]
    (low, high), scale = _reach(elements), None
    if any(map(math.isfinite, errors)):
        scale = f"the stronger the more, from {low:.1e} to {high:.1e}" if high > low else f"by {high:.1e}"
    lost = "× infinite, or no number" if not all(map(math.isfinite, errors)) else None
    more = [element("li", said) for said in (scale, lost) if said]
    return element("ul", *swatches, *more, class_="key")


def _swatch(kind: str, colour: str, said: str) -> Element:
    outline: Attributes = {"stroke": "currentColor", "stroke_opacity": 0.4 if colour == "none" else 0.0}
    box = element("rect", class_=kind, x=0.5, y=0.5, width=11.0, height=11.0, fill=colour, **outline)
    icon = element("svg", box, viewBox="0 0 12 12", width="12", height="12", aria_hidden="true")
    return element("li", icon, f" {said}")
