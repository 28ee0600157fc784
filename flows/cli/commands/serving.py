"""The commands that use the live model: `score`, `recommend`, `serve`, `feedback`, `watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autorec_core.errors import ConfigError
from flows.cli.arguments import Dataset
from flows.serving.wanted import SEEN, TOP, Wanted

app = typer.Typer()


@app.command()
def score(
    dataset: Dataset,
    input_: Annotated[
        Path,
        typer.Option(
            "--input",
            help="A CSV, TSV or Parquet file, or a file in the format of the data set's raw file.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", help="The file to write: the rows with their scores.")
    ],
    alias: Annotated[
        str, typer.Option(help="Alias of the registered model that scores.")
    ] = "champion",
    allow_unknown: Annotated[
        bool,
        typer.Option(
            "--allow-unknown", help="Score even if the model knows no id of one of the columns."
        ),
    ] = False,
) -> None:
    """Score a file of raw rows with the live model; warns if many ids are unknown."""
    from flows.serving.files.score_files import score_file

    score_file(dataset, input_, output, alias=alias, allow_unknown=allow_unknown)


@app.command()
def recommend(
    dataset: Dataset,
    output: Annotated[Path, typer.Option("--output", help="The file to write: the lists.")],
    users: Annotated[
        Path | None, typer.Option(help="CSV, TSV or Parquet file with the user column.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All users of the model.")] = False,
    top: Annotated[int, typer.Option(help="The largest number of items for each user.")] = TOP,
    candidates: Annotated[
        Path | None, typer.Option(help="File with the item column; by default all items.")
    ] = None,
    exclude: Annotated[
        str, typer.Option(metavar="seen | FILE | none", help="Items to leave out.")
    ] = SEEN,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION", help="Only items that fulfil it, such as: genre = 'Drama'."
        ),
    ] = None,
    alias: Annotated[
        str, typer.Option(help="Alias of the registered model that recommends.")
    ] = "champion",
) -> None:
    """Write the best items of each user into a file; new users get popular items."""
    if all_ == (users is not None):
        raise ConfigError("Say for whom: give either `--users FILE` or `--all`.")
    from flows.serving.files.recommend_files import recommend_file

    recommend_file(dataset, Wanted(users, top, candidates, exclude, where), output, alias=alias)


@app.command()
def serve(
    dataset: Dataset,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Default: `serve.host`.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on. Default: `serve.port`.")
    ] = None,
) -> None:
    """Serve the live model: POST /score answers with scores, by default only to this machine."""
    from flows.serving.api.server import serve as serve_champion

    serve_champion(dataset, host=host, port=port)


@app.command()
def feedback(
    dataset: Dataset,
    file: Annotated[Path, typer.Argument(help="Rows with the columns of the model and the label.")],
) -> None:
    """Compare labels that came later with the live model's scores; prints the live loss."""
    from flows.serving.files.feedback_files import take_file

    take_file(dataset, file, say=typer.echo)


@app.command()
def watch(dataset: Dataset) -> None:
    """Compare what the live model scores with its training; writes a page."""
    from flows.config import Params
    from flows.report.watch_page import watch as examine
    from flows.workspace import Places

    params, places = Params.load(), Places(dataset)
    params.dataset(dataset)
    examined = examine(params, places)
    typer.echo(examined.reason or f"Version {examined.version}: nothing differs from training.")
    typer.echo(f"Page: {places.watch_page}")
