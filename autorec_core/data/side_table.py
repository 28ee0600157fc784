"""A side table: facts about users, items or other values, joined to rows that hold only ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from autorec_core.data import values
from autorec_core.errors import DataError

ABOUT = b"autorec.table"
"""The key of a saved table's metadata."""


@dataclass(frozen=True, eq=False)
class SideTable:
    """A table with one row for each key.

    Args:
        joins: The column of the rows that holds the keys.
        key: The name of the table's key column.
        keys: The keys in their canonical form: strings, none missing, each once.
        columns: The columns to learn from, by name: strings for categories and multi-valued cells,
            float64 for numbers; null if missing.
        title: The name of the column of titles; None if there is none.
        titles: A text for people for each key; None if there is none.
    """

    joins: str
    key: str
    keys: pa.Array
    columns: Mapping[str, pa.Array]
    title: str | None = None
    titles: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, wanted: pa.Array) -> np.ndarray:
        """Finds the rows of keys.

        Args:
            wanted: Values in any form: 196, 196.0 and "196" are the same key.

        Returns:
            int64 row numbers, shape (wanted,); the number of rows for an unknown or missing key.
        """
        coded = values.coded(wanted)
        of_words = pc.fill_null(pc.index_in(coded.dictionary, value_set=self.keys), len(self))
        rows = np.append(of_words.to_numpy(zero_copy_only=False), len(self)).astype(np.int64)
        codes = pc.fill_null(coded.indices, len(rows) - 1).to_numpy(zero_copy_only=False)
        return np.asarray(rows[codes])

    def taken(self, wanted: pa.Array) -> dict[str, pa.Array]:
        """Returns the columns for the given keys; null for an unknown or missing key."""
        rows = self.find(wanted)
        places = pa.array(rows, mask=rows == len(self))
        return {name: _take(column, places) for name, column in self._coded.items()}

    def join(self, table: pa.Table) -> pa.Table:
        """Returns rows with this table's columns added, as dictionaries if they are categories."""
        column = table[self.joins].combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = values.plain(column)
        for name, found in self.taken(column).items():
            table = table.append_column(name, found)
        return table

    def titles_of(self, wanted: pa.Array) -> pa.Array:
        """Returns the titles of keys: strings, null if a key or its title is unknown."""
        if self.titles is None:
            return pa.nulls(len(wanted), pa.string())
        rows = self.find(wanted)
        return self.titles.take(pa.array(rows, mask=rows == len(self)))

    @cached_property
    def _coded(self) -> dict[str, pa.Array]:
        """The columns, with text as dictionaries, so that each text is stored once."""
        return {
            name: column.dictionary_encode() if pa.types.is_string(column.type) else column
            for name, column in self.columns.items()
        }

    def save(self, path: Path) -> None:
        """Writes the table as a Parquet file with its keys, titles and columns."""
        about = {"joins": self.joins, "key": self.key, "title": self.title}
        columns = {self.key: self.keys, **self.columns}
        if self.title is not None:
            columns[self.title] = self.titles
        table = pa.table(columns)
        pq.write_table(table.replace_schema_metadata({ABOUT: json.dumps(about)}), path)

    @classmethod
    def load(cls, path: Path) -> SideTable:
        """Reads what `save` wrote.

        Raises:
            DataError: The file is missing or damaged.
        """
        try:
            with pq.ParquetFile(path) as file:  # `read_table` takes "=" in a path for a column
                table = file.read()
            about = json.loads((table.schema.metadata or {})[ABOUT])
            columns = {name: values.plain(table[name]) for name in table.column_names}
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            raise DataError(f"{path} is not a side table: {error}.") from error
        keys, title = columns.pop(about["key"]), about["title"]
        titles = None if title is None else columns.pop(title)
        return cls(about["joins"], about["key"], keys, columns, title, titles)


def join_all(tables: Iterable[SideTable], rows: pa.Table) -> pa.Table:
    """Returns rows with the columns of all tables added."""
    for table in tables:
        rows = table.join(rows)
    return rows


def _take(column: pa.Array, places: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices.take(places), column.dictionary)
    return column.take(places)
