"""Chooses a setting of a baseline on the valid rows."""

from __future__ import annotations

from collections.abc import Callable


def choose(
    candidates: tuple[float, ...], start: float, valid_loss: Callable[[float], float]
) -> float:
    """Finds a candidate with the smallest valid loss by descent from `start`.

    Args:
        candidates: The candidates in rising order.
        start: The candidate to try first.
        valid_loss: Computes the loss of a candidate on the valid rows.
    """
    place = candidates.index(start)
    least = valid_loss(start)
    for step in (1, -1):
        moved = False
        while 0 <= place + step < len(candidates):
            loss = valid_loss(candidates[place + step])
            if not loss < least:
                break
            place, least, moved = place + step, loss, True
        if moved:
            break
    return candidates[place]
