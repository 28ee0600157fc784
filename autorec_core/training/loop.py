"""Training one candidate: epochs, evaluations, early stopping, and the best weights handed back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from autorec_core.errors import ConfigError
from autorec_core.metrics import objective_metric, task_metrics
from autorec_core.recommender import Recommender, adapt
from autorec_core.training.batches import Batches, Chunk
from autorec_core.training.errors import FailedTrial
from autorec_core.training.learner import Learner, build_model
from autorec_core.training.prediction import Predictor
from autorec_core.training.rows import Rows

ROWS_AN_EVALUATION = 2_000_000
MOST_EVALUATIONS = 5
LEAST_GAIN = 3e-4
"""An improvement by a smaller share of the score is kept, but training does not go on for it."""


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
        rates: The learning rate of each part.
        parts: How many parts an epoch has.
    """

    rates: tuple[float, ...]
    parts: int

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
        best_step: The evaluation it is from, counted from 1.
        metrics: All metrics of the task at that evaluation.
        curve: One row an evaluation: step, epoch, loss, learning_rate, seconds and the metrics.
        schedule: How to train as long on other rows.
        constant_score: The objective of always predicting the training labels' mean.
        stopped_early: Whether it ended for want of improvement: more epochs would change nothing.
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


Report = Callable[[dict[str, float]], None]


def train(
    recommender: Recommender,
    train: Rows,
    valid: Rows,
    *,
    budget: Budget,
    seed: int,
    objective: str | None = None,
    report: Report | None = None,
) -> Trained:
    """Trains one resolved recommender: a pure function of its arguments.

    When an evaluation brings next to no improvement and the recipe has a decay, training goes back
    to the best weights and continues with a smaller learning rate.

    Args:
        recommender: Resolved: no choice is left in it.
        train: The rows to learn from.
        valid: The rows that decide when to stop and which weights are best.
        budget: How long at most.
        seed: Decides initial weights, dropout and the order of rows.
        objective: What is best on `valid`, such as `val_mse`; None for the task's own.
        report: Called with each row of the curve as it comes.

    Raises:
        FailedTrial: The candidate cannot be built, its loss becomes NaN, or memory runs out.
        ConfigError: The objective is not one of the task's, or cannot be computed on `valid`.
    """
    task = recommender.optimizer.task
    objective = objective or recommender.optimizer.objective
    metric = objective_metric(objective, task)
    constant = np.full(len(valid), train.labels.mean(dtype=np.float64))
    constant_score = metric(valid.labels, constant)
    if np.isnan(constant_score):
        raise ConfigError(
            f"{objective} cannot be computed: the {len(valid):,} valid rows do not have both "
            "labels. Choose another `search.objective` or `split.strategy`, or bring more rows."
        )

    model = build_model(recommender, seed)
    _adapt(model, [train])
    learner, predictor = Learner(recommender, model, len(train)), Predictor(model)
    parts = budget.evaluations_an_epoch(len(train))
    decay = recommender.training.decay
    state = _Best(metric.worst)
    curve: list[dict[str, float]] = []
    path: tuple[float, ...] = ()
    waited = 0
    began = time.monotonic()
    for step, (loss, epoch) in enumerate(
        _parts_of_epochs(learner, [train], budget.epochs * parts, parts, seed), start=1
    ):
        metrics = task_metrics(task, valid.labels, predictor(valid.inputs))
        score = metrics.get(metric.name, float("nan"))
        if not np.isfinite(score):
            raise FailedTrial(f"{objective} became {score}")
        path = (*path, learner.learning_rate)
        row = {
            "step": step,
            "epoch": epoch,
            "loss": loss,
            "learning_rate": learner.learning_rate,
            "seconds": round(time.monotonic() - began, 3),
            **metrics,
        }
        curve.append(row)
        if report is not None:
            report(row)
        gain = abs(score - state.score) if metric.better(score, state.score) else 0.0
        if gain:
            state = _Best(score, step, metrics, learner.weights(), path)
        waited = 0 if gain > LEAST_GAIN * abs(score) else waited + 1
        if waited >= budget.patience:
            break
        if waited and decay < 1:
            learner.set_weights(state.weights)
            learner.learning_rate *= decay
            path = state.path
    learner.set_weights(state.weights)
    return Trained(
        model=model,
        objective=objective,
        score=state.score,
        best_step=state.step,
        metrics=state.metrics,
        curve=tuple(curve),
        schedule=Schedule(state.path, parts),
        constant_score=constant_score,
        stopped_early=waited >= budget.patience,
    )


def refit(
    recommender: Recommender, rows: Rows | Sequence[Rows], *, schedule: Schedule, seed: int
) -> keras.Model:
    """Trains the winner once more, on train and valid together, as long as its best weights took.

    Args:
        recommender: The resolved recommender.
        rows: The rows to learn from, or several splits to learn from as one.
        schedule: Of the training that found the best weights.
        seed: Decides initial weights, dropout and the order of rows.

    Raises:
        FailedTrial: As in `train`.
    """
    splits = [rows] if isinstance(rows, Rows) else list(rows)
    model = build_model(recommender, seed)
    _adapt(model, splits)
    learner = Learner(recommender, model, sum(map(len, splits)))
    learner.learning_rate = schedule.rates[0]
    parts = _parts_of_epochs(learner, splits, len(schedule.rates), schedule.parts, seed)
    for following, _ in zip([*schedule.rates[1:], None], parts, strict=True):
        if following is not None:
            learner.learning_rate = following
    return model


def _adapt(model: keras.Model, splits: Sequence[Rows]) -> None:
    """Lets the layers that take statistics from the training rows take them, before training."""
    if len(splits) == 1:
        adapt(model, splits[0].inputs, splits[0].labels)
        return
    inputs = {
        name: np.concatenate([rows.inputs[name] for rows in splits]) for name in splits[0].inputs
    }
    adapt(model, inputs, np.concatenate([rows.labels for rows in splits]))


@dataclass(frozen=True)
class _Best:
    """The best evaluation so far."""

    score: float
    step: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    weights: list[np.ndarray] = field(default_factory=list)
    path: tuple[float, ...] = ()


def _parts_of_epochs(
    learner: Learner, splits: Sequence[Rows], total: int, parts: int, seed: int
) -> Iterator[tuple[float, float]]:
    """Trains part by part of an epoch; gives the mean loss and the epochs done after each."""
    batch_size = learner.batch_size
    batches = Batches(splits, batch_size, seed)
    steps = -(-batches.num_rows // batch_size)
    ends = [round(steps * (part + 1) / parts) * batch_size for part in range(parts)]
    done = 0
    epoch = 0
    while done < total:
        loss, rows, seen, part = 0.0, 0, 0, 0
        for chunk in batches.epoch(epoch):
            for order in _cut(chunk, seen, ends):
                loss += learner.learn(chunk, order)
                rows, seen = rows + len(order), seen + len(order)
                if seen >= min(ends[part], batches.num_rows):
                    part, done = part + 1, done + 1
                    yield loss / max(rows, 1), epoch + part / parts
                    if done == total:
                        return
                    loss, rows = 0.0, 0
        epoch += 1


def _cut(chunk: Chunk, seen: int, ends: Sequence[int]) -> Iterator[np.ndarray]:
    """The chunk's order, cut where a part of the epoch ends."""
    start = 0
    for end in ends:
        stop = min(end - seen, len(chunk.order))
        if stop > start:
            yield chunk.order[start:stop]
            start = stop
