"""The preprocessor: raw rows to encoded rows, the same code for training and scoring."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.config import DatasetParams, PreprocessParams
from autorec_core.data import few, values
from autorec_core.data.numeric import NumericStatistics, NumericTransform
from autorec_core.data.schema import Examples, Field, ListField, Schema
from autorec_core.data.vocabulary import Vocabulary, VocabularyCounter
from autorec_core.errors import DataError, listed
from autorec_core.files import write_json

FLAG = " missing"
"""What the name of a 0/1 column adds to that of the numeric column whose gaps it shows."""


@dataclass(frozen=True, eq=False)
class Preprocessor:
    """Vocabularies and numeric statistics of the training split.

    Args:
        schema: What the model knows of the data.
        vocabularies: The known categories of each categorical column.
        numeric: The transform of the numeric columns.
    """

    schema: Schema
    vocabularies: Mapping[str, Vocabulary]
    numeric: NumericTransform

    @staticmethod
    def fit(entry: DatasetParams, settings: PreprocessParams, train: pd.DataFrame) -> Preprocessor:
        """Learns vocabularies and statistics from the training rows alone.

        Args:
            entry: The data set's entry in params.yaml.
            settings: How columns become ids and numbers.
            train: The training rows: the entry's columns, ids as text or numbers.
        """
        statistics = TrainStatistics(entry, settings)
        columns = [entry.label, *entry.features]
        statistics.update({name: _column(train, name) for name in columns})
        return statistics.finish()

    def encode(self, frame: pd.DataFrame) -> Examples:
        """Encodes raw rows.

        Args:
            frame: The categorical and numeric columns, and the label where it is known; other
                columns are ignored. Ids may be numbers or text: 196 and "196" are the same.

        Returns:
            The encoded rows; a category not seen in training has id 0; a label that is not there
            is NaN.

        Raises:
            DataError: A column is missing, or a number is no number.
        """
        needed = self.schema.columns
        if missing := [name for name in needed if name not in frame]:
            raise DataError(
                f"The rows lack the columns {listed(missing)}. They have: {listed(frame.columns)}."
            )
        names = [*needed, *([self.schema.label] if self.schema.label in frame else [])]
        columns: dict[str, Any] = {}
        for name in names:
            plain = self._plain(name, frame[name]) if len(frame) <= few.FEW else None
            columns[name] = _column(frame, name) if plain is None else plain
        return self.encode_columns(columns, len(frame))

    def _plain(self, name: str, column: pd.Series) -> list[str | None] | np.ndarray | None:
        found = column.tolist()
        known = name in self.vocabularies
        return few.plain_categories(found) if known else few.plain_numbers(found)

    def encode_columns(
        self, columns: Mapping[str, pa.Array | list[str | None] | np.ndarray], count: int
    ) -> Examples:
        """Encodes `count` rows given as columns; see `encode`.

        Args:
            columns: Arrow columns, or what `few` makes of a few rows' columns.
            count: Number of rows.
        """
        ids = np.empty((count, len(self.schema.id_columns)), dtype=np.int32)
        for position, one in enumerate(self.schema.categorical):
            column = columns[one.name]
            if isinstance(column, pa.Array) and not pa.types.is_dictionary(column.type):
                column = values.categories(column)
            ids[:, position] = self.vocabularies[one.name].lookup(column)
        for several in self.schema.lists:
            first = self.schema.first_place(several)
            ids[:, first : first + several.length] = _list_ids(
                columns[several.name], several, self.vocabularies[several.name]
            )
        numbers = np.empty((count, len(self.numeric.names)), dtype=np.float64)
        for position, name in enumerate(self.numeric.names):
            numbers[:, position] = _numbers(name, columns[name])
        label = np.full(count, np.nan, dtype=np.float32)
        if self.schema.label in columns:
            label = _numbers(self.schema.label, columns[self.schema.label]).astype(np.float32)
        return Examples(ids, self.numeric.apply(numbers), label)

    def save(self, folder: Path) -> None:
        """Writes `schema.json`, `preprocessing.json` and a vocabulary file a column."""
        write_json(folder / "schema.json", self.schema.to_dict())
        write_json(folder / "preprocessing.json", {"numeric": self.numeric.to_dict()})
        (folder / "vocabulary").mkdir(exist_ok=True)
        for name, vocabulary in self.vocabularies.items():
            vocabulary.save(_vocabulary_file(folder, name))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            DataError: A file is missing or not what `save` writes.
        """
        try:
            schema = Schema.from_dict(json.loads((folder / "schema.json").read_text("utf-8")))
            statistics = json.loads((folder / "preprocessing.json").read_text("utf-8"))
            vocabularies = {
                field.name: Vocabulary.load(_vocabulary_file(folder, field.name))
                for field in (*schema.categorical, *schema.lists)
            }
            return cls(schema, vocabularies, NumericTransform.from_dict(statistics["numeric"]))
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise DataError(f"{folder} holds no whole preprocessor: {error}.") from error


