"""Runs one group of cells: one search per cell, and the winner's test metrics."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from autorec_core import zoo
from autorec_core.data.schema import Examples
from autorec_core.metrics import objective_metric, task_metrics
from autorec_core.recipe import Training
from autorec_core.recommender import Recommender
from autorec_core.search import SearchResult, SearchSettings, best_of, finish, run_search
from autorec_core.training import Budget, Outcome, Rows, Task, predict
from flows.benchmark import thesis
from flows.benchmark.outside.libraries import BASELINES, Splits
from flows.benchmark.plan import OUTSIDE, Group, Settings
from flows.config import Params


class Remembering(Executor):
    """Runs trials in this process and reuses the outcomes of equal trials.

    A trial's outcome depends only on its task. All searchers start with the same candidates, so
    cells that differ only in their searcher share trials.

    Args:
        folder: Folder for the trained models.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Outcome] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def submit(self, run: Callable[..., Any], /, *tasks: Any, **_: Any) -> Future[Any]:
        """Runs a trial at once, or reuses its known outcome. Returns a finished future."""
        (task,) = tasks
        key = self._key(task)
        model = self._folder / f"{key}.keras"
        outcome = self._known.get(key)
        if outcome is None or (self._wanted(task, outcome) and not model.exists()):
            outcome = run(task)
            if outcome.model is not None:
                model.write_bytes(outcome.model)
            self._known[key] = replace(outcome, model=None)
        future: Future[Any] = Future()
        content = model.read_bytes() if model.exists() else None
        future.set_result(replace(outcome, model=content))
        return future

    @staticmethod
    def _key(task: Task) -> str:
        settings = [asdict(task.budget), asdict(task.limits), task.objective, task.seed]
        decides = [dict(task.recommender), *settings]
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:24]

    @staticmethod
    def _wanted(task: Task, outcome: Outcome) -> bool:
        if outcome.score is None:
            return False
        metric = objective_metric(task.objective)
        return task.wanted_if is None or metric.better(outcome.score, task.wanted_if)


def run_group(
    params: Params, group: Group, settings: Settings, folder: Path
) -> Iterator[dict[str, Any]]:
    """Runs the cells of a group. Yields the results of each cell, without the cell's names.

    Args:
        params: Parameters with the budget of the extended space.
        group: The cells.
        settings: Settings of all cells.
        folder: The folder of the split that `prepare` wrote.
    """
    splits = Splits.load(folder, group.seed)
    task = splits.schema.task
    about = {"task": task, "rows": [len(splits.train), len(splits.valid), len(splits.test)]}
    if group.space == OUTSIDE:
        began = time.monotonic()
        predicted = BASELINES[task][group.model](splits)
        figures = task_metrics(task, splits.test.label, predicted)
        yield {**about, "test": figures, "seconds": round(time.monotonic() - began, 1)}
        return
    inside = settings.inside(params, group.space)
    with tempfile.TemporaryDirectory(prefix="autorec-") as scratch:
        executor = Remembering(Path(scratch) / "models")
        tested: dict[str, np.ndarray] = {}
        for tuner in group.tuners:
            _, found = search_and_test(
                zoo.build(group.model, splits.schema, group.space, _training(group, splits)),
                (splits.train, splits.valid, splits.test),
                tuner=tuner,
                trials=settings.trials,
                budget=Budget(**inside["budget"]),
                seed=group.seed,
                final=settings.final(params, group.space),
                folder=Path(scratch) / tuner,
                executor=executor,
                tested=tested,
            )
            yield {**about, **inside, **found}


def _training(group: Group, splits: Splits) -> Training | None:
    """Returns a recipe with the thesis' batch size for this full data set; None for the default."""
    batch_size = thesis.BATCH_SIZES.get(group.source.dataset)
    if group.space == "thesis" and batch_size is not None and len(splits.train) > 10 * batch_size:
        return Training.thesis(batch_size=batch_size)
    return None


def search_and_test(
    recommender: Recommender,
    parts: Sequence[Examples],
    *,
    tuner: str,
    trials: int,
    budget: Budget,
    seed: int,
    final: Mapping[str, Any],
    folder: Path,
    executor: Executor,
    workers: int = 1,
    tested: dict[str, np.ndarray] | None = None,
) -> tuple[SearchResult, dict[str, Any]]:
    """Searches on train and valid, and scores test once.

    Args:
        recommender: The search space.
        parts: The encoded rows of train, valid and test.
        tuner: The searcher.
        trials: Number of trials.
        budget: Epochs and patience of a trial.
        seed: Seed of search and training.
        final: `refit` and `ensemble`, as in `best_of` and `finish`.
        folder: Folder for the records of the search.
        executor: Runs the trials.
        workers: Number of trials at the same time.
        tested: Known predictions of final models, by their candidates. New ones are added.

    Returns:
        The search, and its results for a line.
    """
    tested = {} if tested is None else tested
    began = time.monotonic()
    train, valid, test = (Rows(part.inputs(), part.label) for part in parts)
    result = run_search(
        recommender,
        train,
        valid,
        SearchSettings(tuner=tuner, max_trials=trials, budget=budget, seed=seed, workers=workers),
        directory=folder,
        executor=executor,
    )
    searched = time.monotonic()
    members = best_of(result, len(train), valid.labels, final["ensemble"])
    candidates = [dict(trial.hyperparameters) for trial in members]
    name = json.dumps(candidates, sort_keys=True)
    if name not in tested:
        made = finish(
            result, members, train, valid, budget=budget, seed=seed, refitting=final["refit"]
        )
        tested[name] = np.asarray(predict(made.model, test.inputs), np.float64)
    return result, {
        "valid": result.best.score,
        "test": task_metrics(recommender.optimizer.task, test.labels, tested[name]),
        "winner": dict(result.best.hyperparameters),
        "trial": result.best.number,
        "members": [trial.number for trial in members],
        "completed": sum(trial.status == "completed" for trial in result.leaderboard),
        "trial_seconds": round(sum(trial.seconds for trial in result.leaderboard), 1),
        "seconds": round(time.monotonic() - began, 1),
        "final_seconds": round(time.monotonic() - searched, 1),
    }
