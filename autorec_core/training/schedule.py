"""How long a candidate trains, the result, and how to train equally long again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import keras
import numpy as np

from autorec_core.training.checkpoint import Checkpoint

ROWS_AN_EVALUATION = 2_000_000
MOST_EVALUATIONS = 5

Stopped = Literal["plateau", "all epochs", "pruned", "paused"]
"""Why a training stopped: it plateaued, all epochs were done, it was too bad to continue, or it
waits for the decision whether it continues."""


@dataclass(frozen=True)
class Budget:
    """How long one candidate may train.

    Args:
        epochs: The largest number of epochs.
        patience: Training stops after this many evaluations in a row without improvement.
        evaluations: Evaluations in each epoch; None for one, or up to five if there are many rows.
    """

    epochs: int
    patience: int
    evaluations: int | None = None

    def evaluations_an_epoch(self, rows: int) -> int:
        """Returns the number of evaluations in an epoch of `rows` rows."""
        if self.evaluations is not None:
            return self.evaluations
        return min(MOST_EVALUATIONS, max(1, rows // ROWS_AN_EVALUATION))


@dataclass(frozen=True)
class Limits:
    """Where a training pauses or stops before the end of its budget.

    Args:
        until: The number of the evaluation at which it pauses, counted from 1; None for no pause.
        worst: The worst allowed best score after each number of evaluations. A training with a
            worse score is pruned.
    """

    until: int | None = None
    worst: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """The learning rates that led to the best weights, to train in the same way on other rows.

    Args:
        rates: The learning rate of each part of an epoch; none if the first weights were the best.
        parts: The number of parts of an epoch.
        batch_size: Rows in each step. Steps on other rows have the same size.
        constant: Whether the best model was the one that always predicts the mean of the labels.
    """

    rates: tuple[float, ...]
    parts: int
    batch_size: int
    constant: bool = False

    @property
    def epochs(self) -> float:
        """The length of the training in epochs."""
        return len(self.rates) / self.parts

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Makes a schedule from its fields, as `dataclasses.asdict` returns them.

        Raises:
            KeyError: A field is missing.
            TypeError: A field is unknown.
        """
        return cls(**{**content, "rates": tuple(content["rates"])})


@dataclass(frozen=True)
class Trained:
    """A trained candidate.

    Args:
        model: The Keras model with the weights of the best evaluation.
        objective: The name of the objective.
        score: The objective of exactly this model on the valid rows.
        best_step: The number of the best evaluation, counted from 1; 0 if training never made the
            model better.
        metrics: All metrics of the task at that evaluation.
        curve: One row for each evaluation: step, epoch, loss, learning_rate, seconds, metrics.
        schedule: How to train equally long on other rows.
        constant_score: The objective of always predicting the mean of the training labels.
        stopped: Why training stopped.
        predicted: The predictions of the model on the valid rows, float32, shape (rows,).
        checkpoint: The state from which training can continue, if it was paused.
    """

    model: keras.Model
    objective: str
    score: float
    best_step: int
    metrics: dict[str, float]
    curve: tuple[dict[str, float], ...]
    schedule: Schedule
    constant_score: float
    stopped: Stopped
    predicted: np.ndarray
    checkpoint: Checkpoint | None = None
