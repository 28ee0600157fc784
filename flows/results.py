"""What the stages of a run have left: the leaderboard and the test figures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from autorec_core.evaluation.baselines import BASELINES
from autorec_core.metrics import METRICS
from flows.workspace import Places

MODEL = "model"


def title_of(name: str) -> str:
    """What readers call the model or a baseline of `metrics.json`."""
    if name == MODEL:
        return "AutoRec"
    return BASELINES[name].title if name in BASELINES else name


def leaderboard_rows(places: Places) -> list[dict[str, str]]:
    """The search's trials, best first, as the leaderboard file has them."""
    with (places.search / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_figures(places: Places) -> dict[str, dict[str, float]]:
    """The test metrics, the loss first, of the model and then of each baseline, by their names.

    Whatever was written is shown: what the registries of metrics and baselines know comes in their
    order, the rest behind it.
    """
    found = _read(places.evaluation / "metrics.json")
    names = _ordered(found, (MODEL, *BASELINES))
    metrics = _ordered(found[MODEL], METRICS)
    return {
        name: {metric: found[name][metric] for metric in metrics if metric in found[name]}
        for name in names
    }


def chosen_settings(places: Places) -> dict[str, str]:
    """What each baseline chose on the valid rows, in words, by the baseline's name."""
    return {
        name: ", ".join(f"{key} = {value:.4g}" for key, value in values["chosen"].items())
        for name, values in _read(places.evaluation / "metrics.json").items()
        if "chosen" in values
    }


def full_title(places: Places, name: str) -> str:
    """The title of the model or of a baseline, with what the baseline chose."""
    setting = chosen_settings(places).get(name)
    return f"{title_of(name)} ({setting})" if setting else title_of(name)


def _ordered(found: Iterable[str], known: Iterable[str]) -> list[str]:
    """The names that were found: those that are known first, in that order."""
    found = list(found)
    first = [name for name in known if name in found]
    return first + [name for name in found if name not in first]


def run_warnings(places: Places) -> list[str]:
    """What must be known before the figures of a run are believed, a sentence each."""
    checks, told = places.checks / "splits.json", places.evaluation / "warnings.json"
    notes = _read(checks).get("notes", ()) if checks.exists() else ()
    return [*(f"{note}." for note in notes), *(_read(told) if told.exists() else ())]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
