"""What becomes of rows that cannot be used: the first one stops, or all are set aside."""

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
        line: Its line, or its row in a file without lines, counted from 1.
        reason: What was found and what is allowed.
        text: The beginning of the row as it stands in the file, where it is text.
    """

    file: str
    line: int
    reason: str
    text: str


@dataclass
class BadRows:
    """Collects bad rows up to a limit; a limit of 0 makes the first one an error.

    Args:
        limit: How many bad rows are set aside before the whole file is refused.
        rows: Those set aside so far.
    """

    limit: int = 0
    rows: list[BadRow] = field(default_factory=list)

    def add(self, file: Path, line: int, reason: str, text: str = "", unit: str = "line") -> None:
        """Sets one row aside.

        Raises:
            DataError: The limit is passed.
        """
        if len(self.rows) < self.limit:
            self.rows.append(BadRow(file.name, line, reason, text[:TEXT_KEPT]))
            return
        message = f"{file}, {unit} {line}: {reason}."
        if self.limit:
            message += f" {self.limit} rows were set aside already, which is `max_bad_rows`."
        raise DataError(message)

    def merge(self, other: BadRows, file: Path, unit: str = "line") -> None:
        """Sets aside what another collector has of a file.

        Raises:
            DataError: The limit is passed.
        """
        for row in other.rows:
            self.add(file, row.line, row.reason, row.text, unit)

    def table(self) -> pa.Table:
        """The rows set aside, as a table of file, line, reason and text."""
        columns = {name: [getattr(row, name) for row in self.rows] for name in _COLUMNS}
        return pa.table(columns, schema=pa.schema(_COLUMNS.items()))


_COLUMNS = {"file": pa.string(), "line": pa.int64(), "reason": pa.string(), "text": pa.string()}
