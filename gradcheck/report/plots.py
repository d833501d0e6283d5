"""Plots of a fault: where the gradient errs, by how much, and what the probe saw. Inline SVG, plain data in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from gradcheck.report.axes import across, linear, logarithmic, plot, upwards
from gradcheck.report.tree import Attributes, element

ABOVE, BELOW = "#d55e00", "#0072b2"
"""Vermilion and blue of Okabe and Ito, which readers tell apart however they see colours."""


@dataclass(frozen=True)
class Elements:
    """A claimed gradient beside the measured one, flat, with what two right numbers may differ by."""

    shape: tuple[int, ...]
    claimed: tuple[float, ...]
    measured: tuple[float, ...]
    allowed: tuple[float, ...]

    @classmethod
    def of(cls, exhibit: Mapping[str, Any]) -> Elements:
        """From the plain data of a certificate."""
        columns = [tuple(map(float, exhibit[name])) for name in ("claimed", "measured", "bounds", "rounding")]
        allowed = tuple(a + b for a, b in zip(columns[2], columns[3], strict=True))
        return cls(tuple(exhibit["shape"]), columns[0], columns[1], allowed)

    def difference(self, k: int) -> float:
        """Claimed less measured."""
        return self.claimed[k] - self.measured[k]

    def wrong(self, k: int) -> bool:
        """Whether the two cannot both be right."""
        return self.claimed[k] != self.measured[k] and not abs(self.difference(k)) <= self.allowed[k]

    @property
    def errors(self) -> list[int]:
        """Places of the wrong ones."""
        return [k for k in range(len(self.claimed)) if self.wrong(k)]

    def index(self, k: int) -> list[int]:
        """The index of a place."""
        found = []
        for side in reversed(self.shape):
            k, rest = divmod(k, side)
            found.append(rest)
        return found[::-1]

    @property
    def told(self) -> str:
        """How many are wrong, and the worst, in words."""
        wrong, count = self.errors, len(self.claimed)
        if not wrong:
            return f"None of {count} elements is wrong."
        worst = max(wrong, key=lambda k: _size(self.difference(k)))
        return (
            f"Wrong in {len(wrong)} of {count} elements, most at {self.index(worst)}: "
            f"{self.claimed[worst]:.4g} claimed, {self.measured[worst]:.4g} measured."
        )


def _size(value: float) -> float:
    return math.inf if math.isnan(value) else abs(value)


def scatter(elements: Elements, names: tuple[str, str], key: str) -> Element:
    """Claimed against measured, an element a point; what is right lies on the diagonal."""
    values = [*elements.claimed, *elements.measured]
    x, y = linear(values, *across()), linear(values, *upwards())
    title = f"{names[0]} against {names[1]}, element by element"
    svg = plot(key, title, f"Right elements lie on the diagonal. {elements.told}", x, y, (names[1], names[0]))
    ends = {"x1": x.start, "y1": y.start, "x2": x.end, "y2": y.end}
    svg.append(element("line", stroke="currentColor", stroke_dasharray="4 4", stroke_opacity=0.7, **ends))
    for k in sorted(range(len(elements.claimed)), key=elements.wrong):
        if math.isfinite(elements.claimed[k]) and math.isfinite(elements.measured[k]):
            svg.append(_point(x.at(elements.measured[k]), y.at(elements.claimed[k]), elements.wrong(k)))
    return svg


def _point(x: float, y: float, wrong: bool) -> Element:
    if not wrong:
        return element(
            "circle", class_="right", cx=x, cy=y, r=3.5, fill="none", stroke=BELOW, stroke_width=1.5
        )
    cross = f"M{x - 4:.5g} {y - 4:.5g}l8 8m0 -8l-8 8"
    return element("path", class_="wrong", d=cross, fill="none", stroke=ABOVE, stroke_width=2.0)


def decay(probe: Mapping[str, Any], key: str) -> Element:
    """Sizes of the Chebyshev coefficients by their number: how fast they fall, and where they stay level."""
    sizes = [abs(float(each)) for each in probe["coefficients"]]
    x, y = linear([0.0, float(len(sizes) - 1)], *across()), logarithmic(sizes, *upwards())
    shown = [size for size in sizes if size > 0]
    told = (
        f"{len(sizes)} coefficients, on a segment of half length {float(probe['step']):.3g}, "
        f"from {max(shown, default=0.0):.1e} down to {min(shown, default=0.0):.1e}; "
        f"the function looked {probe['finding']}."
    )
    svg = plot(key, "Chebyshev coefficients of the samples", told, x, y, ("number k", "|c_k|"))
    for k, size in enumerate(sizes):
        place = {"cx": x.at(float(k)), "cy": y.at(size)}
        svg.append(element("line", x1=x.at(float(k)), x2=x.at(float(k)), y1=y.start, y2=y.at(size), **_STEM))
        odd = {"class_": "odd", "fill": BELOW} if k % 2 else {"class_": "right", "fill": "none"}
        svg.append(element("circle", r=4.0, stroke=BELOW, stroke_width=1.5, **odd, **place))
    return svg


_STEM: Attributes = {"stroke": "currentColor", "stroke_opacity": 0.3}

_QUOTIENTS = (
    ("forward", "forward", "#e69f00", "2 3"),
    ("central", "central", BELOW, ""),
    ("extrapolated", "Richardson", "#009e73", "7 4"),
)


def steps(probe: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], key: str) -> Element:
    """Errors of difference quotients against their step, and the bound of the probe at its own."""
    columns = {name: [float(row[name]) for row in rows] for name in ("step", *(q[0] for q in _QUOTIENTS))}
    bound, own = float(probe["bound"]), float(probe["step"])
    errors = [error for name, *_ in _QUOTIENTS for error in columns[name]]
    x = logarithmic([*columns["step"], own], *across())
    y = logarithmic([*errors, bound], *upwards())
    central = [each for each in columns["central"] if math.isfinite(each)]
    told = (
        f"The best central quotient is off by {min(central, default=math.nan):.1e}, at one step of {len(rows)}; "
        f"the probe is off by at most {bound:.1e}, and says so."
    )
    svg = plot(key, "Errors of difference quotients by step", told, x, y, ("step h", "error"))
    for name, _, colour, dashes in _QUOTIENTS:
        places = zip(columns["step"], columns[name], strict=True)
        points = [f"{x.at(h):.5g},{y.at(error):.5g}" for h, error in places if math.isfinite(error)]
        line: Attributes = {"stroke": colour, "stroke_width": 2.0, "stroke_dasharray": dashes or None}
        svg.append(element("polyline", class_=name, points=" ".join(points), fill="none", **line))
    svg.append(_diamond(x.at(own), y.at(bound)))
    svg.append(
        element("line", x1=x.start, x2=x.end, y1=y.at(bound), y2=y.at(bound), class_="wrong", **_DOTTED)
    )
    return svg


_DOTTED: Attributes = {"stroke": ABOVE, "stroke_dasharray": "1 4", "stroke_width": 1.5}


def _diamond(x: float, y: float) -> Element:
    return element("path", class_="probe", d=f"M{x:.5g} {y - 6:.5g}l6 6l-6 6l-6 -6z", fill=ABOVE)


def steps_key() -> Element:
    """Which line is which: by its dashes as well as by its colour."""
    parts = []
    for name, said, colour, dashes in _QUOTIENTS:
        line: Attributes = {"stroke": colour, "stroke_width": 2.5, "stroke_dasharray": dashes or None}
        mark = element("line", class_=name, x1=1.0, x2=31.0, y1=6.0, y2=6.0, **line)
        parts.append(_keyed(mark, said))
    parts.append(_keyed(_diamond(16.0, 6.0), "the probe, with its bound"))
    return element("ul", *parts, class_="key")


def _keyed(mark: Element, said: str) -> Element:
    icon = element("svg", mark, viewBox="0 0 32 12", width="32", height="12", aria_hidden="true")
    return element("li", icon, f" {said}")
