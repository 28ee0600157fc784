"""A recommender's whole search space, known before the first trial."""

from __future__ import annotations

from typing import Any

import keras_tuner

from autorec_core.recommender import Recommender


def search_space(recommender: Recommender) -> keras_tuner.HyperParameters:
    """Every hyperparameter of `recommender`, those of all conditional branches included.

    Its values are the defaults: the candidate that a search tries first. An oracle that knows all
    of the space never meets a new hyperparameter, which KerasTuner would sample unseeded.
    """
    space = keras_tuner.HyperParameters()
    seen_active: list[object] = []
    waiting: list[list[Any]] = [[]]
    while waiting:
        hp = space.copy()
        hp.values = _values_meeting(space, waiting.pop(0))
        recommender.resolve(hp)
        space.merge(hp, overwrite=False)
        seen_active += [scope for scope in hp.active_scopes if scope not in seen_active]
        waiting += [scope for scope in hp.inactive_scopes if scope not in waiting]
        waiting = [scope for scope in waiting if scope not in seen_active]
    space.values = defaults(space)
    return space


def defaults(space: keras_tuner.HyperParameters) -> dict[str, object]:
    """The default of each hyperparameter that is live when all have their defaults."""
    return _values_meeting(space, [])


def _values_meeting(space: keras_tuner.HyperParameters, conditions: list) -> dict[str, object]:
    """Defaults, but for what `conditions` need."""
    needed = {condition.name: condition.values[0] for condition in conditions}
    hp = keras_tuner.HyperParameters()
    for hyperparameter in space.space:
        hp.merge([hyperparameter])
        if hp.is_active(hyperparameter):
            name = hyperparameter.name
            hp.values[name] = needed.get(name, hyperparameter.default)
    return dict(hp.values)
