"""Trains known candidates again on other rows, without a search and without judging them on valid.

Each candidate is trained as long, and with the same learning rates, as in the search that found it.
So all rows can be learned from at once, and nothing is trained twice.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

from autorec_core.errors import SearchError
from autorec_core.recipe import Training
from autorec_core.recommender import Recommender
from autorec_core.search.ensemble import averaged
from autorec_core.search.final import SEED_STEP, Final, too_slow
from autorec_core.search.listener import Listener
from autorec_core.search.oracles.points import Points
from autorec_core.search.records.record import TrialRecord
from autorec_core.search.space import decisive, resolved, search_space
from autorec_core.training import Budget, FailedTrial, Rows, Schedule, refit

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Proven:
    """A candidate that an earlier search has found.

    Args:
        hyperparameters: Its values by path.
        schedule: How long and with which learning rates it was trained.
    """

    hyperparameters: Mapping[str, Any]
    schedule: Schedule

    @classmethod
    def of(cls, trial: TrialRecord) -> Self:
        """Returns the candidate of a trial that has been trained."""
        assert trial.schedule is not None
        return cls(dict(trial.hyperparameters), trial.schedule)


@dataclass(frozen=True)
class Retrained:
    """Known candidates, trained again.

    Args:
        final: The model, and the candidates that it consists of.
        winner: The first of these as a recommender without open settings.
        trials: All candidates, in their order; those that could not be trained too.
    """

    final: Final
    winner: Recommender
    trials: tuple[TrialRecord, ...]


def train_again(
    recommender: Recommender,
    proven: Sequence[Proven],
    rows: Sequence[Rows],
    *,
    budget: Budget,
    seed: int,
    listener: Listener | None = None,
    max_latency_ms: float | None = None,
) -> Retrained:
    """Trains known candidates on all rows, and averages them.

    Args:
        recommender: The search space. What it does not have of a candidate becomes the nearest
            number or the default.
        proven: The candidates, best first. One that occurs several times is trained with several
            seeds.
        rows: The splits to learn from, used as one; train first.
        budget: How long a search lets a candidate train. What has no effect then is not searched.
        seed: The seed of the training. Equal candidates get seeds of their own.
        listener: Is told when a candidate has been trained.
        max_latency_ms: Candidates are left out, the last first, until the model scores one row in
            this time, in milliseconds; None for no limit. The first one always stays.

    Raises:
        SearchError: No candidate could be trained.
    """
    recommender = decisive(recommender, rows=len(rows[0]), budget=budget)
    points = Points(search_space(recommender))
    begun = [_begun(number, one, points) for number, one in enumerate(proven)]
    models: list[keras.Model] = []
    members: list[TrialRecord] = []
    trials: dict[int, TrialRecord] = {}
    seen: Counter[int] = Counter()
    for trial in begun:
        first = next(one for one in begun if _are_equal(one, trial))
        own_seed = seed + SEED_STEP * seen[first.number]
        seen[first.number] += 1
        candidate = resolved(recommender, first.hyperparameters)
        model, ended = _trained(candidate, first, rows, own_seed)
        if trials.setdefault(first.number, ended) is ended:
            (listener or Listener()).on_trial_end(ended)
        if model is None:
            continue
        models.append(model)
        members.append(trials[first.number])
    if not models:
        reasons = "; ".join(dict.fromkeys(str(one.reason) for one in trials.values()))
        raise SearchError(f"None of the known settings can be trained again: {reasons}.")
    winner = resolved(recommender, members[0].hyperparameters)
    # Measured at the end, because each measurement compiles the mean. Candidates that come from
    # one model were fast enough together when a search found them, so hardly one is left out.
    while max_latency_ms is not None and too_slow(models, winner, max_latency_ms):
        models, members = models[:-1], members[:-1]
    final = Final(averaged(models, winner), tuple(members), refitted=True)
    return Retrained(final, winner, tuple(trials.values()))


def _begun(number: int, proven: Proven, points: Points) -> TrialRecord:
    """Returns the record of a candidate before its training."""
    schedule, values = proven.schedule, proven.hyperparameters
    fitted = points.fitted(values)
    # The schedule says how to train, so these are kept even if they are not in the space: a search
    # on few rows has smaller batches.
    how = [field.name for field in fields(Training) if field.name in fitted]
    fitted |= {name: values[name] for name in how if name in values}
    return TrialRecord(
        number,
        fitted,
        known=0,
        epochs=max(1, math.ceil(schedule.epochs)),
        schedule=schedule,
    )


def _are_equal(one: TrialRecord, other: TrialRecord) -> bool:
    """Returns whether two candidates differ at most in their seed."""
    return one.hyperparameters == other.hyperparameters and one.schedule == other.schedule


def _trained(
    candidate: Recommender, trial: TrialRecord, rows: Sequence[Rows], seed: int
) -> tuple[keras.Model | None, TrialRecord]:
    """Trains one candidate. Returns its model, or None if it failed, and its record."""
    assert trial.schedule is not None
    began = time.monotonic()
    try:
        model = refit(candidate, rows, schedule=trial.schedule, seed=seed)
    except FailedTrial as failure:
        _log.warning("Candidate %s cannot be trained again: %s", trial.number, failure)
        seconds = round(time.monotonic() - began, 3)
        return None, replace(trial, status="failed", reason=str(failure), seconds=seconds)
    return model, replace(
        trial,
        status="refitted",
        best_step=len(trial.schedule.rates),
        seconds=round(time.monotonic() - began, 3),
        spent=trial.schedule.epochs,
    )
