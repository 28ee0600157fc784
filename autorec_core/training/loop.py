"""Training one candidate: epochs, evaluations, early stopping, and the best weights handed back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from autorec_core.errors import ConfigError
from autorec_core.metrics import objective_metric, task_metrics
from autorec_core.recommender import Recommender
from autorec_core.training.batches import Batches, Chunk
from autorec_core.training.errors import FailedTrial
from autorec_core.training.learner import Learner, build_model
from autorec_core.training.prediction import Predictor
from autorec_core.training.rows import Rows
from autorec_core.training.schedule import Budget, Schedule, Trained
from autorec_core.training.untrained import adapted, best_untrained, means, prepared

LEAST_GAIN = 3e-4
"""An improvement by a smaller share of the score is kept, but training does not go on for it."""


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
    to the best weights and continues with a smaller learning rate. The first weights and the model
    that always predicts the mean are candidates too: see `best_untrained`.

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
    constant_score = metric(valid.labels, means(train, len(valid)))
    if np.isnan(constant_score):
        raise ConfigError(
            f"{objective} cannot be computed: the {len(valid):,} valid rows do not have both "
            "labels. Choose another `search.objective` or `split.strategy`, or bring more rows."
        )
    model = build_model(recommender, seed)
    rows = adapted(model, [train])
    batch_size = recommender.training.rows_a_step(len(train))
    learner, predictor = Learner(recommender, model, batch_size), Predictor(model)
    untrained = task_metrics(task, valid.labels, predictor(valid.inputs))
    parts = budget.evaluations_an_epoch(len(train))
    decay = recommender.training.decay
    state = _Best(metric.worst)
    curve: list[dict[str, float]] = []
    path: tuple[float, ...] = ()
    waited = 0
    began = time.monotonic()
    for step, (loss, epoch) in enumerate(
        _parts_of_epochs(learner, rows, budget.epochs * parts, parts, seed), start=1
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
    trained = Trained(
        model=model,
        objective=objective,
        score=state.score,
        best_step=state.step,
        metrics=state.metrics,
        curve=tuple(curve),
        schedule=Schedule(state.path, parts, batch_size),
        constant_score=constant_score,
        stopped_early=waited >= budget.patience,
    )
    return best_untrained(trained, recommender, train, valid, untrained, seed)


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
    model, splits = prepared(recommender, splits, schedule, seed)
    if not schedule.rates:
        return model
    learner = Learner(recommender, model, schedule.batch_size)
    learner.learning_rate = schedule.rates[0]
    parts = _parts_of_epochs(learner, splits, len(schedule.rates), schedule.parts, seed)
    for following, _ in zip([*schedule.rates[1:], None], parts, strict=True):
        if following is not None:
            learner.learning_rate = following
    return model


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
