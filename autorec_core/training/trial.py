"""One trial as it runs in any process, on any machine: a task in, an outcome out.

What a task holds decides its outcome; where and when it runs does not.
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
    """All that decides one trial.

    Args:
        number: Which trial it is, counted from 0; decides nothing.
        recommender: The resolved recommender's `get_config`.
        train: The rows to learn from, or where they lie.
        valid: The rows that score it, or where they lie.
        budget: How long it may train.
        objective: Its score's name, such as `val_mse`.
        seed: Decides initial weights, dropout and the order of rows.
        modules: Modules to import first: they define the recommender's blocks.
        wanted_if: The model is sent back only when its score is better than this.
        limits: Where it stops before its budget is over.
        checkpoint: From where it goes on, as `Checkpoint.to_bytes` has it; None: from the begin.
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
    """What became of a trial.

    Args:
        score: The objective of its best evaluation; None when it failed.
        best_step: That evaluation, counted from 1.
        metrics: All metrics at that evaluation.
        curve: One row an evaluation.
        schedule: How to train as long on other rows.
        seconds: How long it took; of a trial that went on, this time alone.
        model: Its .keras file, if wanted.
        predicted: What this model predicts on the valid rows, float32, shape (rows,); if wanted.
        reason: Why it failed.
        passing: Whether it failed for want of something another time may have, such as memory.
        stopped: Why it stopped; None when it failed.
        checkpoint: From where it can go on, where it was paused.
        reused: Whether its model was compiled for an earlier trial, or an earlier part of this one.
    """

    score: float | None = None
    best_step: int = 0
    metrics: Mapping[str, float] | None = None
    curve: tuple[dict[str, float], ...] = ()
    schedule: Schedule | None = None
    seconds: float = 0.0
    model: bytes | None = None
    predicted: np.ndarray | None = None
    reason: str | None = None
    passing: bool = False
    stopped: Stopped | None = None
    checkpoint: bytes | None = None
    reused: bool = False


def run_trial(
    task: Task,
    report: Callable[[dict[str, float]], None] | None = None,
    models: CompiledModels | None = None,
) -> Outcome:
    """Trains the candidate that a task describes.

    A candidate that cannot be trained is an outcome; any other error is a bug and passes through.

    Args:
        task: The trial.
        report: Called with each row of the curve as it comes.
        models: The compiled models of this search in this process; None: the trial's is not kept.
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
    """What a trial sends back; its model is changed by the next trial of the same structure."""
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
        predicted=trained.predicted if wanted else None,
        stopped=trained.stopped,
        checkpoint=None if paused is None else paused.to_bytes(),
        reused=reused,
    )


def model_file(model: Any) -> bytes:
    """The content of the .keras file that `model` is saved as."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def _opened(rows: Rows | StoredRows) -> Rows:
    return rows.open() if isinstance(rows, StoredRows) else rows
