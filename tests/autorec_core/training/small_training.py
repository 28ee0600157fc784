"""A small recommender and rows for tests of training. Users and items have known effects."""

import numpy as np

import autorec_core
from autorec_core.recipe import Training
from autorec_core.training import Rows

USERS, ITEMS = 30, 20
RECIPE = Training(learning_rate=0.01, decay=1.0, batch_size=64)


def recommender(task="rating", recipe=RECIPE, l2=0.0, dropout_rate=0.0):
    ids = autorec_core.Input(shape=[2])
    user = autorec_core.LatentFactorMapper(feat_column_id=0, id_num=USERS, embedding_dim=4, l2=l2)
    item = autorec_core.LatentFactorMapper(feat_column_id=1, id_num=ITEMS, embedding_dim=4, l2=l2)
    mlp = autorec_core.MLPInteraction(
        units=8, num_layers=1, use_batch_norm=False, dropout_rate=dropout_rate
    )
    tower = mlp([user(ids), item(ids)])
    if task == "rating":
        outputs = autorec_core.RatingPredictionOptimizer()(tower)
        return autorec_core.RPRecommender(inputs=ids, outputs=outputs, training=recipe)
    outputs = autorec_core.CTRPredictionOptimizer()(tower)
    return autorec_core.CTRRecommender(inputs=ids, outputs=outputs, training=recipe)


def rows(number, seed, task="rating"):
    generator = np.random.default_rng(seed)
    ids = np.stack(
        [generator.integers(0, USERS, number), generator.integers(0, ITEMS, number)], axis=1
    ).astype(np.int32)
    truth = 3 + (ids[:, 0] % 5) / 2 - (ids[:, 1] % 4) / 2
    labels = truth + generator.normal(0, 0.5, number)
    if task == "ctr":
        labels = labels > 3.25
    return Rows({"ids": ids}, labels.astype(np.float32))


TRAIN, VALID = rows(600, seed=1), rows(200, seed=2)
