"""A recommender's whole search space, known before the first trial."""

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
"""KerasTuner's conditions, all of which must be met for the hyperparameters below to be live."""


def search_space(recommender: Recommender) -> keras_tuner.HyperParameters:
    """Every hyperparameter of `recommender`, those of all conditional branches included.

    Its values are the defaults: the candidate that a search tries first. An oracle that knows all
    of the space never meets a new hyperparameter, which KerasTuner would sample unseeded.
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
    """The default of each hyperparameter that is live when all have their defaults."""
    return _values_meeting(space, {})


def _values_meeting_many(scopes: list[Scope]) -> tuple[dict[str, object], list[Scope]]:
    """Values that meet the first scope, and as many of the others as go with it; and which."""
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
    """Defaults, but for what is needed."""
    hp = keras_tuner.HyperParameters()
    for hyperparameter in space.space:
        hp.merge([hyperparameter])
        if hp.is_active(hyperparameter):
            name = hyperparameter.name
            hp.values[name] = needed.get(name, hyperparameter.default)
    return dict(hp.values)


class _Decided(keras_tuner.HyperParameters):
    """Hyperparameters whose values are known, without a search space: much quicker to ask."""

    def Choice(self, name: str, *_: Any, **__: Any) -> Any:  # noqa: N802 - KerasTuner's name
        return self.values.get(self._get_name(name))

    def Boolean(self, name: str, *_: Any, **__: Any) -> Any:  # noqa: N802 - KerasTuner's name
        return self.values.get(self._get_name(name))

    def conditional_scope(self, *_: Any) -> Any:
        return contextlib.nullcontext()


def decisive(recommender: Recommender, *, rows: int, budget: Budget) -> Recommender:
    """The recommender without hyperparameters that decide nothing in this search.

    Args:
        recommender: What is to be searched.
        rows: Number of training rows.
        budget: How long a candidate may train.
    """
    evaluations = budget.epochs * budget.evaluations_an_epoch(rows)
    training = recommender.training.narrowed(
        rows=rows, evaluations=evaluations, patience=budget.patience
    )
    return dataclasses.replace(recommender, training=training)


def resolved(recommender: Recommender, values: Mapping[str, Any]) -> Recommender:
    """The candidate that a trial's values stand for.

    Args:
        recommender: What is searched.
        values: The trial's hyperparameters.
    """
    hp = _Decided()
    hp.values = dict(values)
    return recommender.resolve(hp)


def identity(recommender: Recommender, values: Mapping[str, Any], rows: int, budget: Budget) -> str:
    """What a trial of these values trains, as text: trials of the same text cannot differ.

    Args:
        recommender: What is searched.
        values: The trial's hyperparameters.
        rows: How many rows it learns from.
        budget: How long it may train.
    """
    candidate = resolved(recommender, values)
    training = candidate.training.effective(
        rows,
        patience=budget.patience,
        evaluations=budget.epochs * budget.evaluations_an_epoch(rows),
    )
    return json.dumps(dataclasses.replace(candidate, training=training).get_config())
