"""Table: contests for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck.bench.contest import NOT_OFFERED, Contest, Standing
from gradcheck.bench.record import Change
from gradcheck.bench.statistics import Median

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def bench_report(
    contests: Sequence[Contest], machine: str, rounds: int, seed: int, clock: str
) -> RenderableType:
    """All contests, and what their times hold for."""
    told = (
        f"{machine}. Medians of {rounds} interleaved rounds with 95 % intervals, {clock} time, seed {seed}; each "
        "contender is certified first, and its answer compared with the baseline's before and after."
    )
    return Group(*(part for contest in contests for part in (_table(contest), Text())), Text(told))


def _table(contest: Contest) -> Table:
    table = Table(title=contest.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("contender", "time", "against the baseline", "", f"× {contest.limit or 'limit'}"):
        table.add_column(name, justify="left" if name in ("contender", "") else "right")
    offered = [each for each in contest.standings if each.reason != NOT_OFFERED]
    for standing in sorted(offered, key=lambda each: each.seconds.value if each.seconds else float("inf")):
        table.add_row(*_row(standing, contest.baseline))
    others = [each.name for each in contest.standings if each.reason == NOT_OFFERED]
    if others:
        table.caption, table.caption_justify = f"{NOT_OFFERED}: {', '.join(others)}", "left"
    return table


def _row(standing: Standing, baseline: str) -> tuple[str, ...]:
    if standing.seconds is None or standing.ratio is None or standing.multiple is None:
        return standing.name, "–", "–", standing.reason, "–"
    against = ("1", "baseline") if standing.name == baseline else (_shown(standing.ratio), standing.compared)
    return standing.name, time(standing.seconds), *against, f"{standing.multiple.value:.3g}"


def _shown(ratio: Median) -> str:
    return f"{ratio.value:.3g} [{ratio.low:.3g}, {ratio.high:.3g}]"


def time(seconds: Median) -> str:
    """A median with its interval, in the unit that suits it.

    Examples
    --------
    >>> time(Median(1.5e-5, 1.4e-5, 1.7e-5))
    '15 [14, 17] µs'
    """
    size, unit = next(((s, u) for s, u in _UNITS if seconds.value >= s), _UNITS[-1])
    return f"{seconds.value / size:.3g} [{seconds.low / size:.3g}, {seconds.high / size:.3g}] {unit}"


def changes_report(changes: Sequence[Change]) -> RenderableType:
    """What changed since another run."""
    table = Table(title="since the other run", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("contest and contender", "before", "now", ""):
        table.add_column(name, justify="right" if name in ("before", "now") else "left")
    for change in changes:
        table.add_row(change.name, time(change.before), time(change.now), change.verdict)
    return table
