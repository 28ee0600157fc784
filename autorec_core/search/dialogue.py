"""Decides when the oracle is asked for a trial and when it is told a result.

The oracle is told results in the order of its proposals. Each record says how many results the
oracle knew when it made the proposal. So a new oracle can be asked in exactly the same way. This is
how an interrupted search continues. It is also why, with a given number of workers, the order in
which trials end changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autorec_core.metrics import Metric
from autorec_core.search.oracles import ask, tell
from autorec_core.search.pruning import MedianRule
from autorec_core.search.records.record import TrialRecord
from autorec_core.training import Limits

_OWN_VALUES = "tuner/"
_EPOCHS, _TRIAL, _UNTIL = "tuner/epochs", "tuner/trial", "tuner/until"


@dataclass(frozen=True)
class Proposal:
    """A trial that the oracle proposes to start or to continue.

    Args:
        question: The number of the proposal, counted from 0.
        number: The number of the trial, counted from 0.
        hyperparameters: The values of the trial, without the notes of the oracle.
        known: How many results the oracle knew.
        epochs: How many epochs the trial trains; None if the oracle does not decide that.
        limits: Where the trial pauses or stops before the end of its budget.
    """

    question: int
    number: int
    hyperparameters: dict[str, Any]
    known: int
    epochs: int | None
    limits: Limits

    @property
    def until(self) -> int | None:
        """The evaluation at which the trial pauses; None if it does not pause."""
        return self.limits.until


class Dialogue:
    """Asks one oracle for trials and tells it their results.

    Args:
        oracle: Proposes trials.
        records: Records of an earlier run of this search, by the number of their proposal. The
            oracle is asked for them again in the same order.
        max_trials: The largest number of trials.
        metric: The metric of the objective.
        pruning: The rule that stops bad trials early; None for no such rule.
    """

    def __init__(
        self,
        oracle: Any,
        records: Mapping[int, TrialRecord],
        max_trials: int,
        metric: Metric,
        pruning: MedianRule | None = None,
    ) -> None:
        self.workers = 1
        """How many trials run at the same time."""
        self.epochs = 0.0
        """How many epochs were trained by the trials whose results the oracle knows."""
        self._oracle = oracle
        self._records = records
        self._max_trials = max_trials
        self._metric = metric
        self._pruning = pruning
        self._informed = oracle.informed or pruning is not None
        self._asked: list[Any] = []
        self._begun = 0
        self._told = 0
        self._spent: dict[int, float] = {}
        self._patience_for = 0
        self._exhausted = False

    @property
    def number(self) -> int:
        """The number of the next proposal."""
        return len(self._asked)

    @property
    def nothing_to_tell(self) -> bool:
        """Whether the oracle knows the results of all its proposals."""
        return self._told == len(self._asked)

    def go_on(self) -> None:
        """Tells the oracle one result earlier than usual, because it cannot propose without it."""
        self._patience_for += 1

    def may_ask(self, running: int, *, late: bool) -> bool:
        """Returns whether it is time to ask for the next trial.

        Args:
            running: How many trials run now.
            late: Whether no new trial may start. Trials on record are still asked for.
        """
        number = len(self._asked)
        if self._is_over():
            return False
        record = self._records.get(number)
        if record is not None:
            if self._told < min(record.known, number):
                return False
            return record.status != "running" or running < self.workers
        if late or running >= self.workers:
            return False
        return not self._informed or self._told >= self._due()

    def ask(self) -> Proposal | None:
        """Returns the next trial, or None if the oracle has none to propose now."""
        number, known = len(self._asked), self._told
        self._oracle.may_begin = self._begun < self._max_trials
        asked = ask(self._oracle, number)
        if asked.status == "IDLE" and known < number:
            self._patience_for = known + 1
            return None
        if asked.status != "RUNNING":
            self._exhausted = True
            return None
        self._asked.append(asked)
        values = dict(asked.hyperparameters.values)
        trial = int(values.get(_TRIAL, number))
        self._begun = max(self._begun, trial + 1)
        return Proposal(
            question=number,
            number=trial,
            hyperparameters={k: v for k, v in values.items() if not k.startswith(_OWN_VALUES)},
            known=known,
            epochs=int(values[_EPOCHS]) if _EPOCHS in values else None,
            limits=Limits(
                until=int(values[_UNTIL]) if _UNTIL in values else None,
                worst={} if self._pruning is None else self._pruning.worst(),
            ),
        )

    def tell_what_is_due(self, answers: Mapping[int, TrialRecord]) -> Iterator[TrialRecord]:
        """Tells the oracle the results that it must know before the next proposal.

        Args:
            answers: The records of the trials, by the number of their proposal.

        Yields:
            Each record that the oracle was told.
        """
        limit = self._due_to_tell()
        while self._told < limit:
            trial = answers.get(self._told)
            if trial is None or trial.status == "running":
                return
            curve = tuple(row[self._metric.name] for row in trial.curve)
            tell(
                self._oracle,
                self._asked[self._told],
                score=trial.score,
                step=trial.best_step,
                reason=trial.reason,
                stopped_early=trial.stopped == "plateau",
                curve=curve,
            )
            if self._pruning is not None and trial.score is not None:
                self._pruning.add(curve)
            self.epochs += trial.spent - self._spent.get(trial.number, 0.0)
            self._spent[trial.number] = trial.spent
            self._told += 1
            yield trial

    def _is_over(self) -> bool:
        """Returns whether no further trial can be asked for."""
        full = self._begun >= self._max_trials and not self._oracle.goes_on
        return full or self._exhausted

    def _due_to_tell(self) -> int:
        number = len(self._asked)
        if not self._is_over():
            record = self._records.get(number)
            if record is not None:
                return min(record.known, number)
            if self._informed:
                return self._due()
        return number

    def _due(self) -> int:
        """Returns how many results must be known first: all but those of other workers' trials."""
        due = max(len(self._asked) - self.workers + 1, self._patience_for, 0)
        return min(due, len(self._asked))
