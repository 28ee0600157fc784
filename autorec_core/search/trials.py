"""The trials of a search, in memory and on disk, and the models of the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autorec_core.metrics import Metric
from autorec_core.search.dialogue import Proposal
from autorec_core.search.records import TrialRecord, ranked
from autorec_core.search.store import Store
from autorec_core.training import Outcome


class Trials:
    """What is known of each trial.

    Records of an earlier run join this one when the oracle proposes their trials again. Two models
    are kept: the best trial's of this run, and the best one's of all records, which a later run
    with a greater `max_trials` may need.

    Args:
        store: The search's folder.
        records: Trials of an earlier run by number.
        metric: The objective's metric.
        max_trials: Records of this number or above are not part of this run.
    """

    def __init__(
        self, store: Store, records: dict[int, TrialRecord], metric: Metric, max_trials: int
    ) -> None:
        self.earlier = _without_retries(records)
        """Trials of an earlier run by number."""
        self.here: dict[int, TrialRecord] = {}
        """The trials of this run by number."""
        ends = (record.began + record.seconds for record in records.values())
        self.seconds = max(ends, default=0.0)
        """How long earlier runs have searched."""
        self._store = store
        self._metric = metric
        self._max_trials = max_trials

    @property
    def finished(self) -> tuple[TrialRecord, ...]:
        """The trials of an earlier run that this one need not run."""
        return tuple(
            record
            for number, record in self.earlier.items()
            if record.status != "running" and number < self._max_trials
        )

    @property
    def leaderboard(self) -> tuple[TrialRecord, ...]:
        """This run's trials, best first."""
        return tuple(ranked(self.here.values(), self._metric))

    @property
    def best(self) -> TrialRecord | None:
        """This run's best completed trial."""
        return _first_completed(self.leaderboard)

    def earlier_result(self, proposal: Proposal) -> TrialRecord | None:
        """The record of a proposed trial, if an earlier run has ended it; it joins this run."""
        record = self.earlier.get(proposal.number)
        if record is None:
            return None
        same = dict(record.hyperparameters) == proposal.hyperparameters
        if not same or proposal.epochs not in (None, record.epochs):
            self.forget(proposal.number, "the oracle proposes something else for this trial")
            return None
        if record.status == "running":
            return None
        self.here[proposal.number] = record
        return record

    def forget(self, number: int, reason: str) -> None:
        """Sets a trial's earlier record aside, with a warning that says why."""
        self._store.forget(self.earlier.pop(number), reason)

    def start(self, trial: TrialRecord) -> None:
        """Notes that a trial runs."""
        self.here[trial.number] = trial
        self._store.write(trial)

    def end(self, number: int, outcome: Outcome) -> TrialRecord:
        """Notes what became of a trial, and keeps its model if it is the best."""
        trial = self.here[number] = self.here[number].ended(outcome)
        planned = {n: record for n, record in self.earlier.items() if n < self._max_trials}
        best = _first_completed(ranked({**planned, **self.here}.values(), self._metric))
        if best is trial and outcome.model is not None:
            self._store.write_model(trial, outcome.model)
        self._store.write(trial)
        self._drop_models(best)
        self._store.write_tables(self.here.values())
        return trial

    def end_again(self, number: int, outcome: Outcome) -> TrialRecord:
        """Notes what became of a completed trial whose model was lost, when it was run again.

        If it has failed this time, its record stays on disk: a later run tries again.
        """
        trial = self.here[number] = self.here[number].ended(outcome)
        if outcome.model is not None:
            self._store.write_model(trial, outcome.model)
            self._store.write(trial)
        return trial

    def finish(self) -> None:
        """Brings models and tables to their last state."""
        self._drop_models(self.best)
        self._store.write_tables(self.here.values())

    def _drop_models(self, best: TrialRecord | None) -> None:
        overall = _first_completed(ranked({**self.earlier, **self.here}.values(), self._metric))
        kept = [trial.number for trial in (best, overall) if trial is not None]
        if kept:
            self._store.drop_models(kept)


def _first_completed(leaderboard: Sequence[TrialRecord]) -> TrialRecord | None:
    return next((trial for trial in leaderboard[:1] if trial.status == "completed"), None)


def _without_retries(records: dict[int, TrialRecord]) -> dict[int, TrialRecord]:
    """Records as if trials were still running that had failed for want of memory, say, at the end.

    Those that other trials were proposed after stay failed: the other trials depend on it.
    """
    built_upon = max((record.known for record in records.values()), default=0)
    return {
        number: replace(record, status="running")
        if record.passing and number >= built_upon
        else record
        for number, record in records.items()
    }
