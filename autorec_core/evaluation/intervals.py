"""Bootstrap intervals: how much a figure would differ on other rows of the same kind.

The report, the breakdowns and the gate all use this bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

LEVEL = 0.95
RESAMPLES = 2000
UNITS = 20_000
"""The most units to draw from; more units are first combined at random into this many."""
DRAWS_AT_ONCE = 50


@dataclass(frozen=True)
class Interval:
    """A mean and the interval it is likely to lie in.

    Args:
        mean: The mean of the given rows.
        low: The interval's lower end.
        high: The interval's upper end.
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
    """Computes the mean of each column and its interval, with the same draws for all columns.

    This is a percentile bootstrap (Efron & Tibshirani, 1993). It draws whole clusters, such as all
    rows of one user: rows of one user are similar, so they tell less than as many rows of different
    users. The percentiles follow Hesterberg (2015), because plain bootstrap intervals are too
    narrow if there are few independent units.

    Args:
        values: Numbers, shape (rows, columns) or (rows,).
        seed: The seed of the draws.
        clusters: The cluster of each row, int, shape (rows,); None if rows are independent.
        counted: Which rows count for each column's mean, bool, shape (rows, columns); None for all
            rows.
        level: The probability that the interval holds the true mean.

    Returns:
        One interval for each column. With a single unit both ends are the mean; a column without
        rows has NaN.
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
    """Returns the quantiles of the draws that leave out the share `tail` on either side."""
    usable = drawn[np.isfinite(drawn)]
    if not len(usable):
        return float("nan"), float("nan")
    low, high = np.quantile(usable, [tail, 1 - tail])
    return float(low), float(high)


def tail_share(level: float, units: float) -> float:
    """Computes the share of draws to leave out on either side for an interval of `level`.

    The formula is from Hesterberg (2015): the normal tail beyond the quantile of Student's t with
    `units - 1` degrees of freedom, corrected because the bootstrap's variance is too small by the
    factor (units - 1) / units.
    """
    tail = (1 - level) / 2
    if units <= 1:
        return tail
    return float(ndtr(np.sqrt(units / (units - 1)) * stdtrit(units - 1, tail)))


def effective_units(counts: np.ndarray, clusters: np.ndarray | None) -> float:
    """Computes how many clusters of equal size would carry the same information (Kish, 1965).

    Args:
        counts: 1 for each row that counts, else 0, shape (rows,).
        clusters: The cluster of each row, shape (rows,); None if rows are independent.
    """
    sizes = counts if clusters is None else np.bincount(clusters, weights=counts)
    squares = float(np.square(sizes).sum())
    return float(sizes.sum()) ** 2 / squares if squares else 0.0


def resampled_sums(table: np.ndarray, seed: int, clusters: np.ndarray | None = None) -> np.ndarray:
    """Sums each column over rows that are drawn with replacement.

    If there are more than `UNITS` units, they are first combined at random, which changes the mean
    of the sums not at all and their spread very little (Chamandy et al., 2012).

    Args:
        table: Numbers, shape (rows, columns).
        seed: The seed of the draws.
        clusters: The cluster of each row, drawn as a whole; None if rows are independent.

    Returns:
        float64, shape (RESAMPLES, columns).
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
    """Numbers rows by their value, such as their user; each row without a value gets its own.

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
    """Sums each column over the rows of each group; returns shape (groups, columns)."""
    return np.stack([np.bincount(group, weights=column) for column in table.T], axis=1)
