"""Intervals of means: how far a figure would move on other rows of the same kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
RESAMPLES = 2000
UNITS = 20_000
"""The most units that are drawn from; more rows are put together at random to that many."""


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


def mean_intervals(values: np.ndarray, seed: int) -> list[Interval]:
    """The mean of each column with its interval, all columns over the same draws of rows.

    A percentile bootstrap (Efron & Tibshirani, 1993). Rows beyond `UNITS` are first put together
    in units at random, which keeps the mean and nearly all of its spread (Chamandy et al., 2012).

    Args:
        values: Numbers, shape (rows, columns) or (rows,).
        seed: Seeds the draws.

    Returns:
        One interval a column; with a single row it is that row.
    """
    table = np.asarray(values, np.float64).reshape(len(values), -1)
    random = np.random.default_rng(seed)
    sums, counts = _units(table, random)
    drawn = np.empty((RESAMPLES, table.shape[1]))
    for at in range(RESAMPLES):
        times = np.bincount(random.integers(0, len(sums), len(sums)), minlength=len(sums))
        drawn[at] = times @ sums / (times @ counts)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return [
        Interval(float(mean), float(least), float(most))
        for mean, least, most in zip(table.mean(axis=0), low, high, strict=True)
    ]


def _units(table: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sums and numbers of the rows that are drawn together."""
    rows = len(table)
    if rows <= UNITS:
        return table, np.ones(rows)
    unit = random.permutation(rows) % UNITS
    sums = [np.bincount(unit, weights=column, minlength=UNITS) for column in table.T]
    return np.stack(sums, axis=1), np.bincount(unit, minlength=UNITS).astype(np.float64)
