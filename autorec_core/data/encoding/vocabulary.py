"""Vocabularies: the categories of a column in train, and the id of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

UNKNOWN = 0
# Chunks are merged when they have this many categories, so that memory stays bounded.
PENDING = 1 << 17
# Number of categories hashed at a time, because each becomes a Python string.
HASHED = 1 << 16


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The known categories of a column. The first has id 1, because id 0 is "unknown".

    Args:
        values: The categories, the most frequent first. If the column had missing values in train,
            null is the first category.
        counts: int64, how often each category occurs in train.
    """

    values: pa.Array
    counts: pa.Array

    @property
    def size(self) -> int:
        """Number of ids, including "unknown"."""
        return len(self.values) + 1

    @property
    def is_empty(self) -> bool:
        """Whether all values of the column were missing."""
        return len(self.values) == 1 and not self.values[0].is_valid

    @cached_property
    def missing(self) -> int:
        """The id of a missing value."""
        return 1 if len(self.values) and not self.values[0].is_valid else UNKNOWN

    @cached_property
    def _ids(self) -> dict[str | None, int]:
        return {value: place for place, value in enumerate(self.values.to_pylist(), start=1)}

    @cached_property
    def _by_hash(self) -> tuple[np.ndarray, np.ndarray]:
        """The sorted hashes of the categories and their ids; a dict takes ten times the memory."""
        hashes = np.concatenate(
            [np.zeros(0, np.uint64)]
            + [
                _hashes(self.values.slice(start, HASHED))
                for start in range(0, len(self.values), HASHED)
            ]
        )
        order = np.argsort(hashes, kind="stable")
        return hashes[order], (order + 1).astype(np.int32)

    def lookup(self, column: pa.Array | list[str | None]) -> np.ndarray:
        """Looks up the ids of categories.

        Args:
            column: Strings, or a dictionary of strings; null is missing. A list is faster for a few
                rows, but needs a dict of all categories in memory.

        Returns:
            int32 ids, shape (rows,).
        """
        if isinstance(column, list):
            ids = self._ids.get
            return np.fromiter((ids(one, UNKNOWN) for one in column), np.int32, len(column))
        coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        of_codes = self._each(coded.dictionary)
        if not coded.null_count:
            return np.asarray(of_codes[coded.indices.to_numpy()])
        codes = pc.fill_null(coded.indices, len(of_codes)).to_numpy(zero_copy_only=False)
        return np.asarray(np.append(of_codes, np.int32(self.missing))[codes])

    def _each(self, categories: pa.Array) -> np.ndarray:
        found = np.full(len(categories), UNKNOWN, dtype=np.int32)
        hashes, ids = self._by_hash
        if not len(ids):
            return found
        wanted = _hashes(categories)
        places = np.searchsorted(hashes, wanted)
        candidates = np.flatnonzero(hashes[np.minimum(places, len(hashes) - 1)] == wanted)
        while len(candidates):
            # Different categories may have the same hash, so the categories are compared.
            tried = ids[places[candidates]]
            known = self.values.take(pa.array(tried - 1))
            looked_up = categories.take(pa.array(candidates)).cast(known.type)
            same = pc.fill_null(pc.equal(known, looked_up), False).to_numpy(zero_copy_only=False)
            found[candidates[same]] = tried[same]
            candidates = candidates[~same]
            places[candidates] += 1
            candidates = candidates[places[candidates] < len(hashes)]
            candidates = candidates[hashes[places[candidates]] == wanted[candidates]]
        return found

    def save(self, path: Path) -> None:
        """Writes the categories, in the order of their ids, and their counts."""
        pq.write_table(pa.table({"value": self.values, "count": self.counts}), path)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Reads what `save` wrote."""
        with pq.ParquetFile(path) as file:  # `read_table` takes "=" in a path for a column
            table = file.read().combine_chunks()
        return cls(*(_one_piece(table[name]) for name in ("value", "count")))


class VocabularyCounter:
    """Counts a column's categories, chunk by chunk.

    Args:
        numbered: Whether `codes` will be called, which takes memory for each chunk's categories.
    """

    def __init__(self, *, numbered: bool = False) -> None:
        self._known = pa.array([], pa.string())
        self._counts = np.zeros(0, dtype=np.int64)
        self._missing = 0
        self._pending: list[tuple[pa.Array, np.ndarray]] = []
        self._distinct = 0
        self._numbered = numbered
        self._places: list[np.ndarray] = []
        self._ids = np.zeros(1, dtype=np.int32)

    def update(self, column: pa.Array, counted: np.ndarray | None = None) -> None:
        """Counts one chunk.

        Args:
            column: Strings, or a dictionary of strings; null is missing.
            counted: Which rows count, bool, shape (rows,); None for all.
        """
        coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        words = coded.dictionary
        codes = pc.fill_null(coded.indices, len(words)).to_numpy(zero_copy_only=False)
        if counted is not None:
            codes = codes[counted]
        counts = np.bincount(codes, minlength=len(words) + 1)
        self._missing += int(counts[-1])
        self._pending.append((words, counts[:-1]))
        self._distinct += len(words)
        # A large vocabulary must double before chunks are merged again.
        if self._distinct > max(PENDING, len(self._known)):
            self._settle()

    def finish(self, min_count: int, max_size: int | None) -> Vocabulary:
        """Makes the vocabulary.

        Args:
            min_count: A category that occurs less often is left out.
            max_size: The most categories to keep, the most frequent first; None for all.
        """
        self._settle()
        least = max(min_count, 1)
        kept = np.flatnonzero(self._counts >= least)
        words, counts = self._known.take(pa.array(kept)), self._counts[kept]
        # With the most frequent first, the table rows that training uses most are close together.
        order = pc.sort_indices(
            pa.table({"value": words, "count": counts}),
            sort_keys=[("count", "descending"), ("value", "ascending")],
        ).to_numpy()
        missing = [self._missing] if self._missing >= least else []
        if max_size is not None:
            missing = missing[:max_size]
            order = order[: max_size - len(missing)]
        self._ids = np.full(len(self._known) + 1, UNKNOWN, dtype=np.int32)
        self._ids[kept[order]] = np.arange(len(order)) + 1 + len(missing)
        self._ids[-1] = len(missing)
        return Vocabulary(
            pa.concat_arrays([pa.nulls(len(missing), pa.string()), words.take(pa.array(order))]),
            pa.array(np.concatenate([np.array(missing, dtype=np.int64), counts[order]])),
        )

    @property
    def words(self) -> pa.Array:
        """All categories, counted or not, in the order of their codes. Call `finish` first."""
        return self._known

    @property
    def ids(self) -> np.ndarray:
        """The vocabulary's id of each code, and at the end of "missing", int32."""
        return self._ids

    def codes(self) -> np.ndarray:
        """Returns the codes of each chunk's dictionary, with the code of "missing" after each.

        Returns:
            int32, shape (categories of all chunks + chunks,).
        """
        missing = np.array([len(self._known)], dtype=np.int32)
        together = [each for places in self._places for each in (places, missing)]
        return np.concatenate([np.zeros(0, np.int32), *together])

    def _settle(self) -> None:
        """Merges the pending chunks into the known categories, which keep their places."""
        if not self._pending:
            return
        words = pa.chunked_array([self._known, *(each for each, _ in self._pending)], pa.string())
        together = words.dictionary_encode()
        known = together.chunk(0).dictionary if together.num_chunks else self._known
        # Arrow leaves out empty chunks, so the lengths say where each chunk begins.
        codes = np.concatenate([np.zeros(0, np.int32), *(one.indices for one in together.chunks)])
        totals = np.zeros(len(known), dtype=np.int64)
        totals[: len(self._counts)] = self._counts
        start = len(self._known)
        for each, counts in self._pending:
            places = codes[start : start + len(each)]
            start += len(each)
            totals[places] += counts
            if self._numbered:
                self._places.append(places.copy())
        self._known, self._counts = known, totals
        self._pending, self._distinct = [], 0


def _hashes(categories: pa.Array) -> np.ndarray:
    """Hashes each category to uint64."""
    found = pd.util.hash_array(categories.to_numpy(zero_copy_only=False), categorize=False)
    return np.asarray(found)


def _one_piece(column: pa.ChunkedArray) -> pa.Array:
    chunks = column.combine_chunks()
    return chunks.chunk(0) if isinstance(chunks, pa.ChunkedArray) and chunks.num_chunks else chunks
