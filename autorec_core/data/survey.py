"""The first pass over a raw file: rows are seen to be right, and what the split needs is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from autorec_core.config import DatasetParams, SplitParams
from autorec_core.data.raw import RawRows
from autorec_core.data.split import stratified_split, time_split, user_split
from autorec_core.data.store import ROW_NUMBER, TableWriter
from autorec_core.data.values import numbers, plain
from autorec_core.errors import ConfigError, DataError

MOST_LABELS = 10_000


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of all rows after the first pass.

    Args:
        label_values: float64, the labels that occur, in order, shape (labels,).
        labels: Places in `label_values`, shape (rows,).
        times: float64 times, shape (rows,), where the split needs them.
        users: int32 codes of the users, shape (rows,), where the split needs them.
    """

    label_values: np.ndarray
    labels: np.ndarray
    times: np.ndarray | None
    users: np.ndarray | None

    def parts(self, split: SplitParams, seed: int) -> np.ndarray:
        """Which part each row belongs to: int8, shape (rows,).

        Raises:
            DataError: The rows cannot be split in this way.
        """
        if split.strategy == "by_time" and self.times is not None:
            return time_split(self.times, split.ratios)
        if split.strategy == "by_user" and self.users is not None:
            return user_split(self.users, self.times)
        return stratified_split(self.labels, split.ratios, seed, values=self.label_values)


def survey(
    entry: DatasetParams,
    split: SplitParams,
    chunks: Iterator[RawRows],
    *,
    place: Path,
    writer: TableWriter | None = None,
    chosen: np.ndarray | None = None,
) -> Survey:
    """Goes through all rows once.

    Args:
        entry: The data set's entry in params.yaml.
        split: How rows will be divided.
        chunks: The rows.
        place: The raw file, for messages.
        writer: Receives the rows with their numbers.
        chosen: Which rows count, bool, shape (rows,); all of them if `None`.

    Raises:
        DataError: The label is constant or takes too many values, or a column is all empty.
        ConfigError: The split needs a column that the entry does not name.
    """
    if split.strategy == "by_time" and entry.time is None:
        raise ConfigError("`split.strategy` by_time needs a `time` column in the data set's entry.")
    if split.strategy == "by_user" and entry.user is None:
        raise ConfigError("`split.strategy` by_user needs a `user` column in the data set's entry.")
    labels, users = _Codes(), _Codes()
    times: list[np.ndarray] = []
    filled = dict.fromkeys(entry.features, False)
    start = 0
    for rows in chunks:
        table, places = rows.table, rows.numbers
        if chosen is not None:
            mask = chosen[start : start + table.num_rows]
            start += table.num_rows
            table, places = table.filter(pa.array(mask)), places[mask]
        for name, is_filled in filled.items():
            filled[name] = is_filled or table[name].null_count < table.num_rows
        labels.add(table[entry.label].to_numpy())
        if len(labels.codes) > MOST_LABELS and split.strategy == "stratified":
            raise DataError(
                f"{place}: {entry.label} takes more than {MOST_LABELS:,} values; a stratified "
                "split needs labels that repeat."
            )
        if entry.time is not None and split.strategy != "stratified":
            times.append(_times(place, entry.time, plain(table[entry.time])))
        if split.strategy == "by_user":
            users.add(table[entry.user].to_numpy(zero_copy_only=False))
        if writer is not None:
            writer.write(table.append_column(ROW_NUMBER, pa.array(places)))
    if empty := [name for name, is_filled in filled.items() if not is_filled]:
        raise DataError(
            f"{place}: the column {empty[0]} is empty in every row; list it as `ignored`."
        )
    values, codes = labels.ordered()
    if len(values) < 2:
        raise DataError(f"{place}: {entry.label} is {values[0]:g} in every row; nothing to learn.")
    return Survey(
        values,
        codes,
        np.concatenate(times) if times else None,
        users.ordered()[1] if users.codes else None,
    )


def _times(place: Path, name: str, column: pa.Array) -> np.ndarray:
    """A time column's numbers, even where it serves as a category too."""
    found, wrong = numbers(column, dates=True)
    if wrong.any() or found.null_count:
        raise DataError(f"{place}: {name} holds values that are no number and no ISO date.")
    return found.to_numpy(zero_copy_only=False)


class _Codes:
    """Small numbers for values, given out as the values come."""

    def __init__(self) -> None:
        self.codes: dict[object, int] = {}
        self._parts: list[np.ndarray] = []

    def add(self, values: np.ndarray) -> None:
        """Codes one chunk of values."""
        found, places = np.unique(values, return_inverse=True)
        codes = [self.codes.setdefault(value, len(self.codes)) for value in found.tolist()]
        kind = np.min_scalar_type(len(self.codes))
        self._parts.append(np.asarray(codes, dtype=kind)[places.reshape(-1)])

    def ordered(self) -> tuple[np.ndarray, np.ndarray]:
        """The values in order, and each row's place among them, whatever the chunks were."""
        values = np.array(list(self.codes))
        order = np.argsort(values, kind="stable")
        rank = np.empty(len(order), dtype=np.min_scalar_type(max(len(order), 1)))
        rank[order] = np.arange(len(order))
        return values[order], rank[np.concatenate(self._parts)]
