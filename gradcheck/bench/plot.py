"""Plot: times of contests as an SVG that is readable in black and white."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradcheck.bench.contest import Contest
from gradcheck.frameworks.extras import needed

MARKS = "osD^vP*Xd<>"
"""One for each contender: colour is not needed to tell them apart."""


def plot(contests: Sequence[Contest], machine: str, place: str | Path) -> None:
    """Every contest as a line of marks, seconds on a logarithmic axis, with intervals and the machine."""
    raced = [each for each in contests if each.baseline]
    matplotlib = needed("matplotlib", "plot", "gradcheck bench --plot")
    figures = needed("matplotlib.figure", "plot", "gradcheck bench --plot")
    figure = figures.Figure(figsize=(9, 1.6 + 0.42 * len(raced)), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(each.name for contest in raced for each in contest.standings if each.seconds))
    for place_of, name in enumerate(names):
        points = [
            (row, each.seconds)
            for row, contest in enumerate(raced)
            for each in contest.standings
            if each.name == name and each.seconds
        ]
        values = [seconds.value * 1e6 for _, seconds in points]
        errors = [
            [1e6 * (seconds.value - seconds.low) for _, seconds in points],
            [1e6 * (seconds.high - seconds.value) for _, seconds in points],
        ]
        axes.errorbar(
            values, [row for row, _ in points], xerr=errors, fmt=MARKS[place_of % len(MARKS)], label=name,
            markerfacecolor="white" if place_of % 2 else None, capsize=2, markersize=6, linewidth=0.8,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yticks(range(len(raced)), [contest.title for contest in raced], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="both", linewidth=0.4)
    axes.set_xlabel("time of a call, µs (median with its 95 % interval)")
    figure.legend(loc="outside lower center", ncols=6, fontsize=8)
    figure.suptitle(machine, fontsize=8)
    with matplotlib.rc_context({"svg.hashsalt": "gradcheck", "svg.fonttype": "none"}):
        figure.savefig(place, metadata={"Date": None} if str(place).endswith(".svg") else None)
