"""The command `autorec`. Heavy imports stand inside the commands, so that `--help` is instant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from autorec_core.errors import AutoRecError, ConfigError
from flows.environment import prepare_environment
from flows.serving.wanted import SEEN, TOP, Wanted

app = typer.Typer(
    name="autorec",
    help="Searches deep recommender models by itself and keeps the winner live.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _known_datasets(incomplete: str) -> list[str]:
    """The data sets of params.yaml that begin with what has been typed, for the shell."""
    from flows.config import Params

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
def run(
    dataset: Dataset,
    model: Annotated[
        str | None,
        typer.Option(
            help="A ready model (mf, deepfm, ...) or auto; becomes `model.name` in params.yaml.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetch, check, split, search, evaluate and register a data set's model."""
    from flows.cli.params_file import PARAMS, build_too
    from flows.workspace import check_writable

    check_writable(Path())
    if build_too(dataset):  # what is wrong with params.yaml is said before the servers start
        typer.echo(f"{dataset} is now on `pipeline.datasets` in {PARAMS}: `dvc repro` builds it.")
    if model is not None:
        from flows.cli.choose_model import choose_model

        typer.echo(choose_model(model, dataset))
    from flows.cli.run import run_here

    run_here(dataset)


@app.command()
def init_dataset(
    file: Annotated[
        Path, typer.Argument(help="A CSV, TSV or Parquet file, a folder of them, or a pattern.")
    ],
    name: Annotated[str | None, typer.Option(help="What to call it; by default its file.")] = None,
    label: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    positive: Annotated[
        list[str] | None, typer.Option(help="A label that counts as 1; again for each.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="The column of users.")] = None,
    item: Annotated[str | None, typer.Option(help="The column of items.")] = None,
    time: Annotated[str | None, typer.Option(help="The column that says when.")] = None,
    categorical: Annotated[
        list[str] | None, typer.Option(help="A column of categories; again for each.")
    ] = None,
    numeric: Annotated[
        list[str] | None, typer.Option(help="A column of numbers; again for each.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="A column not to learn from; again for each.")
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first line names the columns.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Add the entry to params.yaml.")] = False,
) -> None:
    """Look at a table of your own and propose its entry in params.yaml."""
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
    )
    propose_entry(file, name, label, write=write, chosen=chosen)


@app.command()
def generate(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="movielens, netflix, ...")],
    output: Annotated[Path, typer.Option("--output", help="The file to write, .gz if you like.")],
    rows: Annotated[int, typer.Option(help="How many rows.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Decides every byte.")] = 13,
    dirt: Annotated[float, typer.Option(help="The share of lines made unreadable.")] = 0.0,
) -> None:
    """Write a made-up file in one of the benchmark formats, for tests of scale and faults."""
    from autorec_core.data.synthetic.generator import generate as write_rows

    made = write_rows(form, rows, output, seed=seed, dirt=dirt)
    typer.echo(
        f"{output}: {made.rows:,} made-up rows, {made.soiled:,} of them soiled; "
        f"noise floor {made.noise_floor:.4f}"
    )


@app.command()
def datasets() -> None:
    """List the data sets of params.yaml and what this workspace has of each."""
    from flows.cli.listing import show_datasets

    show_datasets()


@app.command()
def models(
    dataset: Annotated[
        str | None,
        typer.Argument(help="Only this data set's.", autocompletion=_known_datasets),
    ] = None,
) -> None:
    """List the registered models: versions, aliases, figures, why promoted or not."""
    from flows.cli.listing import show_models

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
    input_: Annotated[
        Path, typer.Option("--input", help="CSV, TSV or Parquet file, or one like the raw file.")
    ],
    output: Annotated[Path, typer.Option("--output", help="File for the rows and their scores.")],
    alias: Annotated[str, typer.Option(help="Which registered model scores.")] = "champion",
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="Score even if no id of a column is known.")
    ] = False,
) -> None:
    """Score a file of raw rows with the live model; warns if many ids are unknown."""
    from flows.serving.score_files import score_file

    score_file(dataset, input_, output, alias=alias, allow_unknown=allow_unknown)


