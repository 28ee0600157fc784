"""A record of the rows a model learned from: small, and enough to know such a row again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from autorec_core.data import values
from autorec_core.data.encoding import hashing
from autorec_core.data.encoding.hashing import bits, hashes, mixed, one_piece
from autorec_core.data.preparing import store
from autorec_core.errors import DataError
from autorec_core.files import whole_file

MOST = 2_000_000
"""Hashes that are kept at most: 16 MB."""
ABOUT = b"autorec.learned"
HASH = f"{hashing.HASH}, mixed column by column in the order of names"
"""The name of how rows are hashed: hashes of another kind cannot be compared."""
Kind = Literal["text", "number"]


@dataclass(frozen=True, eq=False)
class LearnedRows:
    """Hashes of the rows a model learned from: all of them, or a fixed sample of all possible ones.

    Whether a row is in the sample depends on its content alone, so of the rows in it one can say
    for sure whether they were learned from, and of the others nothing.

    Args:
        hashes: uint64, in order, each once.
        bits: How many leading bits of a hash are 0 where its row is in the sample; 0: all are.
        rows: How many rows were learned from.
        columns: The columns that were hashed, and what they hold.
    """

    hashes: np.ndarray
    bits: int
    rows: int
    columns: Mapping[str, Kind]

    @classmethod
    def of(cls, files: Sequence[Path], most: int = MOST) -> LearnedRows:
        """The record of files of raw rows, as `prepare` writes them; read a chunk at a time.

        Args:
            files: Parquet files of the same columns.
            most: Hashes to be kept at most.

        Raises:
            DataError: A file cannot be read.
        """
        columns = _columns(files[0])
        text = [name for name, kind in columns.items() if kind == "text"]
        parts, held, rows, leading = [np.zeros(0, dtype=np.uint64)], 0, 0, 0
        for file in files:
            for table in store.read_tables(file, columns=columns, coded=text):
                found = row_hashes(table, columns)
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
            rows: Raw rows: at least the columns of the record.

        Returns:
            Two bool arrays of shape (rows,); a row that is not in the sample is False in both.

        Raises:
            DataError: A column is missing.
        """
        if missing := [name for name in self.columns if name not in rows]:
            raise DataError(f"The rows lack the columns {', '.join(missing)}.")
        table = pa.table({name: values.of_series(rows[name]) for name in self.columns})
        found = row_hashes(table, self.columns)
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


def row_hashes(rows: pa.Table, columns: Mapping[str, Kind]) -> np.ndarray:
    """A hash of each row's content, whatever order and types its columns have.

    196, 196.0 and "196" are the same text, as they are the same category to a model; an empty text
    and a NaN are as good as nothing.

    Args:
        rows: The rows.
        columns: The columns to be hashed, and what they hold.

    Returns:
        uint64, shape (rows,), the same on every machine.

    Source: SplitMix64's mixing function (Steele et al., 2014), chained over the columns.
    """
    found = np.zeros(rows.num_rows, dtype=np.uint64)
    for name in sorted(columns):
        column = one_piece(rows[name])
        of_cells = _text(column) if columns[name] == "text" else _numbers(column)
        found = mixed(found ^ of_cells ^ hashes(pa.array([name])))
    return found


def _text(column: pa.Array) -> np.ndarray:
    """A hash of each text; 0 where none stands."""
    codes = None
    if pa.types.is_dictionary(column.type):
        column, codes = column.dictionary, column.indices
    texts = values.categories(column)
    found = _where(texts, mixed(hashes(texts)))
    if codes is None:
        return found
    places = codes.fill_null(len(found)).to_numpy(zero_copy_only=False)
    return np.append(found, np.uint64(0))[places]


def _numbers(column: pa.Array) -> np.ndarray:
    """A hash of each number; 0 where none stands."""
    plain = values.plain(column)
    numbers, wrong = values.numbers(plain)
    if wrong.any():  # a time as it stands in a raw file
        seconds, _ = values.moments(plain)
        numbers = pc.if_else(pa.array(wrong), seconds, numbers)
    return _where(numbers, mixed(bits(numbers)))


def _where(column: pa.Array, found: np.ndarray) -> np.ndarray:
    if not column.null_count:
        return found
    return np.where(column.is_valid().to_numpy(zero_copy_only=False), found, np.uint64(0))


def _columns(file: Path) -> dict[str, Kind]:
    """The columns of raw rows, and what they hold."""
    with store.opened(file) as opened:
        fields = [field for field in opened.schema_arrow if field.name != store.ROW_NUMBER]
    return {
        field.name: "number"
        if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
        else "text"
        for field in fields
    }


def _sampled(found: np.ndarray, leading: int) -> np.ndarray:
    return found <= np.uint64(2 ** (64 - leading) - 1)


def _fewer(parts: Iterable[np.ndarray], leading: int, most: int) -> tuple[np.ndarray, int]:
    """Hashes in order and each once, of a sample so small that they are no more than `most`."""
    kept = np.unique(np.concatenate(list(parts)))
    while len(kept) > most:
        leading += 1
        kept = kept[_sampled(kept, leading)]
    return kept, leading
