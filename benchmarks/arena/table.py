"""The arena's results as a table and as a plot: pure results → text, or a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.arena.contest import Row

HEADS = ("dtype", "checker", "caught", "let through", "undecided", "false alarms", "undecided", "seconds", "slowest",
         "calls of f", "memory")  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """Markdown; wrong gradients before right ones. Calls are medians an input, and the most in brackets."""
    lines = ["| " + " | ".join(HEADS) + " |", "| --- | --- |" + " ---: |" * (len(HEADS) - 2)]
    return "\n".join(lines + [line(row) for row in rows])


def line(row: Row) -> str:
    cells = (
        row.dtype,
        row.contestant,
        f"{row.caught} of {row.wrong}",
        f"{row.let_through}",
        f"{row.undecided}",
        f"{row.false_alarms} of {row.right}",
        f"{row.undecided_right}",
        f"{row.seconds:.1f}",
        f"{row.slowest:.2f}",
        f"{row.calls:g} ({row.most_calls:g})",
        f"{row.memory:.0f} MiB",
    )
    return "| " + " | ".join(cells) + " |"


#: Shade and hatching of each share, told apart in black and white too: of the wrong gradients, and of the right ones.
WRONG = {"caught": ("#d9d9d9", ""), "undecided": ("#ffffff", "xxxx"), "let through": ("#404040", "")}
RIGHT = {"right: false alarm": ("#808080", "////"), "right: undecided": ("#ffffff", "||||")}


def plot(rows: Sequence[Row], place: Path) -> None:
    """Of the wrong gradients the shares caught, undecided and let through; below, the right ones that are failed."""
    try:
        import matplotlib
    except ImportError as error:
        raise SystemExit(
            "arena: the plot needs matplotlib\n  pip install 'gradcheck[arena]', or leave out --plot"
        ) from error
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    dtypes = list(dict.fromkeys(row.dtype for row in rows))
    style = {"hatch.linewidth": 0.6, "svg.hashsalt": "arena", "svg.fonttype": "none", "font.size": 9}
    with plt.rc_context(style):
        figure, axes = plt.subplots(
            1, len(dtypes), figsize=(4.6 * len(dtypes), 3.1), sharey=True, squeeze=False
        )
        for axis, dtype in zip(axes[0], dtypes, strict=True):
            own = [row for row in rows if row.dtype == dtype][::-1]
            bars(axis, own)
            axis.set_title(f"{dtype}: {own[0].wrong} wrong gradients, {own[0].right} right ones", fontsize=9)
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="lower center", bbox_to_anchor=(0.5, -0.06), ncols=5, frameon=False
        )
        figure.tight_layout()
        figure.savefig(place, bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)


def bars(axis: Any, rows: Sequence[Row]) -> None:
    """One bar a contestant for the wrong gradients, and a thinner one for the right ones that it does not pass."""
    wrong = [(row.caught, row.undecided, row.let_through) for row in rows]
    stacked(
        axis,
        0.12,
        0.44,
        [[n / row.wrong for n in each] for each, row in zip(wrong, rows, strict=True)],
        WRONG,
    )
    right = [(row.false_alarms, row.undecided_right) for row in rows]
    stacked(
        axis,
        -0.25,
        0.2,
        [[n / row.right for n in each] for each, row in zip(right, rows, strict=True)],
        RIGHT,
    )
    axis.set_yticks(range(len(rows)), [row.contestant for row in rows])
    axis.set_xlim(0, 100)
    axis.set_xlabel("per cent")
    axis.spines[["top", "right"]].set_visible(False)


def stacked(
    axis: Any,
    offset: float,
    height: float,
    shares: Sequence[Sequence[float]],
    looks: dict[str, tuple[str, str]],
) -> None:
    """Shares side by side in one bar a contestant."""
    left = [0.0] * len(shares)
    places = [place + offset for place in range(len(shares))]
    for k, (name, (colour, hatch)) in enumerate(looks.items()):
        widths = [100 * share[k] for share in shares]
        edge = {"edgecolor": "black", "linewidth": 0.6, "hatch": hatch, "color": colour, "label": name}
        axis.barh(places, widths, height, left=left, **edge)
        left = [a + w for a, w in zip(left, widths, strict=True)]
