"""Reads the first rows of a new file and guesses its format."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from autorec_core.data import values
from autorec_core.data.reading.delimited import separator_line
from autorec_core.data.reading.guessing.spelling import is_missing_word
from autorec_core.data.reading.lines import read_blocks
from autorec_core.data.reading.parquet import folder_values, with_folder_values
from autorec_core.data.reading.raw_files import is_parquet, raw_files
from autorec_core.errors import DataError, listed

LOOKED_AT = 4 << 20
LOOKED_AT_ROWS = 1 << 16
LOOKED_AT_FILES = 8
SEPARATORS = ("\t", "::", ", ", ",", ";", "|")
FIRST_LINES = 200
LEAST_SHARE = 0.9
"""The share of the first lines that must have the same number of columns."""

_OTHER_FILES = {
    b"PK\x03\x04": "an Excel or zip file; save the table in it as CSV or Parquet",
    b"\xd0\xcf\x11\xe0": "an old Excel file; save it as CSV or Parquet",
    b"ARROW1": "an Arrow (Feather) file; save it as Parquet",
    b"SQLite": "an SQLite database; save one of its tables as CSV or Parquet",
    b"\xff\xfe": "text in UTF-16; save it as UTF-8",
    b"\xfe\xff": "text in UTF-16; save it as UTF-8",
    b'{"': "JSON; save it as CSV or Parquet",
    b"[{": "JSON; save it as CSV or Parquet",
}


@dataclass(frozen=True)
class FirstRows:
    """The first rows of a file.

    Args:
        form: The entry's `format`.
        table: The rows, with the column types of the file.
        has_names: Whether the file names its columns; if not, they are numbered.
        bad_lines: Number of lines that have a wrong number of columns or are empty.
        notes: What the user should know about the whole file.
    """

    form: dict[str, Any]
    table: pa.Table
    has_names: bool = True
    bad_lines: int = 0
    notes: tuple[str, ...] = ()


def read_first_rows(path: Path, header: bool | None = None) -> FirstRows:
    """Reads the first rows of a CSV, TSV or Parquet file, a folder of Parquet files, or a pattern.

    Args:
        path: The file, the folder or the pattern; text may be compressed.
        header: Whether the first line of text names the columns; None to guess.

    Raises:
        DataError: The file is not a table.
    """
    files = raw_files(path)
    if is_parquet(files[0]):
        return _parquet(path, files)
    return _text(files[0], header)


def _parquet(path: Path, files: Sequence[Path]) -> FirstRows:
    chosen = files[:: -(-len(files) // LOOKED_AT_FILES)]
    tables = []
    for file in chosen:
        try:
            with pq.ParquetFile(file) as opened:
                names = opened.schema_arrow.names
                if doubled := [name for name, count in Counter(names).items() if count > 1]:
                    raise DataError(
                        f"{file} has {listed(doubled)} twice; give each column its own name."
                    )
                batch = next(opened.iter_batches(batch_size=LOOKED_AT_ROWS // len(chosen)), None)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{file} is not a whole Parquet file: {error}.") from error
        if batch is not None:
            below = folder_values(file.relative_to(path)) if path.is_dir() else {}
            tables.append(with_folder_values(pa.table(batch), below))
    if not tables:
        raise DataError(f"{path} has no rows.")
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(f"The files of {path} have different columns: {error}.") from error
    return FirstRows({"kind": "parquet"}, table)


def _text(file: Path, header: bool | None) -> FirstRows:
    lines, empty, named = _lines(file)
    separator, quoted = _separator(file, lines, named)
    numbered = [(number, _fields(line, separator, quoted)) for number, line in lines]
    width = Counter(len(row) for _, row in numbered[:FIRST_LINES]).most_common(1)[0][0]
    first, fields = numbered[0]
    if len(fields) == width - 1 and header is not False and _names_columns(fields):
        raise DataError(
            f"{file}, line {first}: the header names {len(fields)} columns, but the lines below "
            f"have {width}. Add a name for the first column, such as row, before the others."
        )
    if len(fields) != width and header is not False:
        raise DataError(
            f"{file}, line {first}: it has {_columns(len(fields))}, but the lines below have "
            f"{width}. Remove the lines above the header, such as a title, or use --no-header."
        )
    rows = [row for _, row in numbered if len(row) == width]
    wrong = [number for number, row in numbered if len(row) != width]
    if header is None:
        header = _has_header(rows)
    names = fields if header else [f"column_{place}" for place in range(1, width + 1)]
    _names_are_different(file, first, names)
    body = rows[1:] if header else rows
    if not body:
        raise DataError(f"{file} has no row below its header.")
    columns = {
        name: pa.array([row[place] for row in body], pa.string())
        for place, name in enumerate(names)
    }
    form = {
        "kind": "delimited",
        "separator": separator,
        "header": header,
        "quoted": quoted,
        "columns": names,
    }
    notes = (*_about_lines(f"without {width} columns", wrong), *_about_lines("empty", empty))
    return FirstRows(form, pa.table(columns), header, len(wrong) + len(empty), notes)


def _lines(file: Path) -> tuple[list[tuple[int, str]], list[int], str | None]:
    """Reads the first lines.

    Returns:
        The lines with their numbers, the numbers of empty lines, and the separator of a `sep=`
        line, if there is one.

    Raises:
        DataError: The file is not UTF-8 text.
    """
    content = next(iter(read_blocks(file, LOOKED_AT))).content
    for magic, what in _OTHER_FILES.items():
        if content.startswith(magic):
            raise DataError(f"{file} is {what}.")
    if b"\0" in content[: 1 << 16]:
        raise DataError(
            f"{file} contains NUL bytes: it is not text, or text in UTF-16. Save it as UTF-8 text."
        )
    if b"\r" in content and content.count(b"\n") <= 1:
        raise DataError(f"{file} ends its lines with carriage returns; save it with line feeds.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{file}, line {line}: not UTF-8 text (the byte 0x{content[error.start]:02x}). If it "
            f"is Latin-1, convert it: iconv -f LATIN1 -t UTF-8 {file.name} > utf-8-{file.name}"
        ) from error
    named = separator_line(content)
    numbered = list(enumerate(text.split("\n")[:-1], 1))
    lines = [(number, line) for number, line in numbered if line]
    empty = [number for number, line in numbered if not line]
    return lines[1:] if named else lines, empty, named


def _about_lines(what: str, lines: Sequence[int]) -> tuple[str, ...]:
    if not lines:
        return ()
    count = f"{len(lines):,} lines are" if len(lines) > 1 else "1 line is"
    return (
        f"{count} {what}, the first is line {lines[0]}: `on_bad_rows: quarantine` sets such lines "
        "aside",
    )


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _fields(line: str, separator: str, quoted: bool) -> list[str]:
    if quoted and len(separator) == 1:
        return next(csv.reader([line], delimiter=separator), [])
    return line.split(separator)


def _separator(file: Path, lines: Sequence[tuple[int, str]], named: str | None) -> tuple[str, bool]:
    """Guesses the separator of columns, and whether fields are quoted."""
    first = [line for _, line in lines[:FIRST_LINES]]
    signs = (*{separator[-1] for separator in SEPARATORS}, *([named] if named else ()))
    quoted = any(
        line.startswith('"') or any(f'{sign}"' in line for sign in signs)
        for _, line in lines
        if '"' in line
    )
    best, most = "", (0.0, 1)
    for separator in [named] if named else SEPARATORS:
        widths = Counter(len(_fields(line, separator, quoted)) for line in first)
        (width, count), *_ = widths.most_common(1) or [(0, 0)]
        share = count / max(len(first), 1)
        if width > 1 and share >= LEAST_SHARE and (share == 1, width) > most:
            best, most = separator, (share == 1, width)
    if quoted and (number := _unclosed(lines, best or ",")):
        raise DataError(
            f"{file}, line {number}: a quoted field continues in the next line, but a row must be "
            "on one line. Remove line breaks from fields, or save the table as Parquet."
        )
    if not best:
        shown = ", ".join(repr(one) for one in ([named] if named else SEPARATORS))
        raise DataError(
            f"{file} is not a table: none of {shown} divides its first lines into the same number "
            "of columns. Remove lines above the header, such as a title."
        )
    return best, quoted and len(best) == 1


def _unclosed(lines: Sequence[tuple[int, str]], separator: str) -> int | None:
    """Returns the number of the first line whose last quote is not closed."""
    for number, line in lines:
        if '"' not in line or len(separator) > 1:
            continue
        try:
            next(csv.reader([line], delimiter=separator, strict=True))
        except csv.Error as error:
            if "unexpected end" in str(error):
                return number
    return None


def _names_are_different(file: Path, line: int, names: Sequence[str]) -> None:
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        what = f"names {listed(doubled)} twice"
        if "" in doubled:
            what = f"leaves {list(names).count('')} columns without a name"
        raise DataError(f"{file}, line {line}: the header {what}; give each column its own name.")


def _names_columns(fields: Sequence[str]) -> bool:
    return all(name and not re.match(values.NUMBER, name) for name in fields)


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Returns whether the first row is a header: text above numbers, or text that occurs once."""
    head, body = rows[0], rows[1:]
    for place, name in enumerate(head):
        if not name or is_missing_word(name) or re.match(values.NUMBER, name):
            continue
        below = [row[place] for row in body if row[place] and not is_missing_word(row[place])]
        if below and all(re.match(values.NUMBER, cell) for cell in below):
            return True
    named = [name for name in head if name]
    # One column without a name may hold row numbers, as pandas and R write them.
    if len(named) < len(head) - 1 or not named or not _names_columns(named):
        return False
    return not any(row[place] == name for row in body for place, name in enumerate(head) if name)