@app.command()
def recommend(
    dataset: Dataset,
    output: Annotated[Path, typer.Option("--output", help="File for the lists.")],
    users: Annotated[
        Path | None, typer.Option(help="CSV, TSV or Parquet file with the user column.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All users of the model.")] = False,
    top: Annotated[int, typer.Option(help="Items a user gets at most.")] = TOP,
    candidates: Annotated[
        Path | None, typer.Option(help="File with the item column; by default all items.")
    ] = None,
    exclude: Annotated[
        str, typer.Option(metavar="seen | FILE | none", help="What a user does not get.")
    ] = SEEN,
    alias: Annotated[str, typer.Option(help="Which registered model recommends.")] = "champion",
) -> None:
    """Write the best items of each user into a file; new users get popular items."""
    if all_ == (users is not None):
        raise ConfigError("Say for whom: give either `--users FILE` or `--all`.")
    from flows.serving.recommend_files import recommend_file

    recommend_file(dataset, Wanted(users, top, candidates, exclude), output, alias=alias)


@app.command()
def doctor() -> None:
    """Look at environment, versions, services, disk and data, and say what to do."""
    from flows.cli.doctor import examine, show

    if not show(examine()):
        raise typer.Exit(1)


@app.command()
def promote(
    dataset: Dataset,
    version: Annotated[int, typer.Option(help="The version to make live.", show_default=False)],
) -> None:
    """Make a registered version the champion, once it passes its smoke test."""
    from flows.cli.registry_commands import promote as promote_version

    promote_version(dataset, version)


@app.command()
def rollback(
    dataset: Dataset,
    reason: Annotated[str, typer.Option(help="Why; it is kept.", show_default=False)],
) -> None:
    """Make the champion before this one live again."""
    from flows.cli.registry_commands import rollback as roll_back

    roll_back(dataset, reason)


@app.command()
def reproduce(
    dataset: Dataset,
    version: Annotated[int, typer.Option(help="The version to rebuild.", show_default=False)],
) -> None:
    """Rebuild a registered version from its lineage and compare the test figures."""
    from flows.orchestration.reproduce import reproduce as reproduce_version

    reproduce_version(dataset, version)


@app.command()
def export(
    dataset: Dataset,
    output: Annotated[Path, typer.Option(help="The folder to appear.", show_default=False)],
    alias: Annotated[str, typer.Option(help="Which registered model.")] = "champion",
) -> None:
    """Write the live model as .keras and as a SavedModel that takes raw rows."""
    from flows.cli.registry_commands import export as export_model

    export_model(dataset, output, alias)


@app.command()
def serve(
    dataset: Dataset,
    host: Annotated[str | None, typer.Option(help="In place of serve.host.")] = None,
    port: Annotated[int | None, typer.Option(help="In place of serve.port.")] = None,
) -> None:
    """Answer POST /score with the live model's scores, on this machine alone by default."""
    from flows.serving.server import serve as serve_champion

    serve_champion(dataset, host=host, port=port)


@app.command()
def benchmark(
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="A data set, again for each; by default the thesis' and MovieLens 100K."),
    ] = None,
    file: Annotated[
        list[str] | None, typer.Option(help="NAME=PATH: a raw file of a data set, or a sample.")
    ] = None,
    rows: Annotated[int | None, typer.Option(help="Take so many rows of each at most.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A model; by default those of the thesis' tables.")
    ] = None,
    tuner: Annotated[
        list[str] | None, typer.Option(help="random, greedy, bayesian; by default all three.")
    ] = None,
    space: Annotated[list[str] | None, typer.Option(help="thesis, extended or both.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Of split and search; 1, 2, 3.")] = None,
    trials: Annotated[int, typer.Option(help="Of a search.")] = 10,
    epochs: Annotated[int | None, typer.Option(help="Of a candidate at most.")] = None,
    processes: Annotated[int | None, typer.Option(help="By default one a processor.")] = None,
    outside: Annotated[bool, typer.Option(help="Run baselines and other libraries too.")] = True,
    known_truth: Annotated[
        bool, typer.Option("--known-truth", help="Search made-up data whose truth is known.")
    ] = False,
    alone: Annotated[
        int | None, typer.Option(help="With it: trials of every interactor by itself.")
    ] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="Run nothing; write tables, pictures and pages anew.")
    ] = False,
    output: Annotated[Path, typer.Option(help="The folder of the results.")] = Path(
        "reports/benchmark"
    ),
) -> None:
    """Rerun the thesis' tables on the data that are here; go on where an earlier run stopped."""
    from flows.benchmark.command import Wanted
    from flows.benchmark.command import benchmark as run_benchmark

    run_benchmark(
        Wanted(
            datasets=dataset or (),
            files=file or (),
            rows=rows,
            models=model or (),
            tuners=tuner or (),
            spaces=space or (),
            seeds=seed or (),
            trials=trials,
            epochs=epochs,
            processes=processes,
            outside=outside,
            alone=alone,
        ),
        output,
        known_truth=known_truth,
        only_tables=tables,
    )
