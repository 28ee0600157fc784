"""The record of a trial, as listeners get it and as it is stored on disk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from autorec_core.metrics import Metric
from autorec_core.training import Outcome, Schedule, Stopped

Status = Literal["running", "completed", "failed", "refitted"]
"""A refitted candidate was trained with a known schedule, and not judged on the valid rows."""

Key = tuple[int, int | None]
"""The number of a trial, and the evaluation at which this part ends; None if it has one part."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial after one part of its training.

    Most algorithms train a trial without a pause. Successive halving pauses it at a rung. If it is
    promoted, its training continues: this is the next part, with a record of its own. Each record
    holds everything that is known about the trial at that time.

    Args:
        number: The number of the trial, counted from 0.
        hyperparameters: The searched values by path, only those that this candidate has.
        known: How many results the oracle knew when it proposed this part.
        epochs: The largest number of epochs.
        question: The number of the proposal for this part, counted from 0; None if another part
            has taken its place.
        until: The evaluation at which this part ends at the latest; None for the end of training.
        status: How far it is.
        score: The objective at the best evaluation.
        best_step: The number of the best evaluation, counted from 1.
        metrics: All metrics at the best evaluation.
        curve: One row for each evaluation: step, epoch, loss, learning_rate, seconds, metrics.
        schedule: How to train equally long on other rows.
        seconds: The training time of all parts.
        before: The training time of the earlier parts, in seconds.
        spent: How many epochs all parts have trained.
        reason: Why the trial failed.
        passing: Whether the trial failed for a reason that may pass, such as too little memory.
        stopped: Why the training stopped; None while it runs or if it failed.
        began: When this part started, in seconds since the search began, over all its runs.
    """

    number: int
    hyperparameters: Mapping[str, Any]
    known: int
    epochs: int
    question: int | None = None
    until: int | None = None
    status: Status = "running"
    score: float | None = None
    best_step: int = 0
    metrics: Mapping[str, float] | None = None
    curve: tuple[dict[str, float], ...] = ()
    schedule: Schedule | None = None
    seconds: float = 0.0
    before: float = 0.0
    spent: float = 0.0
    reason: str | None = None
    passing: bool = False
    stopped: Stopped | None = None
    began: float = 0.0

    @property
    def key(self) -> Key:
        """The key by which the parts of trials are told apart."""
        return self.number, self.until

    @property
    def over(self) -> float:
        """When this part ended, in seconds since the search began."""
        return self.began + self.seconds - self.before

    def ended(self, outcome: Outcome) -> TrialRecord:
        """Returns the record with the outcome of the trial."""
        return replace(
            self,
            status="completed" if outcome.reason is None else "failed",
            score=outcome.score,
            best_step=outcome.best_step,
            metrics=outcome.metrics,
            curve=outcome.curve,
            schedule=outcome.schedule,
            seconds=round(self.before + outcome.seconds, 3),
            spent=outcome.curve[-1]["epoch"] if outcome.curve else self.spent,
            reason=outcome.reason,
            passing=outcome.passing,
            stopped=outcome.stopped,
        )

    def running(self) -> TrialRecord:
        """Returns the record as it was before the trial ended."""
        return TrialRecord(
            self.number,
            self.hyperparameters,
            self.known,
            self.epochs,
            self.question,
            self.until,
            before=self.before,
            spent=self.spent,
            began=self.began,
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the record as JSON-serialisable data."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrialRecord:
        """Makes a record from what `to_json` returned.

        Raises:
            TypeError: The content is not a record.
            ValueError: A value is not possible.
        """
        schedule = content["schedule"]
        record = cls(
            **{
                **content,
                "curve": tuple(content["curve"]),
                "schedule": schedule and Schedule.from_json(schedule),
            }
        )
        record._check()
        return record

    def _check(self) -> None:
        question = max(self.known, self.number) if self.question is None else self.question
        until = 1 if self.until is None else self.until
        whole = (self.number, self.known, self.epochs, self.best_step, question, until)
        if not all(isinstance(value, int) for value in whole):
            raise TypeError(
                "its number, `known`, `epochs`, `best_step`, `question` and `until` must be whole "
                "numbers"
            )
        if not (0 <= self.known <= question and 0 <= self.number <= question):
            raise ValueError("its number and `known` must be between 0 and `question`")
        if self.epochs < 1 or until < 1:
            raise ValueError("`epochs` and `until` must be above 0")
        if self.status not in get_args(Status) or not isinstance(self.hyperparameters, dict):
            raise ValueError(f"its status must be one of {', '.join(get_args(Status))}")
        if (self.status == "completed") != (self.score is not None):
            raise ValueError("only a completed trial has a score")
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError("its score is not finite")
        if self.status == "completed" and (self.schedule is None or not self.curve):
            raise ValueError("a completed trial must have a schedule and a curve")
        if (self.status == "completed") != (self.stopped in get_args(Stopped)):
            raise ValueError("only a completed trial has a reason why it stopped")


def ranked(records: Iterable[TrialRecord], metric: Metric) -> list[TrialRecord]:
    """Returns the completed trials, best first, then the others. Equal scores: by number."""
    completed = [record for record in records if record.status == "completed"]
    others = [record for record in records if record.status != "completed"]
    sign = 1 if metric.direction == "min" else -1
    return [
        *sorted(completed, key=lambda record: (sign * (record.score or 0.0), record.number)),
        *sorted(others, key=lambda record: record.number),
    ]
