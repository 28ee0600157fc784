"""A profile of scored rows: counts only, with categories as hashes. No row and no id is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from autorec_core.data import spelled, values
from autorec_core.data.preparing.tally import column_counts
from flows.watching.histograms import count_in
from flows.watching.reference import Binned, Reference

LATENCIES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Edges between the bins of seconds per request."""

Counts = dict[str, list[int]]


@dataclass
class Profile:
    """Counts of some scored rows.

    Args:
        rows: Number of rows.
        requests: Number of requests.
        columns: Rows in each bin of each column, then rows without a value.
        unknown: Unknown ids and all ids of each column.
        scores: Rows in each bin of scores.
        seconds: Requests in each bin of `LATENCIES`.
        began: When the first row was added, in seconds since 1970; 0 if none was.
    """

    rows: int = 0
    requests: int = 0
    columns: Counts = field(default_factory=dict)
    unknown: Counts = field(default_factory=dict)
    scores: list[int] = field(default_factory=list)
    seconds: list[int] = field(default_factory=list)
    began: float = 0.0

    def merge(self, other: Profile) -> None:
        """Adds the counts of another profile."""
        self.rows += other.rows
        self.requests += other.requests
        for mine, its in ((self.columns, other.columns), (self.unknown, other.unknown)):
            for name, counts in its.items():
                mine[name] = _sum(mine.get(name, []), counts)
        self.scores = _sum(self.scores, other.scores)
        self.seconds = _sum(self.seconds, other.seconds)
        self.began = min(filter(None, (self.began, other.began)), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Returns the profile as JSON-serialisable data."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` returned."""
        return cls(**content)


def profile_of(
    reference: Reference,
    columns: Mapping[str, Any],
    scores: np.ndarray,
    *,
    unknown: Mapping[str, tuple[int, int]],
    missing: tuple[str, ...] = (),
    seconds: Sequence[float] = (),
    at: float = 0.0,
) -> Profile:
    """Profiles the rows of one or several requests.

    Args:
        reference: The bins, from the training of the version that scored.
        columns: Values of each column, as lists or as Arrow columns.
        scores: The scores, shape (rows,).
        unknown: Unknown ids and all ids of each column.
        missing: Words that mean "missing" in any column.
        seconds: Seconds that each request took.
        at: The time, in seconds since 1970.
    """
    found = {
        name: _counts(name, columns[name], binned, reference, missing)
        for name, binned in reference.columns.items()
        if name in columns
    }
    edges = () if reference.scores is None else reference.scores.edges or ()
    finite = scores[np.isfinite(scores)]
    return Profile(
        rows=len(scores),
        requests=len(seconds),
        columns=found,
        unknown={name: [count, total] for name, (count, total) in unknown.items()},
        scores=count_in(edges, finite).tolist() if edges else [],
        seconds=count_in(LATENCIES, np.asarray(seconds)).tolist() if seconds else [],
        began=at,
    )


def _counts(
    name: str, found: Any, binned: Binned, reference: Reference, missing: tuple[str, ...]
) -> list[int]:
    """Counts a column in the bins of training, in the form in which training read its values."""
    column = arrow_column(found)
    column = spelled.without_missing(column, missing)
    if binned.edges is not None:
        column, _ = values.numbers(column)
    elif name in reference.separators:
        column = values.join_cells(column, reference.separators[name])
    else:
        column = values.categories(column)
    return [*column_counts(column, binned.edges).tolist(), column.null_count]


def arrow_column(found: Any) -> pa.Array:
    """Returns a column of plain values, or of an Arrow table, as one Arrow array."""
    if isinstance(found, pa.Array | pa.ChunkedArray):
        return values.plain(found)
    return values.of_series(pd.Series(found, dtype=object))


def _sum(first: list[int], second: list[int]) -> list[int]:
    if not first or not second:
        return list(first or second)
    return [a + b for a, b in zip(first, second, strict=True)]
