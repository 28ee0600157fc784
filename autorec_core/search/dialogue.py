"""What the oracle is asked and told, and when.

The oracle is told results in the order of the questions that they answer, and each record says how
many it knew when it was asked. So the same questions can be put to a new oracle: that is how an
interrupted search goes on, and why, with a given number of workers, timing decides nothing.
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
    """A trial that the oracle proposes to begin, or to go on with.

    Args:
        question: The question that it answers, counted from 0.
        number: The trial, counted from 0.
        hyperparameters: Its values, without what an oracle has noted among them.
        known: How many questions' results the oracle knew.
        epochs: How long it is to train, where the oracle decides that.
        limits: Where it stops before its budget is over.
    """

    question: int
    number: int
    hyperparameters: dict[str, Any]
    known: int
    epochs: int | None
    limits: Limits

    @property
    def until(self) -> int | None:
        """The evaluation at which it is paused."""
        return self.limits.until


class Dialogue:
    """The questions put to one oracle and what it has been told of the answers.

    Args:
        oracle: Asks for trials.
        records: Records of an earlier run of this search by question; the same questions are put in
            the same order again.
        max_trials: At most so many trials begin.
        metric: The objective's metric.
        pruning: Says where a trial is hopeless; None: trials are not pruned.
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
        """Trials at a time."""
        self.epochs = 0.0
        """Epochs that the trials have trained whose results the oracle knows."""
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
        """The next question."""
        return len(self._asked)

    @property
    def nothing_to_tell(self) -> bool:
        """Whether the oracle knows what became of all that it has proposed."""
        return self._told == len(self._asked)

    def go_on(self) -> None:
        """Lets one more result be told before the next question, though its turn has not come."""
        self._patience_for += 1

    def may_ask(self, running: int, *, late: bool) -> bool:
        """Whether the next question is due.

        Args:
            running: Trials that run now.
            late: Whether the time for new trials is over; those on record are still asked for.
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
        """The next trial, or None while the oracle has none to propose."""
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
        """Tells the oracle what it should know before the next question; gives each trial told.

        Args:
            answers: What is known of the trials, by the question that they answer.
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
        """Whether there is nothing more to ask for."""
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
        """How many results the next question waits for: all but those of other workers' trials."""
        due = max(len(self._asked) - self.workers + 1, self._patience_for, 0)
        return min(due, len(self._asked))
