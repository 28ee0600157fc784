"""What a run came to, read from the files its stages wrote, for artifacts and the terminal."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autorec_core.baselines import BASELINES
from autorec_core.metrics import METRICS
from flows.decision import COLUMNS, FIGURES, Decision
from flows.paths import Places

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


def _ordered(found: Iterable[str], known: Iterable[str]) -> list[str]:
    """The names that were found: those that are known first, in that order."""
    found = list(found)
    first = [name for name in known if name in found]
    return first + [name for name in found if name not in first]


def _titled(places: Places, name: str) -> str:
    """The title of the model or of a baseline, with what the baseline chose."""
    setting = chosen_settings(places).get(name)
    return f"{title_of(name)} ({setting})" if setting else title_of(name)


def result_markdown(places: Places, *, decision: str) -> str:
    """A run's result as Markdown: test figures beside the baselines, winner, decision."""
    figures = test_figures(places)
    winner = _read(places.search / "winner" / "result.json")
    metrics = list(figures[MODEL])
    lines = [
        f"# {places.dataset}",
        "",
        "| test | " + " | ".join(metric.upper() for metric in metrics) + " |",
        "|---|" + "---:|" * len(metrics),
    ]
    for name, values in figures.items():
        cells = " | ".join(
            f"{values[metric]:.4f}" if metric in values else "" for metric in metrics
        )
        lines.append(f"| {_titled(places, name)} | {cells} |")
    lines += ["", f"**{decision}**", "", "| winning hyperparameter | value |", "|---|---|"]
    lines += [f"| `{name}` | {value} |" for name, value in winner["hyperparameters"].items()]
    return "\n".join(lines) + "\n"


def show_result(places: Places, *, decision: str, trials: str | None) -> None:
    """Prints what a run came to: test figures beside the baselines, decision, what to do next.

    Args:
        places: The workspace.
        decision: What the gate decided, in a sentence.
        trials: Where the search's trials are seen; None where no store knows them.
    """
    figures = test_figures(places)
    metrics = list(figures[MODEL])
    table = Table(title=f"{places.dataset}, test rows", title_justify="left")
    table.add_column("")
    for metric in metrics:
        table.add_column(metric.upper(), justify="right")
    for name, values in figures.items():
        cells = [f"{values[metric]:.4f}" if metric in values else "" for metric in metrics]
        table.add_row(_titled(places, name), *cells, style="bold" if name == MODEL else None)
    console = Console(highlight=False)
    console.print(table)
    show_decision(places, console)
    console.print(decision)
    name = places.dataset
    console.print(f"Score rows:   autorec score {name} --input rows.csv --output scores.csv")
    if trials is not None:
        console.print(f"See trials:   {trials}", soft_wrap=True)
    if places.report.exists():
        opening = f"(`autorec report {name}` opens it)"
        console.print(f"Report:       {places.report} {opening}", soft_wrap=True)
    console.print(f"Data checks:  {places.reports / 'raw' / 'index.html'}")


def show_decision(places: Places, console: Console) -> None:
    """Prints what the gate asked of the last model of this workspace, check by check."""
    try:
        decision = Decision.from_json(places.decision.read_text(encoding="utf-8"))
    except OSError:
        return
    if not decision.checks:
        return
    table = Table(title="Promotion gate", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in FIGURES else "left")
    for check in decision.checks:
        table.add_row(*map(escape, check.cells()), style=None if check.passed else "red")
    console.print(table)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
