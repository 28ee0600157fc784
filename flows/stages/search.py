"""The search stage: finds the winner by trials, or trains known settings again, and writes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from autorec_core import zoo
from autorec_core.data.preparing.store import load_examples, load_schema, load_times
from autorec_core.data.schema import Schema
from autorec_core.files import whole_folder, write_json
from autorec_core.metrics import Metric, objective_metric
from autorec_core.recommender import Recommender
from autorec_core.search import (
    Display,
    Final,
    Listener,
    Listeners,
    Proven,
    SearchSettings,
    TrialRecord,
    best_of,
    finish,
    run_search,
    train_again,
    write_tables,
)
from autorec_core.search.workers.processes import make_ready
from autorec_core.training import Budget, Rows, Schedule
from flows.config import Params
from flows.retraining.plan import UNPLANNED, Plan
from flows.tracking import outbox
from flows.workspace import Places


def run(params: Params, places: Places) -> None:
    """Searches, or trains the champion's settings again, and writes the model.

    After a search the winner is trained again on train and valid, if params say so.
    """
    schema = load_schema(places.prepared)
    recommender = zoo.build(params.model.name, schema, params.model.space)
    time = params.dataset(places.dataset).time
    splits = [_rows(places.prepared, part, schema, time) for part in ("train", "valid")]
    plan = Plan.load(places.plan) or Plan("search", "search", UNPLANNED)
    tags = {"dataset": places.dataset, "stage": "search"}
    tags |= {"retrain.mode": plan.mode, "retrain.reason": plan.reason}
    flat = params.flat(places.dataset)
    # Without a refit the model is the one of the trial that was judged on valid, so there is one.
    again = plan.mode == "settings" and params.train.refit
    train = _trained_again if again else _searched
    with outbox.reported(places, flat, tags) as report:
        made = train(Job(recommender, splits, params, plan, places, TrialLog(report)))
        with whole_folder(places.search / "winner") as folder:
            made.save(folder / "model.keras")
            write_json(folder / "result.json", made.description)
        files = write_tables(places.search, made.trials, made.metric)
        write_json(places.search / "metrics.json", made.figures)
        report.end("FINISHED", made.figures, files, places.search / "winner")


@dataclass(frozen=True)
class Job:
    """What this stage has to do.

    Args:
        recommender: The search space.
        splits: Train and valid.
        params: The parameters.
        plan: Whether to search, and the known candidates.
        places: Where the trials are kept.
        log: Reports each trial.
    """

    recommender: Recommender
    splits: Sequence[Rows]
    params: Params
    plan: Plan
    places: Places
    log: TrialLog


@dataclass(frozen=True)
class Made:
    """What this stage has made.

    Args:
        save: Writes the model to a path.
        description: How the model was found, and how to build it again.
        figures: Figures of the run.
        trials: All candidates, best first.
        metric: The metric of the objective.
    """

    save: Callable[[Path], object]
    description: Mapping[str, Any]
    figures: Mapping[str, float]
    trials: Sequence[TrialRecord]
    metric: Metric


def _searched(job: Job) -> Made:
    """Runs the trials, and makes the model from the best of them."""
    (train, valid), params, plan = job.splits, job.params, job.plan
    settings = search_settings(params, plan)
    result = run_search(
        job.recommender,
        train,
        valid,
        settings,
        directory=job.places.search / "trials",
        listener=Listeners([Display(Console()), job.log]),
    )
    members = best_of(result, len(train), valid.labels, members_of(params, plan, settings))
    if params.train.refit:
        models = "the winner" if len(members) == 1 else f"{len(members)} good models"
        print(f"Training {models} again on train and valid together ...")
    final = finish(
        result,
        members,
        train,
        valid,
        budget=settings.budget,
        seed=settings.seed,
        refitting=params.train.refit,
        max_latency_ms=params.train.max_latency_ms,
    )
    best = result.best
    averaged = final.refitted or len(final.members) > 1
    return Made(
        save=final.model.save if averaged else partial(shutil.copyfile, result.model_path),
        description={
            **_described(best, result.objective, result.winner, final),
            "searched_epochs": sum(trial.spent for trial in result.leaderboard),
        },
        figures={
            result.objective: float(best.score or 0.0),
            "best_step": best.best_step,
            "trials": len(result.leaderboard),
        },
        trials=result.leaderboard,
        metric=result.metric,
    )


def _trained_again(job: Job) -> Made:
    """Trains the settings of the plan on train and valid together, as long as they were before."""
    make_ready()  # one thread, as in the workers of a search
    params, recommender = job.params, job.recommender
    pairs = zip(job.plan.candidates, job.plan.schedules, strict=True)
    proven = [Proven(values, Schedule.from_json(schedule)) for values, schedule in pairs]
    count = len(proven)
    what = "the settings of the champion" if count == 1 else f"{count} settings of the champion"
    print(f"Training {what} again on train and valid together ...")
    made = train_again(
        recommender,
        proven,
        job.splits,
        budget=_budget(params),
        seed=params.seed,
        listener=job.log,
        max_latency_ms=params.train.max_latency_ms,
    )
    objective = params.search.objective or recommender.optimizer.objective
    first, final = made.final.members[0], made.final
    return Made(
        save=final.model.save,
        description=_described(first, objective, made.winner, final),
        figures={"best_step": first.best_step, "trials": len(made.trials)},
        trials=made.trials,
        metric=objective_metric(objective, recommender.optimizer.task),
    )


def _described(
    best: TrialRecord, objective: str, winner: Recommender, final: Final
) -> dict[str, Any]:
    """Returns a description of the winner: how it was found and how to build it again."""
    return {
        "objective": objective,
        "score": best.score,
        "trial": best.number,
        "best_step": best.best_step,
        "hyperparameters": dict(best.hyperparameters),
        "recommender": winner.get_config(),
        "refit_on_train_and_valid": final.refitted,
        "members": [trial.number for trial in final.members],
        "candidates": [dict(trial.hyperparameters) for trial in final.members],
        "schedules": [trial.schedule and asdict(trial.schedule) for trial in final.members],
    }


def search_settings(params: Params, plan: Plan) -> SearchSettings:
    """Returns the settings of a search from the sections of params.yaml and the plan.

    Args:
        params: The parameters.
        plan: Whether there is a search at all, and which candidates come first.
    """
    settings = SearchSettings(
        **params.search.model_dump(),
        first=plan.candidates,
        address=params.compute.address,
        seed=params.seed,
        budget=_budget(params),
    )
    if plan.mode == "search":
        return settings
    return settings.changed(
        tuner="given",
        first=plan.candidates,
        max_trials=len(plan.candidates),
        max_epochs=None,
        seconds=None,
        prune=False,
    )


def _budget(params: Params) -> Budget:
    """Returns how long a candidate may train."""
    return Budget(epochs=params.train.epochs, patience=params.train.patience)


def members_of(params: Params, plan: Plan, settings: SearchSettings) -> int | None:
    """Returns how many candidates the model averages; None to decide by the number of rows."""
    return len(settings.first) if plan.mode == "settings" else params.train.ensemble


class TrialLog(Listener):
    """Reports each trial to MLflow, as a run nested in the run of the search.

    Args:
        report: The run of the search.
    """

    def __init__(self, report: outbox.Report) -> None:
        self._report = report

    def on_trial_end(self, trial: TrialRecord) -> None:
        """Reports one trial."""
        self._report.trial(
            trial.number,
            trial.hyperparameters,
            _trial_figures(trial),
            trial.curve,
            trial.seconds,
            trial.reason,
        )


def _trial_figures(trial: TrialRecord) -> dict[str, float]:
    if trial.score is None:
        return {}
    return {
        "score": trial.score,
        "best_step": trial.best_step,
        "epochs": trial.spent,
        "seconds": trial.seconds,
    }


def _rows(prepared: Path, part: str, schema: Schema, time: str | None) -> Rows:
    """Reads the rows of a split; interactions come in the order of time, as models expect them."""
    examples = load_examples(prepared, part)
    inputs, labels = examples.inputs(), examples.label
    place = None if schema.user is None else schema.position(schema.user)
    users = None if place is None else np.ascontiguousarray(examples.categorical[:, place])
    if schema.task == "ranking" and time is not None and users is not None:
        order = np.argsort(load_times(prepared, part, time), kind="stable")
        inputs = {name: array[order] for name, array in inputs.items()}
        labels, users = labels[order], users[order]
    return Rows(inputs, labels, users)
