"""The strata of a split: each label by itself where labels are few, else bins of like labels."""

from __future__ import annotations

import numpy as np

HANDFUL = 20
"""Up to so many different labels each are a stratum of their own."""
BINS = 20
"""About how many strata labels have that are more than a handful."""
FEWEST = 30
"""A bin of more than a handful of labels has about so many rows at least."""
PARTS = 3


class Labels:
    """Collects the labels of all rows, chunk by chunk; any number of different ones."""

    def __init__(self) -> None:
        self._chunks: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, found: np.ndarray, places: np.ndarray) -> None:
        """Takes in one chunk: the labels in it, in order, and each row's place among them."""
        self._chunks.append((found, places))

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """The different labels in order, and each row's place among them."""
        values = np.unique(np.concatenate([found for found, _ in self._chunks]))
        kind = np.min_scalar_type(max(len(values), 1))
        codes = [
            np.searchsorted(values, found).astype(kind)[places] for found, places in self._chunks
        ]
        return values, np.concatenate(codes)


def shown_label(label: float) -> str:
    """A label in as few digits as tell it from any other: 3, 3.5, 3.0000001."""
    short = f"{label:g}"
    return short if float(short) == label else f"{float(label)!r}"


def is_handful(counts: np.ndarray) -> bool:
    """Whether labels are few and come again and again.

    Args:
        counts: How many rows each label has, shape (labels,).
    """
    return len(counts) <= HANDFUL and bool(counts.sum() >= PARTS * len(counts))


def label_strata(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Which stratum each label belongs to, so that a split can be exact within each.

    A handful of labels are a stratum each. More of them are put into about `BINS` bins of equally
    many rows, where a label that has as many rows as a bin is a bin of its own. What has too few
    rows to be split joins the nearer of the strata beside it, unless all would become one.

    Args:
        values: The different labels in order, shape (labels,).
        counts: How many rows each has, shape (labels,).

    Returns:
        int64, rising with the labels from 0, shape (labels,).
    """
    if is_handful(counts):
        each = np.arange(len(values))
        merged = _merged(values, counts, each, PARTS)
        return merged if merged[-1] else each
    size = max(counts.sum() / BINS, FEWEST)
    is_bin = counts >= size
    first_row = np.cumsum(counts) - counts
    step = (first_row / size).astype(np.int64)
    begins = (np.diff(step, prepend=step[0]) > 0) | is_bin
    begins[1:] |= is_bin[:-1]
    begins[0] = False
    return _merged(values, counts, np.cumsum(begins), FEWEST // 2)


def upper_ends(values: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """The greatest label of each stratum, shape (strata,); see `label_strata`."""
    return values[np.append(np.flatnonzero(np.diff(strata)), len(values) - 1)]


def _merged(values: np.ndarray, counts: np.ndarray, strata: np.ndarray, fewest: int) -> np.ndarray:
    """The strata, where each with fewer than `fewest` rows has joined its nearer neighbour."""
    starts = np.append(0, np.flatnonzero(np.diff(strata)) + 1)
    rows = np.add.reduceat(counts, starts).tolist()
    # Between two strata stands the gap from the greatest label below to the least one above.
    gaps = (values[starts[1:]] - values[starts[1:] - 1]).tolist()
    firsts = starts.tolist()
    while len(rows) > 1 and min(rows) < fewest:
        at = rows.index(min(rows))
        below = gaps[at - 1] if at else np.inf
        above = gaps[at] if at < len(gaps) else np.inf
        left = at - 1 if below <= above else at
        rows[left] += rows.pop(left + 1)
        del gaps[left], firsts[left + 1]
    begins = np.zeros(len(values), dtype=np.int64)
    begins[firsts[1:]] = 1
    return np.cumsum(begins)
