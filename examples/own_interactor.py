"""Searches over an interactor of your own: one class whose fields are hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from autorec_core import (
    HyperInteraction,
    Input,
    LatentFactorMapper,
    RatingPredictionOptimizer,
    RPRecommender,
    Search,
)
from autorec_core.block import choice
from autorec_core.interactors.base import Interactor, aligned


@dataclass(frozen=True, kw_only=True)
class AngleInteraction(Interactor):
    """The cosine of the angle between the first vector and each other: `y = cos(a, b)^power`.

    Args:
        power: An odd number. The larger it is, the less do large angles count.
    """

    power: int = choice(1, 3, least=1)

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Computes the cosines with Keras operations; there is nothing to train."""
        vectors = keras.ops.normalize(aligned(inputs), axis=-1)  # (batch, vectors, width)
        return keras.ops.sum(vectors[:, :1] * vectors[:, 1:], axis=-1) ** self.power


PEOPLE, PLACES, ROWS = 80, 60, 8_000

random = np.random.default_rng(0)
x = np.stack([random.integers(0, PEOPLE, ROWS), random.integers(0, PLACES, ROWS)], axis=1)
person, place = random.normal(size=(PEOPLE, 2)), random.normal(size=(PLACES, 2))
cosine = (person[x[:, 0]] * place[x[:, 1]]).sum(axis=1)
cosine /= np.linalg.norm(person[x[:, 0]], axis=1) * np.linalg.norm(place[x[:, 1]], axis=1)
y = 3 + 2 * cosine**3 + random.normal(0, 0.1, ROWS)
train, valid = slice(0, 7_000), slice(7_000, None)

inputs = Input(shape=[2])
vectors = [
    LatentFactorMapper(feat_column_id=column, id_num=size, embedding_dim=2, l2=0.0)(inputs)
    for column, size in enumerate((PEOPLE, PLACES))
]
chosen = HyperInteraction(
    meta_interactor_num=1,
    interactor_type=choice("AngleInteraction", "InnerProductInteraction"),
)
model = RPRecommender(inputs=inputs, outputs=RatingPredictionOptimizer()(chosen(vectors)))

# Trials run in this process, because workers cannot import a class of the main program.
search = Search(model=model, tuner="random", tuner_params={"max_trials": 3})
search.search(x[train], y[train], x[valid], y[valid], objective="val_mse", batch_size=256, epochs=6)
print(f"valid MSE {search.result.best.score:.4f}, mean predictor {y[valid].var():.4f}")
print(f"winner: {search.best_hyperparameters}")
