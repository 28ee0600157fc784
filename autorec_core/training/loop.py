"""Trains one candidate: epochs, evaluations, early stopping, and a return to the best weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from autorec_core.metrics import objective_metric
from autorec_core.recommender import Recommender
from autorec_core.training.batches import Batches, Chunk
from autorec_core.training.checkpoint import Checkpoint
from autorec_core.training.compiled import Compiled
from autorec_core.training.judging import constant_score_of, judge_of
from autorec_core.training.learner import Learner, learner_of
from autorec_core.training.progress import Progress, Report
from autorec_core.training.rows import Rows
from autorec_core.training.schedule import Budget, Limits, Schedule, Trained
from autorec_core.training.untrained import best_untrained, prepared


def train(
    recommender: Recommender,
    train: Rows,
    valid: Rows,
    *,
    budget: Budget,
    seed: int,
    objective: str | None = None,
    report: Report | None = None,
    limits: Limits | None = None,
    checkpoint: Checkpoint | None = None,
    compiled: Compiled | None = None,
) -> Trained:
    """Trains one recommender. The result depends only on the arguments.

    If an evaluation plateaus and the recipe has a decay, training returns to the best weights and
    continues with a smaller learning rate. The first weights and the model that always predicts the
    mean are candidates too: see `best_untrained`.

    A training that is paused and continues from its checkpoint, here or in another process, ends
    with exactly the same weights and figures as one that was never paused.

    Args:
        recommender: The recommender, without open settings.
        train: The training rows.
        valid: The rows that decide when to stop and which weights are best.
        budget: How long training may take.
        seed: The seed of the first weights, of dropout and of the order of rows.
        objective: What to optimise on `valid`, such as `val_mse`; None for the default of the task.
        report: Called with each row of the learning curve as it comes.
        limits: Where to pause or stop before the end of the budget; None for nowhere.
        checkpoint: The checkpoint of this training; None to train from the start.
        compiled: The compiled model of the candidate, if there is one. Its weights change.

    Raises:
        FailedTrial: The candidate cannot be built, its loss becomes NaN, or memory ran out.
        ConfigError: The task does not have this objective, or it cannot be computed on `valid`.
        DataError: The checkpoint belongs to another training.
    """
    task = recommender.optimizer.task
    objective = objective or recommender.optimizer.objective
    metric = objective_metric(objective, task)
    judge = judge_of(recommender.optimizer, train, valid, metric, seed)
    constant_score = constant_score_of(recommender.optimizer, train, valid, metric, seed, judge)
    compiled = compiled or Compiled(recommender, train, seed)
    compiled.begin(recommender)
    learner = compiled.learner
    training = Progress(learner, compiled.predictor, judge, metric, budget)
    training.begin(_decides(recommender, budget, objective, seed, len(train)), checkpoint)
    steps = -(-len(train) // learner.batch_size)
    parts = min(budget.evaluations_an_epoch(len(train)), steps)
    stopped = training.run(
        _parts_of_epochs(
            learner, compiled.rows, budget.epochs * parts, parts, seed, training.steps
        ),
        recommender.training.decay,
        limits or Limits(),
        budget.epochs * parts,
        report,
    )
    paused = training.checkpoint() if stopped == "paused" else None
    best = training.best
    compiled.end(best.weights)
    predicted = compiled.predictor(valid.inputs)
    trained = Trained(
        model=compiled.model,
        objective=objective,
        score=best.score,
        best_step=best.step,
        metrics=dict(best.metrics),
        curve=tuple(training.curve),
        schedule=Schedule(best.path, parts, learner.batch_size),
        constant_score=constant_score,
        stopped=stopped,
        predicted=predicted,
        checkpoint=paused,
    )
    return best_untrained(trained, recommender, train, valid, training.untrained, seed)


def _decides(recommender: Recommender, budget: Budget, objective: str, seed: int, rows: int) -> str:
    """Returns a hash of everything that decides a training, except how long it may take."""
    decides = {
        "recommender": recommender.get_config(),
        "patience": budget.patience,
        "parts": budget.evaluations_an_epoch(rows),
        "objective": objective,
        "seed": seed,
        "rows": rows,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def refit(
    recommender: Recommender, rows: Rows | Sequence[Rows], *, schedule: Schedule, seed: int
) -> keras.Model:
    """Trains the winner once more, usually on train and valid together.

    It trains as long as the first training took to reach its best weights.

    Args:
        recommender: The recommender, without open settings.
        rows: The training rows, or several splits that are used as one.
        schedule: The schedule of the training that found the best weights.
        seed: The seed of the first weights, of dropout and of the order of rows.

    Raises:
        FailedTrial: As in `train`.
    """
    splits = [rows] if isinstance(rows, Rows) else list(rows)
    model, splits = prepared(recommender, splits, schedule, seed)
    if not schedule.rates:
        return model
    learner = learner_of(recommender, model, splits, schedule.batch_size, seed)
    learner.learning_rate = schedule.rates[0]
    parts = _parts_of_epochs(learner, splits, len(schedule.rates), schedule.parts, seed)
    for following, _ in zip([*schedule.rates[1:], None], parts, strict=True):
        if following is not None:
            learner.learning_rate = following
    return model


def _parts_of_epochs(
    learner: Learner, splits: Sequence[Rows], total: int, parts: int, seed: int, done: int = 0
) -> Iterator[tuple[float, float]]:
    """Trains epochs in parts. Yields the mean loss and the number of epochs after each part.

    Args:
        learner: The learner to train.
        splits: The training rows.
        total: The number of all parts.
        parts: The number of parts of an epoch.
        seed: The seed of the order of rows.
        done: How many parts were trained earlier.
    """
    batch_size = learner.batch_size
    batches = Batches(splits, batch_size, seed, negatives=learner.negatives)
    steps = -(-batches.num_rows // batch_size)
    ends = [round(steps * (part + 1) / parts) * batch_size for part in range(parts)]
    epoch, part = divmod(done, parts)
    seen = ends[part - 1] if part else 0
    while done < total:
        loss, rows = 0.0, 0
        for chunk in batches.epoch(epoch, seen):
            for order in _cut(chunk, seen, ends):
                loss += learner.learn(chunk, order)
                rows, seen = rows + len(order), seen + len(order)
                if seen >= min(ends[part], batches.num_rows):
                    part, done = part + 1, done + 1
                    yield loss / max(rows, 1), epoch + part / parts
                    if done == total:
                        return
                    loss, rows = 0.0, 0
        epoch, part, seen = epoch + 1, 0, 0


def _cut(chunk: Chunk, seen: int, ends: Sequence[int]) -> Iterator[np.ndarray]:
    """Yields the order of the chunk in pieces, cut where a part of the epoch ends."""
    start = 0
    for end in ends:
        stop = min(end - seen, len(chunk.order))
        if stop > start:
            yield chunk.order[start:stop]
            start = stop
