"""The progress of a training: evaluations, the best one, the learning rate, and when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from autorec_core.errors import DataError
from autorec_core.metrics import Metric
from autorec_core.training.checkpoint import Best, Checkpoint
from autorec_core.training.errors import FailedTrial
from autorec_core.training.judging import Judge
from autorec_core.training.learner import Learner
from autorec_core.training.prediction import Predictor
from autorec_core.training.schedule import Budget, Limits, Stopped

LEAST_GAIN = 3e-4
"""A smaller improvement, as a share of the score, is kept but counts as a plateau."""

Report = Callable[[dict[str, float]], None]


class Progress:
    """Evaluates a training after each part of an epoch and decides how to continue.

    Args:
        learner: The learner.
        predictor: Predicts with the model of the learner.
        judge: Computes the metrics of a model on the validation rows.
        metric: The metric of the objective.
        budget: How long training may take.
    """

    def __init__(
        self,
        learner: Learner,
        predictor: Predictor,
        judge: Judge,
        metric: Metric,
        budget: Budget,
    ) -> None:
        self.best = Best(metric.worst)
        """The best evaluation so far."""
        self.curve: list[dict[str, float]] = []
        """One row for each evaluation."""
        self._learner = learner
        self._predictor = predictor
        self._judge = judge
        self._metric = metric
        self._patience = budget.patience
        self._path: tuple[float, ...] = ()
        self._waited = 0

    @property
    def steps(self) -> int:
        """How many evaluations there have been."""
        return len(self.curve)

    def begin(self, belongs: str, checkpoint: Checkpoint | None) -> None:
        """Starts with the first weights of the learner, or from a checkpoint.

        Args:
            belongs: Everything that decides the training, as text.
            checkpoint: The checkpoint of this training, or None.

        Raises:
            DataError: The checkpoint belongs to another training.
        """
        self._belongs = belongs
        if checkpoint is None:
            self.untrained = self._metrics()
            return
        if checkpoint.belongs != belongs:
            raise DataError("The checkpoint belongs to another training.")
        self._learner.restore(checkpoint.state)
        self._learner.learning_rate = checkpoint.learning_rate
        self.best, self._path = checkpoint.best, checkpoint.path
        self._waited = checkpoint.waited
        self.curve = list(checkpoint.curve)
        self.untrained = dict(checkpoint.untrained)

    def run(
        self,
        parts: Iterator[tuple[float, float]],
        decay: float,
        limits: Limits,
        total: int,
        report: Report | None,
    ) -> Stopped:
        """Trains until the training stops. Returns why it stopped.

        Args:
            parts: Trains one part of an epoch at a time; yields the loss and the number of epochs.
            decay: The factor of the learning rate when the objective plateaus.
            limits: Where to pause or stop before all evaluations.
            total: The number of all evaluations.
            report: Called with each row of the learning curve.
        """
        began = time.monotonic() - (self.curve[-1]["seconds"] if self.curve else 0.0)
        for loss, epoch in parts:
            row = self._evaluated(loss, epoch, began)
            if report is not None:
                report(row)
            if self._waited >= self._patience:
                return "plateau"
            if self._waited and decay < 1:
                self._learner.set_weights(self.best.weights)
                self._learner.learning_rate *= decay
                self._path = self.best.path
            if self.steps == total:
                break
            worst = limits.worst.get(self.steps)
            if worst is not None and self._metric.better(worst, self.best.score):
                return "pruned"
            if self.steps == limits.until:
                return "paused"
        return "all epochs"

    def checkpoint(self) -> Checkpoint:
        """Returns the checkpoint from which this training can continue."""
        return Checkpoint(
            belongs=self._belongs,
            state=self._learner.state(),
            best=self.best,
            path=self._path,
            learning_rate=self._learner.learning_rate,
            waited=self._waited,
            curve=tuple(self.curve),
            untrained=self.untrained,
        )

    def _evaluated(self, loss: float, epoch: float, began: float) -> dict[str, float]:
        """Evaluates the current weights, and returns the new row of the learning curve."""
        metrics = self._metrics()
        score = metrics.get(self._metric.name, float("nan"))
        if not np.isfinite(score):
            raise FailedTrial(f"val_{self._metric.name} became {score}")
        rate = self._learner.learning_rate
        self._path = (*self._path, rate)
        row = {
            "step": self.steps + 1,
            "epoch": epoch,
            "loss": loss,
            "learning_rate": rate,
            "seconds": round(time.monotonic() - began, 3),
            **metrics,
        }
        self.curve.append(row)
        better = self._metric.better(score, self.best.score)
        gain = abs(score - self.best.score) if better else 0.0
        if gain:
            self.best = Best(score, self.steps, metrics, self._learner.weights(), self._path)
        self._waited = 0 if gain > LEAST_GAIN * abs(score) else self._waited + 1
        return row

    def _metrics(self) -> dict[str, float]:
        return self._judge.metrics(self._predictor)
