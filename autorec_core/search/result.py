"""What a search has come to."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autorec_core.metrics import Metric
from autorec_core.recommender import Recommender
from autorec_core.search.records.record import TrialRecord
from autorec_core.search.space import resolved


@dataclass(frozen=True)
class SearchResult:
    """A search's winner, and how all trials went.

    Args:
        objective: What was best, such as `val_mse`.
        metric: Its metric, which knows the direction.
        best: The winning trial: the one with the best score, or the default candidate if no other
            is clearly better than that.
        leaderboard: The winning trial, then all others, best first; those that failed at the end.
        winner: The winning recommender, resolved.
        recommender: The space that was searched.
        model_path: The winner's .keras file: the weights of its best evaluation.
        directory: Where the search keeps what it has found; leaderboard.csv and curves.csv too.
        constant_score: The objective of always predicting the training labels' mean.
        seconds: How long this run of the search took.
    """

    objective: str
    metric: Metric
    best: TrialRecord
    leaderboard: tuple[TrialRecord, ...]
    winner: Recommender
    recommender: Recommender
    model_path: Path
    directory: Path
    constant_score: float
    seconds: float

    @property
    def warning(self) -> str | None:
        """What must be said loudly: that the winner has learned nothing, or None."""
        score, schedule = self.best.score, self.best.schedule
        constant = schedule is not None and schedule.constant
        if score is not None and not constant and self.metric.better(score, self.constant_score):
            return None
        return (
            f"The winner is not better than always predicting the mean: {self.objective} "
            f"{score:.4f}, the mean has {self.constant_score:.4f}."
        )

    def candidate(self, trial: TrialRecord) -> Recommender:
        """The resolved recommender that a trial has trained."""
        return resolved(self.recommender, trial.hyperparameters)

    def load_model(self) -> Any:
        """The winner as an ordinary compiled Keras model."""
        from autorec_core import registration

        registration.register_layers()
        import keras

        with warnings.catch_warnings():
            # The file holds no moments of the Keras optimizer: they would triple its size.
            warnings.filterwarnings("ignore", message="Skipping variable loading for optimizer")
            return keras.saving.load_model(self.model_path)
