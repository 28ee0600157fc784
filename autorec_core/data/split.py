"""The split: train, valid and test, stratified by label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autorec_core.errors import DataError

PARTS = ("train", "valid", "test")


def stratified_split(labels: np.ndarray, ratios: Sequence[float], seed: int) -> np.ndarray:
    """Which part each row belongs to, exact within each label.

    A pure function of its arguments: within a label, rows are shuffled and cut where the ratios
    say, the remainder going to the parts with the largest fractions.

    Args:
        labels: float labels, shape (rows,).
        ratios: The shares of train, valid and test, summing to 1.
        seed: Seeds the shuffle.

    Returns:
        int8 part numbers (0 train, 1 valid, 2 test), shape (rows,).

    Raises:
        DataError: A label has fewer rows than there are parts.
    """
    parts = np.empty(len(labels), dtype=np.int8)
    random = np.random.default_rng(seed)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if len(rows) < len(PARTS):
            raise DataError(
                f"The label {label:g} has {len(rows)} rows; a stratified split needs at least "
                f"{len(PARTS)} of each label."
            )
        random.shuffle(rows)
        ends = np.cumsum(_counts(len(rows), ratios))
        for part, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            parts[rows[start:end]] = part
    return parts


def _counts(rows: int, ratios: Sequence[float]) -> np.ndarray:
    """Whole rows for each part: floors, then one more to the largest fractions."""
    exact = np.asarray(ratios, dtype=np.float64) * rows
    counts = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: rows - counts.sum()]] += 1
    return counts
