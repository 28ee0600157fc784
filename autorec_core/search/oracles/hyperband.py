"""Hyperband: trains many candidates for few epochs, and the best of them again for more."""

from __future__ import annotations

import math
from typing import Any

from keras_tuner.engine.trial import Trial

from autorec_core.search.oracles.base import RecordedOracle, answer

_FACTOR = 3
_BRACKETS = 3
_ROUNDING = 1e-9


class _Bracket:
    """Rounds of trials. Each round has fewer trials and more epochs than the one before.

    Args:
        level: How many rounds follow the first one.
    """

    def __init__(self, level: int) -> None:
        self.level = level
        self.rounds: list[list[str]] = [[] for _ in range(level + 1)]
        """The ids of the trials of each round."""
        self.moved_up: list[set[str]] = [set() for _ in range(level + 1)]
        """The ids of the trials of each round that have moved up to the next."""
        self.full = False
        """Whether the first round gets no more trials."""

    def size(self, number: int) -> int:
        """Returns the number of trials of a complete round; the first round must be full."""
        return len(self.rounds[0]) if number == 0 else math.ceil(self.size(number - 1) / _FACTOR)


class HyperbandOracle(RecordedOracle):
    """Trains many candidates for few epochs, and the best of them again from the start for more.

    The first bracket needs about a dozen trials. Every candidate trains for at least a ninth of the
    epochs. A candidate that stopped before its last epoch would train in the same way again. So it
    moves into the next round with the score that it has, without another trial.

    Args:
        max_epochs: The largest number of epochs of a trial.
        **settings: The arguments of `keras_tuner.Oracle`.

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
        """Returns the values of the next trial, with its number of epochs as `tuner/epochs`."""
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
        """Returns a new candidate if the first round needs one and there is one."""
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
        """Returns a candidate that is certainly among the best of its round, to train longer."""
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
        """Returns the best trial of a round that has not moved up, if it certainly will."""
        waiting = self._waiting(bracket, number)
        taken = len(bracket.rounds[number + 1])
        if not waiting or taken + self._unknown(bracket, number) >= bracket.size(number + 1):
            return None
        return min(waiting, key=lambda trial: self._sign * trial.score)

    def _waiting(self, bracket: _Bracket, number: int) -> list[Trial]:
        """Returns the completed trials of a round that have not moved up."""
        trials = [self.trials[name] for name in bracket.rounds[number]]
        moved = bracket.moved_up[number]
        return [t for t in trials if t.status == "COMPLETED" and t.trial_id not in moved]

    def _unknown(self, bracket: _Bracket, number: int) -> int:
        """Returns how many results of a round are not known yet."""
        names = bracket.rounds[number]
        running: int = sum(self.trials[name].status == "RUNNING" for name in names)
        if number == 0:
            return running
        before = len(self._waiting(bracket, number - 1)) + self._unknown(bracket, number - 1)
        return running + min(bracket.size(number) - len(names), before)

    def _first_size(self, level: int) -> int:
        """Returns the size of a first round that makes all brackets train about equally long."""
        last = math.ceil(1 + math.log(self._max_epochs, _FACTOR) - _ROUNDING) / (level + 1)
        size: int = math.ceil(last * _FACTOR**level)
        return size

    def _epochs(self, level: int, number: int) -> int:
        epochs: int = math.ceil(self._max_epochs / _FACTOR ** (level - number))
        return epochs
