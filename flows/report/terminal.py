"""Prints the result of a run in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.registry.decision import COLUMNS, FIGURES, Decision
from flows.report.words import trained
from flows.results import MODEL, full_title, run_warnings, test_figures, title_of
from flows.retraining.plan import Plan
from flows.workspace import Places

SHORT = ("ndcg@10", "recall@10", "map@10", "mrr", "coverage@10")
"""The metrics of lists that fit into a terminal. The report has all of them."""


def show_result(places: Places, *, decision: str, trials: str | None) -> None:
    """Prints the result of a run: test metrics of model and baselines, decision, next commands.

    Args:
        places: The paths of the data set.
        decision: The gate's decision, as a sentence.
        trials: URL or command that shows the trials; None if no MLflow store has them.
    """
    figures = test_figures(places)
    ranked = [name for name in SHORT if name in figures[MODEL]]
    metrics = ranked or list(figures[MODEL])
    table = Table(title=f"{places.dataset}, test rows", title_justify="left")
    table.add_column("")
    for metric in metrics:
        table.add_column(metric.upper(), justify="right")
    for name, values in figures.items():
        cells = [f"{values[metric]:.4f}" if metric in values else "" for metric in metrics]
        title = title_of(name) if ranked else full_title(places, name)
        table.add_row(title, *cells, style="bold" if name == MODEL else None)
    console = Console(highlight=False)
    console.print(table)
    for warning in run_warnings(places):
        console.print(f"Warning: {escape(warning)}", style="yellow", soft_wrap=True)
    if (plan := Plan.load(places.plan)) is not None:
        console.print(trained(plan.mode, plan.reason), markup=False)
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
    """Prints the gate's checks of the last model of this workspace as a table."""
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
