"""Predicts clicks from categories and numbers with a chain of blocks, one of them searched."""

import numpy as np

from autorec_core import (
    CTRPredictionOptimizer,
    CTRRecommender,
    DenseFeatureMapper,
    FMInteraction,
    HyperInteraction,
    Input,
    Search,
    SparseFeatureMapper,
)
from autorec_core.block import choice

ROWS, SIZES, NUMBERS = 10_000, (50, 20, 10), 2

random = np.random.default_rng(0)
categorical = np.stack([random.integers(0, size, ROWS) for size in SIZES], axis=1)
numeric = random.normal(size=(ROWS, NUMBERS)).astype("float32")
weights = [random.normal(size=size) for size in SIZES]
logit = sum(weight[categorical[:, at]] for at, weight in enumerate(weights)) + numeric[:, 0] - 1
clicked = (random.random(ROWS) < 1 / (1 + np.exp(-logit))).astype("float32")


def rows(part: slice) -> dict[str, np.ndarray]:
    """Returns some rows as arrays, by the name of their input."""
    return {"ids": categorical[part], "numbers": numeric[part]}


ids = Input(shape=[len(SIZES)], name="ids", dtype="int32")
numbers = Input(shape=[NUMBERS], name="numbers", dtype="float32")
embedded = [
    SparseFeatureMapper(vocabulary_sizes=SIZES, embedding_dim=8)(ids),
    DenseFeatureMapper(embedding_dim=8)(numbers),
]
searched = HyperInteraction(
    meta_interactor_num=choice(1, 2), interactor_type=choice("MLPInteraction", "FMInteraction")
)
outputs = CTRPredictionOptimizer()([FMInteraction()(embedded), searched(embedded), numbers])
model = CTRRecommender(inputs=[ids, numbers], outputs=outputs)

train, valid = slice(0, 9_000), slice(9_000, None)
search = Search(model=model, tuner="bayesian", tuner_params={"max_trials": 3})
winner = search.search(
    rows(train), clicked[train], rows(valid), clicked[valid], objective="val_auc", epochs=4
)
print(f"valid AUC {search.result.best.score:.4f}; winner: {search.best_hyperparameters}")
