"""Splits rows into train, valid and test, given the ratios and a seed."""

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
    """Assigns each row to a part, with exact ratios within each label.

    The rows of a label are shuffled and divided by the ratios. Remaining rows go to the parts with
    the largest fractions.

    Args:
        labels: Labels, or codes in the order of the labels, shape (rows,).
        ratios: The shares of train, valid and test, which sum to 1.
        seed: The seed of the shuffle.
        values: The labels that the codes mean, for messages.

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
    """Assigns each row to a part by its hash, independent of all other rows.

    A row stays in its part when other rows are added or removed. The sizes of the parts are random:
    of 100,000 rows, about 9,900 to 10,100 are in a part of one tenth.

    Args:
        identities: uint64 hashes that identify the rows, shape (rows,).
        ratios: The shares of train, valid and test, which sum to 1.
        seed: The seed; another seed gives another split.

    Returns:
        int8 part numbers (0 train, 1 valid, 2 test), shape (rows,).
    """
    share = (_drawn(identities, seed) >> np.uint64(11)) * 2.0**-53
    return np.searchsorted(np.cumsum(ratios)[:-1], share, side="right").astype(np.int8)


def time_split(times: np.ndarray, ratios: Sequence[float]) -> np.ndarray:
    """Assigns each row to a part by its time: train is the earliest, test the latest.

    Args:
        times: The time of each row, shape (rows,); rows with the same time keep their order.
        ratios: The shares of train, valid and test, which sum to 1.

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
    """Assigns each user's last row to test, the row before it to valid, and all others to train.

    All rows of a user with fewer than three rows are in train.

    Args:
        users: int codes of the users, shape (rows,).
        times: The time of each row, shape (rows,); if None, the order of the rows is used.

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
        raise DataError("No user has three rows, so there are no rows for valid and test.")
    parts = np.zeros(len(users), dtype=np.int8)
    parts[order[enough & (from_end == 1)]] = 1
    parts[order[enough & (from_end == 0)]] = 2
    return parts


def user_shares(users: np.ndarray, ratios: Sequence[float], seed: int) -> np.ndarray:
    """Divides each user's rows by the ratios, and all of them exactly.

    The rows of a user are shuffled. All rows of a user with fewer than three rows are in train.

    Args:
        users: int codes of the users, shape (rows,).
        ratios: The shares of train, valid and test, which sum to 1.
        seed: The seed of the shuffle.

    Returns:
        int8 part numbers (0 train, 1 valid, 2 test), shape (rows,).

    Raises:
        DataError: No user has three rows, or there are too few rows.
    """
    random = np.random.default_rng(seed)
    rows = random.permutation(len(users))
    turn = random.permutation(int(users.max()) + 1)  # users are not in the order of their codes
    rows = rows[np.argsort(turn[users[rows]], kind="stable")]
    rows = rows[np.bincount(users)[users[rows]] >= len(PARTS)]
    counts = _whole(np.asarray(ratios) * len(rows))
    if counts.min() == 0:
        raise DataError(
            f"Only {len(rows)} rows are of users with at least three rows, too few for train, "
            "valid and test."
        )
    # The rows of each part at equal distances: each run of rows has about the same shares.
    places = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    owner = np.repeat(np.arange(len(PARTS), dtype=np.int8), counts)
    parts = np.zeros(len(users), dtype=np.int8)
    parts[rows] = owner[np.argsort(places, kind="stable")]
    return parts


def parts_around(
    test: np.ndarray, strata: np.ndarray, ratios: Sequence[float], seed: int
) -> np.ndarray:
    """Assigns rows to train and valid, around the test rows that a protocol names.

    Args:
        test: bool, shape (rows,): the rows of test.
        strata: The stratum of each row, shape (rows,).
        ratios: The shares of train, valid and test; train and valid keep their proportion.
        seed: The seed of the draw of valid rows, which has the strata's shares.

    Returns:
        int8 part numbers (0 train, 1 valid, 2 test), shape (rows,).

    Raises:
        DataError: `test` is about another number of rows, or one of the parts would be empty.
    """
    if len(test) != len(strata):
        raise DataError(
            f"The protocol's folds are of {len(test):,} rows, but the raw file has {len(strata):,}."
        )
    parts = np.where(test, 2, 0).astype(np.int8)
    known = np.flatnonzero(~test)
    size = round(len(known) * ratios[1] / (ratios[0] + ratios[1]))
    parts[known[stratified_sample(strata[known], size, seed)]] = 1
    counts = np.bincount(parts, minlength=len(PARTS))
    if counts.min() == 0:
        raise DataError(f"The fold leaves {PARTS[counts.argmin()]} without a row.")
    return parts


def stratified_sample(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Draws a sample that keeps the labels' shares.

    Args:
        labels: Labels, or codes in the order of the labels, shape (rows,).
        size: Number of rows to draw; if there are fewer, all rows are taken.
        seed: The seed of the draw.

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
    """Draws a sample by the hashes of rows, with the labels' shares as in `stratified_sample`.

    When rows are added, a row that stays in the sample stays in the same part of a `hash_split`.

    Args:
        labels: Labels, or codes in the order of the labels, shape (rows,).
        identities: uint64 hashes that identify the rows, shape (rows,).
        size: Number of rows to draw; if there are fewer, all rows are taken.
        seed: The seed; another seed gives another sample.

    Returns:
        bool, shape (rows,).
    """
    chosen = np.ones(len(labels), dtype=bool)
    if size >= len(labels):
        return chosen
    chosen[:] = False
    # The split uses the first draw. With the same draw here, all rows would be in one part.
    order = _drawn(_drawn(identities, seed), seed)
    for rows, count in _shares(labels, size):
        chosen[rows[np.argsort(order[rows], kind="stable")[:count]]] = True
    return chosen


def _shares(labels: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yields the rows of each label, and how many of them a sample of `size` rows has."""
    groups = [rows for _, rows in _groups(labels)]
    counts = np.array([len(rows) for rows in groups])
    yield from zip(groups, _whole(counts * (size / len(labels))), strict=True)


def _groups(labels: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
    """Yields each label and its rows, both in order."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    starts = np.append(0, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)
    for start, end in zip(starts, np.append(starts[1:], len(labels)), strict=True):
        yield ordered[start], order[start:end]


def _drawn(identities: np.ndarray, seed: int) -> np.ndarray:
    """Computes a pseudo-random number for each row from its hash and the seed."""
    key = hashes(pa.array([f"split {seed}"]))
    return mixed(identities ^ mixed(key))


def _whole(exact: np.ndarray) -> np.ndarray:
    """Rounds to whole numbers with the same sum: down, then up for the largest fractions."""
    counts = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: round(exact.sum()) - counts.sum()]] += 1
    return counts
