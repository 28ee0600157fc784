"""Figures of all raw rows, chunk by chunk, in memory that no vocabulary makes grow.

Categories are counted in buckets by their hash: enough to see a distribution change from one
version of the data to the next, and nothing that names anyone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.config import DatasetParams
from autorec_core.data import values

BUCKETS = 64
DECILES = np.linspace(0.1, 0.9, 9)
MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Drift:
    """How far a column's distribution is from that of the previous version.

    Args:
        psi: The population stability index.
        chance: What sampling alone leads to: expectation plus three standard deviations.
    """

    psi: float
    chance: float

    @property
    def beyond_chance(self) -> float:
        """The index less what sampling alone leads to."""
        return max(0.0, self.psi - self.chance)


class RawTally:
    """Counts raw rows.

    Args:
        entry: The data set's entry in params.yaml.
        previous: The tally of the previous version, whose edges the numbers are binned by; the
            first chunk's deciles otherwise.
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

    def update(self, table: pa.Table) -> None:
        """Takes in one chunk of rows as `read_chunks` gives them."""
        entry = self._entry
        self._rows += table.num_rows
        keys = np.zeros(table.num_rows, dtype=np.uint64)
        for name in dict.fromkeys([entry.label, *entry.features, *entry.facts.unique]):
            column = values.plain(table[name])
            self._missing[name] = self._missing.get(name, 0) + column.null_count
            is_number = pa.types.is_floating(column.type)
            hashes, codes = _hashed(column)
            if is_number:
                self._add(name, self._binned(name, column))
            else:
                sizes = np.bincount(codes[codes >= 0], minlength=len(hashes))
                places = (hashes % np.uint64(BUCKETS)).astype(np.int64)
                self._add(name, np.bincount(places, sizes, BUCKETS).astype(np.int64))
            if name in entry.facts.unique:
                keys = (keys ^ np.append(hashes, np.uint64(0))[codes]) * MIX
        labels = table[entry.label].drop_null().to_numpy()
        self._label_sum += float(labels.sum())
        if entry.facts.unique:
            self._keys.append(keys)

    def finish(self) -> dict[str, Any]:
        """The tally as JSON's types."""
        label_rows = self._rows - self._missing.get(self._entry.label, 0)
        keys = np.concatenate(self._keys) if self._keys else None
        columns: dict[str, dict[str, Any]] = {}
        for name, counts in self._counts.items():
            columns[name] = {"missing": self._missing[name], "counts": counts.tolist()}
            if name in self._edges:
                columns[name]["edges"] = self._edges[name]
        return {
            "rows": self._rows,
            "label_mean": self._label_sum / max(label_rows, 1),
            "duplicates": 0 if keys is None else len(keys) - len(np.unique(keys)),
            "columns": columns,
        }

    def _add(self, name: str, counts: np.ndarray) -> None:
        self._counts[name] = self._counts.get(name, np.zeros(len(counts), np.int64)) + counts

    def _binned(self, name: str, column: pa.Array) -> np.ndarray:
        known = column.drop_null().to_numpy()
        if name not in self._edges:
            if not len(known):
                return np.zeros(0, dtype=np.int64)
            self._edges[name] = np.unique(np.quantile(known, DECILES)).tolist()
        edges = self._edges[name]
        return np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)


def drifts(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Drift]:
    """The drift of each column that two tallies share.

    Args:
        before: The tally of the previous version.
        now: The tally of this one, made with `before`'s edges.
    """
    found = {}
    for name, after in now["columns"].items():
        earlier = before["columns"].get(name)
        same = earlier is not None and len(earlier["counts"]) == len(after["counts"])
        if same and earlier.get("edges") == after.get("edges"):
            found[name] = psi(*([*one["counts"], one["missing"]] for one in (earlier, after)))
    return found


def psi(before: Sequence[int], now: Sequence[int]) -> Drift:
    """The population stability index of two histograms.

    Args:
        before: Counts of each bin.
        now: Counts of the same bins.

    Returns:
        The index, and what chance alone leads to: times `nm / (n + m)` it is about chi-squared
        (Yurdakul, 2018).
    """
    first, second = (np.asarray(counts, dtype=np.float64) for counts in (before, now))
    used = first + second > 0
    first, second = first[used], second[used]
    free = max(int(used.sum()) - 1, 0)
    scale = 1 / max(first.sum(), 1.0) + 1 / max(second.sum(), 1.0)
    # Half a row in each bin keeps an empty one from making the index infinite.
    shares = [(counts + 0.5) / (counts + 0.5).sum() for counts in (first, second)]
    index = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    return Drift(index, float((free + 3 * np.sqrt(2 * free)) * scale))


def _hashed(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """A hash of each distinct value, and each row's place among them, -1 where it is missing."""
    if pa.types.is_floating(column.type):
        found = column.to_numpy(zero_copy_only=False)
        codes, distinct = pd.factorize(found)
        return pd.util.hash_array(np.asarray(distinct)), codes
    coded = column.dictionary_encode()
    distinct = coded.dictionary.to_numpy(zero_copy_only=False)
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return pd.util.hash_array(distinct, categorize=False), codes
