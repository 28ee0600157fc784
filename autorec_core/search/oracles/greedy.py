"""Greedy search: small changes of the best trial so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autorec_core.search.oracles.base import RecordedOracle, answer
from autorec_core.search.oracles.points import Values

_NEIGHBOURS = 1000


class GreedyOracle(RecordedOracle):
    """Changes one group of hyperparameters of the best trial so far at a time.

    A group is all hyperparameters whose paths have the same beginning: a single one, those of one
    block, or those of a whole interaction. Small groups are drawn more often, so small changes are
    tried first. If `patience` results in a row have not improved the score, the search starts again
    from a random point.

    Args:
        patience: How many results without improvement make the search start again.
        **settings: The arguments of `keras_tuner.Oracle`.

    References:
        The greedy tuner of [AutoKeras](https://jmlr.org/papers/v24/20-1355.html).
    """

    def __init__(self, patience: int = 10, **settings: Any) -> None:
        super().__init__(**settings)
        self._patience = patience
        self._climb = 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the values of the next trial."""
        random = self._random()
        first = self._first_point()
        if first is not None:
            return answer(first)
        told = [self.trials[name] for name in self.end_order]
        climb = [trial for trial in told if int(trial.trial_id) >= self._climb]
        completed = [trial for trial in climb if trial.status == "COMPLETED"]
        best = min(completed, key=lambda trial: self._sign * trial.score, default=None)
        if best is None:
            base = list(self.trials.values())[self._climb]
            stalled = len(climb) > self._patience
        else:
            base = best
            stalled = len(climb) - climb.index(best) > self._patience
        if stalled:
            self._climb = len(self.trials)
            return answer(self._new_point(random))
        for _ in range(_NEIGHBOURS):
            values = self._neighbour(base.hyperparameters.values, random)
            if not self._is_tried(values):
                return answer(values)
        return answer(self._new_point(random))

    def _neighbour(self, base: Mapping[str, Any], random: np.random.Generator) -> Values:
        groups = _groups(list(base))
        weights = np.array([1 / len(names) for names in groups])
        group = groups[random.choice(len(groups), p=weights / weights.sum())] if groups else ()
        return self._points.sample(random, base, group)


def _groups(names: list[str]) -> list[tuple[str, ...]]:
    """Returns the groups of names whose paths have the same beginning, single names included."""
    below: dict[str, list[str]] = {}
    for name in names:
        parts = name.split("/")
        for depth in range(len(parts) + 1):
            below.setdefault("/".join(parts[:depth]), []).append(name)
    distinct = dict.fromkeys(tuple(group) for group in below.values())
    return list(distinct)
