"""What all search algorithms share: nothing on disk, the defaults first, and no trial twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial

from autorec_core.search.oracles.points import Points, Values

Identity = Callable[[Mapping[str, Any]], Hashable]
"""Names what a trial trains; trials of the same name cannot differ."""

_DRAWS = 100  # points drawn before the space is gone through one by one


class RecordedOracle(keras_tuner.Oracle):
    """An oracle whose trials are recorded by the runner.

    Args:
        identity: Names what a trial of given values trains; None: all values differ.
        **settings: As of every oracle of KerasTuner.
    """

    informed = True
    """Whether what it proposes depends on the results it has been told."""
    goes_on = False
    """Whether it pauses trials and proposes to go on with them."""

    def __init__(self, identity: Identity | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.stopped_early: set[str] = set()
        """The ids of trials that have ended before their epochs."""
        self.curves: dict[str, tuple[float, ...]] = {}
        """The score after each evaluation, by the trial's id."""
        self.may_begin = True
        """Whether the search takes further trials, or only goes on with those that it has."""
        self._points = Points(self.hyperparameters)
        self._identity = identity or _all_values
        self._identities: dict[Hashable, Hashable] = {}
        self._tried: set[Hashable] = set()

    def save(self) -> None:
        """Nothing: the runner keeps the records."""

    def update_space(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        """Nothing: the whole space is known before the first trial."""

    def _save_trial(self, trial: Trial) -> None:
        """Nothing: the runner keeps the records."""

    def _record_values(self, trial: Trial) -> None:
        self._tried.add(self._identity_of(trial.hyperparameters.values))

    def _is_tried(self, values: Mapping[str, Any]) -> bool:
        """Whether a trial of these values would repeat an earlier one."""
        return self._identity_of(values) in self._tried

    def _identity_of(self, values: Mapping[str, Any]) -> Hashable:
        key = _all_values(values)
        if key not in self._identities:
            self._identities[key] = self._identity(searched(values))
        return self._identities[key]

    def _random(self) -> np.random.Generator:
        """Where the next proposal's random numbers come from."""
        return np.random.default_rng([self.seed, len(self.trials)])

    def _new_point(self, random: np.random.Generator) -> Values | None:
        """The defaults, then random points that have not been tried; None once all have been."""
        first = self._points.defaults()
        if not self._is_tried(first):
            return first
        for _ in range(_DRAWS):
            values = self._points.sample(random)
            if not self._is_tried(values):
                return values
        untried = (values for values in self._points.every(random) if not self._is_tried(values))
        return next(untried, None)

    @property
    def _sign(self) -> int:
        """What makes a lower score a better one."""
        return -1 if self.objective.direction == "max" else 1


def answer(values: Values | None) -> dict[str, Any]:
    """What KerasTuner takes for a proposal; None ends the search."""
    return {"status": "STOPPED" if values is None else "RUNNING", "values": values}


def searched(values: Mapping[str, Any]) -> Values:
    """The values without what an oracle has noted among them."""
    return {name: value for name, value in values.items() if not name.startswith("tuner/")}


def _all_values(values: Mapping[str, Any]) -> Hashable:
    return tuple(sorted(searched(values).items()))
