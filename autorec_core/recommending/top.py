"""Finds the highest scores of each user, exactly and in a stable order."""

from __future__ import annotations

import numpy as np

_EXCLUDED = np.iinfo(np.int64).min
_LOW = np.int64(0xFFFFFFFF)


def best(
    scores: np.ndarray, excluded: tuple[np.ndarray, np.ndarray], top: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the positions of the highest scores of each row, the highest first.

    Among equal scores the first position wins.

    Args:
        scores: Finite float32 scores, shape (users, candidates).
        excluded: Rows and positions that do not count.
        top: The number of positions wanted in each row.

    Returns:
        int64 places, shape (users, at most `top`), and a bool array of the same shape that is
        False where a user has no more.
    """
    count = scores.shape[1]
    top = min(top, count)
    # The high bits are in the order of the scores; the low bits are the position, the first with
    # the largest value. All keys differ, so the result does not depend on the sorting algorithm.
    bits = (scores + np.float32(0)).view(np.int32)  # -0.0 is 0.0
    keys = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64) << 32
    keys |= np.arange(count - 1, -1, -1, dtype=np.int64)
    keys[excluded] = _EXCLUDED
    if top < count:
        keys = np.partition(keys, count - top, axis=1)[:, count - top :]
    keys = np.sort(keys, axis=1)[:, ::-1]
    return count - 1 - (keys & _LOW), keys != _EXCLUDED
