"""A multi-valued column becomes the mean of its known categories' vectors."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from autorec_core import zoo
from autorec_core.data.schema import Field, ListField, Schema
from autorec_core.errors import BlockError
from autorec_core.mappers.pooled_feature import ListPenalty, PooledFeatureMapper

SCHEMA = Schema(
    task="rating",
    label="rating",
    categorical=(Field("user", 9), Field("item", 9)),
    numeric=("age",),
    user="user",
    item="item",
    label_range=(-50.0, 50.0),
    lists=(ListField("genres", 4, 3, "|"), ListField("tags", 5, 2, " ")),
)


def model(mapper):
    ids = keras.Input((7,), dtype="int32")
    return keras.Model(ids, mapper.connect([ids]))


def mapper(**changes):
    settings = {"first_column": 2, "length": 3, "vocabulary_size": 4, "embedding_dim": 2, "l2": 0.0}
    return PooledFeatureMapper(**{**settings, **changes})


def test_the_mean_is_of_known_categories_only():
    pooled = model(mapper())
    table = np.array([[9, 9], [1, 2], [3, 4], [5, 0]], dtype="float32")
    pooled.layers[-2].set_weights([table])

    ids = [[7, 7, 1, 2, 0, 8, 8], [7, 7, 0, 3, 0, 8, 8], [7, 7, 0, 0, 0, 8, 8]]

    found = pooled(np.array(ids)).numpy()

    assert found[:, 0].tolist() == [[2, 3], [5, 0], [0, 0]]


def test_the_penalty_is_equal_for_categories_in_any_place_of_a_list():
    penalised = model(mapper(l2=6.0))
    layer = next(one for one in penalised.layers if isinstance(one, ListPenalty))

    rows = np.array([[0, 0, 1, 2, 0, 0, 0], [0, 0, 2, 0, 0, 0, 0]])
    layer.adapt({layer.input_name: rows}, np.zeros(2))

    assert layer.shares.numpy().tolist() == [2.0, 6.0, 3.0, 6.0]


def test_a_list_beyond_the_input_is_refused():
    with pytest.raises(BlockError, match="maps places 5 to 7, but the input has 7 columns"):
        model(mapper(first_column=5))


@pytest.mark.parametrize("space", ["extended", "thesis"])
@pytest.mark.parametrize("name", ["deepfm", "dlrm", "autorec_rp", "autorec_ctr"])
def test_models_use_multi_valued_columns(name, space):
    import keras_tuner

    recommender = zoo.build(name, SCHEMA, space)
    found = recommender.build(keras_tuner.HyperParameters())
    random = np.random.default_rng(0)
    for weights in found.trainable_variables:
        weights.assign(random.normal(scale=0.1, size=weights.shape))
    numeric = np.ones((1, 1), np.float32)
    ids = np.array([[1, 2, 1, 0, 0, 1, 0]], np.int32)
    other = ids.copy()
    other[0, 3] = 2

    first, second = (
        found({"categorical": rows, "numeric": numeric}).numpy() for rows in (ids, other)
    )

    assert (first != second).all()
