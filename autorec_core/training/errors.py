"""What training can end in besides a model."""

from __future__ import annotations


class FailedTrial(Exception):  # noqa: N818 - what it says of the trial, as KerasTuner names it
    """This candidate cannot be trained, for the reason given; another one may.

    Args:
        reason: Why, for the leaderboard.
        passing: Whether another time may have what was wanting, such as memory.
    """

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing
