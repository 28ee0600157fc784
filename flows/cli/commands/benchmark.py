"""The command `benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def benchmark(
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            help="A data set. Repeat the option for more. Default: those of the thesis and "
            "MovieLens 100K."
        ),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(help="NAME=PATH: the raw file of a data set, or a sample of it."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(help="Use at most this many rows of each data set.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model. Repeat the option for more. Default: those of the thesis."),
    ] = None,
    tuner: Annotated[
        list[str] | None,
        typer.Option(
            help="random, greedy or bayesian. Repeat the option for more. Default: all three."
        ),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(help="Search space: thesis or extended. Default: both."),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            help="Seed of split and search. Repeat the option for more. Default: 1, 2, 3."
        ),
    ] = None,
    trials: Annotated[int, typer.Option(help="Trials per search.")] = 10,
    epochs: Annotated[int | None, typer.Option(help="Maximum epochs per trial.")] = None,
    processes: Annotated[
        int | None, typer.Option(help="Worker processes. Default: one per processor.")
    ] = None,
    outside: Annotated[
        bool, typer.Option(help="Also run baselines and the models of other libraries.")
    ] = True,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Folds on which others publish figures, instead of splits by the seeds: "
            "movielens-100k-u1-u5 or movielens-1m-90-10."
        ),
    ] = None,
    fold: Annotated[
        list[int] | None,
        typer.Option(help="With --protocol: a fold. Repeat the option for more. Default: all."),
    ] = None,
    fold_files: Annotated[
        list[str] | None,
        typer.Option(
            help="TRAIN:TEST: the two files of a fold of your own. Repeat the option for more "
            "folds. The entry of --dataset describes the files."
        ),
    ] = None,
    known_truth: Annotated[
        bool,
        typer.Option("--known-truth", help="Search made-up data for which the best loss is known."),
    ] = False,
    alone: Annotated[
        int | None,
        typer.Option(help="With --known-truth: trials of each interactor by itself."),
    ] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="Run nothing; only write tables, pictures and pages.")
    ] = False,
    output: Annotated[Path, typer.Option(help="The folder of the results.")] = Path(
        "reports/benchmark"
    ),
) -> None:
    """Run the tables of the thesis on the data found here; continues an earlier run."""
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
            protocol=protocol,
            folds=fold or (),
            fold_files=fold_files or (),
        ),
        output,
        known_truth=known_truth,
        only_tables=tables,
    )
