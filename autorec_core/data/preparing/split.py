"""The split: train, valid and test, as a pure function of the rows, the ratios and the seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autorec_core.errors import DataError

PARTS = ("train", "valid", "test")


def stratified_split(
    labels: np.ndarray, ratios: Sequence[float], seed: int, *, values: np.ndarray | None = None
) -> np.ndarray:
    """Which part each row belongs to, exact within each label.

    Within a label, rows are shuffled and cut where the ratios say, the remainder going to the
    parts with the largest fractions.

    Args:
        labels: Labels, or codes in the order of the labels, shape (rows,).
        ratios: The shares of train, valid and test, summing to 1.
        seed: Seeds the shuffle.
        values: What the codes stand for, for messages.

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
            shown = label if values is None else values[label]
            raise DataError(
                f"The label {shown:g} has {len(rows)} row{'s' if len(rows) > 1 else ''}; a "
                f"stratified split needs at least {len(PARTS)} of each label."
            )
        random.shuffle(rows)
        ends = np.cumsum(_whole(np.asarray(ratios) * len(rows)))
        for part, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            parts[rows[start:end]] = part
    return parts


def time_split(times: np.ndarray, ratios: Sequence[float]) -> np.ndarray:
    """Which part each row belongs to when the past is to predict the future.

    Args:
        times: When each row happened, shape (rows,); rows of one moment keep their order.
        ratios: The shares of train, valid and test, summing to 1.

    Returns:
        int8 part numbers (0 train, 1 valid, 2 test), shape (rows,).

    Raises:
        DataError: There are fewer rows than parts.
    """
    counts = _whole(np.asarray(ratios) * len(times))
    if counts.min() == 0:
        raise DataError(f"{len(times)} rows are too few for train, valid and test.")
    parts = np.empty(len(times), dtype=np.int8)
    parts[np.argsort(times, kind="stable")] = np.repeat(np.arange(3, dtype=np.int8), counts)
    return parts


def user_split(users: np.ndarray, times: np.ndarray | None) -> np.ndarray:
    """Which part each row belongs to when each user's last rows are left out.

    The last row of each user is for test and the one before for validation; a user with fewer
    than three rows is in training only.

    Args:
        users: int codes of the users, shape (rows,).
        times: When each row happened, shape (rows,); without them the order of the rows counts.

    Returns:
        int8 part numbers (0 train, 1 valid, 2 test), shape (rows,).

    Raises:
        DataError: No user has three rows.
    """
    rows = np.arange(len(users))
    order = np.lexsort((rows, times, users) if times is not None else (rows, users))
    ordered = users[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(users) - 1)
    sizes = np.diff(ends, prepend=-1)
    from_end = np.repeat(ends, sizes) - rows
    enough = np.repeat(sizes >= len(PARTS), sizes)
    if not enough.any():
        raise DataError("No user has three rows, so none can be left out for valid and test.")
    parts = np.zeros(len(users), dtype=np.int8)
    parts[order[enough & (from_end == 1)]] = 1
    parts[order[enough & (from_end == 0)]] = 2
    return parts


def stratified_sample(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Which rows are in a sample that keeps the labels' shares.

    Args:
        labels: Labels, or codes in the order of the labels, shape (rows,).
        size: Number of rows to sample; all of them where there are not more.
        seed: Seeds the choice.

    Returns:
        bool, shape (rows,).
    """
    chosen = np.ones(len(labels), dtype=bool)
    if size >= len(labels):
        return chosen
    chosen[:] = False
    random = np.random.default_rng(seed)
    found, counts = np.unique(labels, return_counts=True)
    for label, count in zip(found, _whole(counts * (size / len(labels))), strict=True):
        chosen[random.choice(np.flatnonzero(labels == label), count, replace=False)] = True
    return chosen


def _whole(exact: np.ndarray) -> np.ndarray:
    """Whole numbers with the same sum: floors, then one more to the largest fractions."""
    counts = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: round(exact.sum()) - counts.sum()]] += 1
    return counts
