"""The profile of a split: shares, counts and quantiles, without any user's or item's name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from autorec_core.data import values
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.encoding.vocabulary import UNKNOWN
from autorec_core.data.schema import ListField

TOP = 10
HISTOGRAM_LABELS = 100
QUANTILES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)
SAMPLE_ROWS = 200_000


class PartProfile:
    """Collects the profile of one split, chunk by chunk.

    Args:
        preprocessor: The preprocessor that encoded the split.
    """

    def __init__(self, preprocessor: Preprocessor) -> None:
        self._preprocessor = preprocessor
        self._rows = 0
        self._label_sum = 0.0
        self._labels: dict[float, int] = {}
        self._ids = {
            field.name: np.zeros(field.vocabulary_size, dtype=np.int64)
            for field in (*preprocessor.schema.categorical, *preprocessor.schema.lists)
        }
        self._filled = {one.name: 0 for one in preprocessor.schema.lists}
        names = preprocessor.numeric.names
        self._missing = dict.fromkeys(names, 0)
        self._samples = {name: Sample() for name in names}
        self._label_sample = Sample()

    def update(self, columns: Mapping[str, pa.Array], encoded: pa.Table) -> None:
        """Adds one chunk.

        Args:
            columns: The chunk's raw numeric and multi-valued columns.
            encoded: The chunk's encoded rows.
        """
        schema = self._preprocessor.schema
        label = encoded[schema.label].to_numpy()
        self._rows += len(label)
        self._label_sum += float(label.sum(dtype=np.float64))
        self._label_sample.add(label)
        if len(self._labels) <= HISTOGRAM_LABELS:
            found, counts = np.unique(label, return_counts=True)
            for value, count in zip(found.tolist(), counts.tolist(), strict=True):
                self._labels[value] = self._labels.get(value, 0) + count
        for name in (field.name for field in schema.categorical):
            self._count(name, encoded[name].to_numpy())
        for one in schema.lists:
            first = schema.first_place(one)
            names = schema.id_columns[first : first + one.length]
            for name in names:
                self._count(one.name, encoded[name].to_numpy())
            # Unused places of a list have id 0 too, but are not unknown categories.
            filled = _filled(columns[one.name], one)
            self._ids[one.name][UNKNOWN] -= len(label) * len(names) - filled
            self._filled[one.name] += filled
        for name in self._missing:
            self._missing[name] += columns[name].null_count
            known = columns[name].drop_null()
            self._samples[name].add(known.to_numpy(zero_copy_only=False))

    def _count(self, name: str, ids: np.ndarray) -> None:
        self._ids[name] += np.bincount(ids, minlength=len(self._ids[name]))

    def finish(self) -> dict[str, Any]:
        """Returns the profile as JSON-serialisable data, with categories as hashes only."""
        rows = max(self._rows, 1)
        few = len(self._labels) <= HISTOGRAM_LABELS
        return {
            "rows": self._rows,
            "label_mean": self._label_sum / rows,
            "label_counts": {_label_name(one): self._labels[one] for one in sorted(self._labels)}
            if few
            else {},
            "label_quantiles": self._label_sample.quantiles(),
            "categories": {name: int((ids > 0).sum()) for name, ids in self._ids.items()},
            "unknown_rate": {
                name: float(ids[UNKNOWN] / max(ids.sum(), 1)) for name, ids in self._ids.items()
            },
            "list_length": {name: count / rows for name, count in self._filled.items()},
            "top": {name: self._top(name, ids) for name, ids in self._ids.items()},
            "missing_rate": {name: count / rows for name, count in self._missing.items()},
            "quantiles": {name: one.quantiles() for name, one in self._samples.items()},
        }

    def _top(self, name: str, ids: np.ndarray) -> list[dict[str, Any]]:
        """Returns the most frequent categories: the hash and the share of rows of each."""
        known = ids[1:]
        first = np.argsort(-known, kind="stable")[:TOP]
        of_place = self._preprocessor.vocabularies[name].values
        total = max(int(ids.sum()), 1)
        return [
            {"hash": _hashed(name, of_place[int(place)].as_py()), "share": known[place] / total}
            for place in first
            if known[place]
        ]


class Sample:
    """A sample of every n-th number of a whole file, in bounded memory."""

    def __init__(self) -> None:
        self._pieces: list[np.ndarray] = []
        self._kept = self._met = 0
        self._stride = 1

    def add(self, numbers: np.ndarray) -> None:
        """Adds numbers; as they become many, it keeps fewer of all."""
        taken = numbers[-self._met % self._stride :: self._stride]
        self._met += len(numbers)
        self._pieces.append(taken)
        self._kept += len(taken)
        while self._kept > SAMPLE_ROWS:
            thinned = np.concatenate(self._pieces)[::2]
            self._pieces, self._kept = [thinned], len(thinned)
            self._stride *= 2

    def quantiles(self) -> dict[str, float]:
        """Returns the quantiles of the sample by their share; empty if there are no numbers."""
        if not self._kept:
            return {}
        found = np.quantile(np.concatenate(self._pieces).astype(np.float64), QUANTILES)
        return {f"{q:g}": float(value) for q, value in zip(QUANTILES, found, strict=True)}


def _label_name(label: float) -> str:
    """Returns a float32 label as text, with as few digits as possible."""
    short = f"{label:g}"
    return short if np.float32(short) == np.float32(label) else str(np.float32(label))


def _filled(column: pa.Array, one: ListField) -> int:
    """Counts the ids in the cells of a multi-valued column, including "missing"."""
    cells = values.join_cells(column, one.separator)
    _, rows = values.split_cells(cells, one.separator)
    lengths = np.bincount(rows, minlength=len(cells))
    return int(np.minimum(lengths, one.length).sum()) + int(cells.null_count)


def _hashed(name: str, category: str | None) -> str:
    """Returns a short hash of a category, so that the profile does not show its name."""
    if category is None:
        return "missing"
    return hashlib.sha256(f"{name}={category}".encode()).hexdigest()[:12]
