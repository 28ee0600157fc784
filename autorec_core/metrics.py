"""Metrics: numbers that compare predictions with labels, each with its better direction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from autorec_core.errors import ConfigError, listed
from autorec_core.ranking import Rankings

# Keras clips probabilities here too, so both give the same cross entropy.
_EPSILON = 1e-7
CALIBRATION_BINS = 10
LENGTH = 10
"""The length of the lists that ranking metrics look at, unless a name says another: `ndcg@20`."""


@dataclass(frozen=True)
class Metric:
    """A number that says how well predictions agree with labels.

    Args:
        name: The metric's name. As an objective on the valid split it is called `val_<name>`.
        direction: "min" if smaller is better, "max" if greater is.
        function: Takes labels and predictions, both float64 of shape (rows,), and returns the
            metric. None if it is a metric of lists.
        tasks: The tasks that report this metric: "rating", "ctr", "ranking".
        row_losses: Takes the same and returns each row's loss, shape (rows,); None if the metric is
            not the mean of row losses and does not grow with it.
        of_users: Takes rankings and returns the metric of each user, shape (users,), NaN for users
            that it does not exist for. The metric is the mean over the others. None if it is a
            metric of rows.
    """

    name: str
    direction: Literal["min", "max"]
    function: Callable[[np.ndarray, np.ndarray], float] | None = None
    tasks: tuple[str, ...] = ()
    row_losses: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    of_users: Callable[[Rankings], np.ndarray] | None = None

    def __call__(self, labels: np.ndarray, predictions: np.ndarray) -> float:
        """Computes the metric of `predictions` given `labels`, both of shape (rows,)."""
        if self.function is None:
            raise ConfigError(f"{self.name} is a metric of users' lists, not of rows.")
        return float(self.function(_flat(labels), _flat(predictions)))

    def of_rankings(self, rankings: Rankings) -> float:
        """Computes the mean over users; NaN if the metric exists for none of them."""
        if self.of_users is None:
            raise ConfigError(f"{self.name} is a metric of rows, not of users' lists.")
        found = self.of_users(rankings)
        known = found[~np.isnan(found)]
        return float(known.mean()) if len(known) else float("nan")

    @property
    def worst(self) -> float:
        """The score that every finite score is better than: infinity or minus infinity."""
        return float("inf") if self.direction == "min" else float("-inf")

    def better(self, score: float, than: float) -> bool:
        """Returns whether `score` is better than `than`; NaN is never better."""
        return score < than if self.direction == "min" else score > than

    def best(self, scores: Iterable[float]) -> float:
        """Returns the best of `scores`."""
        return min(scores) if self.direction == "min" else max(scores)

    def clearly_better(
        self,
        labels: np.ndarray,
        predictions: np.ndarray,
        others: np.ndarray,
        *,
        errors: float = 1.0,
    ) -> bool:
        """Returns whether `predictions` are better than `others` by more than chance.

        If the metric has row losses, the mean gain must exceed `errors` standard errors. Otherwise
        any gain is enough.

        Args:
            labels: Shape (rows,).
            predictions: Shape (rows,).
            others: The predictions to compare with, shape (rows,).
            errors: The number of standard errors.
        """
        labels, predictions, others = _flat(labels), _flat(predictions), _flat(others)
        if self.row_losses is None:
            return self.better(self(labels, predictions), self(labels, others))
        gains = self.row_losses(labels, others) - self.row_losses(labels, predictions)
        return bool(gains.mean() > errors * gains.std() / np.sqrt(len(gains)))


def squared_errors(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Computes each row's squared error."""
    errors: np.ndarray = np.square(labels - predictions)
    return errors


