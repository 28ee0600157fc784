"""The trials of a search and their learning curves as CSV, for people and plots."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from autorec_core.files import write_text
from autorec_core.metrics import Metric
from autorec_core.search.records.record import TrialRecord, ranked

LEADERBOARD, CURVES = "leaderboard.csv", "curves.csv"


def write_tables(folder: Path, trials: Iterable[TrialRecord], metric: Metric) -> tuple[Path, Path]:
    """Writes `leaderboard.csv` and `curves.csv` into a folder, and returns their paths.

    Args:
        folder: The folder.
        trials: The trials of the search.
        metric: The metric of the objective.
    """
    trials = list(trials)
    write_text(folder / LEADERBOARD, _leaderboard(trials, metric))
    write_text(folder / CURVES, _curves(trials, metric))
    return folder / LEADERBOARD, folder / CURVES


def _leaderboard(trials: Iterable[TrialRecord], metric: Metric) -> str:
    """Returns one row for each trial, best first, with the hyperparameters as JSON."""
    header = [
        "rank",
        "trial",
        "status",
        "score",
        "best_step",
        "seconds",
        "epochs",
        "stopped",
        "reason",
    ]
    rows = (
        [
            rank,
            trial.number,
            trial.status,
            "" if trial.score is None else trial.score,
            trial.best_step,
            f"{trial.seconds:.1f}",
            f"{trial.spent:g}",
            trial.stopped or "",
            trial.reason or "",
            json.dumps(dict(trial.hyperparameters)),
        ]
        for rank, trial in enumerate(ranked(trials, metric), start=1)
    )
    return _csv([*header, "hyperparameters"], rows)


def _curves(trials: Iterable[TrialRecord], metric: Metric) -> str:
    """Returns one row for each evaluation; the column `objective` is what the search optimises."""
    rows = (
        [
            trial.number,
            row["step"],
            row["epoch"],
            row["loss"],
            row[metric.name],
            row["learning_rate"],
        ]
        for trial in sorted(trials, key=lambda trial: trial.number)
        for row in trial.curve
    )
    return _csv(["trial", "step", "epoch", "loss", "objective", "learning_rate"], rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
