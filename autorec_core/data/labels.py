"""The strata of a split: single labels if there are few, or else bins of similar labels."""

from __future__ import annotations

import numpy as np

HANDFUL = 20
"""Up to this number of different labels, each label is a stratum."""
BINS = 20
"""The approximate number of strata if there are more labels."""
FEWEST = 30
"""The approximate smallest number of rows in a bin."""
PARTS = 3


class Labels:
    """Collects the labels of all rows, chunk by chunk."""

    def __init__(self) -> None:
        self._chunks: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, found: np.ndarray, places: np.ndarray) -> None:
        """Adds one chunk: its different labels in order, and each row's place among them."""
        self._chunks.append((found, places))

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the different labels in order, and each row's place among them."""
        values = np.unique(np.concatenate([found for found, _ in self._chunks]))
        kind = np.min_scalar_type(max(len(values), 1))
        codes = [
            np.searchsorted(values, found).astype(kind)[places] for found, places in self._chunks
        ]
        return values, np.concatenate(codes)


def shown_label(label: float) -> str:
    """Returns a label as text, with as few digits as possible: 3, 3.5, 3.0000001."""
    short = f"{label:g}"
    return short if float(short) == label else f"{float(label)!r}"


def is_handful(counts: np.ndarray) -> bool:
    """Returns whether there are few different labels, each in several rows on average.

    Args:
        counts: Number of rows of each label, shape (labels,).
    """
    return len(counts) <= HANDFUL and bool(counts.sum() >= PARTS * len(counts))


def is_scale(values: np.ndarray, counts: np.ndarray) -> bool:
    """Returns whether labels are the steps of a scale, such as stars, and not prices or minutes.

    They are a handful, at equal steps, and rows have most of the steps. Other labels can have few
    different values too, above all in a small file, but the next file will have new ones.

    Args:
        values: The different labels in order, shape (labels,).
        counts: Number of rows of each label, shape (labels,).
    """
    if len(values) < 2 or not is_handful(counts):
        return False
    gaps = np.diff(values)
    steps = gaps / gaps.min()
    even = np.allclose(steps, np.round(steps), rtol=0.0, atol=1e-6)
    return bool(even and steps.sum() + 1 <= 2 * len(values))


def label_strata(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Assigns each label to a stratum, so that a split can be exact within each stratum.

    If there are few labels, each is a stratum. Otherwise there are about `BINS` bins with about
    equally many rows, and a label with as many rows as a bin is a bin alone. A stratum with too few
    rows to be split is merged with the nearer of its neighbours, unless all would become one.

    Args:
        values: The different labels in order, shape (labels,).
        counts: Number of rows of each label, shape (labels,).

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
    """Returns the greatest label of each stratum, shape (strata,); see `label_strata`."""
    ends: np.ndarray = values[np.append(np.flatnonzero(np.diff(strata)), len(values) - 1)]
    return ends


def _merged(values: np.ndarray, counts: np.ndarray, strata: np.ndarray, fewest: int) -> np.ndarray:
    """Merges each stratum with fewer than `fewest` rows with its nearer neighbour."""
    starts = np.append(0, np.flatnonzero(np.diff(strata)) + 1)
    rows = np.add.reduceat(counts, starts).tolist()
    # The gap between two strata: from the greatest label of one to the smallest of the next.
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
