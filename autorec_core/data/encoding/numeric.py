"""The transform of numeric columns: it reduces skew and scales by statistics of train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autorec_core.errors import DataError, listed

QUANTILES = 257
SAMPLE_ROWS = 200_000
LIMIT = 1e4
"""The largest scaled number, so that products in layers stay finite. In fewer than 100 million
training rows, no number is more than 10,000 standard deviations from the mean."""


@dataclass(frozen=True, eq=False)
class NumericTransform:
    """A transform of numeric columns. Missing values become 0, which is also the centre.

    "log" takes `sign(x) * log1p(|x|)` and standardises; "standard" standardises; "quantile" maps
    each number to its rank in the training split, from -1 to 1.

    Args:
        kind: "log", "standard" or "quantile".
        names: The numeric columns.
        means: float64, shape (columns,); for "log", of the logarithms.
        scales: float64 standard deviations, shape (columns,); 1 if a column is constant.
        quantiles: float64, shape (columns, 257) for "quantile", else (columns, 0).
        flagged: The columns that also get a 0/1 column that is 1 if the value is missing.
    """

    kind: str
    names: tuple[str, ...]
    means: np.ndarray
    scales: np.ndarray
    quantiles: np.ndarray
    flagged: tuple[str, ...]

    def apply(self, numbers: np.ndarray) -> np.ndarray:
        """Transforms numbers.

        Args:
            numbers: float64, shape (rows, columns); NaN if missing.

        Returns:
            float32, shape (rows, columns + flagged columns).
        """
        missing = np.isnan(numbers)
        if self.kind == "quantile":
            ranks = np.linspace(-1.0, 1.0, QUANTILES)
            scaled = np.empty_like(numbers)
            for position, edges in enumerate(self.quantiles):
                scaled[:, position] = _rank(numbers[:, position], edges, ranks)
        else:
            with np.errstate(over="ignore"):  # the clip below handles overflow
                scaled = (_unskewed(numbers, self.kind) - self.means) / self.scales
            scaled = np.clip(scaled, -LIMIT, LIMIT)
        scaled[missing] = 0.0
        place_of = {name: place for place, name in enumerate(self.names)}
        flags = missing[:, [place_of[name] for name in self.flagged]]
        return np.concatenate([scaled, flags], axis=1).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Returns the transform as JSON-serialisable data."""
        return {
            "kind": self.kind,
            "names": list(self.names),
            "means": self.means.tolist(),
            "scales": self.scales.tolist(),
            "quantiles": self.quantiles.tolist(),
            "flagged": list(self.flagged),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> NumericTransform:
        """Makes a transform from what `to_dict` returned."""
        quantiles = np.asarray(content["quantiles"], dtype=np.float64)
        return cls(
            content["kind"],
            tuple(content["names"]),
            np.asarray(content["means"], dtype=np.float64),
            np.asarray(content["scales"], dtype=np.float64),
            quantiles.reshape(len(content["names"]), -1 if quantiles.size else 0),
            tuple(content["flagged"]),
        )


@dataclass
class NumericStatistics:
    """Collects the statistics of numeric columns, chunk by chunk.

    Args:
        names: The numeric columns.
        kind: "log", "standard" or "quantile".
    """

    names: Sequence[str]
    kind: str
    rows: int = 0
    counts: np.ndarray = field(init=False)
    means: np.ndarray = field(init=False)
    squares: np.ndarray = field(init=False)
    samples: list[np.ndarray] = field(default_factory=list)
    stride: int = 1
    kept: int = 0

    def __post_init__(self) -> None:
        self.counts, self.means, self.squares = (np.zeros(len(self.names)) for _ in range(3))

    def update(self, numbers: np.ndarray) -> None:
        """Adds one chunk: float64, shape (rows, columns); NaN if missing."""
        if not len(self.names) or not len(numbers):
            return
        unskewed = _unskewed(numbers, self.kind)
        known = ~np.isnan(unskewed)
        counts = known.sum(axis=0)
        divisor = np.maximum(counts, 1)
        means = np.where(known, unskewed, 0.0).sum(axis=0) / divisor
        squares = (np.where(known, unskewed - means, 0.0) ** 2).sum(axis=0)
        self._fold(counts, means, squares)
        if self.kind == "quantile":
            self._sample(numbers)
        self.rows += len(numbers)

    def _fold(self, counts: np.ndarray, means: np.ndarray, squares: np.ndarray) -> None:
        total = np.maximum(self.counts + counts, 1)
        shift = means - self.means
        # Chan et al.'s update: exact for chunks of any size, and stable, unlike sums of squares.
        self.squares += squares + shift**2 * self.counts * counts / total
        self.means += shift * counts / total
        self.counts += counts

    def _sample(self, numbers: np.ndarray) -> None:
        """Keeps every n-th row, with a larger n as the number of rows grows."""
        first = -self.rows % self.stride
        taken = numbers[first :: self.stride]
        self.samples.append(taken)
        self.kept += len(taken)
        while self.kept > SAMPLE_ROWS:
            together = np.concatenate(self.samples)[::2]
            self.samples, self.kept = [together], len(together)
            self.stride *= 2

    def finish(self, *, missing_flag: bool) -> NumericTransform:
        """Makes the transform from the collected statistics.

        Args:
            missing_flag: Whether columns with missing values also get a 0/1 column.

        Raises:
            DataError: A column has no value.
        """
        empty = [name for name, count in zip(self.names, self.counts, strict=True) if not count]
        if empty:
            raise DataError(
                f"Numeric columns without any value in train: {listed(empty)}. "
                "List them as `ignored`."
            )
        deviations = np.sqrt(self.squares / np.maximum(self.counts, 1))
        quantiles = np.zeros((len(self.names), 0))
        if self.kind == "quantile" and len(self.names):
            steps = np.linspace(0.0, 1.0, QUANTILES)
            quantiles = np.nanquantile(np.concatenate(self.samples), steps, axis=0).T
        gaps = [name for name, n in zip(self.names, self.counts, strict=True) if n < self.rows]
        return NumericTransform(
            self.kind,
            tuple(self.names),
            self.means.copy(),
            np.where(deviations > 0, deviations, 1.0),
            np.ascontiguousarray(quantiles),
            tuple(gaps) if missing_flag else (),
        )


def _unskewed(numbers: np.ndarray, kind: str) -> np.ndarray:
    return np.sign(numbers) * np.log1p(np.abs(numbers)) if kind == "log" else numbers


def _rank(numbers: np.ndarray, edges: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Computes the rank of numbers among quantiles; equal quantiles give their middle rank."""
    lower = np.searchsorted(edges, numbers, side="left")
    upper = np.searchsorted(edges, numbers, side="right")
    middle = (ranks[np.minimum(lower, QUANTILES - 1)] + ranks[np.maximum(upper - 1, 0)]) / 2
    # np.interp is not used, because it divides by differences of quantiles, which may be almost 0.
    left = np.clip(lower - 1, 0, QUANTILES - 2)
    low, high = edges[left], edges[left + 1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.clip(np.nan_to_num((numbers - low) / (high - low), nan=0.0), 0.0, 1.0)
    between = ranks[left] + share * (ranks[left + 1] - ranks[left])
    return np.where(upper > lower, middle, np.where(np.isnan(numbers), np.nan, between))
