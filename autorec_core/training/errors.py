"""The error of a training that cannot give a model."""

from __future__ import annotations


class FailedTrial(Exception):  # noqa: N818 - the name that KerasTuner uses
    """An error that means: this candidate cannot be trained, but others may be.

    Args:
        reason: Why, for the leaderboard.
        passing: Whether trying again later may help, for example if there was too little memory.
    """

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing
