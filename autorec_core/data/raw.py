"""Reads raw files in their owners' formats, and says which line is wrong."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from autorec_core.config import DatasetParams
from autorec_core.errors import DataError, listed


def read_raw(entry: DatasetParams, path: Path) -> pd.DataFrame:
    """The rows of a raw file: categories as they stand there, label and numbers as numbers.

    Args:
        entry: The data set's entry in params.yaml.
        path: The raw file.

    Returns:
        A row a line, with the declared columns except the ignored ones; categorical columns as
        strings, label and numeric columns as float64.

    Raises:
        DataError: The file is missing, empty or malformed; the message names the line.
    """
    first_line = 2 if entry.format.header else 1
    table = _table(entry, path, _checked_text(path))
    if table.empty:
        raise DataError(f"{path} has a header but no rows.")
    kept = [entry.label, *entry.categorical, *entry.numeric]
    if missing := [name for name in kept if name not in table.columns]:
        raise DataError(
            f"{path} lacks the columns {listed(missing)}. It has: {listed(table.columns)}."
        )
    rows = {
        name: table[name]
        if name in entry.categorical
        else _numbers(table[name], f"{path}, line", first_line, required=name == entry.label)
        for name in table.columns
        if name in kept
    }
    return pd.DataFrame(rows)


def _checked_text(path: Path) -> str:
    """The file's text, seen to be there, not empty, and text."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not content.strip():
        raise DataError(f"{path} is empty.")
    if (place := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, place) + 1
        raise DataError(f"{path}, line {line}: a NUL byte; text is expected.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: not UTF-8 text.") from error


def _table(entry: DatasetParams, path: Path, text: str) -> pd.DataFrame:
    """The file's columns as strings, after each line was seen to have as many as it should."""
    lines = text.splitlines()
    names = entry.format.columns
    separator = entry.format.separator
    if entry.format.header:
        names = names or lines[0].split(separator)
        lines = lines[1:]
    parts = (
        list(csv.reader(lines, delimiter=separator))
        if len(separator) == 1
        else [line.split(separator) for line in lines]
    )
    first_line = 2 if entry.format.header else 1
    found = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    wrong = found != len(names)
    if wrong.any():
        at = int(wrong.argmax())
        raise DataError(
            f"{path}, line {at + first_line}: {found[at]} columns; "
            f"{len(names)} are expected ({', '.join(names)})."
        )
    return pd.DataFrame(parts, columns=names, dtype="str")


def _numbers(column: pd.Series, place: str, first_line: int, *, required: bool) -> pd.Series:
    """A column's numbers; empty is missing where the column is not `required`."""
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    empty = column.str.strip().eq("")
    wrong = ~np.isfinite(numbers) & (required | ~empty)
    if wrong.any():
        at = int(wrong.to_numpy().argmax())
        raise DataError(
            f"{place} {at + first_line}: {column.name} is {column.iloc[at]!r}; "
            "a finite number is expected."
        )
    return numbers
