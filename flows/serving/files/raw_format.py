"""Reads files for scoring that have the format of the data set's entry, as the training file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from autorec_core.config import DatasetParams
from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.delimited import Layout, separator_line
from autorec_core.data.reading.lines import UTF_8, read_blocks
from autorec_core.data.reading.raw import pieces
from autorec_core.errors import DataError
from autorec_core.raw_config import DelimitedFormat, NetflixFormat

FIRST_BYTES = 1 << 16


def description(entry: DatasetParams, path: Path, separator: str | None) -> str | None:
    """Describes the layout of a text file if it has the entry's format.

    A file whose header line names a column of the data set is read as its file name says, because
    it may have other columns than the training file.

    Args:
        entry: The data set's entry in params.yaml.
        path: The file.
        separator: The column separator according to the file name; None if the name has none.

    Returns:
        A few words about the layout, or None if the file does not have the entry's format.
    """
    first = _first_line(path, getattr(entry.format, "encoding", UTF_8))
    known = {entry.label_name, *entry.features, *entry.ignored}
    if first is None or (separator is not None and known & set(_fields(first, separator))):
        return None
    match entry.format:
        case DelimitedFormat() as form:
            fields = _fields(first, form.separator, quoted=form.quoted)
            named = bool(known & set(fields))
            if named != form.header or (not form.header and len(fields) != len(form.columns)):
                return None
            header = "a header line" if form.header else "no header line"
            return f"{header}, columns separated by {form.separator!r}"
        case NetflixFormat() if first.endswith(":"):
            return "Netflix Prize ratings"
    return None


def read(
    entry: DatasetParams, path: Path, block_bytes: int, bad: BadRows
) -> Iterator[tuple[pa.Table, float]]:
    """Yields the file's rows as text, in chunks, each with the share of the file read so far.

    Args:
        entry: The data set's entry in params.yaml.
        path: The file.
        block_bytes: The approximate number of bytes to read at once.
        bad: Collects the lines that do not match the format.

    Raises:
        DataError: More lines than the limit of `bad` do not match. The message names the line.
    """
    size, read_bytes = max(path.stat().st_size, 1), 0
    for piece in pieces(entry, path, block_bytes, by_place=False):
        read_bytes += piece.nbytes
        yield piece.rows(bad).table, min(read_bytes / size, 1.0)


def _fields(line: str, separator: str, *, quoted: bool = True) -> list[str]:
    return Layout(Path(), (), separator, quoted).fields(line)


def _first_line(path: Path, encoding: str) -> str | None:
    """Returns the first line of text, or the second after a line such as `sep=;`; else None."""
    try:
        block = next(iter(read_blocks(path, FIRST_BYTES, encoding)))
        lines = bytes(block.content).split(b"\n", 2)
        return lines[separator_line(block.content) is not None].decode("utf-8")
    except (DataError, StopIteration, IndexError, UnicodeDecodeError):
        return None
