"""The identity of a row, which does not depend on its place in the file.

It consists of the row's key, or of its content, and of the number of equal rows before it. A row
can therefore be recognised after new rows come in, and equal rows have different identities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.config import DatasetParams
from autorec_core.data import values
from autorec_core.data.encoding.hashing import bits, hashes, mixed, one_piece

OCCURRENCE = "__occurrence__"
"""The column with the number of rows with the same key or content before a row."""
AT_ONCE = 1 << 22
"""The approximate number of hashes in memory at a time when occurrences are counted."""
Kind = Literal["text", "number"]


def key_columns(entry: DatasetParams, columns: list[str]) -> list[str]:
    """Returns the columns that identify a row: the entry's unique columns, or else all."""
    return list(entry.facts.unique) or columns


def kinds(schema: pa.Schema, columns: list[str]) -> dict[str, Kind]:
    """Returns whether columns of raw rows hold numbers or text."""
    return {
        name: "number"
        if pa.types.is_floating(kind := schema.field(name).type) or pa.types.is_integer(kind)
        else "text"
        for name in columns
    }


def row_hashes(rows: pa.Table, columns: Mapping[str, Kind]) -> np.ndarray:
    """Hashes each row's content, independent of the order and the types of columns.

    196, 196.0 and "196" have the same hash, because they are the same category. Empty text and NaN
    have the same hash as a missing value.

    Args:
        rows: The rows.
        columns: The columns to hash, and whether they hold numbers or text.

    Returns:
        uint64, shape (rows,), the same on every machine.

    Source: SplitMix64's mixing function (Steele et al., 2014), chained over the columns.
    """
    found = np.zeros(rows.num_rows, dtype=np.uint64)
    names = sorted(columns)
    for name, of_name in zip(names, hashes(pa.array(names, pa.string())), strict=True):
        column = one_piece(rows[name])
        of_cells = _text(column) if columns[name] == "text" else _numbers(column)
        found = mixed(found ^ of_cells ^ of_name)
    return found


def numbered(found: np.ndarray, occurrences: np.ndarray) -> np.ndarray:
    """Mixes the occurrence of each row into its hash; the first of equal rows keeps its hash."""
    later = np.flatnonzero(occurrences)
    identities = found.copy()
    identities[later] = mixed(found[later] ^ mixed(occurrences[later].astype(np.uint64)))
    return identities


@dataclass(frozen=True)
class RowHashes:
    """The hashes of all rows of a raw file, in files, because they may not fit into memory.

    Args:
        folder: The folder of the files.
        chunks: Number and rows of each chunk that has rows, in order.
    """

    folder: Path
    chunks: tuple[tuple[int, int], ...]

    @staticmethod
    def save(folder: Path, number: int, entry: DatasetParams, table: pa.Table) -> None:
        """Writes the hashes of one chunk, if it has rows."""
        if table.num_rows:
            columns = key_columns(entry, table.column_names)
            np.save(_file(folder, number), row_hashes(table, kinds(table.schema, columns)))

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(rows for _, rows in self.chunks)

    def each(self) -> Iterator[np.ndarray]:
        """Yields the hashes of each chunk, memory-mapped."""
        for number, _ in self.chunks:
            yield np.load(_file(self.folder, number), mmap_mode="r")

    def divided(self, of_rows: np.ndarray) -> dict[int, np.ndarray]:
        """Divides an array with one element for each row into chunks, by their numbers."""
        ends = np.cumsum([rows for _, rows in self.chunks])[:-1]
        numbers = [number for number, _ in self.chunks]
        return dict(zip(numbers, np.split(of_rows, ends), strict=True))

    def identities(
        self, occurrences: np.ndarray | None, chosen: np.ndarray | None = None
    ) -> Iterator[np.ndarray]:
        """Yields the hashes that identify the rows of each chunk: uint64, shape (chunk's rows,).

        Args:
            occurrences: The occurrence of each row, shape (rows,); None if equal rows must have the
                same hash.
            chosen: Which rows to return, bool, shape (rows,); None for all.
        """
        start = 0
        for found in self.each():
            in_chunk = slice(start, start + len(found))
            start += len(found)
            names = found if occurrences is None else numbered(found, occurrences[in_chunk])
            yield np.asarray(names if chosen is None else names[chosen[in_chunk]])

    def occurrences(self) -> np.ndarray:
        """Counts for each row the rows before it with the same hash: shape (rows,)."""
        found = np.zeros(self.rows, dtype=np.uint8)
        turns = -(-self.rows // AT_ONCE)
        for turn in range(turns):
            places, taken = [], []
            start = 0
            for of_chunk in self.each():
                chosen = np.flatnonzero(of_chunk % np.uint64(turns) == turn)
                places.append(chosen + start)
                taken.append(of_chunk[chosen])
                start += len(of_chunk)
            earlier = _earlier(np.concatenate(taken))
            if earlier.max(initial=0) > np.iinfo(found.dtype).max:
                found = found.astype(np.min_scalar_type(earlier.max()))
            found[np.concatenate(places)] = earlier
        return found


def _earlier(found: np.ndarray) -> np.ndarray:
    """Counts for each value the equal values before it; int64."""
    order = np.argsort(found, kind="stable")
    is_first = np.ones(len(found), dtype=bool)
    ordered = found[order]
    is_first[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(is_first)
    earlier = np.empty(len(found), dtype=np.int64)
    earlier[order] = np.arange(len(found)) - np.repeat(starts, np.diff(starts, append=len(found)))
    return earlier


def _file(folder: Path, number: int) -> Path:
    return folder / f"hashes_{number}.npy"


def _text(column: pa.Array) -> np.ndarray:
    """Hashes each text; 0 if it is missing."""
    codes = None
    if pa.types.is_dictionary(column.type):
        column, codes = column.dictionary, column.indices
    texts = values.categories(column)
    found = _where(texts, mixed(hashes(texts)))
    if codes is None:
        return found
    places = codes.fill_null(len(found)).to_numpy(zero_copy_only=False)
    return np.asarray(np.append(found, np.uint64(0))[places])


def _numbers(column: pa.Array) -> np.ndarray:
    """Hashes each number; 0 if it is missing."""
    plain = values.plain(column)
    numbers, wrong = values.numbers(plain)
    if wrong.any():  # the text of a time in a raw file
        seconds, _ = values.moments(plain)
        numbers = pc.if_else(pa.array(wrong), seconds, numbers)
    return _where(numbers, mixed(bits(numbers)))


def _where(column: pa.Array, found: np.ndarray) -> np.ndarray:
    if not column.null_count:
        return found
    return np.where(column.is_valid().to_numpy(zero_copy_only=False), found, np.uint64(0))
