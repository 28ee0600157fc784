"""Evaluation: a scorer's test figures beside the baselines', and the loss of every row."""

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
"""Where a model is this good (AUC, or share of the variance), a column may hold the answer."""
FEWEST_OF_AUC = 10
"""With fewer test rows of either label, an AUC is mostly chance."""
LOSSES = {task: metrics_of(task)[0].name for task in ("rating", "ctr")}
"""The metric that is the mean of the row losses, by task."""


@dataclass(frozen=True)
class Evaluation:
    """What the test rows say of a model.

    Args:
        figures: For "model" and each baseline, the task's metrics by name.
        losses: For the same, the loss of each test row, float64, shape (rows,).
        chosen: For each baseline with a setting, what was chosen on the valid rows.
        warnings: A sentence for each thing that must be known before the figures are believed.
    """

    figures: dict[str, dict[str, float]]
    losses: Mapping[str, np.ndarray]
    chosen: dict[str, dict[str, float]]
    warnings: tuple[str, ...]

    @property
    def warning(self) -> str:
        """All warnings in one line; "" where there are none."""
        return " ".join(self.warnings)


def row_losses(task: str, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The task's loss of each row: squared error or cross entropy; float64, shape (rows,)."""
    losses = cross_entropies if task == "ctr" else squared_errors
    return losses(np.asarray(labels, np.float64), np.asarray(scores, np.float64))


def evaluate(scores: np.ndarray, splits: Splits) -> Evaluation:
    """Holds scores of the test rows against the labels, beside the baselines.

    Args:
        scores: The model's scores of the test rows, shape (rows,).
        splits: The encoded rows; `refit` says whether the model has learned from the valid rows
            too, so that the baselines learn from the same rows as the model.
    """
    schema, test = splits.schema, splits.test
    found_by = {one.name: one.predict(splits) for one in baselines_of(schema.task)}
    predictions = {
        "model": np.asarray(scores, np.float64),
        **{name: one.scores for name, one in found_by.items()},
    }
    figures = {
        name: task_metrics(schema.task, test.label, predicted)
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
    """What must be known before the figures are believed."""
    loss = LOSSES[schema.task]
    found, constant = figures["model"].get(loss, np.nan), figures["mean"][loss]
    if not found < constant:
        yield (
            f"The model is not better than predicting the mean: test {loss.upper()} "
            f"{found:.4g}, the mean's {constant:.4g}."
        )
    if schema.task == "ctr":
        yield from _of_auc(schema, labels, figures["model"].get("auc"))
    elif (variance := float(np.var(labels, dtype=np.float64))) and found < (1 - PERFECT) * variance:
        yield (
            f"The model explains {1 - found / variance:.2%} of the variance of {schema.label}, "
            "almost all of it: look whether a column holds the answer."
        )


def _of_auc(schema: Schema, labels: np.ndarray, value: float | None) -> Iterator[str]:
    positive = int((labels > 0.5).sum())
    rarer, count = (1, positive) if 2 * positive <= len(labels) else (0, len(labels) - positive)
    if value is None:
        yield (
            f"The AUC cannot be computed: no test row has {schema.label} {rarer}. More rows, or "
            "another `split.strategy`, would bring some."
        )
        return
    if count < FEWEST_OF_AUC:
        rows = "row has" if count == 1 else "rows have"
        yield (
            f"The AUC of {value:.4f} says little: only {count} test {rows} {schema.label} {rarer}."
        )
    elif value >= PERFECT:
        yield (f"The AUC of {value:.4f} is almost perfect: look whether a column holds the answer.")


def loss_intervals(
    task: str, losses: Mapping[str, np.ndarray], seed: int, users: np.ndarray | None = None
) -> dict[str, Any]:
    """The mean loss of model and baselines with intervals, and what the model wins by.

    Args:
        task: "rating" or "ctr".
        losses: For "model" and each baseline, the loss of each test row, shape (rows,).
        seed: Seeds the draws; all columns are drawn together, so differences are paired.
        users: The user of each row, whose rows are drawn together; None where rows stand alone.

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
