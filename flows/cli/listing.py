"""Prints the tables of `autorec datasets` and `autorec models`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.config import Params
from flows.results import MODEL, test_figures
from flows.workspace import Places

if TYPE_CHECKING:
    from flows.registry.versions import Version


def show_datasets() -> None:
    """Prints the data sets of params.yaml and how far each is built in this workspace."""
    params = Params.load()
    table = Table(title="Data sets", title_justify="left")
    for column in ("name", "title", "task", "built by `dvc repro`", "progress"):
        table.add_column(column)
    for name, entry in params.datasets.items():
        built = "yes" if name in params.pipeline.datasets else "no"
        table.add_row(name, escape(entry.title), entry.task, built, _progress(Places(name)))
    Console().print(table)


def _progress(places: Places) -> str:
    """Returns the last stage whose results are in the workspace, as text."""
    metrics = places.evaluation / "metrics.json"
    if metrics.exists():
        name, value = next(iter(test_figures(places)[MODEL].items()))
        return f"evaluated: test {name.upper()} {value:.4f}"
    for stage, place in (("searched", places.search / "winner"), ("prepared", places.prepared)):
        if place.exists():
            return stage
    return "fetched" if places.raw.exists() else "nothing yet"


def show_models(dataset: str | None) -> None:
    """Prints the registered versions of one data set, or of all data sets if it is None.

    Raises:
        ConfigError: No data set has this name.
    """
    from flows.registry.versions import LIVE, list_versions

    params = Params.load()
    names = [dataset] if dataset else list(params.datasets)
    console = Console(highlight=False)
    for name in names:
        params.dataset(name)
        versions = list_versions(name)
        if not versions:
            if dataset:
                console.print(f"No model of {name} is registered yet: `autorec run {name}`.")
            continue
        table = Table(title=f"autorec-{name}", title_justify="left", show_lines=True)
        for column in ("version", "test metrics", "created from"):
            table.add_column(column, no_wrap=True)
        table.add_column("decision", overflow="fold")
        for version in versions:
            style = "bold" if LIVE in version.aliases else None
            table.add_row(*_version_row(version), style=style)
        console.print(table)


def _version_row(version: Version) -> list[str]:
    """Returns the cells of a version: number and aliases, metrics, data and commit, decision."""
    made = datetime.fromtimestamp(version.created / 1000, UTC)
    commit = version.tags.get("git.commit", "?")[:8]
    changed = "+" if version.tags.get("git.dirty") == "True" else ""
    return [
        "\n".join([str(version.number), *version.aliases]),
        "\n".join(f"{name.upper()} {value:.4f}" for name, value in version.figures.items()),
        f"{made:%Y-%m-%d %H:%M}\ndata {version.tags.get('dvc.prepared', '?')[:8]}\n"
        f"commit {commit}{changed}",
        escape(version.tags.get("decision", "No decision yet.")),
    ]
