"""Reads raw files chunk by chunk, in all formats, and names the line of an error."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.config import DatasetParams
from autorec_core.data.compute import LOCAL, Compute
from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.delimited import Piece, TextRows, read_delimited
from autorec_core.data.reading.lines import BLOCK_BYTES, read_blocks
from autorec_core.data.reading.netflix import MoviePiece, read_netflix
from autorec_core.data.reading.parquet import (
    TablePiece,
    parquet_pieces,
)
from autorec_core.data.reading.raw_files import raw_files
from autorec_core.data.reading.typed_columns import file_columns, kept_rows, typed_columns
from autorec_core.errors import DataError
from autorec_core.raw_config import DelimitedFormat, NetflixFormat, ParquetFormat, TableParams


@dataclass(frozen=True)
class RawRows:
    """Some rows of a raw file, in the order of the file.

    Args:
        table: Label, numeric columns and time column as float64; categorical columns as strings or
            dictionaries of strings; columns that are only keys as strings. Missing values are null.
            Ignored columns are left out.
        numbers: int64 row numbers, shape (rows,), counted from 0 over all files, with bad rows.
    """

    table: pa.Table
    numbers: np.ndarray


def read_raw(entry: DatasetParams, path: Path, *, check_labels: bool = False) -> pd.DataFrame:
    """Reads all rows of a raw file that fits into memory.

    Args:
        entry: The data set's entry in params.yaml.
        path: The raw file, or a pattern for several.
        check_labels: Whether a row is bad if its label is not allowed by the entry's facts.

    Returns:
        The rows: categorical columns as strings, label and numeric columns as float64.

    Raises:
        DataError: The file is missing, empty or malformed; the message names the line.
    """
    chunks = read_chunks(entry, path, bad=bad_rows_of(entry), check_labels=check_labels)
    frame: pd.DataFrame = pa.concat_tables([rows.table for rows in chunks]).to_pandas()
    return frame


def bad_rows_of(entry: DatasetParams) -> BadRows:
    """Makes a collector of bad rows with the limit of an entry."""
    return BadRows(entry.max_bad_rows if entry.on_bad_rows == "quarantine" else 0)


def read_chunks(
    entry: DatasetParams,
    path: Path,
    *,
    bad: BadRows,
    check_labels: bool = True,
    coded: bool = False,
    block_bytes: int | None = None,
    compute: Compute = LOCAL,
) -> Generator[RawRows]:
    """Reads a raw file's rows chunk by chunk, in bounded memory.

    Args:
        entry: The data set's entry in params.yaml.
        path: The raw file, or a pattern for several.
        bad: Collects the rows that cannot be used.
        check_labels: Whether a row is bad if its label is not allowed by the entry's facts.
        coded: Whether categorical columns are returned as dictionaries.
        block_bytes: The approximate number of bytes to read at once. Rows do not depend on it.
        compute: Where pieces of a file are converted to rows.

    Raises:
        DataError: A file is missing, empty or malformed; the message names the line.
    """
    chunks = map_chunks(
        _same,
        entry,
        path,
        bad=bad,
        check_labels=check_labels,
        coded=coded,
        block_bytes=block_bytes,
        compute=compute,
    )
    with closing(chunks):
        yield from (rows for rows in chunks if len(rows.numbers))


def map_chunks(
    function: Callable[..., Any],
    entry: DatasetParams | TableParams,
    path: Path,
    *,
    bad: BadRows,
    settings: Callable[[int], tuple[Any, ...]] = lambda _: (),
    check_labels: bool = True,
    coded: bool = False,
    block_bytes: int | None = None,
    compute: Compute = LOCAL,
) -> Generator[Any]:
    """Applies a function to each chunk of `read_chunks`, in the worker that reads the chunk.

    Args:
        function: Takes the settings of a chunk and its `RawRows`, which may be empty.
        entry: See `read_chunks`.
        path: See `read_chunks`.
        bad: See `read_chunks`.
        settings: Returns the settings of a chunk, given its number among all chunks.
        check_labels: See `read_chunks`.
        coded: See `read_chunks`.
        block_bytes: See `read_chunks`.
        compute: See `read_chunks`.

    Raises:
        DataError: See `read_chunks`.
    """
    base = place = 0
    for file in raw_files(path):
        reading = Reading(entry, file, base, bad.limit, check_labels, coded)
        parts = pieces(entry, file, block_bytes or BLOCK_BYTES, by_place=compute.is_elsewhere)
        last, found = 0, 0

        def calls(
            reading: Reading = reading, parts: Iterator[Any] = parts
        ) -> Iterator[tuple[Any, ...]]:
            nonlocal last, place
            for piece in parts:
                last = piece.last_line
                yield function, settings(place), reading, piece
                place += 1

        with closing(compute.map(read_piece, calls())) as results:
            for result, count, set_aside in results:
                bad.merge(set_aside, file, _unit(entry))
                found += count
                yield result
        base += last
        if not found:
            raise DataError(f"{file} has no usable row{' below its header' * _has_header(entry)}.")


@dataclass(frozen=True)
class Reading:
    """Settings for converting the pieces of one file to rows.

    Args:
        entry: The data set's entry in params.yaml.
        file: The file.
        base: Number of rows in the files before it.
        limit: The most bad rows to set aside.
        check_labels: See `read_chunks`.
        coded: See `read_chunks`.
    """

    entry: DatasetParams | TableParams
    file: Path
    base: int
    limit: int
    check_labels: bool
    coded: bool

    def rows(self, piece: Piece | TablePiece) -> tuple[TextRows, BadRows]:
        """Returns the rows of a piece with typed columns, and the bad rows."""
        bad = BadRows(self.limit)
        entry = self.entry
        columns = [] if entry.decimal else [*entry.numeric]
        if entry.label is not None and not (entry.decimal or entry.positive):
            columns.append(entry.label)
        elsewhere = {*entry.categorical, entry.time}
        at_once = [name for name in columns if name not in elsewhere]
        typed = self._typed(piece.rows(bad, at_once), None)
        if typed is None:
            # Read everything as text, because messages show the text of the file.
            bad = BadRows(self.limit)
            typed = self._typed(piece.rows(bad), bad)
        assert typed is not None
        return typed, bad

    def _typed(self, rows: TextRows, bad: BadRows | None) -> TextRows | None:
        """Returns rows with typed columns, without the rows that have a wrong value.

        If there are such rows and `bad` is None, it returns None.
        """
        if (kept := kept_rows(self.entry, self.file, rows.table)) is not None:
            rows = TextRows(rows.table.filter(pa.array(kept)), rows.lines[kept])
        columns, faults = typed_columns(
            self.entry, self.file, rows.table, check_labels=self.check_labels, coded=self.coded
        )
        table = pa.table(columns)
        any_wrong = np.logical_or.reduce([wrong for wrong, _, _ in faults])
        if not any_wrong.any():
            return TextRows(table, rows.lines)
        if bad is None:
            return None
        unit = _unit(self.entry)
        for place in np.flatnonzero(any_wrong):
            name, rule = next((name, rule) for wrong, name, rule in faults if wrong[place])
            value = rows.table[name][int(place)].as_py()
            shown = repr(value) if len(str(value)) <= 40 else f"{len(str(value)):,} characters long"
            reason = f"{name} is {'empty' if value in (None, '') else shown}; {rule}"
            bad.add(self.file, int(rows.lines[place]), reason, unit=unit)
        return TextRows(table.filter(pa.array(~any_wrong)), rows.lines[~any_wrong])


def read_piece(
    function: Callable[..., Any], settings: tuple[Any, ...], reading: Reading, piece: Any
) -> tuple[Any, int, BadRows]:
    """Applies `function` to one piece of a raw file, in any process.

    Returns:
        The function's result, the number of rows, and the bad rows.
    """
    typed, bad = reading.rows(piece)
    rows = RawRows(typed.table, reading.base + typed.lines - 1)
    return function(*settings, rows), len(typed.lines), bad


def _same(rows: RawRows) -> RawRows:
    return rows


def _has_header(entry: DatasetParams | TableParams) -> bool:
    return isinstance(entry.format, DelimitedFormat) and entry.format.header


def _unit(entry: DatasetParams | TableParams) -> str:
    return "row" if isinstance(entry.format, ParquetFormat) else "line"


def pieces(
    entry: DatasetParams | TableParams, file: Path, block_bytes: int, *, by_place: bool
) -> Iterator[Piece] | Iterator[MoviePiece] | Iterator[TablePiece]:
    """Divides a raw file into pieces, by the format of its entry.

    Args:
        entry: The data set's entry in params.yaml.
        file: The file.
        block_bytes: The approximate number of bytes to read at once.
        by_place: Whether pieces hold, if possible, only the place of their lines in the file.
    """
    match entry.format:
        case DelimitedFormat() as form:
            return read_delimited(
                file,
                read_blocks(file, block_bytes, form.encoding),
                names=form.columns,
                separator=form.separator,
                header=form.header,
                quoted=form.quoted,
                missing=entry.missing,
                by_place=by_place,
            )
        case NetflixFormat() as form:
            blocks = read_blocks(file, block_bytes)
            return read_netflix(file, blocks, names=form.columns, missing=entry.missing)
        case ParquetFormat():
            return parquet_pieces(file, file_columns(entry), block_bytes)
