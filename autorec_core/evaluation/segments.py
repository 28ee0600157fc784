"""Segments of rows by how often their ids occur in train: unknown, rare, medium, frequent."""

from __future__ import annotations

import numpy as np

from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.encoding.vocabulary import UNKNOWN

SHARES = ("rare", "medium", "frequent")


def segments(
    preprocessor: Preprocessor, ids: np.ndarray, *, min_rows: int
) -> dict[str, np.ndarray]:
    """Divides rows by how often their user, and their item, occurs in train.

    If there are no users and items, rows are divided by their rarest id. Rows with known ids are
    divided into thirds: rare, medium and frequent.

    Args:
        preprocessor: Holds how often each id occurs in train.
        ids: int32, shape (rows, categorical columns).
        min_rows: Segments with fewer rows are left out, because their mean is mostly chance.

    Returns:
        For each segment's name, which rows belong to it, bool, shape (rows,).
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
    """Returns how often each id of a column occurs in train; 0 for "unknown"."""
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
