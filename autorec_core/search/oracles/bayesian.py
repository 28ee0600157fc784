"""Bayesian optimisation: a model of the score decides which point to try next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from autorec_core.search.oracles.base import RecordedOracle, answer
from autorec_core.search.oracles.points import Values
from autorec_core.search.oracles.surrogate import Encoding, Surrogate

_CANDIDATES = 400
_NEIGHBOURED = 10  # half of the candidates are neighbours of that many best trials
_MOST_CHANGED = 3
_MOST_KNOWN = 200  # trials to learn from at most; the cost grows with the cube of their number
_DIGITS = 9  # of the bound: smaller differences are ties, so rounding errors do not matter


@dataclass(frozen=True)
class Seen:
    """A trial that the Gaussian process learns from.

    Args:
        values: The values of the trial.
        status: The status in KerasTuner.
        score: The score; only used if the status is "COMPLETED".
    """

    values: Mapping[str, Any]
    status: str
    score: float


class BayesianOracle(RecordedOracle):
    """Models the score with a Gaussian process and tries the point with the lowest bound.

    The process treats categories as categories, and an inactive setting as different from all its
    values. It learns from the ranks of the scores. So one very bad trial does not hide how much the
    others differ. A failed trial ranks last. A running trial counts as if its result were a little
    worse than expected, so that the next proposal is somewhere else.

    The bound is a lower confidence bound. It is minimised over random points and neighbours of the
    best trials.

    Args:
        initial: How many trials must be completed before the process is used. Until then, points
            are random.
        caution: How many standard deviations the bound is below the mean.
        **settings: The arguments of `keras_tuner.Oracle`.

    References:
        [Desautels et al., 2014](https://jmlr.org/papers/v15/desautels14a.html) on trials that run
        at the same time.
    """

    def __init__(self, initial: int = 4, caution: float = 2.6, **settings: Any) -> None:
        super().__init__(**settings)
        self._initial = initial
        self._caution = caution
        self._encoding = Encoding(self._points.settings)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the values of the next trial."""
        seen = [
            Seen(t.hyperparameters.values, t.status, t.score if t.status == "COMPLETED" else 0.0)
            for t in self.trials.values()
        ]
        return answer(self._next(seen))

    def _next(self, trials: Sequence[Seen]) -> Values | None:
        """Returns the next point to try, given the trials in the order of their proposals."""
        random = self._random()
        completed = [trial for trial in trials if trial.status == "COMPLETED"]
        if len(completed) < self._initial or self._first_point() is not None:
            return self._new_point(random)
        known = self._worth_knowing([trial for trial in trials if trial.status != "RUNNING"])
        running = [trial for trial in trials if trial.status == "RUNNING"]
        process = Surrogate.fitted(self._vectors(known), self._ranks(known))
        candidates = self._candidates(completed, random)
        mean, deviation = process.expecting(self._vectors(running)).predict(
            self._encoding(candidates)
        )
        bound = np.round(mean - self._caution * deviation, _DIGITS)
        for place in map(int, np.argsort(bound, kind="stable")):
            if not self._is_tried(candidates[place]):
                return candidates[place]
        return self._new_point(random)

    def _candidates(self, completed: Sequence[Seen], random: np.random.Generator) -> list[Values]:
        """Returns random points and neighbours of the best trials."""
        ranked = sorted(completed, key=lambda trial: self._sign * trial.score)
        best = [trial.values for trial in ranked[:_NEIGHBOURED]]
        points = []
        for number in range(_CANDIDATES):
            near = best[random.integers(len(best))] if number % 2 else {}
            names = list(near)
            places = random.integers(max(len(names), 1), size=random.integers(1, _MOST_CHANGED + 1))
            redrawn = {names[place] for place in places} if names else ()
            points.append(self._points.sample(random, near, redrawn))
        return points

    def _worth_knowing(self, trials: list[Seen]) -> list[Seen]:
        """Returns all trials, or the best and the latest if there are too many."""
        if len(trials) <= _MOST_KNOWN:
            return trials
        half = _MOST_KNOWN // 2
        earlier = sorted(
            trials[:-half],
            key=lambda t: self._sign * t.score if t.status == "COMPLETED" else float("inf"),
        )
        return earlier[:half] + trials[-half:]

    def _vectors(self, trials: Sequence[Seen]) -> np.ndarray:
        return self._encoding(trial.values for trial in trials)

    def _ranks(self, trials: Sequence[Seen]) -> np.ndarray:
        """Returns the scores as quantiles of a normal distribution; the best is the lowest."""
        worst = float("inf")
        scores = np.array(
            [worst if t.status == "FAILED" else self._sign * t.score for t in trials], np.float64
        )
        below = (scores[:, None] > scores).sum(axis=1)
        equal = (scores[:, None] == scores).sum(axis=1)
        shares = (below + equal / 2) / len(scores)
        quantiles = np.array([NormalDist().inv_cdf(share) for share in shares])
        spread = quantiles.std()
        return np.asarray((quantiles - quantiles.mean()) / (spread if spread > 0 else 1.0))
