"""Synthetic ratings with a planted structure, so that the smallest possible loss is known.

Each row has some categories, and each category has a hidden vector and a bias. The signal is a
function of the vectors, scaled to a variance of 1, plus the biases. Noise is added to it.

For each structure, some interactors can learn it and others cannot. Sums over pairs cannot learn
products of three or folds. A cross network with weight vectors has too few products for all pairs.
Products of a few coordinates cannot learn folds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from autorec_core.data.schema import Examples, Field, Schema
from autorec_core.errors import ConfigError, listed

FIELDS, CATEGORIES, DIM = 3, 25, 4
NOISE = 0.5
"""Standard deviation of the noise; that of the signal is about 1.1."""
BIAS = 0.4
"""Standard deviation of the sum of a row's biases."""
DEGREE = 3
"""The largest number of coordinates in a product of the planted cross network."""
FOLDED = 3
"""The number of directions that the planted perceptron folds."""
FOLDS = (-0.7, 0.7)
"""The places of the folds: the function rises to the first, falls to the second, rises again."""


@dataclass(frozen=True)
class Planted:
    """Synthetic rows and their labels without noise.

    Args:
        schema: The schema of the rows; no column is a user or an item.
        rows: All rows, in random order.
        truth: The labels without noise, float64, shape (rows,).
        floor: The expected mean squared error of a model that predicts `truth`.
    """

    schema: Schema
    rows: Examples
    truth: np.ndarray
    floor: float = NOISE**2

    def part(self, start: int, end: int) -> Examples:
        """Returns the rows from `start` to before `end`."""
        chosen = slice(start, end)
        return Examples(
            self.rows.categorical[chosen], self.rows.numeric[chosen], self.rows.label[chosen]
        )


def plant(structure: str, rows: int, *, seed: int) -> Planted:
    """Makes rows that follow a structure.

    Args:
        structure: "fm": the dot products of all pairs of vectors. "cross": a cross network, with
            products of up to `DEGREE` coordinates. "mlp": a perceptron whose rectified units fold a
            few random directions.
        rows: Number of rows.
        seed: The seed; the same seed gives the same rows.

    Raises:
        ConfigError: The structure is unknown.
    """
    if structure not in STRUCTURES:
        raise ConfigError(f"Unknown structure {structure!r}. Known: {listed(STRUCTURES)}.")
    random = np.random.default_rng([seed, sorted(STRUCTURES).index(structure)])
    # Not normal numbers: a few very large products would dominate the loss.
    vectors = random.uniform(-(3**0.5), 3**0.5, (FIELDS, CATEGORIES, DIM))
    biases = random.normal(0, BIAS / np.sqrt(FIELDS), (FIELDS, CATEGORIES))
    make = STRUCTURES[structure](random)
    ids = random.integers(0, CATEGORIES, (rows, FIELDS))
    fields = np.arange(FIELDS)
    made = make(vectors[fields, ids])
    signal = (made - made.mean()) / made.std() + biases[fields, ids].sum(axis=1)
    label = (signal + random.normal(0, NOISE, rows)).astype(np.float32)
    schema = Schema(
        task="rating",
        label="label",
        categorical=tuple(Field(f"field_{at}", CATEGORIES + 1) for at in range(FIELDS)),
        numeric=(),
        user=None,
        item=None,
        label_range=(float(label.min()), float(label.max())),
    )
    examples = Examples(ids.astype(np.int32) + 1, np.empty((rows, 0), np.float32), label)
    return Planted(schema, examples, signal)


Make = Callable[[np.ndarray], np.ndarray]


def _fm(random: np.random.Generator) -> Make:
    """Makes the sum of the dot products of all pairs of fields."""

    def make(vectors: np.ndarray) -> np.ndarray:
        pairs = combinations(range(FIELDS), 2)
        dots = [(vectors[:, i] * vectors[:, j]).sum(axis=1) for i, j in pairs]
        return np.asarray(np.sum(dots, axis=0))

    return make


def _cross(random: np.random.Generator) -> Make:
    """Makes layers x ← x0 (x · w) + x up to the degree `DEGREE`, and then a weighted sum.

    Each weight vector uses another coordinate of every field, so that the factors of a product are
    independent.
    """
    weights = np.zeros((DEGREE, FIELDS, DIM))
    for at, weight in enumerate(weights):
        weight[:, at] = random.choice([-1.0, 1.0], FIELDS) / np.sqrt(FIELDS)
    *crosses, head = weights.reshape(DEGREE, -1)

    def make(vectors: np.ndarray) -> np.ndarray:
        first = x = vectors.reshape(len(vectors), -1)
        for weight in crosses:
            x = first * (x @ weight)[:, None] + x
        return x @ head

    return make


def _mlp(random: np.random.Generator) -> Make:
    """Makes one layer of rectified units, several for each direction, and then a sum."""
    directions = random.normal(size=(FIELDS * DIM, FOLDED))
    directions /= np.linalg.norm(directions, axis=0)

    def make(vectors: np.ndarray) -> np.ndarray:
        x = vectors.reshape(len(vectors), -1) @ directions
        folded: np.ndarray = np.maximum(x, 0) - np.maximum(-x, 0)
        for at, fold in enumerate(FOLDS):
            folded += (-1) ** (at + 1) * 2 * np.maximum(x - fold, 0)
        return np.asarray(folded.sum(axis=1))

    return make


STRUCTURES: dict[str, Callable[[np.random.Generator], Make]] = {
    "fm": _fm,
    "cross": _cross,
    "mlp": _mlp,
}
"""Functions that draw a structure, by name. A structure computes a number from vectors."""
