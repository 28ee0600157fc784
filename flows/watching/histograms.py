"""Compares two histograms: how much they differ, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from autorec_core.data.preparing.tally import psi

FEWEST_EXPECTED = 5.0
"""Bins in which fewer rows are expected are combined: the test is wrong for them."""


@dataclass(frozen=True)
class Difference:
    """The difference of two histograms.

    Args:
        psi: The population stability index, without the part that chance explains on average.
        probability: The probability that rows of one distribution differ as much or more.
    """

    psi: float
    probability: float


def difference(before: Sequence[int], now: Sequence[int]) -> Difference:
    """Compares two histograms.

    Args:
        before: Counts of each bin.
        now: Counts of the same bins.

    Returns:
        The index beyond its mean under no change, and the probability by Pearson's chi-squared test
        of two samples.
    """
    first, second = (np.asarray(counts, dtype=np.float64) for counts in (before, now))
    rows = first.sum(), second.sum()
    if not min(rows):
        return Difference(0.0, 1.0)
    used = int((first + second > 0).sum())
    beyond = psi(before, now).psi - max(used - 1, 0) * (1 / rows[0] + 1 / rows[1])
    return Difference(max(0.0, beyond), _probability(first, second))


def _probability(first: np.ndarray, second: np.ndarray) -> float:
    share = (first + second) / (first.sum() + second.sum())
    rare = share * min(first.sum(), second.sum()) < FEWEST_EXPECTED
    first, second, share = (
        np.append(counts[~rare], counts[rare].sum()) for counts in (first, second, share)
    )
    filled = share > 0
    statistic = sum(
        (
            (counts[filled] - share[filled] * counts.sum()) ** 2 / (share[filled] * counts.sum())
        ).sum()
        for counts in (first, second)
    )
    free = int(filled.sum()) - 1
    return float(chi2.sf(statistic, free)) if free > 0 else 1.0


def score_histogram(scores: np.ndarray) -> dict[str, list[float]]:
    """Returns the deciles of scores and the number of scores in each bin between them."""
    edges = np.unique(np.quantile(scores.astype(np.float64), np.linspace(0.1, 0.9, 9)))
    return {"edges": edges.tolist(), "counts": count_in(edges.tolist(), scores).tolist()}


def count_in(edges: Sequence[float], numbers: np.ndarray) -> np.ndarray:
    """Counts numbers in the bins between edges; a number equal to an edge is in the lower bin."""
    places = np.searchsorted(np.asarray(edges, dtype=np.float64), numbers, side="left")
    return np.bincount(places, minlength=len(edges) + 1)
