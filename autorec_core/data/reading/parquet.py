"""Parquet files as raw data: one, or a folder of them whose names hold columns too."""

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

# A row of a Parquet file weighs about this much, so that blocks of all formats are alike.
ROW_BYTES = 128
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What Hive and Spark call a folder whose rows have no value in its column."""


@dataclass(frozen=True)
class TablePiece:
    """Rows of a file that has columns already; see `Piece`."""

    table: pa.Table
    lines: np.ndarray
    last_line: int

    @property
    def nbytes(self) -> int:
        """How much it takes to send the piece elsewhere."""
        return int(self.table.nbytes)

    def rows(self, bad: BadRows, numbers: Collection[str] = ()) -> TextRows:
        """The rows."""
        return TextRows(self.table, self.lines)


def parquet_pieces(file: Path, wanted: Sequence[str], block_bytes: int) -> Iterator[TablePiece]:
    """The rows of a Parquet file, in pieces.

    Args:
        file: The file. Columns that it lacks may stand in the names of the folders above it.
        wanted: The columns to read.
        block_bytes: About how much is read at once.

    Raises:
        DataError: The file is broken or lacks a column.
    """
    below = {name: value for name, value in folder_values(file).items() if name in wanted}
    try:
        with pq.ParquetFile(file) as opened:
            found = opened.schema_arrow.names
            needed = frozenset(wanted)
            names = [name for name in found if name in needed]
            no_column_lacks(file, wanted, [*found, *below])
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


def no_column_lacks(file: Path, wanted: Sequence[str], found: list[str]) -> None:
    """Sees that each column is there once.

    Raises:
        DataError: One is, or there are several of its name.
    """
    counts = Counter(found)
    if doubled := [name for name in wanted if counts[name] > 1]:
        raise DataError(f"{file} has more than one column {listed(doubled)}.")
    if missing := [name for name in wanted if name not in counts]:
        raise DataError(f"{file} lacks the columns {listed(missing)}. It has: {listed(found)}.")


def folder_values(file: Path) -> dict[str, str | None]:
    """The columns in the names of the folders above a file, such as `country=nl/month=3`."""
    pairs = [part.partition("=") for part in file.parts[:-1] if "=" in part[1:]]
    return {
        unquote(name): None if value == NO_VALUE else unquote(value) for name, _, value in pairs
    }


def with_folder_values(table: pa.Table, below: Mapping[str, str | None]) -> pa.Table:
    """A file's rows with the columns that the names of its folders hold, as text."""
    for name, value in below.items():
        if name not in table.column_names:
            column = pa.array([value], pa.string()).take(pa.array(np.zeros(len(table), np.int64)))
            table = table.append_column(name, column)
    return table
