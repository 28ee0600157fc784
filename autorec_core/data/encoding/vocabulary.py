"""Vocabularies: which categories a column had in training, and the id of each."""

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
# Counts of this many distinct categories are added up at once; memory stays bounded by the answer.
PENDING = 1 << 17
# Categories hashed at once: each is a Python string meanwhile.
HASHED = 1 << 16


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The known categories of a column; the first has id 1, since 0 is "unknown".

    Args:
        values: The categories, the most frequent first; null, where the training split had
            gaps, stands first and makes "missing" a category of its own.
        counts: int64, how often each occurs in the training split.
    """

    values: pa.Array
    counts: pa.Array

    @property
    def size(self) -> int:
        """Number of ids, "unknown" included."""
        return len(self.values) + 1

    @property
    def is_empty(self) -> bool:
        """Whether a column had gaps and nothing else."""
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
        """The categories' hashes in order, and the id of each: a dict would take ten times this."""
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
        """The ids of categories.

        Args:
            column: Strings, or a dictionary of strings; null is missing. A list is for a few of
                them, at once: it is looked up in a dict, which takes memory.

        Returns:
            int32 ids, shape (rows,).
        """
        if isinstance(column, list):
            ids = self._ids.get
            return np.fromiter((ids(one, UNKNOWN) for one in column), np.int32, len(column))
        coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        of_codes = self._each(coded.dictionary)
        if not coded.null_count:
            return of_codes[coded.indices.to_numpy()]
        codes = pc.fill_null(coded.indices, len(of_codes)).to_numpy(zero_copy_only=False)
        return np.append(of_codes, np.int32(self.missing))[codes]

    def _each(self, categories: pa.Array) -> np.ndarray:
        found = np.full(len(categories), UNKNOWN, dtype=np.int32)
        hashes, ids = self._by_hash
        if not len(ids):
            return found
        wanted = _hashes(categories)
        places = np.searchsorted(hashes, wanted)
        candidates = np.flatnonzero(hashes[np.minimum(places, len(hashes) - 1)] == wanted)
        while len(candidates):
            # Two categories may share a hash; only the category itself will do.
            tried = ids[places[candidates]]
            ours = self.values.take(pa.array(tried - 1))
            theirs = categories.take(pa.array(candidates)).cast(ours.type)
            same = pc.fill_null(pc.equal(ours, theirs), False).to_numpy(zero_copy_only=False)
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
        numbered: Whether `codes` will be asked for: it takes memory for each chunk's categories.
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
            counted: Which rows count, bool, shape (rows,); all of them if `None`.
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
        # A vocabulary above the limit must at least double before it is added up again.
        if self._distinct > max(PENDING, len(self._known)):
            self._settle()

    def finish(self, min_count: int, max_size: int | None) -> Vocabulary:
        """The vocabulary of what was counted.

        Args:
            min_count: A category seen less often is unknown.
            max_size: The most categories kept, the most frequent first; all of them if `None`.
        """
        self._settle()
        least = max(min_count, 1)
        kept = np.flatnonzero(self._counts >= least)
        words, counts = self._known.take(pa.array(kept)), self._counts[kept]
        # Most frequent first keeps the rows that training touches most close together.
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
        """All categories met, counted or not, in the order of their codes; after `finish`."""
        return self._known

    @property
    def ids(self) -> np.ndarray:
        """The id of each code, and of "missing" behind: int32; as `Vocabulary.lookup` has them."""
        return self._ids

    def codes(self) -> np.ndarray:
        """The code of each category of each chunk's dictionary, and of "missing" behind each.

        Returns:
            int32, shape (categories of all chunks + chunks,).
        """
        missing = np.array([len(self._known)], dtype=np.int32)
        together = [each for places in self._places for each in (places, missing)]
        return np.concatenate([np.zeros(0, np.int32), *together])

    def _settle(self) -> None:
        """Adds what is pending to the known categories, which keep their places."""
        if not self._pending:
            return
        words = pa.chunked_array([self._known, *(each for each, _ in self._pending)], pa.string())
        together = words.dictionary_encode()
        known = together.chunk(0).dictionary if together.num_chunks else self._known
        # Arrow leaves out empty chunks, so chunks are told by their lengths.
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
    """A uint64 hash of each category."""
    return pd.util.hash_array(categories.to_numpy(zero_copy_only=False), categorize=False)


def _one_piece(column: pa.ChunkedArray) -> pa.Array:
    chunks = column.combine_chunks()
    return chunks.chunk(0) if isinstance(chunks, pa.ChunkedArray) and chunks.num_chunks else chunks
