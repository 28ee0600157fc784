"""The split: train, valid and test, as a pure function of the rows, the ratios and the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from autorec_core.data.encoding.hashing import hashes, mixed
from autorec_core.data.labels import shown_label
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
    for label, rows in _groups(labels):
        if len(rows) < len(PARTS):
            shown = label if values is None else values[label]
            raise DataError(
                f"The label {shown_label(shown)} has {len(rows)} "
                f"row{'s' if len(rows) > 1 else ''}; a "
                f"stratified split needs at least {len(PARTS)} of each label."
            )
        random.shuffle(rows)
        ends = np.cumsum(_whole(np.asarray(ratios) * len(rows)))
        for part, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            parts[rows[start:end]] = part
    return parts


def hash_split(identities: np.ndarray, ratios: Sequence[float], seed: int) -> np.ndarray:
    """Which part each row belongs to by what the row itself is: no other row has a say in it.

    So a row stays in its part whatever rows come or go, and the shares of the parts are those of
    chance: of 100,000 rows, 10,000 give or take 100 or so are in a part of a tenth.

    Args:
        identities: uint64 hashes that name each row, shape (rows,).
        ratios: The shares of train, valid and test, summing to 1.
        seed: Another seed is another split.

    Returns:
        int8 part numbers (0 train, 1 valid, 2 test), shape (rows,).
    """
    share = (_drawn(identities, seed) >> np.uint64(11)) * 2.0**-53
    return np.searchsorted(np.cumsum(ratios)[:-1], share, side="right").astype(np.int8)


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
    for rows, count in _shares(labels, size):
        chosen[random.choice(rows, count, replace=False)] = True
    return chosen


def hash_sample(labels: np.ndarray, identities: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Which rows are in a sample by what each row itself is; see `stratified_sample`.

    When rows come in, a row that stays in the sample is in the same part of a `hash_split`.

    Args:
        labels: Labels, or codes in the order of the labels, shape (rows,).
        identities: uint64 hashes that name each row, shape (rows,).
        size: Number of rows to sample; all of them where there are not more.
        seed: Another seed is another sample.

    Returns:
        bool, shape (rows,).
    """
    chosen = np.ones(len(labels), dtype=bool)
    if size >= len(labels):
        return chosen
    chosen[:] = False
    # Drawn twice: the rows of a sample shall not all lie in the part that low draws lead to.
    order = _drawn(_drawn(identities, seed), seed)
    for rows, count in _shares(labels, size):
        chosen[rows[np.argsort(order[rows], kind="stable")[:count]]] = True
    return chosen


def _shares(labels: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """The rows of each label, and how many of them belong to a sample of `size` rows."""
    groups = [rows for _, rows in _groups(labels)]
    counts = np.array([len(rows) for rows in groups])
    yield from zip(groups, _whole(counts * (size / len(labels))), strict=True)


def _groups(labels: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
    """Each label that occurs, in order, and its rows, in order."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    starts = np.append(0, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)
    for start, end in zip(starts, np.append(starts[1:], len(labels)), strict=True):
        yield ordered[start], order[start:end]


def _drawn(identities: np.ndarray, seed: int) -> np.ndarray:
    """A number for each row that is as good as random, and the same whenever it is asked for."""
    key = hashes(pa.array([f"split {seed}"]))
    return mixed(identities ^ mixed(key))


def _whole(exact: np.ndarray) -> np.ndarray:
    """Whole numbers with the same sum: floors, then one more to the largest fractions."""
    counts = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: round(exact.sum()) - counts.sum()]] += 1
    return counts
