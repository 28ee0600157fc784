"""Reads the files of side tables."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.config import DatasetParams
from autorec_core.data import values
from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.raw import RawRows, map_chunks
from autorec_core.data.reading.raw_files import table_folder
from autorec_core.data.side_table import SideTable
from autorec_core.errors import DataError, listed
from autorec_core.raw_config import TableParams

NAMED = 3
"""The most keys that a message names."""


def read_side_tables(entry: DatasetParams, raw: Path) -> dict[str, SideTable]:
    """Reads all side tables of a data set, by name.

    Args:
        entry: The data set's entry in params.yaml.
        raw: The data set's folder of raw files.

    Raises:
        DataError: A file is missing or malformed, or a key is missing or occurs twice.
    """
    return {name: make_side_table(one, read_table(one, table_file(raw, name, one)))
            for name, one in entry.tables.items()}  # fmt: skip


def table_file(raw: Path, name: str, table: TableParams) -> Path:
    """Returns the file of a side table in a data set's folder of raw files."""
    return table_folder(raw, name) / table.file


def read_table(table: TableParams, path: Path) -> pa.Table:
    """Reads the rows of a side table: text for categories, keys and titles, float64 for numbers.

    Args:
        table: The entry of the side table in params.yaml.
        path: Its file, or a pattern for several.

    Raises:
        DataError: The file is missing, empty or malformed; the message names the line.
    """
    chunks = list(map_chunks(_rows, table, path, bad=BadRows(0), check_labels=False))
    return pa.concat_tables(chunks).combine_chunks()


def make_side_table(table: TableParams, rows: pa.Table) -> SideTable:
    """Makes a side table of the rows that `read_table` returned.

    Raises:
        DataError: A key is missing or occurs twice.
    """
    keys = values.plain(rows[table.key])
    if keys.null_count:
        raise DataError(
            f"{table.file}: {keys.null_count:,} of {len(keys):,} rows have no {table.key}; every "
            "row of a side table needs its key."
        )
    if len(keys.unique()) != len(keys):
        counts = pc.value_counts(keys)
        doubled = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
        raise DataError(
            f"{table.file}: {len(doubled):,} of {len(keys.unique()):,} keys occur more than once "
            f"in {table.key}, such as {listed(doubled[:NAMED].to_pylist())}; every key of a side "
            "table must occur once."
        )
    return SideTable(
        table.joins,
        table.key,
        keys,
        {name: values.plain(rows[name]) for name in table.features},
        table.title,
        None if table.title is None else values.plain(rows[table.title]),
    )


def _rows(rows: RawRows) -> pa.Table:
    return rows.table
