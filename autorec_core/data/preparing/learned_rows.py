"""A record of the rows a model learned from: small, and enough to know such a row again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from autorec_core.data import values
from autorec_core.data.encoding import hashing
from autorec_core.data.preparing import store
from autorec_core.data.preparing.identity import OCCURRENCE, Kind, kinds, numbered, row_hashes
from autorec_core.errors import DataError
from autorec_core.files import whole_file

MOST = 2_000_000
"""Hashes that are kept at most: 16 MB."""
ABOUT = b"autorec.learned"
HASH = f"{hashing.HASH}, mixed column by column in the order of names, then with the occurrence"
"""The name of how rows are hashed: hashes of another kind cannot be compared."""


@dataclass(frozen=True, eq=False)
class LearnedRows:
    """Hashes of the rows a model learned from: all of them, or a fixed sample of all possible ones.

    A row is told by its key, or by all its columns, and by how many rows of the same key or content
    stand before it in the raw file: of a page's many equal clicks, those learned from are known.
    Whether a row is in the sample depends on that alone, so of the rows in it one can say for sure
    whether they were learned from, and of the others nothing.

    Args:
        hashes: uint64, in order, each once.
        bits: How many leading bits of a hash are 0 where its row is in the sample; 0: all are.
        rows: How many rows were learned from.
        columns: The columns that say which row a row is, and what they hold.
    """

    hashes: np.ndarray
    bits: int
    rows: int
    columns: Mapping[str, Kind]

    @classmethod
    def of(cls, files: Sequence[Path], most: int = MOST, *, key: Sequence[str] = ()) -> LearnedRows:
        """The record of files of raw rows, as `prepare` writes them; read a chunk at a time.

        Args:
            files: Parquet files of the same columns.
            most: Hashes to be kept at most.
            key: The columns that say which row a row is; all of them if there are none.

        Raises:
            DataError: A file cannot be read.
        """
        columns = _columns(files[0], key)
        text = [name for name, kind in columns.items() if kind == "text"]
        parts, held, rows, leading = [np.zeros(0, dtype=np.uint64)], 0, 0, 0
        for file in files:
            for table in store.read_tables(file, columns=[*columns, OCCURRENCE], coded=text):
                found = row_identities(table, columns)
                parts.append(found[_sampled(found, leading)])
                rows += table.num_rows
                held += len(parts[-1])
                if held > 2 * most:
                    kept, leading = _fewer(parts, leading, most)
                    parts, held = [kept], len(kept)
        kept, leading = _fewer(parts, leading, most)
        return cls(kept, leading, rows, columns)

    def look(self, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Which rows the record can tell of, and which of them were learned from.

        Args:
            rows: Raw rows as `load_rows` gives them: at least the columns of the record.

        Returns:
            Two bool arrays of shape (rows,); a row that is not in the sample is False in both.

        Raises:
            DataError: A column is missing.
        """
        if missing := [name for name in self.columns if name not in rows]:
            raise DataError(f"The rows lack the columns {', '.join(missing)}.")
        names = [name for name in (*self.columns, OCCURRENCE) if name in rows]
        table = pa.table({name: values.of_series(rows[name]) for name in names})
        found = row_identities(table, self.columns)
        sampled = _sampled(found, self.bits)
        return sampled, sampled & np.isin(found, self.hashes)

    def save(self, path: Path) -> None:
        """Writes the record as a Parquet file, whole or not at all."""
        about = {"hash": HASH, "bits": self.bits, "rows": self.rows, "columns": dict(self.columns)}
        schema = pa.schema({"hash": pa.uint64()}, metadata={ABOUT: json.dumps(about)})
        with whole_file(path) as made:
            # Hashes are as good as random: there is nothing to compress.
            table = pa.table([self.hashes], schema=schema)
            pq.write_table(table, made, compression="none", use_dictionary=False)

    @classmethod
    def load(cls, path: Path) -> LearnedRows:
        """Reads what `save` wrote.

        Raises:
            DataError: The file is no such record.
        """
        try:
            with pq.ParquetFile(path) as file:  # `read_table` takes "=" in a path for a column
                table = file.read()
            about = json.loads((table.schema.metadata or {})[ABOUT])
            if about["hash"] != HASH:
                raise ValueError(f"rows are hashed another way there ({about['hash']})")
            found = table["hash"].to_numpy()
            return cls(found, about["bits"], about["rows"], about["columns"])
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is no record of rows: {error}.") from error


def row_identities(rows: pa.Table, columns: Mapping[str, Kind]) -> np.ndarray:
    """A hash that names each row: of its columns, and of how many such rows stand before it.

    Args:
        rows: The rows; without a column `OCCURRENCE` each counts as the first of its kind.
        columns: The columns that are hashed, and what they hold.

    Returns:
        uint64, shape (rows,), the same on every machine.
    """
    found = row_hashes(rows, columns)
    if OCCURRENCE not in rows.column_names:
        return found
    return numbered(found, rows[OCCURRENCE].to_numpy())


def _columns(file: Path, key: Sequence[str]) -> dict[str, Kind]:
    """The columns that say which row a row is, and what they hold."""
    with store.opened(file) as opened:
        schema = opened.schema_arrow
    aside = (store.ROW_NUMBER, OCCURRENCE)
    return kinds(schema, [name for name in key or schema.names if name not in aside])


def _sampled(found: np.ndarray, leading: int) -> np.ndarray:
    return found <= np.uint64(2 ** (64 - leading) - 1)


def _fewer(parts: Iterable[np.ndarray], leading: int, most: int) -> tuple[np.ndarray, int]:
    """Hashes in order and each once, of a sample so small that they are no more than `most`."""
    kept = np.unique(np.concatenate(list(parts)))
    while len(kept) > most:
        leading += 1
        kept = kept[_sampled(kept, leading)]
    return kept, leading
