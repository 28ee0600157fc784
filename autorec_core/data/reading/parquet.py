"""Reads raw Parquet files: one, or a folder of them, whose folder names may hold columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.delimited import TextRows
from autorec_core.errors import DataError, listed

# The assumed size of a row, so that blocks of all formats have about the same size.
ROW_BYTES = 128
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""The folder name that Hive and Spark use for a missing value."""


@dataclass(frozen=True)
class TablePiece:
    """Rows of a Parquet file; see `Piece`."""

    table: pa.Table
    lines: np.ndarray
    last_line: int

    @property
    def nbytes(self) -> int:
        """The number of bytes to send if another process reads the piece."""
        return int(self.table.nbytes)

    def rows(self, bad: BadRows, numbers: Collection[str] = ()) -> TextRows:
        """Returns the rows."""
        return TextRows(self.table, self.lines)


def parquet_pieces(file: Path, wanted: Sequence[str], block_bytes: int) -> Iterator[TablePiece]:
    """Reads a Parquet file in pieces.

    Args:
        file: The file. The names of its folders may hold further columns, such as `month=3`.
        wanted: The columns to read.
        block_bytes: The approximate number of bytes to read at once.

    Raises:
        DataError: The file is damaged or a column is missing.
    """
    below = {name: value for name, value in folder_values(file).items() if name in wanted}
    try:
        with pq.ParquetFile(file) as opened:
            found = opened.schema_arrow.names
            needed = frozenset(wanted)
            names = [name for name in found if name in needed]
            check_columns(file, wanted, [*found, *below])
            first = 1
            rows = max(1, block_bytes // ROW_BYTES)
            for batch in opened.iter_batches(batch_size=rows, columns=names):
                lines = np.arange(first, first + batch.num_rows, dtype=np.int64)
                first += batch.num_rows
                if len(lines):
                    table = with_folder_values(pa.table(batch), below)
                    yield TablePiece(table, lines, first - 1)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} is not a whole Parquet file: {error}.") from error


def check_columns(file: Path, wanted: Sequence[str], found: list[str]) -> None:
    """Checks that each wanted column occurs once.

    Raises:
        DataError: A column is missing, or several columns have its name.
    """
    counts = Counter(found)
    if doubled := [name for name in wanted if counts[name] > 1]:
        raise DataError(f"{file} has more than one column {listed(doubled)}.")
    if missing := [name for name in wanted if name not in counts]:
        raise DataError(f"{file} lacks the columns {listed(missing)}. It has: {listed(found)}.")


def folder_values(file: Path) -> dict[str, str | None]:
    """Returns the columns and values in a file's folder names, such as `country=nl/month=3`."""
    pairs = [part.partition("=") for part in file.parts[:-1] if "=" in part[1:]]
    return {
        unquote(name): None if value == NO_VALUE else unquote(value) for name, _, value in pairs
    }


def with_folder_values(table: pa.Table, below: Mapping[str, str | None]) -> pa.Table:
    """Adds the columns and values of folder names to a file's rows, as text."""
    for name, value in below.items():
        if name not in table.column_names:
            column = pa.array([value], pa.string()).take(pa.array(np.zeros(len(table), np.int64)))
            table = table.append_column(name, column)
    return table
