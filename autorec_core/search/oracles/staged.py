"""Staged search: known structures first, then small changes of the best candidates."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from keras_tuner.engine.trial import Trial

from autorec_core.search.oracles.base import searched
from autorec_core.search.oracles.bayesian import Seen
from autorec_core.search.oracles.halving import HalvingOracle
from autorec_core.search.oracles.moves import Moves
from autorec_core.search.oracles.points import Values
from autorec_core.search.oracles.surrogate import Surrogate

KNOWN: tuple[tuple[str, ...], ...] = (
    (),
    ("MLPInteraction",),
    ("FMInteraction", "MLPInteraction"),
    ("CrossNetV2Interaction",),
)
"""Branches of ready models: the linear part alone, Wide & Deep (NeuMF for ratings), DeepFM, and the
cross network of DCN-V2."""
_BEST = 3
_FEWEST = 2  # trials that a Gaussian process learns from


class StagedOracle(HalvingOracle):
    """Changes one thing of a good candidate at a time, in turn its structure and its recipe.

    A random candidate changes both at once, so a good structure with a bad learning rate looks like
    a bad structure. Here the stages are:

    1. The default candidate, trained to its end.
    2. Candidates to try first, such as winners of earlier searches; structures of ready models,
       with the default recipe (`KNOWN`).
    3. In turn, a new recipe and a new structure. A new recipe changes one setting of one of the
       best candidates; a Gaussian process chooses it. A new structure is the best one with one
       branch added, removed or exchanged, or without one of its optional parts.

    Candidates that only differ in the order of their branches are the same. When no change is left,
    candidates are random. Candidates are trained by successive halving, as in `HalvingOracle`.

    Args:
        **settings: As of `HalvingOracle`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._moves = Moves(self._points)
        self._shapes: set[Hashable] = set()

    def _next(self, trials: Sequence[Seen]) -> Values | None:
        random = self._random()
        number = len(trials)
        first = self._first_point()
        if first is not None:
            return first
        for types in KNOWN:
            known = self._moves.with_branches(types)
            if known is not None and not self._is_tried(known):
                return known
        best = self._best(trials)
        stages = [self._recipe, self._structure]
        if number % 2:
            stages.reverse()
        for stage in stages:
            values = stage(trials, best, random)
            if values is not None:
                return values
        return self._new_point(random)

    def _structure(
        self, trials: Sequence[Seen], best: Sequence[Seen], random: np.random.Generator
    ) -> Values | None:
        """Returns a structure one step from the best one that no trial has had."""
        for one in best:
            found = self._untried(self._moves.of_structure(one.values))
            if found:
                return found[random.integers(len(found))]
        return None

    def _recipe(
        self, trials: Sequence[Seen], best: Sequence[Seen], random: np.random.Generator
    ) -> Values | None:
        """Returns the change of a recipe that the Gaussian process expects to help most."""
        found = self._untried(move for one in best for move in self._moves.of_recipe(one.values))
        if not found:
            return None
        known = self._worth_knowing([trial for trial in trials if trial.status != "RUNNING"])
        if len(known) < _FEWEST:
            return found[random.integers(len(found))]
        running = [trial for trial in trials if trial.status == "RUNNING"]
        process = Surrogate.fitted(self._vectors(known), self._ranks(known))
        mean, deviation = process.expecting(self._vectors(running)).predict(self._encoding(found))
        bound = np.round(mean - self._caution * deviation, 9)
        ties = np.flatnonzero(bound == bound.min())
        return found[int(ties[random.integers(len(ties))])]

    def _best(self, trials: Sequence[Seen]) -> list[Seen]:
        """Returns the best trials, best first; the first trial while none has completed."""
        completed = [trial for trial in trials if trial.status == "COMPLETED"]
        ranked = sorted(completed, key=lambda trial: self._sign * trial.score)
        return ranked[:_BEST] or list(trials[:1])

    def _untried(self, points: Iterator[Values]) -> list[Values]:
        return [point for point in points if not self._is_tried(point)]

    def _record_values(self, trial: Trial) -> None:
        super()._record_values(trial)
        self._shapes.add(self._moves.shape(searched(trial.hyperparameters.values)))

    def _is_tried(self, values: Mapping[str, Any]) -> bool:
        """Returns whether a trial has had these values, with its branches in any order."""
        return self._moves.shape(searched(values)) in self._shapes or super()._is_tried(values)
