"""Evaluation: a scorer's test figures beside the baselines', and the loss of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autorec_core.data.schema import Examples, Schema
from autorec_core.evaluation.baselines import predict_biases, predict_logistic, predict_mean
from autorec_core.evaluation.intervals import LEVEL, mean_intervals
from autorec_core.metrics import task_metrics

LOSSES = {"rating": "mse", "ctr": "ce"}
"""The metric that is the mean of the row losses, by task."""


@dataclass(frozen=True)
class Evaluation:
    """What the test rows say of a model.

    Args:
        figures: For "model" and each baseline, the task's metrics by name.
        losses: For the same, the loss of each test row, float64, shape (rows,).
        warning: One sentence where the model is no better than the constant predictor, else "".
    """

    figures: dict[str, dict[str, float]]
    losses: Mapping[str, np.ndarray]
    warning: str


def row_losses(task: str, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The task's loss of each row: squared error or cross entropy; float64, shape (rows,)."""
    labels, scores = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    if task == "rating":
        return np.square(labels - scores)
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    return -(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped))


def evaluate(
    scores: np.ndarray, known: Examples, test: Examples, schema: Schema, seed: int
) -> Evaluation:
    """Holds scores of the test rows against the labels, beside the baselines.

    Args:
        scores: The model's scores of the test rows, shape (rows,).
        known: The encoded rows the model was trained on; the baselines learn from the same.
        test: The encoded test rows.
        schema: The schema of both.
        seed: Seeds the baselines that draw.
    """
    predictions = {"model": np.asarray(scores, np.float64), "mean": predict_mean(known, test)}
    if schema.task == "rating":
        predictions["bias"] = predict_biases(known, test, schema)
    else:
        predictions["logistic"] = predict_logistic(known, test, schema, seed)
    figures = {
        name: task_metrics(schema.task, test.label, predicted)
        for name, predicted in predictions.items()
    }
    loss = LOSSES[schema.task]
    found, constant = figures["model"][loss], figures["mean"][loss]
    warning = (
        f"The model is not better than predicting the mean: test {loss.upper()} {found:.4f}, "
        f"the mean's {constant:.4f}."
        if not found < constant
        else ""
    )
    losses = {
        name: row_losses(schema.task, test.label, predicted)
        for name, predicted in predictions.items()
    }
    return Evaluation(figures, losses, warning)


def loss_intervals(task: str, losses: Mapping[str, np.ndarray], seed: int) -> dict[str, Any]:
    """The mean loss of model and baselines with intervals, and what the model wins by.

    Args:
        task: "rating" or "ctr".
        losses: For "model" and each baseline, the loss of each test row, shape (rows,).
        seed: Seeds the draws; all columns are drawn together, so differences are paired.

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
    found = [asdict(interval) for interval in mean_intervals(table, seed)]
    return {
        "loss": LOSSES[task],
        "level": LEVEL,
        "losses": dict(zip(names, found[: len(names)], strict=True)),
        "differences": dict(zip(others, found[len(names) :], strict=True)),
    }
