"""Ranking figures of a model: means over users, with intervals, and who could not be counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autorec_core.errors import DataError
from autorec_core.evaluation.intervals import Interval, mean_intervals
from autorec_core.ranking import Rankings


@dataclass(frozen=True)
class ListFigures:
    """Ranking metrics over users.

    Args:
        figures: By name, such as `ndcg@10`: the mean over the users counted, and its interval.
        users: How many users count.
        without_positives: How many were left out because they have no positive row.
        of_one_class: How many of those who count have no negative row, and so no AUC: the gAUC is
            the mean over the others.
    """

    figures: dict[str, Interval]
    users: int
    without_positives: int
    of_one_class: int


def list_figures(rankings: Rankings, ks: Sequence[int], seed: int) -> ListFigures:
    """All ranking metrics of some users' rankings.

    Args:
        rankings: The rankings.
        ks: The lengths of lists that the metrics with an @ are taken at, each at least 1.
        seed: Seeds the bootstrap over users.

    Raises:
        DataError: No user has a positive row, or a length is below 1.
    """
    if wrong := [k for k in ks if k < 1]:
        raise DataError(f"A list of {wrong[0]} items has no metric: the least length is 1.")
    counted = rankings.positives > 0
    if not counted.any():
        raise DataError("No user has a positive row, so there is nothing to find in any list.")
    columns: dict[str, np.ndarray] = {}
    for k in ks:
        columns |= {
            f"ndcg@{k}": rankings.ndcg(k),
            f"recall@{k}": rankings.recall(k),
            f"precision@{k}": rankings.precision(k),
            f"map@{k}": rankings.average_precision(k),
            f"hit_rate@{k}": rankings.hit_rate(k),
        }
    columns["mrr"] = rankings.mrr()
    table = np.stack([column[counted] for column in columns.values()], axis=1)
    figures = dict(zip(columns, mean_intervals(table, seed), strict=True))
    auc = rankings.auc()
    both = ~np.isnan(auc)
    if both.any():
        [figures["gauc"]] = mean_intervals(auc[both], seed)
    return ListFigures(
        figures,
        int(counted.sum()),
        int((~counted).sum()),
        int((counted & ~both).sum()),
    )
