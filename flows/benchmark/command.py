"""What `autorec benchmark` does."""

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
"""Of made-up data, unless the user says otherwise."""
ALONE = 2
"""Trials of every interactor by itself on made-up data, where nothing else is said."""


@dataclass(frozen=True)
class Wanted:
    """What the user asks for; what is empty stands for all there is.

    Args:
        datasets: Names in params.yaml.
        files: Raw files, each as NAME=PATH.
        rows: The rows to take of each data set, at most.
        models: Ready models, or "auto".
        tuners: Searchers.
        spaces: "thesis", "extended".
        seeds: Of splits and searches.
        trials: Of a search.
        epochs: Of a candidate, at most.
        processes: Worker processes.
        outside: Whether baselines run too.
        alone: Trials of every interactor by itself on made-up data; 0 for none of that.
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

    def __post_init__(self) -> None:
        for name in ("rows", "trials", "epochs", "processes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"`--{name}` is {value}; it must be at least 1.")
        if self.alone is not None and self.alone < 0:
            raise ConfigError(f"`--alone` is {self.alone}; it must be at least 0.")

    @property
    def paths(self) -> dict[str, Path]:
        """The files by data set."""
        found = {}
        for text in self.files:
            name, equals, path = text.partition("=")
            if not (name and equals and path):
                raise ConfigError(f"`--file {text}` is not NAME=PATH.")
            found[name] = Path(path)
        return found


def benchmark(wanted: Wanted, output: Path, *, known_truth: bool, only_tables: bool) -> None:
    """Runs what is wanted and not finished yet, then writes tables, pictures and pages.

    Args:
        wanted: What to run.
        output: The folder of the results.
        known_truth: Whether made-up data of known truth are searched, and nothing else.
        only_tables: Whether to run nothing.

    Raises:
        ConfigError: A name or number is not allowed.
        DataError: A file is missing or not what its data set's entry says.
        SearchError: A search has failed, or a worker process has died.
    """
    if not only_tables:
        from autorec_core.quiet import import_tensorflow

        import_tensorflow()
        if known_truth:
            _run_known_truth(wanted, output)
        else:
            _run(wanted, output)
    from flows.benchmark.pages import write_tables

    for path in write_tables(output):
        Console(highlight=False, markup=False).print(f"Written: {path}")


def _run(wanted: Wanted, output: Path) -> None:
    from flows.benchmark.other_libraries import NEEDS, available
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
    if wanted.outside and (absent := [name for name in NEEDS if not available(name)]):
        names_of = ", ".join(absent)
        console.print(f"Not installed, so not run: {names_of}; the extra `bench` brings them.")
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


def _typed() -> str:
    """The command as typed, without the places of this machine's files."""
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
