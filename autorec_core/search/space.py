"""The whole search space of a recommender, known before the first trial."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import keras_tuner

from autorec_core.recommender import Recommender
from autorec_core.training import Budget

Scope = list[Any]
"""Conditions of KerasTuner. Hyperparameters in the scope are active if all of them are met."""


def search_space(recommender: Recommender) -> keras_tuner.HyperParameters:
    """Returns all hyperparameters of `recommender`, including those of conditional branches.

    The values are the defaults, which are the candidate that a search tries first. If a new
    hyperparameter appeared later, KerasTuner would sample it without the seed; so the space must be
    complete.
    """
    space = keras_tuner.HyperParameters()
    met: list[Scope] = []
    waiting: list[Scope] = [[]]
    while waiting:
        values, meeting = _values_meeting_many(waiting)
        hp = space.copy()
        hp.values = _values_meeting(space, values)
        recommender.resolve(hp)
        space.merge(hp, overwrite=False)
        met += [scope for scope in [*meeting, *hp.active_scopes] if scope not in met]
        waiting += [scope for scope in hp.inactive_scopes if scope not in waiting]
        waiting = [scope for scope in waiting if scope not in met]
    space.values = defaults(space)
    return space


def defaults(space: keras_tuner.HyperParameters) -> dict[str, object]:
    """Returns the defaults of the hyperparameters that are active when all have their defaults."""
    return _values_meeting(space, {})


def _values_meeting_many(scopes: list[Scope]) -> tuple[dict[str, object], list[Scope]]:
    """Chooses values that activate the first scope, and as many of the others as possible.

    Args:
        scopes: Scopes of which no candidate has met the conditions yet.

    Returns:
        The values by the name of their hyperparameter, and the scopes that they activate.
    """
    allowed: dict[str, list[object]] = {}
    meeting: list[Scope] = []
    for scope in scopes:
        narrowed = dict(allowed)
        for condition in scope:
            values = narrowed.get(condition.name, condition.values)
            narrowed[condition.name] = [value for value in values if value in condition.values]
        if all(narrowed.values()) or not meeting:
            allowed = {name: values for name, values in narrowed.items() if values}
            meeting.append(scope)
    return {name: values[0] for name, values in allowed.items()}, meeting


def _values_meeting(
    space: keras_tuner.HyperParameters, needed: dict[str, object]
) -> dict[str, object]:
    """Returns the default of each active hyperparameter, or its value in `needed`."""
    hp = keras_tuner.HyperParameters()
    for hyperparameter in space.space:
        hp.merge([hyperparameter])
        if hp.is_active(hyperparameter):
            name = hyperparameter.name
            hp.values[name] = needed.get(name, hyperparameter.default)
    return dict(hp.values)


class _Decided(keras_tuner.HyperParameters):
    """Hyperparameters whose values are known. Without a search space they are much faster."""

    def Choice(self, name: str, *_: Any, **__: Any) -> Any:  # noqa: N802 - KerasTuner's name
        return self.values.get(self._get_name(name))

    def Boolean(self, name: str, *_: Any, **__: Any) -> Any:  # noqa: N802 - KerasTuner's name
        return self.values.get(self._get_name(name))

    def conditional_scope(self, *_: Any) -> Any:
        return contextlib.nullcontext()


def decisive(recommender: Recommender, *, rows: int, budget: Budget) -> Recommender:
    """Returns the recommender without the hyperparameters that make no difference in this search.

    Args:
        recommender: The search space.
        rows: Number of training rows.
        budget: How long a candidate may train.
    """
    evaluations = budget.epochs * budget.evaluations_an_epoch(rows)
    training = recommender.training.narrowed(
        rows=rows, evaluations=evaluations, patience=budget.patience
    )
    return dataclasses.replace(recommender, training=training)


def resolved(recommender: Recommender, values: Mapping[str, Any]) -> Recommender:
    """Returns the candidate with the values of a trial.

    Args:
        recommender: The search space.
        values: The hyperparameters of the trial.
    """
    hp = _Decided()
    hp.values = dict(values)
    return recommender.resolve(hp)


def identity(recommender: Recommender, values: Mapping[str, Any], rows: int, budget: Budget) -> str:
    """Returns as text what a trial with these values trains. Equal texts mean equal trials.

    Args:
        recommender: The search space.
        values: The hyperparameters of the trial.
        rows: Number of training rows.
        budget: How long a candidate may train.
    """
    candidate = resolved(recommender, values)
    training = candidate.training.effective(
        rows,
        patience=budget.patience,
        evaluations=budget.epochs * budget.evaluations_an_epoch(rows),
    )
    return json.dumps(dataclasses.replace(candidate, training=training).get_config())
