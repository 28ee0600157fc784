"""A model of the score over the search space: a Gaussian process that says how sure it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from autorec_core.search.oracles.points import Setting

_LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # as a share of the mean squared distance between points
_NOISES = (1e-3, 0.03, 0.1, 0.3)  # as a share of the scores' variance
_LEAST = 1e-9


class Encoding:
    """Points of a space as vectors.

    A category is one-hot, a number is coded by its rank, and a setting that is not active is zero,
    which is as far from each of its values. The squared distance of two vectors counts, setting by
    setting, how much they differ: 1 for two categories or for the ends of a range.

    Args:
        settings: The space.
    """

    def __init__(self, settings: Sequence[Setting]) -> None:
        self._settings = settings
        self._codes = [_codes(setting) for setting in settings]

    def __call__(self, points: Iterable[Mapping[str, Any]]) -> np.ndarray:
        """The vectors of some points, one a row."""
        points = list(points)
        columns = []
        for setting, codes in zip(self._settings, self._codes, strict=True):
            place = {value: number for number, value in enumerate(setting.values)}
            inactive = len(codes) - 1
            columns.append(
                codes[[place.get(point.get(setting.name), inactive) for point in points]]
            )
        return np.concatenate(columns, axis=1)


def _codes(setting: Setting) -> np.ndarray:
    """The vector of each value of a setting, and last that of its absence."""
    number = len(setting.values)
    if setting.ordered and number > 1:
        steps = np.tri(number, number - 1, -1) - 0.5  # one step more for each rank
        codes = steps / np.sqrt(number - 1)
    else:
        codes = np.eye(number) * np.sqrt(0.5)
    return np.concatenate([codes, np.zeros((1, codes.shape[1]))])


@dataclass(frozen=True)
class Surrogate:
    """A Gaussian process with known points and scores; the scores have mean 0 and deviation 1.

    Args:
        points: Vectors, one a row.
        scores: The score of each.
        length: The squared distance over which scores become unlike each other.
        noise: The variance of a score around its mean.
    """

    points: np.ndarray
    scores: np.ndarray
    length: float
    noise: float

    @classmethod
    def fitted(cls, points: np.ndarray, scores: np.ndarray) -> Surrogate:
        """The process under which these scores are most likely."""
        typical = max(float(_distances(points, points).mean()), _LEAST)
        processes = [
            cls(points, scores, length * typical, noise)
            for length, noise in itertools.product(_LENGTHS, _NOISES)
        ]
        return max(processes, key=lambda process: process.likelihood)

    @property
    def likelihood(self) -> float:
        """The logarithm of how likely the scores are, up to a constant."""
        factor, weights = self._solved
        return float(-0.5 * self.scores @ weights - np.log(np.diag(factor)).sum())

    def predict(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean and the deviation of the score at other points."""
        factor, weights = self._solved
        shared = self._kernel(points, self.points)
        explained = np.linalg.solve(factor, shared.T)
        variance = 1 + self.noise - (explained**2).sum(axis=0)
        return shared @ weights, np.sqrt(np.maximum(variance, _LEAST))

    def expecting(self, points: np.ndarray) -> Surrogate:
        """This process as if more points had been tried, and were a deviation worse than expected.

        It is then surer of what lies near them, and thinks less of it.
        """
        if not len(points):
            return self
        mean, deviation = self.predict(points)
        return replace(
            self,
            points=np.concatenate([self.points, points]),
            scores=np.concatenate([self.scores, mean + deviation]),
        )

    @cached_property
    def _solved(self) -> tuple[np.ndarray, np.ndarray]:
        """The Cholesky factor of the covariance, and the covariance's inverse times the scores."""
        covariance = self._kernel(self.points, self.points)
        factor = np.linalg.cholesky(covariance + self.noise * np.eye(len(self.points)))
        return factor, np.linalg.solve(factor.T, np.linalg.solve(factor, self.scores))

    def _kernel(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.exp(-_distances(left, right) / self.length)


def _distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The squared distance of each pair of rows."""
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * left @ right.T, 0.0))
