"""Who wants to hear of a search while it runs: the terminal, a tracker, a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autorec_core.metrics import Metric
from autorec_core.search.records.record import TrialRecord

if TYPE_CHECKING:
    from autorec_core.search.result import SearchResult


@dataclass(frozen=True)
class SearchPlan:
    """What a search sets out to do.

    Args:
        objective: What is best, such as `val_mse`.
        metric: Its metric, which knows the direction.
        tuner: The algorithm's name.
        max_trials: At most so many trials.
        epochs: At most so many epochs a trial.
        workers: Trials at a time.
        directory: Where the search keeps what it has found.
        finished: Trials that an earlier, interrupted run of this search has finished.
    """

    objective: str
    metric: Metric
    tuner: str
    max_trials: int
    epochs: int
    workers: int
    directory: Path
    finished: tuple[TrialRecord, ...]


class Listener:
    """Hears of a search's events, all in the process and thread that called the search.

    Subclasses override what they want to hear. Trials finished by an earlier run are in
    `SearchPlan.finished` and cause no further events.
    """

    def on_search_start(self, plan: SearchPlan) -> None:
        """The search begins, or goes on."""

    def on_trial_start(self, trial: TrialRecord) -> None:
        """A trial has been handed to a worker."""

    def on_epoch(self, trial: TrialRecord, row: dict[str, float]) -> None:
        """A trial has been evaluated: a row of its curve, in order and each once."""

    def on_trial_pause(self, trial: TrialRecord) -> None:
        """A trial waits until it is known whether it is worth going on; then it starts again."""

    def on_trial_end(self, trial: TrialRecord) -> None:
        """A trial has completed or failed, or the search has ended while it was paused."""

    def on_search_end(self, result: SearchResult) -> None:
        """The search is over and has a winner."""


class Listeners(Listener):
    """Passes every event on to several listeners.

    Args:
        listeners: Who hears, in this order.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = tuple(listeners)

    def on_search_start(self, plan: SearchPlan) -> None:
        """Passes it on."""
        for listener in self._listeners:
            listener.on_search_start(plan)

    def on_trial_start(self, trial: TrialRecord) -> None:
        """Passes it on."""
        for listener in self._listeners:
            listener.on_trial_start(trial)

    def on_epoch(self, trial: TrialRecord, row: dict[str, float]) -> None:
        """Passes it on."""
        for listener in self._listeners:
            listener.on_epoch(trial, row)

    def on_trial_pause(self, trial: TrialRecord) -> None:
        """Passes it on."""
        for listener in self._listeners:
            listener.on_trial_pause(trial)

    def on_trial_end(self, trial: TrialRecord) -> None:
        """Passes it on."""
        for listener in self._listeners:
            listener.on_trial_end(trial)

    def on_search_end(self, result: SearchResult) -> None:
        """Passes it on."""
        for listener in self._listeners:
            listener.on_search_end(result)
