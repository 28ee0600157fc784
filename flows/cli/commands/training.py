"""The commands that build a model or show its run: `run`, `reproduce`, `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.arguments import Dataset

app = typer.Typer()


@app.command()
def run(
    dataset: Dataset,
    model: Annotated[
        str | None,
        typer.Option(
            help="A ready model (mf, deepfm, ...) or auto. Sets `model.name` in params.yaml.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetch, check and split a data set, search for its best model, evaluate and register it."""
    from flows.cli.params_file import PARAMS, build_too
    from flows.workspace import check_writable

    check_writable(Path())
    if build_too(dataset):  # loads params.yaml, so its errors show before the servers start
        typer.echo(f"Added {dataset} to `pipeline.datasets` in {PARAMS}: `dvc repro` builds it.")
    if model is not None:
        from flows.cli.choose_model import choose_model

        typer.echo(choose_model(model, dataset))
    from flows.cli.run import run_here

    run_here(dataset)


@app.command()
def reproduce(
    dataset: Dataset,
    version: Annotated[int, typer.Option(help="The version to rebuild.", show_default=False)],
) -> None:
    """Rebuild a registered version from its lineage and compare the test metrics."""
    from flows.orchestration.reproduce import reproduce as reproduce_version

    reproduce_version(dataset, version)


@app.command()
def report(
    dataset: Dataset,
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the report in a browser.")
    ] = True,
) -> None:
    """Build the report of a data set's last run if it is out of date, and open it."""
    from flows.report.build import open_report

    typer.echo(open_report(dataset, browser=open_))
