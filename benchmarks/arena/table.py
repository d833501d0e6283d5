"""The arena's results as a table and as a plot: pure results → text, or a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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


def plot(rows: Sequence[Row], place: Path) -> None:
    """Shares of the wrong gradients caught, undecided and let through, and of the right ones failed, as bars."""
    try:
        import matplotlib
    except ImportError as error:
        raise SystemExit(
            "arena: the plot needs matplotlib\n  pip install 'gradcheck[arena]', or leave out --plot"
        ) from error
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    dtypes = list(dict.fromkeys(row.dtype for row in rows))
    figure, axes = plt.subplots(1, len(dtypes), figsize=(5.2 * len(dtypes), 2.9), sharey=True, squeeze=False)
    for axis, dtype in zip(axes[0], dtypes, strict=True):
        bars(axis, [row for row in rows if row.dtype == dtype][::-1])
        axis.set_title(
            f"{dtype}: {rows[0].wrong} wrong, {rows[0].right} right" if len(dtypes) == 1 else dtype
        )
    axes[0][0].legend(loc="lower center", bbox_to_anchor=(len(dtypes) / 2, -0.42), ncols=4, frameon=False)
    figure.savefig(place, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def bars(axis: object, rows: Sequence[Row]) -> None:
    """One bar a contestant for the wrong gradients, and a thinner one for the right ones it fails."""
    shares = {
        "caught": [row.caught / max(row.wrong, 1) for row in rows],
        "undecided": [row.undecided / max(row.wrong, 1) for row in rows],
        "let through": [row.let_through / max(row.wrong, 1) for row in rows],
    }
    left = [0.0] * len(rows)
    places = range(len(rows))
    for (name, values), colour in zip(shares.items(), ("#3b7a57", "#c9c9c9", "#c0392b"), strict=True):
        axis.barh(places, [100 * v for v in values], 0.5, left=left, color=colour, label=name)  # type: ignore[attr-defined]
        left = [a + 100 * b for a, b in zip(left, values, strict=True)]
    alarms = [100 * row.false_alarms / max(row.right, 1) for row in rows]
    axis.barh(
        [p - 0.36 for p in places], alarms, 0.16, color="#e08e0b", label="false alarms, of the right ones"
    )  # type: ignore[attr-defined]
    axis.set_yticks(list(places), [row.contestant for row in rows])  # type: ignore[attr-defined]
    axis.set_xlabel("per cent")  # type: ignore[attr-defined]
