"""The search stage: runs trials on train and valid and writes the winner and the leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from autorec_core import zoo
from autorec_core.data.preparing.store import load_examples, load_schema, load_times
from autorec_core.data.schema import Schema
from autorec_core.files import whole_folder, write_json
from autorec_core.search import (
    Display,
    Final,
    Listener,
    Listeners,
    SearchResult,
    SearchSettings,
    TrialRecord,
    best_of,
    ensemble_size,
    finish,
    run_search,
    write_tables,
)
from autorec_core.training import Budget, Rows
from flows.config import Params
from flows.retraining.plan import UNPLANNED, Plan
from flows.tracking import outbox
from flows.workspace import Places


def run(params: Params, places: Places) -> None:
    """Searches, trains the winner again on train and valid if params say so, and writes it."""
    schema = load_schema(places.prepared)
    recommender = zoo.build(params.model.name, schema, params.model.space)
    time = params.dataset(places.dataset).time
    train, valid = (_rows(places.prepared, part, schema, time) for part in ("train", "valid"))
    plan = Plan.load(places.plan) or Plan("search", "search", UNPLANNED)
    settings = search_settings(params, plan)
    tags = {"dataset": places.dataset, "stage": "search"}
    tags |= {"retrain.mode": plan.mode, "retrain.reason": plan.reason}
    flat = params.flat(places.dataset)
    with outbox.reported(places, flat, tags) as report:
        result = run_search(
            recommender,
            train,
            valid,
            settings,
            directory=places.search / "trials",
            listener=Listeners([Display(Console()), TrialLog(report)]),
        )
        size = members_of(params, plan, settings)
        members = best_of(result, len(train), valid.labels, size)
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
        _write_winner(result, final, places)
        files = write_tables(places.search, result.leaderboard, result.metric)
        write_json(places.search / "metrics.json", _figures(result))
        report.end("FINISHED", _figures(result), files, places.search / "winner")


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
        budget=Budget(epochs=params.train.epochs, patience=params.train.patience),
    )
    if plan.mode == "search":
        return settings
    most = ensemble_size(len(plan.candidates), params.train.ensemble)
    return settings.changed(
        tuner="given",
        first=plan.candidates[:most],
        max_trials=most,
        max_epochs=None,
        seconds=None,
        prune=False,
    )


def members_of(params: Params, plan: Plan, settings: SearchSettings) -> int | None:
    """Returns how many candidates the model averages; None to decide by the number of rows."""
    return len(settings.first) if plan.mode == "settings" else params.train.ensemble


def _write_winner(result: SearchResult, final: Final, places: Places) -> None:
    """Writes the final model and its description."""
    with whole_folder(places.search / "winner") as folder:
        if final.refitted or len(final.members) > 1:
            final.model.save(folder / "model.keras")
        else:
            (folder / "model.keras").write_bytes(result.model_path.read_bytes())
        write_json(folder / "result.json", _result(result, final))


def _figures(result: SearchResult) -> dict[str, float]:
    """Returns the winner's objective, its best step and the number of trials."""
    return {
        result.objective: float(result.best.score or 0.0),
        "best_step": result.best.best_step,
        "trials": len(result.leaderboard),
    }


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


def _result(result: SearchResult, final: Final) -> dict[str, Any]:
    """Returns a description of the winner: how it was found and how to build it again."""
    best = result.best
    return {
        "objective": result.objective,
        "score": best.score,
        "trial": best.number,
        "best_step": best.best_step,
        "hyperparameters": dict(best.hyperparameters),
        "recommender": result.winner.get_config(),
        "refit_on_train_and_valid": final.refitted,
        "members": [trial.number for trial in final.members],
        "candidates": [dict(trial.hyperparameters) for trial in final.members],
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
