"""Plans a benchmark: finds the data on this machine and lists the cells to run."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from autorec_core import zoo
from autorec_core.config import DatasetParams
from autorec_core.data.reading.raw_files import raw_files
from autorec_core.errors import ConfigError, DataError, listed
from autorec_core.raw_config import FileSource
from flows.benchmark import thesis
from flows.benchmark.outside.libraries import BASELINES, available
from flows.benchmark.protocols import Fold
from flows.config import Params
from flows.workspace import Places

SPACES: tuple[zoo.Space, ...] = ("thesis", "extended")
OUTSIDE: Final = "outside"
"""The space of a line whose model is not an AutoRec model."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Source:
    """The data of one data set on this machine.

    Args:
        dataset: Name in params.yaml.
        path: The raw file, or a pattern for several files.
        sha256: Hash of the content of all raw files, one after the other.
        most: Maximum number of rows to use; None for all.
    """

    dataset: str
    path: Path
    sha256: str
    most: int | None

    @property
    def key(self) -> str:
        """Identifies these rows among other samples of the same data set."""
        return f"{self.sha256[:12]}-{self.most or 'all'}"


@dataclass(frozen=True)
class Settings:
    """Settings of all cells.

    Args:
        trials: Trials per search.
        epochs: Maximum epochs per trial; None for 10 in the thesis' space and `train.epochs` in the
            extended space.
    """

    trials: int
    epochs: int | None = None

    def budget(self, params: Params, space: str) -> dict[str, int]:
        """Returns epochs and patience of a trial in a space."""
        if space == "thesis":
            epochs, patience = thesis.EPOCHS, thesis.PATIENCE
        else:
            epochs, patience = params.train.epochs, params.train.patience
        return {"epochs": min(epochs, self.epochs or epochs), "patience": patience}

    def inside(self, params: Params, space: str) -> dict[str, Any]:
        """Returns the settings that distinguish a search from others of the same name."""
        return {
            "trials": self.trials,
            "budget": self.budget(params, space),
            **self.final(params, space),
        }

    @staticmethod
    def final(params: Params, space: str) -> dict[str, Any]:
        """Returns refit and ensemble of a space. The thesis uses the best trial unchanged."""
        if space == "thesis":
            return {"refit": False, "ensemble": 1}
        return {"refit": params.train.refit, "ensemble": params.train.ensemble}


@dataclass(frozen=True)
class Group:
    """Cells that differ only in their searcher, so that they can share trials.

    Args:
        source: The data.
        model: A ready model of AutoRec, or the name of a baseline.
        space: One of `SPACES`, or `OUTSIDE`.
        seed: Seed of split, search and training.
        tuners: The searchers; empty for a baseline.
        fold: The fold of a protocol; None for a split by `split` in params.yaml.
    """

    source: Source
    model: str
    space: Literal["thesis", "extended", "outside"]
    seed: int
    tuners: tuple[str, ...] = ()
    fold: Fold | None = None

    def names(self) -> Iterator[dict[str, Any]]:
        """Yields the first fields of each cell's line, which identify the cell."""
        fold = self.fold and {"protocol": self.fold.protocol, "fold": self.fold.number}
        for tuner in self.tuners or (None,):
            yield {
                **(fold or {}),
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
    """Finds the raw files of data sets on this machine.

    The raw file is the given file, else the file that the pipeline has fetched, else the user's own
    file at the path in params.yaml.

    Args:
        params: Parameters with all data sets.
        datasets: Names of the data sets.
        files: Given raw files by data set.
        most: Maximum number of rows of each.

    Returns:
        The data sets that were found, and a sentence for each that was not.

    Raises:
        ConfigError: A name is unknown.
        DataError: A given file does not exist.
    """
    found, missing = [], []
    for name in dict.fromkeys([*datasets, *files]):
        path = files.get(name) or _here(name, params.dataset(name))
        if path is None:
            missing.append(
                f"{name} is not here. Name its raw file or a sample with `autorec benchmark --file "
                f"{name}=PATH`, or add it to `pipeline.datasets` and fetch it with "
                f"`dvc repro fetch@{name}`."
            )
            continue
        params.dataset(name)
        found.append(Source(name, path, _sha256(path), most))
    return found, missing


def source_of_files(params: Params, dataset: str, files: Sequence[Path]) -> Source:
    """Returns the source of a user's folds, whose files are all of one data set's form.

    Raises:
        ConfigError: There is no such data set.
    """
    params.dataset(dataset)
    together = hashlib.sha256("".join(map(_sha256, files)).encode()).hexdigest()
    return Source(dataset, files[0], together, None)


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
    folds: Sequence[Fold] = (),
) -> list[Group]:
    """Lists the cells to run, data set by data set, with baselines first.

    Args:
        params: Parameters with the tasks of the data sets.
        sources: The data.
        models: Ready models; empty for those of the thesis. "auto" is AutoRec for the task.
        tuners: Searchers.
        spaces: Some of `SPACES`.
        seeds: Seeds of splits, searches and training.
        outside: Whether to run baselines as well.
        folds: The folds of a protocol; empty for splits by the seeds.

    Raises:
        ConfigError: A model, a searcher or a space is unknown.
    """
    _known(models, ["auto", *zoo.MODELS], "model")
    _known(tuners, [*thesis.TUNERS, "hyperband", "halving", "staged"], "tuner")
    _known(spaces, SPACES, "space")
    found = []
    for source in sources:
        task = params.dataset(source.dataset).task
        chosen = _models(task, models)
        for seed, fold in itertools.product(seeds, folds or (None,)):
            if outside:
                names = [name for name in BASELINES[task] if available(name)]
                found += [Group(source, name, OUTSIDE, seed, fold=fold) for name in names]
            found += [
                Group(source, model, space, seed, tuple(tuners), fold)
                for space in cast(Sequence[zoo.Space], spaces)
                for model in chosen
            ]
    return found


def _models(task: str, models: Sequence[str]) -> list[str]:
    """Returns the models for a task. Models of other tasks in the thesis are left out."""
    others = {name for key, names in thesis.MODELS.items() if key != task for name in names}
    own = thesis.MODELS[task]
    wanted = [own[-1] if name == "auto" else name for name in models] or list(own)
    return [name for name in dict.fromkeys(wanted) if name not in others]


def _known(names: Sequence[str], known: Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"Unknown {what} {name!r}. Known: {listed(known)}.")


def split_name(params: Params, group: Group) -> str:
    """Returns the name of a split's folder, with a hash of everything the split depends on."""
    source, fold = group.source, group.fold
    entry = params.dataset(source.dataset)
    decides = [entry.model_dump(), params.split.model_dump(), params.preprocess.model_dump()]
    parts: list[Any] = [decides, source.sha256, source.most, group.seed]
    if fold is not None:
        parts += [fold.protocol, fold.number, [_sha256(file) for file in fold.files]]
    text = json.dumps(parts, sort_keys=True, default=str)
    return f"{source.dataset}-{group.seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def is_whole(entry: DatasetParams, rows: int, source: Source) -> bool:
    """Returns whether this number of rows is the whole data set, as in the thesis."""
    return source.most is None and rows >= (entry.sample or entry.facts.min_rows)
