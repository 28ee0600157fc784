"""Encoded splits and raw rows on disk: Parquet files, written and read chunk by chunk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
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
def table_writer(path: Path, coded: Sequence[str] | None = None) -> Iterator[TableWriter]:
    """Writes tables one below the other into a Parquet file; see `TableWriter`."""
    writer = TableWriter(path, coded)
    try:
        yield writer
    finally:
        writer.close()


class TableWriter:
    """Appends tables to a Parquet file, a row group each.

    Args:
        path: The file; it appears with the first table.
        coded: Columns to be written with a dictionary; all if `None`.
    """

    def __init__(self, path: Path, coded: Sequence[str] | None = None) -> None:
        self._path = path
        self._coded = coded
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Appends a table as a row group."""
        self._append(table)

    def close(self) -> None:
        """Ends the file."""
        if self._writer is not None:
            self._writer.close()

    def _append(self, table: pa.Table) -> None:
        # Without Arrow's own schema in the file, dictionaries are read as the strings they hold.
        # Nobody skips row groups by their least and greatest value, which take long to find.
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
    """The rows of tables, so many at a time, fewer at the end; one table at least."""
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
        DataError: The folder does not hold them.
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
    """Reads the schema beside the splits."""
    try:
        return Schema.from_dict(json.loads((folder / "schema.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} holds no prepared data: {error}.") from error


def load_rows(folder: Path, part: str, *, numbered: bool = False) -> pd.DataFrame:
    """Reads one part's raw rows, as they stood in the raw file; `numbered`, with their numbers.

    The column `identity.OCCURRENCE` tells rows of the same content, or key, from each other.
    """
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
    with opened(path, coded) as file:
        kept = None if columns is None else list(columns)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=kept)


@contextmanager
def opened(path: Path, coded: Iterable[str] = ()) -> Iterator[pq.ParquetFile]:
    """A Parquet file to be read; see `read_tables`.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with pq.ParquetFile(path, read_dictionary=list(coded)) as file:
            yield file
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
