"""When a trial is hopeless: a rule for searches that train each trial in one go."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_high, median_low

from autorec_core.metrics import Metric

_FEWEST = 3


class MedianRule:
    """Stops a trial whose best score so far is worse than the median of earlier trials' then.

    A trial is judged from a ninth of its evaluations on. Before three trials are known, none is.
    An earlier trial that had stopped by then counts with the best score that it had; a trial that
    was pruned counts like any other.

    Args:
        metric: The objective's metric.
        evaluations: The most evaluations of a trial.

    References:
        The median stopping rule of [Golovin et al., 2017](https://doi.org/10.1145/3097983.3098043).
    """

    def __init__(self, metric: Metric, evaluations: int) -> None:
        self._metric = metric
        self._first = -(-evaluations // 9)
        self._last = evaluations
        self._curves: list[list[float]] = []

    def add(self, curve: Sequence[float]) -> None:
        """Takes a trial into account, by its score after each evaluation."""
        best, scores = self._metric.worst, []
        for score in curve:
            best = self._metric.best((best, score))
            scores.append(best)
        self._curves.append(scores)

    def worst(self) -> dict[int, float]:
        """The worst score that a trial may have by then, by the number of evaluations."""
        if len(self._curves) < _FEWEST:
            return {}
        longest = max(len(curve) for curve in self._curves)
        # Of an even number the worse one: what is as good as an earlier trial is not hopeless.
        middle = median_high if self._metric.direction == "min" else median_low
        return {
            step: middle([curve[min(step, len(curve)) - 1] for curve in self._curves])
            for step in range(self._first, min(longest, self._last - 1) + 1)
        }
