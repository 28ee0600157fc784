"""Encoded splits and raw rows on disk: Parquet files, written and read chunk by chunk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from autorec_core.data.schema import Examples, Schema
from autorec_core.errors import DataError

ROW_NUMBER = "__row__"
"""The column that says which row of the raw file, counted from 0, a split's row is."""
CHUNK_ROWS = 1 << 16
"""Rows at a time: nothing that is written depends on how much of a raw file was read at once."""


@contextmanager
def table_writer(path: Path) -> Iterator[TableWriter]:
    """Writes tables one below the other into a Parquet file."""
    writer = TableWriter(path)
    try:
        yield writer
    finally:
        writer.close()


class TableWriter:
    """Appends tables to a Parquet file, in row groups of one size.

    Args:
        path: The file; it appears with the first table.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        """Appends a table."""
        self._waiting.append(table)
        if sum(waiting.num_rows for waiting in self._waiting) >= CHUNK_ROWS:
            together = pa.concat_tables(self._waiting)
            whole = together.num_rows - together.num_rows % CHUNK_ROWS
            self._append(together.slice(0, whole))
            self._waiting = [together.slice(whole)]

    def close(self) -> None:
        """Writes what is left."""
        if self._waiting:
            rest = pa.concat_tables(self._waiting)
            if self._writer is None or rest.num_rows:
                self._append(rest)
        if self._writer is not None:
            self._writer.close()

    def _append(self, table: pa.Table) -> None:
        # Without Arrow's own schema in the file, dictionaries are read as the strings they hold.
        # Nobody skips row groups by their least and greatest value, which take long to find.
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, table.schema, store_schema=False, write_statistics=False
            )
        self._writer.write_table(table, row_group_size=CHUNK_ROWS)


def encoded_table(examples: Examples, schema: Schema) -> pa.Table:
    """Encoded rows as a table: int32 ids, float32 numbers, float32 label."""
    columns = {
        name: pa.array(examples.categorical[:, position])
        for position, name in enumerate(schema.id_columns)
    }
    columns |= {
        name: pa.array(examples.numeric[:, position])
        for position, name in enumerate(schema.numeric)
    }
    columns[schema.label] = pa.array(examples.label)
    return pa.table(columns)


def load_examples(folder: Path, part: str) -> Examples:
    """Reads one part's encoded rows.

    Args:
        folder: A folder that `prepare` wrote.
        part: "train", "valid" or "test".

    Raises:
        DataError: The folder does not hold them.
    """
    schema = load_schema(folder)
    path = folder / f"{part}.parquet"
    with _opened(path) as file:
        count = file.metadata.num_rows
        names = schema.id_columns
        ids = np.empty((count, len(names)), dtype=np.int32)
        numbers = np.empty((count, len(schema.numeric)), dtype=np.float32)
        label = np.empty(count, dtype=np.float32)
        start = 0
        for batch in file.iter_batches(CHUNK_ROWS):
            rows = slice(start, start + batch.num_rows)
            for matrix, columns in ((ids, names), (numbers, schema.numeric)):
                for position, name in enumerate(columns):
                    matrix[rows, position] = batch[name].to_numpy()
            label[rows] = batch[schema.label].to_numpy()
            start += batch.num_rows
    return Examples(ids, numbers, label)


def load_schema(folder: Path) -> Schema:
    """Reads the schema beside the splits."""
    try:
        return Schema.from_dict(json.loads((folder / "schema.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} holds no prepared data: {error}.") from error


def load_rows(folder: Path, part: str, *, numbered: bool = False) -> pd.DataFrame:
    """Reads one part's raw rows, as they stood in the raw file; `numbered`, with their numbers."""
    rows = pa.concat_tables(read_tables(folder / f"rows_{part}.parquet")).to_pandas()
    return rows if numbered else rows.drop(columns=ROW_NUMBER)


def read_tables(
    path: Path, *, columns: Iterable[str] | None = None, coded: Iterable[str] = ()
) -> Iterator[pa.Table]:
    """A Parquet file in tables of `CHUNK_ROWS` rows, but for the last.

    Args:
        path: The file.
        columns: Those to read; all of them if `None`.
        coded: String columns to be given as dictionaries.
    """
    with _opened(path, coded) as file:
        kept = None if columns is None else list(columns)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=kept)


@contextmanager
def _opened(path: Path, coded: Iterable[str] = ()) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path, read_dictionary=list(coded)) as file:
            yield file
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
