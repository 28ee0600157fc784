"""What a search knows of its trials, as listeners see it and as it lies on disk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from autorec_core.metrics import Metric
from autorec_core.training import Outcome, Schedule

Status = Literal["running", "completed", "failed"]


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Args:
        number: Its place in the search, counted from 0.
        hyperparameters: The searched values by path; only those that are live in this candidate.
        known: Results that the oracle had been told of when it proposed this trial.
        epochs: The most it may train.
        status: Where it stands.
        score: The objective of its best evaluation.
        best_step: That evaluation, counted from 1.
        metrics: All metrics at that evaluation.
        curve: One row an evaluation: step, epoch, loss, learning_rate, seconds and the metrics.
        schedule: How to train as long on other rows.
        seconds: How long it took.
        reason: Why it failed.
        passing: Whether it failed for want of something another time may have.
        stopped_early: Whether more epochs would have changed nothing.
        began: When it started, in seconds of the search, whose clock stands still between runs.
    """

    number: int
    hyperparameters: Mapping[str, Any]
    known: int
    epochs: int
    status: Status = "running"
    score: float | None = None
    best_step: int = 0
    metrics: Mapping[str, float] | None = None
    curve: tuple[dict[str, float], ...] = ()
    schedule: Schedule | None = None
    seconds: float = 0.0
    reason: str | None = None
    passing: bool = False
    stopped_early: bool = False
    began: float = 0.0

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
            seconds=round(outcome.seconds, 3),
            reason=outcome.reason,
            passing=outcome.passing,
            stopped_early=outcome.stopped_early,
        )

    def running(self) -> TrialRecord:
        """This trial as it was before it ended."""
        return TrialRecord(
            self.number, self.hyperparameters, self.known, self.epochs, began=self.began
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
        whole = (self.number, self.known, self.epochs, self.best_step)
        if not all(isinstance(value, int) for value in whole):
            raise TypeError("its number, `known`, `epochs` and `best_step` are whole numbers")
        if not (0 <= self.known <= self.number and self.epochs >= 1):
            raise ValueError("`known` lies between 0 and its number, and `epochs` above 0")
        if self.status not in get_args(Status) or not isinstance(self.hyperparameters, dict):
            raise ValueError(f"its status is one of {', '.join(get_args(Status))}")
        if (self.status == "completed") != (self.score is not None):
            raise ValueError("a trial has a score when it has completed, and only then")
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError("its score is not finite")
        if self.status == "completed" and (self.schedule is None or not self.curve):
            raise ValueError("a completed trial has a schedule and a curve")


def ranked(records: Iterable[TrialRecord], metric: Metric) -> list[TrialRecord]:
    """Completed trials, best first, the earlier of equals first; then the others by number."""
    completed = [record for record in records if record.status == "completed"]
    others = [record for record in records if record.status != "completed"]
    sign = 1 if metric.direction == "min" else -1
    return [
        *sorted(completed, key=lambda record: (sign * (record.score or 0.0), record.number)),
        *sorted(others, key=lambda record: record.number),
    ]
