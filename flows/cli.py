"""The command `autorec`. Heavy imports stand inside the commands, so that `--help` is instant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from autorec_core.errors import AutoRecError
from flows.environment import prepare_environment

app = typer.Typer(
    name="autorec",
    help="Searches deep recommender models by itself and keeps the winner live.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _known_datasets(incomplete: str) -> list[str]:
    """The data sets of params.yaml that begin with what has been typed, for the shell."""
    from autorec_core.config import Params

    try:
        names = list(Params.load().datasets)
    except AutoRecError:
        return []
    return [name for name in names if name.startswith(incomplete)]


Dataset = Annotated[
    str,
    typer.Argument(
        help="A data set of params.yaml.", show_default=False, autocompletion=_known_datasets
    ),
]


def main() -> None:
    """Runs the command line; what the user can mend is one sentence and exit code 1."""
    prepare_environment()
    try:
        app()
    except AutoRecError as error:
        sys.exit(_said(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _said(error: AutoRecError) -> str:
    return "\n".join(f"Error: {line}" for line in str(error).splitlines())


@app.command()
def run(dataset: Dataset) -> None:
    """Fetch, check, split, search, evaluate and register a data set's model."""
    from autorec_core.config import Params

    Params.load().buildable(dataset)  # what is wrong here is said before the servers start
    from flows.train import run_flow

    run_flow(dataset)


@app.command()
def datasets() -> None:
    """List the data sets of params.yaml and what this workspace has of each."""
    from flows.listing import show_datasets

    show_datasets()


@app.command()
def models(
    dataset: Annotated[
        str | None,
        typer.Argument(help="Only this data set's.", autocompletion=_known_datasets),
    ] = None,
) -> None:
    """List the registered models: versions, aliases, figures, why promoted or not."""
    from flows.listing import show_models

    show_models(dataset)


@app.command()
def report(
    dataset: Dataset,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a browser.")] = True,
) -> None:
    """Build the report of a data set's last run if it is stale, and open it."""
    from flows.report.build import open_report

    typer.echo(open_report(dataset, browser=open_))


@app.command()
def score(
    dataset: Dataset,
    input_: Annotated[Path, typer.Option("--input", help="CSV, TSV or Parquet file of raw rows.")],
    output: Annotated[Path, typer.Option("--output", help="File for the rows and their scores.")],
    alias: Annotated[str, typer.Option(help="Which registered model scores.")] = "champion",
) -> None:
    """Score a file of raw rows with the live model; unknown ids are fine."""
    from flows.scoring import score_file

    score_file(dataset, input_, output, alias=alias)


@app.command()
def doctor() -> None:
    """Look at environment, versions, services, disk and data, and say what to do."""
    from flows.doctor import examine, show

    if not show(examine()):
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
