"""A model of the score over the search space: a Gaussian process with its uncertainty."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from autorec_core.search.oracles.points import Setting

_LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # as shares of the mean squared distance between points
_NOISES = (1e-3, 0.03, 0.1, 0.3)  # as shares of the variance of the scores
_LEAST = 1e-9


class Encoding:
    """Turns points of a space into vectors.

    A category is one-hot, a number is encoded by its rank, and an inactive setting is zero, which
    has the same distance from each of the values. The squared distance of two vectors is the sum of
    the differences of all settings: 1 for two categories or for the two ends of a range.

    Args:
        settings: The settings of the space.
    """

    def __init__(self, settings: Sequence[Setting]) -> None:
        self._settings = settings
        self._codes = [_codes(setting) for setting in settings]

    def __call__(self, points: Iterable[Mapping[str, Any]]) -> np.ndarray:
        """Returns the vectors of points, one in each row."""
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
    """Returns the vectors of the values of a setting; the last one is for "inactive"."""
    number = len(setting.values)
    if setting.ordered and number > 1:
        steps = np.tri(number, number - 1, -1) - 0.5  # each rank has one more step
        codes = steps / np.sqrt(number - 1)
    else:
        codes = np.eye(number) * np.sqrt(0.5)
    return np.concatenate([codes, np.zeros((1, codes.shape[1]))])


@dataclass(frozen=True)
class Surrogate:
    """A Gaussian process with known points and scores; the scores have mean 0 and deviation 1.

    Args:
        points: Vectors, one in each row.
        scores: The score of each point.
        length: The squared distance over which scores become independent of each other.
        noise: The variance of a score around its mean.
    """

    points: np.ndarray
    scores: np.ndarray
    length: float
    noise: float

    @classmethod
    def fitted(cls, points: np.ndarray, scores: np.ndarray) -> Surrogate:
        """Returns the process under which these scores are most likely."""
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
        """Returns the mean and the standard deviation of the score at other points."""
        factor, weights = self._solved
        shared = self._kernel(points, self.points)
        explained = np.linalg.solve(factor, shared.T)
        variance = 1 + self.noise - (explained**2).sum(axis=0)
        return shared @ weights, np.sqrt(np.maximum(variance, _LEAST))

    def expecting(self, points: np.ndarray) -> Surrogate:
        """Returns the process as if more points had been tried, each with a bad result.

        The result is one standard deviation worse than expected. The process is then more certain
        about the neighbourhood of these points and expects less of it.
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
        """The Cholesky factor of the covariance, and the inverse covariance times the scores."""
        covariance = self._kernel(self.points, self.points)
        factor = np.linalg.cholesky(covariance + self.noise * np.eye(len(self.points)))
        return factor, np.linalg.solve(factor.T, np.linalg.solve(factor, self.scores))

    def _kernel(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.exp(-_distances(left, right) / self.length)


def _distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Computes the squared distance of each pair of rows."""
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * left @ right.T, 0.0))
