"""Reads the results of a run: leaderboard, test metrics, warnings."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from autorec_core.evaluation.baselines import BASELINES
from autorec_core.evaluation.list_baselines import LIST_BASELINES
from autorec_core.metrics import METRICS
from flows.workspace import Places

MODEL = "model"


def title_of(name: str) -> str:
    """Returns the title of the model or of a baseline in `metrics.json`."""
    titles = {key: one.title for key, one in BASELINES.items()}
    titles |= {key: one.title for key, one in LIST_BASELINES.items()}
    if name == MODEL:
        return "AutoRec"
    return titles.get(name, name)


def leaderboard_rows(places: Places) -> list[dict[str, str]]:
    """Returns the rows of the leaderboard file: the trials of the search, best first."""
    with (places.search / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_figures(places: Places) -> dict[str, dict[str, float]]:
    """Returns the test metrics of the model and of each baseline, by name and metric.

    The model and the loss come first. Known metrics and baselines follow in the order of their
    registries, unknown ones come last.
    """
    found = _read(places.evaluation / "metrics.json")
    names = _ordered(found, (MODEL, *BASELINES, *LIST_BASELINES))
    metrics = _ordered(found[MODEL], METRICS)
    return {
        name: {metric: found[name][metric] for metric in metrics if metric in found[name]}
        for name in names
    }


def chosen_settings(places: Places) -> dict[str, str]:
    """Returns the settings that each baseline chose on valid, as text by the baseline's name."""
    return {
        name: ", ".join(f"{key} = {value:.4g}" for key, value in values["chosen"].items())
        for name, values in _read(places.evaluation / "metrics.json").items()
        if "chosen" in values
    }


def full_title(places: Places, name: str) -> str:
    """Returns the title of the model or of a baseline, with the settings that it chose."""
    setting = chosen_settings(places).get(name)
    return f"{title_of(name)} ({setting})" if setting else title_of(name)


def _ordered(found: Iterable[str], known: Iterable[str]) -> list[str]:
    """Sorts the found names: known names first, in the known order."""
    found = list(found)
    first = [name for name in known if name in found]
    return first + [name for name in found if name not in first]


def run_warnings(places: Places) -> list[str]:
    """Returns the warnings of a run that readers need to judge its figures, as sentences."""
    checks, warnings = places.checks / "splits.json", places.evaluation / "warnings.json"
    notes = _read(checks).get("notes", ()) if checks.exists() else ()
    return [*(f"{note}." for note in notes), *(_read(warnings) if warnings.exists() else ())]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
