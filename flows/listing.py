"""What `autorec datasets` and `autorec models` show."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from autorec_core.config import Params
from flows.paths import Places


def show_datasets() -> None:
    """Prints the data sets of params.yaml and how far this workspace has come with each."""
    params = Params.load()
    table = Table(title="Data sets", title_justify="left")
    for column in ("name", "title", "task", "built by `dvc repro`", "here"):
        table.add_column(column)
    for name, entry in params.datasets.items():
        built = "yes" if name in params.pipeline.datasets else "no"
        table.add_row(name, entry.title, entry.task, built, _progress(Places(name)))
    Console().print(table)


def _progress(places: Places) -> str:
    """The furthest stage whose result lies in the workspace."""
    metrics = places.evaluation / "metrics.json"
    if metrics.exists():
        figures = json.loads(metrics.read_text(encoding="utf-8"))["model"]
        name, value = next(iter(figures.items()))
        return f"evaluated: test {name.upper()} {value:.4f}"
    for stage, place in (("searched", places.search / "winner"), ("prepared", places.prepared)):
        if place.exists():
            return stage
    return "fetched" if places.raw.exists() else "nothing yet"


def show_models(dataset: str | None) -> None:
    """Prints the registered versions of one data set, or of all.

    Raises:
        ConfigError: No data set has this name.
    """
    from flows.registry import list_versions

    params = Params.load()
    names = [dataset] if dataset else list(params.datasets)
    console = Console()
    for name in names:
        params.dataset(name)
        versions = list_versions(name)
        if not versions:
            if dataset:
                console.print(f"No model of {name} is registered yet: `autorec run {name}`.")
            continue
        table = Table(title=f"autorec-{name}", title_justify="left")
        for column in ("version", "aliases", "figures", "data", "commit", "decision"):
            table.add_column(column)
        for version in versions:
            table.add_row(*version.row())
        console.print(table)
