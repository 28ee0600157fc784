"""The preprocessor: encodes raw rows, with the same code for training and scoring."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.config import DatasetParams, PreprocessParams
from autorec_core.data import spelled, values
from autorec_core.data.encoding import python_values
from autorec_core.data.encoding.column_numbers import moments_of, named, numbers_of
from autorec_core.data.encoding.learned_schema import NumberStatistics, countable, make_schema
from autorec_core.data.encoding.lists import list_ids
from autorec_core.data.encoding.numeric import NumericTransform
from autorec_core.data.encoding.side_columns import SideColumns, encode_table
from autorec_core.data.encoding.unknown_ids import UnknownIds
from autorec_core.data.encoding.vocabulary import Vocabulary, VocabularyCounter
from autorec_core.data.schema import Examples, Schema
from autorec_core.data.side_table import SideTable
from autorec_core.data.time_features import TimeFeatures
from autorec_core.errors import DataError, listed
from autorec_core.files import write_json

TIMES = "times"
"""The folder of what the time features need."""
UNKNOWN_RATE = "unknown.json"
"""The file with the share of unknown ids of each column in the test split."""
FILES = "vocabulary_files"
"""The key of preprocessing.json that lists the files of vocabularies, in the order of columns."""


@dataclass(frozen=True, eq=False)
class Preprocessor:
    """Vocabularies and numeric statistics of the training split.

    Args:
        schema: The schema of the data.
        vocabularies: The known categories of each categorical and multi-valued column.
        numeric: The transform of the numeric columns.
        unknown_rate: The share of unknown ids in each column of the test split; empty if it is not
            known.
        tables: The side tables, by name. The rows hold only their keys.
        times: Makes the columns of the time features; None if there are none.
    """

    schema: Schema
    vocabularies: Mapping[str, Vocabulary]
    numeric: NumericTransform
    unknown_rate: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, SideTable] = field(default_factory=dict)
    times: TimeFeatures | None = None

    @staticmethod
    def fit(
        entry: DatasetParams,
        settings: PreprocessParams,
        train: pd.DataFrame,
        tables: Mapping[str, SideTable] | None = None,
    ) -> Preprocessor:
        """Learns vocabularies and statistics from the training rows alone.

        Args:
            entry: The data set's entry in params.yaml.
            settings: How columns become ids and numbers.
            train: The training rows: the entry's columns, ids as text or numbers.
            tables: The entry's side tables, by name.
        """
        columns = {
            name: spelled.without_missing(values.of_series(train[name]), entry.missing)
            for name in (entry.label_name, *entry.features)
        }
        if entry.time in entry.numeric:
            columns[entry.time] = pa.array(moments_of(entry.time, columns[entry.time]))
        tables = tables or {}
        for table in tables.values():
            columns |= table.taken(columns[table.joins])
        times, time_columns = None, entry.time_columns
        if entry.time is not None and time_columns:
            seconds = moments_of(entry.time, values.of_series(train[entry.time]))
            keys = [None if one is None else values.coded(columns[one]) for one in entry.roles]
            times = TimeFeatures.learn(time_columns, seconds, *keys)
            columns |= times.columns(seconds, *keys)
        entry = entry.extended
        vocabularies = {}
        for name in (*entry.categorical, *entry.multi_valued):
            counter = VocabularyCounter()
            counter.update(countable(entry, name, columns[name]))
            vocabularies[name] = counter.finish(settings.min_count, settings.max_vocabulary)
        numbers = NumberStatistics(entry, settings)
        numbers.update(columns)
        empty = [name for name, one in vocabularies.items() if one.is_empty]
        sizes = {name: one.size for name, one in vocabularies.items()}
        schema, numeric = make_schema(entry, settings, sizes, empty, numbers, time_columns)
        return Preprocessor(schema, vocabularies, numeric, tables=tables, times=times)

    def encode(self, frame: pd.DataFrame, unknown: UnknownIds | None = None) -> Examples:
        """Encodes raw rows.

        Args:
            frame: The feature columns, and the label if it is known; other columns are ignored.
                All forms of a value mean the same: 196, 196.0 and "196".
            unknown: Counts unknown ids.

        Returns:
            The encoded rows. A category that is not in train has id 0; a missing label is NaN.

        Raises:
            DataError: A column is missing or occurs twice, or a numeric column holds something
                else.
        """
        needed = self.schema.columns
        if missing := [name for name in needed if name not in frame]:
            raise DataError(
                f"The rows lack the columns {listed(missing)}. They have: {listed(frame.columns)}."
            )
        names = [*needed, *([self.schema.label] if self.schema.label in frame else [])]
        if doubled := [name for name in names if isinstance(frame[name], pd.DataFrame)]:
            raise DataError(f"The rows have more than one column {listed(doubled)}.")
        columns: dict[str, Any] = {}
        for name in names:
            few = len(frame) <= python_values.FEW
            plain = self.plain(name, frame[name].tolist()) if few else None
            columns[name] = values.of_series(frame[name]) if plain is None else plain
        return self.encode_columns(columns, len(frame), unknown)

    def plain(self, name: str, found: list[Any]) -> list[str | None] | np.ndarray | None:
        """Converts a few Python values of a column for `encode_columns`, without Arrow.

        Returns:
            Texts or numbers; None if a value has an unusual type, which Arrow must convert.
        """
        if any(one.name == name for one in self.schema.lists):
            return python_values.plain_cells(found)
        known = name in self.vocabularies
        return (python_values.plain_categories if known else python_values.plain_numbers)(found)

    def encode_columns(
        self,
        columns: Mapping[str, pa.Array | list[str | None] | np.ndarray],
        count: int,
        unknown: UnknownIds | None = None,
    ) -> Examples:
        """Encodes `count` rows given as columns; see `encode`.

        Args:
            columns: Arrow columns, or for a few rows what `plain` returns.
            count: Number of rows.
            unknown: Counts unknown ids.
        """
        columns = {name: self._spelled(name, column) for name, column in columns.items()}
        unknown = UnknownIds({}) if unknown is None else unknown
        ids = np.empty((count, len(self.schema.id_columns)), dtype=np.int32)
        made = {*self.schema.joined, *self.schema.time_columns}
        for position, one in enumerate(self.schema.categorical):
            if one.name in made:
                continue
            column = columns[one.name]
            if isinstance(column, pa.Array):
                columns[one.name] = column = named(one.name, values.coded, column)
            found = self.vocabularies[one.name].lookup(column)
            unknown.add(one.name, count - int(np.count_nonzero(found)), count)
            ids[:, position] = found
        for several in self.schema.lists:
            if several.name in made:
                continue
            first = self.schema.first_place(several)
            vocabulary = self.vocabularies[several.name]
            found, filled = list_ids(columns[several.name], several, vocabulary)
            total = int(filled.sum())
            unknown.add(several.name, total - int(np.count_nonzero(found)), total)
            ids[:, first : first + several.length] = found
        numbers = np.empty((count, len(self.numeric.names)), dtype=np.float64)
        for position, name in enumerate(self.numeric.names):
            if name in made:
                continue
            read = moments_of if name == self.schema.time else numbers_of
            found = read(name, columns[name])
            numbers[:, position] = spelled.plain_without_missing(found, self.schema.missing)
        for side in self.side_columns:
            side.fill(columns[side.joins], ids, numbers, unknown)
        self._fill_times(columns, ids, numbers, unknown)
        label = np.full(count, np.nan, dtype=np.float32)
        if self.schema.label in columns:
            label = self._labels(columns[self.schema.label]).astype(np.float32)
        return Examples(ids, self.numeric.apply(numbers), label)

    def _fill_times(
        self,
        columns: Mapping[str, Any],
        ids: np.ndarray,
        numbers: np.ndarray,
        unknown: UnknownIds,
    ) -> None:
        """Writes the columns of the time features into the encoded rows."""
        clock, schema = self.schema.clock, self.schema
        if self.times is None or clock is None:
            return
        keys = [
            None if one is None else as_array(columns[one]) for one in (schema.user, schema.item)
        ]
        seconds = moments_of(clock, values.plain(as_array(columns[clock])))
        for name, column in self.times.columns(seconds, *keys).items():
            if name in self.vocabularies:
                found = self.vocabularies[name].lookup(column)
                unknown.add(name, len(found) - int(np.count_nonzero(found)), len(found))
                ids[:, schema.position(name)] = found
            else:
                place = self.numeric.names.index(name)
                numbers[:, place] = column.to_numpy(zero_copy_only=False)

    @cached_property
    def side_columns(self) -> list[SideColumns]:
        """The encoded columns of the side tables, in the order of the tables."""
        return [
            encode_table(table, self.schema, self.vocabularies, self.numeric.names)
            for table in self.tables.values()
        ]

    def _spelled(self, name: str, column: pa.Array | list[str | None] | np.ndarray) -> Any:
        """Removes the words for missing values and makes formatted numbers plain."""
        schema = self.schema
        if not isinstance(column, pa.Array):
            return spelled.plain_without_missing(column, schema.missing)
        column = spelled.without_missing(column, schema.missing)
        is_number = name in self.numeric.names or (name == schema.label and not schema.positive)
        return spelled.plain_numbers(column, schema.decimal) if is_number else column

    def _labels(self, column: pa.Array | np.ndarray) -> np.ndarray:
        """Returns labels as numbers. Labels of raw rows may be words."""
        name, positive = self.schema.label, self.schema.positive
        is_text = isinstance(column, pa.Array) and pa.types.is_string(column.type)
        if not (positive and is_text):
            return numbers_of(name, column)
        found, wrong = spelled.label_numbers(column, positive, self.schema.negative)
        if wrong.any():
            shown = listed([*positive, *self.schema.negative])
            value = column[int(wrong.argmax())].as_py()
            raise DataError(f"{name} is {value!r}; one of {shown} is expected.")
        return np.asarray(found.to_numpy(zero_copy_only=False))

    def save(self, folder: Path) -> None:
        """Writes `schema.json`, `preprocessing.json`, unknown rates, and each vocabulary."""
        save_schema(folder, self.schema, self.numeric)
        write_json(folder / UNKNOWN_RATE, dict(self.unknown_rate))
        save_tables(folder, self.tables)
        if self.times is not None:
            self.times.save(folder / TIMES)
        for place, name in enumerate(self.schema.vocabulary_columns):
            self.vocabularies[name].save(vocabulary_file(folder, place))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            DataError: A file is missing or damaged.
        """
        try:
            schema = Schema.from_dict(json.loads((folder / "schema.json").read_text("utf-8")))
            statistics = json.loads((folder / "preprocessing.json").read_text("utf-8"))
            files = _saved_vocabularies(folder, schema, statistics.get(FILES))
            vocabularies = {
                name: Vocabulary.load(file)
                for name, file in zip(schema.vocabulary_columns, files, strict=True)
            }
            numeric = NumericTransform.from_dict(statistics["numeric"])
            file = folder / UNKNOWN_RATE  # which earlier versions did not write
            rates = json.loads(file.read_text("utf-8")) if file.exists() else {}
            tables = {
                one.name: SideTable.load(table_file(folder, one.name)) for one in schema.tables
            }
            times = None if schema.clock is None else TimeFeatures.load(folder / TIMES)
            return cls(schema, vocabularies, numeric, rates, tables, times)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise DataError(f"{folder} has no complete preprocessor: {error}.") from error


