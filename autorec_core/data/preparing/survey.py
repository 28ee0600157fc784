"""The first pass over the rows: checks them and collects what the split needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from autorec_core.config import DatasetParams, SplitParams
from autorec_core.data.labels import Labels, label_strata
from autorec_core.data.preparing.split import (
    PARTS,
    hash_split,
    parts_around,
    stratified_split,
    time_split,
    user_shares,
    user_split,
)
from autorec_core.data.times import EXPECTED
from autorec_core.data.values import moments, plain
from autorec_core.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class Survey:
    """The data about all rows that the first pass collects.

    Args:
        task: "rating", "ctr" or "ranking".
        label_values: float64, the different labels in order, shape (labels,).
        labels: The place of each row's label in `label_values`, shape (rows,).
        times: float64 times, shape (rows,); None if the split does not need them.
        users: int codes of the users, shape (rows,); None if the split does not need them.
    """

    task: str
    label_values: np.ndarray
    labels: np.ndarray
    times: np.ndarray | None
    users: np.ndarray | None

    @cached_property
    def strata_of_labels(self) -> np.ndarray:
        """The stratum of each of `label_values`.

        For clicks, each label is a stratum. For interactions all are one: the strata of their split
        are the users.
        """
        if self.task == "ctr":
            return np.arange(len(self.label_values))
        if self.task == "ranking":
            return np.zeros(len(self.label_values), np.int64)
        counts = np.bincount(self.labels, minlength=len(self.label_values))
        # Labels that are equal after encoding must be in the same stratum.
        encoded, place = np.unique(self.label_values.astype(np.float32), return_inverse=True)
        of_encoded = label_strata(encoded.astype(np.float64), np.bincount(place, weights=counts))
        return np.asarray(of_encoded[place])

    @cached_property
    def strata(self) -> np.ndarray:
        """The stratum of each row, rising with its label; shape (rows,)."""
        small = np.min_scalar_type(int(self.strata_of_labels[-1]))
        return np.asarray(self.strata_of_labels.astype(small)[self.labels])

    def parts(
        self,
        split: SplitParams,
        seed: int,
        identities: Callable[[], Iterable[np.ndarray]],
        test: np.ndarray | None = None,
    ) -> np.ndarray:
        """Assigns each row to a part: int8, shape (rows,).

        Args:
            split: How rows are divided.
            seed: The seed of the split.
            identities: Returns the uint64 hashes that identify the rows, chunk by chunk.
            test: bool, shape (rows,): the rows of test; None if `split` decides it.

        Raises:
            DataError: The rows cannot be split in this way.
        """
        if test is not None:
            return parts_around(test, self.strata, split.ratios, seed)
        if split.strategy == "hash":
            chunks = [hash_split(names, split.ratios, seed) for names in identities()]
            return _none_empty(np.concatenate(chunks))
        if split.strategy == "by_time" and self.times is not None:
            return time_split(self.times, split.ratios)
        if split.strategy == "by_user" and self.users is not None:
            return user_split(self.users, self.times)
        if self.task == "ranking" and self.users is not None:
            return user_shares(self.users, split.ratios, seed)
        if len(self.labels) < len(PARTS):
            raise DataError(f"{len(self.labels)} rows are too few for train, valid and test.")
        firsts = np.flatnonzero(np.diff(self.strata_of_labels, prepend=-1))
        return stratified_split(self.strata, split.ratios, seed, values=self.label_values[firsts])


def _none_empty(parts: np.ndarray) -> np.ndarray:
    counts = np.bincount(parts, minlength=len(PARTS))
    if counts.min() == 0:
        raise DataError(
            f"The split by hash leaves {PARTS[counts.argmin()]} without a row: {len(parts)} rows "
            "are too few. Use `split.strategy: stratified`, which has exact shares."
        )
    return parts


@dataclass(frozen=True, eq=False)
class ChunkSurvey:
    """The data about one chunk of rows that the first pass collects.

    Args:
        rows: Number of rows.
        labels: The different labels, and each row's place among them.
        filled: The columns with at least one value.
        times: float64 times, shape (rows,); None if the split does not need them.
        users: The different users, and each row's place among them; None if the split does not
            need them.
    """

    rows: int
    labels: tuple[np.ndarray, np.ndarray]
    filled: frozenset[str]
    times: np.ndarray | None
    users: tuple[np.ndarray, np.ndarray] | None


def survey_chunk(
    entry: DatasetParams, split: SplitParams, place: Path, table: pa.Table
) -> ChunkSurvey:
    """Collects the data about one chunk of rows. It can run in any process.

    Args:
        entry: The data set's entry in params.yaml.
        split: How rows will be divided.
        place: The raw file, for messages.
        table: The rows, as `read_chunks` returns them.

    Raises:
        DataError: The split needs times or keys, and a row has none.
    """
    if split.strategy == "hash":
        _has_keys(entry, place, table)
    times = users = None
    if entry.time is not None and split.strategy in ("by_time", "by_user"):
        times = _times(place, entry.time, plain(table[entry.time]))
    if split.strategy == "by_user" or (split.strategy == "stratified" and entry.task == "ranking"):
        found = plain(table[entry.user]).to_numpy(zero_copy_only=False)
        users = _coded(np.asarray(found, dtype=object))
    return ChunkSurvey(
        table.num_rows,
        _coded(table[entry.label_name].to_numpy()),
        frozenset(name for name in entry.features if table[name].null_count < table.num_rows),
        times,
        users,
    )


def survey(
    entry: DatasetParams, split: SplitParams, chunks: Iterable[ChunkSurvey], place: Path
) -> Survey:
    """Combines the surveys of all chunks.

    Args:
        entry: The data set's entry in params.yaml.
        split: How rows will be divided.
        chunks: The surveys of the chunks, in order.
        place: The raw file, for messages.

    Raises:
        DataError: The label is constant, or a column is empty in every row.
        ConfigError: The split needs a column that the entry does not name.
    """
    if split.strategy == "by_time" and entry.time is None:
        raise ConfigError("`split.strategy` by_time needs a `time` column in the data set's entry.")
    if split.strategy == "by_user" and entry.user is None:
        raise ConfigError("`split.strategy` by_user needs a `user` column in the data set's entry.")
    labels, users = Labels(), _Codes()
    times: list[np.ndarray] = []
    filled: set[str] = set()
    for chunk in chunks:
        filled |= chunk.filled
        labels.add(*chunk.labels)
        if chunk.times is not None:
            times.append(chunk.times)
        if chunk.users is not None:
            users.add(*chunk.users)
    for name, table in entry.tables.items():
        if table.features and not filled & set(table.features):
            raise DataError(
                f"{place}: no {table.joins} of the rows is a key of the side table {name}. Check "
                "that both files write them in the same way."
            )
    if empty := [name for name in entry.features if name not in filled]:
        raise DataError(
            f"{place}: the column {empty[0]} is empty in every row; list it as `ignored`."
        )
    values, codes = labels.finish()
    if len(values) < 2 and entry.task != "ranking":
        raise DataError(
            f"{place}: {entry.label_name} is {values[0]:g} in every row; nothing to learn."
        )
    return Survey(
        entry.task,
        values,
        codes,
        np.concatenate(times) if times else None,
        users.ordered()[1] if users.codes else None,
    )


def _has_keys(entry: DatasetParams, place: Path, table: pa.Table) -> None:
    """Checks that each row has a value in the columns that identify it."""
    for name in entry.facts.unique:
        if count := table[name].null_count:
            raise DataError(
                f"{place}: {name} is empty in {count:,} rows, but `split.strategy: hash` "
                "identifies a row by the columns of `facts.unique`. Name columns there that are "
                "never empty, or none, so that all columns identify a row."
            )


def _times(place: Path, name: str, column: pa.Array) -> np.ndarray:
    """Returns a time column's seconds, also if the column is categorical too."""
    if pa.types.is_floating(column.type):  # `read_chunks` has converted it
        return np.asarray(column.to_numpy(zero_copy_only=False))
    found, wrong = moments(column)
    if wrong.any() or found.null_count:
        at = int(np.flatnonzero(wrong | found.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError(f"{place}: {name} is {column[at].as_py()!r} in a row; {EXPECTED}.")
    return np.asarray(found.to_numpy(zero_copy_only=False))


def _coded(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the different values, and each row's place among them in a small int type."""
    found, places = np.unique(values, return_inverse=True)
    return found, places.reshape(-1).astype(np.min_scalar_type(len(found)))


class _Codes:
    """Numbers values in the order in which they first occur."""

    def __init__(self) -> None:
        self.codes: dict[object, int] = {}
        self._parts: list[np.ndarray] = []

    def add(self, found: np.ndarray, places: np.ndarray) -> None:
        """Adds one chunk: its different values, and each row's place among them."""
        codes = [self.codes.setdefault(value, len(self.codes)) for value in found.tolist()]
        kind = np.min_scalar_type(len(self.codes))
        self._parts.append(np.asarray(codes, dtype=kind)[places])

    def ordered(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the sorted values, and each row's place among them."""
        values = np.array(list(self.codes))
        order = np.argsort(values, kind="stable")
        rank = np.empty(len(order), dtype=np.min_scalar_type(max(len(order), 1)))
        rank[order] = np.arange(len(order))
        return values[order], rank[np.concatenate(self._parts)]