class TrainStatistics:
    """Collects from training rows, chunk by chunk, what a preprocessor must know.

    Args:
        entry: The data set's entry in params.yaml.
        settings: How columns become ids and numbers.
    """

    def __init__(self, entry: DatasetParams, settings: PreprocessParams) -> None:
        self._entry = entry
        self._settings = settings
        self._counters = {
            name: VocabularyCounter() for name in (*entry.categorical, *entry.multi_valued)
        }
        self._numbers = NumericStatistics(entry.numeric, settings.numeric)
        self._low, self._high = np.inf, -np.inf

    def update(self, columns: Mapping[str, pa.Array]) -> None:
        """Takes in one chunk of training rows, given as Arrow columns."""
        for name, counter in self._counters.items():
            column = columns[name]
            if name in self._entry.multi_valued:
                cells = values.joined(column, self._entry.multi_valued[name].separator)
                found, _ = values.several(cells, self._entry.multi_valued[name].separator)
                counter.update(pa.concat_arrays([found, pa.nulls(cells.null_count, found.type)]))
                continue
            is_coded = pa.types.is_dictionary(column.type)
            counter.update(column if is_coded else values.categories(column))
        numeric = [_numbers(name, columns[name]) for name in self._entry.numeric]
        if numeric:
            self._numbers.update(np.stack(numeric, axis=1))
        labels = _numbers(self._entry.label, columns[self._entry.label])
        if len(labels):
            self._low = min(self._low, float(labels.min()))
            self._high = max(self._high, float(labels.max()))

    def merge(self, other: TrainStatistics) -> None:
        """Takes in what another has collected from the rows behind this one's."""
        for name, counter in self._counters.items():
            counter.merge(other._counters[name])
        self._numbers.merge(other._numbers)
        self._low = min(self._low, other._low)
        self._high = max(self._high, other._high)

    def finish(self) -> Preprocessor:
        """The preprocessor of the training rows taken in.

        Raises:
            DataError: A column has no value at all.
        """
        entry, settings = self._entry, self._settings
        vocabularies = {
            name: counter.finish(settings.min_count, settings.max_vocabulary)
            for name, counter in self._counters.items()
        }
        empty = [
            name
            for name, vocabulary in vocabularies.items()
            if len(vocabulary.values) == 1 and not vocabulary.values[0].is_valid
        ]
        if empty:
            raise DataError(
                f"Columns without a single category in train: {listed(empty)}. "
                "List them as `ignored`."
            )
        numeric = self._numbers.finish(missing_flag=settings.missing_flag)
        schema = Schema(
            task=entry.task,
            label=entry.label,
            categorical=tuple(Field(name, vocabularies[name].size) for name in entry.categorical),
            numeric=(*entry.numeric, *(name + FLAG for name in numeric.flagged)),
            user=entry.user,
            item=entry.item,
            label_range=(self._low, self._high),
            flags=len(numeric.flagged),
            lists=tuple(
                ListField(name, vocabularies[name].size, one.max_length, one.separator)
                for name, one in entry.multi_valued.items()
            ),
        )
        return Preprocessor(schema, vocabularies, numeric)


def _list_ids(
    column: pa.Array | list[str | None], one: ListField, vocabulary: Vocabulary
) -> np.ndarray:
    """The ids of a multi-valued column: int32, shape (rows, length), 0 where a list has ended."""
    cells = pa.array(column, pa.string()) if isinstance(column, list) else column
    cells = values.joined(cells, one.separator)
    found, rows = values.several(cells, one.separator)
    places = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = places < one.length
    ids = np.zeros((len(cells), one.length), dtype=np.int32)
    ids[rows[kept], places[kept]] = vocabulary.lookup(found)[kept]
    ids[cells.is_null().to_numpy(zero_copy_only=False), 0] = vocabulary.missing
    return ids


def _vocabulary_file(folder: Path, name: str) -> Path:
    # A column may be called anything; a file may not.
    safe = "".join(c if c.isalnum() or c in "-_. " else f"%{ord(c):02x}" for c in name)
    return folder / "vocabulary" / f"{safe}.parquet"


def _column(frame: pd.DataFrame, name: str) -> pa.Array:
    """A frame's column as Arrow has it; one of mixed types as text."""
    column = frame[name]
    try:
        return values.plain(pa.array(column, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([few.text(value) for value in column.tolist()], pa.string())


def _numbers(name: str, column: Any) -> np.ndarray:
    if isinstance(column, np.ndarray):
        return column
    if pa.types.is_float64(column.type) and not column.null_count:
        found = column.to_numpy(zero_copy_only=False)
        if np.isfinite(found).all():
            return found
    numbers, wrong = values.numbers(column)
    if wrong.any():
        at = int(wrong.argmax())
        raise DataError(
            f"Row {at + 1}: {name} is {column[at].as_py()!r}; a finite number is expected."
        )
    return numbers.to_numpy(zero_copy_only=False).astype(np.float64)
