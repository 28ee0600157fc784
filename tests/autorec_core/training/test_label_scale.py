"""Ratings on any scale, such as minutes or prices, are learned as well as stars."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import autorec_core
from autorec_core.recipe import Training
from autorec_core.training import Budget, Rows, train

USERS, ITEMS = 30, 20


def rows(number, seed, factor, shift):
    """Makes labels on a scale `factor` times that of stars; users and items explain four fifths."""
    random = np.random.default_rng(seed)
    ids = np.stack([random.integers(0, USERS, number), random.integers(0, ITEMS, number)], axis=1)
    stars = 3 + (ids[:, 0] % 5) / 2 - (ids[:, 1] % 4) / 2 + random.normal(0, 0.4, number)
    return Rows({"ids": ids.astype(np.int32)}, (factor * stars + shift).astype(np.float32))


def trained(factor, shift=0.0):
    parts = rows(800, 1, factor, shift), rows(300, 2, factor, shift)
    ids = autorec_core.Input(shape=[2])
    towers = [
        autorec_core.LatentFactorMapper(feat_column_id=at, id_num=num, embedding_dim=4, l2=0.01)(
            ids
        )
        for at, num in ((0, USERS), (1, ITEMS))
    ]
    mlp = autorec_core.MLPInteraction(units=8, num_layers=1, use_batch_norm=False, dropout_rate=0.0)
    labels = parts[0].labels
    outputs = autorec_core.RatingPredictionOptimizer(
        label_range=(float(labels.min()), float(labels.max()))
    )(mlp(towers))
    recipe = Training(learning_rate=0.01, decay=1.0, batch_size=64)
    model = autorec_core.RPRecommender(inputs=ids, outputs=outputs, training=recipe)
    return train(model, *parts, budget=Budget(epochs=12, patience=12), seed=3)


@pytest.mark.parametrize(("factor", "shift"), [(1000.0, 5000.0), (0.001, 0.0), (1e6, -1e7)])
def test_a_rating_is_learned_on_any_scale(factor, shift, tmp_path):
    stars, other = trained(1.0), trained(factor, shift)

    left, left_of_stars = (one.score / one.constant_score for one in (other, stars))
    assert left_of_stars < 0.4
    assert left < 1.2 * left_of_stars
    assert other.curve[-1]["loss"] < other.constant_score
    # The scale is saved with the model, and stars need none.
    ids = rows(20, 4, 1, 0).inputs
    other.model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(again.predict(ids, verbose=0), other.model.predict(ids, verbose=0))
    assert other.model.get_layer("score").scaled
    assert not stars.model.get_layer("score").scaled
