"""What a run came to, read from the files its stages wrote, for artifacts and the terminal."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.decision import COLUMNS, FIGURES, Decision
from flows.paths import Places

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


def result_markdown(places: Places, *, decision: str) -> str:
    """A run's result as Markdown: test figures beside the baselines, winner, decision."""
    figures = test_figures(places)
    winner = _read(places.search / "winner" / "result.json")
    metrics = list(figures["model"])
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
        lines.append(f"| {TITLES.get(name, name)} | {cells} |")
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
    metrics = list(figures["model"])
    table = Table(title=f"{places.dataset}, test rows", title_justify="left")
    table.add_column("")
    for metric in metrics:
        table.add_column(metric.upper(), justify="right")
    for name, values in figures.items():
        cells = [f"{values[metric]:.4f}" if metric in values else "" for metric in metrics]
        table.add_row(TITLES.get(name, name), *cells, style="bold" if name == "model" else None)
    console = Console(highlight=False)
    console.print(table)
    show_decision(places, console)
    console.print(decision, markup=False)
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
