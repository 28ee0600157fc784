"""Does the work of `autorec benchmark`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from autorec_core.errors import ConfigError, DataError
from flows.benchmark import thesis
from flows.config import Params

DATASETS = ("movielens-100k", "netflix", "movielens-1m", "avazu", "criteo")
SEEDS = (1, 2, 3)
ROWS = 10_000
"""Default number of made-up rows."""
ALONE = 2
"""Default number of trials of each interactor by itself on made-up data."""


@dataclass(frozen=True)
class Wanted:
    """The options of the command. An empty option means the default, usually everything.

    Args:
        datasets: Names in params.yaml.
        files: Raw files, each as NAME=PATH.
        rows: Maximum number of rows of each data set.
        models: Ready models, or "auto".
        tuners: Searchers.
        spaces: "thesis", "extended".
        seeds: Seeds of splits and searches.
        trials: Trials per search.
        epochs: Maximum epochs per trial.
        processes: Number of worker processes.
        outside: Whether to run baselines as well.
        alone: Trials of each interactor by itself on made-up data; 0 to skip that.
        protocol: A protocol, instead of splits by the seeds.
        folds: Folds of the protocol, counted from 1.
        fold_files: A user's own folds, each as TRAIN:TEST, instead of a protocol.
    """

    datasets: Sequence[str] = ()
    files: Sequence[str] = ()
    rows: int | None = None
    models: Sequence[str] = ()
    tuners: Sequence[str] = ()
    spaces: Sequence[str] = ()
    seeds: Sequence[int] = ()
    trials: int = thesis.TRIALS
    epochs: int | None = None
    processes: int | None = None
    outside: bool = True
    alone: int | None = None
    protocol: str | None = None
    folds: Sequence[int] = ()
    fold_files: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("rows", "trials", "epochs", "processes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"`--{name}` is {value}; it must be at least 1.")
        if self.alone is not None and self.alone < 0:
            raise ConfigError(f"`--alone` is {self.alone}; it must be at least 0.")
        if self.folds and self.protocol is None:
            raise ConfigError("`--fold` names a fold of a protocol: name that with `--protocol`.")
        if self.rows is not None and self.has_folds:
            raise ConfigError("`--rows` draws a sample, but the folds are of all rows.")
        if self.fold_files and (self.protocol is not None or len(self.datasets) != 1):
            raise ConfigError(
                "`--fold-files` needs one `--dataset`, whose entry in params.yaml describes the "
                "files, and no `--protocol`."
            )

    @property
    def has_folds(self) -> bool:
        """Whether the rows are divided by folds instead of seeds."""
        return self.protocol is not None or bool(self.fold_files)

    @property
    def paths(self) -> dict[str, Path]:
        """The paths of `files` by data set."""
        found = {}
        for text in self.files:
            name, equals, path = text.partition("=")
            if not (name and equals and path):
                raise ConfigError(f"`--file {text}` does not have the form NAME=PATH.")
            found[name] = Path(path)
        return found


def benchmark(wanted: Wanted, output: Path, *, known_truth: bool, only_tables: bool) -> None:
    """Runs all cells that are not finished yet, then writes tables, pictures and pages.

    Args:
        wanted: The options of the command.
        output: The folder of the results.
        known_truth: Whether to search only made-up data with a known best loss.
        only_tables: Whether to run nothing and only write tables, pictures and pages.

    Raises:
        ConfigError: A name or number is not allowed.
        DataError: A file is missing or does not match its data set's entry.
        SearchError: A search failed, or a worker process was killed.
    """
    if not only_tables:
        from autorec_core.quiet import import_tensorflow

        import_tensorflow()
        if known_truth:
            _run_known_truth(wanted, output)
        else:
            (_run_folds if wanted.has_folds else _run)(wanted, output)
    from flows.benchmark.pages import write_tables

    for path in write_tables(output):
        Console(highlight=False, markup=False).print(f"Written: {path}")


def _run(wanted: Wanted, output: Path) -> None:
    from flows.benchmark.plan import SPACES, Settings, find_data, groups
    from flows.benchmark.run import run_cells

    console = Console(highlight=False, markup=False)
    params = Params.load()
    files = wanted.paths
    names = wanted.datasets or (() if files else DATASETS)
    sources, missing = find_data(params, names, files, wanted.rows)
    if not sources:
        raise DataError("\n".join(missing))
    for sentence in missing:
        console.print(sentence)
    if wanted.outside:
        _say_what_is_missing(console)
    todo = groups(
        params,
        sources,
        models=wanted.models,
        tuners=wanted.tuners or thesis.TUNERS,
        spaces=wanted.spaces or SPACES,
        seeds=wanted.seeds or SEEDS,
        outside=wanted.outside,
    )
    settings = Settings(wanted.trials, wanted.epochs)
    run_cells(params, todo, settings, output, command=_typed(), processes=wanted.processes)


def _run_folds(wanted: Wanted, output: Path) -> None:
    """Runs folds: by default the search that `autorec run` makes, and all baselines."""
    from flows.benchmark.outside.libraries import make_environments
    from flows.benchmark.plan import Settings, find_data, groups, source_of_files
    from flows.benchmark.protocols import PROTOCOLS, folds_of, own_folds
    from flows.benchmark.run import run_cells

    console = Console(highlight=False, markup=False)
    params = Params.load()
    if wanted.protocol is None:
        name, folds = wanted.datasets[0], own_folds(wanted.fold_files)
        sources = [source_of_files(params, name, [file for fold in folds for file in fold.files])]
    else:
        folds = folds_of(wanted.protocol, wanted.folds)
        name = PROTOCOLS[wanted.protocol].dataset
        if others := [one for one in (*wanted.datasets, *wanted.paths) if one != name]:
            raise ConfigError(f"The protocol {wanted.protocol} is of {name}, not of {others[0]}.")
        sources, missing = find_data(params, [name], wanted.paths, None)
        if missing:
            raise DataError(missing[0])
    if wanted.outside:
        for problem in make_environments([params.dataset(name).task]):
            console.print(f"Skipped: {problem}")
        _say_what_is_missing(console)
    todo = groups(
        params,
        sources,
        models=wanted.models or ("auto",),
        tuners=wanted.tuners or (params.search.tuner,),
        spaces=wanted.spaces or (params.model.space,),
        seeds=wanted.seeds or (1,),
        outside=wanted.outside,
        folds=folds,
    )
    settings = Settings(wanted.trials, wanted.epochs)
    run_cells(params, todo, settings, output, command=_typed(), processes=wanted.processes)


def _say_what_is_missing(console: Console) -> None:
    from flows.benchmark.outside.libraries import NEEDS, available

    if absent := [name for name in NEEDS if not available(name)]:
        skipped = ", ".join(absent)
        console.print(f"Skipped, not installed: {skipped}. The extra `bench` installs them.")


def _typed() -> str:
    """Returns the command as typed, without the folders of files on this machine."""
    words = ["autorec"]
    for word in sys.argv[1:]:
        option, equals, path = word.partition("=")
        words.append(f"{option}={Path(path).name}" if equals and "/" in path else word)
    return shlex.join(words)


def _run_known_truth(wanted: Wanted, output: Path) -> None:
    from flows.benchmark.known_truth import run_known_truth

    run_known_truth(
        Params.load(),
        output,
        rows=wanted.rows or ROWS,
        tuners=wanted.tuners or ("random",),
        seeds=wanted.seeds or SEEDS,
        trials=wanted.trials,
        alone=ALONE if wanted.alone is None else wanted.alone,
        epochs=wanted.epochs,
        workers=wanted.processes,
        command=_typed(),
    )
