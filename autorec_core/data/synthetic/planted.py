"""Made-up ratings that follow a planted structure, so that the least possible loss is known.

Each row has some categories, every category a hidden vector and a bias. What the planted structure
makes of the vectors, scaled to a variance of 1, is what there is to learn; noise comes on top.

The structures are such that each has interactors that can be it, and others that come nowhere near:
sums over pairs miss what products of three and folds are, a cross network with weight vectors has
too few products for all pairs, and products of a few coordinates cannot fold.
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
"""Standard deviation of what nobody can predict; the signal's is about 1.1."""
BIAS = 0.4
"""Standard deviation of what all categories of a row add together."""
DEGREE = 3
"""Of the planted cross: the number of coordinates in a product."""
FOLDED = 3
"""How many directions the planted perceptron folds."""
FOLDS = (-0.7, 0.7)
"""Where it does, in standard deviations: up to the first, down to the second, up again."""


@dataclass(frozen=True)
class Planted:
    """Made-up rows and their truth.

    Args:
        schema: What the rows look like; no column is a user or an item.
        rows: All rows, in an order that means nothing.
        truth: What the label would be without noise, float64, shape (rows,).
        floor: The mean squared error of knowing `truth`, over all rows to come.
    """

    schema: Schema
    rows: Examples
    truth: np.ndarray
    floor: float = NOISE**2

    def part(self, start: int, end: int) -> Examples:
        """Some of the rows."""
        chosen = slice(start, end)
        return Examples(
            self.rows.categorical[chosen], self.rows.numeric[chosen], self.rows.label[chosen]
        )


def plant(structure: str, rows: int, *, seed: int) -> Planted:
    """Makes rows that follow a structure.

    Args:
        structure: "fm": the dot products of all pairs of vectors. "cross": what a cross network
            makes, products of up to `DEGREE` coordinates. "mlp": a perceptron whose rectified
            units fold a few random directions back and forth.
        rows: How many.
        seed: Decides everything.

    Raises:
        ConfigError: There is no such structure.
    """
    if structure not in STRUCTURES:
        raise ConfigError(f"Unknown structure {structure!r}. Known: {listed(STRUCTURES)}.")
    random = np.random.default_rng([seed, sorted(STRUCTURES).index(structure)])
    # Uniform: of normal numbers, products have tails so long that a few rows would decide the loss.
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
    """Sum over pairs of fields of their vectors' dot product."""

    def make(vectors: np.ndarray) -> np.ndarray:
        pairs = combinations(range(FIELDS), 2)
        return np.sum([(vectors[:, i] * vectors[:, j]).sum(axis=1) for i, j in pairs], axis=0)

    return make


def _cross(random: np.random.Generator) -> Make:
    """X ← x0 (x · w) + x for as many layers as give `DEGREE`, then a weighted sum.

    Each weight vector looks at a coordinate of its own of every field, so that the factors of a
    product are independent.
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
    """One layer of rectified units, a few for each direction, then a weighted sum."""
    directions = random.normal(size=(FIELDS * DIM, FOLDED))
    directions /= np.linalg.norm(directions, axis=0)

    def make(vectors: np.ndarray) -> np.ndarray:
        x = vectors.reshape(len(vectors), -1) @ directions
        folded = np.maximum(x, 0) - np.maximum(-x, 0)
        for at, fold in enumerate(FOLDS):
            folded += (-1) ** (at + 1) * 2 * np.maximum(x - fold, 0)
        return folded.sum(axis=1)

    return make


STRUCTURES: dict[str, Callable[[np.random.Generator], Make]] = {
    "fm": _fm,
    "cross": _cross,
    "mlp": _mlp,
}
"""By name, what draws a structure: its answer makes a number of the rows' vectors."""
