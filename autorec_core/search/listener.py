"""The events of a search, for the terminal, a tracker or a test."""

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
    """What a search is going to do.

    Args:
        objective: The name of what is optimised, such as `val_mse`.
        metric: The metric of the objective, which knows the direction.
        tuner: The name of the algorithm.
        max_trials: The largest number of trials.
        epochs: The largest number of epochs of a trial.
        workers: How many trials run at the same time.
        directory: The folder of the search.
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
    """Gets the events of a search, in the process and thread that started it.

    Subclasses override the events that they need. Trials that an earlier run has finished are in
    `SearchPlan.finished` and cause no further events.
    """

    def on_search_start(self, plan: SearchPlan) -> None:
        """The search starts or continues."""

    def on_trial_start(self, trial: TrialRecord) -> None:
        """A trial has been handed to a worker."""

    def on_epoch(self, trial: TrialRecord, row: dict[str, float]) -> None:
        """A trial was evaluated. Each row of its learning curve comes once and in order."""

    def on_trial_pause(self, trial: TrialRecord) -> None:
        """A trial pauses. If it turns out to be good enough, it starts again later."""

    def on_trial_end(self, trial: TrialRecord) -> None:
        """A trial has completed or failed, or the search has ended while the trial was paused."""

    def on_search_end(self, result: SearchResult) -> None:
        """The search is over and has a winner."""


class Listeners(Listener):
    """Passes every event on to several listeners.

    Args:
        listeners: The listeners, in the order in which they get each event.
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
