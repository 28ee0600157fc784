"""Predicts ratings with a chain of blocks, whose open settings the search decides."""

import numpy as np

from autorec_core import (
    HyperInteraction,
    Input,
    LatentFactorMapper,
    RatingPredictionOptimizer,
    RPRecommender,
    Search,
)

USERS, ITEMS, ROWS = 200, 100, 20_000

random = np.random.default_rng(0)
x = np.stack([random.integers(0, USERS, ROWS), random.integers(0, ITEMS, ROWS)], axis=1)
taste, kind = random.normal(size=(USERS, 3)), random.normal(size=(ITEMS, 3))
y = 3 + 0.5 * (taste[x[:, 0]] * kind[x[:, 1]]).sum(axis=1) + random.normal(0, 0.1, ROWS)
train, valid = slice(0, 18_000), slice(18_000, None)

inputs = Input(shape=[2])
users = [
    LatentFactorMapper(feat_column_id=0, id_num=USERS, embedding_dim=16)(inputs) for _ in range(2)
]
items = [
    LatentFactorMapper(feat_column_id=1, id_num=ITEMS, embedding_dim=16)(inputs) for _ in range(2)
]
outputs = RatingPredictionOptimizer()(HyperInteraction()([*users, *items]))
model = RPRecommender(inputs=inputs, outputs=outputs)

search = Search(model=model, tuner="greedy", tuner_params={"max_trials": 4})
winner = search.search(
    x[train], y[train], x[valid], y[valid], objective="val_mse", batch_size=512, epochs=10
)
winner.save("rating.keras")  # an ordinary Keras model
print(f"valid MSE {search.result.best.score:.4f}, mean predictor {y[valid].var():.4f}")
