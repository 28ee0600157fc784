"""The search stage: trials on train and valid, the winner, and what is known of the way there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console

from autorec_core import zoo
from autorec_core.data.preparing.store import load_examples, load_schema
from autorec_core.data.schema import Examples
from autorec_core.files import whole_folder, write_json, write_text
from autorec_core.search import (
    Display,
    Final,
    Listener,
    Listeners,
    SearchResult,
    TrialRecord,
    best_of,
    finish,
    run_search,
)
from autorec_core.training import Budget, Rows
from flows.config import Params
from flows.tracking import outbox
from flows.workspace import Places


def run(params: Params, places: Places) -> None:
    """Searches, trains the winner once more where params say so, and writes what was found."""
    recommender = zoo.build(params.model.name, load_schema(places.prepared), params.model.space)
    train, valid = (_rows(load_examples(places.prepared, part)) for part in ("train", "valid"))
    budget = Budget(epochs=params.train.epochs, patience=params.train.patience)
    tags = {"dataset": places.dataset, "stage": "search"}
    flat = params.flat(places.dataset)
    with outbox.reported(places, flat, tags) as report:
        result = run_search(
            recommender,
            train,
            valid,
            directory=places.search / "trials",
            tuner=params.search.tuner,
            max_trials=params.search.max_trials,
            budget=budget,
            seed=params.seed,
            objective=params.search.objective,
            seconds=params.search.seconds,
            workers=params.search.workers,
            address=params.compute.address,
            max_failures=params.search.max_failures,
            listener=Listeners([Display(Console()), TrialLog(report)]),
        )
        members = best_of(result, len(train), params.train.ensemble)
        if params.train.refit:
            who = "the winner" if len(members) == 1 else f"the {len(members)} best"
            print(f"Training {who} once more on train and valid together ...")
        final = finish(
            result,
            members,
            train,
            valid,
            budget=budget,
            seed=params.seed,
            refitting=params.train.refit,
        )
        _write_winner(result, final, places)
        write_text(places.search / "leaderboard.csv", leaderboard(result.leaderboard))
        write_text(places.search / "curves.csv", curves(result.leaderboard, result.objective))
        write_json(places.search / "metrics.json", _figures(result))
        files = [places.search / name for name in ("leaderboard.csv", "curves.csv")]
        report.end("FINISHED", _figures(result), files, places.search / "winner")


def _write_winner(result: SearchResult, final: Final, places: Places) -> None:
    """Writes the final model, and what it is."""
    with whole_folder(places.search / "winner") as folder:
        if final.refitted or len(final.members) > 1:
            final.model.save(folder / "model.keras")
        else:
            (folder / "model.keras").write_bytes(result.model_path.read_bytes())
        write_json(folder / "result.json", _result(result, final))


def _figures(result: SearchResult) -> dict[str, float]:
    """The search in three numbers: the winner's objective, its best step, the trials."""
    return {
        result.objective: float(result.best.score or 0.0),
        "best_step": result.best.best_step,
        "trials": len(result.leaderboard),
    }


class TrialLog(Listener):
    """Reports each trial, as a run nested in the search's.

    Args:
        report: The search's run.
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
    return {"score": trial.score, "best_step": trial.best_step, "seconds": trial.seconds}


def leaderboard(trials: Iterable[TrialRecord]) -> str:
    """The trials as CSV, in the order given."""
    rows = (
        [
            place,
            trial.number,
            trial.status,
            "" if trial.score is None else f"{trial.score:.6f}",
            trial.best_step,
            f"{trial.seconds:.1f}",
            trial.reason or json.dumps(dict(trial.hyperparameters)),
        ]
        for place, trial in enumerate(trials, start=1)
    )
    return _table(("rank", "trial", "status", "score", "best_step", "seconds", "what"), rows)


def curves(trials: Iterable[TrialRecord], objective: str) -> str:
    """Every trial's learning curve as one CSV."""
    metric = objective.removeprefix("val_")
    rows = (
        [trial.number, row["step"], row["epoch"], row["loss"], row[metric]]
        for trial in sorted(trials, key=lambda trial: trial.number)
        for row in trial.curve
    )
    return _table(("trial", "step", "epoch", "loss", "objective"), rows)


def _result(result: SearchResult, final: Final) -> dict[str, Any]:
    """What must be known of the winner: how it was found and how to build it again."""
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
    }


def _rows(examples: Examples) -> Rows:
    return Rows(examples.inputs(), examples.label)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
