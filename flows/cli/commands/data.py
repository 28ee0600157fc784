"""The commands on data sets: `init-dataset`, `generate`, `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer()


@app.command()
def init_dataset(
    file: Annotated[
        Path,
        typer.Argument(help="A CSV, TSV or Parquet file, a folder of such files, or a pattern."),
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the data set. Default: the file's name.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The column to predict. Default: found automatically.")
    ] = None,
    positive: Annotated[
        list[str] | None,
        typer.Option(help="A label that counts as 1. Repeat the option for more labels."),
    ] = None,
    user: Annotated[str | None, typer.Option(help="The column with the user ids.")] = None,
    item: Annotated[str | None, typer.Option(help="The column with the item ids.")] = None,
    time: Annotated[str | None, typer.Option(help="The column with the time of the row.")] = None,
    categorical: Annotated[
        list[str] | None,
        typer.Option(help="A column of categories. Repeat the option for more columns."),
    ] = None,
    numeric: Annotated[
        list[str] | None,
        typer.Option(help="A column of numbers. Repeat the option for more columns."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(help="A column that the model does not use. Repeat the option for more."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="ranking: rows are what users took, and other items are ranked. Default: found "
            "automatically."
        ),
    ] = None,
    users: Annotated[
        Path | None, typer.Option(help="A file with facts about users: a side table.")
    ] = None,
    items: Annotated[
        Path | None, typer.Option(help="A file with facts about items: a side table.")
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=FILE",
            help="A side table for the values of another column. Repeat the option for more.",
        ),
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first line has the column names. Default: found automatically.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Add the entry to params.yaml.")] = False,
) -> None:
    """Read a table of your own and propose its entry in params.yaml."""
    from autorec_core.data.reading.guess import Chosen
    from flows.cli.init_dataset import init_dataset as propose_entry

    chosen = Chosen(
        positive=positive or (),
        user=user,
        item=item,
        time=time,
        categorical=categorical or (),
        numeric=numeric or (),
        ignored=ignore or (),
        header=header,
        task=_ranking(task),
    )
    tables = {role: path for role, path in (("user", users), ("item", items)) if path is not None}
    for text in table or ():
        column, mark, path = text.rpartition("=")
        if not (column and mark and path):
            raise typer.BadParameter(f"{text!r} is not COLUMN=FILE.", param_hint="--table")
        tables[column] = Path(path)
    propose_entry(file, name, label, write=write, chosen=chosen, tables=tables)


def _ranking(task: str | None) -> Literal["ranking"] | None:
    if task is None:
        return None
    if task != "ranking":
        raise typer.BadParameter(
            "only ranking can be chosen; rating and ctr follow from the label", param_hint="--task"
        )
    return "ranking"


@app.command()
def generate(
    form: Annotated[
        str, typer.Argument(metavar="FORMAT", help="movielens, netflix, avazu or criteo.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", help="The file to write. It is compressed if it ends in .gz."),
    ],
    rows: Annotated[int, typer.Option(help="Number of rows.")] = 100_000,
    seed: Annotated[
        int, typer.Option(help="Random seed. The same seed writes the same bytes.")
    ] = 13,
    dirt: Annotated[
        float, typer.Option(help="Share of lines to make unreadable, from 0 to 1.")
    ] = 0.0,
) -> None:
    """Write a made-up file in a benchmark format, to test large files and bad lines."""
    from autorec_core.data.synthetic.generator import generate as write_rows

    made = write_rows(form, rows, output, seed=seed, dirt=dirt)
    typer.echo(
        f"{output}: {made.rows:,} made-up rows, {made.soiled:,} of them unreadable; "
        f"no model can reach a loss below {made.noise_floor:.4f}"
    )


@app.command()
def datasets() -> None:
    """List the data sets of params.yaml and how far each is built in this workspace."""
    from flows.cli.listing import show_datasets

    show_datasets()
