"""Axes: scales with ticks and the frame of a plot, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from gradcheck.report.tree import Attributes, element

WIDTH, HEIGHT = 420.0, 290.0
"""Of a plot, in units that are pixels where it is not shrunk."""
LEFT, RIGHT, TOP, BOTTOM = 66.0, 14.0, 12.0, 46.0


@dataclass(frozen=True)
class Scale:
    """From numbers to places on the page; logarithmic ones take powers of ten.

    Parameters
    ----------
    low, high : float
        The range, as exponents of ten where it is logarithmic.
    start, end : float
        The places of its ends.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The place of a number; what lies outside is drawn at the edge."""
        if self.logarithmic:
            value = math.log10(value) if value > 0 else self.low
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Places and labels: round numbers, or whole powers of ten."""
        span = self.high - self.low
        step = max(math.ceil(span / 5), 1) if self.logarithmic else _step(span / 6)
        if len(f"{step * math.floor(self.high / step):.6g}") > 4 and not self.logarithmic:
            step = _step(span / 3)  # long labels would touch each other
        first = math.ceil(self.low / step - 1e-9)
        for k in range(first, math.floor(self.high / step + 1e-9) + 1):
            value = k * step
            place = self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)
            yield place, f"1e{value:.0f}" if self.logarithmic else f"{value:.6g}"


def _step(rough: float) -> float:
    """The next round step."""
    power = 10.0 ** math.floor(math.log10(max(rough, 1e-300)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def linear(values: Sequence[float], start: float, end: float) -> Scale:
    """A scale that holds every finite number, with a margin."""
    found = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(found), max(found)
    margin = (high - low) * 0.06 or abs(high) * 0.5 or 1.0
    return Scale(low - margin, high + margin, start, end)


def logarithmic(values: Sequence[float], start: float, end: float) -> Scale:
    """A logarithmic scale that holds every number above 0, of at least a power of ten."""
    found = [math.log10(value) for value in values if 0 < value < math.inf] or [0.0]
    low, high = math.floor(min(found)), math.ceil(max(found))
    return Scale(low, max(high, low + 1), start, end, logarithmic=True)


def across() -> tuple[float, float]:
    """Ends of a horizontal axis."""
    return LEFT, WIDTH - RIGHT


def upwards() -> tuple[float, float]:
    """Ends of a vertical axis, the lower one first."""
    return HEIGHT - BOTTOM, TOP


def plot(key: str, title: str, told: str, x: Scale, y: Scale, names: tuple[str, str]) -> Element:
    """An empty plot: frame, grid, ticks, the names of its axes, and what it shows in words.

    Parameters
    ----------
    key : str
        Of the page, for the ids that join the plot to its words.
    title, told : str
        What it is, and what can be read off it.
    x, y : Scale
    names : (str, str)
        Of the two axes.
    """
    svg = picture(key, title, told, WIDTH, HEIGHT)
    for place, label in x.ticks():
        svg.append(element("line", class_="grid", x1=place, x2=place, y1=TOP, y2=HEIGHT - BOTTOM, **_GRID))
        svg.append(element("text", label, x=place, y=HEIGHT - BOTTOM + 16, text_anchor="middle"))
    for place, label in y.ticks():
        svg.append(element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=place, y2=place, **_GRID))
        svg.append(element("text", label, x=LEFT - 6, y=place + 4, text_anchor="end"))
    frame = {"x": LEFT, "y": TOP, "width": WIDTH - LEFT - RIGHT, "height": HEIGHT - TOP - BOTTOM}
    svg.append(element("rect", fill="none", stroke="currentColor", stroke_opacity=0.5, **frame))
    middle = (HEIGHT - BOTTOM + TOP) / 2
    svg.append(element("text", names[0], x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 8, text_anchor="middle"))
    turned = f"rotate(-90 12 {middle:.6g})"
    svg.append(element("text", names[1], x=12.0, y=middle, text_anchor="middle", transform=turned))
    return svg


_GRID: Attributes = {"stroke": "currentColor", "stroke_opacity": 0.14}


def picture(key: str, title: str, told: str, width: float, height: float) -> Element:
    """An empty picture with its text alternative."""
    return element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", told, id=f"{key}-told"),
        viewBox=f"0 0 {width:.6g} {height:.6g}",
        role="img",
        aria_labelledby=f"{key}-title",
        aria_describedby=f"{key}-told",
        font_size="12",
        fill="currentColor",
    )
