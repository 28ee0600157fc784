"""Which row a row is, wherever it stands: its key, or its content, and the how-manieth such it is.

So a row can be known again when rows come in before it, and equal rows are told from each other.
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
"""The column that says how many rows of the same key or content stand before a row."""
AT_ONCE = 1 << 22
"""About how many hashes are in memory at a time when occurrences are counted."""
Kind = Literal["text", "number"]


def key_columns(entry: DatasetParams, columns: list[str]) -> list[str]:
    """The columns that say which row a row is: the entry's unique ones, else all of them."""
    return list(entry.facts.unique) or columns


def kinds(schema: pa.Schema, columns: list[str]) -> dict[str, Kind]:
    """What columns of raw rows hold."""
    return {
        name: "number"
        if pa.types.is_floating(kind := schema.field(name).type) or pa.types.is_integer(kind)
        else "text"
        for name in columns
    }


def row_hashes(rows: pa.Table, columns: Mapping[str, Kind]) -> np.ndarray:
    """A hash of each row's content, whatever order and types its columns have.

    196, 196.0 and "196" are the same text, as they are the same category to a model; an empty text
    and a NaN are the same as no value.

    Args:
        rows: The rows.
        columns: The columns to be hashed, and what they hold.

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
    """Hashes of rows in which equal rows differ by their occurrence; a first one keeps its hash."""
    later = np.flatnonzero(occurrences)
    identities = found.copy()
    identities[later] = mixed(found[later] ^ mixed(occurrences[later].astype(np.uint64)))
    return identities


@dataclass(frozen=True)
class RowHashes:
    """Hashes of all rows of a raw file, in files of their own: eight bytes a row are too many.

    Args:
        folder: Where they lie.
        chunks: Number and rows of each chunk that has rows, in order.
    """

    folder: Path
    chunks: tuple[tuple[int, int], ...]

    @staticmethod
    def save(folder: Path, number: int, entry: DatasetParams, table: pa.Table) -> None:
        """Keeps the hashes of one chunk of rows, if it has any."""
        if table.num_rows:
            columns = key_columns(entry, table.column_names)
            np.save(_file(folder, number), row_hashes(table, kinds(table.schema, columns)))

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(rows for _, rows in self.chunks)

    def each(self) -> Iterator[np.ndarray]:
        """The hashes of each chunk, where they stand on disk."""
        for number, _ in self.chunks:
            yield np.load(_file(self.folder, number), mmap_mode="r")

    def divided(self, of_rows: np.ndarray) -> dict[int, np.ndarray]:
        """An array of all rows, by the number of the chunk that they are in."""
        ends = np.cumsum([rows for _, rows in self.chunks])[:-1]
        numbers = [number for number, _ in self.chunks]
        return dict(zip(numbers, np.split(of_rows, ends), strict=True))

    def identities(
        self, occurrences: np.ndarray | None, chosen: np.ndarray | None = None
    ) -> Iterator[np.ndarray]:
        """Hashes that name each row of each chunk: uint64, shape (rows of the chunk,).

        Args:
            occurrences: What tells equal rows apart; None where they shall have one name.
            chosen: Which rows are wanted, bool, shape (rows,); all of them if `None`.
        """
        start = 0
        for found in self.each():
            mine = slice(start, start + len(found))
            start += len(found)
            names = found if occurrences is None else numbered(found, occurrences[mine])
            yield np.asarray(names if chosen is None else names[chosen[mine]])

    def occurrences(self) -> np.ndarray:
        """How many rows before it have the same hash: whole numbers, shape (rows,)."""
        found = np.zeros(self.rows, dtype=np.uint8)
        turns = -(-self.rows // AT_ONCE)
        for turn in range(turns):
            places, taken = [], []
            start = 0
            for of_chunk in self.each():
                mine = np.flatnonzero(of_chunk % np.uint64(turns) == turn)
                places.append(mine + start)
                taken.append(of_chunk[mine])
                start += len(of_chunk)
            earlier = _earlier(np.concatenate(taken))
            if earlier.max(initial=0) > np.iinfo(found.dtype).max:
                found = found.astype(np.min_scalar_type(earlier.max()))
            found[np.concatenate(places)] = earlier
        return found


def _earlier(found: np.ndarray) -> np.ndarray:
    """For each value, how many equal ones stand before it; int64."""
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
