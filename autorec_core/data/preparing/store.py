"""Writes and reads encoded splits and raw rows as Parquet files, chunk by chunk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from autorec_core.data import values
from autorec_core.data.schema import Examples, Schema
from autorec_core.errors import DataError

ROW_NUMBER = "__row__"
"""The column with a row's number in the raw file, counted from 0."""
CHUNK_ROWS = 1 << 16
"""Rows in a chunk. It is fixed, so that files do not depend on how the raw file was read."""


@contextmanager
def table_writer(path: Path, coded: Sequence[str] | None = None) -> Iterator[TableWriter]:
    """Opens a Parquet file for appending tables; see `TableWriter`."""
    writer = TableWriter(path, coded)
    try:
        yield writer
    finally:
        writer.close()


class TableWriter:
    """Appends tables to a Parquet file, each as a row group.

    Args:
        path: The file; it is created with the first table.
        coded: The columns to write with a dictionary; None for all.
    """

    def __init__(self, path: Path, coded: Sequence[str] | None = None) -> None:
        self._path = path
        self._coded = coded
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Appends a table as a row group."""
        self._append(table)

    def close(self) -> None:
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()

    def _append(self, table: pa.Table) -> None:
        # Without Arrow's schema in the file, dictionaries are read as strings. Statistics take time
        # and nothing uses them.
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path,
                table.schema,
                store_schema=False,
                write_statistics=False,
                compression="zstd",
                compression_level=1,
                use_dictionary=True if self._coded is None else list(self._coded),
            )
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))


def windows(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Yields the rows of tables in tables of `rows` rows; the last may be shorter or empty."""
    waiting: list[pa.Table] = []
    count, none_yet = 0, True
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        if count >= rows:
            together = pa.concat_tables(waiting)
            for start in range(0, count - rows + 1, rows):
                yield together.slice(start, rows)
            none_yet = False
            waiting = [together.slice(count - count % rows)]
            count %= rows
    if waiting and (count or none_yet):
        yield pa.concat_tables(waiting)


def load_examples(folder: Path, part: str) -> Examples:
    """Reads one part's encoded rows.

    Args:
        folder: A folder that `prepare` wrote.
        part: "train", "valid" or "test".

    Raises:
        DataError: The folder does not contain them.
    """
    schema = load_schema(folder)
    path = folder / f"{part}.parquet"
    with opened(path) as file:
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
    """Reads the schema of a folder that `prepare` wrote."""
    try:
        return Schema.from_dict(json.loads((folder / "schema.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} does not contain prepared data: {error}.") from error


def load_rows(folder: Path, part: str, *, numbered: bool = False) -> pd.DataFrame:
    """Reads one part's raw rows.

    The column `identity.OCCURRENCE` numbers the rows with the same content, or key.

    Args:
        folder: A folder that `prepare` wrote.
        part: "train", "valid" or "test".
        numbered: Whether to include the column `ROW_NUMBER`.
    """
    rows: pd.DataFrame = pa.concat_tables(read_tables(folder / f"rows_{part}.parquet")).to_pandas()
    return rows if numbered else rows.drop(columns=ROW_NUMBER)


def load_times(folder: Path, part: str, time: str) -> np.ndarray:
    """Reads the times of one part's rows, in the order of `load_examples`: float64, shape (rows,).

    Args:
        folder: A folder that `prepare` wrote.
        part: "train", "valid" or "test".
        time: The time column.
    """
    found = [
        values.moments(values.plain(table[time]))[0].to_numpy(zero_copy_only=False)
        for table in read_tables(folder / f"rows_{part}.parquet", columns=[time])
    ]
    return np.concatenate([np.zeros(0), *found])


def read_tables(
    path: Path, *, columns: Iterable[str] | None = None, coded: Iterable[str] = ()
) -> Iterator[pa.Table]:
    """Reads a Parquet file in tables of `CHUNK_ROWS` rows; the last may be shorter.

    Args:
        path: The file.
        columns: The columns to read; None for all.
        coded: The string columns to return as dictionaries.
    """
    with opened(path, coded) as file:
        kept = None if columns is None else list(columns)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=kept)


@contextmanager
def opened(path: Path, coded: Iterable[str] = ()) -> Iterator[pq.ParquetFile]:
    """Opens a Parquet file for reading; see `read_tables`.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        with pq.ParquetFile(path, read_dictionary=list(coded)) as file:
            yield file
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
