"""The commands on registered models: `models`, `promote`, `rollback`, `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.arguments import Dataset, complete_dataset

app = typer.Typer()


@app.command()
def models(
    dataset: Annotated[
        str | None,
        typer.Argument(
            help="Show only the models of this data set.", autocompletion=complete_dataset
        ),
    ] = None,
) -> None:
    """List the registered models: version, aliases, test metrics, decision of the gate."""
    from flows.cli.listing import show_models

    show_models(dataset)


@app.command()
def promote(
    dataset: Dataset,
    version: Annotated[int, typer.Option(help="The version to make live.", show_default=False)],
) -> None:
    """Make a registered version the champion, if it passes its smoke test."""
    from flows.config import Params
    from flows.registry.aliases import promote_by_hand

    Params.load().dataset(dataset)
    typer.echo(promote_by_hand(dataset, version))


@app.command()
def rollback(
    dataset: Dataset,
    reason: Annotated[
        str, typer.Option(help="Why you roll back. The registry records it.", show_default=False)
    ],
) -> None:
    """Make the previous champion live again."""
    from flows.config import Params
    from flows.registry.aliases import roll_back

    Params.load().dataset(dataset)
    typer.echo(roll_back(dataset, reason))


@app.command()
def export(
    dataset: Dataset,
    output: Annotated[Path, typer.Option(help="The folder to create.", show_default=False)],
    alias: Annotated[
        str, typer.Option(help="Alias of the registered model to export.")
    ] = "champion",
) -> None:
    """Write the live model as a .keras file and as a SavedModel that takes raw rows."""
    from autorec_core.quiet import import_tensorflow

    import_tensorflow()
    from flows.config import Params
    from flows.registry.loading import export_version
    from flows.registry.versions import aliased

    Params.load().dataset(dataset)
    registered = aliased(dataset, alias)
    export_version(registered, output)
    typer.echo(
        f"Exported version {registered.number}: {output / 'model.keras'} takes encoded rows, "
        f"{output / 'saved_model' / '1'} takes raw rows."
    )
