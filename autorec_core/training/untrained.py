"""Models before their first training step, in case training makes them no better."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from autorec_core.metrics import objective_metric, task_metrics
from autorec_core.optimizers import RankingOptimizer
from autorec_core.recommender import Recommender, adapt
from autorec_core.training.learner import build_model
from autorec_core.training.prediction import predict
from autorec_core.training.rows import Rows
from autorec_core.training.schedule import Schedule, Trained


def best_untrained(
    trained: Trained,
    recommender: Recommender,
    train: Rows,
    valid: Rows,
    untrained: Mapping[str, float],
    seed: int,
) -> Trained:
    """Returns the trained candidate, or an untrained one if training has brought nothing.

    The first weights win if they are better both by the objective and by the loss of the task. The
    constant wins unless the model is clearly better by one of the two. One is enough, because the
    constant is good by some measures, such as calibration. "Clearly" is needed, because the best of
    many evaluations on few valid rows is a little better than the constant by chance alone.

    Args:
        trained: The result of the training.
        recommender: The recommender, without open settings.
        train: The training rows.
        valid: The validation rows.
        untrained: The metrics of the first weights.
        seed: The seed of the first weights.
    """
    task = recommender.optimizer.task
    if isinstance(recommender.optimizer, RankingOptimizer):
        return _best_of_lists(trained, recommender, train, untrained, seed)
    own = objective_metric(recommender.optimizer.objective, task)
    metric = objective_metric(trained.objective, task)
    schedule = dataclasses.replace(trained.schedule, rates=())

    def candidate(schedule: Schedule) -> Trained:
        model, _ = prepared(recommender, [train], schedule, seed)
        predicted = predict(model, valid.inputs)
        found = task_metrics(task, valid.labels, predicted)
        return dataclasses.replace(
            trained,
            model=model,
            score=found[metric.name],
            best_step=0,
            metrics=found,
            schedule=schedule,
            predicted=predicted,
        )

    best, errors = trained, 1.0
    if all(one.better(untrained[one.name], trained.metrics[one.name]) for one in (metric, own)):
        # Most of these weights are random in every trial, so they must be clearly better.
        best, errors = candidate(schedule), 2.0

    def knows_more_than(constant: np.ndarray) -> bool:
        return any(
            one.clearly_better(valid.labels, best.predicted, constant, errors=errors)
            for one in (metric, own)
        )

    if knows_more_than(means(train, len(valid))):
        return best
    constant = candidate(dataclasses.replace(schedule, constant=True))
    # A task optimizer from outside this project may not add the mean.
    return best if knows_more_than(constant.predicted) else constant


def prepared(
    recommender: Recommender, splits: Sequence[Rows], schedule: Schedule, seed: int
) -> tuple[keras.Model, list[Rows]]:
    """Returns the model of a schedule before its first step, and the rows to train it on."""
    constant = schedule.constant
    model = recommender.constant_model() if constant else build_model(recommender, seed)
    return model, adapted(model, splits)


def adapted(model: keras.Model, splits: Sequence[Rows]) -> list[Rows]:
    """Lets layers take statistics from the training rows before training.

    Returns:
        The splits. The values that layers need for each row are added to their inputs.
    """
    inputs, labels = splits[0].inputs, splits[0].labels
    if len(splits) > 1:
        inputs = {name: np.concatenate([rows.inputs[name] for rows in splits]) for name in inputs}
        labels = np.concatenate([rows.labels for rows in splits])
    of_rows = adapt(model, inputs, labels)
    ends = np.cumsum([len(rows) for rows in splits])[:-1]
    pieces = {name: np.split(array, ends) for name, array in of_rows.items()}
    return [
        Rows({**rows.inputs, **{name: cut[place] for name, cut in pieces.items()}}, rows.labels)
        for place, rows in enumerate(splits)
    ]


def _best_of_lists(
    trained: Trained,
    recommender: Recommender,
    train: Rows,
    untrained: Mapping[str, float],
    seed: int,
) -> Trained:
    """Returns the first weights of a model that ranks, if no training led to better ones."""
    metric = objective_metric(trained.objective, recommender.optimizer.task)
    score = untrained.get(metric.name, metric.worst)
    if not metric.better(score, trained.score):
        return trained
    schedule = dataclasses.replace(trained.schedule, rates=())
    model, _ = prepared(recommender, [train], schedule, seed)
    return dataclasses.replace(
        trained,
        model=model,
        score=score,
        best_step=0,
        metrics=dict(untrained),
        schedule=schedule,
    )


def means(train: Rows, count: int) -> np.ndarray:
    """Returns the mean of the training labels `count` times, shape (count,)."""
    return np.full(count, np.float32(train.labels.mean(dtype=np.float64)))
