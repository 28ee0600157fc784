"""The promotion gate: whether a challenger's losses on the same rows beat the champion's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Comparison:
    """Challenger against champion on the same rows.

    Args:
        champion: The champion's mean loss.
        challenger: The challenger's mean loss.
        low: The lower end of the difference's interval (challenger minus champion).
        high: Its upper end.
    """

    champion: float
    challenger: float
    low: float
    high: float

    def wins(self, min_improvement: float) -> bool:
        """Whether the whole interval lies at least `min_improvement` below zero."""
        return self.high < -min_improvement

    def __str__(self) -> str:
        return (
            f"loss {self.challenger:.4f} against the champion's {self.champion:.4f}, difference "
            f"{self.challenger - self.champion:+.4f} "
            f"({LEVEL:.0%} interval {self.low:+.4f} to {self.high:+.4f})"
        )


def compare(champion: np.ndarray, challenger: np.ndarray, seed: int) -> Comparison:
    """Compares two models' losses row by row with a paired bootstrap.

    Args:
        champion: The champion's loss of each row, float64, shape (rows,).
        challenger: The challenger's, of the same rows in the same order.
        seed: Seeds the resampling.

    Returns:
        Both means, and the percentile interval of their difference (Efron & Tibshirani, 1993).
    """
    difference = challenger - champion
    random = np.random.default_rng(seed)
    rows = len(difference)
    means = [difference[random.integers(0, rows, rows)].mean() for _ in range(RESAMPLES)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Comparison(float(champion.mean()), float(challenger.mean()), float(low), float(high))
