"""Reads files of raw rows in chunks, and sets bad rows aside as the data set's entry says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from autorec_core.config import DatasetParams
from autorec_core.data.reading.bad_rows import TEXT_KEPT, BadRow, BadRows
from autorec_core.data.reading.typed_columns import typed_columns
from autorec_core.errors import DataError, listed
from flows.serving.files import raw_format

SEPARATORS = {".csv": ",", ".tsv": "\t"}
KINDS = (*SEPARATORS, ".parquet")
# Small, because Arrow reads blocks ahead and is slow to reuse memory: with 4 MiB, memory kept
# growing over millions of rows.
BLOCK_BYTES = 1 << 19
LEAST_ROWS = 8192  # blocks are joined up to this: a block of wide rows has few rows
ROWS = 1 << 16


@contextmanager
def opened(
    path: Path, entry: DatasetParams | None = None, bad: BadRows | None = None
) -> Iterator[Iterator[tuple[pa.Table, float]]]:
    """Opens a file and yields its rows in chunks, each with the share of the file read so far.

    Args:
        path: The file.
        entry: The data set's entry if the file has its format; else None.
        bad: Collects lines that are no rows; None if the first one is an error.
    """
    bad = BadRows() if bad is None else bad
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        if entry is not None:
            chunks = _joined(raw_format.read(entry, path, BLOCK_BYTES, bad))
        elif path.suffix == ".parquet":
            chunks = _parquet(file)
        else:
            chunks = _text(file, path, bad)
        yield _read(path, chunks)


def _read(path: Path, chunks: Iterator[tuple[pa.Table, float]]) -> Iterator[tuple[pa.Table, float]]:
    """Yields the chunks. Turns errors of reading into DataError, but not errors of the consumer."""
    try:
        yield from chunks
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read: {error}.")


def _parquet(file: Any) -> Iterator[tuple[pa.Table, float]]:
    opened = pq.ParquetFile(file)
    total, done = max(opened.metadata.num_rows, 1), 0
    for batch in opened.iter_batches(ROWS):
        done += batch.num_rows
        yield pa.Table.from_batches([batch]), done / total


def _text(file: Any, path: Path, bad: BadRows) -> Iterator[tuple[pa.Table, float]]:
    # All columns as text, so that they are written back unchanged.
    names = pc.open_csv(
        path,
        parse_options=pc.ParseOptions(
            delimiter=SEPARATORS[path.suffix],
            newlines_in_values=True,
            invalid_row_handler=lambda _: "skip",
        ),
    ).schema.names
    check_names(path, names)
    total = max(path.stat().st_size, 1)
    reader = pc.open_csv(
        file,
        read_options=pc.ReadOptions(block_size=BLOCK_BYTES),
        parse_options=pc.ParseOptions(
            delimiter=SEPARATORS[path.suffix],
            newlines_in_values=True,
            invalid_row_handler=_setting_aside(path, bad) if bad.limit else None,
        ),
        convert_options=pc.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    blocks = ((pa.Table.from_batches([block]), min(file.tell() / total, 1.0)) for block in reader)
    yield from _joined(blocks)


def _joined(blocks: Iterable[tuple[pa.Table, float]]) -> Iterator[tuple[pa.Table, float]]:
    """Joins blocks to at least `LEAST_ROWS` rows, since many small model calls are slow."""
    held: list[pa.Table] = []
    done = 0.0
    for block, done in blocks:
        held.append(block)
        if sum(one.num_rows for one in held) >= LEAST_ROWS:
            yield pa.concat_tables(held), done
            held = []
    if held:
        yield pa.concat_tables(held), done


def check_names(path: Path, names: Sequence[str]) -> None:
    """Checks that no two columns of a file have the same name.

    Raises:
        DataError: Two have.
    """
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{path} has more than one column {listed(doubled)}.")


def _setting_aside(path: Path, bad: BadRows) -> Any:
    """Makes a function that sets lines with a wrong number of columns aside, up to the limit."""

    def handle(row: Any) -> str:
        if len(bad.rows) >= bad.limit:
            return "error"
        found, expected = row.actual_columns, row.expected_columns
        reason = f"{found} column{'s' * (found != 1)}; {expected} are expected"
        # Arrow does not tell the line.
        bad.rows.append(BadRow(path.name, 0, reason, row.text[:TEXT_KEPT]))
        return "skip"

    return handle


def without_bad_cells(
    table: pa.Table,
    columns: Sequence[str],
    entry: DatasetParams,
    path: Path,
    before: int,
    bad: BadRows,
) -> pa.Table:
    """Returns a chunk without the rows that have a cell that no model can read.

    Args:
        table: The chunk.
        columns: The columns that the model reads.
        entry: The data set's entry in params.yaml.
        path: The file.
        before: The number of rows before this chunk.
        bad: Collects the rows, up to its limit.

    Raises:
        DataError: There are more bad rows than the limit.
    """
    _, faults = typed_columns(
        # A row without user or item can be scored: they count as unknown.
        entry.model_copy(update={"user": None, "item": None}),
        path,
        table,
        check_labels=False,
        coded=False,
        wanted=[name for name in columns if name in (*entry.features, entry.time)],
    )
    wrong_anywhere = np.zeros(len(table), dtype=bool)
    for wrong, name, rule in faults:
        for place in np.flatnonzero(wrong & ~wrong_anywhere):
            shown = repr(table[name][int(place)].as_py())
            reason = f"{name} is {shown[:TEXT_KEPT]}; {rule}"
            bad.add(path, before + int(place) + 1, reason, unit="row")
        wrong_anywhere |= wrong
    return table.filter(pa.array(~wrong_anywhere))


def told(bad: BadRows) -> str:
    """Returns a sentence on the rows that were set aside, and on the first of them."""
    count, first = len(bad.rows), bad.rows[0]
    place = f"{first.unit} {first.line}" if first.line else f"{first.text[:40]!r}"
    noun = "row is" if count == 1 else "rows are"
    return (
        f"{count:,} {noun} left out, because `on_bad_rows` is quarantine; the first is {place}: "
        f"{first.reason}."
    )
