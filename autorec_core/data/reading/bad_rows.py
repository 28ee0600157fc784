"""Rows that cannot be used: the first one is an error, or they are set aside up to a limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from autorec_core.errors import DataError

TEXT_KEPT = 200


@dataclass(frozen=True)
class BadRow:
    """One row that cannot be used.

    Args:
        file: The raw file's name.
        line: The line, or in a file without lines the row, counted from 1; 0 if not known.
        reason: What was found and what is allowed.
        text: The beginning of the line; "" in a file without lines.
        unit: What `line` counts: "line" or "row".
    """

    file: str
    line: int
    reason: str
    text: str
    unit: str = "line"


@dataclass
class BadRows:
    """Collects bad rows up to a limit. With a limit of 0 the first bad row is an error.

    Args:
        limit: The most bad rows that are set aside; one more is an error.
        rows: The rows set aside so far.
    """

    limit: int = 0
    rows: list[BadRow] = field(default_factory=list)

    def add(self, file: Path, line: int, reason: str, text: str = "", unit: str = "line") -> None:
        """Sets one row aside.

        Raises:
            DataError: There are more bad rows than the limit.
        """
        if len(self.rows) < self.limit:
            self.rows.append(BadRow(file.name, line, reason, text[:TEXT_KEPT], unit))
            return
        message = f"{file}, {unit} {line}: {reason}."
        if self.limit:
            message += (
                f" {self.limit} bad rows before it were set aside, as many as `max_bad_rows`."
            )
        raise DataError(message)

    def merge(self, other: BadRows, file: Path, unit: str = "line") -> None:
        """Sets aside the rows that another collector has set aside in a file.

        Raises:
            DataError: There are more bad rows than the limit.
        """
        for row in other.rows:
            self.add(file, row.line, row.reason, row.text, unit)

    def table(self) -> pa.Table:
        """Returns the rows set aside, as a table of file, line, reason and text."""
        columns = {name: [getattr(row, name) for row in self.rows] for name in _COLUMNS}
        return pa.table(columns, schema=pa.schema(_COLUMNS.items()))


_COLUMNS = {"file": pa.string(), "line": pa.int64(), "reason": pa.string(), "text": pa.string()}
