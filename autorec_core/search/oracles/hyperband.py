"""Hyperband: many candidates with few epochs, the best of them again with more."""

from __future__ import annotations

import math
from typing import Any

from keras_tuner.engine.trial import Trial

from autorec_core.search.oracles.base import RecordedOracle, answer

_FACTOR = 3
_BRACKETS = 3
_ROUNDING = 1e-9


class _Bracket:
    """Rounds of trials, each round with fewer of them and more epochs than the one before.

    Args:
        level: How many rounds follow the first one.
    """

    def __init__(self, level: int) -> None:
        self.level = level
        self.rounds: list[list[str]] = [[] for _ in range(level + 1)]
        """The ids of each round's trials."""
        self.moved_up: list[set[str]] = [set() for _ in range(level + 1)]
        """Those of them that the next round has taken."""
        self.full = False
        """Whether the first round gets no more trials."""

    def size(self, number: int) -> int:
        """How many trials a round has when it is complete; the first one must be full."""
        return len(self.rounds[0]) if number == 0 else math.ceil(self.size(number - 1) / _FACTOR)


class HyperbandOracle(RecordedOracle):
    """Many candidates with few epochs; the best of them again, from the start, with more.

    It begins with a bracket that fits into a dozen trials, and has none that gives a candidate less
    than a ninth of the epochs. A candidate that has stopped before its epochs would train the same
    way again: it moves into the next round with the score that it has, and no trial is spent on it.

    Args:
        max_epochs: The most a trial may train.
        **settings: As of every oracle of KerasTuner.

    References:
        [Li et al., 2018](https://jmlr.org/papers/v18/16-558.html)
    """

    def __init__(self, max_epochs: int, **settings: Any) -> None:
        super().__init__(**settings)
        self._max_epochs = max_epochs
        self._levels = min(_BRACKETS, 1 + math.floor(math.log(max_epochs, _FACTOR) + _ROUNDING))
        self._next_level = min(1, self._levels - 1)
        self._brackets: list[_Bracket] = []
        self._exhausted = False

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next trial's values; among them, as `tuner/epochs`, how long it is to train."""
        while True:
            for bracket in self._brackets:
                values = self._in_first_round(bracket, trial_id) or self._promoted(
                    bracket, trial_id
                )
                if values is not None:
                    return answer(values)
            if self._exhausted:
                return {"status": "IDLE"} if self.ongoing_trials else answer(None)
            self._brackets.append(_Bracket(self._next_level))
            self._next_level = (self._next_level - 1) % self._levels

    def _in_first_round(self, bracket: _Bracket, trial_id: str) -> dict[str, Any] | None:
        """A candidate that has not been tried, while the first round wants one and there is one."""
        if bracket.full:
            return None
        values = None if self._exhausted else self._new_point(self._random())
        if values is None:
            self._exhausted = bracket.full = True
            return None
        bracket.rounds[0].append(trial_id)
        bracket.full = len(bracket.rounds[0]) == self._first_size(bracket.level)
        return {**values, "tuner/epochs": self._epochs(bracket.level, 0)}

    def _promoted(self, bracket: _Bracket, trial_id: str) -> dict[str, Any] | None:
        """A candidate that is sure to be among the best of a round, to be trained for longer."""
        if not bracket.full:
            return None
        for number in range(bracket.level):
            while (best := self._next_best(bracket, number)) is not None:
                bracket.moved_up[number].add(best.trial_id)
                if best.trial_id in self.stopped_early:
                    bracket.rounds[number + 1].append(best.trial_id)
                    continue
                bracket.rounds[number + 1].append(trial_id)
                values = dict(best.hyperparameters.values)
                return {**values, "tuner/epochs": self._epochs(bracket.level, number + 1)}
        return None

    def _next_best(self, bracket: _Bracket, number: int) -> Trial | None:
        """The best trial of a round that has not moved up yet, if it is sure to do so."""
        waiting = self._waiting(bracket, number)
        taken = len(bracket.rounds[number + 1])
        if not waiting or taken + self._unknown(bracket, number) >= bracket.size(number + 1):
            return None
        return min(waiting, key=lambda trial: self._sign * trial.score)

    def _waiting(self, bracket: _Bracket, number: int) -> list[Trial]:
        """The completed trials of a round that have not moved up."""
        trials = [self.trials[name] for name in bracket.rounds[number]]
        moved = bracket.moved_up[number]
        return [t for t in trials if t.status == "COMPLETED" and t.trial_id not in moved]

    def _unknown(self, bracket: _Bracket, number: int) -> int:
        """How many results of a round are still to come."""
        names = bracket.rounds[number]
        running: int = sum(self.trials[name].status == "RUNNING" for name in names)
        if number == 0:
            return running
        before = len(self._waiting(bracket, number - 1)) + self._unknown(bracket, number - 1)
        return running + min(bracket.size(number) - len(names), before)

    def _first_size(self, level: int) -> int:
        """So many trials that every bracket trains about as many epochs in all."""
        last = math.ceil(1 + math.log(self._max_epochs, _FACTOR) - _ROUNDING) / (level + 1)
        size: int = math.ceil(last * _FACTOR**level)
        return size

    def _epochs(self, level: int, number: int) -> int:
        epochs: int = math.ceil(self._max_epochs / _FACTOR ** (level - number))
        return epochs
