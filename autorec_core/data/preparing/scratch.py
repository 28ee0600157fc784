"""The scratch folder: all rows between the passes, checked and typed.

Each partition is an uncompressed Arrow file, so that a task only reads the columns it needs.
Categories are dictionaries, with different codes in each partition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autorec_core.data.encoding.vocabulary import Vocabulary, VocabularyCounter
from autorec_core.data.values import plain

PARTS_FILE = "parts.npy"
OCCURRENCES_FILE = "occurrences.npy"


@dataclass(frozen=True)
class Scratch:
    """The place of the rows on disk, a small object that every task gets.

    Args:
        folder: The folder of the partitions, on a disk that all workers can access.
        partitions: Number and rows of each partition that has rows, in order.
        window: Number of rows to process at a time, if a result depends on that number.
        columns: The columns of the rows.
    """

    folder: Path
    partitions: tuple[tuple[int, int], ...]
    window: int
    columns: tuple[str, ...]

    def save_rows(self, parts: np.ndarray, occurrences: np.ndarray) -> None:
        """Writes the part and the occurrence of each row, both of shape (rows,)."""
        np.save(self.folder / PARTS_FILE, parts)
        np.save(self.folder / OCCURRENCES_FILE, occurrences)

    def occurrences(self) -> Iterator[np.ndarray]:
        """Yields the occurrences of the rows of each partition."""
        found = np.load(self.folder / OCCURRENCES_FILE, mmap_mode="r")
        start = 0
        for _, rows in self.partitions:
            yield found[start : start + rows]
            start += rows

    def tables(self, columns: Sequence[str]) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Yields the rows of each partition, and the part of each row.

        Args:
            columns: The columns to read.
        """
        parts = np.load(self.folder / PARTS_FILE, mmap_mode="r")
        start = 0
        for number, rows in self.partitions:
            yield self.table(number).select(columns), parts[start : start + rows]
            start += rows

    def table(self, number: int) -> pa.Table:
        """Returns the rows of one partition, memory-mapped."""
        table = _read(self.folder / f"{number}.arrow")
        more = self.folder / f"{number}_more.arrow"
        if more.exists():
            added = _read(more)
            for name in added.column_names:
                table = table.append_column(name, added[name])
        return table

    def add_columns(self, number: int, columns: Mapping[str, pa.Array]) -> None:
        """Writes more columns of the rows of one partition; text becomes a dictionary."""
        coded = {
            name: column.dictionary_encode() if pa.types.is_string(column.type) else column
            for name, column in columns.items()
        }
        _write(self.folder / f"{number}_more.arrow", pa.table(coded))

    def save_words(self, name: str, counter: VocabularyCounter, vocabulary: Vocabulary) -> None:
        """Writes the categories of a column, which `words` reads."""
        at = self._at(name)
        _write(self.folder / f"words_{at}.arrow", pa.table({"value": counter.words}))
        known = {"value": vocabulary.values, "count": vocabulary.counts}
        _write(self.folder / f"known_{at}.arrow", pa.table(known))
        np.save(self.folder / f"ids_{at}.npy", counter.ids)
        counter.codes().tofile(self.folder / f"codes_{at}")

    def words(self, name: str) -> Words:
        """Reads the categories of a column, memory-mapped."""
        at = self._at(name)
        ids = np.asarray(np.load(self.folder / f"ids_{at}.npy", mmap_mode="r"))
        found = _read(self.folder / f"words_{at}.arrow")["value"]
        known = _read(self.folder / f"known_{at}.arrow").combine_chunks()
        return Words(
            found.combine_chunks(),
            Vocabulary(plain(known["value"]), plain(known["count"])),
            ids,
            self.folder / f"codes_{at}",
        )

    def _at(self, name: str) -> int:
        """Returns a column's number, because not every column name can be a file name."""
        return self._places[name]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.columns)}


@dataclass
class Words:
    """The categories of one column in all partitions, which must be read in order.

    Args:
        all: All categories, in the order of their codes.
        vocabulary: The vocabulary of the training rows.
        ids: int32, the id of each code, and at the end of "missing".
        codes: The file with the int32 codes of each partition's dictionary, with the code of
            "missing" after each.
        start: The offset of the next partition in that file.
    """

    all: pa.Array
    vocabulary: Vocabulary
    ids: np.ndarray
    codes: Path
    start: int = 0

    def next(self, column: pa.DictionaryArray, chosen: np.ndarray) -> np.ndarray:
        """Returns the codes of the chosen rows of the next partition.

        Args:
            column: The partition's column.
            chosen: The places of the chosen rows.

        Returns:
            int32, shape (chosen rows,); `len(self.all)` for missing values.
        """
        missing = len(column.dictionary)
        of_words = np.fromfile(self.codes, np.int32, missing + 1, offset=self.start)
        self.start += of_words.nbytes
        codes = pc.fill_null(column.indices, missing).to_numpy(zero_copy_only=False)
        return np.asarray(of_words[codes[chosen]])

    def strings(self, codes: np.ndarray) -> pa.DictionaryArray:
        """Returns the categories of codes; the dictionary holds them in order of appearance."""
        is_missing = codes == len(self.all)
        column = pa.array(codes, mask=is_missing if is_missing.any() else None)
        used = column.dictionary_encode()
        return pa.DictionaryArray.from_arrays(used.indices, self.all.take(used.dictionary))


def write_partition(folder: Path, number: int, table: pa.Table) -> None:
    """Writes one partition's rows, if there are any."""
    if table.num_rows:
        _write(folder / f"{number}.arrow", table)


def _write(path: Path, table: pa.Table) -> None:
    table = table.combine_chunks()
    with path.open("wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _read(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
