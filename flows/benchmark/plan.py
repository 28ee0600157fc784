"""What a benchmark is to run: the data that are there, and the cells of the thesis' tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from autorec_core import zoo
from autorec_core.config import DatasetParams, FileSource
from autorec_core.data.reading.raw_files import raw_files
from autorec_core.errors import ConfigError, DataError, listed
from flows.benchmark import thesis
from flows.benchmark.other_libraries import BASELINES, available
from flows.config import Params
from flows.workspace import Places

SPACES: tuple[zoo.Space, ...] = ("thesis", "extended")
OUTSIDE: Final = "outside"
"""What a line has for its space whose model is no AutoRec model."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Source:
    """One data set as this machine has it.

    Args:
        dataset: Its name in params.yaml.
        path: The raw file, or a pattern for several.
        sha256: Of the raw files' content, one after the other.
        most: The rows that are taken, at most; None for all.
    """

    dataset: str
    path: Path
    sha256: str
    most: int | None

    @property
    def key(self) -> str:
        """What tells these rows from others of the same data set."""
        return f"{self.sha256[:12]}-{self.most or 'all'}"


@dataclass(frozen=True)
class Settings:
    """What all cells share.

    Args:
        trials: Of a search.
        epochs: At most, in either space; None for the thesis' 10 and for `train.epochs`.
    """

    trials: int
    epochs: int | None = None

    def budget(self, params: Params, space: str) -> dict[str, int]:
        """Epochs and patience of a candidate in a space."""
        if space == "thesis":
            epochs, patience = thesis.EPOCHS, thesis.PATIENCE
        else:
            epochs, patience = params.train.epochs, params.train.patience
        return {"epochs": min(epochs, self.epochs or epochs), "patience": patience}

    def inside(self, params: Params, space: str) -> dict[str, Any]:
        """What tells a search in a space from others of the same name."""
        return {
            "trials": self.trials,
            "budget": self.budget(params, space),
            **self.final(params, space),
        }

    @staticmethod
    def final(params: Params, space: str) -> dict[str, Any]:
        """How a search's best candidates become its model; in the thesis one is, as it stands."""
        if space == "thesis":
            return {"refit": False, "ensemble": 1}
        return {"refit": params.train.refit, "ensemble": params.train.ensemble}


@dataclass(frozen=True)
class Group:
    """Cells that differ in nothing but their searcher, so that they may share trials.

    Args:
        source: The data.
        model: A ready model of AutoRec, or the name of a baseline.
        space: One of `SPACES`, or `OUTSIDE`.
        seed: Of split, search and training.
        tuners: The searchers; empty outside.
    """

    source: Source
    model: str
    space: Literal["thesis", "extended", "outside"]
    seed: int
    tuners: tuple[str, ...] = ()

    def names(self) -> Iterator[dict[str, Any]]:
        """What the lines of these cells begin with: it tells each cell from all others."""
        for tuner in self.tuners or (None,):
            yield {
                "dataset": self.source.dataset,
                "data": self.source.key,
                "model": self.model,
                "space": self.space,
                "tuner": tuner,
                "seed": self.seed,
            }


def find_data(
    params: Params, datasets: Sequence[str], files: Mapping[str, Path], most: int | None
) -> tuple[list[Source], list[str]]:
    """The data sets that are there, and a sentence for each that is not.

    A raw file is the one that is named, the one that the pipeline has fetched, or the one that lies
    where params.yaml lets a user put it.

    Args:
        params: All data sets.
        datasets: The names of those that are wanted.
        files: Raw files by data set, where the caller names them.
        most: The rows to take of each, at most.

    Raises:
        ConfigError: A name is unknown.
        DataError: A file that the caller names does not exist.
    """
    found, missing = [], []
    for name in dict.fromkeys([*datasets, *files]):
        path = files.get(name) or _here(name, params.dataset(name))
        if path is None:
            missing.append(
                f"{name} is not here: `autorec benchmark --file {name}=PATH` names a raw file of "
                f"it, or a sample of one; `dvc repro fetch@{name}` fetches it once "
                f"`pipeline.datasets` lists it."
            )
            continue
        params.dataset(name)
        found.append(Source(name, path, _sha256(path), most))
    return found, missing


def _here(name: str, entry: DatasetParams) -> Path | None:
    places = [Places(name).raw / entry.file]
    places += [Path(source.path) for source in entry.sources if isinstance(source, FileSource)]
    for place in places:
        try:
            raw_files(place)
        except DataError:
            continue
        return place
    return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for file in raw_files(path):
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def groups(
    params: Params,
    sources: Sequence[Source],
    *,
    models: Sequence[str],
    tuners: Sequence[str],
    spaces: Sequence[str],
    seeds: Sequence[int],
    outside: bool,
) -> list[Group]:
    """All cells that are asked for, those of one data set together, baselines first.

    Args:
        params: The data sets' tasks.
        sources: The data.
        models: Ready models; none for those of the thesis' tables. "auto" is AutoRec for the task.
        tuners: Searchers.
        spaces: Some of `SPACES`.
        seeds: Of splits, searches and training.
        outside: Whether baselines run too.

    Raises:
        ConfigError: A model, a searcher or a space is unknown.
    """
    _known(models, ["auto", *zoo.MODELS], "model")
    _known(tuners, [*thesis.TUNERS, "hyperband"], "tuner")
    _known(spaces, SPACES, "space")
    found = []
    for source in sources:
        task = params.dataset(source.dataset).task
        chosen = _models(task, models)
        for seed in seeds:
            if outside:
                names = [name for name in BASELINES[task] if available(name)]
                found += [Group(source, name, OUTSIDE, seed) for name in names]
            found += [
                Group(source, model, space, seed, tuple(tuners))
                for space in cast(Sequence[zoo.Space], spaces)
                for model in chosen
            ]
    return found


def _models(task: str, models: Sequence[str]) -> list[str]:
    """The models that fit a task: what other tasks' tables name is passed over."""
    others = {name for key, names in thesis.MODELS.items() if key != task for name in names}
    mine = thesis.MODELS[task]
    wanted = [mine[-1] if name == "auto" else name for name in models] or list(mine)
    return [name for name in dict.fromkeys(wanted) if name not in others]


def _known(names: Sequence[str], known: Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"Unknown {what} {name!r}. Known: {listed(known)}.")


def split_name(params: Params, source: Source, seed: int) -> str:
    """The name of the folder of one split: another one where anything that decides it differs."""
    entry = params.dataset(source.dataset)
    decides = [entry.model_dump(), params.split.model_dump(), params.preprocess.model_dump()]
    text = json.dumps([decides, source.sha256, source.most, seed], sort_keys=True, default=str)
    return f"{source.dataset}-{seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def is_whole(entry: DatasetParams, rows: int, source: Source) -> bool:
    """Whether so many rows are what the whole data set gives, in the thesis' experiments too."""
    return source.most is None and rows >= (entry.sample or entry.facts.min_rows)
