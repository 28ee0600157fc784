"""Reads raw files in their owners' formats, chunk by chunk, and says which line is wrong."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.config import DatasetParams, DelimitedFormat, NetflixFormat, ParquetFormat
from autorec_core.data.compute import HERE, Compute
from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.delimited import (
    MoviePiece,
    Piece,
    TextRows,
    read_delimited,
    read_netflix,
)
from autorec_core.data.reading.lines import BLOCK_BYTES, read_blocks
from autorec_core.data.reading.parquet import (
    TablePiece,
    parquet_pieces,
)
from autorec_core.data.reading.raw_files import raw_files
from autorec_core.data.reading.typed_columns import typed_columns, used_columns
from autorec_core.errors import DataError


@dataclass(frozen=True)
class RawRows:
    """Some rows of a raw file, in its order.

    Args:
        table: Label and numeric columns as float64, categorical columns as strings (or, where
            asked for, dictionaries of them), the time column as float64, columns that are keys and
            nothing else as strings; null where a value is missing. Ignored columns are absent.
        numbers: int64 row numbers over all files, bad rows counted, from 0; shape (rows,).
    """

    table: pa.Table
    numbers: np.ndarray


def read_raw(entry: DatasetParams, path: Path, *, check_labels: bool = False) -> pd.DataFrame:
    """All rows of a raw file that fits into memory.

    Args:
        entry: The data set's entry in params.yaml.
        path: The raw file, or a pattern for several.
        check_labels: Whether a label that the entry's facts do not allow is a bad row.

    Returns:
        A row a line: categorical columns as strings, label and numeric columns as float64.

    Raises:
        DataError: The file is missing, empty or malformed; the message names the line.
    """
    chunks = read_chunks(entry, path, bad=bad_rows_of(entry), check_labels=check_labels)
    return pa.concat_tables([rows.table for rows in chunks]).to_pandas()


def bad_rows_of(entry: DatasetParams) -> BadRows:
    """The collector of bad rows that an entry asks for."""
    return BadRows(entry.max_bad_rows if entry.on_bad_rows == "quarantine" else 0)


def read_chunks(
    entry: DatasetParams,
    path: Path,
    *,
    bad: BadRows,
    check_labels: bool = True,
    coded: bool = False,
    block_bytes: int | None = None,
    compute: Compute = HERE,
) -> Generator[RawRows]:
    """A raw file's rows in bounded memory.

    Args:
        entry: The data set's entry in params.yaml.
        path: The raw file, or a pattern for several.
        bad: Receives the rows that cannot be used.
        check_labels: Whether a label that the entry's facts do not allow is a bad row.
        coded: Whether categorical columns come as dictionaries.
        block_bytes: About how much is read at once; no result may depend on it.
        compute: Where pieces of a file become rows.

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
    entry: DatasetParams,
    path: Path,
    *,
    bad: BadRows,
    settings: Callable[[int], tuple[Any, ...]] = lambda _: (),
    check_labels: bool = True,
    coded: bool = False,
    block_bytes: int | None = None,
    compute: Compute = HERE,
) -> Generator[Any]:
    """What a function makes of each chunk of `read_chunks`, in order, made where it is read.

    Args:
        function: Takes the settings of a chunk and its `RawRows`, which may be empty.
        entry: See `read_chunks`.
        path: See `read_chunks`.
        bad: See `read_chunks`.
        settings: The settings of each chunk, by its place among all.
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
    """How the pieces of one file become rows.

    Args:
        entry: The data set's entry in params.yaml.
        file: The file.
        base: How many rows the files before it have.
        limit: How many bad rows are set aside.
        check_labels: See `read_chunks`.
        coded: See `read_chunks`.
    """

    entry: DatasetParams
    file: Path
    base: int
    limit: int
    check_labels: bool
    coded: bool

    def rows(self, piece: Piece | TablePiece) -> tuple[TextRows, BadRows]:
        """Rows with typed columns, and those that cannot be used."""
        bad = BadRows(self.limit)
        entry = self.entry
        columns = [] if entry.decimal else [entry.label, *entry.numeric]
        if entry.positive and columns:
            columns.remove(entry.label)
        elsewhere = {*entry.categorical, entry.time}
        at_once = [name for name in columns if name not in elsewhere]
        typed = self._typed(piece.rows(bad, at_once), None)
        if typed is None:
            # What is wrong is said with the text as it stands in the file.
            bad = BadRows(self.limit)
            typed = self._typed(piece.rows(bad), bad)
        assert typed is not None
        return typed, bad

    def _typed(self, rows: TextRows, bad: BadRows | None) -> TextRows | None:
        """Rows with typed columns, without those that have a value of the wrong kind.

        None if there are such rows and no one to receive them.
        """
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
    """What `function` makes of one piece of a raw file, its number of rows, and bad rows.

    A function of one partition: it can run anywhere.
    """
    typed, bad = reading.rows(piece)
    rows = RawRows(typed.table, reading.base + typed.lines - 1)
    return function(*settings, rows), len(typed.lines), bad


def _same(rows: RawRows) -> RawRows:
    return rows


def _has_header(entry: DatasetParams) -> bool:
    return isinstance(entry.format, DelimitedFormat) and entry.format.header


def _unit(entry: DatasetParams) -> str:
    return "row" if isinstance(entry.format, ParquetFormat) else "line"


def pieces(
    entry: DatasetParams, file: Path, block_bytes: int, *, by_place: bool
) -> Iterator[Piece] | Iterator[MoviePiece] | Iterator[TablePiece]:
    """A raw file in pieces, by the format of its entry; each knows its rows.

    Args:
        entry: The data set's entry in params.yaml.
        file: The file.
        block_bytes: About how much is read at once.
        by_place: Whether pieces say, where they can, only where their lines stand.
    """
    match entry.format:
        case DelimitedFormat() as form:
            return read_delimited(
                file,
                read_blocks(file, block_bytes),
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
            return parquet_pieces(file, used_columns(entry), block_bytes)
