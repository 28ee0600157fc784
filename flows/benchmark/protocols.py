"""Protocols: fixed folds on which others publish figures, or the folds of a user.

A fold names its test rows. The pipeline learns from all other rows: it draws its own valid rows
from them, searches, trains the final model on train and valid, and scores the test rows once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autorec_core.config import DatasetParams
from autorec_core.data.reading.raw import bad_rows_of, read_chunks
from autorec_core.errors import ConfigError, DataError, listed

OWN = "own-folds"
"""The protocol of a line whose folds are files of a user."""


@dataclass(frozen=True)
class Protocol:
    """Folds of one data set, each a function of the place of a row in the raw file.

    Args:
        dataset: Name in params.yaml.
        rows: Number of rows of the raw file.
        folds: Number of folds.
        about: What the folds are, for pages.
        test: Returns the test rows of a fold, counted from 1: bool, shape (rows,).
    """

    dataset: str
    rows: int
    folds: int
    about: str
    test: Callable[[int], np.ndarray]


def _in_order(rows: int, folds: int) -> Callable[[int], np.ndarray]:
    """Returns the test rows of a fold: fold i is the i-th of `folds` equal pieces of the file."""
    place = np.arange(rows) * folds // rows
    return lambda fold: np.asarray(place == fold - 1)


def _shuffled(rows: int, folds: int) -> Callable[[int], np.ndarray]:
    """Returns the test rows of a fold: as `_in_order`, but of the file shuffled with seed 0."""

    def test(fold: int) -> np.ndarray:
        place = np.random.default_rng(0).permutation(rows) * folds // rows
        return np.asarray(place == fold - 1)

    return test


PROTOCOLS: Mapping[str, Protocol] = {
    "movielens-100k-u1-u5": Protocol(
        "movielens-100k",
        100_000,
        5,
        "the owners' folds u1 to u5: fold i tests rows 20,000 (i − 1) + 1 to 20,000 i of u.data",
        _in_order(100_000, 5),
    ),
    "movielens-1m-90-10": Protocol(
        "movielens-1m",
        1_000_209,
        10,
        "ten random folds, 90 % of the ratings against 10 %",
        _shuffled(1_000_209, 10),
    ),
}
"""The protocols by name.

The owners of MovieLens 100K make `uI.test` from `head -20000I u.data | tail -20000` and sort it
(`mku.sh` in their archive), so no other file is needed.
"""


@dataclass(frozen=True)
class Fold:
    """One fold of a protocol.

    Args:
        protocol: The protocol's name.
        number: The fold, counted from 1.
        files: The files of the training and the test part, if they are a user's.
    """

    protocol: str
    number: int
    files: tuple[Path, ...] = ()

    @contextmanager
    def opened(
        self, entry: DatasetParams, raw: Path, scratch: Path
    ) -> Iterator[tuple[Path, np.ndarray]]:
        """Gives the raw file or files of the fold, and which of their rows are test rows.

        Args:
            entry: The data set's entry in params.yaml.
            raw: The raw file of the data set; of a user's fold it is not read.
            scratch: A folder to create while this is open.

        Yields:
            The path to read, and bool of shape (rows,).

        Raises:
            DataError: A file is missing or does not fit the entry.
        """
        if not self.files:
            yield raw, PROTOCOLS[self.protocol].test(self.number)
            return
        scratch.mkdir(parents=True)
        try:
            counts = []
            for place, file in enumerate(self.files):
                copy = scratch / f"{place}{''.join(file.suffixes)}"
                copy.symlink_to(file.resolve())
                chunks = read_chunks(entry, copy, bad=bad_rows_of(entry))
                counts.append(sum(len(rows.numbers) for rows in chunks))
            yield scratch / "*", np.repeat([False, True], counts)
        finally:
            shutil.rmtree(scratch)


def folds_of(name: str, numbers: Sequence[int]) -> list[Fold]:
    """Returns folds of a known protocol.

    Args:
        name: A key of `PROTOCOLS`.
        numbers: The folds, counted from 1; empty for all.

    Raises:
        ConfigError: There is no such protocol or fold.
    """
    if name not in PROTOCOLS:
        raise ConfigError(f"Unknown protocol {name!r}. Known: {listed(PROTOCOLS)}.")
    most = PROTOCOLS[name].folds
    for number in numbers:
        if not 1 <= number <= most:
            raise ConfigError(f"`--fold {number}`: {name} has the folds 1 to {most}.")
    return [Fold(name, number) for number in numbers or range(1, most + 1)]


def own_folds(texts: Sequence[str]) -> list[Fold]:
    """Returns a user's folds, each given as TRAIN:TEST.

    Raises:
        ConfigError: A text does not have this form.
        DataError: A file is missing.
    """
    found = []
    for number, text in enumerate(texts, start=1):
        train, colon, test = text.partition(":")
        if not (train and colon and test):
            raise ConfigError(f"`--fold-files {text}` does not have the form TRAIN:TEST.")
        files = (Path(train), Path(test))
        for file in files:
            if not file.is_file():
                raise DataError(f"`--fold-files {text}`: {file} is not a file.")
        found.append(Fold(OWN, number, files))
    return found
