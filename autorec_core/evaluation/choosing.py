"""Chooses a setting of a baseline on the valid rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

FIRST_STRIDE = 8
"""The first steps of a choice are this long; the last ones go from neighbour to neighbour."""


def choose(
    candidates: tuple[float, ...],
    start: float,
    valid_loss: Callable[[float], float],
    stride: int = FIRST_STRIDE,
) -> float:
    """Finds a candidate with the smallest valid loss by descent from `start`.

    The descent begins with long steps and halves them, so that a fine grid costs few fits.

    Args:
        candidates: The candidates in rising order.
        start: The candidate to try first.
        valid_loss: Computes the loss of a candidate on the valid rows. No
            candidate is computed twice.
        stride: The length of the first steps.
    """
    loss = cache(lambda place: valid_loss(candidates[place]))
    place = candidates.index(start)
    while stride:
        near = (place + stride, place - stride)
        lower = (at for at in near if 0 <= at < len(candidates) and loss(at) < loss(place))
        best = next(lower, None)
        if best is None:
            stride //= 2
        else:
            place = best
    return candidates[place]
