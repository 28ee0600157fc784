"""The preprocessor: raw rows to encoded rows, the same code for training and scoring."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.config import DatasetParams, PreprocessParams
from autorec_core.data import spelled, values
from autorec_core.data.encoding import few
from autorec_core.data.encoding.numeric import NumericStatistics, NumericTransform
from autorec_core.data.encoding.vocabulary import Vocabulary, VocabularyCounter
from autorec_core.data.schema import Examples, Field, ListField, Schema
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
        vocabularies = {}
        for name in (*entry.categorical, *entry.multi_valued):
            counter = VocabularyCounter()
            column = spelled.without_missing(_column(train, name), entry.missing)
            counter.update(countable(entry, name, column))
            vocabularies[name] = counter.finish(settings.min_count, settings.max_vocabulary)
        numbers = NumberStatistics(entry, settings)
        columns = {
            name: spelled.without_missing(_column(train, name), entry.missing)
            for name in (entry.label, *entry.numeric)
        }
        numbers.update(columns)
        empty = [name for name, one in vocabularies.items() if one.is_empty]
        sizes = {name: one.size for name, one in vocabularies.items()}
        schema, numeric = described(entry, settings, sizes, empty, numbers)
        return Preprocessor(schema, vocabularies, numeric)

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
        columns = {name: self._spelled(name, column) for name, column in columns.items()}
        ids = np.empty((count, len(self.schema.id_columns)), dtype=np.int32)
        for position, one in enumerate(self.schema.categorical):
            column = columns[one.name]
            if isinstance(column, pa.Array) and not pa.types.is_dictionary(column.type):
                column = values.categories(column)
            ids[:, position] = self.vocabularies[one.name].lookup(column)
        for several in self.schema.lists:
            first = self.schema.first_place(several)
            ids[:, first : first + several.length] = list_ids(
                columns[several.name], several, self.vocabularies[several.name]
            )
        numbers = np.empty((count, len(self.numeric.names)), dtype=np.float64)
        for position, name in enumerate(self.numeric.names):
            numbers[:, position] = numbers_of(name, columns[name])
        label = np.full(count, np.nan, dtype=np.float32)
        if self.schema.label in columns:
            label = self._labels(columns[self.schema.label]).astype(np.float32)
        return Examples(ids, self.numeric.apply(numbers), label)

    def _spelled(self, name: str, column: pa.Array | list[str | None] | np.ndarray) -> Any:
        """A column without the words that mean "missing", its written numbers made plain."""
        schema = self.schema
        if not isinstance(column, pa.Array):
            return spelled.few_without_missing(column, schema.missing)
        column = spelled.without_missing(column, schema.missing)
        is_number = name in self.numeric.names or (name == schema.label and not schema.positive)
        return spelled.plain_numbers(column, schema.decimal) if is_number else column

    def _labels(self, column: pa.Array | np.ndarray) -> np.ndarray:
        """Labels as numbers: those of raw rows may be words, prepared ones are numbers already."""
        name, positive = self.schema.label, self.schema.positive
        is_text = isinstance(column, pa.Array) and pa.types.is_string(column.type)
        if not (positive and is_text):
            return numbers_of(name, column)
        found, wrong = spelled.label_numbers(column, positive, self.schema.negative)
        if wrong.any():
            shown = listed([*positive, *self.schema.negative])
            value = column[int(wrong.argmax())].as_py()
            raise DataError(f"{name} is {value!r}; one of {shown} is expected.")
        return found.to_numpy(zero_copy_only=False)

    def save(self, folder: Path) -> None:
        """Writes `schema.json`, `preprocessing.json` and a vocabulary file a column."""
        save_described(folder, self.schema, self.numeric)
        for name, vocabulary in self.vocabularies.items():
            vocabulary.save(vocabulary_file(folder, name))

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
                field.name: Vocabulary.load(vocabulary_file(folder, field.name))
                for field in (*schema.categorical, *schema.lists)
            }
            return cls(schema, vocabularies, NumericTransform.from_dict(statistics["numeric"]))
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise DataError(f"{folder} holds no whole preprocessor: {error}.") from error


class NumberStatistics:
    """Collects from training rows, chunk by chunk, what must be known of numbers and labels.

    Args:
        entry: The data set's entry in params.yaml.
        settings: How columns become numbers.
    """

    def __init__(self, entry: DatasetParams, settings: PreprocessParams) -> None:
        self._entry = entry
        self.numeric = NumericStatistics(entry.numeric, settings.numeric)
        self.label_range = (np.inf, -np.inf)

    def update(self, columns: Mapping[str, pa.Array]) -> None:
        """Takes in one chunk of training rows, given as Arrow columns."""
        numeric = [numbers_of(name, columns[name]) for name in self._entry.numeric]
        if numeric:
            self.numeric.update(np.stack(numeric, axis=1))
        labels = numbers_of(self._entry.label, columns[self._entry.label])
        if len(labels):
            low, high = self.label_range
            self.label_range = (min(low, float(labels.min())), max(high, float(labels.max())))


def countable(entry: DatasetParams, name: str, column: pa.Array) -> pa.Array:
    """The categories of a column to be counted: one a row, or all those of its lists."""
    if name not in entry.multi_valued:
        return column if pa.types.is_dictionary(column.type) else values.categories(column)
    separator = entry.multi_valued[name].separator
    cells = values.joined(column, separator)
    found, _ = values.several(cells, separator)
    return pa.concat_arrays([found, pa.nulls(cells.null_count, found.type)])


def described(
    entry: DatasetParams,
    settings: PreprocessParams,
    sizes: Mapping[str, int],
    empty: Sequence[str],
    numbers: NumberStatistics,
) -> tuple[Schema, NumericTransform]:
    """What a model must know of the data, and the transform of the numeric columns.

    Args:
        entry: The data set's entry in params.yaml.
        settings: How columns become ids and numbers.
        sizes: The size of each column's vocabulary.
        empty: Columns without a single category.
        numbers: What the training rows taught of numbers and labels.

    Raises:
        DataError: A column has no value at all.
    """
    if empty:
        raise DataError(
            f"Columns without a single category in train: {listed(empty)}. List them as `ignored`."
        )
    numeric = numbers.numeric.finish(missing_flag=settings.missing_flag)
    schema = Schema(
        task=entry.task,
        label=entry.label,
        categorical=tuple(Field(name, sizes[name]) for name in entry.categorical),
        numeric=(*entry.numeric, *(name + FLAG for name in numeric.flagged)),
        user=entry.user,
        item=entry.item,
        label_range=numbers.label_range,
        flags=len(numeric.flagged),
        lists=tuple(
            ListField(name, sizes[name], one.max_length, one.separator)
            for name, one in entry.multi_valued.items()
        ),
        missing=tuple(entry.missing),
        positive=tuple(entry.positive),
        negative=tuple(entry.negative),
        decimal=entry.decimal,
    )
    return schema, numeric


def save_described(folder: Path, schema: Schema, numeric: NumericTransform) -> None:
    """Writes `schema.json` and `preprocessing.json`, and makes room for the vocabularies."""
    write_json(folder / "schema.json", schema.to_dict())
    write_json(folder / "preprocessing.json", {"numeric": numeric.to_dict()})
    (folder / "vocabulary").mkdir(exist_ok=True)


def list_ids(
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


def vocabulary_file(folder: Path, name: str) -> Path:
    """Where a column's vocabulary stands in a folder of prepared data."""
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


def numbers_of(name: str, column: Any) -> np.ndarray:
    """A column's numbers: float64, NaN where missing, shape (rows,).

    Raises:
        DataError: There is one that is no finite number.
    """
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
