"""A small record of the rows that a model was trained on, to recognise such rows later."""

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
"""The most hashes to keep: 16 MB."""
ABOUT = b"autorec.learned"
HASH = f"{hashing.HASH}, mixed column by column in the order of names, then with the occurrence"
"""The name of the hash function of rows: only hashes of the same function can be compared."""


@dataclass(frozen=True, eq=False)
class LearnedRows:
    """Hashes of the rows that a model was trained on, or of a sample of them.

    A row is identified by its key, or by all its columns, and by the number of equal rows before it
    in the raw file. Its hash decides whether a row is in the sample. For a row in the sample, the
    record says for sure whether the model was trained on it. For other rows it says nothing.

    Args:
        hashes: uint64, sorted, each once.
        bits: The number of leading bits that are 0 in the hash of a row in the sample; 0 if all
            rows are in the sample.
        rows: Number of rows that the model was trained on.
        columns: The columns that identify a row, and whether they hold numbers or text.
    """

    hashes: np.ndarray
    bits: int
    rows: int
    columns: Mapping[str, Kind]

    @classmethod
    def of(cls, files: Sequence[Path], most: int = MOST, *, key: Sequence[str] = ()) -> LearnedRows:
        """Makes the record of files of raw rows that `prepare` wrote; reads them in chunks.

        Args:
            files: Parquet files with the same columns.
            most: The most hashes to keep.
            key: The columns that identify a row; all columns if empty.

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

    def find_learned(self, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Finds which rows are in the sample, and which of them the model was trained on.

        Args:
            rows: Raw rows as `load_rows` returns them, with at least the columns of the record.

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
            # Hashes are random, so compression has no effect.
            table = pa.table([self.hashes], schema=schema)
            pq.write_table(table, made, compression="none", use_dictionary=False)

    @classmethod
    def load(cls, path: Path) -> LearnedRows:
        """Reads what `save` wrote.

        Raises:
            DataError: The file is not such a record.
        """
        try:
            with pq.ParquetFile(path) as file:  # `read_table` takes "=" in a path for a column
                table = file.read()
            about = json.loads((table.schema.metadata or {})[ABOUT])
            if about["hash"] != HASH:
                raise ValueError(f"its rows have another hash function ({about['hash']})")
            found = table["hash"].to_numpy()
            return cls(found, about["bits"], about["rows"], about["columns"])
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is not a record of learned rows: {error}.") from error


def row_identities(rows: pa.Table, columns: Mapping[str, Kind]) -> np.ndarray:
    """Hashes each row's columns and the number of equal rows before it.

    Args:
        rows: The rows; without a column `OCCURRENCE`, no row counts as having equal rows before it.
        columns: The columns to hash, and whether they hold numbers or text.

    Returns:
        uint64, shape (rows,), the same on every machine.
    """
    found = row_hashes(rows, columns)
    if OCCURRENCE not in rows.column_names:
        return found
    return numbered(found, rows[OCCURRENCE].to_numpy())


def _columns(file: Path, key: Sequence[str]) -> dict[str, Kind]:
    """Returns the columns that identify a row, and whether they hold numbers or text."""
    with store.opened(file) as opened:
        schema = opened.schema_arrow
    aside = (store.ROW_NUMBER, OCCURRENCE)
    return kinds(schema, [name for name in key or schema.names if name not in aside])


def _sampled(found: np.ndarray, leading: int) -> np.ndarray:
    return found <= np.uint64(2 ** (64 - leading) - 1)


def _fewer(parts: Iterable[np.ndarray], leading: int, most: int) -> tuple[np.ndarray, int]:
    """Sorts the hashes without duplicates, and samples them until at most `most` are left."""
    kept = np.unique(np.concatenate(list(parts)))
    while len(kept) > most:
        leading += 1
        kept = kept[_sampled(kept, leading)]
    return kept, leading
