"""The result of a search."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autorec_core.metrics import Metric
from autorec_core.recommender import Recommender
from autorec_core.search.records.record import TrialRecord
from autorec_core.search.records.store import predictions_path
from autorec_core.search.space import resolved


@dataclass(frozen=True)
class SearchResult:
    """The winner of a search, and all trials.

    Args:
        objective: The name of what was optimised, such as `val_mse`.
        metric: The metric of the objective, which knows the direction.
        best: The winning trial: the one with the best score, or the default candidate if no other
            is clearly better.
        leaderboard: The winning trial, then the others, best first; failed trials are at the end.
        winner: The winning recommender, without open settings.
        recommender: The search space.
        model_path: The .keras file of the winner, with the weights of its best evaluation.
        directory: The folder of the search, which also contains leaderboard.csv and curves.csv.
        constant_score: The objective of always predicting the mean of the training labels.
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
        """A warning if the winner has learned nothing, or else None."""
        score, schedule = self.best.score, self.best.schedule
        constant = schedule is not None and schedule.constant
        if score is not None and not constant and self.metric.better(score, self.constant_score):
            return None
        return (
            f"The winner is not better than always predicting the mean: {self.objective} "
            f"{score:.4f}, the mean has {self.constant_score:.4f}."
        )

    def candidate(self, trial: TrialRecord) -> Recommender:
        """Returns the recommender that a trial has trained, without open settings."""
        return resolved(self.recommender, trial.hyperparameters)

    def predictions(self, trial: TrialRecord) -> np.ndarray | None:
        """Returns what a trial's model predicted for the valid rows.

        Returns:
            float32, shape (valid rows,); None if its file is lost or damaged.
        """
        path = self.directory / predictions_path(trial)
        try:
            return np.asarray(np.load(path, allow_pickle=False), np.float32)
        except (OSError, ValueError, EOFError):
            return None

    def load_model(self) -> Any:
        """Loads the winner as an ordinary compiled Keras model."""
        from autorec_core import registration

        registration.register_layers()
        import keras

        with warnings.catch_warnings():
            # Without the moments of the Keras optimizer, the file has a third of the size.
            warnings.filterwarnings("ignore", message="Skipping variable loading for optimizer")
            return keras.saving.load_model(self.model_path)
