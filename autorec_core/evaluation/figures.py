"""The test metrics of a scorer and of the baselines, and the loss of every row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autorec_core.data.schema import Schema
from autorec_core.evaluation.baselines import (
    Splits,
    baselines_of,
)
from autorec_core.evaluation.intervals import LEVEL, mean_intervals
from autorec_core.metrics import cross_entropies, metrics_of, squared_errors, task_metrics

PERFECT = 0.995
"""If a model is this good (AUC, or share of the variance), a column may hold the answer."""
FEWEST_OF_AUC = 10
"""With fewer test rows of either label, the AUC is mostly chance."""
LOSSES = {task: metrics_of(task)[0].name for task in ("rating", "ctr", "ranking")}
"""The metric that is the mean of the row losses, by task; for ranking, of the users' losses."""


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of a model and the baselines on the test rows.

    Args:
        figures: For "model" and each baseline, the task's metrics by name.
        losses: For "model" and each baseline, the loss of each test row, float64, shape (rows,).
        chosen: For each baseline with a setting, the setting that was chosen on the valid rows.
        warnings: Sentences that a reader must know before trusting the figures.
    """

    figures: dict[str, dict[str, float]]
    losses: Mapping[str, np.ndarray]
    chosen: dict[str, dict[str, float]]
    warnings: tuple[str, ...]

    @property
    def warning(self) -> str:
        """All warnings in one line; "" if there are none."""
        return " ".join(self.warnings)


def row_losses(task: str, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Computes each row's loss: squared error or cross entropy; float64, shape (rows,)."""
    losses = cross_entropies if task == "ctr" else squared_errors
    return losses(np.asarray(labels, np.float64), np.asarray(scores, np.float64))


def evaluate(scores: np.ndarray, splits: Splits, users: np.ndarray | None = None) -> Evaluation:
    """Evaluates a model's scores of the test rows, and the baselines.

    Args:
        scores: The model's scores of the test rows, shape (rows,).
        splits: The encoded rows. `refit` must say whether the model was trained on the valid rows
            too, so that the baselines are trained on the same rows.
        users: The user of each test row, for metrics that are means over users; None for none.
    """
    schema, test = splits.schema, splits.test
    found_by = {one.name: one.predict(splits) for one in baselines_of(schema.task)}
    predictions = {
        "model": np.asarray(scores, np.float64),
        **{name: one.scores for name, one in found_by.items()},
    }
    figures = {
        name: task_metrics(schema.task, test.label, predicted, users)
        for name, predicted in predictions.items()
    }
    losses = {
        name: row_losses(schema.task, test.label, predicted)
        for name, predicted in predictions.items()
    }
    chosen = {name: dict(one.chosen) for name, one in found_by.items() if one.chosen}
    warnings = tuple(_warnings(schema, test.label, figures))
    return Evaluation(figures, losses, chosen, warnings)


def _warnings(
    schema: Schema, labels: np.ndarray, figures: Mapping[str, Mapping[str, float]]
) -> Iterator[str]:
    """Yields what a reader must know before trusting the figures."""
    loss = LOSSES[schema.task]
    found, constant = figures["model"].get(loss, np.nan), figures["mean"][loss]
    if not found < constant:
        yield (
            f"The model is not better than predicting the mean: its test {loss.upper()} is "
            f"{found:.4g}, that of the mean is {constant:.4g}."
        )
    if schema.task == "ctr":
        yield from _auc_warnings(schema, labels, figures["model"].get("auc"))
    elif (variance := float(np.var(labels, dtype=np.float64))) and found < (1 - PERFECT) * variance:
        yield (
            f"The model explains {1 - found / variance:.2%} of the variance of {schema.label}, "
            "almost all of it: check whether a column holds the answer."
        )


def _auc_warnings(schema: Schema, labels: np.ndarray, value: float | None) -> Iterator[str]:
    positive = int((labels > 0.5).sum())
    rarer, count = (1, positive) if 2 * positive <= len(labels) else (0, len(labels) - positive)
    if value is None:
        yield (
            f"The AUC cannot be computed: no test row has {schema.label} {rarer}. Use more rows or "
            "another `split.strategy`."
        )
        return
    if count < FEWEST_OF_AUC:
        rows = "row has" if count == 1 else "rows have"
        yield (
            f"The AUC of {value:.4f} says little: only {count} test {rows} {schema.label} {rarer}."
        )
    elif value >= PERFECT:
        yield f"The AUC of {value:.4f} is almost perfect: check whether a column holds the answer."


def loss_intervals(
    task: str, losses: Mapping[str, np.ndarray], seed: int, users: np.ndarray | None = None
) -> dict[str, Any]:
    """Computes the mean losses of model and baselines, and their differences, with intervals.

    Args:
        task: "rating" or "ctr".
        losses: For "model" and each baseline, the loss of each test row, shape (rows,).
        seed: The seed of the draws; all columns are drawn together, so differences are paired.
        users: The user of each row, so that a user's rows are drawn together; None if rows are
            independent.

    Returns:
        `loss` (the metric's name), `level`, and by name `losses` and `differences` (the model's
        loss minus the baseline's), each with `mean`, `low` and `high`.
    """
    names = list(losses)
    others = [name for name in names if name != "model"]
    table = np.stack(
        [losses[name] for name in names] + [losses["model"] - losses[name] for name in others],
        axis=1,
    )
    found = [asdict(interval) for interval in mean_intervals(table, seed, clusters=users)]
    return {
        "loss": LOSSES[task],
        "level": LEVEL,
        "losses": dict(zip(names, found[: len(names)], strict=True)),
        "differences": dict(zip(others, found[len(names) :], strict=True)),
    }