def save_schema(folder: Path, schema: Schema, numeric: NumericTransform) -> None:
    """Writes `schema.json` and `preprocessing.json`, and creates the folder of vocabularies."""
    write_json(folder / "schema.json", schema.to_dict())
    files = [vocabulary_file(folder, place) for place in range(len(schema.vocabulary_columns))]
    statistics = {"numeric": numeric.to_dict(), FILES: [file.name for file in files]}
    write_json(folder / "preprocessing.json", statistics)
    (folder / "vocabulary").mkdir(exist_ok=True)


def as_array(column: pa.Array | list[str | None] | np.ndarray) -> pa.Array:
    """Returns a column as an Arrow array; it may be a few plain values."""
    if isinstance(column, list):
        return pa.array(column, pa.string())
    return pa.array(column, from_pandas=True) if isinstance(column, np.ndarray) else column


def save_tables(folder: Path, tables: Mapping[str, SideTable]) -> None:
    """Writes side tables, each to its file."""
    for name, table in tables.items():
        file = table_file(folder, name)
        file.parent.mkdir(exist_ok=True)
        table.save(file)


def table_file(folder: Path, name: str) -> Path:
    """Returns the file of a side table in a preprocessor's folder."""
    return folder / "tables" / f"{name}.parquet"


def vocabulary_file(folder: Path, place: int) -> Path:
    """Returns the file of the vocabulary of column `place` of `Schema.vocabulary_columns`.

    Files are numbered, because a column's name may contain characters that disks or URLs do not
    allow.
    """
    return folder / "vocabulary" / f"{place}.parquet"


def _saved_vocabularies(folder: Path, schema: Schema, listed_files: list[str] | None) -> list[Path]:
    """Returns the files of vocabularies; earlier versions named them after their columns."""
    if listed_files is not None:
        return [folder / "vocabulary" / file for file in listed_files]
    return [folder / "vocabulary" / f"{_safe(name)}.parquet" for name in schema.vocabulary_columns]


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_. " else f"%{ord(c):02x}" for c in name)
