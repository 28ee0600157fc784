"""Publishes a run's data checks, trials, gate and result on its Prefect page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from flows.registry.decision import Decision
from flows.report.words import trained
from flows.results import MODEL, full_title, leaderboard_rows, run_warnings, test_figures
from flows.retraining.plan import Plan
from flows.tracking import mlflow_runs
from flows.workspace import Places


def publish_checks(places: Places) -> None:
    """Publishes the results of the data checks that have run."""
    rows = [
        row
        for stage in ("raw", "splits")
        if (found := _read(places.checks / f"{stage}.json")) is not None
        for row in check_rows(stage, found)
    ]
    if rows:
        create_table_artifact(
            key=_key(places, "data-checks"),
            table=rows,
            description=f"Data checks of {places.dataset}: expectations by table",
        )


def check_rows(stage: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns one row per checked table: number of expectations, failures, warnings."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for expectation in found["expectations"]:
        tables.setdefault(expectation["table"], []).append(expectation)
    return [
        {
            "stage": stage,
            "table": table,
            "expectations": len(expectations),
            "failed": _unmet(expectations, "error"),
            "warnings": _unmet(expectations, "warning"),
        }
        for table, expectations in tables.items()
    ]


def _unmet(expectations: list[dict[str, Any]], severity: str) -> str:
    unmet = [
        f"{one['expectation']}({one['column']})"
        for one in expectations
        if not one["success"] and one["severity"] == severity
    ]
    return ", ".join(unmet) or "none"


def publish_trials(places: Places) -> None:
    """Publishes the trials of the search, best first."""
    create_table_artifact(
        key=_key(places, "leaderboard"),
        table=leaderboard_rows(places),
        description=f"Trials of {places.dataset}, best first",
    )


def publish_result(places: Places, decision: Decision) -> None:
    """Publishes the gate's table, the test metrics with the decision, and links.

    Args:
        places: Paths of the data set's results.
        decision: The gate's decision on the model.
    """
    create_table_artifact(
        key=_key(places, "gate"),
        table=decision.rows() or [{"check": "no check was needed", "detail": str(decision)}],
        description=str(decision),
    )
    run = mlflow_runs.attempt(lambda: mlflow_runs.run_address(places))
    if run is not None and run.startswith("http"):
        create_link_artifact(
            link=run,
            link_text=f"MLflow run of the search on {places.dataset}",
            key=_key(places, "mlflow-run"),
            description="Parameters, trials, curves and test metrics",
        )
    create_markdown_artifact(
        key=_key(places, "result"),
        markdown=result_markdown(places, decision=str(decision)) + _links(places, run),
        description=f"Test metrics of {places.dataset} and the gate's decision",
    )


def _links(places: Places, run: str | None) -> str:
    pages = {
        "Report": places.report,
        "Checks of the raw rows": places.reports / "raw" / "index.html",
        "Checks of the splits": places.reports / "splits" / "index.html",
    }
    lines = [f"- MLflow run: {run}"] if run else []
    lines += [f"- {title}: <{p.resolve().as_uri()}>" for title, p in pages.items() if p.exists()]
    return "\n## More\n\n" + "\n".join(lines) + "\n" if lines else ""


def _key(places: Places, what: str) -> str:
    """Returns an artifact's key. Prefect allows no underscore in it."""
    return f"{places.dataset.replace('_', '-')}-{what}"


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def result_markdown(places: Places, *, decision: str) -> str:
    """Returns a run's result as Markdown: test metrics of model and baselines, winner, decision."""
    figures = test_figures(places)
    winner = json.loads((places.search / "winner" / "result.json").read_text("utf-8"))
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
        lines.append(f"| {full_title(places, name)} | {cells} |")
    lines += [line for warning in run_warnings(places) for line in ("", f"**Warning:** {warning}")]
    if (plan := Plan.load(places.plan)) is not None:
        lines += ["", trained(plan.mode, plan.reason)]
    lines += ["", f"**{decision}**", "", "| winning hyperparameter | value |", "|---|---|"]
    lines += [f"| `{name}` | {value} |" for name, value in winner["hyperparameters"].items()]
    return "\n".join(lines) + "\n"
