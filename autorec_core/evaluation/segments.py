"""Segments of rows by how often training has seen their ids: unknown, rare, medium, frequent."""

from __future__ import annotations

import numpy as np

from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.encoding.vocabulary import UNKNOWN

SHARES = ("rare", "medium", "frequent")


def segments(
    preprocessor: Preprocessor, ids: np.ndarray, *, min_rows: int
) -> dict[str, np.ndarray]:
    """Divides rows by their user's activity and by their item's.

    Tables without users and items are divided by the rarest of a row's ids. Known ids fall into
    thirds of the rows, by how often training has seen them.

    Args:
        preprocessor: Knows how often each id occurs in training.
        ids: int32, shape (rows, categorical columns).
        min_rows: Segments with fewer rows are left out: their mean says nothing.

    Returns:
        By name, which rows belong to a segment, bool, shape (rows,).
    """
    schema = preprocessor.schema
    seen = {
        field.name: _counts(preprocessor, field.name)[ids[:, position]]
        for position, field in enumerate(schema.categorical)
    }
    roles = [name for name in (schema.user, schema.item) if name is not None]
    activity = {name: seen[name] for name in roles}
    if not activity and seen:
        activity = {"rarest id": np.min(list(seen.values()), axis=0)}
    return {
        f"{role} {name}": rows
        for role, counts in activity.items()
        for name, rows in _thirds(counts).items()
        if rows.sum() >= min_rows
    }


def _counts(preprocessor: Preprocessor, column: str) -> np.ndarray:
    """How often training has seen each id of a column; "unknown" never."""
    counts = preprocessor.vocabularies[column].counts.to_numpy(zero_copy_only=False)
    return np.insert(counts, UNKNOWN, 0)


def _thirds(counts: np.ndarray) -> dict[str, np.ndarray]:
    known = counts > 0
    found = {"unknown": ~known}
    if known.any():
        first, second = np.quantile(counts[known], [1 / 3, 2 / 3])
        place = (counts > first).astype(int) + (counts > second)
        found |= {name: known & (place == at) for at, name in enumerate(SHARES)}
    return found
