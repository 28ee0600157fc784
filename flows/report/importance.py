"""Importance of hyperparameters: permutation importance of a random forest on the trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flows.report.facts import Trial

FEWEST = 10


@dataclass(frozen=True)
class Importance:
    """How much one hyperparameter explains the score.

    Args:
        name: The hyperparameter's path.
        share: The drop of the forest's R² when the values are shuffled, as a share of all drops.
        spread: The standard deviation of that share over the shuffles.
    """

    name: str
    share: float
    spread: float


@dataclass(frozen=True)
class Importances:
    """The importance of the hyperparameters and how reliable it is.

    Args:
        rows: Importances, highest share first; empty if there are too few trials.
        explained: The forest's R² on trials it was not trained on; None if there is no forest.
        verdict: A sentence for readers about how reliable the importances are.
    """

    rows: tuple[Importance, ...]
    explained: float | None
    verdict: str


def varied(trials: Sequence[Trial]) -> list[str]:
    """Returns the hyperparameters with at least two tried values, the most often used first."""
    names = dict.fromkeys(name for trial in trials for name in trial.hyperparameters)
    values = {name: [trial.hyperparameters.get(name) for trial in trials] for name in names}
    kept = [name for name, tried in values.items() if len(set(map(repr, tried))) > 1]
    return sorted(kept, key=lambda name: values[name].count(None))


def importances(trials: Sequence[Trial], seed: int) -> Importances:
    """Computes permutation importance of a random forest (Breiman, 2001) on the trials' scores.

    Args:
        trials: The completed trials.
        seed: Seed of the forest and the shuffles.
    """
    names = varied(trials)
    if len(trials) < FEWEST or not names:
        return Importances(
            (),
            None,
            f"{len(trials)} completed trials are too few to compare hyperparameters; "
            f"at least {FEWEST} are needed. Raise search.max_trials.",
        )
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    table = np.column_stack(
        [_ranks([t.hyperparameters.get(name) for t in trials]) for name in names]
    )
    scores = np.array([trial.score for trial in trials])
    forest = RandomForestRegressor(n_estimators=100, oob_score=True, random_state=seed)
    forest.fit(table, scores)
    found = permutation_importance(forest, table, scores, n_repeats=10, random_state=seed)
    total = max(float(np.clip(found.importances_mean, 0, None).sum()), 1e-12)
    rows = [
        Importance(name, max(float(mean), 0.0) / total, float(spread) / total)
        for name, mean, spread in zip(
            names, found.importances_mean, found.importances_std, strict=True
        )
    ]
    rows.sort(key=lambda row: -row.share)
    return Importances(tuple(rows), float(forest.oob_score_), _verdict(trials, forest.oob_score_))


def _verdict(trials: Sequence[Trial], explained: float) -> str:
    basis = f"From {len(trials)} trials. R² on trials not used for training: {explained:.2f}."
    if explained <= 0:
        return f"{basis} This is no better than predicting the mean, so do not rely on it."
    if explained < 0.5:
        return f"{basis} Much of the score is not explained. More trials would show more."
    return basis


def _ranks(values: Sequence[Any]) -> np.ndarray:
    """Returns the ranks of values, from 0 in rising order; -1 for an unused hyperparameter."""
    known = {value for value in values if value is not None}
    numeric = all(isinstance(value, int | float) for value in known)
    order = sorted(known) if numeric else sorted(known, key=str)
    places = {value: place for place, value in enumerate(order)}
    return np.array([places.get(value, -1) for value in values], np.float64)
