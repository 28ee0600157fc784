"""What a search knows of its trials, as listeners see it and as it lies on disk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from autorec_core.metrics import Metric
from autorec_core.training import Outcome, Schedule, Stopped

Status = Literal["running", "completed", "failed"]

Key = tuple[int, int | None]
"""A trial's number, and the evaluation at which this part of it ends; None: it has one part."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial, after one of the parts that it is trained in.

    Most algorithms train a trial in one go. Successive halving pauses it at a rung, and a promoted
    trial goes on: that is the next part, with a record of its own. Each record says all that is
    known of the trial by then.

    Args:
        number: Its place in the search, counted from 0.
        hyperparameters: The searched values by path; those that are live in this candidate.
        known: Results that the oracle had been told of when it proposed this part.
        epochs: The most it may train.
        question: Which of the oracle's proposals this part is, counted from 0; None where another
            part has taken its place.
        until: The evaluation at which this part ends at the latest; None for no such end.
        status: Where it stands.
        score: The objective of its best evaluation.
        best_step: That evaluation, counted from 1.
        metrics: All metrics at that evaluation.
        curve: One row an evaluation: step, epoch, loss, learning_rate, seconds and the metrics.
        schedule: How to train as long on other rows.
        seconds: How long it has trained, in all its parts.
        before: How long its earlier parts took.
        spent: Epochs that it has trained, in all its parts.
        reason: Why it failed.
        passing: Whether it failed for want of something another time may have.
        stopped: Why it stopped; None while it runs, and where it failed.
        began: When this part started, in seconds of the search's runs.
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
        """What tells the parts of trials apart."""
        return self.number, self.until

    @property
    def over(self) -> float:
        """When this part was over, in seconds of the search."""
        return self.began + self.seconds - self.before

    def ended(self, outcome: Outcome) -> TrialRecord:
        """This trial with what became of it."""
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
        """This trial as it was before it ended."""
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
        """As JSON-serialisable data."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrialRecord:
        """The record that `to_json` described.

        Raises:
            TypeError: It is not a record.
            ValueError: A value in it cannot be.
        """
        schedule = content["schedule"]
        record = cls(
            **{
                **content,
                "curve": tuple(content["curve"]),
                "schedule": schedule
                and Schedule(**{**schedule, "rates": tuple(schedule["rates"])}),
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
                "its number, `known`, `epochs`, `best_step`, `question` and `until` are whole "
                "numbers"
            )
        if not (0 <= self.known <= question and 0 <= self.number <= question):
            raise ValueError("its number and `known` lie between 0 and `question`")
        if self.epochs < 1 or until < 1:
            raise ValueError("`epochs` and `until` lie above 0")
        if self.status not in get_args(Status) or not isinstance(self.hyperparameters, dict):
            raise ValueError(f"its status is one of {', '.join(get_args(Status))}")
        if (self.status == "completed") != (self.score is not None):
            raise ValueError("a trial has a score when it has completed, and only then")
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError("its score is not finite")
        if self.status == "completed" and (self.schedule is None or not self.curve):
            raise ValueError("a completed trial has a schedule and a curve")
        if (self.status == "completed") != (self.stopped in get_args(Stopped)):
            raise ValueError("a completed trial has a reason why it stopped, and only such a one")


def ranked(records: Iterable[TrialRecord], metric: Metric) -> list[TrialRecord]:
    """Completed trials, best first, the earlier of equals first; then the others by number."""
    completed = [record for record in records if record.status == "completed"]
    others = [record for record in records if record.status != "completed"]
    sign = 1 if metric.direction == "min" else -1
    return [
        *sorted(completed, key=lambda record: (sign * (record.score or 0.0), record.number)),
        *sorted(others, key=lambda record: record.number),
    ]
