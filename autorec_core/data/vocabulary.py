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
        table = pq.read_table(path).combine_chunks()
        return cls(*(_one_piece(table[name]) for name in ("value", "count")))


class VocabularyCounter:
    """Counts a column's categories, chunk by chunk."""

    def __init__(self) -> None:
        self._pending: list[pa.Table] = []
        self._distinct = 0

    def update(self, column: pa.Array) -> None:
        """Counts one chunk: strings, or a dictionary of strings; null is missing."""
        coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        codes = pc.fill_null(coded.indices, len(coded.dictionary)).to_numpy(zero_copy_only=False)
        counts = np.bincount(codes, minlength=len(coded.dictionary) + 1)
        values = pa.concat_arrays([coded.dictionary, pa.nulls(1, coded.dictionary.type)])
        seen = counts > 0
        self._take(pa.table({"value": values, "count": counts}).filter(pa.array(seen)))

    def merge(self, other: VocabularyCounter) -> None:
        """Adds another counter's counts to this one's."""
        for table in other._pending:
            self._take(table)

    def _take(self, table: pa.Table) -> None:
        self._pending.append(table)
        self._distinct += table.num_rows
        if self._distinct > PENDING:
            self._pending = [self._total()]
            # A vocabulary above the limit must at least double before it is added up again.
            self._distinct = min(0, PENDING - self._pending[0].num_rows)

    def finish(self, min_count: int, max_size: int | None) -> Vocabulary:
        """The vocabulary of what was counted.

        Args:
            min_count: A category seen less often is unknown.
            max_size: The most categories kept, the most frequent first; all of them if `None`.
        """
        total = self._total()
        total = total.filter(pc.greater_equal(total["count"], min_count))
        # Most frequent first keeps the rows that training touches most close together.
        total = total.sort_by([("count", "descending"), ("value", "ascending")])
        is_null = pc.is_null(total["value"])
        table = pa.concat_tables([total.filter(is_null), total.filter(pc.invert(is_null))])
        table = table.slice(0, max_size).combine_chunks()
        return Vocabulary(*(_one_piece(table[name]) for name in ("value", "count")))

    def _total(self) -> pa.Table:
        if not self._pending:
            return pa.table({"value": pa.array([], pa.string()), "count": pa.array([], pa.int64())})
        # Each thread would have a table of its own of nearly all categories.
        groups = pa.concat_tables(self._pending).group_by("value", use_threads=False)
        total = groups.aggregate([("count", "sum")])
        return total.rename_columns({"count_sum": "count"}).select(["value", "count"])


def _hashes(categories: pa.Array) -> np.ndarray:
    """A uint64 hash of each category."""
    return pd.util.hash_array(categories.to_numpy(zero_copy_only=False), categorize=False)


def _one_piece(column: pa.ChunkedArray) -> pa.Array:
    chunks = column.combine_chunks()
    return chunks.chunk(0) if isinstance(chunks, pa.ChunkedArray) and chunks.num_chunks else chunks
