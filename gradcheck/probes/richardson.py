"""Richardson's table: difference quotients extrapolated to step 0, and how far off they may be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.estimate import Array, Estimate, Finding

#: Columns of the table: more gain little on noisy samples, and could agree by accident.
COLUMNS = 6

#: Fewest rows, from the first that settles, that a table is read from.
LEAST_ROWS = 4

#: Claimed truncation over the largest distance between neighbours in the table, each of which is already the
#: error of the coarser one where the series holds.
TRUNCATION = 2.0

#: Column, and rows from the last, whose distances show the noise: the column is rid of h² and h⁴.
QUIET_COLUMN, QUIET_ROWS = 3, 3

#: Distance, beside those at smaller steps, from which on it shows no noise.
LOUDER = 32.0

#: Claimed noise over the largest seen in `QUIET_ROWS` distances, which are compared with their worst case.
NOISE = 10.0

#: Noise, beside the largest change of φ, above which it may as well be an oscillation that the steps skip.
CLEAR = 0.01

#: Roundings of the argument inside f: of what is scaled, then shifted, twice over.
ARGUMENT = 4.0

#: Roundings that what shows a second derivative has to exceed.
QUIETER = 16.0

#: Least noise of forward differences, in roundings of a sample: those of few rows, at steps of one sign, round alike.
ONE_SIDED = 4.0

#: Noise of so many roundings that cannot be avoided needs no explanation.
UNSUSPICIOUS = 64.0

#: Share, by the power of h that a column gains, of the last distance between differences that the next may
#: keep where the series holds: 1/4 and 1/2 by its first term alone.
SETTLING = {2: 0.5, 1: 0.75}

#: Share of its value at an eight times larger step that the even part of φ over h keeps at a kink; else 1/8.
KEPT = 0.5


@dataclass(frozen=True)
class Table:
    """Differences and their extrapolations, the largest step first.

    Parameters
    ----------
    steps : ndarray, shape (rows,)
    values : ndarray, shape (rows, columns)
        `values[k, j]` is extrapolated from the differences at steps k − j to k; NaN above the diagonal.
    weights : ndarray, shape (rows, columns)
        Error of an entry for samples that are all off by one.
    power : int
        Orders of h that a column gains: 2 for central differences, 1 for forward ones.
    """

    steps: Array
    values: Array
    weights: Array
    power: int


@dataclass(frozen=True)
class Entry:
    """What a table says.

    Parameters
    ----------
    estimate : Estimate
        Of the entry with the smallest bound; without one where nothing can be said.
    last : int
        The row of the smallest step that it is extrapolated from.
    suspicious : float
        Noise that is more than rounding and has to show itself from close by as well; 0 if there is none.
    power, slopes, weight : int, ndarray, float
        The table's power, the differences that it is extrapolated from, and its error for samples off by one.
    """

    estimate: Estimate
    last: int
    suspicious: float = 0.0
    power: int = 2
    slopes: Array = field(default_factory=lambda: np.zeros(0))
    weight: float = 0.0

    def foretold(self, step: float, steps: Array) -> float:
        """The odd part of φ at a step (forward: φ(h) − φ(0)), from the differences of this entry."""
        first = self.last + 1 - len(self.slopes)
        places = steps[first : self.last + 1] ** self.power
        column = self.slopes.astype(np.longdouble)
        for j in range(1, len(column)):  # Neville's
            far, near = places[:-j], places[j:]
            column = ((step**self.power - near) * column[:-1] - (step**self.power - far) * column[1:]) / (
                far - near
            )
        return float(column[0]) * step

    def foretells(self, odd: float, step: float, steps: Array, times: float) -> bool:
        """Whether the odd part of φ at a step is what it ought to be, up to some times the bound and the noise."""
        noise = self.estimate.noise / self.weight
        allowed = times * (self.estimate.bound * abs(step) + noise)
        return bool(abs(odd - self.foretold(step, steps)) <= allowed)


def richardson(steps: Array, differences: Array, power: int) -> Table:
    """The table of differences (rows,) at falling `steps` (rows,).

    T[k, j] = T[k, j−1] + (T[k, j−1] − T[k−1, j−1]) / ((h_{k−j} / h_k)^power − 1), with the steps as they are.

    Examples
    --------
    >>> h = np.array([0.4, 0.2, 0.1])
    >>> table = richardson(h, 3.0 + 5.0 * h**2 + 7.0 * h**4, 2)
    >>> bool(abs(table.values[2, 2] - 3.0) < 1e-14)
    True
    """
    rows, columns = len(steps), min(len(steps), COLUMNS)
    values, weights = np.full((rows, columns), np.nan), np.full((rows, columns), np.nan)
    values[:, 0], weights[:, 0] = differences, (2.0 / power) / steps
    for j in range(1, columns):
        share = 1.0 / ((steps[:-j] / steps[j:]) ** power - 1.0)
        now, before = values[j:, j - 1], values[j - 1 : -1, j - 1]
        values[j:, j] = now + share * (now - before)
        weights[j:, j] = (1 + share) * weights[j:, j - 1] + share * weights[j - 1 : -1, j - 1]
    return Table(steps, values, weights, power)


def read(steps: Array, samples: Array, floor: float, argument: float, caution: float = 1.0) -> Entry:
    """The best entry for φ(h) − φ(0), shape (rows, 1), or that and φ(−h) − φ(0), shape (rows, 2).

    Parameters
    ----------
    steps : ndarray, shape (rows,)
        Falling.
    samples : ndarray, shape (rows, 1) or (rows, 2)
    floor : float
        Rounding of a sample that cannot be avoided.
    argument : float
        u |x|: what f may lose of its argument, alike at all steps.
    caution : float
        Multiple of the noise that is claimed.
    """
    if not samples.any():
        return Entry(Estimate(0.0, floor / steps[0], "differences", finding=Finding.CONSTANT), 0)
    if not samples[-LEAST_ROWS:].any():
        # constant close by: the flat of a staircase, or of an underflow
        return Entry(nothing(Finding.JUMP), 0)
    central = samples.shape[1] == 2
    odd = (samples[:, 0] - samples[:, 1]) / 2 if central else samples[:, 0]
    table = richardson(steps, odd / steps, 2 if central else 1)
    shown = max(shown_noise(table, floor), floor if central else ONE_SIDED * floor)
    noise = caution * shown + ARGUMENT * argument * float((np.abs(samples).max(axis=1) / steps).max())
    shifted = ARGUMENT * argument * curvature(table, samples, floor)
    clear = shown <= max(CLEAR * float(np.abs(odd).max()), UNSUSPICIOUS * floor)
    entry = best(table, noise, settled(table, noise) if clear else len(steps), shifted)
    if central and kinked(steps, samples.sum(axis=1) / 2, noise):
        return Entry(nothing(Finding.KINK, entry.estimate.value), entry.last)
    return replace(entry, suspicious=shown if shown > UNSUSPICIOUS * floor else 0.0)


def nothing(finding: Finding, value: float = np.nan) -> Estimate:
    """An estimate that claims nothing."""
    return Estimate(float(value), np.inf, "differences", finding=finding)


def curvature(table: Table, samples: Array, floor: float) -> float:
    """Largest second derivative that the samples show beside their rounding: what a shift of the point changes."""
    if samples.shape[1] == 2:
        even = np.abs(samples.sum(axis=1)) / 2
        return float((2 * np.where(even > QUIETER * floor, even, 0.0) / table.steps**2).max())
    apart, steps = np.abs(np.diff(table.values[:, 0])), table.steps
    clear = apart > QUIETER * floor * (table.weights[1:, 0] + table.weights[:-1, 0])
    return float((2 * np.where(clear, apart, 0.0) / (steps[:-1] - steps[1:])).max(initial=0.0))


def best(table: Table, noise: float, first: int, shifted: float) -> Entry:
    """The entry with the smallest sum of truncation and noise among those of rows from `first` on.

    None that those of smaller steps contradict, nor of longer steps than such a one.
    """
    truncation = TRUNCATION * distances(table)
    bounds = truncation + noise * table.weights + shifted
    rows, columns = np.indices(bounds.shape)
    bounds[rows - columns < first] = np.nan
    for k in range(len(bounds) - 2, -1, -1):
        finer = bounds[k + 1 :], table.values[k + 1 :]
        if np.isnan(finer[0]).all():
            continue
        at = np.unravel_index(int(np.nanargmin(finer[0])), finer[0].shape)
        contradicted = np.abs(table.values[k] - finer[1][at]) > bounds[k] + finer[0][at]
        if contradicted[np.isfinite(bounds[k])].all():
            bounds[: k + 1] = np.nan
            break
        bounds[k][contradicted] = np.nan
    if np.isnan(bounds).all():
        return Entry(nothing(Finding.UNRESOLVED, table.values[-1, 0]), len(bounds))
    k, j = (int(i) for i in np.unravel_index(int(np.nanargmin(bounds)), bounds.shape))
    own, left = noise * float(table.weights[k, j]) + shifted, float(truncation[k, j])
    estimate = Estimate(
        value=float(table.values[k, j]),
        bound=own + left,
        method="differences",
        points=table.power * (j + 1),
        step=float(table.steps[k - j]),
        noise=own,
        truncation=left,
    )
    weight = float(table.weights[k, j])
    return Entry(estimate, k, power=table.power, slopes=table.values[k - j : k + 1, 0], weight=weight)


def shown_noise(table: Table, floor: float) -> float:
    """Noise of a sample as distances in a high column show it at the smallest steps; far more than those is none."""
    column = min(QUIET_COLUMN, table.values.shape[1] - 1)
    values, weights = table.values[column:, column], table.weights[column:, column]
    apart = NOISE * np.abs(np.diff(values)) / (weights[1:] + weights[:-1])
    shown = 0.0
    for k in range(len(apart) - 1, max(len(apart) - 1 - QUIET_ROWS, -1), -1):
        if k < len(apart) - 2 and apart[k] > LOUDER * max(shown, floor):
            break
        shown = max(shown, float(apart[k]))
    return shown


def distances(table: Table) -> Array:
    """How far each entry lies from its left and upper neighbours, (rows, columns); NaN without them.

    No entry is believed to be better than the one above it by more than the order of its column allows, so
    that two neighbours that agree by accident claim little.
    """
    left = np.abs(np.diff(table.values, axis=1, prepend=np.nan))
    above = np.abs(np.diff(table.values, axis=0, prepend=np.nan))
    left[:, 0] = above[:, 0]
    apart = np.maximum(left, above)
    orders = table.power * (np.arange(apart.shape[1]) + 1)
    for k in range(1, len(apart)):
        gained = (table.steps[k] / table.steps[k - 1]) ** orders
        apart[k] = np.fmax(apart[k], apart[k - 1] * gained) + 0 * apart[k]
    return np.asarray(apart)


def settled(table: Table, noise: float) -> int:
    """The first row from which on differences settle at falling steps, or differ by noise only.

    As many as there are rows where too few are left.
    """
    apart, weights = np.abs(np.diff(table.values[:, 0])), table.weights[:, 0]
    allowed = noise * (weights[1:] + weights[:-1])
    allowed[1:] = np.maximum(allowed[1:], SETTLING[table.power] * apart[:-1])
    restless = np.flatnonzero(apart[1:] > allowed[1:])
    first = int(restless[-1]) + 1 if restless.size else 0
    return first if first <= len(table.steps) - LEAST_ROWS else len(table.steps)


def kinked(steps: Array, even: Array, noise: float) -> bool:
    """Whether the even part (φ(h) + φ(−h))/2 − φ(0), (rows,), falls like h, as at a kink, and not like h².

    Examples
    --------
    >>> h = 0.5 ** np.arange(6)
    >>> kinked(h, 3 * h, 1e-16), kinked(h, 3 * h**2, 1e-16)
    (True, False)
    """
    slopes = np.abs(even) / steps
    small, large = slopes[-1], slopes[max(len(slopes) - 4, 0)]
    return bool(small * steps[-1] > 2 * noise and small > KEPT * large)
