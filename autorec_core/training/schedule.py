"""How long a candidate trains, what came of it, and how to train as long again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import keras
import numpy as np

from autorec_core.training.checkpoint import Checkpoint

ROWS_AN_EVALUATION = 2_000_000
MOST_EVALUATIONS = 5

Stopped = Literal["plateau", "all epochs", "pruned", "paused"]
"""Why a training stopped: it improved no more, its epochs were over, it was hopeless, or it waits
until it is known whether it is worth going on."""


@dataclass(frozen=True)
class Budget:
    """How long one candidate may train.

    Args:
        epochs: At most so many.
        patience: Evaluations in a row that bring next to no improvement before it stops.
        evaluations: Evaluations in an epoch; None for one, or up to five where rows are many.
    """

    epochs: int
    patience: int
    evaluations: int | None = None

    def evaluations_an_epoch(self, rows: int) -> int:
        """How often an epoch of `rows` rows is interrupted for an evaluation."""
        if self.evaluations is not None:
            return self.evaluations
        return min(MOST_EVALUATIONS, max(1, rows // ROWS_AN_EVALUATION))


@dataclass(frozen=True)
class Limits:
    """Where a training stops before its budget is over.

    Args:
        until: The evaluation at which it is paused, counted from 1; None for none.
        worst: The score that the best evaluation so far must not be worse than, by the number of
            evaluations; a training that is worse is pruned.
    """

    until: int | None = None
    worst: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """The way that led to the best weights, to be walked again on other rows.

    Args:
        rates: The learning rate of each part; none where the first weights were the best.
        parts: How many parts an epoch has.
        batch_size: Rows a step: other rows are trained on in steps of the same size.
        constant: Whether the best model was the one that always predicts the labels' mean.
    """

    rates: tuple[float, ...]
    parts: int
    batch_size: int
    constant: bool = False

    @property
    def epochs(self) -> float:
        """Its length in epochs."""
        return len(self.rates) / self.parts


@dataclass(frozen=True)
class Trained:
    """A trained candidate.

    Args:
        model: The Keras model with the best evaluation's weights.
        objective: The objective's name.
        score: The objective of exactly this model on the valid rows.
        best_step: The evaluation it is from, counted from 1; 0 where no training made it better.
        metrics: All metrics of the task at that evaluation.
        curve: One row an evaluation: step, epoch, loss, learning_rate, seconds and the metrics.
        schedule: How to train as long on other rows.
        constant_score: The objective of always predicting the training labels' mean.
        stopped: Why it stopped.
        predicted: What the model predicts on the valid rows, float32, shape (rows,).
        checkpoint: From where it can go on, where it was paused.
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
