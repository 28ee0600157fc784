"""Metrics: each a number from labels and predictions, and each knows which way is better."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from autorec_core.errors import ConfigError, listed

# Keras clips probabilities here too, so both give the same cross entropy.
_EPSILON = 1e-7
_CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Metric:
    """A number that says how well predictions meet labels.

    Args:
        name: Its name; as an objective on the valid split it is called `val_` and this name.
        direction: Whether less or more of it is better.
        function: From labels and predictions, both of shape (rows,) and float64, to the number.
        row_losses: The same to each row's loss, where the metric is their mean or grows with it.
    """

    name: str
    direction: Literal["min", "max"]
    function: Callable[[np.ndarray, np.ndarray], float]
    row_losses: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    def __call__(self, labels: np.ndarray, predictions: np.ndarray) -> float:
        """The metric of `predictions`, shape (rows,), against `labels`, shape (rows,)."""
        return float(self.function(_flat(labels), _flat(predictions)))

    @property
    def worst(self) -> float:
        """What any score is better than."""
        return float("inf") if self.direction == "min" else float("-inf")

    def better(self, score: float, than: float) -> bool:
        """Whether `score` is better than the other; NaN is never better."""
        return score < than if self.direction == "min" else score > than

    def best(self, scores: Iterable[float]) -> float:
        """The best of some scores."""
        return min(scores) if self.direction == "min" else max(scores)

    def clearly_better(
        self,
        labels: np.ndarray,
        predictions: np.ndarray,
        others: np.ndarray,
        *,
        errors: float = 1.0,
    ) -> bool:
        """Whether `predictions` are better than `others` by more than chance alone would make them.

        By more than `errors` standard errors of the rows' gains, where the metric is a mean over
        rows; otherwise, by however little.
        """
        labels, predictions, others = _flat(labels), _flat(predictions), _flat(others)
        if self.row_losses is None:
            return self.better(self(labels, predictions), self(labels, others))
        gains = self.row_losses(labels, others) - self.row_losses(labels, predictions)
        return bool(gains.mean() > errors * gains.std() / np.sqrt(len(gains)))


def squared_errors(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Each row's squared error."""
    return np.square(labels - predictions)


def absolute_errors(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Each row's absolute error."""
    return np.abs(labels - predictions)


def cross_entropies(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Each row's binary cross entropy of its predicted probability, in nats."""
    clipped = np.clip(predictions, _EPSILON, 1 - _EPSILON)
    return -(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped))


def mse(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Mean squared error."""
    return float(np.mean(squared_errors(labels, predictions)))


def rmse(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(mse(labels, predictions)))


def mae(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Mean absolute error."""
    return float(np.mean(absolute_errors(labels, predictions)))


def ce(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Binary cross entropy of predicted probabilities, in nats."""
    return float(np.mean(cross_entropies(labels, predictions)))


def auc(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; NaN where only one class is present."""
    positive = labels > 0.5
    num_positive = int(positive.sum())
    num_negative = len(labels) - num_positive
    if not num_positive or not num_negative:
        return float("nan")
    _, place, counts = np.unique(predictions, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    least = num_positive * (num_positive + 1) / 2
    return float((ranks[positive].sum() - least) / (num_positive * num_negative))


def calibration(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Expected calibration error: mean gap of prediction and outcome over ten equal bins."""
    predicted, observed, counts = calibration_curve(labels, predictions)
    return float(np.sum(np.abs(predicted - observed) * counts) / counts.sum())


def calibration_curve(
    labels: np.ndarray, predictions: np.ndarray, bins: int = _CALIBRATION_BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions beside outcomes, in bins of equally many rows by rising prediction.

    Returns:
        Mean prediction, mean label and number of rows of each bin that has rows.
    """
    labels, predictions = _flat(labels), _flat(predictions)
    parts = [
        part for part in np.array_split(np.argsort(predictions, kind="stable"), bins) if len(part)
    ]
    return (
        np.array([predictions[part].mean() for part in parts]),
        np.array([labels[part].mean() for part in parts]),
        np.array([len(part) for part in parts]),
    )


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("mse", "min", mse, squared_errors),
        Metric("rmse", "min", rmse, squared_errors),
        Metric("mae", "min", mae, absolute_errors),
        Metric("ce", "min", ce, cross_entropies),
        Metric("auc", "max", auc),
        Metric("calibration", "min", calibration),
    )
}
TASK_METRICS: dict[str, tuple[str, ...]] = {
    "rating": ("mse", "rmse", "mae"),
    "ctr": ("ce", "auc", "calibration"),
}


def objective_metric(objective: str, task: str | None = None) -> Metric:
    """The metric that an objective such as `val_mse` names.

    Raises:
        ConfigError: There is no such metric, or it does not belong to `task`.
    """
    allowed = TASK_METRICS[task] if task else tuple(METRICS)
    name = objective.removeprefix("val_")
    if name not in allowed:
        known = listed(f"val_{metric}" for metric in allowed)
        where = f" of a {task} model" if task else ""
        raise ConfigError(f"Unknown objective {objective!r}{where}. Known objectives: {known}.")
    return METRICS[name]


def task_metrics(task: str, labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """The metrics of a task ("rating" or "ctr") by name, without those that cannot be computed."""
    found = {name: METRICS[name](labels, predictions) for name in TASK_METRICS[task]}
    return {name: value for name, value in found.items() if not np.isnan(value)}


def _flat(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64).reshape(-1)
