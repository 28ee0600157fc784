"""The commands that use the live model: `score`, `serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.arguments import Dataset

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
    from flows.serving.score_files import score_file

    score_file(dataset, input_, output, alias=alias, allow_unknown=allow_unknown)


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
    from flows.serving.server import serve as serve_champion

    serve_champion(dataset, host=host, port=port)