def absolute_errors(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Computes each row's absolute error."""
    errors: np.ndarray = np.abs(labels - predictions)
    return errors


def cross_entropies(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Computes each row's binary cross entropy, in nats."""
    clipped = np.clip(predictions, _EPSILON, 1 - _EPSILON)
    losses: np.ndarray = -(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped))
    return losses


def mse(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Computes the mean squared error."""
    return float(np.mean(squared_errors(labels, predictions)))


def rmse(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Computes the root mean squared error."""
    return float(np.sqrt(mse(labels, predictions)))


def mae(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Computes the mean absolute error."""
    return float(np.mean(absolute_errors(labels, predictions)))


def ce(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Computes the mean binary cross entropy of predicted probabilities, in nats."""
    return float(np.mean(cross_entropies(labels, predictions)))


def auc(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Computes the area under the ROC curve, ties counted half; NaN if there is only one class."""
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
    """Computes the expected calibration error over ten bins of about equally many rows."""
    predicted, observed, counts = calibration_curve(labels, predictions)
    return float(np.sum(np.abs(predicted - observed) * counts) / counts.sum())


def calibration_curve(
    labels: np.ndarray, predictions: np.ndarray, bins: int = CALIBRATION_BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compares predictions with labels in the bins of `calibration_bins`.

    Returns:
        Mean prediction, mean label and number of rows of each bin, each of shape (bins,).
    """
    labels, predictions = _flat(labels), _flat(predictions)
    bin_of_row = calibration_bins(predictions, bins)
    counts = np.bincount(bin_of_row)
    return (
        np.bincount(bin_of_row, weights=predictions) / counts,
        np.bincount(bin_of_row, weights=labels) / counts,
        counts,
    )


def calibration_bins(predictions: np.ndarray, bins: int = CALIBRATION_BINS) -> np.ndarray:
    """Divides rows, in the order of their predictions, into bins of about equally many rows.

    Rows with the same prediction share one bin: the bin of their middle rank. The bins therefore do
    not depend on the order of the rows, and they differ in size if many predictions are equal.

    Args:
        predictions: Shape (rows,).
        bins: The largest number of bins.

    Returns:
        The bin of each row, numbered from 0 without gaps, int, shape (rows,).
    """
    _, place, counts = np.unique(_flat(predictions), return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    bin_of_value = np.floor(bins * middle / max(len(place), 1)).astype(int)
    _, bin_of_value = np.unique(bin_of_value, return_inverse=True)
    return bin_of_value[place]


def _list_loss(k: int, rankings: Rankings) -> np.ndarray:
    loss: np.ndarray = 1 - rankings.ndcg(k)
    return loss


_AT: dict[str, tuple[Literal["min", "max"], Callable[[int, Rankings], np.ndarray]]] = {
    "1-ndcg": ("min", _list_loss),
    "ndcg": ("max", lambda k, rankings: rankings.ndcg(k)),
    "recall": ("max", lambda k, rankings: rankings.recall(k)),
    "precision": ("max", lambda k, rankings: rankings.precision(k)),
    "map": ("max", lambda k, rankings: rankings.average_precision(k)),
    "hit_rate": ("max", lambda k, rankings: rankings.hit_rate(k)),
}
"""The metrics of the first places of a list, by the part of their name before the @."""


def _at(name: str, k: int) -> Metric:
    direction, of_users = _AT[name]
    return Metric(f"{name}@{k}", direction, tasks=("ranking",), of_users=partial(of_users, k))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("mse", "min", mse, ("rating",), squared_errors),
        Metric("rmse", "min", rmse, ("rating",), squared_errors),
        Metric("mae", "min", mae, ("rating",), absolute_errors),
        Metric("ce", "min", ce, ("ctr",), cross_entropies),
        Metric("auc", "max", auc, ("ctr",)),
        Metric("calibration", "min", calibration, ("ctr",)),
        *(_at(name, LENGTH) for name in _AT),
        Metric("mrr", "max", tasks=("ranking",), of_users=Rankings.mrr),
        Metric("gauc", "max", tasks=("ctr", "ranking"), of_users=Rankings.auc),
    )
}
"""All metrics by name. A new one is added here and nowhere else."""


def metrics_of(task: str) -> list[Metric]:
    """Returns the metrics of a task; the first is the loss that models are compared by."""
    return [metric for metric in METRICS.values() if task in metric.tasks]


def find_metric(name: str) -> Metric | None:
    """Returns the metric of this name, or None. `ndcg@20` is `ndcg@10` on longer lists."""
    kind, _, length = name.partition("@")
    if kind in _AT and length.isdecimal() and 1 <= int(length) <= 1000:
        return METRICS.get(name) or _at(kind, int(length))
    return METRICS.get(name)


def objective_metric(objective: str, task: str | None = None) -> Metric:
    """Returns the metric that an objective such as `val_mse` names.

    Raises:
        ConfigError: There is no such metric, or it does not belong to `task`.
    """
    metric = find_metric(objective.removeprefix("val_"))
    if metric is None or (task and task not in metric.tasks):
        known = listed(
            f"val_{one.name}" for one in (metrics_of(task) if task else METRICS.values())
        )
        where = f" of a {task} model" if task else ""
        raise ConfigError(f"Unknown objective {objective!r}{where}. Known objectives: {known}.")
    return metric


def task_metrics(
    task: str, labels: np.ndarray, predictions: np.ndarray, users: np.ndarray | None = None
) -> dict[str, float]:
    """Computes the metrics of a task from rows; leaves out those that are NaN.

    Args:
        task: "rating" or "ctr".
        labels: Shape (rows,).
        predictions: Shape (rows,).
        users: The user of each row, for metrics that are means over users; None leaves them out.
    """
    found = {
        metric.name: metric(labels, predictions)
        for metric in metrics_of(task)
        if metric.function is not None
    }
    if users is not None and any(metric.of_users for metric in metrics_of(task)):
        positive = _flat(labels) > 0.5
        found |= list_metrics(task, Rankings.of(users, positive, _flat(predictions)))
    return {name: value for name, value in found.items() if not np.isnan(value)}


def list_metrics(task: str, rankings: Rankings, *more: Metric) -> dict[str, float]:
    """Computes the metrics of a task that are means over users; leaves out those that are NaN.

    Args:
        task: The task.
        rankings: The rankings of users' lists.
        *more: More metrics of lists, such as an objective that is not among the task's.
    """
    found = {
        metric.name: metric.of_rankings(rankings)
        for metric in (*metrics_of(task), *more)
        if metric.of_users is not None
    }
    return {name: value for name, value in found.items() if not np.isnan(value)}


def _flat(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64).reshape(-1)
