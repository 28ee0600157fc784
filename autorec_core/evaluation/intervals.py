"""Bootstrap intervals: how far a figure would move on other rows of the same kind.

The one bootstrap of the project: the report, the breakdowns and the promotion gate draw with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

LEVEL = 0.95
RESAMPLES = 2000
UNITS = 20_000
"""The most units that are drawn from; more are put together at random to that many."""
DRAWS_AT_ONCE = 50


@dataclass(frozen=True)
class Interval:
    """A mean and the interval it is likely to lie in.

    Args:
        mean: The mean of the rows at hand.
        low: The interval's lower end.
        high: Its upper end.
    """

    mean: float
    low: float
    high: float


def mean_intervals(
    values: np.ndarray,
    seed: int,
    *,
    clusters: np.ndarray | None = None,
    counted: np.ndarray | None = None,
    level: float = LEVEL,
) -> list[Interval]:
    """The mean of each column with its interval, all columns over the same draws.

    A percentile bootstrap (Efron & Tibshirani, 1993). Where rows come in clusters, such as those of
    one user, whole clusters are drawn: rows of one user resemble each other, so they say less than
    as many rows of different users. The percentiles are those of Hesterberg (2015), which make up
    for the bootstrap's too narrow intervals where independent units are few.

    Args:
        values: Numbers, shape (rows, columns) or (rows,).
        seed: Seeds the draws.
        clusters: The cluster of each row, int, shape (rows,); None where each row stands alone.
        counted: Which rows each column's mean is taken over, bool, shape (rows, columns); None
            where it is all of them.
        level: How likely the interval is to hold the true mean.

    Returns:
        One interval a column; with a single unit both ends are the mean, and a column without rows
        has NaN.
    """
    table = np.asarray(values, np.float64).reshape(len(values), -1)
    if counted is None:
        mask = np.ones((len(table), 1))
    else:
        mask = np.asarray(counted, np.float64).reshape(table.shape)
        table = np.where(mask > 0, table, 0.0)
    columns = table.shape[1]
    drawn = resampled_sums(np.hstack([table, mask]), seed, clusters)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = drawn[:, :columns] / drawn[:, columns:]
        observed = table.sum(axis=0) / mask.sum(axis=0)
    units = [effective_units(column, clusters) for column in mask.T]
    tails = [tail_share(level, count) for count in units]
    if len(tails) == 1:
        tails *= columns
    return [
        Interval(float(mean), *interval_ends(column, tail))
        for mean, column, tail in zip(observed, means.T, tails, strict=True)
    ]


def interval_ends(drawn: np.ndarray, tail: float) -> tuple[float, float]:
    """The two quantiles of the draws that leave out `tail` on either side."""
    usable = drawn[np.isfinite(drawn)]
    if not len(usable):
        return float("nan"), float("nan")
    low, high = np.quantile(usable, [tail, 1 - tail])
    return float(low), float(high)


def tail_share(level: float, units: float) -> float:
    """The share of draws to leave out on either side for an interval of `level`.

    Hesterberg (2015): the normal tail beyond Student's t for so many independent units, widened for
    the bootstrap's variance, which is too small by (units - 1) / units.
    """
    tail = (1 - level) / 2
    if units <= 1:
        return tail
    return float(ndtr(np.sqrt(units / (units - 1)) * stdtrit(units - 1, tail)))


def effective_units(counts: np.ndarray, clusters: np.ndarray | None) -> float:
    """As how many clusters of equal size unequal ones count (Kish, 1965).

    Args:
        counts: How much of each row counts, 0 or 1, shape (rows,).
        clusters: The cluster of each row, shape (rows,); None where each row stands alone.
    """
    sizes = counts if clusters is None else np.bincount(clusters, weights=counts)
    squares = float(np.square(sizes).sum())
    return float(sizes.sum()) ** 2 / squares if squares else 0.0


def resampled_sums(table: np.ndarray, seed: int, clusters: np.ndarray | None = None) -> np.ndarray:
    """The sum of each column over rows drawn with replacement; float64, (RESAMPLES, columns).

    Units beyond `UNITS` are first put together at random, which keeps the sums' mean and nearly all
    of their spread (Chamandy et al., 2012).

    Args:
        table: Numbers, shape (rows, columns).
        seed: Seeds the draws.
        clusters: The cluster of each row, drawn as a whole; None where each row stands alone.
    """
    random = np.random.default_rng(seed)
    units = table if clusters is None else _summed(table, clusters)
    if len(units) > UNITS:
        units = _summed(units, random.permutation(len(units)) % UNITS)
    count = len(units)
    drawn = np.empty((RESAMPLES, table.shape[1]))
    for start in range(0, RESAMPLES, DRAWS_AT_ONCE):
        draws = min(DRAWS_AT_ONCE, RESAMPLES - start)
        chosen = random.integers(0, count, (draws, count)) + count * np.arange(draws)[:, None]
        times = np.bincount(chosen.reshape(-1), minlength=draws * count).reshape(draws, count)
        drawn[start : start + draws] = times @ units
    return drawn


def clusters_of(values: pd.Series) -> np.ndarray:
    """The cluster of each row by its value, such as its user; a row without one stands alone.

    Args:
        values: A column of raw rows, shape (rows,).

    Returns:
        int, shape (rows,), from 0 and without gaps.
    """
    codes, known = pd.factorize(values)
    alone = codes < 0
    codes[alone] = len(known) + np.arange(int(alone.sum()))
    return codes


def _summed(table: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The sum of each column over the rows of each group, shape (groups, columns)."""
    return np.stack([np.bincount(group, weights=column) for column in table.T], axis=1)
