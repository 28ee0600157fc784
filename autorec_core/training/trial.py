"""Runs one trial, in any process and on any machine: it takes a task and returns an outcome.

The outcome depends only on the task, not on where or when it runs.
"""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autorec_core.metrics import objective_metric
from autorec_core.training.checkpoint import Checkpoint
from autorec_core.training.compiled import CompiledModels
from autorec_core.training.errors import FailedTrial
from autorec_core.training.loop import train
from autorec_core.training.rows import Rows, StoredRows
from autorec_core.training.schedule import Budget, Limits, Schedule, Stopped, Trained


@dataclass(frozen=True)
class Task:
    """Everything that decides one trial.

    Args:
        number: The number of the trial, counted from 0; it has no effect on the outcome.
        recommender: `get_config` of the recommender, without open settings.
        train: The training rows, or their places on disk.
        valid: The validation rows, or their places on disk.
        budget: How long the trial may train.
        objective: The name of what is optimised, such as `val_mse`.
        seed: The seed of the first weights, of dropout and of the order of rows.
        modules: Modules to import first, because they define blocks of the recommender.
        wanted_if: The model is sent back only if its score is better than this; None for always.
        limits: Where training pauses or stops before the end of the budget.
        checkpoint: The checkpoint to continue from, from `Checkpoint.to_bytes`; None to train from
            the start.
    """

    number: int
    recommender: Mapping[str, Any]
    train: Rows | StoredRows
    valid: Rows | StoredRows
    budget: Budget
    objective: str
    seed: int
    modules: tuple[str, ...] = ()
    wanted_if: float | None = None
    limits: Limits = field(default_factory=Limits)
    checkpoint: bytes | None = None


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial.

    Args:
        score: The objective at the best evaluation; None if the trial failed.
        best_step: The number of the best evaluation, counted from 1.
        metrics: All metrics at that evaluation.
        curve: One row for each evaluation.
        schedule: How to train equally long on other rows.
        seconds: How long this part of the trial took.
        predicted: The predictions on the valid rows, float32, shape (valid rows,).
        model: The .keras file of the model, if it was wanted.
        reason: Why the trial failed.
        passing: Whether trying again later may help, for example if there was too little memory.
        stopped: Why training stopped; None if the trial failed.
        checkpoint: The state from which training can continue, if it was paused.
        reused: Whether the model was compiled earlier, for another trial or part of this one.
    """

    score: float | None = None
    best_step: int = 0
    metrics: Mapping[str, float] | None = None
    curve: tuple[dict[str, float], ...] = ()
    schedule: Schedule | None = None
    seconds: float = 0.0
    model: bytes | None = None
    reason: str | None = None
    passing: bool = False
    stopped: Stopped | None = None
    checkpoint: bytes | None = None
    predicted: np.ndarray | None = field(default=None, compare=False)
    reused: bool = False


def run_trial(
    task: Task,
    report: Callable[[dict[str, float]], None] | None = None,
    models: CompiledModels | None = None,
) -> Outcome:
    """Trains the candidate that a task describes.

    If the candidate cannot be trained, the outcome says so. Any other error is a bug and is raised.

    Args:
        task: The trial.
        report: Called with each row of the learning curve as it comes.
        models: The compiled models of this search in this process; None to keep no model.
    """
    from autorec_core import registration
    from autorec_core.recommender import Recommender

    registration.register_layers()
    for module in task.modules:
        importlib.import_module(module)
    began = time.monotonic()
    checkpoint = None if task.checkpoint is None else Checkpoint.from_bytes(task.checkpoint)
    rows = [] if checkpoint is None else list(checkpoint.curve)

    def note(row: dict[str, float]) -> None:
        rows.append(row)
        if report is not None:
            report(row)

    recommender, known = Recommender.from_config(task.recommender), _opened(task.train)
    if models is None:
        models = CompiledModels(most=0)
    try:
        with models.lent(recommender, known, task.seed) as compiled:
            trained = train(
                recommender,
                known,
                _opened(task.valid),
                budget=task.budget,
                seed=task.seed,
                objective=task.objective,
                report=note,
                limits=task.limits,
                checkpoint=checkpoint,
                compiled=compiled,
            )
            metric = objective_metric(task.objective)
            compiled.standing = trained.score if metric.direction == "min" else -trained.score
            return _outcome(task, trained, time.monotonic() - began, compiled.reused)
    except FailedTrial as failure:
        return Outcome(
            reason=str(failure),
            curve=tuple(rows),
            seconds=time.monotonic() - began,
            passing=failure.passing,
        )


def _outcome(task: Task, trained: Trained, seconds: float, reused: bool) -> Outcome:
    """Makes the outcome. The model is written now, because a later trial changes its weights."""
    metric = objective_metric(task.objective)
    paused = trained.checkpoint
    wanted = task.wanted_if is None or metric.better(trained.score, task.wanted_if)
    return Outcome(
        score=trained.score,
        best_step=trained.best_step,
        metrics=trained.metrics,
        curve=trained.curve,
        schedule=trained.schedule,
        seconds=seconds,
        model=model_file(trained.model) if wanted else None,
        stopped=trained.stopped,
        checkpoint=None if paused is None else paused.to_bytes(),
        predicted=np.asarray(trained.predicted, np.float32).reshape(-1),
        reused=reused,
    )


def model_file(model: Any) -> bytes:
    """Returns `model` as the content of a .keras file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def _opened(rows: Rows | StoredRows) -> Rows:
    return rows.open() if isinstance(rows, StoredRows) else rows
