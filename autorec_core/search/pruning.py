"""The rule that stops bad trials early, for searches that train each trial without a pause."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_high, median_low

from autorec_core.metrics import Metric

_FEWEST = 3


class MedianRule:
    """Stops a trial if its best score is worse than the median of the earlier trials.

    The median is that of the best scores after the same number of evaluations. The rule applies
    after the first ninth of the evaluations, and only when three trials are known. An earlier trial
    that stopped sooner counts with its best score. A trial that was pruned counts like any other.

    Args:
        metric: The metric of the objective.
        evaluations: The largest number of evaluations of a trial.

    References:
        The median stopping rule of [Golovin et al., 2017](https://doi.org/10.1145/3097983.3098043).
    """

    def __init__(self, metric: Metric, evaluations: int) -> None:
        self._metric = metric
        self._first = -(-evaluations // 9)
        self._last = evaluations
        self._curves: list[list[float]] = []

    def add(self, curve: Sequence[float]) -> None:
        """Adds a trial, given its score after each evaluation."""
        best, scores = self._metric.worst, []
        for score in curve:
            best = self._metric.best((best, score))
            scores.append(best)
        self._curves.append(scores)

    def worst(self) -> dict[int, float]:
        """Returns the worst score that a trial may have after each number of evaluations."""
        if len(self._curves) < _FEWEST:
            return {}
        longest = max(len(curve) for curve in self._curves)
        # For an even number the worse of the two: a trial as good as an earlier one may continue.
        middle = median_high if self._metric.direction == "min" else median_low
        return {
            step: middle([curve[min(step, len(curve)) - 1] for curve in self._curves])
            for step in range(self._first, min(longest, self._last - 1) + 1)
        }
