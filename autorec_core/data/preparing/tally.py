"""Counts all raw rows, chunk by chunk, in memory that does not grow with the vocabularies.

Categories are counted in buckets by their hash. That is enough to find changes of a distribution
between versions of the data, and it does not store any name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from autorec_core.config import DatasetParams
from autorec_core.data import values
from autorec_core.data.encoding.hashing import HASH, MIX, bits, hashes, mixed, one_piece

BUCKETS = 64
DECILES = np.linspace(0.1, 0.9, 9)
TOP = np.uint64(64 - (BUCKETS - 1).bit_length())
"""The shift to the leading bits of a hash, which choose the bucket: they are the best mixed."""


@dataclass(frozen=True)
class Drift:
    """The difference of a column's distribution from that of the previous version.

    Args:
        psi: The population stability index.
        chance: The largest index that chance explains: its mean plus three standard deviations if
            the distribution has not changed.
    """

    psi: float
    chance: float

    @property
    def beyond_chance(self) -> float:
        """The part of the index that chance does not explain."""
        return max(0.0, self.psi - self.chance)


@dataclass(frozen=True, eq=False)
class Counted:
    """The counts of one chunk.

    Args:
        rows: Number of rows.
        label_sum: The sum of the labels.
        missing: Number of missing values of each column.
        counts: Number of rows in each bin of each column.
        keys: uint64, a hash of each row's unique columns, shape (rows,); empty if there are none.
    """

    rows: int
    label_sum: float
    missing: Mapping[str, int]
    counts: Mapping[str, np.ndarray]
    keys: np.ndarray


class RawTally:
    """Counts raw rows.

    Args:
        entry: The data set's entry in params.yaml.
        previous: The tally of the previous version, whose bins are used. Without it, the bins are
            the deciles of the first rows.
    """

    def __init__(self, entry: DatasetParams, previous: Mapping[str, Any] | None = None) -> None:
        self._entry = entry
        known = (previous or {}).get("columns", {})
        self._edges = {name: one["edges"] for name, one in known.items() if "edges" in one}
        self._counts: dict[str, np.ndarray] = {}
        self._missing: dict[str, int] = {}
        self._rows = 0
        self._label_sum = 0.0
        self._keys: list[np.ndarray] = []

    @property
    def edges(self) -> dict[str, list[float]]:
        """The edges between the bins of each numeric column that has had a value."""
        return dict(self._edges)

    @property
    def has_edges(self) -> bool:
        """Whether all numeric columns have edges."""
        text = {*self._entry.categorical, *self._entry.multi_valued, *self._entry.key_only}
        return all(name in self._edges for name in _tallied(self._entry) if name not in text)

    def learn(self, table: pa.Table) -> None:
        """Sets the edges of columns that have none yet, from one chunk of rows."""
        for name in _tallied(self._entry):
            if name not in self._edges and pa.types.is_floating(table.schema.field(name).type):
                known = values.plain(table[name]).drop_null().to_numpy()
                if len(known):
                    self._edges[name] = np.unique(np.quantile(known, DECILES)).tolist()

    def add(self, counted: Counted) -> None:
        """Adds the counts of one chunk."""
        self._rows += counted.rows
        self._label_sum += counted.label_sum
        for name, missing in counted.missing.items():
            self._missing[name] = self._missing.get(name, 0) + missing
        for name, counts in counted.counts.items():
            self._counts[name] = self._counts.get(name, np.zeros(len(counts), np.int64)) + counts
        if self._entry.facts.unique:
            self._keys.append(counted.keys)

    def finish(self) -> dict[str, Any]:
        """Returns the tally as JSON-serialisable data."""
        label_rows = self._rows - self._missing.get(self._entry.label_name, 0)
        keys = np.concatenate(self._keys) if self._keys else None
        columns: dict[str, dict[str, Any]] = {}
        for name, counts in self._counts.items():
            columns[name] = {"missing": self._missing[name], "counts": counts.tolist()}
            if name in self._edges:
                columns[name]["edges"] = self._edges[name]
        return {
            "hash": HASH,
            "rows": self._rows,
            "label_mean": self._label_sum / max(label_rows, 1),
            "duplicates": 0 if keys is None else len(keys) - len(np.unique(keys)),
            "columns": columns,
        }


def count(entry: DatasetParams, edges: Mapping[str, Sequence[float]], table: pa.Table) -> Counted:
    """Counts one chunk of rows. It can run in any process.

    Args:
        entry: The data set's entry in params.yaml.
        edges: The edges between the bins of numeric columns; columns without edges are not counted.
        table: The rows, as `read_chunks` returns them.
    """
    missing: dict[str, int] = {}
    counts: dict[str, np.ndarray] = {}
    unique = entry.facts.unique
    keys = np.zeros(table.num_rows if unique else 0, dtype=np.uint64)
    for name in _tallied(entry):
        column = one_piece(table[name])
        missing[name] = column.null_count
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        if pa.types.is_floating(column.type):
            if name in edges:
                counts[name] = _binned(column.drop_null().to_numpy(), edges[name])
            hashed = bits(column) if name in unique else None
        else:
            hashed = _hashed(column)
            known = hashed[valid] if column.null_count else hashed
            buckets = (known >> TOP).view(np.int64)
            counts[name] = np.bincount(buckets, minlength=BUCKETS)
        if hashed is not None and name in unique:
            keys = (keys ^ np.where(valid, mixed(hashed), np.uint64(0))) * MIX
    labels = values.plain(table[entry.label_name]).drop_null().to_numpy()
    return Counted(table.num_rows, float(labels.sum()), missing, counts, keys)


def column_counts(column: pa.Array, edges: Sequence[float] | None) -> np.ndarray:
    """Counts the values of one column in the bins of a tally. Missing values are in no bin.

    Args:
        column: Canonical text, or numbers if there are edges.
        edges: The edges between the bins of numbers; None for categories.
    """
    known = column.drop_null()
    if edges is not None:
        return _binned(known.to_numpy(zero_copy_only=False), edges)
    return np.bincount((_hashed(known) >> TOP).view(np.int64), minlength=BUCKETS)


def _tallied(entry: DatasetParams) -> list[str]:
    return list(dict.fromkeys([entry.label_name, *entry.features, *entry.facts.unique]))


def drifts(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Drift]:
    """Computes the drift of each column that two tallies share.

    Args:
        before: The tally of the previous version.
        now: The tally of this version, made with the edges of `before`.
    """
    found = {}
    for name, after in now["columns"].items():
        earlier = before["columns"].get(name)
        same = earlier is not None and len(earlier["counts"]) == len(after["counts"])
        if "edges" not in after and before.get("hash") != now.get("hash"):
            continue  # another hash function puts categories into other buckets
        if same and earlier.get("edges") == after.get("edges"):
            found[name] = psi(*([*one["counts"], one["missing"]] for one in (earlier, after)))
    return found


def psi(before: Sequence[int], now: Sequence[int]) -> Drift:
    """Computes the population stability index of two histograms.

    Args:
        before: Counts of each bin.
        now: Counts of the same bins.

    Returns:
        The index, and the largest index that chance explains. Without a change, the index times
        `nm / (n + m)` is approximately chi-squared (Yurdakul, 2018).
    """
    first, second = (np.asarray(counts, dtype=np.float64) for counts in (before, now))
    used = first + second > 0
    first, second = first[used], second[used]
    free = max(int(used.sum()) - 1, 0)
    scale = 1 / max(first.sum(), 1.0) + 1 / max(second.sum(), 1.0)
    # Half a row is added to each bin, because an empty bin would make the index infinite.
    shares = [(counts + 0.5) / (counts + 0.5).sum() for counts in (first, second)]
    index = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    return Drift(index, float((free + 3 * np.sqrt(2 * free)) * scale))


def _binned(numbers: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Counts the numbers in each bin; a number equal to an edge is in the lower bin."""
    above = [np.count_nonzero(numbers > edge) for edge in edges]
    return -np.diff([len(numbers), *above, 0])


def _hashed(column: pa.Array) -> np.ndarray:
    """Hashes each row's text: uint64, shape (rows,); the hash of null means nothing."""
    if not pa.types.is_dictionary(column.type):
        return hashes(column)
    codes = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
    words = pa.concat_arrays([column.dictionary, pa.nulls(1, column.type.value_type)])
    return np.asarray(hashes(words)[codes])
