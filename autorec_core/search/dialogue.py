"""What the oracle is asked and told, and when.

The oracle is told results in the order of the trials' numbers, and each record says how many it
knew when it proposed the trial. So the same questions can be put to a new oracle: that is how an
interrupted search goes on, and why, with a given number of workers, timing decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autorec_core.search.oracles import ask, tell
from autorec_core.search.records import TrialRecord

_OWN_VALUES = "tuner/"
_EPOCHS = "tuner/epochs"


@dataclass(frozen=True)
class Proposal:
    """A trial that the oracle proposes.

    Args:
        number: Which one, counted from 0.
        hyperparameters: Its values, without what an oracle has noted among them.
        known: How many trials' results the oracle knew.
        epochs: How long it is to train, where the oracle decides that.
    """

    number: int
    hyperparameters: dict[str, Any]
    known: int
    epochs: int | None


class Dialogue:
    """The questions put to one oracle and what it has been told of the answers.

    Args:
        oracle: Asks for trials.
        records: Trials of an earlier run of this search by number; the same questions are put in
            the same order again.
        max_trials: At most so many questions.
    """

    def __init__(self, oracle: Any, records: Mapping[int, TrialRecord], max_trials: int) -> None:
        self.workers = 1
        """Trials at a time."""
        self._oracle = oracle
        self._records = records
        self._max_trials = max_trials
        self._asked: list[Any] = []
        self._told = 0
        self._patience_for = 0
        self._exhausted = False

    @property
    def number(self) -> int:
        """Which trial the next question asks for."""
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
        if number >= self._max_trials or self._exhausted:
            return False
        record = self._records.get(number)
        if record is not None:
            if self._told < min(record.known, number):
                return False
            return record.status != "running" or running < self.workers
        if late or running >= self.workers:
            return False
        return not self._oracle.informed or self._told >= self._due()

    def ask(self) -> Proposal | None:
        """The next trial, or None while the oracle has none to propose."""
        number, known = len(self._asked), self._told
        asked = ask(self._oracle, number)
        if asked.status == "IDLE" and known < number:
            self._patience_for = known + 1
            return None
        if asked.status != "RUNNING":
            self._exhausted = True
            return None
        self._asked.append(asked)
        values = dict(asked.hyperparameters.values)
        return Proposal(
            number=number,
            hyperparameters={k: v for k, v in values.items() if not k.startswith(_OWN_VALUES)},
            known=known,
            epochs=int(values[_EPOCHS]) if _EPOCHS in values else None,
        )

    def tell_what_is_due(self, trials: Mapping[int, TrialRecord]) -> Iterator[TrialRecord]:
        """Tells the oracle what it should know before the next question; gives each trial told."""
        limit = self._due_to_tell()
        while self._told < limit:
            trial = trials.get(self._told)
            if trial is None or trial.status == "running":
                return
            asked = self._asked[trial.number]
            tell(
                self._oracle,
                asked,
                score=trial.score,
                step=trial.best_step,
                reason=trial.reason,
                stopped_early=trial.stopped_early,
            )
            self._told += 1
            yield trial

    def _due_to_tell(self) -> int:
        number = len(self._asked)
        if number < self._max_trials and not self._exhausted:
            record = self._records.get(number)
            if record is not None:
                return min(record.known, number)
            if self._oracle.informed:
                return self._due()
        return number

    def _due(self) -> int:
        """How many results the next question waits for: all but those of other workers' trials."""
        due = max(len(self._asked) - self.workers + 1, self._patience_for, 0)
        return min(due, len(self._asked))
