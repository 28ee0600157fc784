"""Asynchronous successive halving: trains all candidates briefly and the best of them longer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from keras_tuner.engine.trial import Trial

from autorec_core.search.oracles.base import answer, searched
from autorec_core.search.oracles.bayesian import BayesianOracle, Seen

_FACTOR = 3
_RUNGS = 4
_TRIAL, _UNTIL = "tuner/trial", "tuner/until"


def rungs(evaluations: int) -> tuple[int, ...]:
    """Returns the evaluations at which candidates are compared: a 27th, 9th and 3rd, and all."""
    parts = [math.ceil(evaluations / _FACTOR**level) for level in range(_RUNGS)]
    return tuple(sorted(set(parts)))


class HalvingOracle(BayesianOracle):
    """Trains candidates up to the next rung, and continues the best third of each rung.

    It is asynchronous: a candidate is promoted as soon as it belongs to the best third of those
    that have reached its rung, even if others will reach it later. If no candidate can be promoted,
    a new one starts. The first candidate, the default, is trained to the end. At every rung the
    others are compared with its score there. A candidate that stopped before a rung counts there
    with its best score.

    When no new candidate may start, the best one of all is trained to the end.

    New candidates are random at first. Later a Gaussian process proposes them. It learns from the
    ranks of the candidates: first by the highest rung at which they were among the best, then by
    score.

    Args:
        rungs: The evaluations at which candidates are compared; the last is the end of training.
        **settings: The arguments of `keras_tuner.Oracle`.

    References:
        [Li et al., 2020](https://arxiv.org/abs/1810.05934)
    """

    goes_on = True

    def __init__(self, rungs: Sequence[int], **settings: Any) -> None:
        super().__init__(**settings)
        self._rungs = tuple(rungs)
        self._parts: list[list[str]] = []
        """The ids of the parts of each candidate."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the values of the next part, with the number of the candidate and its end."""
        promoted = self._promoted()
        if promoted is not None:
            return self._going_on(promoted, trial_id)
        values = self._next(self._seen()) if self.may_begin else None
        if values is not None:
            self._parts.append([trial_id])
            until = self._rungs[0] if len(self._parts) > 1 else self._rungs[-1]
            return answer({**values, _TRIAL: len(self._parts) - 1, _UNTIL: until})
        if self.ongoing_trials:
            return {"status": "IDLE"}
        leader = self._leader()
        return answer(None) if leader is None else self._going_on(leader, trial_id)

    def _going_on(self, candidate: int, trial_id: str) -> dict[str, Any]:
        """Returns the part from the current rung of a candidate to the next one."""
        last = self._last_part(candidate)
        self._parts[candidate].append(trial_id)
        values = dict(last.hyperparameters.values)
        following = self._rungs[self._rungs.index(values[_UNTIL]) + 1]
        return answer({**values, _UNTIL: following})

    def _promoted(self) -> int | None:
        """Returns a paused candidate in the best third of its rung, from the highest such rung."""
        for rung in reversed(range(len(self._rungs) - 1)):
            for candidate in self._best_third(rung):
                if self._is_paused(candidate, rung):
                    return candidate
        return None

    def _leader(self) -> int | None:
        """Returns the best candidate of all if it has not been trained to the end."""
        completed = [
            candidate
            for candidate in range(len(self._parts))
            if self._last_part(candidate).status == "COMPLETED"
        ]
        if not completed:
            return None
        best = min(completed, key=lambda one: (self._sign * self._last_part(one).score, one))
        return best if any(self._is_paused(best, n) for n in range(len(self._rungs) - 1)) else None

    def _is_paused(self, candidate: int, rung: int) -> bool:
        """Returns whether a candidate is paused at a rung."""
        last = self._last_part(candidate)
        return (
            last.status == "COMPLETED"
            and last.trial_id not in self.stopped_early
            and last.hyperparameters.values[_UNTIL] == self._rungs[rung]
        )

    def _best_third(self, rung: int) -> list[int]:
        """Returns the best third of the candidates that have reached a rung, best first."""
        scores = {
            candidate: score
            for candidate in range(len(self._parts))
            if (score := self._score(candidate, rung)) is not None
        }
        best_first = sorted(scores, key=lambda one: (self._sign * scores[one], one))
        return best_first[: len(scores) // _FACTOR]

    def _score(self, candidate: int, rung: int) -> float | None:
        """Returns the best score of a candidate up to a rung; None if it has not reached it."""
        told = [self.trials[name] for name in self._parts[candidate]]
        ended = [part for part in told if part.status == "COMPLETED"]
        if not ended:
            return None
        name, until = ended[-1].trial_id, self._rungs[rung]
        curve = self.curves[name]
        if len(curve) < until and name not in self.stopped_early:
            return None
        scores = curve[:until]
        return max(scores) if self._sign < 0 else min(scores)

    def _last_part(self, candidate: int) -> Trial:
        return self.trials[self._parts[candidate][-1]]

    def _seen(self) -> list[Seen]:
        """Returns the candidates for the Gaussian process, with their ranks as scores."""
        placed = sorted(
            (self._standing(candidate), candidate)
            for candidate in range(len(self._parts))
            if self._score(candidate, 0) is not None
        )
        places = {candidate: place for place, (_, candidate) in enumerate(placed)}
        seen = []
        for candidate in range(len(self._parts)):
            last = self._last_part(candidate)
            values, place = searched(last.hyperparameters.values), places.get(candidate)
            if last.status == "FAILED":
                seen.append(Seen(values, "FAILED", 0.0))
            elif place is None:
                seen.append(Seen(values, "RUNNING", 0.0))
            else:
                seen.append(Seen(values, "COMPLETED", float(self._sign * place)))
        return seen

    def _standing(self, candidate: int) -> tuple[int, float]:
        """Returns the highest rung with a candidate among the best, and its score there.

        Both have a sign such that less is better. Training beyond that rung does not count.
        """
        rung = 0
        while (
            rung + 1 < len(self._rungs)
            and self._score(candidate, rung + 1) is not None
            and candidate in self._best_third(rung)
        ):
            rung += 1
        score = self._score(candidate, rung)
        assert score is not None
        return -rung, self._sign * score
