"""Reads delimited text in blocks: fast if a block has no errors, or else line by line."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.lines import Block, Span
from autorec_core.errors import DataError, listed

# Arrow allows only one byte as separator; this one replaces longer separators.
MARK = "\x1f"


@dataclass(frozen=True)
class TextRows:
    """Rows of a text file before their columns have types.

    Args:
        table: All columns as strings without nulls; or numeric columns as float64, null if empty.
        lines: int64 line numbers, shape (rows,).
    """

    table: pa.Table
    lines: np.ndarray


@dataclass(frozen=True)
class Layout:
    """The layout of a line.

    Args:
        file: The file, for messages.
        names: The columns.
        separator: The text between two fields.
        quoted: Whether a field may be in double quotes, so that it can contain the separator.
        missing: The words that mean a missing value.
    """

    file: Path
    names: tuple[str, ...]
    separator: str
    quoted: bool
    missing: tuple[str, ...] = ()

    def parse(
        self,
        content: bytes | bytearray,
        lines: np.ndarray,
        bad: BadRows,
        numbers: Collection[str] = (),
    ) -> TextRows:
        """Divides lines into fields.

        Args:
            content: The lines, each ending with a line feed.
            lines: Their int64 numbers in the file, shape (lines,).
            bad: Collects the lines with a wrong number of columns and other errors.
            numbers: Columns to return as numbers, if they hold only finite numbers.
        """
        table = self._with_numbers(content, len(lines), numbers) if numbers else None
        if table is None:
            table = self._table(content, len(lines))
        if table is not None:
            return TextRows(table, lines)
        texts = bytes(content).split(b"\n")[:-1]
        kept = []
        for place, text in enumerate(texts):
            if reason := self._fault(text):
                bad.add(self.file, int(lines[place]), reason, text.decode("utf-8", "replace"))
            else:
                kept.append(place)
        content = b"".join(texts[place] + b"\n" for place in kept)
        table = self._table(content, len(kept))
        if table is None:
            raise DataError(f"{self.file}, lines {lines[0]} to {lines[-1]}: a quote is not closed.")
        return TextRows(table, lines[kept])

    def fields(self, text: str) -> list[str]:
        """Divides one line into fields."""
        if self.quoted and len(self.separator) == 1:
            return next(csv.reader([text], delimiter=self.separator), [])
        return text.split(self.separator)

    def _with_numbers(
        self, content: bytes | bytearray, count: int, numbers: Collection[str]
    ) -> pa.Table | None:
        """Parses all lines at once, with numbers; None if a line may have an error."""
        # Arrow removes white space around numbers; here it is an error.
        if not count or b" " in content or (self.separator != "\t" and b"\t" in content):
            return None
        table = self._table(content, count, numbers)
        if table is None:
            return None
        finite = (
            pc.all(pc.is_finite(table[name])).as_py() for name in self.names if name in numbers
        )
        return table if all(one is not False for one in finite) else None

    def _table(
        self, content: bytes | bytearray, count: int, numbers: Collection[str] = ()
    ) -> pa.Table | None:
        """Parses all lines at once; None if a line may have an error."""
        if not count:
            return pa.table({name: pa.array([], pa.string()) for name in self.names})
        if any(mark in content for mark in (b"\0", b"\r")):
            return None
        separator = self.separator
        if len(separator) > 1:
            if MARK.encode() in content:
                return None
            content = content.replace(separator.encode(), MARK.encode())
            separator = MARK
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(content),
                # The callers use several threads already.
                read_options=pyarrow.csv.ReadOptions(column_names=self.names, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=separator,
                    quote_char='"' if self.quoted else False,
                    ignore_empty_lines=False,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={
                        name: pa.float64() if name in numbers else pa.string()
                        for name in self.names
                    },
                    null_values=["", *self.missing],
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            return None
        # Arrow reads an empty line as a row of nulls. The search for empty lines is slow.
        if not any(table[name].null_count == 0 for name in self.names if name in numbers) and (
            content.startswith(b"\n") or b"\n\n" in content
        ):
            return None
        return table if table.num_rows == count else None

    def _fault(self, text: bytes) -> str | None:
        """Returns what is wrong with a line; None if nothing is."""
        if not text:
            return f"an empty line; {self._expected()}"
        if b"\0" in text:
            return "a NUL byte; text is expected"
        if b"\r" in text:
            return "a carriage return inside the line; lines end with a line feed"
        try:
            line = text.decode("utf-8")
        except UnicodeDecodeError:
            return "not UTF-8 text"
        if len(self.separator) > 1 and MARK in line:
            return "a control character (0x1f); text is expected"
        try:
            count = self._count(line)
        except csv.Error:
            return "a quote that is not closed on its line"
        if count != len(self.names):
            return f"{count} column{'s' * (count != 1)}; {self._expected()}"
        return None

    def _count(self, line: str) -> int:
        if not (self.quoted and '"' in line and len(self.separator) == 1):
            return line.count(self.separator) + 1
        try:
            return len(next(csv.reader([line], delimiter=self.separator, strict=True)))
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise
            return len(self.fields(line))

    def _expected(self) -> str:
        shown = ", ".join(self.names[:6]) + (", ..." if len(self.names) > 6 else "")
        return f"{len(self.names)}, separated by {self.separator!r}, are expected ({shown})"


@dataclass(frozen=True)
class Piece:
    """Whole lines that are not divided into fields yet.

    Args:
        layout: The layout of the lines.
        content: The lines, each ending with a line feed, or their place in the file.
        lines: Their numbers in the file: a range, or int64 of shape (lines,).
        last_line: The number of the last line before the next piece.
    """

    layout: Layout
    content: bytes | bytearray | Span
    lines: range | np.ndarray
    last_line: int

    @property
    def nbytes(self) -> int:
        """The number of bytes to send if another process reads the piece."""
        return 0 if isinstance(self.content, Span) else len(self.content)

    def rows(self, bad: BadRows, numbers: Collection[str] = ()) -> TextRows:
        """Divides the lines into fields.

        Args:
            bad: See `Layout.parse`.
            numbers: See `Layout.parse`.
        """
        content = self.content.read() if isinstance(self.content, Span) else self.content
        lines = self.lines
        if isinstance(lines, range):
            lines = np.arange(lines.start, lines.stop, dtype=np.int64)
        return self.layout.parse(content, lines, bad, numbers)


def read_delimited(
    file: Path,
    blocks: Iterator[Block],
    *,
    names: Sequence[str],
    separator: str,
    header: bool,
    quoted: bool,
    missing: Sequence[str] = (),
    by_place: bool = False,
) -> Iterator[Piece]:
    """Reads a delimited text file in pieces.

    Args:
        file: The file, for messages.
        blocks: Its lines.
        names: Its columns. With a header they may be empty; otherwise they must equal the header.
        separator: The text between two fields.
        header: Whether the first line names the columns.
        quoted: Whether a field may be in double quotes.
        missing: The words that mean a missing value.
        by_place: Whether pieces hold, if possible, only the place of their lines in the file.

    Raises:
        DataError: The header has other columns than `names`, or a column twice.
    """
    layout = Layout(file, tuple(names), separator, quoted, tuple(missing))
    for block in blocks:
        content, first = block.content, block.first_line
        place = block.span if by_place else None
        lines = range(first, first + block.lines)
        if first == 1 and separator_line(content) == separator:
            _, _, content = content.partition(b"\n")
            lines, place = lines[1:], None
        if header and first == 1:
            head, _, content = content.partition(b"\n")
            layout = replace(layout, names=_header(layout, head))
            lines, place = lines[1:], None
        if lines:
            yield Piece(layout, place or content, lines, lines[-1])


def separator_line(content: bytes | bytearray) -> str | None:
    """Returns the separator of a first line such as `sep=;`, which Excel writes; None without."""
    found = re.match(rb'"?sep=(.)"?\n', content, re.IGNORECASE)
    return found[1].decode("latin-1") if found else None


def _header(layout: Layout, head: bytes | bytearray) -> tuple[str, ...]:
    """Returns the columns in the header, after it has compared them with those of the entry."""
    try:
        found = tuple(layout.fields(head.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise DataError(f"{layout.file}, line 1: the header is not UTF-8 text.") from error
    if doubled := [name for name, count in Counter(found).items() if count > 1]:
        raise DataError(
            f"{layout.file}, line 1: the header names {listed(doubled)} twice; give each column "
            "its own name."
        )
    if layout.names and found != layout.names:
        raise DataError(
            f"{layout.file}, line 1: the header has {', '.join(found)}; "
            f"{', '.join(layout.names)} is expected, separated by {layout.separator!r}."
        )
    return found
