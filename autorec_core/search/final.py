"""Makes the final model of a search: the winner, or a mean of the best, trained once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING

import numpy as np

from autorec_core.recommender import Recommender
from autorec_core.search.ensemble import averaged, one_row_ms, select
from autorec_core.search.records.record import TrialRecord
from autorec_core.search.result import SearchResult
from autorec_core.training import Budget, Limits, Rows, refit, train

if TYPE_CHECKING:
    import keras

SMALL = 50_000
"""With fewer training rows than this, the valid rows cannot tell the best candidates apart."""
MOST_MEMBERS = 5
REFIT_SHARE = 0.5
"""The epochs of all refits together, as a share of the epochs of the search."""
SEED_STEP = 1_000_003
"""The difference between the seeds of members that have the same settings."""


@dataclass(frozen=True)
class Final:
    """The final model of a search.

    Args:
        model: The compiled Keras model; with several members it predicts their mean.
        members: The trials that the model consists of. A trial that occurs several times was
            trained with several seeds.
        refitted: Whether the model was trained on the valid rows too.
    """

    model: keras.Model
    members: tuple[TrialRecord, ...]
    refitted: bool


def best_of(
    result: SearchResult, rows: int, labels: np.ndarray, ensemble: int | None = None
) -> tuple[TrialRecord, ...]:
    """Returns the trials that the final model is made of.

    If there are few training rows, these are the better half of the trials that train different
    models. Otherwise they are selected by the mean of their predictions of the valid rows. A trial
    that occurs several times is a member for each of several seeds.

    Args:
        result: The result of the search.
        rows: Number of training rows.
        labels: The labels of the valid rows, shape (valid rows,).
        ensemble: The number of members; None for at most `MOST_MEMBERS`. The limit is then lower
            if refits would need more than `REFIT_SHARE` of the epochs that the search has needed.
    """
    completed = _distinct(trial for trial in result.leaderboard if trial.status == "completed")
    if rows < SMALL:
        half = (len(completed) + 1) // 2
        return tuple(completed[: ensemble or min(MOST_MEMBERS, half)])
    pairs = [(trial, result.predictions(trial)) for trial in completed]
    known = [(trial, predicted) for trial, predicted in pairs if predicted is not None]
    if ensemble == 1 or not known or known[0][0] is not completed[0]:
        return tuple(completed[:1])
    able, predictions = zip(*known, strict=True)
    chosen = select(result.metric, labels, predictions, ensemble or MOST_MEMBERS)
    members = [able[place] for place in islice(cycle(chosen), ensemble or MOST_MEMBERS)]
    return tuple(members if ensemble else _affordable(members, result.leaderboard))


def _affordable(members: Sequence[TrialRecord], trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Returns the first members whose refits need at most `REFIT_SHARE` of the search's epochs."""
    left = REFIT_SHARE * sum(trial.spent for trial in trials)
    kept: list[TrialRecord] = []
    for trial in members:
        left -= 0.0 if trial.schedule is None else trial.schedule.epochs
        if kept and left < 0:
            break
        kept.append(trial)
    return kept


def _distinct(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Returns the first of each group of trials with equal hyperparameters or equal curves.

    With equal hyperparameters, the candidate is the same even if it trained longer. If the
    difference between hyperparameters has no effect, the curves are equal.
    """
    found: list[TrialRecord] = []
    for trial in trials:
        curve = _figures(trial)
        copies = (
            trial.hyperparameters == other.hyperparameters or (curve and curve == _figures(other))
            for other in found
        )
        if not any(copies):
            found.append(trial)
    return found


def _figures(trial: TrialRecord) -> list[dict[str, float]]:
    """Returns the learning curve of a trial without its times."""
    return [{name: v for name, v in row.items() if name != "seconds"} for row in trial.curve]


def finish(
    result: SearchResult,
    members: Sequence[TrialRecord],
    known: Rows,
    valid: Rows,
    *,
    budget: Budget,
    seed: int,
    refitting: bool = True,
    max_latency_ms: float | None = None,
) -> Final:
    """Makes the final model from the best candidates of a search.

    Args:
        result: The result of the search.
        members: The trials to average, from `best_of`.
        known: The training rows of the search.
        valid: The validation rows of the search.
        budget: How long a candidate was allowed to train.
        seed: The seed of the search.
        refitting: Whether each member is trained once more on `known` and `valid` together.
        max_latency_ms: Members are left out, the last first, until the model scores one row in this
            time, in milliseconds; None for no limit. The first member always stays.

    Raises:
        FailedTrial: As in `train`.
    """
    models: list[keras.Model] = []
    seen: Counter[int] = Counter()
    for trial in members:
        own_seed = seed + SEED_STEP * seen[trial.number]
        candidate = result.candidate(trial)
        if refitting:
            assert trial.schedule is not None
            made = refit(candidate, [known, valid], schedule=trial.schedule, seed=own_seed)
        elif trial is result.best and own_seed == seed:
            made = result.load_model()
        else:  # the same settings and seed give the same model as in the search
            made = train(
                candidate,
                known,
                valid,
                budget=Budget(epochs=trial.epochs, patience=budget.patience),
                seed=own_seed,
                objective=result.objective,
                limits=Limits(until=len(trial.curve)) if own_seed == seed else None,
            ).model
        seen[trial.number] += 1
        models.append(made)
        if max_latency_ms is not None and too_slow(models, result.winner, max_latency_ms):
            models.pop()
            break
    return Final(averaged(models, result.winner), tuple(members[: len(models)]), refitting)


def too_slow(models: Sequence[keras.Model], recommender: Recommender, most: float) -> bool:
    """Returns whether the mean of several models takes longer than `most` ms for one row.

    Args:
        models: The models.
        recommender: Says how their mean is compiled.
        most: The most milliseconds.
    """
    return len(models) > 1 and one_row_ms(averaged(models, recommender)) > most
