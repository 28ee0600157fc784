"""A rated history is the sum of the formula, however it is pooled."""

from __future__ import annotations

from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf

from autorec_core.mappers.rated_history import (
    DAMPING,
    RatedHistory,
    RatedHistoryMapper,
    residuals,
)
from autorec_core.recommender import adapt
from autorec_core.training.histories import sparse_histories

KEYS, VALUES, DIM = 7, 6, 3
GENERATOR = np.random.default_rng(3)
MET = np.stack([GENERATOR.integers(0, KEYS, 40), GENERATOR.integers(0, VALUES, 40)], 1)
RATINGS = GENERATOR.integers(1, 6, 40).astype("float32")
ASKED = np.stack([GENERATOR.integers(0, KEYS, 30), GENERATOR.integers(0, VALUES, 30)], 1)
WEIGHTS = GENERATOR.normal(size=(VALUES, DIM)).astype("float32")


def by_the_formula():
    """Pools row by row, from dictionaries: no table, no matrix product."""
    centred = (RATINGS - RATINGS.mean()) / RATINGS.std()
    given: dict[int, list[float]] = {}
    for (_, value), rating in zip(MET, centred, strict=True):
        given.setdefault(int(value), []).append(float(rating))
    seen: dict[tuple[int, int], list[float]] = {}
    for (key, value), rating in zip(MET, centred, strict=True):
        mean = sum(given[int(value)]) / (len(given[int(value)]) + DAMPING)
        seen.setdefault((int(key), int(value)), []).append(float(rating) - mean)
    pooled = np.zeros((len(ASKED), DIM))
    for row, (key, own) in enumerate(ASKED):
        met = {v: np.mean(r) for (k, v), r in seen.items() if k == key and k and v and v != own}
        for value, weight in met.items():
            pooled[row] += weight * WEIGHTS[value] / len(met) ** 0.5
    return pooled


def adapted_layer(paired):
    ids = keras.Input([2], dtype="int32", name="ids")
    layer = RatedHistory(
        input_name="ids",
        key_column=0,
        value_column=1,
        key_num=KEYS,
        value_num=VALUES,
        dim=DIM,
        l2=0.0,
        max_length=VALUES,
    )
    if not paired:
        layer.__class__ = type("Listed", (RatedHistory,), {"paired": False})
    model = keras.Model(ids, layer(ids))
    layer.adapt({"ids": MET.astype("int32")}, RATINGS)
    layer.vectors.assign(WEIGHTS)
    return model


@pytest.mark.parametrize("pooled_by", [lambda _: nullcontext(), sparse_histories])
@pytest.mark.parametrize("paired", [True, False])
def test_each_pooling_is_the_formula(paired, pooled_by):
    model = adapted_layer(paired)

    @tf.function(autograph=False)
    def run(ids):
        with pooled_by(model):
            return model(ids)

    np.testing.assert_allclose(run(ASKED.astype("int32")), by_the_formula(), atol=4e-2)


def test_a_row_does_not_see_its_own_rating():
    """Item 1 without user 1 is the same for every rating that user 1 may have given it."""
    rows = np.array([[1, 1], [2, 1], [2, 2], [1, 2], [1, 3]], "int32")
    mapper = RatedHistoryMapper(
        key_column=1,
        value_column=0,
        key_num=4,
        value_num=3,
        embedding_dim=2,
        l2=0.0,
        activation="linear",
    )
    ids = keras.Input([2], dtype="int32", name="ids")
    model = keras.Model(ids, mapper.connect([ids]))

    def vectors(own_rating):
        # Another rating of the user changes too, so that mean and deviation of all stay the same.
        adapt(model, {"ids": rows}, np.array([own_rating, 4, 2, 3, 6 - own_rating], "float32"))
        return np.asarray(model(rows))

    low, high = vectors(1.0), vectors(5.0)
    np.testing.assert_allclose(low[0], high[0], atol=1e-6)
    assert np.abs(low[1] - high[1]).max() > 1e-4  # user 2 sees what user 1 has given to item 1


def test_residuals_by_hand():
    """Labels 1 and 3, mean 2, deviation 1: the means of value 1 and 2 are −1 / 6 and 1 / 6."""
    found = residuals(np.array([1, 2]), np.array([1.0, 3.0]), 3)

    np.testing.assert_allclose(found, [-1 + 1 / 6, 1 - 1 / 6])


def test_an_autoencoder_bends_the_sum():
    mapper = RatedHistoryMapper(
        key_column=0,
        value_column=1,
        key_num=KEYS,
        value_num=VALUES,
        embedding_dim=DIM,
        l2=0.0,
        activation="sigmoid",
    )
    ids = keras.Input([2], dtype="int32", name="ids")
    model = keras.Model(ids, mapper.connect([ids]))
    adapt(model, {"ids": MET.astype("int32")}, RATINGS)
    layers = {type(layer).__name__: layer for layer in model.layers}
    layers["RatedHistory"].vectors.assign(WEIGHTS)
    bias = np.array([0.5, -1.0, 2.0], "float32")
    layers["BiasedActivation"].bias.assign(bias)

    expected = 1 / (1 + np.exp(-(by_the_formula() + bias)))
    np.testing.assert_allclose(model(ASKED.astype("int32")), expected, atol=1e-2)
