"""What the stages of a run have left: the leaderboard and the test figures."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from flows.workspace import Places

TITLES = {
    "model": "AutoRec",
    "mean": "predict the mean",
    "bias": "user and item biases",
    "logistic": "logistic regression",
}
_METRICS = ("mse", "rmse", "mae", "ce", "auc", "calibration")


def leaderboard_rows(places: Places) -> list[dict[str, str]]:
    """The search's trials, best first, as the leaderboard file has them."""
    with (places.search / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_figures(places: Places) -> dict[str, dict[str, float]]:
    """The test metrics, the loss first, of the model and then of each baseline, by their names."""
    found = _read(places.evaluation / "metrics.json")
    names = [name for name in TITLES if name in found]
    metrics = [metric for metric in _METRICS if metric in found["model"]]
    return {
        name: {metric: found[name][metric] for metric in metrics if metric in found[name]}
        for name in names
    }


def run_warnings(places: Places) -> list[str]:
    """What must be known before the figures of a run are believed, a sentence each."""
    checks, told = places.checks / "splits.json", places.evaluation / "warnings.json"
    notes = _read(checks).get("notes", ()) if checks.exists() else ()
    return [*(f"{note}." for note in notes), *(_read(told) if told.exists() else ())]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
