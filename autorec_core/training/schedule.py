"""How long a candidate trains, what came of it, and how to train as long again."""

from __future__ import annotations

from dataclasses import dataclass

import keras

ROWS_AN_EVALUATION = 2_000_000
MOST_EVALUATIONS = 5


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
        stopped_early: Whether it stopped for lack of improvement: more epochs change nothing.
    """

    model: keras.Model
    objective: str
    score: float
    best_step: int
    metrics: dict[str, float]
    curve: tuple[dict[str, float], ...]
    schedule: Schedule
    constant_score: float
    stopped_early: bool = False
