"""The base of all search algorithms: no files, the defaults first, and no trial twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial

from autorec_core.search.oracles.points import Points, Values

Identity = Callable[[Mapping[str, Any]], Hashable]
"""Names what a trial trains. Trials with the same name cannot differ."""

_DRAWS = 100  # random points to try before all points of the space are tried one by one


class RecordedOracle(keras_tuner.Oracle):
    """An oracle whose trials are recorded by the runner.

    Args:
        identity: Names what a trial with given values trains; None if all values differ.
        first: Points to try right after the defaults, such as winners of earlier searches.
        **settings: The arguments of `keras_tuner.Oracle`.
    """

    informed = True
    """Whether the proposals depend on the results of earlier trials."""
    goes_on = False
    """Whether it pauses trials and proposes later to continue them."""

    def __init__(
        self,
        identity: Identity | None = None,
        first: Sequence[Mapping[str, Any]] = (),
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.stopped_early: set[str] = set()
        """The ids of the trials that stopped before their last epoch."""
        self.curves: dict[str, tuple[float, ...]] = {}
        """The score after each evaluation, by the id of the trial."""
        self.may_begin = True
        """Whether new trials may start; if not, only paused trials may continue."""
        self._points = Points(self.hyperparameters)
        self._first = [self._points.fitted(values) for values in first]
        self._identity = identity or _all_values
        self._identities: dict[Hashable, Hashable] = {}
        self._tried: set[Hashable] = set()

    def save(self) -> None:
        """Does nothing: the runner keeps the records."""

    def update_space(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        """Does nothing: the whole space is known before the first trial."""

    def _save_trial(self, trial: Trial) -> None:
        """Does nothing: the runner keeps the records."""

    def _record_values(self, trial: Trial) -> None:
        self._tried.add(self._identity_of(trial.hyperparameters.values))

    def _is_tried(self, values: Mapping[str, Any]) -> bool:
        """Returns whether a trial with these values would repeat an earlier one."""
        return self._identity_of(values) in self._tried

    def _identity_of(self, values: Mapping[str, Any]) -> Hashable:
        key = _all_values(values)
        if key not in self._identities:
            self._identities[key] = self._identity(searched(values))
        return self._identities[key]

    def _random(self) -> np.random.Generator:
        """Returns the random number generator for the next proposal."""
        return np.random.default_rng([self.seed, len(self.trials)])

    def _new_point(self, random: np.random.Generator) -> Values | None:
        """Returns the first points, then random points not tried yet; None if all were tried."""
        first = self._first_point()
        if first is not None:
            return first
        for _ in range(_DRAWS):
            values = self._points.sample(random)
            if not self._is_tried(values):
                return values
        untried = (values for values in self._points.every(random) if not self._is_tried(values))
        return next(untried, None)

    def _first_point(self) -> Values | None:
        """Returns the defaults, then the points to try first; None once all have been tried."""
        points = (self._points.defaults(), *self._first)
        return next((values for values in points if not self._is_tried(values)), None)

    @property
    def _sign(self) -> int:
        """The factor that makes lower scores better."""
        return -1 if self.objective.direction == "max" else 1


def answer(values: Values | None) -> dict[str, Any]:
    """Returns a proposal in the form that KerasTuner needs; None ends the search."""
    return {"status": "STOPPED" if values is None else "RUNNING", "values": values}


def searched(values: Mapping[str, Any]) -> Values:
    """Returns the values without the notes of the oracle."""
    return {name: value for name, value in values.items() if not name.startswith("tuner/")}


def _all_values(values: Mapping[str, Any]) -> Hashable:
    return tuple(sorted(searched(values).items()))
