"""The trials of a search, in memory and on disk, and the models of the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from autorec_core.metrics import Metric
from autorec_core.search.dialogue import Proposal
from autorec_core.search.records.record import Key, TrialRecord, ranked
from autorec_core.search.records.store import Store
from autorec_core.training import Outcome


class Trials:
    """The records of all trials, in memory and on disk.

    A record of an earlier run becomes part of this run when the oracle proposes its trial again.
    Two models are kept: that of the best trial of this run, and that of the best trial of all
    records, because a later run with a larger `max_trials` may need it. The checkpoints of paused
    trials are kept too.

    Args:
        store: The folder of the search.
        records: The records of an earlier run, by their key.
        metric: The metric of the objective.
        max_trials: Trials with this number or a higher one are not part of this run.
    """

    def __init__(
        self, store: Store, records: Mapping[Key, TrialRecord], metric: Metric, max_trials: int
    ) -> None:
        self._earlier = _without_retries(records)
        self.asked_earlier = {
            record.question: record
            for record in self._earlier.values()
            if record.question is not None
        }
        """Records of an earlier run, by the number of their proposal."""
        self.here: dict[int, TrialRecord] = {}
        """The trials of this run by number, each with its latest part."""
        self.answers: dict[int, TrialRecord] = {}
        """The parts of the trials of this run, by the number of their proposal."""
        self.seconds = max((record.over for record in records.values()), default=0.0)
        """How many seconds earlier runs have searched."""
        self._store = store
        self._metric = metric
        self._max_trials = max_trials

    @property
    def finished(self) -> tuple[TrialRecord, ...]:
        """The trials that an earlier run has finished, each with its last part."""
        last = {
            record.number: record
            for record in sorted(self._earlier.values(), key=_place)
            if record.status != "running" and record.number < self._max_trials
        }
        return tuple(last.values())

    @property
    def leaderboard(self) -> tuple[TrialRecord, ...]:
        """The trials of this run, best first."""
        return tuple(ranked(self.here.values(), self._metric))

    @property
    def best(self) -> TrialRecord | None:
        """The best completed trial of this run."""
        return _first_completed(self.leaderboard)

    def earlier_result(self, proposal: Proposal) -> TrialRecord | None:
        """Returns the record of a proposal if an earlier run has finished it, and takes it over."""
        record = self._earlier.get((proposal.number, proposal.until))
        if record is None:
            return None
        same = dict(record.hyperparameters) == proposal.hyperparameters
        if not same or proposal.epochs not in (None, record.epochs):
            self._forget(record, "the oracle proposes something else for this trial")
            return None
        if record.status == "running":
            return None
        if record.question != proposal.question:
            self._free_question_of(record)
            record = replace(record, question=proposal.question, known=proposal.known)
            self._put_in_place(record)
            self._store.write(record)
        self.here[record.number] = self.answers[proposal.question] = record
        return record

    def not_proposed(self, question: int) -> None:
        """Notes that the oracle, asked again, has proposed nothing."""
        record = self.asked_earlier.pop(question, None)
        if record is not None and record.until is None:
            self._forget(record, "the oracle does not propose this trial")

    def start(self, trial: TrialRecord) -> bytes | None:
        """Notes that a trial runs. Returns the checkpoint from which it continues, if any."""
        paused = self.here.get(trial.number)
        self._put_in_place(trial)
        assert trial.question is not None
        self.here[trial.number] = self.answers[trial.question] = trial
        self._store.write(trial)
        return None if paused is None else self._store.read_checkpoint(paused)

    def end(self, number: int, outcome: Outcome) -> TrialRecord:
        """Notes the outcome of a trial, and keeps its model if it is the best."""
        trial = self.here[number] = self.here[number].ended(outcome)
        assert trial.question is not None
        self.answers[trial.question] = trial
        planned = {n: r for n, r in self._last_parts().items() if n < self._max_trials}
        best = _first_completed(ranked({**planned, **self.here}.values(), self._metric))
        compared = trial.number == 0 and outcome.predicted is not None
        if outcome.model is not None and (best is trial or compared):
            self._store.write_model(trial, outcome.model)
        if outcome.predicted is not None:
            self._store.write_predictions(trial, outcome.predicted)
        if outcome.checkpoint is not None:
            self._store.write_checkpoint(trial, outcome.checkpoint)
        self._store.write(trial)
        self._drop_models(best)
        self._drop_checkpoints()
        self._store.write_tables(self.here.values())
        return trial

    def end_again(self, number: int, outcome: Outcome) -> TrialRecord:
        """Notes the outcome of a trial that was run again because its model was lost.

        If it failed this time, the record on disk stays as it was, so that a later run tries again.
        """
        trial = self.here[number] = replace(self.here[number], before=0.0).ended(outcome)
        if outcome.model is not None:
            self._store.write_model(trial, outcome.model)
            self._store.write(trial)
        return trial

    def winner(self, labels: np.ndarray) -> TrialRecord | None:
        """Returns the best trial, or the default candidate if no other is clearly better.

        The best of many candidates is a little better than the first one by chance alone. It must
        be better by more than one standard error of the difference. A metric without row losses,
        such as AUC, has no such error: the best trial wins.

        Args:
            labels: Of the valid rows, shape (rows,).
        """
        best, default = self.best, self.here.get(0)
        if best is None or default is None or default is best or default.status != "completed":
            return best
        if self._metric.row_losses is None:
            return best
        ours, its = self._store.read_predictions(best), self._store.read_predictions(default)
        if ours is None or its is None or not self._store.has_model(default):
            return best
        return best if self._metric.clearly_better(labels, ours, its) else default

    def finish(self) -> None:
        """Removes the models that are no longer needed and writes the tables a last time."""
        self._drop_models(self.best)
        self._store.write_tables(self.here.values())

    def _put_in_place(self, trial: TrialRecord) -> None:
        """Makes a part of a trial the answer to its proposal, instead of one of an earlier run.

        The other record stays on disk. If its part is proposed later, the result is known.
        """
        assert trial.question is not None
        other = self.asked_earlier.get(trial.question)
        if other is not None and other.key != trial.key:
            self._store.write(replace(other, question=None))
        self.asked_earlier[trial.question] = trial

    def _forget(self, record: TrialRecord, reason: str) -> None:
        """Moves a record of an earlier run out of the way, with a warning that says why."""
        self._store.forget(self._earlier.pop(record.key), reason)
        self._free_question_of(record)

    def _free_question_of(self, record: TrialRecord) -> None:
        """Removes a record of an earlier run as the answer to its proposal."""
        if record.question is not None:
            answering = self.asked_earlier.get(record.question)
            if answering is not None and answering.key == record.key:
                del self.asked_earlier[record.question]

    def _last_parts(self) -> dict[int, TrialRecord]:
        """Returns the last finished part of each trial by number, of this run or an earlier one."""
        known = {r.key: r for r in (*self._earlier.values(), *self.answers.values())}
        ended = [record for record in known.values() if record.status != "running"]
        return {record.number: record for record in sorted(ended, key=_place)}

    def _drop_models(self, best: TrialRecord | None) -> None:
        overall = _first_completed(ranked(self._last_parts().values(), self._metric))
        kept = [trial for trial in (best, overall, self._default) if trial is not None]
        if best is not None or overall is not None:
            self._store.drop_models(kept)

    @property
    def _default(self) -> TrialRecord | None:
        """The last part of the default candidate that has ended, if its predictions are known."""
        default = self._last_parts().get(0)
        known = default is not None and self._store.read_predictions(default) is not None
        return default if known else None

    def _drop_checkpoints(self) -> None:
        """Removes the checkpoints of trials that will not continue."""
        last = self._last_parts().values()
        paused = [record for record in last if record.stopped == "paused"]
        self._store.drop_checkpoints(ranked(paused, self._metric))


def _place(record: TrialRecord) -> tuple[int, int]:
    return record.number, record.until or 0


def _first_completed(leaderboard: Sequence[TrialRecord]) -> TrialRecord | None:
    return next((trial for trial in leaderboard[:1] if trial.status == "completed"), None)


def _without_retries(records: Mapping[Key, TrialRecord]) -> dict[Key, TrialRecord]:
    """Returns the records, with the last trials as "running" if trying again may help them.

    Such a trial failed for a passing reason, such as too little memory. If later trials were
    proposed with the knowledge that it failed, it stays failed.
    """
    built_upon = max((record.known for record in records.values()), default=0)
    return {
        key: replace(record, status="running")
        if record.passing and (record.question is None or record.question >= built_upon)
        else record
        for key, record in records.items()
    }
