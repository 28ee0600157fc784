"""How a candidate is scored on the valid rows: row by row, or by the lists of users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from autorec_core.errors import ConfigError, DataError
from autorec_core.evaluation.full_catalogue import UserLists
from autorec_core.evaluation.item_rows import ItemRows
from autorec_core.metrics import Metric, list_metrics, task_metrics
from autorec_core.optimizers import RankingOptimizer, TaskOptimizer
from autorec_core.training.negatives import pairs_of
from autorec_core.training.rows import Rows

PAIRS = 2_000_000
"""The approximate number of pairs of a user and an item that an evaluation scores at most."""
FEWEST_USERS = 100

Predict = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""Predictions, float32, shape (rows,), from arrays by input name."""


class Judge(Protocol):
    """Computes the metrics of a model on the valid rows."""

    def metrics(self, predict: Predict) -> dict[str, float]:
        """Returns the task's metrics by name."""


class RowJudge:
    """Computes metrics from the valid rows and their labels.

    Args:
        valid: The valid rows.
        task: "rating" or "ctr".
    """

    def __init__(self, valid: Rows, task: str) -> None:
        self._valid = valid
        self._task = task

    def metrics(self, predict: Predict) -> dict[str, float]:
        """Returns the task's metrics by name."""
        valid = self._valid
        return task_metrics(self._task, valid.labels, predict(valid.inputs), valid.users)


class ListJudge:
    """Computes metrics from users' lists over the full catalogue, for a sample of users.

    Args:
        train: The rows that were learned from.
        valid: The rows that say what users took.
        optimizer: Says where users and items are.
        metric: The objective's metric.
        seed: The seed of the sample of users.
    """

    def __init__(
        self, train: Rows, valid: Rows, optimizer: RankingOptimizer, metric: Metric, seed: int
    ) -> None:
        self._metric = metric
        known, later = pairs_of(train, optimizer), pairs_of(valid, optimizer)
        self._items = ItemRows.of(train.inputs, known[:, 0], known[:, 1])
        most = max(FEWEST_USERS, PAIRS // max(len(self._items.items), 1))
        self.lists = UserLists.of(known, later, most_users=most, seed=seed)
        users, first = np.unique(later[:, 0], return_index=True)
        rows = first[np.searchsorted(users, self.lists.users)]
        self._users = {name: array[rows] for name, array in valid.inputs.items()}

    def metrics(self, predict: Predict) -> dict[str, float]:
        """Returns the task's metrics by name; none if a prediction is not a finite number."""

        def scores(first: int, last: int) -> np.ndarray:
            rows = self._items.with_users(self._users, first, last)
            return predict(rows).reshape(last - first, -1)

        try:
            return list_metrics("ranking", self.lists.rankings(scores), self._metric)
        except DataError:
            return {}


def judge_of(
    optimizer: TaskOptimizer, train: Rows, valid: Rows, metric: Metric, seed: int
) -> Judge:
    """Returns what scores candidates of a task.

    Raises:
        DataError: The valid rows do not allow it.
    """
    if isinstance(optimizer, RankingOptimizer):
        return ListJudge(train, valid, optimizer, metric, seed)
    return RowJudge(valid, optimizer.task)


def constant_score_of(
    optimizer: TaskOptimizer,
    train: Rows,
    valid: Rows,
    metric: Metric,
    seed: int,
    judge: Judge | None = None,
) -> float:
    """Returns the objective of predicting the mean training label for every row.

    Args:
        optimizer: The task optimizer.
        train: The rows that are learned from.
        valid: The rows that score.
        metric: The objective's metric.
        seed: The seed of a sample of users.
        judge: What scores candidates, if it is there already.

    Raises:
        ConfigError: The objective cannot be computed on `valid`.
        DataError: No list of a user can be judged.
    """
    mean = np.float32(np.mean(train.labels, dtype=np.float64))
    judge = judge or judge_of(optimizer, train, valid, metric, seed)
    found = judge.metrics(lambda inputs: np.full(len(next(iter(inputs.values()))), mean))
    if metric.name in found:
        return found[metric.name]
    if metric.function is None and valid.users is None:
        raise ConfigError(
            f"val_{metric.name} is a mean over users, but these rows have no users: name the "
            "`user` column in the data set's entry, or choose another `search.objective`."
        )
    raise ConfigError(
        f"val_{metric.name} cannot be computed: the {len(valid):,} valid rows do not have both "
        "labels. Choose another `search.objective` or `split.strategy`, or bring more rows."
    )
